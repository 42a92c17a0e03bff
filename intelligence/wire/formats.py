"""Which parser reads the answers of which wire format."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from intelligence.wire.anthropic_messages import AnthropicMessages
from intelligence.wire.bedrock import BedrockConverse, BedrockInvoke
from intelligence.wire.cohere import Cohere
from intelligence.wire.draft import Draft, Parser
from intelligence.wire.gemini import Gemini
from intelligence.wire.ollama import Ollama
from intelligence.wire.openai_chat import OpenAIChat, OpenAIOther
from intelligence.wire.openai_responses import OpenAIResponses
from intelligence.wire.vendor_apis import Cloudflare, DashScope, HuggingFace, LlamaCpp, Replicate

_PARSERS: dict[str, Callable[[Draft], Parser]] = {
    "openai-chat": OpenAIChat,
    "openai-completions": OpenAIChat,
    "openai-responses": OpenAIResponses,
    "openai-realtime": OpenAIResponses,
    "openai-embeddings": OpenAIOther,
    "openai-images": OpenAIOther,
    "openai-audio": OpenAIOther,
    "openai-moderations": OpenAIOther,
    "rerank": OpenAIOther,
    "anthropic-messages": AnthropicMessages,
    "anthropic-complete": AnthropicMessages,
    "gemini": Gemini,
    "bedrock-converse": BedrockConverse,
    "cohere-v1": Cohere,
    "cohere-v2": Cohere,
    "ollama": Ollama,
    "dashscope": DashScope,
    "cloudflare": Cloudflare,
    "replicate": Replicate,
    "hugging-face": HuggingFace,
    "llama-cpp": LlamaCpp,
}


def parser_for(format_: str | None, draft: Draft, headers: Mapping[str, str]) -> Parser | None:
    """The parser of a format, writing into `draft`; `headers` of the response, names in lower case. None: there is none."""
    if format_ == "bedrock-invoke":
        return BedrockInvoke(draft, headers)
    make = _PARSERS.get(format_ or "")
    return make(draft) if make else None
