"""Files that libraries read in native code, or other processes: their steps run again when such a file changes."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from jupyterlab_pipelines.project import Project
from tests.fixtures.notebooks import cell, notebook, write
from tests.truth import forked

pd = pytest.importorskip("pandas")
RAN, REUSED = "succeeded", "reused"


@pytest.fixture(params=["told by the system", "told by the libraries"])
def told(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    how: str = request.param
    if how == "told by the libraries":
        monkeypatch.setenv("JUPYTER_PIPELINES_NO_FANOTIFY", "1")
    else:
        opened = pytest.importorskip("jupyterlab_pipelines.kernel.runtime.opened")
        try:
            opened.OpenWatch().close()
        except (OSError, AttributeError):
            pytest.skip("this system does not tell")
    return how


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").touch()
    monkeypatch.delenv("JUPYTER_PIPELINES_STORE", raising=False)
    return project


def run(folder: Path, *cells: Any, kernels: bool = False, jobs: int = 2) -> dict[str, str]:
    """Status by step."""
    path = write(notebook(*cells), folder / "a.ipynb")
    if kernels:
        document = Project.open(path).run(path, jobs=jobs)
    else:
        with forked.without_kernels():
            document = Project.open(path).run(path, jobs=jobs)
    assert document["status"] == "succeeded", document["steps"]
    return {step["name"]: step["status"] for step in document["steps"]}


def reasons(folder: Path) -> list[str]:
    plan = Project.open(folder).plan(folder / "a.ipynb")
    return [reason["message"] for step in plan["steps"] for reason in step["reasons"]]


def put(path: Path, number: int) -> None:
    """A file of the kind that its name says, with `number` in it; older than any step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    frame = pd.DataFrame({"n": [number]})
    match path.suffix:
        case ".parquet":
            frame.to_parquet(path)
        case ".feather":
            frame.to_feather(path)
        case ".h5":
            import h5py

            with h5py.File(path, "w") as file:
                file["n"] = [number]
        case ".nc":
            import netCDF4

            with netCDF4.Dataset(path, "w") as dataset:
                dataset.number = number
        case ".db":
            import duckdb

            path.unlink(missing_ok=True)
            with duckdb.connect(str(path)) as connection:
                connection.execute(f"create table t as select {number} as n")
        case _:
            frame.to_csv(path, index=False)
    time.sleep(0.05)


COMPUTED = "name = 'part' + str(len('x'))\n"
"""The path stands nowhere as a whole."""

READERS = {
    "pyarrow table": (
        "part1.parquet",
        "import pyarrow.parquet as pq\nprint(pq.read_table({path}).to_pydict())",
    ),
    "pyarrow file": (
        "part1.parquet",
        "from pyarrow.parquet import ParquetFile\nprint(ParquetFile({path}).read())",
    ),
    "pyarrow csv": ("part1.csv", "import pyarrow.csv as pc\nprint(pc.read_csv({path}))"),
    "pyarrow feather": ("part1.feather", "import pyarrow.feather as pf\nprint(pf.read_table({path}))"),
    "pyarrow dataset": (
        "part1.parquet",
        "import pyarrow.dataset as ds\nprint(ds.dataset({path}).to_table())",
    ),
    "polars parquet": ("part1.parquet", "import polars as pl\nprint(pl.read_parquet({path}))"),
    "polars lazy": ("part1.csv", "import polars as pl\nprint(pl.scan_csv({path}).collect())"),
    "duckdb sql": (
        "part1.parquet",
        "import duckdb\nprint(duckdb.sql(f\"select * from '{{{path}}}'\").fetchall())",
    ),
    "duckdb connection": (
        "part1.csv",
        "import duckdb\ncon = duckdb.connect()\n"
        "print(con.execute(f\"select * from read_csv('{{{path}}}')\").fetchall())\ncon.close()",
    ),
    "duckdb file": (
        "part1.db",
        "import duckdb\nwith duckdb.connect({path}, read_only=True) as con:\n    print(con.sql('from t').fetchall())",
    ),
    "h5py": ("part1.h5", "import h5py\nwith h5py.File({path}) as f:\n    print(f['n'][:])"),
    "fastparquet": (
        "part1.parquet",
        "import fastparquet\nprint(fastparquet.ParquetFile({path}).to_pandas())",
    ),
    "pandas engine": ("part1.csv", "import pandas as pd\nprint(pd.read_csv({path}, engine='pyarrow'))"),
    "process": ("part1.csv", "import subprocess\nprint(subprocess.check_output(['cat', {path}]))"),
    "shell process": ("part1.csv", "import subprocess\nprint(subprocess.getoutput('cat ' + {path}))"),
    "system": ("part1.csv", "import os\nos.system('cat < ' + {path} + ' > /dev/null')"),
}


