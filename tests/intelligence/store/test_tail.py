import os
import time
from contextlib import closing

from intelligence.store.journal import EndHead
from intelligence.store.journal_reader import segments
from intelligence.store.journal_writer import JournalWriter
from intelligence.store.tail import RunFrame, RunOver, Tail


def test_runs_are_followed_side_by_side(tmp_path):
    one, two = JournalWriter(tmp_path), JournalWriter(tmp_path)
    for _ in range(50):
        one.chunk(b"1" * 16, b"x" * 10_000)
        two.chunk(b"2" * 16, b"y" * 10_000)
    with closing(Tail(tmp_path, {})) as tail:
        first = list(tail.read(200_000))
        assert {item.run for item in first} == {one.run, two.run}
        assert len(first) < 40
        rest = [item for _ in range(20) for item in tail.read(200_000)]
        assert len(first) + len(rest) == 100
        assert tail.done == []
        one.close()
        assert [type(item) for item in tail.read(200_000)] == [RunFrame, RunOver]
        assert [path.name for path in tail.take_done()] == [f"{one.run}-000001.seg"]
        assert list(tail.read(200_000)) == []
    two.close()


def test_positions_say_where_to_go_on(tmp_path):
    journal = JournalWriter(tmp_path, segment_bytes=300)
    for n in range(20):
        journal.chunk(b"1" * 16, b"%d" % n * 50)
    journal.close()
    frames, positions = [], {}
    while True:  # a new one each time, as after a kill
        with closing(Tail(tmp_path, positions)) as tail:
            for item in tail.read(1):
                if isinstance(item, RunOver):
                    break
                frames.append(item.frame)
            else:
                positions = tail.positions
                continue
        break
    assert [f.body for f in frames if f.kind.name == "CHUNK"] == [b"%d" % n * 50 for n in range(20)]


def test_a_run_is_over_only_with_its_last_segment(tmp_path):
    journal = JournalWriter(tmp_path, segment_bytes=200)
    for _ in range(5):
        journal.chunk(b"1" * 16, b"x" * 300)
    paths = segments(tmp_path)
    with closing(Tail(tmp_path, {})) as tail:
        assert not any(isinstance(item, RunOver) for item in tail.read(1 << 20))
        assert tail.done == paths[:-1]
        journal.end(b"1" * 16, EndHead("complete"))
        journal.close()
        assert isinstance([*tail.read(1 << 20)][-1], RunOver)


def test_drafts_of_the_dead_are_removed(tmp_path):
    journal = JournalWriter(tmp_path)
    old, young = tmp_path / "a-000001.new", tmp_path / "b-000001.new"
    for path in (old, young):
        path.write_bytes(b"LLMITM-1")
    os.utime(old, (time.time() - 3600,) * 2)
    Tail(tmp_path, {}).remove_stale_drafts()
    assert not old.exists()
    assert young.exists()
    journal.close()
