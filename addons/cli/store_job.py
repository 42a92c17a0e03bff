"""What the commands that change `traffic.db` share: their settings, and a job done with the user told what is wrong."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from intelligence.config import Store


def settings() -> Store:
    from intelligence.config import ConfigError, load_config

    try:
        return load_config().store
    except ConfigError as e:
        raise click.ClickException(str(e)) from None


def database(store: Store) -> Path:
    """The database, which must be there."""
    path = store.dir / "traffic.db"
    if not path.exists():
        raise click.ClickException(f"{path} is not there: nothing was recorded yet")
    return path


def do(store: Store, kind: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """The job's report, once it is done; by the worker if one runs. Ctrl-C leaves the job to the worker."""
    from rich.console import Console

    from intelligence.store.jobs import JobError
    from intelligence.store.migrations import SchemaError
    from intelligence.store.perform import perform

    try:
        with Console(stderr=True).status("Working…") if sys.stderr.isatty() else nullcontext():
            return perform(store, kind, arguments)
    except (JobError, SchemaError) as e:
        raise click.ClickException(str(e)) from None
    except sqlite3.Error as e:
        raise click.ClickException(
            f"{store.dir / 'traffic.db'} cannot be used ({e}); see `llmitm doctor --db`"
        ) from None
