"""The learned half of `injection`: which words stand together in attacks.

A linear model over hashed words and pairs (`features`). It is asked about windows of `WINDOW` words, `STRIDE` apart,
because an attack is a sentence or two, whatever surrounds it. The weights come from `python -m
intelligence.detect.training`; docs/models/injection.md says from what, and how well it does on sources it has not
seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from intelligence.detect import features

WINDOW = 48
STRIDE = 16
ARTIFACT = Path(__file__).parent / "models" / "injection.npz"


@dataclass(frozen=True, slots=True)
class Model:
    single: Any  # float32, a weight for each place
    pair: Any
    bias: float
    threshold: float  # of the raw score
    date: str


@cache
def load(path: Path = ARTIFACT) -> Model:
    """The artifact: weights as int8 with one scale. Arrays only; nothing in it can run."""
    with np.load(path, allow_pickle=False) as stored:
        scale = float(stored["scale"])
        return Model(
            stored["single"].astype(np.float32) * scale,
            stored["pair"].astype(np.float32) * scale,
            float(stored["bias"]),
            float(stored["threshold"]),
            str(stored["date"]),
        )


def scores(words: features.Words, model: Model) -> tuple[Any, Any, Any]:
    """(first word, word behind the last, raw score) of each window. A window's score is the sum of its weights over
    the root of its length."""
    count = len(words.single)
    sums = np.zeros(count + 1, np.float64)
    np.cumsum(model.single[words.single], out=sums[1:])
    pairs = np.zeros(count + 1, np.float64)
    np.cumsum(model.pair[words.pair], out=pairs[2:])
    firsts = np.arange(0, max(count - WINDOW + STRIDE, 1), STRIDE)
    lasts = np.minimum(firsts + WINDOW, count)
    # Pair i joins words i and i+1, and stands in the sums behind the second.
    total = sums[lasts] - sums[firsts] + pairs[lasts] - pairs[np.minimum(firsts + 1, lasts)]
    return firsts, lasts, total / np.sqrt(lasts - firsts) + model.bias


def windows(words: features.Words) -> Iterator[tuple[int, int, float]]:
    """(start, end, score from 0.5) in bytes, of the stretches that the model takes for an attack."""
    model = load()
    firsts, lasts, raw = scores(words, model)
    over = np.flatnonzero(raw > model.threshold)
    stretch: tuple[int, int, float] | None = None
    for index in over:
        first, last = int(firsts[index]), int(lasts[index])
        score = float(1 / (1 + np.exp(model.threshold - raw[index])))
        if stretch is not None and first < stretch[1]:
            stretch = (stretch[0], last, max(stretch[2], score))
            continue
        if stretch is not None:
            yield _bytes(words, stretch)
        stretch = (first, last, score)
    if stretch is not None:
        yield _bytes(words, stretch)


def _bytes(words: features.Words, stretch: tuple[int, int, float]) -> tuple[int, int, float]:
    return int(words.starts[stretch[0]]), int(words.ends[stretch[1] - 1]), stretch[2]
