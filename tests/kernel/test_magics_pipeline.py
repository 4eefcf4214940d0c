"""``%pipeline``: the command line for the notebook at hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyterlab_pipelines.project import Project
from tests.fixtures.notebooks import cell, markdown, notebook, parameters, write
from tests.kernel.live_kernel import LOAD, live_kernel

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    document = notebook(
        cell("import random\nOPTIONS = {'deep': [1]}"),
        parameters("n = 3"),
        cell(
            "class Model:\n    def __init__(self, xs):\n        self.xs = xs\n\n"
            "def total(xs):\n    return sum(xs) + len(OPTIONS)",
            step="load",
        ),
        cell("random.seed(n)\nxs = list(range(n))", step="load"),
        cell("model = Model(xs)\nalias = xs\ngen = (x for x in xs)", step="train"),
        cell("xs.append(100)\nprint(total(xs))", step="change"),
        cell("%pipeline runs"),
    )
    (tmp_path / "pyproject.toml").touch()
    return write(document, tmp_path / "notebook.ipynb")


def test_the_commands_of_a_notebook(path: Path) -> None:
    with live_kernel(path.parent, path) as kernel:
        kernel.run(LOAD)
        plan = kernel.run("%pipeline plan").text
        run = kernel.run("%pipeline run -p n 4 --to change")
        why = kernel.run("%pipeline why train").text
        runs = kernel.run("%pipeline runs")
        shown = kernel.run("%pipeline show").text
        step = kernel.run("%pipeline stats load.xs")
        second = kernel.run("%pipeline run --background").shown
        kernel.run("import jupyterlab_pipelines as p; last = p.runs()[0].wait()")
        diff = kernel.run("last.diff(p.runs()[1])").text
        frame = kernel.run("p.runs().to_frame()['parameters.n'].tolist()").text

    assert plan.splitlines()[-1] == "3 of 3 steps would run"
    assert "2 steps: 2 executed" in run.stdout
    assert "<svg role=" in run.shown[-1]["text/html"]
    assert "succeeded" in run.shown[-1]["text/plain"]
    assert why.splitlines()[0] == "train: undecided"
    assert "text/html" in runs.shown[-1]
    assert "change" in shown
    assert step.text.splitlines() == ["4 rows, 1 column", "values: int, 0 % nulls, min 0, median 1.5, max 3"]
    assert second
    assert "parameter n: 3 → 4" in diff
    assert frame == "[3, 4]"


def test_what_is_wrong_is_told_in_a_line_without_our_traceback(path: Path) -> None:
    with live_kernel(path.parent, path) as kernel:
        kernel.run(LOAD)
        answers = {
            line: kernel.run(f"%pipeline {line}")
            for line in (
                "nope",
                "run --to nope",
                "show x",
                "load",
                "load train.nope",
                "run -p m 3",
                "load a.b",
            )
        }

    assert answers["nope"].traceback == "error: %pipeline has no command `nope`. `%pipeline?` lists them."
    for line, answer in answers.items():
        assert answer.error is not None, line
        assert answer.traceback.startswith("error: "), line
        assert "Traceback" not in answer.traceback


def test_a_failed_run_fails_its_cell(tmp_path: Path) -> None:
    path = write(notebook(cell("1 / 0", step="bad")), tmp_path / "notebook.ipynb")

    with live_kernel(tmp_path, path) as kernel:
        answer = kernel.all(LOAD, "%pipeline run")[1]

    assert answer.error is not None
    assert "step `bad`: ZeroDivisionError: division by zero" in answer.error


def test_load_brings_back_all_that_there_was_after_a_step(path: Path) -> None:
    Project.open(path).run(path, parameters={"n": 5})

    with live_kernel(path.parent, path) as kernel:
        told = kernel.all(LOAD, "%pipeline load --to train")[1]
        before = kernel.run("xs, alias is xs, model.xs is xs, type(model) is Model, n, total(xs)").text
        drawn = kernel.run("random.random()").text
        kernel.run("%pipeline load --to change")
        after = kernel.run("xs, alias is xs, model.xs is xs").text

    assert before == "([0, 1, 2, 3, 4], True, True, True, 5, 11)"
    assert drawn == _first_draw(5)
    assert after == "([0, 1, 2, 3, 4, 100], True, True)"
    assert "Not loaded: gen: " in told.stdout


def _first_draw(seed: int) -> str:
    import random

    return repr(random.Random(seed).random())


def test_load_brings_single_values_under_other_names(path: Path) -> None:
    Project.open(path).run(path)

    with live_kernel(path.parent, path) as kernel:
        kernel.all(LOAD, "%pipeline load train.model --as old", "%pipeline load train")
        value = kernel.run("old.xs, type(old).__name__, alias").text

    assert value == "([0, 1, 2], 'Model', [0, 1, 2])"


def test_names_are_completed(path: Path) -> None:
    Project.open(path).run(path)

    with live_kernel(path.parent, path) as kernel:
        kernel.run(LOAD)

        assert kernel.complete("%pipeline ver") == ["verify"]
        assert {"change", "load", "train"} <= set(kernel.complete("%pipeline why "))
        assert kernel.complete("%pipeline load train.a")[-1:] in (["train.alias"], ["alias"])
        assert "--background" in kernel.complete("%pipeline run --b") or "background" in kernel.complete(
            "%pipeline run --b"
        )


def test_a_suggestion_is_shown_and_written(tmp_path: Path) -> None:
    document = notebook(
        cell("import math"),
        markdown("## Load"),
        cell("xs = [1, 2, 3]\nprint(xs)"),
        markdown("## The sum of it"),
        cell("total = math.fsum(xs)\ntotal"),
    )
    path = write(document, tmp_path / "notebook.ipynb")

    with live_kernel(tmp_path, path) as kernel:
        kernel.run(LOAD)
        shown = kernel.run("%pipeline suggest").text
        kernel.run("%pipeline suggest --apply")
        run = kernel.run("%pipeline run").stdout

    assert [line.split()[0] for line in shown.splitlines()[1:3]] == ["load", "sum-it"]
    assert "2 steps: 2 executed" in run


def test_a_notebook_that_asks_for_its_own_run_does_not_run_itself_forever(tmp_path: Path) -> None:
    document = notebook(cell(LOAD), cell("x = 1", step="a"), cell("%pipeline run\nprint(x)"))
    (tmp_path / "pyproject.toml").touch()
    path = write(document, tmp_path / "notebook.ipynb")

    run = Project.open(path).run(path)

    assert [step["status"] for step in run["steps"]] == ["succeeded"]


def test_a_notebook_without_steps_is_one_step(tmp_path: Path) -> None:
    document = notebook(cell("x = 2"), parameters("n = 3"), cell("print(x * n)"))
    path = write(document, tmp_path / "notebook.ipynb")

    with live_kernel(tmp_path, path) as kernel:
        first = kernel.all(LOAD, "%pipeline run -p n 5")[1]
        second = kernel.run("%pipeline run -p n 5").stdout

    assert "1 step: 1 executed" in first.stdout
    assert "1 step: 1 reused" in second
