"""The views of `traffic.db`: SQL for people. Part of the program, not of the data: whoever opens the database for writing
puts them in place anew when their text has changed, in one transaction, so that readers always find them.
"""

from __future__ import annotations

import sqlite3

# One row a call; the columns and their order are a contract.
CALLS = """
    select
        q.id, s.id as session_id, q.started_at, q.user, q.client, q.provider, q.operation, q.host, q.path,
        q.model, r.model as response_model, q.stream, q.state, r.status_code, r.finish_reason,
        r.input_tokens, r.output_tokens, r.cache_read_tokens, r.cache_write_tokens, r.reasoning_tokens,
        r.usage_raw, c.usd as cost_usd, r.ttft_ms, r.duration_ms, r.chunks, r.text,
        iif(r.tool_calls is null, null,
            (select json_group_array(json_extract(value, '$.name')) from json_each(r.tool_calls))) as tool_calls,
        r.error_type, r.error_message, q.decision, null as pattern_id
    from requests q left join responses r on r.request = q.seq left join costs c on c.request = q.seq
        left join turns t on t.request = q.seq left join sessions s on s.seq = t.session"""

# One row a day (UTC) and provider, model, client, user. `cost_usd` is paid by the call, `subscription_usd` what calls under a
# flat rate would have cost; `unpriced` calls are in neither.
DAILY_COST = """
    select
        date(day / 1000, 'unixepoch') as day, provider, model, client, user, requests, errors,
        input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens,
        cost_usd, subscription_usd, unpriced
    from rollup_daily"""

# One row a session. Sums leave out what is unknown; `parent_id` is the session that started this one as a sub-agent.
SESSIONS_OVERVIEW = """
    select
        s.id, s.title, s.user, s.client, s.client_version, s.working_folder, s.repository, s.client_session,
        (select p.id from sessions p where p.seq = s.parent) as parent_id, s.started_at, s.last_at, s.requests,
        s.errors, coalesce(s.models, '[]') as models, s.input_tokens, s.output_tokens, s.cost_usd
    from sessions s"""

# Every message, system prompt and tool definition, once however often it was sent; and every answer.
MESSAGES_TEXT = """
    select
        'request' as source, m.id as message, q.id as call_id, s.id as session_id, q.started_at, m.kind, m.role, m.text
    from messages m left join requests q on q.seq = m.first_request
        left join turns t on t.request = q.seq left join sessions s on s.seq = t.session
    where m.text is not null
    union all
    select 'answer', null, q.id, s.id, q.started_at, 'message', 'assistant', r.text
    from responses r join requests q on q.seq = r.request
        left join turns t on t.request = q.seq left join sessions s on s.seq = t.session
    where r.text <> ''"""

VIEWS = {
    "sessions_overview": SESSIONS_OVERVIEW,
    "messages_text": MESSAGES_TEXT,
    "daily_cost": DAILY_COST,
    "calls": CALLS,
}


def refresh(db: sqlite3.Connection) -> None:
    """Bring the views to what is written here. Raises `sqlite3.Error`."""
    there = dict(db.execute("select name, sql from sqlite_master where type = 'view'"))
    wanted = {name: f"CREATE VIEW {name} as {select}" for name, select in VIEWS.items()}
    if there == wanted:
        return
    db.execute("begin immediate")
    try:
        for name in there:
            db.execute(f'drop view "{name}"')
        for sql in wanted.values():
            db.execute(sql)
    except BaseException:
        db.execute("rollback")
        raise
    db.execute("commit")
