"""The generated parts of `config.md`, `cli.md` and `schema.md`: written by `make docs`, checked by `make lint`.

Everything is taken from the code that it describes: the pydantic models, the click commands, the migrations. What cannot be
taken from there (the meaning of each column of the view `calls`) stands here, and a column without a meaning is an error.
The output is the same on every machine: no paths, no terminal width.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import click
import sqlite_utils
from pydantic.fields import FieldInfo

from addons.cli import COMMANDS, client_env, group
from addons.reload import NEEDS_RESTART
from intelligence.config import SECTIONS, ModelPrice, ScopeHost
from intelligence.store import views
from intelligence.store.migrations import migrations
from intelligence.store.rollups import BUCKETS

HELP_WIDTH = 100

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
    "state": "`pending`, `complete`, `aborted`, `error`, `blocked`, `interrupted`: see above",
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
    "decision": "nothing writes it yet",
    "pattern_id": "nothing writes it yet",
}

TABLES = {
    "requests": "One row a call, from the moment its request was recorded.",
    "responses": "The answer to a call, once it has begun.",
    "bodies": "What was sent and what came back, compressed, with the times at which the pieces arrived. A long body is cut "
    "into parts. `kind` `messages` is what was said on a WebSocket, both ways.",
    "events": "What the system did or met: configuration reloaded, a host passed through unseen, part of the record lost.",
    "messages": "The parts of requests (messages, system prompts, tool definitions, long values), each stored once.",
    "nodes": "The tree: a conversation up to and including a message.",
    "envelopes": "What holds the parts of a request together: parameters, order of keys. Equal ones are stored once.",
    "envelope_parts": "Which parts an envelope holds, beside the messages of the conversation.",
    "sessions": "Conversations and agent runs.",
    "turns": "Where a request stands in the tree and in its session, and how it came to be there.",
    "tree_backlog": "What an older version stored whole and the worker has yet to move into the tree.",
    "costs": "What a call cost, where that is known. `basis`: by list price; the same for a call under a flat rate "
    "(`subscription`); as the provider stated; by your own prices (`override`).",
    "contexts": "What fills the context of a request. Read some time after the call has ended.",
    "rollup_hourly": "What the calls of an hour add up to, by provider, model, client and user. A call is added when it ends.",
    "rollup_daily": "The same of a day (UTC): for weeks and months at a glance. The view `daily_cost` reads it.",
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


def config() -> str:
    """A table for each section of `mitm.toml`."""
    parts = []
    for section, model in SECTIONS.items():
        intro = (model.__doc__ or "").strip().partition("\n")[0] if model.__doc__ else ""
        rows = [
            (
                f"`{key}`",
                _type(field),
                f"`{_toml(field.default)}`" if field.default is not None else "not set",
                _cell(field.description or ""),
                "restart" if key in NEEDS_RESTART.get(section, ()) else _applies(section),
            )
            for key, field in model.model_fields.items()
        ]
        example = next(iter(model.model_fields))
        parts += [
            f"### [{section}]",
            "",
            *([intro, ""] if intro and not intro.startswith("!!!") else []),
            *_table(("key", "type", "default", "what it does", "takes effect"), rows),
            "",
            f"Variables: `LLMITM_{section.upper()}__<KEY>`, e.g. `LLMITM_{section.upper()}__{example.upper()}`.",
            "",
        ]
    return "\n".join(parts).rstrip()


def _applies(section: str) -> str:
    """The proxy reads the file again when it changes; the dashboard reads it once, when it starts."""
    return "restart" if section == "dashboard" else "at once"


def _type(field: FieldInfo) -> str:
    return _type_name(field.annotation) + _bounds(field)


def _type_name(annotation: Any) -> str:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in args)
    if origin in (Union, UnionType):
        return " or ".join(_type_name(a) for a in args if a is not NoneType)
    if origin is list:
        return f"list of {_type_name(args[0])}"
    names = {
        str: "text",
        int: "number",
        float: "number",
        bool: "`true` or `false`",
        Path: "path",
        ScopeHost: "table",
        ModelPrice: "table",
    }
    return names[annotation]


def _bounds(field: FieldInfo) -> str:
    least = next((m.ge for m in field.metadata if hasattr(m, "ge")), None)
    most = next((m.le for m in field.metadata if hasattr(m, "le")), None)
    if least is not None and most is not None:
        return f", {least:,} to {most:,}"
    return f", at least {least:,}" if least is not None else ""


def _toml(value: Any) -> str:
    if isinstance(value, Path):
        value = value.as_posix()
    return json.dumps(value, ensure_ascii=False)


def commands() -> str:
    """Each command's `--help`."""
    return "\n\n".join(_help(command, context) for command, context in _walk()).rstrip()


def _walk() -> Iterator[tuple[click.Command, click.Context]]:
    top = _context(group, "llmitm", None)
    yield group, top
    for name in COMMANDS:
        command = group.get_command(top, name)
        assert command is not None
        context = _context(command, name, top)
        yield command, context
        if isinstance(command, click.Group):
            for child in command.list_commands(context):
                found = command.get_command(context, child)
                assert found is not None
                yield found, _context(found, child, context)


