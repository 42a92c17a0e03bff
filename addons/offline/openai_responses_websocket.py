"""OpenAI Responses over a WebSocket: `response.create` in, the events of each response out, one response at a time."""

from __future__ import annotations

import asyncio

from . import script
from .exchange import Conversation
from .faults import DirectiveError, disturbed
from .format import Json
from .memory import Memory
from .openai_responses import error_message, history, messages, read, remember, warmed_up


async def converse(conversation: Conversation, memory: Memory, tasks: asyncio.TaskGroup) -> None:
    """Until the client leaves, or a fault closes the socket."""
    turn = asyncio.Lock()
    answers: set[asyncio.Task[None]] = set()
    while (message := await conversation.receive()) is not None:
        if message.get("type") == "response.create":
            answer = tasks.create_task(_answer(conversation, message, memory, turn))
            answers.add(answer)
            answer.add_done_callback(answers.discard)
        else:
            refusal = error_message(400, f"Unknown message type {message.get('type')!r}.")
            await conversation.send(refusal.decode())
    for answer in answers:
        conversation.seen.aborted = True
        answer.cancel()


async def _answer(conversation: Conversation, body: Json, memory: Memory, turn: asyncio.Lock) -> None:
    async with turn:
        try:
            ask = read(body, "", memory)
            wishes = script.wishes(ask.prompt, memory)
        except (LookupError, TypeError, ValueError, AttributeError) as problem:
            told = (
                str(problem)
                if isinstance(problem, DirectiveError)
                else f"Cannot read this request: {problem!r}"
            )
            await conversation.send(error_message(400, told).decode())
            return
        reply = script.reply(ask, wishes, memory)
        if wishes.refuses:
            await conversation.send(error_message(wishes.status or 500, wishes.message).decode())
            return
        if body.get("generate") is False:
            events = warmed_up(reply)
            memory.responses[reply.id("resp_")] = history(body, memory)
        else:
            events = messages(ask, reply)
            remember(body, ask, reply, memory)
        failure = error_message(wishes.status or 500, wishes.message)
        await conversation.play(disturbed(events, wishes, failure), drip_ms=wishes.drip_ms)
        if wishes.eof is not None:
            await conversation.close()
