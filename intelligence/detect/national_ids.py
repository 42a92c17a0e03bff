"""Numbers that states and banks give to one person, checked by python-stdnum where they have a check digit.

A format that nothing else has is enough by itself (an Italian codice fiscale, a Brazilian CPF with its dots). A bare
row of digits needs a word before it that says what it is; a check digit alone is right one time in ten by chance.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache

from intelligence.detect.engine import Rule, compiled

# How far before a number its word may stand, in bytes.
_CONTEXT = 64


def _valid(module: str) -> Callable[[str], bool]:
    """`is_valid` of a module of stdnum, imported when first asked."""

    @cache
    def is_valid() -> Callable[[str], bool]:
        function: Callable[[str], bool] = importlib.import_module(f"stdnum.{module}").is_valid
        return function

    return lambda value: is_valid()(value)


def is_iban(data: bytes, start: int, end: int) -> bool:
    return _valid("iban")(data[start:end].decode("ascii", "replace").upper())


def _checked(module: str) -> Callable[[bytes, int, int], bool]:
    valid = _valid(module)
    return lambda data, start, end: valid(data[start:end].decode("ascii", "replace").upper())


def _near(words: str) -> Callable[[bytes, int, int], bool]:
    pattern = compiled(rf"(?i)(?:{words})[^\n]{{0,40}}$")
    return lambda data, start, end: pattern.search(data[max(0, start - _CONTEXT) : start]) is not None


def _lettered(type: str, regex: str, accept: Callable[[bytes, int, int], bool], begin: str = "") -> Rule:
    return Rule(f"pii.{type}", type, rf"\b{regex}\b", 0.9, accept, begin=begin)


def _worded(type: str, words: str, regex: str) -> Rule:
    """What is one only behind its word."""
    return Rule(f"pii.{type}", type, rf"(?i)(?:{words})[^\n]{{0,40}}?\b({regex})\b", 0.7)


# Those with letters in them.
LETTERED: tuple[Rule, ...] = (
    Rule(
        "pii.it_fiscal_code",
        "it_fiscal_code",
        # Six letters stand everywhere, so the year is its mark: of two people with one code, digits of the second become letters
        # from the right.
        r"(?i)[0-9]{2}[ABCDEHLMPRST][0-9LMNPQRSTUV]{2}[A-Z]",
        0.9,
        _checked("it.codicefiscale"),
        r"(?i)\b[A-Z]{6}[0-9]{2}[ABCDEHLMPRST][0-9LMNPQRSTUV]{2}[A-Z][0-9LMNPQRSTUV]{3}[A-Z]\b",
        before=16,
        behind=16,
    ),
    _lettered("mx_curp", r"[A-Z]{4}[0-9]{6}[HM][A-Z]{5}[A-Z0-9][0-9]", _checked("mx.curp")),
    _lettered(
        "uk_nino",
        r"(?i:[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D])",
        _near("national insurance|\\bni\\b|\\bnino\\b|insurance n"),
        begin=r"(?i)[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D]\b",
    ),
    _lettered("es_nif", r"[0-9]{8}-?[A-Z]", _checked("es.dni")),
    _lettered("es_nie", r"[XYZ]-?[0-9]{7}-?[A-Z]", _checked("es.nie")),
    _lettered("sg_nric", r"[STFG][0-9]{7}[A-Z]", _near("nric|\\bfin\\b|identity card")),
    _lettered("fi_hetu", r"[0-3][0-9][01][0-9]{3}[-+A-FU-Y][0-9]{3}[0-9A-Y]", _checked("fi.hetu")),
    _lettered(
        "in_pan", r"[A-Z]{3}[PCHABGJLFT][A-Z][0-9]{4}[A-Z]", _near("\\bpan\\b|permanent account|income tax")
    ),
    _worded(
        "passport", r"passport|passeport|reisepass|pasaporte|passaporto", r"[A-Z]{1,2}[0-9]{6,8}|[0-9]{9}"
    ),
    _worded(
        "driver_license",
        r"driver'?s?[ -]licen[sc]e|driving licen[sc]e|führerschein|permis de conduire",
        r"[A-Z]{0,2}[0-9]{5,14}[A-Z]{0,2}|[0-9]{3,4}-[0-9]{2,4}-[0-9]{3,4}",
    ),
    _worded(
        "medical_record_number",
        r"\bmrn\b|medical record|patient (?:id|number)|health record",
        r"[A-Z]{0,3}-?[0-9]{5,12}",
    ),
)

# Digits alone: (type, lengths, words, module of stdnum or none).
_NUMBERS: tuple[tuple[str, tuple[int, ...], str, str], ...] = (
    ("us_ssn", (9,), "\\bssn\\b|social security|\\bss#", ""),
    ("us_itin", (9,), "\\bitin\\b|taxpayer identification", "us.itin"),
    ("us_bank_routing", (9,), "routing|\\baba\\b", "us.rtn"),
    (
        "us_bank_account",
        (8, 9, 10, 11, 12, 13, 14, 15, 16, 17),
        "bank account|account (?:number|no\\.?|#)|checking account|savings account",
        "",
    ),
    ("ca_sin", (9,), "\\bsin\\b|social insurance", "ca.sin"),
    ("uk_nhs", (10,), "\\bnhs\\b|health service", "gb.nhs"),
    ("au_tfn", (8, 9), "\\btfn\\b|tax file", "au.tfn"),
    ("au_medicare", (10, 11), "medicare", ""),
    ("in_aadhaar", (12,), "aadh?aar|\\buid(?:ai)?\\b", "in_.aadhaar"),
    ("de_tax_id", (11,), "steuer|\\bidnr|tax id", "de.idnr"),
    ("fr_nir", (13, 15), "sécurité sociale|securite sociale|\\bnir\\b|num[ée]ro de s[ée]cu|insee", ""),
    ("es_ssn", (12,), "seguridad social", ""),
    ("nl_bsn", (8, 9), "\\bbsn\\b|burgerservice|sofi", "nl.bsn"),
    ("be_nn", (11,), "rijksregister|registre national|national number|\\bnn\\b", "be.nn"),
    ("pl_pesel", (11,), "pesel", "pl.pesel"),
    ("se_personnummer", (10, 12), "personnummer|personal (?:identity )?number|\\bpnr\\b", "se.personnummer"),
    ("dk_cpr", (10,), "\\bcpr\\b|personnummer", ""),
    ("no_fodselsnummer", (11,), "f[øo]dselsnummer|personnummer|\\bfnr\\b|national id", "no.fodselsnummer"),
    ("br_cpf", (11,), "\\bcpf\\b", "br.cpf"),
    ("za_id", (13,), "\\bid (?:number|no)|identity number|south african id", "za.idnr"),
    ("tr_tckn", (11,), "\\btckn?\\b|kimlik", "tr.tckimlik"),
    ("il_id", (9,), "teudat|israeli id|\\btz\\b", "il.idnr"),
    ("jp_my_number", (12,), "my number|マイナンバー|個人番号", ""),
    ("cn_id", (18,), "身份证|\\bid\\b|identity", ""),
    ("kr_rrn", (13,), "\\brrn\\b|주민등록|resident registration", ""),
)
_READERS = tuple(
    (type, lengths, _near(words), _valid(module) if module else None)
    for type, lengths, words, module in _NUMBERS
)
_LENGTHS = frozenset(length for _, lengths, _, _ in _READERS for length in lengths)

# Formats that need no word: (type, format, module).
_FORMATS = (
    (
        "us_ssn",
        compiled(
            r"^(?:00[1-9]|0[1-9][0-9]|[1-578][0-9]{2}|6[0-57-9][0-9]|66[0-57-9])-(?:0[1-9]|[1-9][0-9])-(?:[1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])$"
        ),
        None,
    ),
    ("br_cpf", compiled(r"^[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}$"), _valid("br.cpf")),
    (
        "kr_rrn",
        compiled(r"^[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])-[1-8][0-9]{6}$"),
        _valid("kr.rrn"),
    ),
    ("in_aadhaar", compiled(r"^[2-9][0-9]{3} [0-9]{4} [0-9]{4}$"), _valid("in_.aadhaar")),
    (
        "cn_id",
        compiled(r"^[1-8][0-9]{5}(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]{4}$"),
        _valid("cn.ric"),
    ),
    ("no_fodselsnummer", compiled(r"^[0-3][0-9][01][0-9]{3} [0-9]{5}$"), _valid("no.fodselsnummer")),
    (
        "se_personnummer",
        compiled(r"^(?:19|20)?[0-9]{2}[01][0-9][0-3][0-9]-[0-9]{4}$"),
        _valid("se.personnummer"),
    ),
    ("be_nn", compiled(r"^[0-9]{2}\.[0-9]{2}\.[0-9]{2}-[0-9]{3}\.[0-9]{2}$"), _valid("be.nn")),
)
_PART = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-/\\"


def number(data: bytes, start: int, end: int) -> tuple[str, float, int, int] | None:
    """(type, score, start, end) when the digits from `start` to `end` are one of these."""
    value = data[start:end]
    digits = bytes(c for c in value if 48 <= c < 58)
    if len(digits) not in _LENGTHS or (start and data[start - 1] in _PART) or _goes_on(data, end):
        return None
    for type, shape, valid in _FORMATS:
        if shape.search(value) and (valid is None or valid(value.decode())):
            return type, 0.9 if valid else 0.8, start, end
    for type, lengths, near, checked in _READERS:
        if (
            len(digits) in lengths
            and near(data, start, end)
            and (checked is None or checked(digits.decode()))
        ):
            return type, 0.8, start, end
    return None


def _goes_on(data: bytes, end: int) -> bool:
    following = data[end : end + 2]
    return (
        following[:1].isalnum()
        or following[:1] == b"_"
        or (following[:1] in (b"-", b".") and following[1:].isalnum())
    )
