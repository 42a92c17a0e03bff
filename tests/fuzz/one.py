"""One target under atheris, in this process: `python -m tests.fuzz.one TARGET [libFuzzer options] FOLDER`."""

import sys

import atheris

with atheris.instrument_imports(include=["intelligence"]):
    from tests.fuzz.targets import TARGETS

name = sys.argv.pop(1)
atheris.Setup(sys.argv, TARGETS[name])
atheris.Fuzz()
