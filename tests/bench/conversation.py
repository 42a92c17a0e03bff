"""A made-up session, call by call, as rows of `traffic.db`: what `tests.bench.million` writes."""

from __future__ import annotations

import hashlib
import json
import random
import sqlite3
from dataclasses import dataclass, field
from hashlib import blake2b

from intelligence.store.asked import scope_of
from intelligence.store.calls import REQUEST_COLUMNS, RESPONSE_COLUMNS
from intelligence.store.meaning import answer_key, meaning, plain_words, system_key
from intelligence.store.search import ROLES
from intelligence.store.stated import title
from intelligence.store.tree import HASH_BYTES
from intelligence.store.tree_rows import pack_part
from intelligence.wire.parts import Message
from tests.bench.talk import AGAIN, Answer, Said, Talk, answers, asks, dump, gives
from tests.bench.workplaces import HOSTS, Workplace

ANSWER_HEADERS = json.dumps([["content-type", "text/event-stream"]], separators=(",", ":"))
NO_ANSWER_HEADERS = json.dumps([["content-type", "application/json"]], separators=(",", ":"))
FAILURES = ((429, "rate_limit_error"), (500, "api_error"), (529, "overloaded_error"))
# How many turns back an edit may go.
UNDO = 3


COLUMNS = {
    "requests": ", ".join(REQUEST_COLUMNS),
    "responses": ", ".join(RESPONSE_COLUMNS),
    "messages": "id, hash, kind, role, bytes, data, text, meaning, first_request",
    "nodes": "id, parent, message",
    "turns": "request, session, link, parent, tip, envelope, thread, system, answer, state, claimed",
    "contexts": "request, system_tokens, tools_tokens, history_tokens, tool_results_tokens, new_tokens, image_tokens, scaled",
    "search_texts": "id, request, role, text",
    "sessions": "seq, id, parent, title, user, client, client_version, working_folder, repository, started_at, last_at, "
    "requests, last_request, scope",
}  # fmt: skip


class Ids:
    """Rows are numbered here, not by the database."""

    def __init__(self, db: sqlite3.Connection) -> None:
        (self.message,) = db.execute("select max(id) from messages").fetchone()
        self.node = self.session = 0
        self.stock: dict[bytes, tuple[int, bytes | None]] = {}


@dataclass(slots=True)
class Call:
    """`rows`: each with its table. `answer` is None where there was none."""

    seq: int
    answer: Answer | None = None
    rows: list[tuple[str, tuple]] = field(default_factory=list)


@dataclass(slots=True)
class _At:
    """A conversation up to some message. `sha` has read the body up to there."""

    request: int | None
    tip: int
    thread: bytes
    sha: hashlib._Hash
    size: int
    messages: int
    results: int
    pending: Answer | None


