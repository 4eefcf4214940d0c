"""Statistics: every number against pandas, numpy and plain Python."""

from __future__ import annotations

import datetime
import decimal
import json
import math
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from jupyterlab_pipelines.errors import UsageError
from jupyterlab_pipelines.quality.measuring.arrays import as_numpy
from jupyterlab_pipelines.quality.statistics import Column, Statistics, measure

FLOATS = st.floats(allow_nan=True, allow_infinity=True, width=64)
TAME = st.one_of(
    st.floats(-1e6, 1e6), st.sampled_from([0.0, -0.0, 1.5, 2.25, float("nan"), float("inf"), float("-inf")])
)


def column(values: Any) -> Column:
    """The statistics of one column."""
    return measure(pd.DataFrame({"x": values})).columns[0]


@given(st.lists(TAME, min_size=1, max_size=300))
def test_numbers_are_those_of_numpy(values: list[float]) -> None:
    found = column(np.array(values))
    known = np.array([value for value in values if not math.isnan(value)])
    finite = known[np.isfinite(known)]

    assert found.nulls == len(values) - len(known)
    assert found.distinct == len({value + 0.0 for value in known.tolist()})
    assert found.singletons == sum(count == 1 for count in Counter(known.tolist()).values())
    if not len(finite):
        assert found.numbers is None
        return
    numbers = found.numbers
    assert numbers
    assert (numbers.count, numbers.infinities) == (len(finite), len(known) - len(finite))
    assert (numbers.zeros, numbers.negatives) == ((finite == 0).sum(), (finite < 0).sum())
    assert (numbers.min, numbers.max) == (finite.min(), finite.max())
    assert numbers.mean == pytest.approx(finite.mean(), rel=1e-9, abs=1e-9)
    assert numbers.std == pytest.approx(finite.std(ddof=1) if len(finite) > 1 else 0.0, rel=1e-6, abs=1e-6)
    assert numbers.grid == pytest.approx(np.quantile(finite, np.linspace(0, 1, 101)), rel=1e-9, abs=1e-9)
    assert numbers.quantiles == tuple(numbers.grid[::10])
    assert numbers.lowest == tuple(np.sort(finite)[:10])
    assert numbers.highest == tuple(np.sort(finite)[::-1][:10])


@given(hnp.arrays(hnp.integer_dtypes() | hnp.unsigned_integer_dtypes(), st.integers(1, 400)))
def test_whole_numbers_of_every_width_are_those_of_python(values: Any) -> None:
    found = column(values)
    plain = values.tolist()
    counts = Counter(plain)

    assert (found.type, found.nulls, found.distinct) == ("int", 0, len(counts))
    assert found.numbers
    assert (found.numbers.min, found.numbers.max) == (min(plain), max(plain))
    assert found.numbers.mean == pytest.approx(np.mean([float(value) for value in plain]), rel=1e-9, abs=1e-6)
    assert found.numbers.negatives == sum(value < 0 for value in plain)
    if len(counts) <= 100:
        assert dict(found.top) == counts


@given(st.lists(st.integers(0, 50), min_size=300, max_size=600), st.integers(-(10**9), 10**9))
def test_numbers_that_are_counted_are_those_that_are_sorted(values: list[int], start: int) -> None:
    shifted = np.array(values) + start
    found = column(shifted)

    assert found.numbers
    assert found.numbers.grid == pytest.approx(np.quantile(shifted, np.linspace(0, 1, 101)))
    assert found.numbers.std == pytest.approx(shifted.std(ddof=1))
    assert dict(found.top) == Counter(shifted.tolist())


@given(st.lists(FLOATS, max_size=50))
def test_no_float_is_too_large(values: list[float]) -> None:
    document = measure(pd.DataFrame({"x": np.array(values, dtype=float)})).to_document()

    assert json.loads(json.dumps(document, allow_nan=False)) == document


@given(st.lists(st.one_of(st.none(), st.text(max_size=12)), min_size=1, max_size=200))
def test_text_is_counted_as_python_counts(values: list[str | None]) -> None:
    values = [value if value is None else value.encode("utf-8", "ignore").decode() for value in values]
    found = column(pd.Series(values, dtype=object))
    known = [value for value in values if value is not None]
    counts = Counter(known)

    assert (found.nulls, found.distinct) == (len(values) - len(known), len(counts))
    if not known:
        assert found.type == "null"
        return
    assert found.type == "string"
    assert found.text
    lengths = [len(value) for value in known]
    assert (found.text.lengths.min, found.text.lengths.max) == (min(lengths), max(lengths))
    assert found.text.lengths.mean == pytest.approx(np.mean(lengths))
    assert found.text.upper == sum(value.isupper() for value in known)
    assert found.text.non_ascii == sum(not value.isascii() for value in known)
    if len(counts) <= 100:
        assert dict(found.top) == counts


