import json
from collections import Counter
from contextlib import closing

import pytest

from intelligence.store import tree_rows
from intelligence.store.conversations import Closed, Conversations
from intelligence.store.migrations import open_database
from tests.intelligence.store.agents import sessions
from tests.intelligence.store.traffic import rows

REQUEST = """insert into requests (seq, id, run, state, started_at, websocket, body_redacted, truncated, client, user,
    credential_kind, credential_fingerprint, format, operation, headers)
    values (:seq, :id, 'r', 'pending', :started_at, 0, 0, 0, :client, :user, :credential_kind,
    :credential_fingerprint, :format, :operation, :headers)"""
RESPONSE = "insert into responses (request, text, tool_calls, body_redacted) values (?, ?, ?, 0)"


@pytest.fixture
def db(tmp_path):
    with closing(open_database(tmp_path / "traffic.db")) as connection:
        connection.execute("begin")
        yield connection


class Talk:
    """Requests and answers, told one after another."""

    def __init__(self, db):
        self.db, self.conversations, self.seq = db, Conversations(db), 0

    def ask(self, body, headers=(), id=None, **columns):
        self.seq += 1
        row = {
            "seq": self.seq, "id": id or f"id-{self.seq}", "run": "r", "started_at": 1_000_000 + self.seq,
            "client": "c", "user": None, "client_version": None, "client_address": "127.0.0.1",
            "credential_kind": "api_key", "credential_fingerprint": "k", "format": "openai-chat",
            "operation": "chat", "headers": json.dumps(list(headers)),
        } | columns  # fmt: skip
        self.db.execute(REQUEST, row)
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.conversations.opened(row, data)
        return self.seq

    def answer(self, seq, text="", calls=(), state="complete", response_id=None):
        stored = json.dumps(list(calls))
        self.db.execute(RESPONSE, (seq, text, stored))
        self.conversations.closed(Closed(seq, state, text, stored, response_id))

    def say(self, messages, text="ok", state="complete", **columns):
        seq = self.ask({"messages": messages}, **columns)
        self.answer(seq, text, state=state)
        return self.turn(seq)

    def turn(self, seq):
        (row,) = rows(self.db, "select request, session, link, parent from turns where request = ?", seq)
        return row["session"], row["link"], row["parent"]


@pytest.fixture
def talk(db):
    return Talk(db)


def u(text):
    return {"role": "user", "content": text}


def a(text):
    return {"role": "assistant", "content": text}


def test_a_conversation_is_one_session(talk, db):
    assert talk.say([u("hello there")], "first answer") == (1, "start", None)
    history = [u("hello there"), a("first answer"), u("and then?")]
    assert talk.say(history, "second answer") == (1, "continue", 1)
    history += [a("second answer"), u("thanks")]
    assert talk.say([{"role": "system", "content": "new"}, *history], "third") == (1, "continue", 2)
    (row,) = rows(db, "select * from sessions_overview")
    assert (row["id"], row["title"], row["requests"], row["client"]) == ("id-1", "hello there", 3, "c")
    assert rows(db, "select distinct session_id from calls") == [{"session_id": "id-1"}]


def test_equal_first_turns_are_told_apart_by_their_answers(talk):
    for n, answer in enumerate(("one", "two"), 1):
        assert talk.say([u("hi")], answer) == (n, "start", None)
    assert talk.say([u("hi"), a("one"), u("x")])[0] == 1
    assert talk.say([u("hi"), a("two"), u("x")])[0] == 2
    assert talk.say([u("hi"), a("three"), u("x")]) == (3, "start", None)


def test_users_clients_and_keys_are_kept_apart(talk):
    talk.say([u("hi")], "one")
    goes_on = [u("hi"), a("one"), u("x")]
    for n, columns in enumerate(({"user": "u"}, {"client": "d"}, {"credential_fingerprint": "l"}), 2):
        assert talk.say(goes_on, **columns) == (n, "start", None)


