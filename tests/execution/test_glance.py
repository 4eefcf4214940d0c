"""What the panel shows of the tables of real runs: at a glance, a column in detail, beside other tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pandas as pd
import pytest
import yaml

import jupyterlab_pipelines.server
from jupyterlab_pipelines.errors import NotFoundError
from jupyterlab_pipelines.project import Project
from tests.fixtures.notebooks import cell, notebook, parameters, write

pytestmark = pytest.mark.usefixtures("shared_fork_server")

OPENAPI = yaml.safe_load((Path(jupyterlab_pipelines.server.__file__).parent / "openapi.yaml").read_text())

ORDERS = """
rng = np.random.default_rng(1)
raw = pd.DataFrame({
    "price": rng.gamma(2, 10, 1000) * scale,
    "channel": rng.choice(["web", "app", "shop"], 1000, p=[.6, .3, .1]),
    "a/b ": pd.date_range("2024-01-01", periods=1000, freq="h"),
})
"""
CLEAN = 'df = raw[raw.channel != "shop"].rename(columns={"a/b ": "at"}).assign(cents=lambda t: t.price * 100)'


def conforms(document: Any, name: str) -> None:
    schema = {"$ref": f"#/components/schemas/{name}", "components": OPENAPI["components"]}
    jsonschema.validate(json.loads(json.dumps(document)), schema)


@pytest.fixture
def shop(tmp_path: Path) -> tuple[Project, Path]:
    (tmp_path / "pyproject.toml").touch()
    path = write(
        notebook(
            cell("import numpy as np, pandas as pd"),
            parameters("scale = 1"),
            cell(ORDERS, step="load"),
            cell(CLEAN, step="clean"),
            cell("mean = df.price.mean()", step="report"),
        ),
        tmp_path / "shop.ipynb",
    )
    return Project.open(path), path


def test_a_table_stands_beside_the_last_good_run_and_beside_what_a_person_wants(shop) -> None:
    project, path = shop
    first = project.run(path)["run_id"]
    alone = project.tables.table_at_a_glance(first, "load.raw")
    conforms(alone, "Glance")
    assert (alone["against"], alone["anomalies"], alone["is_pinned"]) == (None, [], False)
    assert alone["size"] == {"rows": 1000, "columns": 3, "duplicates": 0, "measured_rows": 1000}

    second = project.run(path, parameters={"scale": 100})["run_id"]
    usual = project.tables.table_at_a_glance(second, "load.raw")
    conforms(usual, "Glance")
    assert (usual["against"]["run_id"], usual["against"]["is_usual"]) == (first, True)
    assert [anomaly["kind"] for anomaly in usual["anomalies"]] == ["unit_changed"]
    assert [row["name"] for row in usual["overview"]] == ["price", "channel", "a/b "]

    itself = project.tables.table_at_a_glance(second, "load.raw", second)
    assert (itself["anomalies"], itself["against"]["is_usual"]) == ([], False)
    project.tables.pin(path, run_id=second, tables=["load.raw"])
    pinned = project.tables.table_at_a_glance(second, "load.raw", "pinned")
    assert (pinned["is_pinned"], pinned["against"]["run_id"]) == (True, second)
    with pytest.raises(NotFoundError):
        project.tables.table_at_a_glance(second, "load.nothing")


def test_what_a_step_did_is_told_of_its_input_and_is_no_anomaly(shop) -> None:
    project, path = shop
    run = project.run(path)["run_id"]
    glance = project.tables.table_at_a_glance(run, "clean.df")
    assert (glance["upstream"], glance["changes"]) == (["load.raw"], None)

    edge = project.tables.table_at_a_glance(run, "clean.df", "load.raw")
    conforms(edge, "Glance")
    changes = edge["changes"]
    assert edge["anomalies"] == []
    assert (changes["rows_before"], changes["rows_after"]) == (1000, edge["size"]["rows"])
    assert changes["columns_added"] == ["cents"]
    assert changes["columns_renamed"] == [{"before": "a/b ", "after": "at"}]
    assert changes["categories_lost"] == [{"column": "channel", "values": ["shop"]}]


def test_the_numbers_of_a_column_are_those_of_the_table(shop) -> None:
    project, path = shop
    project.run(path)
    run = project.run(path, parameters={"scale": 100})["run_id"]
    price = project.tables.column_in_detail(run, "load.raw", "price")
    conforms(price, "ColumnDetail")
    rng = np.random.default_rng(1)
    values = pd.Series(rng.gamma(2, 10, 1000) * 100)
    facts = {fact["name"]: fact["current"] for fact in price["facts"]}
    assert (facts["rows"], facts["nulls"]) == ("1,000", "0")
    assert float(facts["mean"]) == pytest.approx(values.mean(), rel=1e-3)
    told = [float(quantile["current"]) for quantile in price["quantiles"]]
    assert told == pytest.approx(values.quantile(np.arange(11) / 10).tolist(), rel=1e-3)
    assert price["drift"]["distance"] > 0.9
    assert sum(price["bins"]["current"]) == pytest.approx(1, abs=0.02)

    channel = project.tables.column_in_detail(run, "load.raw", "channel")
    counts = rng.choice(["web", "app", "shop"], 1000, p=[0.6, 0.3, 0.1])
    shares = pd.Series(counts).value_counts(normalize=True)
    assert {row["value"]: row["current"] for row in channel["values"]} == {
        repr(value): pytest.approx(share, abs=1e-5) for value, share in shares.items()
    }
    # A name as it is, and one that the table has not.
    assert project.tables.column_in_detail(run, "load.raw", "a/b ")["type"] == "time"
    with pytest.raises(NotFoundError):
        project.tables.column_in_detail(run, "load.raw", "a/b")


def test_an_agreement_is_taken_back(shop) -> None:
    project, path = shop
    project.run(path)
    run = project.run(path, parameters={"scale": 100})["run_id"]
    schema = path.with_suffix(".schema.yaml")

    def accepted() -> list[bool]:
        glance = project.tables.table_at_a_glance(run, "load.raw")
        return [anomaly.get("accepted", False) for anomaly in glance["anomalies"]]

    project.tables.accept(run, "load.raw", "unit_changed", feature="price")
    assert accepted() == [True]
    project.tables.withdraw(run, "load.raw", "unit_changed", feature="price")
    assert accepted() == [False]
    # The next run is compared with the last good one again, and tells the same.
    again = project.run(path, parameters={"scale": 101})
    assert [one["kind"] for one in again["steps"][0]["anomalies"]] == ["unit_changed"]

    # Where there was no schema file before, there is none after.
    project.tables.pin(path, run_id=run, tables=["load.raw"])
    assert schema.exists()
    project.tables.write_schemas(path, "")
    assert not schema.exists()
