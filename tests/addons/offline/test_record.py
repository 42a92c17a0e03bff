"""The record of requests: bounded, and waited on."""

from __future__ import annotations

import threading

import pytest

from addons.offline import record as record_module
from addons.offline.exchange import SeenRequest
from addons.offline.record import Record


def request(path: str) -> SeenRequest:
    return SeenRequest("POST", "host", path, "1.1", [("X-Name", "value")])


def test_bounded_by_number_and_bytes(monkeypatch):
    monkeypatch.setattr(record_module, "MAX_REQUESTS", 3)
    monkeypatch.setattr(record_module, "MAX_BYTES", 100)
    record = Record()
    for number in range(5):
        record.add(request(f"/{number}"))
    assert [seen.path for seen in record.requests()] == ["/2", "/3", "/4"]
    for seen in record.requests():
        record.set_body(seen, b"x" * 60)
    assert [seen.path for seen in record.requests()] == ["/4"]


def test_waits_for_what_comes_later():
    record = Record()
    seen = request("/late")
    threading.Timer(0.05, lambda: (record.add(seen), record.end(seen))).start()
    assert record.wait_for(lambda r: r.ended, timeout=2) is seen
    with pytest.raises(TimeoutError):
        record.wait_for(lambda r: r.aborted, timeout=0.01)


def test_header_by_any_case():
    assert request("/").header("x-name") == "value"
    assert request("/").header("other") is None