def test_a_renewed_token_of_a_subscription_goes_on(talk):
    talk.say([u("hi")], "one", credential_kind="oauth")
    renewed = {"credential_kind": "oauth", "credential_fingerprint": "new"}
    assert talk.say([u("hi"), a("one"), u("x")], **renewed) == (1, "continue", 1)


def test_retry_edit_and_fork(talk):
    talk.say([u("hi")], "", state="error")
    assert talk.say([u("hi")], "one") == (1, "retry", 1)
    assert talk.say([u("hi")], "one more") == (2, "start", None)
    assert talk.say([u("hi"), a("one"), u("x")], "two") == (1, "continue", 2)
    assert talk.say([u("hi"), a("one"), u("x")], "three") == (1, "retry", 4)
    assert talk.say([u("hi"), a("one"), u("y")], "four") == (1, "edit", 2)
    history = [u("hi"), a("one"), u("x"), a("two")]
    running = talk.ask({"messages": [*history, u("left")]})
    assert talk.say([*history, u("right")]) == (1, "fork", 4)
    assert talk.turn(running) == (1, "continue", 4)


def test_what_is_asked_before_the_end_of_the_answer_was_seen(talk):
    first = talk.ask({"messages": [u("hi")]})
    second = talk.ask({"messages": [u("hi"), a("one"), u("x")]})
    assert talk.turn(second) == (None, None, None)
    talk.answer(first, "one")
    talk.answer(second, "two")
    assert talk.turn(second) == (1, "continue", 1)


def test_compaction(talk):
    talk.say([u("build it")], "working on it")
    history = [u("build it"), a("working on it"), u("summarise")]
    summary = "We built the parser and the writer; what is left is the reader and its tests."
    talk.say(history, summary)
    assert talk.say([u(f"Earlier:\n{summary}"), u("go on")], "fine") == (1, "compaction", 2)


def test_a_history_cut_at_its_beginning(talk):
    talk.say([u("q1")], "the first answer, which is long enough to be known")
    talk.say([u("q1"), a("the first answer, which is long enough to be known"), u("q2")], "x" * 50)
    assert talk.say([u("q2"), a("x" * 50), u("q3")]) == (1, "compaction", 2)


def test_a_sub_agent_has_a_session_of_its_own(talk, db):
    seq = talk.ask({"messages": [u("do everything")]})
    task = {"id": "t1", "name": "Task", "arguments": json.dumps({"prompt": "Find all the callers"})}
    talk.answer(seq, "", [task])
    assert talk.say([u("Find all the callers")], "none") == (2, "subagent", 1)
    assert rows(db, "select parent_id from sessions_overview where id = 'id-2'") == [{"parent_id": "id-1"}]


CLAUDE = {"user_id": "user_ab_account_cd_session_0c8e1a52-7f0e-4a52-9c1e-1d2f3a4b5c6d"}


@pytest.mark.parametrize(
    ("headers", "fields"),
    [
        ([("session_id", "0199-codex")], {}),
        ([], {"metadata": CLAUDE}),
        ([], {"metadata": {"user_id": '{"device_id":"d","session_id":"0c8e1a52"}'}}),
        ([], {"conversation": {"id": "conv_1"}}),
        ([], {"prompt_cache_key": "0c8e1a52-7f0e-4a52-9c1e-1d2f3a4b5c6d"}),
    ],
)
def test_an_id_the_client_states_is_honoured(talk, headers, fields):
    def ask(words):
        seq = talk.ask({"messages": [u(words)], **fields}, headers)
        talk.answer(seq, "ok")
        return talk.turn(seq)

    assert ask("one") == (1, "start", None)
    assert ask("something else") == (1, "subagent", 1)
    assert talk.say([u("one")])[0] == 2


def test_a_cache_key_that_many_share_is_no_session(talk):
    for n in (1, 2):
        seq = talk.ask({"messages": [u(f"hi {n}")], "prompt_cache_key": "my-app"})
        assert talk.turn(seq)[0] == n


def test_previous_response_id(talk):
    columns = {"format": "openai-responses", "operation": "responses"}
    first = talk.ask({"input": "hi"}, **columns)
    talk.answer(first, "one", response_id="resp_1")
    second = talk.ask({"input": "more", "previous_response_id": "resp_1"}, **columns)
    assert talk.turn(second) == (1, "continue", 1)


