"""The SQL of our pages, all of it over the view `calls`. Named constants, bound parameters.

Sums leave out what the provider did not state, so each comes with the number of calls it leaves out.
"""

from __future__ import annotations

COLUMNS = """
    id, started_at, user, client, provider, operation, host, path, model, response_model, stream, state, status_code,
    finish_reason, input_tokens, output_tokens, cost_usd, ttft_ms, duration_ms, substr(text, 1, 200) as text, tool_calls,
    error_type, substr(error_message, 1, 200) as error_message
"""

LATEST = f"select {COLUMNS} from calls order by started_at desc, id desc limit :limit"  # noqa: S608

# A call, with what the view leaves out. The answers asked for on one WebSocket (`<id>.<n>`) share the messages of the first.
CALL = """
    select
      calls.*, requests.client_version, requests.client_address, requests.credential_kind, requests.format, requests.method,
      requests.scheme, requests.port, requests.http_version, requests.websocket, requests.truncated,
      requests.body_redacted, requests.body_bytes as request_bytes, requests.headers as request_headers,
      responses.reason, responses.http_version as response_http_version, responses.headers as response_headers,
      responses.body_bytes as response_bytes, responses.reasoning, responses.tool_calls as tool_calls_json,
      responses.server_tool_calls, responses.connect_ms, responses.tls_ms, responses.request_ms, responses.ended,
      responses.close_code,
      coalesce((select first.seq from requests first where first.id = substr(requests.id, 1, 36)), requests.seq) as body_call
    from calls
    join requests on requests.id = calls.id
    left join responses on responses.request = requests.seq
    where calls.id = :id
"""

BODY = "select data, arrivals from bodies where request = :request and kind = :kind order by part"

# What has come so far of an answer that has not ended.
OPEN_BODY = "select data, arrivals from open_chunks where request = :request order by id"

# Token counts of calls that have not ended are not unknown yet; neither are those of calls that failed or were blocked.
BY_MODEL = """
    select
      provider,
      coalesce(response_model, model) as model,
      count(*) as calls,
      sum(state = 'error') as errors,
      sum(state = 'blocked') as blocked,
      sum(state = 'pending') as pending,
      sum(input_tokens) as input_tokens,
      sum(state in ('complete', 'aborted', 'interrupted') and input_tokens is null) as input_unknown,
      sum(output_tokens) as output_tokens,
      sum(state in ('complete', 'aborted', 'interrupted') and output_tokens is null) as output_unknown,
      sum(cost_usd) as cost_usd,
      sum(state in ('complete', 'aborted', 'interrupted') and cost_usd is null) as cost_unknown
    from calls
    where started_at >= :since
    group by 1, 2
    order by calls desc, provider, model
"""

HAS_CALLS = "select 1 from sqlite_schema where type = 'view' and name = 'calls'"
