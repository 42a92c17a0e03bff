"""The order of work. Reading this list is reading the proxy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from addons.identify import Identify
from addons.passthrough import PassThrough
from addons.record import Record
from addons.scope import Scope
from addons.upstream import Upstream
from intelligence.config import Config
from intelligence.store.journal_writer import JournalWriter
from intelligence.wire.credentials import Redactor
from intelligence.wire.registry import Registry


@dataclass
class Parts:
    """What the addons share. `config` is the one in force; `own_ports` are our listeners."""

    config: Config
    registry: Registry
    journal: JournalWriter
    redactor: Redactor
    key: bytes
    own_ports: set[int]


def pipeline(parts: Parts) -> list[Any]:
    config = parts.config.proxy
    pass_through = PassThrough(parts.journal, config.pass_through_minutes)
    return [
        Upstream(config.allow_loopback, config.connect_to, lambda: parts.own_ports, config.upstream_proxy),
        pass_through,
        Scope(parts.registry, pass_through),
        Identify(parts.key, parts.redactor),
        Record(parts.journal, parts.redactor),
    ]
