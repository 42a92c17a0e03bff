"""The set in force, handed from the worker to the proxy.

The worker reads the policy files when they change, runs their examples, and only then writes `data/policy/current.json`, whole
and by rename. The proxy takes it from there, rule by rule, with a breath between two: a save stalls no stream. A set that
cannot be used leaves what is in force alone, and why is written to `data/policy/fault.json` for everybody who asks. What people
allow when they look at a detection stands beside, in `data/policy/allowed.json`, and comes into force without the files.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from intelligence.policy import feeds
from intelligence.policy.decide import Compiled, CompiledRule, assemble, compile_rule
from intelligence.policy.lists import Kind, Listed, compiling
from intelligence.policy.load import PolicySet, load
from intelligence.policy.rule import Allowance, Rule
from intelligence.policy.testing import Detect, run
from intelligence.policy.text_file import PolicyError
from intelligence.private_file import write_private

type Stamp = tuple[int, int, int, int]

FOLDER, CURRENT, FAULT, ALLOWED, LISTS = "policy", "current.json", "fault.json", "allowed.json", "lists"
# A list that no set needs any more goes after so long.
KEEP_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class InForce:
    """A set as the proxy has it."""

    compiled: Compiled = field(default_factory=Compiled)
    allow: tuple[Allowance, ...] = ()
    made_at_ms: int = 0


def checked(
    folder: Path, detect: Detect, instead: dict[str, str] | None = None, only: str | None = None
) -> PolicySet:
    """The set of a folder (or of one file in it), its examples tried. Raises `PolicyError`."""
    policies = load(folder, instead, only)
    if failures := run(policies, detect):
        raise PolicyError("\n".join(map(str, failures)))
    return policies


def complete(policies: PolicySet, data_dir: Path) -> PolicySet:
    """With what stands beside the files and counts with them: what people allowed, and what feeds brought last."""
    lists = {name: feeds.kept(data_dir, name, one) for name, one in policies.lists.items()}
    return replace(policies, allow=[*policies.allow, *allowed_by_people(data_dir)], lists=lists)


def hand_over(data_dir: Path, policies: PolicySet) -> None:
    """Put a checked set where the proxy finds it, and clear the fault. What feeds brought goes with it; what people allowed has
    a file of its own. Raises `OSError`."""
    lists = {name: feeds.kept(data_dir, name, one) for name, one in policies.lists.items()}
    policies = replace(policies, lists=lists)
    for one in lists.values():
        if one.digest and not (data_dir / FOLDER / LISTS / one.digest).exists():
            write_private(data_dir / FOLDER / LISTS / one.digest, one.text.encode())
    _put(
        data_dir / FOLDER / CURRENT,
        {
            "version": policies.version,
            "made_at_ms": time.time_ns() // 1_000_000,
            "rules": [
                rule.model_dump(mode="json", by_alias=True, exclude_defaults=True) for rule in policies.rules
            ],
            "groups": policies.groups,
            "lists": {
                name: one.spec.model_dump(mode="json", exclude_defaults=True)
                | {"digest": one.digest, "entries": None if one.entries is None else len(one.entries)}
                for name, one in lists.items()
            },
            "allow": [one.model_dump(mode="json", exclude_defaults=True) for one in policies.allow],
            "sources": policies.sources,
        },
    )
    (data_dir / FOLDER / FAULT).unlink(missing_ok=True)
    _clear(data_dir / FOLDER / LISTS, {one.digest for one in lists.values()})


def refuse(data_dir: Path, version: str, message: str) -> None:
    """Say why the files that are there are not in force. Raises `OSError`."""
    at = time.time_ns() // 1_000_000
    _put(data_dir / FOLDER / FAULT, {"version": version, "message": message, "at": at})


def fault(data_dir: Path) -> str | None:
    """Why the files that are there are not in force; None when they are."""
    value = _get(data_dir / FOLDER / FAULT)
    return str(value["message"]) if isinstance(value, dict) and value.get("message") else None


def hand_over_allowed(data_dir: Path, entries: Iterable[Allowance]) -> None:
    """Put what people allowed in force. Raises `OSError`."""
    found = [one.model_dump(mode="json", exclude_defaults=True) for one in entries]
    _put(data_dir / FOLDER / ALLOWED, {"allow": found})


def allowed_by_people(data_dir: Path) -> tuple[Allowance, ...]:
    """Nothing where it cannot be read: then more is told, not less."""
    value = _get(data_dir / FOLDER / ALLOWED)
    try:
        return tuple(Allowance.model_validate(each) for each in value["allow"])
    except (ValidationError, KeyError, TypeError):
        return ()


def summary(data_dir: Path) -> dict[str, Any] | None:
    """What was handed over, as it stands in the file: `version`, `made_at_ms`, `rules`, `lists`, `sources`. None before
    anything was."""
    value = _get(data_dir / FOLDER / CURRENT)
    return value if isinstance(value, dict) else None


def stamp(data_dir: Path) -> Stamp:
    """Changes when another set has been handed over, or people allowed something. The first two are 0 before any set was."""
    return *_stamp(data_dir / FOLDER / CURRENT), *_stamp(data_dir / FOLDER / ALLOWED)


def _stamp(path: Path) -> tuple[int, int]:
    try:
        stat = path.stat()
    except OSError:
        return 0, 0
    return stat.st_mtime_ns, stat.st_ino


def taken(data_dir: Path) -> Iterator[InForce | None]:
    """The set handed over, compiled a rule at a time: yields None after each, and last the set. Raises `PolicyError`."""
    path = data_dir / FOLDER / CURRENT
    value = _get(path)
    if not isinstance(value, dict):
        raise PolicyError(f"{path}: cannot be read")
    try:
        groups = {str(name): list(users) for name, users in value["groups"].items()}
        lists: dict[str, Listed | None] = {}
        for name, one in value["lists"].items():
            for made in _listed(data_dir, one["kind"], one["digest"]):
                yield None
                lists[name] = made
        rules: list[CompiledRule] = []
        for each in value["rules"]:
            rules.append(compile_rule(Rule.model_validate(each), groups, lists))
            yield None
        allow = tuple(Allowance.model_validate(each) for each in value["allow"])
        allow += allowed_by_people(data_dir)
        yield InForce(assemble(rules, value["version"]), allow, int(value["made_at_ms"]))
    except (ValidationError, KeyError, TypeError, AttributeError, ValueError, OSError) as e:
        raise PolicyError(f"{path}: was not written by this version of llmitm: {e}") from None


def _listed(data_dir: Path, kind: Kind, digest: str | None) -> Iterator[Listed | None]:
    if digest is None:
        yield None
        return
    yield from compiling(kind, _entries(data_dir / FOLDER / LISTS / digest, digest))


def _entries(path: Path, digest: str) -> Iterator[str]:
    """A line at a time, as lists are long. Raises `ValueError` at the end if it was not what its name says."""
    read = hashlib.sha256()
    with path.open("rb") as file:
        for line in file:
            read.update(line)
            yield line.decode().rstrip("\n")
    if read.hexdigest() != digest:
        raise ValueError(f"the list {digest} is damaged")


def _clear(folder: Path, used: set[str | None]) -> None:
    """A proxy may still be about to read a list of the set before."""
    for path in folder.glob("*"):
        with suppress(OSError):
            if path.name not in used and path.stat().st_mtime < time.time() - KEEP_SECONDS:
                path.unlink()


def take(data_dir: Path) -> InForce:
    """The same at once. Raises `PolicyError`."""
    return next(found for found in taken(data_dir) if found)


def _put(path: Path, value: dict[str, Any]) -> None:
    write_private(path, json.dumps(value, ensure_ascii=False).encode())


def _get(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
