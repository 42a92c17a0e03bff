"""Feeds: what came last stays whatever happens, and what is odd is not believed."""

from __future__ import annotations

import hashlib
import re
import sqlite3
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from intelligence.policy import feeds, handed
from intelligence.policy.feeds import FeedError, Feeds, fetched, kept, states
from intelligence.policy.lists import NamedList
from intelligence.policy.load import load
from intelligence.policy.rule import List
from intelligence.policy.watch import Watch
from intelligence.store.migrations import open_database
from tests.rig.authority import Authority

URL = "https://feeds.example/hosts"
FOUR = b"a.example\nb.example\nc.example\nd.example\n"


class Web:
    """What a feed says now; the clock too."""

    def __init__(self) -> None:
        self.says: bytes | Exception = FOUR
        self.asked: list[str] = []
        self.now = 1_000_000.0

    def fetch(self, url: str) -> bytes:
        self.asked.append(url)
        if isinstance(self.says, Exception):
            raise self.says
        return self.says


def spec(**more: Any) -> List:
    return List.model_validate({"kind": "hosts", "url": URL} | more)


@pytest.fixture
def web() -> Web:
    return Web()


@pytest.fixture
def made(tmp_path: Path, web: Web) -> Feeds:
    made = Feeds(tmp_path, web.fetch, lambda: web.now)
    made.want({"bad": NamedList(spec(), None)})
    return made


def entries(folder: Path, one: List | None = None) -> tuple[str, ...] | None:
    return kept(folder, "bad", NamedList(one or spec(), None)).entries


def test_nothing_is_fetched_that_nobody_wants(tmp_path: Path, web: Web) -> None:
    made = Feeds(tmp_path, web.fetch)
    made.want({"bad": NamedList(List.model_validate({"kind": "hosts", "file": "x"}), ())})
    assert not made.look() and web.asked == []


def test_it_is_fetched_when_it_is_due(made: Feeds, web: Web, tmp_path: Path) -> None:
    assert made.look() and entries(tmp_path) == ("a.example", "b.example", "c.example", "d.example")
    web.now += 3599
    assert not made.look() and len(web.asked) == 1
    web.now += 2
    assert not made.look() and len(web.asked) == 2  # it is the same
    web.now += 3601
    web.says = FOUR + b"e.example"
    assert made.look() and len(entries(tmp_path) or ()) == 5
    web.now -= 10_000  # a clock set back does not silence it for hours
    made.look()
    assert len(web.asked) == 4


@pytest.mark.parametrize(
    ("says", "why"),
    [
        (FeedError("it cannot be fetched: gone"), "it cannot be fetched: gone"),
        (b"", "it is empty"),
        (b"# nothing\n\n", "it is empty"),
        (b"a.example\n", "it shrank from 4 entries to 1"),
        (b"<html>no such page</html>", "line 1 .*no name of a host"),
        (b"*\n" + FOUR, "line 1 .*matches every host"),
        (b"\xff\xfe", "not UTF-8"),
    ],
    ids=range(7),
)
def test_the_last_good_list_stays(made: Feeds, web: Web, tmp_path: Path, says: Any, why: str) -> None:
    made.look()
    before = entries(tmp_path)
    web.says = says
    for _ in range(3):
        web.now += 4000
        assert not made.look()
    assert entries(tmp_path) == before and len(before or ()) == 4
    assert re.search(why, states(tmp_path)["bad"].fault or "")
    with closing(open_database(tmp_path / "traffic.db")) as db:
        made.tell(db)
        made.tell(db)
        told = db.execute("select kind, message from events").fetchall()
        assert [kind for kind, _ in told] == ["feed_failed"] and "what came last stays in force" in told[0][1]
        web.says, web.now = FOUR, web.now + 4000
        made.look()
        made.tell(db)
        assert db.execute("select kind from events order by id desc").fetchone() == ("feed_read",)
    assert states(tmp_path)["bad"].fault is None


def test_events_wait_until_they_can_be_written(made: Feeds, web: Web, tmp_path: Path) -> None:
    web.says = FeedError("gone")
    made.look()
    with closing(sqlite3.connect(":memory:")) as db, pytest.raises(sqlite3.OperationalError):
        made.tell(db)
    with closing(open_database(tmp_path / "traffic.db")) as db:
        made.tell(db)
        assert "there is nothing to fall back on" in db.execute("select message from events").fetchone()[0]


def test_after_a_failure_it_is_asked_again_sooner(made: Feeds, web: Web) -> None:
    web.says = FeedError("gone")
    made.look()
    web.now += 200
    made.look()
    assert len(web.asked) == 1
    web.now += 150
    made.look()
    assert len(web.asked) == 2


