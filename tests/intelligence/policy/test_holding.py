"""Answers through a screen: what is changed, what is not, and that the cuts do not matter."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intelligence.policy.decide import Decision, assemble, compile_rule, decide
from intelligence.policy.facts import Facts
from intelligence.policy.holding import Holding
from intelligence.policy.judging_answers import Judging, Told
from intelligence.policy.restoring import Restoring
from intelligence.policy.rule import Rule
from intelligence.policy.verdict import verdict
from intelligence.rewrite.placeholder import placeholder
from intelligence.wire.frames import KINDS
from intelligence.wire.place import Place
from tests.intelligence.policy.streams import SPOKEN, Spoken, chat, heard, messages

KEY = b"k" * 32
SECRET = 'pass "word"\\ with \u00e4 line\nbreak'
STANDIN = placeholder(KEY, "secret-password", SECRET)
BY_NAME = {spoken.name: spoken for spoken in SPOKEN}
each = pytest.mark.parametrize("spoken", SPOKEN, ids=lambda s: s.name)


def restoring() -> Restoring:
    return Restoring({STANDIN: SECRET})


class Says:
    """Evidence of some texts, no detectors."""

    def __init__(self, places: list[Place]) -> None:
        self.places = places

    def texts(self) -> list[Place]:
        return self.places

    def tool_calls(self) -> list[Any]:
        from intelligence.policy.evidence import _joined

        return list(_joined(self.places))


def judging(*rules: dict[str, Any], bound: int = 64) -> Judging:
    made = [Rule.model_validate({"id": f"r{n}", **rule}) for n, rule in enumerate(rules)]
    compiled = assemble([compile_rule(rule, {}) for rule in made], "v").rules

    def judge(places: list[Place]) -> Any:
        return verdict(decide(compiled, Facts(Says(places), direction="response")), KEY)  # type: ignore[arg-type]

    return Judging(judge, made, bound, Told(KEY, "v"))


def through(kind: str, screen: Any, stream: bytes, cuts: list[int]) -> tuple[bytes, Holding]:
    holding = Holding(KINDS[kind](), screen)
    at = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    out = [holding.feed(stream[a:b]) for a, b in pairwise(at)]
    return b"".join([*out, holding.finish()]), holding


def split(text: str, cuts: list[int]) -> list[str]:
    at = [0, *sorted({min(cut, len(text)) for cut in cuts}), len(text)]
    return [text[a:b] for a, b in pairwise(at)]


CUTS = st.lists(st.integers(0, 4000), max_size=8)
WORDS = st.lists(
    st.text(max_size=12) | st.sampled_from(["REDACTED-", STANDIN[:20], "RE", "{", "\n\n"]), max_size=8
)


@given(st.sampled_from(SPOKEN), WORDS, CUTS)
def test_untouched_answers_are_the_same_bytes(spoken: Spoken, words: list[str], cuts: list[int]) -> None:
    stream = spoken.say(words, ['{"command": ', '"ls"}'])
    assert through(spoken.kind, restoring(), stream, cuts)[0] == stream
    looks = judging({"action": "block", "when": {"direction": "response", "text": {"matches": "never said"}}})
    assert through(spoken.kind, looks, stream, cuts)[0] == stream


@settings(max_examples=200)
@given(st.sampled_from(SPOKEN), st.lists(st.integers(0, 80), max_size=6), CUTS)
def test_values_come_back_wherever_the_events_are_cut(
    spoken: Spoken, words: list[int], cuts: list[int]
) -> None:
    said = f"a {STANDIN}, b REDACTED-SECRET-none-bcdfghjklmnp {STANDIN}"
    arguments = json.dumps({"command": f"echo {STANDIN} REDACTED"})
    stream = spoken.say(split(said, words), split(arguments, words))
    out, _ = through(spoken.kind, restoring(), stream, cuts)
    text, called = heard(spoken.kind, out)
    assert text == said.replace(STANDIN, SECRET)
    want = f"echo {SECRET} REDACTED"
    assert called == want or json.loads(called) == {"command": want}
    assert STANDIN.encode() not in out
    assert out == through(spoken.kind, restoring(), stream, [])[0]


@settings(max_examples=200)
@given(st.sampled_from(SPOKEN), st.lists(st.integers(0, 400), max_size=9), CUTS, st.integers(20, 200))
def test_what_is_redacted_is_gone_wherever_it_is_cut(
    spoken: Spoken, words: list[int], cuts: list[int], before: int
) -> None:
    said = "x" * before + " tok_1234567890 " + "y" * 150 + " tok_1234567890"
    rule = {"action": "redact", "when": {"direction": "response", "text": {"matches": "tok_[0-9]{10}"}}}
    screen = judging(rule)
    stream = spoken.say(split(said, words), [])
    out, _ = through(spoken.kind, screen, stream, cuts)
    made = placeholder(KEY, "pattern", "tok_1234567890")
    assert heard(spoken.kind, out)[0] == said.replace("tok_1234567890", made)
    assert b"tok_123" not in out
    assert [(one.rule, one.action, one.acted) for one in screen.told.head.decisions] == [
        ("r0", "redact", True)
    ]
    assert {one.after for one in screen.told.head.rewrites} == {made}
    assert out == through(spoken.kind, judging(rule), stream, [])[0]


@each
def test_a_dangerous_call_never_leaves(spoken: Spoken) -> None:
    screen = judging(
        {"action": "block", "when": {"tool": {"name": "Bash", "arguments": "rm -rf"}}}, bound=4096
    )
    stream = spoken.say(["All ", "right."], ['{"command": "rm ', '-rf /"}'])
    for cuts in ([], list(range(0, len(stream), 7))):
        out, holding = through(spoken.kind, screen, stream, cuts)
        assert holding.stopped and isinstance(screen.final, Decision)
        assert heard(spoken.kind, out) == ("All right.", "")
        assert b"rm" not in out and b"-rf" not in out


@given(CUTS)
def test_a_blocked_text_ends_before_it(cuts: list[int]) -> None:
    screen = judging(
        {"action": "block", "when": {"direction": "response", "text": {"matches": "forbidden"}}}, bound=32
    )
    stream = chat(["fine words " * 9, "and then for", "bidden ones"], [])
    out, holding = through("sse", screen, stream, cuts)
    assert holding.stopped
    assert b"forbidden" not in out and "forb" not in heard("sse", out)[0]
    assert holding.feed(stream) == b"" and holding.finish() == b""


@pytest.mark.parametrize("fail", ["open", "closed"])
def test_arguments_beyond_the_bound_fail_as_declared(fail: str) -> None:
    rule = {"action": "block", "fail": fail, "when": {"tool": {"arguments": "rm -rf"}}}
    long = ['{"command": "', *["echo 123456789; "] * 20]
    screen = judging(rule)
    out, holding = through("sse", screen, messages([], [*long, '"}']), [])
    assert holding.stopped == (fail == "closed")
    assert [(one.action, bool(one.failed)) for one in screen.told.head.decisions] == [
        ("block" if fail == "closed" else "alert", True)
    ]
    # Those that passed are judged once more when they are whole, before the client is told that they are.
    screen = judging(rule)
    out, holding = through("sse", screen, messages([], [*long, "rm -rf /", '"}']), [])
    assert holding.stopped
    assert out.count(b"content_block_stop") == 2


def test_only_what_is_unsettled_waits() -> None:
    """Each event leaves at once unless its text may begin a placeholder."""
    holding = Holding(KINDS["sse"](), restoring())
    for n, event in enumerate(chat(["one ", "two ", "REDACTED", " three"], []).split(b"\n\n")[:-1]):
        out = holding.feed(event + b"\n\n")
        assert bool(out) == (n != 4), n


def test_signed_and_provider_run_parts_keep_their_placeholders() -> None:
    parts = [
        {"text": f"see {STANDIN}", "thoughtSignature": "c2ln"},
        {"functionCall": {"name": "f", "args": {"a": STANDIN}}, "thoughtSignature": "c2ln"},
    ]
    stream = json.dumps({"candidates": [{"content": {"parts": parts}, "finishReason": "STOP"}]}).encode()
    assert through("lines", restoring(), stream, [])[0] == stream


@given(st.sampled_from(["sse", "lines", "array"]), st.binary(max_size=400), CUTS)
def test_any_bytes_pass(kind: str, data: bytes, cuts: list[int]) -> None:
    assert through(kind, restoring(), data, cuts)[0] == data


@given(st.sampled_from(SPOKEN), st.integers(0, 2000))
def test_what_is_given_up_passes_as_it_came(spoken: Spoken, at: int) -> None:
    stream = spoken.say([STANDIN[:30]], ['{"command": "ls"}'])
    holding = Holding(
        KINDS[spoken.kind](), judging({"action": "block", "when": {"tool": {"name": "nobody"}}})
    )
    assert holding.feed(stream[:at]) + holding.abandon() == stream[:at]
