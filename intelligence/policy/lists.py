"""Named lists that rules look things up in: hosts, patterns, digests; from a file beside the rules or from a feed.

A list is a text with an entry a line; blank lines, and what begins with `#`, are passed over.

- `hosts`: globs over host names, or lines of a hosts file (`0.0.0.0 host`), of which the name counts.
- `patterns`: RE2 patterns, searched for anywhere in a text.
- `hashes`: SHA-256 in hex, of a whole text or of a file that is sent along; what follows a space is passed over.

An entry that would match everything is an error, and one bad line makes the whole list one that cannot be used. Looking up takes
time linear in the text; patterns are compiled many at a time, names and digests stand in sets.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Literal

import re2

from intelligence.policy.rule import List, pattern

Kind = Literal["hosts", "patterns", "hashes"]
MAX_BYTES = 20_000_000
MAX_ENTRIES: dict[Kind, int] = {"hosts": 200_000, "patterns": 5_000, "hashes": 500_000}
# Patterns compiled into one, and entries taken between two breaths.
TOGETHER, BREATH = 100, 2_000
_HOSTS_FILE = frozenset({"0.0.0.0", "127.0.0.1", "::", "::1"})
_HOST = re.compile(r"[a-z0-9_*?.:\[\]-]{1,253}")
_HASH = re.compile(r"[0-9a-f]{64}")


class BadList(Exception):
    """A text that is no list; `line` counts from 1. The message is for the user."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


class NotFetched(Exception):
    """The list comes from a feed that has not been read yet."""


@dataclass(frozen=True, slots=True)
class NamedList:
    """A list as it is written in a policy file, with its entries; None before its feed was read for the first time."""

    spec: List
    entries: tuple[str, ...] | None

    @property
    def text(self) -> str:
        """What `parse` makes these entries of."""
        return "".join(f"{entry}\n" for entry in self.entries or ())

    @property
    def digest(self) -> str | None:
        return None if self.entries is None else sha256(self.text.encode()).hexdigest()


def parse(data: bytes, kind: Kind) -> tuple[str, ...]:
    """The entries, each once. Raises `BadList`."""
    if len(data) > MAX_BYTES:
        raise BadList(1, f"is larger than {MAX_BYTES // 1_000_000} MB")
    try:
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as e:
        raise BadList(data[: e.start].count(b"\n") + 1, "is not UTF-8 text") from None
    read = _READ[kind]
    entries: dict[str, None] = {}
    for n, line in enumerate(map(str.strip, lines), 1):
        if line and not line.startswith("#"):
            try:
                entries[read(line)] = None
            except ValueError as e:
                raise BadList(n, str(e)) from None
            if len(entries) > MAX_ENTRIES[kind]:
                raise BadList(n, f"has more than {MAX_ENTRIES[kind]:,} entries")
    return tuple(entries)


def _host(line: str) -> str:
    words = line.split("#")[0].lower().split()
    name = words[1] if len(words) == 2 and words[0] in _HOSTS_FILE else words[0]
    if len(words) > 2 or (len(words) == 2 and name == words[0]) or not _HOST.fullmatch(name):
        raise ValueError(f"{line[:80]!r} is no name of a host, nor a glob over such")
    if not set(name) - set("*?."):
        raise ValueError(f"{name!r} matches every host")
    return name


def _pattern(line: str) -> str:
    pattern(line)
    if re2.compile(line, _quiet()).search(""):
        raise ValueError(f"{line[:80]!r} matches every text")
    return line


def _hash(line: str) -> str:
    digest = line.split()[0].lower()
    if not _HASH.fullmatch(digest):
        raise ValueError(f"{line[:80]!r} is no SHA-256 (64 hex digits)")
    return digest


_READ: dict[Kind, Callable[[str], str]] = {"hosts": _host, "patterns": _pattern, "hashes": _hash}


@dataclass(frozen=True, slots=True)
class _Group:
    """Patterns that are looked for at once, by `any`."""

    any: re2._Regexp
    each: list[re2._Regexp]


@dataclass(slots=True)
class Listed:
    """A list to look things up in."""

    kind: Kind
    _exact: set[str] = field(default_factory=set)
    _digests: set[bytes] = field(default_factory=set)
    _groups: list[_Group] = field(default_factory=list)

    def host(self, name: str | None) -> bool:
        if name is None:
            return False
        name = name.lower().rstrip(".")
        return name in self._exact or any(one.any.fullmatch(name) for one in self._groups)

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Of all that matches, whatever else matches there."""
        for group in self._groups:
            if group.any.search(text):
                for one in group.each:
                    for match in one.finditer(text):
                        yield match.span()

    def has(self, data: bytes) -> bool:
        return sha256(data).digest() in self._digests


def compiling(kind: Kind, entries: Iterable[str]) -> Iterator[Listed | None]:
    """The list ready to be asked: yields None now and then, and last the list."""
    made = Listed(kind)
    globs = []
    for n, entry in enumerate(entries):
        if kind == "hashes":
            made._digests.add(bytes.fromhex(entry))
        elif kind == "hosts" and not set(entry) & {"*", "?"}:
            made._exact.add(entry.rstrip("."))
        else:
            globs.append(_globbed(entry) if kind == "hosts" else entry)
        if n % BREATH == BREATH - 1:
            yield None
    for n in range(0, len(globs), TOGETHER):
        made._groups += _grouped(globs[n : n + TOGETHER])
        yield None
    yield made


def compile_list(kind: Kind, entries: Iterable[str]) -> Listed:
    return next(one for one in compiling(kind, entries) if one)


def compile_lists(lists: Mapping[str, NamedList]) -> dict[str, Listed | None]:
    return {
        name: None if one.entries is None else compile_list(one.spec.kind, one.entries)
        for name, one in lists.items()
    }


def _globbed(glob: str) -> str:
    return "".join({"*": ".*", "?": "."}.get(char) or re.escape(char) for char in glob)


def _grouped(patterns: Sequence[str]) -> list[_Group]:
    """As few as the engine's bound on the size of one allows."""
    each = [re2.compile(one, _quiet()) for one in patterns]
    if len(each) == 1:
        return [_Group(each[0], each)]
    try:
        return [_Group(re2.compile("|".join(f"(?:{one})" for one in patterns), _quiet()), each)]
    except re2.error:
        half = len(patterns) // 2
        return [*_grouped(patterns[:half]), *_grouped(patterns[half:])]


def _quiet() -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    return options
