"""Why a step runs, in words. Steps are executed in forked processes, not in kernels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from jupyterlab_pipelines.project import Project
from tests.fixtures.notebooks import Cell, cell, markdown, notebook, parameters, write
from tests.truth import forked

CLEAN = """
    # drop what is empty
    rows = [row for row in table if row]

    total = 0
    for row in rows:
        # add them up
        total += helper(
            row,
        )
    rows.sort()
"""


@pytest.fixture(autouse=True)
def _in_forks() -> Iterator[None]:
    with forked.without_kernels():
        yield


class Book:
    """A notebook beside a file, run once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cells: dict[str, Cell] = {
            "setup": cell("import os\nLIMIT = 10\ndef helper(x):\n    return min(x, LIMIT)"),
            "parameters": parameters("alpha = 0.1"),
            "load": cell(
                "table = [int(line) for line in open('data.txt')]\nnames = os.listdir('data')", step="load"
            ),
            "text": markdown("## Clean"),
            "clean": cell(CLEAN, step="clean"),
            "more": cell("mean = total / len(rows)\nmean", step="clean"),
            "fit": cell("model = mean * alpha", step="fit"),
        }
        (folder / "data").mkdir()
        (folder / "data" / "a.csv").touch()
        (folder / "data.txt").write_text("3\n5\n1\n")
        self.path = folder / "notebook.ipynb"
        self.run()

    def write(self) -> None:
        write(notebook(*self.cells.values()), self.path)

    def edit(self, name: str, old: str, new: str) -> None:
        source = self.cells[name]["source"]
        assert old in source
        self.cells[name]["source"] = source.replace(old, new)
        self.write()

    @property
    def project(self) -> Project:
        return Project.open(self.path, store=self.folder / "store")

    def run(self, **options: Any) -> None:
        self.write()
        run = self.project.run(self.path, **options)
        assert run["status"] == "succeeded", run

    def why(self, step: str, **options: Any) -> list[str]:
        plan = self.project.plan(self.path, **options)
        reasons = next(each["reasons"] for each in plan["steps"] if each["name"] == step)
        return [reason["message"] for reason in reasons]


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(tmp_path)


def test_of_a_long_statement_what_differs_is_shown(book: Book) -> None:
    long = " + ".join(f"summand_{number}" for number in range(9))
    book.cells["fit"]["source"] = f"{long.replace(' + ', ' = ')} = 1\nx = {long}"
    book.run()
    book.edit("fit", " + summand_8", " - summand_8")

    assert book.why("fit") == [
        "`fit` changed (line 2): `…mmand_6 + summand_7 + summand_8` → `…mmand_6 + summand_7 - summand_8`"
    ]


@pytest.mark.parametrize(
    ("cell", "old", "new", "message"),
    [
        ("clean", "if row]", "if row > 1]", "(cell 5, line 2): `rows = [row for row in table if row]` → "),
        (
            "clean",
            "        row,",
            "        row + 1,",
            "(cell 5, line 8): `total += helper(row)` → `total += helper(row + 1)`",
        ),
        ("clean", "rows.sort()", "rows.sort()\nrows.reverse()", "(cell 5, line 11): new `rows.reverse()`"),
        ("clean", "\nrows.sort()", "", ": `rows.sort()` was removed"),
        ("more", "\nmean", "\nmean;", "(cell 6, line 2): it shows its last value no longer"),
        ("more", "total / len", "1 + total / len", "(cell 6, line 1): `mean = total / len(rows)` → "),
    ],
)
def test_a_changed_step_tells_the_line(
    cell: str, old: str, new: str, message: str | None, book: Book
) -> None:
    book.edit(cell, old, new)

    [told] = book.why("clean")
    assert told.startswith(f"`clean` changed{' ' if message[0] == '(' else ''}{message}"), told


def test_a_step_of_one_cell_tells_the_line_alone(book: Book) -> None:
    book.edit("fit", "model", "\n\n# scaled\nmodel")
    assert book.why("fit") == ["nothing changed"]

    book.edit("fit", "mean * alpha", "mean * alpha * 2")
    assert book.why("fit") == ["`fit` changed (line 4): `model = mean * alpha` → `model = mean * alpha * 2`"]


def test_what_a_step_reaches_is_named(book: Book) -> None:
    book.edit("setup", "min(x, LIMIT)", "min(2 * x, LIMIT)")
    assert book.why("clean") == ["function `helper` changed"]
    book.edit("setup", "LIMIT = 10", "LIMIT = 20")
    assert book.why("clean") == ["function `helper` changed", "constant `LIMIT` 10 → 20"]
    assert book.why("fit", parameters={"alpha": 0.2}) == ["waits for `clean`", "`alpha` 0.1 → 0.2"]


def test_parameters_tell_both_values(book: Book) -> None:
    plan = book.project.plan(book.path, parameters={"alpha": 0.2})

    assert plan["steps"][-1]["reasons"] == [
        {"kind": "parameter", "what": "alpha", "before": 0.1, "after": 0.2, "message": "`alpha` 0.1 → 0.2"}
    ]


