import pytest

from intelligence.wire import usage
from intelligence.wire.draft import Tokens

CASES = [
    (usage.openai, {}, Tokens()),
    (usage.openai, {"prompt_tokens": 9, "prompt_tokens_details": None}, Tokens(9)),
    (usage.openai, {"prompt_tokens": 9, "prompt_tokens_details": [7], "completion_tokens": 0}, Tokens(9, 0)),
    (usage.openai, {"input_tokens": 9, "input_token_details": {"cached_tokens": 4}}, Tokens(9, cache_read=4)),
    (usage.anthropic, {"input_tokens": 3, "cache_read_input_tokens": 4}, Tokens(7, None, 4)),
    (usage.anthropic, {"input_tokens": 3, "cache_creation_input_tokens": 5}, Tokens(8, None, None, 5)),
    (usage.anthropic, {"cache_read_input_tokens": 4, "output_tokens": 1}, Tokens(None, 1, 4)),
    (usage.gemini, {"promptTokenCount": 5, "thoughtsTokenCount": 7}, Tokens(5, 7, reasoning=7)),
    (usage.gemini, {"promptTokenCount": 5, "candidatesTokenCount": 2}, Tokens(5, 2)),
    (usage.bedrock, {"inputTokens": 1, "outputTokens": 2, "cacheWriteInputTokens": 3}, Tokens(4, 2, None, 3)),
    (usage.cohere, {"tokens": {"input_tokens": 212}, "billed_units": {"input_tokens": 12}}, Tokens(212)),
    (usage.cohere, {"billed_units": {"input_tokens": 12, "output_tokens": 3}}, Tokens(12, 3)),
    (usage.ollama, {"eval_count": 3}, Tokens(None, 3)),
]


@pytest.mark.parametrize(("reader", "raw", "expected"), CASES)
def test_one_meaning(reader, raw, expected):
    assert reader(raw) == expected


@pytest.mark.parametrize(("total", "output"), [(17, 8), (14, 5), (None, 5)])
def test_the_total_shows_whether_reasoning_is_inside_the_completion(total, output):
    raw = {"prompt_tokens": 9, "completion_tokens": 5, "reasoning_tokens": 3, "total_tokens": total}
    assert usage.openai(raw) == Tokens(9, output, reasoning=3)
