"""Where in the bytes of a JSON body the values stand that pointers name.

One walk forward for all pointers: each object or list on the way is cut into its members by msgspec, which skips over what is
inside at memory speed, and only those that lead to a pointer are entered. JSON values delimit themselves, so a value found where
the scan expects it is the value that stands there. Nothing is found, and the reason told, below an object that gives a key twice
(providers differ in which they read), and in anything that is no strict JSON in UTF-8.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from intelligence.wire.guards import DATA, KEYS, guard

BOM = b"\xef\xbb\xbf"

_SPACE = re.compile(rb"[ \t\r\n]*")
_KEY = re.compile(rb'[ \t\r\n]*[{,][ \t\r\n]*("(?:[^"\\]|\\.)*+")[ \t\r\n]*:[ \t\r\n]*')
_NEXT = re.compile(rb"[ \t\r\n]*[\[,][ \t\r\n]*")
_END = re.compile(rb"[ \t\r\n]*[}\]]")
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")
_NOTHING = frozenset([b'""', b"null", b"false", b"0", b"[]", b"{}"])
_NO_ESCAPE = re.compile(r"~(?![01])")
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")
_BAD = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

_raw = msgspec.json.Decoder(msgspec.Raw).decode
_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_elements = msgspec.json.Decoder(list[msgspec.Raw]).decode


class NotFound(Exception):
    """Why a body cannot be searched, or a pointer names nothing."""


@dataclass(slots=True)
class Container:
    """An object or list of which something is asked: from its first bracket to behind its last, and in order where each member
    begins (at its key), where its value begins, and where it ends."""

    start: int
    end: int
    spans: list[tuple[int, int, int]]


@dataclass(slots=True)
class Found:
    """A value: its bytes, what it stands in, the how manieth it is there, and why it or what it is part of is guarded."""

    start: int
    end: int
    container: Container | None = None
    index: int = 0
    guarded: str | None = None


@dataclass(slots=True)
class _Node:
    pointer: str = ""
    wanted: bool = False
    below: dict[str, _Node] = field(default_factory=dict)


def locate(body: bytes, pointers: Iterable[str]) -> dict[str, Found | NotFound]:
    """Raises `NotFound` when the body cannot be searched at all."""
    start = len(BOM) if body.startswith(BOM) else 0
    scanned, text = _scannable(body, start)
    found: dict[str, Found | NotFound] = {}
    root = _Node()
    for pointer in pointers:
        _ask(root, pointer, found)
    start = _SPACE.match(scanned, start).end()  # type: ignore[union-attr]
    _Search(scanned, found).value(root, Found(start, start + len(text)), "", 0, True)
    return found


def _scannable(body: bytes, start: int) -> tuple[bytes, msgspec.Raw]:
    """The body as msgspec takes it, byte for byte as long, and the value in it. Halves of surrogate pairs, which clients send and
    strict JSON forbids, are something else there."""
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise NotFound("the body is not UTF-8") from error
    try:
        return body, _raw(memoryview(body)[start:])
    except _BAD as error:
        if not _SURROGATE.search(body):
            raise NotFound("the body is not JSON") from error
    body = _ESCAPE.sub(lambda match: b"\\ufffd" if match[1] else match[0], body)
    try:
        return body, _raw(memoryview(body)[start:])
    except _BAD as error:
        raise NotFound("the body is not JSON") from error


def _ask(root: _Node, pointer: str, found: dict[str, Found | NotFound]) -> None:
    if (pointer and not pointer.startswith("/")) or _NO_ESCAPE.search(pointer):
        found[pointer] = NotFound("not a JSON pointer")
        return
    node = root
    for token in pointer.split("/")[1:]:
        key = token.replace("~1", "/").replace("~0", "~")
        node = node.below.setdefault(key, _Node(f"{node.pointer}/{token}"))
    node.wanted, node.pointer = True, pointer


class _Search:
    def __init__(self, body: bytes, found: dict[str, Found | NotFound]) -> None:
        self.body = body
        self.found = found

    def value(self, node: _Node, here: Found, key: str, depth: int, conversation: bool) -> None:
        """`conversation`: not inside data of a person's or program's own, where nothing is a guarded part."""
        if node.wanted:
            self.found[node.pointer] = here
        if not node.below:
            return
        first = self.body[here.start : here.start + 1]
        inside = conversation and not (depth > 1 and key in DATA)
        try:
            if first == b"{":
                self._object(node, here, depth, inside)
            elif first == b"[":
                self._list(node, here, depth, inside)
            else:
                self._missing(node, "nothing stands there")
        except NotFound as why:
            self._missing(node, str(why))
        except _BAD:
            self._missing(node, "the body is not JSON there")

    def _object(self, node: _Node, here: Found, depth: int, inside: bool) -> None:
        body, at = self.body, here.start
        container = Container(here.start, here.end, [])
        members = _members(memoryview(body)[here.start : here.end])
        spans: dict[str, tuple[int, int, int, int]] = {}
        for n, (key, value) in enumerate(members.items()):
            match, raw = _KEY.match(body, at), bytes(value)
            if match is None or _text(match[1]) != key or not body.startswith(raw, match.end()):
                raise NotFound("a key is given twice")
            at = match.end() + len(raw)
            container.spans.append((match.start(1), match.end(), at))
            spans[key] = (n, *container.spans[-1])
        end = _END.match(body, at or 0)
        if members and (end is None or end.end() != here.end):
            raise NotFound("a key is given twice")
        guarded = here.guarded
        if guarded is None and inside and depth > 0:
            guarded = guard({key: _said(key, members[key]) for key in KEYS & members.keys()})
        for key, below in node.below.items():
            if key in spans:
                index, _, start, stop = spans[key]
                self.value(below, Found(start, stop, container, index, guarded), key, depth + 1, inside)
            else:
                self._missing_all(below, "nothing stands there")

    def _list(self, node: _Node, here: Found, depth: int, inside: bool) -> None:
        body, at = self.body, here.start
        container = Container(here.start, here.end, [])
        for value in _elements(memoryview(body)[here.start : here.end]):
            start = _NEXT.match(body, at).end()  # type: ignore[union-attr]
            at = start + len(value)
            container.spans.append((start, start, at))
        for key, below in node.below.items():
            if _INDEX.fullmatch(key) and int(key) < len(container.spans):
                _, start, stop = container.spans[int(key)]
                self.value(
                    below, Found(start, stop, container, int(key), here.guarded), "", depth + 1, inside
                )
            else:
                self._missing_all(below, "nothing stands there")

    def _missing_all(self, node: _Node, why: str) -> None:
        if node.wanted:
            self.found[node.pointer] = NotFound(why)
        self._missing(node, why)

    def _missing(self, node: _Node, why: str) -> None:
        """Of what is asked for below."""
        waiting = list(node.below.values())
        while waiting:
            below = waiting.pop()
            if below.wanted:
                self.found[below.pointer] = NotFound(why)
            waiting.extend(below.below.values())


def _text(literal: bytes) -> str:
    if b"\\" not in literal:
        return literal[1:-1].decode()
    return str(json.loads(literal))


def _said(key: str, raw: msgspec.Raw) -> Any:
    """What `guard` needs of a member: of most, whether they say anything."""
    if key in ("type", "extra_content"):
        return msgspec.json.decode(raw)
    return len(raw) > 5 or bytes(raw) not in _NOTHING
