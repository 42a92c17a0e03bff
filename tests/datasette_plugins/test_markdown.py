from __future__ import annotations

import time

import pytest

from datasette_plugins import markdown
from datasette_plugins.markdown import CODE_LONGEST, MARKDOWN_LONGEST, Budget
from tests.datasette_plugins.hostile import MARKDOWN


def render(text: str) -> str:
    shown = markdown.render(text, Budget())
    assert shown is not None
    return str(shown)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("**b** *i* `c`", "<p><strong>b</strong> <em>i</em> <code>c</code></p>"),
        ("one\ntwo", "<p>one<br />\ntwo</p>"),
        ("# Title", '<h4 class="said-h1">Title</h4>'),
        ("<b>not ours</b>", "<p>&lt;b&gt;not ours&lt;/b&gt;</p>"),
        ("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>"),
    ],
)
def test_what_it_becomes(text: str, shown: str) -> None:
    assert render(text).strip() == shown


def test_a_link_says_where_it_leads() -> None:
    shown = render("[docs](https://example.com/a?b=1)")
    assert 'href="https://example.com/a?b=1"' in shown
    assert 'rel="noopener noreferrer nofollow"' in shown and 'target="_blank"' in shown
    assert '<span class="target">(https://example.com/a?b=1)</span>' in shown
    assert "target" not in render("<https://example.com>").replace('target="_blank"', "")


@pytest.mark.parametrize(
    "url", ["javascript:x", "data:text/html,x", "file:///x", "//x.example", "/-/logout", "#a"]
)
def test_what_is_no_web_address_is_no_link(url: str) -> None:
    shown = render(f"[a]({url})")
    assert "<a" not in shown and url in shown


def test_an_image_elsewhere_is_told_not_loaded() -> None:
    shown = render("![chart](https://example.com/a.png)")
    assert "<img" not in shown and "Image not loaded: chart" in shown and "https://example.com/a.png" in shown


def test_hostile_markdown_has_no_tags_of_its_own() -> None:
    shown = render(MARKDOWN).lower()
    for tag in ("<script", "<img", "<svg", "<iframe", "<meta", "<base", "<form", "<style", "<details"):
        assert tag not in shown, tag


def test_code_is_coloured_where_its_language_is_known() -> None:
    assert '<span class="hl-k">def</span>' in render("```python\ndef f(): pass\n```")
    assert "hl-" not in render("```klingon\ndef f(): pass\n```")
    assert str(markdown.code("<b>", "html", Budget())).count("<b>") == 0
    assert "hl-" not in markdown.code("x = 1\n" * CODE_LONGEST, "python", Budget())


def test_a_budget_ends() -> None:
    budget = Budget(characters=10)
    assert markdown.render("x" * 8, budget) is not None
    assert markdown.render("x" * 8, budget) is None
    assert markdown.render("x" * (MARKDOWN_LONGEST + 1), Budget()) is None


@pytest.mark.parametrize("unit", ["[", "![", "*a **a ", "> ", "- ", "`", "[a](", "<", "~~a", "|a"])
def test_text_made_to_be_slow(unit: str) -> None:
    began = time.process_time()
    render((unit * MARKDOWN_LONGEST)[:MARKDOWN_LONGEST])
    assert time.process_time() - began < 5


@pytest.mark.parametrize("language", ["c", "makefile", "js", "console", "java", "diff"])
def test_code_made_to_be_slow(language: str) -> None:
    budget = Budget()
    began = time.process_time()
    for text in ("\n" * 9000, '"\\' * 9000, "a" * 18000, "(\n" * 9000):
        markdown.code(text, language, budget)
    assert time.process_time() - began < 2
