"""Steps that share what cannot be stored are executed in one kernel: what a plan says of it, and what runs when."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jupyterlab_pipelines.project import Project
from tests.fixtures.notebooks import Notebook, cell, notebook, parameters, write

SOURCES = {
    "squares": "g = (i * i for i in range(9))\nnext(g)\nx = 7",
    "second": "print(next(g))",
    "beside": "y = x + 1",
    "third": "print(next(g), y)",
    "rest": "print(list(g))",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.delenv("JUPYTER_PIPELINES_STORE", raising=False)
    return tmp_path


def squares(**edited: str) -> Notebook:
    return notebook(*(cell(source, step=name) for name, source in {**SOURCES, **edited}.items()))


def run(folder: Path, document: Notebook, **options: Any) -> dict[str, Any]:
    path = write(document, folder / "a.ipynb")
    return Project.open(path).run(path, **options)


def plan(folder: Path, document: Notebook) -> dict[str, Any]:
    path = write(document, folder / "a.ipynb")
    return Project.open(path).plan(path)


def executed(document: dict[str, Any]) -> list[str]:
    return [step["name"] for step in document["steps"] if step["status"] == "succeeded"]


def shown(folder: Path, document: dict[str, Any]) -> list[str]:
    """What each code cell prints."""
    cells = Project.open(folder).run_notebook(document["run_id"])["cells"]
    outputs = [each["outputs"] for each in cells if each["cell_type"] == "code"]
    return ["".join("".join(out.get("text", "")) for out in each).strip() for each in outputs]


def test_a_generator_is_read_on_where_the_step_before_left_it(folder: Path) -> None:
    first = run(folder, squares(), jobs=2)
    again = run(folder, squares())

    assert executed(first) == list(SOURCES)
    assert executed(again) == []
    for document in (first, again):
        assert shown(folder, document) == ["", "1", "", "4 8", "[9, 16, 25, 36, 49, 64]"]


def test_the_plan_tells_of_the_unit(folder: Path) -> None:
    run(folder, squares())

    steps = {step["name"]: step for step in plan(folder, squares(third="print(next(g), y, '!')"))["steps"]}

    unit = {"steps": ["squares", "second", "third", "rest"], "names": ["g"]}
    assert {name: step["unit"] for name, step in steps.items()} == {
        "squares": unit,
        "second": unit,
        "beside": None,
        "third": unit,
        "rest": unit,
    }
    decisions = {name: step["decision"] for name, step in steps.items()}
    assert decisions == {
        "squares": "run",
        "second": "run",
        "beside": "reuse",
        "third": "run",
        "rest": "undecided",
    }
    [reason] = steps["squares"]["reasons"]
    assert reason["kind"] == "unit"
    assert reason["message"] == "`third` goes on in its kernel: `g` cannot be stored"


def test_every_output_has_a_verdict_before_a_second_run(folder: Path) -> None:
    document = notebook(
        cell("import io\nlines = (n for n in range(3))\nn = 1\nlarge = bytearray(1 << 27)", step="make"),
        cell("print(n)", step="show"),
    )
    run(folder, document)

    verdicts = {each["name"]: each for each in plan(folder, document)["steps"][0]["verdicts"]}

    assert set(verdicts) == {"lines", "n", "large"}
    assert verdicts["n"] | {"size_bytes": 0} == {
        "name": "n",
        "type": "int",
        "carriable": True,
        "kept": True,
        "materializer": "json",
        "size_bytes": 0,
        "message": "",
    }
    assert verdicts["n"]["size_bytes"] > 0
    assert not verdicts["lines"]["carriable"]
    assert "generator" in verdicts["lines"]["type"] and "cannot be stored" in verdicts["lines"]["message"]
    assert verdicts["large"]["carriable"] and not verdicts["large"]["kept"]
    assert verdicts["large"]["size_bytes"] >= 1 << 27


@pytest.mark.parametrize(
    ("edited", "expected"),
    [
        ({"second": "print(next(g))  # the second"}, []),
        ({"beside": "y = 1 + x"}, ["beside"]),
        ({"beside": "y = x + 2"}, ["squares", "second", "beside", "third", "rest"]),
        ({"rest": "print(sum(g))"}, ["squares", "second", "third", "rest"]),
        ({"second": "next(g); print(next(g))"}, ["squares", "second", "third", "rest"]),
    ],
)
def test_an_edit_runs_what_it_must(edited: dict[str, str], expected: list[str], folder: Path) -> None:
    run(folder, squares())

    assert executed(run(folder, squares(**edited))) == expected


def test_of_a_failing_unit_only_what_was_well_is_kept(folder: Path) -> None:
    failed = run(folder, squares(third="print(next(g), y)\n1 / 0"))
    mended = run(folder, squares())

    assert [step["status"] for step in failed["steps"]] == [
        "succeeded",
        "succeeded",
        "succeeded",
        "failed",
        "skipped",
    ]
    assert executed(mended) == ["squares", "second", "third", "rest"]
    assert shown(folder, mended)[-2:] == ["4 8", "[9, 16, 25, 36, 49, 64]"]


def test_a_step_that_is_tried_again_gets_a_kernel_that_is_not_spoilt(folder: Path) -> None:
    third = cell(
        """
        from pathlib import Path
        taken = next(g)
        if not Path("tried").exists():
            Path("tried").touch()
            raise ValueError("the first time")
        print(taken)
        """,
        step="third",
        tags=["retries:1"],
    )
    document = notebook(cell(SOURCES["squares"], step="squares"), third, cell(SOURCES["rest"], step="rest"))

    tried = run(folder, document)

    assert tried["status"] == "succeeded"
    assert shown(folder, tried)[1:] == ["1", "[4, 9, 16, 25, 36, 49, 64]"]


def test_a_unit_gets_the_parameters_that_any_of_its_steps_reads(folder: Path) -> None:
    document = notebook(
        parameters("start = 1"),
        cell("begin = start * 10"),
        cell("g = (i for i in range(100))", step="make"),
        cell("print(next(g) + begin)", step="show"),
    )

    first = run(folder, document)
    replaced = run(folder, document, parameters={"start": 3})

    assert shown(folder, first)[-1] == "10"
    assert shown(folder, replaced)[-1] == "30"


def test_no_process_is_left_of_a_unit(folder: Path) -> None:
    document = notebook(
        cell("import os\ng = (i for i in range(3))\nprint(os.getpid())", step="make"),
        cell("print(os.getpid(), next(g))", step="show"),
    )

    pids = [text.split()[0] for text in shown(folder, run(folder, document))]

    assert len(set(pids)) == 1
    assert not Path("/proc", pids[0]).exists()


def test_two_units_side_by_side(folder: Path) -> None:
    document = notebook(
        *(
            cell(f"{name} = iter('{name}bc')\ng{name} = (c for c in {name})", step=f"make-{name}")
            for name in "xyz"
        ),
        cell("print(next(gx))", step="show-x"),
        cell("print(next(gy), next(gz))", step="show-yz"),
        cell("print(list(gx), list(gy), list(gz))", step="rest"),
    )

    first = run(folder, document, jobs=3)

    assert shown(folder, first)[3:] == ["x", "y z", "['b', 'c'] ['b', 'c'] ['b', 'c']"]
    assert executed(run(folder, document)) == []


def test_workers_that_a_library_keeps_join_nobody(folder: Path) -> None:
    document = notebook(
        cell("from joblib import Parallel, delayed"),
        cell("print(Parallel(n_jobs=2)(delayed(abs)(number) for number in (-1, -2)))", step="pool"),
        cell("import os\ntext = os.popen('echo done').read()", step="command"),
        cell("print(text)", step="later"),
    )

    assert run(folder, document)["status"] == "succeeded"

    assert [step["unit"] for step in plan(folder, document)["steps"]] == [None, None, None]
