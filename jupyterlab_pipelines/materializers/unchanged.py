"""A cheap proof that a loaded value is as it was loaded, whatever was done with it since.

The digest of a value reads all of its data. A *snapshot* is made like a digest, with two differences:

- Data in a file that is mapped are encoded as the place where they lie. They are the same as long as nobody
  wrote to that place, which the operating system knows: see `mapped`.
- An array of immutable Python objects is encoded as its place, too. It is the same as long as its pointers
  are those of another array, which keeps the objects alive.

Everything else, such as names, dtypes, attributes and small arrays, is encoded as in a digest. So what a digest
would notice a snapshot notices, or the pages say it. The reverse need not hold: it is the digest that says
that a value *has* changed.
"""

from __future__ import annotations

import mmap
import sys
import weakref
from typing import Any

from jupyterlab_pipelines.materializers import canonical, mapped
from jupyterlab_pipelines.materializers.memory import Region, bytes_of, region_of

ENCODED_BYTES = 1 << 16
ENCODED_SHARE = 512
"""What is encoded other than by its place may be so large, and one of so many loaded bytes. Of a value of which
more would have to be encoded no snapshot is made: comparing it would cost too much."""

_POINTERS_AT_ONCE = 1 << 14
"""So many fit the processor's cache."""


class Snapshot:
    """How a value was encoded when it was loaded. Keeps neither the value nor its memory alive."""

    def __init__(self, value: object) -> None:
        self._places = _Places.of(value)

    def proves(self, value: object) -> bool:
        """Whether `value`, the very object of the snapshot, certainly is what it was."""
        try:
            now = _Places.of(value)
        except Exception:  # it has become too large, or what cannot be encoded
            return False
        return now == self._places and now.are_unwritten()


def snapshot(value: object) -> Snapshot | None:
    """The snapshot of a value that was loaded just now; None if its digest is the cheapest proof there is."""
    if not mapped.is_any():
        return None
    try:
        taken = Snapshot(value)
    except Exception:  # too large without its places, or with parts that only pickle knows
        return None
    return taken if taken._places.regions or taken._places.arrays else None


class _TooDearError(Exception):
    """The value cannot be encoded cheaply, or not without calling somebody else's code."""


class _Places:
    """What a value consists of: the hash of its encoding, and the places of its data."""

    def __init__(self) -> None:
        self.hasher = canonical.labelled_hash("snapshot")
        self.bytes_left = ENCODED_BYTES + mapped.total_bytes() // ENCODED_SHARE
        self.owners: list[weakref.ref[Any]] = []
        self.regions: list[Region] = []
        self.arrays: list[mapped.Loaded] = []

    @classmethod
    def of(cls, value: object) -> _Places:
        places = cls()
        _Encoder(places.hasher, {}, places).dump(value)
        return places

    def __eq__(self, other: object) -> bool:
        # An owner that is gone may have left its place to another one.
        return (
            isinstance(other, _Places)
            and self.hasher.digest() == other.hasher.digest()
            and len(self.owners) == len(other.owners)
            and all(one is another for one, another in zip(self.owners, other.owners, strict=True))
        )

    def are_unwritten(self) -> bool:
        return all(map(_holds_the_same, self.arrays)) and mapped.are_unwritten(self.regions)

    def spend(self, count: int) -> None:
        self.bytes_left -= count
        if self.bytes_left < 0:
            raise _TooDearError

    def add(self, region: Region) -> None:
        """Columns follow each other in a file: of a wide frame a few regions are left."""
        last = self.regions[-1] if self.regions else Region(0, 0)
        if 0 <= region.start - last.stop < mmap.PAGESIZE:
            self.regions[-1] = Region(last.start, region.stop)
        else:
            self.regions.append(region)

    def find(self, region: Region) -> mapped.Loaded | None:
        loaded = mapped.find(region)
        if loaded is not None and (not self.owners or self.owners[-1] is not loaded.owner):
            self.owners.append(loaded.owner)
        return loaded


def _holds_the_same(loaded: mapped.Loaded) -> bool:
    import numpy as np

    now, before = (bytes_of(region).view(np.intp) for region in (loaded.region, region_of(loaded.objects)))
    parts = (slice(at, at + _POINTERS_AT_ONCE) for at in range(0, len(now), _POINTERS_AT_ONCE))
    return all(np.array_equal(now[part], before[part]) for part in parts)


