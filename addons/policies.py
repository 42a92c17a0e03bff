"""Policies: the set of rules in force, and the kill switch, kept up to date while traffic flows.

At the start the policy files are read and tried here; if they cannot be used, what the worker last handed over is in force, and
says so. From then on only what the worker has tried comes in: read in a thread, a rule at a time, and swapped in whole. The
kill switch is looked at several times a second; when it is thrown, open calls are closed with their connections.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING

from mitmproxy import ctx, http

from intelligence.policy import handed
from intelligence.policy.decide import compile_set
from intelligence.policy.handed import InForce
from intelligence.policy.panic import Panic, panic_of
from intelligence.policy.testing import Detect
from intelligence.policy.text_file import PolicyError

if TYPE_CHECKING:
    from addons.pipeline import Parts

logger = logging.getLogger("llmitm.policy")

LOOK_SECONDS = 0.2
# A set is taken in for so long at a time, and between two times streams go on.
WORK_SECONDS, BREATH_SECONDS = 0.001, 0.001


class Policies:
    name = "policies"

    def __init__(
        self,
        parts: Parts,
        detect: Detect,
        warm: Callable[[], object],
        open_flows: Callable[[], Iterable[http.HTTPFlow]],
    ) -> None:
        """`warm` loads the detectors, which takes a second: before the first call that waits for them."""
        self.parts = parts
        self._warm = warm
        self.open_flows = open_flows
        self.panic: Panic | None = panic_of(parts.config.data_dir)
        self.in_force = self._first(detect)
        self._prepare(self.in_force)
        self._stamp = handed.stamp(parts.config.data_dir)
        self._task: asyncio.Task[None] | None = None

    def _first(self, detect: Detect) -> InForce:
        config = self.parts.config
        try:
            policies = handed.complete(handed.checked(config.policy.dir, detect), config.data_dir)
            return InForce(compile_set(policies), tuple(policies.allow))
        except PolicyError as e:
            self._rejected(str(e))
        try:
            last = handed.take(config.data_dir)
        except PolicyError:
            logger.error("no policy is in force: there is no earlier set to fall back on")
            return InForce()
        logger.warning("the policy in force is the last good one, version %s", last.compiled.version)
        return last

    def running(self) -> None:
        self._task = asyncio.create_task(self._tick())

    def done(self) -> None:
        if self._task:
            self._task.cancel()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                self._look_for_panic()
                await self._look()
            except Exception:  # the task boundary: the next change must be seen
                logger.exception("looking for policies failed")

    async def _look(self) -> None:
        stamp = handed.stamp(self.parts.config.data_dir)
        if stamp == self._stamp or stamp[:2] == (0, 0):
            return
        self._stamp = stamp
        try:
            found = await asyncio.to_thread(self._take)
        except PolicyError as e:
            self._rejected(str(e))
            return
        before = self.in_force
        if (found.compiled.version, found.allow) == (before.compiled.version, before.allow):
            return
        self.in_force = found
        if found.compiled.version == before.compiled.version:
            return
        message = f"{len(found.compiled.rules)} rules, version {found.compiled.version}"
        logger.info("policy in force: %s", message)
        self.parts.journal.event("policy_in_force", message, {"version": found.compiled.version})

    def _take(self) -> InForce:
        taking = handed.taken(self.parts.config.data_dir)
        began = time.thread_time()
        while (found := next(taking)) is None:
            if time.thread_time() - began > WORK_SECONDS:
                time.sleep(BREATH_SECONDS)
                began = time.thread_time()
        self._prepare(found)
        return found

    def _prepare(self, found: InForce) -> None:
        if any("detection" in one.looks_at and not one.later for one in found.compiled.rules):
            self._warm()

    def _rejected(self, message: str) -> None:
        logger.error("the policy files cannot be used: %s", message)
        self.parts.journal.event("policy_rejected", message)

    def _look_for_panic(self) -> None:
        panic = panic_of(self.parts.config.data_dir)
        if panic == self.panic:
            return
        before, self.panic = self.panic, panic
        if panic is None:
            logger.warning("the kill switch is released")
            self.parts.journal.event("panic_over", "", {"mode": before.mode if before else ""})
            return
        logger.warning("the kill switch is thrown by %s (%s): %s", panic.by, panic.mode, panic.reason)
        self.parts.journal.event("panic", panic.reason, {"mode": panic.mode, "by": panic.by})
        if panic.mode == "block":
            hang_up({flow.client_conn.id for flow in self.open_flows()})


def hang_up(clients: Collection[str]) -> None:
    """Close these clients' connections (by `client_conn.id`), and those upstream that serve them."""
    for handler in list(ctx.master.addons.get("proxyserver").connections.values()):
        client = getattr(handler, "client", None)
        if client is None or client.id not in clients:
            continue
        for transport in list(handler.transports.values()):
            if transport.handler:
                transport.handler.cancel("kill switch")
