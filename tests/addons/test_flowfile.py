"""Flow files as exchanges: whole, cut off, damaged in the middle, and what is no HTTP."""

from __future__ import annotations

from mitmproxy.test import tflow

from addons.flowfile import read_flow_file
from intelligence.store.exchange import Damaged, Exchange
from tests.addons.flows import START, chat_flow, flow, save, saved, socket_flow

US = 1_000_000


def items(path):
    return [item for _, item in read_flow_file(path)]


def test_an_exchange_has_its_times_and_bytes(tmp_path):
    made = chat_flow(words="Hi")
    (found,) = items(save(tmp_path / "f", [made]))
    assert isinstance(found, Exchange) and found.reply and found.end
    assert (found.method, found.host, found.port) == ("POST", "api.openai.com", 443)
    assert found.started_us == round(START * US) and found.ended_us == round((START + 0.9) * US)
    assert found.body == made.request.raw_content
    assert found.reply.pieces == [(found.ended_us, made.response.raw_content)]
    assert found.end.cause == "complete" and found.end.untimed and found.end.request_ms == 10
    assert found.end.connect_ms is None  # the connection was there before


def test_its_id_is_made_of_the_flows_own(tmp_path):
    made = chat_flow()
    first, second, other = items(save(tmp_path / "f", [made, made, chat_flow()]))
    assert first.id == second.id != other.id
    assert first.id[6] >> 4 == 7 and int.from_bytes(first.id[:6], "big") == round(START * 1000)
    made.id = "019e7044-8ce2-7439-aafc-d00e9d853c07"  # one of ours
    (ours,) = items(save(tmp_path / "f", [made]))
    assert ours.id == bytes.fromhex(made.id.replace("-", ""))


def test_the_end_is_told(tmp_path):
    left, cut, open_, streamed = chat_flow(), chat_flow(), chat_flow(), chat_flow()
    left.error = tflow.terr("Client disconnected.")
    cut.error, cut.response = tflow.terr("peer closed connection"), None
    open_.response = None
    assert streamed.response
    streamed.response.raw_content = None
    found = items(save(tmp_path / "f", [left, cut, open_, streamed]))
    assert [e.end.cause if e.end else None for e in found] == [
        "client_left", "upstream_error", None, "complete",
    ]  # fmt: skip
    assert found[1].end.message == "peer closed connection" and found[1].reply is None
    assert found[3].reply.pieces is None and "did not keep" in found[3].missing


def test_a_websocket_has_the_times_of_its_messages(tmp_path):
    made = socket_flow("api.openai.com", "/v1/realtime?model=m", [(True, b"{}"), (False, b"[]")])
    (found,) = items(save(tmp_path / "f", [made]))
    assert found.websocket and found.end.close_code == 1000 and not found.end.untimed
    assert [(m.at_us, m.from_client, m.data) for m in found.messages] == [
        (round((START + 1) * US), True, b"{}"),
        (round((START + 1.1) * US), False, b"[]"),
    ]


def test_what_is_no_http_is_passed_over(tmp_path):
    assert items(save(tmp_path / "f", [tflow.ttcpflow(), tflow.tdnsflow()])) == [None, None]


def test_a_file_that_is_cut_off_says_where_and_keeps_the_rest(tmp_path):
    whole = saved([chat_flow(n) for n in range(3)])
    path = tmp_path / "f"
    for cut in (1, 7, 400):
        path.write_bytes(whole[:-cut])
        *kept, damaged = items(path)
        assert len(kept) == 2 and isinstance(damaged, Damaged)
        assert str(damaged).startswith("flow 3 (at byte ") and "nothing behind it" in str(damaged)


def test_behind_a_damaged_flow_reading_goes_on(tmp_path):
    first, second, third = (saved([chat_flow(n)]) for n in range(3))
    path = tmp_path / "f"
    for damage in (b"\0" * 30 + second[30:], second[:200], b"rubbish" * 300_000, second.replace(b":", b";")):
        path.write_bytes(first + damage + third)
        before, damaged, after = items(path)
        assert isinstance(damaged, Damaged) and f"flow 2 (at byte {len(first)})" in str(damaged)
        assert (before.started_us, after.started_us) == (round(START * US), round((START + 2) * US))


def test_a_sound_dictionary_that_is_no_flow(tmp_path):
    path = tmp_path / "f"
    path.write_bytes(b"15:7:version;2:21#}" + saved([chat_flow()]))
    damaged, found = items(path)
    assert "flow 1 (at byte 0) cannot be read" in str(damaged) and isinstance(found, Exchange)


def test_a_transparent_capture_is_known_by_its_host_header(tmp_path):
    made = flow("203.0.113.7", "/v1/chat/completions", b"{}", b"{}")
    made.request.headers["host"] = "api.openai.com"
    (found,) = items(save(tmp_path / "f", [made]))
    assert found.host == "api.openai.com"
