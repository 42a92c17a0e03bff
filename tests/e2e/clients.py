"""Real clients as users start them: a program of its own, with nothing but environment variables pointing at the proxy.

A program in `programs/` or `tests/node/` reads a JSON list of `Ask` on its standard input and makes those calls with its SDK,
in order. For each answer it prints one JSON object, what the SDK made of it, in the words of the view `calls`:

    {"ask": 0, "model": …, "finish_reason": …, "input_tokens": …, "output_tokens": …, "text": …, "tool_calls": […]}

or `{"status": 429, "retry_after": "2"}` for an HTTP error, `{"broken": …}` for an answer that broke off, and
`{"left": true, "text": …}` where it left by itself. With `tool`, an ask goes on until the model has its results.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import pytest

from addons.cli.client_env import client_variables, original
from addons.offline.server import OfflineProvider, running
from tests.rig import forks
from tests.rig.processes import Process, calls, drain, proxy_process

PROGRAMS = Path(__file__).parent / "programs"
KEYS = {"OPENAI_API_KEY": "sk-test-key", "ANTHROPIC_API_KEY": "sk-ant-test", "GEMINI_API_KEY": "AIza-test"}
# What else would change where an SDK calls or what it says.
_OF_SDKS = ("OPENAI_", "ANTHROPIC_", "GEMINI_", "GOOGLE_", "NODE_", "ALL_PROXY", "PYTHONPATH")
RUN_SECONDS = 120
# What makes the offline provider call the tool that each program offers.
TOOL = 'please use tool get_weather with {"city": "Oslo"} now'

type Seen = dict[str, Any]
type Row = dict[str, Any]


@dataclass(frozen=True)
class Ask:
    """`leave_after`: pieces of text after which the client closes the stream. `retries`: of the SDK, after a failure."""

    api: str
    prompt: str
    model: str
    stream: bool = False
    tool: bool = False
    leave_after: int = 0
    retries: int = 0


@dataclass(frozen=True)
class Plain:
    """What the proxy is put in front of, for `proxy_process`."""

    address: str
    ca_file: Path


@dataclass
class Rig:
    """The offline provider, the real proxy before it, and what the proxy recorded."""

    provider: OfflineProvider
    proxy: Process
    proxy_url: str
    known: set[str] = field(default_factory=set)

    def environment(self, **more: str) -> dict[str, str]:
        """What `llmitm exec` gives to its command."""
        env = {name: value for name, value in original(os.environ).items() if not _is_foreign(name)}
        env |= {**KEYS, **client_variables(self.proxy_url, self.proxy.folder / "certs", env)}
        return env | more

    def run(self, command: Sequence[str | Path], asks: Sequence[Ask], **more: str) -> list[Seen]:
        """Runs a program on these asks; what it saw."""
        given = json.dumps([asdict(ask) for ask in asks])
        return [json.loads(line) for line in self.output(command, given, **more).splitlines()]

    def output(self, command: Sequence[str | Path], given: str = "", **more: str) -> str:
        env = self.environment(**more)
        if command[0] == sys.executable:
            code, out, errors = forks.run(command[1:], given, cwd=Path.cwd(), env=env, timeout=RUN_SECONDS)
        else:
            done = subprocess.run(
                [str(part) for part in command],
                input=given,
                env=env,
                capture_output=True,
                text=True,
                timeout=RUN_SECONDS,
                check=False,
            )
            code, out, errors = done.returncode, done.stdout, done.stderr
        assert code == 0, f"{out}\n{errors[-6000:]}\n{self.proxy.log()[-3000:]}"
        return out

    def rows(self) -> list[Row]:
        """The calls recorded since this was asked last, oldest first."""
        drain(self.proxy.folder)
        rows = [row for row in calls(self.proxy.folder) if row["id"] not in self.known]
        self.known |= {row["id"] for row in rows}
        for row in rows:
            row["tool_calls"] = json.loads(row["tool_calls"] or "[]")
        return rows


def _is_foreign(name: str) -> bool:
    return name.upper().startswith((*_OF_SDKS, "LLMITM_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"))


@contextmanager
def recorded(folder: Path, *, user: str = "", **settings: Any) -> Iterator[Rig]:
    """`user`: NAME:PASSWORD for the proxy."""
    with running() as provider:
        assert provider.ca_file
        place = Plain("{}:{}".format(*provider.address), provider.ca_file)
        with proxy_process(folder, place, **settings) as proxy:
            at = f"{user}@" if user else ""
            yield Rig(provider, proxy, f"http://{at}{proxy.address}")


def program(name: str) -> list[str | Path]:
    return [sys.executable, PROGRAMS / name]


# What a client saw stands in these columns, where it says so.
_SAID = (
    "finish_reason",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "tool_calls",
)


def check(seen: Seen, row: Row, ask: Ask, **expected: Any) -> None:
    """One call: the record says what the client saw, and is as expected; counts and text are really there."""
    streams = {"model": ask.model, "stream": ask.stream}
    state = "error" if "status" in seen or "broken" in seen else "aborted" if "left" in seen else "complete"
    wanted: Row = {**streams, "state": state, "status_code": seen.get("status", 200), **expected}
    wanted |= {name: seen[name] for name in _SAID if name in seen}
    if "model" in seen:
        wanted["response_model"] = seen["model"]
    assert {name: row[name] for name in wanted} == wanted
    if "text" in seen and state == "complete":
        assert (row["text"] or "") == seen["text"]
        assert seen["input_tokens"] > 0
        if "output_tokens" in seen:
            assert (seen["text"] or seen["tool_calls"]) and seen["output_tokens"] > 0
    elif state == "aborted":
        assert seen["text"] and row["text"].startswith(seen["text"])
    assert row["duration_ms"] > 0 and row["started_at"] > 0
    if state == "complete" and ask.stream and (row["text"] or row["tool_calls"]):
        assert 0 < row["ttft_ms"] <= row["duration_ms"]


def check_all(
    seen: Sequence[Seen], rows: Sequence[Row], asks: Sequence[Ask], expected: Mapping[str, Any]
) -> None:
    """Every call is one row, in order. Values of `expected` may be mappings from `Ask.api`."""
    assert len(rows) == len(seen), [(row["path"], row["state"], row["error_message"]) for row in rows]
    for one, row in zip(seen, rows, strict=True):
        ask = asks[one["ask"]]
        values = {k: v[ask.api] if isinstance(v, Mapping) else v for k, v in expected.items()}
        check(one, row, ask, **values)


def unavailable(what: str) -> NoReturn:
    """Under CI a test that should run never skips."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} (under CI this test must run)")
    pytest.skip(what)
