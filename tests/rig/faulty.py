"""The proxy with a part that raises: `python -m tests.rig.faulty MODULE:QUALNAME[@N] ... -- [options of
python -m addons]`.

Each named function or method is replaced by one that raises at every call, or, with `@N`, works and raises
from call N on. Everything else is the real program.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import itertools
import runpy
import sys
from collections.abc import Callable
from typing import Any


class Fault(Exception):
    """Raised on purpose."""


def launcher(*targets: str) -> list[str]:
    """Arguments for Python that start the proxy with these parts broken; for `processes.proxy_process`."""
    return ["-m", "tests.rig.faulty", *targets, "--"]


def sabotage(target: str) -> None:
    """Raises `AttributeError` or `ImportError` when there is no such part."""
    name, _, first = target.partition("@")
    module, _, path = name.partition(":")
    owner: Any = importlib.import_module(module)
    *outer, attribute = path.split(".")
    for part in outer:
        owner = getattr(owner, part)
    setattr(owner, attribute, _raising(getattr(owner, attribute), name, int(first or 1)))


def _raising(original: Callable[..., Any], name: str, first: int) -> Callable[..., Any]:
    calls = itertools.count(1)

    if inspect.iscoroutinefunction(original):

        @functools.wraps(original)
        async def raising_async(*args: Any, **kwargs: Any) -> Any:
            if next(calls) >= first:
                raise Fault(f"{name} raises on purpose")
            return await original(*args, **kwargs)

        return raising_async

    @functools.wraps(original)
    def raising(*args: Any, **kwargs: Any) -> Any:
        if next(calls) >= first:
            raise Fault(f"{name} raises on purpose")
        return original(*args, **kwargs)

    return raising


if __name__ == "__main__":
    split = sys.argv.index("--")
    for each in sys.argv[1:split]:
        sabotage(each)
    sys.argv[1:] = sys.argv[split + 1 :]
    runpy.run_module("addons", run_name="__main__", alter_sys=True)
