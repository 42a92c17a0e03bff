"""`llmitm user`: who may log in to the dashboard, and as what."""

from __future__ import annotations

import getpass
import json
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from addons.cli.store_job import settings

if TYPE_CHECKING:
    from intelligence.store.accounts import Role

ROLES = click.Choice(["viewer", "reviewer", "admin"])
stdin = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input, for scripts."
)


@click.group()
def command() -> None:
    """Say who may log in to the dashboard, where `dashboard.auth = "password"`. A viewer sees its pages, with secrets and private
    data replaced; a reviewer all that was recorded, the tables and SQL too, and says what detections are worth; an admin also
    edits policy, throws the kill switch and decides who may come in. What is changed here counts at once, and is written into
    the audit log.

    \b
    Example:
      llmitm user add ana --role admin
      llmitm user role ana viewer
      llmitm user list
    """


@command.command()
@click.argument("name")
@click.option("--role", type=ROLES, default="viewer", show_default=True, help="What the user may do.")
@stdin
def add(name: str, role: Role, password_stdin: bool) -> None:
    """Let NAME in. The password is asked for.

    \b
    Example:
      llmitm user add ana --role admin
    """
    from intelligence.store import accounts

    password = _password(password_stdin)
    with _changing() as db:
        accounts.add(db, _me(), name, role, password)
    click.echo(f"{name} may log in as {role}.")


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="A JSON list, for scripts.")
def list_(as_json: bool) -> None:
    """Who may log in.

    \b
    Example:
      llmitm user list --json
    """
    from dataclasses import asdict

    from intelligence.store import accounts

    with _changing() as db:
        users = accounts.users(db)
    if as_json:
        click.echo(json.dumps([asdict(user) for user in users]))
        return
    if not users:
        click.echo("Nobody yet: llmitm user add NAME --role admin")
    for user in users:
        seen = time.strftime("%Y-%m-%d %H:%M", time.localtime(user.seen_at / 1000)) if user.seen_at else None
        click.echo(f"{user.name:<20} {user.role:<9} {f'logged in, seen {seen}' if seen else 'not logged in'}")


@command.command()
@click.argument("name")
@click.argument("role", type=ROLES)
def role(name: str, role: Role) -> None:
    """Give NAME another role, from the next page on.

    \b
    Example:
      llmitm user role ana reviewer
    """
    from intelligence.store import accounts

    with _changing() as db:
        accounts.set_role(db, _me(), name, role)
    click.echo(f"{name} is {role} now.")


@command.command()
@click.argument("name")
def remove(name: str) -> None:
    """Shut NAME out, at once.

    \b
    Example:
      llmitm user remove ana
    """
    from intelligence.store import accounts

    with _changing() as db:
        accounts.remove(db, _me(), name)
    click.echo(f"{name} cannot log in any more.")


@command.command()
@click.argument("name")
@stdin
def password(name: str, password_stdin: bool) -> None:
    """Give NAME another password, and log them out everywhere.

    \b
    Example:
      llmitm user password ana
    """
    from intelligence.store import accounts

    given = _password(password_stdin)
    with _changing() as db:
        accounts.set_password(db, _me(), name, given)
    click.echo(f"{name} has another password, and is logged out everywhere.")


@contextmanager
def _changing() -> Iterator[sqlite3.Connection]:
    from intelligence.store import control
    from intelligence.store.accounts import AccountError

    folder: Path = settings().dir
    try:
        control.prepare(folder)
        with control.changing(folder) as db:
            yield db
    except (AccountError, control.ControlError) as e:
        raise click.ClickException(str(e)) from None
    except sqlite3.Error as e:
        raise click.ClickException(f"{folder / control.NAME} cannot be used: {e}") from None


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    given: str = click.prompt("Password", hide_input=True, confirmation_prompt="Once more")
    return given


def _me() -> str:
    """As what the audit log knows who types. The colon keeps it apart from the names of users."""
    try:
        return f"cli:{getpass.getuser()}"
    except (OSError, KeyError):  # no such user on this machine, as in some containers
        return "cli:unknown"
