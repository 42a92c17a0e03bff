import itertools
import json
import random
import sqlite3
from contextlib import closing

import pytest
import sqlite_utils
from hypothesis import given, settings
from hypothesis import strategies as st

from intelligence.store import rollups
from intelligence.store.drain import Drain
from intelligence.store.ids import uuid7
from intelligence.store.journal import EndHead, ResponseHead
from intelligence.store.journal_writer import JournalWriter
from intelligence.store.migrations import migrations, open_database
from intelligence.store.pricing import Prices
from intelligence.store.rollups import BUCKETS, DAY_MS, HOUR_MS, columns, quantile
from intelligence.store.settle import settle
from tests.intelligence.store.traffic import SSE, call, prompt, request_head, rows, socket_head, stream

# What the rollups should hold, from the rows themselves, said another way.
FROM_ROWS = """
select started_at - started_at % 3600000 as hour, provider, coalesce(model, response_model) as model, client, user,
    count(*) as requests, count(*) filter (where state = 'error') as errors,
    count(*) filter (where input_tokens is null or output_tokens is null) as uncounted,
    count(*) filter (where cost_usd is null) as unpriced, sum(input_tokens) as input_tokens,
    sum(output_tokens) as output_tokens, round(sum(cost_usd), 9) as cost_usd
from calls where state <> 'pending' group by 1, 2, 3, 4, 5 order by 1, 2, 3, 4, 5"""
NAMES = (
    "hour provider model client user requests errors uncounted unpriced input_tokens output_tokens".split()
)


def sums(db: sqlite3.Connection) -> list[dict]:
    return rows(
        db,
        f"select {', '.join(NAMES)}, round(cost_usd, 9) as cost_usd from rollup_hourly order by 1, 2, 3, 4, 5",
    )


# The days, from the hours. NULL and '' are one name to the key.
EACH = [*rollups.ALL_COUNTS, *(name for name in rollups.SUMS if not name.endswith("_usd"))]
FROM_HOURS = f"""
select hour - hour % 86400000 as day, {", ".join(f"coalesce({key}, '') as {key}" for key in rollups.KEYS)},
    {", ".join(f"sum({name}) as {name}" for name in EACH)},
    round(sum(cost_usd), 6) as cost_usd, round(sum(subscription_usd), 6) as subscription_usd
from rollup_hourly group by 1, 2, 3, 4, 5 order by 1, 2, 3, 4, 5"""
DAYS = FROM_HOURS.replace("hour - hour % 86400000 as day", "day").replace("rollup_hourly", "rollup_daily")


def days_agree(db: sqlite3.Connection) -> None:
    days = rows(db, DAYS)
    assert days == rows(db, FROM_HOURS)
    assert len(days) == rows(db, "select count(*) as n from rollup_daily")[0]["n"]


def agree(db: sqlite3.Connection) -> None:
    assert sums(db) == rows(db, FROM_ROWS)
    days_agree(db)
    ended = rows(db, "select count(*) as n from requests where state <> 'pending'")[0]["n"]
    for measure in ("duration", "ttft"):
        counted = rows(db, f"select sum({' + '.join(columns(measure))}) as n from rollup_hourly")[0]["n"]
        known = rows(
            db,
            f"select count(*) as n from calls where {measure}_ms is not null and state <> 'pending'",
        )[0]["n"]
        assert (counted or 0) == known <= ended


@pytest.fixture
def db(tmp_path):
    with closing(open_database(tmp_path / "traffic.db")) as db:
        yield db


