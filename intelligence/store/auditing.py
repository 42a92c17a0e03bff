"""From the decisions in `traffic.db` into the audit log, each once: how far it went is written with the entries.

Their numbers are given again once the last of them are gone, so who removes calls, or puts another database in place, says where
to go on.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from intelligence.store import audit, control

MOST = 500

_NEXT = """
select d.id, d.at, d.rule, d.action, d.direction, d.reason, d.failed, d.policy, q.id
from decisions d join requests q on q.seq = d.request where d.id > ? and d.acted order by d.id limit ?"""


def take(db: sqlite3.Connection, data_dir: Path) -> int:
    """Take over what was decided and done since. Returns how many entries were written. Raises `sqlite3.Error`, `OSError`,
    `ControlError`."""
    newest = _newest(db)
    if not newest:
        return 0
    if not (data_dir / control.NAME).exists():
        control.prepare(data_dir)
    with control.reading(data_dir) as log:
        if _last(log) >= newest:
            return 0
    with control.changing(data_dir) as log:
        rows = db.execute(_NEXT, (_last(log), MOST)).fetchall()
        for _, at, rule, action, direction, reason, failed, policy, call in rows:
            said = {"direction": direction, "reason": reason, "failed": failed, "policy": policy}
            audit.append(log, at, f"rule {rule}", f"decision.{action}", call, None, said)
        last = rows[-1][0] if len(rows) == MOST else newest
        log.execute("update audited_decisions set last = ?", (last,))
    return len(rows)


def go_on(db: sqlite3.Connection, data_dir: Path) -> None:
    """The last decisions may be gone: the next that is written is the next to take. Raises `sqlite3.Error`, `OSError`."""
    if (data_dir / control.NAME).exists():
        with control.changing(data_dir) as log:
            log.execute("update audited_decisions set last = min(last, ?)", (_newest(db),))


def _newest(db: sqlite3.Connection) -> int:
    if not db.execute("select 1 from sqlite_schema where name = 'decisions'").fetchone():
        return 0  # restored, and not brought up to date yet
    return int(db.execute("select coalesce(max(id), 0) from decisions").fetchone()[0])


def _last(log: sqlite3.Connection) -> int:
    return int(log.execute("select last from audited_decisions").fetchone()[0])
