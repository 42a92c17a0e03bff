"""The heavier half of storing: reading what ended calls say, for search and for what fills their context.

Rows of calls come first. Every call that ends is put into `to_read` in the same transaction; `read_some` takes a few of them,
newest first, in a small transaction of its own, while the worker has nothing better to do. So a burst delays the index, never
the rows, and the length of the queue is the backlog. Killed at any moment, a call is still in the queue or read, not both.
Calls of before costs were kept are settled here first.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import time
from typing import TYPE_CHECKING, Any

from intelligence.store import governing, queries, search, session_sums
from intelligence.store.context import Context, composition, tokens_of
from intelligence.store.governing import Governed
from intelligence.store.pricing import Prices
from intelligence.store.settle import settle
from intelligence.wire.request import Request, read_request

if TYPE_CHECKING:
    from intelligence.store.judging import Judge

log = logging.getLogger(__name__)

# Calls and time of one transaction.
CALLS = 200
SECONDS = 0.03
# Of a request; what is longer is cut off, and so not understood.
BODY_BYTES = 16 * 1024 * 1024

BACKLOG = "select count(*) from to_read"

_NEXT = """
select q.seq, q.id, q.format, q.operation, q.path, q.headers, r.input_tokens, r.output_tokens, r.text, r.reasoning,
    r.tool_calls
from to_read t join requests q on q.seq = t.request left join responses r on r.request = q.seq
order by t.request desc limit ?"""
_UNSETTLED = "select request from to_read where not settled and request in (select value from json_each(?))"
_PUT_CONTEXT = """
replace into contexts (request, system_tokens, tools_tokens, history_tokens, tool_results_tokens, new_tokens, image_tokens,
    scaled, estimated_output_tokens) values (?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_DONE = "delete from to_read where request = ?"
# There is nothing to estimate.
_NO_OUTPUT = ("embeddings", "rerank", "moderations", "count_tokens")


def backlog(db: sqlite3.Connection) -> int:
    """Calls that are stored but not yet read."""
    return int(db.execute(BACKLOG).fetchone()[0])


def read_some(
    db: sqlite3.Connection,
    prices: Prices,
    *,
    seconds: float = SECONDS,
    calls: int = CALLS,
    judge: Judge | None = None,
) -> int:
    """Read what that time allows, one call at least. `judge` asks the rules that only tell. Returns how many were read. Raises
    `sqlite3.Error`."""
    if judge:
        judge.refresh()
    until = time.monotonic() + seconds
    texts: list[tuple[Any, ...]] = []
    contexts: list[tuple[Any, ...]] = []
    said: list[Governed] = []
    done: list[int] = []
    cursor = db.execute(_NEXT, (calls,))
    names = [column[0] for column in cursor.description]
    for values in cursor:
        row = dict(zip(names, values, strict=True))
        seq = row["seq"]
        try:
            body = _body(db, row)
            request = read_request(row["format"], row["operation"], row["path"] or "", body)
            texts += search.rows(seq, request, row["text"], row["tool_calls"], search.system_prompts(db, seq))
            if request.understood:
                contexts.append(_context_row(row, request))
            if judge:
                now = time.time_ns() // 1_000_000
                said += [Governed(seq, now, head) for head in judge.heads(db, row, body)]
        except sqlite3.Error:
            raise
        except Exception:  # one strange call must not hold up the others for ever
            log.exception("%s: what it says could not be read", row["id"])
        done.append(seq)
        if time.monotonic() >= until:
            break
    cursor.close()
    if done:
        _commit(db, prices, done, texts, contexts, said)
    return len(done)


def _commit(
    db: sqlite3.Connection,
    prices: Prices,
    done: list[int],
    texts: list[tuple[Any, ...]],
    contexts: list[tuple[Any, ...]],
    said: list[Governed],
) -> None:
    db.execute("begin immediate")
    try:
        unsettled = [seq for (seq,) in db.execute(_UNSETTLED, (json.dumps(done),))]
        settle(db, unsettled, prices)
        session_sums.again(db, session_sums.of(db, unsettled))
        db.executemany(search.PUT, texts)
        db.executemany(_PUT_CONTEXT, contexts)
        governing.store(db, said)
        db.executemany(_DONE, [(seq,) for seq in done])
        db.execute("commit")
    except BaseException:
        if db.in_transaction:
            db.execute("rollback")
        raise


def _body(db: sqlite3.Connection, row: dict[str, Any]) -> bytes:
    headers = [(str(name), str(value)) for name, value in json.loads(row["headers"] or "[]")]
    return queries.body(db, row["seq"], "request", headers, BODY_BYTES)


def _context_row(row: dict[str, Any], request: Request) -> tuple[Any, ...]:
    stated = row["input_tokens"]
    found: Context = composition(request, stated)
    return (
        row["seq"], found.system, found.tools, found.history, found.tool_results, found.new, found.images,
        stated is not None, _estimated_output(row),
    )  # fmt: skip


def _estimated_output(row: dict[str, Any]) -> int | None:
    if row["output_tokens"] is not None or row["operation"] in _NO_OUTPUT:
        return None
    said = (row["text"], row["reasoning"], None if row["tool_calls"] == "[]" else row["tool_calls"])
    return sum(tokens_of(text or "") for text in said) or None
