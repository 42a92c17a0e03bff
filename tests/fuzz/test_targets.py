"""Every fuzz target keeps its promises on sound inputs, on cut and damaged ones, and on all that fuzzing ever found."""

import random

import pytest

from tests.fuzz.__main__ import FINDS
from tests.fuzz.seeds import seeds
from tests.fuzz.targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_sound_and_damaged(name):
    chance = random.Random(name)
    for seed in seeds(name):
        TARGETS[name](seed)
        for _ in range(3):
            damaged = bytearray(seed[: chance.randrange(len(seed)) + 1])
            for _ in range(chance.randrange(4)):
                damaged[chance.randrange(len(damaged))] = chance.randrange(256)
            TARGETS[name](bytes(damaged))


@pytest.mark.parametrize("find", sorted(FINDS.iterdir()), ids=lambda path: path.name)
def test_finds(find):
    """The name of a find begins with that of its target."""
    name = find.name.partition(".")[0]
    assert name in TARGETS
    TARGETS[name](find.read_bytes())
