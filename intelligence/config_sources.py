"""Where each setting in force comes from: a line of `mitm.toml`, a variable, or nowhere, which is the default."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from intelligence.config import ENV_PREFIX, SECTIONS, Config, line_of

# A user and password in an address are nobody's to read.
_USERINFO = re.compile(r"(?<=://)[^/@\s]+@")


@dataclass(frozen=True)
class Setting:
    """`source` is `default`, the name of a variable, or `mitm.toml:12`; `value` is as TOML has it, without credentials."""

    section: str
    key: str
    value: str
    source: str
    description: str


def settings(config: Config, env: Mapping[str, str] | None = None) -> list[Setting]:
    """Every setting, in the order of the sections."""
    env = os.environ if env is None else env
    try:
        text = config.path.read_text("utf-8")
    except OSError:
        text = ""
    found = []
    for section, model in SECTIONS.items():
        values = getattr(config, section)
        for key, field in model.model_fields.items():
            variable = f"{ENV_PREFIX}{section}__{key}".upper()
            line = line_of(text, section, key)
            if any(name.upper() == variable for name in env):
                source = variable
            elif line is not None:
                source = f"{config.path.name}:{line}"
            else:
                source = "default"
            value = _USERINFO.sub("[redacted]@", _shown(getattr(values, key)))
            found.append(Setting(section, key, value, source, field.description or ""))
    return found


def _shown(value: Any) -> str:
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_shown(item) for item in value) + "]"
    if hasattr(value, "model_dump"):
        return (
            "{"
            + ", ".join(f"{k} = {_shown(v)}" for k, v in value.model_dump(exclude_none=True).items())
            + "}"
        )
    return str(value)
