"""One agent, run as a user would (`llmitm exec -- claude …`) with a home, data folder and certificates of its own, and what is
then on record."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from addons.offline.exchange import SeenRequest
from addons.offline.server import OfflineProvider, running
from tests.clients.agents import MARK, Agent
from tests.rig.processes import calls, environment, proxy_settings

RUN_SECONDS = 120
LLMITM = [sys.executable, "-P", "-c", "from addons.cli import main; main()"]
_CALL_PATHS = (
    "/v1/messages",
    "/responses",
    "/chat/completions",
    ":generateContent",
    ":streamGenerateContent",
)


@dataclass
class Result:
    """`rows` are of the view `calls`; `asked` is how many responses the provider was asked for; `problems` is empty when all
    is as it should be."""

    agent: Agent
    code: int = -1
    output: str = ""
    asked: int = 0
    rows: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def run(agent: Agent, program: Path, folder: Path) -> Result:
    home, workspace = folder / "home", folder / "workspace"
    for path, text in agent.home.items():
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_text(text)
    home.mkdir(parents=True, exist_ok=True)
    workspace.mkdir()
    result = Result(agent)
    with running() as provider:
        command = [*LLMITM, "exec", "--", str(program), *agent.arguments]
        env = _environment(agent, provider, folder, home)
        with (folder / "output.txt").open("wb") as output:
            process = subprocess.Popen(
                command,
                cwd=workspace,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            try:
                result.code = process.wait(RUN_SECONDS)
            except subprocess.TimeoutExpired:
                process.terminate()  # goes on to the agent
                process.wait()
        result.output = (folder / "output.txt").read_text("utf-8", "replace")
        result.asked = sum(map(_responses_asked, provider.requests))
    if (folder / "data" / "traffic.db").exists():
        result.rows = calls(folder)
    result.problems = list(problems(result))
    return result


def _environment(agent: Agent, provider: OfflineProvider, folder: Path, home: Path) -> dict[str, str]:
    assert provider.ca_file
    settings = proxy_settings("{}:{}".format(*provider.address), provider.ca_file)
    env = environment(folder, **settings)
    kept = {"PATH", "LANG", "TERM", "TMPDIR"}
    env = {name: value for name, value in env.items() if name in kept or name.startswith("LLMITM_")}
    repository = str(Path(__file__).parents[2])
    return env | {"HOME": str(home), "PYTHONPATH": repository, "NO_COLOR": "1"} | agent.env


def _responses_asked(request: SeenRequest) -> int:
    """LLM calls in what reached the provider, as its own record tells."""
    if request.websocket:
        return sum(_kind(message) == "response.create" for message in request.messages)
    path = request.path.partition("?")[0]
    return int(request.method == "POST" and path.endswith(_CALL_PATHS))


def _kind(message: str | bytes) -> str:
    return str(json.loads(message).get("type"))


def problems(result: Result) -> Iterator[str]:
    agent, rows = result.agent, result.rows
    if result.code != 0:
        ended = (
            f"ended with code {result.code}" if result.code >= 0 else f"did not end within {RUN_SECONDS} s"
        )
        yield f"it {ended}"
    if len(rows) != result.asked or not rows:
        yield f"{result.asked} calls reached the provider, {len(rows)} are on record"
    for row in rows:
        yield from _problems_of(row, agent)
    turns = [row for row in rows if row["tool_calls"] or row["text"]]
    called = [row for row in turns if agent.tool in json.loads(row["tool_calls"] or "[]")]
    if not called:
        yield f"no call of the tool {agent.tool} is on record"
    if any(agent.model not in ("", row["model"]) for row in called):
        yield f"the tool was called by {[row['model'] for row in called]}, not {agent.model}"
    answers = [row["text"] for row in turns if MARK in (row["text"] or "")]
    if not answers:
        yield "no answer is on record that tells what the tool said"
    elif not any(_words(text) in _words(result.output) for text in answers):
        yield "the answer on record is not the one the agent showed"


def _problems_of(row: dict[str, Any], agent: Agent) -> Iterator[str]:
    name = f"call {row['id'][-12:]}"
    wanted: dict[str, Any] = {
        "provider": agent.provider,
        "operation": agent.operation,
        "client": agent.client,
        "state": "complete",
    }
    wanted |= {"status_code": 101 if agent.websocket else 200}
    for column, value in wanted.items():
        if row[column] != value:
            yield f"{name}: {column} is {row[column]!r}, not {value!r} ({row['error_message']})"
    for column in ("model", "response_model", "input_tokens", "finish_reason", "duration_ms"):
        if not row[column]:
            yield f"{name}: no {column}"
    if row["output_tokens"] is None:
        yield f"{name}: no output_tokens"


def _words(text: str) -> str:
    return " ".join(text.split())


def program_in(folder: Path, agent: Agent) -> Path | None:
    path = folder / agent.program
    return path if os.access(path, os.X_OK) else None
