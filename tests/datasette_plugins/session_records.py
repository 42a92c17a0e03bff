"""Sessions put into a record by the product's own code: what a client would send, and what it would be answered."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass, field
from typing import Any

from intelligence.store import session_sums
from intelligence.store.conversations import Closed, Conversations, Opened
from tests.datasette_plugins import records

START_MS = 1_790_000_000_000
TOOLS = [{"type": "function", "function": {"name": "Read", "description": "read a file", "parameters": {}}}]


def call(id_: str, name: str, **arguments: Any) -> dict[str, Any]:
    return {"id": id_, "name": name, "arguments": json.dumps(arguments)}


def result(id_: str, text: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id_, "content": text}


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def assistant(text: str, calls: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    made: dict[str, Any] = {"role": "assistant", "content": text}
    if calls:
        functions = [
            {"id": c["id"], "type": "function", "function": {"name": c["name"], "arguments": c["arguments"]}}
            for c in calls
        ]
        made["tool_calls"] = functions
    return made


@dataclass
class Talk:
    """A client at work. `at_ms` is its clock; each call takes a second, and the next comes a second later. `columns` are those of
    every request."""

    db: sqlite3.Connection
    columns: dict[str, Any] = field(default_factory=dict)
    at_ms: int = START_MS
    commit: bool = True

    def __post_init__(self) -> None:
        self._conversations = Conversations(self.db)

    def say(
        self,
        messages: list[dict[str, Any]],
        text: str = "ok",
        calls: list[dict[str, Any]] | None = None,
        **columns: Any,
    ) -> str:
        """A call with these messages and this answer; its id."""
        return self.tell(
            {"model": "gpt-5", "messages": messages, "tools": TOOLS}, text, calls or [], **columns
        )

    def tell(self, body: dict[str, Any], text: str, calls: list[dict[str, Any]], **columns: Any) -> str:
        """The same, with a body of any shape."""
        if self.commit:
            self.db.execute("begin immediate")
        answered = {"text": text, "tool_calls": json.dumps(calls), "duration_ms": 1000.0}
        call_id = records.add_call(
            self.db,
            request=body,
            commit=False,
            **({"started_at": self.at_ms, "run": "r"} | answered | self.columns | columns),
        )
        self._take(call_id, body, text, calls)
        if self.commit:
            self.db.execute("commit")
        self.at_ms += 2000
        return call_id

    def _take(self, call_id: str, body: dict[str, Any], text: str, calls: list[dict[str, Any]]) -> None:
        cursor = self.db.execute("select * from requests where id = ?", (call_id,))
        names = [column[0] for column in cursor.description]
        row = dict(zip(names, cursor.fetchone(), strict=True))
        self.db.execute("delete from bodies where request = ? and kind = 'request'", (row["seq"],))
        told: list[Opened | Closed] = [Opened(row, json.dumps(body).encode())]
        if row["state"] != "pending":
            told.append(Closed(row["seq"], row["state"], text, json.dumps(calls)))
        self._conversations.take(told)
        session_sums.add(self.db, [row["seq"]])

    def priced(self, call_id: str, usd: float, **tokens: int) -> None:
        """Give a call a cost, and a context of these kinds of tokens."""
        (seq,) = self.db.execute("select seq from requests where id = ?", (call_id,)).fetchone()
        self.db.execute("insert into costs values (?, ?, 'list', 'genai-prices')", (seq, usd))
        session_sums.again(self.db, session_sums.of(self.db, [seq]))
        kinds = ("system", "tools", "history", "tool_results", "new", "image")
        self.db.execute(
            "insert into contexts values (?, ?, ?, ?, ?, ?, ?, 1, null)",
            (seq, *(tokens.get(kind, 10) for kind in kinds)),
        )


def coding(talk: Talk, turns: int = 6, title: str = "Fix the failing test in the parser") -> list[str]:
    """An agent that reads files and runs commands, as many turns. The ids of its calls."""
    messages = [user(title)]
    ids = []
    for n in range(turns):
        if n == turns - 1:
            ids.append(talk.say(messages, "All tests pass now. The **lexer** dropped the last token."))
            talk.priced(ids[-1], 0.02, history=200 * n)
            break
        calls = [
            call(f"c{talk.at_ms}a", "Read", file_path=f"/src/parser_{n % 3}.py"),
            call(f"c{talk.at_ms}b", "Bash", command="pytest -x"),
        ]
        said = f"Let me look at part {n}."
        ids.append(talk.say(messages, said, calls))
        talk.priced(ids[-1], 0.01 + 0.001 * n, history=200 * n, tool_results=150 * n)
        messages = [
            *messages,
            assistant(said, calls),
            result(calls[0]["id"], f"def parse_{n}(text):\n    return text\n" * 5),
            result(calls[1]["id"], "Error: exit code 1\n1 failed" if n % 2 else "12 passed"),
        ]
    return ids
