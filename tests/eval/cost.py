"""What scanning costs: CPU time of this process, on texts the engine has not seen, after it has seen others."""

from __future__ import annotations

import gzip
import json
import random
import time
from pathlib import Path
from statistics import median

from intelligence.detect.scanner import Scanner
from tests.eval.table import Report

_SIZE = 200_000
_WARM = 20
_MEASURED = 30

# Strings that make a backtracking engine slow, or a bad two-step search quadratic.
HOSTILE = {
    "one letter": "a",
    "digits": "1",
    "spaces": " ",
    "beginnings of keys": "sk-ghp_AKIA",
    "assignments": "password=",
    "half JWTs": "eyJ",
    "half URLs": "http://a:",
    "at signs": "a@",
    "acts": "ignore all ",
    "brackets": "![",
    "numbers": "555-1234 ",
    "headers": "-----BEGIN PRIVATE KEY-----",
    "quotes": "\"'",
    "not ASCII": "é",
    "passwords like mail": "redis://root:PW8dYeIl@db-f8aa.internal:5432 ",
    "cards behind URLs": "https://a.bc/ 4111 1111 1111 1111 ",
}


def cpu_ms(text: str, source: str | None) -> float:
    scanner = Scanner()
    started = time.process_time()
    scanner.scan(text, source=source)
    return (time.process_time() - started) * 1000


def report(folder: Path, out: Report) -> None:
    out.title("cost: CPU milliseconds, no text seen before")
    with gzip.open(folder / "injection.jsonl.gz", "rt", encoding="utf-8") as lines:
        texts = [row["text"] for row in map(json.loads, lines) if row["label"] == 0]
    random.Random(1).shuffle(texts)
    whole = "\n".join(texts)
    pieces = [whole[i * _SIZE : (i + 1) * _SIZE] for i in range(_WARM + _MEASURED)]
    for source in ("system", "user", "tool_result", "tool_call", "assistant"):
        for size, name, goal in ((_SIZE, "200 KB", 5.0), (5000, "5 KB", 1.0)):
            times = [cpu_ms(piece[:size], source) for piece in pieces][_WARM:]
            out.row(f"{source}, {name}", least=min(times), median=median(times))
            out.check(f"cost: {source}, {name} (least)", min(times), 12 * goal, goal, at_most=True)
    out.title("cost: hostile texts, milliseconds at 64, 128 and 256 KB; linear is a factor of 4")
    for name, unit in HOSTILE.items():
        times = []
        for size in (64_000, 128_000, 256_000):
            text = (unit * (size // len(unit) + 1))[:size]
            times.append(min(cpu_ms(text, None) for _ in range(2)))
        print(
            f"  {name:20}" + "".join(f"{t:9.1f}" for t in times) + f"   factor {times[2] / times[0]:.1f}",
            flush=True,
        )
        out.check(
            f"cost: {name}, factor of time for four times the text", times[2] / times[0], 8, 5, at_most=True
        )
