"""Named lists: what is one, what a rule finds in it, and what is wrong with it, told with file and line."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import re2
from hypothesis import given, settings
from hypothesis import strategies as st

from intelligence.policy import handed, lists
from intelligence.policy.decide import compile_set, decide
from intelligence.policy.evidence import CallEvidence
from intelligence.policy.facts import Facts
from intelligence.policy.lists import BadList, compile_list, compiling, parse
from intelligence.policy.load import PolicySet, load
from intelligence.policy.testing import run
from intelligence.policy.text_file import PolicyError
from tests.addons.governed import Sees

WORDS = st.text("abc.", min_size=1, max_size=4)
SENT = b"a file that nobody may send"
RULES = """
lists:
  hosts: {kind: hosts, file: lists/hosts.txt}
  words: {kind: patterns, file: lists/words.txt}
  files: {kind: hashes, file: lists/files.txt}
rules:
  - {id: no-host, action: block, when: {host_in: hosts}}
  - {id: no-words, action: redact, when: {text: {in_list: words, source: user}}}
  - {id: no-files, action: block, fail: closed, when: {text: {in_list: [files]}}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "policies" / "lists").mkdir(parents=True)
    (tmp_path / "policies" / "a.yaml").write_text(RULES)
    put(tmp_path / "policies", "hosts", "# bad ones\nevil.example\n*.bad.example\n0.0.0.0 tracker.example\n")
    put(tmp_path / "policies", "words", "(?i)project aurora\n\nmoon[0-9]+\n")
    put(
        tmp_path / "policies",
        "files",
        f"{hashlib.sha256(SENT).hexdigest().upper()}  some.pdf\n{sha('whole text')}\n",
    )
    return tmp_path / "policies"


def put(folder: Path, name: str, text: str) -> None:
    (folder / "lists" / f"{name}.txt").write_text(text)


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def decided(policies: PolicySet, content: Any, host: str = "api.openai.com") -> list[tuple[str, str]]:
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": content}]}).encode()
    evidence = CallEvidence("openai-chat", "chat", "/v1/chat/completions", body, Sees(), 1.0)
    return [
        (one.rule.id, one.action) for one in decide(compile_set(policies).rules, Facts(evidence, host=host))
    ]


@pytest.mark.parametrize(
    ("host", "listed"),
    [
        ("evil.example", True),
        ("EVIL.example.", True),
        ("sub.evil.example", False),
        ("a.b.bad.example", True),
        ("bad.example", False),
        ("tracker.example", True),
        ("0.0.0.0", False),
        ("evilxexample", False),
    ],
)
def test_hosts(folder: Path, host: str, listed: bool) -> None:
    assert decided(load(folder), "hello", host) == ([("no-host", "block")] if listed else [])


def test_patterns_are_found_wherever_they_stand(folder: Path) -> None:
    policies = load(folder)
    assert decided(policies, "about Project AURORA") == [("no-words", "redact")]
    assert decided(policies, "about project boreas") == []


def test_hashes_are_of_whole_texts_and_of_files(folder: Path) -> None:
    policies = load(folder)
    blocked = [("no-files", "block")]
    assert decided(policies, "whole text") == blocked
    assert decided(policies, "whole text.") == []
    for data in (base64.b64encode(SENT), base64.urlsafe_b64encode(SENT).rstrip(b"=")):
        url = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data.decode()}"}}
        file = {"type": "file", "file": {"file_data": data.decode()}}
        assert decided(policies, [url]) == decided(policies, [file]) == blocked
    other = {"type": "file", "file": {"file_data": base64.b64encode(SENT + b".").decode()}}
    assert decided(policies, [other, {"type": "text", "text": "hello"}]) == []


def test_overlapping_patterns_are_all_redacted() -> None:
    listed = compile_list("patterns", ["foo", "foobar", "obarba", "x"])
    covered = {at for start, end in listed.spans("a foobarbaz") for at in range(start, end)}
    assert covered == set(range(2, 10))


