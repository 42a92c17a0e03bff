"""The loop breaker: an agent that does the same again, and gets the same again.

Told from the history a request carries, and decisive only where calls *and* results repeat: an agent that polls gets another
result sooner or later, one that pages or edits in a batch calls with other arguments. Four shapes:

| shape | what repeats, in a row |
|---|---|
| same call | tool, arguments and result; while the result says that something still runs, `PATIENCE` times as often |
| same failure | tool and failure, whatever the arguments |
| growing call | tool and result, arguments that only grow around what was there |
| cycle | rounds of two to four different steps, each with its result (also plain turns, of agents that talk to each other) |

A conversation whose history stays with the provider (`previous_response_id`) shows only its newest results, and no loop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from intelligence.policy.rule import LoopMatch
from intelligence.policy.steps import Step, steps_of, turns_of
from intelligence.wire.request import Request

LONGEST_CYCLE = 4
PATIENCE = 5


def going_round(loop: LoopMatch, request: Request, steps: Sequence[Step] | None = None) -> str | None:
    """What goes round, in words without content; None for an agent that gets on. `steps`: those of the request, if known."""
    if loop.turns is not None and (turns := turns_of(request.messages)) >= loop.turns:
        return f"{turns} turns in one conversation"
    return found(loop, steps_of(request.messages) if steps is None else steps)


def found(loop: LoopMatch, steps: Sequence[Step]) -> str | None:
    if not steps:
        return None
    last = steps[-1]
    name = last.tool or "the same words"
    same = _run(steps, lambda a, b: a.call == b.call and a.result == b.result)
    if same >= loop.repeats * (PATIENCE if last.waits else 1):
        return f"{name}: the same call with the same result {same} times in a row"
    if last.failed:
        failing = _run(steps, lambda a, b: a.tool == b.tool and a.failed and a.levelled == b.levelled)
        if failing >= loop.errors:
            return f"{name}: the same failure {failing} times in a row"
    growing = _run(
        steps, lambda a, b: a.tool == b.tool and a.levelled == b.levelled and _grows(a.arguments, b.arguments)
    )
    if growing >= loop.repeats and steps[-growing].call != last.call:
        return f"{name}: a call that grows, with the same result {growing} times in a row"
    return _cycle(steps, loop.cycle)


def _run(steps: Sequence[Step], alike: Callable[[Step, Step], bool]) -> int:
    """How many steps at the end are each like the one after it. `alike(earlier, later)`."""
    count = 1
    while count < len(steps) and alike(steps[-count - 1], steps[-count]):
        count += 1
    return count


def _grows(earlier: str, later: str) -> bool:
    """The same arguments, or the same with something put in."""
    if earlier == later:
        return True
    if len(later) <= len(earlier):
        return False
    head = 0
    while head < len(earlier) and earlier[head] == later[head]:
        head += 1
    return later.endswith(earlier[head:])


def _cycle(steps: Sequence[Step], rounds: int) -> str | None:
    for period in range(2, LONGEST_CYCLE + 1):
        if len(steps) < period * rounds:
            return None
        end = steps[-period:]
        if len({(step.call, step.result) for step in end}) < 2:
            continue
        if all(step.waits for step in end):
            continue
        keys = [(step.call, step.result) for step in steps[-period * rounds :]]
        if all(keys[at] == keys[at % period] for at in range(len(keys))):
            tools = ", ".join(dict.fromkeys(step.tool or "words" for step in end))
            return f"{rounds} rounds of the same {period} steps ({tools})"
    return None
