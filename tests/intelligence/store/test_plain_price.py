import random
from datetime import UTC, datetime

from genai_prices.data import providers
from genai_prices.types import Usage

from intelligence.store.plain_price import plain_price

AT = datetime(2026, 11, 1, tzinfo=UTC)


def counts(rng: random.Random) -> dict[str, int]:
    whole = rng.choice([0, 5, 1000, 128_000, 200_000, 200_001, 272_001, 900_000])
    read = rng.randrange(whole + 1) if rng.random() < 0.7 else 0
    written = rng.randrange(whole - read + 1) if rng.random() < 0.7 else 0
    said = rng.randrange(5000)
    return {
        "input_tokens": whole,
        "output_tokens": said,
        "cache_read_tokens": read,
        "cache_write_tokens": written,
        "output_reasoning_tokens": rng.randrange(said + 1),
    }


def test_it_is_the_price_of_the_library_for_every_model():
    rng = random.Random(7)
    plain = 0
    for provider in providers:
        for model in provider.models:
            price = model.get_prices(AT)
            priced = {key for key, value in vars(price).items() if value is not None}
            for used in (counts(rng), counts(rng)):
                usd = plain_price(price, priced, used)
                if usd is None:
                    continue
                wanted = model.calc_price(Usage(**used), provider, genai_request_timestamp=AT)
                assert float(usd) == float(wanted.total_price), (provider.id, model.id, used)
                plain += 1
    assert plain > 2000


def test_what_is_not_plain_is_left_to_the_library():
    price = next(m for p in providers if p.id == "openai" for m in p.models if m.id == "gpt-4o").get_prices(
        AT
    )
    priced = {key for key, value in vars(price).items() if value is not None}
    used = counts(random.Random(1))
    assert plain_price(price, priced, used) is not None
    assert plain_price(price, priced, used | {"input_audio_tokens": 0}) is None
    assert plain_price(price, priced | {"requests_kcount"}, used) is None
    assert plain_price(price, priced - {"output_mtok"}, used) is None
