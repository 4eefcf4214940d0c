"""Between Arrow and numpy without pandas.

pyarrow's own conversions look whether they are given something of pandas, and import it to ask: a fifth of a second
in a process that measures tables and needs nothing of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Array = npt.NDArray[Any]


def as_numpy(values: Any) -> Array:
    """What `to_numpy` gives for an Arrow array, chunked or not; a view of the same memory where that can be."""
    if isinstance(values, pa.ChunkedArray):
        chunks = values.chunks
        if not chunks:
            return as_numpy(values.combine_chunks())
        return (
            as_numpy(chunks[0]) if len(chunks) == 1 else np.concatenate([as_numpy(part) for part in chunks])
        )
    kind = values.type
    if pa.types.is_boolean(kind) and not values.null_count:
        return as_numpy(pc.cast(values, pa.uint8())).view(bool)
    if pa.types.is_floating(kind) and values.null_count and not pa.types.is_float16(kind):
        values = pc.fill_null(values, pc.cast(_NAN, kind))
    dtype = None if values.null_count else _plain_dtype(kind)
    if dtype is not None and not len(values):
        return np.empty(0, dtype)
    if dtype is None:
        return np.asarray(values.to_numpy(zero_copy_only=False))
    return np.frombuffer(values.buffers()[1], dtype, len(values), values.offset * dtype.itemsize)


def as_arrow(values: npt.NDArray[np.number[Any]]) -> Any:
    """An Arrow array over the memory of an array of numbers."""
    contiguous = np.ascontiguousarray(values)
    kind = pa.from_numpy_dtype(contiguous.dtype)
    return pa.Array.from_buffers(kind, len(contiguous), [None, pa.py_buffer(contiguous)])


def _plain_dtype(kind: Any) -> Any:
    """The dtype whose arrays have the very bytes of an Arrow array; None if there is none."""
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        sort = "f" if pa.types.is_floating(kind) else "i" if pa.types.is_signed_integer(kind) else "u"
        return np.dtype(f"{sort}{kind.bit_width // 8}")
    if pa.types.is_timestamp(kind) or pa.types.is_duration(kind):
        return np.dtype(f"{'M' if pa.types.is_timestamp(kind) else 'm'}8[{kind.unit}]")
    return None


_NAN = as_arrow(np.array([np.nan]))[0]
