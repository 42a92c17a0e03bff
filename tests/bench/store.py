"""`python -m tests.bench.store`: what remembering costs, each row PASS or FAIL; exit code 1 when one fails.

Storage: an agent session of 100 turns that resends its history, Claude Code's way (tools, marks that move, a stream for an
answer), through journal and drain. Counted is the size of the file after a vacuum, without the raw answers, less what was new
in each request and answer. Drain: frames that are in the journal already, from the first step to the last, in a process of
its own and per second of its CPU time (this machine may have others to serve); bodies of 10 KB are conversations that begin,
with the system prompt and the tools of one agent, those of 250 KB a history that grows. Memory: of one worker's drain, which
stores and reads one round after another of sessions it has not seen. A million calls: see `large`; of a file that
`LLMITM_MILLION` names (the folder that `tests.bench.million` was given), else one that is made.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import resource
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from intelligence.store.drain import Drain
from intelligence.store.ids import uuid7
from intelligence.store.journal import EndHead, RequestHead, ResponseHead
from intelligence.store.journal_writer import JournalWriter
from intelligence.store.migrations import open_database
from intelligence.store.pricing import Prices
from intelligence.store.reading import read_some
from tests.bench.large import measure
from tests.bench.million import make

WORDS = "the parser reads a frame from its buffer and returns what was left of it for the next call to go on".split()
HEADERS = [
    ("accept", "application/json"),
    ("content-type", "application/json"),
    ("user-agent", "claude-cli/2.0.14 (external, cli)"),
    ("anthropic-version", "2023-06-01"),
    ("anthropic-beta", "claude-code-20250219,interleaved-thinking-2025-05-14"),
    ("x-stainless-lang", "js"),
    ("x-stainless-runtime", "node"),
    ("x-stainless-timeout", "600"),
]


ROUNDS = 5


@dataclass(frozen=True)
class Row:
    figure: str
    value: float
    limit: float
    unit: str
    at_most: bool
    note: str = ""

    @property
    def passed(self) -> bool:
        return self.value <= self.limit if self.at_most else self.value >= self.limit


class Agent:
    """A session: `body` is what it sends next. `new_bytes`: what was not in the request before."""

    def __init__(self, seed: int, prompt_bytes: int, first_bytes: int, turn_bytes: int) -> None:
        self._turn_bytes = turn_bytes
        self._rng = random.Random(prompt_bytes)  # all agents of a load are of one kind
        self._system = self.text(prompt_bytes)
        schema = {"type": "object", "properties": {name: {"type": "string"} for name in WORDS[:6]}}
        self._tools = [
            {"name": f"Tool{n}", "description": self.text(prompt_bytes // 30), "input_schema": schema}
            for n in range(15)
        ]
        self._rng = random.Random(seed)
        self._messages: list[dict] = [{"role": "user", "content": self.text(first_bytes)}]
        self.answer = ""

    def text(self, size: int) -> str:
        words = []
        while size > 0:
            word = f"{self._rng.choice(WORDS)}{self._rng.randrange(1000)}"
            words.append(word)
            size -= len(word) + 1
        return " ".join(words)

    def body(self) -> bytes:
        mark = {"cache_control": {"type": "ephemeral"}}
        *before, last = self._messages
        said = last["content"]
        content = [{"type": "text", "text": said}] if isinstance(said, str) else said
        marked = [*content[:-1], content[-1] | mark]
        value = {
            "model": "claude-sonnet-4-5",
            "max_tokens": 32000,
            "system": [{"type": "text", "text": self._system} | mark],
            "tools": self._tools,
            "messages": [*before, {"role": "user", "content": marked}],
            "stream": True,
        }
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()

    def answered(self) -> tuple[list[bytes], int]:
        """The stream of an answer; and how many bytes this turn adds, answer and tool's result."""
        self.answer = self.text(self._turn_bytes // 5)
        call = {
            "type": "tool_use",
            "id": f"toolu_{self._rng.getrandbits(80):x}",
            "name": "Tool1",
            "input": {"path": self.text(40)},
        }
        result = {"type": "tool_result", "tool_use_id": call["id"], "content": self.text(self._turn_bytes)}
        turn = [
            {"role": "assistant", "content": [{"type": "text", "text": self.answer}, call]},
            {"role": "user", "content": [result]},
        ]
        self._messages += turn
        return self._stream(call), len(json.dumps(turn))

    def _stream(self, call: dict) -> list[bytes]:
        usage = {"input_tokens": 9, "cache_read_input_tokens": 5000, "output_tokens": 1}
        message = {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "m",
            "content": [],
            "usage": usage,
        }
        events: list[dict] = [{"type": "message_start", "message": message}]
        events.append(
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
        )
        for start in range(0, len(self.answer), 40):
            delta = {"type": "text_delta", "text": self.answer[start : start + 40]}
            events.append({"type": "content_block_delta", "index": 0, "delta": delta})
        block = {"type": "tool_use", "id": call["id"], "name": call["name"], "input": {}}
        events.append({"type": "content_block_start", "index": 1, "content_block": block})
        delta = {"type": "input_json_delta", "partial_json": json.dumps(call["input"])}
        events.append({"type": "content_block_delta", "index": 1, "delta": delta})
        end = {"delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 120}}
        events += [{"type": "message_delta", **end}, {"type": "message_stop"}]
        return [f"event: {e['type']}\ndata: {json.dumps(e)}\n\n".encode() for e in events]


def record(journal: JournalWriter, body: bytes, chunks: list[bytes]) -> None:
    raw = uuid7()
    head = RequestHead(
        method="POST", scheme="https", host="api.anthropic.com", port=443, path="/v1/messages?beta=true",
        http_version="HTTP/1.1", headers=HEADERS, provider="anthropic", operation="chat",
        format="anthropic-messages", model="claude-sonnet-4-5", stream=True, client="claude-code",
        client_version="2.0.14", credential_kind="api_key", credential_fingerprint="0" * 32,
        conversation_key="1" * 32,
    )  # fmt: skip
    journal.request(raw, head, body)
    journal.response(raw, ResponseHead(200, "OK", "HTTP/1.1", [("content-type", "text/event-stream")]))
    for chunk in chunks:
        journal.chunk(raw, chunk)
    journal.end(raw, EndHead("complete"))


def sessions(
    folder: Path,
    requests: int,
    *,
    turns: int,
    prompt: int,
    first: int,
    turn: int,
    before: int = 0,
    seed: int = 0,
) -> tuple[int, int]:
    """Write sessions into a journal; `prompt`, `first`, `turn` are bytes, `before` turns were had already. Returns the
    bytes that were new, and those sent."""
    journal = JournalWriter(folder / "journal")
    new = sent = 0
    for n in range(max(requests // turns, 1)):
        agent = Agent(1000 * seed + n, prompt, first, turn)
        for _ in range(before):
            agent.answered()
        new += len(agent.body())
        for _ in range(turns):
            body = agent.body()
            chunks, added = agent.answered()
            record(journal, body, chunks)
            new += added
            sent += len(body)
    journal.close()
    return new, sent


def drain(folder: Path) -> tuple[int, float, float, float]:
    """Calls stored, seconds of CPU and on the clock, and MB held afterwards."""
    with closing(open_database(folder / "traffic.db")) as db, closing(Drain(db, folder / "journal")) as it:
        begin, worked = time.monotonic(), time.process_time()
        while it.step():
            pass
        worked, passed = time.process_time() - worked, time.monotonic() - begin
        return it.stored, worked, passed, _resident_mb()


def warm(folder: Path) -> None:
    """What is loaded at the first call is no part of a rate."""
    sessions(folder, 3, turns=3, prompt=500, first=100, turn=100)
    drain(folder)


def _resident_mb() -> float:
    gc.collect()
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def storage(folder: Path, turns: int) -> Row:
    new, sent = sessions(folder, turns, turns=turns, prompt=12_000, first=200, turn=4_000)
    stored, *_ = drain(folder)
    with closing(open_database(folder / "traffic.db")) as db:
        empty = 4096 * len(db.execute("select name from sqlite_master where rootpage > 0").fetchall())
        db.execute("delete from bodies where kind = 'response'")
        db.execute("vacuum")
        (pages,) = db.execute("pragma page_count").fetchone()
        (size,) = db.execute("pragma page_size").fetchone()
    over = (pages * size - empty - new) / stored / 1000
    note = f"{stored} requests: {sent / 1e6:.1f} MB sent, {new / 1e6:.2f} MB new, {pages * size / 1e6:.2f} MB stored"
    return Row(f"storage, session of {turns} turns, beyond what is new", over, 5, "KB/request", True, note)


def rate(folder: Path, figure: str, limit: float, requests: int, **load: int) -> Row:
    """The median of `ROUNDS`, each with a database of its own: one alone may be a fifth off."""
    found = []
    for n in range(ROUNDS):
        _, sent = sessions(folder / str(n), requests, **load)
        with get_context("spawn").Pool(1) as pool:
            pool.apply(warm, (folder / f"warm{n}",))
            found.append(pool.apply(drain, (folder / str(n),)))
    stored, worked, passed, _ = sorted(found, key=lambda one: one[1])[ROUNDS // 2]
    rates = ", ".join(f"{stored / one[1]:.0f}" for one in found)
    note = f"{stored} requests of {sent / stored / 1000:.0f} KB: {worked:.1f} s of CPU, {passed:.1f} s on the clock; of {rates}"
    return Row(figure, stored / worked, limit, "/s", False, note)


_held: list[tuple[sqlite3.Connection, Drain]] = []


def open_drain(folder: Path) -> None:
    """In a process of its own, which then holds it."""
    db = open_database(folder / "traffic.db")
    _held.append((db, Drain(db, folder / "journal")))


def drain_on() -> float:
    """With the drain that is held. MB held afterwards."""
    ((db, it),) = _held
    while it.step():
        pass
    while read_some(db, Prices()):
        pass
    return _resident_mb()


def memory(folder: Path, rounds: int, requests: int) -> Row:
    held = []
    with get_context("spawn").Pool(1, open_drain, (folder,)) as pool:
        for n in range(rounds):
            sessions(folder, requests, turns=25, prompt=6_000, first=200, turn=3_000, seed=n + 1)
            held.append(pool.apply(drain_on))
    shown = ", ".join(f"{held[n - 1]:.0f} after {n}" for n in sorted({1, 5, 10, 15, rounds}) if n <= rounds)
    note = f"one drain, MB by rounds of {requests} new requests: {shown}"
    return Row(f"worker memory, round {rounds} over the fifth", held[-1] / held[4], 1.1, "×", True, note)


def million(folder: Path, calls: int) -> list[Row]:
    named = os.environ.get("LLMITM_MILLION")
    database = Path(named) / "data" / "traffic.db" if named else make(folder, calls)
    with closing(open_database(database)) as db:  # of this version
        (count,) = db.execute("select count(*) from requests").fetchone()
    return [Row(f"{count:,} calls: {what}", ms, 50, "ms", True, note) for what, ms, note in measure(database)]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.store", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller loads")
    quick = parser.parse_args().quick
    failed = 0
    with tempfile.TemporaryDirectory(prefix="llmitm-bench-store-") as name:
        folder = Path(name)
        rows = (
            lambda: storage(folder / "storage", 100),
            lambda: rate(
                folder / "short", "drain, 10 KB", 500, 300 if quick else 2000, turns=1, prompt=3_000, first=1_500, turn=800
            ),
            lambda: rate(
                folder / "long", "drain, 250 KB", 60, 30 if quick else 150,
                turns=30, prompt=20_000, first=200, turn=4_000, before=28,
            ),
            lambda: memory(folder / "memory", 6 if quick else 20, 50 if quick else 200),
        )  # fmt: skip
        for one in rows:
            failed += _told(one())
        for row in million(folder / "million", 50_000 if quick else 1_000_000):
            failed += _told(row)
    return 1 if failed else 0


def _told(row: Row) -> bool:
    """Whether it failed."""
    sign = "≤" if row.at_most else "≥"
    print(
        f"{'PASS' if row.passed else 'FAIL'}  {row.figure:56} {row.value:8.2f} {row.unit} ({sign} {row.limit:g})"
    )
    print(f"      {row.note}", flush=True)
    return not row.passed


if __name__ == "__main__":
    sys.exit(main())
