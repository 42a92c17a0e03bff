"""Lists that come from elsewhere: fetched by the worker, checked, and kept under `data/policy/feeds/`.

Nothing is fetched unless a policy file names a url, and then by `https://` alone. What came last and was sound stays in force
whatever happens: a feed that cannot be reached, that is no list of its kind, or is not what `sha256` says. A feed that came
empty, or has lost more than half of its entries, is not believed either: it stays out until the policy file names its SHA-256.
A list that never came at all is not empty but unknown: a rule that looks into it cannot be judged, and fails as it says.
What is wrong with a feed stands in `data/policy/feeds.json`, and is told once each time it changes.
"""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from intelligence.policy.lists import MAX_BYTES, BadList, NamedList, parse
from intelligence.policy.rule import List
from intelligence.private_file import write_private
from intelligence.store import events

log = logging.getLogger("llmitm.policy")

FOLDER, STATE = Path("policy") / "feeds", Path("policy") / "feeds.json"
LOOK_SECONDS = 1.0
# After a failure the feed is asked again sooner than it would be, but not at once.
AGAIN_SECONDS = 300.0
# A feed that shrank to less than this share of what it was is not believed.
SHRUNKEN = 0.5

# Events that wait to be written.
MAX_TOLD = 100

type Fetch = Callable[[str], bytes]
"""What stands at a url. Raises `FeedError`."""


class FeedError(Exception):
    """Why a feed was not taken. The message is for the user."""


@dataclass(frozen=True, slots=True)
class State:
    """Of a feed: where it comes from, when it came last, how many entries are in force, when it was asked for and with which
    SHA-256 in the policy file, and what is wrong with it now."""

    url: str
    kind: str
    fetched_at: float | None = None
    entries: int | None = None
    asked_at: float = 0.0
    sha256: str | None = None
    fault: str | None = None

    def behind(self, every: float) -> str | None:
        """Why what is in force is not what it should be: the feed failed, or came no more though it was due twice over (`every`
        is in seconds): then nobody fetches it."""
        if self.fault or self.fetched_at is None or time.time() - self.fetched_at < 2 * every + AGAIN_SECONDS:
            return self.fault
        return "it was to be fetched again long ago, and nobody did; the worker does that"


