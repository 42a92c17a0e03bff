"""The views of `traffic.db`: SQL for people. Part of the program, not of the data: whoever opens the database for writing
puts them in place anew when their text has changed, in one transaction, so that readers always find them.
"""

from __future__ import annotations

import sqlite3

# One row a call; the columns and their order are a contract.
CALLS = """
    select
        q.id, null as session_id, q.started_at, q.user, q.client, q.provider, q.operation, q.host, q.path,
        q.model, r.model as response_model, q.stream, q.state, r.status_code, r.finish_reason,
        r.input_tokens, r.output_tokens, r.cache_read_tokens, r.cache_write_tokens, r.reasoning_tokens,
        r.usage_raw, null as cost_usd, r.ttft_ms, r.duration_ms, r.chunks, r.text,
        iif(r.tool_calls is null, null,
            (select json_group_array(json_extract(value, '$.name')) from json_each(r.tool_calls))) as tool_calls,
        r.error_type, r.error_message, null as decision, null as pattern_id
    from requests q left join responses r on r.request = q.seq"""

VIEWS = {"calls": CALLS}


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
