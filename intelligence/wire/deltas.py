"""What an event of a streamed answer adds: pieces of texts and of tool arguments, each in a channel of its own.

A channel is one text, or the arguments of one call. An event says a piece of it, ends it, or tells a text whole (a call given in
one event, or what was streamed before said once more). The members that say so have names that do not collide between
formats, so one reader serves OpenAI (chat, completions, Responses, Realtime), Anthropic, Gemini, Cohere and Ollama, and who
speaks like them. Thinking is left out: it is signed, or as good as. No value raises.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any

from intelligence.wire.guards import PROVIDER_RUN, guard
from intelligence.wire.json_value import items, name, obj, text
from intelligence.wire.openai_responses import TERMINAL
from intelligence.wire.place import Place, Source
from intelligence.wire.places import answer_places

Channel = Hashable

_WORDS = ("output_text", "text", "refusal", "output_audio_transcript", "audio_transcript")
_CALLS = {"function_call_arguments": "arguments", "custom_tool_call_input": "input"}
_RUN_BY_PROVIDER = {"mcp_call_arguments": "arguments", "code_interpreter_call_code": "code"}
_THINKING = ("reasoning", "thinking", "redacted_thinking")
MAX_TOOLS = 10_000


@dataclass(slots=True)
class Tool:
    name: str | None = None
    call_id: str | None = None
    guarded: str | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """`pointer` is where in the event the piece stands, `at` where the whole text would in a whole answer. `json`: the text is
    JSON in the making."""

    channel: Channel
    pointer: str
    text: str
    at: str
    source: Source = "assistant"
    tool: Tool = field(default_factory=Tool)
    json: bool = False


@dataclass(slots=True)
class Deltas:
    """`ended` are channels, or the beginnings of channels (tuples) of which all end; `over`: every channel ends."""

    pieces: list[Piece] = field(default_factory=list)
    whole: list[Place] = field(default_factory=list)
    ended: list[tuple[Any, ...]] = field(default_factory=list)
    over: bool = False

    def told(self, pointer: str, value: Any, tool: Tool | None = None, inside: str = "") -> None:
        """A string that is a call's arguments (`tool`) or text; or a part of an answer, told as it stands `inside` another."""
        if isinstance(value, str):
            source: Source = "tool_call" if tool else "assistant"
            tool = tool or Tool()
            if value:
                place = Place(pointer, "assistant", source, value, tool.name, tool.call_id, tool.guarded)
                self.whole.append(place)
            return
        for p in answer_places(None, None, "", value):
            if p.source != "thinking":
                at = pointer + p.pointer.removeprefix(inside)
                self.whole.append(Place(at, p.role, p.source, p.text, p.tool, p.call_id, p.guarded))


