"""What those who must not read secrets are shown of a text: a placeholder for each thing that is secret or private.

It is looked for when a text is shown, whatever rules were in force when it was recorded: a call that nobody has judged yet is
no exception. What somebody said to be no secret is shown. A text must come here before anything is cut off it, for half a
secret is not known for one; where the record itself holds only its beginning, `cut` takes away what the cut may have gone
through. Pictures and files are shown as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from intelligence.detect.lazily import LazyScanner
from intelligence.policy import handed
from intelligence.policy.allowed import Allowed, allowed
from intelligence.policy.governed import KEPT_OUT
from intelligence.policy.text_file import PolicyError
from intelligence.rewrite.edits import Edit
from intelligence.rewrite.redact import Secret, redact
from intelligence.store.ids import install_key
from intelligence.wire.place import Place

_KEY_BEGINS, _KEY_ENDS = "-----BEGIN ", "-----END "
# Of a last word without end, so much goes.
_LONGEST_WORD = 4096


class Mask:
    """Without arguments it hides nothing. Any thread may use it."""

    def __init__(
        self, scanner: LazyScanner | None = None, key: bytes = b"", allowed: Allowed | None = None
    ) -> None:
        self._scanner = scanner
        self._key = key
        self._allowed = allowed

    def __bool__(self) -> bool:
        return self._scanner is not None

    def edits(self, text: str) -> list[Edit]:
        """What is to stand where, in order; stretches do not overlap."""
        if self._scanner is None or not text:
            return []
        place = Place("", "user", "user", text)
        found = [
            Secret(place, one.start, one.end, f"{one.kind}-{one.type}")
            for one in self._scanner.load().scan(text, source="user", kinds=KEPT_OUT)
            if not (self._allowed and self._allowed(one.kind, one.type, text[one.start : one.end]))
        ]
        return [edit for edit in redact(self._key, "", "", found).rewrite.edits if isinstance(edit, Edit)]

    def text(self, text: str, *, cut: bool = False) -> str:
        """`cut`: the text went on where it ends now."""
        if self._scanner is None:
            return text
        return "".join(self.pieces([_without_end(text) if cut else text]))

    def pieces(self, pieces: Sequence[str]) -> list[str]:
        """Of one text that came in pieces: what goes over the edge of two stands in the first."""
        text = "".join(pieces)
        edits = self.edits(text)
        if not edits:
            return list(pieces)
        shown, begin = [], 0
        for piece in pieces:
            end = begin + len(piece)
            made, at = [], begin
            for edit in edits:
                if edit.end <= begin or edit.start >= end:
                    continue
                made.append(text[at : max(edit.start, begin)])
                made.append(edit.text if edit.start >= begin else "")
                at = min(edit.end, end)
            shown.append("".join([*made, text[at:end]]))
            begin = end
        return shown


def _without_end(text: str) -> str:
    """Without its last word, and without a private key that was begun: the cut may have gone through either."""
    begun = text.find(_KEY_BEGINS, max(text.rfind(_KEY_ENDS), 0))
    if begun >= 0:
        return text[:begun] + "…"
    if not text or text[-1].isspace():
        return text
    word = text[-_LONGEST_WORD:].split()[-1]
    return text[: len(text) - len(word)] + "…"


NOTHING_HIDDEN = Mask()


class Masking:
    """The mask of one data folder, with what is allowed now."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._stamp: handed.Stamp | None = None
        self._mask = NOTHING_HIDDEN

    def warm(self) -> None:
        """Have everything loaded, which the first page would otherwise wait for. Takes about a second."""
        self.mask().text("-")

    def mask(self) -> Mask:
        """Reads files and loads detectors when need be: not for the event loop."""
        stamp = handed.stamp(self._data_dir)
        if stamp != self._stamp:
            key = install_key(self._data_dir)
            try:
                entries = handed.take(self._data_dir).allow
            except PolicyError:  # then more is hidden, not less
                entries = handed.allowed_by_people(self._data_dir)
            self._mask, self._stamp = Mask(LazyScanner(key), key, allowed(entries, key)), stamp
        return self._mask
