import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intelligence.wire.aws_eventstream import EventStreamReader, Frame
from tests.intelligence.wire.framings import cuts, in_pieces, seconds


def string(name, value):
    return bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()


def frame(payload=b"{}", headers=b""):
    """A frame as AWS lays it out."""
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + payload
    return message + struct.pack(">I", zlib.crc32(message))


EVENT = frame(b'{"a":1}', string(":event-type", "messageStart") + string(":message-type", "event"))
HEADERS = {":event-type": "messageStart", ":message-type": "event"}


def test_cut_anywhere():
    for pieces in cuts(EVENT + frame(b"") + EVENT):
        found = in_pieces(EventStreamReader, pieces)
        assert found == [Frame(HEADERS, b'{"a":1}'), Frame({}, b""), Frame(HEADERS, b'{"a":1}')], pieces


def test_headers_of_every_type():
    block = b"".join(
        [
            b"\x01a\x00", b"\x01b\x01", b"\x01c\x02x", b"\x01d\x03xx", b"\x01e\x04xxxx", b"\x01f\x05xxxxxxxx",
            b"\x01g\x06\x00\x02hi", b"\x01h\x08xxxxxxxx", b"\x01i\x09" + b"x" * 16, string("z", "ü"),
        ]
    )  # fmt: skip
    block = block.replace(struct.pack(">H", 1) + "ü".encode(), struct.pack(">H", 2) + "ü".encode())
    assert EventStreamReader().feed(frame(b"", block)) == [Frame({"z": "ü"}, b"")]


@pytest.mark.parametrize("cut", [1, 10, 100_000])
def test_a_damaged_payload_costs_one_frame(cut):
    damaged = bytearray(EVENT)
    damaged[-6] ^= 1
    data = EVENT + bytes(damaged) + EVENT
    reader = EventStreamReader()
    found = [f for at in range(0, len(data), cut) for f in reader.feed(data[at : at + cut])]
    assert len(found) == 2
    assert (reader.dropped, reader.lost) == (1, False)


def test_a_damaged_prelude_loses_the_place():
    damaged = bytearray(EVENT)
    damaged[1] ^= 1
    reader = EventStreamReader()
    assert len(reader.feed(EVENT + bytes(damaged) + EVENT)) == 1
    assert reader.lost
    assert reader.feed(EVENT) == []


@pytest.mark.parametrize("cut", [1, 100, 100_000])
def test_what_is_too_long_is_skipped_and_the_rest_read(cut):
    data = EVENT + frame(b"x" * 5000) + EVENT
    reader = EventStreamReader(max_bytes=500)
    found = [f for at in range(0, len(data), cut) for f in reader.feed(data[at : at + cut])]
    assert len(found) == 2
    assert reader.dropped == 1


def test_a_long_frame_in_small_pieces_is_cheap():
    reader = EventStreamReader()
    prelude = struct.pack(">II", 30_000_000, 0)
    reader.feed(prelude + struct.pack(">I", zlib.crc32(prelude)))
    assert seconds(lambda: reader, b"x" * 100, 200_000) < 3


@given(st.binary(max_size=60), st.binary(max_size=30))
def test_any_bytes(data, headers):
    EventStreamReader().feed(data)
    EventStreamReader().feed(frame(data, headers))
