"""What the process keeps once it is running: objects that stay anyway, and memory that the next request needs again."""

from __future__ import annotations

import ctypes
import gc

# New objects between two looks of the garbage collector: those of one long prompt are no reason for several.
_YOUNG_OBJECTS = 10_000
# Parameters of glibc's mallopt(3), and their values in bytes.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEPT, _APART = 32 << 20, 4 << 20


class Settled:
    """What is loaded at the start stays: the garbage collector need not go through it whenever requests have made garbage."""

    name = "settled"

    def running(self) -> None:
        gc.collect()
        gc.freeze()
        gc.set_threshold(_YOUNG_OBJECTS, 10, 10)
        keep_memory()


def keep_memory() -> bool:
    """Of freed memory the C library gives back what is beyond `_KEPT`, and blocks of `_APART` and more. Left to itself it may
    give back some hundred pages with each request of 200 KB, and take them anew with the next, which costs a millisecond or two.
    False where the library is not glibc."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, TypeError, AttributeError):
        return False
    return bool(mallopt(_TRIM_THRESHOLD, _KEPT) and mallopt(_MMAP_THRESHOLD, _APART))
