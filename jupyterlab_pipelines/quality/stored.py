"""Tables in the store, read for measuring: what lies there as Arrow or numpy data, never a pickle.

Nothing of pandas or polars is needed for their files, so that reading one takes as long as mapping it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from jupyterlab_pipelines.quality.statistics import Statistics, measure

MOST_COLUMNS_OF_ARRAY = 1_000
"""A wider array is one of numbers, not a table: it is measured as one column."""

_PANDAS_LAYOUT = b"jupyterlab_pipelines.pandas"
_POLARS_SERIES = "jupyterlab_pipelines.series:"


def read_stored(materializer: str, path: Path) -> tuple[Any, Mapping[str, str]]:
    """The table in a stored file, for `measure`; and dtypes by column where the file's own are not the user's."""
    if materializer == "numpy":
        return _read_numpy(path), {}
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


def measure_stored(materializer: str, path: Path) -> Statistics:
    """The statistics of the table in a stored file."""
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

    array = np.load(path, mmap_mode="r", allow_pickle=False)
    is_wide = array.ndim == 2 and array.shape[1] > MOST_COLUMNS_OF_ARRAY
    return array.reshape(-1) if array.ndim != 2 or is_wide else array


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
