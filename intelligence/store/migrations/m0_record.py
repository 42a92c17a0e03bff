"""Steps 001 to 010: what came and went, and the tree of messages."""

from __future__ import annotations

from intelligence.store.migrations.registry import migrations
from intelligence.store.sqlite_tools import sqlite_utils


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
