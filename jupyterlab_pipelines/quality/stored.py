"""Values in the store, read for measuring.

What lies there as Arrow or numpy data needs nothing of pandas or polars, so that reading one takes as long as
mapping it. Tables of other dtypes, and those that share memory with other values, lie in pickles: see `pickled`. Of
plain data lists, records and metrics are tables of their own kind, and a text is one of its lines. A model is
measured as the arrays of numbers that it consists of, each a column.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from jupyterlab_pipelines.artifact import GROUP
from jupyterlab_pipelines.errors import UsageError
from jupyterlab_pipelines.quality.measurable import PICKLED
from jupyterlab_pipelines.quality.pickled import read_pickled
from jupyterlab_pipelines.quality.pictures import channels
from jupyterlab_pipelines.quality.statistics import Statistics, measure

CHANNELS = {3: ("red", "green", "blue"), 4: ("red", "green", "blue", "alpha")}

MOST_COLUMNS_OF_ARRAY = 1_000
"""A wider array is one of numbers, not a table: it is measured as one column."""

_PANDAS_LAYOUT = b"jupyterlab_pipelines.pandas"
_POLARS_SERIES = "jupyterlab_pipelines.series:"


def read_stored(materializer: str, path: Path, member: str | None = None) -> tuple[Any, Mapping[str, str]]:
    """The table in a stored file, for `measure`; and dtypes by column where the file's own are not the user's.

    `member` is the key of the value in a file that holds several.

    Raises
    ------
    UsageError
        What is stored is like no table.
    """
    if materializer == "numpy":
        return _of_array(_read_numpy(path))
    if materializer in PICKLED:
        found = _of_pickled(read_pickled(path, member if materializer == GROUP else None))
        if found is None:
            raise UsageError("not_a_table", "It is no table.")
        return found
    if materializer == "json":
        return _of_plain_data(json.loads(path.read_bytes().decode("utf-8", "surrogatepass"))), {}
    import pyarrow as pa

    with pa.memory_map(str(path)) as file:
        table = pa.ipc.open_file(file).read_all()
    if materializer == "pandas":
        return _as_in_pandas(table)
    if materializer == "polars" and table.num_columns == 1:
        names = [name.removeprefix(_POLARS_SERIES) or "values" for name in table.column_names]
        table = table.rename_columns(names)
    if materializer == "arrow" and table.column_names == [""]:
        table = table.rename_columns(["values"])
    return _without_views(table), {}


def read_labels(materializer: str, path: Path) -> Callable[[Sequence[int]], list[Any]] | None:
    """What gives the labels of rows by position; None where the table has no index but positions."""
    if materializer != "pandas":
        return None
    import pyarrow as pa

    with pa.memory_map(str(path)) as file:
        table = pa.ipc.open_file(file).read_all()
    index = _layout(table)["index"]
    if "range" in index:
        labels = range(*index["range"])
        return lambda positions: [labels[position] for position in positions]
    column = table.column(table.num_columns - 1)
    return lambda positions: list(column.take(pa.array(positions, pa.int64())).to_pylist())


def measure_stored(materializer: str, path: Path, member: str | None = None) -> Statistics:
    """The statistics of the value in a stored file.

    Raises
    ------
    UsageError
        What is stored is like no table, and there are no arrays of numbers in it.
    """
    if materializer in PICKLED:
        value = read_pickled(path, member if materializer == GROUP else None)
        if (found := _of_pickled(value)) is None:
            from jupyterlab_pipelines.quality.models import arrays_in, measure_arrays

            return measure_arrays(arrays_in(value))
        table, dtypes = found
    else:
        table, dtypes = read_stored(materializer, path)
    statistics = measure(table)
    if not dtypes:
        return statistics
    columns = tuple(
        replace(column, dtype=dtypes.get(column.name, column.dtype)) for column in statistics.columns
    )
    return replace(statistics, columns=columns)


def _read_numpy(path: Path) -> Any:
    import numpy as np

    return np.load(path, mmap_mode="r", allow_pickle=False)


def _of_pickled(value: Any) -> tuple[Any, Mapping[str, str]] | None:
    import numpy as np

    if isinstance(value, np.ndarray):
        return _of_array(value)
    is_table = type(value).__module__.partition(".")[0] in ("pandas", "polars", "pyarrow")
    return (value, {}) if is_table else channels(value)


def _of_array(array: Any) -> tuple[Any, dict[str, str]]:
    """One column of a vector, several of a matrix, the channels of a picture; any other array is one column."""
    dtype = f"{array.dtype} {' × '.join(map(str, array.shape))}"
    if array.ndim == 3 and array.dtype == "uint8" and array.shape[2] in CHANNELS:
        channels = CHANNELS[array.shape[2]]
        return {name: array[:, :, at].reshape(-1) for at, name in enumerate(channels)}, dict.fromkeys(
            channels, dtype
        )
    if array.dtype.names or array.ndim == 1:
        return array.reshape(-1), {}
    if array.ndim == 2 and array.shape[1] <= MOST_COLUMNS_OF_ARRAY:
        return array, {}
    return array.reshape(-1), {"values": dtype}


def _of_plain_data(value: Any) -> Any:
    from jupyterlab_pipelines.quality.records import column_of, of_document

    if isinstance(value, str) and "\n" in value:
        return {"lines": column_of(value.splitlines())}
    if isinstance(value, list) and value and not any(isinstance(item, list | dict) for item in value):
        return {"values": column_of(value)}
    if isinstance(value, dict) and value and all(_is_number(item) for item in value.values()):
        # Metrics: one row of them.
        return {name: column_of([item]) for name, item in value.items()}
    try:
        return of_document(value)
    except ValueError as error:
        raise UsageError("not_a_table", f"It is like no table: {error}") from error


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _as_in_pandas(table: Any) -> tuple[Any, dict[str, str]]:
    """The columns, and the index where it says something: it has a name, or holds times."""
    layout = _layout(table)
    specs = list(layout["dtypes"])
    index = layout["index"]
    if "dtype" in index:
        says_something = index["name"] is not None or index["dtype"]["kind"].startswith("time")
        if says_something:
            specs.append(index["dtype"])
        else:
            table = table.select(list(range(table.num_columns - 1)))
    if "name" in layout and layout["name"] is None:
        table = table.rename_columns(["values", *table.column_names[1:]])
    dtypes: dict[str, str] = {}
    for name, spec in zip(table.column_names, specs, strict=True):
        dtypes.setdefault(name, _dtype_in_pandas(spec))
    return table, dtypes


def _layout(table: Any) -> Any:
    return json.loads(table.schema.metadata[_PANDAS_LAYOUT].decode("utf-8", "surrogatepass"))


def _dtype_in_pandas(spec: Mapping[str, Any]) -> str:
    import numpy as np

    kind = spec["kind"]
    if kind in ("number", "time"):
        return str(np.dtype(spec["dtype"]))
    if kind == "time with zone":
        return f"datetime64[{spec['unit']}, {spec['zone'] or 'UTC'}]"
    if kind == "string":
        return "string" if spec["missing"] == "NA" else "str"
    return str(spec["dtype"]) if kind == "masked" else str(kind)


def _without_views(table: Any) -> Any:
    """Text as polars writes it, in a form that all of Arrow's functions take."""
    import pyarrow as pa

    fields = [
        field.with_type({"string_view": pa.large_string(), "binary_view": pa.large_binary()}[str(field.type)])
        if str(field.type) in ("string_view", "binary_view")
        else field
        for field in table.schema
    ]
    return table.cast(pa.schema(fields)) if fields != list(table.schema) else table
