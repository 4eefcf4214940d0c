"""Tutorials cut into steps in several ways: every cell shows what *Restart & Run All* shows, run and reused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path

import pytest

from jupyterlab_pipelines.project import Project
from tests.fixtures.notebooks import Notebook, write
from tests.oracle import CellText, assert_same_outputs, cell_texts, run_all
from tests.truth.tutorials import TUTORIALS, at_random, by_title, each_cell

pytestmark = [pytest.mark.timeout(240), pytest.mark.usefixtures("shared_fork_server")]

CUTS: dict[str, Callable[[str], Notebook]] = {
    "every cell a step": each_cell,
    "every section a step": by_title,
    "cut at random": partial(at_random, seed=1),
}


@pytest.fixture(scope="module")
def truth_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], list[CellText]]:
    @lru_cache
    def truth(name: str) -> list[CellText]:
        return run_all(each_cell(TUTORIALS[name]), tmp_path_factory.mktemp(name))

    return truth


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("name", TUTORIALS)
def test_a_tutorial_cut_into_steps(
    name: str, cut: str, tmp_path: Path, truth_of: Callable[[str], list[CellText]]
) -> None:
    document = CUTS[cut](TUTORIALS[name])
    path = write(document, tmp_path / "notebook.ipynb")
    output = tmp_path / "output.ipynb"

    for expected in ("succeeded", "reused"):
        run = Project.open(path, store=tmp_path / "store").run(path, output=output, jobs=2)

        assert run["status"] == "succeeded", [step["error"] for step in run["steps"] if step["error"]]
        assert {step["status"] for step in run["steps"]} == {expected}
        assert_same_outputs(_code(output), _without_places(truth_of(name)))


def _code(output: Path) -> list[CellText]:
    return _without_places(cell_texts(json.loads(output.read_text())))


def _without_places(texts: list[CellText]) -> list[CellText]:
    """Headings stand between the cells in some cuts."""
    return [replace(text, index=number) for number, text in enumerate(texts)]
