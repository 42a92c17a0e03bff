"""`llmitm trust`: our CA in the machine's own trust store, for programs that `exec` and `env` do not reach.

It changes the whole machine, so it shows every command first and asks; afterwards it looks whether it is so.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import click
from cryptography.hazmat.primitives import hashes

from addons import ca as our_ca
from addons.cli import suite
from certs import authority, trust_store
from certs.ca import Ca, CaPaths, CertsError, load_ca, paths_in
from certs.elsewhere import Commands, commands_for
from intelligence.config import Config, ConfigError

STATES = {
    "installed": "trusted",
    "outdated": "trusted as it was before it was issued anew; `llmitm trust install` renews it",
    "incomplete": "put there, but the store was not updated; `llmitm trust install` mends it",
    "absent": "not trusted",
}


@click.group()
def command() -> None:
    """Let this machine's own trust store accept the CA, or take it out again.

    Needed only for programs that `llmitm exec` and `llmitm env` cannot reach: they need nothing installed.

    \b
    Example:
      llmitm trust status
      llmitm trust install
      llmitm trust uninstall
    """


@command.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for scripts.")
def status(as_json: bool) -> None:
    """Show the CA, what it is limited to, and whether this machine trusts it.

    \b
    Example:
      llmitm trust status
      llmitm trust status --json | jq -r .store.state
    """
    config = suite.load()
    try:
        report = _report(config)
    except CertsError as e:
        raise click.ClickException(str(e)) from None
    if as_json:
        click.echo(json.dumps(report, indent=2))
    else:
        _show(report)


@command.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
def install(yes: bool) -> None:
    """Put the CA into this machine's trust store. Shows what it will run, and asks.

    \b
    Example:
      llmitm trust install
    """
    config = suite.load()
    try:
        ca, paths = _ca_to_install(config)
        if typed := commands_for(sys.platform, ca.certificate, paths.cert):
            _print_for(typed, typed.install)
            return
        store = _store(paths)
        if trust_store.status(store, ca.certificate).state == "installed":
            click.echo("This machine trusts the CA already; nothing to do.")
            return
        _run(trust_store.install_plan(store, ca.certificate, paths.cert), yes)
        found = trust_store.status(store, ca.certificate)
        if found.state != "installed":
            raise CertsError(
                f"the commands ran, but {store.bundle} does not hold the CA: {STATES[found.state]}"
            )
    except CertsError as e:
        raise click.ClickException(str(e)) from None
    click.echo("This machine trusts the CA now. Programs that run already may need a restart.")


@command.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--all", "everything", is_flag=True, help="Also the CAs of other llmitm installations.")
def uninstall(yes: bool, everything: bool) -> None:
    """Take the CA out of this machine's trust store. Shows what it will run, and asks.

    \b
    Example:
      llmitm trust uninstall
      llmitm trust uninstall --all
    """
    config = suite.load()
    try:
        paths = paths_in(config.certs.dir)
        ca = load_ca(config.certs.dir)
        if ca and (typed := commands_for(sys.platform, ca.certificate, paths.cert)):
            _print_for(typed, typed.uninstall)
            return
        store = _store(paths)
        own = [store.anchor(ca.certificate)] if ca else []
        others = [path for path in trust_store.anchors_of_ours(store) if path not in own]
        anchors = [path for path in others if everything]
        if (ca and trust_store.status(store, ca.certificate).state != "absent") or trust_store.leftovers(
            store, own
        ):
            anchors = own + anchors
        if anchors:
            _run(trust_store.uninstall_plan(store, anchors), yes)
            if left := trust_store.leftovers(store, anchors):
                raise CertsError(f"the commands ran, but this is still there: {', '.join(map(str, left))}")
            if ca and trust_store.status(store, ca.certificate).state != "absent":
                raise CertsError(f"the commands ran, but {store.bundle} still holds the CA")
            click.echo("Done: nothing of it is left in this machine's trust store.")
        else:
            click.echo("The CA is not in this machine's trust store; nothing to do.")
        if others and not everything:
            names = ", ".join(path.name for path in others)
            click.echo(f"CAs of other llmitm installations are: {names}. --all removes them too.")
    except CertsError as e:
        raise click.ClickException(str(e)) from None


def _ca_to_install(config: Config) -> tuple[Ca, CaPaths]:
    """The CA, made now if there is none."""
    paths = paths_in(config.certs.dir)
    if os.environ.get("SUDO_USER"):
        # What root makes or renews here, the user's own proxy could not read.
        if not paths.ca.exists():
            raise CertsError("there is no CA yet: run this without sudo, it asks for root's rights itself")
    else:
        try:
            ensured = our_ca.ensure(config)
        except ConfigError as e:
            raise click.ClickException(str(e)) from None
        if ensured.message:
            click.echo(ensured.message, err=True)
    ca = load_ca(config.certs.dir)
    assert ca is not None
    if len(ca.chain) > 1:
        raise CertsError(
            f"{paths.ca} is an intermediate CA that you brought: have this machine trust its root instead"
        )
    return ca, paths


def _store(paths: CaPaths) -> trust_store.Store:
    if store := trust_store.find_store():
        return store
    raise CertsError(
        "this machine's trust store is of a kind that llmitm does not know (it knows those of Debian, Red Hat and their "
        f"families). Add this file to it by hand: {paths.cert}"
    )


def _run(plan: trust_store.Plan, yes: bool) -> None:
    click.echo("This will run:\n" + "".join(f"  {line}\n" for line in plan.as_typed()))
    if not yes:
        click.confirm("Go on?", abort=True)
    plan.run()


def _print_for(typed: Commands, line: str) -> None:
    click.echo(
        f"On {typed.system}, run this yourself:\n\n  {line}\n\nTo see whether it is there:\n\n  {typed.status}"
    )


def _report(config: Config) -> dict[str, Any]:
    paths = paths_in(config.certs.dir)
    ca = load_ca(config.certs.dir)
    if ca is None:
        return {"ca": None, "store": None, "certs_dir": str(config.certs.dir)}
    certificate = ca.certificate
    limits = authority.constraints_of(certificate)
    store = trust_store.find_store()
    found = trust_store.status(store, certificate) if store else None
    return {
        "ca": {
            "file": str(paths.cert),
            "name": certificate.subject.rfc4514_string(),
            "sha256": certificate.fingerprint(hashes.SHA256()).hex(),
            "expires_at": int(certificate.not_valid_after_utc.timestamp() * 1000),
            "permitted": authority.permitted_names(limits) if limits else None,
        },
        "store": {
            "family": store.family,
            "state": found.state,
            "file": str(found.anchor),
            "others": [str(path) for path in found.others],
        }
        if store and found
        else None,
        "certs_dir": str(config.certs.dir),
    }


def _show(report: dict[str, Any]) -> None:
    ca, store = report["ca"], report["store"]
    if ca is None:
        click.echo(f"There is no CA in {report['certs_dir']} yet; `{suite.program()} up` makes one.")
        return
    permitted = ca["permitted"]
    lines = {
        "CA": ca["file"],
        "name": ca["name"],
        "SHA-256": ":".join(ca["sha256"][i : i + 2] for i in range(0, 64, 2)).upper(),
        "limited to": f"{len(permitted)} names and addresses (--json lists them)"
        if permitted
        else "nothing: any host",
        "this machine": STATES[store["state"]] if store else _unknown_store(),
    }
    if store and store["state"] != "absent":
        lines["as"] = store["file"]
    for other in store["others"] if store else ():
        lines["also there"] = f"{other} (of another llmitm installation)"
    for name, value in lines.items():
        click.echo(f"{name:<13} {value}")


def _unknown_store() -> str:
    if sys.platform in ("darwin", "win32"):
        return "ask it as `llmitm trust install` tells"
    return "its trust store is of a kind that llmitm does not know"
