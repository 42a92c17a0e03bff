from __future__ import annotations

import json
import os
import sqlite3
import time
from pathlib import Path

import pytest

from intelligence.store.status import ProcessStatus
from tests.datasette_plugins import records, test_certificate
from tests.datasette_plugins.conftest import Site


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "mitm.toml"
    path.write_text(
        '[proxy]\nlisten_port = 9999\nupstream_proxy = "http://me:hunter2@corp:3128"\n[certs]\ndir = "ca"\n'
    )
    for name in list(os.environ):
        if name.startswith("LLMITM_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("LLMITM_CONFIG", str(path))
    monkeypatch.setenv("LLMITM_LOG__LEVEL", "debug")
    return path


async def test_before_anything(site: Site) -> None:
    page = (await site.get("/-/health")).text
    for shown in (
        "not running",
        "llmitm up",
        "none yet",
        "No call failed",
        "every client trusted",
        "There is none yet",
    ):
        assert shown in page, shown


async def test_all_of_it(site: Site, db: sqlite3.Connection, tmp_path: Path) -> None:
    test_certificate.write(tmp_path / "ca", ["openai.com"], days=10)
    now = time.time_ns() // 1_000_000
    records.add_call(db, state="error", error_type="overloaded_error", error_message="Try later")
    for _ in range(3):
        db.execute(
            "insert into events (at, run, kind, message, data) values (?, 'r', 'pass_through', 'It refused us.', ?)",
            (now, json.dumps({"host": "api.openai.com", "client_address": "127.0.0.9"})),
        )
    db.execute(
        "insert into events (at, kind, message, data) values (?, 'reload', 'Read again.', 'nonsense')", (now,)
    )
    with ProcessStatus(site.data_dir, "proxy", {"proxy": "127.0.0.1:9999"}) as proxy:
        proxy.update(dropped_frames=3, dropped_bytes=5_000, calls=1234)
        page = (await site.get("/-/health")).text
    for shown in (
        "127.0.0.1:9999",
        "1,234 calls",
        "5 KB lost",
        "overloaded_error",
        "Try later",
        "api.openai.com",
        "127.0.0.9",
        "It refused us.",
        "Read again.",
        "CN=llmitm test",
        "expires soon",
        "1 names only",
        "mitm.toml:2",
        "LLMITM_LOG__LEVEL",
        "http://[redacted]@corp:3128",
    ):
        assert shown in page, shown
    assert page.count("It refused us.") == 1
    assert "hunter2" not in page


async def test_a_configuration_that_cannot_be_used(site: Site, config: Path) -> None:
    config.write_text("[proxy]\nlisten_prot = 1\n")
    page = (await site.get("/-/health")).text
    assert "cannot be used" in page and "did you mean listen_port?" in page


async def test_a_configuration_changed_since(site: Site, config: Path) -> None:
    with ProcessStatus(site.data_dir, "worker", {}):
        os.utime(config, (time.time() + 60, time.time() + 60))
        page = (await site.get("/-/health")).text
    assert "mitm.toml was changed after worker started" in page


async def test_slow_queries_are_remembered(site: Site, db: sqlite3.Connection) -> None:
    sql = (
        "with+recursive+c(x)+as+(select+1+union+all+select+x%2B1+from+c+where+x<300000)+select+max(x)+from+c"
    )
    assert (await site.get(f"/traffic/-/query.json?sql={sql}")).status_code == 200
    assert "with recursive c(x)" in (await site.get("/-/health")).text
