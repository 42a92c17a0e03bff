from __future__ import annotations

import ast
import time
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intelligence.detect import (
    candidates,
    commands,
    detection,
    engine,
    exfiltration,
    patterns,
    pii,
    secret_rules,
    sentences,
)
from intelligence.detect.assigned import group as assigned
from intelligence.detect.engine import Group, Rule, Sieve, Text
from intelligence.detect.secrets import groups as secret_groups

FOLDER = Path(engine.__file__).parent
# But for what is white space to Python alone.
ASCII = st.characters(codec="ascii", exclude_characters="\x0b\x1c\x1d\x1e\x1f")
# What is sought by another beginning than its pattern tells.
BEGUN = [
    rule
    for group in (*secret_groups(), assigned(), pii.group(), pii.numbers())
    for rule in group.rules
    if rule.begin not in ("", rule.regex)
]
PATTERNS = [
    *(regex for _, regex in secret_rules.PREFIXED + secret_rules.PLACED),
    *(regex for _, _, regex in commands.RULES),
    *(one.regex for one in sentences.SENTENCES if one.family == sentences.MARK),
    *(rule.regex for rule in exfiltration.group().rules),
]


def test_no_pattern_runs_in_a_backtracking_engine() -> None:
    for path in FOLDER.rglob("*.py"):
        names = {
            alias.name.partition(".")[0]
            for node in ast.walk(ast.parse(path.read_text()))
            for alias in getattr(node, "names", [])
            if isinstance(node, ast.Import | ast.ImportFrom)
        }
        assert not names & {"re", "regex", "sre_compile"}, path


@given(st.text(), st.data())
def test_bytes_lead_back_to_code_points(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    held = Text(text)
    first = len(text[:start].encode("utf-8", "replace"))
    last = len(text[:end].encode("utf-8", "replace"))
    assert held.span(first, last) == (start, end)


def test_a_lone_surrogate_moves_nothing() -> None:
    assert Text("\ud800abc").span(1, 4) == (1, 4)


@pytest.mark.parametrize("regex", PATTERNS)
def test_what_a_pattern_matches_begins_as_its_beginning_does(regex: str) -> None:
    begin = patterns.beginning(regex)
    patterns.compiled(begin)
    assert not patterns.compiled(begin).match(b""), "an empty beginning stands everywhere"


@pytest.mark.parametrize(
    ("regex", "begin"),
    [
        ("abcd[0-9]{32}", "abcd[0-9]{6}"),
        ("abcd[0-9]{4}", "abcd[0-9]{4}"),
        ("abcd(?:x{40}|y)z", "abcd"),
        ("(?i)abcd.{0,60}z", "(?i)abcd"),
        (r"abcd[\]x]{0,30}", "abcd"),
        ("[0-9]{32}", "[0-9]{6}"),
        ("(?:x{40}|y)", "(?:x{40}|y)"),
    ],
)
def test_beginnings(regex: str, begin: str) -> None:
    assert patterns.beginning(regex) == begin


@pytest.mark.parametrize("before", [0, 5, engine.WINDOW - 5, engine.WINDOW, 2 * engine.WINDOW - 3])
def test_a_match_across_windows_is_found_once(before: int) -> None:
    group = Group([Rule("r", "t", "needle[0-9]{3}")])
    data = b" " * before + b"needle123" + b" " * 100
    assert [(h.start, h.end) for h in group.hits(Text(data.decode()))] == [(before, before + 9)]


def test_a_mark_in_the_middle() -> None:
    group = Group([Rule("r", "t", "@@", whole="[a-z]{2,9}@@[a-z]{2,9}", before=9)])
    assert [(h.start, h.end) for h in group.hits(Text("-- ab@@cd, xy@@zz"))] == [(3, 9), (11, 17)]


def test_a_mark_without_what_must_be_near() -> None:
    group = Group([Rule("r", "t", "@@", whole="[a-z:/]{2,9}@@[a-z]{2,9}", before=9, near=b"://")])
    assert [(h.start, h.end) for h in group.hits(Text("-- ab@@cd, x://y@@zz"))] == [(11, 20)]


@pytest.mark.parametrize("hyperscan", [True, False])
def test_groups_of_a_sieve_do_not_hide_each_other(monkeypatch: pytest.MonkeyPatch, hyperscan: bool) -> None:
    if not hyperscan:
        monkeypatch.setattr(candidates, "hyperscan", None)
    words, keys = Group([Rule("w", "w", "key=[a-z]{3,9}")]), Group([Rule("k", "k", "=abc[a-z]{2}")])
    text = Text("a key=abcde and =abcxy")
    Sieve([words, keys]).sift(text)
    assert [(h.start, h.end) for h in words.hits(text)] == [(2, 11)]
    assert [(h.start, h.end) for h in keys.hits(text)] == [(5, 11), (16, 22)]


def test_an_accepted_match_hides_what_overlaps_it_in_its_group() -> None:
    group = Group(
        [
            Rule("no", "t", "abc[0-9]{2}", accept=lambda data, start, end: False),
            Rule("yes", "t", "abc[0-9]{2}"),
            Rule("late", "t", "c[0-9]{2}d"),
        ]
    )
    assert [h.rule.id for h in group.hits(Text("abc12d"))] == ["yes"]


def test_the_deadline_is_looked_at() -> None:
    with pytest.raises(detection.DeadlineExceeded):
        Group([Rule("r", "t", "x")]).hits(Text("x"), time.thread_time() - 1)


@pytest.mark.parametrize("rule", BEGUN, ids=lambda rule: rule.id)
@pytest.mark.parametrize("hyperscan", [True, False])
@settings(deadline=None)  # patterns are compiled at the first
@given(data=st.data())
def test_a_beginning_given_by_hand_misses_nothing(rule: Rule, hyperscan: bool, data: st.DataObject) -> None:
    text = data.draw(st.from_regex(rule.regex, fullmatch=True, alphabet=ASCII))
    hits = [
        _begun(begin, rule, hyperscan=hyperscan).hits(Text(f"of {text} and")) for begin in (rule.begin, "")
    ]
    found = [[(hit.start, hit.end) for hit in some] for some in hits]
    assert found[0] == found[1] != []


@cache
def _begun(begin: str, rule: Rule, *, hyperscan: bool) -> Group:
    group = Group([replace(rule, begin=begin, accept=None)])
    with pytest.MonkeyPatch.context() as patch:
        if not hyperscan:
            patch.setattr(candidates, "hyperscan", None)
        group.hits(Text(""))
    return group
