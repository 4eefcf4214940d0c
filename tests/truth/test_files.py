"""Files against Run All: what a step reads decides whether it runs, and what it writes comes first."""

from __future__ import annotations

import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from jupyterlab_pipelines.project import Project
from tests.fixtures.notebooks import Notebook, cell, notebook, write
from tests.oracle import assert_same_outputs, run_all


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.delenv("JUPYTER_PIPELINES_STORE", raising=False)
    return tmp_path


class Runs:
    """Runs of one notebook, and what became of its steps."""

    def __init__(self, folder: Path, document: Notebook) -> None:
        self.folder = folder
        self.path = folder / "notebook.ipynb"
        self.output = folder / "out" / "output.ipynb"
        self.output.parent.mkdir(exist_ok=True)
        self.edit(document)

    def edit(self, document: Notebook) -> None:
        self.document = document
        write(document, self.path)

    def run(self, jobs: int = 2) -> dict[str, str]:
        """Status by step."""
        self.run_document: dict[str, Any] = Project.open(self.path).run(
            self.path, jobs=jobs, output=self.output
        )
        errors = [step["error"] for step in self.run_document["steps"] if step["error"]]
        assert self.run_document["status"] == "succeeded", errors or self.run_document["error"]
        return {step["name"]: step["status"] for step in self.run_document["steps"]}

    def reasons(self, step: str) -> list[str]:
        [found] = [one for one in self.run_document["steps"] if one["name"] == step]
        return [reason["message"] for reason in found["reasons"]]

    def same_as_run_all(self) -> None:
        """Run All comes after the run, so that the run must make its files by itself."""
        assert_same_outputs(self.output, run_all(self.document, self.folder))


RAN, REUSED = "succeeded", "reused"

READERS = {
    "open": ("a.txt", "print(open('a.txt').read())"),
    "pandas": ("a.csv", "import pandas as pd\nprint(pd.read_csv('a.csv').sum())"),
    "Path": ("a.txt", "from pathlib import Path\nprint(Path('a.txt').read_text())"),
    "numpy": ("a.npy", "import numpy as np\nprint(np.load('a.npy'))"),
    "sqlite3": (
        "a.db",
        "import sqlite3\nprint(sqlite3.connect('a.db').execute('select * from t').fetchall())",
    ),
    "zipfile": ("a.zip", "import zipfile\nprint(zipfile.ZipFile('a.zip').namelist())"),
    "joblib": ("a.joblib", "import joblib\nprint(joblib.load('a.joblib'))"),
    "module": ("mine.py", "import mine\nprint(mine.value())"),
}


def put(path: Path, number: int) -> None:
    """A file of the kind that its name says, with `number` in it."""
    import sqlite3
    import zipfile

    import joblib
    import numpy as np

    match path.suffix:
        case ".npy":
            np.save(path, np.array([number]))
        case ".db":
            connection = sqlite3.connect(path)
            connection.execute("create table if not exists t (n)")
            connection.execute("insert into t values (?)", (number,))
            connection.commit()
            connection.close()
        case ".zip":
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr(f"{number}.txt", "")
        case ".joblib":
            joblib.dump(number, path)
        case ".py":
            # Of another size each time: Python itself does not see an equally long change within a second.
            path.write_text(f"def value():\n    return {number}\n" + "\n" * number)
        case _:
            path.write_text(f"n\n{number}\n")


@pytest.mark.parametrize("how", READERS)
def test_a_file_that_changes_makes_its_readers_run(folder: Path, how: str) -> None:
    name, code = READERS[how]
    put(folder / name, 1)
    runs = Runs(folder, notebook(cell(code, step="read"), cell("x = 2\nprint(x)", step="other")))
    assert runs.run() == {"read": RAN, "other": RAN}
    runs.same_as_run_all()
    assert runs.run() == {"read": REUSED, "other": REUSED}

    put(folder / name, 2)

    assert runs.run() == {"read": RAN, "other": REUSED}
    assert runs.reasons("read") == [f"{name} changed"]
    runs.same_as_run_all()


