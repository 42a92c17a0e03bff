import zstandard
from mitmproxy.http import Headers
from mitmproxy.test import tflow, tutils

from addons.call import begin
from addons.identify import Identify
from intelligence.store.journal import RequestHead
from intelligence.wire.credentials import Redactor
from intelligence.wire.registry import Target

KEY = b"k" * 32
CHAT = Target("openai", "chat", "openai-chat")


def identified(
    body: bytes, target: Target = CHAT, proxyauth: tuple | None = None, **headers: str
) -> RequestHead:
    fields = Headers([(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()])
    flow = tflow.tflow(req=tutils.treq(method=b"POST", content=body, headers=fields))
    if proxyauth:
        flow.metadata["proxyauth"] = proxyauth
    call = begin(flow, target)
    addon = Identify(KEY, Redactor(KEY))
    addon.requestheaders(flow)
    addon.request(flow)
    assert call.head is not None
    if proxyauth:
        assert flow.metadata["proxyauth"] == (proxyauth[0], "")
    return call.head


def test_model_and_stream_from_the_body() -> None:
    head = identified(b'{"model": "m", "stream": true, "messages": []}')
    assert (head.model, head.stream) == ("m", True)


def test_what_the_path_says_goes_first() -> None:
    gemini = Target("gcp.gemini", "generate_content", "gemini", "gemini-x", True)
    head = identified(b'{"contents": []}', gemini)
    assert (head.model, head.stream) == ("gemini-x", True)


def test_only_ollamas_chats_stream_unasked() -> None:
    assert identified(b'{"messages": []}', Target("ollama", "chat", "ollama")).stream is True
    assert identified(b'{"input": "x"}', Target("ollama", "embeddings", "ollama")).stream is False
    assert identified(b'{"messages": []}').stream is False


def test_a_body_that_cannot_be_read_leaves_unknown_unknown() -> None:
    head = identified(b"\xff not json")
    assert (head.model, head.stream, head.conversation_key) == (None, None, None)


def test_the_user_is_kept_and_the_password_is_not() -> None:
    assert identified(b"{}", proxyauth=("ada", "secret")).user == "ada"


def test_a_compressed_body_is_read() -> None:
    body = zstandard.compress(b'{"model": "m", "messages": []}')
    assert identified(body, content_encoding="zstd").model == "m"


def test_turns_of_a_conversation_share_a_key_and_others_do_not() -> None:
    first = identified(b'{"messages": [{"role": "user", "content": "a"}]}', x_api_key="1")
    later = identified(
        b'{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}',
        x_api_key="1",
    )
    other_key = identified(b'{"messages": [{"role": "user", "content": "a"}]}', x_api_key="2")
    assert first.conversation_key == later.conversation_key != other_key.conversation_key
