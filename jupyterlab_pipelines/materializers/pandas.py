"""``pandas``: frames and series as Arrow IPC, which other processes can read without pickle.

The file is an ordinary Arrow table: one column per column, then the index unless it is a
`RangeIndex`. How exactly they looked in pandas stands as JSON in the schema's metadata. Dtypes and
indexes that are not listed here go by `pickle`, which keeps them as well but opens to Python only.
"""

from __future__ import annotations

import datetime
import functools
import json
import mmap
import sys
import zoneinfo
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jupyterlab_pipelines.materializers import canonical, mapped
from jupyterlab_pipelines.materializers.definitions import package_of
from jupyterlab_pipelines.materializers.json import MATERIALIZER as JSON

_LAYOUT = b"jupyterlab_pipelines.pandas"

_NUMBERS = frozenset(
    {"bool", "float32", "float64", *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))}
)
_UTC = datetime.timezone.utc  # noqa: UP017 - a step's kernel may be of Python 3.10
_UNITS = frozenset({("s", 1), ("ms", 1), ("us", 1), ("ns", 1)})


class PandasMaterializer:
    name = "pandas"

    def accepts(self, value: object) -> bool:
        """Plain frames and series whose dtypes, index and names the Arrow file keeps exactly."""
        pd = sys.modules.get("pandas")
        if pd is None or type(value) not in (pd.DataFrame, pd.Series) or not _has_pyarrow():
            return False
        frame: Any = value
        if not JSON.accepts(dict(frame.attrs)) or not _is_kept_index(frame.index):
            return False
        are_labels_kept = (
            _is_kept_label(frame.name) if type(frame) is pd.Series else _are_kept_columns(frame.columns)
        )
        return are_labels_kept and all(map(_is_kept_array, _arrays_of(frame)))

    def digest(self, value: object) -> str:
        return canonical.digest(value)

    def write(self, value: Any, path: Path) -> tuple[str, ...]:
        import pandas as pd
        import pyarrow as pa

        from jupyterlab_pipelines.materializers.arrow import write_ipc

        columns = _arrays_of(value)
        layout: dict[str, Any] = {
            "dtypes": [_dtype_to_json(column) for column in columns],
            "index": _index_to_json(value.index),
            "attrs": dict(value.attrs),
            "allows_duplicate_labels": value.flags.allows_duplicate_labels,
        }
        if type(value) is pd.Series:
            layout["name"], labels = value.name, [value.name]
        else:
            layout["columns"], labels = _labels_to_json(value.columns), list(value.columns)
        arrays = [_to_arrow(column) for column in columns]
        if "dtype" in layout["index"]:
            arrays.append(_to_arrow(_array_of(value.index)))
            labels.append("index" if value.index.name is None else value.index.name)
        fields = [pa.field(str(label), array.type) for label, array in zip(labels, arrays, strict=True)]
        metadata = json.dumps(layout, ensure_ascii=False).encode("utf-8", "surrogatepass")
        schema = pa.schema(fields, metadata={_LAYOUT: metadata})
        write_ipc(pa.Table.from_arrays(arrays, schema=schema), path)
        return ()

    def read(self, path: Path) -> object:
        import pandas as pd
        import pyarrow as pa

        mapping = mapped.map_file(path)
        table = pa.ipc.open_file(pa.py_buffer(mapping)).read_all()
        layout = json.loads(table.schema.metadata[_LAYOUT].decode("utf-8", "surrogatepass"))
        memory = _Memory(mapping)
        index = _index_from_json(layout["index"], table.columns[-1:], memory)
        columns = zip(table.columns, layout["dtypes"], strict=False)  # without the index
        arrays = [_from_arrow(column, dtype, memory) for column, dtype in columns]
        # With their dtypes, which would be inferred anew from objects otherwise.
        series = [pd.Series(array, index, array.dtype, copy=False) for array in arrays]
        value: Any
        if "name" in layout:
            value = series[0]
            value.name = layout["name"]
        else:
            value = pd.DataFrame(dict(enumerate(series)), index, copy=False)
            value.columns = _labels_from_json(layout["columns"])
        value.attrs.update(layout["attrs"])
        value.flags.allows_duplicate_labels = layout["allows_duplicate_labels"]
        return value


