"""Steps 020 to 042: usage, costs, sums, keeping, search and lists."""

from __future__ import annotations

from intelligence.store.migrations import rollup_table
from intelligence.store.migrations.registry import migrations
from intelligence.store.sqlite_tools import sqlite_utils


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
    rollup_table.create(db, "rollup_hourly", "hour", "Unix ms at which it begins")
    rollup_table.unique(db, "rollup_hourly", "hour")
    db.execute("""
        create table search_texts (                 -- what calls added to their conversations, for the full-text index
            id integer primary key,
            request integer not null references requests (seq) on delete cascade,
            kind text not null check (kind in ('prompt', 'answer')),
            text text not null                      -- its beginning
        )""")
    _indexed(db)
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
    _indexed(db)
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
    rollup_table.create(db, "rollup_daily", "day", "Unix ms at which it begins, in UTC")
    rollup_table.fill(db, "rollup_daily", "day", "rollup_hourly", "hour / 86400000 * 86400000")
    rollup_table.unique(db, "rollup_daily", "day")


def _indexed(db: sqlite_utils.Database) -> None:
    """`search_texts`, by their words."""
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