def test_a_person_may_accept_what_is_not_believed(made: Feeds, web: Web, tmp_path: Path) -> None:
    made.look()
    web.says, web.now = b"a.example\n", web.now + 4000
    made.look()
    digest = hashlib.sha256(b"a.example\n").hexdigest()
    assert f"sha256: {digest}" in (states(tmp_path)["bad"].fault or "")
    pinned = spec(sha256=digest)
    made.want({"bad": NamedList(pinned, None)})
    assert made.look()  # at once, though it is not due
    assert entries(tmp_path, pinned) == ("a.example",)


def test_only_what_is_named_is_taken(tmp_path: Path, web: Web) -> None:
    pinned = spec(sha256=hashlib.sha256(FOUR).hexdigest().upper())
    made = Feeds(tmp_path, web.fetch, lambda: web.now)
    made.want({"bad": NamedList(pinned, None)})
    assert made.look()
    web.says, web.now = FOUR + b"e.example", web.now + 4000
    assert not made.look() and len(entries(tmp_path, pinned) or ()) == 4
    assert "names another" in (states(tmp_path)["bad"].fault or "")


def test_what_came_is_of_this_url_and_kind(made: Feeds, web: Web, tmp_path: Path) -> None:
    made.look()
    assert entries(tmp_path, spec(url="https://other.example/hosts")) is None
    assert entries(tmp_path, spec(kind="patterns")) is None
    web.says = b"a.example\n"
    made.want({"bad": NamedList(spec(url="https://other.example/hosts"), None)})
    assert made.look()  # another feed has not shrunk


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"bad": {"x": 1}}'])
def test_a_damaged_state_is_no_list(made: Feeds, tmp_path: Path, damage: bytes) -> None:
    made.look()
    (tmp_path / feeds.STATE).write_bytes(damage)
    assert entries(tmp_path) is None
    assert made.look() and entries(tmp_path)


def test_what_changes_is_in_force_by_the_worker(tmp_path: Path, web: Web) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "a.yaml").write_text(
        f"lists: {{bad: {{kind: hosts, url: '{URL}'}}}}\nrules:\n"
        "  - {id: no-bad, action: block, fail: closed, when: {host_in: bad}}\n"
    )
    made = Feeds(tmp_path, web.fetch, lambda: web.now)
    watch = Watch(tmp_path / "policies", tmp_path, lambda: lambda *_: [], made)
    assert watch.look() and _listed(tmp_path) is None
    made.look()
    assert watch.look() and _listed(tmp_path) == ["a.example"]
    assert not watch.look()
    first = handed.take(tmp_path).compiled.version
    web.says, web.now = FOUR.replace(b"a.", b"x."), web.now + 4000
    made.look()
    assert watch.look() and _listed(tmp_path) == ["x.example"]
    taken = handed.take(tmp_path).compiled
    assert taken.version != first
    assert handed.complete(load(tmp_path / "policies"), tmp_path).version == taken.version


def _listed(folder: Path) -> list[str] | None:
    one = handed.take(folder).compiled.rules[0].named.lists["bad"]
    return None if one is None else [name for name in ("a.example", "x.example") if one.host(name)]


class Site(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path.startswith("/to"):
            self.send_response(302)
            target = {"/to-http": "http://localhost:1/x", "/to-list": "/list", "/to-itself": "/to-itself"}
            self.send_header("location", target[self.path])
            self.end_headers()
            return
        self.send_response(200 if self.path in ("/list", "/large") else 404)
        self.end_headers()
        self.wfile.write(FOUR if self.path == "/list" else b"x" * 5000)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    authority = Authority(tmp_path_factory.mktemp("ca"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.leaf(["localhost"]))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"https://localhost:{server.server_port}", authority.ca_file
    server.shutdown()
    server.server_close()


def test_fetching(site: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    at, ca = site
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")  # that of a shell is not the worker's
    assert fetched(f"{at}/list", ca_file=ca) == fetched(f"{at}/to-list", ca_file=ca) == FOUR
    monkeypatch.setattr(feeds, "MAX_BYTES", 1000)
    for path, why in (
        ("/none", "the answer was 404"),
        ("/large", "larger than"),
        ("/to-http", "not https"),
        ("/to-itself", "cannot be fetched"),
    ):
        with pytest.raises(FeedError, match=why):
            fetched(at + path, ca_file=ca)
    with pytest.raises(FeedError, match="certificate"):
        fetched(f"{at}/list")
    with pytest.raises(FeedError, match="cannot be fetched"):
        fetched("https://localhost:1/x", ca_file=ca)
