"""Which of some texts speak most of some words: BM25 (Robertson and Zaragoza 2009) over these texts alone.

Words are counted as SQLite's `unicode61` would find them, near enough: by letters and digits, without regard to case.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

_SATURATION, _LENGTH = 1.2, 0.75
_WORD = re.compile(r"[^\W_]+")


class Weigher:
    def __init__(self, phrases: Sequence[str]) -> None:
        spaced = [r"[\W_]+".join(map(re.escape, _WORD.findall(phrase.casefold()))) for phrase in phrases]
        self._patterns = [re.compile(rf"(?<![^\W_]){words}") for words in spaced if words]

    def order(self, texts: Sequence[tuple[int, str]]) -> list[int]:
        """The ids of `(id, text)`, the best first; of equal ones that which came first."""
        if not texts:
            return []
        counts = [[len(p.findall(text.casefold())) for p in self._patterns] for _, text in texts]
        mean = sum(len(text) for _, text in texts) / len(texts) or 1.0
        rarity = [
            math.log(1 + (len(texts) - having + 0.5) / (having + 0.5))
            for having in (sum(1 for c in counts if c[n]) for n in range(len(self._patterns)))
        ]
        weights = [
            sum(
                rare * n * (_SATURATION + 1) / (n + _SATURATION * (1 - _LENGTH + _LENGTH * len(text) / mean))
                for rare, n in zip(rarity, found, strict=True)
            )
            for (_, text), found in zip(texts, counts, strict=True)
        ]
        order = sorted(range(len(texts)), key=lambda n: -weights[n])
        return [texts[n][0] for n in order]
