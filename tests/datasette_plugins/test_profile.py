from __future__ import annotations

from datasette_plugins.profile import HEIGHT, MOST_POINTS, WIDTH, profile


def test_a_line_from_the_request_to_the_end() -> None:
    drawn = profile([(100, 50), (200, 25), (400, 25)], ttft_ms=100, duration_ms=500)
    assert drawn is not None
    points = [tuple(map(float, p.split(","))) for p in drawn.line.split()]
    assert points[0] == (0, HEIGHT)
    assert points[-1] == (WIDTH, 0)
    assert (WIDTH * 0.2, HEIGHT / 2) in points
    assert drawn.first_token_x == WIDTH * 0.2
    assert (drawn.pieces, drawn.longest_gap_ms, drawn.end_ms) == (3, 200, 500)
    assert drawn.marks.count("M") == 3


def test_a_long_stream_stays_a_small_drawing() -> None:
    drawn = profile([(n / 10, 7) for n in range(100_000)], None, None)
    assert drawn is not None
    assert len(drawn.line.split()) <= MOST_POINTS + 2
    assert drawn.marks.count("M") <= 2 * MOST_POINTS
    assert drawn.line.endswith(f"{WIDTH},0")


def test_nothing_to_draw() -> None:
    assert profile([], None, 10) is None
    assert profile([(3, 10)], None, 10) is None
    assert profile([(0, 0), (0, 0)], None, 0) is None
