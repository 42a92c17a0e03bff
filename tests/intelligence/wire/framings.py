"""Feeding a framing in pieces."""

import time
from collections.abc import Callable, Iterator
from typing import Any


def in_pieces(make: Callable[[], Any], pieces: list[bytes]) -> list[Any]:
    reader = make()
    found = [event for piece in pieces for event in reader.feed(piece)]
    return found + (reader.finish() if hasattr(reader, "finish") else [])


def cuts(data: bytes) -> Iterator[list[bytes]]:
    """Whole, at every byte, and cut in two at each offset."""
    yield [data]
    yield [data[i : i + 1] for i in range(len(data))]
    for at in range(len(data) + 1):
        yield [data[:at], data[at:]]


def seconds(make: Callable[[], Any], piece: bytes, times: int) -> float:
    """How long it takes to feed a piece that many times."""
    reader = make()
    start = time.process_time()
    for _ in range(times):
        reader.feed(piece)
    return time.process_time() - start
