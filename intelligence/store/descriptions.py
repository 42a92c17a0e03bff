"""What the tables, views and columns of `traffic.db` hold, in words: for `docs/schema.md` and for the dashboard's tables.

What the schema itself tells stands there: the comment beside a column, or the values it is limited to. The rest stands here, and
a column of a view that is not told of here is an error.
"""

from __future__ import annotations

import re
import sqlite3

# The view `calls`: scripts hold on to these columns.
CALLS = {
    "id": "UUIDv7, so ids sort by time. Response n > 1 on one WebSocket is `<id>.<n>`",
    "session_id": "`sessions.id`: that of its first call",
    "started_at": "Unix ms",
    "user": "name given to the proxy, where `proxy.users` is set",
    "client": "program, by its User-Agent: `claude-code`, `codex`, `openai-python` …",
    "provider": "OpenTelemetry's `gen_ai.provider.name` where it has one: `openai`, `anthropic`, `gcp.gemini` …",
    "operation": "`chat`, `responses`, `generate_content`, `text_completion`, `embeddings`, `realtime` …",
    "host": "the provider's, as asked for",
    "path": "with query, secret query values replaced",
    "model": "asked for",
    "response_model": "that answered, as the provider names it",
    "stream": "1 if a stream was asked for",
    "state": "`pending`, `complete`, `aborted`, `error`, `blocked`, `interrupted`",
    "status_code": "HTTP",
    "finish_reason": "in the provider's words",
    "input_tokens": "cached ones included",
    "output_tokens": "reasoning included",
    "cache_read_tokens": "of the input, read from the provider's cache",
    "cache_write_tokens": "of the input, written to it",
    "reasoning_tokens": "of the output",
    "usage_raw": "JSON: the provider's own numbers",
    "cost_usd": "US dollars, list price unless `costs.basis` says otherwise; under a subscription, what it would have cost",
    "ttft_ms": "from the request to the first token of content",
    "duration_ms": "from the request to the end of the answer",
    "chunks": "pieces in which the answer arrived",
    "text": "of the answer",
    "tool_calls": "JSON list of the names of tools that the client is to run",
    "error_type": "the provider's, else the status code, `upstream_error` or `incomplete_answer`",
    "error_message": "the provider's, else the proxy's",
    "decision": "the weightiest thing policy did: `block`, `throttle`, `redact`, `alert`, `allow`",
    "pattern_id": "nothing writes it yet",
}

TABLES = {
    "calls": "One row a call: the part that scripts can hold on to.",
    "sessions_overview": "One row a conversation or agent run. Sums leave out what is unknown.",
    "messages_text": "Every message, system prompt and tool definition, once however often it was sent; and every answer.",
    "daily_cost": "One row a day (UTC), provider, model, client and user.",
    "requests": "One row a call, from the moment its request was recorded.",
    "responses": "The answer to a call, once it has begun.",
    "bodies": "What was sent and what came back, compressed, with the times at which the pieces arrived. A long body is cut "
    "into parts. `kind` `messages` is what was said on a WebSocket, both ways.",
    "events": "What the system did or met: configuration reloaded, a host passed through unseen, part of the record lost.",
    "messages": "The parts of requests (messages, system prompts, tool definitions, long values), each stored once.",
    "nodes": "The tree: a conversation up to and including a message.",
    "envelopes": "What holds the parts of a request together: parameters, order of keys. Equal ones are stored once.",
    "envelope_parts": "Which parts an envelope holds, beside the messages of the conversation.",
    "sessions": "Conversations and agent runs, and what their calls that have ended add up to.",
    "turns": "Where a request stands in the tree and in its session, and how it came to be there.",
    "tree_backlog": "What an older version stored whole and the worker has yet to move into the tree.",
    "costs": "What a call cost, where that is known. `basis`: by list price; the same for a call under a flat rate "
    "(`subscription`); as the provider stated; by your own prices (`override`).",
    "contexts": "What fills the context of a request. Read some time after the call has ended.",
    "rollup_hourly": "What the calls of an hour add up to, by provider, model, client and user. A call is added when it ends.",
    "rollup_daily": "The same of a day (UTC): for weeks and months at a glance. The view `daily_cost` reads it.",
    "rollup_weekly": "The same of a week (UTC, from Monday on): for a year at a glance.",
    "decisions": "What policy rules said of calls, and what was done.",
    "detections": "What detectors saw, and where.",
    "opinions": "What Claude said of detections that were not sure, where `second_opinion` is switched on.",
    "rewrites": "What was changed in requests before they were sent.",
    "originals": "How a rewritten body is made what the client sent, where a rule lets that be kept.",
    "search_texts": "What calls added to their conversations and what was answered, for full-text search "
    "(`search_texts_fts`, FTS5).",
    "to_read": "Calls whose words are not yet in the search.",
    "journal_positions": "How far each segment of the journal is stored.",
    "open_calls": "What the worker knows of calls that have not ended.",
    "open_chunks": "What has arrived of their answers.",
    "forgotten": "Calls that were going on when they were forgotten: what still comes of them is passed over.",
}

