"""What reruns after an edit, what does not, and why. Steps are executed in forked processes, not in kernels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jupyterlab_pipelines.errors import ParameterError
from jupyterlab_pipelines.plan import Plan
from jupyterlab_pipelines.project import Project
from tests.fixtures.notebooks import Cell, cell, markdown, notebook, parameters, write
from tests.truth import forked

SETUP = "def helper(x):\n    return x + 1\n\ndef unused(x):\n    return x"
CELLS = [
    cell(SETUP),
    parameters("n = 3\nother = 1"),
    cell("numbers = list(range(n))", step="load"),
    cell("total = sum(numbers)", step="total"),
    cell("longest = max(map(helper, numbers))", step="longest"),
    cell("print(total, longest)", step="show"),
]


@pytest.fixture(autouse=True)
def _in_forks() -> Iterator[None]:
    with forked.without_kernels():
        yield


class Book:
    """A notebook that is edited, planned and run."""

    def __init__(self, folder: Path, cells: list[Cell]) -> None:
        self.path = folder / "notebook.ipynb"
        self.project = Project.open(self.save(cells), store=folder / "store")

    def save(self, cells: list[Cell]) -> Path:
        return write(notebook(*cells), self.path)

    def run(self, **options: Any) -> dict[str, str]:
        """Decision by step; that of the plan before, where it was not undecided, must be the same."""
        plan = self.plan(**options)
        run = self.project.run(self.path, **options)
        assert run["status"] == "succeeded"
        decisions = {step["name"]: step["decision"] for step in run["steps"]}
        for step, (decision, _) in plan.items():
            assert decision in ("undecided", decisions[step])
        return decisions

    def plan(self, **options: Any) -> dict[str, tuple[str, list[str]]]:
        document = self.project.plan(self.path, **options)
        return {
            step["name"]: (step["decision"], [reason["message"] for reason in step["reasons"]])
            for step in document["steps"]
        }


@pytest.fixture
def book(tmp_path: Path) -> Book:
    """The notebook, run once."""
    made = Book(tmp_path, CELLS)
    assert set(made.run().values()) == {"run"}
    return made


def edited(**sources: str) -> list[Cell]:
    """The cells with other sources: by step, `setup` or `parameters`."""
    cells = []
    for one in CELLS:
        tags = one["metadata"].get("tags", ["setup"])
        cells.append(one | {"source": sources.get(tags[0].removeprefix("step:"), one["source"])})
    return cells


def ran(decisions: dict[str, str]) -> set[str]:
    return {step for step, decision in decisions.items() if decision == "run"}


@pytest.mark.parametrize(
    "cells",
    [
        CELLS,
        edited(total="# a remark\ntotal = sum(numbers)  # another"),
        edited(total="total  =  sum( numbers )\n\n"),
        edited(setup=SETUP.replace("return x + 1", "# adds one\n    return (x + 1)")),
        edited(setup=SETUP.replace("unused(x):\n    return x", "unused(x):\n    return -x")),
        edited(parameters="n = 3\nother = 2"),
        [markdown("# Title"), *CELLS],
        [*CELLS[:3], cell("# only a comment", step="load"), *CELLS[3:]],
        [*CELLS[:3], CELLS[4], CELLS[3], CELLS[5]],
        [*CELLS[:3], cell("total = sum(numbers)", step="renamed"), *CELLS[4:]],
    ],
    ids=[
        *("nothing", "comment", "white space", "comment in a function", "function that nobody calls"),
        *("parameter that nobody reads", "markdown", "cell without code", "moved step", "renamed step"),
    ],
)  # fmt: skip
def test_what_makes_no_difference_costs_nothing(cells: list[Cell], book: Book) -> None:
    book.save(cells)

    assert ran(book.run()) == set()


@pytest.mark.parametrize(
    ("cells", "steps", "reason"),
    [
        (
            edited(show="print(total)"),
            {"show"},
            "`show` changed (line 1): `print(total, longest)` → `print(total)`",
        ),
        (edited(total="total = sum(numbers) + 1"), {"total", "show"}, "`total` changed"),
        (edited(setup=SETUP.replace("x + 1", "x + 2")), {"longest", "show"}, "function `helper` changed"),
        (edited(parameters="n = 4\nother = 1"), {"load", "total", "longest", "show"}, "`n` 3 → 4"),
        ([*CELLS[:4], cell("extra = 1", step="extra"), *CELLS[4:]], {"extra"}, "never ran"),
    ],
    ids=["last step", "step in the middle", "function that is called", "parameter", "new step"],
)
def test_what_an_edit_reaches_runs_again_and_why(
    cells: list[Cell], steps: set[str], reason: str, book: Book
) -> None:
    book.save(cells)
    messages = [message for _, reasons in book.plan().values() for message in reasons]

    assert any(reason in message for message in messages), messages
    assert ran(book.run()) == steps


def test_a_step_that_leaves_equal_values_lets_those_after_it_be_reused(book: Book) -> None:
    book.save(edited(load="numbers = [*range(n)]"))

    assert book.plan()["total"] == ("undecided", ["waits for `load`"])
    assert ran(book.run()) == {"load"}


def test_a_parameter_changed_and_back(book: Book) -> None:
    assert ran(book.run(parameters={"n": 5})) == {"load", "total", "longest", "show"}
    assert ran(book.run(parameters={"n": 3})) == set()
    assert ran(book.run()) == set()


def test_forced_steps_run_whatever_is_known(book: Book) -> None:
    assert ran(book.run(force=["total"])) == {"total"}
    assert book.plan(force=["total"])["total"] == ("run", ["asked to run again"])


def test_only_what_a_target_needs_is_planned(book: Book) -> None:
    assert set(book.plan(steps=["total"])) == {"load", "total"}


def test_a_step_that_is_never_reused(tmp_path: Path) -> None:
    book = Book(tmp_path, [cell("x = 1", step="a", cache="off"), cell("print(x)", step="b")])
    book.run()

    assert ran(book.run()) == {"a"}
    assert book.plan()["a"][1] == ["never reused (`cache:off`)"]


def test_a_lost_value_is_made_again(book: Book) -> None:
    for path in (book.path.parent / "store" / "artifacts").rglob("*"):
        if path.is_file():
            path.unlink()

    assert ran(book.run()) == {"load", "total", "longest", "show"}


def test_what_was_learned_is_known_to_the_next_plan(tmp_path: Path) -> None:
    cells = [
        cell("xs = [3, 1]", step="a"),
        cell("getattr(xs, 'so' + 'rt')()", step="b"),
        cell("print(xs)", step="c"),
    ]
    book = Book(tmp_path, cells)
    book.run()
    book.save([*cells[:2], cell("print(xs, 1)", step="c")])

    assert book.plan()["c"][0] == "run"
    assert ran(book.run()) == {"c"}


@pytest.mark.parametrize(
    ("given", "code"),
    [({"nope": 1}, "unknown_parameter"), ({"n": "three"}, "bad_parameter"), ({"n": True}, "bad_parameter")],
)
def test_bad_parameters_are_told(given: dict[str, Any], code: str, book: Book) -> None:
    with pytest.raises(ParameterError) as error:
        book.plan(parameters=given)

    assert error.value.code == code


@pytest.mark.parametrize(
    ("jobs", "seconds"),
    [(1, 3.0 + 1.0 + 1.5 + 0.5), (2, 3.0 + 1.5 + 0.5), (8, 3.0 + 1.5 + 0.5)],
)
def test_a_run_takes_as_long_as_its_longest_way(jobs: int, seconds: float, book: Book) -> None:
    """`total` and `longest` start from what `load` leaves; with one job, one after the other."""
    took = {"load": 3.0, "total": 1.0, "longest": 1.5, "show": 0.5}
    pipeline, plan = book.project._plan(book.path, None, {"n": 4}, (), (), None)
    timed = [replace(step, expected_duration_seconds=took[step.step.name]) for step in plan.steps]

    assert Plan(pipeline, {}, tuple(timed)).expected_seconds(jobs) == seconds


def test_what_is_reused_takes_no_time(book: Book) -> None:
    assert book.project.plan(book.path)["expected_duration_seconds"] == 0.0


def test_a_renamed_step_takes_as_long_as_before(book: Book) -> None:
    before = book.project.plan(book.path)["steps"][1]["expected_duration_seconds"]
    book.save([*CELLS[:3], cell("total = sum(numbers)", step="renamed"), *CELLS[4:]])

    assert before > 0
    assert book.project.plan(book.path)["steps"][1]["expected_duration_seconds"] == before


def test_of_a_new_notebook_nobody_knows_how_long_it_takes(tmp_path: Path) -> None:
    assert (
        Book(tmp_path, CELLS).project.plan(tmp_path / "notebook.ipynb")["expected_duration_seconds"] is None
    )
