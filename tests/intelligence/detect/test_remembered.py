from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from intelligence.detect.remembered import Remembered

REQUESTS = st.lists(st.lists(st.integers(0, 20), max_size=12), max_size=30)


@given(st.integers(1, 16), REQUESTS)
def test_what_was_asked_for_last_is_there_and_nothing_else_is(most: int, requests: list[list[int]]) -> None:
    remembered = Remembered[int](most)
    read: list[list[int]] = []
    for request in requests:
        keys = [bytes([number]) for number in request]
        found = remembered.all(keys)
        for number, value in zip(request, found, strict=True):
            last = max((n for n, before in enumerate(read) if number in before), default=None)
            since = set() if last is None else {one for before in read[last:] for one in before}
            assert value in ({number} if last is not None and len(since) <= most // 2 else {None, number})
        for number, key in zip(request, keys, strict=True):
            remembered.add([key], number)
        remembered.tidy()
        assert len(remembered) <= max(most, 2)
        read.append(request)


def test_what_is_asked_for_again_and_again_stays() -> None:
    remembered = Remembered[str](4)
    remembered.add([b"kept"], "kept")
    remembered.tidy()
    for number in range(20):
        remembered.add([b"%d" % number], "other")
        assert remembered.one(b"kept") == "kept"
        remembered.tidy()
    assert remembered.one(b"3") is None


def test_more_than_there_is_room_for_is_there_until_the_request_was_read() -> None:
    remembered = Remembered[int](4)
    keys = [b"%d" % number for number in range(9)]
    remembered.add(keys, 1)
    assert remembered.all(keys) == [1] * 9
    remembered.tidy()
    assert remembered.all(keys) == [None] * 7 + [1, 1]
