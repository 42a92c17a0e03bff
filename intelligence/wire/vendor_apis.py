"""APIs of single providers that are no one else's: DashScope, Cloudflare Workers AI, Replicate, Hugging Face, llama.cpp."""

from __future__ import annotations

from typing import Any

from intelligence.wire import usage as tokens_of
from intelligence.wire.draft import Draft, Tokens
from intelligence.wire.json_value import count, first, items, name, obj, objects
from intelligence.wire.openai_chat import OpenAIChat


class DashScope:
    """`output` holds either `choices`, as OpenAI's, or `text`. Streams repeat the text so far unless `incremental_output` was
    asked for, which the answer does not say: an event that begins with all that came before replaces it."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft

    def whole(self, value: Any) -> None:
        self.event("", value)
        self.draft.terminal = True

    def event(self, kind: str, value: Any) -> None:
        body = obj(value)
        draft = self.draft
        draft.counted(body.get("usage"), tokens_of.openai)
        if body.get("code"):
            draft.fail(body)
            draft.terminal = True
        output = obj(body.get("output"))
        choices = objects(output.get("choices"))
        part = Draft()
        if choices:
            OpenAIChat(part).whole({"choices": choices[:1]})
        else:
            part.say(output.get("text"))
            part.finish_reason = name(output.get("finish_reason"))
        _merge(draft.text, part.text)
        _merge(draft.reasoning, part.reasoning)
        if part.tools:
            draft.tools = part.tools
        draft.saw_token = draft.saw_token or part.saw_token
        if part.finish_reason not in (None, "null"):
            draft.finish_reason = part.finish_reason
            draft.terminal = True


def _merge(so_far: list[str], new: list[str]) -> None:
    piece = "".join(new)
    known = "".join(so_far) if len(so_far) <= 1 else ""
    if known and piece.startswith(known):
        so_far[:] = [piece]
    elif piece:
        so_far.append(piece)


class Cloudflare:
    """Workers AI: `{result, success, errors}` around the answer; streams are lines of `response`."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self._chat = OpenAIChat(draft)

    def whole(self, value: Any) -> None:
        body = obj(value)
        if items(body.get("errors")):
            self.draft.fail(body)
        self.event("", body.get("result") if "result" in body else body)
        self.draft.terminal = True

    def event(self, kind: str, value: Any) -> None:
        body = obj(value)
        if body.get("choices") is not None:
            self._chat.event(kind, body)
            return
        self._chat.event(kind, {key: body[key] for key in ("model", "usage", "error") if key in body})
        self.draft.say(body.get("response"))
        for tool in objects(body.get("tool_calls")):
            self.draft.call(tool.get("id"), tool.get("name"), tool.get("arguments") or {})


class Replicate:
    """A prediction: whole when it was waited for, else only a promise."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft

    def whole(self, value: Any) -> None:
        body = obj(value)
        draft = self.draft
        output = body.get("output")
        for piece in output if isinstance(output, list) else [output]:
            draft.say(piece)
        draft.model = name(body.get("model"))
        draft.finish_reason = name(body.get("status"))
        metrics = obj(body.get("metrics"))
        if metrics:
            draft.counted(metrics, _metrics)
        if body.get("error") or body.get("detail"):
            draft.fail(body)
        draft.terminal = True

    def event(self, kind: str, value: Any) -> None:
        self.whole(value)


def _metrics(metrics: dict[str, Any]) -> Tokens:
    return Tokens(count(metrics.get("input_token_count")), count(metrics.get("output_token_count")))


class HuggingFace:
    """Text generation inference: `generated_text`, or streamed `token` by token."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft

    def whole(self, value: Any) -> None:
        body = obj(value[0] if isinstance(value, list) and value else value)
        self.draft.say(body.get("generated_text"))
        self._details(body)
        if body.get("error"):
            self.draft.fail(body)
        self.draft.terminal = True

    def event(self, kind: str, value: Any) -> None:
        body = obj(value)
        token = obj(body.get("token"))
        if token.get("special") is not True:
            self.draft.say(token.get("text"))
        self._details(body)
        if body.get("error"):
            self.draft.fail(body)
            self.draft.terminal = True
        if isinstance(body.get("generated_text"), str):
            self.draft.terminal = True

    def _details(self, body: dict[str, Any]) -> None:
        details = body.get("details")
        if not isinstance(details, dict):
            return
        draft = self.draft
        draft.finish_reason = name(details.get("finish_reason"))
        counts = {k: details[k] for k in ("generated_tokens", "input_length") if k in details}
        prefill = details.get("prefill")
        draft.usage_raw = counts or None
        draft.tokens = Tokens(
            first(
                count(details.get("input_length")),
                len(prefill) if isinstance(prefill, list) and prefill else None,
            ),
            count(details.get("generated_tokens")),
        )


class LlamaCpp:
    """llama.cpp's own `/completion`: `content` in pieces, and counts with the one that has `stop`."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft

    def whole(self, value: Any) -> None:
        self.event("", value)
        self.draft.terminal = True

    def event(self, kind: str, value: Any) -> None:
        body = obj(value)
        draft = self.draft
        draft.say(body.get("content"))
        draft.model = draft.model or name(body.get("model"))
        if body.get("error"):
            draft.fail(body)
            draft.terminal = True
        if body.get("stop") is True:
            draft.terminal = True
            draft.finish_reason = name(body.get("stop_type"))
            draft.usage_raw = {
                k: body[k] for k in ("tokens_evaluated", "tokens_predicted") if k in body
            } or None
            draft.tokens = Tokens(count(body.get("tokens_evaluated")), count(body.get("tokens_predicted")))
