"""Counting: keeps the limits of policy up to what the record says, a little several times a second.

A new limit is first filled with all that the record has of its window, in a thread; until then a rule that needs it cannot be
judged, and fails as it declares.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time

from addons.policies import Policies
from intelligence.policy.handed import InForce
from intelligence.policy.limits import Counter, Limits, counters_of
from intelligence.store.spending import Spending

logger = logging.getLogger("llmitm.policy")

LOOK_SECONDS = 0.25
# Between two pieces of the record: streams go on meanwhile.
BREATH_SECONDS = 0.002


class Counting:
    name = "counting"

    def __init__(self, policies: Policies, limits: Limits, spending: Spending) -> None:
        self.policies = policies
        self.limits = limits
        self.spending = spending
        self._for: InForce | None = None
        self._task: asyncio.Task[None] | None = None

    def running(self) -> None:
        self._task = asyncio.create_task(self._tick())

    def done(self) -> None:
        if self._task:
            self._task.cancel()

    async def _tick(self) -> None:
        while True:
            try:
                await self._look()
            except sqlite3.Error as e:
                logger.warning("the limits cannot be read from the record: %s", e)
            except Exception:  # the task boundary: the next change must be seen
                logger.exception("counting for limits failed")
            await asyncio.sleep(LOOK_SECONDS)

    async def _look(self) -> None:
        current = self.policies.in_force
        if current is not self._for:
            counters = counters_of(current.compiled.rules)
            if counters:
                await asyncio.to_thread(self._fill, counters)
            self.limits.use(counters)
            self._for = current
        elif self.limits.counters:
            self.limits.told(await asyncio.to_thread(self.spending.fresh))

    def _fill(self, counters: dict[str, Counter]) -> None:
        now = time.time()
        since = min(counter.begin(now) for counter in counters.values())
        for spent in self.spending.since(int(since * 1000)):
            for one in spent:
                for counter in counters.values():
                    if counter.concerns(one.facts):
                        counter.told(one, now)
            time.sleep(BREATH_SECONDS)
        for counter in counters.values():
            counter.ready = True
