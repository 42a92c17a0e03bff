"""`llmitm demo`: real SDK conversations, recorded as any client's would be, answered by the offline provider.

A proxy of the demo's own, with a CA of its own, leads to the offline provider and records into the user's data folder; the
suite, if it runs, is left alone, as its proxy leads to the real providers. The conversations are held in a process with the
variables of `llmitm exec`.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import click

from addons.cli import child, suite, summary
from addons.cli.client_env import client_variables, original
from addons.cli.private_proxy import PrivateProxy, private_proxy
from addons.cli.settle import settle
from intelligence.config import Config

SDKS = ("openai", "anthropic", "google.genai")
SETTLE_SECONDS = 60


@click.command()
def command() -> None:
    """Fill the dashboard with conversations that real SDKs hold with an offline provider: chats, agents with tools,
    embeddings, a voice agent, and some that fail. Needs no API key and no network, and sends nothing anywhere.

    \b
    Example:
      llmitm demo
      llmitm up      (in another terminal, before or after, to look at them)
    """
    config = suite.load()
    if missing := [name for name in SDKS if not _is_installed(name)]:
        raise click.ClickException(
            f"the demo needs the providers' SDKs, of which {', '.join(missing)} are not installed: "
            "pip install 'llmitm[demo]'"
        )
    since_ms = time.time_ns() // 1_000_000
    proxy, failed = _converse(config)
    stored = settle(config.data_dir, SETTLE_SECONDS)
    until_ms = time.time_ns() // 1_000_000
    try:
        used = summary.usage(config.data_dir, since_ms, until_ms, proxy.run)
    except sqlite3.Error as e:
        raise click.ClickException(f"recorded, but the record cannot be read: {e}") from None
    click.echo(f"\nRecorded: {summary.describe(used)}")
    if not stored:
        raise click.ClickException(
            f"not all of it could be stored; see {config.data_dir / 'logs' / 'drain.log'}"
        )
    if url := suite.running(config.data_dir).dashboard_url:
        click.echo(f"Look at them: {url}")
    else:
        start = "make run" if suite.program() != "llmitm" else "llmitm up"
        click.echo(
            f"Look at them: start the suite with `{start}`, then open http://{_dashboard_address(config)}/"
        )
    sys.exit(1 if failed else 0)


def _is_installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def _dashboard_address(config: Config) -> str:
    return suite.reachable(f"{config.dashboard.host}:{config.dashboard.port}")


def _converse(config: Config) -> tuple[PrivateProxy, bool]:
    """Holds all conversations; the proxy they went through, and whether one failed."""
    from addons.offline.server import running

    env = original(os.environ)
    with running() as provider, tempfile.TemporaryDirectory(prefix="llmitm-demo-") as certs_dir:
        (host, port), (plain_host, plain_port) = provider.address, provider.http_address
        settings: dict[str, object] = {
            "proxy__connect_to": [f"localhost={plain_host}:{plain_port}", f"*={host}:{port}"],
            "proxy__upstream_ca": provider.ca_file,
            "proxy__upstream_proxy": "",
            "certs__dir": certs_dir,
        }
        with private_proxy(config.data_dir, env, **settings) as proxy:
            variables = client_variables(proxy.url, Path(certs_dir), env, local=True)
            failed = _hold({**env, **variables, "NO_PROXY": "", "no_proxy": ""})
    return proxy, failed


def _hold(env: Mapping[str, str]) -> bool:
    """Runs the conversations, telling of each as it ends. Whether one failed."""
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False)
    process = subprocess.Popen(
        child.command("addons.cli.conversations"),
        env=dict(env),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdin
    try:
        with console.status("Talking…"):
            for line in process.stdout:
                told = json.loads(line)
                mark = "[red]✗[/]" if told["error"] else "[green]✓[/]"
                why = f"\n  [red]{escape(told['error'])}[/]" if told["error"] else ""
                console.print(f"{mark} {escape(told['title'])}{why}", soft_wrap=True)
        return process.wait() != 0
    finally:
        process.terminate()
        process.wait()
        process.stdin.close()
