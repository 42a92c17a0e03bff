"""The schema of `traffic.db`, in named steps that run by themselves when the worker opens it.

A step is run once, in a transaction together with the record of it, and never edited later: what changes, changes in a
new step. A database that has steps this program does not know was made by a newer one and is refused, untouched.
Only the worker (or a command under its lock) opens the database this way; readers use `queries.connect`.

The file is in WAL mode, so readers never wait for the writer, and in `auto_vacuum = incremental`, because retention
must be able to hand space back without a second copy of the file, and the mode cannot be changed afterwards.
A commit is not synced by itself (`synchronous = normal`): what a power cut takes is still in the journal, whose segments
go only after a synced commit (see `worker`).
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from intelligence.store import backup, views
from intelligence.store.sqlite_tools import Migrations, sqlite_utils

migrations = Migrations("traffic")

# Frames of a log that a checkpoint has copied are reused; what a rush made it grow beyond this is cut off again.
WAL_LIMIT_BYTES = 64 * 1024 * 1024


class SchemaError(Exception):
    """A database this program must not touch. The message is for the user."""


def open_database(path: Path) -> sqlite3.Connection:
    """The writer's connection, schema up to date, in autocommit. Raises `SchemaError`, `sqlite3.Error`, `OSError`."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # -wal and -shm take over its mode. An existing file is not touched: closing it would drop this process' locks.
    if not path.exists():
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    db = sqlite3.connect(path, isolation_level=None, timeout=10)
    try:
        refuse_newer(db, path)
        db.execute("pragma auto_vacuum = incremental")  # no effect unless the file is new
        db.execute("pragma journal_mode = wal")
        db.execute("pragma synchronous = normal")
        # What goes is overwritten where that costs no further write.
        db.execute("pragma secure_delete = fast")
        db.execute("pragma foreign_keys = on")
        db.execute(f"pragma journal_size_limit = {WAL_LIMIT_BYTES}")
        db.execute("pragma temp_store = memory")
        _migrate(db, path)
        views.refresh(db)
    except BaseException:
        db.close()
        raise
    return db


def _migrate(db: sqlite3.Connection, path: Path) -> None:
    """A database that holds something is copied before it is changed."""
    wrapped = sqlite_utils.Database(db)
    pending = migrations.pending(wrapped)
    if pending and migrations.applied(wrapped) and db.execute("select 1 from requests").fetchone():
        try:
            backup.make(path, "migration")
        except backup.BackupError as e:
            raise SchemaError(f"{path} must be backed up before it is brought up to date: {e}") from None
        backup.rotate(path.parent, "migration", backup.MIGRATIONS_KEPT)
    migrations.apply(wrapped)


def refuse_newer(db: sqlite3.Connection, path: Path) -> None:
    """Raises `SchemaError`."""
    known = {step.name for step in migrations.pending(sqlite_utils.Database(memory=True))}
    applied = {step.name for step in migrations.applied(sqlite_utils.Database(db))}
    if newer := sorted(applied - known):
        raise SchemaError(
            f"{path} was made by a newer llmitm (it has {', '.join(newer)}). "
            "Upgrade llmitm, or set store.dir in mitm.toml to another folder."
        )


