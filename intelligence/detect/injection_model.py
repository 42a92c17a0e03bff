"""The learned half of `injection`: which concepts follow each other in attacks.

A linear model over `concepts.grams`. It is asked about windows of two blocks of `BLOCK` words, one block apart,
because an attack is a sentence or two, whatever surrounds it; what a window holds twice counts once. The longer a
text, the more windows could be taken for an attack by chance, so each has to pass a threshold that grows with the
text. The weights come from `python -m intelligence.detect.training`; docs/models/injection.md says from what, and how
well it does on sources it has not seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from intelligence.detect import concepts, features

BLOCK = 12
ARTIFACT = Path(__file__).parent / "models" / "injection.npz"
# What the length of a text takes from the scores of its windows.
_PER_LENGTH, _LENGTH_BYTES = 0.25, 64


@dataclass(frozen=True, slots=True)
class Model:
    weights: Any  # float32, one for each place of `concepts`
    bias: float
    threshold: float  # of the raw score


@cache
def load(path: Path = ARTIFACT) -> Model:
    """The artifact: weights as int8 with one scale. Arrays only; nothing in it can run."""
    with np.load(path, allow_pickle=False) as stored:
        weights = stored["weights"].astype(np.float32) * np.float32(stored["scale"])
        return Model(weights, float(stored["bias"]), float(stored["threshold"]))


def allowances(lengths: Any) -> Any:
    """By how much the threshold grows for texts of so many bytes."""
    return _PER_LENGTH * np.log1p(np.asarray(lengths) / _LENGTH_BYTES)


def windows(words: features.Words, length: int) -> Iterator[tuple[int, int, float]]:
    """(start, end, raw score above the threshold) of the stretches that the model takes for an attack, in bytes of
    the piece that `words` are of. `length` is that of the whole text."""
    model = load()
    count = len(words.starts)
    stretch: tuple[int, int, float] | None = None
    for window, raw in over(words, model, model.threshold + float(allowances(length))):
        first, last = window * BLOCK, min((window + 2) * BLOCK, count)
        if stretch is not None and first < stretch[1]:
            stretch = (stretch[0], last, max(stretch[2], raw))
            continue
        if stretch is not None:
            yield _bytes(words, stretch)
        stretch = (first, last, raw)
    if stretch is not None:
        yield _bytes(words, stretch)


def over(words: features.Words, model: Model, threshold: float) -> Iterator[tuple[int, float]]:
    """(number of the window, by how much its score passes `threshold`)."""
    ends, places = concepts.grams(words)
    if not len(ends):
        return
    blocks = ends // BLOCK
    hopeful = np.flatnonzero(_hopes(blocks, places, model, count_of(words)) > threshold)
    if not len(hopeful):
        return
    order = np.argsort(blocks, kind="stable")
    blocks, places = blocks[order], places[order]
    borders = np.searchsorted(blocks, np.concatenate((hopeful, hopeful + 2)))
    for window, first, last in zip(hopeful, *np.split(borders, 2), strict=True):
        raw = float(model.weights[np.unique(places[first:last])].sum()) + model.bias
        if raw > threshold:
            yield int(window), raw - threshold


def hopes(words: features.Words, model: Model, numbers: Any, windows: int) -> Any:
    """The most that the score of each window may be. `numbers` of the known words are those that count."""
    ends, places = concepts.grams(words, numbers)
    return _hopes(ends // BLOCK, places, model, windows)


def _hopes(blocks: Any, places: Any, model: Model, windows: int) -> Any:
    """What speaks for an attack, counted as often as it stands, is never less than the score: most windows end here."""
    sums = np.bincount(blocks, np.maximum(model.weights[places], 0), windows + 1)
    return sums[:-1] + sums[1:] + model.bias


def count_of(words: features.Words) -> int:
    """How many windows there are: the last one may be short."""
    return max(-(-len(words.starts) // BLOCK) - 1, 1)


def _bytes(words: features.Words, stretch: tuple[int, int, float]) -> tuple[int, int, float]:
    return int(words.starts[stretch[0]]), int(words.ends[stretch[1] - 1]), stretch[2]