def _context(command: click.Command, name: str, parent: click.Context | None) -> click.Context:
    settings = {**command.context_settings, "terminal_width": HELP_WIDTH, "max_content_width": HELP_WIDTH}
    return click.Context(command, info_name=name, parent=parent, **settings)


def _help(command: click.Command, context: click.Context) -> str:
    lines = [line.rstrip() for line in click.unstyle(command.get_help(context)).splitlines()]
    return "\n".join([f"## {context.command_path}", "", "```text", *lines, "```"])


def client_variables() -> str:
    """The variables that `exec` and `env` set, and why."""
    env = client_env
    rows = [
        (
            _names(env.PROXIES),
            "the proxy's URL",
            "where calls go; plain HTTP too, for model servers in the local network",
        ),
        (
            _names(env.NO_PROXIES),
            "your own, and: " + ", ".join(f"`{host}`" for host in (*env.THIS_MACHINE, *env.METADATA)),
            "this machine, so that dev servers keep working, and the clouds' metadata addresses. "
            "`--local` leaves this machine out",
        ),
        (
            _names(env.WHOLE_STORES),
            "`certs/bundle.pem`, or your own file joined with our CA",
            "these replace a client's list of CAs, so the file holds the system's roots as well",
        ),
        (
            _names(env.ADDED_CAS),
            "`certs/mitmproxy-ca-cert.pem`, or your own file joined with it",
            "these add to a client's list of CAs",
        ),
        ("`NODE_USE_ENV_PROXY`", "`1`", "without it Node's own `fetch` passes the proxy by"),
        (
            "`NODE_OPTIONS`",
            "your own, and `--require` of a file of ours",
            "the same for a Node before 24 (22.21), which does not know that variable",
        ),
        (f"`{env.REPLACED}`", "JSON", "what the others were before, for `llmitm env --unset`"),
    ]
    return "\n".join(_table(("variable", "value", "why"), rows))


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def schema() -> str:
    """Tables of `traffic.db` with their columns, from the migrations; and the view `calls`."""
    db = sqlite_utils.Database(memory=True)
    migrations.apply(db)
    views.refresh(db.conn)
    conn = db.conn
    assert conn is not None
    tables = [name for name in db.table_names() if not name.startswith(("sqlite_", "_", "search_texts_fts"))]
    parts = ["## View `calls`", "", *_table(("column", "what it holds"), _calls(conn)), "", "## Tables", ""]
    for name in tables:
        parts += [] if name in INTERNAL else _described(conn, name)
    parts += ["## The worker's own tables", ""]
    for name in tables:
        parts += _described(conn, name) if name in INTERNAL else []
    parts += ["## Migrations", "", *[f"- `{step.name}`" for step in migrations.applied(db)]]
    return "\n".join(parts).rstrip()


def _calls(conn: sqlite3.Connection) -> list[tuple[str, ...]]:
    columns = [row[1] for row in conn.execute("pragma table_info(calls)")]
    if missing := [c for c in columns if c not in CALLS]:
        raise KeyError(f"docs/reference.py does not say what calls.{missing[0]} holds")
    if gone := [c for c in CALLS if c not in columns]:
        raise KeyError(f"docs/reference.py tells of calls.{gone[0]}, which does not exist")
    return [(f"`{c}`", _cell(CALLS[c])) for c in columns]


def _described(conn: sqlite3.Connection, table: str) -> list[str]:
    (sql,) = conn.execute("select sql from sqlite_master where name = ?", (table,)).fetchone()
    points_to = {
        row[3]: f"→ `{row[2]}.{row[4]}`" for row in conn.execute(f"pragma foreign_key_list({table})")
    }
    rows = []
    for _, name, type_, not_null, _, key in conn.execute(f"pragma table_info({table})"):
        if table in ("rollup_hourly", "rollup_daily") and (bucket := BUCKET.fullmatch(name)):
            if bucket[2] == "inf":
                first = f"`{bucket[1]}_{BUCKETS[0]}` … `{bucket[1]}_inf`"
                rows.append(
                    (
                        first,
                        "integer",
                        "not null",
                        f"calls by `{bucket[1]}_ms`: up to so many, and beyond the last",
                    )
                )
            continue
        rules = ["primary key" if key else "not null" if not_null else "", points_to.get(name, "")]
        meaning = ADDED.get((table, name)) or _meaning(sql, name)
        rows.append((f"`{name}`", type_.lower(), ", ".join(filter(None, rules)), _cell(meaning)))
    return [
        f"### {table}",
        "",
        TABLES[table],
        "",
        *_table(("column", "type", "rule", "what it holds"), rows),
        "",
    ]


def _meaning(sql: str, column: str) -> str:
    """The comment beside a column, or the values it is limited to."""
    line = re.search(rf"^ +{column} [^\n]*?-- (.*)$", sql, re.M)
    if line:
        return line[1]
    values = re.search(rf"\bcheck \({column} in\s*\(([^)]*)\)", sql)
    return "one of " + ", ".join(f"`{v}`" for v in re.findall(r"'(\w+)'", values[1])) if values else ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    return [
        f"| {' | '.join(head)} |",
        f"|{' --- |' * len(head)}",
        *[f"| {' | '.join(row)} |" for row in rows],
    ]
