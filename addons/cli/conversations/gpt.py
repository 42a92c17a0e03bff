"""OpenAI: chat and Responses, embeddings, Realtime."""

from __future__ import annotations

import asyncio
from typing import Any

import openai

KEY = "sk-demo-not-a-real-key"

ORDER_TOOLS: list[Any] = [
    {
        "type": "function",
        "function": {
            "name": "find_order",
            "description": "Look up an order by its number.",
            "parameters": {
                "type": "object",
                "properties": {"number": {"type": "string"}},
                "required": ["number"],
            },
        },
    },
    {
        "type": "function",
        "function": {
            "name": "refund",
            "description": "Refund an order, whole or in part.",
            "parameters": {
                "type": "object",
                "properties": {"number": {"type": "string"}, "amount_eur": {"type": "number"}},
                "required": ["number", "amount_eur"],
            },
        },
    },
]


def sql_help() -> None:
    """Three turns, streamed, the history sent again each time."""
    client = openai.OpenAI(api_key=KEY)
    messages: list[Any] = [
        {
            "role": "system",
            "content": "You are a database consultant. Answer briefly, with SQL where it helps.",
        }
    ]
    for question in (
        "My query over 40 million orders got slow after we added a join on customers. Where do I look first? "
        "[[offline: drip_ms=15]]",
        "EXPLAIN shows a sequential scan on customers. Would an index on customers(email) help?",
        "And how do I check that nothing else gets slower by it?",
    ):
        messages.append({"role": "user", "content": question})
        text = ""
        for chunk in client.chat.completions.create(
            model="gpt-5.4-mini", messages=messages, stream=True, stream_options={"include_usage": True}
        ):
            text += (chunk.choices[0].delta.content or "") if chunk.choices else ""
        messages.append({"role": "assistant", "content": text})


def support_agent() -> None:
    """A tool loop, not streamed: look up, refund, tell."""
    client = openai.OpenAI(api_key=KEY)
    messages: list[Any] = [
        {"role": "system", "content": "You are the support agent of a small bookshop. Be kind and exact."}
    ]
    results = {
        "find_order": '{"number": "B-20431", "status": "delivered", "total_eur": 38.5, "damaged": true}',
        "refund": '{"ok": true, "refunded_eur": 38.5}',
    }
    for turn in (
        'A customer writes that order B-20431 arrived with a torn cover. Use the find_order tool with {"number": "B-20431"}',
        'They would rather have their money back. Use the refund tool with {"number": "B-20431", "amount_eur": 38.5}',
    ):
        messages.append({"role": "user", "content": turn})
        while True:
            answer = client.chat.completions.create(model="gpt-5.4", messages=messages, tools=ORDER_TOOLS)
            message = answer.choices[0].message
            messages.append(message.model_dump(exclude_none=True))
            if not message.tool_calls:
                break
            for call in message.tool_calls:
                assert call.type == "function"
                messages.append(
                    {"role": "tool", "tool_call_id": call.id, "content": results[call.function.name]}
                )


def review_labels() -> None:
    """Structured output, several at once: what a batch job does."""
    schema: Any = {
        "type": "json_schema",
        "json_schema": {
            "name": "label",
            "strict": True,
            "schema": {
                "type": "object",
                "properties": {
                    "sentiment": {"type": "string", "enum": ["positive", "negative", "mixed"]},
                    "topic": {"type": "string"},
                },
                "required": ["sentiment", "topic"],
                "additionalProperties": False,
            },
        },
    }
    reviews = (
        "The lamp is lovely but the cable is far too short.",
        "Arrived a day early and works at once. Would buy again.",
        "Third time I write to you. Nobody answers. I want to return it.",
        "The colour is not the one in the picture.",
    )

    async def label_all() -> None:
        async with openai.AsyncOpenAI(api_key=KEY) as client:
            await asyncio.gather(
                *(
                    client.chat.completions.create(
                        model="gpt-5.4-nano",
                        messages=[{"role": "user", "content": f"Label this review:\n{review}"}],
                        response_format=schema,
                    )
                    for review in reviews
                )
            )

    asyncio.run(label_all())


def travel_plan() -> None:
    """The Responses API, streamed, with a tool and reasoning."""
    client = openai.OpenAI(api_key=KEY)
    tools: list[Any] = [
        {
            "type": "function",
            "name": "train_times",
            "description": "Direct trains between two cities on a day.",
            "strict": False,
            "parameters": {
                "type": "object",
                "properties": {"origin": {"type": "string"}, "destination": {"type": "string"}},
                "required": ["origin", "destination"],
            },
        }
    ]
    items: list[Any] = [
        {
            "role": "user",
            "content": "I want to be in Ghent by noon. "
            'Use the train_times tool with {"origin": "Cologne", "destination": "Ghent"} and propose a connection.',
        }
    ]
    while True:
        with client.responses.stream(
            model="gpt-5.4", input=items, tools=tools, instructions="You plan journeys by train."
        ) as stream:
            answer = stream.get_final_response()
        calls = [item for item in answer.output if item.type == "function_call"]
        if not calls:
            break
        items += [item.model_dump(exclude_none=True, exclude={"parsed_arguments"}) for item in answer.output]
        items += [
            {
                "type": "function_call_output",
                "call_id": call.call_id,
                "output": '["07:42 → 11:05", "08:42 → 12:05"]',
            }
            for call in calls
        ]
    client.responses.create(
        model="gpt-5.4",
        input="Why are night trains coming back in Europe? Two reasons, please. [[offline: thinking]]",
        reasoning={"effort": "low"},
    )


def search_index() -> None:
    client = openai.OpenAI(api_key=KEY)
    passages = [
        "Returns are free within 30 days.",
        "Gift cards do not expire.",
        "We ship to all of Europe within four working days.",
    ]
    client.embeddings.create(model="text-embedding-3-small", input=passages)
    client.embeddings.create(
        model="text-embedding-3-small", input="How long do I have to send something back?"
    )


def voice_agent() -> None:
    """Two answers over one WebSocket."""

    async def talk() -> None:
        async with (
            openai.AsyncOpenAI(api_key=KEY) as client,
            client.realtime.connect(model="gpt-realtime") as connection,
        ):
            await connection.session.update(
                session={"type": "realtime", "instructions": "You answer the phone of a dentist's practice."}
            )
            for said in (
                "Good morning, I need an appointment this week.",
                "Thursday at nine would be perfect.",
            ):
                await connection.conversation.item.create(
                    item={
                        "type": "message",
                        "role": "user",
                        "content": [{"type": "input_text", "text": said}],
                    }
                )
                await connection.response.create()
                async for event in connection:
                    if event.type == "response.done":
                        break

    asyncio.run(talk())


CONVERSATIONS = (
    ("A slow query, three turns (OpenAI chat, streamed)", sql_help),
    ("A bookshop's support agent (OpenAI chat, tools)", support_agent),
    ("Labels for reviews, four at once (OpenAI chat, JSON schema)", review_labels),
    ("A journey by train (OpenAI Responses, streamed, tools)", travel_plan),
    ("A search index (OpenAI embeddings)", search_index),
    ("A voice agent (OpenAI Realtime, WebSocket)", voice_agent),
)
