"""The registry: which hosts are LLM providers, and which of their requests are LLM calls.

The tables are `providers.py` (hosts) and `paths.py` (paths); users add hosts in `mitm.toml`. `provider_for` and `classify` are
on the way of every connection and request, so both answer from bounded caches: hosts and paths come from clients.
"""

from __future__ import annotations

import fnmatch
import ipaddress
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import lru_cache
from urllib.parse import parse_qs

from intelligence.wire import paths
from intelligence.wire.providers import Provider, known_hosts, local_ports

__all__ = ["Provider", "Registry", "Target"]

# Short names a user may give for the format of an added host.
FAMILIES = {
    "openai": "openai-chat",
    "anthropic": "anthropic-messages",
    "google": "gemini",
    "bedrock": "bedrock-converse",
    "cohere": "cohere-v2",
}

# By key of the body: the operation and format to assume for it, unless the host's own format has such a key.
_GUESSES = {
    "messages": ("chat", "openai-chat"),
    "contents": ("generate_content", "gemini"),
    "input": ("responses", "openai-responses"),
    "prompt": ("text_completion", "openai-completions"),
}
_MESSAGE_FORMATS = frozenset(["openai-chat", "anthropic-messages", "cohere-v2", "ollama", "bedrock-converse"])

_HOSTS_CACHED = 4096
_PATHS_CACHED = 4096
_LONGEST_CACHED = 1024


@dataclass(frozen=True, slots=True)
class Target:
    """What a request asks for. `model` and `stream` only when the path (or the query of a WebSocket) says so."""

    provider: str | None
    operation: str
    format: str
    model: str | None = None
    stream: bool | None = None


