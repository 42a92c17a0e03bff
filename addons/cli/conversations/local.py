"""A model on this machine: Ollama's API over plain HTTP, as `llmitm exec --local` records it."""

from __future__ import annotations

import json

import httpx


def ollama_chat() -> None:
    body = {
        "model": "llama3.2",
        "messages": [{"role": "user", "content": "Write a haiku about a proxy that keeps a diary."}],
    }
    with httpx.stream("POST", "http://localhost:11434/api/chat", json=body, timeout=30) as answer:
        answer.raise_for_status()
        for line in answer.iter_lines():
            json.loads(line)


CONVERSATIONS = (("A haiku (Ollama on this machine, streamed)", ollama_chat),)
