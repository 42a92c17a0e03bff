"""The recorded exchanges (`LLMITM_CORPUS`), and what `expected` means in our terms."""

import base64
import json
import os
from pathlib import Path
from typing import Any

from intelligence.wire.registry import Registry, Target

FOLDER = Path(os.environ.get("LLMITM_CORPUS", Path(__file__).parents[4] / "shared" / "corpus"))
FILES = sorted(path.name for path in FOLDER.glob("*.jsonl"))
REGISTRY = Registry()
# Exchange id -> the one field in which `expected` is wrong: it takes no count of cached tokens from Together's answers, which
# state it (`usage.cached_tokens`). That the provider's SDK reads it too is shown in test_sdk_agreement.py.
EXCEPTIONS = dict.fromkeys(
    ("04ab5e616688", "33a70ae1bebe", "947b60f5a542", "9da46ee57200"), "cache_read_tokens"
)


def exchanges(file: str) -> list[dict[str, Any]]:
    with (FOLDER / file).open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def target_of(exchange: dict[str, Any]) -> Target | None:
    host, _, port = str(exchange["host"]).partition(":")
    method, path = exchange["method"], exchange["path"] or ""
    return REGISTRY.classify(host, int(port or 443), method, path) or REGISTRY.classify_any(method, path)


def body_of(exchange: dict[str, Any], side: str) -> bytes:
    """As it was on the wire."""
    body = exchange[f"{side}_body"] or ""
    if exchange[f"{side}_encoding"] == "base64":
        return base64.b64decode(body)
    return body.encode("utf-8", "surrogatepass")


def otel(format_: str, expected: dict[str, Any]) -> dict[str, int | None]:
    """The provider's raw numbers brought to OpenTelemetry's meaning, by the rules of the corpus notes."""
    raw = {
        key: expected[key]
        for key in (
            "input_tokens",
            "output_tokens",
            "cache_read_tokens",
            "cache_write_tokens",
            "reasoning_tokens",
        )
    }
    usage = expected["usage_raw"] or {}
    read, written = raw["cache_read_tokens"] or 0, raw["cache_write_tokens"] or 0
    beside = format_ in ("anthropic-messages", "bedrock-converse") or "cache_read_input_tokens" in usage
    if raw["input_tokens"] is not None and beside and "prompt_tokens" not in usage:
        raw["input_tokens"] += read + written
    if format_ == "gemini" and raw["input_tokens"] is not None:
        raw["input_tokens"] += usage.get("toolUsePromptTokenCount") or 0
    if format_ == "gemini" and raw["reasoning_tokens"] is not None:
        raw["output_tokens"] = (raw["output_tokens"] or 0) + raw["reasoning_tokens"]
    if format_ == "openai-chat" and raw["reasoning_tokens"] and "cost_in_usd_ticks" in usage:  # xAI
        raw["output_tokens"] += raw["reasoning_tokens"]
    return raw
