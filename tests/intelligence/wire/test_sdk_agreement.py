"""The providers' own SDKs read every recorded stream as we do: text, reasoning, tool calls, finish reason, token counts.

The recorded bytes go into the SDK through a transport of its own HTTP client, cut into small pieces; what its accumulator
has put together at the end is compared. A stream the SDK refuses (a provider that only resembles it, an error, a stream
broken off) is counted, and the least number that must have been compared is stated, so that the test cannot pass on nothing.

Where we differ from the corpus itself, the SDK has the last word. Together's own is no dependency; it is asked where it is there:
`uv run --with together pytest tests/intelligence/wire/test_sdk_agreement.py`.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from intelligence.wire.answer import Answer
from tests.intelligence.wire import corpus
from tests.intelligence.wire.test_corpus import read

httpx2 = pytest.importorskip("httpx2", reason="the SDKs are not installed: extra `demo`")
anthropic = pytest.importorskip("anthropic")
openai = pytest.importorskip("openai")
genai = pytest.importorskip("google.genai")

pytestmark = pytest.mark.skipif(not corpus.FILES, reason=f"no corpus in {corpus.FOLDER}")


@dataclass
class Said:
    """What an SDK made of a stream. None is not compared: the SDK does not say."""

    text: str
    tools: list[tuple[str | None, str, Any]] = field(default_factory=list)
    finish_reason: str | None = None
    counts: dict[str, int | None] = field(default_factory=dict)
    reasoning: str | None = None


class _Recorded:
    """A recorded body in pieces, as either HTTP library wants it."""

    def __init__(self, exchange: dict[str, Any]) -> None:
        self.body = corpus.body_of(exchange, "response")
        self.headers = exchange["response_headers"]

    def handler(self, library: Any) -> Callable[[Any], Any]:
        def answer(request: Any) -> Any:
            return library.Response(200, headers=self.headers, content=self._pieces())

        return answer

    def client(self, library: Any) -> Any:
        return library.Client(transport=library.MockTransport(self.handler(library)))

    def _pieces(self) -> Iterator[bytes]:
        for at in range(0, len(self.body), 997):
            yield self.body[at : at + 997]


def openai_client(recorded: _Recorded) -> Any:
    return openai.OpenAI(
        api_key="k", base_url="http://provider/v1", max_retries=0, http_client=recorded.client(httpx2)
    )


def openai_chat(recorded: _Recorded) -> Said:
    chat = openai_client(recorded).chat.completions
    with chat.stream(model="m", messages=[{"role": "user", "content": "hi"}]) as stream:
        stream.until_done()
        completion = stream.get_final_completion()
    choice = next(choice for choice in completion.choices if choice.index == 0)
    message, usage = choice.message, completion.usage
    return Said(
        (message.content or "") + (message.refusal or ""),
        [(call.id or None, call.function.name, call.function.arguments) for call in message.tool_calls or []],
        choice.finish_reason,
        {"input_tokens": usage.prompt_tokens, "output_tokens": usage.completion_tokens + _beside(usage)}
        if usage
        else {},
    )


def _beside(usage: Any) -> int:
    """Reasoning tokens that a provider (xAI) counts beside the completion's, as its total shows; we count all output."""
    details = usage.completion_tokens_details
    reasoning = (details and details.reasoning_tokens) or 0
    return reasoning if usage.total_tokens == usage.prompt_tokens + usage.completion_tokens + reasoning else 0


def openai_responses(recorded: _Recorded) -> Said:
    with openai_client(recorded).responses.stream(model="m", input="hi") as stream:
        response = stream.get_final_response()
    usage = response.usage
    return Said(
        response.output_text,
        [
            (item.call_id, item.name, item.arguments)
            for item in response.output
            if item.type == "function_call"
        ],
        None,
        {
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "cache_read_tokens": usage.input_tokens_details.cached_tokens,
            "reasoning_tokens": usage.output_tokens_details.reasoning_tokens,
        }
        if usage
        else {},
    )


def anthropic_messages(recorded: _Recorded) -> Said:
    client = anthropic.Anthropic(
        api_key="k", base_url="http://provider", max_retries=0, http_client=recorded.client(httpx2)
    )
    with client.messages.stream(
        model="m", max_tokens=9, messages=[{"role": "user", "content": "hi"}]
    ) as stream:
        message = stream.get_final_message()
    usage = message.usage
    cached, written = usage.cache_read_input_tokens or 0, usage.cache_creation_input_tokens or 0
    return Said(
        "".join(block.text for block in message.content if block.type == "text"),
        [(block.id, block.name, block.input) for block in message.content if block.type == "tool_use"],
        message.stop_reason,
        {
            "input_tokens": usage.input_tokens + cached + written,
            "output_tokens": usage.output_tokens,
            "cache_read_tokens": usage.cache_read_input_tokens,
            "cache_write_tokens": usage.cache_creation_input_tokens,
        },
        "".join(block.thinking for block in message.content if block.type == "thinking"),
    )


