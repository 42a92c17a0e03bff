"""Reading JSON that may be anything: decode it, and take from it only what has the expected type.

Providers, gateways and damaged bodies put any value anywhere. Each reader here gives an empty value for what is not as it
should be, so that the parsers built on them never raise.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

INVALID = object()
"""What `decode` gives for bytes that are no JSON."""

_decode = msgspec.json.Decoder().decode
_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode
_MAX_COUNT = 2**53
# Values in one text of JSON. Of `[],[],[]` each takes thirty times its bytes once decoded; no real body comes near.
_MAX_VALUES = 2_000_000


def decode(data: bytes, max_values: int = _MAX_VALUES) -> Any:
    """The value, or `INVALID`. Lone surrogates and broken UTF-8, which strict JSON forbids, are let through; a text of so many
    more than `max_values` is not."""
    if crowded(data, max_values):
        return INVALID
    try:
        return _decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return json.loads(data.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return INVALID


def crowded(data: bytes, max_values: int = _MAX_VALUES) -> bool:
    """Whether this text of JSON may hold more values than that."""
    return len(data) > max_values and sum(map(data.count, (b",", b"[", b"{"))) > max_values


def decode_outline(data: bytes, max_bytes: int) -> Any:
    """The same, with members of the object that take more than `max_bytes` left out: vectors and images are large, and what is
    of interest stands beside them."""
    if len(data) > _MAX_VALUES and data.count(b'"') > _MAX_VALUES:
        return INVALID
    try:
        members = _decode_members(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return decode(data)
    return {key: decode(bytes(raw)) for key, raw in members.items() if len(raw) <= max_bytes}


def obj(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def objects(value: Any) -> list[dict[str, Any]]:
    """The objects in a list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def name(value: Any) -> str | None:
    """A string that says something; None for an empty one too."""
    return value if isinstance(value, str) and value else None


def count(value: Any) -> int | None:
    """A number of tokens; None when it is no such thing."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 <= value <= _MAX_COUNT else None


def first(*values: int | None) -> int | None:
    """The first count that is stated."""
    return next((value for value in values if value is not None), None)


def as_json(value: Any) -> str:
    """Compact JSON. For a string, the string itself: arguments often come as JSON in a string already."""
    if isinstance(value, str):
        return value
    try:
        return _encode(value).decode()
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError):
        pass
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
    except RecursionError:
        return ""


def sound(value: str) -> str:
    """The text with the halves of surrogate pairs, which streams cut apart, joined again; halves left alone replaced."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return value
