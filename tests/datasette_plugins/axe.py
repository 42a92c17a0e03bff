"""axe-core from npm, one version, in a cache folder that is kept from run to run: nothing of it is in the repository."""

from __future__ import annotations

import base64
import hashlib
import io
import subprocess
import tarfile
import tempfile
from pathlib import Path

import platformdirs
import pytest

VERSION = "4.10.3"
SHA512 = "Xm7bpRXnDSX2YE2YFfBk2FnF0ep6tmG7xPh8iHee8MIcrgq762Nkce856dYtJYLkuIoYZvGfTs/PbZhideTcEg=="


def source() -> str:
    """The script to run in a page. Skips the test where npm or its registry cannot be reached."""
    kept = platformdirs.user_cache_path("llmitm-tests") / f"axe-core-{VERSION}.tgz"
    if not kept.is_file():
        _fetch(kept)
    data = kept.read_bytes()
    assert base64.b64encode(hashlib.sha512(data).digest()).decode() == SHA512, (
        f"{kept} is not axe-core {VERSION}"
    )
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        script = archive.extractfile("package/axe.min.js")
        assert script is not None
        return script.read().decode()


def _fetch(kept: Path) -> None:
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
        command = ["npm", "pack", "--silent", f"axe-core@{VERSION}"]
        try:
            subprocess.run(command, cwd=folder, capture_output=True, timeout=60, check=True)
        except (OSError, subprocess.SubprocessError) as e:
            pytest.skip(f"axe-core cannot be had from npm: {e}")
        (Path(folder) / kept.name).replace(kept)
