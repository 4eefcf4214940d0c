"""Commands that look into the tables of runs: `slices`, `edge`, `trend`; and how rows and traces are told."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from jupyterlab_pipelines.documents import write_document

if TYPE_CHECKING:
    from jupyterlab_pipelines.project import Project

AddCommand = Callable[[Callable[[argparse.Namespace], int], str], argparse.ArgumentParser]

MOST_WIDE = 8
"""Columns of a row that are told on a terminal."""
LONGEST = 24
"""Letters of a value that are told there."""


def register(add: AddCommand) -> None:
    """Add the commands of this module."""
    slicer = add(slices, "how good predictions are for each value of a column, the worst first")
    slicer.add_argument("run", metavar="RUN", help="id of a run, or a beginning or end that no other run has")
    slicer.add_argument("table", metavar="STEP.NAME", help="the table whose columns slice")
    side = "a column of it, or STEP.NAME of another value with as many rows (default: by its usual name)"
    slicer.add_argument("--truth", metavar="COLUMN", help=side)
    slicer.add_argument("--prediction", metavar="COLUMN", help=side)
    slicer.add_argument(
        "--by", action="append", default=[], metavar="COLUMN", help="only by this column; may be given again"
    )
    slicer.add_argument(
        "--metric", metavar="NAME", help="accuracy, mean_absolute_error, mean_squared_error or mean_error"
    )
    slicer.add_argument("--limit", type=int, default=20, metavar="N", help="how many slices (default: 20)")

    edger = add(edge, "what a step did to the tables that it got from another")
    edger.add_argument("run", metavar="RUN", help="id of a run, or a beginning or end that no other run has")
    edger.add_argument("source", metavar="SOURCE", help="the step that left the tables")
    edger.add_argument("target", metavar="TARGET", help="the step that made others of them")

    trender = add(trend, "a table, or one of its columns, in the last runs of a notebook")
    trender.add_argument("notebook", type=Path, metavar="NOTEBOOK")
    trender.add_argument("table", metavar="STEP.NAME")
    trender.add_argument("--column", metavar="COLUMN", help="this column, not the table as a whole")
    trender.add_argument("--limit", type=int, default=20, metavar="N", help="how many runs (default: 20)")


def slices(arguments: argparse.Namespace) -> int:
    document = _project(Path.cwd(), arguments.store).tables.slices(
        arguments.run,
        arguments.table,
        truth=arguments.truth,
        prediction=arguments.prediction,
        by=tuple(arguments.by),
        metric=arguments.metric,
        limit=arguments.limit,
    )
    if arguments.json:
        print(write_document(document))
    else:
        report_slices(document, sys.stdout)
    return 0


def edge(arguments: argparse.Namespace) -> int:
    document = _project(Path.cwd(), arguments.store).tables.edge(
        arguments.run, arguments.source, arguments.target
    )
    if arguments.json:
        print(write_document(document))
    else:
        report_edge(document, sys.stdout)
    return 0


def trend(arguments: argparse.Namespace) -> int:
    document = _project(arguments.notebook, arguments.store).tables.trend(
        arguments.notebook, arguments.table, column=arguments.column, limit=arguments.limit
    )
    if arguments.json:
        print(write_document(document))
    else:
        report_trend(document, sys.stdout)
    return 0


def _project(path: Path, store: Path | None) -> Project:
    from jupyterlab_pipelines.project import Project

    return Project.open(path, store)


# -- for people -------------------------------------------------------------------------------------


def report_slices(document: dict[str, Any], out: TextIO) -> None:
    """The worst slices, after the whole."""
    from jupyterlab_pipelines.cli_report import say
    from jupyterlab_pipelines.cli_table import show_table

    whole = document["overall"]
    title = f"{document['metric']} of {document['prediction']} against {document['truth']}"
    say([(f"{title}: {_interval(whole)} in {whole['rows']} rows", "bold")], out)
    rows = [
        (
            one["column"],
            str(one["value"]),
            str(one["rows"]),
            _interval(one),
            f"{one['difference']:+.3g}",
            f"{one['p_value']:.2g}",
        )
        for one in document["slices"]
    ]
    if rows:
        show_table(("column", "value", "rows", document["metric"], "to the others", "p"), rows, out)
    else:
        say([(f"No slice of enough rows by {', '.join(document['by']) or 'any column'}.", "")], out)


def _interval(one: dict[str, Any]) -> str:
    return f"{one['metric']:.4g} ({one['low']:.4g} to {one['high']:.4g})"


def report_edge(document: dict[str, Any], out: TextIO) -> None:
    """A line for each table."""
    from jupyterlab_pipelines.cli_report import say

    lines = [(told_change(change), "") for change in document["tables"]]
    nothing = f"Step `{document['target']}` has left no table made of one of step `{document['source']}`."
    say(lines or [(nothing, "")], out)


def told_change(change: dict[str, Any]) -> str:
    """``from raw: 1000 → 950 rows; added x; nulls of y 0 → 3``."""
    parts = [f"{change['rows_before']} → {change['rows_after']} rows"]
    for word in ("added", "removed"):
        if names := change[f"columns_{word}"]:
            parts.append(f"{word} {', '.join(names[:8])}{' …' if len(names) > 8 else ''}")
    parts += [f"renamed {one['before']} → {one['after']}" for one in change["columns_renamed"][:8]]
    parts += [f"type of {one['column']} {one['before']} → {one['after']}" for one in change["types"][:8]]
    for nulls in change["nulls"][:8]:
        parts.append(f"nulls of {nulls['column']} {nulls['before']} → {nulls['after']}")
    for word in ("lost", "gained"):
        for one in change[f"categories_{word}"][:8]:
            parts.append(f"{one['column']} {word} {', '.join(map(str, one['values'][:5]))}")
    if names := list(change["drift"]):
        parts.append(f"other distribution of {', '.join(names[:8])}{' …' if len(names) > 8 else ''}")
    made = "" if change["input"] == change["output"] else f"{change['output']} "
    return f"{made}from {change['input']}: {'; '.join(parts)}"


def report_trend(document: dict[str, Any], out: TextIO) -> None:
    """A row for each run."""
    from jupyterlab_pipelines.cli_report import local_time, say
    from jupyterlab_pipelines.cli_table import show_table

    if not document["runs"]:
        say([(f"No run has a table `{document['table']}` that was measured.", "")], out)
        return
    heads = ["run", "begun", "rows"]
    if document["column"] is not None:
        heads += ["nulls", "distinct", "values"]
    rows = []
    for run in document["runs"]:
        row = [run["run_id"], local_time(run["created_at"]), str(run["rows"])]
        if document["column"] is not None:
            row += [
                _share(run["nulls"]),
                "" if run["distinct"] is None else str(run["distinct"]),
                _values(run),
            ]
        rows.append([*row, str(run["anomalies"] or "")])
    show_table([*heads, "anomalies"], rows, out)


def _share(share: float | None) -> str:
    return "no column" if share is None else f"{100 * share:.3g} %"


def _values(run: dict[str, Any]) -> str:
    if run["quantiles"]:
        low, _, middle, _, high = run["quantiles"]
        return f"{middle:.4g} ({low:.4g} to {high:.4g})"
    return ", ".join(f"{value} {100 * share:.3g} %" for value, share in (run["top"] or [])[:3])


def report_rows(found: Sequence[dict[str, Any]], out: TextIO) -> None:
    """The rows that anomalies are about."""
    from jupyterlab_pipelines.cli_report import say
    from jupyterlab_pipelines.cli_table import show_table

    for rows in found:
        anomaly = rows["anomaly"]
        title = (
            f"{anomaly['kind']}{' of ' + anomaly['feature'] if anomaly['feature'] else ''}: {rows['message']}"
        )
        count = f" ({rows['total']} of {rows['of']})" if rows["total"] else ""
        say([("", ""), (f"{title}{count}", "bold")], out)
        if not rows["rows"]:
            continue
        heads = ["row", *rows["columns"][:MOST_WIDE]]
        lines = [
            [str(row["index"]), *(_value(value) for value in row["values"][:MOST_WIDE])]
            for row in rows["rows"]
        ]
        show_table([_value(head) for head in heads], lines, out)
        if rows["total"] > len(rows["rows"]):
            say([(f"… and {rows['total'] - len(rows['rows'])} more", "dim")], out)


def _value(value: Any) -> str:
    text = "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
    text = " ".join(text.split()) if text.strip() else repr(text) if text else ""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def report_traces(traces: Sequence[dict[str, Any]], out: TextIO) -> None:
    """Where anomalies came in."""
    from jupyterlab_pipelines.cli_report import say

    for trace in traces:
        anomaly = trace["anomaly"]
        title = f"{anomaly['kind']}{' of ' + anomaly['feature'] if anomaly['feature'] else ''}"
        lines = [("", ""), (title, "bold"), (trace["message"], "")]
        lines += [(f"    {line}", "dim") for line in (trace["source"] or "").splitlines()[:12]]
        lines += [(f"Beware: {warning}.", "yellow") for warning in trace["warnings"]]
        say(lines, out)
