"""`llmitm dashboard`: the dashboard process alone, in the foreground."""

from __future__ import annotations

import click

from addons.cli import foreground


@click.command()
def command() -> None:
    """Run the dashboard alone, in the foreground. It shows what the worker stored.

    \b
    Example:
      llmitm dashboard
      LLMITM_DASHBOARD__PORT=9001 llmitm dashboard
    """
    foreground.run("datasette_plugins")