def _array_of(values: Any) -> Any:
    """What is in a series or an index: a NumPy array where the dtype is NumPy's, else pandas' own."""
    import numpy as np

    return np.asarray(values) if isinstance(values.dtype, np.dtype) else values.array


def _arrays_of(table: Any) -> list[Any]:
    """The columns of a frame, or the one of a series."""
    import numpy as np

    if table.ndim == 1:
        return [_array_of(table)]
    if hasattr(table, "_iter_column_arrays"):  # the same, without making a series of each column
        return [np.asarray(c) if isinstance(c.dtype, np.dtype) else c for c in table._iter_column_arrays()]
    return [_array_of(table.iloc[:, position]) for position in range(table.shape[1])]


def _has_pyarrow() -> bool:
    if "pyarrow" in sys.modules:
        return True
    from importlib.util import find_spec

    return find_spec("pyarrow") is not None


# -- what Arrow keeps ------------------------------------------------------------------------


def _is_kept_array(array: Any) -> bool:
    try:
        spec = _dtype_to_json(array)
    except ValueError:
        return False
    if spec["kind"] == "category":
        return _is_kept_index(array.categories) and array.categories.name is None
    return spec["kind"] not in ("object", "string") or not _has_surrogates(array)


def _has_surrogates(array: Any) -> bool:
    """Lone surrogates can be in a `str`, but not in Arrow's UTF-8."""
    import pandas as pd

    if isinstance(array.dtype, pd.StringDtype) and array.dtype.storage == "pyarrow":
        return False
    try:
        for text in array:
            if type(text) is str and not text.isascii():
                text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _is_kept_index(index: Any) -> bool:
    import pandas as pd

    if not _is_kept_label(index.name) or isinstance(index, pd.MultiIndex):
        return False
    if type(index) is pd.RangeIndex:
        return True
    if type(index) not in (pd.Index, pd.DatetimeIndex, pd.TimedeltaIndex, pd.CategoricalIndex):
        return False
    freq = getattr(index, "freq", None)
    if freq is not None and pd.tseries.frequencies.to_offset(freq.freqstr) != freq:
        return False
    return _is_kept_array(_array_of(index))


def _are_kept_columns(columns: Any) -> bool:
    import pandas as pd

    if type(columns) is pd.RangeIndex:
        return _is_kept_label(columns.name)
    is_plain = (
        columns.dtype == "int64" or columns.dtype == object or isinstance(columns.dtype, pd.StringDtype)
    )
    if type(columns) is not pd.Index or not is_plain or not _is_kept_label(columns.name):
        return False
    kinds = set(map(type, columns))
    return kinds <= {int} or (kinds <= {str} and not _has_surrogates(columns))


def _is_kept_label(label: object) -> bool:
    return type(label) in (type(None), bool, int, str) and JSON.accepts(label) and _is_utf8(label)


def _is_utf8(label: object) -> bool:
    try:
        str(label).encode()
    except UnicodeEncodeError:
        return False
    return True


# -- dtypes ----------------------------------------------------------------------------------


def _dtype_to_json(array: Any) -> dict[str, Any]:
    """How to make the array again from its Arrow column. ValueError: Arrow does not keep it."""
    import numpy as np
    import pandas as pd

    dtype = array.dtype
    if isinstance(dtype, np.dtype):
        if dtype.name in _NUMBERS and dtype.isnative:
            return {"kind": "number", "dtype": dtype.str}
        if dtype.kind in "mM" and dtype.isnative and np.datetime_data(dtype) in _UNITS:
            return {"kind": "time", "dtype": dtype.str}
        if dtype.kind == "O":
            return {"kind": "object", "missing": _missing_of(array)}
    elif isinstance(dtype, pd.DatetimeTZDtype):
        return {"kind": "time with zone", "unit": dtype.unit, "zone": _zone_to_json(dtype.tz)}
    elif isinstance(dtype, pd.CategoricalDtype):
        return {
            "kind": "category",
            "ordered": dtype.ordered,
            "codes": array.codes.dtype.str,
            "index": _index_to_json(array.categories),
        }
    elif isinstance(dtype, pd.StringDtype) and dtype.storage in ("python", "pyarrow"):
        return {
            "kind": "string",
            "storage": dtype.storage,
            "missing": "NA" if dtype.na_value is pd.NA else "nan",
        }
    elif hasattr(array, "_mask") and dtype.name.lower() in {*_NUMBERS, "boolean"}:
        return {"kind": "masked", "dtype": dtype.name}
    raise ValueError(f"{dtype} is not kept by Arrow")


