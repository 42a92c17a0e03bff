"""A request read: model, system prompt, messages, tools and parameters, in one shape for every provider.

The body is decoded JSON text of the format the request's `Target` has. What is not understood gives an empty `Request` with
`understood=False`; nothing raises. `parameters` are the top-level members that are none of the others.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from intelligence.wire import paths
from intelligence.wire.json_value import INVALID, decode, items, name, obj, objects, text
from intelligence.wire.parts import Message, Part, Tool, parts_of, plain, tool_call, tool_result

__all__ = ["Message", "Part", "Request", "Tool", "read_request"]

# An embedding may be asked for thousands of texts; that many are kept.
_MAX_INPUTS = 2048
# Of tools, within one another.
_MAX_NAMESPACES = 8


@dataclass(slots=True)
class Request:
    model: str | None = None
    stream: bool | None = None
    system: list[Part] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    tools: list[Tool] = field(default_factory=list)
    parameters: dict[str, Any] = field(default_factory=dict)
    understood: bool = True


def read_request(format: str | None, operation: str | None, path: str, body: bytes) -> Request:
    """`body` without content-encoding; `path` as requested, with or without its query."""
    in_path, streams = paths.stated(format, path)
    value = decode(body) if body.lstrip()[:1] == b"{" else INVALID
    if not isinstance(value, dict):
        return Request(_form_model(body) or in_path, streams, understood=False)
    if format == "gemini" and "contents" not in value:
        value = _unwrapped(value)
    request = Request()
    read = _READERS.get(format or "", _unknown)
    request.parameters = dict(value)
    read(request, request.parameters)
    model, stream = request.parameters.pop("model", None), request.parameters.pop("stream", None)
    request.model = in_path or name(model)
    if streams is not None:
        request.stream = streams
    elif isinstance(stream, bool):
        request.stream = stream
    else:
        # Ollama streams unless told not to; everyone else only when asked.
        request.stream = format == "ollama" and operation in ("chat", "text_completion")
    return request


def _unwrapped(value: dict[str, Any]) -> dict[str, Any]:
    """Code Assist puts the request into `request`, counting may put it into `generateContentRequest`."""
    for key in ("request", "generateContentRequest"):
        inner = value.get(key)
        if isinstance(inner, dict):
            return {"model": value.get("model")} | inner
    return value


# Every reader takes from `body` what it understands; what stays are the parameters.
Body = dict[str, Any]


def _chat(request: Request, body: Body) -> None:
    """OpenAI chat, Cohere v2, Ollama, and all that copy them."""
    messages = [_chat_message(message) for message in objects(body.pop("messages", None))]
    _take_leading_system(request, messages)
    _openai_tools(request, body.pop("tools", None))
    for function in objects(body.pop("functions", None)):
        request.tools.append(_tool(function, "parameters"))
    _prompt(request, body)


def _chat_message(message: Body) -> Message:
    role = text(message.get("role"))
    if role in ("tool", "function"):
        result = tool_result(message.get("tool_call_id"), message.get("content"))
        result.name = name(message.get("name")) or name(message.get("tool_name"))
        return Message(role, [result])
    thinking = (
        message.get("reasoning_content")
        or message.get("reasoning")
        or message.get("thinking")
        or message.get("tool_plan")
    )
    parts = [Part("thinking", plain(thinking))] if thinking else []
    parts += parts_of(message.get("content"))
    parts += [Part("image", data=image) for image in items(message.get("images"))]
    for call in objects(message.get("tool_calls")):
        function = obj(call.get("function")) or obj(call.get("custom"))
        arguments = function.get("arguments", function.get("input"))
        parts.append(tool_call(call.get("id"), function.get("name"), arguments))
    old = obj(message.get("function_call"))
    if old.get("name"):
        parts.append(tool_call(None, old["name"], old.get("arguments")))
    return Message(role, parts)


def _take_leading_system(request: Request, messages: list[Message]) -> None:
    """System messages at the start are the system prompt; later ones stay where they are said."""
    at = 0
    while at < len(messages) and messages[at].role in ("system", "developer"):
        request.system += messages[at].parts
        at += 1
    request.messages += messages[at:]


def _openai_tools(request: Request, tools: Any, depth: int = 0) -> None:
    for tool in objects(tools):
        kind = text(tool.get("type"))
        inner = tool.get("function") or tool.get("custom")
        if kind == "namespace" and depth < _MAX_NAMESPACES:  # Codex groups its tools
            _openai_tools(request, tool.get("tools"), depth + 1)
        elif isinstance(inner, dict):
            request.tools.append(_tool(inner, "parameters"))
        elif tool.get("name"):
            request.tools.append(_tool(tool, "parameters", "format", "input_schema", "parameter_definitions"))
        elif kind:
            request.tools.append(Tool(kind))


def _tool(tool: Body, *schemas: str) -> Tool:
    schema = next((tool[key] for key in schemas if tool.get(key) is not None), None)
    return Tool(text(tool.get("name")), name(tool.get("description")), schema)


def _prompt(request: Request, body: Body) -> None:
    """A prompt without roles: text, or several."""
    for key in ("prompt", "inputText", "input_text"):
        for prompt in _many(body.pop(key, None)):
            request.messages.append(Message("user", parts_of(prompt)))


def _many(value: Any) -> list[Any]:
    """Strings or objects of a value that may be one or many; a list of numbers (tokens) is one."""
    if value is None:
        return []
    if isinstance(value, list) and value and not isinstance(value[0], (int, float)):
        return value[:_MAX_INPUTS]
    return [value]


def _responses(request: Request, body: Body) -> None:
    request.system += parts_of(body.pop("instructions", None))
    _openai_tools(request, body.pop("tools", None))
    given = body.pop("input", None)
    if isinstance(given, str):
        request.messages.append(Message("user", parts_of(given)))
        return
    messages = []
    for item in objects(given):
        if item.get("type") == "additional_tools":
            _openai_tools(request, item.get("tools"))
        else:
            messages.append(_response_item(item))
    _take_leading_system(request, messages)


def _response_item(item: Body) -> Message:
    kind = text(item.get("type")) or "message"
    if kind == "message":
        return Message(text(item.get("role")) or "user", parts_of(item.get("content")))
    if kind.endswith("_output"):
        return Message("tool", [tool_result(item.get("call_id"), item.get("output"))])
    if kind == "reasoning":
        words = plain(item.get("summary")) or plain(item.get("content"))
        return Message("assistant", [Part("thinking", words, data=item.get("encrypted_content"))])
    if kind.endswith("_call"):
        arguments = next((item[k] for k in ("arguments", "input", "action", "queries") if k in item), None)
        id_ = item.get("call_id") or item.get("id")
        return Message("assistant", [tool_call(id_, item.get("name") or kind, arguments)])
    return Message(text(item.get("role")) or "user", [Part("other", data=item)])


def _anthropic(request: Request, body: Body) -> None:
    request.system += parts_of(body.pop("system", None))
    for message in objects(body.pop("messages", None)):
        request.messages.append(Message(text(message.get("role")), parts_of(message.get("content"))))
    for tool in objects(body.pop("tools", None)):
        found = _tool(tool, "input_schema")
        found.name = found.name or text(tool.get("type"))
        request.tools.append(found)
    _prompt(request, body)


def _gemini(request: Request, body: Body) -> None:
    for key in ("systemInstruction", "system_instruction"):
        request.system += _gemini_parts(body.pop(key, None))
    contents = body.pop("contents", None)
    for content in [contents] if isinstance(contents, (dict, str)) else items(contents):
        role = text(obj(content).get("role")) or "user"
        request.messages.append(Message(role, _gemini_parts(content)))
    embedded = [body.pop("content", None), *[r.get("content") for r in objects(body.pop("requests", None))]]
    for instance in objects(body.pop("instances", None)):  # Vertex: embeddings and images by `predict`
        embedded.append(instance.get("content") or instance.get("prompt"))
    for content in embedded[:_MAX_INPUTS]:
        if content:
            request.messages.append(Message("user", _gemini_parts(content)))
    for tool in objects(body.pop("tools", None)):
        declared = tool.get("functionDeclarations", tool.get("function_declarations"))
        if declared is None:
            request.tools += [Tool(key) for key in tool]
        for function in objects(declared):
            request.tools.append(
                _tool(function, "parameters", "parametersJsonSchema", "parameters_json_schema")
            )
    for key in ("generationConfig", "generation_config"):
        body |= obj(body.pop(key, None))


def _gemini_parts(content: Any) -> list[Part]:
    return parts_of(content.get("parts") if isinstance(content, dict) and "parts" in content else content)


def _bedrock(request: Request, body: Body) -> None:
    inner = obj(body.pop("input", None))  # count-tokens wraps a Converse request
    body |= obj(inner.get("converse"))
    request.system += parts_of(body.pop("system", None))
    for message in objects(body.pop("messages", None)):
        request.messages.append(Message(text(message.get("role")), parts_of(message.get("content"))))
    for tool in objects(obj(body.pop("toolConfig", None)).get("tools")):
        spec = obj(tool.get("toolSpec"))
        if spec:
            schema = spec.get("inputSchema")
            request.tools.append(
                Tool(text(spec.get("name")), name(spec.get("description")), obj(schema).get("json", schema))
            )
    for tool in objects(body.pop("tools", None)):
        request.tools.append(_tool(tool, "input_schema"))
    body |= obj(body.pop("inferenceConfig", None))


def _bedrock_invoke(request: Request, body: Body) -> None:
    if "message" in body or "chat_history" in body:
        _cohere_v1(request, body)
    else:
        if any("function" in tool for tool in objects(body.get("tools"))):
            _chat(request, body)
        _bedrock(request, body)
        _prompt(request, body)
        _inputs(request, body)


def _cohere_v1(request: Request, body: Body) -> None:
    request.system += parts_of(body.pop("preamble", None))
    for turn in objects(body.pop("chat_history", None)):
        request.messages.append(Message(text(turn.get("role")).lower(), parts_of(turn.get("message"))))
    message = body.pop("message", None)
    if message:
        request.messages.append(Message("user", parts_of(message)))
    for result in objects(body.pop("tool_results", None)):
        found = tool_result(None, result.get("outputs"))
        found.name = name(obj(result.get("call")).get("name"))
        request.messages.append(Message("tool", [found]))
    _openai_tools(request, body.pop("tools", None))
    _prompt(request, body)
    _inputs(request, body)


def _cohere_v2(request: Request, body: Body) -> None:
    _chat(request, body)
    _inputs(request, body)


def _ollama(request: Request, body: Body) -> None:
    request.system += parts_of(body.pop("system", None))
    images = [Part("image", data=image) for image in items(body.pop("images", None))]
    _chat(request, body)
    if images and request.messages:
        request.messages[-1].parts += images
    _inputs(request, body)
    body |= obj(body.pop("options", None))


def _inputs(request: Request, body: Body) -> None:
    """Embeddings, speech, moderations, rerank."""
    for key in ("query", "input", "inputs", "texts", "documents"):
        for item in _many(body.pop(key, None)):
            request.messages.append(Message("user", parts_of(item)))


def _other(request: Request, body: Body) -> None:
    _prompt(request, body)
    _inputs(request, body)


def _nested(request: Request, body: Body) -> None:
    """DashScope and Replicate put the conversation into `input`, DashScope the rest into `parameters`."""
    given = body.pop("input", None)
    if isinstance(given, dict):
        inner = dict(given)
        _chat(request, inner)
        request.system += parts_of(inner.pop("system_prompt", None))
        body |= inner
    else:
        body |= {} if given is None else {"input": given}
        _inputs(request, body)
    body |= obj(body.pop("parameters", None))
    _openai_tools(request, body.pop("tools", None))


def _hugging_face(request: Request, body: Body) -> None:
    _inputs(request, body)
    body |= obj(body.pop("parameters", None))


def _realtime(request: Request, body: Body) -> None:
    """A session or one response of the Realtime API."""
    body |= obj(body.pop("session", None)) | obj(body.pop("response", None))
    body.pop("type", None)
    _responses(request, body)


def _unknown(request: Request, body: Body) -> None:
    """A host nobody knows: the member that holds the conversation tells its shape."""
    if "contents" in body:
        _gemini(request, body)
    elif "input" in body and "messages" not in body:
        _responses(request, body)
    else:
        _chat(request, body)
    request.understood = bool(request.messages)


_READERS: dict[str, Callable[[Request, Body], None]] = {
    "openai-chat": _chat,
    "openai-completions": _chat,
    "openai-responses": _responses,
    "openai-realtime": _realtime,
    "openai-embeddings": _other,
    "openai-images": _other,
    "openai-audio": _other,
    "openai-moderations": _other,
    "rerank": _other,
    "anthropic-messages": _anthropic,
    "anthropic-complete": _anthropic,
    "gemini": _gemini,
    "bedrock-converse": _bedrock,
    "bedrock-invoke": _bedrock_invoke,
    "cohere-v1": _cohere_v1,
    "cohere-v2": _cohere_v2,
    "ollama": _ollama,
    "dashscope": _nested,
    "replicate": _nested,
    "cloudflare": _chat,
    "hugging-face": _hugging_face,
    "llama-cpp": _chat,
}

_FORM_MODEL = re.compile(rb'name="model"\r\n(?:[^\r\n]{1,200}+\r\n){0,8}+\r\n([^\r\n]{1,200}+)\r\n')


def _form_model(body: bytes) -> str | None:
    """The field `model` of a multipart form (audio, image edits)."""
    if not body.startswith(b"--"):
        return None
    found = _FORM_MODEL.search(body)
    return found[1].decode("utf-8", "replace") if found else None
