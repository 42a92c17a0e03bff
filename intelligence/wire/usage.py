"""Token counts of each provider brought to one meaning, OpenTelemetry's: input includes cached tokens, output includes reasoning.

Whether the provider's counts overlap was measured on recorded traffic: OpenAI's cached tokens are inside the prompt count and
reasoning inside the completion count (xAI's reasoning is not, which its total shows); Anthropic and Bedrock count cached tokens
beside the input; Gemini counts thoughts beside the candidates. What was not stated stays None.
"""

from __future__ import annotations

from typing import Any

from intelligence.wire.draft import Tokens
from intelligence.wire.json_value import count, first, obj


def openai(usage: dict[str, Any]) -> Tokens:
    """Chat, completions, embeddings (`prompt_tokens`) and Responses, Realtime (`input_tokens`), and their many imitations."""
    into = obj(
        usage.get("prompt_tokens_details")
        or usage.get("input_tokens_details")
        or usage.get("input_token_details")
    )
    out = obj(
        usage.get("completion_tokens_details")
        or usage.get("output_tokens_details")
        or usage.get("output_token_details")
    )
    tokens = Tokens(
        input=first(count(usage.get("prompt_tokens")), count(usage.get("input_tokens"))),
        output=first(count(usage.get("completion_tokens")), count(usage.get("output_tokens"))),
        cache_read=first(
            count(into.get("cached_tokens")),
            count(usage.get("cached_tokens")),
            count(usage.get("prompt_cache_hit_tokens")),
            count(usage.get("cache_read_input_tokens")),
        ),
        cache_write=first(
            count(into.get("cache_write_tokens")), count(usage.get("cache_creation_input_tokens"))
        ),
        reasoning=first(count(out.get("reasoning_tokens")), count(usage.get("reasoning_tokens"))),
    )
    total = count(usage.get("total_tokens"))
    if (
        tokens.reasoning
        and total is not None
        and tokens.input is not None
        and tokens.output is not None
        and tokens.input + tokens.output + tokens.reasoning == total
    ):
        tokens.output += tokens.reasoning
    return tokens


def anthropic(usage: dict[str, Any]) -> Tokens:
    read, written = (
        count(usage.get("cache_read_input_tokens")),
        count(usage.get("cache_creation_input_tokens")),
    )
    return Tokens(
        input=_sum(count(usage.get("input_tokens")), read, written),
        output=count(usage.get("output_tokens")),
        cache_read=read,
        cache_write=written,
        reasoning=count(obj(usage.get("output_tokens_details")).get("thinking_tokens")),
    )


def gemini(usage: dict[str, Any]) -> Tokens:
    thoughts = count(usage.get("thoughtsTokenCount"))
    candidates = first(count(usage.get("candidatesTokenCount")), count(usage.get("responseTokenCount")))
    return Tokens(
        input=_sum(count(usage.get("promptTokenCount")), count(usage.get("toolUsePromptTokenCount"))),
        # A count of zero is left out of the JSON.
        output=_sum(candidates, thoughts) if candidates is not None else thoughts,
        cache_read=count(usage.get("cachedContentTokenCount")),
        reasoning=thoughts,
    )


def bedrock(usage: dict[str, Any]) -> Tokens:
    read = first(count(usage.get("cacheReadInputTokens")), count(usage.get("cacheReadInputTokenCount")))
    written = first(count(usage.get("cacheWriteInputTokens")), count(usage.get("cacheWriteInputTokenCount")))
    return Tokens(
        input=_sum(
            first(count(usage.get("inputTokens")), count(usage.get("inputTokenCount"))), read, written
        ),
        output=first(count(usage.get("outputTokens")), count(usage.get("outputTokenCount"))),
        cache_read=read,
        cache_write=written,
    )


def cohere(usage: dict[str, Any]) -> Tokens:
    """`tokens` is what the model read and wrote, `billed_units` is less; some answers carry the latter alone."""
    tokens, billed = obj(usage.get("tokens")), obj(usage.get("billed_units"))
    return Tokens(
        input=first(count(tokens.get("input_tokens")), count(billed.get("input_tokens"))),
        output=first(count(tokens.get("output_tokens")), count(billed.get("output_tokens"))),
        cache_read=count(usage.get("cached_tokens")),
    )


def ollama(usage: dict[str, Any]) -> Tokens:
    return Tokens(input=count(usage.get("prompt_eval_count")), output=count(usage.get("eval_count")))


def _sum(base: int | None, *more: int | None) -> int | None:
    """`base` and what is beside it; unknown when `base` is."""
    return None if base is None else base + sum(n for n in more if n is not None)
