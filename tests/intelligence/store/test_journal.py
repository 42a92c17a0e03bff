import errno
import os

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intelligence.store.ids import uuid7
from intelligence.store.journal import (
    CloseHead,
    DropsHead,
    EndHead,
    Kind,
    RequestHead,
    ResponseHead,
    RunHead,
)
from intelligence.store.journal_reader import JournalError, SegmentReader, is_live, segments
from intelligence.store.journal_writer import JournalWriter, frame_bytes

REQUEST = RequestHead(
    "POST", "https", "api.openai.com", 443, "/v1/chat/completions", "HTTP/1.1", [("a", "b")]
)


def frames(path, **kwargs):
    reader = SegmentReader(path)
    try:
        return list(reader.frames(**kwargs))
    finally:
        reader.close()


def write_call(journal, *chunks):
    call = uuid7()
    journal.request(call, REQUEST, b"{}")
    journal.response(call, ResponseHead(200, "OK", "HTTP/1.1", []))
    for chunk in chunks:
        journal.chunk(call, chunk)
    journal.end(call, EndHead("complete"))
    return call


class Disk:
    """Stands in for `os.writev`: takes `room` bytes, then is full."""

    def __init__(self, room):
        self.room = room
        self.real = os.writev

    def __call__(self, fd, parts):
        data = b"".join(parts)
        if self.room <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = self.real(fd, [data[: self.room]])
        self.room -= written
        return written