class _Encoder(canonical.Encoder):
    """Encodes data by their place."""

    def __init__(self, hasher: Any, met: canonical.Met, places: _Places) -> None:
        super().__init__(_Spending(hasher, places), met, [])
        self.places = places

    def form_of(self, kind: type) -> canonical.Form | None:
        if not _is_encoded_by_us(kind):
            raise _TooDearError
        return super().form_of(kind)

    def within(self, hasher: Any) -> canonical.Encoder:
        return _Encoder(hasher, self.met, self.places)

    def data(self, arrays: list[Any]) -> list[object]:
        return [self._array(array) for array in arrays]

    def masked(self, data: Any, mask: Any) -> Any:
        return data

    def objects(self, array: Any) -> tuple[object, ...]:
        region = region_of(array)
        loaded = self.places.find(region)
        if loaded is None:
            self.places.spend(array.size)
            return super().objects(array)
        self.places.arrays.append(loaded)
        return ("objects", region.start, array.strides)

    def exported(self, series: Any) -> Any:
        import polars as pl
        import pyarrow as pa

        newest = pl.CompatLevel.newest()  # converts nothing
        return pa.chunked_array([chunk.to_arrow(compat_level=newest) for chunk in series.get_chunks()])

    def column(self, column: Any) -> tuple[object, ...]:
        import pyarrow as pa

        chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
        return (str(column.type), *map(self._chunk, chunks))

    def _array(self, array: Any) -> object:
        """Where it lies; of an array that was not loaded what is in it as well."""
        if not array.size:
            return "empty"
        region = region_of(array)
        # One object is encoded faster than several.
        place = f"{region.start} {array.dtype.str} {array.shape} {array.strides}"
        if self.places.find(region) is not None:
            self.places.add(region)
            return place
        self.places.spend(array.nbytes)
        return (place, *super().data([array]))

    def _chunk(self, array: Any) -> tuple[object, ...]:
        """Where an Arrow array and what it consists of lie."""
        buffers = tuple(None if buffer is None else self._buffer(buffer) for buffer in array.buffers())
        return (len(array), array.offset, buffers, *map(self._chunk, _children(array)))

    def _buffer(self, buffer: Any) -> tuple[object, ...]:
        region = Region(buffer.address, buffer.address + buffer.size)
        if self.places.find(region) is not None:
            self.places.add(region)
            return tuple(region)
        self.places.spend(buffer.size)
        return (*region, buffer.to_pybytes())


class _Spending:
    """A hasher that takes so much and no more."""

    def __init__(self, hasher: Any, places: _Places) -> None:
        self._hasher = hasher
        self._places = places

    def update(self, data: Any) -> None:
        self._places.spend(len(data))
        self._hasher.update(data)


def _children(array: Any) -> list[Any]:
    """Arrays that an Arrow array consists of, each with an offset of its own."""
    import pyarrow as pa

    dtype = array.type
    if isinstance(dtype, pa.BaseExtensionType):
        return [array.storage]
    if pa.types.is_dictionary(dtype):
        return [array.indices, array.dictionary]
    if pa.types.is_list(dtype) or pa.types.is_large_list(dtype) or pa.types.is_fixed_size_list(dtype):
        return [array.values]
    if pa.types.is_struct(dtype):
        return [array.field(position) for position in range(dtype.num_fields)]
    if dtype.num_fields:
        raise _TooDearError
    return []


def _is_encoded_by_us(kind: type) -> bool:
    """Whether an object of the type can be encoded without calling code of the notebook's or of its packages.

    Such code may change what it is asked about, and would be called before the step begins.
    """
    package = kind.__module__.partition(".")[0]
    if package in sys.stdlib_module_names or package in canonical.LIBRARIES or issubclass(kind, type):
        return True
    ways = ("__reduce_ex__", "__reduce__", "__getstate__", "__getnewargs__", "__getnewargs_ex__")
    is_plain = all(getattr(kind, way, None) is getattr(object, way, None) for way in ways)
    return is_plain and not issubclass(kind, (list, dict, set, frozenset))
