"""Markdown and code as HTML that is safe to show, whoever wrote it.

A prompt is content of strangers. So no HTML of theirs gets through (it is shown as text), nothing is loaded (an image only
if its bytes are in the text, see `pictures`), and a link leads only to http or https, says where, in full, and opens apart
from this page without a referrer. Ids, classes and styles are ours alone.

The parsers can be slow on text made to be. A `Budget` bounds what one page spends on them; what goes beyond is escaped and
shown as it was written.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from io import StringIO
from typing import Any
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markupsafe import Markup, escape
from pygments.formatters.html import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

from datasette_plugins.pictures import picture

MARKDOWN_LONGEST = 20_000
CODE_LONGEST = 20_000
# Lexers take quadratic time on some long lines.
LINE_LONGEST = 1_000
CODE_SECONDS = 0.03

# Those that coding agents write and read; a name outside this list is not looked up.
LANGUAGES = frozenset(
    """bash c cpp c++ console csharp cs css csv diff dockerfile go graphql html http ini java javascript js json jsonc jsonl
    jsx kotlin lua makefile markdown md perl php powershell protobuf py python python3 r rb ruby rs rust scala scss sh shell
    sql swift toml ts tsx typescript xml yaml yml zsh""".split()
)
_ALIASES = {"jsonc": "json", "jsonl": "json", "csv": "text", "http": "http"}
_FORMATTER = HtmlFormatter(nowrap=True, classprefix="hl-")


@dataclass
class Budget:
    """What is left of it for a page: characters of Markdown, and seconds of colouring."""

    characters: int = 200_000
    seconds: float = 0.15


def render(text: str, budget: Budget) -> Markup | None:
    """The text as HTML; `None` if it is too long to be read as Markdown."""
    if len(text) > min(MARKDOWN_LONGEST, budget.characters):
        return None
    budget.characters -= len(text)
    return Markup(_parser().render(text, {"budget": budget}))  # noqa: S704 - the renderer below escapes


def code(text: str, language: str, budget: Budget) -> Markup:
    """The inside of a `<pre>`: coloured where the language is known and time allows."""
    lexer = _lexer(language.lower())
    if lexer is None or len(text) > CODE_LONGEST or max(map(len, text.split("\n"))) > LINE_LONGEST:
        return escape(text)
    began = time.monotonic()
    until = began + min(CODE_SECONDS, budget.seconds)
    tokens = []
    for token in lexer.get_tokens(text):
        tokens.append(token)
        if time.monotonic() > until:
            break
    budget.seconds -= time.monotonic() - began
    if sum(len(words) for _, words in tokens) != len(text):
        return escape(text)
    out = StringIO()
    _FORMATTER.format(tokens, out)
    return Markup(out.getvalue())  # noqa: S704 - the formatter escapes


@cache
def _lexer(language: str) -> Lexer | None:
    if language not in LANGUAGES:
        return None
    try:
        found: Lexer = get_lexer_by_name(_ALIASES.get(language, language), stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None
    return found


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True}, renderer_cls=_Renderer)
    parser.enable(["table", "strikethrough"])
    # Every address is taken as one, so that none can hide; what becomes of it is decided by the renderer.
    parser.validateLink = lambda url: True  # type: ignore[method-assign]
    return parser


def _followable(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc)


class _Renderer(RendererHTML):
    def fence(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        words = tokens[idx].info.split(maxsplit=1)
        language = words[0] if words else ""
        text = tokens[idx].content.removesuffix("\n")
        label = Markup('<span class="language">{}</span>').format(language[:40]) if language else ""
        return (
            f'<div class="code">{label}<pre><code>{code(text, language, env["budget"])}</code></pre></div>\n'
        )

    def code_block(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return f'<div class="code"><pre><code>{escape(tokens[idx].content)}</code></pre></div>\n'

    def image(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        url = str(tokens[idx].attrs.get("src", ""))
        alt = tokens[idx].content
        if shown := picture(url):
            return str(Markup('<img class="picture" src="{}" alt="{}">').format(shown, alt or "image"))
        what = Markup('<span class="not-loaded">Image not loaded: {} <code>{}</code></span>')
        return str(what.format(alt, _short(url)))

    def link_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        url = str(tokens[idx].attrs.get("href", ""))
        if not _followable(url):
            return '<span class="no-link">'
        start = Markup(
            '<a href="{}" rel="noopener noreferrer nofollow" target="_blank" referrerpolicy="no-referrer">'
        )
        return str(start.format(url))

    def link_close(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        opening = _opening(tokens, idx)
        url = str(tokens[opening].attrs.get("href", ""))
        words = "".join(t.content for t in tokens[opening + 1 : idx])
        where = "" if words == url else Markup(' <span class="target">({})</span>').format(_short(url))
        return f"{'</a>' if _followable(url) else '</span>'}{where}"

    def heading_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return f'<{_heading(tokens[idx])} class="said-{tokens[idx].tag}">'

    def heading_close(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return f"</{_heading(tokens[idx])}>\n"

    def table_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return '<div class="scroll" tabindex="0" role="group" aria-label="Table"><table>\n'

    def table_close(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return "</table></div>\n"

    def th_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return "<th>"  # without the style attribute of an alignment

    def td_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return "<td>"


def _heading(token: Token) -> str:
    """Under the headings of the page, whose message is an h3."""
    return f"h{min(6, 3 + int(token.tag[1]))}"


def _opening(tokens: Sequence[Token], closing: int) -> int:
    return next(i for i in range(closing, -1, -1) if tokens[i].type == "link_open")


def _short(url: str) -> str:
    return url if len(url) <= 300 else f"{url[:300]}…"
