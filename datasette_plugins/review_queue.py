"""The queue of detections and the list of decisions, read newest first, in bounded time.

What was seen again and again (a conversation is sent anew with each turn) is one item, at its latest place. However rare what is
asked for, no more than `SCANNED` rows are looked at for one page; the next page goes on from there.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, get_args

from intelligence.policy.rule import Action, Kind
from intelligence.store.reviews import subject_of_decision

PAGE = 25
SCANNED = 5_000
MOST_NAMES = 200
# More open ones than this are not counted, nor more digests than the second looked at for it.
COUNTED = 1_000
COUNTED_SCANNED = 20_000
KINDS, ACTIONS = get_args(Kind), get_args(Action)
STATES = ("open", "done", "all")

_READ = """
select x.*, q.id as call, q.client, q.user, q.provider, q.model, q.decision from {table} x indexed by {index}
join requests q on q.seq = x.request where {equal} (x.at, x.id) < (:at, :id) order by x.at desc, x.id desc limit {most}"""
LATEST = (1 << 62, 1 << 62)
NEWER = "select 1 from detections where digest = ? and id > ? limit 1"
TIMES = f"select count(*) from (select 1 from detections where digest = ? limit {COUNTED + 1})"  # noqa: S608
RULES = f"""
with recursive r (rule) as (
    select min(rule) from decisions union all
    select (select min(rule) from decisions where rule > r.rule) from r where r.rule is not null
) select rule from r where rule is not null limit {MOST_NAMES}"""  # noqa: S608
DIGESTS = """
with recursive d (digest) as (
    select min(digest) from detections union all
    select (select min(digest) from detections where digest > d.digest) from d where d.digest is not null
) select digest from d where digest is not null limit ?"""
BY_ID = {
    "detections": "select x.*, q.id as call from detections x join requests q on q.seq = x.request where x.id = ?",
    "decisions": "select x.*, q.id as call from decisions x join requests q on q.seq = x.request where x.id = ?",
}


@dataclass(frozen=True)
class Asked:
    """What to show: `show` is `detections` or `decisions`. Empty texts are any."""

    show: str = "detections"
    state: str = "open"
    kind: str = ""
    rule: str = ""
    action: str = ""
    client: str = ""
    user: str = ""
    before: tuple[int, int] | None = None


@dataclass
class Page:
    """`next` is where to go on from; None at the end. `whole` is false when it ends for what was looked at, not for its size."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    next: tuple[int, int] | None = None
    whole: bool = True


def read(db: sqlite3.Connection, asked: Asked, reviewed: Collection[str]) -> Page:
    """`reviewed` are the digests of what somebody has looked at. Raises `sqlite3.Error`."""
    detections = asked.show == "detections"
    equal = ("kind", asked.kind) if detections else ("rule", asked.rule)
    sql = _READ.format(
        table=asked.show,
        index=f"{asked.show}_{equal[0] if equal[1] else 'at'}",
        equal=f"x.{equal[0]} = :equal and" if equal[1] else "",
        most=SCANNED,
    )
    wanted = {"rule": asked.rule, "client": asked.client, "user": asked.user}
    wanted["decision" if detections else "action"] = asked.action
    wanted = {name: value for name, value in wanted.items() if value}
    page, seen, scanned = Page(), set(), 0
    at, id_ = last = asked.before or LATEST
    for row in db.execute(sql, {"at": at, "id": id_, "equal": equal[1]}):
        if len(page.rows) == PAGE:
            page.next = last
            break
        scanned += 1
        last = (row["at"], row["id"])
        digest = digest_of(row, asked.show)
        if digest in seen or (asked.state != "all" and (digest in reviewed) != (asked.state == "done")):
            continue
        if any(row[name] != value for name, value in wanted.items()):
            continue
        seen.add(digest)
        # With filters, the latest of all may be one that they leave out.
        if detections and not wanted and db.execute(NEWER, (digest, row["id"])).fetchone():
            continue
        page.rows.append(dict(row) | {"digest": digest})
    if page.next is None and scanned == SCANNED:
        page.next, page.whole = last, False
    for shown in page.rows if detections else ():
        (shown["times"],) = db.execute(TIMES, (shown["digest"],)).fetchone()
    return page


def one(db: sqlite3.Connection, show: str, id_: int) -> dict[str, Any] | None:
    row = db.execute(BY_ID[show], (id_,)).fetchone()
    return dict(row) | {"digest": digest_of(row, show)} if row else None


def rules(db: sqlite3.Connection) -> list[str]:
    return [rule for (rule,) in db.execute(RULES)]


def open_count(db: sqlite3.Connection, reviewed: Collection[str]) -> int:
    """How many different texts were seen that nobody has looked at; no more than `COUNTED` + 1."""
    count = 0
    for (digest,) in db.execute(DIGESTS, (COUNTED_SCANNED,)):
        count += digest not in reviewed
        if count > COUNTED:
            break
    return count


def digest_of(row: Any, show: str) -> str:
    """By which it is reviewed."""
    if show == "detections":
        return str(row["digest"])
    return subject_of_decision(row["call"], row["direction"], row["rule"]).digest