def _string_dtype(spec: dict[str, Any]) -> Any:
    import numpy as np
    import pandas as pd

    # Before pandas 3 there may be none but the one with NA, and no such argument.
    return pd.StringDtype(spec["storage"], **({} if spec["missing"] == "NA" else {"na_value": np.nan}))


def _missing_of(array: Any) -> str:
    """How a column of Python strings says that one is missing; there may be one way only."""
    kinds = set(map(type, array))
    if kinds <= {str, type(None)}:
        return "None"
    import numpy as np

    if kinds <= {str, float} and all(item is np.nan for item in array if type(item) is float):
        return "nan"
    raise ValueError("objects other than strings are not kept by Arrow")


def _zone_to_json(zone: object) -> str:
    if zone is _UTC:
        return ""
    if type(zone) is zoneinfo.ZoneInfo and zone.key is not None:
        return zone.key
    raise ValueError(f"{zone!r} has no name that brings it back")


def _zone_from_json(zone: str) -> datetime.tzinfo:
    return zoneinfo.ZoneInfo(zone) if zone else _UTC


# -- columns ---------------------------------------------------------------------------------


def _to_arrow(array: Any) -> Any:
    import numpy as np
    import pyarrow as pa

    spec = _dtype_to_json(array)
    kind = spec["kind"]
    if kind == "number":
        values = np.asarray(array)
        return (
            pa.array(values)
            if values.dtype == bool
            else _fixed_width(pa.from_numpy_dtype(values.dtype), values)
        )
    if kind == "time":
        values = np.asarray(array)
        return _fixed_width(pa.from_numpy_dtype(values.dtype), values, ~np.isnat(values))
    if kind == "time with zone":
        values = array.asi8
        arrow_type = pa.timestamp(spec["unit"], tz=spec["zone"] or "UTC")
        return _fixed_width(arrow_type, values, values != np.iinfo(np.int64).min)
    if kind == "masked":
        if array._data.dtype == bool:
            return pa.array(array._data, mask=array._mask)
        return _fixed_width(pa.from_numpy_dtype(array._data.dtype), array._data, ~array._mask)
    if kind == "category":
        codes = array.codes
        indices = _fixed_width(pa.from_numpy_dtype(codes.dtype), codes, codes >= 0)
        categories = _to_arrow(_array_of(array.categories))
        return pa.DictionaryArray.from_arrays(indices, categories, ordered=bool(array.ordered), safe=False)
    if kind == "string" and spec["storage"] == "pyarrow":
        chunks = array.__arrow_array__()
        return chunks.combine_chunks() if isinstance(chunks, pa.ChunkedArray) else chunks
    return pa.array(np.asarray(array, dtype=object), pa.large_string(), from_pandas=True)


def _fixed_width(arrow_type: Any, values: Any, valid: Any = None) -> Any:
    """The very bytes of `values` as an Arrow array, those under nulls too."""
    import numpy as np
    import pyarrow as pa

    data = pa.py_buffer(np.ascontiguousarray(values).reshape(-1).view(np.uint8))
    bits = None if valid is None or valid.all() else pa.py_buffer(np.packbits(valid, bitorder="little"))
    return pa.Array.from_buffers(arrow_type, len(values), [bits, data])


class _Memory:
    """Finds the bytes of Arrow buffers in the mapped file, where they may be written to."""

    def __init__(self, mapping: mmap.mmap) -> None:
        import numpy as np

        self._bytes = np.frombuffer(mapping, np.uint8)

    def numbers(self, array: Any, dtype: str) -> Any:
        import numpy as np

        if not len(array):
            return np.empty(0, dtype)
        data = array.buffers()[1]
        first = data.address - self._bytes.ctypes.data
        size = np.dtype(dtype).itemsize
        return self._bytes[first + array.offset * size : first + (array.offset + len(array)) * size].view(
            dtype
        )


