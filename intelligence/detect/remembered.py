"""What was found before, by its digest, while there is room for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice


class Remembered[V]:
    """At most `most` values, and what an unfinished request adds. Half of them are the newer: a value that is asked for is one of
    these. When they are too many they become the older, and those that were it go. So hundreds of values are asked for at once,
    and nothing is done for each that is there."""

    def __init__(self, most: int) -> None:
        self._half = max(most // 2, 1)
        self._newer: dict[bytes, V] = {}
        self._older: dict[bytes, V] = {}

    def __len__(self) -> int:
        return len(self._newer.keys() | self._older.keys())

    def all(self, keys: Sequence[bytes]) -> list[V | None]:
        """The value of each, or None."""
        found: list[V | None] = list(map(self._newer.get, keys))
        if self._older:
            for number, older in enumerate(map(self._older.get, keys)):
                if found[number] is None and older is not None:
                    found[number] = self._newer[keys[number]] = older
        return found

    def one(self, key: bytes) -> V | None:
        return self.all((key,))[0]

    def add(self, keys: Iterable[bytes], value: V) -> None:
        self._newer |= dict.fromkeys(keys, value)

    def tidy(self) -> None:
        """To be called when a request was read."""
        if (over := len(self._newer) - self._half) >= 0:
            self._older = dict(islice(self._newer.items(), over, None))
            self._newer = {}
