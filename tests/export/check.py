"""What must hold for an exported notebook: its run leaves what the notebook's run left, or it was refused."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jupyterlab_pipelines.errors import PipelinesError
from jupyterlab_pipelines.export.build import Source, build
from jupyterlab_pipelines.export.compare import Verdict, compare
from jupyterlab_pipelines.export.package import package_files
from jupyterlab_pipelines.export.write import write_file
from jupyterlab_pipelines.project import Project
from tests.fixtures.notebooks import Notebook, write
from tests.truth import forked


class ExportDiffersError(AssertionError):
    """An exported run fails, or leaves something else than the notebook."""


def check(
    document: Notebook, *, files: Mapping[str, str] = {}, parameters: Mapping[str, Any] | None = None
) -> str:
    """``equal``; why the notebook was refused; or ``not run: …`` where its run fails.

    Raises
    ------
    ExportDiffersError
    """
    with _folder() as folder, forked.without_kernels():
        here = folder / "notebook"
        here.mkdir()
        for name, text in files.items():
            (here / name).parent.mkdir(parents=True, exist_ok=True)
            (here / name).write_text(text)
        there = folder / "data"
        shutil.copytree(here, there)
        path = write(document, here / "notebook.ipynb")
        project = Project.open(path, store=folder / "store")
        try:
            source = project.exports.source(path, document, None, {"parameters": parameters, "jobs": 2})
            export = build(source)
        except PipelinesError as error:
            return error.message if error.code == "not_exportable" else f"not run: {error.message}"
        return _run(source, export, folder, there, parameters or {})


def _run(source: Source, export: Any, folder: Path, data: Path, parameters: Mapping[str, Any]) -> str:
    output = folder / "export"
    for file in package_files(export):
        write_file(output, file)
    linted = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--no-cache", "."], cwd=output, capture_output=True, text=True
    )
    if linted.returncode:
        raise ExportDiffersError(f"the exported code has findings: {linted.stdout[-3000:]}")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["PYTHONPATH"] = str(output / "src")
    ended = subprocess.run(
        [
            *(
                sys.executable,
                "-m",
                export.name,
                "run",
                "--artifacts",
                str(folder / "artifacts"),
                "--data",
                str(data),
            ),
            *("--jobs", "2", "--parameters", json.dumps(dict(parameters))),
        ],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    steps = (output / "src" / export.name / "steps.py").read_text()
    if ended.returncode:
        raise ExportDiffersError(f"the exported run fails: {ended.stderr[-3000:]}\n{steps}")
    verdicts = compare(source, export, output / "src", folder / "artifacts")
    wrong = [verdict for verdict in verdicts if verdict.status not in ("equal", "unsure")]
    if wrong:
        raise ExportDiffersError(f"{_said(wrong)}\n{ended.stdout[-500:]}\n{steps}")
    return "equal"


def _said(verdicts: list[Verdict]) -> str:
    return "\n".join(f"{each.step}/{each.name} {each.status} {each.message}" for each in verdicts)


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="export-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
