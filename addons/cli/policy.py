"""`llmitm policy`: the rules, tried before they come into force; templates; the kill switch."""

from __future__ import annotations

import getpass
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from addons.cli.backtest import command as backtest
from addons.cli.suite import load as settings

if TYPE_CHECKING:
    from intelligence.config import Config
    from intelligence.policy.feeds import State
    from intelligence.policy.lists import NamedList
    from intelligence.policy.load import PolicySet

folder = click.argument(
    "where", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="[FOLDER]"
)


@click.group()
def command() -> None:
    """Rules about LLM calls: YAML files in `policies/`. What is saved there is tried, and comes into force within a second if
    all is right with it; else what was in force stays.

    \b
    Example:
      llmitm policy list
      llmitm policy enable secrets-out
      llmitm policy test
      llmitm policy backtest --since 7d
      llmitm policy panic --reason "a key is out"
    """


command.add_command(backtest, "backtest")


@command.command()
@folder
def test(where: Path | None) -> None:
    """Check the files and run the examples of all rules; templates too. Nothing comes into force by it.

    \b
    Example:
      llmitm policy test
      llmitm policy test ~/new-rules
    """
    config = settings()
    at = where or config.policy.dir
    policies = _checked(at)
    examples = sum(len(rule.tests) for rule in policies.rules)
    click.echo(
        f"{at}: {_count(len(policies.rules), 'rule')}, {_count(examples, 'example')}, all as expected."
    )
    for template in _templates(at):
        policies = _checked(template.parent, only=template.name)
        examples = sum(len(rule.tests) for rule in policies.rules)
        click.echo(f"{template.stem}: {_count(len(policies.rules), 'rule')}, {_count(examples, 'example')}.")


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="A JSON object, for scripts.")
def list_(as_json: bool) -> None:
    """The rules in the order they are asked, the templates there are, and whether the kill switch is thrown.

    \b
    Example:
      llmitm policy list
      llmitm policy list --json
    """
    from intelligence.policy import handed
    from intelligence.policy.feeds import states
    from intelligence.policy.load import load
    from intelligence.policy.panic import panic_of
    from intelligence.policy.text_file import PolicyError

    config = settings()
    try:
        policies = handed.complete(load(config.policy.dir), config.data_dir)
        wrong = handed.fault(config.data_dir)
    except PolicyError as e:
        raise click.ClickException(str(e)) from None
    panic, feeds = panic_of(config.data_dir), states(config.data_dir)
    templates = {path.stem: _enabled(config, path.stem) for path in _templates(config.policy.dir)}
    if as_json:
        rules = [
            {
                "id": rule.id,
                "action": rule.action,
                "mode": rule.mode,
                "fail": rule.fail,
                "priority": rule.priority,
                "description": rule.description,
                "source": policies.sources[rule.id],
            }
            for rule in policies.rules
        ]
        lists = {
            name: {
                "kind": one.spec.kind,
                "entries": None if one.entries is None else len(one.entries),
                "fault": feeds[name].behind(one.spec.every) if name in feeds else None,
            }
            for name, one in policies.lists.items()
        }
        fault = {"version": policies.version, "fault": wrong, "panic": panic.mode if panic else None}
        click.echo(json.dumps({"rules": rules, "lists": lists, "templates": templates, **fault}))
        return
    if panic:
        click.secho(f"Kill switch: {panic.mode}, by {panic.by}. {panic.reason}", fg="red", err=True)
    if wrong:
        click.secho(f"Not in force, as something is wrong:\n{wrong}", fg="red", err=True)
    for rule in policies.rules:
        shadow = " (shadow)" if rule.mode == "shadow" else ""
        click.echo(
            f"{rule.id:<28} {rule.action + shadow:<18} {policies.sources[rule.id]:<34} {rule.description}"
        )
    for name, one in policies.lists.items():
        _tell_list(name, one, feeds.get(name))
    if not policies.rules:
        click.echo(f"No rules in {config.policy.dir}.")
    off = [name for name, on in templates.items() if not on]
    if off:
        click.echo(f"\nTemplates to switch on (llmitm policy enable NAME): {', '.join(off)}")