def google(recorded: _Recorded) -> Said:
    """google-genai gives the chunks as they come; putting them together is left to its user."""
    options = genai.types.HttpOptions(base_url="http://provider", httpx_client=recorded.client(httpx))
    client = genai.Client(api_key="k", http_options=options)
    said = Said("", reasoning="")
    for chunk in client.models.generate_content_stream(model="m", contents="hi"):
        for candidate in (chunk.candidates or [])[:1]:
            said.finish_reason = (
                candidate.finish_reason.value if candidate.finish_reason else said.finish_reason
            )
            for part in (candidate.content and candidate.content.parts) or []:
                if part.text and part.thought:
                    said.reasoning = (said.reasoning or "") + part.text
                elif part.text:
                    said.text += part.text
                elif part.function_call:
                    call = part.function_call
                    said.tools.append((call.id, call.name or "", call.args or {}))
        if (usage := chunk.usage_metadata) is not None:
            thought = usage.thoughts_token_count
            said.counts = {
                "input_tokens": (usage.prompt_token_count or 0) + (usage.tool_use_prompt_token_count or 0),
                "output_tokens": (usage.candidates_token_count or 0) + (thought or 0),
                "reasoning_tokens": thought,
                "cache_read_tokens": usage.cached_content_token_count,
            }
    return said


# Reader, wire format, and how many streams of the corpus it must at least have read.
SDKS: dict[str, tuple[Callable[[_Recorded], Said], str, int]] = {
    "openai chat": (openai_chat, "openai-chat", 92),
    "openai responses": (openai_responses, "openai-responses", 17),
    "anthropic": (anthropic_messages, "anthropic-messages", 29),
    "google-genai": (google, "gemini", 14),
}


def parsed(arguments: Any) -> Any:
    try:
        return json.loads(arguments or "{}") if isinstance(arguments, str) else arguments
    except ValueError:
        return arguments


def differences(said: Said, answer: Answer) -> Iterator[str]:
    if said.text != answer.text:
        yield f"text {answer.text[-100:]!r}, SDK {said.text[-100:]!r}"
    if said.reasoning is not None and said.reasoning != answer.reasoning:
        yield f"reasoning {answer.reasoning[-100:]!r}, SDK {said.reasoning[-100:]!r}"
    ours = [(call.id, call.name, parsed(call.arguments)) for call in answer.tool_calls]
    theirs = [(id_, name, parsed(arguments)) for id_, name, arguments in said.tools]
    if ours != theirs:
        yield f"tool calls {ours}, SDK {theirs}"
    if said.finish_reason and said.finish_reason != answer.finish_reason:
        yield f"finish reason {answer.finish_reason}, SDK {said.finish_reason}"
    for name, count in said.counts.items():
        if (count or 0) != (getattr(answer, name) or 0):
            yield f"{name} {getattr(answer, name)}, SDK {count}"


@pytest.mark.parametrize("sdk", SDKS)
def test_agreement(sdk, capsys):
    reader, format_, least = SDKS[sdk]
    compared, refused, wrong = 0, [], []
    for file in corpus.FILES:
        for exchange in corpus.exchanges(file):
            target = corpus.target_of(exchange)
            if exchange["framing"] != "sse" or target is None or target.format != format_:
                continue
            if exchange["response_status"] != 200:
                continue
            try:
                said = reader(_Recorded(exchange))
            except Exception as e:
                refused.append(f"{exchange['id']} {file}: {type(e).__name__} {str(e)[:200]}")
                continue
            compared += 1
            wrong += [
                f"{exchange['id']} {file}: {what}" for what in differences(said, read(exchange, target))
            ]
    with capsys.disabled():
        print(f"\n{sdk}: {compared} streams compared, {len(refused)} refused by the SDK")
    assert not wrong, "\n".join(wrong)
    assert compared >= least, "\n".join(refused)


def usage_of(client: Any, exchange: dict[str, Any]) -> Any:
    streamed = exchange["framing"] == "sse"
    answer = client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": "hi"}], stream=streamed
    )
    return [chunk.usage for chunk in answer if chunk.usage][-1] if streamed else answer.usage


@pytest.mark.parametrize("sdk", ["openai", "together"])
@pytest.mark.parametrize("exchange_id", corpus.EXCEPTIONS)
def test_exceptions_are_so_by_the_sdk(sdk, exchange_id):
    (exchange,) = (e for file in corpus.FILES for e in corpus.exchanges(file) if e["id"] == exchange_id)
    recorded = _Recorded(exchange)
    if sdk == "together":
        import together

        client = together.Together(
            api_key="k", base_url="http://provider/v1", max_retries=0, http_client=recorded.client(httpx)
        )
    else:
        client = openai_client(recorded)
    usage = usage_of(client, exchange)
    target = corpus.target_of(exchange)
    assert target is not None
    assert exchange["expected"]["cache_read_tokens"] is None
    assert usage.cached_tokens == read(exchange, target).cache_read_tokens == 0
    assert usage.prompt_tokens == exchange["expected"]["input_tokens"]
