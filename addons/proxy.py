"""The proxy process: mitmproxy's master with our pipeline, built from `mitm.toml`.

Never loaded through `-s`: a script with an error is dropped by mitmproxy and traffic goes on unseen. `build()` makes the master,
`run()` is the whole process: listeners, journal, status file, reload of the configuration, an orderly end on SIGINT and SIGTERM.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from importlib.metadata import version
from typing import Any

from cryptography import x509
from mitmproxy import ctx, exceptions, options, tls
from mitmproxy.addons import (
    block,
    core,
    disable_h2c,
    errorcheck,
    next_layer,
    proxyauth,
    proxyserver,
    tlsconfig,
    upstream_auth,
)
from mitmproxy.certs import CertStoreEntry
from mitmproxy.master import Master
from mitmproxy.proxy import context

from addons import ca, patches
from addons.live import Trim
from addons.pipeline import Parts, pipeline
from addons.reload import Reload
from addons.report import ListenError, Report, why_not_listening
from addons.settings import mitm_options, registry_of
from addons.settled import Settled
from intelligence.config import Config, ConfigError
from intelligence.store.ids import install_key
from intelligence.store.journal_writer import JournalWriter
from intelligence.store.status import ProcessStatus
from intelligence.wire.credentials import Redactor

logger = logging.getLogger("llmitm.proxy")


class Tls(tlsconfig.TlsConfig):
    """Leaf certificates for the name the client asks for and nothing else: the CA's name constraints allow no more.
    HTTP/2 for a client that offers it, whichever it names first: as the providers' own servers choose."""

    name = "tlsconfig"

    def tls_start_client(self, tls_start: tls.TlsData) -> None:
        client = tls_start.conn
        if client.alpn is None and ctx.options.http2 and b"h2" in client.alpn_offers:
            client.alpn = b"h2"
        super().tls_start_client(tls_start)

    def get_cert(self, conn_context: context.Context) -> CertStoreEntry:
        address = conn_context.server.address
        name = conn_context.client.sni or (address[0] if address else conn_context.client.sockname[0])
        san = tlsconfig._ip_or_dns_name(name)
        # OpenSSL takes an address in the common name for a host name, which the CA's limits then forbid.
        common_name = str(san.value) if isinstance(san, x509.DNSName) else None
        return self.certstore.get_cert(common_name, [san], None, None)


def base_addons() -> list[Any]:
    """What of mitmproxy's own addons a proxy without mitmweb needs."""
    return [
        core.Core(),
        block.Block(),
        disable_h2c.DisableH2C(),
        proxyauth.ProxyAuth(),
        proxyserver.Proxyserver(),
    ]


def closing_addons() -> list[Any]:
    return [next_layer.NextLayer(), Tls(), upstream_auth.UpstreamAuth()]


def build(config: Config, parts: Parts) -> Master:
    """A master with everything in it, nothing listening yet. Must run inside an event loop. Raises `ConfigError`."""
    patches.apply()
    settings = mitm_options(config)
    opts = options.Options()
    master: Master
    if config.proxy.web:
        from addons.web import WebMaster  # tornado and flask load only when mitmweb is wanted

        master = WebMaster(opts, base_addons(), pipeline(parts), closing_addons(), config.proxy)
    else:
        master = Master(opts)
        master.addons.add(
            *base_addons(), *pipeline(parts), Trim(), *closing_addons(), errorcheck.ErrorCheck()
        )
    try:
        opts.update(**settings)
    except (exceptions.OptionsError, KeyError, TypeError, OSError, ValueError) as e:
        raise ConfigError(f"{config.path}: {e}") from None
    return master


def make_parts(config: Config, journal: JournalWriter) -> Parts:
    key = install_key(config.data_dir)
    return Parts(
        config=config,
        registry=registry_of(config),
        journal=journal,
        redactor=Redactor(key, config.redact.headers, config.redact.query, config.redact.json_keys),
        key=key,
        own_ports=set(filter(None, (config.proxy.listen_port, config.proxy.web_port, config.dashboard.port))),
    )


async def run(config: Config, *, private: bool = False) -> None:
    """The proxy process until a signal ends it. Raises `ConfigError`, `ListenError`, `AlreadyRunning`, `OSError`."""
    ensured = ca.ensure(config)
    if ensured.message:
        logger.warning(ensured.message)
    journal = JournalWriter(
        config.data_dir / "journal", segment_bytes=config.store.segment_bytes, version=version("llmitm")
    )
    name = f"proxy-{journal.run[:12]}" if private else "proxy"
    try:
        with ProcessStatus(config.data_dir, name, {}) as status:
            parts = make_parts(config, journal)
            master = build(config, parts)
            master.addons.add(Settled(), Report(parts, status), Reload(parts))
            loop = asyncio.get_running_loop()
            for sig in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(sig, master.shutdown)
            try:
                await master.run()
            except SystemExit:
                raise ListenError(why_not_listening(config)) from None
    finally:
        journal.close()
