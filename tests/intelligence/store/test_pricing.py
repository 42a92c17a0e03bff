from dataclasses import replace

import pytest

from intelligence.config import ModelPrice
from intelligence.store.pricing import LISTED, Prices, Used, _model, source

NOVEMBER = 1_795_000_000_000  # 2026
SONNET = Used(
    "anthropic",
    "api.anthropic.com",
    "chat",
    "api_key",
    NOVEMBER,
    model="claude-sonnet-4-5",
    response_model="claude-sonnet-4-5-20250929",
    input_tokens=1000,
    output_tokens=100,
)
GPT = Used("openai", "api.openai.com", "chat", "api_key", NOVEMBER, "gpt-4o", "gpt-4o-2024-08-06", 1000, 100)
OLLAMA = Used("ollama", "localhost", "chat", None, NOVEMBER, "llama3", "llama3", 1000, 100)


def usd(used: Used, prices: Prices | None = None) -> float | None:
    cost = (prices or Prices()).cost(used)
    return cost and round(cost.usd, 10)


def test_list_price() -> None:
    """Claude Sonnet 4.5: 3 dollars in, 15 out, per million."""
    cost = Prices().cost(SONNET)
    assert cost is not None
    assert (round(cost.usd, 10), cost.basis, cost.source) == (0.0045, "list", source())
    assert source().startswith("genai-prices ")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        # read .30, written 3.75 for five minutes or 6 for an hour, the rest 3
        ({"cache_read_tokens": 400, "cache_write_tokens": 200}, 0.0012 + 0.00012 + 0.00075 + 0.0015),
        (
            {
                "cache_write_tokens": 200,
                "usage_raw": {"cache_creation": {"ephemeral_1h_input_tokens": 200}},
            },
            0.0024 + 0.0012 + 0.0015,
        ),
        # beyond 200,000 tokens: 6 in, 22.50 out
        ({"input_tokens": 300_000}, 1.8 + 0.00225),
        ({"usage_raw": {"service_tier": "batch"}}, 0.00225),
        ({"usage_raw": {"service_tier": "standard"}}, 0.0045),
        ({"usage_raw": {"server_tool_use": {"web_search_requests": 2}}}, 0.0245),
        ({"response_model": None}, 0.0045),
        ({"response_model": "somebody's own"}, 0.0045),
        # counts that contradict each other are kept within their whole
        ({"cache_read_tokens": 5000, "cache_write_tokens": 10}, 0.0003 + 0.0015),
    ],
)
def test_tiers_of_anthropic(changes: dict, expected: float) -> None:
    assert usd(replace(SONNET, **changes)) == pytest.approx(expected)


def test_tiers_of_openai() -> None:
    plain = usd(GPT)
    assert plain == pytest.approx(0.0025 + 0.001)
    assert usd(replace(GPT, cache_read_tokens=1000)) == pytest.approx(0.00125 + 0.001)
    assert usd(replace(GPT, service_tier="default")) == plain
    assert usd(replace(GPT, service_tier="priority")) == pytest.approx(0.00425 + 0.0017)
    five = replace(GPT, model="gpt-5", response_model="gpt-5-2025-08-07")
    assert usd(replace(five, service_tier="flex")) == pytest.approx((usd(five) or 0) / 2)
    assert usd(replace(five, reasoning_tokens=60)) == usd(five)  # as output


def test_audio_is_dearer() -> None:
    spoken = replace(
        GPT,
        model="gpt-realtime",
        response_model=None,
        usage_raw={
            "prompt_tokens_details": {"audio_tokens": 900},
            "completion_tokens_details": {"audio_tokens": 90},
        },
    )
    assert usd(spoken) == pytest.approx((100 * 4 + 900 * 32 + 10 * 16 + 90 * 64) / 1e6)


def test_audio_and_tiers_without_a_price_are_unknown() -> None:
    spoken = {"prompt_tokens_details": {"audio_tokens": 900}}
    assert usd(replace(GPT, model="gpt-4o-audio-preview", response_model=None, usage_raw=spoken)) is None
    assert usd(replace(GPT, service_tier="scale")) is None
    assert usd(replace(GPT, service_tier="priority", started_at=1_700_000_000_000)) is None


