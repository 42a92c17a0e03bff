"""OpenAI chat completions and legacy completions, and what dozens of providers make of them.

Only choice 0 counts. Of repeated values the last that says something wins; nothing is added up. Tool call deltas are put
together by `index`, by id where there is none, else by being next to each other; an index that comes with another id and a name
is a new call.
"""

from __future__ import annotations

from typing import Any

from intelligence.wire import usage as tokens_of
from intelligence.wire.draft import MAX_TOOL_CALLS, Draft, ToolDraft
from intelligence.wire.json_value import as_json, items, name, obj, objects, text


class OpenAIChat:
    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self._last: ToolDraft | None = None
        self._by_id: dict[str, ToolDraft] = {}

    def whole(self, value: Any) -> None:
        body = obj(value)
        self._top(body)
        choices = objects(body.get("choices"))
        if choices:
            self._choice(choices[0])
        self.draft.terminal = True

    def event(self, kind: str, value: Any) -> None:
        chunk = obj(value)
        self._top(chunk)
        if kind == "error" and self.draft.error_message is None:
            self.draft.fail(value)
        for choice in objects(chunk.get("choices")):
            if choice.get("index") in (0, None):
                self._choice(choice)
        if self.draft.error_message is not None:
            self.draft.terminal = True

    def _top(self, body: dict[str, Any]) -> None:
        draft = self.draft
        if draft.model is None:
            draft.model = name(body.get("model"))
        draft.service_tier = name(body.get("service_tier")) or draft.service_tier
        usage = body.get("usage")
        if not isinstance(usage, dict):
            usage = obj(body.get("x_groq")).get("usage")
        draft.counted(usage, tokens_of.openai)
        if body.get("error"):
            draft.fail(body)

    def _choice(self, choice: dict[str, Any]) -> None:
        draft = self.draft
        delta = choice.get("delta")
        # Perplexity sends both: the delta, and the message so far.
        message = delta if isinstance(delta, dict) else obj(choice.get("message"))
        if message:
            self._message(message)
        else:
            draft.say(choice.get("text"))
        if reason := name(choice.get("finish_reason")):
            draft.finish_reason = reason
            draft.terminal = True
        if choice.get("error"):
            draft.fail(choice)

    def _message(self, message: dict[str, Any]) -> None:
        draft = self.draft
        content = message.get("content")
        if isinstance(content, str):
            draft.say(content)
        else:
            self._parts(content)
        reasoning = name(message.get("reasoning_content")) or name(message.get("reasoning"))
        if reasoning:
            draft.think(reasoning)
        else:
            for detail in objects(message.get("reasoning_details")):
                draft.think(detail.get("text") or detail.get("summary"))
        for tool in objects(message.get("tool_calls")):
            self._tool(tool)
        old = obj(message.get("function_call"))
        if old.get("name") or old.get("arguments"):
            self._tool({"index": "function_call", "function": old})

    def _parts(self, content: Any) -> None:
        for part in objects(content):
            kind = part.get("type")
            if kind == "text":
                self.draft.say(part.get("text"))
            elif kind in ("thinking", "reasoning"):
                thinking = part.get("thinking") or part.get("summary")
                self.draft.think(thinking)
                for piece in objects(thinking):
                    self.draft.think(piece.get("text"))

    def _tool(self, delta: dict[str, Any]) -> None:
        custom = obj(delta.get("custom"))
        function = custom or obj(delta.get("function"))
        arguments = function.get("input" if custom else "arguments")
        id_, named = name(delta.get("id")), text(function.get("name"))
        tool = self._find(delta.get("index"), id_, named)
        tool.id = tool.id or id_
        tool.name = tool.name or named
        if arguments is not None:
            tool.pieces.append(as_json(arguments))
        self._last = tool
        if tool.id and len(self._by_id) < MAX_TOOL_CALLS:
            self._by_id.setdefault(tool.id, tool)
        self.draft.saw_token = True

    def _find(self, index: Any, id_: str | None, named: str) -> ToolDraft:
        """The call that a delta goes on with, or a new one."""
        tools = self.draft.tools
        if isinstance(index, (int, str)):
            known = tools.get(index)
            if known is None:
                known = self.draft.put(index)
            elif id_ and known.id and id_ != known.id and named:
                tools[index, len(tools)] = known  # the index now belongs to the new call
                del tools[index]
                known = self.draft.put(index)
            return known
        if id_ and id_ in self._by_id:
            return self._by_id[id_]
        if self._last is not None and not id_ and not named:
            return self._last
        return self.draft.put((len(tools), "new"))


class OpenAIOther:
    """Embeddings, images, audio, moderations, rerank: a model and a usage, and no more; audio may be a transcript."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft

    def whole(self, value: Any) -> None:
        body = obj(value)
        draft = self.draft
        draft.model = name(body.get("model"))
        usage = body.get("usage") or obj(body.get("meta")).get("billed_units")
        draft.counted(usage, tokens_of.openai)
        draft.say(body.get("text"))
        if body.get("error") or ("detail" in body and not items(body.get("data"))):
            draft.fail(body)
        draft.terminal = True

    def event(self, kind: str, value: Any) -> None:
        """Streamed images and transcripts: `*.delta` (text), `*.partial_image`, `*.completed` / `*.done` with the usage."""
        event = obj(value)
        type_ = text(event.get("type")) or kind
        if type_.endswith(".delta"):
            self.draft.say(event.get("delta"))
        elif type_.endswith((".completed", ".done")):
            self.draft.text.clear()
            self.whole(event)
        elif event.get("error") or type_ == "error":
            self.draft.fail(event)
            self.draft.terminal = True