class DeltaReader:
    """Of one stream: tools are named once, when they begin."""

    def __init__(self) -> None:
        self._tools: dict[Channel, Tool] = {}
        self._current: dict[Channel, Channel] = {}

    def read(self, kind: str, value: Any) -> Deltas:
        """`kind` is the name that the framing gives the event, or ""."""
        event, told = obj(value), Deltas()
        kind = text(event.get("type")) or text(event.get("event_type")) or kind
        if isinstance(event.get("choices"), list):
            for n, choice in enumerate(event["choices"]):
                self._choice(told, f"/choices/{n}", obj(choice))
        elif isinstance(event.get("candidates"), list):
            for n, candidate in enumerate(event["candidates"]):
                self._candidate(told, f"/candidates/{n}", obj(candidate))
        elif kind.startswith("content_block_"):
            self._block(told, kind, event)
        elif kind.startswith(("response.", "conversation.item.")):
            self._responses(told, kind, event)
        elif kind in ("message_delta", "message_stop", "message-end"):
            told.over = True
        elif kind.startswith(("content-", "tool-call-")):
            self._cohere(told, kind, obj(obj(event.get("delta")).get("message")))
        elif "event_type" in event or "is_finished" in event:
            self._cohere_v1(told, kind, event)
        elif "done" in event:
            self._ollama(told, event)
        elif isinstance(event.get("completion"), str):
            told.pieces.append(Piece(("completion",), "/completion", event["completion"], "/completion"))
        return told

    def _tool(self, channel: Channel, guarded: str | None = None, **known: Any) -> Tool:
        tool = self._tools.get(channel)
        if tool is None:
            tool = Tool(guarded=guarded)
            if len(self._tools) < MAX_TOOLS:
                self._tools[channel] = tool
        tool.name = tool.name or name(known.get("name"))
        tool.call_id = tool.call_id or name(known.get("id"))
        return tool

    # OpenAI chat, completions

    def _choice(self, told: Deltas, at: str, choice: dict[str, Any]) -> None:
        index = _index(choice.get("index"))
        words, here = ("text", index), f"/choices/{index}/message"
        delta = obj(choice.get("delta"))
        if isinstance(choice.get("text"), str):
            told.pieces.append(Piece(words, f"{at}/text", choice["text"], f"/choices/{index}/text"))
        for pointer, piece in _contents(f"{at}/delta/content", delta.get("content")):
            told.pieces.append(Piece(words, pointer, piece, f"{here}/content"))
        if isinstance(delta.get("refusal"), str):
            piece = delta["refusal"]
            told.pieces.append(Piece(("refusal", index), f"{at}/delta/refusal", piece, f"{here}/refusal"))
        for n, call in enumerate(items(delta.get("tool_calls"))):
            told.ended.append(words)
            self._call(told, f"{at}/delta/tool_calls/{n}", here, index, obj(call))
        if isinstance(delta.get("function_call"), dict):
            told.ended.append(words)
            old = {"index": "old", "function": delta["function_call"]}
            self._call(told, f"{at}/delta", here, index, old, "function_call")
        if isinstance(choice.get("message"), dict):
            told.told(f"{at}/message", choice["message"])
        if choice.get("finish_reason"):
            told.ended += [words, ("refusal", index), ("tool", index)]

    def _call(
        self, told: Deltas, at: str, here: str, choice: int, call: dict[str, Any], key: str = "function"
    ) -> None:
        if key == "function" and isinstance(call.get("custom"), dict):
            key = "custom"
        inner = obj(call.get("function" if key == "function_call" else key))
        id_, n = name(call.get("id")), call.get("index")
        slot = ("tool", choice, n if isinstance(n, int | str) else "next")
        channel = self._current.get(slot)
        if channel is None or (id_ and inner.get("name") and id_ != channel[-1]):  # type: ignore[index]
            channel = self._current[slot] = (*slot, id_)
        guarded = guard(call)
        tool = self._tool(channel, guarded, name=inner.get("name"), id=id_)
        words = "input" if key == "custom" else "arguments"
        where = f"{here}/tool_calls/{slot[2]}/{key}/{words}"
        if isinstance(inner.get(words), str):
            told.pieces.append(
                Piece(
                    channel, f"{at}/{key}/{words}", inner[words], where, "tool_call", tool, words != "input"
                )
            )
        elif inner.get(words):
            told.told(at, {"tool_calls": [call]}, inside="/tool_calls/0")

    # Anthropic

    def _block(self, told: Deltas, kind: str, event: dict[str, Any]) -> None:
        index = _index(event.get("index"))
        channel, at = ("block", index), f"/content/{index}"
        block, delta = obj(event.get("content_block")), obj(event.get("delta"))
        if kind == "content_block_start":
            type_ = text(block.get("type"))
            self._tools.pop(channel, None)
            if type_.endswith("tool_use"):
                run = None if type_ == "tool_use" else PROVIDER_RUN
                self._tool(channel, run, **block)
                if block.get("input"):
                    told.told("/content_block", block)
            elif type_ == "text" and isinstance(block.get("text"), str):
                told.pieces.append(Piece(channel, "/content_block/text", block["text"], f"{at}/text"))
        elif kind == "content_block_stop":
            told.ended.append(channel)
        elif isinstance(delta.get("text"), str):
            told.pieces.append(Piece(channel, "/delta/text", delta["text"], f"{at}/text"))
        elif isinstance(delta.get("partial_json"), str):
            tool = self._tool(channel)
            piece = delta["partial_json"]
            told.pieces.append(
                Piece(channel, "/delta/partial_json", piece, f"{at}/input", "tool_call", tool, True)
            )

    # OpenAI Responses and Realtime

    def _responses(self, told: Deltas, kind: str, event: dict[str, Any]) -> None:
        what, _, how = kind.removeprefix("response.").rpartition(".")
        where = event.get("output_index")
        item = (
            "item",
            name(event.get("response_id")),
            where if isinstance(where, int) else name(event.get("item_id")),
        )
        at = f"/output/{where if isinstance(where, int) else 0}"
        if isinstance(event.get("item"), dict):
            given = event["item"]
            self._tool(item, guard(given), name=given.get("name"), id=given.get("call_id"))
            if how == "done" or kind.startswith("conversation."):
                told.ended.append(item)
                if given.get("role", "assistant") == "assistant" and given.get("type") not in _THINKING:
                    told.told("/item", given)
        elif isinstance(event.get("response"), dict):
            told.over = kind in TERMINAL
            told.told("/response", {"output": event["response"].get("output")})
        elif isinstance(event.get("part"), dict):
            if event["part"].get("type") not in ("reasoning_text", "summary_text"):
                told.told("/part", event["part"])
        elif what in _WORDS:
            channel = (*item, "text", _index(event.get("content_index")))
            self._said(
                told, channel, event, how, "refusal" if what == "refusal" else "text", f"{at}/content", None
            )
        elif what in _CALLS or what in _RUN_BY_PROVIDER:
            key = _CALLS.get(what) or _RUN_BY_PROVIDER[what]
            run = PROVIDER_RUN if what in _RUN_BY_PROVIDER else None
            tool = self._tool(item, run, id=event.get("call_id"))
            self._said(told, (*item, "call"), event, how, key, f"{at}/{key}", tool)

    @staticmethod
    def _said(
        told: Deltas,
        channel: tuple[Any, ...],
        event: dict[str, Any],
        how: str,
        key: str,
        at: str,
        tool: Tool | None,
    ) -> None:
        if how == "delta" and isinstance(event.get("delta"), str):
            source: Source = "tool_call" if tool else "assistant"
            told.pieces.append(
                Piece(channel, "/delta", event["delta"], at, source, tool or Tool(), key == "arguments")
            )
        elif how == "done":
            told.ended.append(channel)
            key = "transcript" if "transcript" in event else key
            told.told(f"/{key}", text(event.get(key)), tool)

    # Gemini

    def _candidate(self, told: Deltas, at: str, candidate: dict[str, Any]) -> None:
        index = _index(candidate.get("index"))
        words, here = ("text", index), f"/candidates/{index}/content/parts"
        for n, part in enumerate(items(obj(candidate.get("content")).get("parts"))):
            pointer = f"{at}/content/parts/{n}"
            if isinstance(obj(part).get("text"), str):
                if part.get("thought") is not True:
                    tool = Tool(guarded=guard(part))
                    told.pieces.append(Piece(words, f"{pointer}/text", part["text"], here, tool=tool))
            elif isinstance(part, dict):
                told.ended.append(words)
                told.told(pointer, {"parts": [part]}, inside="/parts/0")
        if candidate.get("finishReason"):
            told.ended.append(words)

    # Cohere

    def _cohere(self, told: Deltas, kind: str, message: dict[str, Any]) -> None:
        content, call = obj(message.get("content")), obj(message.get("tool_calls"))
        function = obj(call.get("function"))
        if kind in ("content-start", "content-delta") and isinstance(content.get("text"), str):
            pointer = "/delta/message/content/text"
            told.pieces.append(Piece(("text",), pointer, content["text"], "/message/content"))
        elif kind == "content-end":
            told.ended.append(("text",))
        elif kind == "tool-call-end":
            told.ended.append(("call",))
        elif kind in ("tool-call-start", "tool-call-delta"):
            if kind == "tool-call-start":
                self._tools.pop(("call",), None)
            tool = self._tool(("call",), name=function.get("name"), id=call.get("id"))
            if isinstance(function.get("arguments"), str):
                pointer = "/delta/message/tool_calls/function/arguments"
                piece = function["arguments"]
                told.pieces.append(
                    Piece(("call",), pointer, piece, "/message/tool_calls", "tool_call", tool, True)
                )

    def _cohere_v1(self, told: Deltas, kind: str, event: dict[str, Any]) -> None:
        if event.get("is_finished") is True or kind == "stream-end":
            told.over = True
            told.told("/response", obj(event.get("response")))
        elif isinstance(event.get("text"), str):
            told.pieces.append(Piece(("text",), "/text", event["text"], "/text"))
        elif event.get("tool_calls"):
            told.told("", {"tool_calls": event["tool_calls"]})

    # Ollama

    def _ollama(self, told: Deltas, line: dict[str, Any]) -> None:
        message = obj(line.get("message"))
        for key, held in (("/message/content", message.get("content")), ("/response", line.get("response"))):
            if isinstance(held, str):
                told.pieces.append(Piece(("text",), key, held, key))
        if message.get("tool_calls"):
            told.ended.append(("text",))
            told.told("/message", {"tool_calls": message["tool_calls"]})
        told.over = line.get("done") is True


def _contents(pointer: str, content: Any) -> Iterator[tuple[str, str]]:
    """A string, or parts of text."""
    if isinstance(content, str):
        yield pointer, content
        return
    for n, part in enumerate(items(content)):
        if obj(part).get("type") == "text" and isinstance(part.get("text"), str):
            yield f"{pointer}/{n}/text", part["text"]


def _index(value: Any) -> int:
    return value if isinstance(value, int) else 0
