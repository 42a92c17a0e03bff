from intelligence.store.timing import SAMPLE, Arrivals


def arrivals(*times_us: int) -> Arrivals:
    found = Arrivals()
    for at_us in times_us:
        found.piece(at_us)
    return found


def test_nothing_and_one_piece() -> None:
    assert (arrivals().first_us, arrivals().longest_us, arrivals().p95_us) == (None, None, None)
    assert (arrivals(7).first_us, arrivals(7).longest_us, arrivals(7).p95_us) == (7, None, None)


def test_gaps() -> None:
    found = arrivals(10, 20, 21, 121)
    assert (found.first_us, found.longest_us, found.p95_us) == (10, 100, 100)
    steady = arrivals(*range(0, 1000, 10), 5000)
    assert (steady.longest_us, steady.p95_us) == (4010, 10)


def test_a_clock_set_back_is_no_gap() -> None:
    assert arrivals(100, 50, 60).longest_us == 10


def test_an_endless_stream_needs_no_more_memory() -> None:
    found = arrivals(*range(0, 20 * SAMPLE, 2), 10**9)
    assert len(found._gaps) < SAMPLE
    assert (found.p95_us, found.longest_us) == (2, 10**9 - (20 * SAMPLE - 2))
