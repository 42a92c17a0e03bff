"""Secrets, personal data and commands: patterns, never trained, so all there is is scored. What counts is whether a
detection overlaps what was marked."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from intelligence.detect.commands import commands
from intelligence.detect.detection import CERTAIN, Detection
from intelligence.detect.engine import Text
from intelligence.detect.pii import pii
from intelligence.detect.secrets import secrets
from tests.eval.table import Report

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


def of_secrets(folder: Path, out: Report) -> None:
    out.title("secrets")
    found = total = false = 0
    examples = {"lookalike": [0, 0], "rule_tps": [0, 0], "rule_fps": [0, 0]}
    for row in rows(folder, "secrets"):
        seen = secrets(Text(row["text"]))
        if row["kind"] == "synthetic_in_code":
            total += len(row["secrets"])
            found += sum(any(overlap(d, s) for d in seen) for s in row["secrets"])
            false += sum(not any(overlap(d, s) for s in row["secrets"]) for d in seen)
        else:
            kind = "lookalike" if row["kind"].startswith("lookalike") else row["kind"]
            counts = examples.setdefault(kind, [0, 0])
            counts[0] += bool(seen)
            counts[1] += 1
    alike = examples["lookalike"]
    precision = found / max(found + false + alike[0], 1)
    out.row("in code", total, recall=found / total, precision=precision)
    out.row("look-alikes in code", alike[1], flagged=alike[0] / alike[1])
    for kind, (hit, count) in examples.items():
        if kind != "lookalike" and count:
            out.row(f"examples of gitleaks' rules: {kind}", count, flagged=hit / count)
    out.check("secrets: recall", found / total, 0.93, 0.98)
    out.check("secrets: precision", precision, 0.98, 0.98)
    out.check("secrets: look-alikes flagged", alike[0] / alike[1], 0.014, 0.005, at_most=True)


def of_pii(folder: Path, out: Report) -> None:
    out.title("personal data: checksummed types, e-mail, phone, address of a machine")
    found: dict[str, list[int]] = {name: [0, 0] for name in _CHECKED}
    by_type: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    code = code_hit = 0
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
            if detection.type not in _UNLABELLED:
                by_type[detection.type][0] += any(overlap(detection, e) for e in wanted)
                by_type[detection.type][1] += 1
    for name, (hit, count) in found.items():
        right, all_seen = by_type[_CHECKED[name]]
        out.row(_CHECKED[name], count, recall=hit / count, precision=right / max(all_seen, 1))
    recall = sum(hit for hit, _ in found.values()) / sum(count for _, count in found.values())
    precision = sum(right for right, _ in by_type.values()) / sum(count for _, count in by_type.values())
    out.row("all", sum(count for _, count in found.values()), recall=recall, precision=precision)
    out.row("code files with any (unlabelled)", code, share=code_hit / code)
    out.check("pii: recall", recall, 0.75, 0.95)
    out.check("pii: precision", precision, 0.90, 0.97)


def of_commands(folder: Path, out: Report) -> None:
    out.title("commands, in benign texts as if a tool were asked to run them")
    benign = [row for row in rows(folder, "injection") if row["label"] == 0]
    hit = sum(any(d.score >= CERTAIN for d in commands(Text(row["text"]))) for row in benign)
    out.row("benign", len(benign), false_positives=hit / len(benign))
