"""What fills a request: its tokens by kind, told from its text.

Providers state one number for the whole input. Each kind's share is estimated by length (about four letters of Latin text a
token, two characters of others, a flat number for media) and, where the whole is stated, scaled so that the shares add up to it.
What is new is what stands after the last answer of the model.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields

from intelligence.wire.json_value import as_json
from intelligence.wire.request import Message, Part, Request

# An image of common size; audio and files are rarely more exactly known.
MEDIA_TOKENS = 1000

_MEDIA = ("image", "audio", "file")
_MODEL = ("assistant", "model", "chatbot")
_SYSTEM = ("system", "developer")


@dataclass(slots=True)
class Context:
    """Tokens. `tool_results` and `images` are of all turns, `history` is what else was said before."""

    system: int = 0
    tools: int = 0
    history: int = 0
    tool_results: int = 0
    new: int = 0
    images: int = 0

    @property
    def total(self) -> int:
        return sum(astuple(self))


def tokens_of(text: str) -> int:
    """About how many tokens a text has; 0 only for the empty one."""
    return (weight_of(text) + 3) // 4


def weight_of(text: str) -> int:
    """The same in quarters of a token, which can be added up for a text that comes in pieces."""
    if text.isascii():
        return len(text)
    plain = sum(map(str.isascii, text)) if len(text) < 100_000 else len(text.encode("ascii", "ignore"))
    return plain + 2 * (len(text) - plain)


def composition(request: Request, input_tokens: int | None) -> Context:
    """Adds up to `input_tokens` where that is stated."""
    context = Context(
        system=sum(map(_tokens, request.system)),
        tools=sum(
            tokens_of(tool.name)
            + tokens_of(tool.description or "")
            + (0 if tool.schema is None else tokens_of(as_json(tool.schema)))
            for tool in request.tools
        ),
    )
    new_from = _new_from(request)
    for n, message in enumerate(request.messages):
        for part in message.parts:
            tokens = _tokens(part)
            if part.type in _MEDIA:
                context.images += tokens
            elif part.type == "tool_result":
                context.tool_results += tokens
            elif message.role in _SYSTEM:
                context.system += tokens
            elif n < new_from:
                context.history += tokens
            else:
                context.new += tokens
    return context if input_tokens is None else _scaled(context, input_tokens)


def new_messages(request: Request) -> Iterator[Message]:
    """What this request adds to its conversation: what stands after the last answer of the model, system prompts left out."""
    for message in request.messages[_new_from(request) :]:
        if message.role not in _SYSTEM:
            yield message


def _new_from(request: Request) -> int:
    messages = request.messages
    return next((n + 1 for n in range(len(messages) - 1, -1, -1) if _is_model(messages[n])), 0)


def _is_model(message: Message) -> bool:
    """Responses has items without a role: calls of tools and reasoning are the model's."""
    if message.role.lower() in _MODEL:
        return True
    return not message.role and any(part.type in ("tool_call", "thinking") for part in message.parts)


def _tokens(part: Part) -> int:
    if part.type in _MEDIA:
        return MEDIA_TOKENS
    return tokens_of(part.text) + tokens_of(part.name or "")


def _scaled(context: Context, total: int) -> Context:
    """Largest remainders, so that nothing is lost to rounding."""
    names = [field.name for field in fields(context)]
    shares = list(astuple(context))
    whole = sum(shares)
    if not whole:
        return Context(new=total)
    scaled = [share * total // whole for share in shares]
    by_rest = sorted(range(len(shares)), key=lambda n: -(shares[n] * total % whole))
    for n in by_rest[: total - sum(scaled)]:
        scaled[n] += 1
    return Context(**dict(zip(names, scaled, strict=True)))
