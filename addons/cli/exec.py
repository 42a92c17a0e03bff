"""`llmitm exec -- CMD…`: one command, proxied and trusting; nothing else on the machine is touched.

The suite's proxy is used when it runs, else a private one for as long as the command lives. The command keeps our standard
streams and the terminal; signals sent to us go on to it; its exit code is ours (127: not found, 126: not executable,
128 + N: ended by signal N, as in a shell). All we say goes to stderr.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType

import click

from addons.cli import suite, summary
from addons.cli.client_env import client_variables, original
from addons.cli.private_proxy import PrivateProxy, private_proxy
from addons.cli.route import suite_proxy, upstream_of
from addons.cli.settle import settle
from intelligence.config import Config

SETTLE_SECONDS = 30
FORWARDED = ("SIGTERM", "SIGHUP", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGCONT")


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--local", is_flag=True, help="Record models on this machine too (Ollama, LM Studio, vLLM).")
@click.option("--quiet", "-q", is_flag=True, help="No summary at the end.")
@click.argument("cmd", nargs=-1, type=click.UNPROCESSED, required=True, metavar="[--] CMD...")
def command(local: bool, quiet: bool, cmd: tuple[str, ...]) -> None:
    """Run CMD with its LLM calls recorded: the proxy and its CA are set in the environment of that process tree only.
    Uses the running suite, or a proxy of its own.

    \b
    Example:
      llmitm exec -- claude
      llmitm exec -- python my_agent.py
      llmitm exec --local -- python chat_with_ollama.py
    """
    config = suite.load()
    if shutil.which(cmd[0]) is None:
        missing = not Path(cmd[0]).exists()
        click.echo(f"llmitm: {cmd[0]}: {'command not found' if missing else 'not executable'}", err=True)
        sys.exit(127 if missing else 126)
    env = original(os.environ)
    living = suite.running(config.data_dir)
    since_ms = time.time_ns() // 1_000_000
    if proxy_url := suite_proxy(env, config, living):
        _warn_of_no_proxy(env)
        code = run(cmd, {**env, **client_variables(proxy_url, config.certs.dir, env, local=local)})
        used_run, dropped = _run_of_suite(config, living), 0
    else:
        with _proxy_of_its_own(config, env) as proxy:
            _warn_of_no_proxy(env)
            code = run(cmd, {**env, **client_variables(proxy.url, config.certs.dir, env, local=local)})
        used_run, dropped = proxy.run, proxy.dropped_frames
    with contextlib.suppress(KeyboardInterrupt):  # who does not want to wait need not; the record is safe
        settled = settle(config.data_dir, SETTLE_SECONDS)
        if not quiet:
            _tell(config, since_ms, used_run, dropped, settled)
        if not settled:
            click.echo(
                "llmitm: not all of it is stored yet; what waits is safe in the journal "
                f"(see: {suite.program()} status, and {config.data_dir / 'logs' / 'worker.log'})",
                err=True,
            )
    sys.exit(code)


def _run_of_suite(config: Config, before: suite.Suite) -> str | None:
    """The run of the suite's proxy; None if it was restarted meanwhile."""
    now = suite.running(config.data_dir)
    runs = {s.alive["proxy"].counters.get("run") if "proxy" in s.alive else None for s in (before, now)}
    return runs.pop() if len(runs) == 1 else None


@contextlib.contextmanager
def _proxy_of_its_own(config: Config, env: Mapping[str, str]) -> Iterator[PrivateProxy]:
    settings: dict[str, object] = {}
    upstream = upstream_of(env, config, suite.running(config.data_dir))
    if upstream and not config.proxy.upstream_proxy:
        settings["proxy__upstream_proxy"] = upstream
    if (theirs := env.get("SSL_CERT_FILE")) and not config.proxy.upstream_ca and Path(theirs).is_file():
        settings["proxy__upstream_ca"] = theirs  # whom the client trusted, the proxy trusts in its place
    with private_proxy(config.data_dir, env, **settings) as proxy:
        yield proxy


def run(cmd: Sequence[str], env: Mapping[str, str]) -> int:
    """Runs the command to its end and gives its exit code."""
    held: list[int] = []
    child: subprocess.Popen[bytes] | None = None

    def forward(number: int, frame: FrameType | None) -> None:
        if child is None:
            held.append(number)
        elif number not in (signal.SIGINT, signal.SIGQUIT) or not _in_foreground():
            child.send_signal(number)

    with _handling(forward):
        try:
            child = subprocess.Popen(list(cmd), env=dict(env))
        except OSError as e:
            click.echo(f"llmitm: {cmd[0]}: {e.strerror}", err=True)
            return 126
        for number in held:
            forward(number, None)
        code = child.wait()
    return 128 - code if code < 0 else code


@contextlib.contextmanager
def _handling(forward: signal._HANDLER) -> Iterator[None]:
    numbers = [getattr(signal, name) for name in FORWARDED if hasattr(signal, name)]
    # What our starter told us to ignore (nohup), the command must inherit as ignored.
    numbers = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, forward) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _in_foreground() -> bool:
    """Whether the terminal gives its Ctrl-C to our whole process group, so the command has got it already."""
    try:
        with Path("/dev/tty").open("rb", buffering=0) as tty:
            return os.tcgetpgrp(tty.fileno()) == os.getpgrp()
    except OSError:
        return False


def _warn_of_no_proxy(env: Mapping[str, str]) -> None:
    if "*" in (env.get("NO_PROXY", ""), env.get("no_proxy", "")):
        click.echo(
            "llmitm: NO_PROXY=* keeps clients away from every proxy; nothing will be recorded", err=True
        )


def _tell(config: Config, since_ms: int, used_run: str | None, dropped: int, settled: bool) -> None:
    """The one line at the end, after the record is stored."""
    until_ms = time.time_ns() // 1_000_000
    try:
        used = summary.usage(config.data_dir, since_ms, until_ms, used_run)
    except sqlite3.Error as e:
        click.echo(f"llmitm: recorded, but the record cannot be read: {e}", err=True)
        return
    if dropped:
        click.echo(f"llmitm: {dropped:,} pieces of the record were lost; is the disk full?", err=True)
    if not used.calls and not settled:
        return
    dashboard_url = suite.running(config.data_dir).dashboard_url
    if dashboard_url:
        where = f" · {summary.link(dashboard_url, used, since_ms, until_ms)}"
    elif used.calls:
        where = f" · look at them with: {suite.program()} up"
    else:
        where = f" were seen. If there should be some: {suite.program()} doctor"
    click.echo(f"llmitm: {summary.describe(used)}{where}", err=True)
