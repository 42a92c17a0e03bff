"""`llmitm import FILE…`: calls recorded elsewhere, taken in with the times they had.

They go the way of live traffic: into the journal, stripped of credentials, and from there the worker stores them (the one that
runs, else one of our own). A call that is stored already is passed over, so a file may be imported again and again.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from addons.cli import suite
from addons.cli.settle import settle
from addons.flowfile import read_flow_file
from addons.settings import registry_of
from intelligence.config import ConfigError
from intelligence.store import har, jsonl
from intelligence.store.exchange import Damaged, Exchange
from intelligence.store.ids import install_key
from intelligence.store.importing import Counts, Importer
from intelligence.wire.credentials import Redactor

# For one segment; a worker that needs longer cannot write.
STORE_SECONDS = 600
_SNIFFED_BYTES = 1 << 16
_SHOWN_PROBLEMS = 20

Source = Iterator[tuple[int, Exchange | Damaged | None]]


@click.command()
@click.option("--dry-run", is_flag=True, help="Say what would be imported; store nothing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for scripts.")
@click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE...",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
def command(dry_run: bool, as_json: bool, files: tuple[Path, ...]) -> None:
    """Take in calls recorded elsewhere: flow files of mitmproxy, HAR files of browsers and other tools, and what `llmitm export`
    wrote as JSONL. Credentials are stripped, what is no LLM call is left out, what is stored already is passed over.

    \b
    Example:
      llmitm import yesterday.flows
      llmitm import --dry-run browser.har
      llmitm import calls.jsonl
    """
    sources = [(path, _source(path)) for path in files]
    config = suite.load()
    try:
        registry = registry_of(config)
    except ConfigError as e:
        raise click.ClickException(str(e)) from None
    redact = config.redact
    key = bytes(32) if dry_run else install_key(config.data_dir)
    redactor = Redactor(key, redact.headers, redact.query, redact.json_keys)
    importer = Importer(config.data_dir, registry, redactor, dry=dry_run, version=version("llmitm"))
    try:
        with _progress(quiet=as_json) as progress:
            for path, source in sources:
                task = progress.add_task(path.name, total=path.stat().st_size, calls=0)
                _take_in(importer, path, source, config.data_dir, progress, task)
    finally:
        importer.close()
    _tell(importer.counts, dry_run, as_json)
    sys.exit(1 if importer.counts.problems else 0)


def _take_in(
    importer: Importer, path: Path, source: Source, data_dir: Path, progress: Progress, task: TaskID
) -> None:
    counts = importer.counts
    before = counts.imported
    offset = 0
    for offset, item in source:
        if isinstance(item, Damaged):
            counts.problems.append(f"{path}: {item}")
        elif item is None:
            counts.other += 1
        elif segment := importer.add(item):
            _store(importer, segment, data_dir)
        progress.update(task, completed=offset, calls=counts.imported - before)
    if segment := importer.hand_over():
        _store(importer, segment, data_dir)
    progress.update(task, completed=path.stat().st_size)


def _store(importer: Importer, segment: Path, data_dir: Path) -> None:
    if not settle(data_dir, STORE_SECONDS, os.environ, stored=lambda: not segment.exists()):
        raise click.ClickException(
            "the worker does not get on with it; what is not stored yet is safe in the journal "
            f"(see {data_dir / 'logs' / 'worker.log'}). Run the same import again later: it goes on from there."
        )
    importer.stored()


def _source(path: Path) -> Source:
    """The reader for what is in the file."""
    with path.open("rb") as file:
        head = file.read(_SNIFFED_BYTES).removeprefix(b"\xef\xbb\xbf").lstrip()
    if not head:
        raise click.ClickException(f"{path} is empty")
    if head[:1].isdigit():
        return read_flow_file(path)
    if jsonl.looks_like(head):
        return jsonl.read(path)
    if head.startswith(b"{"):
        return har.read(path)
    raise click.ClickException(
        f"{path}: neither a flow file of mitmproxy, nor a HAR file, nor an export of llmitm (JSONL)"
    )


def _progress(*, quiet: bool) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}% · {task.fields[calls]:,} calls"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=quiet,
    )


def _tell(counts: Counts, dry_run: bool, as_json: bool) -> None:
    if as_json:
        report = {
            "imported": counts.imported,
            "known": counts.known,
            "other": counts.other,
            "problems": counts.problems,
            "dry_run": dry_run,
        }
        click.echo(json.dumps(report, indent=2))
        return
    for problem in counts.problems[:_SHOWN_PROBLEMS]:
        click.echo(f"llmitm: {problem}", err=True)
    if (more := len(counts.problems) - _SHOWN_PROBLEMS) > 0:
        click.echo(f"llmitm: and {more:,} more", err=True)
    verb = "would be imported" if dry_run else "imported"
    parts = [f"{counts.imported:,} calls {verb}"]
    if counts.known:
        parts.append(f"{counts.known:,} known already")
    if counts.other:
        parts.append(f"{counts.other:,} exchanges that are no LLM calls left out")
    click.echo(" · ".join(parts))
