from __future__ import annotations

import json
import sqlite3
import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasette_plugins import excerpt
from datasette_plugins.feed import Feed, Known
from datasette_plugins.mask import NOTHING_HIDDEN, Mask
from intelligence.detect.lazily import LazyScanner
from intelligence.policy.allowed import allowed
from intelligence.policy.rule import Allowance
from intelligence.store import finding_shown, search
from intelligence.store.search_query import read
from tests.datasette_plugins.conftest import Site, as_user
from tests.datasette_plugins.session_records import Talk, assistant, call, result, user
from tests.datasette_plugins.test_stream import Listener

KEY = "ghp_aB3dE6gH9jK2mN5pQ8sT1vW4xY7zA0bC3dE6"
MAIL = "grace.hopper@navy.example.org"
SECRETS = (KEY, MAIL)
MASK = Mask(LazyScanner(b"key"), b"key")

texts = st.lists(st.sampled_from([*SECRETS, " and ", "\n", '"', "words", "…", "🙂 "]), max_size=12).map(
    " ".join
)


def test_each_thing_gets_the_placeholder_of_its_kind() -> None:
    shown = MASK.text(f"write to {MAIL} with {KEY} please")
    assert shown.startswith("write to REDACTED-PII-email-address-") and shown.endswith(" please")
    assert "REDACTED-SECRET-github-token-" in shown
    assert NOTHING_HIDDEN.text(KEY) == KEY and not NOTHING_HIDDEN


@given(texts)
def test_nothing_is_left_and_the_rest_stays(text: str) -> None:
    shown = MASK.text(f" {text} ")
    assert MASK.text(shown) == shown
    if not any(secret in text for secret in SECRETS):
        assert shown == f" {text} "


@given(texts, st.lists(st.integers(0, 400)))
def test_pieces_show_what_the_whole_text_would(text: str, cuts: list[int]) -> None:
    marks = [0, *sorted(min(at, len(text)) for at in cuts), len(text)]
    pieces = [text[a:b] for a, b in pairwise(marks)]
    shown = MASK.pieces(pieces)
    assert len(shown) == len(pieces) and "".join(shown) == MASK.text(text)


@pytest.mark.parametrize("length", [4, 10, len(KEY) - 1])
def test_of_what_was_cut_off_nothing_is_left(length: int) -> None:
    assert MASK.text(f"the key is {KEY[:length]}", cut=True) == "the key is …"
    assert MASK.text("a key:\n-----BEGIN PRIVATE KEY-----\nMIIE\nvgIB", cut=True) == "a key:\n…"


def test_what_somebody_allowed_is_shown() -> None:
    entry = Allowance(kind="pii", value=MAIL, reason="hers is public")
    mask = Mask(LazyScanner(b"key"), b"key", allowed([entry], b"key"))
    assert MAIL in mask.text(f"{MAIL} {KEY}") and KEY not in mask.text(f"{MAIL} {KEY}")


def recorded(db: sqlite3.Connection) -> str:
    """A session with secrets wherever one can be; the id of its last call, which is indexed."""
    talk = Talk(db)
    run = call("c1", "Bash", command=f"curl -u {MAIL} -H 'token: {KEY}' x")
    asked = [user(f"Send {KEY} to {MAIL}")]
    first = talk.say(asked, f"I shall use {KEY}", [run], reasoning=f"{MAIL}?", error_message=f"bad {KEY}")
    done = [*asked, assistant(f"I shall use {KEY}", [run]), result("c1", f"sent to {MAIL}")]
    pieces = [(float(at), b'data: {"choices":[{"delta":{"content":%s}}]}\n\n' % json.dumps(piece).encode())
              for at, piece in enumerate((KEY[:9], KEY[9:30], f"{KEY[30:]} it was"))]  # fmt: skip
    last = talk.say(
        done,
        f"{KEY} it was",
        answer=pieces,
        path=f"/v1/chat/completions?to={MAIL}",
        headers=json.dumps([["content-type", "application/json"], ["from", MAIL]]),
        state="error",
        started_at=time.time_ns() // 1_000_000,
        error_message=f"No such key: {KEY}",
    )
    for seq, call_id in db.execute("select seq, id from requests").fetchall():
        words = {"user": f"otter {KEY} {MAIL}", "assistant": f"heron {KEY}"}
        for role, text in words.items():
            db.execute(search.PUT, (4 * seq + search.ROLES.index(role), seq, role, f"{call_id} {text}"))
    assert first != last
    return last


PAGES = (
    "/", "/-/live", "/-/calls/CALL", "/-/calls/CALL?view=written", "/-/sessions", "/-/sessions/SESSION",
    "/-/sessions/SESSION/tools", "/-/sessions/SESSION/replay", "/-/sessions/SESSION/replay/CALL", "/-/health",
    "/-/search?q=otter", "/-/search?q=heron&sort=best", "/-/search?q=role:user", "/-/search?q=since:10y", "/-/decisions",
)  # fmt: skip


