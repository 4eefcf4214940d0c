"""A table of any library: its columns, each measured by what it is made of."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jupyterlab_pipelines.errors import UsageError
from jupyterlab_pipelines.quality.measuring.arrays import as_arrow, as_numpy
from jupyterlab_pipelines.quality.measuring.numbers import (
    Array,
    Ordered,
    count_values,
    measure_numbers,
    order_of,
    put_in_order,
)
from jupyterlab_pipelines.quality.measuring.rows import autocorrelations, count_duplicates, rank_correlations
from jupyterlab_pipelines.quality.measuring.text import commonest, measure_text
from jupyterlab_pipelines.quality.measuring.times import UNITS, measure_times
from jupyterlab_pipelines.quality.measuring.values import is_missing, sound_text
from jupyterlab_pipelines.quality.statistics import Column, Statistics

BUDGET_ROWS = 100_000_000
"""Up to so many rows everything is exact."""
SMALL = 100_000
"""Tables of so few cells are not worth a thread."""

Values = Any
"""What a column is held in: a numpy array, or an Arrow array or chunked array."""


def measure_table(table: Any, *, threads: int | None = None, budget_rows: int | None = None) -> Statistics:
    """See `statistics.measure`."""
    columns = columns_of(table)
    rows = len(columns[0][2]) if columns else _rows_without_columns(table)
    budget = budget_rows or BUDGET_ROWS
    measured_rows = rows
    if rows > budget:
        chosen = np.linspace(0, rows - 1, budget).astype(np.int64)
        columns = [(name, dtype, values.take(chosen)) for name, dtype, values in columns]
        measured_rows = budget
    threads = threads or min(os.cpu_count() or 1, 4)
    if threads > 1 and len(columns) > 1 and rows * len(columns) > SMALL:
        with ThreadPoolExecutor(threads) as pool:
            measured = list(pool.map(lambda column: measure_column(*column), columns))
    else:
        measured = [measure_column(*column) for column in columns]
    arrays = [values for _, _, values in columns]
    correlated, correlations = rank_correlations(measured, arrays)
    for index, likeness in autocorrelations(measured, arrays).items():
        column = measured[index]
        if column.numbers:
            measured[index] = replace(column, numbers=replace(column.numbers, autocorrelation=likeness))
    return Statistics(
        rows=rows,
        columns=tuple(measured),
        duplicates=count_duplicates(measured, arrays) if measured_rows == rows else None,
        measured_rows=measured_rows,
        correlated=correlated,
        correlations=correlations,
    )


# -- what a table is made of ------------------------------------------------------------------------


def columns_of(table: Any) -> list[tuple[str, str, Values]]:
    """Name, dtype and values of every column; names that occur twice get a number.

    Raises
    ------
    UsageError
        `table` is no table.
    """
    found = [(str(name), dtype, values) for name, dtype, values in _columns(table)]
    seen: Counter[str] = Counter()
    columns = []
    for name, dtype, values in found:
        seen[name] += 1
        columns.append((name if seen[name] == 1 else f"{name}.{seen[name] - 1}", dtype, values))
    return columns


def _columns(table: Any) -> list[tuple[Any, str, Values]]:
    kind = type(table)
    library, name = kind.__module__.partition(".")[0], kind.__name__
    if isinstance(table, pa.Table | pa.RecordBatch):
        return [(field.name, _dtype(field), table.column(i)) for i, field in enumerate(table.schema)]
    if isinstance(table, pa.Array | pa.ChunkedArray):
        return [("values", str(table.type), table)]
    if library == "pandas" and name == "DataFrame":
        # A dtype takes longer to write than its column to find.
        words = {dtype: str(dtype) for dtype in set(table.dtypes)}
        return [(_label(label), words[values.dtype], _of_pandas(values)) for label, values in table.items()]
    if library == "pandas":
        label = getattr(table, "name", None)
        return [("values" if label is None else _label(label), str(table.dtype), _of_pandas(table))]
    if library == "polars" and name == "LazyFrame":
        return _columns(table.collect())
    if library == "polars" and name == "DataFrame":
        return [(series.name, str(series.dtype), _of_polars(series)) for series in table.get_columns()]
    if library == "polars" and name == "Series":
        return [(table.name or "values", str(table.dtype), _of_polars(table))]
    if isinstance(table, np.ndarray):
        return _of_numpy(table if isinstance(table, np.ma.MaskedArray) else np.asarray(table))
    if hasattr(table, "__arrow_c_stream__"):
        return _columns(pa.table(table))
    if isinstance(table, Mapping):
        return [
            (name, str(np.asarray(values).dtype), _of_pandas_like(values)) for name, values in table.items()
        ]
    raise UsageError(
        "not_a_table", f"{kind.__module__}.{kind.__qualname__} is no table that can be measured."
    )


def _label(label: Any) -> Any:
    return "/".join(map(str, label)) if isinstance(label, tuple) else label


def _dtype(field: Any) -> str:
    """The type's name, and how the values were written where `tables.py` noted it."""
    form = (field.metadata or {}).get(b"written")
    return f"{field.type} written {form.decode()}" if form else str(field.type)


