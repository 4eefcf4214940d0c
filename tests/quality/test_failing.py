"""The rows that an anomaly is about are those that were spoilt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from jupyterlab_pipelines.quality.anomalies import find
from jupyterlab_pipelines.quality.checks import failures
from jupyterlab_pipelines.quality.expected import expected
from jupyterlab_pipelines.quality.failing import failing_rows
from jupyterlab_pipelines.quality.kinds import KINDS
from jupyterlab_pipelines.quality.schema_file import schema_from
from jupyterlab_pipelines.quality.statistics import measure

ROWS = 2_000
AT = [3, 500, 501, 777, 1200, *range(1500, 1600)]


def good(seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "id": np.arange(ROWS) + ROWS * seed,
            "price": rng.gamma(4, 10, ROWS),
            "share": rng.normal(0, 1, ROWS),
            "kind": rng.choice(["web", "app", "store"], ROWS),
            "code": [f"{a}-{b}" for a, b in rng.integers(100, 999, (ROWS, 2))],
            "at": pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(ROWS) * 600, "s"),
        }
    )


def spoilt(change: Callable[[pd.DataFrame], None]) -> pd.DataFrame:
    table = good(2).astype({"kind": object, "code": object})
    change(table)
    return table.infer_objects()


def rows_of(table: Any, anomaly: Any, schema: Any = None, reference: Any = None, limit: int = ROWS) -> Any:
    document = anomaly.to_document()
    return failing_rows(table, document, expected(document, schema, reference), limit=limit)


def put(column: str, value: Any) -> Callable[[pd.DataFrame], None]:
    def change(table: pd.DataFrame) -> None:
        table.loc[AT, column] = value

    return change


def repeat_ids(table: pd.DataFrame) -> None:
    table.loc[AT, "id"] = table.id.iloc[1000 : 1000 + len(AT)].to_numpy()


@pytest.mark.parametrize("library", ["pandas", "arrow", "polars"])
@pytest.mark.parametrize(
    ("kind", "feature", "change", "also"),
    [
        ("nulls_increased", "price", put("price", None), []),
        ("nulls_increased", "kind", put("kind", None), []),
        ("blank_values", "code", put("code", "  "), []),
        ("infinite_values", "share", put("share", np.inf), []),
        ("sentinel_values", "price", put("price", -999.0), []),
        ("unexpected_values", "kind", put("kind", "phone"), []),
        ("misspelled_values", "kind", put("kind", "stoer"), []),
        ("case_changed", "kind", put("kind", "WEB"), []),
        ("whitespace", "kind", put("kind", " web"), []),
        ("duplicate_keys", "id", repeat_ids, list(range(1000, 1000 + len(AT)))),
        ("format_changed", "code", put("code", [f"{n}/{n + 1}" for n in range(100, 100 + len(AT))]), []),
    ],
)
def test_rows_that_were_spoilt_are_found(
    kind: str, feature: str, change: Callable[[pd.DataFrame], None], also: list[int], library: str
) -> None:
    reference, table = measure(good(1)), spoilt(change)
    kept: Any = {
        "pandas": lambda: table,
        "arrow": lambda: pa.Table.from_pandas(table, preserve_index=False),
        "polars": lambda: pl.from_pandas(table),
    }[library]()
    found = {anomaly.feature: anomaly for anomaly in find(measure(kept), None, reference)}
    assert found[feature].kind == kind

    rows = rows_of(kept, found[feature], reference=reference)

    assert [row["position"] for row in rows["rows"]] == sorted([*also, *AT])
    assert rows["columns"][0] == feature
    assert (rows["total"], rows["of"], rows["left_out"]) == (len(AT) + len(also), ROWS, 0)
    few = rows_of(kept, found[feature], reference=reference, limit=2)
    assert (len(few["rows"]), few["total"]) == (2, rows["total"])
    assert few["rows"] == rows["rows"][:2]


@pytest.mark.parametrize(
    ("says", "change"),
    [
        ("price: {min: 0}", put("price", -1.0)),
        ("price: {max: 5000}", put("price", 5000.5)),
        ("price: {nulls: 0}", put("price", None)),
        ("kind: {values: [web, app, store]}", put("kind", "phone")),
        ("code: {max_length: 7}", put("code", "123-4567")),
        ("code: {min_length: 7}", put("code", "1-4567")),
        ("at: {min: 2024-01-01}", put("at", pd.Timestamp("1900-01-01"))),
        ("price: {type: float}", None),
    ],
)
def test_rows_that_break_a_schema_are_found(says: str, change: Callable[[pd.DataFrame], None] | None) -> None:
    import yaml

    schema = schema_from({"closed": False, "columns": yaml.safe_load(says)})
    table = spoilt(change) if change else spoilt(lambda table: None)
    if change is None:
        table["price"] = table.price.astype(str)
        table.loc[AT, "price"] = "unknown"
    (anomaly,) = find(measure(table), schema)

    rows = rows_of(table, anomaly, schema)

    assert anomaly.pinned
    assert [row["position"] for row in rows["rows"]] == AT


def test_rows_in_which_a_check_does_not_hold_are_found_with_all_that_it_reads() -> None:
    table = spoilt(lambda table: None)
    table.loc[AT, "price"] = -table.loc[AT, "price"]
    (anomaly,) = failures(["price * 2 > id - id"], table)

    rows = rows_of(table, anomaly, limit=3)

    assert rows["columns"][:2] == ["id", "price"]
    assert [row["position"] for row in rows["rows"]] == AT[:3]
    assert rows["rows"][0]["values"][1] == table.price[3]


def test_rows_that_occur_again_are_found() -> None:
    table = good(2).drop(columns=["id", "at"])
    again = pd.concat([table, table.iloc[:200]], ignore_index=True)
    reference = measure(good(1).drop(columns=["id", "at"]))
    (anomaly,) = [one for one in find(measure(again), None, reference) if one.kind == "duplicate_rows"]

    rows = rows_of(again, anomaly, limit=ROWS)

    assert [row["position"] for row in rows["rows"]] == [*range(200), *range(ROWS, ROWS + 200)]


def test_order_that_is_lost_is_shown_where_it_is() -> None:
    table = good(2)
    table.loc[[10, 700], "at"] -= pd.Timedelta("3D1s")
    (anomaly,) = [one for one in find(measure(table), None, measure(good(1))) if one.feature == "at"]
    assert anomaly.kind == "order_lost"

    assert [row["position"] for row in rows_of(table, anomaly)["rows"]] == [10, 700]


@pytest.mark.parametrize("kind", [kind.name for kind in KINDS])
@pytest.mark.parametrize("feature", ["price", "kind", "at", "gone", None])
def test_there_is_an_answer_for_every_kind_and_column(kind: str, feature: str | None) -> None:
    anomaly = {"kind": kind, "feature": feature, "reference": None, "current": None, "pinned": False}
    anomaly |= {"description": "upper case", "reference": "price > 0"} if kind == "check_failed" else {}
    anomaly |= {"description": ""}
    for table in (good(1), good(1).iloc[:0], np.arange(5.0), np.ones((3, 2))):
        if kind == "check_failed" and not isinstance(table, pd.DataFrame):
            continue
        rows = failing_rows(table, anomaly, {}, limit=3)
        assert rows["message"]
        assert len(rows["rows"]) <= 3
