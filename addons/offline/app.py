"""The offline provider as an ASGI application: which path speaks which protocol.

All hosts are answered alike; the path decides (and for `/v1/models`, which several providers share, the headers). What is no
known path gets `{}` with 200: coding agents probe many, and go on when each answers. A client that leaves stops its answer at
once, and the record of its request says `aborted`.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from . import (
    anthropic_messages,
    gemini,
    ollama,
    openai_chat,
    openai_other,
    openai_realtime,
    openai_responses,
    script,
)
from .exchange import (
    Conversation,
    Dropped,
    Exchange,
    Headers,
    Receive,
    Scope,
    SeenRequest,
    Send,
    decoded,
    seen_request,
)
from .faults import DirectiveError, Directives, disturbed, disturbed_document
from .format import Format, Json, dumps
from .memory import Memory
from .openai_responses_websocket import converse
from .record import Record

_CHATS: tuple[tuple[re.Pattern[str], Format], ...] = (
    (re.compile(r"/chat/completions$"), openai_chat.FORMAT),
    (re.compile(r"/responses$"), openai_responses.FORMAT),
    (re.compile(r"/v1/messages$"), anthropic_messages.FORMAT),
    (re.compile(r"/models/[^/]+:generateContent$"), gemini.SSE),
    (re.compile(r"/models/[^/]+:streamGenerateContent$"), gemini.SSE),
    (re.compile(r"/api/chat$"), ollama.CHAT),
    (re.compile(r"/api/generate$"), ollama.GENERATE),
)


@dataclass(frozen=True)
class _Plain:
    """An endpoint that answers one JSON object for another. `prompt` is where directives are looked for."""

    path: re.Pattern[str]
    answer: Callable[[Json], Json]
    error: Callable[[int, str], object]
    prompt: Callable[[Json], str] = lambda body: ""


_PLAIN = (
    _Plain(
        re.compile(r"/embeddings$"),
        openai_other.embeddings,
        openai_chat.error,
        lambda body: "\n".join(openai_other.embedding_texts(body)),
    ),
    _Plain(
        re.compile(r"/v1/messages/count_tokens$"), anthropic_messages.count_tokens, anthropic_messages.error
    ),
    _Plain(re.compile(r"/models/[^/]+:countTokens$"), gemini.count_tokens, gemini.error),
)
_UNREADABLE = (LookupError, TypeError, ValueError, AttributeError)


class OfflineApp:
    def __init__(self, record: Record) -> None:
        self.record = record
        self.memory = Memory()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        seen = seen_request(scope)
        self.record.add(seen)
        try:
            if scope["type"] == "websocket":
                await self._websocket(scope, receive, send, seen)
            else:
                await self._http(scope, receive, send, seen)
        finally:
            self.record.end(seen)

    async def _http(self, scope: Scope, receive: Receive, send: Send, seen: SeenRequest) -> None:
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                seen.aborted = True
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
        self.record.set_body(seen, bytes(body))
        exchange = Exchange(scope, send, seen)
        async with asyncio.TaskGroup() as tasks:
            answer = tasks.create_task(self._answer(scope["path"], exchange))
            watch = tasks.create_task(_stop_when_gone(receive, answer, exchange))
            answer.add_done_callback(lambda _: watch.cancel())

    async def _answer(self, path: str, exchange: Exchange) -> None:
        seen = exchange.seen
        try:
            if seen.method == "POST":
                for pattern, form in _CHATS:
                    if pattern.search(path):
                        if form is gemini.SSE and _wants_array(seen):
                            form = gemini.ARRAY
                        await self._chat(form, exchange)
                        return
                for plain in _PLAIN:
                    if plain.path.search(path):
                        await self._plain(plain, exchange)
                        return
            await exchange.respond(200, dumps(_listing(path, seen) if seen.method == "GET" else {}))
        except Dropped:
            pass

    async def _chat(self, form: Format, exchange: Exchange) -> None:
        try:
            body = _json(exchange.seen)
            ask = form.read(body, exchange.seen.path, self.memory)
            wishes = script.wishes(ask.prompt, self.memory)
        except _UNREADABLE as problem:
            await exchange.respond(400, dumps(form.error(400, _told(problem))))
            return
        reply = script.reply(ask, wishes, self.memory)
        headers = [(form.request_id, reply.id("req_"))] if form.request_id else []
        if wishes.refuses:
            await _refuse(exchange, wishes, form.error, headers)
            return
        if form.remember:
            form.remember(body, ask, reply, self.memory)
        if not ask.stream:
            document = dumps(form.document(ask, reply))
            await _whole(exchange, wishes, document, form.error, headers)
            return
        failure = form.error_event(wishes.status or form.event_status, wishes.message)
        await exchange.play(
            disturbed(form.events(ask, reply), wishes, failure),
            form.stream_type,
            drip_ms=wishes.drip_ms,
            headers=headers,
            encoding=wishes.encoding,
        )

    async def _plain(self, plain: _Plain, exchange: Exchange) -> None:
        try:
            body = _json(exchange.seen)
            wishes = script.wishes(plain.prompt(body), self.memory)
            document = dumps(plain.answer(body))
        except _UNREADABLE as problem:
            await exchange.respond(400, dumps(plain.error(400, _told(problem))))
            return
        if wishes.refuses:
            await _refuse(exchange, wishes, plain.error, [])
        else:
            await _whole(exchange, wishes, document, plain.error, [])

    async def _websocket(self, scope: Scope, receive: Receive, send: Send, seen: SeenRequest) -> None:
        await receive()
        path = scope["path"]
        if not path.endswith(("/responses", "/realtime")):
            seen.status = 403
            await send({"type": "websocket.close"})
            return
        offered = scope["subprotocols"]
        accepted = "realtime" if "realtime" in offered else None
        await send({"type": "websocket.accept", "subprotocol": accepted})
        seen.status = 101
        conversation = Conversation(scope, receive, send, seen)
        try:
            async with asyncio.TaskGroup() as tasks:
                if path.endswith("/responses"):
                    await converse(conversation, self.memory, tasks)
                else:
                    model = re.search(r"[?&](?:model|deployment)=([^&]+)", seen.path)
                    beta = "openai-beta.realtime-v1" in offered or "realtime=v1" in (
                        seen.header("openai-beta") or ""
                    )
                    name = model[1] if model else "gpt-realtime"
                    session = openai_realtime.Session(conversation, self.memory, name, beta=beta)
                    await session.run(tasks)
        except* Dropped:
            pass


async def _stop_when_gone(receive: Receive, answer: asyncio.Task[None], exchange: Exchange) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    if not exchange.finished:
        exchange.seen.aborted = True
        answer.cancel()


async def _whole(
    exchange: Exchange,
    wishes: Directives,
    document: bytes,
    error: Callable[[int, str], object],
    headers: Headers,
) -> None:
    if not wishes.alters_document:
        await exchange.respond(200, document, headers=headers, encoding=wishes.encoding)
        return
    failure = dumps(error(wishes.status or 500, wishes.message))
    await exchange.play(
        disturbed_document(document, wishes, failure),
        "application/json",
        drip_ms=wishes.drip_ms,
        headers=headers,
        encoding=wishes.encoding,
    )


async def _refuse(
    exchange: Exchange, wishes: Directives, error: Callable[[int, str], object], headers: Headers
) -> None:
    if wishes.retry_after is not None:
        headers = [*headers, ("retry-after", f"{wishes.retry_after:g}")]
    status = wishes.status or 500
    await exchange.respond(
        status, dumps(error(status, wishes.message)), headers=headers, encoding=wishes.encoding
    )


def _json(seen: SeenRequest) -> Json:
    body = json.loads(decoded(seen.body, seen.header("content-encoding")))
    if not isinstance(body, dict):
        raise TypeError("the body is no JSON object")
    return body


def _told(problem: Exception) -> str:
    if isinstance(problem, DirectiveError):
        return str(problem)
    return f"The offline provider cannot read this request: {problem!r}"


def _wants_array(seen: SeenRequest) -> bool:
    return ":streamGenerateContent" in seen.path and "alt=sse" not in seen.path


def _listing(path: str, seen: SeenRequest) -> Json:
    """Answers to GET: model lists, and `{}` for the rest."""
    if path.endswith("/api/tags"):
        return ollama.tags()
    if path.endswith("/api/version"):
        return {"version": "0.0.0-offline"}
    found = re.search(r"/models(?:/([^/:]+))?$", path)
    if found is None:
        return {}
    if seen.header("x-goog-api-key") is not None or "/v1beta/" in path or "key=" in seen.path:
        return gemini.model(found[1]) if found[1] else gemini.models()
    if seen.header("anthropic-version"):
        return anthropic_messages.model(found[1]) if found[1] else anthropic_messages.models()
    return openai_other.model(found[1]) if found[1] else openai_other.models()