@pytest.mark.parametrize("how", READERS)
def test_a_file_that_native_code_reads(folder: Path, told: str, how: str) -> None:
    name, code = READERS[how]
    for package in ("pyarrow", "polars", "duckdb", "h5py", "fastparquet"):
        if f"import {package}" in code or f"from {package}" in code:
            pytest.importorskip(package)
    path = f"'data/' + name + '{Path(name).suffix}'"
    put(folder / "data" / name, 1)
    cells = [
        cell(COMPUTED + code.format(path=path), step="read"),
        cell("print(2)", step="other"),
    ]
    cells[0]["source"] = f"{COMPUTED}path = {path}\n{code.format(path='path')}"
    assert run(folder, *cells) == {"read": RAN, "other": RAN}
    assert run(folder, *cells) == {"read": REUSED, "other": REUSED}
    os.utime(folder / "data" / name)
    assert run(folder, *cells) == {"read": REUSED, "other": REUSED}

    put(folder / "data" / name, 2)

    assert reasons(folder) == [f"data/{name} changed", "nothing changed"]
    assert run(folder, *cells) == {"read": RAN, "other": REUSED}
    assert run(folder, *cells) == {"read": REUSED, "other": REUSED}


FOLDERS = {
    "pyarrow dataset": "import pyarrow.dataset as ds\nprint(ds.dataset(path, format='parquet').count_rows())",
    "pyarrow table": "import pyarrow.parquet as pq\nprint(pq.read_table(path).num_rows)",
    "polars glob": "import polars as pl\nprint(pl.scan_parquet(path + '/*.parquet').collect())",
    "duckdb glob": "import duckdb\nprint(duckdb.sql(f\"select sum(n) from '{path}/*.parquet'\").fetchall())",
    "pandas": "import pandas as pd\nprint(pd.read_parquet(path))",
    "shell": "import subprocess\nprint(subprocess.getoutput(f'cat {path}/*.parquet | wc -c'))",
}


@pytest.mark.parametrize("how", FOLDERS)
def test_a_folder_of_files(folder: Path, told: str, how: str) -> None:
    for package in ("pyarrow", "polars", "duckdb"):
        if f"import {package}" in FOLDERS[how]:
            pytest.importorskip(package)
    for number in (1, 2):
        put(folder / "data" / "parts" / f"{number}.parquet", number)
    cells = [cell(f"path = 'data' + '/parts'\n{FOLDERS[how]}", step="read")]
    assert run(folder, *cells) == {"read": RAN}
    assert run(folder, *cells) == {"read": REUSED}

    put(folder / "data" / "parts" / "3.parquet", 3)
    assert reasons(folder) == ["data/parts/ has other files: new `3.parquet`"]
    assert run(folder, *cells) == {"read": RAN}

    put(folder / "data" / "parts" / "2.parquet", 20)
    assert reasons(folder) == ["data/parts/2.parquet changed"]