def test_blanks_and_spaces_at_the_ends() -> None:
    text = column(["a", " a", "b ", "", "  ", "c d", "\tx"]).text

    assert text
    assert (text.blank, text.edge_spaces) == (2, 3)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        (["1", "-2.5", "3e4"], "numeric"),
        (["1,5", "1.234,50", "-0,25"], "decimal_commas"),
        (["$12.50", "12 kg", "45%"], "decorated"),
        (["2024-01-05", "5.1.2024", "Jan 5, 2024"], "times"),
        (["KÃ¶ln", "M\ufffdnchen", "Z?rich"], "damaged"),
    ],
)
def test_forms_of_text(values: list[str], field: str) -> None:
    text = column(values).text

    assert getattr(text, field) == 3


@settings(max_examples=50)
@given(
    st.lists(
        st.datetimes(datetime.datetime(1900, 1, 1), datetime.datetime(2200, 1, 1)), min_size=2, max_size=60
    )
)
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_times_of_every_unit(unit: str, values: list[datetime.datetime]) -> None:
    series = pd.Series(np.array(values, dtype=f"M8[{unit}]"))
    found = column(series)
    seconds = series.astype("M8[us]").astype("int64") / 1e6

    assert found.type == "time"
    assert found.numbers and found.times
    assert found.numbers.min == pytest.approx(seconds.min())
    assert found.numbers.median == pytest.approx(seconds.median())
    assert found.times.span == pytest.approx(seconds.max() - seconds.min())
    assert list(found.times.hours) == series.dt.hour.value_counts().reindex(range(24), fill_value=0).tolist()
    assert (
        list(found.times.weekdays)
        == series.dt.day_of_week.value_counts().reindex(range(7), fill_value=0).tolist()
    )
    gaps = np.diff(np.unique(seconds))
    assert found.times.max_gap == pytest.approx(gaps.max() if len(gaps) else 0.0)
    assert found.times.median_gap == pytest.approx(np.median(gaps) if len(gaps) else 0.0)


@pytest.mark.parametrize(
    ("values", "order"),
    [
        ([1, 2, 3], "increasing"),
        ([1, 2, 2], "nondecreasing"),
        ([3, 2, 1], "decreasing"),
        ([3, 3, 1], "nonincreasing"),
        ([1, 3, 2], None),
        ([2, 2, 2], None),
        ([float("nan"), 1, float("nan"), 2], "increasing"),
        ([float("nan")] * 300 + [1, 2], "increasing"),
    ],
)
def test_order(values: list[float], order: str | None) -> None:
    numbers = column(values).numbers

    assert numbers and numbers.order == order


@pytest.mark.parametrize(
    ("values", "decimals"),
    [
        ([1, 2, 3], 0),
        ([10, 20, 30], -1),
        ([0.1, 0.2, 0.3], 1),
        ([1.25, 3.5], 2),
        ([math.pi, math.e], None),
        ([0, 0], None),
        ([1e20, 2e20], -9),
    ],
)
def test_decimals(values: list[float], decimals: int | None) -> None:
    numbers = column(values).numbers

    assert numbers and numbers.decimals == decimals


@pytest.mark.parametrize("count", [2, 1_000, 30_000])
def test_histogram_counts_all(count: int) -> None:
    rng = np.random.default_rng(0)
    for values in (rng.normal(size=count), rng.integers(0, 7, count), rng.integers(-50, 5_000, count)):
        numbers = column(values).numbers
        assert numbers
        expected, _ = np.histogram(values, bins=np.array(numbers.histogram.edges))
        assert list(numbers.histogram.counts) == expected.tolist()


