"""What goes wrong in a step: told with its place, its descendants skipped, the rest done and kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jupyterlab_pipelines.project import Project
from tests.fixtures.notebooks import Cell, cell, markdown, notebook, parameters, write


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.delenv("JUPYTER_PIPELINES_STORE", raising=False)
    return tmp_path


def run(folder: Path, *cells: Cell, **options: Any) -> dict[str, Any]:
    path = write(notebook(*cells), folder / "a.ipynb")
    return Project.open(path).run(path, **options)


def statuses(document: dict[str, Any]) -> dict[str, str]:
    return {step["name"]: step["status"] for step in document["steps"]}


def errors(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {step["name"]: step["error"] for step in document["steps"] if step["error"]}


def outputs(document: dict[str, Any], index: int) -> list[Any]:
    found: list[Any] = document["cells"][index]["outputs"]
    return found


def text(document: dict[str, Any], index: int) -> str:
    return "".join("".join(output.get("text", "")) for output in outputs(document, index))


def test_a_failing_cell_its_descendants_and_the_others(folder: Path) -> None:
    def cells(line: str) -> list[Cell]:
        return [
            markdown("# Numbers"),
            cell("x = 1", step="load"),
            markdown("text"),
            cell("y = x", step="fail"),
            cell(f"print('before')\n\n{line}", step="fail"),
            cell("z = y", step="below"),
            cell("w = x + 1\nw", step="beside"),
        ]

    failed = run(folder, *cells("y = y / 0  # why?"), output=folder / "out.ipynb")
    written = json.loads((folder / "out.ipynb").read_text())
    mended = run(folder, *cells("y = y / 1"))

    assert failed["status"] == "failed"
    assert statuses(failed) == {
        "load": "succeeded",
        "fail": "failed",
        "below": "skipped",
        "beside": "succeeded",
    }
    error = errors(failed)["fail"]
    trace = error.pop("traceback")
    assert error == {
        "code": "cell_failed",
        "step": "fail",
        "cell_index": 4,
        "cell_id": "cell-4",
        "message": "ZeroDivisionError: division by zero",
        "line": 3,
        "source_line": "y = y / 0  # why?",
    }
    assert "ZeroDivisionError" in trace and "\x1b" not in trace
    assert text(written, 4) == "before\n"
    assert [output["output_type"] for output in outputs(written, 4)] == ["stream", "error"]
    assert outputs(written, 6)[0]["data"]["text/plain"] in ("2", ["2"])
    assert outputs(written, 5) == []
    log = Project.open(folder).step_log(failed["run_id"], "fail")
    assert log.startswith("before\n") and "ZeroDivisionError" in log and "\x1b" not in log
    assert statuses(mended) == {
        "load": "reused",
        "fail": "succeeded",
        "below": "succeeded",
        "beside": "reused",
    }


def test_failures_around_the_steps_own_cells(folder: Path) -> None:
    setup = run(folder, cell("import math\n1 / 0"), cell("x = 1", step="a"))
    default = run(folder, parameters("n = 1\nm = [][n]"), cell("x = m", step="a"))

    assert (setup["status"], default["status"]) == ("failed", "failed")
    assert (errors(setup)["a"]["cell_index"], errors(setup)["a"]["line"]) == (0, 2)
    assert "ZeroDivisionError" in errors(setup)["a"]["message"]
    assert errors(default)["a"]["source_line"] == "m = [][n]"
    assert "IndexError" in errors(default)["a"]["message"]


def test_a_damaged_value_is_never_handed_on(folder: Path) -> None:
    def cells(line: str) -> list[Cell]:
        return [cell("import numpy\nx = numpy.arange(10)", step="a"), cell(f"{line}\nlen(x)", step="b")]

    first = run(folder, *cells("1"))
    [x] = first["steps"][0]["outputs"]
    path = Project.open(folder).store.artifacts.path(x["digest"])
    path.write_bytes(path.read_bytes()[:40])

    mended = run(folder, *cells("2"))

    assert statuses(mended) == {"a": "succeeded", "b": "succeeded"}
    assert mended["steps"][0]["reasons"][0]["message"] == "the stored value of `x` is damaged"


def test_values_that_cannot_be_stored(folder: Path) -> None:
    awkward = """
        class Awkward:
            def __reduce__(self):
                raise RuntimeError("I stay here")

        kept = 1
        thing = {"deep": [Awkward()]}
        lines = (n for n in range(3))
        """

    unneeded = run(folder, cell(awkward, step="a"), cell("kept", step="b"))
    elsewhere = run(
        folder,
        cell(awkward, step="a"),
        cell("len(thing)", step="b", tags=["kernel:python3"]),
        cell("thing", step="c"),
    )

    assert statuses(unneeded) == {"a": "succeeded", "b": "succeeded"}
    assert statuses(elsewhere) == {"a": "reused", "b": "failed", "c": "skipped"}
    error = errors(elsewhere)["b"]
    assert error["code"] == "not_carriable"
    assert "`thing` from step `a`" in error["message"] and "`thing['deep'][0]`" in error["message"]
    assert "different kernels" in error["message"] and "step:a" in error["message"]


@pytest.mark.parametrize(
    ("source", "code", "words"),
    [
        ("import sys\nsys.exit(3)", "cell_failed", "SystemExit: 3"),
        ("import os\nos._exit(3)", "kernel_died", "ended the process"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)", "kernel_died", "SIGSEGV"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "kernel_died", "memory"),
        ("raise MemoryError()", "cell_failed", "MemoryError"),
        ("raise KeyboardInterrupt()", "cell_failed", "KeyboardInterrupt"),
        ("raise BaseException('\\x1b[31mred\\x1b[0m')", "cell_failed", "BaseException: red"),
        ("assert False, 'no\\nway'", "cell_failed", "AssertionError: no\nway"),
        ("nobody", "cell_failed", "NameError"),
        (
            "!exit 3\nget_ipython().system('exit 3')\nraise ValueError(_exit_code)",
            "cell_failed",
            "ValueError: 3",
        ),
    ],
)
def test_ways_to_fail(folder: Path, source: str, code: str, words: str) -> None:
    failed = run(folder, cell("x = 1", step="a"), cell(f"len('{code}')\n{source}", step="b"))

    assert statuses(failed) == {"a": "succeeded", "b": "failed"}
    error = errors(failed)["b"]
    assert (error["code"], error["cell_index"]) == (code, 1)
    assert words in error["message"]
    assert failed["error"] is None


def test_timeout_and_retries(folder: Path) -> None:
    document = run(
        folder,
        cell("import pathlib, time"),
        cell("print('begins')\ntime.sleep(60)", step="slow", tags=["timeout:1s"]),
        cell(
            "tried = pathlib.Path('tried')\ncount = len(tried.read_text()) if tried.exists() else 0\n"
            "tried.write_text('x' * (count + 1))\nassert count >= 1, count",
            step="flaky",
            tags=["retries:2"],
        ),
        cell("assert False", step="hopeless", tags=["retries:1"]),
        jobs=3,
    )

    assert statuses(document) == {"slow": "failed", "flaky": "succeeded", "hopeless": "failed"}
    error = errors(document)["slow"]
    assert (error["code"], error["cell_index"]) == ("timeout", 1)
    assert "1 s" in error["message"]
    assert document["duration_seconds"] < 30
    assert (folder / "tried").read_text() == "xx"


def test_output_of_every_kind_and_size(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # In its own tests ipykernel does not watch what processes print.
    monkeypatch.delenv("PYTEST_CURRENT_TEST")
    document = run(
        folder,
        cell("print('x' * 10_000_000)", step="big"),
        cell("for n in range(20_000):\n    print(n)", step="many"),
        cell(
            """
            import subprocess, sys, os
            for n in range(5):
                print(f"\\r{n} of 5", end="")
            print()
            print("to stderr", file=sys.stderr)
            !echo from a shell
            subprocess.run(["echo", "from a process"])
            os.system("echo from system")
            """,
            step="ways",
        ),
        jobs=2,
        output=folder / "out.ipynb",
    )
    written = json.loads((folder / "out.ipynb").read_text())

    assert document["status"] == "succeeded"
    assert len(text(written, 0)) == 10_000_001
    assert text(written, 1) == "".join(f"{n}\n" for n in range(20_000))
    assert "4 of 5\n" in text(written, 2)
    for words in ("to stderr", "from a shell", "from a process", "from system"):
        assert words in text(written, 2)
        assert words in Project.open(folder).step_log(document["run_id"], "ways")


def test_output_that_no_file_can_hold(folder: Path) -> None:
    document = run(
        folder,
        cell("'half: \\ud800'", step="b"),
        cell("x = '\\ud800'", step="c"),
        cell("len(x)", step="d"),
        output=folder / "out.ipynb",
    )

    assert statuses(document)["d"] == "succeeded"
    for name, error in errors(document).items():
        assert error["step"] == name and "surrogates" in error["message"]
    json.loads((folder / "out.ipynb").read_text())


@pytest.mark.parametrize(
    ("problem", "code"),
    [(OSError(28, "No space left on device"), "system_error"), (AssertionError("a bug"), None)],
)
def test_what_nobody_foresaw_ends_the_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch, problem: Exception, code: str | None
) -> None:
    def execute_step(job: Any) -> Any:
        raise problem

    monkeypatch.setattr("jupyterlab_pipelines.execution.runner.execute_step", execute_step)
    cells = [cell("x = 1", step="a"), cell("y = 1", step="b"), cell("z = x", step="c")]
    project = Project.open(folder)

    if code is None:
        with pytest.raises(AssertionError, match="a bug"):
            run(folder, *cells, jobs=2)
    else:
        assert run(folder, *cells, jobs=2)["error"]["code"] == code
    [told] = project.runs()
    document = project.run_document(told["run_id"])

    assert document["status"] == "failed"
    assert statuses(document) == {"a": "cancelled", "b": "cancelled", "c": "skipped"}
    assert project.inspect(folder / "a.ipynb")["run_id"] is None


# -- what to run ----------------------------------------------------------------------------------


def test_step_force_and_parameters_together(folder: Path) -> None:
    cells = (
        parameters("n = 1"),
        cell("x = 1", step="a"),
        cell("y = x + n", step="b"),
        cell("z = y * 0", step="c"),
        cell("w = z", step="d"),
    )

    target = run(folder, *cells, steps=["b"])
    all_of_it = run(folder, *cells)
    forced = run(folder, *cells, force=["a"])
    other = run(folder, *cells, parameters={"n": 5})
    both = run(folder, *cells, steps=["c"], force=["b"], parameters={"n": 5})

    assert statuses(target) == {"a": "succeeded", "b": "succeeded"}
    assert statuses(all_of_it) == {"a": "reused", "b": "reused", "c": "succeeded", "d": "succeeded"}
    # `a` leaves the same again.
    assert statuses(forced) == {"a": "succeeded", "b": "reused", "c": "reused", "d": "reused"}
    # `b` leaves another value, `c` the same again: `d` is not touched.
    assert statuses(other) == {"a": "reused", "b": "succeeded", "c": "succeeded", "d": "reused"}
    assert statuses(both) == {"a": "reused", "b": "succeeded", "c": "reused"}
    assert both["parameters"] == {"n": 5}


def test_how_long_results_are_reused(folder: Path) -> None:
    cells = (
        cell("x = 1", step="never", cache="off"),
        cell("y = x", step="brief", cache="1s"),
        cell("z = y", step="long", cache="1h"),
    )

    first = run(folder, *cells)
    later = run(folder, *cells)

    assert set(statuses(first).values()) == {"succeeded"}
    assert statuses(later)["never"] == "succeeded"
    assert statuses(later)["long"] == "reused"
    # `never` took longer than a second to run again, or it did not: both are right for `brief`.
    brief = later["steps"][1]
    assert brief["status"] in ("succeeded", "reused")
    import time

    time.sleep(1.1)
    planned = Project.open(folder).plan(folder / "a.ipynb")["steps"]
    assert [step["decision"] for step in planned] == ["run", "undecided", "undecided"]
    again = run(folder, *cells)
    assert statuses(again) == {"never": "succeeded", "brief": "succeeded", "long": "reused"}
    assert "older than 1s" in again["steps"][1]["reasons"][0]["message"]


def test_what_fails_when_a_step_is_stored_says_where(folder: Path) -> None:
    source = "def broken():\n    return 1 / 0\n__pipelines__.watch().finish = lambda: broken()"
    document = run(folder, cell("import math"), cell(source, step="a"))

    error = errors(document)["a"]
    assert error["code"] == "runtime_failed"
    assert "ZeroDivisionError: division by zero" in error["message"]
    assert "in broken()" in error["traceback"]
    assert "return 1 / 0" in error["traceback"]
