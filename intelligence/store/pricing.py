"""What a call cost, in US dollars, from the tokens its provider stated.

| basis | the number is | source |
|---|---|---|
| `override` | reckoned with the user's own prices | `mitm.toml` |
| `stated` | the provider's own, from the answer (OpenRouter, Perplexity) | `provider` |
| `list` | reckoned with the list price of the day of the call | `genai-prices <version>` |
| `subscription` | the same, but paid by a flat rate: what the call would have cost | `genai-prices <version>` |

List prices are the data that the package `genai-prices` ships; nothing is fetched. It knows cached reads and writes (for five
minutes or an hour), reasoning, audio and images, batch, flex and priority tiers, prices by length of the context and by date.

Unknown is None: no price for the model, no count for a side that has a price, or a count for a side that has none. A model on
the user's own machine has no price either, unless an override says 0.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from intelligence.config import ModelPrice
from intelligence.store.plain_price import plain_price
from intelligence.wire.json_value import count, obj, objects

if TYPE_CHECKING:
    from genai_prices import types

log = logging.getLogger(__name__)

# Our name of a provider, and that of the price list. Who is not here has no list price: a local server, a gateway.
LISTED = {
    "openai": "openai",
    "azure.ai.openai": "azure",
    "azure.ai.inference": "azure",
    "anthropic": "anthropic",
    "gcp.gemini": "google",
    "gcp.vertex_ai": "google",
    "aws.bedrock": "aws",
    "mistral_ai": "mistral",
    "cohere": "cohere",
    "groq": "groq",
    "x_ai": "x-ai",
    "deepseek": "deepseek",
    "openrouter": "openrouter",
    "together": "together",
    "fireworks": "fireworks",
    "perplexity": "perplexity",
    "cerebras": "cerebras",
    "databricks": "databricks",
    "cloudflare": "cloudflare",
    "github.copilot": "github-copilot",
    "cursor": "cursor",
    "moonshot": "moonshotai",
    "zai": "zai",
    "minimax": "minimax",
    "voyage": "voyageai",
    "avian": "avian",
}

# Where a log-in instead of an API key means a flat rate. In the clouds (Vertex, Azure, Databricks) it is how one is billed.
_FLAT_RATE = frozenset(["anthropic", "openai", "github.copilot", "cursor"])
_FLAT_RATE_HOSTS = frozenset(["cloudcode-pa.googleapis.com", "chatgpt.com"])

# What is asked for gives no tokens.
_NO_OUTPUT = frozenset(["embeddings", "rerank"])
# Their counts are not what is billed, or nothing is.
_NOT_BY_TOKENS = frozenset(["count_tokens", "moderations"])

# Tiers at the plain price. Anthropic calls `priority` what is served from capacity bought beforehand.
_USUAL = frozenset(
    [
        ("service_tier", "default"),
        ("service_tier", "standard"),
        ("service_tier", "auto"),
        ("speed", "standard"),
    ]
)

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Cost:
    usd: float
    basis: str
    source: str


@dataclass(frozen=True, slots=True)
class Used:
    """What of a call its price depends on. Tokens as OpenTelemetry means them; `usage_raw` are the provider's own numbers."""

    provider: str | None
    host: str | None
    operation: str | None
    credential_kind: str | None
    started_at: int
    model: str | None = None
    response_model: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    usage_raw: dict[str, Any] | None = None
    service_tier: str | None = None

    @property
    def models(self) -> list[str]:
        """The model that answered is the more exact name, but not always one that the list knows."""
        return [name for name in dict.fromkeys((self.response_model, self.model)) if name]

    @property
    def flat_rate(self) -> bool:
        return flat_rate(self.provider, self.host, self.credential_kind)


def flat_rate(provider: str | None, host: str | None, credential_kind: str | None) -> bool:
    """Whether a call is part of a person's subscription, which pays for all calls at once."""
    return credential_kind == "oauth" and (provider in _FLAT_RATE or host in _FLAT_RATE_HOSTS)


