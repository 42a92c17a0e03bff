"""`python -m addons.cli.child MODULE [ARG…]`: a process of ours that never outlives the one that started it.

Its standard input is a pipe whose other end the starter holds and never writes to. When that end closes, however the starter
ended (`kill -9` too), the process gets the SIGTERM that would have stopped it in order.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
import time

GRACE_SECONDS = 10


def command(module: str, *args: str) -> list[str]:
    """`-P`: the current folder, which may be hostile, must not be where modules come from."""
    return [sys.executable, "-P", "-m", "addons.cli.child", module, *args]


def _end_with_starter() -> None:
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    threading.Thread(target=_end_with_starter, daemon=True).start()
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
