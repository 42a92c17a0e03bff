from hypothesis import given
from hypothesis import strategies as st

from intelligence.store import bodies
from intelligence.store.bodies import FROM_CLIENT, TEXT, Piece

times = st.lists(st.tuples(st.integers(0, 10**12), st.binary(max_size=40)), max_size=20)


@given(times)
def test_pieces_come_back_with_their_times(raw):
    pieces = [Piece(at, data) for at, data in raw]
    data, arrivals = bodies.pack(pieces)
    assert data == b"".join(p.data for p in pieces)
    assert list(bodies.unpack(data, arrivals)) == pieces


@given(times, st.lists(st.sampled_from([0, FROM_CLIENT, TEXT, FROM_CLIENT | TEXT]), min_size=20, max_size=20))
def test_messages_come_back_with_their_direction(raw, flags):
    pieces = [Piece(at, data, flag) for (at, data), flag in zip(raw, flags, strict=False)]
    assert list(bodies.unpack(*bodies.pack(pieces))) == pieces


@given(st.binary(max_size=2000))
def test_compression_is_lossless(data):
    assert bodies.decompress(bodies.compress(data)) == data


def test_parts_are_cut_by_size_alone(monkeypatch):
    monkeypatch.setattr(bodies, "PART_BYTES", 10)
    pieces = [Piece(n, b"x" * size) for n, size in enumerate([4, 4, 4, 30, 1, 0, 9, 2])]
    groups = list(bodies.parts(pieces))
    assert [[len(p.data) for p in group] for group in groups] == [[4, 4, 4], [30], [1, 0, 9], [2]]
    assert list(bodies.parts([])) == []
