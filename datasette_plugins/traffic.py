"""`traffic.db` as the dashboard sees it: read-only, and perhaps not there yet.

The worker makes the file, and a restore or a clean start replaces it, while we run. So pages ask `attached` for the database each
time: it attaches the file to Datasette once it has its schema, notices another file under the same name, and
gives `None` as long as there is nothing to read. The connections are opened `mode=ro`, also those Datasette would write with.
"""

from __future__ import annotations

import logging
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from datasette.database import Database
from datasette.utils import escape_sqlite

from datasette_plugins import queries
from datasette_plugins.guard import App, Message, Receive, Send
from datasette_plugins.slow import SlowQueries

if TYPE_CHECKING:
    from datasette.app import Datasette

log = logging.getLogger(__name__)

DATABASE = "traffic"
FileId = tuple[int, int]
# How Datasette counts the rows of a table, reading all of each.
_COUNTED = re.compile(
    r"^select count\(\*\) from \(select \* (from \S+\s+(?:where .*)?limit 10001)\)$", re.DOTALL
)


def connect(path: Path) -> sqlite3.Connection:
    """A read-only connection. Raises `sqlite3.Error`."""
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=2, check_same_thread=False)
    db.row_factory = sqlite3.Row
    # What a client sent may not be UTF-8 even where it should be.
    db.text_factory = lambda raw: raw.decode("utf-8", "replace")
    return db


def file_id(path: Path) -> FileId | None:
    """Which file this is; changes when it is replaced. `None` if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def has_schema(path: Path) -> bool:
    """Whether the worker has made its tables."""
    try:
        with closing(connect(path)) as db:
            return db.execute(queries.HAS_CALLS).fetchone() is not None
    except sqlite3.Error:
        return False


class Timed(Database):
    """A database that remembers its slowest queries."""

    def __init__(self, datasette: Datasette, path: str, slow: SlowQueries) -> None:
        super().__init__(datasette, path, mode="ro")
        self._slow = slow

    def connect(self, write: bool = False) -> sqlite3.Connection:
        db = cast("sqlite3.Connection", super().connect(write))
        # The sums of a year are sorted in more than the two megabytes there are by default, and that in a file.
        db.execute("pragma temp_store = memory")
        db.execute("pragma cache_size = -16000")
        return db

    async def execute(self, sql: str, *args: Any, **kwargs: Any) -> Any:
        with self._slow.timed(sql):
            sql = _COUNTED.sub(r"select count(*) from (select 1 \1)", sql)
            return await super().execute(sql, *args, **kwargs)

    async def execute_fn(self, fn: Any, *args: Any, **kwargs: Any) -> Any:
        """What our pages read, named by the function that reads it; Datasette's own come by `execute`."""
        if not fn.__module__.startswith("datasette_plugins"):
            return await super().execute_fn(fn, *args, **kwargs)
        name = fn.__qualname__.replace(".<locals>", "").replace(".<lambda>", "")
        with self._slow.timed(f"{fn.__module__.removeprefix('datasette_plugins.')}: {name}"):
            return await super().execute_fn(fn, *args, **kwargs)

    async def table_counts(self, limit: int = 10) -> dict[str, int | None]:
        """How many rows each has, up to one more than `count_limit`; None of what is hidden.
        Datasette's own would read whole rows."""
        hidden = set(await self.hidden_table_names())
        names = await self.table_names()

        def counted(conn: sqlite3.Connection) -> dict[str, int | None]:
            return {
                name: None if name in hidden else _count(conn, name, self.count_limit + 1) for name in names
            }

        return cast("dict[str, int | None]", await self.execute_fn(counted))


def _count(conn: sqlite3.Connection, table: str, most: int) -> int | None:
    try:
        sql = f"select count(*) from (select 1 from {escape_sqlite(table)} limit {most})"  # noqa: S608
        return int(conn.execute(sql).fetchone()[0])
    except sqlite3.Error:
        return None


class Traffic:
    """Attaches the database of one data folder to one Datasette."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.slow = SlowQueries()
        self._attached: FileId | None = None

    def attached(self, datasette: Datasette) -> Database | None:
        """The database as it is now, if there is one."""
        found = file_id(self.path)
        if found != self._attached:
            if self._attached is not None:
                datasette.remove_database(DATABASE)
                self._attached = None
            if found is not None and has_schema(self.path):
                datasette.add_database(Timed(datasette, str(self.path), self.slow), name=DATABASE)
                self._attached = found
                log.info("reading %s", self.path)
        return datasette.databases.get(DATABASE)

    def before(self, app: App, datasette: Datasette) -> App:
        """`app`, with the database attached as it is at each request: Datasette's own pages do not ask."""

        async def attached_first(scope: Message, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                self.attached(datasette)
            await app(scope, receive, send)

        return attached_first
