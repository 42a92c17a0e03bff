"""`llmitm up`: proxy, worker and dashboard as child processes, their logs on this terminal and in `data/logs/`."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path

import click

from addons.cli import child, suite
from addons.cli.checks import port_problem
from addons.cli.supervise import Service, Supervisor
from intelligence.config import Config

START_SECONDS = 60
# An `llmitm exec` that has just ended may still be storing what it recorded.
OTHER_WORKER_SECONDS = 5
LOG_BYTES, LOG_FILES = 10_000_000, 3

SERVICES = (
    Service("proxy", child.command("addons"), vital=True),
    Service("worker", child.command("intelligence"), last=True),
    Service("dashboard", child.command("datasette_plugins"), last=True),
)
COLOURS = {"proxy": "cyan", "worker": "magenta", "dashboard": "green", "llmitm": "yellow"}


@click.command()
def command() -> None:
    """Start proxy, worker and dashboard, and keep them running. Ctrl-C stops them; a second Ctrl-C kills them.

    \b
    Example:
      llmitm up
      LLMITM_PROXY__LISTEN_PORT=9080 LLMITM_DASHBOARD__PORT=9001 llmitm up
    """
    config = suite.load()
    refuse_if_running(config)
    refuse_if_ports_are_taken(config)
    os.umask(0o077)
    sys.exit(asyncio.run(_run(config)))


async def _run(config: Config) -> int:
    printer = Printer(config.data_dir)
    supervisor = Supervisor(SERVICES, {**os.environ, "PYTHONUNBUFFERED": "1"}, printer)
    loop = asyncio.get_running_loop()

    def stop() -> None:
        printer("llmitm", "stopping; Ctrl-C again kills", True)
        supervisor.stop()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop)
    greeting = asyncio.create_task(_greet_when_up(config, supervisor, printer))
    try:
        fine = await supervisor.run()
    finally:
        greeting.cancel()
    printer("llmitm", "stopped", True)
    return 0 if fine else 1


async def _greet_when_up(config: Config, supervisor: Supervisor, printer: Printer) -> None:
    """Marks each process as ready when it announces itself, and says where all are once the last one has."""
    late_at = asyncio.get_running_loop().time() + START_SECONDS
    while len(supervisor.ready) < len(SERVICES):
        await asyncio.sleep(0.05)
        living = suite.running(config.data_dir)
        supervisor.ready |= {
            s.name
            for s in SERVICES
            if living.is_up(s.name) and living.alive[s.name].pid == supervisor.pid(s.name)
        }
        if late_at and asyncio.get_running_loop().time() > late_at:
            late = ", ".join(s.name for s in SERVICES if s.name not in supervisor.ready)
            printer("llmitm", f"not up after {START_SECONDS} s: {late}; still waiting", True)
            late_at = 0
    printer.plain(greeting(suite.running(config.data_dir)))


def greeting(living: suite.Suite) -> str:
    name = suite.program()
    proxy = living.alive.get("proxy")
    web_url = proxy.counters.get("web_url") if proxy else None
    places = [("proxy", f"http://{living.proxy}"), ("mitmweb", web_url), ("dashboard", living.dashboard_url)]
    lines = [f"  {place:<10} {address}" for place, address in places if address]
    wide = len(name) + len(" exec -- claude") + 3
    return "\n".join(
        [
            "",
            click.style("llmitm is up", bold=True),
            *lines,
            f"  {'data':<10} {living.data_dir}",
            "",
            "Try it, in another terminal:",
            f"  {name + ' exec -- claude':<{wide}}any client, recorded",
            f"  {name + ' demo':<{wide}}something to look at, without an API key",
            "",
        ]
    )


def refuse_if_running(config: Config) -> None:
    """Raises `click.ClickException` when processes of a suite live on this data folder."""

    def others() -> list[str]:
        living = suite.running(config.data_dir).alive
        return [f"{name} (pid {living[name].pid})" for name in suite.PROCESSES if name in living]

    def wait_for_nothing() -> bool:
        names = others()
        return not names or not names[0].startswith("worker")

    suite.wait_until(wait_for_nothing, OTHER_WORKER_SECONDS)
    if names := others():
        raise click.ClickException(
            f"llmitm already runs on {config.data_dir}: {', '.join(names)}. See `{suite.program()} status`; stop it "
            "first, or give this one a folder of its own with LLMITM_STORE__DIR."
        )


def refuse_if_ports_are_taken(config: Config) -> None:
    """Raises `click.ClickException` that says who has a port and which setting moves ours."""
    problems = []
    seen: dict[int, str] = {}
    for setting, host, port in suite.listeners(config):
        if port and port in seen:
            problems.append(f"{setting} and {seen[port]} are both {port}: give one of them another port")
        elif problem := port_problem(setting, host, port):
            problems.append(": ".join(problem))
        seen[port] = setting
    if problems:
        raise click.ClickException("\n".join(problems))


class Printer:
    """What is said, each line with the name of its process before it: on the terminal, and in `logs/up.log`. (The processes keep
    logs of their own; this one has also what they say when they cannot log.)"""

    def __init__(self, data_dir: Path) -> None:
        path = data_dir / "logs" / "up.log"
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = RotatingFileHandler(path, maxBytes=LOG_BYTES, backupCount=LOG_FILES, encoding="utf-8")
        self._colour = False if "NO_COLOR" in os.environ else None

    def __call__(self, name: str, line: str, is_ours: bool) -> None:
        prefix = click.style(f"{name:<9} │ ", fg=COLOURS[name])
        self._file.emit(logging.makeLogRecord({"msg": f"{name:<9} {line}"}))
        self.plain(prefix + (click.style(line, bold=True) if is_ours else line))

    def plain(self, text: str) -> None:
        try:
            click.echo(text, color=self._colour)
        except OSError:  # the terminal has gone; the log file has not
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123
