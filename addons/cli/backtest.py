"""`llmitm policy backtest`: what rules would have done to the calls that are in the record."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from addons.cli import suite
from addons.cli.export import Moment

if TYPE_CHECKING:
    from intelligence.policy.backtest import Report, RuleReport

SHOWN_CALLS = 3


@click.command()
@click.argument(
    "where", required=False, type=click.Path(exists=True, path_type=Path), metavar="[FILE|FOLDER]"
)
@click.option("--since", type=Moment(), default="7d", show_default=True,
              help="Calls from then on: 2026-03-31, 2026-03-31T18:00, 24h, 7d.")  # fmt: skip
@click.option("--limit", type=click.IntRange(min=1), help="Only so many calls, the latest.")
@click.option("--json", "as_json", is_flag=True, help="A JSON object, for scripts.")
def command(where: Path | None, since: int, limit: int | None, as_json: bool) -> None:
    """Judge stored calls by the rules of a file or folder, and tell what these would have done. Without one, by the files in
    `policies/` as they are now. Nothing comes into force by it, and nothing is written down.

    \b
    Example:
      llmitm policy backtest
      llmitm policy backtest policies/templates/budgets.yaml --since 30d
      llmitm policy backtest new-rules/ --since 24h --json
    """
    from intelligence.detect.lazily import lazy_detector
    from intelligence.policy import handed
    from intelligence.policy.backtest import backtest
    from intelligence.policy.text_file import PolicyError
    from intelligence.store import queries
    from intelligence.store.ids import install_key

    config = suite.load()
    at = where or config.policy.dir
    database = config.data_dir / "traffic.db"
    if not database.exists():
        raise click.ClickException(f"there is no record yet ({database}): llmitm demo makes one")
    try:
        folder, only = (at, None) if at.is_dir() else (at.parent, at.name)
        policies = handed.complete(handed.checked(folder, lazy_detector(), only=only), config.data_dir)
    except PolicyError as e:
        raise click.ClickException(str(e)) from None
    try:
        with closing(queries.connect(database)) as db, _progress(quiet=as_json) as progress:
            task = progress.add_task("judging", total=None)
            report = backtest(
                db,
                install_key(config.data_dir),
                policies,
                since,
                lambda done, total: progress.update(task, completed=done, total=total),
                limit=limit,
            )
    except sqlite3.Error as e:
        raise click.ClickException(f"{database}: {e}") from None
    if as_json:
        click.echo(json.dumps(asdict(report)))
    else:
        _tell(report, suite.running(config.data_dir).dashboard_url or "/")


def _progress(*, quiet: bool):  # type: ignore[no-untyped-def]
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=quiet,
        transient=True,
    )


def _tell(report: Report, dashboard: str) -> None:
    since = datetime.fromtimestamp(report.since_ms / 1000, UTC)
    click.echo(f"{report.calls:,} calls since {since:%Y-%m-%d %H:%M} UTC, {len(report.rules)} rules")
    for rule in report.rules:
        _tell_rule(rule, dashboard)
    unknown = f" (unknown for {report.cost_unknown:,})" if report.cost_unknown else ""
    click.echo(f"\nStopped: {report.stopped:,} calls, which cost ${report.cost_usd:,.2f}{unknown}")
    if report.gone:
        click.echo(
            f"{report.gone:,} calls could not be judged in full: their content is in the record no more."
        )
    if report.redacted:
        click.echo(f"{report.redacted:,} calls had been redacted, and were judged by what is left of them.")


def _tell_rule(rule: RuleReport, dashboard: str) -> None:
    mode = " (shadow)" if rule.mode == "shadow" else ""
    if not rule.actions:
        click.echo(f"\n{rule.rule}{mode}: nothing")
        return
    actions = ", ".join(f"{action} {count:,}" for action, count in _most_first(rule.actions))
    cost = f"; stopped calls cost ${rule.cost_usd:,.2f}" if rule.stopped else ""
    click.echo(f"\n{rule.rule}{mode}: {actions}{cost}")
    for why, count in _most_first(rule.failed):
        click.secho(f"  could not be judged {count:,} times: {why}", fg="yellow")
    for call in rule.calls[:SHOWN_CALLS]:
        click.echo(f"  {dashboard}-/calls/{call}")
    if sum(rule.actions.values()) > SHOWN_CALLS:
        click.echo("  and more: --json names them")


def _most_first(counts: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda one: -one[1])