def test_files_and_folders_tell_what_is_new(book: Book) -> None:
    (book.folder / "data.txt").write_text("3\n5\n2\n")
    (book.folder / "data" / "b.csv").touch()
    assert book.why("load") == ["data.txt changed", "data/ has other files: new `b.csv`"]

    (book.folder / "data.txt").unlink()
    (book.folder / "data" / "b.csv").unlink()
    (book.folder / "data" / "a.csv").unlink()
    assert book.why("load") == ["data.txt is gone", "data/ has other files: `a.csv` is gone"]


def test_another_value_tells_its_step(book: Book) -> None:
    (book.folder / "data.txt").write_text("3\n5\n2\n")
    book.run(steps=["clean"])

    assert book.why("fit") == ["input `mean` has another value (from `clean`)"]


def test_all_that_differs_is_told(book: Book) -> None:
    (book.folder / "data.txt").write_text("3\n5\n2\n")
    book.edit("load", "int(line)", "int(line) + 1")

    assert book.why("load") == [
        "`load` changed (line 1): `table = [int(line) for line in open('data.txt')]` → "
        "`table = [int(line) + 1 for line in open('data.txt')]`",
        "data.txt changed",
    ]


def test_the_nearest_of_earlier_executions_is_compared(book: Book) -> None:
    """After a run with another parameter and other code, the old code differs by the parameter alone."""
    book.edit("fit", "mean * alpha", "mean * alpha + 1")
    book.run(parameters={"alpha": 0.5})
    book.edit("fit", "mean * alpha + 1", "mean * alpha")

    assert book.why("fit", parameters={"alpha": 0.7}) == ["`alpha` 0.1 → 0.7"]


def test_of_executions_under_one_key_the_nearest_tells(book: Book) -> None:
    (book.folder / "data.txt").write_text("4\n")
    (book.folder / "data" / "b.csv").touch()
    book.run()
    (book.folder / "data" / "b.csv").unlink()
    (book.folder / "data.txt").write_text("7\n")

    assert book.why("load") == ["data.txt changed"]


def test_a_renamed_step_is_compared_with_what_it_was(book: Book) -> None:
    for name in ("clean", "more"):
        book.cells[name]["metadata"]["tags"] = ["step:tidy"]
    book.write()
    assert book.why("tidy") == ["nothing changed"]

    book.edit("more", "total / len", "1 + total / len")
    assert book.why("tidy")[0].startswith("`tidy` changed (cell 6, line 1)")
    book.cells["new"] = cell("print('hello')", step="hello")
    book.write()
    assert book.why("hello") == ["never ran"]


def test_a_copied_notebook_is_compared_with_the_first(book: Book) -> None:
    book.path = book.folder / "copy.ipynb"
    book.write()
    assert book.why("fit") == ["nothing changed"]
    assert book.why("fit", parameters={"alpha": 0.3}) == ["`alpha` 0.1 → 0.3"]


def test_a_step_that_failed_tells_that_and_what_was_changed_since(book: Book) -> None:
    book.edit("fit", "mean * alpha", "mean * alpha / 0")
    assert book.project.run(book.path)["status"] == "failed"
    assert book.why("fit")[0] == "failed last time"

    book.edit("fit", "alpha / 0", "alpha / 4")
    assert book.why("fit") == [
        "failed last time",
        "`fit` changed (line 1): `model = mean * alpha` → `model = mean * alpha / 4`",
    ]


def test_another_python_is_told_by_its_version(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "jupyterlab_pipelines.planner.environment_of",
        lambda kernel: {"python": "CPython 3.99.1", "platform": "linux x86_64", "kernel": ""},
    )

    [message, *_] = book.why("load")
    assert message.startswith("python 3.") and message.endswith(" → 3.99.1")


def test_dedent_keeps_the_lines_of_the_cell(book: Book) -> None:
    assert dedent(CLEAN).strip("\n") == book.cells["clean"]["source"]


def test_a_step_that_waits_tells_what_else_has_changed(book: Book) -> None:
    book.edit("load", "int(line)", "int(line) + 1")
    assert book.why("fit", parameters={"alpha": 0.1}) == ["waits for `clean`"]

    book.edit("fit", "mean * alpha", "mean * alpha * 2")
    assert book.why("fit", parameters={"alpha": 0.2}) == [
        "waits for `clean`",
        "`fit` changed (line 1): `model = mean * alpha` → `model = mean * alpha * 2`",
        "`alpha` 0.1 → 0.2",
    ]


def test_steps_of_a_new_notebook_never_ran(book: Book) -> None:
    book.path = book.folder / "other.ipynb"
    book.cells = {"a": cell("a = 1", step="a"), "b": cell("b = a + 1\nprint(b)", step="b")}
    book.write()

    assert (book.why("a"), book.why("b")) == (["never ran"], ["waits for `a`", "never ran"])
