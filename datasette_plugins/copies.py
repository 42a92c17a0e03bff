"""A recorded request as something to run again: a curl command, Python, JSON.

The credential is not in the record, so a placeholder stands for it. The text will be pasted into a terminal, and parts of it
were written by strangers: everything of theirs is quoted, and in plain ASCII, so that no control character gets through.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from intelligence.wire.credentials import REDACTED

# Above this a command line would not take the body; it is to be saved beside.
INLINE_BYTES = 60_000
BODY_FILE = "request.json"

_KEPT_HEADERS = frozenset(
    "content-type accept anthropic-version anthropic-beta openai-beta openai-organization".split()
)
_KEYS = {
    "openai": "OPENAI_API_KEY",
    "anthropic": "ANTHROPIC_API_KEY",
    "gcp.gemini": "GEMINI_API_KEY",
    "mistral_ai": "MISTRAL_API_KEY",
    "openrouter": "OPENROUTER_API_KEY",
    "groq": "GROQ_API_KEY",
    "x_ai": "XAI_API_KEY",
    "deepseek": "DEEPSEEK_API_KEY",
}


def copy(form: str, row: Mapping[str, Any], body: bytes) -> str:
    """`form` is `curl`, `python` or `json`. `row` is what `queries.call` gives, `body` the decoded request."""
    return {"curl": _curl, "python": _python, "json": _json}[form](row, body)


def _json(row: Mapping[str, Any], body: bytes) -> str:
    try:
        text = json.dumps(json.loads(body), indent=2, ensure_ascii=False)
        return "".join(c if c.isprintable() or c == "\n" else _escaped(c) for c in text) + "\n"
    except (ValueError, RecursionError):
        return body.decode("utf-8", "backslashreplace")


def _escaped(character: str) -> str:
    return json.dumps(character)[1:-1]


def _curl(row: Mapping[str, Any], body: bytes) -> str:
    parts = [f"curl {shlex.quote(_url(row))}"]
    for name, value in _headers(row):
        # The placeholder is a shell variable, the only thing that the shell is to look into.
        shown = f'"{name}: {value}"' if "$" in value else shlex.quote(f"{name}: {value}")
        parts.append(f"-H {shown}")
    compact = _ascii(body)
    if len(compact) > INLINE_BYTES:
        parts.append(f"--data-binary @{BODY_FILE}")
        return f"# Save the body as {BODY_FILE} first: copy as JSON.\n" + " \\\n  ".join(parts) + "\n"
    if body:
        # Not --data-binary, which takes a text that begins with @ for the name of a file.
        parts.append(f"--data-raw {shlex.quote(compact)}")
    return " \\\n  ".join(parts) + "\n"


def _python(row: Mapping[str, Any], body: bytes) -> str:
    lines = ["import json", "import os", "", "import httpx", ""]
    compact = _ascii(body)
    if len(compact) > INLINE_BYTES:
        lines += [
            f"# Save the body as {BODY_FILE} first: copy as JSON.",
            f"body = open({BODY_FILE!r}).read()",
        ]
    else:
        lines.append(f"body = {compact!a}")
    lines += ["headers = {"]
    for name, value in _headers(row):
        before, dollar, variable = value.partition("$")
        shown = f"{before!a} + os.environ[{variable!a}]" if dollar else ascii(value)
        lines.append(f"    {name!a}: {shown},")
    lines += [
        "}",
        f"response = httpx.post({_url(row)!a}, headers=headers, content=body, timeout=600)",
        "print(response.status_code, response.text)",
    ]
    return "\n".join(lines) + "\n"


def _url(row: Mapping[str, Any]) -> str:
    port = "" if row["port"] in (None, 80, 443) else f":{row['port']}"
    path = str(row["path"] or "/").replace(REDACTED, "KEY")
    host = quote(str(row["host"] or ""), safe=":.-[]")
    return f"{row['scheme'] or 'https'}://{host}{port}{quote(path, safe='/?&=:%@,;+~.-_!*()')}"


def _headers(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a program needs to send, and a place for the credential."""
    kept = []
    variable = _KEYS.get(row["provider"] or "", "API_KEY")
    for name, value in row["request_headers"]:
        lower = name.lower()
        if lower in _KEPT_HEADERS and value.isascii() and value.isprintable() and "$" not in value:
            kept.append((lower, value))
        elif lower in ("authorization", "x-api-key", "api-key", "x-goog-api-key") and REDACTED in value:
            kept.append((lower, f"Bearer ${variable}" if lower == "authorization" else f"${variable}"))
    return kept


def _ascii(body: bytes) -> str:
    """One line of JSON; what is no JSON with its odd bytes escaped."""
    try:
        return json.dumps(json.loads(body), separators=(",", ":"))
    except (ValueError, RecursionError):
        return ascii(body.decode("utf-8", "backslashreplace"))[1:-1]
