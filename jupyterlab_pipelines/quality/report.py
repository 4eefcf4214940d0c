"""A table at a glance as HTML: no script, nothing from the network, on light and on dark ground."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

Document = dict[str, Any]

WIDTH, HEIGHT = 180, 24

_STYLE = """
:root { color-scheme: light dark; }
body { font: 14px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #8884; vertical-align: top; }
th { font-weight: 600; }
small { color: #777; }
.error { color: #d64545; font-weight: 600; }
.warning { color: #b86e00; font-weight: 600; }
.info { color: #777; }
summary { cursor: pointer; margin: 1rem 0; }
"""


def html_report(document: Document) -> str:
    """The whole page of a table's document, see `views.table_document`."""
    title = f"{document['step']}.{document['name']}"
    facts = [f"run {document['run_id']}", document["type"], document["summary"]]
    if document["reference"]:
        facts.append(f"compared with run {document['reference']['run_id']}")
    parts = [f"<h1>{escape(title)}</h1>", f"<p>{escape(' · '.join(filter(None, facts)))}</p>"]
    of_table = [anomaly for anomaly in document["anomalies"] if anomaly["feature"] is None]
    parts += [f"<p>{_verdict(anomaly)}</p>" for anomaly in of_table]
    parts += [f"<p>From {escape(change['input'])}: {_change(change)}</p>" for change in document["changes"]]
    rows = document["overview"]
    if rows:
        parts.append(html_rows(rows))
    elif document["statistics"] is None:
        parts.append("<p>No statistics: it is like no table, and there are no arrays of numbers in it.</p>")
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body>{''.join(parts)}</body></html>\n"
    )


def html_rows(rows: Sequence[Document], most: int | None = None) -> str:
    """Rows of an overview: those with anomalies, then the others, folded if there are any anomalies."""
    shown = list(rows if most is None else rows[:most])
    guilty = [row for row in shown if row["anomalies"]]
    quiet = [row for row in shown if not row["anomalies"]]
    if not guilty:
        return _table(quiet) + _left_out(rows, shown)
    folded = f"<details><summary>{len(quiet)} columns without change</summary>{_table(quiet)}</details>"
    return _table(guilty) + (folded if quiet else "") + _left_out(rows, shown)


def _left_out(rows: Sequence[Document], shown: Sequence[Document]) -> str:
    left = len(rows) - len(shown)
    return f"<p><small>… and {left} more columns</small></p>" if left else ""


def _table(rows: Sequence[Document]) -> str:
    head = "".join(
        f"<th>{word}</th>" for word in ("Column", "Nulls", "Distinct", "Distribution", "Values", "")
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(map(_row, rows))}</tbody></table>"


def _row(row: Document) -> str:
    numbers = "<br>".join(f"{escape(name)} {escape(value)}" for name, value in row["numbers"].items())
    verdicts = "<br>".join(_verdict(anomaly) for anomaly in row["anomalies"])
    distinct = "–" if row["distinct"] is None else str(row["distinct"])
    gone = " <small>(gone)</small>" if row["is_gone"] else ""
    cells = (
        f"<b>{escape(row['name'])}</b>{gone}<br><small>{escape(row['dtype'])}</small>",
        _nulls(row),
        distinct,
        sparkline(row["bins"]),
        f"<small>{numbers}</small>",
        verdicts,
    )
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _verdict(anomaly: Document) -> str:
    severity = escape(anomaly["severity"])
    told = f"{escape(anomaly['kind'].replace('_', ' '))}</span> {escape(anomaly['description'])}"
    return f'<span class="{severity}" title="{severity}">{severity}: {told}'


def _nulls(row: Document) -> str:
    before = row["reference_nulls"]
    told = f"{100 * row['nulls']:.3g} %"
    if before is not None and before != row["nulls"]:
        told += f" <small>(was {100 * before:.3g} %)</small>"
    return told


def _change(change: Document) -> str:
    parts = [f"{change['rows_before']} → {change['rows_after']} rows"]
    for word in ("added", "removed"):
        if names := change[f"columns_{word}"]:
            parts.append(f"{word}: {', '.join(map(str, names))}")
    parts += [f"nulls of {n['column']}: {n['before']} → {n['after']}" for n in change["nulls"]]
    parts += [f"{c['column']} lost {', '.join(map(str, c['values']))}" for c in change["categories_lost"]]
    return escape("; ".join(parts))


def sparkline(bins: Document | None) -> str:
    """The distribution as an inline drawing: the reference as a grey area, the run as a line over it."""
    if bins is None or not bins["current"]:
        return ""
    before = bins["reference"]
    most = max([*bins["current"], *(before or []), 1e-9])
    count = len(bins["current"])
    width = WIDTH / count

    def steps(shares: Sequence[float]) -> str:
        points = []
        for index, share in enumerate(shares):
            y = round(HEIGHT - share / most * (HEIGHT - 2), 1)
            points += [f"{index * width:.1f},{y}", f"{(index + 1) * width:.1f},{y}"]
        return " ".join(points)

    area = ""
    if before:
        area = f'<polygon fill="#8886" points="0,{HEIGHT} {steps(before)} {WIDTH},{HEIGHT}"/>'
    line = f'<polyline fill="none" stroke="#3b7dd8" stroke-width="1.5" points="{steps(bins["current"])}"/>'
    marks = "".join(
        f'<rect fill="#d64545" x="{index * width:.1f}" y="{HEIGHT - 3}" width="{width:.1f}" height="3"/>'
        for index, is_unseen in enumerate(bins.get("unseen") or ())
        if is_unseen
    )
    return (
        f'<svg role="img" aria-label="{escape(_in_words(bins))}" width="{WIDTH}" height="{HEIGHT}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}"><title>{escape(_in_words(bins))}</title>{area}{line}{marks}</svg>'
    )


def _in_words(bins: Document) -> str:
    if bins["kind"] == "values":
        shares = zip(bins["labels"], bins["current"], strict=True)
        return "Shares: " + ", ".join(f"{label} {100 * share:.3g} %" for label, share in list(shares)[:6])
    told = f"Distribution from {bins['start_text']} to {bins['stop_text']}"
    outside = [f"{100 * bins[side]:.2g} % {side}" for side in ("below", "above") if bins[side]]
    return f"{told} ({', '.join(outside)})" if outside else told
