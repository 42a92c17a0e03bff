"""Values come back to the client alone, and an error costs the values, never the answer."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
from mitmproxy.http import HTTPFlow
from mitmproxy.test import tutils

from addons.restore import Restore
from intelligence.policy.holding import Holding
from tests.addons.governed import SECRET, Rig, fields_of, said, streamed, the
from tests.intelligence.policy.streams import chat, heard

RULE = "{id: keys, action: redact, reversible: true, when: {detection: {kind: secret}}}"


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path, RULE)


def _asked(rig: Rig) -> tuple[HTTPFlow, str]:
    flow = rig.ask(SECRET)
    (standin,) = the(flow).restores
    return flow, standin


def _streaming(rig: Rig, flow: HTTPFlow) -> Any:
    response = rig.answer(flow)
    Restore().responseheaders(flow)
    return response


def test_in_a_stream_cut_anywhere(rig: Rig) -> None:
    flow, standin = _asked(rig)
    stream = chat(["it is ", standin[:9], standin[9:], "!"], [])
    out = streamed(_streaming(rig, flow), *(stream[n : n + 7] for n in range(0, len(stream), 7)))
    assert heard("sse", out)[0] == f"it is {SECRET}!"


def test_in_a_whole_answer_and_in_one_that_is_a_stream_after_all(rig: Rig) -> None:
    for body in (said("it is @@"), chat(["it is @@"], [])):
        flow, standin = _asked(rig)
        response = rig.whole(
            flow, gzip.compress(body.replace(b"@@", standin.encode())), content_encoding="gzip"
        )
        Restore().response(flow)
        assert response.raw_content == body.replace(b"@@", SECRET.encode())
        assert "content-encoding" not in response.headers


def test_an_answer_without_a_placeholder_stays_as_it_is(rig: Rig) -> None:
    flow, _ = _asked(rig)
    packed = gzip.compress(said("nothing to see"))
    response = rig.whole(flow, packed, content_encoding="gzip")
    Restore().response(flow)
    assert response.raw_content == packed and response.headers["content-encoding"] == "gzip"


def test_what_a_request_did_not_say_does_not_come_back(rig: Rig) -> None:
    _, standin = _asked(rig)
    flow = rig.ask("hello")
    response = rig.whole(flow, said(standin))
    Restore().response(flow)
    assert standin.encode() in (response.raw_content or b"")


def test_our_own_answers_are_not_touched(rig: Rig) -> None:
    flow, standin = _asked(rig)
    the(flow).cut, the(flow).answered = "whole", True
    flow.response = tutils.tresp(content=said(standin), headers=fields_of({}))
    Restore().response(flow)
    assert flow.response.raw_content == said(standin)


@pytest.mark.parametrize("at", range(6))
def test_an_error_costs_the_values_alone(rig: Rig, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    flow, standin = _asked(rig)
    response = _streaming(rig, flow)
    stream = chat([standin[:12], standin[12:], "end"], [])
    look, looked = Holding._look, iter(range(99))

    def breaks(self: Holding, *more: Any) -> None:
        if next(looked) == at:
            raise RuntimeError("bug")
        look(self, *more)

    monkeypatch.setattr(Holding, "_look", breaks)
    third = len(stream) // 3
    out = streamed(response, stream[:third], stream[third : 2 * third], stream[2 * third :])
    assert heard("sse", out)[0].endswith("end")
    assert heard("sse", out)[0] in (f"{standin}end", f"{SECRET}end")