def test_only_content_counts_and_earlier_content_is_remembered(folder: Path) -> None:
    data = folder / "data.txt"
    data.write_text("one")
    runs = Runs(folder, notebook(cell("text = open('data.txt').read()\nprint(text)", step="read")))
    assert runs.run() == {"read": RAN}

    os.utime(data, (time.time() - 100, time.time() - 100))
    assert runs.run() == {"read": REUSED}
    data.write_text("two")
    assert runs.run() == {"read": RAN}
    data.write_text("one")
    assert runs.run() == {"read": REUSED}
    runs.same_as_run_all()
    data.unlink()
    plan = Project.open(runs.path).plan(runs.path)
    assert plan["steps"][0]["reasons"][0]["message"] == "data.txt is gone"


def test_a_file_that_was_missing_and_then_is_there(folder: Path) -> None:
    code = """
    try:
        print(open('settings.json').read())
    except FileNotFoundError:
        print('defaults')
    """
    runs = Runs(folder, notebook(cell(code, step="read")))
    assert runs.run() == {"read": RAN}
    assert runs.run() == {"read": REUSED}

    (folder / "settings.json").write_text("{}")

    assert runs.run() == {"read": RAN}
    assert runs.reasons("read") == ["settings.json is there now"]
    runs.same_as_run_all()


@pytest.mark.parametrize(
    "listing", ["sorted(glob.glob('data/*.txt'))", "sorted(map(str, Path('data').glob('**/*.txt')))"]
)
def test_a_folder_gets_another_file(folder: Path, listing: str) -> None:
    (folder / "data").mkdir()
    (folder / "data" / "a.txt").write_text("a")
    runs = Runs(
        folder,
        notebook(cell("import glob\nfrom pathlib import Path"), cell(f"print({listing})", step="list")),
    )
    assert runs.run() == {"list": RAN}
    assert runs.run() == {"list": REUSED}

    (folder / "data" / "b.txt").write_text("b")

    assert runs.run() == {"list": RAN}
    assert runs.reasons("list") == ["data/ has other files: new `b.txt`"]
    runs.same_as_run_all()


SLOWLY = "import time; time.sleep(0.7)\n"


@pytest.mark.parametrize("old", [None, "old"])
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_file_from_one_step_to_another(folder: Path, old: str | None, jobs: int) -> None:
    """Side by side, the reader fails or sees what an earlier session left; then it runs again."""
    if old is not None:
        (folder / "f.txt").write_text(old)
    runs = Runs(
        folder,
        notebook(
            cell(
                SLOWLY + "from pathlib import Path\nPath('f.txt').write_text('new')\nlen('w')", step="write"
            ),
            cell("text = open('f.txt').read()\nprint(text)", step="read"),
            cell("print(text.upper())", step="shout"),
        ),
    )
    runs.run(jobs)
    runs.same_as_run_all()
    assert runs.run(jobs) == {"write": REUSED, "read": REUSED, "shout": REUSED}

    runs.edit(
        notebook(
            cell("from pathlib import Path\nPath('f.txt').write_text('newer')\nlen('w')", step="write"),
            *runs.document["cells"][1:],
        )
    )
    assert runs.run(jobs) == {"write": RAN, "read": RAN, "shout": RAN}
    runs.same_as_run_all()
    (folder / "f.txt").unlink()
    assert runs.run(jobs) == {"write": RAN, "read": REUSED, "shout": REUSED}
    assert runs.reasons("write") == ["f.txt is not as the step left it"]


def test_a_reader_in_order_runs_once(folder: Path) -> None:
    """Nothing is learned too late where steps run one after another."""
    runs = Runs(
        folder,
        notebook(
            cell("open('f.txt', 'w').write('x')", step="write"),
            cell(
                "open('count.log', 'a').write('.')\nprint(open('f.txt').read())",
                step="read",
            ),
        ),
    )
    runs.run(jobs=1)
    assert (folder / "count.log").read_text() == "."
    assert runs.run(jobs=1) == {"write": REUSED, "read": REUSED}


def test_who_overwrites_a_file_waits_for_who_reads_it(folder: Path) -> None:
    def document(shown: str = "text") -> Notebook:
        return notebook(
            cell("open('f.txt', 'w').write('first')\nprint('wrote')", step="write"),
            cell(SLOWLY + f"text = open('f.txt').read()\nprint({shown})", step="read"),
            cell("open('f.txt', 'w').write('second')\nprint('wrote again')", step="overwrite"),
            cell("print(open('f.txt').read())", step="read_again"),
        )

    runs = Runs(folder, document())
    runs.run()
    runs.same_as_run_all()
    assert set(runs.run().values()) == {REUSED}

    # The reader needs what the first step wrote, and the last needs what the third wrote.
    runs.edit(document("text.upper()"))
    assert runs.run() == {"write": RAN, "read": RAN, "overwrite": RAN, "read_again": REUSED}
    assert (folder / "f.txt").read_text() == "second"
    runs.same_as_run_all()
    assert set(runs.run().values()) == {REUSED}