class Conversation:
    def __init__(
        self,
        rng: random.Random,
        talk: Talk,
        ids: Ids,
        place: Workplace,
        envelope: int,
        parent: Conversation | None,
    ) -> None:
        self._rng, self._talk, self._ids = rng, talk, ids
        self.place = place
        self._envelope = envelope
        self._parent = parent
        ids.session += 1
        self.seq = ids.session
        self.scope = scope_of({"user": place.user, "client": place.client})
        self._system = system_key([place.prefix.decode()])
        self._past: list[_At] = []
        self._title: str | None = None
        self.first = self.last = ""
        self.requests = self.started_at = self.at = self.last_request = 0
        self._failed = False
        # Steps of the tree that were made lately: whoever goes back goes over them again.
        self._steps: dict[tuple[int, bytes], tuple[int, bytes | None]] = {}

    def call(self, seq: int, at: int) -> Call:
        """The next one."""
        place, rng = self.place, self._rng
        call = Call(seq)
        link, here = self._next()
        if link != "retry":
            before = here.messages
            new = self._said(call, here)
        else:
            before, new = max(here.messages - 1, 0), ""
        call_id = self._id(at)
        body_bytes = here.size + 2
        sha = here.sha.copy()
        sha.update(b"]}")
        state, status, error, message = self._outcome()
        if state == "complete":
            call.answer = self._talk.answer(place.format, place.agent and rng.random() < 0.85)
        tokens = (body_bytes + 3) // 4
        call.rows += [
            ("requests", (
                seq, call_id, "bench", state, at, place.user, place.client, place.version, "127.0.0.1", place.credential_kind,
                place.fingerprint, place.fingerprint, place.provider, place.operation, place.format, "POST", "https",
                HOSTS[place.provider][0], 443, place.path, "HTTP/1.1", place.headers, place.model, 1, 0, body_bytes,
                sha.hexdigest(), 0, 0)),
            ("responses", self._response(call, state, status, error, message, tokens)),
            ("turns", (
                seq, self.seq, link, here.request, here.tip, self._envelope, here.thread, self._system,
                self._key(call.answer), state, 0)),
        ]  # fmt: skip
        fixed = len(place.prefix) // 4
        call.rows.append(
            ("contexts", (
                seq, fixed // 2, fixed - fixed // 2, max(tokens - fixed - here.results - len(new) // 4, 0) if before else 0,
                here.results, len(new) // 4, 0, 1)))  # fmt: skip
        if new:
            by_tool = here.pending is not None and here.pending.tool
            role = "tool" if by_tool else "user"
            call.rows.append(("search_texts", (4 * seq + ROLES.index(role), seq, role, new)))
        if call.answer:
            said = [call.answer.text, *(f"{c['name']} {c['arguments']}" for c in call.answer.calls)]
            call.rows.append(
                ("search_texts", (4 * seq + ROLES.index("assistant"), seq, "assistant", "\n".join(said)))
            )
        self._failed = state != "complete"
        here.request, here.pending = seq, call.answer
        self._past = [*self._past, here][-UNDO:]
        self.first = self.first or call_id
        self.started_at = self.started_at or at
        self.at, self.last_request = at, seq
        self.requests += 1
        return call

    def _next(self) -> tuple[str, _At]:
        """How it goes on, and from where."""
        rng, past = self._rng, self._past
        if not past:
            if self._parent:
                return "subagent", self._start(self._parent.last_request)
            return "start", self._start(None)
        if self._failed:
            return "retry", past[-1]
        if self.requests > 50 and rng.random() < 0.02:
            return "compaction", self._start(past[-1].request)
        if len(past) == UNDO and rng.random() < 0.02:
            return rng.choice(("edit", "fork")), _copy(past[0])
        return "continue", _copy(past[-1])

    def _start(self, parent: int | None) -> _At:
        sha = hashlib.sha256(self.place.prefix)
        return _At(parent, 0, self.scope, sha, len(self.place.prefix), 0, 0, None)

    def _said(self, call: Call, here: _At) -> str:
        """Add what the request adds; returns the words that are new."""
        format = self.place.format
        if here.pending is None:
            new = self._talk.prompt(True)
            self._title = self._title or title([new])
            self._add(call, here, asks(format, new))
            return new
        self._add(call, here, answers(format, here.pending))
        if here.pending.tool:
            new = self._talk.text(600)
            here.results += len(new) // 4
            self._add(call, here, gives(format, here.pending, new))
        else:
            new = self._talk.prompt(False)
            self._add(call, here, asks(format, new))
        return new

    def _add(self, call: Call, here: _At, said: Said) -> None:
        raw, message = said
        here.sha.update(b"," + raw if here.messages else raw)
        here.size += len(raw) + bool(here.messages)
        here.messages += 1
        step = (here.tip, raw)
        if (known := self._steps.get(step)) is None:
            if len(self._steps) > 4 * UNDO:
                del self._steps[next(iter(self._steps))]
            number, meant = self._message(call, raw, message)
            self._ids.node += 1
            call.rows.append(("nodes", (self._ids.node, here.tip, number)))
            known = self._steps[step] = self._ids.node, meant
        here.tip, meant = known
        if meant:
            here.thread = blake2b(here.thread + meant, digest_size=HASH_BYTES).digest()

    def _message(self, call: Call, raw: bytes, message: Message) -> tuple[int, bytes | None]:
        ids = self._ids
        text = plain_words(message)
        if found := ids.stock.get(raw):
            return found
        ids.message += 1
        meant = meaning([message])
        hash_ = blake2b(b"message\0" + raw, digest_size=HASH_BYTES, person=b"llmitm json 1").digest()
        row = (
            ids.message,
            hash_,
            "message",
            message.role,
            len(raw),
            pack_part(raw, text),
            text,
            meant,
            call.seq,
        )
        call.rows.append(("messages", row))
        if text in AGAIN:
            ids.stock[raw] = ids.message, meant
        return ids.message, meant

    def _outcome(self) -> tuple[str, int | None, str | None, str | None]:
        kind = self._rng.random()
        if kind < 0.97:
            return "complete", 200, None, None
        if kind < 0.99:
            status, error = self._rng.choice(FAILURES)
            return "error", status, error, f"{error.replace('_', ' ')}: try again later"
        return ("aborted" if kind < 0.998 else "interrupted"), 200, None, None

    def _response(
        self, call: Call, state: str, status: int | None, error: str | None, message: str | None, tokens: int
    ) -> tuple:
        place, rng, answer = self.place, self._rng, call.answer
        ttft = round(rng.lognormvariate(6.7, 0.6), 3)
        row: dict = dict.fromkeys(RESPONSE_COLUMNS) | {
            "request": call.seq, "status_code": status, "reason": "OK" if status == 200 else "", "http_version": "HTTP/1.1",
            "headers": NO_ANSWER_HEADERS if error else ANSWER_HEADERS, "body_bytes": 300, "body_redacted": 0,
            "error_type": error, "error_message": message, "ended": "complete", "duration_ms": ttft,
            "connect_ms": 12.5, "tls_ms": 20.25, "request_ms": 3.5, "tool_calls": "[]", "server_tool_calls": "[]",
        }  # fmt: skip
        if answer:
            output = len(answer.text) // 4 + 20 * len(answer.calls) + 1
            cached = tokens * 9 // 10 if place.agent and self.requests else 0
            row |= {
                "model": place.model, "finish_reason": "tool_calls" if answer.tool else "stop", "text": answer.text,
                "input_tokens": tokens, "output_tokens": output, "cache_read_tokens": cached, "cache_write_tokens": 0,
                "usage_raw": f'{{"input_tokens":{tokens - cached},"cache_read_input_tokens":{cached},"output_tokens":{output}}}',
                "tool_calls": dump(answer.calls).decode(), "chunks": len(answer.text) // 40 + 4,
                "ttft_ms": ttft, "first_byte_ms": ttft * 0.9, "gap_max_ms": ttft / 4, "gap_p95_ms": ttft / 8,
                "duration_ms": round(ttft + output * rng.uniform(8, 30), 3), "body_bytes": 2 * len(answer.text) + 400,
            }  # fmt: skip
        return tuple(row.values())

    def _key(self, answer: Answer | None) -> bytes:
        calls = [(c["id"], c["name"], c["arguments"] or "") for c in answer.calls] if answer else []
        return answer_key(answer.text if answer else None, calls)

    def _id(self, at: int) -> str:
        rest = f"{self._rng.getrandbits(74):019x}"
        start = f"{at:012x}"
        return f"{start[:8]}-{start[8:]}-7{rest[:3]}-{'89ab'[int(rest[3], 16) & 3]}{rest[4:7]}-{rest[7:19]}"

    def session_row(self) -> tuple:
        place = self.place
        return (
            self.seq, self.first, self._parent.seq if self._parent else None, self._title, place.user, place.client,
            place.version, place.folder, place.repository, self.started_at, self.at, self.requests, self.last_request, self.scope,
        )  # fmt: skip


def _copy(at: _At) -> _At:
    return _At(at.request, at.tip, at.thread, at.sha.copy(), at.size, at.messages, at.results, at.pending)
