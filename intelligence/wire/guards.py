"""What a provider demands back exactly as it gave it, and what it runs itself: parts of a conversation that nobody may edit.

Providers sign a model's thinking, encrypt it, or keep what their own tools found in a form they check. A changed byte gives a
400, or an answer made from something else. What such a part is shows in the part itself, whatever the format, so one function
tells, and there is no switch beside it. The text and the calls that stand next to a signed part are not covered by it: a value
redacted there on the way out, and restored on the way back, must be redacted there again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SIGNED = "signed thinking"
ENCRYPTED = "encrypted content"
PROVIDER_RUN = "provider-run tool"
COMPACTED = "compacted conversation"

_THINKING = frozenset(["thinking", "reasoning", "reasoning.text"])
_KINDS = {
    "redacted_thinking": SIGNED,
    "reasoning.encrypted": ENCRYPTED,
} | dict.fromkeys(
    """server_tool_use mcp_tool_use web_search_call file_search_call code_interpreter_call image_generation_call mcp_call
    mcp_list_tools mcp_approval_request program program_output""".split(),
    PROVIDER_RUN,
)
_CODE = ("executableCode", "executable_code", "codeExecutionResult", "code_execution_result")
_ENCRYPTED = ("encrypted_content", "encrypted_index", "encrypted_stdout", "redactedContent")
_SIGNATURES = ("thoughtSignature", "thought_signature")

_TELLING = frozenset(["signature", "extra_content", *_CODE, *_ENCRYPTED, *_SIGNATURES])
KEYS = _TELLING | {"type", "text"}
"""The members that `guard` looks at."""

DATA = frozenset(
    """input action operation args arguments parameters response outputs json input_schema inputSchema schema""".split()
)
"""Members of a part that hold what a person or program wrote, in any shape: nothing in them is a part of the conversation."""


def guard(part: Mapping[str, Any]) -> str | None:
    """Why nobody may edit this part or anything in it; None when anyone may."""
    kind = part.get("type")
    if isinstance(kind, str):
        if kind in _KINDS:
            return _KINDS[kind]
        if kind.endswith("_tool_result"):
            return PROVIDER_RUN
        if kind.startswith("compaction") and kind != "compaction_trigger":
            return COMPACTED
    if _TELLING.isdisjoint(part):  # as of nearly all
        return None
    if not isinstance(kind, str) and any(part.get(key) for key in _CODE):
        return PROVIDER_RUN
    if part.get("signature") and (kind in _THINKING if isinstance(kind, str) else "text" in part):
        return SIGNED
    if any(part.get(key) for key in _SIGNATURES) or _google_signature(part.get("extra_content")):
        return SIGNED
    return ENCRYPTED if any(part.get(key) for key in _ENCRYPTED) else None


def _google_signature(extra: Any) -> bool:
    """Gemini behind OpenAI's shape keeps the signature of a call here."""
    google = extra.get("google") if isinstance(extra, dict) else None
    return isinstance(google, dict) and bool(google.get("thought_signature"))