def states(data_dir: Path) -> dict[str, State]:
    """Of every feed there was."""
    try:
        value = json.loads((data_dir / STATE).read_text("utf-8"))
        return {str(name): State(**one) for name, one in value.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def kept(data_dir: Path, name: str, one: NamedList) -> NamedList:
    """The list with what its feed brought last; as it is when it comes from a file, or from nowhere yet."""
    if one.spec.url is None:
        return one
    state = states(data_dir).get(name)
    if state is None or (state.url, state.kind) != (one.spec.url, one.spec.kind) or state.entries is None:
        return one
    try:
        return replace(one, entries=parse(_path(data_dir, name).read_bytes(), one.spec.kind))
    except (OSError, BadList) as e:
        log.error("what the feed %s brought cannot be read any more: %s", name, e)
        return one


class Feeds:
    """Of one data folder. `want` says which; `run` fetches what is due."""

    def __init__(self, data_dir: Path, fetch: Fetch, clock: Callable[[], float] = time.time) -> None:
        self._data_dir = data_dir
        self._fetch = fetch
        self._clock = clock
        self._wanted: dict[str, List] = {}
        self._told: deque[tuple[int, str, str]] = deque(maxlen=MAX_TOLD)

    def want(self, lists: Mapping[str, NamedList]) -> None:
        self._wanted = {name: one.spec for name, one in lists.items() if one.spec.url}

    def look(self) -> bool:
        """Fetch what is due. Whether a list in force changed. Raises `OSError`."""
        changed = False
        for name, spec in list(self._wanted.items()):
            state = states(self._data_dir).get(name) or State("", "")
            if (state.url, state.kind) != (spec.url, spec.kind):
                state = State(spec.url or "", spec.kind)
            now = self._clock()
            wait = spec.every if state.fault is None else min(spec.every, AGAIN_SECONDS)
            if state.asked_at <= now < state.asked_at + wait and state.sha256 == spec.sha256:
                continue
            changed = self._take(name, spec, replace(state, asked_at=now, sha256=spec.sha256)) or changed
        return changed

    def run(self, stop: threading.Event) -> None:
        while not stop.wait(LOOK_SECONDS):
            try:
                self.look()
            except Exception:  # the boundary of the thread: the next feed must be seen
                log.exception("looking at the feeds failed")

    def tell(self, db: sqlite3.Connection) -> None:
        """What happened since, as events. Raises `sqlite3.Error`."""
        while self._told:
            at, kind, message = self._told[0]
            events.tell(db, at, kind, message)
            self._told.popleft()

    def _take(self, name: str, spec: List, state: State) -> bool:
        """Whether the list changed."""
        path = _path(self._data_dir, name)
        try:
            data = self._fetch(spec.url or "")
            entries = _believed(data, spec, state)
        except FeedError as e:
            self._tell(name, state, replace(state, fault=str(e)))
            return False
        text = "".join(f"{entry}\n" for entry in entries).encode()
        changed = state.entries is None or not path.exists() or path.read_bytes() != text
        if changed:
            write_private(path, text)
        now = self._clock()
        self._tell(name, state, replace(state, fetched_at=now, entries=len(entries), fault=None))
        return changed

    def _tell(self, name: str, before: State, now: State) -> None:
        all_ = {key: one for key, one in states(self._data_dir).items() if key in self._wanted} | {name: now}
        value = {key: asdict(one) for key, one in all_.items()}
        write_private(self._data_dir / STATE, json.dumps(value, indent=1).encode())
        if now.fault and now.fault != before.fault:
            stays = (
                "what came last stays in force"
                if now.entries is not None
                else "there is nothing to fall back on"
            )
            log.error("the list %s was not taken from %s: %s; %s", name, now.url, now.fault, stays)
            self._told.append((int(now.asked_at * 1000), "feed_failed", f"{name}: {now.fault}; {stays}"))
        elif before.fault and not now.fault:
            log.info("the list %s could be read again: %d entries", name, now.entries)
            self._told.append((int(now.asked_at * 1000), "feed_read", f"{name}: {now.entries} entries"))


def _believed(data: bytes, spec: List, state: State) -> tuple[str, ...]:
    """The entries. Raises `FeedError`."""
    digest = hashlib.sha256(data).hexdigest()
    if spec.sha256 is not None and spec.sha256.lower() != digest:
        raise FeedError(f"it has the SHA-256 {digest}, and the policy file names another")
    try:
        entries = parse(data, spec.kind)
    except BadList as e:
        raise FeedError(f"line {e.line} {e}") from None
    if spec.sha256 is None:
        accept = f"if that is right, say so in the policy file: sha256: {digest}"
        if not entries:
            raise FeedError(f"it is empty; {accept}")
        if state.entries is not None and len(entries) < state.entries * SHRUNKEN:
            raise FeedError(f"it shrank from {state.entries:,} entries to {len(entries):,}; {accept}")
    return entries


def fetched(url: str, *, proxy: str | None = None, ca_file: Path | None = None) -> bytes:
    """Over TLS, every step of the way, and no more than a list may have. Raises `FeedError`."""
    import ssl

    import certifi
    import httpx  # takes long to load, and few have feeds

    def secure(request: httpx.Request) -> None:
        if request.url.scheme != "https":
            raise FeedError(f"it leads to {request.url.scheme}://{request.url.host}, which is not https")

    context = ssl.create_default_context(cafile=str(ca_file or certifi.where()))
    try:
        with (
            httpx.Client(
                verify=context, proxy=proxy, trust_env=False, timeout=30, follow_redirects=True, max_redirects=3,
                event_hooks={"request": [secure]},
            ) as client,
            client.stream("GET", url) as response,
        ):  # fmt: skip
            if response.status_code != 200:
                raise FeedError(f"the answer was {response.status_code}")
            data = bytearray()
            for piece in response.iter_bytes():
                data += piece
                if len(data) > MAX_BYTES:
                    raise FeedError(f"it is larger than {MAX_BYTES // 1_000_000} MB")
            return bytes(data)
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as e:
        raise FeedError(f"it cannot be fetched: {e or type(e).__name__}") from None


def _path(data_dir: Path, name: str) -> Path:
    """Names may be anything."""
    return data_dir / FOLDER / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.txt"
