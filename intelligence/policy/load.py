"""All policy files of a folder, read, checked and put in order.

`policies/*.yaml` are the files in force; what they `include` comes right before them. Files are taken by name, rules by
priority, then by file and line. The set is used whole or not at all: one bad line in one file, and `PolicyError` names every
fault found, each with file, line and rule. Nothing here runs a rule.
"""

from __future__ import annotations

import difflib
import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from intelligence.policy import text_file
from intelligence.policy.lists import MAX_BYTES, BadList, NamedList, parse
from intelligence.policy.rule import Allowance, List, PolicyFile, Rule, parts_of
from intelligence.policy.text_file import At, PolicyError, Written

MAX_FILES = 200
MAX_RULES = 2000
MAX_TOLD = 20
SUFFIXES = (".yaml", ".yml")


@dataclass(slots=True)
class PolicySet:
    """`rules` in the order they are asked; `sources` says where each rule stands (`file:line`); `texts` are the files read."""

    rules: list[Rule] = field(default_factory=list)
    groups: dict[str, list[str]] = field(default_factory=dict)
    lists: dict[str, NamedList] = field(default_factory=dict)
    allow: list[Allowance] = field(default_factory=list)
    sources: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)

    @property
    def version(self) -> str:
        """16 hex digits of the files' text, and of what is in lists: the same files, the same version."""
        digest = hashlib.sha256()
        texts = self.texts | {f"list {name}": one.digest or "" for name, one in self.lists.items()}
        for name, text in sorted(texts.items()):
            digest.update(f"{len(name)}:{name}{len(text)}:".encode())
            digest.update(text.encode("utf-8", "surrogatepass"))
        return digest.hexdigest()[:16]


def files_of(folder: Path) -> list[Path]:
    """The files that are in force, by name. A folder that is not there holds none."""
    if not folder.is_dir():
        return []
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix in SUFFIXES and not path.name.startswith(".") and path.is_file()
    )


def load(folder: Path, instead: dict[str, str] | None = None, only: str | None = None) -> PolicySet:
    """`instead` has texts to be read in place of files, by their name relative to `folder`; one that is not on disk is added.
    `only`: this one file, with what it includes. Raises `PolicyError`."""
    instead = instead or {}
    names = {path.name for path in files_of(folder)} | {name for name in instead if "/" not in name}
    names = {only} if only else names
    loading = _Loading(folder, instead)
    for name in sorted(names):
        loading.take(folder / name, None)
    loading.look_up()
    if loading.faults:
        more = len(loading.faults) - MAX_TOLD
        tail = [f"and {more} more"] if more > 0 else []
        raise PolicyError("\n".join(loading.faults[:MAX_TOLD] + tail))
    loading.found.rules.sort(key=lambda rule: rule.priority)  # stable: files and lines stay in order
    return loading.found


