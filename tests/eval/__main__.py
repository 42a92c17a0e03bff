"""How well the detectors do, and what they cost: `make eval`, or `python -m tests.eval [part ...]`.

Needs the datasets (`LLMITM_DATASETS`) and scikit-learn. Ends with 1 if something is worse than ready-made means.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from tests.eval import cost, injection, spans
from tests.eval.table import Report

PARTS: dict[str, Callable[[Path, Report], None]] = {
    "secrets": spans.of_secrets,
    "pii": spans.of_pii,
    "commands": spans.of_commands,
    "injection": injection.report,
    "cost": cost.report,
}


def main() -> None:
    folder = Path(os.environ.get("LLMITM_DATASETS", "../shared/datasets"))
    if not (folder / "injection.jsonl.gz").is_file():
        sys.exit(
            f"No injection.jsonl.gz in {folder}. Point LLMITM_DATASETS to the folder that has the datasets."
        )
    wanted = sys.argv[1:] or list(PARTS)
    if unknown := set(wanted) - PARTS.keys():
        sys.exit(f"No part {', '.join(sorted(unknown))}. There are {', '.join(PARTS)}.")
    out = Report()
    for name in wanted:
        PARTS[name](folder, out)
    if not out.close():
        sys.exit(1)


if __name__ == "__main__":
    main()
