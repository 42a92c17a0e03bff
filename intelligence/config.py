"""What a user may set: `mitm.toml`, overridden by `LLMITM_<SECTION>__<KEY>`.

The file is found by `config_path()`: `LLMITM_CONFIG`, else the one of the checkout, else the one in the user's
configuration folder. Never the current folder, which may belong to someone hostile. Relative paths in the file start
at the file's own folder. An unknown key or a bad value is a `ConfigError` that says where (file and line, or variable) and,
for a misspelt name, what it probably should be. Nothing here touches the network or writes a file.
"""

from __future__ import annotations

import difflib
import json
import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

Port = Annotated[int, Field(ge=0, le=65535)]
ENV_PREFIX = "LLMITM_"
# Variables with our prefix that are no settings.
OTHER_ENV = {"LLMITM_CONFIG", "LLMITM_CORPUS", "LLMITM_DATASETS"}


class ConfigError(Exception):
    """A configuration that cannot be used. The message is for the user: what, where, what to do."""


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ScopeHost(Section):
    """A host added by the user: a glob over `host` or `host:port`, and the wire format its LLM calls speak."""

    host: str
    format: str | None = None


class Proxy(Section):
    listen_host: str = Field(
        "127.0.0.1", description="Address the proxy listens on. Keep it on loopback unless `users` is set."
    )
    listen_port: Port = Field(8080, description="Port of the proxy; 0 takes a free one.")
    modes: list[str] = Field(
        ["regular"],
        description="mitmproxy modes: `regular`, `socks5@1080`, `reverse:https://api.openai.com@9000` "
        "(for clients that only take a base URL).",
    )
    upstream_proxy: str | None = Field(
        None, description="Chain to this proxy, e.g. `http://corp-proxy:3128`."
    )
    upstream_ca: Path | None = Field(
        None, description="PEM file of CAs to trust upstream, instead of the usual ones."
    )
    http2: bool = Field(True, description="Offer HTTP/2 to clients.")
    users: Path | None = Field(
        None,
        description="htpasswd file (bcrypt or SHA); clients must then authenticate, and the name is recorded as the user.",
    )
    allow_loopback: list[str] = Field(
        ["*:11434", "*:1234", "*:8000"],
        description="`host:port` globs that may be reached on loopback and link-local addresses. "
        "The defaults are Ollama, LM Studio and vLLM. Our own three listeners never.",
    )
    connect_to: list[str] = Field(
        [],
        description="Reach matching hosts at another address, as `HOST-GLOB=HOST:PORT`; certificates are still checked "
        "against the real name. `llmitm demo` and `doctor` point it at the offline provider.",
    )
    idle_timeout_seconds: Annotated[int, Field(ge=10)] = Field(
        3600,
        description="Close a connection on which no byte has moved for this long. "
        "Long-thinking models stay silent for many minutes.",
    )
    pass_through_minutes: Annotated[float, Field(ge=0)] = Field(
        10,
        description="How long a host is tunnelled for a client that keeps refusing our certificate. 0 never tunnels it.",
    )
    web: bool = Field(True, description="Run mitmweb, the live view of flows.")
    web_port: Port = Field(8081, description="Port of mitmweb, on loopback.")
    web_flows: Annotated[int, Field(ge=1)] = Field(
        500, description="How many flows mitmweb keeps; older ones are in the dashboard."
    )

    @field_validator("connect_to")
    @classmethod
    def _connect_to_form(cls, rules: list[str]) -> list[str]:
        for rule in rules:
            if not re.fullmatch(r"[^=\s]+=[^=\s]+:\d{1,5}", rule):
                raise ValueError(f"{rule!r} is not of the form HOST-GLOB=HOST:PORT")
        return rules

    @field_validator("modes")
    @classmethod
    def _one_mode_at_least(cls, modes: list[str]) -> list[str]:
        if not modes:
            raise ValueError('needs at least one mode, e.g. ["regular"]')
        return modes