@migrations()
def m001_calls(db: sqlite_utils.Database) -> None:
    db.execute("""
        create table requests (
            seq integer primary key autoincrement,  -- order in which the worker saw them; a page polls by it
            id text not null unique,                -- UUIDv7; `<id>.<n>` for response n > 1 asked for on a WebSocket
            run text not null,                      -- of the proxy
            state text not null check (state in
                ('pending', 'complete', 'aborted', 'error', 'blocked', 'interrupted')),
            started_at integer not null,            -- Unix ms
            user text,
            client text,
            client_version text,
            client_address text,
            credential_kind text,
            credential_fingerprint text,            -- keyed hash
            conversation_key text,                  -- keyed hash
            provider text,
            operation text,
            format text,                            -- of the wire
            method text,
            scheme text,
            host text,
            port integer,
            path text,
            http_version text,
            headers text,                           -- JSON: [[name, value], ...]
            model text,
            stream integer,
            websocket integer not null,
            body_bytes integer,
            body_sha256 text,                       -- of the body as the client sent it
            body_redacted integer not null,
            truncated integer not null              -- part of the record was lost: full disk, damaged journal
        )""")
    db.execute("create index requests_started_at on requests (started_at)")
    db.execute("""
        create table responses (
            request integer primary key references requests (seq) on delete cascade,
            status_code integer,
            reason text,
            http_version text,
            headers text,                           -- JSON: [[name, value], ...]
            body_bytes integer,
            body_redacted integer not null,
            model text,                             -- as the provider names it
            finish_reason text,
            input_tokens integer,                   -- includes cached ones
            output_tokens integer,                  -- includes reasoning
            cache_read_tokens integer,
            cache_write_tokens integer,
            reasoning_tokens integer,
            usage_raw text,                         -- JSON: the provider's own numbers
            text text,
            reasoning text,
            tool_calls text,                        -- JSON: [{id, name, arguments}, ...] for the client to run
            server_tool_calls text,                 -- JSON: the same, run by the provider
            error_type text,
            error_message text,
            ended text,                             -- what ended it, in the proxy's words
            connect_ms real,
            tls_ms real,
            request_ms real,
            ttft_ms real,                           -- to the first token of content
            duration_ms real,
            chunks integer,                         -- pieces in which the body arrived
            close_code integer                      -- of a WebSocket
        )""")
    db.execute("""
        create table bodies (
            id integer primary key,
            request integer not null references requests (seq) on delete cascade,
            kind text not null check (kind in ('request', 'response', 'messages')),
            part integer not null,                  -- long ones are cut
            bytes integer not null,                 -- before compression
            data blob not null,                     -- zstd
            arrivals blob,                          -- zstd of msgpack: see intelligence/store/bodies.py
            unique (request, kind, part)
        )""")
    db.execute("""
        create table events (
            id integer primary key,
            at integer not null,                    -- Unix ms
            run text,
            kind text not null,
            message text not null,
            data text not null,                     -- JSON
            call text                               -- requests.id
        )""")
    db.execute("create index events_call on events (call) where call is not null")
    db.execute("""
        create table journal_positions (
            segment text primary key,               -- file name
            position integer not null               -- everything before it is in this database
        ) without rowid""")
    db.execute("""
        create table open_calls (                   -- what the worker knows of calls that have not ended
            request integer primary key references requests (seq) on delete cascade,
            started_us integer not null,
            last_us integer not null,
            chunks integer not null,
            bytes integer not null,
            parts integer not null
        )""")
    db.execute("""
        create table open_chunks (                  -- and what has arrived of their answers
            id integer primary key,
            request integer not null references requests (seq) on delete cascade,
            data blob not null,
            arrivals blob not null                  -- msgpack
        )""")
    db.execute("create index open_chunks_request on open_chunks (request)")


