"""`llmitm backup`: a copy of the record, whole and of one moment, while everything runs."""

from __future__ import annotations

import json
from pathlib import Path

import click

from addons.cli.store_job import database, do, settings


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for scripts.")
def command(file: Path | None, as_json: bool) -> None:
    """Copy the record to FILE, or into data/backups/; nothing stops for it. Compressed with zstd if the name ends in .zst,
    as by default. The worker makes one a day by itself, and keeps as many as [store] backups says; those made here are kept
    until you remove them. What has not left the journal yet is not in it.

    control.db (users, preferences, audit log) is copied beside it, under the same name with `control-` before it.

    \b
    Example:
      llmitm backup
      llmitm backup /mnt/usb/llmitm.db.zst
    """
    store = settings()
    database(store)
    report = do(store, "backup", {"file": str(file.absolute()) if file else None})
    if as_json:
        click.echo(json.dumps(report))
        return
    click.echo(f"{report['file']} ({report['bytes'] / 1e6:,.1f} MB)")
    if report["control"]:
        click.echo(report["control"])
