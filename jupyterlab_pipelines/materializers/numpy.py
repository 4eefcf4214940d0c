"""``numpy``: plain arrays as ``.npy``, mapped into memory where they are large."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jupyterlab_pipelines.materializers import canonical, mapped
from jupyterlab_pipelines.materializers.reductions import has_attributes

MAPPED_FROM_BYTES = 1 << 24
"""From this size on a file is mapped, so that loading costs nothing; a smaller one is read, and
the array owns its memory as most arrays do."""

_READ_ONLY = b"read-only"
"""Stands behind the data of an array that nobody may write to, as pandas hands out those of its columns."""

_THREADS_FROM_BYTES = 1 << 25
_THREADS = 8
"""Other steps want their share of the processors."""

_COLUMNS_AT_ONCE = 8
_ROWS_AT_ONCE = 4096
"""Of columns that are strided: so many rows of so many columns fit the processor's cache."""


class NumpyMaterializer:
    name = "numpy"

    def accepts(self, value: Any) -> bool:
        """Arrays, not of a subclass, of data that lie in the array itself."""
        np = sys.modules.get("numpy")
        is_array = np is not None and type(value) is np.ndarray
        return is_array and _is_kept_by_npy(value.dtype)

    def digest(self, value: object) -> str:
        return canonical.digest(value)

    def write(self, value: Any, path: Path) -> tuple[str, ...]:
        import numpy as np

        with path.open("wb") as file:
            np.lib.format.write_array(file, value, allow_pickle=False)
            if not value.flags.writeable:
                file.write(_READ_ONLY)
        return ()

    def read(self, path: Path) -> object:
        import numpy as np

        if path.stat().st_size < MAPPED_FROM_BYTES:
            with path.open("rb") as file:
                array = np.lib.format.read_array(file, allow_pickle=False)
                is_read_only = file.read() == _READ_ONLY
            # Only an array that owns its memory can be resized.
            array = array if array.flags.owndata else array.copy(order="K")
        else:
            # "c" is copy on write: the value may be changed in place, the file is not.
            memory = np.lib.format.open_memmap(path, mode="c")
            mapping: Any = memory.base
            with path.open("rb") as file:
                mapped.watch(mapping, file.fileno())
                is_read_only = path.stat().st_size > memory.offset + memory.nbytes
            array = memory.view(np.ndarray)
        array.flags.writeable = not is_read_only
        return array


def _is_kept_by_npy(dtype: Any) -> bool:
    import numpy as np

    if dtype.hasobject or dtype.kind not in "biufcmMSUV" or dtype.metadata:
        return False
    if dtype.fields is None:
        # Fails for types of other packages, such as bfloat16, whose name means another to NumPy.
        return bool(dtype.subdtype is None and np.dtype(dtype.str) == dtype)
    if not all(name.isascii() and _is_kept_by_npy(field[0].base) for name, field in dtype.fields.items()):
        return False
    written = np.lib.format.descr_to_dtype(np.lib.format.dtype_to_descr(dtype))
    return bool(
        written == dtype and written.isalignedstruct == dtype.isalignedstruct and written.type is dtype.type
    )


# -- canonical encoding ----------------------------------------------------------------------


def form_of(kind: type) -> Any:
    import numpy as np

    if kind is np.ndarray:
        return canonical.once(_array_form)
    if kind is np.ma.MaskedArray:
        return canonical.once(_masked_form)
    if issubclass(kind, np.ndarray) and has_attributes(kind):
        return canonical.once(_subclass_form)
    if issubclass(kind, np.generic) and kind.__module__ == "numpy" and kind is not np.void:
        return _scalar_form
    if issubclass(kind, (np.dtype, np.ufunc)):
        return None
    return ...


def _subclass_form(encoder: canonical.Encoder, array: Any) -> tuple[object, ...]:
    import numpy as np

    return ("numpy.ndarray", type(array), array.view(np.ndarray), vars(array))


