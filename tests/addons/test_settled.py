from __future__ import annotations

import gc
import platform
import subprocess
import sys

import pytest

from addons.settled import Settled

# Pages that are taken anew by ten requests that need two megabytes each.
_TAKEN = """
import resource, sys
from addons.settled import keep_memory
if sys.argv[1] == "kept":
    assert keep_memory()
def request():
    return [bytearray(100_000 + 13 * n) for n in range(20)]
request()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    request()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def test_what_is_loaded_is_not_gone_through_again() -> None:
    before = gc.get_threshold()
    try:
        Settled().running()
        assert gc.get_freeze_count() > 10_000
        assert gc.get_threshold()[0] > before[0]
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt(3) is glibc's")
def test_memory_that_a_request_had_is_kept_for_the_next() -> None:
    taken = {how: int(_run(how)) for how in ("left", "kept")}
    assert taken["left"] > 1000 > 100 > taken["kept"], taken


def _run(how: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", _TAKEN, how], capture_output=True, text=True, check=True, timeout=60
    ).stdout
