"""mitmweb with a bounded view, on loopback, that does no work while no browser is connected (`addons.live`)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import tornado.httpserver
import tornado.netutil
from mitmproxy import flow as mflow
from mitmproxy.addons import (
    clientplayback,
    comment,
    cut,
    errorcheck,
    eventstore,
    export,
    intercept,
    save,
    savehar,
    view,
)
from mitmproxy.master import Master
from mitmproxy.options import Options
from mitmproxy.tools.web import app, master, webaddons

from addons import contentview
from addons.annotate import annotate
from addons.live import Live
from intelligence.config import Proxy

logger = logging.getLogger("llmitm.proxy")

# `comment` holds what `addons.annotate` says of a call.
COLUMNS = ["tls", "icon", "path", "method", "status", "comment", "size", "time"]


class WebMaster(master.WebMaster):
    """As mitmproxy's, but with the addons it is given, and a view that is filled when somebody looks."""

    def __init__(
        self,
        opts: Options,
        base: Sequence[Any],
        pipeline: Sequence[Any],
        closing: Sequence[Any],
        config: Proxy,
    ) -> None:
        Master.__init__(self, opts)
        self._view = view.View()
        self._view.sig_view_add.connect(self._sig_view_add)
        self._view.sig_view_remove.connect(self._sig_view_remove)
        self._view.sig_view_update.connect(self._sig_view_update)
        self._view.sig_view_refresh.connect(self._sig_view_refresh)
        self.events = eventstore.EventStore(size=1000)
        self.events.sig_add.connect(self._sig_events_add)
        self.events.sig_refresh.connect(self._sig_events_refresh)
        self.options.changed.connect(self._sig_options_update)
        self.live = Live(
            self._view, lambda: bool(app.ClientConnection.connections), config.web_flows, annotate
        )
        self.addons.add(
            *base,
            *pipeline,
            self.live,
            *closing,
            webaddons.WebAddon(),
            webaddons.WebAuth(),
            intercept.Intercept(),
            clientplayback.ClientPlayback(),
            comment.Comment(),
            cut.Cut(),
            export.Export(),
            save.Save(),
            savehar.SaveHar(),
            _Listed(self._view),
            self.events,
            errorcheck.ErrorCheck(),
        )
        opts.update(
            web_open_browser=False, web_host="127.0.0.1", web_port=config.web_port, web_columns=COLUMNS
        )
        contentview.register()
        self.app = app.Application(self, False)
        self.proxyserver = self.addons.get("proxyserver")
        self.proxyserver.servers.changed.connect(self._sig_servers_changed)

    @property
    def view(self) -> view.View:  # type: ignore[override]
        """mitmweb asks for this when a browser wants flows."""
        return self.live.fill()

    def _sig_view_add(self, flow: mflow.Flow) -> None:
        if app.ClientConnection.connections:
            super()._sig_view_add(flow)

    def _sig_view_update(self, flow: mflow.Flow) -> None:
        if app.ClientConnection.connections:
            super()._sig_view_update(flow)

    async def running(self) -> None:
        try:
            sockets = tornado.netutil.bind_sockets(self.options.web_port, self.options.web_host)
        except OSError as e:
            logger.error(
                "mitmweb cannot listen on port %s (%s): set proxy.web_port, or proxy.web = false",
                self.options.web_port,
                e.strerror,
            )
            raise SystemExit(1) from None
        self.options.update(web_port=sockets[0].getsockname()[1])
        server = tornado.httpserver.HTTPServer(self.app, max_buffer_size=64 * 1024 * 1024)
        server.add_sockets(sockets)
        await Master.running(self)


class _Listed:
    """mitmproxy's view as an addon, without its own hooks for new flows: `Live` decides what enters it and when."""

    name = "view"

    def __init__(self, shown: view.View) -> None:
        self._shown = shown
        self.load = shown.load
        self.configure = shown.configure
        self.update = shown.update
