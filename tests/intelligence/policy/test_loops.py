from __future__ import annotations

import random

import pytest

from intelligence.policy.loops import found, going_round
from intelligence.policy.rule import LoopMatch
from intelligence.policy.steps import steps_of
from intelligence.wire.parts import Message, Part
from intelligence.wire.request import Request
from tests.intelligence.policy.agents import LOOPS, WORK, history

LOOP = LoopMatch()
# Not the seeds that the ceilings were found with.
SEEDS = range(51_000, 51_060)


def _stopped_at(messages: list[Message]) -> int | None:
    """After how many results the agent is stopped, asked after each as a proxy is."""
    steps = steps_of(messages)
    return next((n for n in range(1, len(steps) + 1) if found(LOOP, steps[:n])), None)


@pytest.mark.parametrize("loop", LOOPS, ids=lambda loop: loop.__name__)
def test_every_loop_is_stopped_within_its_ceiling(loop) -> None:
    for seed in SEEDS:
        rng = random.Random(seed)
        work = WORK[0](rng, rng.randint(0, 20))
        turns = work + loop(rng, rng.randint(12, 40))
        stopped = _stopped_at(history(turns, rng))
        assert stopped is not None, f"seed {seed}: never stopped"
        # Eight calls, or five rounds of four and a little.
        assert stopped - len(work) <= 24, f"seed {seed}: stopped after {stopped - len(work)} steps"


@pytest.mark.parametrize("work", WORK, ids=lambda work: work.__name__)
def test_an_agent_that_gets_on_is_never_stopped(work) -> None:
    for seed in SEEDS:
        rng = random.Random(seed)
        messages = history(work(rng, rng.randint(10, 60)), rng)
        stopped = _stopped_at(messages)
        assert stopped is None, f"seed {seed}: stopped after {stopped} steps"


def test_agents_that_say_the_same_to_each_other_are_stopped() -> None:
    messages = []
    for _ in range(12):
        messages += [
            Message("user", [Part("text", "Please decide.")]),
            Message("assistant", [Part("text", "You decide.")]),
        ]
    messages.append(Message("user", [Part("text", "Please decide.")]))
    assert "the same words" in (going_round(LOOP, Request(messages=messages)) or "")


def test_a_ceiling_of_turns() -> None:
    messages = [Message("assistant", [Part("text", str(n))]) for n in range(10)]
    assert going_round(LoopMatch(turns=10), Request(messages=messages)) == "10 turns in one conversation"
    assert going_round(LoopMatch(turns=11), Request(messages=messages)) is None


def test_no_content_is_told() -> None:
    rng = random.Random(1)
    told = going_round(
        LOOP, Request(messages=history([("Bash", {"command": "secret words"}, "secret result")] * 9, rng))
    )
    assert told == "Bash: the same call with the same result 9 times in a row"
