"""An anomaly is traced to the first cell that let it in, by replaying cells on stored inputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jupyterlab_pipelines.errors import NotFoundError
from jupyterlab_pipelines.project import Project
from tests.execution.test_verify import content
from tests.fixtures.notebooks import Cell, cell, notebook, parameters, write

pytestmark = pytest.mark.usefixtures("shared_fork_server")

IMPORTS = cell("import numpy as np, pandas as pd")
BAD = parameters("bad = False")
LOAD = cell(
    "rng = np.random.default_rng(1)\n"
    "raw = pd.DataFrame({'price': rng.normal(50, 9, 1500), 'kind': rng.choice(list('abc'), 1500)})",
    step="load",
)


def project_of(folder: Path, *cells: Cell) -> tuple[Project, Path]:
    path = write(notebook(IMPORTS, BAD, *cells), folder / "a.ipynb")
    return Project.open(path), path


def bad_run(folder: Path, *cells: Cell) -> tuple[Project, dict[str, Any]]:
    """A run in which all is well, and then one with the parameter `bad`."""
    project, path = project_of(folder, *cells)
    assert project.run(path)["status"] == "succeeded"
    run = project.run(path, parameters={"bad": True})
    assert run["status"] == "succeeded", [step["error"] for step in run["steps"]]
    return project, run


def place(trace: dict[str, Any]) -> tuple[Any, ...]:
    assert trace["status"] == "found", trace["message"]
    return trace["step"], trace["cell_index"], trace["name"]


def test_the_cell_is_found_though_the_table_has_other_names_and_the_column_another(tmp_path: Path) -> None:
    project, run = bad_run(
        tmp_path,
        LOAD,
        cell("tmp = raw[raw.price > 10]", step="clean"),
        cell("other = tmp.copy()\nif bad: other.loc[other.index[:700], 'price'] = None", step="clean"),
        cell("lookup = pd.DataFrame({'kind': list('abc'), 'w': [1, 2, 3]})", step="clean"),
        cell("wide = other.merge(lookup, on='kind')", step="clean"),
        cell("df = wide.rename(columns={'price': 'cost'})", step="clean"),
        cell("mean = df.cost.mean()", step="use"),
    )
    before = content(project.root)

    trace = project.tables.trace(run["run_id"], "clean.df", "nulls_increased", feature="cost")

    assert place(trace) == ("clean", 4, "other")
    assert [(one["name"], one["has_anomaly"]) for one in trace["cells"]] == [
        ("tmp", False),
        ("other", True),
        ("other", True),
        ("wide", True),
        ("df", True),
    ]
    assert "Cell 5, in step `clean`" in trace["message"]
    assert content(project.root) == before
    with pytest.raises(NotFoundError, match="nulls_increased of cost"):
        project.tables.trace(run["run_id"], "clean.df", "all_null", feature="cost")


def test_what_came_in_under_another_name_is_followed_into_the_step_before(tmp_path: Path) -> None:
    project, run = bad_run(
        tmp_path,
        LOAD,
        cell("raw['price'] = raw.price * (100 if bad else 1)", step="load"),
        cell("raw['size'] = 1.5", step="load"),
        cell("df = raw.rename(columns={'price': 'cost'})", step="clean"),
        cell("df = df[df.kind != 'c']", step="clean"),
        cell("mean = df.cost.mean()", step="use"),
    )

    trace = project.tables.trace(run["run_id"], "clean.df", "unit_changed", feature="cost")

    assert place(trace) == ("load", 3, "raw")
    assert [(one["step"], one["cell_index"]) for one in trace["cells"]] == [
        *(("load", 2), ("load", 3), ("load", 4)),
        *(("clean", 5), ("clean", 6)),
    ]


def test_a_table_in_the_making_is_held_against_the_same_cell_of_the_reference(tmp_path: Path) -> None:
    # Before the fill, nulls are as they always were: no cell before it has let them in.
    project, run = bad_run(
        tmp_path,
        LOAD,
        cell("df = raw.copy()\ndf.loc[df.index[::4], 'price'] = None", step="clean"),
        cell("if not bad: df['price'] = df.price.fillna(50)", step="clean"),
        cell("mean = df.price.mean()", step="use"),
    )

    trace = project.tables.trace(run["run_id"], "clean.df", "nulls_increased", feature="price")

    assert place(trace) == ("clean", 4, "df")


@pytest.mark.parametrize(
    ("says", "kind", "feature", "spoil"),
    [
        ("rows: {min: 1000}", "row_count_dropped", None, "df = df.head(20)"),
        ("columns: {price: {min: 0}}", "out_of_range", "price", "df.loc[df.index[3], 'price'] = -1.0"),
        ("columns: {price: {nulls: 0}}", "nulls_increased", "price", "df.loc[df.index[3], 'price'] = None"),
        ("checks: [price > 0]", "check_failed", "price", "df.loc[df.index[3], 'price'] = -1.0"),
        ("columns: {kind: {values: [a, b, c]}}", "unexpected_values", "kind", "df.loc[5, 'kind'] = 'zebra'"),
        ("columns: {kind: {type: string}}", "missing_column", "kind", "df = df.drop(columns='kind')"),
        ("columns: {price: {type: float}}", "numbers_as_text", "price", "df['price'] = df.price.astype(str)"),
    ],
)
def test_a_broken_schema_is_traced_without_a_reference(
    tmp_path: Path, says: str, kind: str, feature: str | None, spoil: str
) -> None:
    project, path = project_of(
        tmp_path,
        LOAD,
        cell("df = raw.copy()", step="clean"),
        cell("df['size'] = df.price.size", step="clean"),
        cell(spoil, step="clean"),
        cell("df['n'] = 1", step="clean"),
        cell("n = len(df)", step="use"),
    )
    (tmp_path / "a.schema.yaml").write_text(f"clean.df:\n  closed: false\n  {says}\n")
    run = project.run(path)

    trace = project.tables.trace(run["run_id"], "clean.df", kind, feature=feature)

    assert place(trace) == ("clean", 5, "df")


def test_a_step_that_would_reach_beyond_the_scratch_place_is_not_replayed(tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    (tmp_path / "project").mkdir()
    project, run = bad_run(
        tmp_path / "project",
        LOAD,
        cell(
            f"df = raw.head(20) if bad else raw.copy()\nopen({str(outside)!r}, 'a').write('x')", step="clean"
        ),
        cell("n = len(df)", step="use"),
    )

    trace = project.tables.trace(run["run_id"], "clean.df", "row_count_dropped")

    assert (trace["status"], trace["step"], trace["cell_index"]) == ("not_replayed", "clean", None)
    assert "outside the project" in trace["message"]
    assert outside.read_text() == "xx"


def test_files_that_a_replay_writes_are_copies_and_said_so(tmp_path: Path) -> None:
    project, run = bad_run(
        tmp_path,
        LOAD,
        cell("df = raw.head(20) if bad else raw.copy()", step="clean"),
        cell("df.to_csv('clean.csv')", step="clean"),
        cell("n = len(pd.read_csv('clean.csv'))", step="use"),
    )
    (tmp_path / "clean.csv").write_text("mine")

    trace = project.tables.trace(run["run_id"], "clean.df", "row_count_dropped")

    assert place(trace) == ("clean", 3, "df")
    assert any("clean.csv" in warning for warning in trace["warnings"])
    assert (tmp_path / "clean.csv").read_text() == "mine"
