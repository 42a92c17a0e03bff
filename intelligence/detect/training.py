"""Trains the injection model: `python -m intelligence.detect.training`, or `make train`.

Reads `injection.jsonl.gz` (`{"text", "label", "kind", "source"}` a line) from `LLMITM_DATASETS` and writes
`models/injection.npz`. Needs scikit-learn, which nothing that runs imports.

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
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from intelligence.detect import features, injection_model
from intelligence.detect.injection_model import STRIDE, WINDOW

# A text longer than this is trained on by its beginning.
_MAX_BYTES = 60_000
_TURNS = 2
_BENIGN_PER_TEXT = 3
_HARD_QUANTILE = 0.99
_MARGIN = 0.5
_POWER = 0.6
_ATTACK_SHARE = 0.35
_C = 1.0
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
    single: Any
    pair: Any
    bias: float
    threshold: float = 0.0


class Corpus:
    """The texts of a dataset as windows: `rows` is one sparse row a window, `text` says whose it is."""

    def __init__(self, records: Sequence[dict[str, Any]]) -> None:
        from scipy import sparse

        self.label = np.array([r["label"] for r in records])
        self.source = np.array([r["source"] for r in records])
        self.kind = np.array([r["kind"] for r in records])
        values: list[Any] = []
        places: list[Any] = []
        ends = [0]
        text: list[int] = []
        for number, record in enumerate(records):
            words = features.words(record["text"].encode("utf-8", "replace")[:_MAX_BYTES][: features.PIECE])
            count = len(words.single)
            for first in range(0, max(count - WINDOW + STRIDE, 1) if count else 0, STRIDE):
                last = min(first + WINDOW, count)
                row = np.concatenate((words.single[first:last], words.pair[first : last - 1] + features.SIZE))
                places.append(row)
                values.append(np.full(len(row), 1 / np.sqrt(last - first), np.float32))
                ends.append(ends[-1] + len(row))
                text.append(number)
        shape = (len(text), 2 * features.SIZE)
        self.rows = sparse.csr_matrix(
            (np.concatenate(values), np.concatenate(places), np.array(ends)), shape=shape
        )
        self.rows.sum_duplicates()
        self.text = np.array(text)
        self.windows = np.bincount(self.text, minlength=len(records))

    def best(self, scores: Any, rows: Any) -> Any:
        """The highest score of each text."""
        highest = np.full(len(self.label), -np.inf)
        np.maximum.at(highest, self.text[rows], scores)
        return highest


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
    negative = sample
    weights = _fit(corpus, negative, positive)
    for _ in range(_TURNS):
        liked = _score(corpus, attack, weights)
        positive = attack[liked >= corpus.best(liked, attack)[corpus.text[attack]] - _MARGIN]
        hard = _score(corpus, benign, weights)
        negative = np.union1d(sample, benign[hard > np.quantile(hard, _HARD_QUANTILE)])
        weights = _fit(corpus, negative, positive)
    return weights


def _score(corpus: Corpus, rows: Any, weights: Weights) -> Any:
    return corpus.rows[rows] @ np.concatenate((weights.single, weights.pair)) + weights.bias


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
    return Weights(
        model.coef_[0][: features.SIZE], model.coef_[0][features.SIZE :], float(model.intercept_[0])
    )


def left_out(corpus: Corpus, splits: Sequence[frozenset[str]] = SPLITS) -> tuple[Any, Any]:
    """(score, threshold) of each text by the model that has not seen its source.

    The threshold of a split is set on the benign texts of all others, each scored by the model that had left it out
    too.
    """
    score = np.full(len(corpus.label), np.nan)
    everything = np.arange(len(corpus.text))
    masks = [np.isin(corpus.source, sorted(split)) for split in splits]
    for mask in masks:
        weights = train(corpus, ~mask)
        score[mask] = corpus.best(_score(corpus, everything, weights), everything)[mask]
    threshold = np.full(len(score), np.nan)
    for mask in masks:
        others = score[~mask & (corpus.label == 0)]
        threshold[mask] = np.quantile(others, 1 - FALSE_POSITIVES)
    return score, threshold


def save(weights: Weights, path: Path) -> None:
    """int8 with one scale; what a weight loses by it is a hundredth of the largest."""
    top = float(np.quantile(np.abs(np.concatenate((weights.single, weights.pair))), 0.9999))
    scale = top / 127

    def small(values: Any) -> Any:
        return np.clip(np.round(values / scale), -127, 127).astype(np.int8)

    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        path,
        single=small(weights.single),
        pair=small(weights.pair),
        scale=np.float32(scale),
        bias=np.float32(weights.bias),
        threshold=np.float32(weights.threshold),
        date=np.array(datetime.now(UTC).strftime("%Y-%m-%d")),
    )


def main() -> None:
    folder = Path(os.environ.get("LLMITM_DATASETS", "../shared/datasets"))
    if not (folder / "injection.jsonl.gz").is_file():
        sys.exit(f"No injection.jsonl.gz in {folder}. Point LLMITM_DATASETS to the folder that has it.")
    corpus = Corpus(read(folder))
    score, threshold = left_out(corpus)
    over = score > threshold
    for source in sorted(set(corpus.source)):
        mask = corpus.source == source
        print(
            f"{source:46}{'attack' if corpus.label[mask][0] else 'benign':8}{mask.sum():6}{over[mask].mean():8.3f}"
        )
    print(
        f"recall {over[corpus.label == 1].mean():.3f}, false positives {over[corpus.label == 0].mean():.4f}"
    )
    weights = train(corpus, np.ones(len(corpus.label), bool))
    # Set on texts that the scoring models had not seen: the final model's own scores of them would be too low.
    final = float(np.quantile(score[corpus.label == 0], 1 - FALSE_POSITIVES))
    save(Weights(weights.single, weights.pair, weights.bias, final), injection_model.ARTIFACT)
    print(f"wrote {injection_model.ARTIFACT}")


if __name__ == "__main__":
    main()
