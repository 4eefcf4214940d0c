"""Which arrays and frames lie in the same memory, so that a change to one is seen in the other."""

from __future__ import annotations

import sys
from collections.abc import Hashable, Iterator
from enum import Enum
from typing import Any, NamedTuple


class Use(Enum):
    """What is done with memory through an object."""

    CHANGE = "an array"
    LOOK = "a read-only array"
    CHANGE_OWN = "a frame, which copies before it writes to what another frame shows"


_UNNOTICED = frozenset({frozenset({Use.LOOK}), frozenset({Use.CHANGE_OWN})})
"""Uses of the same memory of which nobody can tell that it is the same."""


class Region(NamedTuple):
    """Addresses of memory, from the first byte to the one after the last."""

    start: int
    stop: int


class Extent(NamedTuple):
    """Where an array or a column lies, and the whole allocation if it is part of a frame."""

    start: int
    stop: int
    use: Use
    owner: Hashable
    whole: Region


def extents_of(thing: Any, owner: Hashable) -> Iterator[Extent]:
    """The extents of an array or a frame; nothing for other objects, and for arrays of objects."""
    kind = type(thing)  # not what a proxy says of itself
    np, pd = sys.modules.get("numpy"), sys.modules.get("pandas")
    if np is not None and issubclass(kind, np.ndarray):
        use = Use.CHANGE if thing.flags.writeable else Use.LOOK
        region = region_of(thing)
        yield Extent(*region, use, owner, region)
    elif pd is not None and issubclass(kind, (pd.DataFrame, pd.Series)):
        use = Use.CHANGE_OWN if _copies_on_write(pd) else Use.CHANGE
        for column in columns_of(thing):
            # Its columns lie in blocks, and a block is stored as one.
            yield Extent(*region_of(column), use, owner, region_of(_allocation(column)))


def region_of(array: Any) -> Region:
    first: int = array.__array_interface__["data"][0]
    if array.flags.forc:
        return Region(first, first + array.nbytes)
    if not array.size:
        return Region(first, first)
    steps = [(length - 1) * stride for length, stride in zip(array.shape, array.strides, strict=True)]
    before, after = sum(step for step in steps if step < 0), sum(step for step in steps if step > 0)
    return Region(first + before, first + after + array.itemsize)


def _allocation(array: Any) -> Any:
    import numpy as np

    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def columns_of(frame: Any) -> list[Any]:
    """The columns that are NumPy arrays."""
    import numpy as np

    if frame.ndim == 1:
        columns = [frame]
    elif hasattr(frame, "_iter_column_arrays"):  # the same, without making a series of each column
        columns = list(frame._iter_column_arrays())
    else:
        columns = [frame.iloc[:, position] for position in range(frame.shape[1])]
    return [np.asarray(each) for each in columns if isinstance(each.dtype, np.dtype)]


def _copies_on_write(pd: Any) -> bool:
    return int(pd.__version__.partition(".")[0]) >= 3 or pd.options.mode.copy_on_write is True


def noticed_overlaps(extents: list[Extent]) -> Iterator[tuple[Extent, Extent]]:
    """Pairs of different owners' extents that overlap and can be told to."""
    still_open: list[Extent] = []
    for extent in sorted(extents, key=lambda extent: extent.start):
        if extent.stop == extent.start:
            continue
        still_open = [each for each in still_open if each.stop > extent.start]
        for each in still_open:
            if each.owner != extent.owner and frozenset({each.use, extent.use}) not in _UNNOTICED:
                yield each, extent
        still_open.append(extent)


def shared_regions(extents: list[Extent]) -> list[Region]:
    """The memory of what overlaps noticeably, in order, disjoint."""
    regions = sorted({extent.whole for pair in noticed_overlaps(extents) for extent in pair})
    merged: list[Region] = []
    for region in regions:
        if merged and region.start < merged[-1].stop:
            merged[-1] = Region(merged[-1].start, max(merged[-1].stop, region.stop))
        else:
            merged.append(region)
    return merged


def find_region(array: Any, regions: list[Region]) -> Region | None:
    """The one of the ordered `regions` in which the array lies."""
    from bisect import bisect

    start, stop = region_of(array)
    at = bisect(regions, start, key=lambda region: region.start) - 1
    if at >= 0 and start < stop <= regions[at].stop:
        return regions[at]
    return None


def bytes_of(region: Region) -> Any:
    """The bytes of a region as an array; whoever owns the memory must be kept alive."""
    import ctypes

    import numpy as np

    size = region.stop - region.start
    return np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(region.start))


def view(memory: Any, offset: int, dtype: Any, shape: Any, strides: Any, is_writeable: bool) -> Any:
    """An array in the memory of another one."""
    import numpy as np

    array = np.ndarray(shape, dtype, memory, offset, strides)
    array.flags.writeable = is_writeable
    return array