@settings(deadline=None)
@given(st.lists(st.text("ab*?.", min_size=1, max_size=5), max_size=8), WORDS)
def test_a_host_is_listed_if_one_of_the_globs_fits(globs: list[str], name: str) -> None:
    globs = [glob for glob in globs if set(glob) - set("*?.")]
    name = name.rstrip(".") or "a"
    plain = [
        re2.compile(lists._globbed(glob.rstrip(".") if not set(glob) & {"*", "?"} else glob))
        for glob in globs
    ]
    assert compile_list("hosts", globs).host(name) == any(one.fullmatch(name) for one in plain)


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(["a+b", "b.", "(?i)C{2}", "c$", "^ab", "."]), max_size=6),
    st.text("abcC", max_size=8),
)
def test_together_patterns_find_what_each_finds(patterns: list[str], text: str) -> None:
    alone = {m.span() for one in patterns for m in re2.compile(one).finditer(text)}
    assert set(compile_list("patterns", patterns).spans(text)) == alone


def test_large_lists_are_compiled_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "TOGETHER", 10)
    patterns = [f"(?i)word{n}[a-z]{{1,3}}" for n in range(95)]
    steps = list(compiling("patterns", patterns))
    assert steps[:-1] == [None] * 10
    assert steps[-1] and list(steps[-1].spans("WORD94ab")) == [(0, 8)]
    # What is too large for the engine as one is taken apart.
    wide = [f"{n}[\\pL\\pN]{{200}}" for n in range(9)]
    (group, *more) = lists._grouped(wide)
    assert more and sum(len(one.each) for one in (group, *more)) == 9


@pytest.mark.parametrize(
    ("kind", "text", "line", "why"),
    [
        ("hosts", "good.example\nbad host name here\n", 2, "no name of a host"),
        ("hosts", "a.example\n\n# x\n*\n", 4, "matches every host"),
        ("hosts", "*.*\n", 1, "matches every host"),
        ("patterns", "fine\n(broken\n", 2, "no RE2 pattern"),
        ("patterns", "x*\n", 1, "matches every text"),
        ("patterns", "(?=ahead)\n", 1, "no RE2 pattern"),
        ("hashes", "abc\n", 1, "no SHA-256"),
        ("hashes", "g" * 64, 1, "no SHA-256"),
    ],
    ids=range(8),
)
def test_what_is_no_list(folder: Path, kind: str, text: str, line: int, why: str) -> None:
    with pytest.raises(BadList, match=why) as caught:
        parse(text.encode(), kind)  # type: ignore[arg-type]
    assert caught.value.line == line
    name = {"hosts": "hosts", "patterns": "words", "hashes": "files"}[kind]
    put(folder, name, text)
    with pytest.raises(PolicyError, match=rf"^lists/{name}\.txt:{line}: list {name}: .*{why}"):
        load(folder)


def test_sizes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(lists.MAX_ENTRIES, "hosts", 2)
    assert parse(b"a.b\na.b\nc.d", "hosts") == ("a.b", "c.d")
    with pytest.raises(BadList, match="more than 2 entries"):
        parse(b"a.b\nc.d\ne.f", "hosts")
    monkeypatch.setattr(lists, "MAX_BYTES", 5)
    with pytest.raises(BadList, match="larger"):
        parse(b"a.b\nc.d", "hosts")
    with pytest.raises(BadList, match="UTF-8"):
        parse(b"a\n\xff", "hosts")


