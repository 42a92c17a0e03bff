from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from intelligence.policy import text_file
from intelligence.policy.text_file import PolicyError, parse

POLICIES = Path(__file__).parents[3] / "policies"
FILES = sorted(path.relative_to(POLICIES).as_posix() for path in POLICIES.rglob("*.yaml"))


def test_values_have_the_lines_they_stand_on() -> None:
    written = parse("# é\nrules:\n  - {id: a, when: {\n      model: b}}\n  - id: c\n", "f")
    assert written.value == {"rules": [{"id": "a", "when": {"model": "b"}}, {"id": "c"}]}
    assert written.line(("rules", 0, "when", "model")) == 4
    assert written.line(("rules", 1, "id", "unknown")) == 5


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\na: 2", "f:2: 'a' is given twice"),
        ("a: !!python/object:os.system {}", "f:1: not valid YAML: "),
        ("a: [1,\nb: 2", "f:2: not valid YAML: "),
        ("a: *b", "f:1: not valid YAML: found undefined alias 'b'"),
        ("a: 'x", "not valid YAML"),
        ("a: \ud800", "not valid YAML"),
        ("a: \x00", "not valid YAML"),
        ("a\n---\nb", "f:2: not valid YAML: but found another document"),
        ("? [a]\n: b", "f:1: a key must be a word"),
    ],
    ids=["twice", "type", "open", "alias", "quote", "surrogate", "nul", "documents", "key"],
)
def test_what_is_wrong_is_told_with_its_line(text: str, expected: str) -> None:
    with pytest.raises(PolicyError, match=r"^f") as e:
        parse(text, "f")
    assert expected in str(e.value)


@pytest.mark.parametrize("opened", ["[", "{a: ", "- ", "? "], ids=["list", "mapping", "block", "key"])
def test_nesting_without_end_is_an_error(opened: str) -> None:
    with pytest.raises(PolicyError, match=r"not valid YAML|nested too deep"):
        parse(opened * 200_000, "f")


@pytest.mark.parametrize("name", FILES)
def test_without_libyaml_a_file_says_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (POLICIES / name).read_text("utf-8")
    fast = parse(text, name)
    assert yaml.__with_libyaml__ and text_file._loader is not yaml.SafeLoader
    monkeypatch.setattr(text_file, "_loader", yaml.SafeLoader)
    slow = parse(text, name)
    assert (fast.value, fast.lines) == (slow.value, slow.lines)
