"""Streams made to hurt: no exception, memory bounded, time linear, for every framing, encoding and reader.

2 MB each here, to be quick; `LLMITM_HOSTILE_MB=50` for the size of a real attack (some minutes).
"""

import json
import os
import subprocess
import sys

import pytest

from tests.intelligence.wire.hostile import NAMES

MEGABYTES = int(os.environ.get("LLMITM_HOSTILE_MB", "2"))
# The longest event is 32 MB, held, joined and decoded; an answer of many small parts takes a few times its bytes.
MAX_GROWN_MB = 320


def measure(name):
    done = subprocess.run(
        [sys.executable, "-m", "tests.intelligence.wire.hostile", name, str(MEGABYTES)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", NAMES)
def test_hostile(name):
    for _ in range(3):
        cost = measure(name)
        assert cost["grown_mb"] < MAX_GROWN_MB
        if cost["whole"] <= 3 * cost["half"] + 0.2:
            return
    pytest.fail(f"twice the bytes take more than three times as long: {cost}")
