"""How an answer arrived, as the points of a small drawing: bytes over time, and a mark for each piece.

Units are those of the drawing's `viewBox`, `WIDTH` by `HEIGHT`; the origin is the request, at the top left as SVG has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

WIDTH = 640
HEIGHT = 96
MOST_POINTS = 400


@dataclass(frozen=True)
class Profile:
    line: str  # points of a polyline: bytes so far
    marks: str  # path data: one short stroke per arrival
    first_token_x: float | None
    end_ms: float
    pieces: int
    longest_gap_ms: float


def profile(
    arrivals: Sequence[tuple[float, int]], ttft_ms: float | None, duration_ms: float | None
) -> Profile | None:
    """`arrivals`: milliseconds from the request on, and bytes. `None` where there is nothing to draw."""
    total = sum(size for _, size in arrivals)
    end = max(duration_ms or 0, arrivals[-1][0] if arrivals else 0)
    if len(arrivals) < 2 or not total or not end:
        return None
    gaps = [b - a for (a, _), (b, _) in pairwise(arrivals)]
    points, so_far = [(0.0, float(HEIGHT))], 0
    for at_ms, size in arrivals:
        x = round(at_ms / end * WIDTH, 1)
        points.append((x, points[-1][1]))
        so_far += size
        points.append((x, round(HEIGHT - so_far / total * HEIGHT, 1)))
    points.append((float(WIDTH), points[-1][1]))
    step = max(1, len(points) // MOST_POINTS)
    kept = points[::step] + ([points[-1]] if (len(points) - 1) % step else [])
    marks = sorted({round(at_ms / end * WIDTH, 1) for at_ms, _ in arrivals})
    return Profile(
        " ".join(f"{x:g},{y:g}" for x, y in kept),
        "".join(f"M{x:g} {HEIGHT + 3}v5" for x in marks[:: max(1, len(marks) // MOST_POINTS)]),
        None if ttft_ms is None else round(ttft_ms / end * WIDTH, 1),
        end,
        len(arrivals),
        max(gaps),
    )
