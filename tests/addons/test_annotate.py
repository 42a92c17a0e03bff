import json

from mitmproxy.http import Headers
from mitmproxy.test import tflow, tutils

from addons.annotate import annotate
from addons.call import begin
from intelligence.wire.registry import Target

ANSWER = {
    "model": "gpt-x",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1204, "completion_tokens": 88, "total_tokens": 1292},
}


def flow(body: bytes, call: bool = True):
    made = tflow.tflow(
        resp=tutils.tresp(content=body, headers=Headers([(b"content-type", b"application/json")]))
    )
    if call:
        begin(made, Target("openai", "chat", "openai-chat"))
    made.request.timestamp_start, made.response.timestamp_end = 100.0, 102.34
    return made


def test_model_tokens_and_duration() -> None:
    made = flow(json.dumps(ANSWER).encode())
    annotate(made)
    assert made.comment == "gpt-x · 1,204 in · 88 out · 2.3 s"


def test_what_is_not_said_is_left_out() -> None:
    made = flow(b"not json")
    annotate(made)
    assert made.comment == "2.3 s"


def test_a_persons_comment_stays() -> None:
    made = flow(json.dumps(ANSWER).encode())
    made.comment = "look here"
    annotate(made)
    assert made.comment == "look here"


def test_what_is_no_call_or_has_not_ended_gets_none() -> None:
    other, running = flow(b"{}", call=False), flow(b"{}")
    running.response.timestamp_end = None
    for each in (other, running):
        annotate(each)
        assert each.comment == ""
