"""A proxy for one command: its own log, its own end."""

from __future__ import annotations

import click
import pytest

from addons.cli import suite
from addons.cli.private_proxy import MAX_LOG_BYTES, as_env, open_log, private_proxy
from tests.addons.cli.conftest import Place, place_in


def test_it_lives_as_long_as_its_context(place: Place):
    with (
        private_proxy(place.data_dir, place.env) as first,
        private_proxy(place.data_dir, place.env) as second,
    ):
        living = suite.running(place.data_dir).alive
        assert len(living) == 2 and all(name.startswith("proxy-") for name in living)
        assert {status.counters["run"] for status in living.values()} == {first.run, second.run}
        assert first.address != second.address
    assert suite.running(place.data_dir).alive == {}
    assert first.dropped_frames == 0


def test_one_that_cannot_start_is_quoted(tmp_path):
    place = place_in(tmp_path)
    with pytest.raises(click.ClickException) as refused:  # noqa: SIM117
        with private_proxy(place.data_dir, place.env, proxy__listen_host="192.0.2.1"):
            raise AssertionError("it must not start")
    assert refused.value.message.startswith("the private proxy did not start: ")
    assert "192.0.2.1" in refused.value.message


def test_settings_as_variables():
    assert as_env({"proxy__web": False, "proxy__modes": ["regular"], "proxy__users": ""}) == {
        "LLMITM_PROXY__WEB": "false",
        "LLMITM_PROXY__MODES": '["regular"]',
        "LLMITM_PROXY__USERS": "",
    }


def test_a_large_log_is_put_aside(tmp_path):
    path = open_log(tmp_path, "some")
    path.write_bytes(b"x" * (MAX_LOG_BYTES + 1))
    assert open_log(tmp_path, "some").stat().st_size == 0
    assert (tmp_path / "logs" / "some.log.1").stat().st_size == MAX_LOG_BYTES + 1
