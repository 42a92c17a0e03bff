"""A body cut and read piece by piece says what it says whole."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intelligence.wire.json_value import decode
from intelligence.wire.pieces import MAX_BYTES, MAX_PIECES, Piece, Unsplit, pieces
from intelligence.wire.places import places
from tests.intelligence.rewrite.bodies import VALUES, spelled, value_of
from tests.intelligence.wire import corpus
from tests.intelligence.wire.place_cases import CASES
from tests.intelligence.wire.test_places import KEYS, SHAPES, told


def read(made: list[Piece]) -> list[tuple[Any, ...]]:
    names: dict[str, str] = {}
    found = []
    for piece in made:
        here, own = piece.places(names)
        names |= own
        found += told(here)
    return found


def same(format_: str | None, operation: str | None, body: bytes) -> None:
    """Members no format has may come in another order."""
    whole = told(places(format_, operation, "/", decode(body)))
    assert sorted(read(pieces(format_, operation, body)), key=repr) == sorted(whole, key=repr)


@pytest.mark.parametrize("name", CASES)
def test_in_every_shape_and_in_order(name: str) -> None:
    format_, operation, value, _ = CASES[name]
    if not isinstance(value, dict):
        with pytest.raises(Unsplit):
            pieces(format_, operation, json.dumps(value).encode())
        return
    body = json.dumps(value).encode()
    assert read(pieces(format_, operation, body)) == told(places(format_, operation, "/", value))


@settings(max_examples=150, deadline=None)
@given(st.data(), st.sampled_from([("rerank", "rerank"), ("openai-chat", "chat"), (None, None)]))
def test_any_object(data: st.DataObject, kind: tuple[str | None, str | None]) -> None:
    value = data.draw(st.dictionaries(KEYS, st.one_of(SHAPES, VALUES), max_size=5))
    body = data.draw(spelled(value))
    try:
        made = pieces(*kind, body)
        found = read(made)
    except Unsplit:
        return
    whole = told(places(*kind, "/", value_of(body)))
    assert sorted(found, key=repr) == sorted(whole, key=repr)


def test_each_message_is_a_piece() -> None:
    body = (
        b'{ "model" : "m", "messages" : [ {"role":"user","content":"a"} , {"role":"user","content":"b"} ] }'
    )
    made = pieces("openai-chat", "chat", body)
    assert [(piece.member.key, piece.number, bytes(piece.raw)) for piece in made] == [
        ("messages", 0, b'{"role":"user","content":"a"}'),
        ("messages", 1, b'{"role":"user","content":"b"}'),
        ("model", 0, b'"m"'),
    ]


def test_what_a_wrapper_holds_is_cut_too() -> None:
    turns = [{"role": "user", "parts": [{"text": n}]} for n in "ab"]
    body = json.dumps({"project": "p", "request": {"contents": turns, "session_id": "s"}}).encode()
    made = pieces("gemini", "generate_content", body)
    assert [(piece.member.at, piece.member.key, piece.number) for piece in made] == [
        ("/request", "contents", 0),
        ("/request", "contents", 1),
        ("/request", "session_id", 0),
        ("", "project", 0),
    ]
    same("gemini", "generate_content", body)


@pytest.mark.parametrize(
    "value",
    [
        {"input": ["a"], "session": {"messages": ["b"]}},
        {"session": "b", "input": ["a"]},
        {"response": {"x": "b"}, "request": ["c"], "prompt": "a"},
        {"request": {"session": {"y": "c"}, "input": "b", "system": "a"}},
    ],
    ids=["before input", "a string", "no requests", "in a wrapper"],
)
def test_wrappers_stand_where_they_are_read(value: dict[str, Any]) -> None:
    assert read(pieces(None, "chat", json.dumps(value).encode())) == told(places(None, "chat", "/", value))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"3",
        b"[]",
        b'{"a":1',
        b'{"a":1} x',
        b'{"type":"text","data":"x"}',
        b'{"a":"' + b"x" * MAX_BYTES + b'"}',
        b'{"messages":[' + b"1," * MAX_PIECES + b"1]}",
        b"{" + b",".join(b'"%d":1' % n for n in range(MAX_PIECES + 1)) + b"}",
    ],
    ids=["empty", "number", "list", "cut off", "more behind", "a text", "huge", "many items", "many members"],
)
def test_what_cannot_be_cut(body: bytes) -> None:
    with pytest.raises(Unsplit):
        pieces(None, None, body)


@pytest.mark.parametrize(
    "text", [b"\\ud800", b"\xff", b"\n"], ids=["half a pair", "no UTF-8", "raw line end"]
)
def test_what_strict_json_forbids(text: bytes) -> None:
    with pytest.raises(Unsplit):
        read(pieces(None, "chat", b'{"messages":[{"role":"user","content":"' + text + b'"}]}'))


def test_context_tells_apart_what_is_read_differently() -> None:
    raw = msgspec.Raw(b'"x"')
    documents = (
        pieces("openai-chat", "chat", b'{"documents":"x"}'),
        pieces("rerank", "rerank", b'{"documents":"x"}'),
    )
    assert documents[0][0].member.context != documents[1][0].member.context
    turn, member = pieces(None, "chat", b'{"messages":["x"]}'), pieces(None, "chat", b'{"messages":"x"}')
    assert turn[0].member.context != member[0].member.context and bytes(turn[0].raw) == bytes(
        member[0].raw
    ) == bytes(raw)
    for named in ("[] messages", "item of messages", "all of messages"):
        (other,) = pieces(None, "chat", json.dumps({named: "x"}).encode())
        assert other.member.context not in (turn[0].member.context, member[0].member.context)


@pytest.mark.skipif(not corpus.FILES, reason=f"no corpus at {corpus.FOLDER} (LLMITM_CORPUS)")
@pytest.mark.parametrize("file", corpus.FILES)
def test_recorded_requests(file: str) -> None:
    cut = 0
    for exchange in corpus.exchanges(file):
        body, target = corpus.body_of(exchange, "request"), corpus.target_of(exchange)
        if not isinstance(decode(body), dict):
            continue
        same(target and target.format, target and target.operation, body)
        cut += 1
    assert cut
