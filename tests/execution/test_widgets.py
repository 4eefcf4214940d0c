"""Progress bars that are widgets are lines of the log."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyterlab_pipelines.project import Project
from tests.fixtures.notebooks import cell, notebook, write

pytest.importorskip("ipywidgets")


def logs(tmp_path: Path, *sources: str) -> list[str]:
    """What the steps have written, one for each of `sources`."""
    (tmp_path / "pyproject.toml").touch()
    steps = [cell(source, step=f"s{number}") for number, source in enumerate(sources)]
    path = write(
        notebook(cell("from tqdm.auto import tqdm\nimport ipywidgets"), *steps), tmp_path / "a.ipynb"
    )
    project = Project.open(path)
    run = project.run(path)
    assert run["status"] == "succeeded"
    return [project.step_log(run["run_id"], step["name"]) for step in run["steps"]]


def lines_of(log: str) -> list[str]:
    """What is left of each line after its last carriage return."""
    return [line.rpartition("\r")[2].rstrip() for line in log.split("\n") if line]


def test_a_bar_is_one_line_that_changes(tmp_path: Path) -> None:
    (log,) = logs(
        tmp_path, "for n in tqdm(range(200), desc='<epochs>', mininterval=0):\n    pass\nprint('done')"
    )

    bar, end = lines_of(log)
    assert bar.startswith("<epochs>: 100%|████████████████████| 200/200 [")
    assert end == "done"
    assert log.count("\r") > 20


def test_what_is_printed_meanwhile_has_lines_of_its_own(tmp_path: Path) -> None:
    (log,) = logs(tmp_path, "for n in tqdm('abc', mininterval=0):\n    print('letter', n)")

    assert [line for line in lines_of(log) if "|" not in line] == ["letter a", "letter b", "letter c"]
    assert any(line.startswith("100%|████████████████████| 3/3 [") for line in lines_of(log))


def test_a_bar_that_breaks_off_and_one_without_labels(tmp_path: Path) -> None:
    broken, plain = logs(
        tmp_path,
        "try:\n    for n in tqdm(range(4), mininterval=0):\n        1 / (2 - n)\n"
        "except ZeroDivisionError:\n    print('broken')",
        "bar = ipywidgets.IntProgress(max=4)\ndisplay(bar)\nbar.value = 1\nbar.value = 3\nprint('end')",
    )

    assert lines_of(broken)[0].startswith(" 50%|██████████          | 2/4 [")
    assert lines_of(broken)[1:] == ["broken"]
    assert lines_of(plain) == ["|███████████████     |", "end"]