class _Loading:
    def __init__(self, folder: Path, instead: dict[str, str]) -> None:
        self.folder = folder.resolve()
        self.instead = instead
        self.found = PolicySet()
        self.faults: list[str] = []
        self.begun: set[Path] = set()

    def take(self, path: Path, included_at: str | None) -> None:
        path = path.resolve()
        if path in self.begun:
            return
        self.begun.add(path)
        name = self._name(path)
        try:
            if len(self.begun) > MAX_FILES:
                raise PolicyError(f"{name}: more than {MAX_FILES} policy files")
            text = self.instead.get(name)
            if text is None:
                text = text_file.read(path, name)
            written = text_file.parse(text, name)
            file = _checked(written, name)
        except PolicyError as e:
            self.faults.append(f"{included_at}: includes: {e}" if included_at else str(e))
            return
        self.found.texts[name] = text
        for index, include in enumerate(file.include):
            at = f"{name}:{written.line(('include', index))}"
            target = (path.parent / include).resolve()
            if not target.is_relative_to(self.folder):
                self.faults.append(f"{at}: include: {include!r} is outside {self.folder}")
            else:
                self.take(target, at)
        self._add(file, written, name)

    def _list(self, name: str, spec: List, at: str, beside: Path) -> None:
        if name in self.found.lists:
            self.faults.append(f"{at}: list {name}: this name is taken; names of lists are unique")
            return
        self.found.lists[name] = NamedList(spec, None)
        if spec.file is None:
            return
        path = (beside.parent / spec.file).resolve()
        if not path.is_relative_to(self.folder):
            self.faults.append(f"{at}: list {name}: {spec.file!r} is outside {self.folder}")
            return
        try:
            with path.open("rb") as file:
                data = file.read(MAX_BYTES + 1)
            if spec.sha256 and spec.sha256.lower() != (digest := hashlib.sha256(data).hexdigest()):
                self.faults.append(
                    f"{at}: list {name}: {spec.file} has the SHA-256 {digest}, not {spec.sha256}"
                )
            self.found.lists[name] = NamedList(spec, parse(data, spec.kind))
        except OSError as e:
            self.faults.append(f"{at}: list {name}: {spec.file} cannot be read: {e.strerror or e}")
        except BadList as e:
            self.faults.append(f"{self._name(path)}:{e.line}: list {name}: {e}")

    def look_up(self) -> None:
        """That each list which a rule names is there, and of a kind that fits."""
        for rule in self.found.rules:
            for part in parts_of(rule.when):
                for key, names, kinds in (
                    ("host_in", part.host_in or [], ("hosts",)),
                    ("text.in_list", part.text.in_list if part.text else [], ("patterns", "hashes")),
                ):
                    for name in names:
                        if why := self._unfit(rule, name, kinds):
                            at = self.found.sources[rule.id]
                            self.faults.append(f"{at}: rule {rule.id}: when.{key}: {why}")

    def _unfit(self, rule: Rule, name: str, kinds: tuple[str, ...]) -> str | None:
        if (one := self.found.lists.get(name)) is None:
            near = difflib.get_close_matches(name, self.found.lists, n=1, cutoff=0.5)
            known = (
                f"did you mean {near[0]}?"
                if near
                else f"there are: {', '.join(sorted(self.found.lists)) or 'none'}"
            )
            return f"there is no list {name!r}; {known}"
        if one.spec.kind not in kinds:
            return f"{name} is a list of {one.spec.kind}; what goes here are {' or '.join(kinds)}"
        if one.spec.kind == "hashes" and rule.action == "redact":
            return f"{name} has hashes of files too, which cannot be redacted; block instead"
        return None

    def _name(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix() if path.is_relative_to(self.folder) else str(path)

    def _add(self, file: PolicyFile, written: Written, name: str) -> None:
        for group, users in file.groups.items():
            self.found.groups.setdefault(group, []).extend(users)
        for list_, spec in file.lists.items():
            self._list(list_, spec, f"{name}:{written.line(('lists', list_))}", self.folder / name)
        self.found.allow += file.allow
        for index, rule in enumerate(file.rules):
            source = f"{name}:{written.line(('rules', index))}"
            if rule.id in self.found.sources:
                first = self.found.sources[rule.id]
                self.faults.append(f"{source}: rule {rule.id}: this id is taken by {first}; ids are unique")
                continue
            self.found.sources[rule.id] = source
            self.found.rules.append(rule)
        if len(self.found.rules) > MAX_RULES:
            self.faults.append(f"{name}: more than {MAX_RULES} rules")


def _checked(written: Written, name: str) -> PolicyFile:
    """Raises `PolicyError` with a line for each fault."""
    value = {} if written.value is None else written.value
    if not isinstance(value, dict):
        raise PolicyError(f"{name}:1: a policy file is a mapping with the key `rules`")
    try:
        return PolicyFile.model_validate(value)
    except ValidationError as e:
        faults = dict.fromkeys(_told(error, written, name) for error in e.errors(include_url=False))
        raise PolicyError("\n".join(faults)) from None


def _told(error: Any, written: Written, name: str) -> str:
    at = _place(error["loc"], written.value)
    rule = _rule_of(at, written.value)
    where = f"{name}:{written.line(at)}: " + (f"rule {rule}: " if rule else "")
    inside = ".".join(str(key) for key in (at[2:] if at[:1] == ("rules",) else at))
    if error["type"] == "extra_forbidden":
        known = _keys_beside(at)
        near = difflib.get_close_matches(str(at[-1]), known, n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]}?" if near else f"; known are {', '.join(sorted(known))}"
        return f"{where}unknown key {inside}{hint}"
    if error["type"] == "missing":
        return f"{where}{inside} is missing"
    message = error["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return f"{where}{inside + ': ' if inside else ''}{message[:1].lower()}{message[1:]}"


def _place(loc: tuple[Any, ...], value: Any) -> At:
    """Where in the file an error's place is: pydantic also counts into values that were written without a list."""
    at: list[str | int] = []
    for key in loc:
        if isinstance(value, dict):
            at.append(key)
            value = value.get(key)
        elif isinstance(value, list) and isinstance(key, int):
            at.append(key)
            value = value[key] if key < len(value) else None
    return tuple(at)


def _rule_of(at: At, value: Any) -> str | None:
    if len(at) < 2 or at[0] != "rules" or not isinstance(at[1], int):
        return None
    rule = value["rules"][at[1]]
    stated = rule.get("id") if isinstance(rule, dict) else None
    return stated if isinstance(stated, str) else f"number {at[1] + 1}"


def _keys_beside(at: At) -> list[str]:
    """The keys that are known where an unknown one was found."""
    model: type[BaseModel] | None = PolicyFile
    for key in at[:-1]:
        if isinstance(key, int) or model is None:
            continue
        field = next((f for n, f in model.model_fields.items() if (f.alias or n) == key), None)
        model = _model_in(field.annotation) if field else None
    return [f.alias or n for n, f in model.model_fields.items()] if model else []


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part))), None)