class Scope(Section):
    hosts: list[str | ScopeHost] = Field(
        [],
        description='More hosts to open: globs (`"*.llm.example.com"`) or tables `{host = "…", format = "openai"}`.',
    )


class Certs(Section):
    dir: Path = Field(Path("certs"), description="Folder of the CA.")
    name_constraints: bool = Field(
        True, description="Limit the CA, by critical X.509 name constraints, to the hosts in scope."
    )


class Store(Section):
    dir: Path = Field(Path("data"), description="Folder of the record: journal, databases, logs.")
    segment_bytes: Annotated[int, Field(ge=65536)] = Field(
        64 * 1024 * 1024, description="Size at which a journal segment is closed and the next begun."
    )
    raw_days: Annotated[int, Field(ge=0)] = Field(
        30,
        description="How long answers are kept as they arrived, piece by piece. What they said is kept longer. 0 is for ever.",
    )
    retention_days: Annotated[int, Field(ge=0)] = Field(
        365,
        description="How long what was said is kept: prompts, answers, headers. Counts and costs stay. 0 is for ever.",
    )
    max_bytes: Annotated[int, Field(ge=0)] = Field(
        20_000_000_000,
        description="Size of traffic.db beyond which the oldest content goes, whatever its age. 0 is no limit.",
    )
    backups: Annotated[int, Field(ge=0)] = Field(
        3, description="How many daily backups of traffic.db are kept. 0 makes none."
    )


class Redact(Section):
    """Names to strip before anything is written, besides those that always are."""

    headers: list[str] = Field(
        [], description="More header names (requests and responses) whose values are never recorded."
    )
    query: list[str] = Field([], description="More query parameters whose values are never recorded.")
    json_keys: list[str] = Field([], description="More JSON keys whose string values are never recorded.")


class ModelPrice(Section):
    """What a model costs, in US dollars per million tokens."""

    model: str = Field(description="Glob over the model's name.")
    provider: str = Field("*", description="Glob over the provider's.")
    input: Annotated[float, Field(ge=0)] = Field(description="For what is read.")
    output: Annotated[float, Field(ge=0)] = Field(description="For what is written.")
    cache_read: Annotated[float, Field(ge=0)] | None = Field(
        None, description="Of the input, read from the cache; else as `input`."
    )
    cache_write: Annotated[float, Field(ge=0)] | None = Field(
        None, description="Of the input, written to the cache; else as `input`."
    )
    reasoning: Annotated[float, Field(ge=0)] | None = Field(
        None, description="Of the output, reasoning; else as `output`."
    )


class Prices(Section):
    """What calls cost. List prices come with llmitm; what stands here goes before them."""

    models: list[ModelPrice] = Field(
        [],
        description="Your own prices, in US dollars per million tokens; the first that fits counts. "
        'Tables `{model = "glob", input = 1.5, output = 6}`, and where they differ `provider` (glob), `cache_read`, '
        "`cache_write`, `reasoning`. Models on your own machine cost nothing only if it is said here.",
    )


class Policy(Section):
    dir: Path = Field(Path("policies"), description="Folder of the policy files, `*.yaml`.")
    deadline_ms: Annotated[int, Field(ge=1, le=10_000)] = Field(
        50,
        description="How long the detectors may work on one request, in processor time: what they wait while the machine "
        "is busy with others does not count. A rule that runs over it fails as it says.",
    )


