"""`/-/limits`: how much of each limit is used, by whom, as the record says.

Counted as the proxy counts, by the same counters, but without what is in flight. All of a window is read once, in a thread; while
that lasts, the page says so. From then on only what is new is read, when somebody looks.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from datasette.utils.asgi import Request, Response

from datasette_plugins import access, dashboard, units
from datasette_plugins.dashboard import Dashboard
from intelligence.policy import handed
from intelligence.policy.limits import Counter, counters_of
from intelligence.policy.text_file import PolicyError
from intelligence.store.spending import Spending

if TYPE_CHECKING:
    from datasette.app import Datasette

log = logging.getLogger(__name__)

SHOWN = 20
AGAIN_SECONDS = 2.0
WAIT_SECONDS = 0.12
BREATH_SECONDS = 0.002


@dataclass
class Counted:
    """`stamp` is of the set that `counters` are of. `whole`: the windows have been read."""

    stamp: handed.Stamp | None = None
    counters: dict[str, Counter] = field(default_factory=dict)
    spending: Spending | None = None
    whole: bool = False
    error: str | None = None
    at: float = float("-inf")
    task: asyncio.Task[None] | None = field(default=None, repr=False)


_counted: WeakKeyDictionary[Dashboard, Counted] = WeakKeyDictionary()


@access.page
async def limits(datasette: Datasette, request: Request) -> Response:
    here = dashboard.here(datasette)
    state = _counted.setdefault(here, Counted())
    if state.task is None and time.monotonic() - state.at > AGAIN_SECONDS:
        state.task = asyncio.create_task(_count(here, state))
    if state.task:
        await asyncio.wait({state.task}, timeout=WAIT_SECONDS)
    now = time.time()
    context = {
        "limits": [_shown(counter, now) for counter in state.counters.values()] if state.whole else [],
        "some": bool(state.counters),
        "counting": not state.whole and state.task is not None,
        "error": state.error,
        "now_ms": int(now * 1000),
    }
    return Response.html(await datasette.render_template("llmitm_limits.html", context, request=request))


async def _count(here: Dashboard, state: Counted) -> None:
    try:
        await asyncio.to_thread(_read, here, state)
        state.error = None
    except (PolicyError, sqlite3.Error, OSError) as e:
        state.error = str(e)
    except Exception:  # the boundary of the task: the page must not wait forever
        log.exception("limits could not be counted")
        state.error = "the log of the dashboard says why"
    finally:
        state.at, state.task = time.monotonic(), None


def _read(here: Dashboard, state: Counted) -> None:
    """Raises `PolicyError`, `sqlite3.Error`, `OSError`."""
    stamp = handed.stamp(here.data_dir)
    now = time.time()
    if stamp != state.stamp:
        in_force = handed.take(here.data_dir) if stamp[:2] != (0, 0) else handed.InForce()
        state.whole = False
        state.counters = counters_of(in_force.compiled.rules)
        state.spending = Spending(here.data_dir / "traffic.db")
        if state.counters:
            since = min(counter.begin(now) for counter in state.counters.values())
            for spent in state.spending.since(int(since * 1000)):
                _add(state, spent, now)
                time.sleep(BREATH_SECONDS)
        state.stamp, state.whole = stamp, True
    elif state.counters and state.spending:
        while spent := state.spending.fresh():
            _add(state, spent, now)


def _add(state: Counted, spent: list[Any], now: float) -> None:
    for one in spent:
        for counter in state.counters.values():
            if counter.concerns(one.facts):
                counter.told(one, now)


def _shown(counter: Counter, now: float) -> dict[str, Any]:
    limit, most = counter.limit, counter.most
    used = sorted(counter.used(now).items(), key=lambda item: -item[1])
    measure = "cost" if limit.cost_usd is not None else "tokens" if limit.tokens is not None else "requests"
    written: Callable[[float | None], str] = units.money if measure == "cost" else units.compact
    return {
        "rule": counter.rule.id,
        "description": counter.rule.description,
        "action": counter.rule.action,
        "shadow": counter.rule.mode == "shadow",
        "measure": measure,
        "per": limit.per,
        "by": " and ".join(limit.by),
        "most": written(most),
        "soft": limit.soft and written(limit.soft * most),
        "scopes": [
            {
                "name": " · ".join(value or "unknown" for value in scope) or "all together",
                "used": written(amount),
                "share": min(100, round(100 * amount / most)) if most else 100,
                "percent": f"{100 * amount / most:,.0f} %" if most else "",
                "level": "over"
                if amount >= most
                else "soft"
                if limit.soft and amount >= limit.soft * most
                else "",
            }
            for scope, amount in used[:SHOWN]
        ],
        "more": max(0, len(used) - SHOWN),
    }
