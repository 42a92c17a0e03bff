"""The `llmitm` command.

`--help` and a mistyped command must answer at once, so this module imports click and nothing else: a command's module
(`addons/cli/<module>.py`, exporting `command`) is imported when that command is asked for. A mistake of the user's ends in one
clear line on stderr, never in a traceback. Exit codes: 0, 1 (it failed), 2 (wrong usage); `exec` returns its command's.
"""

from __future__ import annotations

import difflib
import importlib
import sys

import click

# name: (module, what `llmitm --help` says)
COMMANDS = {
    "up": ("up", "Start proxy, worker and dashboard; Ctrl-C stops them."),
    "exec": ("exec", "Run a command with its LLM calls recorded."),
    "env": ("env", "Print the variables that record this shell's LLM calls."),
    "status": ("status", "What runs, where it listens, what waits to be stored."),
    "doctor": ("doctor", "Prove that recording works, from client to record."),
    "demo": ("demo", "Hold conversations to look at; no API key needed."),
    "import": ("import_", "Take in calls recorded elsewhere: flow files, HAR, our own export."),
    "export": ("export", "Write calls to a file: JSONL, HAR, CSV, Markdown, fine-tuning data."),
    "scan": ("scan", "Look for secrets, personal data and injections in files and pipes."),
    "prune": ("prune", "Take content that is old or too much; forget a user or a session."),
    "backup": ("backup", "Copy the record while everything runs."),
    "restore": ("restore", "Put a backup in the place of the record."),
    "policy": ("policy", "Rules: list, try, switch on; the kill switch."),
    "audit": ("audit", "Prove that the audit log is whole; take it out."),
    "user": ("user", "Say who may log in to the dashboard."),
    "trust": ("trust", "Let this machine's own trust store accept the CA."),
    "proxy": ("proxy", "Run the proxy alone."),
    "worker": ("worker", "Run the worker alone: it stores what the proxy recorded."),
    "dashboard": ("dashboard", "Run the dashboard alone."),
}


class LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"addons.cli.{COMMANDS[cmd_name][0]}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], COMMANDS, n=1, cutoff=0.5)
            hint = f"Did you mean {near[0]!r}?" if near else "See 'llmitm --help'."
            ctx.fail(f"No such command {args[0]!r}. {hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, short) for name, (_, short) in COMMANDS.items()])


def _show_version(ctx: click.Context, param: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"llmitm {version('llmitm')}")
        ctx.exit()


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version.",
)
@click.pass_context
def group(ctx: click.Context) -> None:
    """See, record and govern every LLM call that any program makes.

    \b
    Start here:
      llmitm up                  the suite: proxy, worker, dashboard
      llmitm exec -- claude      any client, proxied and trusting, nothing else touched
      llmitm demo                something to look at, without an API key
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def main() -> None:
    try:
        group.main(prog_name="llmitm")
    except OSError as e:  # no permission, disk full: the user's machine, not our mistake
        where = f": {e.filename}" if e.filename else ""
        click.echo(f"Error: {e.strerror or e}{where}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
