"""Node's own SDKs, unmodified, through the real proxy.

Their packages are installed once for each lock file, into a cache outside the checkout. A Node whose fetch knows no proxy gets
one by a preloaded file; nothing else differs from what `llmitm exec` sets.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import platformdirs
import pytest

from tests.e2e.clients import TOOL, Ask, Rig, Seen, check, check_all, recorded, unavailable

SOURCE = Path(__file__).parents[1] / "node"
GPT, CODEX, CLAUDE = "gpt-5.2", "gpt-5.2-codex", "claude-sonnet-4-6"


@pytest.fixture(scope="session")
def node() -> str:
    found = shutil.which("node")
    if found is None or shutil.which("npm") is None:
        unavailable("Node with npm is not installed")
    return found


@pytest.fixture(scope="session")
def packages(node: str) -> Path:
    """A folder with our programs and the SDKs they import."""
    lock = (SOURCE / "package-lock.json").read_bytes()
    cache = platformdirs.user_cache_path("llmitm-tests")
    folder = cache / f"node-{hashlib.sha256(lock).hexdigest()[:16]}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as alone:
        fcntl.flock(alone, fcntl.LOCK_EX)
        if not folder.is_dir():
            _install(cache, folder)
    for source in SOURCE.glob("*.mjs"):
        shutil.copy(source, folder)
    return folder


def _install(cache: Path, folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=cache) as draft:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(SOURCE / name, draft)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=draft, capture_output=True, text=True, timeout=150, check=False)
        if done.returncode != 0:
            unavailable(f"npm ci failed: {done.stderr[-500:]}")
        Path(draft).rename(folder)
        Path(draft).mkdir()  # for its context manager to remove


@pytest.fixture(scope="module")
def rig(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with recorded(tmp_path_factory.mktemp("node")) as rig:
        yield rig


@pytest.fixture
def run(rig: Rig, node: str, packages: Path):
    def run(name: str, asks: Sequence[Ask]) -> list[Seen]:
        return rig.run([node, packages / name], asks)

    return run


def test_openai(rig: Rig, run) -> None:
    asks = [
        Ask("chat", "why is the sky blue", GPT),
        Ask("chat", "why is the sea blue", GPT, stream=True),
        Ask("chat", TOOL, GPT, tool=True),
        Ask("chat", TOOL, GPT, tool=True, stream=True),
        Ask("responses", "tell of trees", CODEX),
        Ask("responses", TOOL, CODEX, tool=True, stream=True),
    ]
    seen = run("openai_sdk.mjs", asks)
    assert len(seen) == 9
    expected = {
        "provider": "openai",
        "host": "api.openai.com",
        "client": "openai-node",
        "operation": {"chat": "chat", "responses": "responses"},
    }
    check_all(seen, rig.rows(), asks, expected)


def test_openai_embeddings(rig: Rig, run) -> None:
    ask = Ask("embeddings", "embed me", "text-embedding-3-small")
    (seen,) = run("openai_sdk.mjs", [ask])
    (row,) = rig.rows()
    check(seen, row, ask, provider="openai", client="openai-node", operation="embeddings")


def test_anthropic(rig: Rig, run) -> None:
    asks = [
        Ask("messages", "why is the sky blue", CLAUDE),
        Ask("messages", "why is the sea blue [[offline: thinking]]", CLAUDE, stream=True),
        Ask("messages", TOOL, CLAUDE, tool=True),
        Ask("messages", TOOL, CLAUDE, tool=True, stream=True),
    ]
    seen = run("anthropic_sdk.mjs", asks)
    assert len(seen) == 6
    expected = {
        "provider": "anthropic",
        "host": "api.anthropic.com",
        "client": "anthropic-node",
        "operation": "chat",
    }
    check_all(seen, rig.rows(), asks, expected)


@pytest.mark.parametrize(
    ("name", "api", "model"), [("openai_sdk.mjs", "chat", GPT), ("anthropic_sdk.mjs", "messages", CLAUDE)]
)
def test_errors_and_leaving(rig: Rig, run, name: str, api: str, model: str) -> None:
    asks = [
        Ask(api, "[[offline: status=429 retry_after=2]]", model),
        Ask(api, "x [[offline: error_event=4 status=529]]", model, stream=True),
        Ask(api, "y [[offline: cut=5]]", model, stream=True),
        Ask(api, "z [[offline: length=2000 drip_ms=30]]", model, stream=True, leave_after=5),
    ]
    refused, failed, cut, left = run(name, asks)
    assert refused == {"ask": 0, "status": 429, "retry_after": "2"} and "broken" in cut
    rig.provider.wait_for(lambda r: r.aborted and b"z [[offline" in r.body and model.encode() in r.body)
    rows = rig.rows()
    assert [row["state"] for row in rows] == ["error", "error", "error", "aborted"]
    assert [row["status_code"] for row in rows] == [429, 200, 200, 200]
    assert failed and all(row["error_message"] for row in rows[:3]) and rows[2]["text"]
    check(left, rows[3], asks[3])
