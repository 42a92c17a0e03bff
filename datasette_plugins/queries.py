"""The SQL of single pages, all of it over the view `calls`; what others ask too is in `intelligence.store.queries`.

Sums leave out what the provider did not state, so each comes with the number of calls it leaves out.
"""

from __future__ import annotations

COLUMNS = """
    id, session_id, started_at, user, client, provider, operation, host, path, model, response_model, stream, state,
    status_code, finish_reason, input_tokens, output_tokens, cost_usd, ttft_ms, duration_ms, substr(text, 1, 200) as text,
    tool_calls, error_type, substr(error_message, 1, 200) as error_message
"""

LATEST = f"select {COLUMNS} from calls order by started_at desc, id desc limit :limit"  # noqa: S608

# What a live page reads: see `latest` and `progress`. Each is a look-up by key.
NEW_CALLS = "select seq from requests where seq > :after order by seq desc limit :limit"
NO_LONGER_RUNNING = """
    select seq from requests where seq in (select value from json_each(:seqs)) and state <> 'pending'
"""
RUNNING = "select request from open_calls order by request desc limit :limit"
CALLS_BY_SEQ = f"""
    select (select seq from requests where requests.id = calls.id) as seq, {COLUMNS}
    from calls where id in (select id from requests where seq in (select value from json_each(:seqs)))
"""  # noqa: S608
OPEN_CALLS = """
    select
      q.seq, q.stream, q.websocket, q.format, q.operation, q.path, r.status_code, r.headers,
      o.started_us, o.last_us, o.chunks, o.bytes, o.parts
    from open_calls o join requests q on q.seq = o.request left join responses r on r.request = o.request
    where o.request in (select value from json_each(:seqs)) order by o.request desc
"""
OPEN_CHUNKS = """
    select c.request as seq, c.id, c.data, c.arrivals
    from json_each(:marks) mark join open_chunks c on c.request = cast(mark.key as integer) and c.id > mark.value
    order by c.request, c.id
"""

HAS_CALLS = "select 1 from sqlite_schema where type = 'view' and name = 'calls'"
