"""A request that looks for its session: what of it tells where it belongs, each read once however often it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from typing import Any

from intelligence.store.meaning import ASSISTANT, answer_in, own_words, read
from intelligence.store.stated import Stated, user_texts
from intelligence.store.system_prompt import NO_PROMPT, SystemPrompt
from intelligence.store.tree import HASH_BYTES
from intelligence.store.tree_rows import Said
from intelligence.wire.parts import Message

# Messages in which the first words of a user are looked for: agents put files and surroundings before them.
_OPENING = 4

LastAnswer = tuple[str, list[tuple[str | None, str | None, str]]]


@dataclass
class Asked:
    """`raw` gives the JSON of messages `from`-`to` of its conversation; `key` is that of their list."""

    seq: int
    id: str
    row: dict[str, Any]
    stated: Stated
    prompt: SystemPrompt = NO_PROMPT
    path: Sequence[Said] = ()
    key: str = ""
    raw: Callable[[int, int], list[bytes]] = field(default=lambda start, stop: [])

    @property
    def system(self) -> bytes | None:
        return self.prompt.key

    def messages(self, start: int, stop: int) -> list[Message]:
        return read(self.key, self.row["format"], self.raw(start, stop))

    @cached_property
    def scope(self) -> bytes:
        return scope_of(self.row)

    @cached_property
    def threads(self) -> list[bytes]:
        """For every beginning of the conversation, the empty one first, the hash of all it says."""
        found = [self.scope]
        for said in self.path:
            last = found[-1]
            found.append(
                blake2b(last + said.meaning, digest_size=HASH_BYTES).digest() if said.meaning else last
            )
        return found

    @cached_property
    def opening(self) -> list[str]:
        """What the user says in the first messages."""
        return user_texts(self.messages(0, min(_OPENING, len(self.path)))) if self.path else []

    @cached_property
    def opening_squeezed(self) -> list[str]:
        return [squeezed(said) for said in self.opening]

    @cached_property
    def first_texts(self) -> list[str]:
        """The same in the user's own words, as the database can hold them."""
        said = (own_words(words) for words in self.opening)
        return [words.encode("utf-8", "replace").decode() for words in said if words]

    @cached_property
    def last_answer(self) -> LastAnswer | None:
        """What the assistant said last: text and tool calls."""
        stop = len(self.path)
        while stop and self.path[stop - 1].role != ASSISTANT:
            stop -= 1
        start = stop
        while start and self.path[start - 1].role == ASSISTANT:
            start -= 1
        if start == stop:
            return None
        said, calls, _ = answer_in(self.messages(start, stop))
        return said, calls


def scope_of(row: dict[str, Any]) -> bytes:
    """Sessions are looked for among those of one user and client."""
    said = f"{row['user'] or ''}\0{row['client'] or ''}".encode("utf-8", "replace")
    return blake2b(said, digest_size=HASH_BYTES).digest()


def squeezed(words: str | None) -> str:
    """Without whitespace, which is not kept when words are passed on."""
    return "".join((words or "").split())
