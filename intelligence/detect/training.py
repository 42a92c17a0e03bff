"""Trains the injection model: `python -m intelligence.detect.training`, or `make train`.

Reads `injection.jsonl.gz` (`{"text", "label", "kind", "source"}` a line) from `LLMITM_DATASETS` and writes
`models/injection.npz`, the same bytes from the same data. Needs scikit-learn, which nothing that runs imports.

Attacks inside tool output are not trained on: what they add to the same attacks by themselves is the look of tool
output, and a model that has learned that flags every tool. They are scored all the same.

An attack in a long text is a few sentences of it, and nobody marked which. So it is learned in turns: from texts
short enough to be all attack first; then each long one gives the windows that the model of the turn before likes
best. Benign windows that it likes come in too, as what it must learn to leave alone. Sources weigh by a power of
their size, so that the largest does not decide what an attack is.
"""

from __future__ import annotations

import gzip
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from intelligence.detect import concepts, injection_model, lexicon
from intelligence.detect.injection_model import BLOCK, allowances

# A text longer than this is trained on by its beginning.
_MAX_BYTES = 40_000
_BENIGN_PER_TEXT = 3
_HARD_QUANTILE = 0.99
_MARGIN = 0.5
_POWER = 0.6
_ATTACK_SHARE = 0.2
_C = 0.3
# What a feature counts in a window: by it the penalty of the fit is scaled.
_VALUE = 0.25
# False positives among benign texts that the threshold is set for.
FALSE_POSITIVES = 0.003

# Sources that share texts are one. A split's sources, attacks and benign, are left out of training and threshold together.
SPLITS: tuple[frozenset[str], ...] = (
    frozenset({"garak", "T0-templates", "mitmproxy/mitmproxy"}),
    frozenset({"PurpleLlama", "CLINC150", "simonw/llm"}),
    frozenset({"spikee", "spikee+code", "self-instruct", "pydantic/pydantic-ai"}),
    frozenset({"synthetic", "synthetic+code", "SWE-agent", "open-telemetry/opentelemetry-python-contrib"}),
    frozenset({"Self-Reminder", "PurpleLlama-FRR", "pallets/flask"}),
    frozenset({"GPTFuzz", "awesome-chatgpt-prompts", "Portkey-AI/gateway"}),
    frozenset({"PurpleLlama-instruct", "lm-sys/FastChat", "openai/human-eval"}),
    frozenset({"PurpleLlama-autocomplete", "anthropic-experimental/sandbox-runtime", "code-hosts"}),
)


@dataclass(frozen=True, slots=True)
class Weights:
    places: Any
    bias: float
    threshold: float = 0.0


class Corpus:
    """The texts of a dataset as windows: `rows` is one sparse row a window, `text` says whose it is."""

    def __init__(self, records: Sequence[dict[str, Any]]) -> None:
        from scipy import sparse

        self.label = np.array([r["label"] for r in records])
        self.source = np.array([r["source"] for r in records])
        self.kind = np.array([r["kind"] for r in records])
        self.allowance = np.zeros(len(records))
        places: list[Any] = []
        ends = [0]
        text: list[int] = []
        for number, record in enumerate(records):
            data = record["text"].encode("utf-8", "replace")
            self.allowance[number] = allowances(len(data))
            for held in _windows(data[:_MAX_BYTES]):
                places.append(held)
                ends.append(ends[-1] + len(held))
                text.append(number)
        values = np.full(ends[-1], _VALUE, np.float32)
        self.rows = sparse.csr_matrix(
            (values, np.concatenate(places), np.array(ends)), shape=(len(text), concepts.SIZE)
        )
        self.text = np.array(text)
        self.windows = np.bincount(self.text, minlength=len(records))

    def best(self, scores: Any, rows: Any) -> Any:
        """The highest score of each text."""
        highest = np.full(len(self.label), -np.inf)
        np.maximum.at(highest, self.text[rows], scores)
        return highest


def _windows(data: bytes) -> list[Any]:
    """The places that each window of a text holds."""
    words = lexicon.words(data)
    if not len(words.starts):
        return []
    at, places = concepts.grams(words)
    order = np.argsort(at, kind="stable")
    at, places = at[order], places[order].astype(np.int64)
    firsts = np.arange(injection_model.count_of(words)) * BLOCK
    borders = zip(np.searchsorted(at, firsts), np.searchsorted(at, firsts + 2 * BLOCK), strict=True)
    return [np.unique(places[first:last]) for first, last in borders]


