"""The script for a mitmdump of one's own, with the options that its page names: a call passes, and is recorded."""

from __future__ import annotations

import re
import ssl
import subprocess
import sys
import time
from pathlib import Path

import httpx

from addons import ca
from addons.offline.server import running
from intelligence.config import load_config
from tests.rig.mitmdump import BARE
from tests.rig.processes import REPOSITORY, calls, drain, environment

PAGE = REPOSITORY / "docs" / "plain-mitmdump.md"
SCRIPT = REPOSITORY / "docs" / "examples" / "mitmdump_script.py"
QUESTION = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "hello"}], "stream": True}
START_SECONDS = 30


def documented_options() -> list[str]:
    found = re.findall(r"--set (\S+)", PAGE.read_text("utf-8").partition("```sh")[2].partition("```")[0])
    assert len(found) >= 3
    return [option for option in found if not option.startswith("confdir=")]


def test_two_lines_as_the_page_shows_them() -> None:
    shown = PAGE.read_text("utf-8").partition("```python\n")[2].partition("```")[0]
    assert len(shown.splitlines()) == 2
    assert SCRIPT.read_text("utf-8").endswith("\n\n" + shown)


def test_a_call_is_recorded(tmp_path: Path) -> None:
    with running(hostnames=["api.openai.com"]) as provider:
        host, port = provider.address
        env = environment(tmp_path, proxy__connect_to=[f"*={host}:{port}"])
        ca.ensure(load_config(Path(env["LLMITM_CONFIG"]), env))
        options = [
            *documented_options(),
            f"confdir={tmp_path / 'certs'}",
            "listen_host=127.0.0.1",
            "listen_port=0",
        ]
        options.append(f"ssl_verify_upstream_trusted_ca={provider.ca_file}")
        command = [sys.executable, "-c", BARE, "-s", str(SCRIPT)]
        for option in options:
            command += ["--set", option]
        log = tmp_path / "mitmdump.log"
        with log.open("wb") as output:
            mitmdump = subprocess.Popen(
                command,
                env={**env, "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        try:
            deadline = time.monotonic() + START_SECONDS
            while not (found := re.search(r"listening at ([\d.]+:\d+)", log.read_text())):
                assert mitmdump.poll() is None and time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
            trust = ssl.create_default_context(cafile=str(tmp_path / "certs" / "mitmproxy-ca-cert.pem"))
            with httpx.Client(proxy=f"http://{found[1]}", verify=trust, trust_env=False) as client:
                answer = client.post("https://api.openai.com/v1/chat/completions", json=QUESTION, timeout=20)
        finally:
            mitmdump.terminate()
            mitmdump.wait(15)
    assert answer.status_code == 200 and answer.text.rstrip().endswith("data: [DONE]"), log.read_text()
    drain(tmp_path)
    (call,) = calls(tmp_path)
    assert (call["provider"], call["model"], call["state"], call["stream"]) == (
        "openai",
        "gpt-5-mini",
        "complete",
        1,
    )
    assert call["text"]
