"""The OpenAI endpoints that are no conversation: embeddings and the models list.

A vector is made from the text alone (unit length, equal texts have equal vectors), as floats or, as the SDK asks by
default, base64 of little-endian float32.
"""

from __future__ import annotations

import base64
import math
import random
import struct
from typing import Any

from .ask import canonical
from .format import Json
from .memory import tokens

MODELS = ("gpt-5.2", "gpt-5.2-codex", "gpt-4o-mini", "text-embedding-3-small")
_DIMENSIONS = {"text-embedding-3-large": 3072}


def embedding_texts(body: Json) -> list[str]:
    """One text for each vector asked for: `input` is a string, strings, token ids or lists of these. Raises KeyError."""
    inputs: Any = body["input"]
    if not isinstance(inputs, list) or (inputs and isinstance(inputs[0], int)):
        inputs = [inputs]
    return [item if isinstance(item, str) else canonical(item) for item in inputs]


def embeddings(body: Json) -> Json:
    texts = embedding_texts(body)
    model = str(body.get("model", ""))
    size = int(body.get("dimensions") or _DIMENSIONS.get(model, 1536))
    data = [
        {"object": "embedding", "index": index, "embedding": _vector(text, size, body.get("encoding_format"))}
        for index, text in enumerate(texts)
    ]
    count = sum(map(tokens, texts))
    return {
        "object": "list",
        "data": data,
        "model": model,
        "usage": {"prompt_tokens": count, "total_tokens": count},
    }


def models() -> Json:
    return {"object": "list", "data": [model(name) for name in MODELS]}


def model(name: str) -> Json:
    return {"id": name, "object": "model", "created": 1767225600, "owned_by": "offline"}


def _vector(text: str, size: int, encoding: object) -> list[float] | str:
    rng = random.Random(text)
    raw = [rng.gauss(0, 1) for _ in range(size)]
    length = math.sqrt(sum(x * x for x in raw)) or 1.0
    vector = [x / length for x in raw]
    return base64.b64encode(struct.pack(f"<{size}f", *vector)).decode() if encoding == "base64" else vector
