"""Notebooks whose steps are said by ``%%step``, executed as a whole in one live kernel."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

from tests.fixtures.notebooks import Notebook, cell, write
from tests.oracle import CellText, run_all

ROOT = Path(__file__).parents[2]
LOAD = cell("%load_ext jupyterlab_pipelines")


def with_step_lines(document: Notebook) -> Notebook:
    """The notebook with each ``step:`` tag said by the cell's first line, and the extension loaded at its top."""
    document = deepcopy(document)
    for each in document["cells"]:
        tags = each["metadata"].get("tags", [])
        said = {key: value for key, colon, value in (tag.partition(":") for tag in tags) if colon}
        if each["cell_type"] == "code" and "step" in said:
            options = "".join(f" --{key} {said[key]}" for key in ("after", "role", "cache") if key in said)
            each["source"] = f"%%step {said['step']}{options}\n{each['source']}"
            kept = [tag for tag in tags if tag.partition(":")[0] not in ("step", "after", "role", "cache")]
            each["metadata"]["tags"] = kept
    first = deepcopy(LOAD)
    if document["nbformat_minor"] >= 5:
        first["id"] = "load-the-extension"
    return document | {"cells": [first, *document["cells"]]}


def execute(document: Notebook, folder: Path) -> list[CellText]:
    """What each cell shows when the notebook, which lies in `folder`, is executed as a whole."""
    path = write(document, folder / "notebook.ipynb")
    (folder / "pyproject.toml").touch()
    environment = {"PYTHONPATH": str(ROOT), "JPY_SESSION_NAME": str(path)}
    return plain(run_all(document, folder, env=environment))


def truth(document: Notebook, folder: Path) -> list[CellText]:
    """What each cell shows without us."""
    folder.mkdir(parents=True, exist_ok=True)
    return plain(run_all(document, folder))


def plain(texts: Sequence[CellText]) -> list[CellText]:
    """What is shown, by the order of the cells alone."""
    return [replace(text, index=number, source="") for number, text in enumerate(texts)]


def copied(folder: Path, to: Path) -> Path:
    """A folder with the same files."""
    shutil.copytree(folder, to)
    return to