def test_sums_are_those_of_the_rows(tmp_path, db):
    with (
        closing(JournalWriter(tmp_path / "journal")) as journal,
        closing(Drain(db, tmp_path / "journal")) as drain,
    ):
        for user, n in itertools.product((None, "ann"), range(3)):
            call(journal, stream("a", "b"), head=request_head(user=user), body=prompt(f"{n}"))
        call(journal, [], status=500)
        call(journal, stream("a", done=False), end=EndHead("client_left"))
        call(journal, stream("a"), head=request_head(model="unheard-of", provider=None))
        call(journal, [], head=socket_head())
        drain.step()
        agree(db)
        before = sums(db)
        assert sum(row["requests"] for row in before) == 10
        call(journal, stream("c"), head=request_head(user="ann"))
        drain.step()
        agree(db)
        assert len(sums(db)) == len(before)


def test_a_call_counts_when_it_ends_and_once(tmp_path, db):
    with closing(JournalWriter(tmp_path / "journal")) as journal:
        raw = uuid7()
        with closing(Drain(db, tmp_path / "journal")) as drain:
            journal.request(raw, request_head(), prompt("hi"))
            drain.step()
            assert sums(db) == []
            journal.response(raw, ResponseHead(200, "OK", "HTTP/1.1", SSE))
            for chunk in stream("a"):
                journal.chunk(raw, chunk)
            drain.step()
            assert sums(db) == []
        with closing(Drain(db, tmp_path / "journal")) as drain:  # another worker
            journal.end(raw, EndHead("complete"))
            drain.step()
            agree(db)
            assert [row["requests"] for row in sums(db)] == [1]
            drain.step()
            agree(db)


def put(db: sqlite3.Connection, n: int, seed: int = 0) -> list[int]:
    """Ended calls of all kinds, straight into the tables."""
    rng = random.Random(seed)
    seqs = []
    for _ in range(n):
        seq = (db.execute("select coalesce(max(seq), 0) from requests").fetchone()[0]) + 1
        db.execute(
            "insert into requests (seq, id, run, state, started_at, user, client, provider, operation, model, websocket,"
            " body_redacted, truncated) values (?, ?, 'r', ?, ?, ?, 'c', ?, 'chat', ?, 0, 0, 0)",
            (
                seq,
                f"id{seq}",
                rng.choice(["complete", "complete", "error", "aborted", "blocked", "interrupted"]),
                1_795_000_000_000 + rng.randrange(3 * HOUR_MS) + rng.choice([0, DAY_MS]),
                rng.choice([None, "ann", ""]),
                rng.choice([None, "openai"]),
                rng.choice([None, "gpt-4o"]),
            ),
        )
        if rng.random() < 0.8:
            db.execute(
                "insert into responses (request, body_redacted, model, input_tokens, output_tokens, ttft_ms, duration_ms)"
                " values (?, 0, 'gpt-4o', ?, ?, ?, ?)",
                (
                    seq,
                    rng.choice([None, rng.randrange(10**6)]),
                    rng.choice([None, 5]),
                    rng.choice([None, 0, 50, 50.5, 10**7]),
                    rng.choice([None, 0.0, 300_000, 300_001]),
                ),
            )
        seqs.append(seq)
    return seqs


def test_what_is_forgotten_is_taken_out(db):
    seqs = put(db, 200)
    settle(db, seqs, Prices())
    gone = seqs[::3]
    rollups.take_out(db, gone)
    db.execute("delete from requests where seq in (select value from json_each(?))", (json.dumps(gone),))
    found = rows(db, "select requests, uncounted from rollup_hourly")
    # NULL and '' are one user to the key: they cannot be told apart by name anyway.
    wanted = rows(db, FROM_ROWS)
    assert (
        sum(row["requests"] for row in found)
        == sum(row["requests"] for row in wanted)
        == len(seqs) - len(gone)
    )
    assert sum(row["uncounted"] for row in found) == sum(row["uncounted"] for row in wanted)
    days_agree(db)
    rest = [seq for seq in seqs if seq not in gone]
    rollups.take_out(db, rest)
    assert rows(db, "select * from rollup_hourly") == rows(db, "select * from rollup_daily") == []


