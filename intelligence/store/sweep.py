"""Removing from the message tree what no call refers to any more.

A node goes when no request ends at it and no other node goes on from it; then its parent is looked at. An envelope goes
with its last request, a message with its last node and envelope. Nothing is counted beforehand: each of these questions is
asked of the database, by index, about the few rows that just lost something, in the transaction in which they lost it.
So there are never orphans, and what other calls share stays.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

LEAVE = "update turns set tip = null, envelope = null, marks = null where request = ?"
HELD = "select tip, envelope from turns where request = ?"
DELETE_NODE = """
delete from nodes where id = :node and not exists (select 1 from turns where tip = :node)
    and not exists (select 1 from nodes where parent = :node) returning parent, message"""
PARTS_OF = "select message from envelope_parts where envelope = ?"
DELETE_ENVELOPE = """
delete from envelopes where id = :envelope
    and not exists (select 1 from turns where envelope = :envelope) returning id"""
DELETE_MESSAGE = """
delete from messages where id = :message and not exists (select 1 from nodes where message = :message)
    and not exists (select 1 from envelope_parts where message = :message)"""
DELETE_SESSION = """
delete from sessions where seq = :session
    and not exists (select 1 from turns where session = :session) returning seq"""
NO_PARENT = "update sessions set parent = null where parent = :session"
SESSION_OF = "select session from turns where request = ? and session is not null"
UNTITLE = """
update sessions set title = null, working_folder = null, repository = null where seq = :session
    and not exists (select 1 from turns t join requests q on q.seq = t.request
        where t.session = :session and q.pruned is not 'content')"""

Held = set[tuple[int | None, int | None]]


def held(db: sqlite3.Connection, seqs: Iterable[int]) -> Held:
    """The tips and envelopes of these requests. Asked before they let go of them."""
    return {row for seq in seqs for row in db.execute(HELD, (seq,))}


def release(db: sqlite3.Connection, seqs: Iterable[int]) -> None:
    """These requests are to have no body any more. Inside the caller's transaction."""
    seqs = list(seqs)
    let_go = held(db, seqs)
    db.executemany(LEAVE, [(seq,) for seq in seqs])
    sweep(db, let_go)


def sweep(db: sqlite3.Connection, let_go: Held) -> None:
    """Remove what was held and is not any more. Inside the caller's transaction."""
    messages: set[int] = set()
    for node in {tip for tip, _ in let_go if tip is not None}:
        at = node
        while at and (gone := db.execute(DELETE_NODE, {"node": at}).fetchall()):
            ((at, message),) = gone
            messages.add(message)
    for envelope in {envelope for _, envelope in let_go if envelope is not None}:
        parts = [message for (message,) in db.execute(PARTS_OF, (envelope,))]
        if db.execute(DELETE_ENVELOPE, {"envelope": envelope}).fetchall():
            messages.update(parts)
    db.executemany(DELETE_MESSAGE, [{"message": message} for message in messages])


def sessions(db: sqlite3.Connection, seqs: Iterable[int]) -> None:
    """Remove those of these sessions in which no request is left. Inside the caller's transaction."""
    for seq in seqs:
        if db.execute(DELETE_SESSION, {"session": seq}).fetchall():
            db.execute(NO_PARENT, {"session": seq})


def titles(db: sqlite3.Connection, seqs: Iterable[int]) -> None:
    """What sessions say of themselves in words of their requests goes with the last of these. Inside the caller's
    transaction, once `requests.pruned` is set."""
    found = {row for seq in seqs for row in db.execute(SESSION_OF, (seq,))}
    db.executemany(UNTITLE, [{"session": session} for (session,) in found])
