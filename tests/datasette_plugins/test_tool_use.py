from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasette_plugins import session_record, tool_use
from datasette_plugins.session_words import Result
from datasette_plugins.traffic import connect
from intelligence.wire.parts import Part
from tests.datasette_plugins.session_records import Talk, coding

PATCH = "*** Begin Patch\n*** Update File: src/a.py\n@@\n-x\n+y\n*** Add File: src/b.py\n*** End Patch"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"file_path": "/a.py", "old_string": "x"}, [("file", "/a.py")]),
        ({"filePath": "/a.py"}, [("file", "/a.py")]),
        ({"command": "ls -la\n  /tmp"}, [("command", "ls -la /tmp")]),
        ({"command": ["bash", "-lc", "make test"], "workdir": "/"}, [("command", "make test")]),
        ({"cmd": ["git", "status"]}, [("command", "git status")]),
        ({"pattern": "def .*", "path": "src"}, [("search", "def .*"), ("file", "src")]),
        ({"url": "https://example.org/a"}, [("address", "https://example.org/a")]),
        ({"files": [{"path": "a"}, {"path": "b"}, {"path": "a"}]}, [("file", "a"), ("file", "b")]),
        ({"paths": ["a", "b"]}, [("file", "a"), ("file", "b")]),
        ({"input": PATCH}, [("file", "src/a.py"), ("file", "src/b.py")]),
        ({"path": "", "command": 5, "file": None, "prompt": "path"}, []),
        (PATCH, [("file", "src/a.py"), ("file", "src/b.py")]),
        (["path"], []),
    ],
)
def test_what_a_call_names(arguments: object, named: list[tuple[str, str]]) -> None:
    assert list(tool_use.things_in(json.dumps(arguments))) == named


def test_a_patch_that_is_no_json() -> None:
    assert list(tool_use.things_in(PATCH)) == [("file", "src/a.py"), ("file", "src/b.py")]


@settings(max_examples=60, deadline=None)
@given(
    st.text()
    | st.recursive(
        st.text(max_size=9), lambda v: st.lists(v) | st.dictionaries(st.sampled_from(["path", "cmd", "x"]), v)
    ).map(json.dumps)
)
def test_any_arguments_are_read(arguments: str) -> None:
    for kind, value in tool_use.things_in(arguments):
        assert kind in tool_use.KINDS and 0 < len(value) <= tool_use.LONGEST


@pytest.mark.parametrize(
    ("text", "flag", "failed"),
    [
        ("all good", False, False),
        ("all good", True, True),
        ("Error: no such file", False, True),
        ("Exit code 1\nboom", False, True),
        ("Exit code: 0\nfine", False, False),
        ("<tool_use_error>File has not been read</tool_use_error>", False, True),
        ('{"output":"x","metadata":{"exit_code":2}}', False, True),
        ('{"output":"x","metadata":{"exit_code":0}}', False, False),
        ("Errors are handled in errors.py", False, False),
        ("   " * 100_000, False, False),
    ],
)
def test_whether_a_result_failed(text: str, flag: bool, failed: bool) -> None:
    assert tool_use.failed(Result(Part("tool_result", text, failed=flag), 2, None)) is failed


def test_tools_and_things_are_counted(db: sqlite3.Connection, data_dir: Path) -> None:
    ids = coding(Talk(db), 5)
    reading = connect(data_dir / "traffic.db")
    found = session_record.read(reading, ids[0])
    assert found is not None
    uses = tool_use.read(reading, found.turns)
    bash, read = tool_use.tools(uses)
    assert (bash.name, bash.calls, bash.answered, bash.failed) == ("Bash", 4, 4, 2)
    assert (read.name, read.calls, read.failed, read.turns) == ("Read", 4, 0, [1, 2, 3, 4])
    assert (read.median_ms, read.total_ms) == (1000, 4000)
    assert read.result_bytes == sum(len(f"def parse_{n}(text):\n    return text\n" * 5) for n in range(4))
    things = tool_use.things(uses)
    assert [(t.value, t.count, t.turns) for t in things["file"]] == [
        ("/src/parser_0.py", 2, [1, 4]),
        ("/src/parser_1.py", 1, [2]),
        ("/src/parser_2.py", 1, [3]),
    ]
    assert [(t.value, t.count, dict(t.tools)) for t in things["command"]] == [("pytest -x", 4, {"Bash": 4})]
