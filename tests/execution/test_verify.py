"""Reused steps executed again in a scratch place: who gives the same, who does not, and why."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyterlab_pipelines.project import Project
from tests.fixtures.notebooks import Cell, cell, notebook, parameters, write
from tests.truth import forked


@pytest.fixture(autouse=True)
def _in_forks() -> Iterator[None]:
    with forked.without_kernels():
        yield


def run(folder: Path, *cells: Cell, **options: Any) -> Project:
    """The project, with the notebook run twice: what can be reused, was."""
    path = write(notebook(*cells), folder / "notebook.ipynb")
    (folder / "pyproject.toml").touch()
    project = Project.open(path)
    for _ in range(2):
        done = project.run(path, jobs=1, **options)
        assert done["status"] == "succeeded", [step["error"] for step in done["steps"]]
    return project


def verify(project: Project, **options: Any) -> dict[str, Any]:
    """By step, its verdict; nothing of the project has changed, and nothing is left of the scratch place."""
    before, temporary = content(project.root), set(os.listdir(tempfile.gettempdir()))
    document = project.verify(project.root / "notebook.ipynb", **options)
    assert content(project.root) == before
    assert not [
        name
        for name in set(os.listdir(tempfile.gettempdir())) - temporary
        if name.startswith("pipelines-verify")
    ]
    return {"": document["status"]} | {step["name"]: step for step in document["steps"]}


def content(folder: Path) -> dict[str, str]:
    """By path, the digest of every file, those of the store included."""
    return {
        str(path.relative_to(folder)): hashlib.sha1(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        # SQLite makes and removes these for readers, too.
        if path.is_file() and not path.name.endswith(("-shm", "-wal"))
    }


def statuses(verdicts: dict[str, Any]) -> dict[str, str]:
    return {name: verdict["status"] for name, verdict in verdicts.items() if name}


def test_steps_that_give_the_same_are_equal(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "one.txt").write_text("1")
    (tmp_path / "mine.py").write_text("def twice(x):\n    return 2 * x")
    project = run(
        tmp_path,
        cell("import glob, mine\ndef add(x):\n    return x + n"),
        parameters("n = 3"),
        cell("paths = sorted(glob.glob('data/*.txt'))\nx = int(open(paths[0]).read())", step="load"),
        cell("y = mine.twice(add(x))\nprint(y)", step="double"),
        cell("open('result.txt', 'w').write(str(y))", step="save"),
        cell("print(open('result.txt').read())", step="show"),
        parameters={"n": 4},
    )

    verdicts = verify(project, parameters={"n": 4})
    assert statuses(verdicts) == {"load": "equal", "double": "equal", "save": "equal", "show": "equal"}
    assert verdicts[""] == "equal"
    assert all(verdict["differences"] == [] for name, verdict in verdicts.items() if name)


@pytest.mark.parametrize(
    ("source", "cause"),
    [
        ("import random\nx = random.random()", "randomness"),
        ("import numpy as np\nx = np.random.default_rng().integers(10**9)", "randomness"),
        ("import numpy as np\nx = np.random.rand(3)", "randomness"),
        ("import time\nx = time.time()", "clock"),
        ("from datetime import datetime\nx = datetime.now().isoformat()", "clock"),
        ("import uuid\nx = uuid.uuid4().hex", "randomness"),
        ("import os\nx = os.getpid()", "identity"),
        ("import os\nx = os.getcwd()", "folder"),
    ],
)
def test_a_step_that_gives_another_value_each_time_is_told_with_the_cause(
    source: str, cause: str, tmp_path: Path
) -> None:
    project = run(tmp_path, cell(source, step="draw"), cell("y = [x, 1]", step="after"))

    verdicts = verify(project)
    assert statuses(verdicts) == {"draw": "different", "after": "equal"}
    assert verdicts["draw"]["causes"][0]["kind"] == cause
    assert ("value", "x") in [(each["kind"], each["what"]) for each in verdicts["draw"]["differences"]]
    assert verdicts[""] == "different"


def test_a_seeded_step_is_equal(tmp_path: Path) -> None:
    project = run(
        tmp_path,
        cell("import numpy as np\nnp.random.seed(1)"),
        cell("x = np.random.rand(3)", step="draw"),
        cell("y = np.random.rand(3)", step="more"),
    )

    assert set(statuses(verify(project)).values()) == {"equal"}


def test_what_is_only_shown_is_told_and_is_no_failure(tmp_path: Path) -> None:
    project = run(tmp_path, cell("import time\nx = 1\nprint(time.perf_counter())", step="draw"))

    verdicts = verify(project)
    assert statuses(verdicts) == {"draw": "equal"}
    assert [difference["kind"] for difference in verdicts["draw"]["differences"]] == ["shown"]
    assert [cause["kind"] for cause in verdicts["draw"]["causes"]] == ["clock"]


def test_a_file_that_differs_is_told(tmp_path: Path) -> None:
    project = run(
        tmp_path,
        cell("import time\nopen('out.txt', 'w').write(str(time.time_ns()))", step="save"),
        cell("print(open('out.txt').read())", step="show"),
    )

    verdicts = verify(project)
    assert statuses(verdicts) == {"save": "different", "show": "equal"}
    assert verdicts["save"]["message"].startswith("out.txt has other content")


def test_a_large_file_is_read_by_way_of_a_link_and_written_as_a_copy(tmp_path: Path) -> None:
    (tmp_path / "large.bin").write_bytes(b"1" * (2 << 20))
    (tmp_path / "grown.bin").write_bytes(b"2" * (2 << 20))
    project = run(
        tmp_path,
        cell("n = len(open('large.bin', 'rb').read())", step="read"),
        cell("file = open('grown.bin', 'wb')\nfile.write(b'3' * n)\nfile.close()\ndel file", step="write"),
    )

    assert set(statuses(verify(project)).values()) == {"equal"}


def test_links_to_folders_lead_to_where_they_led(tmp_path: Path) -> None:
    """One leads to a folder of the project, which a step writes to; the other one out of it."""
    project, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    (project / "runs").mkdir(parents=True)
    elsewhere.mkdir()
    (elsewhere / "x.txt").write_text("5")
    (project / "latest").symlink_to(project / "runs")
    (project / "data").symlink_to(elsewhere)
    verified = run(
        project,
        cell("x = int(open('data/x.txt').read())", step="read"),
        cell("open('latest/y.txt', 'w').write(str(x))", step="write"),
    )

    assert statuses(verify(verified)) == {"read": "equal", "write": "equal"}


def test_what_made_a_file_only_once_makes_it_again(tmp_path: Path) -> None:
    source = "import os\nif not os.path.exists('cache.txt'):\n    open('cache.txt', 'w').write('7')\n"
    project = run(tmp_path, cell(source + "x = int(open('cache.txt').read())", step="load"))

    assert statuses(verify(project)) == {"load": "equal"}


def test_what_is_not_up_to_date_is_not_verified_and_why(tmp_path: Path) -> None:
    project = run(
        tmp_path,
        cell("a = 1", step="first"),
        cell("b = a + 1", step="second"),
        cell("c = 1", step="third", cache="off"),
    )
    path = tmp_path / "notebook.ipynb"
    write(
        notebook(
            cell("a = 1", step="first"),
            cell("b = a + 2", step="second"),
            cell("c = 1", step="third", cache="off"),
            cell("d = 1", step="fourth"),
        ),
        path,
    )

    verdicts = verify(project)
    assert statuses(verdicts) == {
        "first": "equal",
        "second": "not_verified",
        "third": "not_verified",
        "fourth": "not_verified",
    }
    assert verdicts["second"]["message"].startswith("not up to date: `second` changed (line 1)")
    assert "cache:off" in verdicts["third"]["message"]
    assert "never ran" in verdicts["fourth"]["message"]
    assert statuses(verify(project, steps=["first"])) == {"first": "equal"}


def test_a_step_that_may_change_is_verified_only_if_it_is_asked_for(tmp_path: Path) -> None:
    project = run(tmp_path, cell("import time\nx = time.time()", step="ask", cache="12h"))

    assert statuses(verify(project)) == {"ask": "not_verified"}
    assert statuses(verify(project, steps=["ask"])) == {"ask": "different"}


def test_a_step_that_fails_in_the_scratch_place_is_told(tmp_path: Path) -> None:
    source = "import os\nif os.getcwd() != home:\n    raise OSError('not at home')"
    project = run(tmp_path, parameters(f"home = {str(tmp_path)!r}"), cell(source, step="read"))

    verdicts = verify(project)
    assert statuses(verdicts) == {"read": "failed"}
    assert verdicts["read"]["message"].startswith("it failed in the scratch place")
    assert [cause["kind"] for cause in verdicts["read"]["causes"]] == ["folder"]


def test_a_unit_is_verified_together(tmp_path: Path) -> None:
    project = run(
        tmp_path,
        cell("rows = (n for n in range(5))\nfirst = next(rows)", step="open"),
        cell("rest = list(rows)", step="read"),
        cell("print(first, rest)", step="show"),
    )

    assert statuses(verify(project)) == {"open": "equal", "read": "equal", "show": "equal"}


def test_a_step_that_writes_elsewhere_is_left_alone(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.txt"
    (tmp_path / "project").mkdir()
    project = run(
        tmp_path / "project", cell(f"open({str(elsewhere)!r}, 'w').write('1')", step="save"), force=["save"]
    )

    verdicts = verify(project)
    assert statuses(verdicts) == {"save": "not_verified"}
    assert str(elsewhere) in verdicts["save"]["message"]


def test_an_interrupted_verification_leaves_nothing_behind(tmp_path: Path) -> None:
    project = run(tmp_path, cell("a = 1", step="first"), cell("b = a", step="second"))

    def interrupt(event: dict[str, Any]) -> None:
        raise KeyboardInterrupt

    before, temporary = content(tmp_path), set(os.listdir(tempfile.gettempdir()))
    with pytest.raises(KeyboardInterrupt):
        project.verify(tmp_path / "notebook.ipynb", on_event=interrupt)
    assert content(tmp_path) == before
    assert not [
        name
        for name in set(os.listdir(tempfile.gettempdir())) - temporary
        if name.startswith("pipelines-verify")
    ]
