import time

import pytest

from intelligence.wire import paths
from intelligence.wire.providers import Provider


@pytest.mark.parametrize(
    ("format_", "path", "expected"),
    [
        ("openai-chat", "/openai/deployments/gpt/chat/completions?api-version=1", ("gpt", None)),
        ("openai-chat", "/v1/chat/completions", (None, None)),
        ("gemini", "/v1beta/models/g:streamGenerateContent?alt=sse", ("g", True)),
        ("gemini", "/v1internal:generateContent", (None, False)),
        ("bedrock-invoke", "/model/a%3A0/invoke-with-response-stream", ("a:0", True)),
        ("anthropic-messages", "/v1/projects/p/publishers/anthropic/models/c@1:rawPredict", ("c@1", False)),
        ("anthropic-messages", "/v1/messages", (None, None)),
        (None, "/v1/chat/completions", (None, None)),
    ],
)
def test_stated(format_, path, expected):
    assert paths.stated(format_, path) == expected


@pytest.mark.parametrize(
    "piece", ["/v1", "/model/", "/deployments/x", "a", "/models/a:", "%", "/publishers/x/models/"]
)
def test_hostile_paths_are_cheap(piece):
    path = (piece * 8192)[:8192]
    start = time.process_time()
    for provider in (
        None,
        *(Provider(name, None) for name in ("openai", "aws.bedrock", "cloudflare", "replicate")),
    ):
        paths.match("POST", path, provider, websocket=False)
    assert time.process_time() - start < 2


def test_every_format_has_a_reader_and_a_parser():
    from intelligence.wire.draft import Draft
    from intelligence.wire.formats import parser_for
    from intelligence.wire.request import _READERS

    without = {"cursor", "gemini-live"}  # protobuf; sockets
    assert [f for f in paths.FORMATS if f not in without and parser_for(f, Draft(), {}) is None] == []
    assert [f for f in paths.FORMATS if f not in without and f not in _READERS] == []
