"""Values that people leave in notebooks, each with the materializer that should carry it."""

from __future__ import annotations

import collections
import datetime
import decimal
import fractions
import functools
import pathlib
import re
import types
import uuid
import zoneinfo
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

RNG = np.random.default_rng(7)
NA_STRING = pd.StringDtype("python")


def nan_with_payload() -> float:
    return float(np.array([0x7FF8000000000123], np.uint64).view(np.float64)[0])


def read_only(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array


def cyclic() -> list[Any]:
    ring: list[Any] = [1]
    ring.append(ring)
    return ring


JSON: dict[str, Any] = {
    "None": None,
    "True": True,
    "one": 1,
    "one as float": 1.0,
    "one as text": "1",
    "minus zero": -0.0,
    "infinity": float("-inf"),
    "largest int": 2**2048 - 1,
    "unicode": "naïve \0 \u2028 𝄞",
    "lone surrogate": "\ud800",
    "surrogates that look like a pair": "\ud834\udd1e",
    "list": [1, "a", [None, {}]],
    "dict in order": {"b": 1, "a": [2.5]},
    "dict in other order": {"a": [2.5], "b": 1},
    "empty list": [],
    "empty dict": {},
}

NUMPY: dict[str, Any] = {
    "read-only": read_only(np.arange(5)),
    "read-only and strided": read_only(np.arange(50)[::2]),
    "read-only and large": read_only(np.arange(1 << 22, dtype="f8")),
    "vector": np.arange(5),
    "matrix": RNG.random((3, 4)),
    "Fortran matrix": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "C matrix": np.arange(6.0).reshape(2, 3),
    "strided": np.arange(20)[::3],
    "zero-dimensional": np.array(1),
    "empty": np.empty((0, 3)),
    "complex": np.array([1j, np.nan]),
    "half": np.array([1, 2], np.float16),
    "long double": np.array([1, 2], np.longdouble),
    "big-endian": np.array([1, 2], ">i4"),
    "bools": np.array([True, False]),
    "times": np.array(["2020-01-01", "NaT"], "M8[D]"),
    "durations": np.array([1, 2], "m8[25s]"),
    "texts": np.array(["a", "bc"]),
    "bytes": np.array([b"a", b"bc"]),
    "structured": np.array([(1, 2.0)], [("a", "i4"), ("b", "f8")]),
    "large": RNG.random(3_000_000),
}

_NUMBERS = {f"column of {dtype}": pd.DataFrame({"x": np.array([0, 1], dtype)}) for dtype in (
    "bool", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8", "M8[s]", "M8[ms]", "M8[us]", "M8[ns]",
    "m8[s]", "m8[ms]", "m8[us]", "m8[ns]",
)}  # fmt: skip

PANDAS: dict[str, Any] = {
    **_NUMBERS,
    "empty frame": pd.DataFrame(),
    "no rows": pd.DataFrame({"a": np.array([], "i8"), "s": pd.array([], "str")}),
    "no columns": pd.DataFrame(index=[3, 4]),
    "series": pd.Series([1.0, np.nan], name="x"),
    "series without a name": pd.Series([1.0, np.nan]),
    "series named by a number": pd.Series([1.0, np.nan], name=0),
    "missing dates": pd.DataFrame({"t": pd.to_datetime(["2020-01-01", None])}),
    "zoned": pd.DataFrame({"t": pd.date_range("2024-10-27", periods=5, freq="h", tz="Europe/Berlin")}),
    "UTC": pd.DataFrame({"t": pd.date_range("2024-10-27", periods=5, freq="h", tz="UTC")}),
    "durations": pd.Series(pd.to_timedelta([1, None], unit="s")),
    "category": pd.Series(pd.Categorical(["a", None, "b"], categories=["b", "a", "unused"])),
    "ordered category": pd.Series(
        pd.Categorical(["a", None, "b"], categories=["b", "a", "unused"], ordered=True)
    ),
    "category of numbers": pd.Series(pd.Categorical([3, 1, 3])),
    "category of dates": pd.Series(pd.Categorical(pd.to_datetime(["2020", "2021"]))),
    "nullable": pd.DataFrame(
        {n: pd.array([1, None], n) for n in ("Int8", "UInt64", "Float32", "Float64", "boolean")}
    ),
    "nan beside NA": pd.Series(pd.arrays.FloatingArray(np.array([np.nan, 1.0]), np.array([False, True]))),
    "str": pd.Series(["a", None, "é𝄞"]),
    "string": pd.Series(["a", None, "é𝄞"], dtype="string"),
    "python string": pd.Series(["a", None, "é𝄞"], dtype=NA_STRING),
    "python str": pd.Series(["a", None, "é𝄞"], dtype=pd.StringDtype("python", na_value=np.nan)),
    "objects that are strings": pd.Series(["a", None], dtype=object),
    "objects that are strings or nan": pd.Series(["a", np.nan], dtype=object),
    "range": pd.DataFrame({"x": [1, 2]}, index=pd.RangeIndex(5, 1, -2, name="r")),
    "whole index": pd.DataFrame({"x": [1, 2]}, index=[0, 1]),
    "named index": pd.DataFrame({"x": [1, 2]}, index=pd.Index(["a", "b"], name="k")),
    "index with frequency": pd.Series([1, 2, 3], pd.date_range("2020", periods=3, freq="B")),
    "index without frequency": pd.Series(
        [1, 2, 3], pd.DatetimeIndex(["2020-01-01", "2020-01-02", "2020-01-03"])
    ),
    "category index": pd.Series([1, 2], pd.CategoricalIndex(["a", "b"])),
    "columns that are numbers": pd.DataFrame(np.zeros((2, 3))),
    "columns in no order": pd.DataFrame(np.zeros((2, 2)), columns=[7, 3]),
    "columns of objects": pd.DataFrame(np.zeros((2, 2)), columns=pd.Index(["a", "b"], dtype=object)),
    "columns that have a name": pd.DataFrame(np.zeros((2, 2)), columns=pd.Index(["a", "b"], name="n")),
    "same column twice": pd.DataFrame(np.arange(4).reshape(2, 2), columns=["a", "a"]),
    "attrs": pd.DataFrame({"a": [1]}).pipe(lambda df: (df.attrs.update(unit="km"), df)[1]),
    "flags": pd.DataFrame({"a": [1]}).set_flags(allows_duplicate_labels=False),
    "C block": pd.DataFrame(RNG.random((50, 4)), columns=list("abcd")),
}

PICKLED_PANDAS: dict[str, Any] = {
    "objects": pd.Series([1, "a", None, 2.5, pd.NA, pd.NaT, [1]], dtype=object),
    "complex column": pd.Series([1j]),
    "period": pd.Series(pd.period_range("2020", periods=3, freq="M")),
    "interval": pd.Series(pd.interval_range(0, 3)),
    "sparse": pd.Series(pd.arrays.SparseArray([0, 0, 1])),
    "arrow dtype": pd.DataFrame({"a": pd.array([1, None], pd.ArrowDtype(pa.int64()))}),
    "arrow lists": pd.DataFrame({"a": pd.array([[1], None], pd.ArrowDtype(pa.list_(pa.int64())))}),
    "rows of two levels": pd.DataFrame(
        {"x": [1, 2]}, pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["k", None])
    ),
    "columns of two levels": pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_product([["a"], [1, 2]])),
    "columns of times": pd.DataFrame([[1, 2]], columns=pd.to_datetime(["2020", "2021"])),
    "columns of mixed labels": pd.DataFrame([[1, 2, 3]], columns=["a", 1, None]),
    "zone of a fixed offset": pd.Series(pd.date_range("2020", periods=2, tz="+02:00")),
    "series named by a tuple": pd.Series([1], name=("a", 1)),
    "attrs with a tuple": pd.DataFrame({"a": [1]}).pipe(lambda df: (df.attrs.update(t=(1,)), df)[1]),
    "range index": pd.RangeIndex(3),
    "date index": pd.date_range("2020", periods=3, freq="D", name="d"),
    "multi index": pd.MultiIndex.from_product([[1, 2], ["a"]], names=["x", "y"]),
    "pandas array": pd.array([1, None], "Int64"),
    "timestamp": pd.Timestamp("2020-01-01", tz="Europe/Berlin"),
    "not a time": pd.NaT,
    "not available": pd.NA,
    "offset": pd.offsets.CustomBusinessDay(holidays=["2020-01-01"]),
}

