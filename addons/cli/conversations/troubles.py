"""What goes wrong in practice: a rate limit, an overloaded provider, streams that end too early."""

from __future__ import annotations

import contextlib

import anthropic
import openai

from addons.cli.conversations import claude, gpt


def rate_limit() -> None:
    """429, then fine: the SDK tries again by itself."""
    openai.OpenAI(api_key=gpt.KEY, max_retries=2).chat.completions.create(
        model="gpt-5.4-mini",
        messages=[
            {
                "role": "user",
                "content": "Name three rivers that cross a border. [[offline: status=429 retry_after=0.2 times=1]]",
            }
        ],
    )


def overloaded() -> None:
    with contextlib.suppress(anthropic.APIStatusError):
        anthropic.Anthropic(api_key=claude.KEY, max_retries=0).messages.create(
            model="claude-haiku-4-5",
            max_tokens=256,
            messages=[{"role": "user", "content": 'Hello? [[offline: status=529 message="Overloaded"]]'}],
        )


def provider_cuts() -> None:
    """The connection breaks in the middle of the answer."""
    prompt = "Tell me the history of the metre. [[offline: length=80 drip_ms=5 cut=12]]"
    with contextlib.suppress(openai.OpenAIError), _chat_stream(prompt) as stream:
        for _ in stream:
            pass


def error_in_stream() -> None:
    with contextlib.suppress(anthropic.APIStatusError):
        client = anthropic.Anthropic(api_key=claude.KEY, max_retries=0)
        with client.messages.stream(
            model="claude-sonnet-5",
            max_tokens=512,
            messages=[
                {
                    "role": "user",
                    "content": "Compare three note-taking methods. [[offline: error_event=6 status=529]]",
                }
            ],
        ) as stream:
            for _ in stream:
                pass


def user_leaves() -> None:
    """The client hangs up after a few words."""
    prompt = "Write me a long bedtime story about a lighthouse. [[offline: length=400 drip_ms=10]]"
    with _chat_stream(prompt) as stream:
        for number, _ in enumerate(stream):
            if number == 8:
                break


def _chat_stream(prompt: str) -> openai.Stream[openai.types.chat.ChatCompletionChunk]:
    return openai.OpenAI(api_key=gpt.KEY, max_retries=0).chat.completions.create(
        model="gpt-5.4", messages=[{"role": "user", "content": prompt}], stream=True
    )


CONVERSATIONS = (
    ("A rate limit, then an answer (429)", rate_limit),
    ("An overloaded provider (529)", overloaded),
    ("A stream cut by the provider", provider_cuts),
    ("An error inside a stream", error_in_stream),
    ("A reader who leaves early", user_leaves),
)