def test_what_is_written_is_read(tmp_path):
    journal = JournalWriter(tmp_path)
    call = write_call(journal, b"one", b"", b"\x00" * 100_000)
    journal.event("reload", "policies read anew", {"n": 2})
    (path,) = segments(tmp_path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert is_live(path)
    journal.close()
    assert not is_live(path)
    read = frames(path)
    assert [f.kind.name for f in read] == [
        "REQUEST", "RESPONSE", "CHUNK", "CHUNK", "CHUNK", "END", "EVENT", "CLOSE",
    ]  # fmt: skip
    assert {f.call for f in read[:6]} == {call}
    head, body = read[0].split()
    assert msgspec.msgpack.decode(head, type=RequestHead) == REQUEST
    assert body == b"{}"
    assert frames(path, offset=read[4].end) == read[5:]


@given(cut=st.integers(min_value=1, max_value=400))
@settings(max_examples=60, deadline=None)
def test_a_torn_tail_hides_nothing_before_it(tmp_path_factory, cut):
    folder = tmp_path_factory.mktemp("journal")
    journal = JournalWriter(folder)
    write_call(journal, b"one", b"two")
    journal.close()
    (path,) = segments(folder)
    whole = frames(path)
    size = path.stat().st_size
    os.truncate(path, max(SegmentReader(path).start, size - cut))
    left = frames(path, over=True)
    assert left == whole[: len(left)]
    assert len(left) == sum(f.end <= path.stat().st_size for f in whole)


def test_a_damaged_stretch_is_skipped_once_the_run_is_over(tmp_path):
    journal = JournalWriter(tmp_path)
    write_call(journal, b"one")
    write_call(journal, b"two")
    journal.close()
    (path,) = segments(tmp_path)
    whole = frames(path)
    with path.open("r+b") as f:
        f.seek(whole[2].end - 1)
        f.write(b"\xff")
    assert frames(path) == whole[:2]
    rest = frames(path, over=True)
    assert [f.kind for f in rest] == [f.kind for f in whole[:2] + whole[3:]]
    assert rest[2].skipped == whole[2].end - whole[1].end


def test_no_body_passes_for_a_frame(tmp_path):
    journal = JournalWriter(tmp_path)
    forged = b"".join(frame_bytes(b"LLMITM-1", Kind.END, bytes(16), [b""]))
    write_call(journal, forged * 3)
    write_call(journal, b"after")
    journal.close()
    (path,) = segments(tmp_path)
    whole = frames(path)
    with path.open("r+b") as f:
        f.seek(whole[2].end - 1)
        f.write(b"\xff")
    assert [f.kind for f in frames(path, over=True)][2:] == [f.kind for f in whole[3:]]


def test_segments_rotate_without_a_gap(tmp_path):
    journal = JournalWriter(tmp_path, segment_bytes=2000)
    calls = [write_call(journal, b"x" * 300) for _ in range(20)]
    paths = segments(tmp_path)
    assert len(paths) > 3
    assert [is_live(p) for p in paths] == [False] * (len(paths) - 1) + [True]
    journal.close()
    read = [f for p in paths for f in frames(p)]
    assert [f.call for f in read if f.kind is Kind.END] == calls
    assert [msgspec.msgpack.decode(f.body, type=CloseHead).reason for f in read if f.kind is Kind.CLOSE] == [
        "rotated"
    ] * (len(paths) - 1) + ["stopped"]


def test_a_full_disk_is_counted_and_told(tmp_path, monkeypatch):
    journal = JournalWriter(tmp_path)
    call = uuid7()
    assert journal.request(call, REQUEST, b"{}")
    with monkeypatch.context() as m:
        m.setattr(os, "writev", Disk(room=50))
        assert not journal.chunk(call, b"x" * 1000)
        assert not journal.chunk(call, b"y" * 1000)
    assert (journal.dropped_frames, journal.dropped_bytes > 2000) == (2, True)
    assert journal.chunk(call, b"z")
    (path,) = segments(tmp_path)
    _, drops, chunk = frames(path)
    told = msgspec.msgpack.decode(drops.body, type=DropsHead)
    assert (told.frames, told.bytes, told.calls) == (2, journal.dropped_bytes, [call])
    assert chunk.body == b"z"


def test_how_a_call_ended_is_written_once_there_is_room(tmp_path, monkeypatch):
    journal = JournalWriter(tmp_path)
    call = uuid7()
    journal.request(call, REQUEST, b"{}")
    with monkeypatch.context() as m:
        m.setattr(os, "writev", Disk(room=0))
        journal.chunk(call, b"lost")
        assert not journal.end(call, EndHead("complete"))
    assert journal.dropped_frames == 1
    journal.event("reload", "later")
    journal.close()
    (path,) = segments(tmp_path)
    read = frames(path)
    assert [f.kind.name for f in read] == ["REQUEST", "DROPS", "END", "EVENT", "CLOSE"]
    assert read[2].call == call
    assert read[0].t_us <= read[2].t_us <= read[1].t_us


def test_bytes_that_are_no_text_are_written_all_the_same(tmp_path):
    journal = JournalWriter(tmp_path)
    raw = b"caf\xe9".decode("utf-8", "surrogateescape")
    assert journal.response(uuid7(), ResponseHead(200, raw, "HTTP/1.1", [("x-name", raw), ("a", "b")]))
    assert journal.event("odd", raw, {"path": [raw, 1, None, b"\xff"]})
    journal.close()
    response, event, _ = frames(segments(tmp_path)[0])
    head = msgspec.msgpack.decode(response.body, type=ResponseHead)
    assert (head.reason, head.headers) == ("caf?", [("x-name", "caf?"), ("a", "b")])
    assert msgspec.msgpack.decode(event.body)["data"] == {"path": ["caf?", 1, None, b"\xff"]}


def test_a_run_keeps_its_lock_when_a_spoilt_segment_cannot_be_replaced(tmp_path, monkeypatch):
    journal = JournalWriter(tmp_path)
    call = uuid7()
    journal.request(call, REQUEST, b"{}")

    def refuse(*_):
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as m:
        m.setattr(os, "writev", Disk(room=50))
        m.setattr(os, "ftruncate", refuse)
        assert not journal.chunk(call, b"x" * 1000)
        assert not journal.chunk(call, b"x" * 1000)
        assert is_live(segments(tmp_path)[0])
    assert journal.chunk(call, b"z")
    first, second = segments(tmp_path)
    assert not is_live(first)
    assert is_live(second)
    assert [f.kind for f in frames(first, over=True)] == [Kind.REQUEST]
    assert [f.kind for f in frames(second)] == [Kind.DROPS, Kind.CHUNK]


def test_no_room_for_the_next_segment_drops_nothing(tmp_path, monkeypatch):
    journal = JournalWriter(tmp_path, segment_bytes=500)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as m:
        m.setattr(journal, "_open", full)
        calls = [write_call(journal, b"x" * 300) for _ in range(5)]
    assert journal.dropped_frames == 0
    calls.append(write_call(journal, b"x" * 300))
    journal.close()
    read = [f for p in segments(tmp_path) for f in frames(p, over=True)]
    assert [f.call for f in read if f.kind is Kind.END] == calls


def test_a_rotation_that_cannot_say_so_leaves_no_lock_behind(tmp_path, monkeypatch):
    journal = JournalWriter(tmp_path, segment_bytes=500)
    real = os.writev

    def no_close_frame(fd, parts):
        if b"rotated" in b"".join(parts):
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(fd, parts)

    monkeypatch.setattr(os, "writev", no_close_frame)
    write_call(journal, b"x" * 600)
    assert journal.dropped_frames == 0
    assert [is_live(p) for p in segments(tmp_path)][-2:] == [False, True]
    journal.close()


def test_a_kind_of_a_later_version_is_read_as_other(tmp_path):
    journal = JournalWriter(tmp_path)
    os.writev(journal._fd, frame_bytes(journal._marker, 77, bytes(16), [b"news"]))
    journal._size = os.fstat(journal._fd).st_size
    write_call(journal)
    (path,) = segments(tmp_path)
    assert [f.kind for f in frames(path)] == [Kind.OTHER, Kind.REQUEST, Kind.RESPONSE, Kind.END]


@pytest.mark.parametrize(
    "head", [RunHead(2, "r", 1, 1, b"m" * 8), {"format": 2}, {"format": 1}, ["no", "map"], {}]
)
def test_what_is_no_segment_of_ours_is_said(tmp_path, head):
    path = tmp_path / "r-000001.seg"
    path.write_bytes(b"".join(frame_bytes(b"LLMITM-1", Kind.RUN, bytes(16), [msgspec.msgpack.encode(head)])))
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    with pytest.raises(JournalError, match="r-000001"):
        SegmentReader(path)
    if before:
        assert len(os.listdir("/proc/self/fd")) == before
    path.write_bytes(b"")
    with pytest.raises(JournalError):
        SegmentReader(path)
