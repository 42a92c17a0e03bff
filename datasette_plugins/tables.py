"""Datasette's own pages over our tables: what it is told of them beforehand, and what stands on top of the list of tables.

Descriptions are those of `docs/schema.md`, questions those of `docs/queries.md`: neither is written twice. What would take long
over a long record is not offered: the views can be sorted only by what an index gives, and nothing is counted by facets.
"""

from __future__ import annotations

import re
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from datasette.utils.asgi import Request
from jinja2.ext import Extension
from markupsafe import Markup

from datasette_plugins.guard import App, Message, Receive, Send
from datasette_plugins.traffic import DATABASE
from intelligence.store import descriptions, views
from intelligence.store.migrations import migrations
from intelligence.store.sqlite_tools import sqlite_utils

if TYPE_CHECKING:
    from datasette.app import Datasette

QUERIES_PAGE = Path(__file__).parents[1] / "docs" / "queries.md"
_NAMED = re.compile(rb"(^|&)_(col|nocol|all)=")
_SECTION = re.compile(r"^## (.+)$", re.M)
# A paragraph, and the SQL under it.
_QUESTION = re.compile(r"((?:^\S[^\n]*\n)+)\n```sql\n(.*?)^```$", re.M | re.S)

# Newest first. The views can be sorted by nothing else: by any other column every call would be looked at.
NEWEST = {
    "calls": "started_at",
    "sessions_overview": "last_at",
    "requests": "started_at",
    "responses": "request",
    "messages": "id",
    "sessions": "last_at",
    "turns": "request",
    "events": "id",
    "bodies": "id",
    "costs": "request",
    "contexts": "request",
    "search_texts": "id",
    "decisions": "id",
    "detections": "id",
    "rewrites": "id",
    "rollup_hourly": "hour",
    "rollup_daily": "day",
    "rollup_weekly": "week",
    "daily_cost": "day",
}
# What a person looks at first; `?_all=1` shows the rest, and whoever names columns gets these.
SHOWN = {
    "calls": "id started_at client user provider model state status_code input_tokens output_tokens cost_usd ttft_ms duration_ms "
    "text tool_calls error_type",
    "sessions_overview": "id title user client working_folder last_at requests errors models input_tokens output_tokens cost_usd",
    "requests": "seq id started_at state user client provider operation model stream body_bytes path",
    "responses": "request status_code model finish_reason input_tokens output_tokens ttft_ms duration_ms text tool_calls "
    "error_type",
    "messages": "id kind role bytes text first_request",
    "rollup_hourly": "hour provider model client user requests errors blocked input_tokens output_tokens cost_usd "
    "subscription_usd unpriced",
    "rollup_daily": "day provider model client user requests errors blocked input_tokens output_tokens cost_usd "
    "subscription_usd unpriced",
    "rollup_weekly": "week provider model client user requests errors blocked input_tokens output_tokens cost_usd "
    "subscription_usd unpriced",
}
HIDDEN = (*descriptions.INTERNAL, "_sqlite_migrations")


@dataclass(frozen=True)
class Question:
    section: str
    text: str
    sql: str


def config() -> dict[str, Any]:
    """For `Datasette(config=...)`."""
    tables: dict[str, dict[str, Any]] = {name: {"hidden": True} for name in HIDDEN}
    for name, column in NEWEST.items():
        tables[name] = {"sort_desc": column}
        if name in descriptions.VIEWS:
            tables[name]["sortable_columns"] = [column]
    tables["messages_text"] = {"sortable_columns": []}
    return {"databases": {DATABASE: {"tables": tables}}}


@cache
def metadata() -> dict[str, Any]:
    """For `Datasette(metadata=...)`: what tables and columns hold."""
    with closing(sqlite_utils.Database(memory=True)) as db:
        migrations.apply(db)
        views.refresh(db.conn)
        told = {
            name: {
                "description": _plain(text),
                "columns": {c: _plain(t) for c, t in descriptions.columns(db.conn, name).items() if t},
            }
            for name, text in descriptions.TABLES.items()
            if name not in HIDDEN
        }
    return {"databases": {DATABASE: {"tables": told}}}


def _plain(markdown: str) -> str:
    return markdown.replace("`", "")


@cache
def questions(page: Path = QUERIES_PAGE) -> tuple[Question, ...]:
    """Those of the page, by the first sentence over each; none where it is not installed."""
    try:
        text = page.read_text("utf-8")
    except OSError:
        return ()
    found = []
    for section, body in zip(*[iter(_SECTION.split(text)[1:])] * 2, strict=True):
        for question, sql in _QUESTION.findall(body):
            words = " ".join(question.split()).removesuffix(":").replace("`", "")
            found.append(Question(section, words.partition(". ")[0], sql.strip()))
    return tuple(found)


class WithoutLock(Extension):
    """Datasette puts a lock at what strangers may not see. Here that is everything, and not every machine has the sign."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        return source.replace(" 🔒", "")


def narrowed(app: App) -> App:
    """`app`, in which a page of a table shows the columns of `SHOWN`. JSON and CSV have all of them."""
    pages = {
        f"/{DATABASE}/{table}": urlencode([("_col", c) for c in names.split()])
        for table, names in SHOWN.items()
    }

    async def with_columns(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "GET" and scope["path"] in pages:
            given = scope.get("query_string", b"")
            if not _NAMED.search(given):
                scope = {
                    **scope,
                    "query_string": b"&".join(filter(None, [given, pages[scope["path"]].encode()])),
                }
        await app(scope, receive, send)

    return with_columns


def top_of_table(datasette: Datasette, request: Request, database: str, table: str) -> Markup | None:
    """That columns are left out, and where they are."""
    if database != DATABASE or table not in SHOWN or "_all" in request.args:
        return None
    path = datasette.urls.path(f"/{DATABASE}/{table}?_all=1")
    return Markup('<p class="all-columns"><a href="{}">Show all columns</a></p>').format(path)


async def top_of_database(datasette: Datasette, request: Request, database: str) -> Markup | None:
    """The questions, each a link to its SQL, and where else to look."""
    if database != DATABASE:
        return None
    asked: dict[str, list[tuple[str, str]]] = {}
    for question in questions():
        path = datasette.urls.path(f"/{DATABASE}/-/query?") + urlencode({"sql": question.sql})
        asked.setdefault(question.section, []).append((question.text, path))
    html = await datasette.render_template("llmitm_tables.html", {"asked": asked}, request=request)
    return Markup(html)  # noqa: S704 -- made by the template, which escapes
