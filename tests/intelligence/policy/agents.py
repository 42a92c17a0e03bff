"""Agents made by seed: some go in circles, some work long and get on. Histories as a request carries them."""

from __future__ import annotations

import json
import random
from collections.abc import Callable

from intelligence.wire.parts import Message, Part

type Turn = tuple[str, dict[str, object], str]
"""Tool, arguments, result."""

WORDS = (
    "alpha beta gamma delta parser reader config value index token frame buffer worker schema query".split()
)
FAILURES = [
    "Error: ENOENT: no such file or directory, open '/app/{word}.py'",
    "bash: line 1: {word}: command not found\nexit code 127",
    "<tool_use_error>String to replace not found in file.</tool_use_error>",
    'Traceback (most recent call last):\n  File "{word}.py", line {n}\nValueError: {word}',
    "failed: connection timed out after {n} ms",
]


def history(turns: list[Turn], rng: random.Random) -> list[Message]:
    """With ids or without, some calls in parallel, words of the agent between."""
    ids = rng.random() < 0.8
    messages = [Message("user", [Part("text", f"Fix the {rng.choice(WORDS)}")])]
    for number, (tool, arguments, result) in enumerate(turns):
        call_id = f"call_{number}" if ids else None
        said = [Part("text", f"Step {number}: let me look")] if rng.random() < 0.5 else []
        messages.append(
            Message("assistant", [*said, Part("tool_call", json.dumps(arguments), tool, call_id)])
        )
        messages.append(Message("user", [Part("tool_result", result, None if ids else tool, call_id)]))
    return messages


def _work(rng: random.Random, length: int) -> list[Turn]:
    """Ordinary steps: files read, edited, commands run, each with its own result."""
    turns: list[Turn] = []
    for n in range(length):
        word = rng.choice(WORDS)
        tool = rng.choice(["Read", "Edit", "Bash", "Grep"])
        path = f"/app/{word}{rng.randrange(400)}.py"
        turns.append(
            {
                "Read": ("Read", {"file_path": path}, f"def {word}_{n}(): return {rng.random()}"),
                "Edit": ("Edit", {"file_path": path, "old": word, "new": f"{word}{n}"}, "The file has been updated."),
                "Bash": ("Bash", {"command": f"pytest {path}"}, f"{rng.randrange(90)} passed in {rng.random():.2f}s {word}"),
                "Grep": ("Grep", {"pattern": f"{word}{n}"}, f"{path}:{n}: {word}"),
            }[tool]
        )  # fmt: skip
    return turns


def _failure(rng: random.Random) -> str:
    return rng.choice(FAILURES).format(word=rng.choice(WORDS), n=rng.randrange(999))


def same_call(rng: random.Random, length: int) -> list[Turn]:
    turn: Turn = (
        "Bash",
        {"command": f"cat {rng.choice(WORDS)}.txt"},
        rng.choice(["", "nothing to do", _failure(rng)]),
    )
    return [turn] * length


def alternating(rng: random.Random, length: int) -> list[Turn]:
    period = rng.randint(2, 4)
    turns = [("Read", {"file_path": f"/a/{n}"}, f"content {n} {rng.random()}") for n in range(period)]
    return [turns[n % period] for n in range(length * period)]


def growing(rng: random.Random, length: int) -> list[Turn]:
    result = rng.choice(["no results", "{}", _failure(rng)])
    query = rng.choice(WORDS)
    turns: list[Turn] = []
    for _ in range(length):
        turns.append(("Search", {"query": query}, result))
        query += " " + rng.choice(WORDS)
    return turns


def error_retry(rng: random.Random, length: int) -> list[Turn]:
    template, word = rng.choice(FAILURES), rng.choice(WORDS)
    turns: list[Turn] = []
    for n in range(length):
        asked: dict[str, object] = {"file_path": "/a.py", "old": f"{rng.choice(WORDS)} {n}", "new": "x"}
        turns.append(("Edit", asked, template.format(word=word, n=rng.randrange(999))))
    return turns


def ping_pong(rng: random.Random, length: int) -> list[Turn]:
    a, b = rng.sample(WORDS, 2)
    turns: list[Turn] = [
        ("Task", {"agent": a, "prompt": f"ask {b}"}, f"{b} has to decide that"),
        ("Task", {"agent": b, "prompt": f"ask {a}"}, f"{a} has to decide that"),
    ]
    return [turns[n % 2] for n in range(length * 2)]


LOOPS: list[Callable[[random.Random, int], list[Turn]]] = [
    same_call,
    alternating,
    growing,
    error_retry,
    ping_pong,
]


def polling(rng: random.Random, length: int) -> list[Turn]:
    """The same command until it is done, now and then with the very same answer."""
    said = rng.choice(["still running", "status: pending", "Build in progress: {n}%", "queued"])
    turns = [
        ("Bash", {"command": "gh run view 4711"}, said.format(n=n * 100 // length))
        for n in range(min(length, 35))
    ]
    return [*turns, ("Bash", {"command": "gh run view 4711"}, "completed: success")]


def paging(rng: random.Random, length: int) -> list[Turn]:
    return [
        ("Read", {"file_path": "/log", "offset": n * 200}, f"line {n * 200}: {rng.random()}")
        for n in range(length)
    ]


def batch_edits(rng: random.Random, length: int) -> list[Turn]:
    names = [f"{rng.choice(WORDS)}_{rng.randrange(1000)}" for _ in range(length)]
    return [
        ("Edit", {"file_path": f"/app/{name}.py", "old": "a", "new": "b"}, "The file has been updated.")
        for name in names
    ]


def test_and_fix(rng: random.Random, length: int) -> list[Turn]:
    """The same test fails over and over, with an edit in between each time."""
    turns: list[Turn] = []
    for n in range(length):
        turns.append(
            (
                "Edit",
                {"file_path": "/app/a.py", "old": f"v{n}", "new": f"v{n + 1}"},
                "The file has been updated.",
            )
        )
        turns.append(
            ("Bash", {"command": "pytest -x"}, f"FAILED test_a.py::test_a - assert {n} == 40\nexit code 1")
        )
    return turns


def few_retries(rng: random.Random, length: int) -> list[Turn]:
    """Some failures, then it works; again and again."""
    turns: list[Turn] = []
    for n in range(length // 5):
        turns += [("Bash", {"command": f"curl host{n}"}, "failed: connection timed out")] * rng.randint(1, 4)
        turns.append(("Bash", {"command": f"curl host{n}"}, f"<html>{n}</html>"))
    return turns


WORK: list[Callable[[random.Random, int], list[Turn]]] = [
    _work,
    polling,
    paging,
    batch_edits,
    test_and_fix,
    few_retries,
]
