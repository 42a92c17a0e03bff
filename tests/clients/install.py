"""The agents' programs from npm, in a cache folder that is kept from run to run."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Iterable
from pathlib import Path

import platformdirs


class InstallError(Exception):
    """An agent could not be installed. The message is for the person at the terminal."""


def installed(packages: Iterable[str]) -> Path:
    """The folder of their programs. Raises `InstallError`."""
    folder = platformdirs.user_cache_path("llmitm-tests") / "agents"
    folder.mkdir(parents=True, exist_ok=True)
    missing = [package for package in packages if not (folder / "node_modules" / package).is_dir()]
    if missing:
        _run(["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), *missing], folder)
    for package in missing:
        _post_install(folder / "node_modules" / package)
    return folder / "node_modules" / ".bin"


def _post_install(package: Path) -> None:
    """Newer npm leaves out the scripts that put the native program in place; run again, they do nothing."""
    scripts = json.loads((package / "package.json").read_text()).get("scripts", {})
    if command := scripts.get("postinstall"):
        _run(shlex.split(command), package)


def _run(command: list[str], folder: Path) -> None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600, check=False)
    except OSError as e:
        raise InstallError(f"{command[0]}: {e.strerror}") from None
    if done.returncode != 0:
        raise InstallError(f"{shlex.join(command)}: {done.stderr.strip()[-500:]}")
