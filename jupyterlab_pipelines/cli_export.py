"""Commands of the export room: `export`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jupyterlab_pipelines.errors import UsageError

Add = Callable[[Callable[[argparse.Namespace], int], str], argparse.ArgumentParser]


def register(add: Add) -> None:
    """Add the commands to the parser's."""
    exporter = add(export, "write a production pipeline for an engine")
    exporter.add_argument("notebook", type=Path, nargs="?", metavar="NOTEBOOK")
    exporter.add_argument("--list", action="store_true", help="list the targets")
    exporter.add_argument("--to", metavar="TARGET", help="the engine; see --list")
    exporter.add_argument("--output", type=Path, metavar="DIR", help="folder to write")
    exporter.add_argument("--name", metavar="NAME", help="of the package (default: the notebook's)")
    exporter.add_argument(
        "--verify",
        action="store_true",
        help="install it in a fresh environment, run it on the engine, and compare every artifact",
    )
    exporter.add_argument(
        "-p",
        "--parameters",
        type=_parameter,
        action="append",
        default=[],
        metavar="NAME VALUE",
        help="value of a parameter in the run before, and in the proof",
    )
    exporter.add_argument(
        "-f", "--parameters-file", type=Path, action="append", default=[], metavar="FILE", help="YAML file of the same"
    )
    exporter.add_argument("--jobs", type=int, metavar="N", help="steps at the same time in the run before")


def export(arguments: argparse.Namespace) -> int:
    from jupyterlab_pipelines.cli import _print_document, _stdout_for_document, open_project, read_parameters
    from jupyterlab_pipelines.export.base import exporters

    if arguments.list:
        known = exporters()
        if arguments.json:
            targets = [{"name": name, "summary": known[name].summary} for name in known]
            _print_document({"targets": targets})
        else:
            width = max(map(len, known))
            for name in known:
                print(f"{name:{width}}  {known[name].summary}")
        return 0
    if arguments.notebook is None or arguments.to is None or arguments.output is None:
        raise UsageError("usage", "Say what to export and where: NOTEBOOK --to TARGET --output DIR, or --list.")
    with _stdout_for_document(arguments.json) as out:
        document = open_project(arguments.notebook, arguments.store).export(
            arguments.notebook,
            arguments.to,
            arguments.output,
            name=arguments.name,
            jobs=arguments.jobs,
            parameters=read_parameters(arguments),
            verifies=arguments.verify,
            tell=lambda line: print(line, file=sys.stderr),
        )
        if not arguments.json:
            _report(document, out)
    if arguments.json:
        _print_document(document)
    verification = document["verification"]
    return 1 if verification and verification["status"] != "equal" else 0


def _parameter(words: str) -> tuple[str, str]:
    from jupyterlab_pipelines.cli import _parameter as parameter

    return parameter(words)


def _report(document: dict[str, Any], out: Any = sys.stdout) -> None:
    steps = len(document["steps"])
    print(f"{document['output']}: {document['target']} pipeline {document['name']} with {steps} steps", file=out)
    for line in [*document["gaps"], *document["notes"]]:
        print(f"  {line}", file=out)
    verification = document["verification"]
    if verification:
        for artifact in verification["artifacts"]:
            message = f"  {artifact['message']}" if artifact["message"] else ""
            print(f"  {artifact['status']:8} {artifact['artifact']}{message}", file=out)
        seconds = verification["seconds"]
        print(
            f"{verification['status']}: installed in {seconds['install']} s, run in {seconds['run']} s", file=out
        )