@settings(deadline=None)
@given(st.binary(max_size=200), st.sampled_from(["hosts", "patterns", "hashes"]))
def test_any_bytes_are_a_list_or_are_not(data: bytes, kind: Any) -> None:
    try:
        entries = parse(data, kind)
    except BadList as e:
        assert e.line >= 1 and str(e)
        return
    again = "".join(f"{entry}\n" for entry in entries).encode()
    assert parse(again, kind) == entries  # what is kept is what was read
    compile_list(kind, entries)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("in_list: words", "in_list: word", r"a\.yaml:8: rule no-words: .*in_list: there is no list 'word'; did you mean words"),
        ("host_in: hosts", "host_in: words", r"a\.yaml:7: rule no-host: when\.host_in: words is a list of patterns"),
        ("in_list: words", "in_list: hosts", r"hosts is a list of hosts; what goes here are patterns or hashes"),
        ("in_list: words", "in_list: files", r"a\.yaml:8: .*cannot be redacted; block instead"),
        ("lists/words.txt", "../../words.txt", r"a\.yaml:4: list words: '\.\./\.\./words\.txt' is outside"),
        ("lists/words.txt", "lists/none.txt", r"a\.yaml:4: list words: lists/none\.txt cannot be read: No such file"),
        ("file: lists/words.txt", "x: 1", r"a\.yaml:4: .*unknown key lists\.words\.x"),
        (", file: lists/words.txt", "", r"a\.yaml:4: .*give either file or url"),
        ("file: lists/words.txt", "url: 'http://x.example/a'", r"a\.yaml:4: .*url must be of the form https"),
        ("kind: patterns", "kind: words", r"a\.yaml:4: lists\.words\.kind: should be 'hosts', 'patterns' or 'hashes'"),
        ("lists/words.txt", f"lists/words.txt, sha256: {'ab' * 32}", r"a\.yaml:4: list words: .* has the SHA-256 \w{64}, not ab"),
    ],
    ids=range(11),
)  # fmt: skip
def test_faults_say_where(folder: Path, old: str, new: str, why: str) -> None:
    (folder / "a.yaml").write_text(RULES.replace(old, new, 1))
    with pytest.raises(PolicyError, match=why):
        load(folder)


def test_a_name_is_given_once(folder: Path) -> None:
    (folder / "b.yaml").write_text("lists: {words: {kind: hosts, file: lists/hosts.txt}}")
    with pytest.raises(PolicyError, match=r"b\.yaml:1: list words: this name is taken"):
        load(folder)


def test_another_content_is_another_version(folder: Path) -> None:
    before = load(folder).version
    put(folder, "hosts", "evil.example\n")
    assert load(folder).version != before


def test_lists_are_handed_over_with_the_rules(folder: Path, tmp_path: Path) -> None:
    policies = load(folder)
    handed.hand_over(tmp_path, policies)
    taken = handed.take(tmp_path).compiled
    assert taken.version == policies.version
    body = json.dumps({"messages": [{"role": "user", "content": "moon12"}]}).encode()
    evidence = CallEvidence("openai-chat", "chat", "/v1/chat/completions", body, Sees(), 1.0)
    assert [one.rule.id for one in decide(taken.rules, Facts(evidence, host="evil.example"))] == ["no-host"]
    assert [one.rule.id for one in decide(taken.rules, Facts(evidence, host="x"))] == ["no-words"]
    # A list that was tampered with is not used, and neither is the set.
    for path in (tmp_path / "policy" / "lists").iterdir():
        path.write_text("")
    with pytest.raises(PolicyError, match="damaged"):
        handed.take(tmp_path)


@pytest.mark.parametrize(("fail", "action"), [("closed", "block"), ("open", "alert")])
def test_a_feed_that_never_came_fails_the_rule_as_it_says(folder: Path, fail: str, action: str) -> None:
    text = RULES.replace("file: lists/files.txt", "url: 'https://x.example/files'")
    (folder / "a.yaml").write_text(text.replace("fail: closed", f"fail: {fail}"))
    body = b'{"messages": [{"role": "user", "content": "hello"}]}'
    evidence = CallEvidence("openai-chat", "chat", "/v1/chat/completions", body, Sees(), 1.0)
    (one,) = decide(compile_set(load(folder)).rules, Facts(evidence, host="x"))
    assert (one.rule.id, one.action, one.failed) == ("no-files", action, "NotFetched")


def test_examples_say_what_is_in_a_list(folder: Path) -> None:
    examples = """
    tests:
      - {given: {files: [secret plan], listed: {files: [SHA]}}, expect: block}
      - {given: {files: [another], listed: {files: [SHA]}}, expect: nothing}
""".replace("SHA", sha("secret plan"))
    text = RULES.replace("file: lists/files.txt", "url: 'https://x.example/files'").replace(
        "  - {id: no-files, action: block, fail: closed, when: {text: {in_list: [files]}}}",
        "  - id: no-files\n    action: block\n    when: {text: {in_list: [files]}}" + examples,
    )
    (folder / "a.yaml").write_text(text)
    assert run(load(folder), lambda *_: []) == []
    (folder / "a.yaml").write_text(text.replace("[another]", "[secret plan]"))
    (failure,) = run(load(folder), lambda *_: [])
    assert "expected nothing, got block" in str(failure)
