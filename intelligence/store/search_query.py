"""What a person types into the search box, read: `model:gpt-5 role:user cost>0.1 "exact words" -not begin*`.

Words must all be there, quoted ones in their order, `-` leaves out, `*` stands for any end. `name:value` narrows by what a call
is, `name:a,b` allows either, `-name:value` excludes; numbers and times take `>`, `>=`, `<`, `<=` or `from..to`. What begins like
no filter is words. Only a filter that cannot be meant is an error, and it is said why. No input makes `read` raise, and no sign
in it reaches FTS5 but inside quotes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from difflib import get_close_matches

from intelligence.store.search import ROLES

MOST_CHARS = 500
MOST_TERMS = 24
LEAST_PREFIX = 3

# By what is typed: the column of `requests`.
NAMES = ("provider", "model", "client", "user")
STATES = ("pending", "complete", "aborted", "error", "blocked", "interrupted")
NUMBERS = ("cost", "tokens", "input", "output", "duration")
TIMES = ("since", "until")
FILTERS = (*NAMES, "role", "state", "tool", "session", *NUMBERS, *TIMES)

_TERM = re.compile(r'-?(?:[a-z]+(?:[:=]|[<>]=?))?(?:"[^"]*"?|[^\s"])+', re.IGNORECASE)
_FILTER = re.compile(
    r"(?P<minus>-?)(?P<name>[a-z]+)(?P<sign>:|=|[<>]=?)(?P<value>.*)", re.IGNORECASE | re.DOTALL
)
_NUMBER = re.compile(r"\$?(\d{1,12}(?:\.\d{0,9})?|\.\d{1,9})\s*(k|m|b|ms|s|min|h)?", re.IGNORECASE)
_AGO = re.compile(r"(\d{1,5})\s*(min|h|d|w|y)", re.IGNORECASE)
_SIZES = {"k": 1e3, "m": 1e6, "b": 1e9}
_SPANS = {"ms": 1.0, "s": 1e3, "min": 60e3, "h": 3600e3}
_STEPS = {"min": 60e3, "h": 3600e3, "d": 86400e3, "w": 7 * 86400e3, "y": 365 * 86400e3}


class QueryError(Exception):
    """A filter that cannot be meant. The message is for the user."""


@dataclass(frozen=True, slots=True)
class Range:
    """Both ends included, unless `above`, `below`."""

    least: float | None = None
    most: float | None = None
    above: bool = False
    below: bool = False


@dataclass(frozen=True, slots=True)
class Term:
    """`raw` as it was typed. `values` of a filter by name; `words` are in the order of an FTS5 phrase."""

    raw: str
    name: str = ""  # of a filter; empty: words
    excluded: bool = False
    values: tuple[str, ...] = ()
    range: Range = Range()
    phrase: str = ""
    prefix: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    terms: tuple[Term, ...] = ()
    errors: tuple[str, ...] = ()
    text: str = ""

    def of(self, name: str) -> list[Term]:
        return [term for term in self.terms if term.name == name]

    @property
    def words(self) -> list[Term]:
        return self.of("")

    @property
    def filters(self) -> list[Term]:
        return [term for term in self.terms if term.name]

    def match(self) -> str | None:
        """For FTS5. None without a word to be found."""
        wanted = [_quoted(t) for t in self.words if not t.excluded]
        unwanted = [_quoted(t) for t in self.words if t.excluded]
        return " NOT ".join([" ".join(wanted), *unwanted]) if wanted else None

    def without(self, term: Term) -> str:
        """What would be typed for all but this one."""
        return " ".join(t.raw for t in self.terms if t is not term)


@dataclass(slots=True)
class _Reading:
    now_ms: int
    zone: tzinfo | None
    terms: list[Term] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def read(text: str, *, now_ms: int, zone: tzinfo | None = None) -> Query:
    """`now_ms` and `zone` are for times: `since:7d`, `until:2026-11-20`. Without a zone that of this machine."""
    text = _plain(text)
    if len(text) > MOST_CHARS:
        return Query(
            (), (f"A search has at most {MOST_CHARS} characters; this one has {len(text):,}.",), text
        )
    reading = _Reading(now_ms, zone)
    raws = _TERM.findall(text)
    if len(raws) > MOST_TERMS:
        return Query(
            (), (f"A search has at most {MOST_TERMS} words and filters; this one has {len(raws)}.",), text
        )
    for raw in raws:
        try:
            if term := _term(raw, reading):
                reading.terms.append(term)
        except QueryError as e:
            reading.errors.append(str(e))
    query = Query(tuple(reading.terms), tuple(reading.errors), text)
    if query.words and query.match() is None:
        error = f"{query.words[0].raw} says what to leave out; add a word that is to be found."
        query = Query(query.terms, (*query.errors, error), text)
    return query


def written(name: str, value: str) -> str:
    """A filter as one would type it."""
    value = _plain(value.replace('"', " "))
    return f"{name}:{value}" if re.fullmatch(r'[^\s",]+', value) else f'{name}:"{value}"'


def _plain(text: str) -> str:
    return " ".join(text.replace("\0", " ").encode("utf-8", "replace").decode().split())


def _term(raw: str, reading: _Reading) -> Term | None:
    found = _FILTER.fullmatch(raw)
    if found is None:
        return _words(raw)
    name, sign, value = found["name"].lower(), found["sign"], found["value"]
    if name not in FILTERS:
        # `http://…`, `a>b`: words. What looks like a slip of the pen is asked about.
        close = get_close_matches(name, FILTERS, 1, 0.75)
        if close and sign == ":" and value[:1] not in (":", "/"):
            raise QueryError(
                f'There is no filter {name}: . Was {close[0]}: meant? To search for the words, write "{raw}".'
            )
        return _words(raw)
    if not value.strip('" ,'):
        raise QueryError(f"{raw} lacks a value, like {EXAMPLES[name]}.")
    excluded = bool(found["minus"])
    if name in NUMBERS or name in TIMES:
        if excluded:
            raise QueryError(f"{raw}: a range cannot be left out; turn it round, like {EXAMPLES[name]}.")
        kind = _time if name in TIMES else _number
        return Term(raw, name, range=kind(name, sign, value.replace('"', ""), reading))
    if sign not in (":", "="):
        raise QueryError(f"{name} is no number; write {EXAMPLES[name]}.")
    values = tuple(v for v in (part.strip() for part in _listed(value)) if v)
    for allowed, of in ((ROLES, "role"), (STATES, "state")):
        if name == of and (wrong := next((v for v in values if v.lower() not in allowed), None)) is not None:
            raise QueryError(f"There is no {name} {wrong}; it is one of {', '.join(allowed)}.")
    return Term(
        raw, name, excluded, tuple(v.lower() for v in values) if name in ("role", "state") else values
    )


def _listed(value: str) -> list[str]:
    """Parts between commas; a quoted part may hold some."""
    return [quoted or plain for quoted, plain in re.findall(r'"([^"]*)"?|([^",]+)', value)]


def _words(raw: str) -> Term | None:
    """A word with signs in it is a phrase: that is what FTS5 makes of it. None where there is nothing to find."""
    excluded = raw.startswith("-") and any(map(str.isalnum, raw))
    text = raw[1:] if excluded else raw
    quoted = text.startswith('"')
    phrase = " ".join(text.replace('"', " ").split())
    prefix = not quoted and phrase.endswith("*")
    phrase = phrase.rstrip("*") if prefix else phrase
    if not any(map(str.isalnum, phrase)):
        return None
    if prefix and len(re.split(r"[\W_]+", phrase)[-1]) < LEAST_PREFIX:
        raise QueryError(f"{raw}: give at least {LEAST_PREFIX} letters before the star.")
    return Term(raw, excluded=excluded, phrase=phrase, prefix=prefix)


def _quoted(term: Term) -> str:
    return '"' + term.phrase.replace('"', " ") + '"' + ("*" if term.prefix else "")


def _number(name: str, sign: str, value: str, reading: _Reading) -> Range:
    def number(text: str) -> float:
        found = _NUMBER.fullmatch(text.strip().replace(",", ""))
        unit = (found[2] or "").lower() if found else ""
        units = _SPANS if name == "duration" else {} if name == "cost" else _SIZES
        if found is None or (unit and unit not in units):
            raise QueryError(f"{text!r} is no number for {name}; write {EXAMPLES[name]}.")
        return float(found[1]) * units.get(unit, 1.0)

    return _range(sign, value, number)


def _range(sign: str, value: str, number: Callable[[str], float]) -> Range:
    least, dots, most = value.partition("..")
    if dots:
        return Range(number(least) if least.strip() else None, number(most) if most.strip() else None)
    at = number(value)
    if sign in (">", ">="):
        return Range(least=at, above=sign == ">")
    if sign in ("<", "<="):
        return Range(most=at, below=sign == "<")
    return Range(at, at)


def _time(name: str, sign: str, value: str, reading: _Reading) -> Range:
    """`since` from that moment on, `until` up to it; a whole day or month is meant to its end."""
    if sign not in (":", "="):
        raise QueryError(f"{name} takes a colon: {EXAMPLES[name]}.")
    begin, end = _moment(name, value.strip(), reading)
    return Range(least=begin) if name == "since" else Range(most=end, below=True)


def _moment(name: str, value: str, reading: _Reading) -> tuple[float, float]:
    if found := _AGO.fullmatch(value):
        at = reading.now_ms - int(found[1]) * _STEPS[found[2].lower()]
        return at, at
    now = datetime.fromtimestamp(reading.now_ms / 1000, reading.zone)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    days = {"today": midnight, "yesterday": midnight - timedelta(days=1)}
    try:
        if re.fullmatch(r"\d{4}-\d\d", value):
            day = datetime.fromisoformat(f"{value}-01")
            after = (day + timedelta(days=32)).replace(day=1)
        elif (day := days.get(value.lower()) or datetime.fromisoformat(value)) and len(value) <= 10:
            after = day + timedelta(days=1)
        else:
            after = day
        begin, end = (t.replace(tzinfo=t.tzinfo or reading.zone).timestamp() * 1000 for t in (day, after))
    except (ValueError, OverflowError, OSError):
        raise QueryError(f"{value!r} is no time; write {EXAMPLES[name]}.") from None
    return begin, end


EXAMPLES = {
    "provider": "provider:anthropic",
    "model": "model:gpt-5 or model:claude*",
    "client": "client:claude-code",
    "user": "user:ada",
    "role": "role:user",
    "state": "state:error",
    "tool": "tool:Bash",
    "session": "session: and its id",
    "cost": "cost>0.5 or cost:0.1..2 (US dollars)",
    "tokens": "tokens>100k or tokens:1000..5000",
    "input": "input>100k",
    "output": "output<50",
    "duration": "duration>30s",
    "since": "since:7d, since:yesterday or since:2026-11-01",
    "until": "until:2026-11-20 or until:2026-11-20T14:30",
}