class SecondOpinion(Section):
    """Claude's, on what the injection detector is not sure of; see policy.md."""

    enabled: bool = Field(
        False,
        description="Ask Claude about detections of injection in the middle of the scale, for people who review them. "
        "The suspicious text leaves the house, without secrets and personal data.",
    )
    model: str = Field("claude-haiku-4-5", description="Which model is asked.")
    key_env: str = Field(
        "ANTHROPIC_API_KEY", description="Variable of the worker's environment that holds the API key."
    )
    base_url: str = Field("https://api.anthropic.com", description="Where its Messages API is.")
    daily_usd: Annotated[float, Field(ge=0)] = Field(
        1.0, description="What a day (UTC) may cost, at list price; nothing is asked beyond it."
    )
    from_score: Annotated[float, Field(ge=0, le=1)] = Field(
        0.4, description="From this score on a detection is asked about …"
    )
    to_score: Annotated[float, Field(ge=0, le=1)] = Field(0.9, description="… up to, but not with, this one.")

    @field_validator("base_url")
    @classmethod
    def _secure(cls, url: str) -> str:
        if not re.fullmatch(r"https://\S+|http://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?(/\S*)?", url):
            raise ValueError("must begin with https://, or http:// on this machine")
        return url


class Dashboard(Section):
    auth: Literal["none", "password"] = Field(
        "none",
        description="`none`: whoever reaches the dashboard may read everything; loopback only. `password`: people log in, "
        "with names, roles and passwords from `llmitm user`.",
    )
    host: str = Field(
        "127.0.0.1",
        description='Address the dashboard listens on. Another than loopback takes `auth = "password"`, and TLS before it.',
    )
    port: Port = Field(8001, description="Port of the dashboard; 0 takes a free one.")
    origins: list[str] = Field(
        [],
        description="More addresses that browsers reach it at, e.g. `https://llmitm.example.com` of a TLS proxy before it, "
        "whose `X-Forwarded-For` is then believed.",
    )

    @field_validator("host")
    @classmethod
    def _loopback(cls, host: str, info: ValidationInfo) -> str:
        if host not in ("127.0.0.1", "::1", "localhost") and info.data.get("auth") != "password":
            raise ValueError(
                'must be a loopback address (127.0.0.1, ::1 or localhost) unless dashboard.auth is "password"'
            )
        return host

    @field_validator("origins")
    @classmethod
    def _origin_form(cls, origins: list[str]) -> list[str]:
        for origin in origins:
            if not re.fullmatch(r"https?://[a-z0-9.\[\]:-]+", origin):
                raise ValueError(
                    f"{origin!r} is not of the form https://host or http://host:port, in lower case"
                )
        return origins


class Log(Section):
    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severity that is logged. Prompt text appears at debug only."
    )
    format: Literal["text", "json"] = Field(
        "text", description="`text` for people, `json` for machines (one object a line)."
    )


class Config(Section):
    """The whole configuration, paths made absolute."""

    proxy: Proxy = Proxy()  # type: ignore[call-arg]
    scope: Scope = Scope()  # type: ignore[call-arg]
    certs: Certs = Certs()  # type: ignore[call-arg]
    store: Store = Store()  # type: ignore[call-arg]
    redact: Redact = Redact()  # type: ignore[call-arg]
    prices: Prices = Prices()  # type: ignore[call-arg]
    policy: Policy = Policy()  # type: ignore[call-arg]
    second_opinion: SecondOpinion = SecondOpinion()  # type: ignore[call-arg]
    dashboard: Dashboard = Dashboard()  # type: ignore[call-arg]
    log: Log = Log()  # type: ignore[call-arg]
    path: Path = Field(Path(), exclude=True, description="The file this came from (it may not exist).")

    @property
    def data_dir(self) -> Path:
        return self.store.dir


SECTIONS: dict[str, type[Section]] = {
    name: field.annotation
    for name, field in Config.model_fields.items()
    if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
}


def config_path() -> Path:
    """Where `mitm.toml` is, or would be."""
    if given := os.environ.get("LLMITM_CONFIG"):
        return Path(given).expanduser().absolute()
    checkout = Path(__file__).resolve().parent.parent / "mitm.toml"
    return checkout if checkout.is_file() else platformdirs.user_config_path("llmitm") / "mitm.toml"


