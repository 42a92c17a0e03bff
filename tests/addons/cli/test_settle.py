"""Waiting until what was recorded is stored."""

from __future__ import annotations

import time

import click
import pytest

from addons.cli.settle import settle
from intelligence.store.ids import uuid7
from intelligence.store.journal import EndHead, RequestHead
from intelligence.store.journal_writer import JournalWriter
from intelligence.store.status import journal_lag, read_statuses
from tests.addons.cli.conftest import place_in
from tests.rig.processes import calls


def record_one(data_dir) -> None:
    journal = JournalWriter(data_dir / "journal", segment_bytes=1 << 20, version="0")
    call = uuid7()
    head = RequestHead("POST", "https", "api.openai.com", 443, "/v1/chat/completions", "HTTP/1.1", [])
    journal.request(call, head, b"{}")
    journal.end(call, EndHead("aborted"))
    journal.close()


def test_nothing_waits(tmp_path):
    assert settle(tmp_path, 0)
    assert not list(tmp_path.iterdir())


def test_without_a_worker_one_is_run_to_the_end(tmp_path):
    place = place_in(tmp_path)
    record_one(place.data_dir)
    assert settle(place.data_dir, 30, place.env)
    assert journal_lag(place.data_dir) == (0, 0) and len(calls(tmp_path)) == 1
    assert read_statuses(place.data_dir) == []


def test_a_damaged_database_is_named(tmp_path):
    place = place_in(tmp_path)
    record_one(place.data_dir)
    (place.data_dir / "traffic.db").write_text("no database" * 1000)
    with pytest.raises(click.ClickException, match=r"traffic\.db cannot be read"):
        settle(place.data_dir, 600, place.env)
    status = place.llmitm("status")
    assert status.returncode == 1 and status.stderr.startswith("Error: ") and "Traceback" not in status.stderr


def test_a_worker_that_cannot_store_is_not_tried_for_ever(tmp_path):
    place = place_in(tmp_path, log__level="nonsense")
    record_one(place.data_dir)
    began = time.monotonic()
    assert not settle(place.data_dir, 600, place.env)
    assert time.monotonic() - began < 60


def test_time_runs_out(tmp_path):
    place = place_in(tmp_path)
    record_one(place.data_dir)
    assert not settle(place.data_dir, 0, place.env)
