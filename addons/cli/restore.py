"""`llmitm restore`: put a backup in the place of the record."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import click

from addons.cli.store_job import do, settings


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for scripts.")
def command(file: Path, as_json: bool) -> None:
    """Verify the backup FILE and put it in the place of the record, at once and whole; the suite may run. What was there is
    kept in data/backups/. Calls that are still in the journal are stored again. A backup of a newer llmitm is refused.

    A backup of control.db (control-….db.zst) brings back users, preferences and the audit log; everyone has to log in again.

    \b
    Example:
      llmitm restore data/backups/traffic-20260131T040000000000Z-daily.db.zst
    """
    report = do(settings(), "restore", {"file": str(file.absolute())})
    if as_json:
        click.echo(json.dumps(report))
        return
    if "users" in report:
        click.echo(f"Restored control.db: {report['users']:,} users, their preferences and the audit log.")
    else:
        newest = report["newest_ms"]
        until = f", the newest of {datetime.fromtimestamp(newest / 1000):%Y-%m-%d %H:%M}" if newest else ""
        click.echo(f"Restored {report['calls']:,} calls{until}.")
    if report["replaced"]:
        click.echo(f"What was there is in {report['replaced']}; remove it when you no longer need it.")
