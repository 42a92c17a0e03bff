"""The few things in an HTTP/1.1 message that belong to one hop, so that the proxy's differ from what it got: all of them.

`test_byte_identity` holds everything else to be the same.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from tests.rig import client, framings, http1
from tests.rig import upstream as rig
from tests.rig.processes import Process

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOST = b"Host: api.openai.com\r\n"
POST = b"POST /v1/chat/completions HTTP/1.1\r\n"
BODY = b"Content-Length: 2\r\n\r\n{}"
OK = b"HTTP/1.1 200 OK\r\n"


@dataclass(frozen=True)
class Change:
    """What one side sends, what arrives at the other, and why."""

    sent: bytes
    arrives: bytes
    why: str


REQUEST_CHANGES = {
    "expect": Change(
        POST + HOST + b"Expect: 100-continue\r\nA: b\r\n" + BODY,
        POST + HOST + b"A: b\r\n" + BODY,
        "the proxy answers 100 Continue itself, as it wants the body before it asks the provider",
    ),
    "chunk borders": Change(
        POST + HOST + b"Transfer-Encoding: chunked\r\n\r\n1;ext=1\r\n{\r\n1\r\n}\r\n0\r\n\r\n",
        POST + HOST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        "chunk borders and extensions belong to one hop (RFC 9112, 7.1)",
    ),
    "white space": Change(
        POST + HOST + b"A:b\r\nC:   d  \r\nE: f\r\n   g\r\n" + BODY,
        POST + HOST + b"A: b\r\nC: d\r\nE: f\r\n g\r\n" + BODY,
        "blanks around a field's value are no part of it (RFC 9112, 5.1 and 5.2)",
    ),
    "line ends": Change(
        (POST + HOST + BODY).replace(b"\r\n", b"\n"),
        POST + HOST + BODY,
        "a lone LF is taken for a line's end, and written as CRLF (RFC 9112, 2.2)",
    ),
    "upgrade to clear-text HTTP/2": Change(
        POST + HOST + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n" + BODY,
        POST + HOST + BODY,
        "it is between two neighbours, and abandoned (RFC 9113, 3.1)",
    ),
}
ANSWER_CHANGES = {
    "chunk borders": Change(
        OK + b"Transfer-Encoding: chunked\r\n\r\n03;a=b\r\nabc\r\n000\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        "chunk borders and extensions belong to one hop (RFC 9112, 7.1)",
    ),
    "white space": Change(
        OK + b"A:b\r\nC:   d  \r\n" + BODY,
        OK + b"A: b\r\nC: d\r\n" + BODY,
        "blanks around a field's value are no part of it (RFC 9112, 5.1)",
    ),
    "line ends": Change(
        (OK + BODY).replace(b"\r\n", b"\n"),
        OK + BODY,
        "a lone LF is taken for a line's end, and written as CRLF (RFC 9112, 2.2)",
    ),
    "interim answer": Change(
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + OK + BODY,
        OK + BODY,
        "the proxy takes them for its own; the final one follows",
    ),
}
# What could be read in two ways is refused, not passed on (RFC 9112, 11.2); then it never reaches the other side.
REFUSED = {
    "blank before the colon": (POST + HOST + b"A : b\r\n" + BODY, OK + BODY, 400),
    "two ways to tell the length": (
        POST + HOST + BODY,
        OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        502,
    ),
}


@pytest.mark.parametrize("case", REQUEST_CHANGES)
async def test_request_changes(proxy: Process, upstream: rig.Upstream, case: str) -> None:
    change = REQUEST_CHANGES[case]
    wire = await client.connect(proxy.address, framings.OPENAI, ca_file=proxy.ca_file)
    await wire.send(change.sent)
    answer = await http1.read_message(wire, answer_to=b"POST")
    if answer.head.status == 100:
        answer = await http1.read_message(wire, answer_to=b"POST")
    assert answer.head.status == 200
    assert upstream.exchanges[0].raw == change.arrives
    await wire.close()


@pytest.mark.parametrize("case", ANSWER_CHANGES)
async def test_answer_changes(proxy: Process, upstream: rig.Upstream, case: str) -> None:
    change = ANSWER_CHANGES[case]
    upstream.handler = rig.script(change.sent)
    assert await _answer(proxy, POST + HOST + BODY) == change.arrives


async def test_trailers(proxy: Process, upstream: rig.Upstream) -> None:
    """Of requests and of answers, their order and case kept."""
    trailers = b"2\r\n{}\r\n0\r\nX-Checksum: 1\r\nx-more: 2\r\n\r\n"
    fields = b"Trailer: X-Checksum\r\nTransfer-Encoding: chunked\r\n\r\n"
    upstream.handler = rig.script(OK + fields + trailers)
    assert await _answer(proxy, POST + HOST + fields + trailers) == OK + fields + trailers
    assert upstream.exchanges[0].raw == POST + HOST + fields + trailers


@pytest.mark.parametrize("case", REFUSED)
async def test_refused(proxy: Process, upstream: rig.Upstream, case: str) -> None:
    request, answer, status = REFUSED[case]
    upstream.handler = rig.script(answer)
    raw = await _answer(proxy, request)
    assert http1.parse_head(raw.partition(b"\r\n\r\n")[0]).status == status
    assert len(upstream.exchanges) == (1 if status == 502 else 0)


async def _answer(proxy: Process, request: bytes) -> bytes:
    """All bytes of the answer to a request on a connection of its own."""
    wire = await client.connect(proxy.address, framings.OPENAI, ca_file=proxy.ca_file)
    await wire.send(request)
    async with asyncio.timeout(10):
        await http1.read_message(wire, answer_to=b"POST")
    await wire.close()
    return bytes(wire.received)