def _of_numpy(array: Array) -> list[tuple[Any, str, Values]]:
    if array.dtype.names:
        return [(name, str(array.dtype[name]), _plain(array[name].reshape(-1))) for name in array.dtype.names]
    if array.ndim == 2:
        return [(str(i), str(array.dtype), _plain(array[:, i])) for i in range(array.shape[1])]
    return [("values", str(array.dtype), _plain(array.reshape(-1)))]


def _of_pandas_like(values: Any) -> Values:
    if hasattr(values, "array"):
        return _of_pandas(values)
    return _plain(np.asarray(values)) if not isinstance(values, pa.Array | pa.ChunkedArray) else values


def _of_pandas(series: Any) -> Values:
    dtype = series.dtype
    if isinstance(dtype, np.dtype):
        return _plain(series.to_numpy())
    if hasattr(series.array, "__arrow_array__"):
        try:
            return pa.chunked_array([pa.array(series.array, from_pandas=True)])
        except (pa.ArrowException, TypeError, ValueError, NotImplementedError):
            return np.asarray(series.astype(object))
    kind = str(dtype)
    if kind.startswith("datetime64["):
        # With a zone: pandas keeps the moments as UTC.
        return pa.array(series.array.asi8, pa.int64(), mask=np.asarray(series.isna())).cast(
            pa.timestamp(dtype.unit, str(dtype.tz))
        )
    if kind == "category":
        try:
            return pa.chunked_array([pa.array(series, from_pandas=True)])
        except (pa.ArrowException, TypeError, ValueError, NotImplementedError):
            return np.asarray(series.astype(object))
    if kind.startswith("Sparse"):
        return _plain(series.to_numpy())
    return _plain(np.asarray(series.astype(object)))


def _of_polars(series: Any) -> Values:
    try:
        if str(series.dtype) != "Object":
            return series.to_arrow()
        raise TypeError("Arrow would have addresses")
    except (pa.ArrowException, TypeError, ValueError, NotImplementedError, BaseException) as error:
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        # A polars Object column holds Python objects.
        objects = np.empty(len(series), dtype=object)
        objects[:] = series.to_list()
        return _plain(objects)


def _plain(array: Array) -> Values:
    """numpy values in a form that is measured: text and objects as Arrow where that is possible."""
    if isinstance(array, np.ma.MaskedArray):
        return pa.array(np.ascontiguousarray(array.data), mask=np.ma.getmaskarray(array))
    array = np.ascontiguousarray(array)
    if array.dtype.kind in "US":
        return pa.array(array.astype(object) if array.dtype.kind == "S" else array)
    if array.dtype.kind == "T":
        return pa.array(array.astype(object), from_pandas=True)
    return array


def _rows_without_columns(table: Any) -> int:
    try:
        return int(table.num_rows) if hasattr(table, "num_rows") else len(table)
    except TypeError:
        return 0


# -- one column -------------------------------------------------------------------------------------


def measure_column(name: str, dtype: str, values: Values) -> Column:
    """Everything that is known about one column."""
    if isinstance(values, np.ndarray):
        return _measure_numpy(name, dtype, values)
    return _measure_arrow(name, dtype, values)


