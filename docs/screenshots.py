"""Takes the pictures in `docs/images`: `python -m docs.screenshots`.

A suite of its own, on free ports and a temporary folder, leads to the offline provider; the conversations of `llmitm demo` go
through its proxy, so mitmweb sees them too. Needs Chromium. Look at each picture before committing it.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from addons.cli.private_proxy import as_env
from addons.offline.server import running

IMAGES = Path(__file__).parent / "images"
LLMITM = str(Path(sys.executable).with_name("llmitm"))
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
WIDTH, HEIGHT = 1360, 900

# A call worth a picture: streamed, with tools.
CALL = (
    "select id from calls where provider = 'anthropic' and stream and tool_calls <> '[]' order by id limit 1"
)
SESSION = "select id from sessions order by requests desc, last_at desc limit 1"


@contextlib.contextmanager
def suite(folder: Path) -> Iterator[tuple[dict[str, str], dict[str, Any]]]:
    """Environment and `llmitm status --json` of a suite that leads to the offline provider."""
    with running() as provider:
        (host, port), (plain_host, plain_port) = provider.address, provider.http_address
        settings: dict[str, object] = {
            "proxy__listen_port": 0,
            "proxy__web_port": 0,
            "dashboard__port": 0,
            "store__dir": folder / "data",
            "certs__dir": folder / "certs",
            "proxy__connect_to": [f"localhost={plain_host}:{plain_port}", f"*={host}:{port}"],
            "proxy__upstream_ca": provider.ca_file,
        }
        env = {**os.environ, **as_env(settings)}
        up = subprocess.Popen([LLMITM, "up"], env=env, stdout=subprocess.DEVNULL, start_new_session=True)
        try:
            subprocess.run([LLMITM, "status", "--wait", "60"], env=env, check=True, stdout=subprocess.DEVNULL)
            yield env, status(env)
        finally:
            up.send_signal(signal.SIGTERM)
            up.wait(30)


def status(env: dict[str, str]) -> dict[str, Any]:
    said = subprocess.run([LLMITM, "status", "--json"], env=env, check=True, capture_output=True).stdout
    return {process["name"]: process for process in json.loads(said)["processes"]}


def hold_conversations(env: dict[str, str]) -> None:
    talk = [LLMITM, "exec", "--local", "--", sys.executable, "-m", "addons.cli.conversations"]
    subprocess.run(talk, env=env, check=True, stdout=subprocess.DEVNULL)


def take(page: Page, name: str) -> None:
    page.wait_for_timeout(1500)  # fonts, and rows that move in
    page.screenshot(path=IMAGES / f"{name}.png")


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="llmitm-docs-") as folder,
        suite(Path(folder)) as (env, processes),
    ):
        web_url = processes["proxy"]["counters"]["web_url"]
        dashboard = f"http://{processes['dashboard']['addresses']['dashboard']}"
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
            page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
            hold_conversations(env)
            with closing(sqlite3.connect(Path(folder) / "data" / "traffic.db")) as db:
                (call_id,) = db.execute(CALL).fetchone()
                (session_id,) = db.execute(SESSION).fetchone()
            for name, path in {
                "overview": "/?span=1h",
                "live": "/-/live",
                "session": f"/-/sessions/{session_id}",
                "call": f"/-/calls/{call_id}",
                "search": "/-/search?q=the",
            }.items():
                page.goto(f"{dashboard}{path}")
                take(page, f"dashboard-{name}")
            page.goto(web_url)
            page.get_by_text("api.anthropic.com").nth(4).click()
            page.get_by_role("link", name="Response").click()
            take(page, "mitmweb")
            browser.close()


if __name__ == "__main__":
    main()
