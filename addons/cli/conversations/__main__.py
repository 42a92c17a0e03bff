"""Holds every conversation, each whatever became of the others. Exit code 1 if one failed."""

from __future__ import annotations

import json
import logging
import sys

from addons.cli.conversations import claude, gemini, gpt, local, troubles

CONVERSATIONS = (
    *gpt.CONVERSATIONS,
    *claude.CONVERSATIONS,
    *gemini.CONVERSATIONS,
    *local.CONVERSATIONS,
    *troubles.CONVERSATIONS,
)


def main() -> int:
    logging.disable()  # SDKs warn about the failures that are part of the show
    failed = False
    for title, hold in CONVERSATIONS:
        error = None
        try:
            hold()
        except Exception as e:  # noqa: BLE001  # a boundary: the next one must still be held
            error, failed = f"{type(e).__name__}: {e}", True
        print(json.dumps({"title": title, "error": error}), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
