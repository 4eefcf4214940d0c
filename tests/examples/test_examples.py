"""Every notebook in ``examples/`` runs from top to bottom, and is stored as a reader wants to find it."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest

from tests.oracle import run_all

EXAMPLES = Path(__file__).parents[2] / "examples"
NOTEBOOKS = sorted(path for path in EXAMPLES.rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts)

every_example = pytest.mark.parametrize(
    "path", NOTEBOOKS, ids=[path.relative_to(EXAMPLES).as_posix() for path in NOTEBOOKS]
)


@every_example
def test_run_all_works_and_warns_of_nothing(path: Path) -> None:
    texts = run_all(path, path.parent)

    assert [text.error for text in texts if text.error] == []
    assert [text.stderr for text in texts if text.stderr] == []


@every_example
def test_is_stored_valid_and_without_outputs(path: Path) -> None:
    document = json.loads(path.read_text(encoding="utf-8"))

    nbformat.validate(document)
    code = [cell for cell in document["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    assert document["metadata"]["kernelspec"]["name"] == "python3"
