"""Every notebook in ``examples/`` runs from top to bottom, and as a pipeline shows the same."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.oracle import CellText, assert_same_outputs, cell_texts, run_all

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
NOTEBOOKS = sorted(path for path in EXAMPLES.rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts)
ENVIRONMENT = {"PYTHONPATH": str(ROOT)}

every_example = pytest.mark.parametrize(
    "path", NOTEBOOKS, ids=[path.relative_to(EXAMPLES).as_posix() for path in NOTEBOOKS]
)


@functools.cache
def truth(path: Path) -> list[CellText]:
    return run_all(path, path.parent, env=ENVIRONMENT)


def pipelines(*arguments: str | Path, cwd: Path) -> dict[str, Any]:
    """The document of a `jupyter pipelines` command that must succeed, with a store in `cwd`."""
    done = subprocess.run(
        [sys.executable, "-m", "jupyterlab_pipelines.cli", *map(str, arguments), "--json"],
        cwd=cwd,
        env={**os.environ, **ENVIRONMENT, "JUPYTER_PIPELINES_STORE": str(cwd / ".pipelines")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads(done.stdout))


@every_example
def test_run_all_works_and_warns_of_nothing(path: Path) -> None:
    assert [text.error for text in truth(path) if text.error] == []
    assert [text.stderr for text in truth(path) if text.stderr] == []


@every_example
def test_is_stored_valid_and_without_outputs(path: Path) -> None:
    document = json.loads(path.read_text(encoding="utf-8"))

    nbformat.validate(document)
    code = [cell for cell in document["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    assert document["metadata"]["kernelspec"]["name"] == "python3"


@every_example
def test_the_pipeline_shows_what_run_all_shows_and_then_reuses_everything(path: Path, tmp_path: Path) -> None:
    notebook = Path(shutil.copy(path, tmp_path))
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    skipped = {index for index, cell in enumerate(cells) if "skip" in cell["metadata"].get("tags", [])}
    expected = [text for text in truth(path) if text.index not in skipped]

    first = pipelines("run", notebook, "--output", tmp_path / "first.ipynb", cwd=tmp_path)
    again = pipelines("run", notebook, "--output", tmp_path / "again.ipynb", cwd=tmp_path)

    assert {step["status"] for step in first["steps"]} == {"succeeded"}
    assert {step["status"] for step in again["steps"]} == {"reused"}
    assert again["duration_seconds"] < 1
    for executed in ("first.ipynb", "again.ipynb"):
        shown = cell_texts(tmp_path / executed)
        assert_same_outputs([text for text in shown if text.index not in skipped], expected)
    assert notebook.read_bytes() == path.read_bytes()
