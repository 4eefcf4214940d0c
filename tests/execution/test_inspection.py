"""Tables of real runs: measured once, held against earlier runs and the schema, gates that close."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from jupyterlab_pipelines.errors import UsageError
from jupyterlab_pipelines.project import Project
from jupyterlab_pipelines.quality import measurer
from tests.fixtures.notebooks import cell, notebook, write

pytestmark = pytest.mark.usefixtures("shared_fork_server")


def write_orders(folder: Path, seed: int, scale: float = 1.0, rows: int = 1_000) -> None:
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "price": (random.gamma(2, 10, rows) * scale).round(2),
            "channel": random.choice(["web", "app"], rows),
            "note": random.choice(["x", None], rows, p=[0.9, 0.1]),
        }
    )
    frame.to_csv(folder / "orders.csv", index=False)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").touch()
    write_orders(tmp_path, 1)
    return write(
        notebook(
            cell("import pandas as pd"),
            cell("raw = pd.read_csv('orders.csv')", step="load"),
            cell("clean = raw.dropna()", step="clean"),
            cell("n = len(clean)", step="gate", role="validator"),
            cell("print(n)", step="report"),
        ),
        tmp_path / "shop.ipynb",
    )


def found(run: dict) -> dict[str, list[tuple]]:
    return {
        step["name"]: [(a["output"], a["feature"], a["kind"], a["first"]["step"]) for a in step["anomalies"]]
        for step in run["steps"]
        if step["anomalies"]
    }


def digests(run: dict) -> dict[str, str]:
    return {out["name"]: out["digest"] for step in run["steps"] for out in step["outputs"]}


def test_the_way_of_an_anomaly(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = Project.open(shop)
    first = project.run(shop)
    assert (first["status"], found(first)) == ("succeeded", {})

    # Other orders of the same kind raise nothing, and equal ones are not measured again.
    write_orders(shop.parent, 2)
    second = project.run(shop)
    assert (second["status"], found(second)) == ("succeeded", {})
    with monkeypatch.context() as patch:
        patch.setattr(measurer, "start_worker", lambda: pytest.fail("measured again"))
        assert found(project.run(shop, force=["report"])) == {}
        assert project.tables.statistics(digests(second)["raw"]).rows == 1_000

    # Cents in place of euros: told where it came in, and the gate closes.
    write_orders(shop.parent, 3, scale=100)
    third = project.run(shop)
    assert third["status"] == "failed"
    assert found(third) == {
        "load": [("raw", "price", "unit_changed", "load")],
        "clean": [("clean", "price", "unit_changed", "load")],
        "gate": [("clean", "price", "unit_changed", "load")],
    }
    gate = next(step for step in third["steps"] if step["name"] == "gate")
    assert (gate["status"], gate["error"]["code"], gate["error"]["cell_index"]) == (
        "failed",
        "anomalies_found",
        3,
    )
    assert next(step for step in third["steps"] if step["name"] == "report")["status"] == "skipped"
    assert project.runs(shop)[0]["tables_with_anomalies"] == 3

    # It stays visible as long as it is there.
    assert found(project.run(shop)) == found(third)
    stats = project.tables.stats(third["run_id"], "clean.clean")
    assert [row["name"] for row in stats["overview"] if row["anomalies"]] == ["price"]
    assert stats["reference"]["run_id"] == project.runs(shop)[2]["run_id"]
    [change] = stats["changes"]
    assert (change["input"], change["rows_before"]) == ("raw", 1_000) and change["rows_after"] < 1_000
    difference = project.diff(second["run_id"], third["run_id"])
    [load] = [step for step in difference["steps"] if step["name"] == "load"]
    assert [a["kind"] for a in load["statistics"]["raw"]["anomalies"]] == ["unit_changed"]

    # Somebody agrees to it.
    pinned = project.tables.pin(shop, run_id=third["run_id"])
    assert pinned["pinned"] == ["load.raw", "clean.clean"] and pinned["file"] == "shop.schema.yaml"
    fifth = project.run(shop)
    assert (fifth["status"], found(fifth)) == ("succeeded", {})


def test_a_pinned_schema_is_strict_its_checks_look_at_every_row(shop: Path) -> None:
    project = Project.open(shop)
    file = shop.with_name("shop.schema.yaml")
    file.write_text("clean.clean:\n  closed: false\n  columns:\n    channel: {values: [web, app]}\n")
    assert project.run(shop)["status"] == "succeeded"

    file.write_text("clean.clean:\n  closed: false\n  checks: [price > 1]\n")
    run = project.run(shop)
    gate = next(step for step in run["steps"] if step["name"] == "gate")
    assert (run["status"], gate["error"]["code"]) == ("failed", "anomalies_found")
    assert found(run)["clean"] == [("clean", "price", "check_failed", "clean")]

    file.write_text("clean.clean: {colunms: {}}\n")
    with pytest.raises(UsageError, match="colunms") as refused:
        project.run(shop)
    assert refused.value.code == "invalid_schema"


def test_tables_of_every_library_have_statistics(tmp_path: Path) -> None:
    path = write(
        notebook(
            cell("import numpy as np, pandas as pd, polars as pl, pyarrow as pa"),
            cell(
                """
                frame = pd.DataFrame({"x": [1.0, None], "t": pd.date_range("2024", periods=2), "s": ["a", "b"],
                                      "c": pd.Categorical(["u", "v"]), "i": pd.array([1, None], "Int64")})
                timed = frame.set_index("t")
                series = frame["x"]
                lazy = pl.DataFrame({"x": [1, 2], "s": ["a", None]})
                arrow = pa.table({"x": [1, None]})
                matrix = np.arange(6.0).reshape(3, 2)
                records = np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")])
                number = 3
                """,
                step="make",
            ),
            cell("frame, timed, series, lazy, arrow, matrix, records, number", step="use"),
        ),
        tmp_path / "kinds.ipynb",
    )
    project = Project.open(path)
    run = project.run(path)

    measured = {name: project.tables.statistics(digest) for name, digest in digests(run).items()}
    shapes = {
        name: [(column.name, column.dtype, column.nulls) for column in table.columns]
        for name, table in measured.items()
        if table is not None
    }

    assert measured["number"] is None
    assert [(name, nulls) for name, _, nulls in shapes["frame"]] == [
        ("x", 1),
        ("t", 0),
        ("s", 0),
        ("c", 0),
        ("i", 1),
    ]
    own = pd.DataFrame({"x": [1.0], "t": pd.date_range("2024", periods=1), "s": ["a"]}).dtypes
    assert [dtype for _, dtype, _ in shapes["frame"]] == [*map(str, own), "category", "Int64"]
    assert [name for name, _, _ in shapes["timed"]] == ["x", "s", "c", "i", "t"]
    assert [(name, nulls) for name, _, nulls in shapes["lazy"]] == [("x", 0), ("s", 1)]
    assert [name for name, _, _ in shapes["series"]] == ["x"]
    assert [(name, nulls) for name, _, nulls in shapes["arrow"]] == [("x", 1)]
    assert [name for name, _, _ in shapes["matrix"]] == ["0", "1"]
    assert [name for name, _, _ in shapes["records"]] == ["a", "b"]
