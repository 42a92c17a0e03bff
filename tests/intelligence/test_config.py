from pathlib import Path

import pytest

from intelligence.config import Config, ConfigError, config_path, load_config

SHIPPED = Path(__file__).parents[2] / "mitm.toml"


def write(folder: Path, text: str) -> Path:
    path = folder / "mitm.toml"
    path.write_text(text)
    return path


def test_shipped_file_is_valid_and_says_the_defaults(tmp_path: Path) -> None:
    shipped = load_config(SHIPPED, env={})
    without = load_config(write(tmp_path, ""), env={})
    assert shipped.proxy == without.proxy and shipped.log == without.log and shipped.redact == without.redact


def test_shipped_file_names_every_setting() -> None:
    text = SHIPPED.read_text()
    for section, field in Config.model_fields.items():
        if section == "path":
            continue
        assert f"[{section}]" in text
        for key in field.annotation.model_fields:  # type: ignore[union-attr]
            assert f"# {key} =" in text, f"{section}.{key}"


def test_shipped_file_is_valid_with_every_line_uncommented(tmp_path: Path) -> None:
    lines = [
        line[2:] if line.startswith("# ") and " = " in line else line
        for line in SHIPPED.read_text().splitlines()
    ]
    config = load_config(write(tmp_path, "\n".join(lines)), env={})
    assert config.proxy.upstream_proxy == "http://corp-proxy:3128"


def test_relative_paths_start_at_the_file(tmp_path: Path) -> None:
    config = load_config(
        write(tmp_path, '[store]\ndir = "d"\n[certs]\ndir = "/abs"\n[proxy]\nusers = "u"'), env={}
    )
    assert config.store.dir == tmp_path / "d"
    assert config.certs.dir == Path("/abs")
    assert config.proxy.users == tmp_path / "u"


@pytest.mark.parametrize(
    ("text", "env", "expected"),
    [
        (
            "[proxy]\nlisten_prt = 1",
            {},
            "mitm.toml:2: unknown setting proxy.listen_prt; did you mean listen_port?",
        ),
        ("\n[proxi]\nx = 1", {}, "mitm.toml:2: unknown setting [proxi]; did you mean proxy?"),
        ("[proxy]\n# c\nlisten_port = 99999", {}, "mitm.toml:3: proxy.listen_port:"),
        ("[log]\nlevel = 'loud'", {}, "mitm.toml:2: log.level:"),
        ("[proxy]\nmodes = []", {}, "mitm.toml:2: proxy.modes: needs at least one mode"),
        ("[proxy]\nconnect_to = ['x']", {}, "not of the form HOST-GLOB=HOST:PORT"),
        ("[dashboard]\nhost = '0.0.0.0'", {}, "mitm.toml:2: dashboard.host: must be a loopback address"),
        ("[dashboard]\nauth = 'magic'", {}, "mitm.toml:2: dashboard.auth: "),
        (
            "[dashboard]\norigins = ['llmitm.lan']",
            {},
            "mitm.toml:2: dashboard.origins: 'llmitm.lan' is not of",
        ),
        ("not toml", {}, "not valid TOML"),
        (
            "",
            {"LLMITM_PROXY__LISTEN_PRT": "1"},
            "LLMITM_PROXY__LISTEN_PRT (environment): no such setting; did you mean",
        ),
        (
            "",
            {"LLMITM_PROXY__LISTEN_PORT": "x"},
            "LLMITM_PROXY__LISTEN_PORT (environment): proxy.listen_port:",
        ),
        ("", {"LLMITM_PROXY__MODES": "regular"}, "must be a JSON list"),
    ],
)
def test_errors_say_where_and_what(tmp_path: Path, text: str, env: dict[str, str], expected: str) -> None:
    with pytest.raises(ConfigError) as e:
        load_config(write(tmp_path, text), env=env)
    assert expected in str(e.value)


def test_environment_overrides_file(tmp_path: Path) -> None:
    path = write(tmp_path, "[proxy]\nlisten_port = 1\nweb = true")
    env = {
        "LLMITM_PROXY__LISTEN_PORT": "2",
        "LLMITM_PROXY__WEB": "false",
        "LLMITM_SCOPE__HOSTS": '["a", {"host": "b"}]',
    }
    config = load_config(path, env=env)
    assert (config.proxy.listen_port, config.proxy.web, len(config.scope.hosts)) == (2, False, 2)


def test_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        load_config(tmp_path / "x.toml", env={"LLMITM_CONFIG": str(tmp_path / "x.toml")})


def test_current_folder_is_never_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "[proxy]\nlisten_port = 1")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LLMITM_CONFIG", raising=False)
    assert config_path() == SHIPPED


def test_the_dashboard_leaves_loopback_behind_a_log_in(tmp_path: Path) -> None:
    path = tmp_path / "mitm.toml"
    path.write_text("[dashboard]\nhost = '0.0.0.0'\nauth = 'password'\norigins = ['http://desk.lan:8001']")
    assert load_config(path, {}).dashboard.host == "0.0.0.0"
