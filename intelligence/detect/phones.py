# ruff: noqa: E501  (a pattern reads better whole)
"""Phone numbers: by country code, by the usual grouping, or by a word beside them.

A run of digits is a phone number if it begins with `+` or `00` and the numbering plan knows it (phonenumbers), if it
is grouped as numbers in North America are, or if a word before or behind says so. A date, a version or a sum is none.
"""

from __future__ import annotations

from intelligence.detect.engine import compiled

_WORDS = (
    r"phone|\btel\b|tel\.|telefon|téléphone|telephone|teléfono|telefono|telefoon|puhelin|\bcall(?:ing|ed)?\b|mobile|móvil|\bcell\b|cellular|handy\b|\bfax\b|\bdesk\b|contact|reach"
    r"|whatsapp|\bsms\b|\btext(?:ed)? (?:me|us|him|her|them)|messages? (?:to|on)|message on my registered|\bdial(?:l?ed|l?ing)?\b|\bring\b|answering at|hotline|helpline|call ?back"
    r"|landline|switchboard|extension|registered (?:number|mobile)|my number|number (?:is|at)|电话|手机|電話|전화"
)
# The word, then a few more words; or a field of that name.
_WORD_BEFORE = compiled(
    rf"(?i)(?:(?:{_WORDS})[^\n0-9'\"{{}}=<>()\[\]]{{0,24}}\n?[^\n0-9'\"{{}}=<>()\[\]]{{0,12}}|(?:phone|tel|mobile|fax|cell)[a-z_-]{{0,12}}[\"']?\s?[:=]\s?[\"'+(]{{0,3}}"
    r"|office(?: (?:number|phone|line))?[:,. ]{0,3}(?:is )?[(+]?)$"
)
_WORD_BEHIND = compiled(r"(?i)^[ \-(,]{0,3}(?:office|fax|mobile|cell|home|work|desk|phone|tel\b|landline)")
_OTHER_WORD = compiled(
    r"(?i)(?:account|card|order|invoice|ticket|tracking|case|reference|ref|serial|version|port|pid|issue|amount|price|cost|total|balance|zip|postal|isbn|id|line|bytes|size|tokens?|timestamp|latitude|longitude|ssn|iban|license|licence|passport|policy)"
    r"[ _-]?(?:no\.?|number|nr|#|code)?[ \"':=#]{0,6}(?:is|was|are|:)?[ \"':=#]{0,4}$"
)
_EXTENSION = compiled(r"(?i)^ ?(?:x|ext\.?|extension) ?[0-9]{1,6}\b", capture=False)
_NORTH_AMERICA = compiled(r"^(?:\+?1[ .-]?)?(?:\([0-9]{3}\) ?|[0-9]{3}[.-])[0-9]{3}[.-][0-9]{4}$")
_GROUPED = compiled(r"^\(?0?[0-9]{1,4}\)?(?:[ .\-/]{1,2}[0-9]{2,5}){1,5}$")
_DATE = compiled(
    r"^(?:(?:19|20)[0-9]{2}[-/.][0-9]{1,2}[-/.][0-9]{1,2}|[0-9]{1,2}[-/.][0-9]{1,2}[-/.](?:19|20)[0-9]{2})"
)
_ADJACENT = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_=$%&?~^*"
_ADJACENT_BEHIND = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_=%*"


def phone(data: bytes, start: int, end: int) -> tuple[str, float, int, int] | None:
    """(type, score, start, end) when the digits from `start` to `end` are a phone number."""
    first, last = _whole(data, start, end)
    value = data[first:last]
    digits = bytes(c for c in value if 48 <= c < 58)
    if not 7 <= len(digits) <= 16 or _DATE.search(value) or (first and data[first - 1] in _ADJACENT):
        return None
    extension = _EXTENSION.match(data[last : last + 16])
    if last < len(data) and not extension and data[last] in _ADJACENT_BEHIND:
        return None
    if (first and data[first - 1 : first] in (b".", b"/", b"-", b"\\", b"#", b"@")) or data[
        last : last + 1
    ] in (b"/", b"\\", b"@"):
        return None
    score = _score(data, first, last, value, digits)
    if score is None:
        return None
    return "phone_number", score, first, last + (extension.end() if extension else 0)


def _whole(data: bytes, start: int, end: int) -> tuple[int, int]:
    """With the `+` and the bracket that stand before the first digit."""
    while start and data[start - 1] in b"(+" and end - start < 40:
        start -= 1
    if data[start : start + 1] == b"(" and b")" not in data[start:end]:
        start += 1
    return start, end


def _score(data: bytes, first: int, last: int, value: bytes, digits: bytes) -> float | None:
    if value.lstrip(b"(").startswith(b"+") or (digits.startswith(b"00") and 11 <= len(digits) <= 16):
        international = digits if b"+" in value else digits[2:]
        return 0.9 if _possible(international) or _worded(data, first, last) else None
    if _NORTH_AMERICA.search(value) and b"-." not in value:
        return 0.8
    if not _worded(data, first, last) or _OTHER_WORD.search(data[max(0, first - 32) : first]):
        return None
    grouped = _GROUPED.search(value) is not None
    return (
        0.8
        if grouped
        else 0.7
        if len(digits) == len(value) and len(digits) <= 13
        else 0.6
        if len(digits) >= 8
        else None
    )


def _worded(data: bytes, first: int, last: int) -> bool:
    return (
        _WORD_BEFORE.search(data[max(0, first - 48) : first]) is not None
        or _WORD_BEHIND.search(data[last : last + 16]) is not None
        or _WORD_BEHIND.search(data[last : last + 24].lstrip(b"x0123456789")) is not None
    )


def _possible(digits: bytes) -> bool:
    import phonenumbers

    try:
        return phonenumbers.is_possible_number(phonenumbers.parse("+" + digits.decode()))
    except phonenumbers.NumberParseException:
        return False


def grouped_by(value: bytes, *groups: tuple[int, ...]) -> bool:
    """Whether the digits are written in one of these groupings, with one kind of separator."""
    separators = {c for c in value if not 48 <= c < 58}
    if len(separators) != 1:
        return False
    return tuple(len(part) for part in value.split(bytes(separators))) in groups
