"""Runs one of the three processes in this one, for `llmitm proxy`, `worker` and `dashboard`."""

from __future__ import annotations

import runpy
import sys

from addons.cli import suite


def run(module: str, *args: str) -> None:
    """As `python -m MODULE ARG…`. Does not return."""
    suite.load()
    sys.argv = [module, *args]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
    sys.exit(0)
