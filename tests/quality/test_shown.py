"""Tables at a glance: rows, charts that JupyterLab draws, reports that need no network."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from jupyterlab_pipelines.quality.anomalies import find
from jupyterlab_pipelines.quality.charts import MIME_TYPE, chart, distribution
from jupyterlab_pipelines.quality.interop import TARGETS, export, from_pandera
from jupyterlab_pipelines.quality.notebook_schema import expectation
from jupyterlab_pipelines.quality.overview import bins, changes, overview
from jupyterlab_pipelines.quality.report import html_report, html_rows
from jupyterlab_pipelines.quality.schema_file import schema_from
from jupyterlab_pipelines.quality.shown import ShownStatistics
from jupyterlab_pipelines.quality.statistics import Statistics, measure


def table(columns: int, seed: int = 0, rows: int = 1_000) -> Statistics:
    random = np.random.default_rng(seed)
    makers = [
        lambda: random.normal(100, 15, rows),
        lambda: random.integers(0, 24, rows),
        lambda: random.choice(["alpha", "beta", "gamma", None], rows),
        lambda: random.random(rows) < 0.3,
        lambda: pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(0, 10**6, rows), "s"),
    ]
    return measure(pd.DataFrame({f"column {i}": makers[i % 5]() for i in range(columns)}))


def compared(columns: int) -> list[dict]:
    before, after = table(columns), table(columns, seed=1)
    return overview(after, before, [anomaly.to_document() for anomaly in find(after, None, before)])


def test_guilty_columns_come_first_and_one_that_is_gone_has_a_row() -> None:
    before = table(5)
    after = measure(
        pd.DataFrame({"column 1": [3] * 500, "column 2": ["alpha"] * 500, "column 3": [True, False] * 250})
    )

    rows = overview(after, before, [anomaly.to_document() for anomaly in find(after, None, before)])

    guilty = [row["name"] for row in rows if row["anomalies"]]
    assert [row["name"] for row in rows][: len(guilty)] == guilty
    assert {row["name"] for row in rows if row["is_gone"]} == {"column 0", "column 4"}


def test_shares_on_shared_bins_add_up() -> None:
    for row in compared(10):
        for side in ("current", "reference"):
            bins = row["bins"]
            rest = (
                bins["other" if side == "current" else "reference_other"] if bins["kind"] == "values" else 0
            )
            assert sum(bins[side]) + rest == pytest.approx(1, abs=0.02), row["name"]


def test_one_outlier_does_not_flatten_the_rest() -> None:
    random = np.random.default_rng(0)
    values = np.append(random.normal(0, 1, 999), 1e9)

    [row] = overview(measure(pd.DataFrame({"x": values})))

    assert row["bins"]["stop"] < 10 and row["bins"]["above"] > 0


@pytest.mark.parametrize(
    ("columns", "most_bytes"), [(1, 80_000), (20, 80_000), (60, 150_000), (1_000, 150_000)]
)
def test_a_chart_is_small_and_of_the_version_that_jupyterlab_draws(columns: int, most_bytes: int) -> None:
    spec = chart(compared(columns))

    assert spec["$schema"] == "https://vega.github.io/schema/vega-lite/v5.json"
    assert len(json.dumps(spec)) <= most_bytes
    assert "url" not in json.dumps(spec["layer"])


def test_statistics_show_themselves_with_a_fallback() -> None:
    bundle, metadata = ShownStatistics.of(table(5))._repr_mimebundle_()

    # With HTML beside it JupyterLab would not draw the chart.
    assert set(bundle) == {MIME_TYPE, "image/svg+xml", "text/plain"}
    ElementTree.fromstring(bundle["image/svg+xml"])
    assert bundle["text/plain"].startswith("1000 rows, 5 columns")
    assert metadata[MIME_TYPE]["embed_options"] == {"actions": False}


def test_html_needs_no_network_and_shows_names_as_they_are() -> None:
    random = np.random.default_rng(0)
    rows = overview(measure(pd.DataFrame({"<script>alert(1)</script>": random.choice(["<i>", "&"], 50)})))

    page = html_rows(rows)

    assert "<script" not in page and "<i>" not in page
    assert not re.search(r"https?://|src=|@import|url\(", page)


@pytest.mark.parametrize(
    "frame", [{}, {"x": []}, {"x": [None, None]}, {"x": [np.inf, -np.inf]}, {"x": [[1], {}]}]
)
def test_odd_tables_have_a_picture_too(frame: dict) -> None:
    rows = overview(measure(pd.DataFrame(frame)))

    assert chart(rows)["layer"] and html_rows(rows)


def test_what_a_step_did_to_a_table() -> None:
    before = pd.DataFrame({"a": [1, 2, None, 4], "kind": ["x", "y", "x", "x"], "old": 0})
    after = before.dropna().query("kind == 'x'").drop(columns="old").assign(new=1)

    assert changes(measure(before), measure(after)) == {
        "rows_before": 4,
        "rows_after": 2,
        "rows_dropped": 2,
        "rows_added": 0,
        "columns_renamed": [],
        "columns_added": ["new"],
        "columns_removed": ["old"],
        "types": [],
        "nulls": [{"column": "a", "before": 1, "after": 0}],
        "categories_lost": [{"column": "kind", "values": ["y"]}],
        "categories_gained": [],
        "drift": {},
    }


@pytest.mark.parametrize("target", TARGETS)
def test_a_schema_is_written_for_every_tool(target: str) -> None:
    text = export({"load.df": schema_from(expectation(table(5)))}, target)

    assert "column 2" in text and "alpha" in text


def test_what_pandera_is_told_comes_back() -> None:
    schema = schema_from(expectation(table(5)))

    back = schema_from(from_pandera(export({"load.df": schema}, "pandera")))

    for before, after in zip(schema.features, back.features, strict=True):
        assert (after.name, after.type, after.domain) == (before.name, before.type, before.domain)
        if before.type.name in ("int", "float"):
            assert (after.range.min, after.range.max) == (before.range.min, before.range.max)


@pytest.mark.parametrize(("columns", "most_bytes"), [(20, 80_000), (1_000, 150_000)])
def test_all_that_a_cell_shows_and_a_report_are_small(columns: int, most_bytes: int) -> None:
    rows = compared(columns)
    shown = ShownStatistics.of(table(columns, seed=1), table(columns))
    bundle, _ = shown._repr_mimebundle_()
    document = {
        **{
            "step": "clean",
            "name": "df",
            "run_id": "r",
            "type": "pandas.DataFrame",
            "summary": "",
            "statistics": {},
        },
        **{"reference": None, "anomalies": [], "changes": [], "overview": rows},
    }

    assert len(json.dumps(bundle)) <= most_bytes
    chart_and_rows = json.dumps([bundle[MIME_TYPE], bundle["text/plain"], shown.to_html()])
    assert len(chart_and_rows) <= most_bytes
    assert len(html_report(document).encode()) <= most_bytes


def test_a_report_names_every_column_of_a_wide_table() -> None:
    page = html_rows(compared(300), 140_000)

    assert all(f"column {number}<" in page or f"column {number} <" in page for number in range(300))


def test_a_report_shows_rows_and_cells_that_somebody_has_looked_for() -> None:
    anomaly = {"kind": "nulls_increased", "feature": "x", "severity": "warning", "description": ""}
    document = {
        **{"step": "clean", "name": "df", "run_id": "r", "type": "", "summary": "", "statistics": None},
        **{"reference": None, "anomalies": [], "changes": [], "overview": []},
        "failing_rows": [
            {
                "anomaly": anomaly,
                "message": "rows without a value",
                "total": 7,
                "columns": ["x", "<b>"],
                "rows": [{"position": 3, "index": "third", "values": [None, 1.5]}],
            }
        ],
        "traces": [{"message": "Cell 5 let it in.", "source": "df['x'] = None  # <oh>"}],
    }

    page = html_report(document)

    assert "third" in page and "rows without a value (7)" in page and "Cell 5 let it in." in page
    assert "&lt;oh&gt;" in page and "<th>&lt;b&gt;</th>" in page


@pytest.mark.parametrize("side", [None, "reference"])
def test_a_distribution_is_drawn_large_whatever_it_is_of(side) -> None:
    before, after = table(5), table(5, seed=1)
    for column in after.columns:
        shared = bins(column, before.by_name[column.name] if side else None, 60, 20)
        assert shared is not None
        spec = distribution(shared, is_time=column.type == "time")
        layers = {layer["mark"]["style"] for layer in spec["layer"]}
        assert spec["$schema"].endswith("vega-lite/v5.json")
        assert layers == ({"current", "reference"} if side else {"current"}), column.name
        assert len(json.dumps(spec)) < 20_000


def test_long_values_that_begin_alike_have_bars_of_their_own() -> None:
    texts = [f"{'the same beginning ' * 4}{number}" for number in range(3)] * 20
    column = measure(pd.DataFrame({"text": texts})).columns[0]
    spec = distribution(bins(column, None))
    [layer] = spec["layer"]
    [values] = spec["datasets"].values()
    assert [value["at"] for value in values] == [0, 1, 2]
    assert layer["encoding"]["y"]["field"] == "at"