def _scalar_form(encoder: canonical.Encoder, scalar: Any) -> tuple[object, ...]:
    import numpy as np

    return ("numpy scalar", scalar.dtype.str, hash_array(np.asarray(scalar)))


def _array_form(encoder: canonical.Encoder, array: Any) -> tuple[object, ...] | None:
    if array.dtype.kind == "O" and array.dtype.fields is None:
        return ("numpy.ndarray", array.dtype, array.shape, order_of(array), encoder.objects(array))
    if array.dtype.hasobject or array.dtype.kind not in "biufcmMSUV":
        return None
    traits = (array.dtype, array.shape, order_of(array), array.flags.writeable, encoder.place(array))
    return ("numpy.ndarray", *traits, *encoder.data([in_memory_order(array)]))


def _masked_form(encoder: canonical.Encoder, array: Any) -> tuple[object, ...]:
    import numpy as np

    # The mask and the fill value are made when they are first asked for.
    return ("numpy.ma.MaskedArray", array.data, np.ma.getmaskarray(array), array.fill_value, array.hardmask)


def order_of(array: Any) -> str:
    """Memory order, as far as a stored array keeps it."""
    return "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"


def in_memory_order(array: Any) -> Any:
    """The array or its transpose, whose C order is the order of the array in memory."""
    return array.T if order_of(array) == "F" else array


def hash_array(array: Any) -> bytes:
    """Hash of the data alone, in the array's memory order; padding is not data."""
    return hash_columns([in_memory_order(array)])[0]


def hash_columns(columns: list[Any]) -> list[bytes]:
    """Hash of the data of each array, in C order; strided ones of equal length go side by side."""
    hashers = [canonical.new_hash() for _ in columns]
    jobs: list[Callable[[], None]] = []
    strided: dict[int, list[tuple[Any, Any]]] = {}
    for column, hasher in zip(columns, hashers, strict=True):
        if column.dtype.fields is not None or column.dtype.char in "gG":
            for part in _parts(column):
                hasher.update(hash_array(part))
        elif column.flags.c_contiguous:
            jobs.append(functools.partial(hasher.update, _bytes_of(column)))
        else:
            strided.setdefault(len(column), []).append((column, hasher))
    for side_by_side in strided.values():
        for start in range(0, len(side_by_side), _COLUMNS_AT_ONCE):
            jobs.append(functools.partial(_hash_strided, side_by_side[start : start + _COLUMNS_AT_ONCE]))
    _do(jobs, is_worth_threads=sum(column.nbytes for column in columns) >= _THREADS_FROM_BYTES)
    return [hasher.digest() for hasher in hashers]


def _hash_strided(side_by_side: list[tuple[Any, Any]]) -> None:
    length = len(side_by_side[0][0])
    for start in range(0, length, _ROWS_AT_ONCE):
        for column, hasher in side_by_side:
            hasher.update(_bytes_of(column[start : start + _ROWS_AT_ONCE]))


def _do(jobs: list[Callable[[], None]], *, is_worth_threads: bool) -> None:
    if not is_worth_threads or len(jobs) < 2:
        for job in jobs:
            job()
        return
    from concurrent.futures import ThreadPoolExecutor

    # hashlib lets other threads run while it hashes. None is left behind: a step may fork.
    with ThreadPoolExecutor(min(len(jobs), os.cpu_count() or 1, _THREADS)) as threads:
        for done in [threads.submit(job) for job in jobs]:
            done.result()


def _bytes_of(array: Any) -> Any:
    import numpy as np

    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)


def _parts(array: Any) -> list[Any]:
    """Fields of a structured array, and what is not padding of extended precision numbers."""
    import numpy as np

    if array.dtype.fields is not None:
        return [array[name] for name in array.dtype.names]
    if np.finfo(np.longdouble).nmant != 63:
        return [np.ascontiguousarray(array).reshape(-1).view(np.uint8)]
    return [np.ascontiguousarray(array).reshape(-1).view(np.uint8).reshape(-1, 16)[:, :10]]


MATERIALIZER = NumpyMaterializer()