POLARS: dict[str, Any] = {
    "polars frame": pl.DataFrame(
        {"a": [1, None], "s": ["x", None], "l": [[1], None], "st": [{"a": 1}, None]}
    ),
    "polars types": pl.DataFrame(
        {
            "cat": pl.Series(["a", None], dtype=pl.Categorical),
            "enum": pl.Series(["a", None], dtype=pl.Enum(["b", "a"])),
            "decimal": pl.Series([decimal.Decimal("1.10"), None], dtype=pl.Decimal(10, 2)),
            "time": pl.Series([datetime.time(1), None]),
            "zoned": pl.Series([datetime.datetime(2020, 1, 1), None]).dt.replace_time_zone("Europe/Berlin"),
            "duration": pl.Series([datetime.timedelta(1), None], dtype=pl.Duration("ms")),
            "array": pl.Series([[1, 2], None], dtype=pl.Array(pl.Int8, 2)),
            "binary": [b"x", None],
            "int128": pl.Series([2**100, None], dtype=pl.Int128),
            "bool": [True, None],
            "null": [None, None],
        }
    ),
    "polars series": pl.Series("n", [1.5, None]),
    "polars series without a name": pl.Series([1.5, None]),
    "polars frame of one column": pl.DataFrame({"": [1]}),
    "polars without rows": pl.DataFrame(schema={"a": pl.Int8}),
}

