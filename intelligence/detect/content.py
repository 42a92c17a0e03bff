# ruff: noqa: E501  (word lists)
"""What a text is about, roughly: code, or personal, financial, medical or legal matters.

Code is told by its punctuation and the words of programming languages, the rest by how many of a matter's words are
among its own. A coarse sieve for rules such as "nothing medical to this provider", not a judgement of each sentence.

Limits: English, and the first 64 KB.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from intelligence.detect import features
from intelligence.detect.detection import Detection

if TYPE_CHECKING:
    from intelligence.detect.engine import Text

MATTERS: dict[str, str] = {
    "code": "def class import return const function var let async await public private static void int string bool null none true false self this elif else endif struct enum interface"
    " package namespace println printf stdout stderr argv lambda try except catch throw raise yield select insert where join export require module len str dict list tuple init impl fn",
    "personal": "birthday birth married divorced wife husband daughter son passport nationality religion ethnicity gender sexual orientation address phone resume cv salary surname maiden"
    " household spouse children siblings biography hobbies relationship dating therapy diary",
    "financial": "invoice payment bank account balance loan mortgage interest dividend equity shares stock portfolio revenue ebitda profit loss tax taxes audit ledger accounting budget credit"
    " debit transaction wire iban swift securities bond bonds yield hedge acquisition merger valuation earnings quarterly fiscal payroll",
    "medical": "patient patients diagnosis diagnosed symptom symptoms treatment therapy dose dosage mg prescription prescribed medication physician doctor nurse hospital clinic clinical surgery"
    " cancer tumor diabetes hypertension blood pressure chronic acute allergy allergies vaccine mri ct scan biopsy psychiatric depression anxiety pregnancy icd lab",
    "legal": "plaintiff defendant court judge attorney counsel lawsuit litigation contract agreement clause liability indemnify indemnification warranty arbitration jurisdiction hereby herein"
    " thereof whereas party parties statute regulation compliance breach damages settlement privileged confidentiality nda termination governing law tort subpoena testimony affidavit",
}
_FEWEST_WORDS = 12
_LONGEST = 1 << 16
# The share of a matter's words from which a text is about it, and how many different ones.
_SHARE = {"code": 0.06, "personal": 0.05, "financial": 0.06, "medical": 0.06, "legal": 0.06}
_DIFFERENT = 4
_PUNCTUATION = b"{}();=<>[]_"


def content(text: Text) -> list[Detection]:
    """One detection, over the whole text, for each matter that it is about."""
    if text.look is not None:
        found = text.look.content
    else:
        _, piece, words = text.pieces[0]
        data = piece[:_LONGEST]
        count = int(np.searchsorted(words.starts, len(data)))
        words = words.part(0, count, 0)
        of, begins, counts = np.zeros(len(words.known), np.intp), np.zeros(1, np.intp), np.array([count])
        found = [(matter, share) for _, matter, share in about(data, begins, words, of, counts)]
    return [
        Detection("content", matter, round(min(0.85, 0.5 + share), 3), 0, len(text.text), f"content.{matter}")
        for matter, share in found
    ]


def about(
    joined: bytes, begins: Any, words: features.Words, of: Any, counts: Any
) -> Iterator[tuple[int, str, float]]:
    """Of texts laid end to end: (number of the text, matter, share of it), for each matter that a text is about. `begins` are
    where they do (bytes), and a byte is between two; `of` says which text each of the known words is of, `counts` how many words
    each has."""
    which = np.flatnonzero(bits := words.matters)
    if len(which) < _DIFFERENT:
        return
    bits, places, of = bits[which].astype(np.uint8), words.place[which], of[which]
    enough = counts >= _FEWEST_WORDS
    for number, matter in enumerate(MATTERS):
        mine = np.flatnonzero(bits & (1 << number))
        if len(mine) < _DIFFERENT:
            continue
        words_of_it = np.bincount(of[mine], minlength=len(counts))
        likely = enough & (words_of_it >= _DIFFERENT)
        if matter != "code":
            likely &= words_of_it >= _SHARE[matter] * counts
        if not likely.any():
            continue
        mine = mine[likely[of[mine]]]
        # np.unique takes seven times as long.
        sorted_ = np.sort(of[mine] << features.BITS | places[mine])
        new = np.append(True, sorted_[1:] != sorted_[:-1])
        different = np.bincount(sorted_[new] >> features.BITS, minlength=len(counts))
        for text in np.flatnonzero(different >= _DIFFERENT).tolist():
            share = float(words_of_it[text] / counts[text])
            if matter == "code":
                end = begins[text + 1] - 1 if text + 1 < len(begins) else len(joined)
                data = joined[begins[text] : end]
                share += (len(data) - len(data.translate(None, _PUNCTUATION))) / len(data)
            if share >= _SHARE[matter]:
                yield text, matter, share