def _measure_numpy(name: str, dtype: str, values: Array) -> Column:
    kind = values.dtype.kind
    if kind in "iuf":
        return _measure_number(name, dtype, values, len(values))
    if kind == "b":
        return _measure_bool(name, dtype, len(values), int(np.count_nonzero(values)), len(values))
    if kind in "Mm":
        return _measure_moments(name, dtype, values, len(values), None)
    if kind == "c":
        return _measure_number(name, dtype, np.abs(values), len(values))
    if kind == "V":
        return _measure_objects(name, dtype, np.array([item.tobytes() for item in values], dtype=object))
    return _measure_object_column(name, dtype, values)


def _measure_object_column(name: str, dtype: str, values: Array) -> Column:
    if values.ndim > 1:
        values = np.array([*map(list, values), None], dtype=object)[:-1]
    try:
        array = pa.array(values, from_pandas=True)
    except UnicodeEncodeError:
        sound = [sound_text(value) if isinstance(value, str) else value for value in values.tolist()]
        return _measure_object_column(name, dtype, np.array([*sound, None], dtype=object)[:-1])
    except (pa.ArrowException, TypeError, ValueError, OverflowError, NotImplementedError):
        return _measure_objects(name, dtype, values)
    column = _measure_arrow(name, dtype, array)
    if column.type in ("string", "null"):
        types = {"str": column.count} if column.count else {}
    else:
        types = _python_types(values)
        if len(types) > 1 and set(types) - {"int", "float"}:
            # What Arrow takes as one, such as True and 1, is still mixed.
            return _measure_objects(name, dtype, values)
    return replace(column, python_types=types)


def _measure_arrow(name: str, dtype: str, values: Any) -> Column:
    kind, rows = values.type, len(values)
    if pa.types.is_dictionary(kind):
        return _measure_dictionary(name, dtype, values)
    if isinstance(kind, pa.BaseExtensionType):
        storage = values.cast(kind.storage_type) if isinstance(values, pa.ChunkedArray) else values.storage
        return _measure_arrow(name, dtype, storage)
    if pa.types.is_run_end_encoded(kind):
        return _measure_arrow(name, dtype, pc.run_end_decode(values))
    if pa.types.is_null(kind):
        return Column(name, "null", dtype, rows, rows, distinct=0)
    if pa.types.is_boolean(kind):
        true = pc.sum(values).as_py() or 0
        return _measure_bool(name, dtype, rows - values.null_count, true, rows)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return _measure_number(name, dtype, _present(values), rows)
    if pa.types.is_decimal(kind):
        return _measure_number(name, dtype, _present(pc.cast(values, pa.float64())), rows)
    if pa.types.is_timestamp(kind) or pa.types.is_duration(kind):
        return _measure_moments(name, dtype, _present(values), rows, getattr(kind, "tz", None))
    if pa.types.is_date(kind):
        return _measure_moments(name, dtype, _present(values.cast(pa.timestamp("ms"))), rows, None)
    if pa.types.is_time(kind):
        storage = values.cast(pa.int32() if kind.bit_width == 32 else pa.int64())
        ticks = _present(storage).astype(np.int64).view(f"m8[{kind.unit}]")
        return _measure_moments(name, dtype, ticks, rows, None)
    if _is_text(kind):
        return _measure_string(name, dtype, values)
    if _is_binary(kind):
        return _measure_binary(name, dtype, values)
    if pa.types.is_list_view(kind) or pa.types.is_large_list_view(kind):
        return _measure_arrow(name, dtype, values.cast(pa.large_list(kind.value_type)))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        lengths = _present(pc.list_value_length(values)).astype(np.int64)
        return _measure_nested(name, dtype, rows, lengths)
    if pa.types.is_struct(kind):
        lengths = np.full(rows - values.null_count, kind.num_fields, dtype=np.int64)
        return _measure_nested(name, dtype, rows, lengths)
    objects = np.empty(rows, dtype=object)
    objects[:] = values.to_pylist()
    if pa.types.is_map(kind):
        return _measure_nested(
            name, dtype, rows, np.array([len(item) for item in objects if item is not None], dtype=np.int64)
        )
    return _measure_objects(name, dtype, objects)