def test_responses_input_as_text_and_as_items(talk):
    columns = {"format": "openai-responses", "operation": "responses"}
    first = talk.ask({"input": "hi"}, **columns)
    talk.answer(first, "one")
    answered = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "one"}]}
    asked = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
    reasoning = {"type": "reasoning", "summary": [], "encrypted_content": "x"}
    second = talk.ask({"input": [asked, reasoning, answered, u("more")]}, **columns)
    assert talk.turn(second) == (1, "continue", 1)


def test_responses_on_one_socket_go_together(talk):
    columns = {"format": "openai-realtime", "operation": "realtime"}
    first = talk.ask({"input": [u("one")]}, id="call", **columns)
    talk.answer(first, "x")
    for n in (2, 3):
        seq = talk.ask({"input": [u(f"item {n}")]}, id=f"call.{n}", **columns)
        talk.answer(seq, "y")
        assert talk.turn(seq) == (1, "continue", seq - 1)


def test_gemini(talk):
    columns = {"format": "gemini", "operation": "generate_content"}
    asked = {"role": "user", "parts": [{"text": "hi"}]}
    call = {"functionCall": {"name": "ls", "args": {"path": "."}}}
    result = {"role": "user", "parts": [{"functionResponse": {"name": "ls", "response": {"output": "a"}}}]}
    first = talk.ask({"contents": [asked]}, **columns)
    talk.answer(first, "", [{"id": None, "name": "ls", "arguments": '{"path": "."}'}])
    said = {"role": "model", "parts": [{"thought": True, "text": "hm"}, call | {"thoughtSignature": "s"}]}
    second = talk.ask({"request": {"contents": [asked, said, result]}}, **columns)
    assert talk.turn(second) == (1, "continue", 1)


def test_folder_repository_and_title(talk, db):
    system = "Working directory: /home/me/code\nGit remote: https://example.com/me/code.git"
    said = "<environment_context><cwd>/x</cwd></environment_context>"
    talk.say([{"role": "system", "content": system}, u(said), u("Make it\nfast")])
    (row,) = rows(db, "select title, working_folder, repository from sessions")
    assert row == {
        "title": "Make it",
        "working_folder": "/home/me/code",
        "repository": "https://example.com/me/code.git",
    }


def test_embeddings_and_bodies_that_are_no_conversation_have_no_session(talk):
    assert talk.turn(talk.ask({"input": ["a", "b"]}, operation="embeddings")) == (None, None, None)
    assert talk.turn(talk.ask(b"", operation="chat")) == (None, None, None)


def pairs(counts):
    return sum(n * (n - 1) // 2 for n in counts)


def test_a_thousand_agent_sessions_are_found(talk, db):
    numbers, truth, links, bodies = {}, {}, {}, {}
    for asked, number, request in sessions(1000, seed=7):
        operation = {"format": request.format, "operation": "chat"}
        if asked:
            seq = numbers[number] = talk.ask(request.body, **operation)
            truth[seq], links[seq], bodies[seq] = request.session, request.link, request.body
        else:
            state = "error" if request.failed else "complete"
            talk.answer(numbers[number], request.text, request.calls, state)
    found = {row["request"]: row for row in rows(db, "select request, session, link from turns")}
    assert len(truth) > 5000
    both = pairs(Counter((truth[seq], found[seq]["session"]) for seq in truth).values())
    precision = both / pairs(Counter(row["session"] for row in found.values()).values())
    recall = both / pairs(Counter(truth.values()).values())
    right = Counter((links[seq], found[seq]["link"]) for seq in truth)
    assert (precision >= 0.99, recall >= 0.99) == (True, True), (precision, recall)
    for link in ("continue", "retry", "edit", "compaction", "subagent"):
        of = {kind: n for (true, kind), n in right.items() if true == link}
        assert of[link] >= 0.97 * sum(of.values()), (link, of)
    for seq, body in bodies.items():
        assert json.loads(tree_rows.body(db, seq)) == json.loads(body)
