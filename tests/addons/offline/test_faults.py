"""Directives: how they are read, and what they do to a stream."""

from __future__ import annotations

import pytest

from addons.offline.faults import (
    GARBAGE,
    DirectiveError,
    Directives,
    Signal,
    directives,
    disturbed,
    disturbed_document,
    without_directives,
)


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("nothing", Directives()),
        ("[[offline: status=429 retry_after=1.5]]", Directives(status=429, retry_after=1.5)),
        ("a [[offline:cut]] b [[offline: drip_ms=50 ]]", Directives(cut=3, drip_ms=50)),
        ("[[offline: cut=0 eof=1 error_event garbage]]", Directives(cut=0, eof=1, error_event=2, garbage=2)),
        (r'[[offline: text="two \"words\"\n" thinking]]', Directives(text='two "words"\n', thinking=True)),
        ("[[offline: text=one thinking=false]]", Directives(text="one")),
        ("[[offline: length=3]] [[offline: length=5 times=2]]", Directives(length=5, times=2)),
        ('[[offline:\n status=500\n message="no"]]', Directives(status=500, message="no")),
        ("[[offline: encoding=br]]", Directives(encoding="br")),
    ],
)
def test_read(prompt, expected):
    assert directives(prompt) == expected


@pytest.mark.parametrize(
    ("prompt", "told"),
    [
        ("[[offline: sttus=1]]", "Unknown offline directive 'sttus'"),
        ("[[offline: status=many]]", "'status' cannot be many"),
        ("[[offline: status]]", "'status' needs a value"),
        ("[[offline: status=200]]", "must be an error"),
        ('[[offline: text="open]]', "Cannot read the offline directive near"),
        ("[[offline: encoding=lzma]]", "encoding must be"),
    ],
)
def test_mistakes_are_told(prompt, told):
    with pytest.raises(DirectiveError, match=told):
        directives(prompt)


def test_an_error_event_is_no_refusal():
    assert directives("[[offline: status=529]]").refuses
    assert not directives("[[offline: status=529 error_event]]").refuses


def test_without_directives():
    assert without_directives(" say [[offline: cut]] this ") == "say  this"


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        (Directives(), [b"a", b"b", b"c"]),
        (Directives(cut=0), [Signal.CUT]),
        (Directives(cut=2), [b"a", b"b", Signal.CUT]),
        (Directives(eof=2), [b"a", b"b"]),
        (Directives(error_event=1), [b"a", b"ERR"]),
        (Directives(garbage=1), [b"a", GARBAGE, b"b", b"c"]),
    ],
)
def test_streams(faults, expected):
    assert list(disturbed([b"a", b"b", b"c"], faults, b"ERR")) == expected


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        (Directives(cut=3), [b"abcd", Signal.CUT]),
        (Directives(eof=3), [b"abcd"]),
        (Directives(error_event=2), [b"ERR"]),
        (Directives(garbage=2), [GARBAGE]),
        (Directives(drip_ms=1), [b"a", b"b", b"c", b"d", b"e", b"f", b"g", b"h"]),
    ],
)
def test_documents(faults, expected):
    assert list(disturbed_document(b"abcdefgh", faults, b"ERR")) == expected
