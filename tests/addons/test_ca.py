from __future__ import annotations

from pathlib import Path

import pytest
from mitmproxy.certs import CertStore

from addons import ca
from certs import authority
from certs.bundle import certificates_in
from certs.ca import CertsError, load_ca
from intelligence.config import Config, ConfigError, load_config


def config_in(folder: Path, text: str = "") -> Config:
    (folder / "mitm.toml").write_text(text)
    return load_config(folder / "mitm.toml", {})


def test_the_ca_is_limited_to_the_scope(tmp_path: Path) -> None:
    result = ca.ensure(config_in(tmp_path, '[scope]\nhosts = ["*.llm.example", "10.1.2.3:8000"]\n'))
    found = load_ca(tmp_path / "certs")
    assert result.created
    assert found
    limits = authority.constraints_of(found.certificate)
    assert limits
    for name in ("api.openai.com", "api.anthropic.com", "llm.example", "10.1.2.3", "127.0.0.1", "localhost"):
        assert authority.permits(limits, name), name
    for name in ("openai.com", "example.com", "10.1.2.4", "192.0.2.1"):
        assert not authority.permits(limits, name), name


def test_it_follows_the_configuration(tmp_path: Path) -> None:
    assert ca.ensure(config_in(tmp_path)).created
    assert ca.ensure(config_in(tmp_path)).message is None
    grown = ca.ensure(config_in(tmp_path, '[scope]\nhosts = ["llm.example"]\n'))
    assert grown.reissued
    assert grown.message
    assert "the scope grew by llm.example" in grown.message
    assert ca.ensure(config_in(tmp_path, "[certs]\nname_constraints = false\n")).reissued


def test_the_bundle_has_our_ca_and_the_company_s(tmp_path: Path) -> None:
    company = tmp_path / "company"
    company.mkdir()
    theirs = ca.ensure(config_in(company)).paths.cert
    paths = ca.ensure(config_in(tmp_path, f'[proxy]\nupstream_ca = "{theirs}"\n')).paths
    held = certificates_in(paths.bundle.read_bytes())
    assert certificates_in(theirs.read_bytes())[0] in held
    assert certificates_in(paths.cert.read_bytes())[0] in held
    assert len(held) > 20


def test_mitmproxy_finds_everything_it_would_make(tmp_path: Path) -> None:
    folder = ca.ensure(config_in(tmp_path)).paths.ca.parent
    before = {path: path.read_bytes() for path in folder.iterdir()}
    CertStore.from_store(folder, "mitmproxy", 2048)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_a_format_that_does_not_exist_is_the_configuration_s_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"mitm\.toml.*opena"):
        ca.ensure(config_in(tmp_path, '[scope]\nhosts = [{ host = "a.example", format = "opena" }]\n'))


def test_a_company_file_that_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(CertsError, match=r"gone\.pem"):
        ca.ensure(config_in(tmp_path, '[proxy]\nupstream_ca = "gone.pem"\n'))
