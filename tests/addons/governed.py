"""The addons that carry policy to the wire, without a network: hooks are called by hand, in the order of the pipeline."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from mitmproxy.http import Headers, HTTPFlow, Response
from mitmproxy.test import tflow, tutils

from addons.call import Call, begin, call_of
from addons.govern import Govern
from addons.hold import Hold
from addons.identify import Identify
from addons.pipeline import Parts
from addons.policies import Policies
from addons.resend import Rejections
from intelligence.detect.detection import Detection
from intelligence.policy.limits import Limits
from intelligence.policy.panic import Panic
from intelligence.wire.credentials import Redactor
from intelligence.wire.registry import Target
from tests.intelligence.detect.whole import Whole

CHAT = Target("openai", "chat", "openai-chat")
KEY = b"k" * 32
SECRET = "sesame-4711"
# What must be redacted, and how it fails, in one line.
REDACTS = "{id: keys, action: redact, when: {detection: {kind: secret}}}"


class Journal:
    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []

    def event(self, kind: str, message: str, data: dict[str, Any] | None = None) -> None:
        self.events.append((kind, message))


class Sees(Whole):
    """A detector: finds `SECRET`, or does as `instead` says. `asked` counts."""

    def __init__(self, instead: Callable[[], Any] | None = None) -> None:
        self.instead = instead
        self.asked = 0

    def request(
        self, places: Sequence[Any], kinds: frozenset[str], *, deadline: float | None = None
    ) -> list[tuple[Any, Detection]]:
        self.asked += 1
        if self.instead:
            made: list[tuple[Any, Detection]] = self.instead()
            return made
        return [
            (place, Detection("secret", "word", 1.0, at, at + len(SECRET), "word"))
            for place in places
            if (at := place.text.find(SECRET)) >= 0
        ]


class Rig:
    """`rules` are YAML, one rule a line."""

    def __init__(self, folder: Path, *rules: str, sees: Sees | None = None) -> None:
        (folder / "policies").mkdir()
        text = "rules:\n" + "".join(f"  - {rule}\n" for rule in rules) if rules else ""
        (folder / "policies" / "a.yaml").write_text(text)
        proxy = SimpleNamespace(upstream_proxy=None, upstream_ca=None, idle_timeout_seconds=10)
        policy = SimpleNamespace(dir=folder / "policies", deadline_ms=50)
        config: Any = SimpleNamespace(data_dir=folder / "data", policy=policy, proxy=proxy)
        self.journal: Any = Journal()
        self.redactor = Redactor(KEY)
        self.parts = Parts(config, None, self.journal, self.redactor, KEY, set())  # type: ignore[arg-type]
        self.sees = sees or Sees()
        self.policies = Policies(self.parts, lambda *_: [], lambda: None, list)
        assert not self.journal.events, self.journal.events
        self.rejections = Rejections(self.policies)
        self.govern = Govern(self.parts, self.policies, self.sees, Limits(), self.rejections)
        self.hold = Hold(self.parts, self.policies, self.govern)
        self.identify = Identify(KEY, self.redactor)

    def panic(self, mode: Any) -> None:
        self.policies.panic = Panic(mode, "alice", 0, "a key is out")

    def flow(
        self, text: str = "hi", target: Target = CHAT, *, body: bytes | None = None, **headers: str
    ) -> HTTPFlow:
        messages = [{"role": "user", "content": text}]
        if body is None:
            body = json.dumps({"model": "m", "stream": True, "messages": messages}).encode()
        request = tutils.treq(
            method=b"POST", host="api.openai.com", path=b"/v1/x", content=body, headers=fields_of(headers)
        )
        flow = tflow.tflow(req=request)
        flow.live = True
        begin(flow, target)
        return flow

    def ask(self, text: str = "hi", **more: Any) -> HTTPFlow:
        """A request, governed."""
        flow = self.flow(text, **more)
        for hook in ("requestheaders", "request"):
            for addon in (self.identify, self.govern):
                getattr(addon, hook)(flow)
        return flow

    def answer(self, flow: HTTPFlow, status: int = 200, **headers: str) -> Response:
        """The head of a streamed answer."""
        headers = {"content_type": "text/event-stream"} | headers
        flow.response = tutils.tresp(status_code=status, content=None, headers=fields_of(headers))
        self.hold.responseheaders(flow)
        return flow.response

    def whole(self, flow: HTTPFlow, body: bytes, **headers: str) -> Response:
        """An answer that is held until it is whole, if somebody wants it whole."""
        headers = {"content_type": "application/json"} | headers
        flow.response = tutils.tresp(content=None, headers=fields_of(headers))
        self.hold.responseheaders(flow)
        if callable(flow.response.stream):  # it is ended already
            return flow.response
        flow.response.raw_content = body
        self.hold.response(flow)
        return flow.response


def fields_of(headers: dict[str, str]) -> Headers:
    return Headers([(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()])


def the(flow: HTTPFlow) -> Call:
    call = call_of(flow)
    assert call
    return call


def told(flow: HTTPFlow) -> list[tuple[str, str, bool, bool]]:
    """What is written down: rule, action, whether it was done, whether the rule could not be judged."""
    heads = [one for head in the(flow).governed for one in head.decisions]
    return [(one.rule, one.action, one.acted, bool(one.failed)) for one in heads]


def streamed(response: Response, *chunks: bytes) -> bytes:
    """What leaves of these pieces and the end."""
    assert callable(response.stream)
    out = [response.stream(chunk) for chunk in (*chunks, b"")]
    return b"".join(piece for pieces in out for piece in ([pieces] if isinstance(pieces, bytes) else pieces))


def said(text: str) -> bytes:
    """A whole answer of a chat."""
    message = {"role": "assistant", "content": text}
    return json.dumps({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}).encode()