def load_config(path: Path | None = None, env: dict[str, str] | None = None) -> Config:
    """Read and check the configuration. Raises `ConfigError`."""
    path = path or config_path()
    env = dict(os.environ) if env is None else env
    text = ""
    if path.is_file():
        text = path.read_text("utf-8")
    elif env.get("LLMITM_CONFIG"):
        raise ConfigError(f"{path}: no such file (LLMITM_CONFIG names it)")
    try:
        values: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        raise ConfigError(f"{path}: not valid TOML: {e}") from None
    from_env = _env_values(env)
    for (section, key), (_, value) in from_env.items():
        table = values.setdefault(section, {})
        if isinstance(table, dict):
            table[key] = value
    try:
        config = Config.model_validate(values)
    except ValidationError as e:
        raise ConfigError("\n".join(_explain(err, path, text, from_env) for err in e.errors())) from None
    return _absolute(config, path)


def _absolute(config: Config, path: Path) -> Config:
    def at(p: Path | None) -> Path | None:
        return p and (path.parent / p.expanduser()).absolute()

    return config.model_copy(
        update={
            "path": path,
            "proxy": config.proxy.model_copy(
                update={"upstream_ca": at(config.proxy.upstream_ca), "users": at(config.proxy.users)}
            ),
            "certs": config.certs.model_copy(update={"dir": at(config.certs.dir)}),
            "store": config.store.model_copy(update={"dir": at(config.store.dir)}),
            "policy": config.policy.model_copy(update={"dir": at(config.policy.dir)}),
        }
    )


def _env_values(env: dict[str, str]) -> dict[tuple[str, str], tuple[str, Any]]:
    found = {}
    for name, raw in env.items():
        if not name.startswith(ENV_PREFIX) or name in OTHER_ENV:
            continue
        section, _, key = name.removeprefix(ENV_PREFIX).lower().partition("__")
        model = SECTIONS.get(section)
        if model is None or key not in model.model_fields:
            known = [f"{ENV_PREFIX}{s}__{k}".upper() for s, m in SECTIONS.items() for k in m.model_fields]
            raise ConfigError(f"{name} (environment): no such setting{_nearest(name, known)}")
        found[section, key] = (name, _env_value(name, raw, model.model_fields[key].annotation))
    return found


def _env_value(name: str, raw: str, annotation: Any) -> Any:
    if get_origin(annotation) is not list:
        return None if raw == "" and type(None) in get_args(annotation) else raw
    try:
        return json.loads(raw)
    except ValueError:
        raise ConfigError(
            f'{name} (environment): must be a JSON list, e.g. ["a", "b"]; got {raw!r}'
        ) from None


def _explain(err: Any, path: Path, text: str, from_env: dict[tuple[str, str], tuple[str, Any]]) -> str:
    loc = [str(part) for part in err["loc"]]
    section, key = loc[0], loc[1] if len(loc) > 1 else None
    if key and (section, key) in from_env:
        where = f"{from_env[section, key][0]} (environment)"
    else:
        line = line_of(text, section, key)
        where = f"{path}:{line}" if line else str(path)
    name = f"{section}.{key}" if key else f"[{section}]"
    if err["type"] == "extra_forbidden":
        model = SECTIONS.get(section) if key else None
        known = list(model.model_fields) if model else list(SECTIONS)
        return f"{where}: unknown setting {name}{_nearest(key or section, known)}"
    reason = err["msg"].removeprefix("Value error, ")
    return f"{where}: {name}: {reason[0].lower()}{reason[1:]}; got {err['input']!r}"


def _nearest(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else f"; known are {', '.join(known)}"


def line_of(text: str, section: str, key: str | None) -> int | None:
    """The line of `[section]`, or of `key` in it. A small scan, as tomllib keeps no positions."""
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[+\s*([\w.-]+)", line):
            inside = header[1] == section
            if inside and key is None:
                return number
        elif (key and inside and re.match(rf'\s*"?{re.escape(key)}"?\s*[=.]', line)) or (
            re.match(rf"\s*{re.escape(section)}\s*(=|\.\s*{re.escape(key or '')})", line) and not inside
        ):
            return number
    return None
