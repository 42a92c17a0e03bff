"""How well the detectors do: `make eval`. Needs the datasets (`LLMITM_DATASETS`) and scikit-learn.

Injection is judged leaving sources out: each text by a model that has seen nothing of its source, at a threshold set
on the other sources. Rules and patterns are not trained; they were written with these datasets at hand, which their
figures do not show.
"""

from __future__ import annotations

import gzip
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from intelligence.detect import injection, injection_model, training
from intelligence.detect.commands import commands
from intelligence.detect.detection import CERTAIN, Detection
from intelligence.detect.engine import Text
from intelligence.detect.pii import pii
from intelligence.detect.secrets import secrets
from tests.eval import cost

_CHECKED = {
    "EMAIL_ADDRESS": "email_address",
    "PHONE_NUMBER": "phone_number",
    "CREDIT_CARD": "credit_card",
    "IBAN_CODE": "iban_code",
    "US_SSN": "us_ssn",
    "IP_ADDRESS": "ip_address",
}
# What the dataset does not label, and is personal data all the same.
_UNLABELLED = frozenset({"date_of_birth", "driver_license", "us_bank_account", "passport"})


def rows(folder: Path, name: str) -> list[dict[str, Any]]:
    with gzip.open(folder / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def overlap(detection: Detection, span: dict[str, Any]) -> bool:
    return bool(detection.start < span["end"] and span["start"] < detection.end)


def line(name: str, count: int, **figures: float) -> None:
    print(f"  {name:46}{count:7}  " + "  ".join(f"{k} {v:.4f}" for k, v in figures.items()))


def of_secrets(folder: Path) -> None:
    print("\nsecrets (a secret counts as found if a detection overlaps it)")
    found = total = false = lookalikes = lookalikes_hit = examples = examples_hit = 0
    for row in rows(folder, "secrets"):
        seen = secrets(Text(row["text"]))
        if row["kind"].startswith("lookalike"):
            lookalikes += 1
            lookalikes_hit += bool(seen)
        elif row["kind"] == "rule_tps":
            examples += 1
            examples_hit += bool(seen)
        elif row["kind"] == "synthetic_in_code":
            total += len(row["secrets"])
            found += sum(any(overlap(d, s) for d in seen) for s in row["secrets"])
            false += sum(not any(overlap(d, s) for s in row["secrets"]) for d in seen)
    precision = found / max(found + false + lookalikes_hit, 1)
    line("in code", total, recall=found / total, precision=precision)
    line("look-alikes", lookalikes, false_positives=lookalikes_hit / lookalikes)
    line("examples of gitleaks' rules", examples, recall=examples_hit / examples)


def of_pii(folder: Path) -> None:
    print("\npersonal data (checksummed types, e-mail, phone, address)")
    found: dict[str, list[int]] = {name: [0, 0] for name in _CHECKED}
    right = wrong = code = code_hit = 0
    for row in rows(folder, "pii"):
        seen = pii(Text(row["text"]))
        if row["entities"] is None:
            code += 1
            code_hit += bool(seen)
            continue
        wanted = [e for e in row["entities"] if e["type"] in _CHECKED]
        for entity in wanted:
            found[entity["type"]][0] += any(overlap(d, entity) for d in seen)
            found[entity["type"]][1] += 1
        for detection in seen:
            if any(overlap(detection, e) for e in wanted):
                right += 1
            elif detection.type not in _UNLABELLED:
                wrong += 1
    for name, (hit, count) in found.items():
        line(_CHECKED[name], count, recall=hit / count)
    total = sum(count for _, count in found.values())
    line(
        "all", total, recall=sum(hit for hit, _ in found.values()) / total, precision=right / (right + wrong)
    )
    line("code files with any (unlabelled)", code, share=code_hit / code)


def of_injection(folder: Path) -> None:
    print("\ninjection, each source by a model that has not seen it")
    records = training.read(folder)
    corpus = training.Corpus(records)
    score, threshold = training.left_out(corpus)
    model = score > threshold
    by_rule = np.zeros((len(records), 2), bool)
    windows = injection_model.windows
    # The shipped model has seen all of this: what follows must not ask it.
    injection_model.windows = lambda words: iter(())
    try:
        for number, record in enumerate(records):
            seen = injection.injection(Text(record["text"]))
            by_rule[number] = bool(seen), any(d.score >= CERTAIN for d in seen)
    finally:
        injection_model.windows = windows
    alert = by_rule[:, 0] | model
    # An upper bound: the model need not mean the place that the rule means.
    block = by_rule[:, 1] | (by_rule[:, 0] & model)
    attack = corpus.label == 1
    for title, mask in (("attacks", attack), ("benign", ~attack)):
        print(f" {title}")
        column = corpus.source if title == "attacks" else corpus.kind
        for name in sorted(set(column[mask])):
            of = mask & (column == name)
            line(
                name,
                int(of.sum()),
                rules=by_rule[of, 0].mean(),
                model=model[of].mean(),
                alert=alert[of].mean(),
                block=block[of].mean(),
            )
    line(
        "recall",
        int(attack.sum()),
        rules=by_rule[attack, 0].mean(),
        model=model[attack].mean(),
        alert=alert[attack].mean(),
        block=block[attack].mean(),
    )
    line(
        "false positives",
        int((~attack).sum()),
        rules=by_rule[~attack, 0].mean(),
        model=model[~attack].mean(),
        alert=alert[~attack].mean(),
        block=block[~attack].mean(),
    )
    print(f"  precision of an alert {alert[attack].sum() / alert.sum():.4f}")


def of_commands(folder: Path) -> None:
    print("\ncommands, in benign texts as if a tool were asked to run them")
    benign = [r for r in training.read(folder) if r["label"] == 0]
    hit = [any(d.score >= CERTAIN for d in commands(Text(r["text"]))) for r in benign]
    line("benign", len(hit), false_positives=float(np.mean(hit)))


def main() -> None:
    folder = Path(os.environ.get("LLMITM_DATASETS", "../shared/datasets"))
    if not folder.is_dir():
        sys.exit(f"No datasets in {folder}. Point LLMITM_DATASETS to the folder that has them.")
    parts: dict[str, Callable[[Path], None]] = {
        "secrets": of_secrets,
        "pii": of_pii,
        "commands": of_commands,
        "cost": cost.report,
        "injection": of_injection,
    }
    for name, part in parts.items():
        if len(sys.argv) < 2 or name in sys.argv[1:]:
            part(folder)


if __name__ == "__main__":
    main()
