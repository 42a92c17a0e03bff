"""Steps from 050 on: what policy did, sums of sessions and weeks, second opinions."""

from __future__ import annotations

from intelligence.store.migrations import rollup_table
from intelligence.store.migrations.registry import migrations
from intelligence.store.sqlite_tools import sqlite_utils


@migrations()
def m050_govern(db: sqlite_utils.Database) -> None:
    db.execute(
        "alter table requests add column decision text"
    )  # the weightiest thing policy did: block, throttle, redact, alert, allow
    db.execute("""
        create table decisions (                    -- what policy rules said of calls
            id integer primary key,
            request integer not null references requests (seq) on delete cascade,
            at integer not null,                    -- Unix ms
            direction text not null,                -- `request` or `response`
            rule text not null,
            action text not null,                   -- allow, alert, redact, block, throttle
            mode text not null,                     -- `enforce` or `shadow`; `alert` for a soft limit
            acted integer not null,                 -- 1: it was done
            reason text not null,
            failed text,                            -- why the rule could not be judged, or its redaction not be made
            policy text not null                    -- version of the set in force
        )""")
    db.execute("create index decisions_request on decisions (request)")
    db.execute("create index decisions_rule on decisions (rule, at)")
    db.execute("create index decisions_at on decisions (at)")
    db.execute("""
        create table detections (                   -- what detectors saw, and where
            id integer primary key,
            request integer not null references requests (seq) on delete cascade,
            at integer not null,                    -- Unix ms
            direction text not null,                -- `request` or `response`
            kind text not null,                     -- secret, pii, injection, exfiltration, command, content, canary
            type text not null,
            score real not null,                    -- 0 to 1
            pointer text not null,                  -- JSON pointer into the body
            start integer not null,                 -- in code points of the text there
            end integer not null,
            source text not null,                   -- system, user, assistant, tool_result, tool_call, ...
            digest text not null,                   -- keyed hash of what was seen
            rule text                               -- that asked
        )""")
    db.execute("create index detections_request on detections (request)")
    db.execute("create index detections_kind on detections (kind, at)")
    db.execute("create index detections_at on detections (at)")
    db.execute("create index detections_digest on detections (digest)")
    db.execute("""
        create table rewrites (                     -- what was changed in requests before they were sent
            id integer primary key,
            request integer not null references requests (seq) on delete cascade,
            at integer not null,                    -- Unix ms
            direction text not null,
            rule text not null,
            reason text not null,
            pointer text not null,                  -- JSON pointer into the body
            before text,                            -- NULL: the record must not keep it
            after text                              -- NULL: it was removed
        )""")
    db.execute("create index rewrites_request on rewrites (request)")
    db.execute("create index rewrites_rule on rewrites (rule, at)")
    db.execute("""
        create table originals (                    -- how a rewritten body is made what it was, where it may be kept
            request integer primary key references requests (seq) on delete cascade,
            undo blob not null                      -- msgpack: list of from, to, bytes
        )""")
    db.execute("create index requests_decision on requests (decision, started_at) where decision is not null")


@migrations()
def m060_session_sums(db: sqlite_utils.Database) -> None:
    """What the calls of a session that have ended add up to stands in its row."""
    for column in (
        "ended integer not null default 0",  # calls of it that have ended
        "errors integer not null default 0",
        "providers text",  # JSON
        "models text",  # JSON: asked for, else that answered
        "input_tokens integer",  # of all its calls that state them
        "output_tokens integer",
        "cost_usd real",  # of all its calls whose cost is known
        "subscription_usd real",  # the part of it under a flat rate
        "ended_at integer",  # Unix ms: when the last of them ended
    ):
        db.execute(f"alter table sessions add column {column}")
    db.execute("""
        update sessions set ended = n, errors = e, providers = p, models = m, input_tokens = i, output_tokens = o, cost_usd = u,
            subscription_usd = f, ended_at = at
        from (
            select t.session, count(*) as n, sum(q.state = 'error') as e,
                json_group_array(distinct q.provider) filter (where q.provider is not null) as p,
                json_group_array(distinct coalesce(q.model, r.model))
                    filter (where coalesce(q.model, r.model) is not null) as m,
                sum(r.input_tokens) as i, sum(r.output_tokens) as o, sum(c.usd) as u,
                sum(iif(c.basis = 'subscription', c.usd, null)) as f,
                cast(max(q.started_at + coalesce(r.duration_ms, 0)) as integer) as at
            from turns t join requests q on q.seq = t.request left join responses r on r.request = t.request
                left join costs c on c.request = t.request
            where t.session is not null and q.state <> 'pending' group by t.session) as added
        where added.session = sessions.seq""")
    for column in ("providers", "models"):
        db.execute(f"update sessions set {column} = null where {column} = '[]'")  # noqa: S608
    db.execute("create index sessions_cost on sessions (last_at, cost_usd)")


@migrations()
def m061_rollup_weekly(db: sqlite_utils.Database) -> None:
    """The sums of weeks, for a year at a glance."""
    rollup_table.create(db, "rollup_weekly", "week", "Unix ms at which it begins: a Monday, in UTC")
    rollup_table.fill(
        db, "rollup_weekly", "week", "rollup_daily", "(day - 345600000) / 604800000 * 604800000 + 345600000"
    )
    rollup_table.unique(db, "rollup_weekly", "week")


@migrations()
def m062_names_newest_first(db: sqlite_utils.Database) -> None:
    """Calls of a model, client, provider or user come newest first by when they began, as the view `calls` lists them."""
    for column in ("model", "client", "provider", "user"):
        db.execute(f"drop index requests_{column}")
        db.execute(
            f"create index requests_{column} on requests ({column}, started_at) where {column} is not null"
        )


@migrations()
def m070_opinions(db: sqlite_utils.Database) -> None:
    db.execute("""
        create table opinions (                     -- second opinions on what a detector was not sure of
            detection integer primary key references detections (id) on delete cascade, -- holds for all of its digest
            at integer not null,                    -- Unix ms
            verdict text not null,                  -- attack, harmless, unsure
            reason text not null,
            model text not null,
            cost_usd real not null
        )""")
    db.execute("create index opinions_at on opinions (at)")
