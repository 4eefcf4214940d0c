"""Values that share mutable objects are stored together, so that they share them below as well."""

from __future__ import annotations

import gc
import sys
import types
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple, cast

from jupyterlab_pipelines.materializers.base import materializer_named
from jupyterlab_pipelines.materializers.definitions import is_reference

LOOKED_AT = 200_000
"""Objects per value. What lies beyond is taken to be shared with nobody."""


def shared_groups(values: Mapping[str, object]) -> list[frozenset[str]]:
    """Which of the names share mutable objects, directly or through another: two or more each.

    Two names share when they are the same object, when both reach a same object (a list which
    holds the other's dict), or when arrays that they reach overlap in memory. Functions and
    classes that are stored by name, modules and immutable objects are nobody's own. Arrays and
    frames are not looked into unless they hold Python objects. Of a very large value the nearest
    `LOOKED_AT` objects are looked at.
    """
    groups = _Groups(values)
    owner: dict[int, str] = {}
    memory: list[_Extent] = []
    alive: list[object] = []
    for name, value in values.items():
        for thing in _mutable_objects(value, alive):
            groups.join(name, owner.setdefault(id(thing), name))
            memory.extend(_Extent(*extent, name) for extent in _extents(thing))
    memory.sort(key=lambda extent: extent.start)
    _join_overlaps(memory, groups)
    return groups.of_several()


def write_group(values: Mapping[str, object], path: Path) -> tuple[str, ...]:
    """Write values that share objects to one file; returns the definitions as `Materializer.write`."""
    return materializer_named("pickle").write(dict(values), path)


def read_group(path: Path) -> dict[str, Any]:
    """All values of a group by name, sharing what they shared."""
    return cast("dict[str, Any]", materializer_named("pickle").read(path))


def group_digest(values: Mapping[str, object]) -> str:
    """Names, values, and what is shared among them; the order of the names does not count."""
    from jupyterlab_pipelines.materializers import canonical

    return canonical.digest({name: values[name] for name in sorted(values)}, label="group")


class _Groups:
    """Connected components of names (union-find)."""

    def __init__(self, names: Mapping[str, object]) -> None:
        self._above = {name: name for name in names}

    def _top(self, name: str) -> str:
        while self._above[name] != name:
            name = self._above[name]
        return name

    def join(self, one: str, other: str) -> None:
        self._above[self._top(one)] = self._top(other)

    def of_several(self) -> list[frozenset[str]]:
        members: dict[str, list[str]] = {}
        for name in self._above:
            members.setdefault(self._top(name), []).append(name)
        return [frozenset(names) for names in members.values() if len(names) > 1]


# -- objects ---------------------------------------------------------------------------------


_ATOMS = frozenset({type(None), bool, int, float, complex, str, bytes, range, slice, type(...), types.CodeType})
_PASSED_THROUGH = frozenset({tuple, frozenset, types.MappingProxyType, types.MethodType})
"""Immutable themselves, but what they hold may not be."""


def mutable_objects(value: object, limit: int = LOOKED_AT) -> Iterator[Any]:
    """Objects reachable from `value` that can change and are its own, nearest first."""
    seen: set[int] = set()
    level: list[Any] = [value]
    while level:
        following: list[Any] = []
        for thing in level:
            if type(thing) in _ATOMS or id(thing) in seen:
                continue
            if len(seen) >= limit:
                return
            seen.add(id(thing))
            if type(thing) not in _PASSED_THROUGH:
                if _is_nobodys(thing):
                    continue
                yield thing
            following.extend(_parts(thing))
        level = following


def _is_nobodys(thing: object) -> bool:
    """Immutable, or found by name where it is loaded."""
    if isinstance(thing, (type, types.ModuleType, types.BuiltinFunctionType, Enum)):
        return True
    if isinstance(thing, types.FunctionType):
        return is_reference(thing)
    from jupyterlab_pipelines.materializers.canonical import is_immutable

    if is_immutable(type(thing)):
        return True
    logging = sys.modules.get("logging")
    return logging is not None and isinstance(thing, logging.Logger)


def _parts(thing: Any) -> list[Any]:
    np, pd = sys.modules.get("numpy"), sys.modules.get("pandas")
    if isinstance(thing, types.FunctionType):
        return [*(thing.__closure__ or ()), thing.__defaults__, thing.__kwdefaults__, thing.__dict__]
    if np is not None and isinstance(thing, np.ndarray):
        return cast("list[Any]", thing.ravel().tolist()) if thing.dtype == object else []
    if pd is not None and isinstance(thing, (pd.DataFrame, pd.Series)):
        objects = [column.tolist() for column in _columns(thing) if column.dtype == object]
        return [*(item for column in objects for item in column), thing.attrs, getattr(thing, "__dict__", None)]
    if type(thing).__module__.partition(".")[0] in ("polars", "pyarrow"):
        return []
    return gc.get_referents(thing)


# -- memory ----------------------------------------------------------------------------------


class _Use(Enum):
    """What can be done with memory through an object."""

    CHANGE = "an array"
    LOOK = "a read-only array"
    CHANGE_OWN = "a frame, which copies before it writes to what another frame shows"


class _Extent(NamedTuple):
    start: int
    stop: int
    use: _Use
    name: str


_UNSHARED = frozenset({frozenset({_Use.LOOK}), frozenset({_Use.CHANGE_OWN})})
"""Uses of the same memory which nobody notices."""


def _extents(thing: Any) -> Iterator[tuple[int, int, _Use]]:
    """The addresses of the data of an array or a frame, and the use that is made of them."""
    np, pd = sys.modules.get("numpy"), sys.modules.get("pandas")
    if np is not None and isinstance(thing, np.ndarray):
        yield *bounds(thing), _Use.CHANGE if thing.flags.writeable else _Use.LOOK
    elif pd is not None and isinstance(thing, (pd.DataFrame, pd.Series)):
        use = _Use.CHANGE_OWN if _copies_on_write(pd) else _Use.CHANGE
        for column in _columns(thing):
            yield *bounds(column), use


def bounds(array: Any) -> tuple[int, int]:
    """The addresses of the first byte of an array and after its last."""
    first: int = array.__array_interface__["data"][0]
    if not array.size:
        return first, first
    steps = [(length - 1) * stride for length, stride in zip(array.shape, array.strides)]
    return first + sum(step for step in steps if step < 0), first + sum(s for s in steps if s > 0) + array.itemsize


def _columns(frame: Any) -> list[Any]:
    """The columns that are NumPy arrays."""
    import numpy as np

    series = [frame] if frame.ndim == 1 else [frame.iloc[:, position] for position in range(frame.shape[1])]
    return [np.asarray(each.array) for each in series if isinstance(each.dtype, np.dtype)]


def _copies_on_write(pd: Any) -> bool:
    return int(pd.__version__.partition(".")[0]) >= 3 or pd.options.mode.copy_on_write is True


def _join_overlaps(extents: list[_Extent], groups: _Groups) -> None:
    """Join the names of extents, sorted by their starts, that overlap and can be told to."""
    open_extents: list[_Extent] = []
    for extent in extents:
        open_extents = [each for each in open_extents if each.stop > extent.start]
        for each in open_extents:
            if each.name != extent.name and frozenset({each.use, extent.use}) not in _UNSHARED:
                groups.join(each.name, extent.name)
        if extent.stop > extent.start and not any(
            each.stop >= extent.stop and (each.name, each.use) == (extent.name, extent.use) for each in open_extents
        ):
            open_extents.append(extent)
