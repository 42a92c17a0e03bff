"""`llmitm doctor`: does recording work on this machine, from client to record? Names the broken link and its fix.

A proxy of its own runs on a temporary data folder, but with the user's configuration and CA: those are what is tested. It leads
to the offline provider, so no key and no network is needed and nothing real is touched.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import ssl
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from addons.cli import suite
from addons.cli.checks import Check, check_files, check_ports
from addons.cli.client_env import client_variables, original
from addons.cli.private_proxy import private_proxy
from addons.cli.runtimes import URL, check_runtimes
from addons.cli.settle import settle
from intelligence.config import Config, ConfigError, load_config
from intelligence.store import check as record

if TYPE_CHECKING:
    import httpx

    from addons.offline.server import OfflineProvider

SETTLE_SECONDS = 20
MARKS = {
    "ok": "[green]ok[/]",
    "warning": "[yellow]warning[/]",
    "broken": "[red]BROKEN[/]",
    "skipped": "[bright_black]–[/]",
}


@click.command()
@click.option("--db", "database", is_flag=True, help="Look whether the record itself is sound, instead.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for scripts.")
def command(database: bool, as_json: bool) -> None:
    """Prove that recording works: configuration, files, ports, a real call through a proxy of its own to the offline
    provider (streamed and not), the record of it, and the trust of each runtime found: Python, Node, curl, Go. Exit code 1 if
    a link is broken. Needs no network.

    With --db: the database's pages, keys and views, every body and message against its hash, rows that nothing refers to, the
    journal against what is stored of it. May run beside the worker; a large record takes minutes.

    \b
    Example:
      llmitm doctor
      llmitm doctor --db
      llmitm doctor --json | jq '.checks[] | select(.state == "broken")'
    """
    if as_json:
        checks = list(examine_database() if database else examine())
        ok = not any(check.state == "broken" for check in checks)
        click.echo(json.dumps({"ok": ok, "checks": [asdict(check) for check in checks]}, indent=2))
    else:
        ok = _show(examine_database(), "The record is sound.") if database else _show(examine(), _works())
    sys.exit(0 if ok else 1)


def _works() -> str:
    return f"Recording works. Try: {suite.program()} exec -- claude"


def _show(checks: Iterator[Check], well: str) -> bool:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False)
    seen = []
    with console.status("Looking…"):
        for check in checks:
            seen.append(check)
            line = Table.grid(padding=(0, 2))
            for width in (18, 8):
                line.add_column(width=width, overflow="fold")
            line.add_column(overflow="fold")
            detail = escape(check.detail) + (f"\n[bold]Fix:[/] {escape(check.fix)}" if check.fix else "")
            line.add_row(escape(check.name), MARKS[check.state], detail)
            console.print(line)
    broken = [check.name for check in seen if check.state == "broken"]
    if broken:
        console.print(f"\n[red]Broken: {escape(', '.join(broken))}[/]")
    else:
        console.print(f"\n[green]{escape(well)}[/]")
    return not broken


def examine() -> Iterator[Check]:
    """All checks, each as soon as it is made. What cannot be reached because of a broken link before it is left out."""
    try:
        config = load_config()
    except ConfigError as e:
        yield Check("configuration", "broken", str(e), "correct it there")
        return
    there = "" if config.path.is_file() else " (not there: all defaults)"
    yield Check("configuration", "ok", f"{config.path}{there}")
    for look in (check_files, check_ports):
        for check in look(config):
            yield check
            if check.name.endswith("folder"):
                return
    with tempfile.TemporaryDirectory(prefix="llmitm-doctor-") as folder:
        yield from _examine_calls(config, Path(folder))


def examine_database() -> Iterator[Check]:
    try:
        data_dir = load_config().data_dir
    except ConfigError as e:
        yield Check("configuration", "broken", str(e), "correct it there")
        return
    for found in record.check(data_dir):
        state: Literal["ok", "broken"] = "broken" if found.problem else "ok"
        yield Check(found.name, state, found.problem or found.detail, found.fix)


def _examine_calls(config: Config, data_dir: Path) -> Iterator[Check]:
    from addons.offline.server import running

    env = original(os.environ)
    with running(hostnames=["api.openai.com"]) as provider:
        host, port = provider.address
        settings = {
            "proxy__connect_to": [f"*={host}:{port}"],
            "proxy__upstream_ca": provider.ca_file,
            "proxy__upstream_proxy": "",
        }
        try:
            with private_proxy(data_dir, env, **settings) as proxy:
                yield Check("proxy", "ok", "starts, and listens on a port of its own")
                for check in _check_calls(provider, proxy.url, config.certs.dir / "bundle.pem"):
                    yield (
                        check
                        if check.state == "ok"
                        else replace(check, detail=check.detail + _proxy_said(data_dir))
                    )
                variables = client_variables(proxy.url, config.certs.dir, env)
                yield from check_runtimes({**env, **variables})
        except click.ClickException as e:
            yield Check(
                "proxy", "broken", e.message, "the reason above says what to change; then run doctor again"
            )
            return
    yield _check_record(data_dir)


def _proxy_said(data_dir: Path) -> str:
    """The proxy's last complaint, for a call that failed."""
    log = (data_dir / "logs" / "private-proxy.log").read_text("utf-8", "replace")
    lines = [line for line in log.splitlines() if re.search("ERROR|WARNING|Error: ", line)]
    return f". The proxy says: {' / '.join(lines[-2:])[:400]}" if lines else ""


