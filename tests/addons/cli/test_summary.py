"""The last line of `llmitm exec`: sums, unknown stays unknown."""

from __future__ import annotations

import sqlite3

import pytest

from addons.cli.summary import Usage, describe, link, money, usage


@pytest.fixture
def data_dir(tmp_path):
    with sqlite3.connect(tmp_path / "traffic.db") as db:
        db.executescript("""
            create table requests
                (id text, run text, started_at integer, operation text default 'chat', state text default 'complete');
            create table answers (id text, input_tokens integer, output_tokens integer, cost_usd real);
            create view calls as select q.id, q.started_at, q.operation, q.state, a.input_tokens, a.output_tokens, a.cost_usd
                from requests q left join answers a using (id);
            insert into requests (id, run, started_at) values
                ('a', 'r1', 100), ('b', 'r1', 200), ('c', 'r2', 200), ('d', 'r1', 900);
            insert into requests values ('e', 'r3', 300, 'embeddings', 'complete');
            insert into answers values ('a', 10, 5, null), ('b', null, null, null), ('c', 1000, 500, 0.25),
                ('e', 8, null, null);
        """)
    return tmp_path


def test_calls_of_one_run_within_the_window(data_dir):
    assert usage(data_dir, 100, 500, "r1") == Usage(2, 10, 5, uncounted=1, unpriced=2, first_id="a")


def test_calls_of_any_run(data_dir):
    used = usage(data_dir, 150, 250, None)
    assert (used.calls, used.input_tokens, used.cost_usd, used.unpriced) == (2, 1000, 0.25, 1)


def test_embeddings_have_no_output(data_dir):
    assert usage(data_dir, 100, 500, "r3") == Usage(1, 8, None, uncounted=0, unpriced=1, first_id="e")


def test_nothing_recorded_yet(tmp_path):
    assert usage(tmp_path, 0, 1, None) == Usage()


@pytest.mark.parametrize(
    ("used", "said"),
    [
        (Usage(), "no LLM calls"),
        (Usage(1, 12, 3, unpriced=1), "1 call, 12 tokens in, 3 out, cost unknown"),
        (Usage(1, 8, unpriced=1), "1 call, 8 tokens in, cost unknown"),
        (Usage(2, None, None, uncounted=2, unpriced=2), "2 calls, tokens unknown, cost unknown"),
        (
            Usage(3, 12345, 3, uncounted=1, cost_usd=0.5, unpriced=2),
            "3 calls, 12,345 tokens in, 3 out (1 call unknown), $0.50 (2 calls unknown)",
        ),
    ],
)
def test_describe(used, said):
    assert describe(used) == said


def test_link():
    assert link("http://d/", Usage(), 1, 2) == "http://d/"
    assert link("http://d/", Usage(1, first_id="x"), 1, 2) == "http://d/-/calls/x"
    assert link("http://d/", Usage(2), 1, 2).startswith(
        "http://d/traffic/calls?started_at__gte=1&started_at__lte=2"
    )


@pytest.mark.parametrize(
    ("usd", "text"),
    [
        (1204.5, "$1,204.50"),
        (0.5, "$0.50"),
        (0.01, "$0.01"),
        (0.0042, "$0.0042"),
        (0.0000123, "$0.000012"),
        (0, "$0.00"),
    ],
)
def test_money(usd: float, text: str):
    assert money(usd) == text
