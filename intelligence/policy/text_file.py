"""A YAML file as values, with the line each value stands on, so that every error can name it.

Read with PyYAML's safe types, but from its node tree: a key given twice is an error instead of a silent last word, and an alias
that unfolds without end is stopped by a bound on values. Nothing else raises than `PolicyError`.

The words are cut by libyaml, some five times as fast as PyYAML's own scanner; where PyYAML was built without it, by that one. The
tree is put together in Python all the same: nesting without end is then a `RecursionError`, not the end of the process.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from yaml.composer import Composer
from yaml.constructor import SafeConstructor

MAX_BYTES = 1_000_000
MAX_VALUES = 100_000
MAX_DEPTH = 60
_PLAIN = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")

type At = tuple[str | int, ...]


class PolicyError(Exception):
    """Policy files that cannot be used. The message is for the user: file, line, rule, what to do."""


_loader: type[Any] = yaml.SafeLoader
if yaml.__with_libyaml__:

    class _Fast(Composer, yaml.CSafeLoader):
        def __init__(self, text: str) -> None:
            yaml.CSafeLoader.__init__(self, text)
            Composer.__init__(self)

    _loader = _Fast


@dataclass(slots=True)
class Written:
    """`value` is what the file says; `lines` has for each place in it (keys and indexes) the line, from 1."""

    value: Any
    lines: dict[At, int] = field(default_factory=dict)

    def line(self, at: At) -> int:
        """The line of a place, or of the nearest thing around it that has one."""
        while at and at not in self.lines:
            at = at[:-1]
        return self.lines.get(at, 1)


def read(path: Path, name: str) -> str:
    """`name` stands for the file in errors. Raises `PolicyError`."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise PolicyError(f"{name}: is larger than {MAX_BYTES // 1_000_000} MB")
        return data.decode("utf-8")
    except OSError as e:
        raise PolicyError(f"{name}: cannot be read: {e.strerror or e}") from None
    except UnicodeDecodeError as e:
        raise PolicyError(f"{name}: is not UTF-8 text (byte {e.start})") from None


def parse(text: str, name: str) -> Written:
    """`name` stands for the file in errors. Raises `PolicyError`."""
    try:
        loader = _loader(text)
        try:
            node = loader.get_single_node()
            written = Written(None)
            if node is not None:
                written.value = _Reader(loader, name, written.lines).value(node, ())
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as e:
        line = e.problem_mark.line + 1 if e.problem_mark else 1
        # What ends too early, libyaml puts on the line after the last.
        line = min(line, len(text.splitlines()))
        raise PolicyError(f"{name}:{line}: not valid YAML: {e.problem or e.context or e}") from None
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError) as e:
        raise PolicyError(f"{name}: not valid YAML: {e}") from None
    return written


class _Reader:
    def __init__(self, loader: SafeConstructor, name: str, lines: dict[At, int]) -> None:
        self.loader = loader
        self.name = name
        self.lines = lines
        self.values = 0

    def value(self, node: yaml.Node, at: At) -> Any:
        self.values += 1
        line = node.start_mark.line + 1
        if self.values > MAX_VALUES or len(at) > MAX_DEPTH:
            raise PolicyError(f"{self.name}:{line}: too much, or nested too deep")
        self.lines[at] = line
        if not isinstance(node, yaml.ScalarNode) and node.tag not in _PLAIN:
            raise PolicyError(f"{self.name}:{line}: not valid YAML: {node.tag} is no type of a policy file")
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, at)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*at, index)) for index, item in enumerate(node.value)]
        return self.loader.construct_object(node)

    def mapping(self, node: yaml.MappingNode, at: At) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = self.loader.construct_object(key_node)
            if not isinstance(key, Hashable) or not isinstance(key, str | int | float | bool):
                raise PolicyError(f"{self.name}:{line}: a key must be a word")
            key = str(key) if not isinstance(key, str) else key
            if key in found:
                raise PolicyError(
                    f"{self.name}:{line}: {key!r} is given twice; the second one would win unseen"
                )
            found[key] = self.value(value_node, (*at, key))
            self.lines[(*at, key)] = line
        return found