def test_any_cut_into_batches_gives_the_same(tmp_path):
    def totals(cut: int) -> list[dict]:
        with closing(open_database(tmp_path / f"{cut}.db")) as db:
            seqs = put(db, 60)
            for at in range(0, len(seqs), cut):
                settle(db, seqs[at : at + cut], Prices())
            return rows(db, "select * from rollup_hourly order by hour, provider, model, user")

    def close(left: dict, right: dict) -> bool:
        return all(left[k] == pytest.approx(right[k]) for k in left if k not in ("id", "user", "cost_usd"))

    one, many = totals(1), totals(60)
    assert len(one) == len(many) and all(map(close, one, many))


def test_what_is_left_may_be_unknown(db):
    seqs = put(db, 40, seed=3)
    settle(db, seqs, Prices())
    unpriced = rows(
        db, "select id from calls where cost_usd is null and provider = 'openai' and user = 'ann'"
    )
    kept = {int(row["id"][2:]) for row in unpriced}
    assert kept
    rollups.take_out(db, [seq for seq in seqs if seq not in kept])
    assert {row["cost_usd"] for row in rows(db, "select cost_usd from rollup_hourly")} == {None}


@pytest.mark.parametrize(
    ("table", "begins", "step"),
    [("rollup_daily", "day", "m042_rollup_daily"), ("rollup_weekly", "week", "m061_rollup_weekly")],
)
def test_longer_spans_of_an_older_record_are_made_of_shorter_ones(db, table, begins, step):
    settle(db, put(db, 100), Prices())

    def sums():
        found = rows(db, f"select * from {table} order by {begins}, provider, model, client, user")
        return [
            {k: round(v, 9) if isinstance(v, float) else v for k, v in row.items() if k != "id"}
            for row in found
        ]

    wanted = sums()
    db.execute("drop view daily_cost")
    db.execute(f"drop table {table}")
    db.execute("delete from _sqlite_migrations where name = ?", (step,))
    migrations.apply(sqlite_utils.Database(db))
    assert sums() == wanted != []
    with pytest.raises(sqlite3.IntegrityError):
        db.execute(
            f"insert into {table} select null, {begins}, provider, model, client, user, 0, 0, 0, 0, 0, 0, "
            f"null, null, null, null, null, null, null{', 0' * 40} from {table} limit 1"
        )


def test_unknown_stays_unknown(db):
    db.execute(
        "insert into requests (seq, id, run, state, started_at, websocket, body_redacted, truncated)"
        " values (1, 'a', 'r', 'interrupted', 1, 0, 0, 0)"
    )
    settle(db, [1], Prices())
    (row,) = rows(db, "select * from rollup_hourly")
    assert (row["provider"], row["input_tokens"], row["cost_usd"], row["subscription_usd"]) == (None,) * 4
    assert (row["requests"], row["aborted"], row["unpriced"], row["uncounted"]) == (1, 1, 1, 1)


@given(st.lists(st.floats(0, 290_000), min_size=1, max_size=200), st.floats(0, 1))
@settings(max_examples=100, deadline=None)
def test_quantiles_are_right_to_a_bucket(values, q):
    bounds = (0, *BUCKETS)
    counts = [
        sum(low < v <= high or (low == 0 == v) for v in values) for low, high in itertools.pairwise(bounds)
    ]
    exact = sorted(values)[max(-(-q * len(values) // 1) - 1, 0).__int__()]
    bucket = next(n for n, high in enumerate(BUCKETS) if exact <= high)
    found = quantile([*counts, 0], q)
    assert found is not None and bounds[bucket] - 1e-6 <= found <= bounds[bucket + 1] + 1e-6


def test_quantiles_at_the_edges():
    nothing = [0] * (len(BUCKETS) + 1)
    assert quantile(nothing, 0.5) is None
    assert quantile([*nothing[:-1], 3], 0.5) == BUCKETS[-1]
    assert quantile([None, 2, *nothing[2:]], 1.0) == 100
