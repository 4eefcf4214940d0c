"""What the audit hook of a step's kernel sees, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

import jupyterlab_pipelines
from jupyterlab_pipelines.files import ABSENT, changed_files, changed_folders, file_digest

BEGIN = """
import sys
from pathlib import Path
from jupyterlab_pipelines.kernel.runtime.files import FileRecorder
__files = FileRecorder(Path.cwd(), Path.cwd().parent, Path.cwd() / ".pipelines")
sys.addaudithook(__files.hook)
"""
END = """
import json
print("\\n" + json.dumps(__files.report()))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The notebook's folder, in a project."""
    made = tmp_path / "project" / "notebooks"
    made.mkdir(parents=True)
    return made


def seen(folder: Path, code: str) -> dict[str, Any]:
    """The report after `code` has run in `folder`."""
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + dedent(code) + END],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(jupyterlab_pipelines.__file__).parents[1])},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return report


def test_reads_with_the_state_of_the_file(folder: Path) -> None:
    (folder / "a.txt").write_text("a")

    report = seen(folder, "open('a.txt').read()")

    size, _, digest, _ = report["read"]["a.txt"]
    assert (size, digest) == (1, file_digest(str(folder / "a.txt")))
    assert not (report["written"] or report["listed"])


def test_paths_are_relative_in_the_project_and_absolute_outside(folder: Path, tmp_path: Path) -> None:
    for path in (folder.parent / "b.txt", tmp_path / "c.txt"):
        path.write_text("x")

    outside = (tmp_path / "c.txt").as_posix()

    report = seen(folder, f"import os\nopen('../b.txt'); os.chdir('..'); open('b.txt'); open({outside!r})")

    assert set(report["read"]) == {"../b.txt", outside}


def test_a_top_folder_is_no_file_of_that_name_beside_the_notebook(folder: Path) -> None:
    (folder / "a.txt").write_text("a")

    assert set(seen(folder, "import os\nos.stat('a.txt'); os.stat('/home')")["read"]) <= {"a.txt"}


def test_a_link_to_a_folder_is_no_other_folder(folder: Path) -> None:
    (folder / "data").mkdir()
    (folder / "data" / "a.txt").write_text("a")
    (folder / "link").symlink_to("data", target_is_directory=True)

    assert set(seen(folder, "open('link/a.txt'); open('data/a.txt')")["read"]) == {"data/a.txt"}


@pytest.mark.parametrize(
    ("code", "read", "written", "appended"),
    [
        ("open('f', 'w').write('2')", False, True, False),
        ("open('f', 'a').write('2')", False, True, True),
        ("open('f', 'r+').write('2')", True, True, False),
        ("open('f').read(); open('f', 'w').write('2')", True, True, False),
        ("open('f', 'w').write('2'); open('f').read()", False, True, False),
        ("import os; os.remove('f')", False, True, False),
        ("import os; os.open('f', os.O_RDONLY)", True, False, False),
        ("import os; os.close(os.open('f', os.O_WRONLY | os.O_TRUNC))", False, True, False),
        ("import os; open('g', 'w').close(); os.replace('g', 'f')", False, True, False),
        ("import os; os.truncate('f', 0)", True, True, False),
    ],
)
def test_reading_and_writing(folder: Path, code: str, read: bool, written: bool, appended: bool) -> None:
    (folder / "f").write_text("1")
    before = file_digest(str(folder / "f"))

    report = seen(folder, code)

    assert ("f" in report["read"], "f" in report["written"], "f" in report["appended"]) == (
        read,
        written,
        appended,
    )
    if read:  # what was read is what was there before the step wrote
        assert report["read"]["f"][2] == before
    if written:
        assert report["written"]["f"] == file_digest(str(folder / "f"))


def test_files_that_come_and_go_are_nobodys(folder: Path) -> None:
    report = seen(
        folder,
        """
        import os, tempfile
        open('own', 'w').write('x'); open('own').read(); os.remove('own')
        with tempfile.NamedTemporaryFile('w+') as file:
            file.write('x')
        kept = tempfile.mkdtemp()
        open(kept + '/a', 'w').write('x')
        """,
    )

    del report["is_whole"]
    assert report == {"read": {}, "listed": {}, "written": {}, "appended": [], "databases": [], "sizes": {}}


def test_a_missing_file(folder: Path) -> None:
    report = seen(folder, "try:\n    open('no.txt')\nexcept OSError:\n    pass")

    assert report["read"] == {"no.txt": None}


def test_packages_are_not_files_but_modules_beside_the_notebook_are(folder: Path) -> None:
    (folder / "mine.py").write_text("x = 1")
    for _ in ("compiled", "from the compiled file"):
        report = seen(folder, "import csv, json, pandas, mine")

        assert set(report["read"]) == {"mine.py"}
        assert not (report["written"] or report["listed"])


def test_listings_without_what_the_step_adds(folder: Path) -> None:
    (folder / "data").mkdir()
    (folder / "data" / "a").touch()

    report = seen(folder, "import os\nos.listdir('data'); open('data/b', 'w').close(); os.mkdir('data/c')")
    trace = {"folders": report["listed"]}

    assert report["listed"]["data"][1] == ["b", "c"]
    assert changed_folders(trace, folder) == []
    (folder / "data" / "d").touch()
    assert changed_folders(trace, folder) == ["data"]


def test_a_folder_that_is_moved_and_one_that_is_removed(folder: Path) -> None:
    for name in ("new", "old"):
        (folder / name).mkdir()
        (folder / name / "a").write_text(name)

    report = seen(folder, "import os, shutil\nos.rename('new', 'done'); shutil.rmtree('old')")

    assert report["written"] == {
        "new/a": ABSENT,
        "done/a": file_digest(str(folder / "done" / "a")),
        "old/a": ABSENT,
    }


def test_what_is_different_now(folder: Path) -> None:
    for name in ("same", "touched", "longer", "other", "gone"):
        (folder / name).write_text("1")
    names = ["same", "touched", "longer", "other", "gone", "new"]
    report = seen(folder, f"for n in {names}:\n    try:\n        open(n)\n    except OSError:\n        pass")
    (folder / "touched").touch()
    (folder / "longer").write_text("11")
    (folder / "other").write_text("2")
    (folder / "gone").unlink()
    (folder / "new").touch()

    assert changed_files({"files": report["read"]}, folder) == {
        "longer": "changed",
        "other": "changed",
        "gone": "is gone",
        "new": "is there now",
    }


def test_strange_names_are_left_to_the_step(folder: Path) -> None:
    """The hook neither raises nor hides what the step does wrong."""
    report = seen(
        folder,
        r"""
        for name in ('a\0b', '', b'\xff', '\udcfe', 'x' * 5000, 2**20):
            try:
                open(name)
            except (OSError, ValueError, TypeError):
                pass
        open('/dev/null', 'w')
        """,
    )

    assert all(state is None for state in report["read"].values())
