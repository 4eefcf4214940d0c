"""Commands about the tables of runs: `jupyter pipelines stats` and `schema`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from jupyterlab_pipelines.cli_tables import report_rows, report_traces, told_change
from jupyterlab_pipelines.documents import write_document
from jupyterlab_pipelines.errors import UsageError

if TYPE_CHECKING:
    from jupyterlab_pipelines.project import Project

AddCommand = Callable[[Callable[[argparse.Namespace], int], str], argparse.ArgumentParser]

MOST_UNCHANGED = 12
"""Columns without an anomaly that are told; the others are counted."""


def register(add: AddCommand) -> None:
    """Add the commands of this module."""
    teller = add(stats, "statistics of a table that a step left, its anomalies and drift")
    teller.add_argument("run", metavar="RUN", help="id of a run, or a beginning or end that no other run has")
    teller.add_argument("table", metavar="STEP.NAME", help="the step, and the name of what it left")
    teller.add_argument(
        "--against",
        metavar="RUN",
        help="compare with the same table of this run, with STEP.NAME of the same run, with RUN:STEP.NAME, or with "
        "what was `pinned` last",
    )
    _add_looks(teller)
    teller.add_argument("--feature", metavar="COLUMN", help="rows and traces of this column's anomalies only")
    teller.add_argument("--html", type=Path, metavar="FILE", help="write a report that needs no network")

    keeper = add(schema, "what is expected of the tables of a notebook: <notebook>.schema.yaml")
    keeper.add_argument(
        "action",
        choices=("pin", "accept", "show", "check", "export", "import"),
        help="pin: agree to the tables of a run; accept: to one anomaly; show: print the file; check: hold a run "
        "against it; export, import: to and from other tools",
    )
    keeper.add_argument("notebook", type=Path, metavar="NOTEBOOK")
    keeper.add_argument("--run", metavar="RUN", help="the run (default: the newest that succeeded)")
    keeper.add_argument(
        "--step", action="append", default=[], metavar="STEP.NAME", help="only this table; may be given again"
    )
    keeper.add_argument("--environment", metavar="NAME", help="e.g. serving, where a schema has environments")
    _add_looks(keeper)
    keeper.add_argument("--kind", metavar="KIND", help="accept: the anomaly's kind")
    keeper.add_argument("--feature", metavar="COLUMN", help="accept: the anomaly's column")
    keeper.add_argument("--check", metavar="EXPRESSION", help="accept: the check, where several fail")
    keeper.add_argument("--to", metavar="TOOL", help="pandera, great-expectations, tfdv or jsonschema")
    keeper.add_argument("--from", dest="source", type=Path, metavar="FILE", help="a pandera schema, as YAML")


def _add_looks(parser: argparse.ArgumentParser) -> None:
    """Options that look closer at anomalies."""
    parser.add_argument(
        "--rows", type=int, nargs="?", const=10, metavar="N", help="show N rows of each anomaly (10)"
    )
    parser.add_argument(
        "--trace",
        action="store_true",
        help="find the first cell that let each anomaly in, by replaying cells in a scratch place",
    )


def stats(arguments: argparse.Namespace) -> int:
    project = _project(Path.cwd(), arguments.store)
    document = project.tables.stats(arguments.run, arguments.table, against=arguments.against)
    if arguments.trace and arguments.against:
        raise UsageError("usage", "--trace is for what the run itself told: leave out --against.")
    anomalies = [
        anomaly for anomaly in document["anomalies"] if arguments.feature in (None, anomaly["feature"])
    ]
    document |= _looked_at(project, document, arguments, anomalies)
    if arguments.html:
        from jupyterlab_pipelines.quality.report import html_report

        try:
            arguments.html.write_text(html_report(document), encoding="utf-8")
        except OSError as error:
            raise UsageError("bad_output", f"{arguments.html} cannot be written: {error.strerror}.") from None
    if arguments.json:
        print(write_document(document))
    else:
        report_stats(document, sys.stdout)
        _report_looks(document, sys.stdout)
        if arguments.html:
            print(f"Written: {arguments.html}")
    return 0


def _looked_at(
    project: Project, run: dict[str, Any], arguments: argparse.Namespace, anomalies: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """What a closer look at anomalies came to, if somebody wants one: ``failing_rows`` and ``traces``."""
    found: dict[str, Any] = {}
    if arguments.rows is not None:
        if arguments.rows < 1:
            raise UsageError("usage", f"--rows wants a number above 0, not {arguments.rows}.")
        found["failing_rows"] = project.tables.rows_of_anomalies(run["run_id"], anomalies, arguments.rows)
    if arguments.trace:
        found["traces"] = project.tables.trace_anomalies(run["run_id"], anomalies)
    return found


def _report_looks(document: dict[str, Any], out: TextIO) -> None:
    report_rows(document.get("failing_rows", ()), out)
    report_traces(document.get("traces", ()), out)


def schema(arguments: argparse.Namespace) -> int:
    """Exit status 1 if `check` finds an anomaly of severity error."""
    project = _project(arguments.notebook, arguments.store)
    return _ACTIONS[arguments.action](project, arguments)


def _pin(project: Project, arguments: argparse.Namespace) -> int:
    document = project.tables.pin(arguments.notebook, run_id=arguments.run, tables=tuple(arguments.step))
    if arguments.json:
        print(write_document(document))
    elif document["pinned"]:
        print(f"Pinned in {document['file']}: {', '.join(document['pinned'])} (run {document['run_id']})")
    else:
        print(f"Run {document['run_id']} has no tables.")
    return 0


def _accept(project: Project, arguments: argparse.Namespace) -> int:
    if arguments.run is None or arguments.kind is None or len(arguments.step) != 1:
        raise UsageError(
            "usage",
            "Say which anomaly: --run RUN --step STEP.NAME --kind KIND, and --feature COLUMN if it has one.",
        )
    document = project.tables.accept(
        arguments.run, arguments.step[0], arguments.kind, feature=arguments.feature, check=arguments.check
    )
    if arguments.json:
        import json

        print(json.dumps(document, default=str))
    elif document["changed"]:
        print(f"Written to {document['file']}: {', '.join(document['changed'])}")
    else:
        print(
            f"Agreed. Later tables are compared with this one; {document['file']} has nothing to say of it."
        )
    return 0


def _show(project: Project, arguments: argparse.Namespace) -> int:
    document = project.tables.schemas(arguments.notebook)
    if arguments.step:
        unknown = [table for table in arguments.step if table not in document["tables"]]
        if unknown:
            raise UsageError(
                "unknown_table",
                f"{document['file']} says nothing of {unknown[0]}; it has "
                f"{', '.join(document['tables']) or 'no tables'}.",
            )
        import yaml

        chosen = {table: document["tables"][table] for table in arguments.step}
        document |= {"tables": chosen, "text": yaml.safe_dump(chosen, sort_keys=False, allow_unicode=True)}
    if arguments.json:
        # Dates are no JSON.
        import json

        print(json.dumps(document, default=str))
    else:
        print(document["text"].rstrip() or f"There is no {document['file']} yet: `schema pin` writes it.")
    return 0


def _check(project: Project, arguments: argparse.Namespace) -> int:
    document = project.tables.check_schemas(
        arguments.notebook, run_id=arguments.run, environment=arguments.environment
    )
    document |= _looked_at(project, document, arguments, document["anomalies"])
    if arguments.json:
        print(write_document(document))
    else:
        from jupyterlab_pipelines.cli_report import say
        from jupyterlab_pipelines.cli_table import show_table

        rows = [
            (a["severity"], a["table"], a["feature"] or "(table)", a["kind"], a["description"])
            for a in document["anomalies"]
        ]
        if rows:
            show_table(("severity", "table", "column", "kind", "what"), rows, sys.stdout)
        checked = f"{len(document['checked'])} tables of run {document['run_id']} checked"
        say([(f"{checked}: {len(rows) or 'no'} anomalies", "bold")], sys.stdout)
        _report_looks(document, sys.stdout)
    return 1 if any(anomaly["severity"] == "error" for anomaly in document["anomalies"]) else 0


def _export(project: Project, arguments: argparse.Namespace) -> int:
    from jupyterlab_pipelines.quality.interop import TARGETS, export

    if arguments.to not in TARGETS:
        raise UsageError("unknown_target", f"Say where to: --to {' | '.join(TARGETS)}.")
    found = project.tables.schemas(arguments.notebook)
    tables = project.tables.read_schemas(arguments.notebook)
    chosen = {name: tables[name] for name in arguments.step or tables if name in tables}
    text = export(chosen, arguments.to)
    if arguments.json:
        print(write_document({"file": found["file"], "to": arguments.to, "text": text}))
    else:
        print(text.rstrip())
    return 0


def _import(project: Project, arguments: argparse.Namespace) -> int:
    from jupyterlab_pipelines.quality.interop import from_pandera

    if arguments.source is None or len(arguments.step) != 1:
        raise UsageError("usage", "Say what to import and for which table: --from FILE --step STEP.NAME.")
    try:
        text = arguments.source.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError("file_not_found", f"{arguments.source}: {error.strerror}.") from None
    document = project.tables.import_schema(arguments.notebook, arguments.step[0], from_pandera(text))
    if arguments.json:
        import json

        print(json.dumps(document, default=str))
    else:
        print(f"Written to {document['file']}: {arguments.step[0]}")
    return 0


_ACTIONS: dict[str, Callable[[Project, argparse.Namespace], int]] = {
    "pin": _pin,
    "accept": _accept,
    "show": _show,
    "check": _check,
    "export": _export,
    "import": _import,
}


def _project(path: Path, store: Path | None) -> Project:
    from jupyterlab_pipelines.project import Project

    return Project.open(path, store)


def report_stats(document: dict[str, Any], out: TextIO) -> None:
    """One row a column, guilty ones first; then what the step did to its inputs."""
    from jupyterlab_pipelines.cli_report import say
    from jupyterlab_pipelines.cli_table import show_table

    title = f"{document['step']}.{document['name']} of run {document['run_id']} · {document['type']}"
    say([(f"{title} · {document['summary']}".removesuffix(" · "), "bold")], out)
    if document["statistics"] is None:
        say([("No statistics: it is like no table, and there are no arrays of numbers in it.", "")], out)
        return
    shown = document["overview"]
    guilty = [row for row in shown if row["anomalies"]]
    quiet = [row for row in shown if not row["anomalies"]]
    told = guilty + quiet[:MOST_UNCHANGED]
    rows = [
        (
            row["name"],
            row["type"],
            f"{100 * row['nulls']:.3g} %",
            "–" if row["distinct"] is None else str(row["distinct"]),
            " · ".join(f"{name} {value}" for name, value in row["numbers"].items()),
            "; ".join(anomaly["kind"] for anomaly in row["anomalies"]),
        )
        for row in told
    ]
    if rows:
        show_table(("column", "type", "nulls", "distinct", "values", "anomaly"), rows, out)
    lines: list[tuple[str, str]] = []
    if len(told) < len(shown):
        lines.append((f"… and {len(shown) - len(told)} more columns without anomaly", "dim"))
    styles = {"error": "bold red", "warning": "yellow", "info": ""}
    for anomaly in document["anomalies"]:
        place = f"{anomaly['feature']}: " if anomaly["feature"] else ""
        lines.append((f"{anomaly['severity']}: {place}{anomaly['description']}", styles[anomaly["severity"]]))
    lines += [(told_change(change), "") for change in document["changes"]]
    if document["reference"]:
        lines.append((f"compared with run {document['reference']['run_id']}", "dim"))
    say(lines, out)