@migrations()
def m010_message_tree(db: sqlite_utils.Database) -> None:
    db.execute("""
        create table messages (                     -- parts of requests, each once
            id integer primary key,
            hash blob not null unique,              -- of kind and canonical JSON: see intelligence/store/tree.py
            kind text not null check (kind in ('message', 'system', 'tool', 'value')),
            role text,
            bytes integer not null,                 -- of its JSON
            data blob not null,                     -- its JSON, zstd
            text text,                              -- its words
            meaning blob,                           -- hash of what it says, whatever shape it came in; NULL: nothing
            first_request integer not null          -- requests.seq of the first that held it
        )""")
    db.execute("""
        create table nodes (                        -- a conversation up to and including a message
            id integer primary key,
            parent integer not null,                -- nodes.id; 0: it begins the conversation
            message integer not null,               -- messages.id
            unique (parent, message)
        )""")
    db.execute("""
        create table envelopes (                    -- what holds the parts of a request together
            id integer primary key,
            hash blob not null unique,
            data blob not null                      -- msgpack: see intelligence/store/tree_rows.py
        )""")
    db.execute("""
        create table envelope_parts (
            envelope integer not null references envelopes (id) on delete cascade,
            message integer not null,               -- messages.id
            primary key (envelope, message)
        ) without rowid""")
    db.execute("""
        create table sessions (
            seq integer primary key,
            id text not null unique,                -- that of its first request
            parent integer,                         -- sessions.seq of the one that started it as a sub-agent
            title text,                             -- from the first words of the user
            user text,
            client text,
            client_version text,
            client_session text,                    -- the client's own id for it
            working_folder text,                    -- as the prompt states it
            repository text,
            started_at integer not null,            -- Unix ms
            last_at integer not null,               -- when its last request began
            requests integer not null,
            last_request integer not null,          -- requests.seq
            scope blob not null                     -- hash of user and client
        )""")
    db.execute("create index sessions_scope on sessions (scope, last_at)")
    db.execute("create index sessions_started_at on sessions (started_at)")
    db.execute("""create index sessions_client_session on sessions (client_session)
        where client_session is not null""")
    db.execute("""
        create table turns (                        -- where a request stands in the tree, and in its session
            request integer primary key references requests (seq) on delete cascade,
            session integer references sessions (seq) on delete set null,
            link text check (link in
                ('start', 'continue', 'retry', 'edit', 'fork', 'subagent', 'compaction')),
            parent integer,                         -- requests.seq of the one it goes on from
            tip integer,                            -- nodes.id of its last message
            envelope integer,                       -- envelopes.id; NULL: the body is in bodies as it came
            marks blob,                             -- JSON: [index of message, marks] each: see intelligence/store/tree.py
            thread blob,                            -- hash of all it says
            system blob,                            -- hash of its system prompt
            answer blob,                            -- hash of what was answered
            state text,                             -- how it ended
            claimed integer not null default 0,     -- another request goes on from its answer
            response_id text                        -- the provider's
        )""")
    db.execute("create index turns_session on turns (session)")
    db.execute("create index turns_thread on turns (thread, answer)")
    db.execute("create index turns_response_id on turns (response_id) where response_id is not null")
    db.execute("""
        create table tree_backlog (                 -- requests of before the tree, whose bodies are still to be moved into it
            next integer not null,
            until integer not null
        )""")
    db.execute("insert into tree_backlog select 1, max(seq) from requests having max(seq) is not null")


# The steps of `rollup_hourly` in ms, as they were then.
_BOUNDS = (
    50, 100, 200, 300, 500, 750, 1000, 1500, 2000, 3000, 5000, 7500, 10000, 15000, 20000, 30000, 60000, 120000, 300000,
    "inf",
)  # fmt: skip


@migrations()
def m020_usage(db: sqlite_utils.Database) -> None:
    for column in (
        "service_tier text",  # the one it was served in, where told outside the usage
        "first_byte_ms real",  # to the first byte of the answer's body
        "gap_max_ms real",  # the longest silence between two pieces of a stream
        "gap_p95_ms real",
    ):
        db.execute(f"alter table responses add column {column}")
    db.execute("""
        create table costs (                        -- no row: the cost is unknown
            request integer primary key references requests (seq) on delete cascade,
            usd real not null,
            basis text not null check (basis in ('list', 'subscription', 'stated', 'override')),
            source text not null                    -- of the price: `genai-prices` with its version, `provider`, `mitm.toml`
        )""")
    db.execute("""
        create table contexts (                     -- what fills a request: tokens of input by kind, in proportion to its text
            request integer primary key references requests (seq) on delete cascade,
            system_tokens integer not null,
            tools_tokens integer not null,          -- definitions of tools
            history_tokens integer not null,        -- what was said before, calls of tools included
            tool_results_tokens integer not null,   -- of all turns
            new_tokens integer not null,            -- what the user says now
            image_tokens integer not null,          -- images, audio, files
            scaled integer not null,                -- 1: they add up to input_tokens as stated; 0: an estimate by length
            estimated_output_tokens integer         -- by length, where output_tokens is not stated
        )""")
    buckets = ", ".join(f"{m}_{bound} integer not null" for m in ("duration", "ttft") for bound in _BOUNDS)
    db.execute(f"""
        create table rollup_hourly (                -- see intelligence/store/rollups.py
            id integer primary key,
            hour integer not null,                  -- Unix ms at which it begins
            provider text,
            model text,                             -- asked for, else that answered
            client text,
            user text,
            requests integer not null,              -- calls that have ended
            errors integer not null,
            blocked integer not null,
            aborted integer not null,               -- and interrupted
            uncounted integer not null,             -- calls without both token counts
            unpriced integer not null,              -- calls whose cost is unknown
            input_tokens integer,
            output_tokens integer,
            cache_read_tokens integer,
            cache_write_tokens integer,
            reasoning_tokens integer,
            cost_usd real,                          -- subscriptions not included
            subscription_usd real,                  -- at list price, what a flat rate paid for
            {buckets}
        )""")
    db.execute("""
        create unique index rollup_hourly_key on rollup_hourly
            (hour, coalesce(provider, ''), coalesce(model, ''), coalesce(client, ''), coalesce(user, ''))""")
    db.execute("""
        create table search_texts (                 -- what calls added to their conversations, for the full-text index
            id integer primary key,
            request integer not null references requests (seq) on delete cascade,
            kind text not null check (kind in ('prompt', 'answer')),
            text text not null                      -- its beginning
        )""")
    db.execute("create index search_texts_request on search_texts (request)")
    db.execute("""
        create virtual table search_texts_fts using fts5 (
            text, content="search_texts", content_rowid="id", tokenize="unicode61 remove_diacritics 2")""")
    db.execute("""
        create trigger search_texts_in after insert on search_texts begin
            insert into search_texts_fts (rowid, text) values (new.id, new.text);
        end""")
    db.execute("""
        create trigger search_texts_out after delete on search_texts begin
            insert into search_texts_fts (search_texts_fts, rowid, text) values ('delete', old.id, old.text);
        end""")
    db.execute("""
        create table to_read (                      -- calls that have ended, whose words are still to be read
            request integer primary key references requests (seq) on delete cascade,
            settled integer not null                -- 0: of before costs were kept
        )""")
    db.execute("insert into to_read select seq, 0 from requests where state <> 'pending'")


