"""`llmitm worker`: the worker process alone, in the foreground."""

from __future__ import annotations

import click

from addons.cli import foreground


@click.command()
@click.option("--drain", is_flag=True, help="Store what is in the journal now, then exit.")
def command(drain: bool) -> None:
    """Run the worker alone, in the foreground. It stores what proxies recorded; there is one for each data folder.

    \b
    Example:
      llmitm worker
      llmitm worker --drain
    """
    foreground.run("intelligence", *(["--drain"] if drain else []))
