"""A call as a row of text: the same for the page as first rendered and for each live update of it.

`row` gives display strings only. The browser puts them in with `textContent`, the templates escape them, so that nothing in a
prompt, an answer or a model name can be markup.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from datasette_plugins import units

STATES = {
    "pending": "running",
    "complete": "complete",
    "aborted": "client left",
    "error": "error",
    "blocked": "blocked",
    "interrupted": "interrupted",
}
PREVIEW = 160


def row(call: Mapping[str, Any]) -> dict[str, Any]:
    """Display strings of one call; `id`, `session`, `state` and `started_at` (ms) are for the page's own use."""
    # What an ended answer lacks is unknown; one that still runs has not said it yet, and a failed one has nothing to say.
    missing = {"pending": "…", "error": "–", "blocked": "–"}.get(call["state"], units.UNKNOWN)
    return {
        "id": call["id"],
        "state": call["state"],
        "started_at": call["started_at"],
        "session": call["session_id"] or "",
        "clock": units.clock(call["started_at"]),
        "iso": units.iso(call["started_at"]),
        "state_label": state_label(call),
        "client": call["client"] or "unknown client",
        "provider": call["provider"] or call["host"] or units.UNKNOWN,
        "model": call["response_model"] or call["model"] or "unknown model",
        "operation": (call["operation"] or "").replace("_", " "),
        "input_tokens": missing if call["input_tokens"] is None else units.count(call["input_tokens"]),
        "output_tokens": missing if call["output_tokens"] is None else units.count(call["output_tokens"]),
        "cost": missing if call["cost_usd"] is None else units.money(call["cost_usd"]),
        "ttft": "–" if call["ttft_ms"] is None else units.duration(call["ttft_ms"]),
        "duration": missing if call["duration_ms"] is None else units.duration(call["duration_ms"]),
        "preview": preview(call),
        "tools": _asked_for(call),
    }


def wordless(shown: Mapping[str, Any]) -> dict[str, Any]:
    """A row for who must not see secrets: of the beginning of an answer nobody can tell what is one."""
    return {**shown, "preview": shown["tools"]}


def state_label(call: Mapping[str, Any]) -> str:
    """The state in words, with the status code where that says more."""
    label = STATES.get(call["state"], call["state"])
    code = call["status_code"]
    return f"{label} {code}" if call["state"] in ("error", "blocked") and (code or 0) >= 400 else label


def preview(call: Mapping[str, Any]) -> str:
    """One line of what came back: text, else the tools asked for, else the error."""
    if call["state"] in ("error", "blocked") and (call["error_message"] or call["error_type"]):
        text = call["error_message"] or call["error_type"]
    else:
        text = call["text"] or ""
    return f"{' '.join(text.split())[:PREVIEW]} {_asked_for(call)}".strip()


def _asked_for(call: Mapping[str, Any]) -> str:
    names = tool_names(call["tool_calls"])
    return f"→ {', '.join(names)}" if names else ""


def tool_names(raw: str | None) -> list[str]:
    """The JSON list of `calls.tool_calls`."""
    try:
        names = json.loads(raw or "[]")
    except ValueError:
        return []
    return [str(name) for name in names] if isinstance(names, list) else []