@migrations()
def m030_keeping(db: sqlite_utils.Database) -> None:
    db.execute("""
        alter table requests add column pruned text  -- what retention took: `raw` (the answer as it came), `content` (all text)
            check (pruned in ('raw', 'content'))""")
    db.execute("""
        create table forgotten (                    -- calls that go on after they were forgotten; what still comes is not stored
            call text primary key,                  -- requests.id
            run text not null                       -- of the proxy
        ) without rowid""")


@migrations()
def m031_sweep(db: sqlite_utils.Database) -> None:
    """To find what nothing refers to any more."""
    db.execute("create index turns_tip on turns (tip) where tip is not null")
    db.execute("create index turns_envelope on turns (envelope) where envelope is not null")
    db.execute("create index envelope_parts_message on envelope_parts (message)")
    db.execute("create index nodes_message on nodes (message)")


@migrations()
def m040_search(db: sqlite_utils.Database) -> None:
    """Texts are told apart by who said them, and calls are found by what they are. The texts are read again, newest first."""
    for name in ("search_texts_in", "search_texts_out"):
        db.execute(f"drop trigger {name}")
    db.execute("drop table search_texts_fts")
    db.execute("drop table search_texts")
    db.execute("""
        create table search_texts (                 -- what calls added to their conversations, for the full-text index
            id integer primary key,                 -- 4 x request + 0 system, 1 user, 2 tool, 3 assistant
            request integer not null references requests (seq) on delete cascade,
            role text not null check (role in ('system', 'user', 'tool', 'assistant')),
            text text not null                      -- its beginning
        )""")
    db.execute("create index search_texts_request on search_texts (request)")
    db.execute("""
        create virtual table search_texts_fts using fts5 (
            text, content="search_texts", content_rowid="id", tokenize="unicode61 remove_diacritics 2")""")
    db.execute("""
        create trigger search_texts_in after insert on search_texts begin
            insert into search_texts_fts (rowid, text) values (new.id, new.text);
        end""")
    db.execute("""
        create trigger search_texts_out after delete on search_texts begin
            insert into search_texts_fts (search_texts_fts, rowid, text) values ('delete', old.id, old.text);
        end""")
    db.execute("""insert or ignore into to_read (request, settled)
        select seq, 1 from requests where state <> 'pending' and pruned is not 'content'""")
    # Their rowid is `seq`: newest first comes without sorting.
    for column in ("model", "client", "provider", "user"):
        db.execute(f"create index requests_{column} on requests ({column}) where {column} is not null")
    db.execute("create index requests_state on requests (state) where state <> 'complete'")


