"""`llmitm audit`: prove that the audit log is what was written, and take it out."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click

from addons.cli.store_job import settings


@click.group()
def command() -> None:
    """Who decided and changed what: rules that acted, people, configuration. Each entry is sealed to the one before it, so
    what is edited, removed, reordered or cut off shows.

    \b
    Example:
      llmitm audit verify
      llmitm audit export --since 2026-11-01 --format csv -o november.csv
    """


@command.command()
@click.option("--head", "head_file", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="A head that was kept elsewhere (`llmitm audit head`), to check against as well.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="A JSON object, for scripts.")
def verify(head_file: Path | None, as_json: bool) -> None:
    """Check every entry. Exits with 1 if anything is not as it was written.

    \b
    Example:
      llmitm audit verify
      llmitm audit verify --head /mnt/elsewhere/head.json
    """
    from intelligence.store import audit

    given = audit.read_head(head_file) if head_file else None
    if head_file and given is None:
        raise click.ClickException(f"{head_file} is not what `llmitm audit head` writes")
    with _log() as db:
        report = audit.verify(db, given)
    if as_json:
        faults = [{"id": fault.id, "message": fault.message} for fault in report.faults]
        click.echo(json.dumps({"entries": report.entries, "chained": report.chained, "faults": faults}))
    else:
        for fault in report.faults[:20]:
            click.secho(f"entry {fault.id}: {fault.message}", fg="red")
        if not report.faults:
            older = f", {report.before_chain} of them older than the chain" if report.before_chain else ""
            without = f", {report.forgotten} without words that were forgotten" if report.forgotten else ""
            click.echo(f"{report.entries} entries{older}: all as they were written{without}.")
    if report.faults:
        sys.exit(1)


@command.command()
def head() -> None:
    """The seal of the last entry, to be kept elsewhere.

    \b
    Example:
      llmitm audit head > /mnt/elsewhere/head.json
    """
    from dataclasses import asdict

    from intelligence.store import audit

    found = audit.head(settings().dir)
    if found is None:
        raise click.ClickException("Nothing is in the audit log yet.")
    click.echo(json.dumps(asdict(found)))


@command.command()
@click.option("--since", metavar="DATE", help="First day (UTC), e.g. 2026-11-01.")
@click.option("--until", metavar="DATE", help="Day after the last (UTC).")
@click.option("--format", "form", type=click.Choice(["json", "csv", "html"]), default="json", show_default=True,
              help="json: one object; html: a page to print.")  # fmt: skip
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="File; else standard output."
)
def export(since: str | None, until: str | None, form: str, output: Path | None) -> None:
    """The entries of a period, with a summary by rule and action.

    \b
    Example:
      llmitm audit export --since 2026-11-01 --until 2026-12-01 --format html -o november.html
    """
    from intelligence.store import audit
    from intelligence.store.audit_export import FORMS

    with _log() as db:
        found = list(audit.entries(db, _ms(since), _ms(until)))
    text = FORMS[form](since, until, found)
    if output:
        output.write_text(text, "utf-8")
        click.echo(f"{len(found)} entries written to {output}.")
    else:
        click.echo(text, nl=False)


def _ms(day: str | None) -> int | None:
    if day is None:
        return None
    try:
        return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() * 1000)
    except ValueError:
        raise click.BadParameter(f"{day!r} is not a date such as 2026-11-01") from None


@contextmanager
def _log() -> Iterator[sqlite3.Connection]:
    from intelligence.store import control

    folder = settings().dir
    if not (folder / control.NAME).exists():
        raise click.ClickException("Nothing is in the audit log yet.")
    try:
        control.prepare(folder)
        with control.reading(folder) as db:
            yield db
    except (sqlite3.Error, control.ControlError) as e:
        raise click.ClickException(f"the audit log cannot be read: {e}") from None
