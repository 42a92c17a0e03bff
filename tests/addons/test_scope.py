import pytest
from mitmproxy import exceptions
from mitmproxy.http import Headers
from mitmproxy.test import tflow, tutils

from addons.call import call_of
from addons.passthrough import PassThrough
from addons.scope import MAX_CALL_BYTES, Scope
from intelligence.wire.registry import Registry


@pytest.fixture
def scope() -> Scope:
    return Scope(Registry(), PassThrough(None, 10))  # type: ignore[arg-type]


def request(
    method: bytes, host: str, path: bytes, scheme: bytes = b"https", content: bytes = b"", **headers: str
):
    port = 443 if scheme == b"https" else 80
    fields = Headers([(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()])
    flow = tflow.tflow(
        req=tutils.treq(
            method=method, scheme=scheme, host=host, port=port, path=path, content=content, headers=fields
        )
    )
    flow.live = True
    return flow


JSON = {"content_type": "application/json", "content_length": "30"}


def test_a_call_by_its_path(scope: Scope) -> None:
    flow = request(b"POST", "API.openai.com", b"/v1/chat/completions?x=1", **JSON)
    scope.requestheaders(flow)
    call = call_of(flow)
    assert call and (call.target.provider, call.target.operation) == ("openai", "chat")
    assert flow.id == call.text_id == flow.metadata["llmitm"]["call_id"]
    assert not flow.request.stream


def test_a_call_on_plain_http_to_any_host(scope: Scope) -> None:
    flow = request(b"POST", "gpu-box", b"/v1/chat/completions", scheme=b"http", **JSON)
    scope.requestheaders(flow)
    assert call_of(flow)


@pytest.mark.parametrize(
    ("method", "host", "path", "headers"),
    [
        (b"GET", "api.openai.com", b"/v1/models", {}),
        (
            b"POST",
            "api.anthropic.com",
            b"/api/event_logging/v2/batch",
            {"content_type": "text/plain", "content_length": "3"},
        ),
        (
            b"POST",
            "api.openai.com",
            b"/v1/files",
            {"content_type": "multipart/form-data", "content_length": "3"},
        ),
        (b"POST", "api.openai.com", b"/new", {"content_type": "application/json"}),
        (
            b"POST",
            "api.openai.com",
            b"/new",
            {"content_type": "application/json", "content_length": "99999999999"},
        ),
    ],
)
def test_everything_else_is_streamed_and_hidden(
    scope: Scope, method: bytes, host: str, path: bytes, headers: dict
) -> None:
    flow = request(method, host, path, **headers)
    with pytest.raises(exceptions.AddonHalt):
        scope.requestheaders(flow)
    assert flow.request.stream is True and call_of(flow) is None
    flow.response = tutils.tresp(content=None)
    for hook in (scope.request, scope.responseheaders, scope.response, scope.error):
        with pytest.raises(exceptions.AddonHalt):
            hook(flow)
    assert flow.response.stream is True


def test_an_unknown_path_is_judged_by_its_body(scope: Scope) -> None:
    flow = request(b"POST", "api.openai.com", b"/new", content=b'{"model": "m", "messages": []}', **JSON)
    with pytest.raises(exceptions.AddonHalt):
        scope.requestheaders(flow)
    assert not flow.request.stream
    scope.request(flow)
    assert call_of(flow)


def test_an_unknown_path_with_another_body_stays_hidden(scope: Scope) -> None:
    flow = request(b"POST", "api.openai.com", b"/new", content=b'{"model": "m"}', **JSON)
    with pytest.raises(exceptions.AddonHalt):
        scope.requestheaders(flow)
    with pytest.raises(exceptions.AddonHalt):
        scope.request(flow)
    assert call_of(flow) is None


def test_a_call_too_large_to_hold_is_streamed(scope: Scope) -> None:
    flow = request(
        b"POST",
        "api.openai.com",
        b"/v1/chat/completions",
        content_type="application/json",
        content_length=str(MAX_CALL_BYTES + 1),
    )
    scope.requestheaders(flow)
    assert call_of(flow) and flow.request.stream


def test_an_answered_flow_is_left_alone(scope: Scope) -> None:
    flow = request(b"POST", "api.openai.com", b"/v1/chat/completions", **JSON)
    flow.response = tutils.tresp(status_code=407)
    scope.requestheaders(flow)
    assert call_of(flow) is None and not flow.request.stream