def read(folder: Path) -> list[dict[str, Any]]:
    path = folder / "injection.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def train(corpus: Corpus, texts: Any) -> Weights:
    """Weights from the texts that `texts`, a mask, allows. No threshold yet."""
    rng = np.random.default_rng(0)
    rows = np.flatnonzero(texts[corpus.text])
    of = corpus.text[rows]
    plain = ~np.char.startswith(corpus.kind[of].astype(str), "indirect")
    benign, attack = rows[corpus.label[of] == 0], rows[(corpus.label[of] == 1) & plain]
    positive = attack[corpus.windows[corpus.text[attack]] <= 3]
    sample = benign[rng.random(len(benign)) < _BENIGN_PER_TEXT / corpus.windows[corpus.text[benign]]]
    weights = _fit(corpus, sample, positive)
    liked = _score(corpus, attack, weights)
    positive = attack[liked >= corpus.best(liked, attack)[corpus.text[attack]] - _MARGIN]
    hard = _score(corpus, benign, weights)
    negative = np.union1d(sample, benign[hard > np.quantile(hard, _HARD_QUANTILE)])
    return _fit(corpus, negative, positive)


def _score(corpus: Corpus, rows: Any, weights: Weights) -> Any:
    return corpus.rows[rows] @ weights.places / _VALUE + weights.bias


def _fit(corpus: Corpus, negative: Any, positive: Any) -> Weights:
    from sklearn.linear_model import LogisticRegression

    rows = np.concatenate((negative, positive))
    label = np.concatenate((np.zeros(len(negative)), np.ones(len(positive))))
    weight = np.ones(len(rows))
    source = corpus.source[corpus.text[rows]]
    for value, share in ((0, 1 - _ATTACK_SHARE), (1, _ATTACK_SHARE)):
        _, inverse, count = np.unique(source[label == value], return_inverse=True, return_counts=True)
        each = count.astype(float)[inverse] ** (_POWER - 1)
        weight[label == value] = each / each.sum() * share * len(rows)
    weight = np.minimum(weight, 20 * np.median(weight))
    model = LogisticRegression(C=_C, solver="liblinear", tol=1e-2, max_iter=50)
    model.fit(corpus.rows[rows], label, sample_weight=weight / weight.mean())
    return Weights(model.coef_[0] * _VALUE, float(model.intercept_[0]))


def left_out(corpus: Corpus, splits: Sequence[frozenset[str]] = SPLITS) -> Any:
    """The score of each text by the model that has not seen its source: that of its best window, less what its length allows."""
    score = np.full(len(corpus.label), -np.inf)
    for mask in masks(corpus, splits):
        weights = train(corpus, ~mask)
        rows = np.flatnonzero(mask[corpus.text])
        score[mask] = corpus.best(_score(corpus, rows, weights), rows)[mask]
    return score - corpus.allowance


def masks(corpus: Corpus, splits: Sequence[frozenset[str]] = SPLITS) -> list[Any]:
    return [np.isin(corpus.source, sorted(split)) for split in splits]


def frozen(corpus: Corpus, score: Any, share: float) -> Any:
    """The threshold for each text: that for `share` of false positives among the benign texts of all other splits,
    each scored by the model that had left it out too."""
    threshold = np.full(len(score), np.nan)
    for mask in masks(corpus):
        threshold[mask] = np.quantile(score[~mask & (corpus.label == 0)], 1 - share)
    return threshold


def save(weights: Weights, path: Path) -> None:
    """int8 with one scale; what a weight loses by it is a hundredth of the largest. Rounded, so that sums taken in
    another order make no other file."""
    scale = round(float(np.quantile(np.abs(weights.places), 0.9999)) / 127, 5)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        path,
        weights=np.clip(np.round(weights.places / scale), -127, 127).astype(np.int8),
        scale=np.float32(scale),
        bias=np.float32(round(weights.bias, 2)),
        threshold=np.float32(round(weights.threshold, 2)),
    )


def main() -> None:
    folder = Path(os.environ.get("LLMITM_DATASETS", "../shared/datasets"))
    if not (folder / "injection.jsonl.gz").is_file():
        sys.exit(f"No injection.jsonl.gz in {folder}. Point LLMITM_DATASETS to the folder that has it.")
    corpus = Corpus(read(folder))
    score = left_out(corpus)
    weights = train(corpus, np.ones(len(corpus.label), bool))
    # Set on texts that the scoring models had not seen: the final model's own scores of them would be too low.
    threshold = float(np.quantile(score[corpus.label == 0], 1 - FALSE_POSITIVES))
    save(Weights(weights.places, weights.bias, threshold), injection_model.ARTIFACT)
    print(f"wrote {injection_model.ARTIFACT}; `make eval` says how well it does")


if __name__ == "__main__":
    main()
