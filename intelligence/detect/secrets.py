"""Secrets: keys, tokens, passwords, private keys.

Three ways to see one. *Prefixed*: it begins as only this provider's keys do (`secret_rules.PREFIXED`). *Placed*: it
stands where only a secret stands, in a connection string or an Authorization header. *Assigned*: something is called
password, token or key, and what it is set to looks random enough (`assigned`). The first is sure, the last needs the
most care: most of what is called "token" is none.

Not reported: placeholders, the keys of documentation, references to a variable or a vault, code that fetches the
secret, hashes, commit ids, checksums and public keys.

Limits: a short password in a sentence without any word for it is not seen, nor a secret cut in pieces or encoded
anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from intelligence.detect import assigned, secret_rules
from intelligence.detect.detection import Detection
from intelligence.detect.engine import Group, Hit, Rule, Text
from intelligence.detect.plausible import placeholder, varied

# A private key is reported to its end, if that comes within so many bytes; PEM of RSA 8192 is 6.4 KB.
_LONGEST_KEY = 12_000
_WORD_BYTES = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")


def secrets(text: Text, deadline: float | None = None) -> list[Detection]:
    """Secrets in `text`, each once, in order. Raises `DeadlineExceeded`."""
    found = [*_named(text, deadline), *_assigned(text, deadline)]
    found.sort(key=lambda d: (-d.score, d.start - d.end))
    kept: list[Detection] = []
    for detection in found:
        if all(detection.end <= k.start or k.end <= detection.start for k in kept[-64:]):
            kept.append(detection)
    return sorted(kept, key=lambda d: d.start)


@cache
def groups() -> tuple[Group, Group]:
    """Prefixed and placed."""
    prefixed = [
        Rule(f"secret.{type}.{number}", type, regex, 0.95, _free_standing)
        for number, (type, regex) in enumerate(secret_rules.PREFIXED)
    ]
    prefixed += [
        Rule(
            f"secret.{type}.marked",
            type,
            mark,
            0.95,
            _in_url if "url" in type else _free_standing,
            whole,
            before,
            near=b"://" if "url" in type else b"",
        )
        for type, mark, before, whole in secret_rules.MARKED
    ]
    placed = [
        Rule(f"secret.{type}.{number}", type, regex, 0.9, _a_password)
        for number, (type, regex) in enumerate(secret_rules.PLACED)
    ]
    return Group(prefixed), Group(placed)


def _named(text: Text, deadline: float | None) -> Iterator[Detection]:
    for group in groups():
        for hit in group.hits(text, deadline):
            yield _detection(text, hit)


def _detection(text: Text, hit: Hit) -> Detection:
    end = hit.end
    if hit.rule.type == "private_key":
        close = text.data.find(b"-----END", hit.start, hit.start + _LONGEST_KEY)
        last = text.data.find(b"-----", close + 8, close + 80) if close >= 0 else -1
        end = last + 5 if last >= 0 else end
    return Detection("secret", hit.rule.type, hit.rule.score, *text.span(hit.start, end), hit.rule.id)


def _assigned(text: Text, deadline: float | None) -> Iterator[Detection]:
    for type, start, end in assigned.find(text, deadline):
        yield Detection("secret", type, 0.8, *text.span(start, end), f"secret.assigned.{type}")


def _free_standing(data: bytes, start: int, end: int) -> bool:
    """A key is no part of a longer word, and no example."""
    # Behind an escape as in `\nghp_...` stands the letter of the escape.
    escaped = start > 1 and data[start - 2] == 0x5C and data[start - 1] in b"nrt"
    if start and data[start - 1] in _WORD_BYTES and data[start] in _WORD_BYTES and not escaped:
        return False
    if end < len(data) and data[end] in _WORD_BYTES and data[end - 1] in _WORD_BYTES:
        return False
    value = data[start:end]
    return (
        value[:11] == b"-----BEGIN "
        or value[:7] in (b'"type":', b'"type" ', b"PuTTY-U")
        or not placeholder(value)
    )


def _in_url(data: bytes, start: int, end: int) -> bool:
    """Where a URL has a password, anything is one that is not written as an example."""
    user, _, password = data[start:end].rpartition(b":")
    return not placeholder(password) and not (user and placeholder(user) and not varied(password))


def _a_password(data: bytes, start: int, end: int) -> bool:
    value = data[start:end]
    if placeholder(value):
        return False
    secret = value.rpartition(b":")[2].strip(b"'\"")
    return varied(secret)
