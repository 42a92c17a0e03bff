"""Which proxy a client is sent to."""

from __future__ import annotations

import click
import pytest

from addons.cli.route import suite_proxy, upstream_of, without_password
from addons.cli.suite import Suite
from intelligence.config import Config, Proxy
from intelligence.store.status import Status

CORPORATE = {"HTTPS_PROXY": "http://me:secret@corp:3128"}


def config(**proxy) -> Config:
    return Config(proxy=Proxy(**proxy))


def suite(tmp_path, address: str = "127.0.0.1:9999") -> Suite:
    return Suite(tmp_path, {"proxy": Status("proxy", True, 1, 1, {"proxy": address})})


def test_the_suites_proxy_where_it_runs(tmp_path):
    assert suite_proxy({}, config(), suite(tmp_path)) == "http://127.0.0.1:9999"
    assert suite_proxy({}, config(), suite(tmp_path, "0.0.0.0:9999")) == "http://127.0.0.1:9999"
    assert suite_proxy({}, config(), Suite(tmp_path, {})) is None


def test_another_proxy_of_the_users_is_chained_to(tmp_path):
    assert suite_proxy(CORPORATE, config(), suite(tmp_path)) is None
    assert upstream_of(CORPORATE, config(), suite(tmp_path)) == "http://me:secret@corp:3128"
    chaining = config(upstream_proxy="http://corp:3128")
    assert suite_proxy(CORPORATE, chaining, suite(tmp_path)) == "http://127.0.0.1:9999"


def test_our_own_address_is_no_other_proxy(tmp_path):
    for address in ("127.0.0.1:9999", "localhost:8080"):  # the running one's, the configured one's
        env = {"https_proxy": f"http://{address}"}
        assert upstream_of(env, config(), suite(tmp_path)) is None


def test_a_socks_proxy_is_refused_without_its_password(tmp_path):
    with pytest.raises(click.ClickException) as refused:
        upstream_of({"ALL_PROXY": "socks5://me:secret@corp:1080"}, config(), suite(tmp_path))
    assert "socks5://corp:1080" in refused.value.message and "secret" not in refused.value.message


def test_users_of_the_proxy_give_their_name(tmp_path):
    guarded = config(users="users")
    with pytest.raises(click.ClickException, match=r"NAME:PASSWORD@127\.0\.0\.1:9999"):
        suite_proxy({}, guarded, suite(tmp_path))
    env = {"HTTPS_PROXY": "http://ann:p%40ss@127.0.0.1:9999"}
    assert suite_proxy(env, guarded, suite(tmp_path)) == "http://ann:p%40ss@127.0.0.1:9999"


def test_without_password():
    assert without_password("https://me:se@cret@corp:1") == "https://corp:1"