def test_columns_of_any_dtype_are_the_same() -> None:
    values = [3, 1, 2, None, 3]
    forms: list[Any] = [
        pd.DataFrame({"x": pd.array(values, dtype="Int64")}),
        pd.DataFrame({"x": pd.array(values, dtype="int64[pyarrow]")}),
        pd.DataFrame({"x": pd.Series(values, dtype="float64")}),
        pd.DataFrame({"x": pd.Series(values, dtype=object)}),
        pd.DataFrame({"x": pd.Series(values).astype("category")}),
        pl.DataFrame({"x": values}),
        pl.LazyFrame({"x": values}),
        pl.Series("x", values),
        pd.Series(values, name="x"),
        pa.table({"x": values}),
        pa.record_batch({"x": pa.array(values)}),
        pa.table({"x": pa.chunked_array([values[:2], values[2:]])}),
        {"x": np.array([3, 1, 2, np.nan, 3])},
    ]
    found = [measure(form).columns[0] for form in forms]

    for one in found:
        assert (one.name, one.rows, one.nulls, one.distinct, dict(one.top)) == (
            "x",
            5,
            1,
            3,
            {3: 2, 1: 1, 2: 1},
        )
        assert one.numbers and found[0].numbers and one.numbers.grid == found[0].numbers.grid


@pytest.mark.parametrize(
    "values",
    [
        pd.Series(["a", "b", None, "a"]),
        pd.Series(["a", "b", None, "a"], dtype=object),
        pd.Series(["a", "b", None, "a"], dtype="string[pyarrow]"),
        pd.Series(["a", "b", None, "a"]).astype("category"),
        pl.Series(["a", "b", None, "a"]),
        pl.Series(["a", "b", None, "a"], dtype=pl.Categorical),
        pa.chunked_array(
            [pa.array(["a", "b"]).dictionary_encode(), pa.array([None, "a"]).dictionary_encode()]
        ),
        pa.array(["a", "b", None, "a"], pa.string_view()),
    ],
)
def test_text_of_any_dtype_is_the_same(values: Any) -> None:
    found = measure(values).columns[0]

    assert (found.type, found.nulls, found.distinct, dict(found.top)) == ("string", 1, 2, {"a": 2, "b": 1})


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([], "object"),
        ([None, None], "null"),
        ([True, False, None], "bool"),
        ([1, "a", None, 2.5, (1, 2)], "object"),
        ([True, 1, "x"], "object"),
        ([[1, 2], [3], None], "nested"),
        ([{"a": 1}, {"a": 2}], "nested"),
        ([b"ab", b"c"], "binary"),
        ([decimal.Decimal("1.5"), decimal.Decimal("2.25")], "float"),
        ([datetime.date(2024, 1, 1), datetime.date(2024, 3, 1)], "time"),
        ([datetime.time(1, 2), datetime.time(3, 4)], "duration"),
        ([datetime.timedelta(hours=1), datetime.timedelta(hours=3)], "duration"),
        ([2**70, 5, 2**70], "int"),
        ([2**2000, 1], "int"),
        ([object(), object()], "object"),
        ([1 + 2j, 3j], "object"),
        ([np.array([1, 2]), np.array([3])], "nested"),
    ],
)
def test_odd_columns_have_a_type_and_a_document(values: list[Any], kind: str) -> None:
    series = pd.Series(values, dtype=object)
    statistics = measure(series)

    assert statistics.columns[0].type in (kind, "null" if not values else kind)
    document = json.loads(json.dumps(statistics.to_document(), allow_nan=False))
    assert Statistics.from_document(document).to_document() == document


def test_python_types_inside_an_object_column() -> None:
    found = column(pd.Series([1, "a", "b", 2.5, None], dtype=object))

    assert found.python_types == {"str": 2, "float": 1, "int": 1}
    assert (found.count, found.distinct) == (4, 4)


def test_arrays() -> None:
    structured = np.array([(1, 2.5), (3, 4.5)], dtype=[("a", "i4"), ("b", "f8")])

    assert [(c.name, c.type) for c in measure(structured).columns] == [("a", "int"), ("b", "float")]
    assert [c.name for c in measure(np.zeros((4, 3))).columns] == ["0", "1", "2"]
    assert [c.name for c in measure(np.arange(3)).columns] == ["values"]


def test_names_that_occur_twice_are_told_apart() -> None:
    table = pd.DataFrame([[1, "x"], [2, "y"]], columns=["a", "a"])

    assert [(c.name, c.type) for c in measure(table).columns] == [("a", "int"), ("a.1", "string")]


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from(["a", "b", None]), st.sampled_from([0.5, math.nan])),
        max_size=60,
    )
)
def test_duplicates_are_those_of_pandas(rows: list[tuple[int, str | None, float]]) -> None:
    table = pd.DataFrame(rows, columns=["a", "b", "c"])

    assert measure(table).duplicates == table.duplicated().sum()
    assert measure(pa.Table.from_pandas(table)).duplicates == table.duplicated().sum()