ARROW: dict[str, Any] = {
    "table": pa.table({"a": [1, None], "s": ["x", None], "l": [[1], None], "st": [{"a": 1}, None]}),
    "table with metadata": pa.table({"a": [1]}).replace_schema_metadata({"k": "v"}),
    "table without rows": pa.schema([("a", pa.int8())]).empty_table(),
    "batch": pa.record_batch({"a": [1, 2]}),
    "array": pa.array([1, None]),
    "dictionary": pa.array(["a", "b", "a"]).dictionary_encode(),
    "times": pa.array([0, None], pa.timestamp("ns", "Europe/Berlin")),
    "decimals": pa.array([decimal.Decimal("1.10")], pa.decimal128(5, 2)),
    "fixed size": pa.array([b"ab", None], pa.binary(2)),
    "map": pa.array([[("a", 1)], None], pa.map_(pa.string(), pa.int8())),
    "nulls": pa.nulls(3),
    "chunks": pa.chunked_array([[1], [2, None]]),
    "no chunks": pa.chunked_array([], pa.int8()),
    "booleans": pa.array([True, None, False]),
}

PICKLE: dict[str, Any] = {
    "tuple": (1, "a"),
    "list of tuples": [(1,)],
    "set": {"a", "b", 1, None, (2, 3)},
    "frozen sets": frozenset({frozenset({1}), frozenset({"a"})}),
    "bytes": b"abc",
    "bytearray": bytearray(b"abc"),
    "complex number": 1j,
    "range": range(3),
    "slice": slice(1, None),
    "keys that are numbers": {1: "a"},
    "huge int": 2**20_000,
    "nan": float("nan"),
    "numpy's nan": [np.nan],
    "nan of another payload": nan_with_payload(),
    "aliases": (lambda x: [x, x])([1]),
    "cycle": cyclic(),
    "deep list": functools.reduce(lambda inner, _: [inner], range(250), None),
    "date": datetime.date(2020, 1, 1),
    "zone": zoneinfo.ZoneInfo("Europe/Berlin"),
    "decimal": decimal.Decimal("1.10"),
    "fraction": fractions.Fraction(1, 3),
    "path": pathlib.PurePosixPath("/a"),
    "uuid": uuid.UUID(int=5),
    "pattern": re.compile("a+", re.I),
    "namespace": types.SimpleNamespace(a=[1]),
    "default dict": collections.defaultdict(list, a=[1]),
    "counter": collections.Counter("aab"),
    "deque": collections.deque([1, 2], 3),
    "partial": functools.partial(int, base=2),
    "function": pathlib.Path,
    "builtin": len,
    "lambda": lambda x, k=2: x * k,
    "module": collections,
    "exception": ValueError("a", 1),
    "dict of frames": {"a": pd.DataFrame({"x": [1]}), "b": np.arange(3)},
    "NumPy one": np.int64(1),
    "NumPy one as float": np.float64(1),
    "NumPy text": np.str_("1"),
    "NumPy time": np.datetime64("2020-01-01"),
    "dtype": np.dtype("f4"),
    "objects": np.array([1, "a", None, [1]], dtype=object),
    "padded structure": np.zeros(2, np.dtype([("a", "i1"), ("b", "f8")], align=True)),
    "masked": np.ma.masked_array([1, 2], [True, False]),
    "record array": np.rec.array([(1, 2.0)], [("a", "i4"), ("b", "f8")]),
    "strings of any length": np.array(["a", "b" * 50], np.dtypes.StringDType()),
    "random generator": np.random.default_rng(1),
    "random state": np.random.RandomState(1),
    "overlapping arrays": (lambda a: {"all": a, "some": a[2:5], "reverse": a[::-1]})(np.arange(1000.0)),
    "polars without columns": pl.DataFrame(),
    "polars frame that looks like a stored series": pl.DataFrame({"jupyterlab_pipelines.series:x": [1]}),
    "lazy frame": pl.LazyFrame({"a": [1]}),
    "expression": pl.col("a") + 1,
    "schema": pa.schema([("a", pa.int8())]),
    **PICKLED_PANDAS,
}

FAMILIES: dict[str, dict[str, Any]] = {
    "json": JSON,
    "numpy": NUMPY,
    "pandas": PANDAS,
    "polars": POLARS,
    "arrow": ARROW,
    "pickle": PICKLE,
}
