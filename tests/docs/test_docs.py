"""The pages say what is so: links lead somewhere, commands, settings and columns exist, generated parts are up to date."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from addons.cli import group
from docs import reference
from intelligence.config import OTHER_ENV, SECTIONS
from intelligence.policy.load import load
from intelligence.store import descriptions

REPOSITORY = Path(__file__).parents[2]
PAGES = [
    REPOSITORY / "README.md",
    REPOSITORY / "policies" / "README.md",
    *sorted(REPOSITORY.glob("docs/*.md")),
]
PNG = b"\x89PNG\r\n\x1a\n"

_LINK = re.compile(r"\]\(([^)\s]+)\)")
_CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)
_VARIABLE = re.compile(r"\bLLMITM_[A-Z]+(?:__[A-Z_]+)?\b")
# A folder of somebody's machine; `/usr` and the like are everybody's.
_MACHINE = re.compile(r"(?<![\w.~…])/(?:home|root|work|tmp|Users|opt)/\S*")

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))


def anchors(page: Path) -> set[str]:
    """Those that a forge gives to headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pages
def test_links_lead_somewhere(page: Path) -> None:
    for link in _LINK.findall(_CODE.sub("", page.read_text("utf-8"))):
        assert not link.startswith("/"), link
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), f"{page.name}: {link}"
        if anchor:
            assert anchor in anchors(target), f"{page.name}: {link}"
        if target.suffix == ".png":
            assert target.read_bytes().startswith(PNG), link


def test_every_page_is_linked() -> None:
    linked = {
        (p.parent / link.partition("#")[0]).resolve()
        for p in PAGES
        for link in _LINK.findall(p.read_text("utf-8"))
    }
    assert [p.name for p in PAGES[2:] if p.resolve() not in linked] == []


@pages
def test_no_machine_is_named(page: Path) -> None:
    assert _MACHINE.findall(page.read_text("utf-8")) == []


def command_lines(page: Path) -> Iterator[list[str]]:
    """What follows `llmitm` in code, word by word, up to the end of the command."""
    for code in _CODE.findall(page.read_text("utf-8")):
        if code.startswith("```text"):
            continue
        for line in code.strip("`").splitlines():
            for said in re.findall(r"(?:^|[\s/(\"])llmitm ([a-z-][^#|)\"]*)", line):
                yield said.split()


@pages
def test_commands_and_their_options_exist(page: Path) -> None:
    for words in command_lines(page):
        command: click.Command = group
        context = click.Context(group, info_name="llmitm")
        for word in words:
            if word in ("--", "&&") or not re.fullmatch(r"-{0,2}[a-z][a-z-]*", word):
                break
            if word.startswith("-"):
                options = {o for p in command.get_params(context) for o in p.opts}
                assert word in options, f"{page.name}: llmitm {' '.join(words)}"
            elif isinstance(command, click.Group):
                found = command.get_command(context, word)
                assert found is not None, f"{page.name}: llmitm {' '.join(words)}"
                command, context = found, click.Context(found, info_name=word, parent=context)


@pages
def test_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.M))
    code = "\n".join(_CODE.findall(page.read_text("utf-8")))
    assert set(re.findall(r"(?:^|`|\n)make ([a-z-]+)", code)) <= targets


@pages
def test_variables_are_settings(page: Path) -> None:
    known = {
        f"LLMITM_{section}__{key}".upper()
        for section, model in SECTIONS.items()
        for key in model.model_fields
    }
    known |= OTHER_ENV
    said = {name for name in _VARIABLE.findall(page.read_text("utf-8")) if not name.endswith("__")}
    assert said <= known


@pages
def test_settings_named_in_prose_exist(page: Path) -> None:
    for section, key in re.findall(r"`(%s)\.([a-z_]+)\b(?!\()" % "|".join(SECTIONS), page.read_text("utf-8")):  # noqa: UP031
        if key not in ("py", "db"):
            assert key in SECTIONS[section].model_fields, f"{page.name}: {section}.{key}"


@pages
def test_sql_runs(page: Path) -> None:
    for query in re.findall(r'sqlite3 -readonly \S+ "(select [^"]+)"', page.read_text("utf-8")):
        columns = re.sub(r"(?i)\b(select|from calls|group by|count|sum|[0-9])\b|[*(),]", " ", query).split()
        assert columns and set(columns) <= set(descriptions.CALLS), query


@pages
def test_rules_load(page: Path, tmp_path: Path) -> None:
    for n, written in enumerate(re.findall(r"```yaml\n(.*?)```", page.read_text("utf-8"), re.S)):
        if re.search(r"^rules:", written, re.M):
            (tmp_path / f"example{n}.yaml").write_text(written)
        for named in re.findall(r"file: ([\w./-]+)", written):
            (tmp_path / named).parent.mkdir(exist_ok=True)
            (tmp_path / named).write_text("evil.example\n")
    load(tmp_path)


def test_generated_parts_are_up_to_date() -> None:
    generated = [str(p.relative_to(REPOSITORY)) for p in PAGES[2:]]
    # A narrow terminal, to see that it makes no difference.
    env = {**os.environ, "COLUMNS": "40", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "cogapp", "--check", "--diff", "-I", ".", *generated],
        cwd=REPOSITORY,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"run `make docs`\n{done.stdout}{done.stderr}"


def test_every_command_and_setting_has_its_place() -> None:
    commands, config = (REPOSITORY / "docs" / name for name in ("cli.md", "config.md"))
    for name in group.list_commands(click.Context(group)):
        assert f"## llmitm {name}\n" in commands.read_text("utf-8")
    for section, model in SECTIONS.items():
        assert f"### [{section}]\n" in config.read_text("utf-8")
        for key in model.model_fields:
            assert f"| `{key}` |" in config.read_text("utf-8")


def test_the_shipped_file_names_every_setting() -> None:
    shipped = (REPOSITORY / "mitm.toml").read_text("utf-8")
    for section, model in SECTIONS.items():
        part = shipped.partition(f"\n[{section}]\n")[2].partition("\n[")[0]
        assert [key for key in model.model_fields if f"{key} = " not in part] == [], section


def test_a_column_without_a_meaning_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(descriptions.CALLS, "model")
    with pytest.raises(KeyError, match="the view calls disagree on model"):
        reference.schema()
