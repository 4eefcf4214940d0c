"""Memory of loaded values, and whether anybody has written to it since: asked of the operating system.

A stored file is mapped privately. The first write to one of its pages, through whatever alias and by
whatever code, makes the kernel give this process a page of its own in place of the file's. Linux tells which
pages those are. Nothing has to be remembered or hashed, and what is told is never "unwritten" by mistake; a
page may be told as written though its bytes are the same, and wherever Linux does not answer, all are.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import weakref
from bisect import bisect, insort
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from jupyterlab_pipelines.materializers.memory import Region

SETTLED_FROM_BYTES = 1 << 18
"""From this size on, data that had to be decoded are put where writing to them can be seen."""


class Loaded(NamedTuple):
    """Memory that a loaded value lies in."""

    region: Region
    owner: weakref.ref[Any]
    """While it lives, the memory is what was loaded."""
    objects: Any = None
    """Of an array of immutable Python objects: another array of the same objects."""


_starts: list[int] = []
_loaded: dict[int, Loaded] = {}


def map_file(path: Path) -> mmap.mmap:
    """The file in memory that may be written to; the file stays as it is."""
    with path.open("rb") as file:
        mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        watch(mapping, file.fileno())
    return mapping


def watch(mapping: mmap.mmap, file: int, start: int | None = None) -> None:
    """Let writes to this private mapping of an open file be seen, where Linux tells of them.

    `start`: its address, which must be said of a mapping that is read-only.
    """
    if _is_told(file):
        start = _address(mapping) if start is None else start
        _add(Region(start, start + len(mapping)), mapping)


def watch_objects(array: Any) -> Any:
    """A copy of an array of immutable Python objects, of which can be seen whether one was replaced."""
    handed_out = array.copy()
    start = handed_out.__array_interface__["data"][0]
    # Were they not kept alive, another object could get the address of one that was replaced.
    _add(Region(start, start + handed_out.nbytes), handed_out, array)
    return handed_out


def settle(array: Any) -> Any:
    """The same plain data, where writing to them can be seen: for what had to be decoded."""
    if array.nbytes < SETTLED_FROM_BYTES:
        return array
    import numpy as np

    try:
        mapping = _in_memory_file(np.ascontiguousarray(array).reshape(-1).view(np.uint8))
    except (AttributeError, OSError):  # not Linux, or a sandbox
        return array
    return np.frombuffer(mapping, array.dtype).reshape(array.shape)


def _in_memory_file(data: Any) -> mmap.mmap:
    file = os.memfd_create("jupyterlab_pipelines")
    try:
        left = memoryview(data)
        while left:
            left = left[os.write(file, left) :]
        mapping = mmap.mmap(file, 0, access=mmap.ACCESS_COPY)
        watch(mapping, file)
        return mapping
    finally:
        os.close(file)


def find(region: Region) -> Loaded | None:
    """The loaded memory that the whole region is part of."""
    at = bisect(_starts, region.start) - 1
    if at < 0:
        return None
    loaded = _loaded[_starts[at]]
    return loaded if region.stop <= loaded.region.stop else None


def is_any() -> bool:
    """Whether anything that is still in use was loaded in a way that shows whether it was written to."""
    return bool(_starts)


def total_bytes() -> int:
    return sum(loaded.region.stop - loaded.region.start for loaded in _loaded.values())


def are_unwritten(regions: Iterable[Region]) -> bool:
    """Whether nobody has written to the pages of these regions, all of watched mappings."""
    try:
        file = os.open("/proc/self/pagemap", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return not any(_is_written(file, pages) for pages in _pages_of(regions))
    except OSError:
        return False
    finally:
        os.close(file)


def _add(region: Region, owner: Any, objects: Any = None) -> None:
    start = region.start

    def forget(gone: weakref.ref[Any]) -> None:
        if start in _loaded and _loaded[start].owner is gone:
            del _loaded[start]
            _starts.remove(start)

    if start not in _loaded:
        insort(_starts, start)
    _loaded[start] = Loaded(region, weakref.ref(owner, forget), objects)


def _address(mapping: mmap.mmap) -> int:
    first = ctypes.c_char.from_buffer(mapping)
    return ctypes.addressof(first)


def _pages_of(regions: Iterable[Region]) -> list[Region]:
    """The whole pages of the regions, those that touch as one."""
    pages: list[Region] = []
    for region in sorted(regions):
        start = region.start & -mmap.PAGESIZE
        stop = -(-region.stop // mmap.PAGESIZE) * mmap.PAGESIZE
        if pages and start <= pages[-1].stop:
            pages[-1] = Region(pages[-1].start, max(stop, pages[-1].stop))
        elif start < stop:
            pages.append(Region(start, stop))
    return pages


# -- asking Linux ----------------------------------------------------------------------------


class _PagemapScan(ctypes.Structure):
    """`struct pm_scan_arg` of linux/fs.h, Linux 6.7 and newer."""

    _fields_ = [
        (name, ctypes.c_uint64)
        for name in (
            *("size", "flags", "start", "end", "walk_end", "vec", "vec_len", "max_pages"),
            *("category_inverted", "category_mask", "category_anyof_mask", "return_mask"),
        )
    ]


_PAGEMAP_SCAN = 0xC0606610
_IS_FILE, _IS_PRESENT, _IS_SWAPPED = 1 << 2, 1 << 3, 1 << 4

_ENTRIES_AT_ONCE = 1 << 16


_devices: dict[int, bool] = {}


def _is_told(file: int) -> bool:
    """Whether this Linux tells of pages of the file that were written to: tried out once per file system.

    Sandboxes and imitations (gVisor, WSL 1) may lack the answers, or give others.
    """
    device = os.fstat(file).st_dev
    if device not in _devices:
        _devices[device] = _try(file)
    return _devices[device]


def _try(file: int) -> bool:
    length = min(os.fstat(file).st_size, mmap.PAGESIZE)
    with mmap.mmap(file, length, access=mmap.ACCESS_COPY) as trial:
        start = _address(trial)
        page = [Region(start, start + length)]
        is_right = are_unwritten(page)
        first = trial[0]
        is_right &= are_unwritten(page)
        trial[0] = first
        return is_right and not are_unwritten(page)


def _is_written(file: int, pages: Region) -> bool:
    with contextlib.suppress(OSError):
        return _scan(file, pages)
    return _read_entries(file, pages)


def _scan(file: int, pages: Region) -> bool:
    import fcntl

    found = (ctypes.c_uint64 * 3)()
    asked = _PagemapScan(
        size=ctypes.sizeof(_PagemapScan),
        start=pages.start,
        end=pages.stop,
        vec=ctypes.addressof(found),
        vec_len=1,
        max_pages=1,
        # In memory or swapped out, and not the file's.
        category_inverted=_IS_FILE,
        category_mask=_IS_FILE,
        category_anyof_mask=_IS_PRESENT | _IS_SWAPPED,
        return_mask=_IS_FILE,
    )
    found_ranges: int = fcntl.ioctl(file, _PAGEMAP_SCAN, asked)
    return found_ranges > 0


def _read_entries(file: int, pages: Region) -> bool:
    """The same from the entries of the pages, 64 bits each, which every Linux since 3.5 has."""
    first, last = pages.start // mmap.PAGESIZE, pages.stop // mmap.PAGESIZE
    for at in range(first, last, _ENTRIES_AT_ONCE):
        count = min(_ENTRIES_AT_ONCE, last - at)
        content = os.pread(file, count * 8, at * 8)
        if len(content) != count * 8:
            return True
        # All entries at once, as one large number.
        entries = int.from_bytes(content, "little")
        ones = int.from_bytes((1).to_bytes(8, "little") * count, "little")
        is_file, is_swapped, is_present = ((entries >> bit) & ones for bit in (61, 62, 63))
        if (is_present | is_swapped) & ~is_file:
            return True
    return False
