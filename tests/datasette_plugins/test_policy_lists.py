"""Feeds as the worker leaves them: on the policy page, and above every page when one is behind."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from datasette_plugins import dashboard, policy_lists
from datasette_plugins.health import problems
from intelligence.policy import handed
from intelligence.policy.feeds import FeedError, Feeds
from intelligence.policy.load import load
from intelligence.store.status import ProcessStatus
from tests.datasette_plugins.conftest import Site

URL = "https://feeds.example/hosts"
RULES = f"""
lists:
  own: {{kind: hosts, file: own.txt}}
  bad: {{kind: hosts, url: "{URL}", every: 1h}}
rules:
  - {{id: no-host, when: {{host_in: bad}}, action: block}}
"""


class Web:
    """What the feed says, and the worker's clock."""

    def __init__(self, data_dir: Path, folder: Path) -> None:
        self.data_dir, self.folder = data_dir, folder
        self.says: bytes | FeedError = b"a.example\nb.example\n"
        self.now = time.time()
        self._feeds = Feeds(data_dir, self._fetch, lambda: self.now)

    def _fetch(self, url: str) -> bytes:
        if isinstance(self.says, FeedError):
            raise self.says
        return self.says

    def look(self) -> None:
        policies = load(self.folder)
        self._feeds.want(policies.lists)
        self._feeds.look()
        handed.hand_over(self.data_dir, policies)


@pytest.fixture
def web(data_dir: Path) -> Web:
    folder = data_dir.parent / "policies"
    folder.mkdir()
    (folder / "own.txt").write_text("moon.example\n")
    (folder / "a.yaml").write_text(RULES)
    return Web(data_dir, folder)


def lists(web: Web) -> dict[str, policy_lists.PolicyList]:
    found = policy_lists.read(web.data_dir, handed.summary(web.data_dir) or {})
    return {one.name: one for one in found}


def test_all_is_well(web: Web) -> None:
    web.look()
    bad, own = lists(web)["bad"], lists(web)["own"]
    assert (bad.kind, bad.source, bad.is_feed, bad.entries, bad.fault) == ("hosts", URL, True, 2, None)
    assert bad.fetched_at == pytest.approx(web.now * 1000)
    assert (own.source, own.is_feed, own.entries, own.fetched_at) == ("own.txt", False, 1, None)
    assert policy_lists.broken(web.data_dir) == []


def test_a_feed_that_fails_is_told_with_what_is_in_force_instead(web: Web) -> None:
    web.says = FeedError("the answer was 503")
    web.look()
    with ProcessStatus(web.data_dir, "proxy", {}), ProcessStatus(web.data_dir, "worker", {}):
        (problem,) = problems(web.data_dir)
        assert problem.level == "error" and "bad" in problem.text and "the answer was 503" in problem.text
        assert "nothing to fall back on" in problem.text
        web.says, web.now = b"a.example\n", web.now + 400
        web.look()
        assert problems(web.data_dir) == []
        web.says, web.now = FeedError("the answer was 404"), web.now + 4000
        web.look()
        (problem,) = problems(web.data_dir)
    assert problem.level == "warning" and "404" in problem.text and "stays in force" in problem.text


@pytest.mark.parametrize(("age_hours", "late"), [(1.5, False), (2.5, True)])
def test_a_feed_that_nobody_fetches_any_more_is_late(web: Web, age_hours: float, late: bool) -> None:
    web.now -= age_hours * 3600
    web.look()
    assert [one.name for one in policy_lists.broken(web.data_dir)] == (["bad"] if late else [])


def test_what_no_policy_names_any_more_is_not_told(web: Web) -> None:
    web.says = FeedError("gone")
    web.look()
    for instead in (
        RULES.replace("/hosts", "/others"),
        RULES.replace(f'url: "{URL}", every: 1h', "file: own.txt"),
    ):
        (web.folder / "a.yaml").write_text(instead)
        handed.hand_over(web.data_dir, load(web.folder))
        assert policy_lists.broken(web.data_dir) == []
        assert lists(web)["bad"].fetched_at is None


async def test_before_any_list(site: Site) -> None:
    assert policy_lists.read(site.data_dir, {"version": "written by one that had no lists"}) == []
    assert 'id="lists"' not in (await site.get("/-/policy")).text


async def test_on_the_pages(site: Site, web: Web) -> None:
    web.look()
    page = (await site.get("/-/policy")).text
    for shown in ("own.txt", URL, "with the rules", "in force"):
        assert shown in page, shown
    web.says, web.now = FeedError("line 1 '<script>' is no name of a host"), web.now + 4000
    web.look()
    dashboard.here(site.datasette).feed.look_at_health()
    page = (await site.get("/-/policy")).text
    assert (
        "not up to date</span>" in page
        and "The list bad is not up to date" in (await site.get("/-/health")).text
    )
    assert "&#39;&lt;script&gt;&#39; is no name" in page
