"""A request body as parts and what holds them together, and back: the sans-I/O half of the message tree.

`split` cuts a JSON body, by its bytes, into its messages (a chain, oldest first), its other parts (system prompt, each
tool definition, every long value) and an envelope: the bytes that stand between them. A part is stored once, by the hash
of its canonical JSON (keys sorted, no whitespace), under the bytes it first came in; so a body put together again is the
same JSON value with the same order of top-level keys, and the same bytes as long as clients write equal parts equally.

Marks that move from turn to turn (`cache_control`, Bedrock's `cachePoint`) are no part of a message: `take_marks` lifts them
out, and they are kept beside the request as [kind, path, ...].

A part is only ever equal to another if both are exactly the same JSON value. Where that takes judgement (keys given twice,
numbers a float cannot hold as written, bytes that are no UTF-8) a part is known by its bytes instead. A body that is no
object with a conversation in it, or one of more parts than any client sends, is not split (`split` gives None): it is kept as
it came.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import msgspec

from intelligence.wire.json_value import crowded

HASH_BYTES = 16
_CONVERSATIONS = ("messages", "input", "contents", "chat_history")
_WRAPPERS = ("request", "input", "response", "generateContentRequest", "session")
_SYSTEM = ("system", "instructions", "systemInstruction", "system_instruction", "preamble", "system_prompt")
_TOOLS = ("tools", "functions")
# A value of at least this many bytes is a part of its own, so that what varies beside it does not store it again.
_LONG_VALUE = 256
# Messages, and members of an object, of one request. No client sends as many; each would be some rows.
_MAX_PARTS = 20_000

_KEY = re.compile(rb'[ \t\r\n]*([{,])[ \t\r\n]*("(?:[^"\\]|\\.)*+")[ \t\r\n]*:[ \t\r\n]*')
_END = re.compile(rb"[ \t\r\n]*\}[ \t\r\n]*")
_EMPTY = re.compile(rb"[ \t\r\n]*\{[ \t\r\n]*\}[ \t\r\n]*")
_BAD = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_elements = msgspec.json.Decoder(list[msgspec.Raw]).decode


class _Role(msgspec.Struct):
    role: Any = None


_role = msgspec.json.Decoder(_Role).decode

Mark = list[Any]
_SET, _INSERT, _WRAP = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Part:
    """`kind`: message, system, tool or value. `raw` is its JSON as it came, marks and all."""

    kind: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class Chain:
    """Where in the envelope the messages stand, and what stands between two of them. `text`: the one message stands
    there as its bare text, as Responses allows."""

    separator: bytes
    text: bool = False


@dataclass(slots=True)
class Split:
    """`key` is that of the list of messages."""

    key: str = ""
    envelope: list[bytes | Part | Chain] = field(default_factory=list)
    messages: list[bytes] = field(default_factory=list)

    def parts(self, kind: str) -> list[bytes]:
        return [item.raw for item in self.envelope if isinstance(item, Part) and item.kind == kind]


def split(body: bytes) -> Split | None:
    """Of a decoded body. None when it is not JSON, or has no list of messages."""
    found = Split()
    if crowded(body):
        return None
    try:
        _object(body, found, 0)
    except (*_BAD, _NotPlain):
        return None
    if not found.key:
        return None
    found.envelope = _merged(found.envelope)
    return found


def _merged(items: list[bytes | Part | Chain]) -> list[bytes | Part | Chain]:
    """Bytes that stand together as one."""
    merged: list[bytes | Part | Chain] = []
    between: list[bytes] = []
    for item in items:
        if type(item) is bytes:
            between.append(item)
            continue
        if bytes_ := b"".join(between):
            merged.append(bytes_)
        between.clear()
        merged.append(item)
    if bytes_ := b"".join(between):
        merged.append(bytes_)
    return merged


class _NotPlain(Exception):
    """JSON that cannot be cut by its bytes with certainty."""


def _object(raw: bytes, found: Split, depth: int) -> None:
    members, tail = _scan(raw)
    values = {key: value for key, _, value in members}
    key = next((k for k in _CONVERSATIONS if _is_conversation(k, values.get(k))), None)
    inner = None
    if key is None and depth == 0:
        inner = next((k for k in _WRAPPERS if values.get(k, b"")[:1] == b"{" and _holds(values[k])), None)
    for name, before, value in members:
        found.envelope.append(before)
        if name == key:
            found.key = name
            _messages(value, found)
        elif name == inner:
            _object(value, found, depth + 1)
        elif name in _SYSTEM:
            _each("system", value, found)
        elif name in _TOOLS and value[:1] == b"[":
            _each("tool", value, found)
        else:
            found.envelope.append(Part("value", value) if len(value) >= _LONG_VALUE else value)
    found.envelope.append(tail)


def _scan(raw: bytes) -> tuple[list[tuple[str, bytes, bytes]], bytes]:
    """The members of an object: key, the bytes before the value, the value; and the bytes after the last one. A key that is
    given twice is seen by the values not standing where they should."""
    members: list[tuple[str, bytes, bytes]] = []
    at = 0
    found = _members(raw)
    if len(found) > _MAX_PARTS:
        raise _NotPlain
    for key, value in found.items():
        match = _KEY.match(raw, at)
        if match is None or match[1] != (b"," if members else b"{") or json.loads(match[2]) != key:
            raise _NotPlain
        data = bytes(value)
        if not raw.startswith(data, match.end()):
            raise _NotPlain
        members.append((key, match[0], data))
        at = match.end() + len(data)
    if not (_END if members else _EMPTY).fullmatch(raw, at):
        raise _NotPlain
    return members, raw[at:]


def _is_conversation(key: str, value: bytes | None) -> bool:
    if value is None:
        return False
    if key == "input" and value[:1] == b'"':
        return True
    return value[:1] == b"[" and value[1:].lstrip()[:1] in (b"{", b"]")


def _holds(raw: bytes) -> bool:
    members = _members(raw)
    return any(_is_conversation(key, bytes(members[key])) for key in _CONVERSATIONS if key in members)


def _messages(value: bytes, found: Split) -> None:
    """System messages at the start are parts of the envelope: agents change them while the conversation stays."""
    if value[:1] == b'"':
        found.messages = [b'{"role":"user","content":' + value + b"}"]
        found.envelope.append(Chain(b"", text=True))
        return
    items, separator = _list(value)
    leading = 0
    while leading < len(items) and _is_system(items[leading]):
        leading += 1
    found.messages = items[leading:]
    found.envelope.append(b"[")
    for n, item in enumerate(items[:leading]):
        found.envelope += [separator if n else b"", Part("system", item)]
    if found.messages:
        found.envelope += [separator if leading else b"", Chain(separator)]
    found.envelope.append(b"]")


def _is_system(raw: bytes) -> bool:
    return raw[:1] == b"{" and _role(raw).role in ("system", "developer")


def _each(kind: str, value: bytes, found: Split) -> None:
    if value[:1] != b"[":
        found.envelope.append(Part(kind, value))
        return
    items, separator = _list(value)
    found.envelope.append(b"[")
    for n, item in enumerate(items):
        found.envelope += [separator if n else b"", Part(kind, item)]
    found.envelope.append(b"]")


def _list(value: bytes) -> tuple[list[bytes], bytes]:
    items = [bytes(item) for item in _elements(value)]
    if len(items) > _MAX_PARTS:
        raise _NotPlain
    between = len(value) - 2 - sum(map(len, items))
    return items, b", " if between == 2 * (len(items) - 1) else b","


def join(
    envelope: Iterable[bytes | Chain | Any],
    messages: Callable[[], list[bytes]],
    part: Callable[[Any], bytes],
) -> bytes:
    """The body again. `part` gives the bytes of whatever stands in the envelope for a part."""
    out = []
    for item in envelope:
        if isinstance(item, bytes):
            out.append(item)
        elif isinstance(item, Chain):
            raws = messages()
            if item.text:
                out.append(dump(json.loads(raws[0].decode("utf-8", "surrogatepass"))["content"]))
            else:
                out.append(item.separator.join(raws))
        else:
            out.append(part(item))
    return b"".join(out)


# Canonical JSON


class _Doubtful(ValueError):
    """JSON of which it takes judgement to say what value it is."""


def _int(text: str) -> int:
    if text == "-0":
        raise _Doubtful
    return int(text)


def _float(text: str) -> float:
    value = float(text)
    if repr(value) != text:
        raise _Doubtful
    return value


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _Doubtful
    return value


def _constant(_: str) -> Any:
    raise _Doubtful


_decoder = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_int=_int, parse_float=_float, parse_constant=_constant
)


def exact(raw: bytes) -> Any:
    """The value. Raises `ValueError` or `RecursionError` where writing it anew might not give the same value."""
    return _decoder.decode(raw.decode())


def dump(value: Any) -> bytes:
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:  # half a surrogate pair, which only an escape can say
        return json.dumps(value, separators=(",", ":")).encode()


def key_of(kind: str, raw: bytes) -> bytes:
    """The hash a part is stored under; `raw` without marks. The scheme is told by the person of the hash."""
    try:
        canonical = json.dumps(exact(raw), sort_keys=True, separators=(",", ":")).encode()
        person = b"llmitm json 1"
    except (ValueError, RecursionError):
        canonical, person = raw, b"llmitm raw 1"
    return blake2b(kind.encode() + b"\0" + canonical, digest_size=HASH_BYTES, person=person).digest()


# Marks


def take_marks(raw: bytes) -> tuple[bytes, list[Mark]]:
    """The part without marks, and what `put_marks` needs to bring them back."""
    if b'"cache_control"' not in raw and b'"cachePoint"' not in raw:
        return raw, []
    try:
        value = exact(raw)
    except (ValueError, RecursionError):
        return raw, []
    marks: list[Mark] = []
    _take(value, [], marks, 0)
    return (dump(value), marks) if marks else (raw, marks)


def _take(value: Any, path: list[Any], marks: list[Mark], depth: int) -> None:
    if not isinstance(value, dict):
        return
    if "cache_control" in value:
        marks.append([_SET, path, value.pop("cache_control")])
    inner = value.get("content")
    if not isinstance(inner, list) or depth > 3:
        return
    at = [*path, "content"]
    for n in range(len(inner) - 1, -1, -1):
        if isinstance(inner[n], dict) and list(inner[n]) == ["cachePoint"]:
            marks.append([_INSERT, at, n, inner.pop(n)])
    before = len(marks)
    for n, item in enumerate(inner):
        _take(item, [*at, n], marks, depth + 1)
    # Claude Code writes a text as a list of one block for no other reason than to mark it.
    if len(inner) == 1 and len(marks) > before and isinstance(inner[0], dict):
        block = inner[0]
        if list(block) == ["type", "text"] and block["type"] == "text" and isinstance(block["text"], str):
            value["content"] = block["text"]
            marks.append([_WRAP, path])


def put_marks(raw: bytes, marks: list[Mark]) -> bytes:
    if not marks:
        return raw
    root = json.loads(raw.decode("utf-8", "surrogatepass"))
    for mark in reversed(marks):
        value = root
        for step in mark[1]:
            value = value[step]
        if mark[0] == _SET:
            value["cache_control"] = mark[2]
        elif mark[0] == _INSERT:
            value.insert(mark[2], mark[3])
        else:
            value["content"] = [{"type": "text", "text": value["content"]}]
    return dump(root)
