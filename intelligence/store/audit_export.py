"""The audit log of a period, to be kept or printed elsewhere, with a summary by who did what."""

from __future__ import annotations

import csv
import html
import io
import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any

type Entries = list[dict[str, Any]]


def _summary(found: Entries) -> list[dict[str, Any]]:
    counts = Counter((entry["actor"], entry["action"]) for entry in found)
    return [{"actor": actor, "action": action, "count": n} for (actor, action), n in counts.most_common()]


def as_json(since: str | None, until: str | None, found: Entries) -> str:
    period = {"since": since, "until": until, "entries": len(found)}
    whole = {"period": period, "summary": _summary(found), "entries": found}
    return json.dumps(whole, ensure_ascii=False, indent=1) + "\n"


def as_csv(since: str | None, until: str | None, found: Entries) -> str:
    out = io.StringIO()
    names = ["id", "time", "actor", "action", "subject", "before", "after"]
    writer = csv.DictWriter(out, names, lineterminator="\n")
    writer.writeheader()
    for entry in found:
        row = {name: entry[name] for name in names if name != "time"} | {"time": _time(entry["at"])}
        # A cell that begins so is a formula to a spreadsheet.
        writer.writerow(
            {k: f"'{v}" if isinstance(v, str) and v[:1] in "=+-@\t" else v for k, v in row.items()}
        )
    return out.getvalue()


def as_html(since: str | None, until: str | None, found: Entries) -> str:
    def table(names: list[str], rows: list[list[Any]]) -> str:
        head_ = "".join(f"<th>{name}</th>" for name in names)
        body = "".join(
            "<tr>"
            + "".join(f"<td>{html.escape('' if cell is None else str(cell))}</td>" for cell in row)
            + "</tr>"
            for row in rows
        )
        return f"<table><thead><tr>{head_}</tr></thead><tbody>{body}</tbody></table>"

    span = f"{since or 'the beginning'} to {until or 'now'}"
    style = "body{font:14px system-ui;margin:2em}table{border-collapse:collapse;margin:1em 0}td,th{border:1px solid #999;padding:.2em .5em;text-align:left;vertical-align:top;overflow-wrap:anywhere}"  # noqa: E501
    entries = [
        [e["id"], _time(e["at"]), e["actor"], e["action"], e["subject"], e["before"], e["after"]]
        for e in found
    ]
    return (
        f'<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>Audit</title><style>{style}</style>'
        f"<h1>Audit log</h1><p>{html.escape(span)}: {len(found)} entries.</p><h2>By rule and action</h2>"
        + table(
            ["who", "what", "how often"], [[s["actor"], s["action"], s["count"]] for s in _summary(found)]
        )
        + "<h2>Entries</h2>"
        + table(["entry", "time (UTC)", "who", "what", "of", "before", "after"], entries)
        + "</html>\n"
    )


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")


FORMS = {"json": as_json, "csv": as_csv, "html": as_html}
