"""Columns that hardly anybody thinks of: each is measured, none is a crash, and what is told of it is true."""

from __future__ import annotations

import datetime
import enum
import json
import uuid
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from jupyterlab_pipelines.documents import write_document
from jupyterlab_pipelines.quality.anomalies import find
from jupyterlab_pipelines.quality.statistics import Statistics, measure


class Colour(enum.Enum):
    RED = 1


PARIS = pd.to_datetime(["2024-01-01", None]).tz_localize("Europe/Paris")
ODD: dict[str, tuple[Any, str, int]] = {
    # what it is: the values, the type that is told, how many are missing
    "whole numbers beyond 64 bits": (pd.Series([2**70, -(2**70), 5, None], dtype=object), "int", 1),
    "unsigned": (pd.Series([2**64 - 1, 2**63, 0, 1], dtype="uint64"), "int", 0),
    "minus zero": (pd.Series([-0.0, 0.0, 1.0]), "float", 0),
    "subnormal": (pd.Series([5e-324, -5e-324, 1e-310, 0]), "float", 0),
    "the largest": (pd.Series([1e308, -1e308, 1.7e308]), "float", 0),
    "infinities": (pd.Series([np.inf, -np.inf, np.nan, np.inf]), "float", 1),
    "nothing but infinities": (pd.Series([np.inf] * 30), "float", 0),
    "complex": (pd.Series([1 + 2j, complex("nan"), 3]), "float", 1),
    "half floats": (pd.Series([1.5, 65504.0, np.inf], dtype="float16"), "float", 0),
    "long doubles": (pd.Series(np.array([1, 2], dtype=np.longdouble)), "float", 0),
    "periods": (pd.Series(pd.period_range("2020", "2021", freq="M")), "int", 0),
    "intervals": (pd.Series(pd.interval_range(0, 5)), "nested", 0),
    "timedeltas": (pd.Series(pd.to_timedelta([1, None, 3], unit="s")), "duration", 1),
    "a zone": (pd.Series(PARIS), "time", 1),
    "categories of text": (pd.Series(["a", "b", None], dtype="category"), "string", 1),
    "categories of times": (pd.Series(pd.Categorical(pd.to_datetime(["2020", "2021"]))), "time", 0),
    "bins": (pd.cut(pd.Series(range(10)), 3), "nested", 0),
    "decimals that are none": (pd.Series([Decimal("1.1"), Decimal("NaN"), Decimal("Infinity")]), "float", 1),
    "wide decimals": (pa.array([Decimal("1" * 50)], pa.decimal256(60, 0)), "float", 0),
    "fractions": (pd.Series([Fraction(1, 3), Fraction(1, 2)]), "float", 0),
    "bytes": (pd.Series([b"a", b"\xff", None]), "binary", 1),
    "bytes that should be text": (pa.array([b"\xff\xfe", b"a"]).view(pa.string()), "string", 0),
    "half characters": (pd.Series(["ok", "\ud800bad", None], dtype=object), "string", 1),
    "zero characters": (pd.Series(["a\0b", ""]), "string", 0),
    "a long word": (pd.Series(["x" * 100_000]), "string", 0),
    "lists": (pd.Series([[1], [1, 2], None]), "nested", 1),
    "list views": (pa.array([[1], [2, 3]], pa.list_view(pa.int64())), "nested", 0),
    "dictionaries": (pd.Series([{"a": 1}, {}, None]), "nested", 1),
    "structs": (pa.array([{"a": 1, "b": "x"}, None]), "nested", 1),
    "maps": (pa.array([[("a", 1)], []], pa.map_(pa.string(), pa.int64())), "nested", 0),
    "tuples": (pd.Series([(1, 2), (3,)]), "nested", 0),
    "arrays": (pd.Series([np.arange(3), np.arange(2)]), "nested", 0),
    "frames": (pd.Series([pd.DataFrame(), None]), "object", 1),
    "everything": (
        pd.Series([1, "a", None, 2.5, [1], {"x": 1}, b"b", datetime.date(2020, 1, 1), Colour.RED, object]),
        "object",
        1,
    ),
    "truth and numbers": (pd.Series([True, 1, 0.0], dtype=object), "object", 0),
    "NA among objects": (pd.Series([pd.NA, 1, "a"], dtype=object), "object", 1),
    "never a time": (pd.Series([pd.NaT, pd.NaT]), "time", 2),
    "dates": (pd.Series([datetime.date(1, 1, 1), None, datetime.date(9999, 12, 31)]), "time", 1),
    "times of day": (pd.Series([datetime.time(1, 2), None]), "duration", 1),
    "far times": (np.array(["30000-01-01"], dtype="M8[s]"), "time", 0),
    "years": (np.array(["2020", "NaT"], dtype="M8[Y]"), "time", 1),
    "sparse": (pd.Series(pd.arrays.SparseArray([0, 0, 1, np.nan])), "float", 1),
    "masked": (np.ma.array([1, 2, 3], mask=[False, True, False]), "int", 1),
    "void": (np.zeros(3, dtype="V4"), "object", 0),
    "three dimensions": (np.zeros((2, 3, 4)), "float", 0),
    "no dimension": (np.array(5.0), "float", 0),
    "run-end encoded": (pa.RunEndEncodedArray.from_arrays([2, 3], ["a", "b"]), "string", 0),
    "unions": (
        pa.UnionArray.from_sparse(pa.array([0, 1], pa.int8()), [pa.array([1, 2]), pa.array(["a", "b"])]),
        "object",
        0,
    ),
    "calendar intervals": (pa.array([(1, 2, 3)], pa.month_day_nano_interval()), "object", 0),
    "uuids": (pa.array([uuid.UUID(int=1).bytes], pa.uuid()), "binary", 0),
    "the end of time": (pa.array([2**62], pa.timestamp("s")), "time", 0),
    "no chunks": (pa.chunked_array([], pa.int64()), "int", 0),
    "polars objects": (pl.Series([object(), None], dtype=pl.Object), "object", 1),
    "polars 128 bits": (pl.Series([2**100], dtype=pl.Int128), "int", 0),
    "polars enumerations": (pl.Series(["a", "b"], dtype=pl.Enum(["a", "b"])), "string", 0),
    "polars arrays": (pl.Series([[1, 2]], dtype=pl.Array(pl.Int8, 2)), "nested", 0),
}


