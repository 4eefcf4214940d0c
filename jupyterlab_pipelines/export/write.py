"""Writes an export to a folder, so that a repeated export changes no more than it must."""

from __future__ import annotations

import inspect
import json
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from jupyterlab_pipelines.errors import ExportError
from jupyterlab_pipelines.export.base import Export, ExportedFile, Exporter, find_exporter
from jupyterlab_pipelines.export.build import Source, build, examined, write_file
from jupyterlab_pipelines.export.package import gaps_of_package, package_files, why_untested
from jupyterlab_pipelines.export.proof import verify

CRON = re.compile(r"([\d*/,A-Za-z-]+\s+){4}[\d*/,A-Za-z-]+")

FILES = ".export.json"
"""In the output folder: what the export wrote, so that the next one knows what is its own."""


def export(
    source: Source,
    target: str,
    output: Path,
    *,
    name: str | None,
    schedule: str | None,
    options: Mapping[str, Any],
    verifies: bool = False,
    environments: Path | None = None,
    tell: Callable[[str], None] = lambda line: None,
    again: Callable[[], Source] | None = None,
) -> dict[str, Any]:
    """Write the files of a target, and perhaps prove them; what was written, as JSON.

    Parameters
    ----------
    again
        Runs the notebook once more: for the proof, where something differs.

    Raises
    ------
    ExportError
    """
    exporter = find_exporter(target)
    _require_folder(output)
    if schedule is not None and not CRON.fullmatch(schedule.strip()):
        raise ExportError("bad_schedule", f"`{schedule}` is no schedule: write five fields as cron does.")
    made = tried(source, replace(build(source, name), schedule=schedule))
    chosen = configured(exporter, options)
    gaps = list(dict.fromkeys([*gaps_of_package(made), *chosen.gaps(made)]))
    own = list(chosen.write(made))
    taken = {file.path for file in own}
    section = getattr(chosen, "section", lambda made: "")(made)
    files = [file for file in package_files(made, gaps, section) if file.path not in taken] + own
    _write(output, files)
    document: dict[str, Any] = {
        "target": target,
        "output": str(output),
        "name": made.name,
        "steps": [
            {"name": step.name, "steps": list(step.steps), "why_joined": list(step.why_joined)}
            for step in made.steps
        ],
        "files": [file.path for file in files],
        "gaps": gaps,
        "notes": [
            *made.notes,
            *(f"The data file {path} is not part of the export." for path in made.data_missing),
        ],
        "verification": None,
    }
    if verifies:
        document["verification"] = verify(source, made, chosen, output, tell, environments, again)
    return document


def tried(source: Source, made: Export) -> Export:
    """The export whose tests ask only those steps for the same again that give it."""
    steps = [step.name for step in made.steps if why_untested(made, step) is None]
    if not steps:
        return made
    with tempfile.TemporaryDirectory(prefix="export-", ignore_cleanup_errors=True) as folder:
        for file in package_files(made):
            write_file(Path(folder), file)
        asked = {
            "folder": folder,
            "package": made.name,
            "steps": steps,
            "parameters": dict(made.run_parameters),
        }
        others = examined(source, asked, "The exported steps cannot be tried", module="trial")
    why = "called again, it gave something else"
    notes = [
        f"Step `{step}` gave something else when its function was called again, so the tests leave it out."
        for step in others
    ]
    return replace(
        made, untested={**made.untested, **dict.fromkeys(others, why)}, notes=(*made.notes, *notes)
    )


def configured(exporter: Exporter, options: Mapping[str, Any]) -> Exporter:
    """The exporter with its options, which one with a method `with_options` takes.

    Raises
    ------
    ExportError
        ``unknown_option``: the target has no such option, or lacks one.
    """
    if not options:
        return exporter
    configure = getattr(exporter, "with_options", None)
    if configure is None:
        raise ExportError(
            "unknown_option", f"The target `{exporter.name}` has no option {', '.join(sorted(options))}."
        )
    try:
        inspect.signature(configure).bind(**options)
    except TypeError as error:
        given = ", ".join(sorted(options))
        raise ExportError(
            "unknown_option", f"The target `{exporter.name}` cannot be configured by {given}: {error}."
        ) from None
    changed: Exporter = configure(**options)
    return changed


def _require_folder(output: Path) -> None:
    if output.exists() and not output.is_dir():
        raise ExportError("bad_output", f"The output {output} is a file; name a folder.", output=str(output))
    if output.is_dir() and any(output.iterdir()) and not (output / FILES).is_file():
        raise ExportError(
            "bad_output",
            f"The output {output} has files in it that no export wrote. Name an empty or a new folder.",
            output=str(output),
        )


def _write(output: Path, files: list[ExportedFile]) -> None:
    """Write what has changed, and remove what an earlier export wrote and this one does not."""
    try:
        output.mkdir(parents=True, exist_ok=True)
        known = output / FILES
        before = set(json.loads(known.read_text(encoding="utf-8"))["files"]) if known.is_file() else set()
        now = sorted(file.path for file in files)
        for path in sorted(before - set(now)):
            (output / path).unlink(missing_ok=True)
        for file in files:
            place = output / file.path
            if not place.is_file() or place.read_bytes() != file.content:
                write_file(output, file)
        known.write_text(json.dumps({"files": now}, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise ExportError(
            "bad_output",
            f"The output {output} cannot be written: {error.strerror or error}.",
            output=str(output),
        ) from None
