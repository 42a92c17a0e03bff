"""Asking Claude by the Messages API: one question, answered by a call of the one tool that it is given.

So the answer is a JSON object of a known shape. What it costs is stated with it, by the tokens that the provider counts.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import certifi

from intelligence.wire.json_value import count, items, obj, text

VERSION = "2023-06-01"
SECONDS = 60
# Of an error's words, so many are told.
MOST_WORDS = 300


class ClaudeError(Exception):
    """Why there is no answer. The message is for the user; it holds nothing of the question."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`given` is what the tool was called with. Tokens as OpenTelemetry counts them, None where they were not stated."""

    given: dict[str, Any]
    model: str
    input_tokens: int | None
    output_tokens: int | None
    usage: dict[str, Any]


class Claude:
    """`proxy` and `ca_file` are those of connections to providers; variables of the environment are not looked at."""

    def __init__(
        self, base_url: str, key: str, model: str, proxy: str | None = None, ca_file: Path | None = None
    ) -> None:
        self._url = base_url.rstrip("/") + "/v1/messages"
        self._key = key
        self.model = model
        self._proxy = proxy
        self._ca_file = ca_file

    def ask(self, system: str, question: str, tool: dict[str, Any], max_tokens: int) -> Answer:
        """Raises `ClaudeError`."""
        import httpx  # takes long to load, and few ask

        body = {
            "model": self.model,
            "max_tokens": max_tokens,
            "system": system,
            "messages": [{"role": "user", "content": question}],
            "tools": [tool],
            "tool_choice": {"type": "tool", "name": tool["name"]},
        }
        headers = {"x-api-key": self._key, "anthropic-version": VERSION}
        context = ssl.create_default_context(cafile=str(self._ca_file or certifi.where()))
        try:
            with httpx.Client(verify=context, proxy=self._proxy, trust_env=False, timeout=SECONDS) as client:
                response = client.post(self._url, json=body, headers=headers)
            value = obj(response.json())
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as e:
            raise ClaudeError(f"no answer: {type(e).__name__}: {str(e)[:MOST_WORDS]}") from None
        if response.status_code != 200:
            why = text(obj(value.get("error")).get("message"))[:MOST_WORDS]
            raise ClaudeError(f"the answer was {response.status_code}: {why}")
        return _answer(value, tool["name"], self.model)


def _answer(value: dict[str, Any], tool: str, model: str) -> Answer:
    given = next(
        (
            obj(block.get("input"))
            for block in map(obj, items(value.get("content")))
            if block.get("type") == "tool_use" and block.get("name") == tool
        ),
        None,
    )
    if given is None:
        raise ClaudeError("the answer says nothing that was asked for")
    usage = obj(value.get("usage"))
    read = [count(usage.get(f"{name}input_tokens")) for name in ("", "cache_read_", "cache_creation_")]
    input_tokens = None if read[0] is None else sum(n or 0 for n in read)
    return Answer(
        given, text(value.get("model")) or model, input_tokens, count(usage.get("output_tokens")), usage
    )