@migrations()
def m041_session_list(db: sqlite_utils.Database) -> None:
    """Sessions are listed by when they were last seen, and those that one started are found."""
    db.execute("create index sessions_last_at on sessions (last_at)")
    db.execute("create index sessions_parent on sessions (parent) where parent is not null")


@migrations()
def m042_rollup_daily(db: sqlite_utils.Database) -> None:
    """The sums of days, for months at a glance."""
    buckets = [f"{measure}_{bound}" for measure in ("duration", "ttft") for bound in _BOUNDS]
    db.execute(f"""
        create table rollup_daily (                 -- see intelligence/store/rollups.py
            id integer primary key,
            day integer not null,                   -- Unix ms at which it begins, in UTC
            provider text,
            model text,                             -- asked for, else that answered
            client text,
            user text,
            requests integer not null,              -- calls that have ended
            errors integer not null,
            blocked integer not null,
            aborted integer not null,               -- and interrupted
            uncounted integer not null,             -- calls without both token counts
            unpriced integer not null,              -- calls whose cost is unknown
            input_tokens integer,
            output_tokens integer,
            cache_read_tokens integer,
            cache_write_tokens integer,
            reasoning_tokens integer,
            cost_usd real,                          -- subscriptions not included
            subscription_usd real,                  -- at list price, what a flat rate paid for
            {", ".join(f"{bucket} integer not null" for bucket in buckets)}
        )""")
    sums = (
        "requests", "errors", "blocked", "aborted", "uncounted", "unpriced", "input_tokens", "output_tokens", "cache_read_tokens",
        "cache_write_tokens", "reasoning_tokens", "cost_usd", "subscription_usd", *buckets,
    )  # fmt: skip
    db.execute(f"""
        insert into rollup_daily (day, provider, model, client, user, {", ".join(sums)})
        select hour / 86400000 * 86400000, provider, model, client, user, {", ".join(f"sum({name})" for name in sums)}
        from rollup_hourly group by 1, coalesce(provider, ''), coalesce(model, ''), coalesce(client, ''), coalesce(user, '')
        order by 1""")  # noqa: S608
    db.execute("""
        create unique index rollup_daily_key on rollup_daily
            (day, coalesce(provider, ''), coalesce(model, ''), coalesce(client, ''), coalesce(user, ''))""")


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
    buckets = [f"{measure}_{bound}" for measure in ("duration", "ttft") for bound in _BOUNDS]
    db.execute(f"""
        create table rollup_weekly (                -- see intelligence/store/rollups.py
            id integer primary key,
            week integer not null,                  -- Unix ms at which it begins: a Monday, in UTC
            provider text,
            model text,                             -- asked for, else that answered
            client text,
            user text,
            requests integer not null,              -- calls that have ended
            errors integer not null,
            blocked integer not null,
            aborted integer not null,               -- and interrupted
            uncounted integer not null,             -- calls without both token counts
            unpriced integer not null,              -- calls whose cost is unknown
            input_tokens integer,
            output_tokens integer,
            cache_read_tokens integer,
            cache_write_tokens integer,
            reasoning_tokens integer,
            cost_usd real,                          -- subscriptions not included
            subscription_usd real,                  -- at list price, what a flat rate paid for
            {", ".join(f"{bucket} integer not null" for bucket in buckets)}
        )""")
    sums = (
        "requests", "errors", "blocked", "aborted", "uncounted", "unpriced", "input_tokens", "output_tokens", "cache_read_tokens",
        "cache_write_tokens", "reasoning_tokens", "cost_usd", "subscription_usd", *buckets,
    )  # fmt: skip
    db.execute(f"""
        insert into rollup_weekly (week, provider, model, client, user, {", ".join(sums)})
        select (day - 345600000) / 604800000 * 604800000 + 345600000, provider, model, client, user,
            {", ".join(f"sum({name})" for name in sums)}
        from rollup_daily group by 1, coalesce(provider, ''), coalesce(model, ''), coalesce(client, ''), coalesce(user, '')
        order by 1""")  # noqa: S608
    db.execute("""
        create unique index rollup_weekly_key on rollup_weekly
            (week, coalesce(provider, ''), coalesce(model, ''), coalesce(client, ''), coalesce(user, ''))""")


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
