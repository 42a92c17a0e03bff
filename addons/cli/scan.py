"""`llmitm scan`: the proxy's detectors for files, pipes and CI."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import click
import msgspec

from addons.cli.scan_rules import Decide, deciding

KINDS = ("secret", "pii", "injection", "exfiltration", "command", "content", "canary")
_SOURCES = {
    "user": "user",
    "system": "system",
    "developer": "system",
    "assistant": "assistant",
    "tool": "tool_result",
    "tool_result": "tool_result",
    "tool_call": "tool_call",
}


class Line(msgspec.Struct):
    """A line of `--jsonl`."""

    id: str | int
    text: str
    role: str | None = None


@click.command()
@click.argument("file", type=click.File("rb"), default="-")
@click.option(
    "--jsonl",
    is_flag=True,
    help='A line in is {"id", "text", "role"?}, a line out {"id", "detections", "decision"}.',
)
@click.option(
    "--fail-on",
    multiple=True,
    type=click.Choice(KINDS),
    help="Exit with 1 if this kind is found. May be repeated.",
)
def command(file: Any, jsonl: bool, fail_on: tuple[str, ...]) -> None:
    """Look for secrets, personal data, injections and the like.

    FILE is a text, or - for standard input. The decision is what the rules in force would do if a user sent it; what they have no
    word on is alerted of. The exit code is 0 whatever was found, unless --fail-on says otherwise.

    \b
    Examples:
      llmitm scan notes.md
      git diff | llmitm scan --fail-on secret -
      llmitm scan --jsonl prompts.jsonl > found.jsonl
    """
    from intelligence.detect.scanner import Scanner

    scanner = Scanner()
    report = _jsonl if jsonl else _text
    kinds = report(file, lambda text, source: scanner.scan(text, source=source), deciding())
    if kinds & set(fail_on):
        sys.exit(1)


def _name(file: Any) -> str:
    return str(getattr(file, "name", "-"))


type Scan = Callable[[str, str | None], Sequence[Any]]


def _text(file: Any, scan: Scan, decide: Decide) -> set[str]:
    text = file.read().decode("utf-8", "replace")
    found = scan(text, None)
    for detection in found:
        line = text.count("\n", 0, detection.start) + 1
        column = detection.start - text.rfind("\n", 0, detection.start)
        place = "whole text" if detection.kind == "content" else f"{line}:{column}"
        click.echo(
            f"{_name(file)}:{place}: {detection.kind} {detection.type} {detection.score:.2f} ({detection.rule})"
        )
    click.echo(f"{decide(text, None, found)}: {len(found)} found", err=True)
    return {d.kind for d in found}


def _jsonl(file: Any, scan: Scan, decide: Decide) -> set[str]:
    kinds: set[str] = set()
    for line in _lines(file):
        source = _SOURCES.get(line.role or "")
        found = scan(line.text, source)
        kinds |= {d.kind for d in found}
        shown = [
            {"kind": d.kind, "type": d.type, "score": round(d.score, 3), "start": d.start, "end": d.end}
            for d in found
        ]
        click.echo(
            msgspec.json.encode(
                {"id": line.id, "detections": shown, "decision": decide(line.text, source, found)}
            ).decode()
        )
    return kinds


def _lines(file: Any) -> Iterator[Line]:
    for number, raw in enumerate(file, 1):
        if not raw.strip():
            continue
        try:
            yield msgspec.json.decode(raw, type=Line)
        except (msgspec.DecodeError, UnicodeDecodeError) as e:
            raise click.ClickException(
                f'{_name(file)}, line {number}: {e}. A line is {{"id", "text", "role"?}}.'
            ) from None