def test_a_path_outside_the_project(folder: Path, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    assert pq
    place = folder.parent / "elsewhere"
    put(place / "2013" / "part1.parquet", 1)
    monkeypatch.setenv("DATA_HOME", str(place))
    code = "import os, pyarrow.parquet as pq\n" + COMPUTED
    code += "print(pq.read_table(os.environ['DATA_HOME'] + '/' + '2013' + f'/{name}.parquet'))"
    assert run(folder, cell(code, step="read")) == {"read": RAN}
    assert run(folder, cell(code, step="read")) == {"read": REUSED}
    put(place / "2013" / "part1.parquet", 2)
    assert reasons(folder) == [f"{place}/2013/part1.parquet changed"]


def test_what_native_code_writes_joins_steps(folder: Path, told: str) -> None:
    """The second step finds the file of the first, though no name and no text says so."""
    pytest.importorskip("pyarrow")
    cells = [
        cell("import pyarrow as pa, pyarrow.parquet as pq\nnumber = 7"),
        cell(COMPUTED + "pq.write_table(pa.table({'n': [number]}), name + '.parquet')", step="put"),
        cell("other = 'part' + '1'\nprint(pq.read_table(other + '.parquet').to_pydict())", step="get"),
    ]
    assert run(folder, *cells) == {"put": RAN, "get": RAN}
    assert run(folder, *cells) == {"put": REUSED, "get": REUSED}
    cells[0]["source"] = cells[0]["source"].replace("7", "8")
    assert run(folder, *cells) == {"put": RAN, "get": RAN}
    (folder / "part1.parquet").unlink()
    assert run(folder, *cells)["put"] == RAN


def test_what_native_code_writes_into_new_folders(folder: Path, told: str) -> None:
    pytest.importorskip("pyarrow")
    cells = [
        cell("import pyarrow as pa, pyarrow.parquet as pq\ntable = pa.table({'n': [1, 2]})"),
        cell("pq.write_to_dataset(table, 'out' + '/parts', partition_cols=['n'])", step="put"),
        cell("print(pq.read_table('out' + '/' + 'parts').num_rows)", step="get"),
    ]
    run(folder, *cells)
    execution = Project.open(folder).store.executions.last_of("a.ipynb", "put")
    assert execution is not None
    assert len([name for name in execution.outputs if "out/parts/n=" in name]) == 2


def test_a_database_beside_data_does_not_list_its_folder(folder: Path, told: str) -> None:
    code = "import sqlite3\nc = sqlite3.connect('a' + '.db')\nc.execute('create table if not exists t(n)')\n"
    code += "c.execute('insert into t values (1)')\nc.commit()\nc.close()"
    run(folder, cell(code, step="put"))
    execution = Project.open(folder).store.executions.last_of("a.ipynb", "put")
    assert execution is not None
    assert execution.trace["folders"] == {}


def test_in_kernels_side_by_side_each_has_read_its_own(folder: Path, told: str) -> None:
    pytest.importorskip("pyarrow")
    for name in "abcd":
        put(folder / "data" / f"{name}1.parquet", ord(name))
    cells = [cell("import pyarrow.parquet as pq, time, subprocess")]
    for name in "abcd":
        lines = [f"path = 'data/' + '{name}' + str(1)", "table = pq.read_table(path + '.parquet')"]
        lines += ["time.sleep(0.3)", "subprocess.run(['cat', path + '.parquet'], capture_output=True)"]
        cells.append(cell("\n".join([*lines, "print(table.num_rows)"]), step=name))
    assert set(run(folder, *cells, kernels=True, jobs=4).values()) == {RAN}
    executions = Project.open(folder).store.executions
    for name in "abcd":
        execution = executions.last_of("a.ipynb", name)
        assert execution is not None
        read = {path for path, seen in execution.trace["files"].items() if seen is not None}
        assert read == {f"data/{name}1.parquet"}
        assert set(execution.trace["folders"]) == set()
    assert set(run(folder, *cells, kernels=True).values()) == {REUSED}


def test_a_shell_escape_in_a_kernel(folder: Path, told: str) -> None:
    put(folder / "data" / "part1.csv", 1)
    cells = [cell(COMPUTED + "path = 'data/' + name + '.csv'\n!cat {path}", step="read")]
    assert run(folder, *cells, kernels=True) == {"read": RAN}
    assert run(folder, *cells, kernels=True) == {"read": REUSED}
    put(folder / "data" / "part1.csv", 2)
    assert reasons(folder) == ["data/part1.csv changed"]


def test_libraries_stay_as_they_are(folder: Path, told: str) -> None:
    code = """
    import inspect, pickle
    import polars as pl, pyarrow.parquet as pq
    for function in (pl.read_csv, pl.scan_parquet, pq.read_table):
        assert pickle.loads(pickle.dumps(function)) is function
        assert len(inspect.signature(function).parameters) > 5
        assert function.__doc__ and function.__name__ in repr(function)
    assert isinstance(pq.ParquetFile, type)
    print(pl.read_csv.__module__)
    """
    pytest.importorskip("polars")
    pytest.importorskip("pyarrow")
    assert run(folder, cell(code, step="look")) == {"look": RAN}
