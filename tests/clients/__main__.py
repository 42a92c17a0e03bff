"""`python -m tests.clients [NAME…]`: coding agents through `llmitm exec`, to the offline provider, and what is then on record.

Needs npm (or `--bin`, a folder that has the programs), no API key and, once they are installed, no network. Prints a row for each
call, then what is missing; exits with 1 if something is.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.clients.agents import AGENTS, Agent
from tests.clients.install import InstallError, installed
from tests.clients.run import Result, program_in, run


def main() -> int:
    options = _options()
    chosen = [agent for agent in AGENTS if not options.names or agent.program in options.names]
    console = Console(width=max(170, shutil.get_terminal_size().columns), highlight=False)
    try:
        programs = options.bin or installed(sorted({agent.package for agent in chosen}))
    except InstallError as e:
        print(f"cannot install the agents: {e}", file=sys.stderr)
        return 1
    top = Path(tempfile.mkdtemp(prefix="llmitm-clients-"))
    results = [_run(agent, programs, top / agent.name, console) for agent in chosen]
    _show(results, console)
    bad = [result for result in results if result.problems]
    for result in bad:
        console.print(f"\n[red]{result.agent.name}[/]: see {top / result.agent.name}/output.txt")
        for problem in result.problems:
            console.print(f"  - {problem}", markup=False)
    if not bad:
        shutil.rmtree(top)
        console.print(f"\n[green]All {sum(len(result.rows) for result in results)} calls are on record.[/]")
    return 1 if bad else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.clients", description=__doc__)
    names = sorted({agent.program for agent in AGENTS})
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(names)}; all if none is given"
    )
    parser.add_argument("--bin", type=Path, help="folder of installed programs, e.g. node_modules/.bin")
    options = parser.parse_args()
    if unknown := set(options.names) - set(names):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    return options


def _run(agent: Agent, programs: Path, folder: Path, console: Console) -> Result:
    program = program_in(programs.absolute(), agent)
    if program is None:
        return Result(agent, problems=[f"there is no program {agent.program} in {programs}"])
    with console.status(f"Running {agent.name}"):
        return run(agent, program, folder)


def _show(results: list[Result], console: Console) -> None:
    table = Table(show_edge=False, pad_edge=False)
    for column in ("run", "client", "operation", "model", "over", "state", "in", "out", "tools", "text"):
        table.add_column(column, no_wrap=True, justify="right" if column in ("in", "out") else "left")
    for result in results:
        for row in result.rows:
            text = " ".join((row["text"] or "").split())
            table.add_row(
                result.agent.name,
                row["client"],
                row["operation"],
                row["model"],
                "WebSocket" if row["status_code"] == 101 else "HTTP",
                row["state"],
                str(row["input_tokens"]),
                str(row["output_tokens"]),
                ", ".join(json.loads(row["tool_calls"] or "[]")),
                text[:30],
            )
        if not result.rows:
            table.add_row(result.agent.name, *["–"] * 9)
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