def _from_arrow(column: Any, spec: dict[str, Any], memory: _Memory) -> Any:
    import numpy as np
    import pandas as pd
    import pyarrow as pa

    array = column.chunk(0) if column.num_chunks else pa.array([], column.type)
    kind = spec["kind"]
    if kind == "number" and spec["dtype"] == "|b1":
        return mapped.settle(array.to_numpy(zero_copy_only=False))
    if kind in ("number", "time"):
        return memory.numbers(array, spec["dtype"])
    if kind == "time with zone":
        zone = _zone_from_json(spec["zone"])
        stamps = pd.DatetimeIndex(memory.numbers(array, f"<M8[{spec['unit']}]"), copy=False)
        return stamps.tz_localize("UTC").tz_convert(zone).array
    if kind == "masked":
        mask = mapped.settle(~array.is_valid().to_numpy(zero_copy_only=False))
        if spec["dtype"] == "boolean":
            data = mapped.settle(array.fill_null(False).to_numpy(zero_copy_only=False))
            return pd.arrays.BooleanArray(data, mask)
        data = memory.numbers(array, np.dtype(spec["dtype"].lower()).str)
        cls = pd.arrays.FloatingArray if data.dtype.kind == "f" else pd.arrays.IntegerArray
        return cls(data, mask)
    if kind == "category":
        categories = _index_from_json(spec["index"], [pa.chunked_array([array.dictionary])], memory)
        codes = memory.numbers(array.indices, spec["codes"])
        return pd.Categorical.from_codes(codes, categories, spec["ordered"], validate=False)
    if kind == "string":
        return _string_dtype(spec).__from_arrow__(pa.chunked_array([array]))
    objects = array.to_numpy(zero_copy_only=False)
    if spec["missing"] == "nan":
        objects[np.array([item is None for item in objects], dtype=bool)] = float("nan")
    return mapped.watch_objects(objects)


# -- index and labels ------------------------------------------------------------------------


def _index_to_json(index: Any) -> dict[str, Any]:
    import pandas as pd

    if type(index) is pd.RangeIndex:
        return {"range": [index.start, index.stop, index.step], "name": index.name}
    freq = getattr(index, "freq", None)
    return {"dtype": _dtype_to_json(_array_of(index)), "name": index.name, "freq": freq and freq.freqstr}


def _index_from_json(spec: dict[str, Any], columns: list[Any], memory: _Memory) -> Any:
    """The index, whose only column is in `columns` unless it is a range."""
    import pandas as pd

    if "range" in spec:
        return pd.RangeIndex(range(*spec["range"]), name=spec["name"])
    array = _from_arrow(columns[0], spec["dtype"], memory)
    index = pd.Index(array, dtype=array.dtype, name=spec["name"], copy=False)
    if spec["freq"] is not None:
        return type(index)(index, freq=spec["freq"])
    return index


def _labels_to_json(columns: Any) -> dict[str, Any]:
    import pandas as pd

    if type(columns) is pd.RangeIndex:
        return _index_to_json(columns)
    return {"labels": list(columns), "dtype": _label_dtype(columns), "name": columns.name}


def _label_dtype(columns: Any) -> Any:
    import pandas as pd

    if isinstance(columns.dtype, pd.StringDtype):
        return _dtype_to_json(columns.array)
    return str(columns.dtype)


def _labels_from_json(spec: dict[str, Any]) -> Any:
    import pandas as pd

    if "range" in spec:
        return pd.RangeIndex(range(*spec["range"]), name=spec["name"])
    dtype = spec["dtype"] if isinstance(spec["dtype"], str) else _string_dtype(spec["dtype"])
    return pd.Index(spec["labels"], dtype=dtype, name=spec["name"])


# -- canonical encoding ----------------------------------------------------------------------


def form_of(kind: type) -> Any:
    import pandas as pd

    if kind is pd.DataFrame:
        return canonical.once(_frame_form)
    if kind is pd.Series:
        return canonical.once(_series_form)
    if issubclass(kind, pd.Index) and package_of(kind) == "pandas":
        return _index_form
    if issubclass(kind, pd.api.extensions.ExtensionArray):
        return canonical.once(lambda encoder, array: ("pandas array", *_array_forms(encoder, [array])))
    immutable = (pd.Timestamp, pd.Timedelta, pd.Period, pd.Interval, pd.offsets.BaseOffset)
    if issubclass(kind, (*immutable, type(pd.NaT), type(pd.NA), pd.api.extensions.ExtensionDtype)):
        return None
    return ...