def _check_calls(provider: OfflineProvider, proxy_url: str, bundle: Path) -> Iterator[Check]:
    import httpx

    links: tuple[tuple[str, Callable[[httpx.Client, OfflineProvider], Check]], ...] = (
        ("call", _plain_call),
        ("streamed call", _streamed_call),
    )
    for name, call in links:
        try:
            trust = ssl.create_default_context(cafile=str(bundle))
            with httpx.Client(proxy=proxy_url, verify=trust, timeout=20, trust_env=False) as client:
                yield call(client, provider)
        except (httpx.HTTPError, OSError) as e:
            certificate = "CERTIFICATE_VERIFY_FAILED" in str(e)
            fix = "remove the CA's files and start again" if certificate else "see docs/troubleshooting.md"
            yield Check(name, "broken", str(e) or type(e).__name__, fix)


def _body(prompt: str, *, stream: bool) -> dict[str, object]:
    body = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": prompt}], "stream": stream}
    return {**body, "stream_options": {"include_usage": True}} if stream else body


def _plain_call(client: httpx.Client, provider: OfflineProvider) -> Check:
    answer = client.post(URL, json=_body('[[offline: text="plain call"]] doctor', stream=False))
    if answer.status_code != 200 or "plain call" not in answer.text:
        return Check(
            "call",
            "broken",
            f"answered {answer.status_code}: {answer.text[:200]}",
            "see docs/troubleshooting.md",
        )
    return Check("call", "ok", "client → proxy → provider and back, over TLS on both sides")


def _streamed_call(client: httpx.Client, provider: OfflineProvider) -> Check:
    """The provider takes its time between events: has it still some to send when the first is here, nothing held it back."""
    sent_at_first = None
    text = ""
    with client.stream(
        "POST", URL, json=_body("[[offline: length=20 drip_ms=40]] doctor", stream=True)
    ) as answer:
        for piece in answer.iter_text():
            if sent_at_first is None:
                sent_at_first = provider.requests[-1].events
            text += piece
    sent = provider.requests[-1].events
    if answer.status_code != 200 or "[DONE]" not in text:
        return Check(
            "streamed call",
            "broken",
            f"answered {answer.status_code}: {text[:200]}",
            "see docs/troubleshooting.md",
        )
    if sent_at_first is None or sent_at_first >= sent:
        return Check(
            "streamed call",
            "broken",
            "the stream arrived only when it was complete: something between client and proxy holds it back",
            "look for another proxy or a security product on this machine that buffers loopback traffic",
        )
    return Check(
        "streamed call", "ok", f"the first event was here when {sent_at_first} of {sent} had been sent"
    )


def _check_record(data_dir: Path) -> Check:
    if not settle(data_dir, SETTLE_SECONDS):
        said = (data_dir / "logs" / "drain.log").read_text("utf-8", "replace").strip().splitlines()[-3:]
        return Check(
            "record",
            "broken",
            "the worker did not store the calls: " + " ".join(said),
            "see docs/troubleshooting.md",
        )
    try:
        with closing(sqlite3.connect(data_dir / "traffic.db")) as db:
            rows = db.execute(
                "select stream from calls where provider = 'openai' and state = 'complete' and model = 'gpt-5-mini' "
                "and input_tokens > 0 and output_tokens > 0 and text <> ''"
            ).fetchall()
    except sqlite3.Error as e:
        return Check("record", "broken", str(e), "see docs/troubleshooting.md")
    streamed = sum(1 for (stream,) in rows if stream)
    if not streamed or streamed == len(rows):
        return Check(
            "record", "broken", f"only {len(rows)} whole calls are recorded", "see docs/troubleshooting.md"
        )
    return Check("record", "ok", f"all {len(rows)} calls stored, with model, tokens and text")