def _measure_number(name: str, dtype: str, present: Array, rows: int) -> Column:
    integral = present.dtype.kind in "iu"
    if integral:
        values, infinities = present, 0
        ordered = finite = put_in_order(present)
        count = len(present)
    else:
        values = present.astype(np.float64, copy=False)
        # Sorted, NaN stand last and infinities at the ends.
        every = np.sort(values)
        if len(every) and math.isfinite(every[0]) and math.isfinite(every[-1]):
            ordered = finite = Ordered(every)
        else:
            low, high, end = every.searchsorted([np.nextafter(-np.inf, 0), np.inf, np.nan]).tolist()
            ordered, finite = Ordered(every[:end]), Ordered(every[low : min(high, end)])
        count, infinities = ordered.count, ordered.count - finite.count
    nulls = rows - count
    distinct, singletons, top = count_values(ordered)
    return Column(
        name,
        "int" if integral else "float",
        dtype,
        rows,
        nulls,
        distinct,
        singletons,
        tuple(pair for pair in top if not infinities or abs(pair[0]) < np.inf),
        numbers=measure_numbers(finite, infinities=infinities, order=order_of(values)),
    )


def _measure_bool(name: str, dtype: str, count: int, true: int, rows: int) -> Column:
    pairs = [(value, number) for value, number in ((False, count - true), (True, true)) if number]
    pairs.sort(key=lambda pair: -pair[1])
    singletons = sum(number == 1 for _, number in pairs)
    return Column(name, "bool", dtype, rows, rows - count, len(pairs), singletons, tuple(pairs))


def _measure_moments(name: str, dtype: str, values: Array, rows: int, zone: str | None) -> Column:
    """Times and durations; `values` are datetime64 or timedelta64."""
    duration = values.dtype.kind == "m"
    unit, step = np.datetime_data(values.dtype)
    if unit not in UNITS:
        # Years, months and weeks count days.
        values = values.astype("m8[s]" if duration else "M8[s]")
        unit, step = "s", 1
    ticks = values.view(np.int64)
    missing = np.isnat(values)
    present = ticks[~missing] if missing.any() else ticks
    scale = UNITS[unit] / step
    ordered = np.sort(present)
    distinct, singletons, top = count_values(Ordered(ordered))
    return Column(
        name,
        "duration" if duration else "time",
        dtype,
        rows,
        rows - len(present),
        distinct,
        singletons,
        tuple((value / scale, number) for value, number in top),
        numbers=measure_numbers(Ordered(ordered), order=order_of(present), scale=scale),
        times=None if duration else measure_times(ordered, scale, zone),
    )


def _measure_string(name: str, dtype: str, values: Any) -> Column:
    rows, nulls = len(values), values.null_count
    if not pa.types.is_large_string(values.type) and not pa.types.is_string(values.type):
        values = values.cast(pa.large_string())
    counted = pc.value_counts(values)
    words = counted.field(0)
    try:
        words.validate(full=True)
    except pa.ArrowInvalid:
        # Bytes that are no text: each is the sign for what cannot be shown.
        raw = values.cast(pa.large_binary()).to_pylist()
        values = pa.array([None if word is None else word.decode("utf-8", "replace") for word in raw])
        counted = pc.value_counts(values)
        words = counted.field(0)
    return _counted_string(name, dtype, rows, nulls, words, as_numpy(counted.field(1)))


def _counted_string(name: str, dtype: str, rows: int, nulls: int, values: Any, counts: Array) -> Column:
    if nulls:
        known = values.is_valid()
        counts = counts[as_numpy(known)]
        values = values.filter(known)
    return Column(
        name,
        "string",
        dtype,
        rows,
        nulls,
        len(values),
        int(np.count_nonzero(counts == 1)),
        commonest(values, counts),
        text=measure_text(values, counts),
    )


