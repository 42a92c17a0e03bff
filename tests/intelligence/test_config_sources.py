from __future__ import annotations

from pathlib import Path

from intelligence.config import load_config
from intelligence.config_sources import settings


def test_each_value_and_where_it_is_from(tmp_path: Path) -> None:
    path = tmp_path / "mitm.toml"
    path.write_text(
        '[proxy]\nweb = false\nupstream_proxy = "http://me:secret@corp:1"\n\n[scope]\nhosts = ["a.example"]\n'
    )
    env = {"LLMITM_PROXY__LISTEN_PORT": "1234"}
    found = {f"{s.section}.{s.key}": (s.value, s.source) for s in settings(load_config(path, env), env)}
    assert found["proxy.web"] == ("false", "mitm.toml:2")
    assert found["proxy.upstream_proxy"] == ("http://[redacted]@corp:1", "mitm.toml:3")
    assert found["scope.hosts"] == ("[a.example]", "mitm.toml:6")
    assert found["proxy.listen_port"] == ("1234", "LLMITM_PROXY__LISTEN_PORT")
    assert found["log.level"] == ("info", "default")
