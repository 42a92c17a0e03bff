"""What the rules in force say of a scanned text: as if it were a user's message on its way out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from intelligence.config import Config
    from intelligence.policy.allowed import Allowed
    from intelligence.policy.decide import CompiledRule
    from intelligence.policy.handed import InForce

type Decide = Callable[[str, str | None, Sequence[Any]], str]
"""Text, source, detections: the action."""


def built_in(detections: Sequence[Any]) -> str:
    """Without rules, whoever looks is told. What a text is about alarms nobody."""
    return "alert" if any(d.kind != "content" for d in detections) else "allow"


def deciding() -> Decide:
    """By the rules in force. What no rule has a word on is decided as without rules."""
    from intelligence.policy.decide import decide
    from intelligence.policy.facts import Facts
    from intelligence.policy.testing import Stated
    from intelligence.store.governing import WEIGHTS

    rules, allowed = _rules()

    def action(text: str, source: str | None, detections: Sequence[Any]) -> str:
        minded = [d for d in detections if not allowed or not allowed(d.kind, d.type, text[d.start : d.end])]
        message = {"role": "user", "source": source or "user", "content": text}
        evidence = Stated(
            {"messages": [message]}, lambda _t, _s, kinds: [d for d in minded if d.kind in kinds]
        )
        said = decide(rules, Facts(evidence))
        done = [one.action for one in said if one.acts and one.action in WEIGHTS]
        return max(done, key=WEIGHTS.index) if done else built_in(minded)

    return action


def _rules() -> tuple[list[CompiledRule], Allowed | None]:
    """Rules that look at what a text says, and what is allowed: a limit or a loop is nothing that a text has. None where there is
    no configuration that can be used, and standard error says why."""
    from intelligence.config import ConfigError, load_config
    from intelligence.policy.allowed import allowed
    from intelligence.store.ids import KEY_FILE

    try:
        config = load_config()
    except ConfigError as e:
        click.echo(f"llmitm: without rules, as the configuration cannot be used: {e}", err=True)
        return [], None
    if (force := _in_force(config)) is None:
        return [], None
    looking = [
        one
        for one in force.compiled.rules
        if "request" in one.directions
        and one.looks_at & {"text", "detection"}
        and not one.looks_at & {"limit", "loop"}
    ]
    try:
        key = (config.data_dir / KEY_FILE).read_bytes()
    except OSError:
        key = bytes(32)  # nobody has allowed anything by its digest yet
    return looking, allowed(force.allow, key)


def _in_force(config: Config) -> InForce | None:
    """As the proxy takes them when it starts: the files, else the last good set."""
    from intelligence.policy import handed
    from intelligence.policy.decide import compile_set
    from intelligence.policy.handed import InForce
    from intelligence.policy.load import load
    from intelligence.policy.text_file import PolicyError

    try:
        policies = handed.complete(load(config.policy.dir), config.data_dir)
        return InForce(compile_set(policies), tuple(policies.allow))
    except PolicyError as e:
        click.echo(f"llmitm: the policy files cannot be used:\n{e}", err=True)
    try:
        return handed.take(config.data_dir)
    except PolicyError:
        return None