class Prices:
    def __init__(self, overrides: Sequence[ModelPrice] = ()) -> None:
        """`overrides`: the first that fits a call counts."""
        self._overrides = overrides

    def cost(self, used: Used) -> Cost | None:
        """None where it is not known. Never raises."""
        for price in self._overrides:
            if _fits(price, used):
                usd = _by_override(price, used)
                return None if usd is None else Cost(usd, "override", "mitm.toml")
        if used.operation in _NOT_BY_TOKENS:
            return None
        stated = _stated(used)
        if stated is not None:
            return Cost(stated, "stated", "provider")
        usd = _by_list(used)
        return None if usd is None else Cost(usd, "subscription" if used.flat_rate else "list", source())


@cache
def source() -> str:
    """The price list in use."""
    import genai_prices

    return f"genai-prices {genai_prices.__version__}"


def _fits(price: ModelPrice, used: Used) -> bool:
    return fnmatchcase(used.provider or "", price.provider) and any(
        fnmatchcase(model.lower(), price.model.lower()) for model in used.models
    )


def _by_override(price: ModelPrice, used: Used) -> float | None:
    if not (price.input or price.output):
        return 0.0
    read, written = used.cache_read_tokens or 0, used.cache_write_tokens or 0
    reasoning = used.reasoning_tokens or 0
    plain = None if used.input_tokens is None else max(used.input_tokens - read - written, 0)
    said = 0 if used.operation in _NO_OUTPUT else used.output_tokens
    if (plain is None and price.input) or (said is None and price.output):
        return None
    return (
        (plain or 0) * price.input
        + read * (price.input if price.cache_read is None else price.cache_read)
        + written * (price.input if price.cache_write is None else price.cache_write)
        + max((said or 0) - reasoning, 0) * price.output
        + reasoning * (price.output if price.reasoning is None else price.reasoning)
    ) / _MILLION


def _stated(used: Used) -> float | None:
    """OpenRouter's `usage.cost`, Perplexity's `usage.cost.total_cost`: dollars."""
    if used.provider not in ("openrouter", "perplexity"):
        return None
    value = obj(used.usage_raw).get("cost")
    if isinstance(value, dict):
        value = value.get("total_cost")
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < _MILLION:
        return None
    return float(value)


def _by_list(used: Used) -> float | None:
    listed = LISTED.get(used.provider or "")
    found = next((m for name in used.models if listed and (m := _model(listed, name))), None)
    if found is None or used.input_tokens is None:
        return None
    output = 0 if used.operation in _NO_OUTPUT else used.output_tokens
    if output is None:
        return None
    provider, model = found
    try:
        at = datetime.fromtimestamp(used.started_at / 1000, UTC)
        context = _context(used)
        price = model.get_prices(at, context)
        priced = {key for key, value in vars(price).items() if value is not None}
        counts = _counts(used, used.input_tokens, output)
        if not _covers(priced, listed or "", counts) or not _has_tier(model, context, at):
            return None
        if not context and (plain := plain_price(price, priced, counts)) is not None:
            return float(plain)
        from genai_prices.types import Usage

        usage = Usage(**counts)
        calculated = model.calc_price(usage, provider, genai_request_timestamp=at, price_context=context)
        return float(calculated.total_price)
    except (
        ValueError,
        ArithmeticError,
        OSError,
    ) as e:  # counts that contradict each other; a date beyond reason
        log.debug("%s: no price: %s", used.models[0], e)
        return None


def _covers(priced: set[str], provider: str, counts: dict[str, int]) -> bool:
    """Whether there is a price for each side that has tokens. OpenAI's audio is never sold at the price of text."""
    for side in ("input", "output"):
        if counts[f"{side}_tokens"] and not any(
            k.startswith(f"{side}_") and k.endswith("_mtok") for k in priced
        ):
            return False
        dearer = provider in ("openai", "azure") and counts.get(f"{side}_audio_tokens")
        if dearer and f"{side}_audio_mtok" not in priced:
            return False
    return True