# Tables in which the worker keeps its place; nobody else should need them.
INTERNAL = ("tree_backlog", "to_read", "journal_positions", "open_calls", "open_chunks", "forgotten")

# Columns that later migrations added, and families of columns, told once.
ADDED = {
    ("responses", "service_tier"): "the one it was served in, where the answer says so outside its usage",
    ("responses", "first_byte_ms"): "from the request to the first byte of the answer's body",
    ("responses", "gap_max_ms"): "longest silence between two pieces of the answer",
    ("responses", "gap_p95_ms"): "95th percentile of those silences",
}
BUCKET = re.compile(r"(duration|ttft)_(\w+)")

OVERVIEW = {
    "id": "that of its first call",
    "title": "from the first words of the user",
    "user": CALLS["user"],
    "client": CALLS["client"],
    "client_version": "as it says itself",
    "working_folder": "as the prompt states it",
    "repository": "as the prompt states it",
    "client_session": "the client's own id for it",
    "parent_id": "the session that started it as a sub-agent",
    "started_at": "Unix ms",
    "last_at": "Unix ms: when its last request began",
    "requests": "calls in it",
    "errors": "calls that failed",
    "models": "JSON list of the models asked for, else of those that answered",
    "input_tokens": "of all its calls that state them",
    "output_tokens": "of all its calls that state them",
    "cost_usd": "of all its calls whose cost is known",
}
MESSAGES = {
    "source": "`request` or `answer`",
    "message": "`messages.id`",
    "call_id": "the first call that held it",
    "session_id": "of that call",
    "started_at": "Unix ms, of that call",
    "kind": "`message`, `system`, `tool` (a definition)",
    "role": "as the client names it",
    "text": "its words",
}
DAILY = {
    "day": "UTC",
    "provider": CALLS["provider"],
    "model": "asked for, else that answered",
    "client": CALLS["client"],
    "user": CALLS["user"],
    "requests": "calls that have ended",
    "errors": "calls that failed",
    "input_tokens": CALLS["input_tokens"],
    "output_tokens": CALLS["output_tokens"],
    "cache_read_tokens": CALLS["cache_read_tokens"],
    "cache_write_tokens": CALLS["cache_write_tokens"],
    "reasoning_tokens": CALLS["reasoning_tokens"],
    "cost_usd": "US dollars paid by the call",
    "subscription_usd": "at list price, what calls under a flat rate would have cost",
    "unpriced": "calls in neither sum: their price is not known",
}
VIEWS = {
    "calls": CALLS,
    "sessions_overview": OVERVIEW,
    "messages_text": MESSAGES,
    "daily_cost": DAILY,
}


def columns(db: sqlite3.Connection, name: str) -> dict[str, str]:
    """What each column of a table or view holds; empty where its name says it. Raises `KeyError` for a view not told of here."""
    names = [row[1] for row in db.execute("select * from pragma_table_info(?)", (name,))]
    if name in VIEWS:
        if wrong := set(names) ^ set(VIEWS[name]):
            raise KeyError(f"descriptions.py and the view {name} disagree on {', '.join(sorted(wrong))}")
        return {column: VIEWS[name][column] for column in names}
    (sql,) = db.execute("select sql from sqlite_master where name = ?", (name,)).fetchone()
    return {column: ADDED.get((name, column)) or _meaning(sql, column) for column in names}


def _meaning(sql: str, column: str) -> str:
    """The comment beside a column, or the values it is limited to."""
    line = re.search(rf"^ +{column} [^\n]*?-- (.*)$", sql, re.M)
    if line:
        return line[1]
    values = re.search(rf"\bcheck \({column} in\s*\(([^)]*)\)", sql)
    return "one of " + ", ".join(f"`{v}`" for v in re.findall(r"'(\w+)'", values[1])) if values else ""