async def test_a_viewer_finds_no_secret_on_any_page(
    locked: Site, tokens: dict[str, str], db: sqlite3.Connection
) -> None:
    last = recorded(db)
    (session,) = db.execute("select id from sessions").fetchone()
    leaks: dict[str, set[str]] = {"viewer": set(), "reviewer": set()}
    for role, found in leaks.items():
        for page in PAGES:
            path = page.replace("CALL", last).replace("SESSION", session)
            response = await locked.get(path, headers=as_user(tokens[role]))
            assert response.status_code == 200, path
            found |= {page for part in (*SECRETS, KEY[:9], KEY[9:30]) if part in response.text}
    assert leaks["viewer"] == set()
    # The others see it: so the walk looks where secrets are.
    assert leaks["reviewer"] >= {page for page in PAGES if page not in ("/-/live", "/-/decisions")} - {"/"}


async def test_live_events_have_no_words_for_a_viewer(
    locked: Site, tokens: dict[str, str], db: sqlite3.Connection
) -> None:
    recorded(db)
    await locked.datasette.start_background_tasks()
    for role, sees in (("reviewer", True), ("viewer", False)):
        listener = Listener(locked, headers=[(b"cookie", as_user(tokens[role])["cookie"].encode())])
        rows = (await listener.next("calls"))[1]["rows"]
        await listener.leave()
        assert (KEY in json.dumps(rows)) is sees
        assert any(row["preview"].endswith("→ Bash") for row in rows)


def test_nor_has_what_is_told_of_running_calls(data_dir: Path) -> None:
    feed = Feed(data_dir)
    running = Known(1, {"id": "a", "state": "pending"}, 1, {"preview": KEY, "progress": "2 pieces"}, 1)
    feed._known = {1: running}
    assert json.loads(feed.progress(0)) == {"a": running.told}
    assert json.loads(feed.progress(0, masked=True)) == {"a": {"progress": "2 pieces"}}


@pytest.mark.parametrize("text", [KEY, KEY[:12] + "*", MAIL, '"grace hopper"', "otter navy", "sess grace*"])
async def test_no_search_tells_of_what_is_hidden(
    locked: Site, tokens: dict[str, str], db: sqlite3.Connection, text: str
) -> None:
    recorded(db)
    for sort in ("newest", "best"):
        got = await locked.get(
            "/-/search", params={"q": text, "sort": sort}, headers=as_user(tokens["viewer"])
        )
        assert "/-/calls/" not in got.text and "1 result" not in got.text and "2 result" not in got.text


async def test_nor_does_the_lack_of_it(locked: Site, tokens: dict[str, str], db: sqlite3.Connection) -> None:
    recorded(db)
    got = [
        (await locked.get("/-/search", params={"q": q}, headers=as_user(tokens["viewer"]))).text.count(
            "/-/calls/"
        )
        for q in ("otter", "otter -grace", f"otter -{KEY[:8]}*", "otter -otter")
    ]
    assert got[0] == got[1] == got[2] > 0 == got[3]


async def test_titles_are_not_found_by_what_is_hidden_in_them(
    locked: Site, tokens: dict[str, str], db: sqlite3.Connection
) -> None:
    recorded(db)
    (session,) = db.execute("select id from sessions").fetchone()
    found = {}
    for role in ("viewer", "reviewer"):
        for title in ("Send", KEY[:8], "hopper"):
            html = (
                await locked.get("/-/sessions", params={"title": title}, headers=as_user(tokens[role]))
            ).text
            found[role, title] = session in html
    assert found == {(role, title): role == "reviewer" or title == "Send" for role, title in found}


def test_a_page_of_what_is_shown_goes_on_to_the_next(db: sqlite3.Connection) -> None:
    for seq in range(1, 8):
        Talk(db, at_ms=1_790_000_000_000 + seq).say([user("x")])
        db.execute(search.PUT, (4 * seq + 1, seq, "user", f"otter {seq} {KEY if seq % 2 else 'plain'}"))
    for words, wanted in (("otter", [7, 6, 5, 4, 3, 2, 1]), ("plain", [6, 4, 2]), ("ghp*", [])):
        for ranked in (False, True):
            seqs: list[int] = []
            before = None
            while True:
                page = finding_shown.find_shown(
                    db,
                    read(words, now_ms=0),
                    lambda text, cut: MASK.text(text, cut=cut),
                    before=before,
                    limit=2,
                    ranked=ranked,
                )
                assert before or page.total == len(wanted)
                seqs += [row["seq"] for row in page.rows]
                if (before := page.more) is None:
                    break
            assert (sorted(seqs, reverse=True) if ranked else seqs) == wanted


def test_excerpts_hide_what_was_seen_and_what_is_seen() -> None:
    text = f"a {KEY} b {MAIL} c"
    shown = excerpt.pieces(text, 0, 1, [(e.start, e.end) for e in MASK.edits(text)])
    assert "".join(part for part, _ in shown) == f"a {excerpt.DOTS} b {excerpt.DOTS} c"
