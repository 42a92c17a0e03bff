# ruff: noqa: E501  (a pattern reads better whole)
"""Secret or private text on its way out: in a URL, a Markdown image, the arguments of a tool.

A picture in an answer is fetched by whoever shows it, so its address carries whatever was put into it, without a
click. A tool call carries what its arguments say. `exfiltration` looks at one text; `carried` at a whole
conversation: a secret that stood in one part and stands in a later tool call, as it was or encoded.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from urllib.parse import quote

from intelligence.detect.detection import Detection
from intelligence.detect.engine import Group, Rule, Text, compiled, spans

_URL = compiled(r"(?i)https?://[^\s\"'<>)\]}\\]{4,1000}", capture=False)
_DATA = r"[A-Za-z0-9+/=_%.-]"
_LOCAL = compiled(
    r"(?i)^https?://(?:localhost|127\.|\[::1\]|0\.0\.0\.0|10\.|192\.168\.|[^/]{0,60}\.(?:local|internal|test|example)(?:[:/]|$))"
)


_COLLECTORS = r"(?:webhook\.site|requestbin\.(?:com|net)|pipedream\.net|ngrok(?:-free)?\.(?:io|app|dev)|burpcollaborator\.net|oast\.(?:pro|live|site|online|fun|me)|interact\.sh|beeceptor\.com|transfer\.sh|file\.io|0x0\.st|pastebin\.com/api)"


def image(
    id: str, type: str, address: str, score: float, accept: Callable[[bytes, int, int], bool] | None = None
) -> Rule:
    """A picture in Markdown with such an address behind `https://`. Its mark is in the middle: `![` is cheap to write."""
    return Rule(
        id,
        type,
        r"\]\(\s{0,3}https?://",
        score,
        accept,
        whole=rf"!\[[^\]\n]{{0,80}}\]\(\s{{0,3}}https?://{address}",
        before=96,
        behind=1200,
        near=b"![",
    )


@cache
def group() -> Group:
    return Group(
        [
            image(
                "exfiltration.image.template",
                "markdown_image",
                r"[^)\s]{3,300}[?&/=](?:[A-Za-z_]{1,20}=)?(?:\{\{?|\[|<|%7[Bb]|\$\{?)[A-Za-z_ .-]{2,60}",
                0.9,
            ),
            image(
                "exfiltration.image.data",
                "markdown_image",
                rf"[^)\s]{{3,200}}[?&][A-Za-z_]{{1,20}}={_DATA}{{32,900}}",
                0.7,
                _not_signed,
            ),
            Rule(
                "exfiltration.html.image",
                "html_image",
                r"(?i)<img\b[^>\n]{0,200}\bsrc\s{0,2}=\s{0,2}[\"']?https?://[^\"'\s>]{3,300}[?&][a-z_]{1,20}=(?:\{\{?|\[|<|%7B|\$\{?)",
                0.9,
            ),
            Rule(
                "exfiltration.html.script",
                "html_script",
                r"(?i)<(?:img|svg|iframe|body|video|audio)\b[^>\n]{0,200}\bon(?:error|load|click|mouseover)\s{0,2}=",
                0.6,
            ),
            Rule(
                "exfiltration.script.cookie",
                "html_script",
                r"document\.cookie",
                0.9,
                whole=r"(?i)(?:fetch|open|src|href|location|sendBeacon)[^\n]{0,100}(?:https?:)?//[^\n]{0,120}document\.cookie",
                before=240,
            ),
            Rule(
                "exfiltration.dns",
                "dns",
                r"(?i)\b(?:nslookup|dig|host|ping|curl|wget)\s[^\n|;]{0,60}(?:\$\([^)\n]{1,80}\)|`[^`\n]{1,80}`|\$\{?[A-Z_]{3,40}\}?)\.[a-z0-9-]{1,60}\.[a-z]{2,20}",
                0.9,
            ),
            Rule(
                "exfiltration.collector",
                "collector",
                rf"(?i){_COLLECTORS}\b",
                0.7,
                whole=rf"(?i)https?://[a-z0-9.-]{{0,80}}{_COLLECTORS}\b",
                before=88,
            ),
        ]
    )


def _not_signed(data: bytes, start: int, end: int) -> bool:
    """Pictures in a store have a signature in their address."""
    address = data[start:end].lower()
    return not any(
        mark in address
        for mark in (
            b"x-amz-",
            b"signature=",
            b"sig=",
            b"expires=",
            b"x-goog-",
            b"jwt=",
            b"shields.io",
            b"githubusercontent",
            b"badge",
        )
    )


def exfiltration(
    text: Text, source: str | None, private: Iterable[Detection] = (), deadline: float | None = None
) -> list[Detection]:
    """What leaves by this text. `private` are the secrets and personal data found in it. Raises `DeadlineExceeded`."""
    found = [
        Detection("exfiltration", hit.rule.type, hit.rule.score, *text.span(hit.start, hit.end), hit.rule.id)
        for hit in group().hits(text, deadline)
    ]
    held = sorted(
        (d.start, d.end, d.kind)
        for d in private
        if (d.kind == "secret" or (d.kind == "pii" and d.type not in _ADDRESSES)) and d.type not in _OF_URLS
    )
    behind = 0  # of those held, so many end before the URL
    if held and source in (None, "assistant", "tool_call"):
        for first, last in spans(_URL, text.data, deadline):
            if _LOCAL.search(text.data[first:last]):
                continue
            start, end = text.span(first, last)
            while behind < len(held) and held[behind][1] <= start:
                behind += 1
            if behind < len(held) and held[behind][0] < end:
                leak = f"{held[behind][2]}_in_url"
                found.append(Detection("exfiltration", leak, 0.9, start, end, f"exfiltration.{leak}"))
    return found


# A URL has its host and user; that is no leak by itself.
_ADDRESSES = frozenset({"ip_address", "mac_address"})
_OF_URLS = frozenset(
    {"db_url_password", "basic_auth_url", "slack_webhook", "discord_webhook", "teams_webhook", "azure_sas"}
)


def carried(earlier: Sequence[str], arguments: str) -> list[Detection]:
    """Where one of the secrets seen earlier stands in `arguments`: as it is, in Base64, in hex, quoted for a URL, or
    backwards."""
    found = []
    for secret in earlier:
        if len(secret) < 8:
            continue
        raw = secret.encode("utf-8", "replace")
        forms = {
            secret,
            base64.b64encode(raw).decode().rstrip("="),
            raw.hex(),
            quote(secret, safe=""),
            secret[::-1],
        }
        for form in forms:
            at = arguments.find(form)
            if at >= 0:
                found.append(
                    Detection(
                        "exfiltration", "secret_carried", 0.95, at, at + len(form), "exfiltration.carried"
                    )
                )
                break
    return found
