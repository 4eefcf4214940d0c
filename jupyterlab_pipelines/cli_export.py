"""Commands about production pipelines: `jupyter pipelines export`."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from jupyterlab_pipelines.errors import UsageError

AddCommand = Callable[[Callable[[argparse.Namespace], int], str], argparse.ArgumentParser]
AddParameters = Callable[[argparse.ArgumentParser], None]
ReadParameters = Callable[[argparse.Namespace], dict[str, Any]]


def register(add: AddCommand, add_parameters: AddParameters, read_parameters: ReadParameters) -> None:
    """Add the commands of this module. The parameters of a run are said as in all commands."""
    exporter = add(export, "write a production pipeline for an engine")
    exporter.add_argument("notebook", type=Path, nargs="?", metavar="NOTEBOOK")
    exporter.add_argument("--list", action="store_true", help="list the targets")
    exporter.add_argument("--to", metavar="TARGET", help="the engine; see --list")
    exporter.add_argument("--output", type=Path, metavar="DIR", help="folder to write")
    exporter.add_argument("--name", metavar="NAME", help="of the package (default: the notebook's)")
    exporter.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME[=VALUE]",
        help="an option of the target; may be given again",
    )
    exporter.add_argument(
        "--schedule", metavar="CRON", help='when it runs by itself, e.g. "0 5 * * 1" (default: when asked)'
    )
    exporter.add_argument(
        "--as-notebooks",
        action="store_true",
        help="steps as executed notebooks, where the target can: the same as --option as_notebooks",
    )
    exporter.add_argument(
        "--verify",
        action="store_true",
        help="install it in a fresh environment, run it on the engine, and compare every artifact",
    )
    exporter.add_argument(
        "--environment",
        type=Path,
        metavar="DIR",
        help="folder that keeps the environments of engines for --verify (default: below the user's cache)",
    )
    exporter.add_argument("--jobs", type=int, metavar="N", help="steps at the same time in the run before")
    add_parameters(exporter)
    importer = add(import_run, "take a run of an exported pipeline into the history")
    importer.add_argument("folder", type=Path, metavar="DIR", help="the folder of its artifacts")
    importer.add_argument("--notebook", type=Path, metavar="NOTEBOOK", help="that it was exported from")
    exporter.set_defaults(read_parameters=read_parameters)


def export(arguments: argparse.Namespace) -> int:
    """Exit status 0; 1 if the export was to be verified and is not equal."""
    from jupyterlab_pipelines.documents import write_document

    if arguments.list:
        _list_targets(arguments.json)
        return 0
    if arguments.notebook is None or arguments.to is None or arguments.output is None:
        raise UsageError(
            "usage", "Say what to export and where: NOTEBOOK --to TARGET --output DIR, or --list."
        )
    from jupyterlab_pipelines.project import Project

    # What plug-ins print does not get into the document.
    with contextlib.redirect_stdout(sys.stderr) if arguments.json else contextlib.nullcontext():
        document = Project.open(arguments.notebook, arguments.store).exports.export(
            arguments.notebook,
            arguments.to,
            arguments.output,
            name=arguments.name,
            schedule=arguments.schedule,
            options=_options([*arguments.option, *(["as_notebooks"] if arguments.as_notebooks else [])]),
            verifies=arguments.verify,
            environments=arguments.environment,
            tell=lambda line: print(line, file=sys.stderr),
            jobs=arguments.jobs,
            parameters=arguments.read_parameters(arguments),
        )
    if arguments.json:
        print(write_document(document))
    else:
        report_export(document, sys.stdout)
    verification = document["verification"]
    return 1 if verification and verification["status"] != "equal" else 0


def import_run(arguments: argparse.Namespace) -> int:
    from jupyterlab_pipelines.documents import write_document
    from jupyterlab_pipelines.project import Project

    project = Project.open(arguments.notebook or Path.cwd(), arguments.store)
    document = project.exports.import_run(arguments.folder, arguments.notebook)
    if arguments.json:
        print(write_document(document))
    else:
        steps = ", ".join(f"{step['name']} {step['status']}" for step in document["steps"])
        print(f"run {document['run_id']} of {document['notebook']}: {steps}")
    return 0


def _options(words: list[str]) -> dict[str, Any]:
    """``--option as_notebooks --option image=python:3.12``"""
    said = (word.partition("=") for word in words)
    return {name.replace("-", "_"): value if equals else True for name, equals, value in said}


def _list_targets(as_json: bool) -> None:
    from jupyterlab_pipelines.documents import write_document
    from jupyterlab_pipelines.export.base import exporters

    known = exporters()
    if as_json:
        print(write_document({"targets": [{"name": n, "summary": known[n].summary} for n in known]}))
        return
    width = max(map(len, known))
    for name, exporter in known.items():
        print(f"{name:{width}}  {exporter.summary}")


def report_export(document: dict[str, Any], out: TextIO) -> None:
    """What was written, what the target cannot express, and the verdicts."""
    steps = len(document["steps"])
    print(
        f"{document['output']}: `{document['name']}` for {document['target']}, {steps} step{'s' * (steps != 1)}",
        file=out,
    )
    for line in [*document["gaps"], *document["notes"]]:
        print(f"  {line}", file=out)
    verification = document["verification"]
    if verification:
        for artifact in verification["artifacts"]:
            message = f"  {artifact['message']}" if artifact["message"] else ""
            print(f"  {artifact['status']:8} {artifact['artifact']}{message}", file=out)
        seconds = verification["seconds"]
        print(
            f"{verification['status']} (installed in {seconds['install']} s, run in {seconds['run']} s)",
            file=out,
        )
