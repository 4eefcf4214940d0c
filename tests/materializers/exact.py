"""Whether two values are the same in every respect: an oracle that knows nothing of digests."""

from __future__ import annotations

import math
import struct
import types
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa


def assert_same(got: Any, expected: Any) -> None:
    """AssertionError unless `got` is of the same type and equal to `expected`, NaN by NaN."""
    assert type(got) is type(expected)
    if isinstance(expected, pd.DataFrame):
        pd.testing.assert_frame_equal(
            got, expected, check_exact=True, check_freq=True, check_flags=True, check_column_type="exact",
            check_index_type="exact", check_frame_type=True, check_names=True, check_categorical=True,
        )  # fmt: skip
        assert_same(got.attrs, expected.attrs)
        assert_same_index(got.columns, expected.columns)
        assert_same_index(got.index, expected.index)
        for position in range(expected.shape[1]):
            assert_same_array(got.iloc[:, position].array, expected.iloc[:, position].array)
    elif isinstance(expected, pd.Series):
        pd.testing.assert_series_equal(got, expected, check_exact=True, check_freq=True, check_flags=True)
        assert_same(got.attrs, expected.attrs)
        assert_same(got.name, expected.name)
        assert_same_index(got.index, expected.index)
        assert_same_array(got.array, expected.array)
    elif isinstance(expected, pd.Index):
        assert_same_index(got, expected)
    elif isinstance(expected, np.ndarray):
        assert got.dtype == expected.dtype and got.dtype.metadata == expected.dtype.metadata
        assert got.shape == expected.shape
        assert got.flags.writeable == expected.flags.writeable or expected.dtype.hasobject
        assert (got.flags.f_contiguous, got.flags.c_contiguous) == (expected.flags.f_contiguous, True) or (
            expected.flags.f_contiguous == got.flags.f_contiguous or not expected.flags.forc
        )
        if expected.dtype == object:
            for one, other in zip(got.ravel(), expected.ravel(), strict=True):
                assert_same(one, other)
        elif expected.dtype.names is not None:
            for field in expected.dtype.names:
                assert_same(got[field].copy(), expected[field].copy())
        else:
            np.testing.assert_array_equal(got, expected)
            if expected.dtype.kind in "fc" and expected.dtype.char not in "gG":
                assert got.tobytes() == expected.tobytes()
    elif isinstance(expected, float):
        assert struct.pack("<d", got) == struct.pack("<d", expected)
    elif isinstance(expected, (list, tuple)):
        assert len(got) == len(expected)
        for one, other in zip(got, expected, strict=True):
            if other is not expected:
                assert_same(one, other)
    elif isinstance(expected, dict):
        assert list(got) == list(expected)
        for key in expected:
            assert_same(got[key], expected[key])
    elif isinstance(expected, (pl.DataFrame, pl.Series)):
        assert got.equals(expected, null_equal=True)
        schema = (lambda v: v.schema) if isinstance(expected, pl.DataFrame) else (lambda v: (v.name, v.dtype))
        assert schema(got) == schema(expected)
    elif isinstance(expected, (pa.Table, pa.RecordBatch)):
        assert got.equals(expected, check_metadata=True)
    elif isinstance(expected, (pa.Array, pa.ChunkedArray)):
        assert got.type == expected.type and got.equals(expected)
    elif isinstance(expected, types.FunctionType):
        assert got(3) == expected(3)
    elif isinstance(expected, np.random.Generator):
        assert got.bit_generator.state == expected.bit_generator.state
    elif isinstance(expected, np.random.RandomState):
        assert repr(got.get_state()) == repr(expected.get_state())
    elif isinstance(expected, (pl.LazyFrame, pl.Expr)):
        assert str(got) == str(expected)
    elif isinstance(expected, Exception):
        assert got.args == expected.args
    elif expected is pd.NA or expected is pd.NaT or isinstance(expected, (type, types.ModuleType)):
        assert got is expected
    elif hasattr(expected, "__dict__") and type(expected).__eq__ is object.__eq__:
        assert_same(got.__dict__, expected.__dict__)
    elif isinstance(expected, pd.api.extensions.ExtensionArray):
        assert_same_array(got, expected)
    elif type(expected).__module__ == "functools":
        assert (got.func, got.args, got.keywords) == (expected.func, expected.args, expected.keywords)
    else:
        assert got == expected or (math.isnan(got) and math.isnan(expected))


def assert_same_index(got: Any, expected: Any) -> None:
    pd.testing.assert_index_equal(got, expected, exact=True, check_exact=True)
    assert type(got) is type(expected) and got.names == expected.names
    assert got.dtype == expected.dtype
    assert getattr(got, "freq", None) == getattr(expected, "freq", None)
    if isinstance(expected, pd.RangeIndex):
        assert (got.start, got.stop, got.step) == (expected.start, expected.stop, expected.step)
    if isinstance(expected, pd.MultiIndex):
        for one, other in zip(got.levels, expected.levels, strict=True):
            assert_same_index(one, other)
    elif expected.dtype == object:
        for one, other in zip(got, expected, strict=True):
            assert_same(one, other)


def assert_same_array(got: Any, expected: Any) -> None:
    assert type(got) is type(expected) and got.dtype == expected.dtype
    if isinstance(expected.dtype, pd.StringDtype):
        assert got.dtype.storage == expected.dtype.storage
        assert repr(got.dtype.na_value) == repr(expected.dtype.na_value)
    if isinstance(expected.dtype, pd.DatetimeTZDtype):
        assert type(got.dtype.tz) is type(expected.dtype.tz)
    if isinstance(expected.dtype, pd.CategoricalDtype):
        assert_same_index(got.categories, expected.categories)
    if hasattr(expected, "_mask"):
        np.testing.assert_array_equal(got._mask, expected._mask)
        np.testing.assert_array_equal(got._data[~got._mask], expected._data[~expected._mask])
    if expected.dtype == object:
        for one, other in zip(got, expected, strict=True):
            assert_same(one, other)