def _has_tier(model: types.ModelInfo, context: dict[str, str], at: datetime) -> bool:
    """Whether what was served otherwise than usual has a price of its own, at that time."""
    return all(
        (key, value) in _USUAL
        or any(
            variant.when.get(key) == value and (variant.constraint is None or variant.constraint.active(at))
            for variant in model.price_variants or ()
        )
        for key, value in context.items()
    )


@lru_cache(maxsize=4096)
def _model(provider: str, name: str) -> tuple[types.Provider, types.ModelInfo] | None:
    from genai_prices.data import providers
    from genai_prices.data_snapshot import find_provider_by_id

    found = find_provider_by_id(providers, provider)
    model = found.find_model(name, all_providers=providers) if found else None
    return (found, model) if found and model else None


def _context(used: Used) -> dict[str, str]:
    raw = obj(used.usage_raw)
    context = {}
    tier = used.service_tier or raw.get("service_tier")
    if isinstance(tier, str):
        context = {"processing": "batch"} if tier == "batch" else {"service_tier": tier.lower()}
    if isinstance(speed := raw.get("speed"), str):
        context["speed"] = speed
    return context


def _counts(used: Used, input_tokens: int, output_tokens: int) -> dict[str, int]:
    """In the words of `genai-prices`. Details are kept within their whole, as some providers' are not."""
    raw = obj(used.usage_raw)
    read = min(used.cache_read_tokens or 0, input_tokens)
    written = min(used.cache_write_tokens or 0, input_tokens - read)
    counts = {
        "input_tokens": input_tokens,
        "output_tokens": output_tokens,
        "cache_read_tokens": read,
        "cache_write_tokens": written,
        "output_reasoning_tokens": min(used.reasoning_tokens or 0, output_tokens),
    }
    if hour := count(obj(raw.get("cache_creation")).get("ephemeral_1h_input_tokens")):
        counts["cache_write_1h_tokens"] = min(hour, written)
    into, out = (
        _details(raw, "prompt", "input"),
        _details(raw, "completion", "output", "candidates", "response"),
    )
    for kind in ("audio", "image", "video"):
        if n := into.get(kind):
            counts[f"input_{kind}_tokens"] = min(n, input_tokens)
            counts[f"cache_{kind}_read_tokens"] = counts[f"cache_{kind}_write_tokens"] = 0
            if read:
                cached = _details(raw, "cache").get(kind, 0)
                counts[f"cache_{kind}_read_tokens"] = min(cached, read, n)
        if n := out.get(kind):
            counts[f"output_{kind}_tokens"] = min(n, output_tokens)
    if searches := count(obj(raw.get("server_tool_use")).get("web_search_requests")):
        counts["web_searches"] = searches
    return counts


def _details(raw: dict[str, Any], *sides: str) -> dict[str, int]:
    """Tokens by modality: OpenAI's `<side>_tokens_details {audio_tokens}`, Gemini's `<side>TokensDetails [{modality}]`."""
    found: dict[str, int] = {}
    for side in sides:
        openai = obj(raw.get(f"{side}_tokens_details")) or obj(raw.get(f"{side}_token_details"))
        if side == "cache":
            into = obj(raw.get("input_token_details")) or obj(raw.get("prompt_tokens_details"))
            openai = obj(into.get("cached_tokens_details"))
        for kind in ("audio", "image", "video"):
            if n := count(openai.get(f"{kind}_tokens")):
                found[kind] = n
        for item in objects(raw.get(f"{side}TokensDetails")):
            kind = str(item.get("modality")).lower()
            if kind in ("audio", "image", "video") and (n := count(item.get("tokenCount"))):
                found[kind] = n
    return found
