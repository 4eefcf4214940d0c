"""Environment variables that a step reads: whoever reads them, the step runs when they change, and only then."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from jupyterlab_pipelines.project import Project
from tests.fixtures.notebooks import cell, notebook, write
from tests.truth import forked

RAN, REUSED = "succeeded", "reused"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.delenv("JUPYTER_PIPELINES_STORE", raising=False)
    monkeypatch.setenv("REGION", "north")
    monkeypatch.delenv("DEBUG_LEVEL", raising=False)
    return tmp_path


def run(folder: Path, *cells: Any, kernels: bool = False) -> dict[str, str]:
    """Status by step."""
    path = write(notebook(*cells), folder / "a.ipynb")
    if kernels:
        document = Project.open(path).run(path, jobs=2)
    else:
        with forked.without_kernels():
            document = Project.open(path).run(path, jobs=2)
    assert document["status"] == "succeeded", [step["error"] for step in document["steps"]]
    return {step["name"]: step["status"] for step in document["steps"]}


def reasons(folder: Path) -> list[str]:
    plan = Project.open(folder).plan(folder / "a.ipynb")
    return [reason["message"] for step in plan["steps"] for reason in step["reasons"]]


READERS = {
    "item": "print(os.environ['REGION'])",
    "get": "print(os.environ.get('REGION'))",
    "getenv": "print(os.getenv('REGION'))",
    "bytes": "print(os.environb[b'REGION'])",
    "from os": "from os import environ\nprint(environ['REGION'])",
    "expandvars": "print(os.path.expandvars('$REGION'))",
    "items": "print({k: v for k, v in os.environ.items()}['REGION'])",
    "dict": "print(dict(os.environ)['REGION'])",
    "copy": "print(os.environ.copy()['REGION'])",
    "chain": "from collections import ChainMap\nprint(ChainMap({}, os.environ)['REGION'])",
    "template": "from string import Template\nprint(Template('$REGION').substitute(os.environ))",
    "thread": "from concurrent.futures import ThreadPoolExecutor as T\nprint(list(T().map(os.getenv, ['REGION'])))",
    "shell": "import subprocess\nprint(subprocess.check_output('echo $REGION', shell=True))",
    "shell escape": "!echo $REGION",
    "magic": "%env REGION",
    "exec": "exec(\"print(os.environ['REGION'])\")",
    "pop": "print(os.environ.pop('REGION'))",
}


@pytest.mark.parametrize("how", READERS)
def test_a_step_runs_again_when_a_variable_changes(
    folder: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    cells = [cell("import os"), cell(READERS[how], step="read"), cell("print(1)", step="other")]
    if how == "pop":  # what it leaves, all steps after it get
        cells = cells[:2]
    assert set(run(folder, *cells).values()) == {RAN}
    assert set(run(folder, *cells).values()) == {REUSED}

    monkeypatch.setenv("REGION", "south")

    assert reasons(folder)[0] == "environment variable `REGION` changed"
    again = run(folder, *cells)
    assert again.pop("read") == RAN
    assert set(again.values()) <= {REUSED}
    monkeypatch.setenv("REGION", "north")
    assert set(run(folder, *cells).values()) == {REUSED}


def test_in_real_kernels_by_setup_modules_and_libraries(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "settings.py").write_text("import os\nlevel = os.environ.get('DEBUG_LEVEL', '0')\n")
    cells = [
        cell("import os\nregion = os.environ['REGION']\nimport settings\nimport nicely"),
        cell("print(region)", step="setup"),
        cell("print(settings.level)", step="module"),
        cell("print(nicely.color())", step="library"),
    ]
    installed = folder / "lib" / "site-packages"
    installed.mkdir(parents=True)
    (installed / "nicely.py").write_text("import os\ndef color(): return os.getenv('NICELY_COLOR')\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(installed), os.environ.get("PYTHONPATH", "")]))
    assert set(run(folder, *cells, kernels=True).values()) == {RAN}
    assert set(run(folder, *cells, kernels=True).values()) == {REUSED}

    monkeypatch.setenv("DEBUG_LEVEL", "1")
    assert reasons(folder).count("environment variable `DEBUG_LEVEL` was set") >= 1
    monkeypatch.delenv("DEBUG_LEVEL")
    monkeypatch.setenv("NICELY_COLOR", "red")
    assert reasons(folder).count("environment variable `NICELY_COLOR` was set") == 1
    monkeypatch.delenv("REGION")
    assert "environment variable `REGION` was removed" in reasons(folder)


def test_what_python_and_libraries_ask_for_their_own_needs_does_not_count(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = """
    import subprocess, tempfile, shutil, locale, sys
    import numpy as np, pandas as pd
    import sklearn.linear_model
    locale.getlocale()
    shutil.which('ls')
    with tempfile.TemporaryDirectory() as name:
        pass
    subprocess.run(['true'], check=True)
    print(pd.DataFrame({'x': [1]}))
    """
    assert run(folder, cell(code, step="work"), kernels=True) == {"work": RAN}

    for name in (
        "PATH",
        "HOME",
        "LANG",
        "TERM",
        "SSH_CONNECTION",
        "USER",
        "TMPDIR",
        "OMP_NUM_THREADS",
        "MINE",
    ):
        before = os.environ.get(name, "")
        monkeypatch.setenv(name, f"{before}{os.pathsep}/elsewhere" if name == "PATH" else "/elsewhere")

    assert reasons(folder) == ["nothing changed"]


def test_who_asks_for_a_home_reads_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(folder, cell("from pathlib import Path\nprint(Path('~').expanduser())", step="home"))
    monkeypatch.setenv("HOME", "/elsewhere")
    assert reasons(folder) == ["environment variable `HOME` changed"]


def test_the_whole_environment_is_that_without_the_session(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(folder, cell("import os\nprint(len(dict(os.environ)))", step="count"))
    monkeypatch.setenv("TERM", "strange")
    monkeypatch.setenv("SSH_CLIENT", "elsewhere")
    assert reasons(folder) == ["nothing changed"]
    monkeypatch.setenv("DEBUG_LEVEL", "1")
    assert reasons(folder) == ["environment variable `DEBUG_LEVEL` was set"]


def test_a_library_that_looks_for_variables_of_its_own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = folder / "lib" / "site-packages"
    installed.mkdir(parents=True)
    (installed / "nicely.py").write_text(
        "import os\n"
        "def options():\n"
        "    return {k: v for k, v in os.environ.items() if k.startswith('NICELY_')}\n"
        "def everything():\n"
        "    return {k.lower(): v for k, v in os.environ.items()}\n"
    )
    setup = cell(f"import sys\nsys.path.insert(0, {str(installed)!r})\nimport nicely")
    run(folder, setup, cell("print(nicely.options())", step="some"))
    monkeypatch.setenv("DEBUG_LEVEL", "1")
    assert reasons(folder) == ["nothing changed"]
    monkeypatch.setenv("NICELY_COLOR", "red")
    assert reasons(folder) == ["environment variable `NICELY_COLOR` was set"]

    run(folder, setup, cell("print(nicely.everything()['region'])", step="some"))
    monkeypatch.setenv("REGION", "south")
    assert reasons(folder) == ["environment variable `REGION` changed"]


def test_a_variable_of_the_session_counts_if_the_step_says_its_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSH_CLIENT", "here")
    run(folder, cell("import os\nprint(os.environ.get('SSH_CLIENT'))", step="where"))
    monkeypatch.setenv("SSH_CLIENT", "there")
    assert reasons(folder) == ["environment variable `SSH_CLIENT` changed"]


@pytest.mark.parametrize("kernels", [False, True])
def test_what_steps_set_is_their_own(folder: Path, monkeypatch: pytest.MonkeyPatch, kernels: bool) -> None:
    cells = [
        cell("import os"),
        cell("os.environ['REGION'] = 'east'\nos.environ['DEBUG_LEVEL'] = '3'", step="put"),
        cell("print(os.environ['REGION'], os.environ['DEBUG_LEVEL'])", step="read"),
    ]
    run(folder, *cells, kernels=kernels)
    assert set(run(folder, *cells, kernels=kernels).values()) == {REUSED}
    monkeypatch.setenv("REGION", "south")
    monkeypatch.setenv("DEBUG_LEVEL", "9")
    assert reasons(folder) == ["nothing changed", "nothing changed"]


def test_what_steps_of_one_kernel_set_is_their_own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = [
        cell("import os\nprint(os.environ['REGION'])\nos.environ['DEBUG_LEVEL'] = '3'", step="put"),
        cell("g = (i for i in range(3))", step="make"),
        cell("print(next(g), os.environ['DEBUG_LEVEL'], os.environ['HOME'])", step="read"),
    ]
    run(folder, *cells)
    assert set(run(folder, *cells).values()) == {REUSED}
    monkeypatch.setenv("DEBUG_LEVEL", "9")
    assert set(reasons(folder)) == {"nothing changed"}
    monkeypatch.setenv("HOME", "/elsewhere")
    assert "environment variable `HOME` changed" in reasons(folder)


def test_the_environment_as_a_value(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = [
        cell("import os\nenvironment = os.environ", step="keep"),
        cell("print(environment['REGION'])", step="read"),
    ]
    run(folder, *cells)
    assert set(run(folder, *cells).values()) == {REUSED}
    monkeypatch.setenv("REGION", "south")
    assert reasons(folder)[0] == "environment variable `REGION` changed"


def test_no_value_is_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEY", "hunter2-and-more")
    run(
        folder,
        cell("import os\nkey = bool(os.environ['API_KEY'])\nprint(os.environ.get('REGION'))", step="a"),
    )

    store = folder / ".pipelines"
    assert not any(b"hunter2" in path.read_bytes() for path in store.rglob("*") if path.is_file())
    execution = Project.open(folder).store.executions.last_of("a.ipynb", "a")
    assert execution is not None
    assert set(execution.trace["variables"]) >= {"API_KEY", "REGION"}
    assert (store / "secret").stat().st_mode & 0o077 == 0
    assert "north" not in json.dumps(execution.trace)


def test_a_variable_of_the_kernelspec(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = folder / "share" / "kernels" / "mine"
    kernel.mkdir(parents=True)

    def specify(value: str) -> None:
        argv = ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        said = {"argv": argv, "language": "python", "display_name": "mine", "env": {"REGION": value}}
        (kernel / "kernel.json").write_text(json.dumps(said))

    specify("far-${REGION}")
    monkeypatch.setenv("JUPYTER_PATH", str(folder / "share"))
    cells = [cell("import os\nprint(os.environ['REGION'])", step="read")]
    cells[0]["metadata"]["tags"].append("kernel:mine")
    assert run(folder, *cells, kernels=True) == {"read": RAN}
    assert run(folder, *cells, kernels=True) == {"read": REUSED}
    monkeypatch.setenv("REGION", "south")
    assert reasons(folder) == ["environment variable `REGION` changed"]
    specify("near-${REGION}")
    assert reasons(folder) == ["environment variable `REGION` changed"]


def test_what_packages_read_when_they_are_imported_ahead(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fork server imports packages before there is a step; toolz stands for one that asks."""
    installed = folder / "lib" / "site-packages"
    (installed / "toolz").mkdir(parents=True)
    (installed / "toolz" / "__init__.py").write_text("import os\nmode = os.environ.get('TOOLZ_MODE')\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(installed), os.environ.get("PYTHONPATH", "")]))
    cells = [
        cell("import toolz"),
        cell("print(toolz.mode)", step="read"),
        cell("print(1)", step="other"),
    ]
    run(folder, *cells, kernels=True)
    assert set(run(folder, *cells, kernels=True).values()) == {REUSED}
    monkeypatch.setenv("TOOLZ_MODE", "fast")
    assert reasons(folder) == ["environment variable `TOOLZ_MODE` was set", "nothing changed"]
