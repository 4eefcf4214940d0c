"""``%%step`` in a live kernel: the cell is an ordinary cell."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyterlab_pipelines.kernel.magics.lines import with_first_line_read
from tests.fixtures.notebooks import cell, notebook
from tests.oracle import run_all

ROOT = Path(__file__).parents[2]


def test_a_step_cell_shows_what_its_code_shows(tmp_path: Path) -> None:
    document = notebook(
        cell("%load_ext jupyterlab_pipelines"),
        cell("%%step load --role importer\nx = 41"),
        cell("%%step add\nimport asyncio\nawait asyncio.sleep(0, x + 1)"),
        cell("\n%%step magic\n\n%%capture\nprint('caught')"),
        cell("%%step fail\n1 / 0"),
    )

    texts = run_all(document, tmp_path, env={"PYTHONPATH": str(ROOT)})

    assert texts[2].displays == ("execute_result (text/plain)\n42",)
    assert texts[3].stdout == ""
    assert texts[4].error == "ZeroDivisionError: division by zero"


@pytest.mark.parametrize("source", ["", "x = 1", "%%steps a\nx = 1", "%%time\nx = 1", "x = 1\n%%step a"])
def test_other_cells_are_left_alone(source: str) -> None:
    lines = source.splitlines(keepends=True)

    assert with_first_line_read(lines) == lines
