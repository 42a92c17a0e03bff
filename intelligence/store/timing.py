"""The rhythm of an answer, from the times at which its pieces arrived.

The longest gap is exact. The 95th percentile is of all gaps up to `SAMPLE` of them, then of evenly spread ones, so that an
endless stream needs no more memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field

SAMPLE = 16_384


@dataclass(slots=True)
class Arrivals:
    """Times are from the request on; None where there was no piece, or no second one."""

    first_us: int | None = None
    longest_us: int | None = None
    _last_us: int = 0
    _seen: int = 0
    _stride: int = 1
    _gaps: list[int] = field(default_factory=list)

    def piece(self, at_us: int) -> None:
        if self.first_us is None:
            self.first_us = self._last_us = at_us
            return
        gap = max(at_us - self._last_us, 0)
        self._last_us = at_us
        if self.longest_us is None or gap > self.longest_us:
            self.longest_us = gap
        if self._seen % self._stride == 0:
            self._gaps.append(gap)
            if len(self._gaps) == SAMPLE:
                self._gaps = self._gaps[::2]
                self._stride *= 2
        self._seen += 1

    @property
    def p95_us(self) -> int | None:
        if not self._gaps:
            return None
        return sorted(self._gaps)[(len(self._gaps) * 95 - 1) // 100]
