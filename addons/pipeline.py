"""The order of work. Reading this list is reading the proxy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from addons.counting import Counting
from addons.govern import Govern
from addons.hold import Hold
from addons.identify import Identify
from addons.passthrough import PassThrough
from addons.policies import Policies
from addons.record import Record
from addons.resend import Rejections, Resend
from addons.restore import Restore
from addons.scope import Scope
from addons.sockets import Sockets
from addons.upstream import Upstream
from intelligence.config import Config
from intelligence.detect.lazily import LazyScanner, lazy_detector
from intelligence.policy.limits import Limits
from intelligence.store.journal_writer import JournalWriter
from intelligence.store.spending import Spending
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
    record = Record(parts.journal, parts.redactor)
    scanner = LazyScanner(parts.key)
    policies = Policies(
        parts, lazy_detector(), scanner.load, lambda: [flow for _, flow in record.open.values()]
    )
    limits = Limits()
    rejections = Rejections(policies)
    govern = Govern(parts, policies, scanner, limits, rejections)
    hold = Hold(parts, policies, govern)
    upstream = Upstream(
        config.allow_loopback, config.connect_to, lambda: parts.own_ports, config.upstream_proxy
    )
    return [
        upstream,
        pass_through,
        Scope(parts.registry, pass_through),
        Identify(parts.key, parts.redactor),
        policies,
        Counting(policies, limits, Spending(parts.config.data_dir / "traffic.db")),
        govern,
        Resend(parts, upstream, rejections, hold),
        hold,
        Sockets(policies, govern, hold, record),
        record,
        Restore(),
    ]
