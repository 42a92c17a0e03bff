"""Builds the Datasette of the dashboard, and serves it until told to stop.

The listening socket is taken before anything else: a port in use is a plain message, and with `port = 0` the port is known
when the checks of `guard` are made. uvicorn waits for open connections when it stops, so streams are told to end at
the signal, and what still hangs is cut after `GRACE_SECONDS`.
"""

from __future__ import annotations

import signal
import socket
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any, Literal

import uvicorn
from datasette.app import Datasette
from datasette.plugins import pm

import datasette_plugins
from datasette_plugins import dashboard, tables
from datasette_plugins.feed import Feed
from datasette_plugins.guard import loopback_hosts
from datasette_plugins.mask import Masking
from datasette_plugins.traffic import Traffic
from intelligence.config import Config
from intelligence.store import control, reviews
from intelligence.store.status import ProcessStatus

GRACE_SECONDS = 2

SETTINGS: dict[str, Any] = {
    "allow_download": False,
    "allow_facet": False,
    "allow_signed_tokens": False,
    "default_allow_sql": False,
    "default_page_size": 50,
    "num_sql_threads": 5,
    "sql_time_limit_ms": 1000,
    "suggest_facets": False,
    "truncate_cells_html": 200,
    "default_cache_ttl": 0,
}


class PortTaken(Exception):
    """The address cannot be listened on. The message is for the user."""


def build(
    data_dir: Path,
    hosts: frozenset[str],
    auth: Literal["none", "password"] = "none",
    origins: frozenset[str] = frozenset(),
    policy_dir: Path | None = None,
) -> Datasette:
    """A dashboard over `data_dir` that answers to `hosts` and at `origins`; policy files are beside the data if not told
    otherwise. Must be called in the event loop it will run in. Raises `ControlError`, `sqlite3.Error`, `OSError`."""
    control.prepare(data_dir)
    reviews.hand_over(data_dir)
    _register_plugin()
    # Who asks, we say alone: Datasette's signed cookies would be another way in.
    if pm.has_plugin("datasette.actor_auth_cookie"):
        pm.unregister(name="datasette.actor_auth_cookie")
    if pm.has_plugin("datasette.handle_exception"):
        pm.unregister(name="datasette.handle_exception")  # it logs local variables; see `errors`
    datasette = Datasette(
        files=[],
        settings=SETTINGS,
        default_deny=True,
        # Only our own instance gets our frame around Datasette's pages.
        template_dir=str(Path(__file__).parent / "templates" / "datasette"),
        metadata=tables.metadata(),
        config=tables.config(),
    )
    datasette.remove_database("_memory")  # Datasette adds one when it is given no file
    datasette.get_jinja_environment().add_extension(tables.WithoutLock)
    here = dashboard.Dashboard(
        data_dir,
        hosts,
        Traffic(data_dir / "traffic.db"),
        Feed(data_dir),
        Masking(data_dir),
        policy_dir or data_dir.parent / "policies",
        auth,
        origins,
    )
    dashboard.install(datasette, here)
    return datasette


def _register_plugin() -> None:
    """Datasette loads the plugin by its entry point; but when our package was imported first, as `python -m` does, it got the
    half-imported module, without any hook."""
    if not pm.get_hookcallers(datasette_plugins):
        if pm.is_registered(datasette_plugins):
            pm.unregister(datasette_plugins)
        pm.register(datasette_plugins, name="llmitm")


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises `PortTaken`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Without the protocol's name asyncio leaves Nagle's algorithm on: an answer of several writes waits 40 ms for the client.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()  # who connects before the server runs waits for it
    except OSError as e:
        listener.close()
        raise PortTaken(
            f"the dashboard cannot listen on {host}:{port}: {e.strerror}. "
            "Set another port with LLMITM_DASHBOARD__PORT or [dashboard] port."
        ) from None
    return listener


def server_address(listener: socket.socket) -> str:
    """host:port, with brackets for IPv6."""
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Server(uvicorn.Server):
    """Ends the open streams at the first signal."""

    def __init__(self, config: uvicorn.Config, feed: Feed) -> None:
        super().__init__(config)
        self._feed = feed

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._feed.stop()
        super().handle_exit(sig, frame)


async def serve(config: Config, listener: socket.socket) -> None:
    """Serve on `listener` until SIGINT or SIGTERM. Raises `AlreadyRunning`."""
    address, settings = server_address(listener), config.dashboard
    # Nobody is at 0.0.0.0: the names that browsers use then are in `origins`.
    named = set() if settings.host in ("0.0.0.0", "::") else {address}
    hosts = loopback_hosts(listener.getsockname()[1]) | named
    datasette = build(config.data_dir, hosts, settings.auth, frozenset(settings.origins), config.policy.dir)
    server = Server(
        uvicorn.Config(
            datasette.app(),
            timeout_graceful_shutdown=GRACE_SECONDS,
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            ws="none",
            # Else anyone here could give any address, and try passwords without end.
            proxy_headers=any(origin.startswith("https:") for origin in settings.origins),
        ),
        dashboard.here(datasette).feed,
    )
    if settings.auth == "password":  # else nobody is hidden anything
        masking = dashboard.here(datasette).masking
        threading.Thread(target=masking.warm, name="warm", daemon=True).start()
    with ProcessStatus(config.data_dir, "dashboard", {"dashboard": address}):
        await server.serve(sockets=[listener])


def exit_on_signals() -> None:
    """Leave through `finally` blocks, with code 0. uvicorn repeats the signal that stopped it when it is done."""

    def leave(sig: int, frame: FrameType | None) -> None:
        sys.exit(0)

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, leave)
