"""``%%step`` in a live kernel: it shares its cache with pipeline runs, and never guesses."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyterlab_pipelines.project import Project
from tests.fixtures.notebooks import cell, notebook, write
from tests.kernel.live_kernel import LOAD, live_kernel

pytestmark = pytest.mark.timeout(240)

CELLS = (
    f"{LOAD}\nimport pandas as pd",
    "N = 4\nprint('setup')\ndef double(x):\n    return 2 * x",
    "%%step load\ndf = pd.DataFrame({'a': range(N)})\ndf",
    "%%step clean\ndf = df[df.a > 1]\ndf.shape",
    "%%step train\nimport jupyterlab_pipelines as pipelines\nmodel = {'w': double(int(df.a.sum()))}\n"
    "pipelines.log_metric('w', model['w'])\nprint(model)",
)


def saved(folder: Path, *sources: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "pyproject.toml").touch()
    return write(notebook(*(cell(source) for source in sources)), folder / "notebook.ipynb")


def results(path: Path) -> dict[str, tuple[str, dict[str, str]]]:
    """By step, its cache key and the digests of what it left, of the executions that a run would reuse."""
    project = Project.open(path)
    run = project.run(path)
    assert {step["status"] for step in run["steps"]} == {"reused"}
    return {
        step["name"]: (step["cache_key"], {out["name"]: out["digest"] for out in step["outputs"]})
        for step in run["steps"]
    }


def test_a_run_reuses_what_was_executed_by_hand_under_the_same_keys_and_digests(tmp_path: Path) -> None:
    by_hand, by_run = saved(tmp_path / "hand", *CELLS), saved(tmp_path / "run", *CELLS)

    with live_kernel(by_hand.parent, by_hand) as kernel:
        kernel.all(*CELLS)
        status = kernel.status()
    Project.open(by_run).run(by_run)

    assert status == {"load": "stored", "clean": "stored", "train": "stored"}
    assert results(by_hand) == results(by_run)


def test_a_run_shows_what_was_shown_by_hand(tmp_path: Path) -> None:
    path = saved(tmp_path / "hand", *CELLS)
    output = tmp_path / "output.ipynb"

    with live_kernel(path.parent, path) as kernel:
        answers = kernel.all(*CELLS)
    project = Project.open(path)
    run = project.run(path, output=output)

    cells = project.run_notebook(run["run_id"])["cells"]
    assert [each["output_type"] for c in cells for each in c["outputs"]] == [
        *("stream", "execute_result", "execute_result", "stream")
    ]
    assert cells[2]["outputs"][0]["data"] == answers[2].shown[0]
    assert run["steps"][2]["metrics"] == {"w": 10}


def test_what_a_run_has_left_is_loaded_and_shown_without_executing_the_cell(tmp_path: Path) -> None:
    chance = "%%step chance\nimport secrets\ntoken = secrets.token_hex()\nprint(token)"
    path = saved(tmp_path / "run", *CELLS, chance)
    project = Project.open(path)
    run = project.run(path)

    with live_kernel(path.parent, path) as kernel:
        answers = kernel.all(*CELLS, chance)
        status = kernel.status()
        value = kernel.run("model, list(df.a), double(2)").text

    assert status == dict.fromkeys(("load", "clean", "train", "chance"), "reused")
    assert answers[5].stdout in project.step_log(run["run_id"], "chance")
    assert len(answers[5].stdout) == 65
    assert "text/html" in answers[2].shown[0]
    assert answers[4].stdout == "{'w': 10}\n"
    assert value == "({'w': 10}, [2, 3], 4)"


def test_an_edit_executes_the_cell_and_a_cell_that_replaced_its_input_starts_from_it_again(
    tmp_path: Path,
) -> None:
    path = saved(tmp_path / "hand", *CELLS)

    with live_kernel(path.parent, path) as kernel:
        kernel.all(*CELLS)
        again = kernel.run(CELLS[3])
        edited = kernel.run("%%step clean\ndf = df[df.a > 0]\ndf.shape")
        status = kernel.status()

    assert again.text == "(2, 1)"
    assert edited.text == "(3, 1)"
    assert status["clean"] == "stored"


@pytest.mark.parametrize(
    ("between", "step"),
    [
        ("x.append(2)", "%%step b\ny = list(x)"),
        ("extra = 1", "%%step b\ny = extra"),
        ("import os\nos.environ['TOLD'] = '1'", "%%step b\ny = x"),
        ("def helper():\n    return 3", "%%step b\ny = helper(), x"),
        ("import random\nrandom.seed(5)\nrandom.random()", "%%step b\nimport random\ny = random.random()"),
        ("CONSTANT.append(1)", "%%step b\ny = list(CONSTANT)"),
    ],
)
def test_what_a_run_would_not_have_found_is_not_stored(between: str, step: str, tmp_path: Path) -> None:
    cells = [
        LOAD,
        "import random\nrandom.seed(1)\nCONSTANT = []\ndef helper():\n    return 2",
        "%%step a\nx = [1]",
        step,
    ]
    path = saved(tmp_path / "hand", *cells)

    with live_kernel(path.parent, path) as kernel:
        kernel.all(*cells[:3])
        kernel.run(between)
        kernel.run(step)
        status = kernel.status()

    assert status == {"a": "stored", "b": "not stored"}


def test_a_definition_that_was_executed_again_is_the_definition(tmp_path: Path) -> None:
    cells = [LOAD, "def helper():\n    return 2", "%%step a\nx = helper()\nx"]
    path = saved(tmp_path / "hand", *cells)

    with live_kernel(path.parent, path) as kernel:
        kernel.all(*cells, "def helper():\n    return 3", cells[1])
        first = kernel.run(cells[2])
        status = kernel.status()

    assert (first.text, status) == ("2", {"a": "reused"})


def test_without_a_notebook_the_cells_of_the_session_are_the_pipeline(tmp_path: Path) -> None:
    with live_kernel(tmp_path) as kernel:
        kernel.all(LOAD, "%%step a\nx = 1", "x", "%%step b\ny = x + 1\ny")
        plan = kernel.run("%pipeline plan").text
        run = kernel.run("%pipeline run").stdout

    assert plan.endswith("All 2 steps are up to date")
    assert "2 steps: 2 reused" in run


def test_params_are_set_before_the_cell_and_outputs_are_kept(tmp_path: Path) -> None:
    with live_kernel(tmp_path) as kernel:
        value = kernel.all(
            LOAD, "%%step a --params alpha=0.5,name=x --outputs _kept\n_kept = [alpha, name]\n_kept"
        )[1]
        loaded = kernel.all("del _kept", "%pipeline load a._kept", "_kept")[2]

    assert value.text == "[0.5, 'x']"
    assert loaded.text == "[0.5, 'x']"


def test_a_step_that_fails_shows_its_error_and_leaves_names_as_they_were(tmp_path: Path) -> None:
    with live_kernel(tmp_path) as kernel:
        kernel.all(LOAD, "%%step a\nx = 1", "%%step a\n1 / 0\nx = 2")
        failed = kernel.run("%%step a\n1 / 0\nx = 2")
        value = kernel.run("x").text

    assert failed.error == "ZeroDivisionError: division by zero"
    assert value == "1"


def test_a_line_that_cannot_be_read_is_told_in_one_line(tmp_path: Path) -> None:
    with live_kernel(tmp_path) as kernel:
        answer = kernel.all(LOAD, "%%step a --nope\nx = 1")[1]

    assert answer.traceback.startswith("error: `%%step a --nope`: `--nope` is no option")
    assert "jupyterlab_pipelines/" not in answer.traceback


def test_tagged_cells_that_are_executed_by_hand_are_recorded_if_asked_for(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").touch()
    document = notebook(
        cell(LOAD, id="ext"),
        cell("n = 2", id="setup"),
        cell("xs = list(range(n))", step="a", id="one"),
        cell("print(sum(xs))", step="b", id="two"),
    )
    path = write(document, tmp_path / "notebook.ipynb")

    with live_kernel(tmp_path, path) as kernel:
        kernel.run(LOAD, "ext")
        kernel.run("%pipeline shadow on")
        for each in document["cells"][1:]:
            kernel.run(each["source"], each["id"])
        again = kernel.run("print(sum(xs))", "two")
        status = kernel.status()
    run = Project.open(path).run(path)

    assert again.stdout == "1\n"
    assert status == {"a": "stored", "b": "stored already"}
    assert [step["status"] for step in run["steps"]] == ["reused", "reused"]


def test_a_front_end_that_says_which_cell_it_executes_is_told_once_why_nothing_is_stored(
    tmp_path: Path,
) -> None:
    with live_kernel(tmp_path) as kernel:
        kernel.all(LOAD, "y = 1", "%%step a\nx = 1", "y = 2")
        first = kernel.run("%%step b\nz = y", "cell-b")
        second = kernel.run("%%step b\nz = y", "cell-b")

    assert first.stderr == "(step b not stored: `y` is not as setup makes it)\n"
    assert second.stderr == ""
