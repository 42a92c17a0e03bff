"""OpenAI Realtime over a WebSocket, as a text conversation: what the client says and what is said back.

Audio sent is taken and left unheard. Event names are those of the current API, or the older ones when the client asks for
them (`OpenAI-Beta: realtime=v1`, as a header or subprotocol).
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
from collections.abc import Iterator
from typing import Any

from . import script
from .ask import Ask, Tool, ToolResult, canonical, user_text
from .exchange import Conversation
from .faults import DirectiveError, disturbed
from .format import Json, dumps
from .memory import Memory
from .openai_chat import error, forced_tool
from .script import Reply, pieces


class Session:
    """One socket's state: the session's settings, the conversation's items, and at most one response under way."""

    def __init__(self, conversation: Conversation, memory: Memory, model: str, *, beta: bool) -> None:
        self.conversation, self.memory, self.beta = conversation, memory, beta
        self.items: list[Json] = []
        self.counter = itertools.count()
        self.seed = model
        self.settings: Json = {
            "type": "realtime",
            "object": "realtime.session",
            "id": self._id("sess_"),
            "model": model,
            "output_modalities": ["text"],
            "instructions": "",
            "tools": [],
            "tool_choice": "auto",
        }
        self.answer: asyncio.Task[None] | None = None

    async def run(self, tasks: asyncio.TaskGroup) -> None:
        """Until the client leaves."""
        await self._tell({"type": "session.created", "session": self.settings})
        while (message := await self.conversation.receive()) is not None:
            match message.get("type"):
                case "session.update":
                    self.settings |= message.get("session") or {}
                    await self._tell({"type": "session.updated", "session": self.settings})
                case "conversation.item.create":
                    await self._add(message.get("item") or {})
                case "response.create" if self.answer is not None and not self.answer.done():
                    await self._refuse(400, "A response is already under way.", message)
                case "response.create":
                    self.answer = tasks.create_task(self._respond(message.get("response") or {}))
                case "response.cancel" if self.answer is not None and self.answer.cancel():
                    await self._tell({"type": "response.done", "response": self._cancelled()})
                case str() as kind if kind.startswith(("input_audio_buffer.", "output_audio_buffer.")):
                    pass
                case kind:
                    await self._refuse(400, f"Unknown message type {kind!r}.", message)
        if self.answer is not None and not self.answer.done():
            self.conversation.seen.aborted = True
            self.answer.cancel()

    async def _respond(self, options: Json) -> None:
        items = self.items if options.get("input") is None else options["input"]
        ask = _ask(self.settings | options, items)
        try:
            wishes = script.wishes(ask.prompt, self.memory)
        except DirectiveError as problem:
            await self._refuse(400, str(problem), {})
            return
        reply = script.reply(ask, wishes, self.memory)
        if wishes.refuses:
            await self._refuse(wishes.status or 500, wishes.message, {})
            return
        told = error(wishes.status or 500, wishes.message)["error"]
        failure = dumps(self._numbered({"type": "error", "error": told}))
        events = (dumps(self._numbered(event)) for event in self._events(reply, options))
        await self.conversation.play(disturbed(events, wishes, failure), drip_ms=wishes.drip_ms)
        if wishes.eof is not None:
            await self.conversation.close()
            return
        self.items += self._output(reply)

    def _events(self, reply: Reply, options: Json) -> Iterator[Json]:
        text = "response.text" if self.beta else "response.output_text"
        response: Json = {
            "object": "realtime.response",
            "id": self._id("resp_"),
            "status": "in_progress",
            "status_details": None,
            "output": [],
            "output_modalities": ["text"],
            "metadata": options.get("metadata"),
            "usage": None,
        }
        yield {"type": "response.created", "response": response}
        output = self._output(reply)
        for index, item in enumerate(output):
            at = {"response_id": response["id"], "output_index": index}
            spot = at | {"item_id": item["id"], "content_index": 0}
            empty: Json = {"content": []} if "content" in item else {"arguments": ""}
            started = item | {"status": "in_progress"} | empty
            yield {"type": "response.output_item.added", **at, "item": started}
            yield from self._added(started, done=False)
            if "content" in item:
                part = item["content"][0]
                yield {"type": "response.content_part.added", **spot, "part": part | {"text": ""}}
                for piece in pieces(part["text"]):
                    yield {"type": f"{text}.delta", **spot, "delta": piece}
                yield {"type": f"{text}.done", **spot, "text": part["text"]}
                yield {"type": "response.content_part.done", **spot, "part": part}
            else:
                spot = at | {"item_id": item["id"], "call_id": item["call_id"]}
                for piece in pieces(item["arguments"]):
                    yield {"type": "response.function_call_arguments.delta", **spot, "delta": piece}
                done = {"name": item["name"], "arguments": item["arguments"]}
                yield {"type": "response.function_call_arguments.done", **spot, **done}
            yield from self._added(item, done=True)
            yield {"type": "response.output_item.done", **at, "item": item}
        incomplete = reply.finish == "length"
        yield {
            "type": "response.done",
            "response": response
            | {
                "status": "incomplete" if incomplete else "completed",
                "status_details": {"type": "incomplete", "reason": "max_output_tokens"}
                if incomplete
                else None,
                "output": output,
                "usage": _usage(reply),
            },
        }

    def _output(self, reply: Reply) -> list[Json]:
        head = {"object": "realtime.item", "status": "completed"}
        items: list[Json] = [
            head
            | {
                "id": reply.id("item_", call.id),
                "type": "function_call",
                "call_id": f"call_{call.id}",
                "name": call.tool.name,
                "arguments": call.text,
            }
            for call in reply.tool_calls
        ]
        if reply.text or not items:
            content = [{"type": "text" if self.beta else "output_text", "text": reply.text}]
            items.insert(
                0,
                head | {"id": reply.id("item_"), "type": "message", "role": "assistant", "content": content},
            )
        return items

    def _added(self, item: Json, *, done: bool) -> Iterator[Json]:
        """The notice that an item is part of the conversation: one event in the older API, two in the current one."""
        if self.beta and not done:
            yield {"type": "conversation.item.created", "previous_item_id": None, "item": item}
        elif not self.beta:
            kind = "conversation.item.done" if done else "conversation.item.added"
            yield {"type": kind, "previous_item_id": None, "item": item}

    async def _add(self, item: Json) -> None:
        item = {"id": self._id("item_"), "object": "realtime.item", "status": "completed"} | item
        self.items.append(item)
        for done in (False, True):
            for event in self._added(item, done=done):
                await self._tell(event)

    async def _refuse(self, status: int, message: str, cause: Json) -> None:
        told = error(status, message)["error"] | {"event_id": cause.get("event_id")}
        await self._tell({"type": "error", "error": told})

    def _cancelled(self) -> Json:
        details = {"type": "cancelled", "reason": "client_cancelled"}
        return {
            "object": "realtime.response",
            "id": self._id("resp_"),
            "status": "cancelled",
            "status_details": details,
            "output": [],
        }

    async def _tell(self, event: Json) -> None:
        await self.conversation.send(dumps(self._numbered(event)).decode())

    def _numbered(self, event: Json) -> Json:
        return event | {"event_id": self._id("event_")}

    def _id(self, prefix: str) -> str:
        return prefix + hashlib.sha256(f"{self.seed}/{next(self.counter)}".encode()).hexdigest()[:24]


