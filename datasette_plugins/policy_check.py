"""What the policy editor asks while one types: is it sound, what does it change, what would it have done. Answers are JSON.

Nothing here writes anything. A check runs the examples of all rules as saving would; checks take turns. Of backtests one runs
at a time, over the latest calls; its state is asked for until it is done.
"""

from __future__ import annotations

import asyncio
import difflib
import logging
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from datasette.utils.asgi import Request, Response

from datasette_plugins import access, dashboard
from datasette_plugins.dashboard import Dashboard
from datasette_plugins.traffic import connect
from intelligence.detect.lazily import lazy_detector
from intelligence.policy import handed
from intelligence.policy.backtest import Report, backtest
from intelligence.policy.load import PolicySet
from intelligence.policy.schema import policy_schema
from intelligence.policy.text_file import MAX_BYTES, PolicyError
from intelligence.store import policy_history
from intelligence.store.ids import install_key
from intelligence.store.policy_history import EditError

if TYPE_CHECKING:
    from datasette.app import Datasette

log = logging.getLogger(__name__)

MOST_FORM_BYTES = 4 * MAX_BYTES
MOST_LINES = 400
BACKTEST_DAYS = 7
BACKTEST_CALLS = 10_000
SHOWN_CALLS = 5

type Lines = list[tuple[str, str]]
"""Sign (`+`, `-`, `@`, or a space) and text."""


@dataclass
class Backtest:
    """The one that runs, or ran last."""

    done: int = 0
    total: int = 0
    running: bool = False
    error: str | None = None
    report: Report | None = None
    task: asyncio.Task[None] | None = field(default=None, repr=False)


_jobs: WeakKeyDictionary[Dashboard, Backtest] = WeakKeyDictionary()


@access.page
async def schema(datasette: Datasette, request: Request) -> Response:
    return Response.json(policy_schema())


@access.page_for(access.GOVERN)
async def check(datasette: Datasette, request: Request) -> Response:
    if request.method != "POST":
        return Response.json({"error": "this is asked by POST"}, status=405)
    here = dashboard.here(datasette)
    name, text = await _given(request)
    async with here.policy_checks:
        return Response.json(await asyncio.to_thread(_checked, here.policy_dir, name, text))


async def _given(request: Request) -> tuple[str, str]:
    form = await access.form(request, MOST_FORM_BYTES)
    return form.get("file", "").strip(), form.get("text", "").replace("\r\n", "\n")


def _checked(folder: Path, name: str, text: str) -> dict[str, Any]:
    errors: list[dict[str, Any]] = []
    policies, saved = PolicySet(), ""
    try:
        saved = policy_history.text_of(folder, name) or ""
        policies = handed.checked(folder, lazy_detector(), {name: text})
    except (PolicyError, EditError) as e:
        found = [policy_history.line_of(one) for one in str(e).splitlines()]
        errors = [{"file": file, "line": line, "message": message} for file, line, message in found]
    here = [rule for rule in policies.rules if policies.sources[rule.id].startswith(f"{name}:")]
    return {
        "errors": errors,
        "rules": len(here),
        "examples": sum(len(rule.tests) for rule in here),
        "diff": difference(saved, text),
    }


def difference(before: str, after: str) -> Lines:
    """Line by line, with the lines around."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=2)
    found = [
        ("@" if line.startswith("@@") else line[:1], line if line.startswith("@@") else line[1:])
        for line in lines
    ]
    return found[2 : MOST_LINES + 2]


@access.page_for(access.GOVERN)
async def backtested(datasette: Datasette, request: Request) -> Response:
    """POST begins one, GET tells how far it is."""
    here = dashboard.here(datasette)
    if request.method == "POST":
        name, text = await _given(request)
        if (before := _jobs.get(here)) and before.running:
            return Response.json({"error": "a backtest runs already"}, status=409)
        _jobs[here] = job = Backtest(running=True)
        job.task = asyncio.create_task(_run(here, job, name, text))
    return Response.json(_told(_jobs.get(here) or Backtest(), datasette.urls.path("/-/calls/")))


async def _run(here: Dashboard, job: Backtest, name: str, text: str) -> None:
    try:
        job.report = await asyncio.to_thread(_judge, here, job, name, text)
    except (PolicyError, EditError) as e:
        job.error = str(e)
    except sqlite3.Error as e:
        job.error = f"the record cannot be read: {e}"
    except Exception:  # the boundary of the task: who waits must hear of it
        log.exception("a backtest failed")
        job.error = "the backtest failed; the log says why"
    finally:
        job.running = False


def _judge(here: Dashboard, job: Backtest, name: str, text: str) -> Report:
    policies = handed.checked(here.policy_dir, lazy_detector(), {name: text} if name else None)
    policies = handed.complete(policies, here.data_dir)

    def progress(done: int, total: int) -> None:
        job.done, job.total = done, total

    since = time.time_ns() // 1_000_000 - BACKTEST_DAYS * 86_400_000
    with closing(connect(here.data_dir / "traffic.db")) as db:
        return backtest(db, install_key(here.data_dir), policies, since, progress, limit=BACKTEST_CALLS)


def _told(job: Backtest, calls_path: str) -> dict[str, Any]:
    report = job.report
    return {
        "running": job.running,
        "done": job.done,
        "total": job.total,
        "error": job.error,
        "report": report
        and {
            "calls": report.calls,
            "stopped": report.stopped,
            "cost_usd": report.cost_usd,
            "gone": report.gone,
            "days": BACKTEST_DAYS,
            "rules": [
                {
                    "rule": one.rule,
                    "mode": one.mode,
                    "actions": dict(one.actions),
                    "failed": sum(one.failed.values()),
                    "calls": [calls_path + call for call in one.calls[:SHOWN_CALLS]],
                }
                for one in report.rules
            ],
        },
    }
