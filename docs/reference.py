"""The generated parts of `config.md`, `cli.md`, `policy.md` and `schema.md`: written by `make docs`, checked by `make lint`.

Everything is taken from the code that it describes: the pydantic models, the click commands, the migrations. What cannot be
taken from there (the meaning of each column of the view `calls`) stands here, and a column without a meaning is an error.
The output is the same on every machine: no paths, no terminal width.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import date, time
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import click
import sqlite_utils
from pydantic import BaseModel, BeforeValidator
from pydantic.fields import FieldInfo

from addons.cli import COMMANDS, client_env, group
from addons.reload import NEEDS_RESTART
from intelligence.config import SECTIONS, ModelPrice, ScopeHost
from intelligence.policy.rule import (
    Allowance,
    Condition,
    DetectionMatch,
    Example,
    LimitMatch,
    List,
    LoopMatch,
    PolicyFile,
    Rule,
    TextMatch,
    TimeMatch,
    ToolMatch,
)
from intelligence.store import descriptions, views
from intelligence.store.migrations import migrations
from intelligence.store.rollups import BUCKETS

HELP_WIDTH = 100


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
    return "restart" if section in ("dashboard", "second_opinion") else "at once"


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
    parts = [
        "## View `calls`",
        "",
        *_table(("column", "what it holds"), _view(conn, "calls")),
        "",
        "## Other views",
        "",
    ]
    for name in descriptions.VIEWS:
        if name != "calls":
            parts += [f"### {name}", "", descriptions.TABLES[name], ""]
            parts += [*_table(("column", "what it holds"), _view(conn, name)), ""]
    parts += ["## Tables", ""]
    for name in tables:
        parts += [] if name in descriptions.INTERNAL else _described(conn, name)
    parts += ["## The worker's own tables", ""]
    for name in tables:
        parts += _described(conn, name) if name in descriptions.INTERNAL else []
    parts += ["## Migrations", "", *[f"- `{step.name}`" for step in migrations.applied(db)]]
    return "\n".join(parts).rstrip()


def _view(conn: sqlite3.Connection, view: str) -> list[tuple[str, ...]]:
    return [(f"`{column}`", _cell(meaning)) for column, meaning in descriptions.columns(conn, view).items()]


def _described(conn: sqlite3.Connection, table: str) -> list[str]:
    meanings = descriptions.columns(conn, table)
    points_to = {
        row[3]: f"→ `{row[2]}.{row[4]}`" for row in conn.execute(f"pragma foreign_key_list({table})")
    }
    rows = []
    for _, name, type_, not_null, _, key in conn.execute(f"pragma table_info({table})"):
        if table.startswith("rollup_") and (bucket := descriptions.BUCKET.fullmatch(name)):
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
        rows.append((f"`{name}`", type_.lower(), ", ".join(filter(None, rules)), _cell(meanings[name])))
    return [
        f"### {table}",
        "",
        descriptions.TABLES[table],
        "",
        *_table(("column", "type", "rule", "what it holds"), rows),
        "",
    ]


def policy() -> str:
    """A table for each part of a policy file."""
    titles = {
        PolicyFile: "A file",
        Rule: "A rule",
        Condition: "`when`",
        TextMatch: "`text`",
        DetectionMatch: "`detection`",
        ToolMatch: "`tool`",
        LimitMatch: "`limit`",
        LoopMatch: "`loop`",
        TimeMatch: "`time`",
        Example: "`tests`",
        Allowance: "`allow`",
        List: "`lists`",
    }
    parts = []
    for model, title in titles.items():
        rows = [
            (f"`{field.alias or name}`", _written(field), _default(field), _cell(field.description or ""))
            for name, field in model.model_fields.items()
        ]
        intro = _cell(model.__doc__ or "")
        parts += [
            f"### {title}",
            "",
            intro,
            "",
            *_table(("key", "what", "if not given", "meaning"), rows),
            "",
        ]
    return "\n".join(parts).rstrip()


def _written(field: FieldInfo) -> str:
    """What stands there in a file."""
    kinds = list(dict.fromkeys(_kinds(field.annotation, field.metadata)))
    return " or ".join(kinds) + _bounds(field)


def _kinds(annotation: Any, metadata: Sequence[Any] = ()) -> Iterator[str]:
    validators = [m.func.__name__ for m in metadata if isinstance(m, BeforeValidator)]
    origin, args = get_origin(annotation), get_args(annotation)
    if "_compared" in validators:
        yield "comparison"
    elif "_amount" in validators:
        yield "number"
    elif origin is Annotated:
        yield from _kinds(args[0], annotation.__metadata__)
    elif origin is Literal:
        yield " or ".join(f"`{value}`" for value in args)
    elif origin in (Union, UnionType):
        for part in args:
            if part is not NoneType:
                yield from _kinds(part)
    elif origin is list:
        of = " or ".join(dict.fromkeys(_kinds(args[0])))
        yield f"{of}, or a list" if "_listed" in validators else f"list of {of}"
    elif origin is dict:
        yield "mapping"
    else:
        names = {
            str: "text",
            int: "number",
            float: "number",
            bool: "`true` or `false`",
            date: "date",
            time: "time of day",
        }
        yield names.get(annotation, f"{'conditions' if annotation is Condition else 'mapping'}")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "must be given"
    default = field.default
    if default is None or default in ("", [], {}) or isinstance(default, BaseModel):
        return ""
    if isinstance(default, time):
        return f"`{default:%H:%M}`"
    return f"`{json.dumps(default, ensure_ascii=False)}`" if not isinstance(default, str) else f"`{default}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    return [
        f"| {' | '.join(head)} |",
        f"|{' --- |' * len(head)}",
        *[f"| {' | '.join(row)} |" for row in rows],
    ]