def _ask(settings: Json, items: list[Any]) -> Ask:
    offered = settings.get("tools") or []
    last_user = max((i for i, item in enumerate(items) if item.get("role") == "user"), default=-1)
    results = tuple(
        ToolResult("", str(item.get("output", "")))
        for item in items[last_user + 1 :]
        if item.get("type") == "function_call_output"
    )
    limit = settings.get("max_output_tokens") or settings.get("max_response_output_tokens")
    choice = settings.get("tool_choice")
    return Ask(
        model=str(settings.get("model", "")),
        stream=True,
        prompt=user_text(items[last_user].get("content")) if last_user >= 0 else "",
        segments=tuple(map(canonical, [*offered, settings.get("instructions") or "", *items])),
        tool_results=results,
        tools=()
        if choice == "none"
        else tuple(Tool(t["name"], t.get("parameters") or {}) for t in offered if "name" in t),
        forced_tool=forced_tool(choice),
        max_tokens=limit if isinstance(limit, int) else None,
    )


def _usage(reply: Reply) -> Json:
    cached = reply.cache_read_tokens
    return {
        "total_tokens": reply.input_tokens + reply.output_tokens,
        "input_tokens": reply.input_tokens,
        "output_tokens": reply.output_tokens,
        "input_token_details": {
            "text_tokens": reply.input_tokens,
            "audio_tokens": 0,
            "cached_tokens": cached,
        },
        "output_token_details": {"text_tokens": reply.output_tokens, "audio_tokens": 0},
    }
