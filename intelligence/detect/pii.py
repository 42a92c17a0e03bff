# ruff: noqa: E501  (a pattern reads better whole)
"""Personal data: addresses of people and machines, numbers that belong to one person.

What has a checksum is checked (cards, IBAN, national ids); what has none needs its usual shape or a word beside it
that says what it is. Names and street addresses are not looked for: no pattern tells them from other words.

Limits: a phone number without country code, usual grouping or a word beside it is not seen; eight digits are eight
digits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from ipaddress import ip_address

from intelligence.detect import national_ids, phones
from intelligence.detect.detection import Detection, check
from intelligence.detect.engine import BETWEEN_LOOKS, Group, Rule, Text, compiled

_NUMBER = r"\d(?:[ ().\-/]{0,2}\d)"
_PART = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"
_BIRTH = r"(?:date of birth|birth ?date|\bdob\b|\bborn\b|birthday|geboren|geburtsdatum|né\(?e?\)? le|date de naissance|fecha de nacimiento|data di nascita|data de nascimento)"
_DATE = (
    r"\b(?:(?:19|20)\d\d[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](?:19|20)?\d\d"
    r"|\d{1,2}(?:st|nd|rd|th)?\.? (?:of )?[A-Za-z]{3,9}\.?,? (?:19|20)\d\d|[A-Z][a-z]{2,8}\.? \d{1,2}(?:st|nd|rd|th)?,? (?:19|20)\d\d)\b"
)
_CARD_WORD = compiled(
    r"(?i)card|credit|debit|visa|mastercard|amex|\bpan\b|\bcc\b|payment|karte|carte|tarjeta"
)


def pii(text: Text, deadline: float | None = None) -> list[Detection]:
    """Personal data in `text`, in order, without overlaps. Raises `DeadlineExceeded`."""
    found = [*_shaped(text, deadline), *_numbers(text, deadline)]
    found.sort(key=lambda d: (-d.score, d.start - d.end))
    kept: list[Detection] = []
    for detection in found:
        if all(detection.end <= k.start or k.end <= detection.start for k in kept[-64:]):
            kept.append(detection)
    return sorted(kept, key=lambda d: d.start)


@cache
def group() -> Group:
    """What is known by its letters."""
    return Group(
        (
            Rule(
                "pii.email_address",
                "email_address",
                r"[A-Za-z0-9!#$%&'*+/=?^_{|}~.-]@[A-Za-z0-9]",
                0.9,
                _an_email,
                r"[A-Za-z0-9!#$%&'*+/=?^_{|}~.-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,62})?\.){1,6}[A-Za-z][A-Za-z0-9-]{1,23}",
                64,
            ),
            Rule(
                "pii.iban_code",
                "iban_code",
                r"(?i)\b[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}\b",
                0.9,
                national_ids.is_iban,
            ),
            Rule(
                "pii.iban_code.grouped",
                "iban_code",
                r"\b[A-Z]{2}[0-9]{2}(?:[ -][A-Z0-9]{4}){2,7}(?:[ -][A-Z0-9]{1,3})?\b",
                0.9,
                national_ids.is_iban,
            ),
            Rule("pii.ip_address", "ip_address", r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}", 0.6, _an_ip),
            Rule(
                "pii.ip_address.6",
                "ip_address",
                r"(?i)(?:[0-9a-f]{1,4}:){2,7}(?::?[0-9a-f]{1,4}){1,6}",
                0.6,
                _an_ip,
                begin=r"(?i)[0-9a-f]:[0-9a-f]{1,4}::?[0-9a-f]",
            ),
            Rule("pii.mac_address", "mac_address", r"(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}", 0.5, _a_mac),
            Rule("pii.date_of_birth", "date_of_birth", rf"(?i){_BIRTH}[^\n]{{0,24}}?({_DATE})", 0.7),
            *national_ids.LETTERED,
        )
    )


@cache
def numbers() -> Group:
    return Group([Rule("pii.number", "number", _NUMBER + "{5,24}", begin=_NUMBER + "{5}")])


def _shaped(text: Text, deadline: float | None) -> Iterator[Detection]:
    for hit in group().hits(text, deadline):
        yield Detection("pii", hit.rule.type, hit.rule.score, *text.span(hit.start, hit.end), hit.rule.id)


def _numbers(text: Text, deadline: float | None) -> Iterator[Detection]:
    """Each run of digits is asked what it is, the surest first."""
    readers: tuple[Callable[[bytes, int, int], tuple[str, float, int, int] | None], ...] = (
        _card,
        national_ids.number,
        phones.phone,
    )
    for number, hit in enumerate(numbers().hits(text, deadline)):
        if not number % BETWEEN_LOOKS:
            check(deadline)
        for reader in readers:
            if (found := reader(text.data, hit.start, hit.end)) is not None:
                type, score, first, last = found
                yield Detection("pii", type, score, *text.span(first, last), f"pii.{type}")
                break


def _free(data: bytes, start: int, end: int) -> bool:
    return not (start and data[start - 1] in _PART) and not (end < len(data) and data[end] in _PART)


def _a_mac(data: bytes, start: int, end: int) -> bool:
    """Six bytes, not six of a longer row such as a fingerprint."""
    return (
        _free(data, start, end)
        and data[start - 1 : start] not in (b":", b"-")
        and data[end : end + 1] not in (b":", b"-")
    )


def _card(data: bytes, start: int, end: int) -> tuple[str, float, int, int] | None:
    value = data[start:end]
    digits = bytes(c for c in value if 48 <= c < 58)
    if (
        not 12 <= len(digits) <= 19
        or not _free(data, start, end)
        or data[start - 1 : start] in (b".", b"-", b"+")
    ):
        return None
    word = _CARD_WORD.search(data, max(0, start - 60), start) is not None
    if not luhn(digits) or not (_brand(digits) or (word and digits[:1] in b"56" and digits[:1])):
        return None
    grouped = len(digits) != len(value)
    if (
        grouped
        and not word
        and not phones.grouped_by(value, (4, 4, 4, 4), (4, 6, 5), (4, 6, 4), (4, 4, 4, 4, 3))
    ):
        return None
    return ("credit_card", 0.9 if word or grouped else 0.7, start, end)


def _brand(digits: bytes) -> bool:
    """Issuer ranges with the lengths they come in."""
    size, two, four = len(digits), int(digits[:2]), int(digits[:4])
    return (
        (digits[0] == 0x34 and size in (13, 16, 19))
        or (
            size == 16
            and (
                51 <= two <= 55
                or 2221 <= four <= 2720
                or two in (35, 65)
                or four == 6011
                or 6440 <= four <= 6499
            )
        )
        or (size == 15 and (two in (34, 37) or four in (2131, 1800)))
        or (size == 14 and (two in (36, 38, 39) or 3000 <= four <= 3059))
        or (16 <= size <= 19 and two == 62)
        or (12 <= size <= 19 and four in (5018, 5020, 5038, 5893, 6304, 6759, 6761, 6762, 6763))
    )


def luhn(digits: bytes) -> bool:
    """The check digit of cards (ISO/IEC 7812-1)."""
    total = 0
    for place, code in enumerate(reversed(digits)):
        value = code - 48
        if place % 2:
            value = value * 2 - 9 if value > 4 else value * 2
        total += value
    return total % 10 == 0 and len(set(digits)) > 1


def _an_email(data: bytes, start: int, end: int) -> bool:
    value = data[start:end]
    local, _, domain = value.partition(b"@")
    top = domain.rpartition(b".")[2].lower()
    # `user@2x.png`, `git@github.com:...`, packages `pkg@1.2.x` are no mail.
    if (
        local.endswith(b".")
        or b".." in value
        or top in _FILES
        or (domain[:1].isdigit() and b"." not in domain[:-4])
    ):
        return False
    return (
        not (local == b"git" and data[end : end + 1] == b":")
        and data[max(0, start - 3) : start] != b"://"
        and b"//" not in local
    )


_FILES = frozenset(
    b"png jpg jpeg gif svg webp py js ts tsx jsx css json md txt html yml yaml toml lock sh so service target".split()
)


def _an_ip(data: bytes, start: int, end: int) -> bool:
    if (
        not _free(data, start, end)
        or data[start - 1 : start] in (b".", b":", b"-", b"/", b"=", b"v")
        or data[end : end + 2][:1] == b"-"
    ):
        return False
    if data[end : end + 1] in (b".", b":") and data[end + 1 : end + 2].isalnum() and b":" in data[start:end]:
        return False
    try:
        address = ip_address(data[start:end].decode())
    except ValueError:
        return False
    if address.version == 6 and data[start:end].count(b":") < 4:
        return False
    if address.version == 6:
        return not (address.is_loopback or address.is_unspecified)
    # A version `1.2.3.4` is no address; neither are those that everybody has, or nobody.
    small = all(int(p) < 20 for p in data[start:end].split(b"."))
    common = data[start:end].startswith(
        (
            b"192.168.0.",
            b"192.168.1.",
            b"10.0.",
            b"172.16.0.",
            b"172.17.0.",
            b"192.0.2.",
            b"198.51.100.",
            b"203.0.113.",
            b"255.",
        )
    )
    return not (
        small
        or common
        or address.is_loopback
        or address.is_unspecified
        or address.is_multicast
        or address.is_link_local
    )