@pytest.mark.parametrize("seconds", [(2, 0, 0), (0, 2, 0), (2, 1, 0)])
def test_a_file_that_is_removed_by_a_later_step(folder: Path, seconds: tuple[int, int, int]) -> None:
    """Whoever comes too early, or loses the file while it runs, runs again in its turn."""
    sources = ("open('f.txt', 'w').write('text')", "print(open('f.txt').read())", "os.remove('f.txt')")
    slow = [
        f"import os, time\ntime.sleep({wait})\n{source}"
        for wait, source in zip(seconds, sources, strict=True)
    ]
    runs = Runs(folder, notebook(*(cell(source, step=f"s{n}") for n, source in enumerate(slow))))

    runs.run()

    runs.same_as_run_all()
    assert set(runs.run().values()) == {REUSED}
    assert not (folder / "f.txt").exists()


def test_a_file_that_grows_from_step_to_step(folder: Path) -> None:
    def document(word: str = "two") -> Notebook:
        return notebook(
            cell("with open('f.txt', 'w') as f:\n    f.write('one\\n')", step="one"),
            cell(f"with open('f.txt', 'a') as f:\n    f.write('{word}\\n')", step="two"),
            cell("with open('f.txt', 'a') as f:\n    f.write('three\\n')", step="three"),
            cell("print(open('f.txt').read())", step="show"),
        )

    runs = Runs(folder, document())
    runs.run(jobs=1)
    runs.same_as_run_all()
    assert set(runs.run(jobs=1).values()) == {REUSED}
    runs.edit(document("zwei"))
    runs.run(jobs=1)
    runs.same_as_run_all()
    assert set(runs.run(jobs=1).values()) == {REUSED}


def test_a_log_joins_no_steps(folder: Path) -> None:
    """Every run appends to it, so its content is nobody's input."""

    def document(value: int = 1) -> Notebook:
        log = "open('run.log', 'a').write('step\\n')\n"
        return notebook(
            cell(log + f"x = {value}", step="one"),
            cell(log + "y = 2", step="two"),
            cell("print(x)", step="show"),
        )

    runs = Runs(folder, document())
    runs.run()
    assert set(runs.run().values()) == {REUSED}
    runs.edit(document(5))
    assert runs.run() == {"one": RAN, "two": REUSED, "show": RAN}


def test_a_step_that_rewrites_its_own_file_counts_on(folder: Path) -> None:
    (folder / "count.txt").write_text("0")
    code = "n = int(open('count.txt').read()) + 1\nopen('count.txt', 'w').write(str(n))\nprint(n)"
    runs = Runs(folder, notebook(cell(code, step="count")))
    for number in (1, 2):
        assert runs.run() == {"count": RAN}
        assert json.loads(runs.output.read_text())["cells"][0]["outputs"][0]["text"] == [f"{number}\n"]
    (folder / "count.txt").write_text("0")
    assert runs.run() == {"count": RAN}  # 1 is what it leaves for the notebook as a whole


def test_files_in_a_folder_that_is_listed_later(folder: Path) -> None:
    (folder / "parts").mkdir()
    runs = Runs(
        folder,
        notebook(
            cell(SLOWLY + "open('parts/a.txt', 'w').write('a')\nlen('a')", step="a"),
            cell(SLOWLY + "open('parts/b.txt', 'w').write('b')\nlen('bb')", step="b"),
            cell(
                "import glob\nprint([open(path).read() for path in sorted(glob.glob('parts/*'))])",
                step="join",
            ),
        ),
    )
    runs.run()
    runs.same_as_run_all()
    assert set(runs.run().values()) == {REUSED}


def test_a_database_that_one_step_fills(folder: Path) -> None:
    runs = Runs(
        folder,
        notebook(
            cell("import sqlite3\nimport pandas as pd"),
            cell(
                """
                with sqlite3.connect('a.db') as database:
                    pd.DataFrame({'n': [1, 2]}).to_sql('t', database, if_exists='replace')
                """,
                step="fill",
            ),
            cell("print(pd.read_sql('select sum(n) from t', sqlite3.connect('a.db')))", step="ask"),
        ),
    )
    runs.run()
    assert set(runs.run().values()) == {REUSED}
    runs.same_as_run_all()


