"""What scanning costs: CPU time of this thread, on texts the engine has not seen, after it has seen others."""

from __future__ import annotations

import gzip
import json
import random
import time
from pathlib import Path
from statistics import median

from intelligence.detect.scanner import Scanner

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
}


def cpu_ms(text: str, source: str | None) -> float:
    scanner = Scanner()
    started = time.thread_time()
    scanner.scan(text, source=source)
    return (time.thread_time() - started) * 1000


def report(folder: Path) -> None:
    print("\ncost, CPU milliseconds of one thread")
    with gzip.open(folder / "injection.jsonl.gz", "rt", encoding="utf-8") as lines:
        texts = [row["text"] for row in map(json.loads, lines) if row["label"] == 0]
    random.Random(1).shuffle(texts)
    whole = "\n".join(texts)
    pieces = [whole[i * _SIZE : (i + 1) * _SIZE] for i in range(_WARM + _MEASURED)]
    for source in ("tool_result", "user", "system", "tool_call"):
        taken = [cpu_ms(piece, source) for piece in pieces][_WARM:]
        small = [cpu_ms(piece[:5000], source) for piece in pieces][_WARM:]
        for name, times in (("200 KB", taken), ("5 KB", small)):
            print(f"  {source:14}{name:8}median {median(times):6.2f}   least {min(times):6.2f}")
    print(" hostile texts, 0.25, 0.5 and 1 MB: linear is a factor of 4 from first to last")
    for name, unit in HOSTILE.items():
        times = []
        for size in (250_000, 500_000, 1_000_000):
            text = (unit * (size // len(unit) + 1))[:size]
            times.append(min(cpu_ms(text, None) for _ in range(2)))
        print(f"  {name:20}" + "".join(f"{t:9.1f}" for t in times) + f"   factor {times[2] / times[0]:.1f}")
