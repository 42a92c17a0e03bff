"""Pass-through: a client that keeps refusing our certificate for a host is tunnelled for a while, loudly.

Only certificate alerts count, several in a row with no success between, told apart by client address and ClientHello: so a
pinned app keeps working, and nobody else on the machine loses sight of that host.
"""

from __future__ import annotations

import hashlib
import logging
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from mitmproxy import connection, tls

from intelligence.store.journal_writer import JournalWriter

logger = logging.getLogger(__name__)

REFUSALS = 3
MAX_CLIENTS = 1000
_CERTIFICATE_ALERT = re.compile(
    r"alert (unknown ca|bad certificate|certificate unknown|unsupported certificate|certificate expired)|does not trust"
)

Key = tuple[str, str, str]  # client address, ClientHello fingerprint, host


@dataclass(slots=True)
class _Client:
    refusals: int = 0
    until: float = 0.0


class PassThrough:
    name = "passthrough"

    def __init__(
        self, journal: JournalWriter, minutes: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.journal = journal
        self.minutes = minutes
        self._clock = clock
        self._clients: OrderedDict[Key, _Client] = OrderedDict()
        self._handshakes: dict[str, Key] = {}

    def applies(self, client: connection.Client, host: str, hello: tls.ClientHello) -> bool:
        """Whether this handshake is to be tunnelled. Remembers it, to learn from how it ends."""
        key = (client.peername[0] if client.peername else "", fingerprint(hello), host)
        known = self._clients.get(key)
        if known and known.until > self._clock():
            return True
        self._handshakes[client.id] = key
        return False

    def tls_established_client(self, data: tls.TlsData) -> None:
        if key := self._handshakes.pop(data.conn.id, None):
            self._clients.pop(key, None)

    def tls_failed_client(self, data: tls.TlsData) -> None:
        key = self._handshakes.pop(data.conn.id, None)
        if key is None or self.minutes <= 0 or not _CERTIFICATE_ALERT.search(data.conn.error or ""):
            return
        known = self._clients.setdefault(key, _Client())
        self._clients.move_to_end(key)
        while len(self._clients) > MAX_CLIENTS:
            self._clients.popitem(last=False)
        known.refusals += 1
        if known.refusals >= REFUSALS:
            known.refusals = 0
            known.until = self._clock() + self.minutes * 60
            message = (
                f"{key[2]} is passed through UNSEEN for {self.minutes:g} min for the client at {key[0]}: it refused "
                f"our certificate {REFUSALS} times. Let it trust the CA (llmitm doctor), or leave it if it pins its certificates."
            )
            logger.warning(message)
            self.journal.event(
                "pass_through", message, {"host": key[2], "client_address": key[0], "client_hello": key[1]}
            )

    def client_disconnected(self, client: connection.Client) -> None:
        self._handshakes.pop(client.id, None)


def fingerprint(hello: tls.ClientHello) -> str:
    """16 hex digits over cipher suites, extension types (sorted, without GREASE of RFC 8701: both vary) and ALPN."""
    ciphers = sorted(c for c in hello.cipher_suites if not _is_grease(c))
    extensions = sorted(t for t, _ in hello.extensions if not _is_grease(t))
    alpn = b",".join(hello.alpn_protocols)
    return hashlib.sha256(repr((ciphers, extensions, alpn)).encode()).hexdigest()[:16]


def _is_grease(value: int) -> bool:
    return value & 0x0F0F == 0x0A0A and value >> 8 == value & 0xFF
