"""Schemas: inferred, pinned, read from a file, held against a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from jupyterlab_pipelines.errors import NotFoundError, UsageError
from jupyterlab_pipelines.quality.anomalies import find
from jupyterlab_pipelines.quality.schema import Schema, infer
from jupyterlab_pipelines.quality.schema_file import read_schema
from jupyterlab_pipelines.quality.statistics import measure

TABLE = pd.DataFrame(
    {
        "id": range(100),
        "at": pd.date_range("2024-01-01", periods=100),
        "town": ["Berlin", "Paris"] * 50,
        "price": [1.5, 2.5, None, 4.5] * 25,
        "ok": [True, False] * 50,
    }
)


def told(table: pd.DataFrame, schema: Schema, **others: Any) -> list[tuple[str | None, str, str]]:
    return [(one.feature, one.kind, one.severity) for one in find(measure(table), schema, **others)]


def test_a_schema_is_inferred_from_one_table() -> None:
    schema = infer(measure(TABLE))
    features = schema.by_name

    assert [feature.type.name for feature in schema.features if feature.type] == [
        "int",
        "time",
        "string",
        "float",
        "bool",
    ]
    assert features["id"].uniqueness and features["id"].uniqueness.unique
    assert features["at"].order and features["at"].order.name == "increasing"
    assert features["town"].domain and features["town"].domain.values == ("Berlin", "Paris")
    assert features["price"].presence and features["price"].presence.min_share == 0.75
    assert features["price"].range and (features["price"].range.min, features["price"].range.max) == (
        1.5,
        4.5,
    )


def test_what_one_of_several_tables_lacks_is_not_required() -> None:
    schema = infer([measure(TABLE), measure(TABLE.drop(columns="ok").assign(price=[0.5, 9] * 50))])

    assert told(TABLE.drop(columns="ok"), schema) == []
    assert schema.by_name["price"].range and schema.by_name["price"].range.max == 9
    assert told(TABLE.drop(columns="town"), schema) == [("town", "missing_column", "error")]


def test_a_table_keeps_to_its_own_schema_also_when_it_is_pinned() -> None:
    schema = infer(measure(TABLE))

    assert told(TABLE, schema) == []
    assert told(TABLE, schema.pin()) == []


def test_learned_is_tolerant_and_pinned_is_strict() -> None:
    schema = infer(measure(TABLE))
    slightly = TABLE.assign(
        price=[1.5, 2.5, None, 4.6] * 25, town=["Berlin", "Paris"] * 49 + ["Berlin", "Rome"]
    )

    assert told(slightly, schema) == []
    assert told(slightly, schema.pin()) == [
        ("price", "out_of_range", "error"),
        ("town", "unexpected_values", "error"),
    ]
    assert told(slightly, schema.pin(["price"])) == [("price", "out_of_range", "error")]


def test_environments() -> None:
    from dataclasses import replace

    schema = infer(measure(TABLE)).pin()
    features = tuple(
        replace(one, not_in=("serving",)) if one.name == "ok" else one for one in schema.features
    )
    schema = replace(schema, features=features, environments=("training", "serving"))
    serving = TABLE.drop(columns="ok")

    assert told(serving, schema, environment="serving") == []
    assert told(serving, schema, environment="training") == [("ok", "missing_column", "error")]
    assert told(serving, schema, environment="serving", reference=measure(TABLE)) == []


def test_what_is_pinned_silences_what_the_reference_says(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(
        "closed: false\ncolumns:\n  town: {values: [Berlin, Paris, Rome]}\n  price: {nulls: 0.9}\n"
    )
    table = TABLE.assign(town=["Berlin", "Rome"] * 50, price=[1.5, None] * 50)

    assert {kind for _, kind, _ in told(table, Schema(), reference=measure(TABLE))} >= {"unexpected_values"}
    assert "unexpected_values" not in {
        kind for _, kind, _ in told(table, read_schema(path), reference=measure(TABLE))
    }
    assert ("price", "nulls_increased") not in {
        (name, kind) for name, kind, _ in told(table, read_schema(path), reference=measure(TABLE))
    }


FILE = """
# What we expect of orders.
rows: {min: 10, max: 200}
environments: [training, serving]
columns:
  id: {type: int, unique: true, min: 0}
  at: {type: time, order: increasing, min: 2024-01-01, max: "2024-12-31T00:00:00+00:00"}
  town: {type: string, values: [Berlin, Paris], coverage: 0.98, min_length: 5, max_length: 6}
  price: {type: float, nulls: 0.25, min: 1, max: 5, infinite: false, distinct: {min: 3, max: 9}}
  ok: {not_in: [serving]}
  old: {deprecated: true}
  maybe: {required: false}
