"""`llmitm proxy`: the proxy process alone, in the foreground."""

from __future__ import annotations

import click

from addons.cli import foreground


@click.command()
@click.option("--private", is_flag=True, help="A second proxy beside the suite's: free ports, no mitmweb.")
def command(private: bool) -> None:
    """Run the proxy alone, in the foreground. It records into the journal; a worker stores that.

    \b
    Example:
      llmitm proxy
      LLMITM_PROXY__LISTEN_PORT=9080 llmitm proxy
    """
    foreground.run("addons", *(["--private"] if private else []))