def test_embeddings_write_nothing() -> None:
    used = replace(GPT, operation="embeddings", model="text-embedding-3-small", response_model=None)
    assert usd(replace(used, output_tokens=None)) == pytest.approx(0.00002)


@pytest.mark.parametrize(
    "used",
    [
        OLLAMA,
        replace(GPT, provider=None),
        replace(GPT, model="my-own", response_model="my-own"),
        replace(GPT, model=None, response_model=None),
        replace(GPT, input_tokens=None),
        replace(GPT, output_tokens=None),
        replace(GPT, operation="count_tokens"),
        replace(GPT, operation="moderations"),
        replace(GPT, started_at=10**17),
    ],
)
def test_unknown_is_none(used: Used) -> None:
    assert Prices().cost(used) is None


@pytest.mark.parametrize(
    ("changes", "basis"),
    [
        ({"credential_kind": "oauth"}, "subscription"),
        ({"credential_kind": "api_key"}, "list"),
        ({"credential_kind": None}, "list"),
    ],
)
def test_a_log_in_is_a_subscription(changes: dict, basis: str) -> None:
    cost = Prices().cost(replace(SONNET, **changes))
    assert cost is not None and cost.basis == basis and round(cost.usd, 10) == 0.0045


def test_a_log_in_to_a_cloud_is_billed() -> None:
    used = replace(
        SONNET, provider="gcp.vertex_ai", host="aiplatform.googleapis.com", credential_kind="oauth"
    )
    cost = Prices().cost(used)
    assert cost is not None and cost.basis == "list"
    gemini = replace(
        used,
        provider="gcp.gemini",
        host="cloudcode-pa.googleapis.com",
        model="gemini-2.5-pro",
        response_model=None,
    )
    cost = Prices().cost(gemini)
    assert cost is not None and cost.basis == "subscription"


def test_what_the_provider_states_goes_before_the_list() -> None:
    routed = replace(GPT, provider="openrouter", model="openai/gpt-4o", usage_raw={"cost": 0.0123})
    cost = Prices().cost(routed)
    assert cost is not None and (cost.usd, cost.basis, cost.source) == (0.0123, "stated", "provider")
    sonar = replace(GPT, provider="perplexity", model="sonar", usage_raw={"cost": {"total_cost": 0.006}})
    assert usd(sonar) == 0.006
    assert usd(replace(GPT, usage_raw={"cost": 5})) == pytest.approx(
        0.0035
    )  # nobody knows what OpenAI means by it


def test_overrides_go_before_everything() -> None:
    mine = Prices(
        [
            ModelPrice(provider="ollama", model="*", input=0, output=0),
            ModelPrice(model="GPT-4*", input=1, output=2, cache_read=0.5, cache_write=3, reasoning=4),
            ModelPrice(model="*", provider="anthropic", input=10, output=20),
        ]
    )
    free = mine.cost(replace(OLLAMA, input_tokens=None, output_tokens=None))
    assert free is not None and (free.usd, free.basis, free.source) == (0.0, "override", "mitm.toml")
    used = replace(GPT, cache_read_tokens=100, cache_write_tokens=200, reasoning_tokens=40)
    assert usd(used, mine) == pytest.approx((700 + 100 * 0.5 + 200 * 3 + 60 * 2 + 40 * 4) / 1e6)
    assert usd(replace(SONNET, cache_read_tokens=100), mine) == pytest.approx((10_000 + 2000) / 1e6)
    assert usd(replace(GPT, output_tokens=None), mine) is None


@pytest.mark.parametrize("junk", [{"cost": "x"}, {"cost": True}, {"prompt_tokens_details": 3}, {"speed": []}])
def test_any_usage_is_borne(junk: dict) -> None:
    Prices().cost(replace(GPT, provider="openrouter", usage_raw=junk))
    Prices().cost(replace(GPT, usage_raw=junk))


def test_every_provider_named_is_in_the_list() -> None:
    from genai_prices.data import providers

    assert set(LISTED.values()) <= {provider.id for provider in providers}


def test_models_as_clouds_name_them() -> None:
    for provider, model in [
        ("aws", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("google", "claude-3-5-haiku@20241022"),
        ("azure", "gpt-4o-2024-08-06"),
        ("openrouter", "anthropic/claude-sonnet-4.5"),
    ]:
        assert _model(provider, model), (provider, model)