@pytest.mark.parametrize("name", ODD)
def test_every_column_has_a_type_and_a_document(name: str) -> None:
    values, kind, nulls = ODD[name]
    statistics = measure(values)
    (column,) = statistics.columns

    assert (column.type, column.nulls, column.rows) == (kind, nulls, statistics.rows)
    document = json.loads(write_document(statistics.to_document()))
    assert Statistics.from_document(document).columns[0].count == column.count


def test_any_two_of_them_can_be_compared() -> None:
    measured = [measure(values) for values, _, _ in ODD.values()]

    for current in measured:
        for reference in measured:
            find(current, reference=reference)
        assert find(current, reference=current) == []


@pytest.mark.parametrize(
    ("table", "names"),
    [
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), ["a", "a.1"]),
        (
            pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", "x"), ("b", 1)])),
            ["a/x", "b/1"],
        ),
        (pd.DataFrame([[1, 2]], columns=[np.nan, np.nan]), ["nan", "nan.1"]),
        (pd.DataFrame([[1.0]], columns=[pd.Timestamp("2020")]), ["2020-01-01 00:00:00"]),
        (pd.Series([1], name=("a", "b")), ["a/b"]),
        (pd.DataFrame(), []),
        (pd.DataFrame(index=range(5)), []),
        (np.array([(1, 2.0)], dtype=[("i", "i4"), ("x", "f8")]), ["i", "x"]),
        (np.matrix([[1, 2]]), ["0", "1"]),
        (pl.LazyFrame({"a": [1]}), ["a"]),
        ({"a": [1], "b": ["x"]}, ["a", "b"]),
    ],
)
def test_every_table_has_names(table: Any, names: list[str]) -> None:
    assert [column.name for column in measure(table).columns] == names


def test_numbers_python_calls_huge_are_counted_one_by_one() -> None:
    column = measure(pd.Series([2**70, 2**70, -(2**70), 5, None], dtype=object)).columns[0]

    assert (column.distinct, column.singletons, column.python_types) == (3, 2, {"int": 4})
    assert column.numbers is not None and column.numbers.max == float(2**70)
