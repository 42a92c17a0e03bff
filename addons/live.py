"""Live: mitmweb's list of flows, bounded, and free of cost while nobody looks.

Stock mitmweb keeps every flow for ever and serialises each one several times whether or not a browser is there. Here finished
and running LLM calls wait in a bounded queue; they enter mitmweb's view when a browser asks for it, and follow every update
from then on. Old flows leave when there are too many, or too many bytes. Streamed answers become visible when they end.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from mitmproxy import http
from mitmproxy.addons.view import View

from addons.call import call_of

MAX_SHOWN_BYTES = 1024 * 1024
MAX_TOTAL_BYTES = 64 * 1024 * 1024
MAX_MESSAGES = 200


class Live:
    name = "live"

    def __init__(
        self,
        view: View,
        watched: Callable[[], bool],
        max_flows: int,
        annotate: Callable[[http.HTTPFlow], None],
    ) -> None:
        """`watched` tells whether a browser is connected; `annotate` is asked for each finished flow that is shown."""
        self.annotate = annotate
        self.view = view
        self.watched = watched
        self.max_flows = max_flows
        self._flows: OrderedDict[str, tuple[http.HTTPFlow, int]] = OrderedDict()
        self._bytes = 0
        self._shown: dict[str, bytearray] = {}

    # --- what mitmweb shows -------------------------------------------------------------------------------------

    def fill(self) -> View:
        """mitmweb's view, with all that waited for it."""
        missing = [flow for flow, _ in self._flows.values() if self.view.get_by_id(flow.id) is None]
        for flow in missing:
            self.annotate(flow)
        self.view.add(missing)
        return self.view

    def request(self, flow: http.HTTPFlow) -> None:
        if call_of(flow) is None:
            return
        size = len(flow.request.raw_content or b"")
        self._flows[flow.id] = (flow, size)
        self._bytes += size
        while len(self._flows) > self.max_flows or (self._bytes > MAX_TOTAL_BYTES and len(self._flows) > 1):
            self._forget()
        if self.watched():
            self.view.add([flow])

    def _forget(self) -> None:
        finished = (item for item in self._flows.items() if not item[1][0].live)
        # Not one that still runs, if there is a choice: mitmweb would kill it to take it off its list.
        flow_id, (flow, size) = next(finished, None) or next(iter(self._flows.items()))
        del self._flows[flow_id]
        self._bytes -= size
        if self.view.get_by_id(flow_id) is not None and not flow.live:
            self.view.remove([flow])

    # --- bodies of streamed answers -----------------------------------------------------------------------------

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        """Runs after `record` set its tap: keeps a bounded copy of what passes through it."""
        response = flow.response
        if call_of(flow) is None or response is None or not callable(response.stream):
            return
        tap, shown = response.stream, bytearray()
        self._shown[flow.id] = shown

        def keep(data: bytes) -> object:
            if len(shown) < MAX_SHOWN_BYTES:
                shown.extend(data)
            return tap(data)

        response.stream = keep  # type: ignore[assignment]

    def response(self, flow: http.HTTPFlow) -> None:
        self._show(flow)

    def error(self, flow: http.HTTPFlow) -> None:
        self._show(flow)

    def _show(self, flow: http.HTTPFlow) -> None:
        shown = self._shown.pop(flow.id, None)
        if shown is None or flow.response is None:
            return
        flow.response.data.content = bytes(shown)  # the client has long had it
        known = self._flows.get(flow.id)
        if known:
            self._flows[flow.id] = (flow, known[1] + len(shown))
            self._bytes += len(shown)

    def update(self, flows: list[http.HTTPFlow]) -> None:
        """The last of a flow's hooks, before mitmweb's list takes notice of it."""
        if self.watched():
            for flow in flows:
                self.annotate(flow)

    def websocket_message(self, flow: http.HTTPFlow) -> None:
        """mitmproxy keeps all messages of a connection until it closes; the journal has them already."""
        assert flow.websocket
        messages = flow.websocket.messages
        if len(messages) > MAX_MESSAGES:
            del messages[: -MAX_MESSAGES // 2]


class Trim:
    """Without mitmweb nothing needs a WebSocket's earlier messages."""

    name = "trim"

    def websocket_message(self, flow: http.HTTPFlow) -> None:
        assert flow.websocket
        del flow.websocket.messages[:-1]
