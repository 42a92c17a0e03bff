from pathlib import Path

import pytest

from addons.settings import mitm_options, registry_of
from intelligence.config import Config, ConfigError, load_config


def config(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "mitm.toml"
    path.write_text(text)
    return load_config(path, env={})


def test_what_the_product_stands_on(tmp_path: Path) -> None:
    options = mitm_options(config(tmp_path, ""))
    assert options["connection_strategy"] == "lazy" and options["upstream_cert"] is False
    assert options["listen_host"] == "127.0.0.1" and options["confdir"] == str(tmp_path / "certs")


def test_an_upstream_proxy_takes_the_place_of_the_regular_mode(tmp_path: Path) -> None:
    text = '[proxy]\nupstream_proxy = "http://me:pw@corp:3128"\nmodes = ["regular", "socks5@1080"]'
    options = mitm_options(config(tmp_path, text))
    assert options["mode"] == ["upstream:http://corp:3128", "socks5@1080"]
    assert options["upstream_auth"] == "me:pw"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[proxy]\nupstream_proxy = "corp:3128"', "proxy.upstream_proxy: must be"),
        ('[proxy]\nupstream_proxy = "socks5://corp:1080"', "proxy.upstream_proxy: must be"),
        ('[proxy]\nupstream_ca = "none.pem"', "proxy.upstream_ca: no such file"),
        ('[proxy]\nusers = "none"', "proxy.users: no such file"),
    ],
)
def test_what_cannot_work_is_said(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        mitm_options(config(tmp_path, text))


def test_scope(tmp_path: Path) -> None:
    registry = registry_of(
        config(tmp_path, '[scope]\nhosts = ["a.example", {host = "*.b.example", format = "anthropic"}]')
    )
    assert registry.provider_for("a.example", 443) and registry.provider_for("x.b.example", 443)
    with pytest.raises(ConfigError, match=r"scope\.hosts"):
        registry_of(config(tmp_path, '[scope]\nhosts = [{host = "a", format = "antropic"}]'))