def _measure_dictionary(name: str, dtype: str, values: Any) -> Column:
    """A categorical: counted by its codes, told as the values they stand for."""
    if isinstance(values, pa.ChunkedArray):
        values = values.unify_dictionaries().combine_chunks()
        if isinstance(values, pa.ChunkedArray):
            values = values.chunk(0) if values.num_chunks else pa.array([], values.type)
    if not _is_text(values.type.value_type):
        return _measure_arrow(name, dtype, values.dictionary_decode())
    rows = len(values)
    codes = _present(values.indices)
    counts = np.bincount(codes, minlength=len(values.dictionary))
    words = values.dictionary.cast(pa.large_string())
    used = np.flatnonzero(counts)
    if len(words) and (words.null_count or len(pc.unique(words)) < len(words)):
        return _measure_string(name, dtype, values.dictionary_decode())
    return _counted_string(name, dtype, rows, rows - len(codes), words.take(as_arrow(used)), counts[used])


def _measure_binary(name: str, dtype: str, values: Any) -> Column:
    counted = pc.value_counts(values)
    words, counts = counted.field(0), as_numpy(counted.field(1))
    known = as_numpy(words.is_valid())
    counts = counts[known]
    lengths = put_in_order(_present(pc.binary_length(values)).astype(np.int64))
    return Column(
        name,
        "binary",
        dtype,
        len(values),
        values.null_count,
        len(counts),
        int(np.count_nonzero(counts == 1)),
        lengths=measure_numbers(lengths),
    )


def _measure_nested(name: str, dtype: str, rows: int, lengths: Array) -> Column:
    return Column(
        name, "nested", dtype, rows, rows - len(lengths), lengths=measure_numbers(put_in_order(lengths))
    )


def _measure_objects(name: str, dtype: str, values: Array) -> Column:
    """Python objects of several types: counted by type and value."""
    present = [value for value in values.tolist() if not is_missing(value)]
    types = _python_types(values)
    rows = len(values)
    if types and set(types) <= {"int", "float", "Decimal", "Fraction"}:
        # Whole numbers that no machine integer holds, decimals that Arrow does not take.
        return _measure_huge(name, dtype, rows, present, types)
    counts: Counter[tuple[str, str]] = Counter()
    for value in present:
        try:
            counts[(type(value).__name__, str(value)[:200])] += 1
        except Exception:
            counts[(type(value).__name__, "?")] += 1
    pairs = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    wanted = 100 if len(pairs) <= 100 else 20
    top = tuple((word[:120], number) for (_, word), number in pairs[:wanted] if number > 1 or wanted == 100)
    texts = [sound_text(value) for value in present if isinstance(value, str)]
    text = None
    if texts:
        counted = pc.value_counts(pa.array(texts, pa.large_string()))
        text = measure_text(counted.field(0), as_numpy(counted.field(1)))
    singletons = sum(number == 1 for number in counts.values())
    return Column(
        name,
        "object",
        dtype,
        rows,
        rows - len(present),
        len(counts),
        singletons,
        top,
        text=text,
        python_types=types,
    )


def _is_beyond(value: Any, limit: float) -> bool:
    """Whether a float would be infinite for a finite number."""
    return isinstance(value, int) and abs(value) > limit


def _measure_huge(name: str, dtype: str, rows: int, present: Sequence[Any], types: dict[str, int]) -> Column:
    limit = float(np.finfo(np.float64).max)
    floats = np.array(
        [
            float(max(-limit, min(limit, value))) if _is_beyond(value, limit) else float(value)
            for value in present
        ],
        dtype=np.float64,
    )
    column = _measure_number(name, dtype, floats, rows)
    counts = Counter(present)
    return replace(
        column,
        type="int" if set(types) == {"int"} else "float",
        distinct=len(counts),
        singletons=sum(number == 1 for number in counts.values()),
        python_types=types,
    )


# -- small things -----------------------------------------------------------------------------------


def _present(values: Any) -> Array:
    """The values of an Arrow column that are not null, as numpy has them."""
    if values.null_count:
        values = values.drop_null()
    return as_numpy(values)


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_binary(kind: Any) -> bool:
    return bool(
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_binary_view(kind)
        or pa.types.is_fixed_size_binary(kind)
    )


def _python_types(values: Array) -> dict[str, int]:
    counted = Counter(type(value).__name__ for value in values.tolist() if not is_missing(value))
    return dict(sorted(counted.items(), key=lambda pair: (-pair[1], pair[0])))
