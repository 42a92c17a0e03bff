"""`llmitm export`: calls as files for other programs, or for `llmitm import` elsewhere. Reads only; the suite may run."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import re
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from addons.cli import suite
from intelligence.store import exporting, finetuning, har, jsonl, queries
from intelligence.store.exporting import Filter
from intelligence.store.transcript import Transcript

# Of a request body that is read to be shown or trained on.
MAX_BODY_BYTES = 64 * 1024 * 1024
_UNITS = {"m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}

Out = Iterator[tuple[int, str]]
"""Text, and how many calls are done with it."""


class Moment(click.ParamType[int]):
    """Unix ms, of a date, a date and time (local unless it says where), or an age such as `7d`."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        said = str(value).strip()
        if age := re.fullmatch(r"(\d+)([mhdw])", said):
            return int((time.time() - int(age[1]) * _UNITS[age[2]]) * 1000)
        try:
            return round(datetime.fromisoformat(said).astimezone().timestamp() * 1000)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is no time such as 2026-03-31, 2026-03-31T18:00 or 7d", param, ctx)


@click.command()
@click.option(
    "--format",
    "-f",
    "format_",
    type=click.Choice(["jsonl", "har", "csv", "markdown", "openai-jsonl", "anthropic-jsonl"]),
    default="jsonl",
    show_default=True,
    help="jsonl: whole exchanges, for `llmitm import`; har: for browsers' tools; csv: a row a call; markdown: transcripts; "
    "openai-jsonl, anthropic-jsonl: fine-tuning data.",
)
@click.option(
    "--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="A file; else standard output."
)
@click.option("--since", type=Moment(), help="Calls from then on: 2026-03-31, 2026-03-31T18:00, 24h, 7d.")
@click.option("--until", type=Moment(), help="Calls before then.")
@click.option("--session", metavar="ID", help="Calls of this session.")
@click.option("--model", metavar="GLOB", help="Asked for or answering: claude-*.")
@click.option("--client", metavar="GLOB", help="claude-code, openai-*.")
@click.option("--provider", metavar="GLOB", help="anthropic, gcp.*.")
@click.option("--text", metavar="WORDS", help="Calls in which all these words were newly said or answered.")
def command(
    format_: str,
    output: Path | None,
    since: int | None,
    until: int | None,
    session: str | None,
    model: str | None,
    client: str | None,
    provider: str | None,
    text: str | None,
) -> None:
    """Write calls to a file or standard output, oldest first. Calls that have not ended are left out; credentials were never
    recorded, but prompts and answers are in it in full.

    \b
    Example:
      llmitm export -o calls.jsonl
      llmitm export --format csv --since 7d --provider anthropic > week.csv
      llmitm export --format markdown --session 0199c0de-0000-7000-8000-000000000000 -o session.md
      llmitm export --format openai-jsonl --model 'claude-*' -o train.jsonl
    """
    config = suite.load()
    wanted = Filter(
        since, until, session, model, client, provider, text, last_only=format_.endswith("-jsonl")
    )
    database = config.data_dir / "traffic.db"
    if not database.exists():
        raise click.ClickException(f"nothing is recorded yet: there is no {database}")
    try:
        with closing(queries.connect(database)) as db:
            total = exporting.count(db, wanted)
            written = _write(_FORMATS[format_](db, wanted), output, total)
    except sqlite3.Error as e:
        raise click.ClickException(f"{database} cannot be read: {e}") from None
    where = f" to {output}" if output else ""
    click.echo(f"{written:,} calls of {total:,} that match were written{where}", err=True)


def _write(out: Out, path: Path | None, total: int) -> int:
    """Returns how many calls were written. A file is there when it is whole, or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}") if path else None
    written = 0
    with contextlib.ExitStack() as stack:
        if draft:
            stack.callback(draft.unlink, missing_ok=True)
            fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            file = stack.enter_context(os.fdopen(fd, "w", encoding="utf-8", errors="replace", newline=""))
        else:
            sys.stdout.reconfigure(encoding="utf-8", errors="replace", newline="")  # type: ignore[union-attr]
            file = sys.stdout  # type: ignore[assignment]
        progress = stack.enter_context(_progress())
        task = progress.add_task("Exporting", total=total)
        try:
            for calls, said in out:
                file.write(said)
                written += calls
                progress.advance(task)
            file.flush()
        except BrokenPipeError:  # who reads has read enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if draft and path:
            draft.replace(path)
    return written


def _progress() -> Progress:
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def _jsonl(db: sqlite3.Connection, wanted: Filter) -> Out:
    for row, exchange in exporting.exchanges(db, wanted):
        if exchange is None:
            yield 1, ""
        else:
            yield 1, jsonl.line_of(exchange, row)


def _har(db: sqlite3.Connection, wanted: Filter) -> Out:
    yield 0, har.HEAD % version("llmitm")
    comma = ""
    for row, exchange in exporting.exchanges(db, wanted):
        if exchange is None:
            yield 1, ""
            continue
        entry = har.entry_of(exporting.decoded(exchange))
        entry["_llmitm"]["id"] = row["id"][:36]
        yield 1, comma + json.dumps(entry, ensure_ascii=False)
        comma = ",\n"
    yield 0, har.TAIL


def _csv(db: sqlite3.Connection, wanted: Filter) -> Out:
    columns = [column[1] for column in db.execute("pragma table_info(calls)")]
    yield 0, _csv_line(columns)
    for row in exporting.calls(db, wanted):
        yield 1, _csv_line(list(row.values()))


def _csv_line(values: list[Any]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(values)
    return line.getvalue()


def _markdown(db: sqlite3.Connection, wanted: Filter) -> Out:
    for ids in exporting.sessions(db, wanted):
        transcript = Transcript()
        for id_ in ids:
            row = queries.call(db, id_)
            if row is not None:
                body = exporting.request_body(db, row, MAX_BODY_BYTES)
                yield 1, "".join(transcript.call(row, body))


def _training(shape: Callable[..., finetuning.Example]) -> Callable[[sqlite3.Connection, Filter], Out]:
    def lines(db: sqlite3.Connection, wanted: Filter) -> Out:
        for id_ in exporting.ids(db, wanted):
            row = queries.call(db, id_)
            if row is None:
                continue
            made = finetuning.example(row, exporting.request_body(db, row, MAX_BODY_BYTES), shape)
            yield (0, "") if made is None else (1, finetuning.line_of(made))

    return lines


_FORMATS: dict[str, Callable[[sqlite3.Connection, Filter], Out]] = {
    "jsonl": _jsonl,
    "har": _har,
    "csv": _csv,
    "markdown": _markdown,
    "openai-jsonl": _training(finetuning.openai),
    "anthropic-jsonl": _training(finetuning.anthropic),
}
