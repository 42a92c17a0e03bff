import json
import sqlite3
import time
from contextlib import closing
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intelligence.store import conversations, queries, tree_rows
from intelligence.store.bodies import compress
from intelligence.store.conversations import Conversations
from intelligence.store.drain import Drain
from intelligence.store.journal_writer import JournalWriter
from intelligence.store.meaning import meaning, read
from intelligence.store.migrations import open_database
from intelligence.store.tree import join, key_of, put_marks, split, take_marks
from tests.intelligence.store.test_corpus import CORPUS, content, exchanges
from tests.intelligence.store.traffic import body, call, calls, request_head, rows, stream


def value_of(raw):
    """The exact value: numbers as written, every key of an object."""
    decoder = json.JSONDecoder(object_pairs_hook=Pairs, parse_int=Number, parse_float=Number)
    return decoder.decode(raw.decode("utf-8", "surrogateescape"))


class Number:
    """A number; equal if it is the same one and both or neither are written as a whole one."""

    def __init__(self, text):
        self.value, self.whole = Decimal(text), text.lstrip("-").isdigit()
        self.key = (self.value, self.whole, text.startswith("-"))

    def __eq__(self, other):
        return isinstance(other, Number) and self.key == other.key

    __hash__ = None


class Pairs:
    def __init__(self, pairs):
        keys = [key for key, _ in pairs]
        self.pairs = pairs if len(set(keys)) < len(keys) else sorted(pairs, key=lambda pair: pair[0])

    def __eq__(self, other):
        return isinstance(other, Pairs) and self.pairs == other.pairs

    __hash__ = None


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Stores a body, as any request would be, and gives what it is put together to."""
    with closing(open_database(tmp_path_factory.mktemp("tree") / "traffic.db")) as db:
        known = Conversations(db)
        db.execute("begin")
        seqs = iter(range(1, 10**9))

        def keep(data, format="openai-chat"):
            seq = next(seqs)
            db.execute(
                """insert into requests (seq, id, run, state, started_at, websocket, body_redacted, truncated)
                values (?, ?, 'r', 'pending', 1, 0, 0, 0)""",
                (seq, str(seq)),
            )
            row = {"seq": seq, "format": format, "operation": "chat", "headers": "[]", "id": str(seq)}
            known.opened(row | dict.fromkeys(OTHERS) | {"started_at": 1}, data)
            return tree_rows.body(db, seq)

        keep.db = db
        yield keep


OTHERS = (
    "run", "user", "client", "client_version", "client_address", "credential_kind", "credential_fingerprint",
)  # fmt: skip

texts = st.text(st.characters(codec="utf-8"), max_size=12)
numbers = st.one_of(
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([1, 1.0, 100, 1e2, -0.0, 0]),
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=12,
)
marks = st.sampled_from([{}, {"cache_control": {"type": "ephemeral"}}, {"cache_control": {"ttl": 1.5}}])
blocks = st.one_of(
    st.builds(lambda text, mark: {"type": "text", "text": text} | mark, texts, marks),
    st.just({"cachePoint": {"type": "default"}}),
    st.builds(lambda inner, mark: {"type": "tool_result", "content": inner} | mark, values, marks),
    values,
)
messages = st.one_of(
    st.builds(
        lambda role, said, mark: {"role": role, "content": said} | mark,
        st.sampled_from(["user", "assistant", "system", "developer", "model", "tool"]),
        st.one_of(texts, st.lists(blocks, max_size=4)),
        marks,
    ),
    st.dictionaries(texts, values, max_size=3),
)
keys = st.sampled_from(
    ["messages", "input", "contents", "system", "instructions", "tools", "request", "chat_history", "model"]
)
bodies = st.one_of(
    st.builds(
        lambda rest, key, listed: rest | {key: listed},
        st.dictionaries(st.one_of(keys, texts), values, max_size=5),
        keys,
        st.one_of(st.lists(messages, max_size=5), texts, values),
    ),
    values,
)
styles = st.sampled_from(
    [{}, {"separators": (",", ":")}, {"indent": 1}, {"ensure_ascii": False}, {"sort_keys": True}]
)


@settings(max_examples=400, deadline=None)
@given(bodies, styles)
def test_any_body_is_put_together_to_the_same_value(store, value, style):
    raw = json.dumps(value, **style).encode("utf-8", "surrogatepass")
    back = store(raw)
    assert back is None or value_of(back) == value_of(raw)


@settings(max_examples=300, deadline=None)
@given(bodies, st.randoms(use_true_random=False))
def test_nor_does_damage_make_another_value_of_it(store, value, rng):
    raw = bytearray(json.dumps(value).encode())
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(raw))
        raw[at : at + rng.randrange(2)] = rng.choice(
            [b'"', b"\\", b"\xff", b"{", b"}", b",", b"1", b"\\ud800"]
        )
    back = store(bytes(raw))
    if back is not None:
        assert back == bytes(raw) or value_of(back) == value_of(bytes(raw))


@pytest.mark.parametrize(
    "message",
    [
        '{"role":"user","content":"x","n":1}', '{"role":"user","content":"x","n":1.0}',
        '{"role":"user","content":"x","n":1e0}', '{"role":"user","content":"x","n":-0}',
        '{"role":"user","content":"x","n":0}', '{"role":"user","content":"x","n":1,"n":1}',
        '{"role":"user","content":"x","n":123456789012345678901234567890}',
        '{"role":"user","content":"x","n":0.1000000000000000055511151231257827}',
        '{"role":"user","content":"x","n":0.1}', '{"role":"user","content":"x","n":1e999}',
        '{"role":"user","content":"\\ud83d\\ude00"}', '{"role":"user","content":"😀"}',
        '{ "content" : "x" , "role" : "user" , "n":1}',
        '{"role":"user","content":[{"type":"text","text":"x","cache_control":{"n":1.50}}]}',
        '{"role":"user","content":[{"type":"text","text":"x","cache_control":1,"cache_control":2}]}',
    ],
)  # fmt: skip
def test_what_is_nearly_equal_stays_apart(store, message):
    raw = f'{{"model":"m","messages":[{message}]}}'.encode()
    back = store(raw)
    assert back is not None
    assert value_of(back) == value_of(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"messages":[{"role":"user"}],"messages":[{"role":"user","content":"x"}]}', b'{"a":1,"messages":[{}],"a":1}',
        b'{"messages":[{"role":"user"}]', b"[]", b"", b"null", b'{"prompt":"x"}', b'{"input":[1,2,3]}',
        b'{"messages":"x"}', b"\xef\xbb\xbf{}",
    ],
)  # fmt: skip
def test_what_is_no_conversation_or_not_certain_is_not_split(raw):
    assert split(raw) is None


def test_the_same_bytes_come_back():
    for separators in ((", ", ": "), (",", ":")):
        listed = [{"role": "system", "content": "s"}, {"role": "user", "content": "é"}, {"role": "user"}]
        raw = json.dumps(
            {"model": "m", "messages": listed, "tools": [{"name": "t"}, {"name": "u"}]}, separators=separators
        ).encode()
        found = split(raw)
        assert join(found.envelope, lambda found=found: found.messages, lambda part: part.raw) == raw


def test_equal_parts_have_one_hash_whatever_their_keys_order():
    assert key_of("message", b'{"a":1,"b":[true]}') == key_of("message", b'{ "b":[true], "a":1 }')
    assert key_of("message", b'{"a":1}') != key_of("system", b'{"a":1}')
    assert key_of("message", b'{"a":1}') != key_of("message", b'{"a":1.0}')


def test_marks_move_and_the_message_stays():
    mark = {"cache_control": {"type": "ephemeral"}}
    marked = {"role": "user", "content": [{"type": "text", "text": "hi"} | mark]}
    raw, taken = take_marks(json.dumps(marked).encode())
    assert json.loads(raw) == {"role": "user", "content": "hi"}
    assert json.loads(put_marks(raw, taken)) == marked
    nested = {
        "content": [
            {"toolUse": {}},
            {"cachePoint": {}},
            {"content": [{"text": "x"} | mark]},
            {"cachePoint": {}},
        ]
    }
    raw, taken = take_marks(json.dumps(nested).encode())
    assert b"cache" not in raw
    assert json.loads(put_marks(raw, taken)) == nested


def test_a_message_means_the_same_in_every_shape():
    def said(key, value, format=None):
        return meaning(read(key, format, [json.dumps(value).encode()]))

    assert said("messages", {"role": "user", "content": "hi"}) == said(
        "messages", {"role": "user", "content": [{"type": "text", "text": "hi\n"}]}
    )
    assert said("input", {"role": "user", "content": "hi"}) == said(
        "input",
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}], "id": "m"},
    )
    assert said("messages", {"role": "user", "content": "hi"}) != said(
        "messages", {"role": "user", "content": "ho"}
    )
    assert said("input", {"type": "reasoning", "summary": [], "encrypted_content": "x"}) is None


def test_a_history_sent_again_is_stored_once(store):
    count = "select (select count(*) from messages), (select count(*) from nodes), (select count(*) from envelopes)"
    listed = []
    before = store.db.execute(count).fetchone()
    for n in range(20):
        listed.append({"role": "user", "content": f"the {n}th question of these"})
        value = {
            "model": "m",
            "system": "once",
            "tools": [{"name": "t"}],
            "messages": json.loads(json.dumps(listed)),
        }
        value["messages"][-1]["cache_control"] = {"type": "ephemeral"}
        assert json.loads(store(json.dumps(value).encode(), "anthropic-messages")) == value
    after = store.db.execute(count).fetchone()
    assert [b - a for a, b in zip(before, after, strict=True)] == [22, 20, 1]


def test_what_is_remembered_is_bounded(store, monkeypatch):
    monkeypatch.setattr(tree_rows, "REMEMBERED", 10)
    tree = tree_rows.Tree(store.db)
    for n in range(50):
        found = split(json.dumps({"messages": [{"role": "user", "content": f"number {n}"}], "n": n}).encode())
        stored = tree.put(found, 1, "openai-chat")
        assert tree.put(found, 1, "openai-chat") == stored
    assert max(map(len, (tree._parts, tree._nodes, tree._envelopes))) <= 11


def test_what_an_older_version_stored_is_moved(tmp_path, monkeypatch):
    journal = JournalWriter(tmp_path / "journal")
    history, sent = [], {}
    for n in range(8):
        history.append({"role": "user", "content": f"question {n}"})
        raw = json.dumps({"messages": history}).encode()
        sent[call(journal, stream(f"answer {n}"), body=raw)] = raw
        history.append({"role": "assistant", "content": f"answer {n}"})
    plain = call(
        journal, stream("x"), body=b'{"prompt": "no list"}', head=request_head(operation="text_completion")
    )
    sent[plain] = b'{"prompt": "no list"}'
    with closing(open_database(tmp_path / "traffic.db")) as db:
        with closing(Drain(db, tmp_path / "journal")) as drain:
            while drain.step():
                pass
        # As it was before there was a tree.
        for table in ("turns", "sessions", "nodes", "messages", "envelopes", "bodies"):
            db.execute(f"delete from {table}" + (" where kind = 'request'" if table == "bodies" else ""))
        for call_id, raw in sent.items():
            db.execute(
                """insert into bodies (request, kind, part, bytes, data)
                values ((select seq from requests where id = ?), 'request', 0, ?, ?)""",
                (call_id, len(raw), compress(raw)),
            )
        db.execute("insert into tree_backlog values (1, (select max(seq) from requests))")
        moving = Conversations(db)
        assert moving.move_backlog(3, 10**6)
        assert rows(db, "select next from tree_backlog") == [{"next": 4}]

        def broken(*_):
            raise sqlite3.OperationalError("database or disk is full")

        with monkeypatch.context() as m:
            m.setattr(conversations, "split", broken)
            with pytest.raises(sqlite3.OperationalError):
                moving.move_backlog(3, 10**6)
        with closing(Drain(db, tmp_path / "journal")) as drain:
            for _ in range(3):
                drain.step()
        assert rows(db, "select * from tree_backlog") == []
        assert {call_id: body(db, call_id, "request") for call_id in sent} == sent
        assert rows(db, "select distinct kind, count(*) as n from bodies where kind = 'request'") == [
            {"kind": "request", "n": 1}
        ]
        found = calls(db)
        assert {found[call_id]["session_id"] for call_id in list(sent)[:-1]} == {next(iter(sent))}
        with closing(queries.connect(tmp_path / "traffic.db")) as reader:
            assert queries.body(reader, 1, "request", [], 20) == next(iter(sent.values()))[:20]
    journal.close()


def test_a_request_that_cannot_be_taken_is_kept_as_it_came(tmp_path, monkeypatch, caplog):
    journal = JournalWriter(tmp_path / "journal")
    raw = json.dumps({"messages": [{"role": "user", "content": "hi"}]}).encode()
    with (
        closing(open_database(tmp_path / "traffic.db")) as db,
        closing(Drain(db, tmp_path / "journal")) as drain,
    ):

        def broken(*_, **__):
            raise RecursionError

        with monkeypatch.context() as m:
            m.setattr(tree_rows.Tree, "_envelope", broken)
            strange = call(journal, stream("x"), body=raw)
            drain.step()
        assert "could not be taken" in caplog.text
        assert rows(db, "select * from messages") == []
        fine = call(journal, stream("x"), body=raw)
        drain.step()
        assert [body(db, call_id, "request") for call_id in (strange, fine)] == [raw, raw]
        assert {row["state"] for row in calls(db).values()} == {"complete"}
    journal.close()


def test_deep_and_endless_input_takes_no_time(store):
    deep = b'{"messages":[{"role":"assistant","tool_calls":[{"function":{"name":"x","arguments":"%b"}}]}]}'
    for raw in (
        deep % (b"[" * 50_000 + b"]" * 50_000),
        b'{"messages":[{"role":"user","content":' + b"[" * 50_000 + b"]" * 50_000 + b"}]}",
        json.dumps({"messages": [{"role": "user", "content": "<system-reminder>" * 60_000}]}).encode(),
        json.dumps(
            {"messages": [{"role": "user", "content": "<cwd>" + " " * 200_000 + "<a>" * 60_000}]}
        ).encode(),
    ):
        begin = time.process_time()
        back = store(raw)
        assert back is None or back == raw
        assert time.process_time() - begin < 2


def test_messages_text_has_every_message_once(tmp_path):
    journal = JournalWriter(tmp_path / "journal")
    history = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}]
    tool = {"type": "function", "function": {"name": "ls", "description": "Lists files", "parameters": {}}}
    for _ in range(3):
        call(journal, stream("yes"), body=json.dumps({"messages": history, "tools": [tool]}).encode())
    with (
        closing(open_database(tmp_path / "traffic.db")) as db,
        closing(Drain(db, tmp_path / "journal")) as drain,
    ):
        drain.step()
        found = rows(db, "select source, kind, role, text from messages_text where session_id is not null")
    said = [(row["source"], row["kind"], row["role"], row["text"]) for row in found]
    assert sorted(said, key=str)[3:] == [
        ("request", "message", "user", "hi"),
        ("request", "system", "system", "be brief"),
        ("request", "tool", None, "ls\nLists files"),
    ]
    assert said.count(("answer", "message", "assistant", "yes")) == 3
    journal.close()


@pytest.mark.skipif(not CORPUS.is_dir(), reason=f"no corpus at {CORPUS} (LLMITM_CORPUS)")
def test_every_request_of_the_corpus_is_put_together_to_the_same_value(store):
    in_tree = 0
    for exchange in exchanges():
        raw = content(exchange["request_body"], exchange["request_encoding"])
        back = store(raw, exchange["format"])
        if back is not None:
            assert value_of(back) == value_of(raw), exchange["id"]
            in_tree += 1
    assert in_tree > 350


@pytest.mark.parametrize("kind", ["messages", "members", "values"])
def test_more_parts_than_any_client_sends_are_kept_as_they_came(kind):
    many = b"{}," * (1_000_000 if kind == "values" else 30_000)
    body = b'{"messages":[' + (b"" if kind == "members" else many) + b"{}]"
    if kind == "members":
        body += b"".join(b',"%d":1' % number for number in range(30_000))
    assert split(b'{"messages":[{}]}')
    assert split(body + b"}") is None