def _frame_form(encoder: canonical.Encoder, frame: Any) -> tuple[object, ...]:
    return (
        "pandas.DataFrame",
        frame.shape,
        frame.columns,
        frame.index,
        frame.attrs or None,
        frame.flags.allows_duplicate_labels,
        *_array_forms(encoder, _arrays_of(frame)),
    )


def _series_form(encoder: canonical.Encoder, series: Any) -> tuple[object, ...]:
    return (
        "pandas.Series",
        series.name,
        series.index,
        series.attrs or None,
        series.flags.allows_duplicate_labels,
        *_array_forms(encoder, _arrays_of(series)),
    )


def _index_form(encoder: canonical.Encoder, index: Any) -> tuple[object, ...]:
    import pandas as pd

    kind = type(index).__name__
    if isinstance(index, pd.RangeIndex):
        return (kind, index.start, index.stop, index.step, index.name)
    if isinstance(index, pd.MultiIndex):
        import numpy as np

        codes = encoder.data([np.asarray(codes) for codes in index.codes])
        return (kind, len(index), tuple(index.names), tuple(index.levels), *codes)
    return (kind, index.name, getattr(index, "freq", None), *_array_forms(encoder, [_array_of(index)]))


def _array_forms(encoder: canonical.Encoder, arrays: list[Any]) -> Iterator[object]:
    """The form of each array; the plain data of all of them is hashed side by side."""
    heads: list[tuple[object, ...]] = []
    data: list[list[Any]] = []
    for array in arrays:
        head, plain = _parts(encoder, array)
        heads.append(head)
        data.append(plain)
    hashes = iter(encoder.data([each for plain in data for each in plain]))
    for head, plain in zip(heads, data, strict=True):
        yield (*head, *(next(hashes) for _ in plain))


def _parts(encoder: canonical.Encoder, array: Any) -> tuple[tuple[object, ...], list[Any]]:
    """An array as what is to be encoded, and the NumPy arrays whose bytes are to be hashed."""
    import numpy as np
    import pandas as pd

    dtype = array.dtype
    name = _name_of(dtype) if isinstance(dtype, np.dtype) else str(dtype)
    head: tuple[object, ...] = (type(array).__name__, name, len(array))
    if isinstance(dtype, np.dtype):
        values = np.asarray(array)
        if dtype.kind == "O":
            return (*head, encoder.objects(values)), []
        return (*head, dtype.str), [values]
    if isinstance(dtype, pd.DatetimeTZDtype):
        return (*head, dtype.tz), [array.asi8]
    if isinstance(dtype, pd.PeriodDtype):
        return (*head, dtype.freq), [array.asi8]
    if isinstance(dtype, pd.CategoricalDtype):
        return (*head, array.categories, dtype.ordered), [array.codes]
    if isinstance(dtype, pd.IntervalDtype):
        return (*head, array.left, array.right, array.closed), []
    if isinstance(dtype, pd.SparseDtype):
        positions = array.sp_index.to_int_index().indices
        kind = type(array.sp_index).__name__
        return (*head, kind, dtype.fill_value, np.asarray(array.sp_values)), [np.asarray(positions)]
    if isinstance(dtype, pd.StringDtype):
        head = (*head, dtype.storage, dtype.na_value)
        if dtype.storage != "pyarrow":
            return (*head, encoder.objects(np.asarray(array, dtype=object))), []
    if isinstance(dtype, (pd.StringDtype, pd.ArrowDtype)):
        return (*head, encoder.column(array.__arrow_array__())), []
    if hasattr(array, "_mask") and hasattr(array, "_data"):
        return head, [encoder.masked(array._data, array._mask), array._mask]
    return (*head, array.__reduce_ex__(5)), []


@functools.lru_cache(maxsize=256)
def _name_of(dtype: Any) -> str:
    """NumPy makes the name of a dtype anew each time, which counts in a frame of thousands of columns."""
    return str(dtype)


MATERIALIZER = PandasMaterializer()
