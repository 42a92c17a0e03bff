"""`llmitm env`: the client variables as shell code, for a whole shell session."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable

import click

from addons.cli import suite
from addons.cli.client_env import VARIABLES, client_variables, original, replaced
from addons.cli.route import user_in_proxy_url


def _sh(name: str, value: str | None) -> str:
    return f"unset {name}" if value is None else f"export {name}={shlex.quote(value)}"


def _fish(name: str, value: str | None) -> str:
    if value is None:
        return f"set -e {name};"
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"set -gx {name} '{quoted}';"


def _powershell(name: str, value: str | None) -> str:
    if value is None:
        return f"Remove-Item Env:{name} -ErrorAction SilentlyContinue"
    quoted = value.replace("'", "''")
    return f"$env:{name} = '{quoted}'"


SHELLS: dict[str, Callable[[str, str | None], str]] = {
    "sh": _sh,
    "bash": _sh,
    "zsh": _sh,
    "fish": _fish,
    "powershell": _powershell,
}


@click.command()
@click.option(
    "--shell",
    type=click.Choice(list(SHELLS)),
    default="powershell" if sys.platform == "win32" else "sh",
    show_default=True,
    help="Whose syntax to print.",
)
@click.option("--local", is_flag=True, help="Record models on this machine too (Ollama, LM Studio, vLLM).")
@click.option("--unset", is_flag=True, help="Print what takes the variables back.")
def command(shell: str, local: bool, unset: bool) -> None:
    """Print the variables that send this shell's LLM calls through the running proxy.

    \b
    Example:
      eval "$(llmitm env)"
      eval "$(llmitm env --unset)"
      llmitm env --shell fish | source
      llmitm env --shell powershell | Out-String | Invoke-Expression
    """
    line = SHELLS[shell]
    if unset:
        before = replaced(os.environ)
        for name in (*VARIABLES, "_LLMITM_REPLACED"):
            if name in before or name == "_LLMITM_REPLACED":
                click.echo(line(name, before.get(name)))
        return
    config = suite.load()
    address = suite.running(config.data_dir).proxy
    if address is None:
        address = suite.reachable(f"{config.proxy.listen_host}:{config.proxy.listen_port}")
        click.echo(
            f"llmitm: the proxy does not run: until `{suite.program()} up` is started, clients with these variables "
            "cannot reach the network",
            err=True,
        )
    if not (config.certs.dir / "bundle.pem").is_file():
        raise click.ClickException(
            f"there is no CA in {config.certs.dir} yet; `{suite.program()} up` makes one. Start it, then try again."
        )
    env = original(os.environ)
    proxy_url = f"http://{user_in_proxy_url(env, config, address)}{address}"
    for name, value in client_variables(proxy_url, config.certs.dir, env, local=local).items():
        click.echo(line(name, value))
    if sys.stdout.isatty():
        click.echo('# These lines only print them. To set them: eval "$(llmitm env)"', err=True)