class Registry:
    """`extra` are the user's hosts: a glob over `host` or `host:port`, and a format or None.
    Raises `ValueError`, with the nearest right name, for a format that does not exist."""

    def __init__(self, extra: Sequence[tuple[str, str | None]] = ()) -> None:
        self._globs: list[tuple[re.Pattern[str], bool, Provider]] = []
        self._exact: dict[str, Provider] = {}
        self._local = local_ports()
        self.hosts: list[str] = []
        for host, format_ in extra:
            self._add(host.lower(), Provider(_name_of(host.lower()), _format_of(format_)))
        for host, provider in known_hosts():
            self._add(host, provider)
        self.provider_for = lru_cache(_HOSTS_CACHED)(self._provider_for)
        self._match = lru_cache(_PATHS_CACHED)(self._match_path)

    def _add(self, host: str, provider: Provider) -> None:
        self.hosts.append(host)
        name, port = _split_port(host)
        if port is None and not _is_glob(name):
            self._exact.setdefault(name, provider)
        else:
            with_port = port is not None
            pattern = f"{name}:{port}" if with_port else name
            self._globs.append((re.compile(_pattern(pattern)), with_port, provider))

    def _provider_for(self, host: str, port: int) -> Provider | None:
        """The provider at this host (lower case, no port, no brackets). Cached as `provider_for`."""
        host = host.rstrip(".")
        if len(host) > 255:
            return None
        if provider := self._exact.get(host):
            return provider
        for pattern, with_port, provider in self._globs:
            if pattern.fullmatch(f"{host}:{port}" if with_port else host):
                return provider
        return self._local.get(port) if is_loopback(host) else None

    def classify(
        self, host: str, port: int, method: str, path: str, websocket: bool = False
    ) -> Target | None:
        """The LLM call that a request to a host in scope is, by its path. None: it is none, as far as the path tells."""
        provider = self.provider_for(host, port)
        return self._target(provider, method, path, websocket) if provider else None

    def classify_any(self, method: str, path: str, websocket: bool = False) -> Target | None:
        """The same for hosts outside the registry: only shapes of path that nobody else uses."""
        return self._target(None, method, path, websocket)

    def _target(self, provider: Provider | None, method: str, path: str, websocket: bool) -> Target | None:
        bare, _, query = path.partition("?")
        look = self._match if len(bare) <= _LONGEST_CACHED else self._match_path
        target = look(provider, method, bare, websocket)
        if target and websocket and target.model is None and query:
            stated = parse_qs(query[:4096], max_num_fields=64) if query.count("&") < 64 else {}
            model = stated.get("model") or stated.get("deployment")
            return replace(target, model=model[0]) if model else target
        return target

    @staticmethod
    def _match_path(provider: Provider | None, method: str, path: str, websocket: bool) -> Target | None:
        found = paths.match(method, path, provider, websocket=websocket)
        if found is None:
            return None
        name = provider.name if provider else None
        return Target(name, found.operation, found.format, found.model, found.stream)

    def guess(self, host: str, port: int, path: str, keys: Collection[str]) -> Target:
        """A JSON POST whose path says nothing, but whose body carries `model` and one of `keys`: messages, input, contents,
        prompt."""
        provider = self.provider_for(host, port)
        name, format_ = (provider.name, provider.format) if provider else (None, None)
        key = next((k for k in _GUESSES if k in keys), "prompt")
        operation, guessed = _GUESSES[key]
        bare = path.partition("?")[0].lower()
        if key == "input" and "embed" in bare:
            ollama = bare.rstrip("/").endswith(("/api/embed", "/api/embeddings"))
            return Target(name, "embeddings", "ollama" if ollama else "openai-embeddings")
        if key == "messages":
            if format_ in _MESSAGE_FORMATS:
                guessed = format_
            elif bare.rstrip("/").endswith("/messages"):
                guessed = "anthropic-messages"
            elif bare.rstrip("/").endswith("/api/chat"):
                guessed = "ollama"
        elif key == "prompt" and (format_ == "ollama" or bare.rstrip("/").endswith("/api/generate")):
            guessed = "ollama"
        elif format_ in ("dashscope", "replicate", "cloudflare"):
            operation, guessed = "unknown", format_
        return Target(name, operation, guessed)

    def dns_subtrees(self) -> list[str]:
        """The smallest set of DNS subtrees that covers the scope, sorted: `openai.azure.com` for `*.openai.azure.com`,
        `amazonaws.com` for `bedrock-runtime.*.amazonaws.com`. Holds "" (all of DNS) when a glob leaves no label whole."""
        names = {"localhost"}
        for host in self.hosts:
            name, _ = _split_port(host)
            if not _is_ip(name):
                labels = name.rstrip(".").split(".")
                while labels and any(map(_is_glob, labels)):
                    labels.pop(0)
                names.add(".".join(labels))
        return sorted(n for n in names if not any(_within(n, other) for other in names if other != n))

    def ip_addresses(self) -> list[str]:
        """The bare addresses in scope, loopback among them for the local servers."""
        named = {name for name, _ in map(_split_port, self.hosts) if _is_ip(name)}
        return sorted({"127.0.0.1", "::1"} | named)


def is_loopback(host: str) -> bool:
    """Whether a name or address (no brackets) means this machine, by its form alone."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _format_of(name: str | None) -> str | None:
    if name is None:
        return None
    format_ = FAMILIES.get(name, name)
    if format_ not in paths.FORMATS:
        known = [*FAMILIES, *paths.FORMATS]
        near = get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
        raise ValueError(f"{name!r} is no wire format; {hint}")
    return format_


def _name_of(host: str) -> str:
    """An added host has no name but its own."""
    return _split_port(host)[0].lstrip("*.") or host


def _split_port(host: str) -> tuple[str, str | None]:
    """Name without brackets, and the port if there is one (which may be a glob)."""
    if host.startswith("["):
        name, _, rest = host[1:].partition("]")
        return name, rest.removeprefix(":") or None
    name, colon, port = host.rpartition(":")
    if colon and ":" not in name:
        return name, port
    return host, None


def _pattern(glob: str) -> str:
    return fnmatch.translate(re.sub(r"\*+", "*", glob))


def _is_glob(text: str) -> bool:
    return any(c in text for c in "*?[")


def _is_ip(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _within(name: str, other: str) -> bool:
    return other == "" or name.endswith("." + other)