def test_atomic_writes_and_files_left_open(folder: Path) -> None:
    runs = Runs(
        folder,
        notebook(
            cell(
                """
                import os, tempfile
                handle, name = tempfile.mkstemp(dir='.')
                os.write(handle, b'all'); os.close(handle)
                os.replace(name, 'done.txt')
                report = open('report.txt', 'w')
                print('not closed', file=report)
                """,
                step="write",
            ),
            cell("print(open('done.txt').read())", step="read"),
        ),
    )
    runs.run()
    runs.same_as_run_all()
    assert set(runs.run().values()) == {REUSED}


def test_a_step_that_touches_no_file_has_seen_none(tmp_path: Path) -> None:
    path = write(
        notebook(cell("import json\nx = json.dumps([1])", step="a"), cell("print(x)", step="b")),
        tmp_path / "n.ipynb",
    )
    project = Project.open(path, store=tmp_path / "store")

    run = project.run(path)

    for step in run["steps"]:
        [execution] = project.store.executions.with_key(step["cache_key"])
        assert (execution.trace["files"], execution.trace["folders"]) == ({}, {})


ELSEWHERE = {
    "a file": ("print(open(place + '/a.txt').read())", lambda place: (place / "a.txt").write_text("2")),
    "a listed folder": (
        "import glob\nprint(glob.glob(place + '/*.txt'))",
        lambda place: (place / "b.txt").touch(),
    ),
    "what is not there": (
        "import os\nprint(os.path.exists(place + '/flag'))",
        lambda place: (place / "flag").touch(),
    ),
}


@pytest.mark.parametrize("what", ELSEWHERE)
def test_the_systems_temporary_folder_is_a_folder_like_others(folder: Path, what: str) -> None:
    code, change = ELSEWHERE[what]
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "a.txt").write_text("1")
        runs = Runs(folder, notebook(cell(f"place = {place!r}\n{code}", step="read")))
        assert runs.run() == {"read": RAN}
        assert runs.run() == {"read": REUSED}

        change(Path(place))

        assert runs.run() == {"read": RAN}
        runs.same_as_run_all()


def test_what_a_step_makes_by_tempfile_for_itself_does_not_count(folder: Path) -> None:
    own = (
        "with tempfile.TemporaryDirectory() as place:\n    Path(place, 'a').write_text('1')\n"
        "    print(Path(place, 'a').read_text(), os.listdir(place))\n"
        "with tempfile.NamedTemporaryFile('w') as file:\n    print(os.path.getsize(file.name))\n"
        "place = file = None"
    )
    runs = Runs(
        folder, notebook(cell("import os, tempfile\nfrom pathlib import Path"), cell(own, step="own"))
    )
    assert runs.run() == {"own": RAN}
    assert runs.run() == {"own": REUSED}
    runs.same_as_run_all()


def test_a_module_comes_from_where_python_finds_it_first(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("other")
    (one / "mine.py").write_text("number = 1")
    (other / "mine.py").write_text("number = 2")
    runs = Runs(folder, notebook(cell("import mine\nprint(mine.number)", step="read"), cell("1", step="not")))
    monkeypatch.setenv("PYTHONPATH", f"{one}{os.pathsep}{other}")
    assert runs.run() == {"read": RAN, "not": RAN}
    assert runs.run() == {"read": REUSED, "not": REUSED}

    monkeypatch.setenv("PYTHONPATH", str(other))
    assert runs.run() == {"read": RAN, "not": REUSED}
    assert runs.reasons("read") == [f"module `mine` is another one: {one}/mine.py → {other}/mine.py"]

    (folder / "mine.py").write_text("number = 3")
    assert runs.run() == {"read": RAN, "not": REUSED}
    runs.same_as_run_all()


@pytest.mark.parametrize("name", ["colorsys", "pandas"])
def test_a_file_beside_the_notebook_takes_the_place_of_a_package(folder: Path, name: str) -> None:
    runs = Runs(folder, notebook(cell(f"import {name}\nprint({name}.__name__)", step="read")))
    assert runs.run() == {"read": RAN}
    assert runs.run() == {"read": REUSED}

    (folder / f"{name}.py").write_text("print('mine')")

    assert runs.run() == {"read": RAN}
    runs.same_as_run_all()
