"""Commands about the quality of data: `jupyter pipelines quality`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

AddCommand = Callable[[Callable[[argparse.Namespace], int], str], argparse.ArgumentParser]


def register(add: AddCommand) -> None:
    """Add the commands of this module."""
    comparer = add(quality, "compare two table files: statistics, anomalies, drift")
    comparer.add_argument(
        "reference", type=Path, metavar="REFERENCE", help="a table that is known to be good"
    )
    comparer.add_argument("current", type=Path, metavar="CURRENT", help="the table to look at")
    comparer.add_argument("--schema", type=Path, metavar="FILE", help="what is expected, as a schema file")
    comparer.add_argument(
        "--environment", metavar="NAME", help="e.g. serving, where the schema has environments"
    )
    comparer.add_argument(
        "--rows", type=int, nargs="?", const=10, metavar="N", help="show N rows of each anomaly (10)"
    )


def quality(arguments: argparse.Namespace) -> int:
    """Exit status 0, also with anomalies; 1 if a pinned schema is broken with severity error."""
    from jupyterlab_pipelines.documents import write_document
    from jupyterlab_pipelines.quality.files import compare_files

    schema = None
    if arguments.schema:
        from jupyterlab_pipelines.quality.schema_file import read_schema

        schema = read_schema(arguments.schema)
    comparison = compare_files(
        arguments.reference,
        arguments.current,
        schema=schema,
        environment=arguments.environment,
        rows=arguments.rows,
    )
    document = comparison.to_document()
    if arguments.json:
        print(write_document(document))
    else:
        from jupyterlab_pipelines.cli_tables import report_rows

        report_quality(document, sys.stdout)
        report_rows(document.get("failing_rows", ()), sys.stdout)
    return 1 if comparison.is_schema_broken else 0


def report_quality(document: dict[str, Any], out: TextIO) -> None:
    """What differs, guilty columns first; the others in one line."""
    from jupyterlab_pipelines.cli_report import say
    from jupyterlab_pipelines.cli_table import show_table

    before, after = document["tables"]["reference"], document["tables"]["current"]
    anomalies = document["anomalies"]
    if anomalies:
        rows = [
            (anomaly["severity"], anomaly["feature"] or "(table)", anomaly["kind"], anomaly["description"])
            for anomaly in anomalies
        ]
        show_table(("severity", "column", "kind", "what"), rows, out)
    columns = {column["name"] for column in after["statistics"]["columns"]}
    quiet = len(columns - {anomaly["feature"] for anomaly in anomalies})
    lines = [("", "")] if anomalies else []
    lines.append((_verdict(anomalies, quiet), "bold" if anomalies else "green"))
    lines.append((f"{after['rows']} rows now, {before['rows']} in the reference", "dim"))
    say(lines, out)


def _verdict(anomalies: list[dict[str, Any]], quiet: int) -> str:
    if not anomalies:
        return f"No anomaly in {quiet} columns" if quiet != 1 else "No anomaly in one column"
    number = f"{len(anomalies)} anomalies" if len(anomalies) > 1 else "1 anomaly"
    return (
        f"{number}; {quiet} columns without change" if quiet != 1 else f"{number}; one column without change"
    )
