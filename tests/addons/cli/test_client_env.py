"""The variables a client gets, and what of the user's own they honour."""

from __future__ import annotations

import httpx
import pytest

from addons.cli.client_env import (
    NODE_PRELOAD,
    REPLACED,
    VARIABLES,
    WHOLE_STORES,
    client_variables,
    no_proxy,
    original,
    other_proxy,
    replaced,
)

OURS = "http://127.0.0.1:8080"


@pytest.fixture
def certs(tmp_path):
    folder = tmp_path / "certs"
    folder.mkdir()
    (folder / "mitmproxy-ca-cert.pem").write_text("OUR CA\n")
    (folder / "bundle.pem").write_text("SYSTEM ROOTS\nOUR CA\n")
    return folder


def test_every_variable_is_set(certs):
    variables = client_variables(OURS, certs, {})
    assert set(variables) == {*VARIABLES, REPLACED}
    assert variables["HTTPS_PROXY"] == variables["https_proxy"] == variables["http_proxy"] == OURS
    assert {variables[name] for name in WHOLE_STORES} == {str(certs / "bundle.pem")}
    assert variables["NODE_EXTRA_CA_CERTS"] == str(certs / "mitmproxy-ca-cert.pem")
    assert variables["NODE_USE_ENV_PROXY"] == "1"
    assert variables["NODE_OPTIONS"] == f'--require "{NODE_PRELOAD}"' and NODE_PRELOAD.is_file()


def test_node_options_of_the_users_stay_in_front(certs):
    variables = client_variables(OURS, certs, {"NODE_OPTIONS": "--max-old-space-size=4096"})
    assert variables["NODE_OPTIONS"].startswith("--max-old-space-size=4096 --require ")
    assert original({**variables})["NODE_OPTIONS"] == "--max-old-space-size=4096"


def test_a_ca_file_of_the_users_is_joined_with_ours(certs, tmp_path):
    corporate = tmp_path / "corporate.pem"
    corporate.write_text("CORPORATE CA")
    variables = client_variables(OURS, certs, {"SSL_CERT_FILE": str(corporate)})

    def text(name: str) -> list[str]:
        with open(variables[name]) as file:
            return file.read().split("\n")[:-1]

    assert text("SSL_CERT_FILE") == ["CORPORATE CA", "OUR CA"]
    # Unset ones fell back on the system's roots or on SSL_CERT_FILE: they get both.
    assert text("CURL_CA_BUNDLE") == ["SYSTEM ROOTS", "OUR CA", "CORPORATE CA"]
    assert text("NODE_EXTRA_CA_CERTS") == ["OUR CA"]
    assert corporate.read_text() == "CORPORATE CA"


def test_a_joined_file_follows_its_source(certs, tmp_path):
    corporate = tmp_path / "corporate.pem"
    corporate.write_text("OLD")
    env = {"NODE_EXTRA_CA_CERTS": str(corporate)}
    before = client_variables(OURS, certs, env)["NODE_EXTRA_CA_CERTS"]
    corporate.write_text("NEW")
    after = client_variables(OURS, certs, env)["NODE_EXTRA_CA_CERTS"]
    assert before == after
    with open(after) as file:
        assert file.read() == "NEW\nOUR CA\n"


def test_a_variable_that_names_no_file_is_ignored(certs):
    variables = client_variables(OURS, certs, {"SSL_CERT_FILE": "/nowhere.pem"})
    assert variables["SSL_CERT_FILE"] == str(certs / "bundle.pem")


def test_it_can_be_undone_and_done_twice(certs, tmp_path):
    corporate = tmp_path / "corporate.pem"
    corporate.write_text("CORPORATE CA")
    mine = {
        "HOME": "/home/me",
        "SSL_CERT_FILE": str(corporate),
        "NO_PROXY": "intra.example",
        "https_proxy": "http://corp:3128",
    }
    once = {**mine, **client_variables(OURS, certs, mine)}
    assert original(once) == mine
    assert client_variables(OURS, certs, original(once)) == client_variables(OURS, certs, mine)
    assert replaced(once)["SSL_CERT_FILE"] == str(corporate) and replaced(once)["DENO_CERT"] is None
    assert replaced({}) == {} and replaced({REPLACED: "nonsense"}) == {}


def test_no_proxy_keeps_this_machine_and_the_users_hosts_direct():
    hosts = no_proxy({"NO_PROXY": "intra.example, .corp", "no_proxy": "intra.example"}, local=False).split(
        ","
    )
    assert hosts[:2] == ["intra.example", ".corp"] and hosts.count("intra.example") == 1
    assert {"localhost", "127.0.0.1", "::1", "169.254.169.254"} <= set(hosts)


def test_local_sends_calls_to_this_machine_through_the_proxy():
    hosts = no_proxy({"NO_PROXY": "localhost,127.0.0.1,intra.example"}, local=True).split(",")
    assert "intra.example" in hosts and "169.254.169.254" in hosts
    assert not {"localhost", "127.0.0.1", "::1"} & set(hosts)


def test_httpx_takes_the_variables(certs, monkeypatch):
    """It refuses to start on some spellings in NO_PROXY."""
    for name, value in client_variables(OURS, certs, {}).items():
        if "PROXY" in name.upper():
            monkeypatch.setenv(name, value)
    with httpx.Client(verify=False) as client:
        assert client._transport_for_url(httpx.URL("http://localhost:3000/")) is client._transport
        assert client._transport_for_url(httpx.URL("https://api.openai.com/")) is not client._transport


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({}, None),
        ({"HTTPS_PROXY": "http://corp:3128"}, "http://corp:3128"),
        ({"https_proxy": "corp:3128", "HTTPS_PROXY": "http://other"}, "http://corp:3128"),
        ({"ALL_PROXY": "socks5://corp:1080"}, "socks5://corp:1080"),
        ({"HTTPS_PROXY": "http://127.0.0.1:8080"}, None),
        ({"HTTPS_PROXY": "http://me:secret@localhost:8080/"}, None),
        ({"HTTPS_PROXY": "http://127.0.0.1:3128"}, "http://127.0.0.1:3128"),
    ],
)
def test_other_proxy(env, expected):
    assert other_proxy(env, {"127.0.0.1:8080"}) == expected
