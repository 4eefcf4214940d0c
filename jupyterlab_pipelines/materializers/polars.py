"""``polars``: frames and series, as Arrow IPC written by polars itself."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jupyterlab_pipelines.materializers import canonical, mapped


class PolarsMaterializer:
    name = "polars"

    def accepts(self, value: Any) -> bool:
        """Eager frames and series, unless there are Python objects in them. Lazy ones go by pickle."""
        pl = sys.modules.get("polars")
        if pl is None:
            return False
        if type(value) is pl.Series:
            return _is_kept_by_ipc(value.dtype)
        if type(value) is not pl.DataFrame or not value.width or _is_series_in_file(value):
            return False  # the file does not say how many rows there are of no column
        return all(map(_is_kept_by_ipc, value.dtypes))

    def digest(self, value: object) -> str:
        return canonical.digest(value)

    def write(self, value: Any, path: Path) -> tuple[str, ...]:
        import polars as pl

        # A series is written as a frame of one column; the column's name tells which it was.
        is_series = isinstance(value, pl.Series)
        frame = pl.DataFrame([value.alias(_SERIES + value.name)]) if is_series else value
        try:
            # In one piece, as most frames are: many would be loaded as many.
            frame.write_ipc(path, compression="uncompressed", record_batch_size=max(1, frame.height))
        except TypeError:  # an older polars
            frame.write_ipc(path, compression="uncompressed")
        return ()

    def read(self, path: Path) -> object:
        import polars as pl

        frame = _mapped(path)
        if frame is None:
            frame = pl.read_ipc(path)
        if _is_series_in_file(frame):
            series = frame.to_series()
            return series.alias(series.name[len(_SERIES) :])
        return frame


def _mapped(path: Path) -> Any:
    """The frame in the file, mapped into memory by pyarrow where that gives the same: polars would copy it."""
    import polars as pl

    schema = pl.read_ipc_schema(path)
    plain = (
        pl.String,
        pl.Binary,
        pl.Boolean,
        pl.Date,
        pl.Time,
        pl.Datetime,
        pl.Duration,
        pl.Float32,
        pl.Float64,
    )
    whole = (pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64)
    if find_spec("pyarrow") is None or not all(dtype in (*plain, *whole) for dtype in schema.values()):
        return None
    import pyarrow as pa

    frame: Any = pl.from_arrow(
        pa.ipc.open_file(pa.py_buffer(mapped.map_file(path))).read_all(), rechunk=False
    )
    return frame if frame.schema == schema else None


_SERIES = "jupyterlab_pipelines.series:"


def _is_series_in_file(frame: Any) -> bool:
    return bool(frame.width == 1 and frame.columns[0].startswith(_SERIES))


def _is_kept_by_ipc(dtype: Any) -> bool:
    import polars as pl

    if isinstance(dtype, pl.Struct):
        return all(_is_kept_by_ipc(field.dtype) for field in dtype.fields)
    inner = getattr(dtype, "inner", None)
    return dtype != pl.Object and (inner is None or _is_kept_by_ipc(inner))


# -- canonical encoding ----------------------------------------------------------------------


def form_of(kind: type) -> Any:
    import polars as pl

    if kind is pl.DataFrame:
        return canonical.once(_frame_form)
    if kind is pl.Series:
        return canonical.once(_series_form)
    if issubclass(kind, (pl.DataType, pl.Expr)):
        return None
    return ...


def _frame_form(encoder: canonical.Encoder, frame: Any) -> tuple[object, ...]:
    return (
        "polars.DataFrame",
        frame.shape,
        tuple(_series_form(encoder, column) for column in frame.get_columns()),
    )


def _series_form(encoder: canonical.Encoder, series: Any) -> tuple[object, ...]:
    import polars as pl

    head = ("polars.Series", series.name, repr(series.dtype))
    if series.dtype == pl.Object:
        return (*head, tuple(series.to_list()))
    try:
        return (*head, encoder.column(encoder.exported(series)))
    except (ImportError, ValueError):
        # Without pyarrow, and for the few types which Arrow lacks: polars' own file, in one chunk.
        import io

        file = io.BytesIO()
        series.rechunk().to_frame().write_ipc(file, compression="uncompressed")
        return (*head, file.getvalue())


MATERIALIZER = PolarsMaterializer()
