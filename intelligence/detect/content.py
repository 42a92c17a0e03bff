# ruff: noqa: E501  (word lists)
"""What a text is about, roughly: code, or personal, financial, medical or legal matters.

Code is told by its punctuation and the words of programming languages, the rest by how many of a matter's words are
among its own. A coarse sieve for rules such as "nothing medical to this provider", not a judgement of each sentence.

Limits: English, and the first 64 KB.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from intelligence.detect import features
from intelligence.detect.detection import Detection
from intelligence.detect.engine import Text

LEXICON: dict[str, str] = {
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
_MARKS = np.array([byte in _PUNCTUATION for byte in range(256)])
_ROUNDING = 1e-9


@cache
def _table() -> Any:
    table = np.zeros(features.SIZE, np.uint8)
    for number, words in enumerate(LEXICON.values()):
        table[features.words(words.encode()).place] |= 1 << number
    return table


def content(text: Text) -> list[Detection]:
    """One detection, over the whole text, for each matter that it is about."""
    _, piece, words = text.pieces[0]
    data = piece[:_LONGEST]
    count = int(np.searchsorted(words.starts, _LONGEST))
    if count < _FEWEST_WORDS:
        return []
    places = words.place[:count]
    bits = _table()[places]
    known = np.flatnonzero(bits)
    if len(known) < _DIFFERENT:
        return []
    bits, places = bits[known], places[known]
    found = []
    for number, matter in enumerate(LEXICON):
        mine = bits & (1 << number) != 0
        words_of_it = int(np.count_nonzero(mine))
        if words_of_it < _DIFFERENT:
            continue
        share = words_of_it / count
        if matter == "code":
            share += (len(data) - len(data.translate(None, _PUNCTUATION))) / len(data)
        if share >= _SHARE[matter] and len(np.unique(places[mine])) >= _DIFFERENT:
            score = min(0.85, 0.5 + share)
            found.append(
                Detection("content", matter, round(score, 3), 0, len(text.text), f"content.{matter}")
            )
    return found


def may_be_about(joined: bytes, begins: Any, words: features.Words, counts: Any) -> list[int]:
    """Of texts laid end to end, of less than 64 KB each, those that may be about something. `begins` are where they do (bytes),
    `counts` their words."""
    of = np.repeat(np.arange(len(begins)), counts)
    bits = _table()[words.place]
    known = np.flatnonzero(bits)
    bits, of = bits[known], of[known]
    ends = np.append(begins[1:], len(joined) + 1)
    marks = np.concatenate(([0], np.cumsum(_MARKS[np.frombuffer(joined, np.uint8)]), [0]))
    marks[-1] = marks[-2]
    maybe = np.zeros(len(begins), np.bool_)
    for number, matter in enumerate(LEXICON):
        mine = np.bincount(of[bits & (1 << number) != 0], minlength=len(begins))
        share = mine / np.maximum(counts, 1)
        if matter == "code":
            share += (marks[ends] - marks[begins]) / np.maximum(ends - begins - 1, 1)
        maybe |= (mine >= _DIFFERENT) & (share >= _SHARE[matter] - _ROUNDING)
    return [int(text) for text in np.flatnonzero(maybe & (counts >= _FEWEST_WORDS))]