"""


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"price": None}, [("price", "all_null")]),
        ({"id": [1, 1, *range(2, 100)]}, [("id", "duplicate_keys")]),
        ({"id": range(-1, 99)}, [("id", "out_of_range")]),
        ({"id": [str(number) for number in range(100)]}, [("id", "numbers_as_text")]),
        ({"at": list(TABLE["at"][:50]) * 2}, [("at", "order_lost")]),
        ({"at": pd.date_range("2024-11-01", periods=100)}, [("at", "out_of_range")]),
        ({"town": ["Berlin", "Paris"] * 48 + ["Pari"] * 4}, [("town", "truncated_text")]),
        ({"town": ["Berlin", "Paris"] * 49 + ["Berlin", "Parids"]}, []),
        ({"price": [1.0, None] * 50}, [("price", "nulls_increased")]),
        ({"price": [1.0, 2.0] * 50}, [("price", "distinct_count")]),
        ({"price": [1.0, 2.0, 3.0, float("inf")] * 25}, [("price", "infinite_values")]),
        ({"price": ["1,5", "2,5"] * 50}, [("price", "decimal_comma")]),
        ({"extra": 1}, [("extra", "new_column")]),
        ({"old": "anything"}, []),
    ],
)
def test_a_file_is_strict(tmp_path: Path, change: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    (tmp_path / "s.yaml").write_text(FILE)
    schema = read_schema(tmp_path / "s.yaml")

    assert [(name, kind) for name, kind, _ in told(TABLE.assign(**change), schema)] == expected


def test_rows_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("rows: {min: 10, max: 50}\nclosed: false\n")
    schema = read_schema(tmp_path / "s.yaml")

    assert told(TABLE, schema) == [(None, "row_count_grew", "error")]
    assert told(TABLE[:5], schema) == [(None, "row_count_dropped", "error")]
    assert told(TABLE[:0], schema) == [(None, "empty_table", "error")]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("- a", "must be a mapping"),
        ("colums: {}", "'colums' is none of"),
        ("columns: {a: {typ: int}}", "'typ' is none of"),
        ("columns: {a: {type: integer}}", "type 'integer' is none of"),
        ("columns: {a: {order: up}}", "order 'up' is none of"),
        ("columns: {a: {min: 3, max: 1}}", "above max"),
        ("columns: {a: {min: many}}", "a number or a time"),
        ("columns: {a: {nulls: 2}}", "a share from 0 to 1"),
        ("columns: {a: {unique: maybe}}", "true or false"),
        ("columns: {a: {values: x}}", "must be a list"),
        ("columns: {a: {coverage: 1}}", "there are none"),
        ("rows: {min: -1}", "a whole number"),
        ("environments: [a]\ncolumns: {x: {not_in: [b]}}", "'b' is none of the environments"),
        ("checks: [import os]", "no expression"),
        ("checks: ['__import__(\"os\")']", "not allowed"),
        ("a: [", "cannot be read as YAML"),
    ],
)
def test_a_schema_that_is_wrong_is_refused(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "s.yaml").write_text(text)

    with pytest.raises(UsageError, match=says) as caught:
        read_schema(tmp_path / "s.yaml")
    assert caught.value.code == "invalid_schema"


def test_a_schema_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        read_schema(tmp_path / "s.yaml")


def test_an_empty_file_expects_nothing(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("closed: false\n")

    assert told(TABLE, read_schema(tmp_path / "s.yaml")) == []
