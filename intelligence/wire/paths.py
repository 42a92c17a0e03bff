r"""The paths of LLM calls: what is asked for (operation), and in which wire format.

A row matches the end of a path (query string aside), after any prefix, as gateways put their own in front (`/openai/v1`,
`/api/paas/v4`, `/serving-endpoints`); the first that matches wins. `(?P<model>)` is the model when the path names it, `stream`
is `yes` or `no` where the path decides. The last column says on which hosts: `anywhere` marks shapes telling enough to be
believed on hosts outside the registry too; provider names limit the row to them, and to hosts that a user added as speaking
a format of the same family; empty means any host in scope.

Formats are families of bodies: `gemini` is one format for generating, counting and embedding, the operation tells which.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from intelligence.wire.providers import Provider

# Longer paths are no API call of anyone's (a Bedrock ARN has at most 2,048 characters).
MAX_PATH = 8192


@dataclass(frozen=True, slots=True)
class Match:
    operation: str
    format: str
    model: str | None = None
    stream: bool | None = None


# Path, from some slash to the end | operation | format | stream | where
POST = r"""
/api/chat                                                | chat             | ollama             |     | ollama
/api/generate                                            | text_completion  | ollama             |     | ollama
/api/embed(?:dings)?                                     | embeddings       | ollama             |     | ollama
/deployments/(?P<model>[^/]+)/chat/completions           | chat             | openai-chat        |     |
/v1/chat/completions                                     | chat             | openai-chat        |     | anywhere
/chat/completions                                        | chat             | openai-chat        |     | anywhere
/text/chatcompletion(?:_v2|_pro)?                        | chat             | openai-chat        |     | minimax
/(?:prompts/[^/]+|agents)/completions                    | chat             | openai-chat        |     |
/fim/completions                                         | text_completion  | openai-chat        |     |
/deployments/(?P<model>[^/]+)/completions                | text_completion  | openai-completions |     |
/engines/(?P<model>[^/]+)/completions                    | text_completion  | openai-completions |     |
/v1/completions                                          | text_completion  | openai-completions |     | anywhere
/completions                                             | text_completion  | openai-completions |     |
/responses/input_tokens                                  | count_tokens     | openai-responses   |     |
/v1/responses(?:/compact)?                               | responses        | openai-responses   |     | anywhere
/responses(?:/compact)?                                  | responses        | openai-responses   |     |
/deployments/(?P<model>[^/]+)/embeddings                 | embeddings       | openai-embeddings  |     |
/v1/embeddings                                           | embeddings       | openai-embeddings  |     | anywhere
/(?:multimodal|contextualized)?embeddings                | embeddings       | openai-embeddings  |     |
/deployments/(?P<model>[^/]+)/images/(?:generations|edits) | images           | openai-images      |     |
/images/(?:generations|edits|variations)                 | images           | openai-images      |     |
/deployments/(?P<model>[^/]+)/audio/(?:speech|transcriptions|translations) | audio            | openai-audio       |     |
/audio/(?:speech|transcriptions|translations)            | audio            | openai-audio       |     |
/v1/moderations                                          | moderations      | openai-moderations |     |
/realtime/(?:calls|sessions|client_secrets|transcription_sessions) | realtime         | openai-realtime    |     |
/realtimeapi/sessions                                    | realtime         | openai-realtime    |     |
/v1/messages/count_tokens                                | count_tokens     | anthropic-messages |     | anywhere
/v1/messages                                             | chat             | anthropic-messages |     | anywhere
/v1/complete                                             | text_completion  | anthropic-complete |     | anthropic
/publishers/anthropic/models/count-tokens:rawPredict     | count_tokens     | anthropic-messages | no  |
/publishers/anthropic/models/(?P<model>[^/:]+):rawPredict | chat             | anthropic-messages | no  |
/publishers/anthropic/models/(?P<model>[^/:]+):streamRawPredict | chat             | anthropic-messages | yes |
/publishers/[^/]+/models/(?P<model>[^/:]+):rawPredict    | chat             | openai-chat        | no  |
/publishers/[^/]+/models/(?P<model>[^/:]+):streamRawPredict | chat             | openai-chat        | yes |
/(?:models|tunedModels|endpoints)/(?P<model>[^/:]+):generateContent | generate_content | gemini             | no  | anywhere
/(?:models|tunedModels|endpoints)/(?P<model>[^/:]+):streamGenerateContent | generate_content | gemini             | yes | anywhere
/(?:models|endpoints)/(?P<model>[^/:]+):countTokens      | count_tokens     | gemini             | no  | anywhere
/models/(?P<model>[^/:]+):(?:embedContent|batchEmbedContents) | embeddings       | gemini             | no  | anywhere
/publishers/google/models/(?P<model>[^/:]*embed[^/:]*):predict | embeddings       | gemini             | no  |
/publishers/google/models/(?P<model>imag[^/:]+):predict  | images           | gemini             | no  |
/v1internal:generateContent                              | generate_content | gemini             | no  | gcp.gemini
/v1internal:streamGenerateContent                        | generate_content | gemini             | yes | gcp.gemini
/v1internal:countTokens                                  | count_tokens     | gemini             | no  | gcp.gemini
/model/(?P<model>[^/]+)/converse                         | chat             | bedrock-converse   | no  | anywhere
/model/(?P<model>[^/]+)/converse-stream                  | chat             | bedrock-converse   | yes | anywhere
/model/(?P<model>[^/]*embed[^/]*)/invoke                 | embeddings       | bedrock-invoke     | no  | aws.bedrock
/model/(?P<model>[^/]*rerank[^/]*)/invoke                | rerank           | bedrock-invoke     | no  | aws.bedrock
/model/(?P<model>[^/]+)/invoke                           | chat             | bedrock-invoke     | no  | aws.bedrock
/model/(?P<model>[^/]+)/invoke-with-response-stream      | chat             | bedrock-invoke     | yes | aws.bedrock
/model/(?P<model>[^/]+)/count-tokens                     | count_tokens     | bedrock-converse   | no  | aws.bedrock
/v2/chat                                                 | chat             | cohere-v2          |     | cohere azure.ai.inference
/v1/chat                                                 | chat             | cohere-v1          |     | cohere azure.ai.inference
/v1/generate                                             | text_completion  | cohere-v1          |     | cohere
/v2/embed                                                | embeddings       | cohere-v2          |     |
/v1/embed                                                | embeddings       | cohere-v1          |     |
/rerank(?:ing)?                                          | rerank           | rerank             |     |
/completion                                              | text_completion  | llama-cpp          |     | llama_cpp
/infill                                                  | text_completion  | llama-cpp          |     | llama_cpp
/serving-endpoints/(?P<model>[^/]+)/invocations          | chat             | openai-chat        |     | databricks
/ai/run/(?P<model>@cf/baai/[^/]+)                         | embeddings       | cloudflare         |     | cloudflare
/ai/run/(?P<model>@?[^/]+/.+)                            | chat             | cloudflare         |     | cloudflare
/workers-ai/(?P<model>@[^/]+/.+)                         | chat             | cloudflare         |     | cloudflare
/v1/models/(?P<model>[^/]+/[^/]+)/predictions            | unknown          | replicate          |     | replicate
/v1/deployments/(?P<model>[^/]+/[^/]+)/predictions       | unknown          | replicate          |     | replicate
/v1/predictions                                          | unknown          | replicate          |     | replicate
/models/(?P<model>[^/]+/[^/]+)                           | unknown          | hugging-face       |     | hugging_face
/generate_stream                                         | text_completion  | hugging-face       | yes | hugging_face
/generate                                                | text_completion  | hugging-face       | no  | hugging_face
/services/aigc/(?:text|multimodal)-generation/generation | chat             | dashscope          |     | dashscope
/services/embeddings/[^/]+/[^/]+                         | embeddings       | dashscope          |     | dashscope
/(?:aiserver|agent)\.v\d\.\w+Service/(?:Stream\w+|Run\w*|BidiAppend) | unknown          | cursor             | yes | cursor
"""

# The same for WebSocket upgrades (GET).
WEBSOCKET = r"""
/realtime                                                | realtime         | openai-realtime    | yes |
/v1/realtime                                             | realtime         | openai-realtime    | yes | anywhere
/responses                                               | responses        | openai-responses   | yes |
/v1/responses                                            | responses        | openai-responses   | yes | anywhere
/ws/google\.[\w.]*[./]BidiGenerateContent(?:Constrained)? | realtime         | gemini-live        | yes | anywhere
"""


@dataclass(frozen=True, slots=True)
class _Row:
    path: re.Pattern[str]
    operation: str
    format: str
    stream: bool | None
    anywhere: bool
    providers: frozenset[str]


def _rows(table: str) -> list[_Row]:
    found = []
    for line in table.strip().splitlines():
        # The last four bars are the columns'; those before belong to the pattern.
        path, operation, format_, stream, where = (cell.strip() for cell in line.rsplit("|", 4))
        only = frozenset(where.split()) - {"anywhere"}
        found.append(
            _Row(
                re.compile(path + r"/?\Z"),
                operation,
                format_,
                {"yes": True, "no": False}.get(stream),
                "anywhere" in where.split(),
                only,
            )
        )
    return found


_POST = _rows(POST)
_WEBSOCKET = _rows(WEBSOCKET)
FORMATS = sorted({row.format for row in _POST + _WEBSOCKET})


def match(method: str, path: str, provider: Provider | None, *, websocket: bool) -> Match | None:
    """What a call of this path (without query string) is. `provider` None means a host outside the registry."""
    rows = _WEBSOCKET if websocket else _POST
    if len(path) > MAX_PATH or method.upper() != ("GET" if websocket else "POST"):
        return None
    for row in rows:
        if _allowed(row, provider) and (found := row.path.search(path)):
            model = found.groupdict().get("model")
            return Match(row.operation, row.format, unquote(model) if model else None, row.stream)
    return None


def _allowed(row: _Row, provider: Provider | None) -> bool:
    if provider is None:
        return row.anywhere
    if not row.providers or provider.name in row.providers:
        return True
    return provider.format is not None and provider.format.partition("-")[0] == row.format.partition("-")[0]


def stated(format_: str | None, path: str) -> tuple[str | None, bool | None]:
    """Model and streaming as a path of this format says, whoever's it is. None for what it does not."""
    path = path.partition("?")[0]
    if len(path) <= MAX_PATH:
        for row in _POST:
            if (
                row.format == format_
                and (row.stream is not None or row.path.groups)
                and (found := row.path.search(path))
            ):
                model = found.groupdict().get("model")
                return unquote(model) if model else None, row.stream
    return None, None
