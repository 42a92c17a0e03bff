"""A folder as a user has one, the command in it, and the offline provider behind every proxy that it starts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from addons.offline.server import OfflineProvider, running
from tests.rig.processes import environment, proxy_settings

LLMITM = str(Path(sys.executable).parent / "llmitm")
JSON = ("-H", "content-type: application/json")
ASK = ["curl", "-sS", "-m", "20", *JSON, "https://api.openai.com/v1/chat/completions", "-d"]


def chat(prompt: str, **more: Any) -> str:
    return json.dumps({"model": "gpt-5.4-mini", "messages": [{"role": "user", "content": prompt}], **more})


@dataclass(frozen=True)
class Place:
    """A user's folder. `env` holds its settings."""

    folder: Path
    env: dict[str, str]

    @property
    def data_dir(self) -> Path:
        return self.folder / "data"

    def llmitm(
        self, *args: str, env: dict[str, str] | None = None, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        options = {"timeout": 90, "stdin": subprocess.DEVNULL, **options}
        if "input" in options:
            del options["stdin"]
        return subprocess.run(
            [LLMITM, *args],
            env={**self.env, **(env or {})},
            cwd=self.folder,
            capture_output=True,
            text=True,
            **options,
        )

    def start(self, *args: str, **options: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [LLMITM, *args],
            env=self.env,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            **options,
        )


@pytest.fixture(scope="package")
def provider() -> Iterator[OfflineProvider]:
    with running() as provider:
        yield provider


def settings_for(provider: OfflineProvider, **more: Any) -> dict[str, Any]:
    host, port = provider.address
    assert provider.ca_file
    return proxy_settings(f"{host}:{port}", provider.ca_file, dashboard__port=0, **more)


def place_in(folder: Path, **settings: Any) -> Place:
    # What this machine's own environment says of CAs is no part of a test.
    cas: Sequence[str] = (
        "SSL_CERT_FILE",
        "_CA_BUNDLE",
        "NODE_EXTRA_CA_CERTS",
        "GIT_SSL_CAINFO",
        "GRPC_DEFAULT_SSL",
    )
    env = {n: v for n, v in environment(folder, **settings).items() if not any(ca in n for ca in cas)}
    env["PATH"] = f"{Path(LLMITM).parent}{os.pathsep}{env['PATH']}"  # as after `make install`
    return Place(folder, env)


@pytest.fixture
def place(tmp_path: Path, provider: OfflineProvider) -> Place:
    return place_in(tmp_path, **settings_for(provider))