@command.command()
@click.argument("name")
def enable(name: str) -> None:
    """Switch the template NAME on.

    \b
    Example:
      llmitm policy enable secrets-out
    """
    config = settings()
    _template(config, name)
    at = config.policy.dir / f"{name}.yaml"
    if at.exists():
        raise click.ClickException(f"{at} is there already.")
    at.write_text(
        f"# Switches a template on. To change its rules, copy them here instead.\ninclude: templates/{name}.yaml\n"
    )
    try:
        _checked(config.policy.dir)
    except click.ClickException:
        at.unlink()
        raise
    click.echo(f"{name} is on, by {at}. Look at what it does: llmitm policy list")


@command.command()
@click.argument("name")
def disable(name: str) -> None:
    """Switch the template NAME off.

    \b
    Example:
      llmitm policy disable secrets-out
    """
    config = settings()
    _template(config, name)
    at = config.policy.dir / f"{name}.yaml"
    if not at.exists():
        raise click.ClickException(f"{name} is not switched on by a file of its own ({at}).")
    if "rules:" in at.read_text("utf-8"):
        raise click.ClickException(f"{at} has rules of its own: remove it yourself if you mean to.")
    at.unlink()
    click.echo(f"{name} is off.")


@command.command()
@click.option("--observe", is_flag=True, help="Let everything pass, and only tell what rules would do.")
@click.option("--reason", default="", help="Why; shown to clients.")
def panic(observe: bool, reason: str) -> None:
    """Stop everything: within a second no new request or frame passes, and open calls are closed with their connections.

    \b
    Example:
      llmitm policy panic --reason "a key is out"
      llmitm policy panic --observe
    """
    from intelligence.store import kill_switch

    with _written_down():
        kill_switch.throw(settings().data_dir, "observe" if observe else "block", getpass.getuser(), reason)
    what = "Rules only tell, from now on" if observe else "All LLM calls are stopped"
    click.echo(f"{what}. To end it: llmitm policy resume")


@command.command()
@click.option("--reason", default="", help="Why; kept in the audit log.")
def resume(reason: str) -> None:
    """Release the kill switch.

    \b
    Example:
      llmitm policy resume --reason "the key is revoked"
    """
    from intelligence.store import kill_switch

    thrown = True
    with _written_down():
        thrown = kill_switch.release(settings().data_dir, getpass.getuser(), reason)
    click.echo("Calls pass again, by the rules." if thrown else "The kill switch was not thrown.")


@contextmanager
def _written_down() -> Iterator[None]:
    """The switch is as it was asked for, even where the audit log could not be written; that is said."""
    from intelligence.store.kill_switch import NotWrittenDown

    try:
        yield
    except NotWrittenDown as e:
        click.secho(f"Warning: {e}", fg="yellow", err=True)
    except OSError as e:
        raise click.ClickException(f"the kill switch could not be changed: {e}") from None


@command.command()
def schema() -> None:
    """The JSON Schema of a policy file, for editors.

    \b
    Example:
      llmitm policy schema > policies/policy.schema.json
    """
    from intelligence.policy import schema as made

    click.echo(made.text(), nl=False)


def _tell_list(name: str, one: NamedList, state: State | None) -> None:
    count = "not fetched yet" if one.entries is None else _count(len(one.entries), "entry", "entries")
    click.echo(f"{name:<28} {'list of ' + one.spec.kind:<18} {one.spec.file or one.spec.url:<34} {count}")
    if state and one.spec.url and (fault := state.behind(one.spec.every)):
        click.secho(f"  {fault}", fg="red", err=True)


def _checked(at: Path, only: str | None = None) -> PolicySet:
    from intelligence.detect.lazily import lazy_detector
    from intelligence.policy import handed
    from intelligence.policy.text_file import PolicyError

    try:
        return handed.checked(at, lazy_detector(), only=only)
    except PolicyError as e:
        raise click.ClickException(str(e)) from None


def _templates(at: Path) -> list[Path]:
    return sorted((at / "templates").glob("*.yaml"))


def _template(config: Config, name: str) -> Path:
    import difflib

    names = [path.stem for path in _templates(config.policy.dir)]
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        hint = f" Did you mean {near[0]}?" if near else f" There are: {', '.join(names) or 'none'}."
        raise click.ClickException(f"There is no template {name!r}.{hint}")
    return config.policy.dir / "templates" / f"{name}.yaml"


def _enabled(config: Config, name: str) -> bool:
    from intelligence.policy.load import load
    from intelligence.policy.text_file import PolicyError

    try:
        return f"templates/{name}.yaml" in load(config.policy.dir).texts
    except PolicyError:
        return False


def _count(number: int, word: str, many: str = "") -> str:
    return f"{number:,} {word if number == 1 else many or word + 's'}"