def test_correlations_are_spearmans() -> None:
    rng = np.random.default_rng(1)
    a = rng.normal(size=500)
    table = pd.DataFrame({"a": a, "b": a + rng.normal(size=500), "c": rng.normal(size=500)})
    found = measure(table)

    assert found.correlated == ("a", "b", "c")
    assert found.correlations == (
        ("a", "b", pytest.approx(table.a.corr(table.b, method="spearman"), abs=1e-3)),
    )


def test_what_is_beyond_the_budget_is_approximate() -> None:
    table = pd.DataFrame({"x": np.arange(1_000.0)})
    found = measure(table, budget_rows=100)

    assert (found.rows, found.measured_rows, found.approximate) == (1_000, 100, True)
    assert found.columns[0].numbers and found.columns[0].numbers.median == pytest.approx(500, abs=10)
    assert not measure(table).approximate


@pytest.mark.parametrize("threads", [1, 4])
def test_a_thousand_columns(threads: int) -> None:
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(200, 1_000)))
    found = measure(table, threads=threads)

    assert len(found.columns) == 1_000
    assert [c.numbers.mean for c in found.columns if c.numbers] == pytest.approx(table.mean().tolist())


def test_nearly_unique_columns_tell_what_is_frequent() -> None:
    values = np.random.default_rng(0).normal(size=50_000)
    values[:700] = -999.0
    found = column(values)

    assert found.top == ((-999.0, 700),)
    assert found.distinct == len(np.unique(values))
    assert found.singletons == 49_300


def test_what_is_no_table_is_told() -> None:
    with pytest.raises(UsageError, match="no table"):
        measure(42)


def test_a_column_takes_two_kilobytes() -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(10_000, 30)))
    table["town"] = rng.choice(["Berlin", "Paris", "Rome"], 10_000)

    assert len(json.dumps(measure(table).to_document())) / 31 < 2_600


ARROW_KINDS = [
    *(pa.int8(), pa.uint64(), pa.float16(), pa.float32(), pa.float64(), pa.bool_()),
    *(pa.timestamp("us"), pa.timestamp("ns", "UTC"), pa.duration("s"), pa.date32(), pa.string()),
]


@given(st.data(), st.sampled_from(ARROW_KINDS))
def test_arrow_becomes_numpy_as_arrow_itself_does_it(data: st.DataObject, kind: pa.DataType) -> None:
    chunks = []
    for _ in range(data.draw(st.integers(1, 3))):
        drawn = data.draw(st.lists(st.sampled_from([0, 1, 0, 1, None]), max_size=12))
        part = pa.array(drawn, pa.int32() if pa.types.is_date(kind) else pa.int64())
        chunks.append(_cast(part, kind).slice(data.draw(st.integers(0, 3))))
    array = pa.chunked_array(chunks, kind)

    np.testing.assert_array_equal(as_numpy(array), array.to_numpy())
    for chunk in chunks:
        plain = chunk.to_numpy(zero_copy_only=False)
        assert as_numpy(chunk).dtype == plain.dtype
        np.testing.assert_array_equal(as_numpy(chunk), plain)


def _cast(values: pa.Array, kind: pa.DataType) -> pa.Array:
    return values.cast(pa.float32()).cast(kind) if pa.types.is_float16(kind) else values.cast(kind)


def test_measuring_an_arrow_table_imports_no_pandas(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "number": rng.normal(size=500),
            "whole": rng.integers(0, 9, 500),
            "word": rng.choice(["x", "yy", None], 500),
            "time": pd.date_range("2020", periods=500, freq="h"),
            "flag": rng.random(500) > 0.5,
            "kind": pd.Categorical(rng.choice(["u", "v"], 500)),
            "name": [f"name {number}" for number in range(500)],
        }
    )
    frame.loc[3, "number"] = None
    frame.to_feather(tmp_path / "t.arrow")
    script = (
        "import sys, pyarrow as pa; from jupyterlab_pipelines.quality.statistics import measure;"
        f"table = pa.ipc.open_file(pa.memory_map({str(tmp_path / 't.arrow')!r})).read_all();"
        "print(measure(table).rows, 'pandas' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert ran.stdout.split() == ["500", "False"]
