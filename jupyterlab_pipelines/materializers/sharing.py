"""Values that share mutable objects are stored together, so that they share them below as well."""

from __future__ import annotations

import gc
import itertools
import sys
import types
import weakref
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any, cast

from jupyterlab_pipelines.materializers.base import materializer_named
from jupyterlab_pipelines.materializers.definitions import is_reference, package_of
from jupyterlab_pipelines.materializers.memory import (
    Extent,
    Region,
    columns_of,
    extents_of,
    noticed_overlaps,
    shared_regions,
)
from jupyterlab_pipelines.materializers.reductions import CACHED, VIEWS

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
    extents: list[Extent] = []
    alive: list[object] = []  # so that every id stays its owner's
    for name, value in values.items():
        for thing in own_objects(value) if isinstance(value, type) else mutable_objects(value):
            alive.append(thing)
            groups.join(name, owner.setdefault(id(thing), name))
            extents.extend(extents_of(thing, name))
    for one, other in noticed_overlaps(extents):
        groups.join(cast(str, one.owner), cast(str, other.owner))
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

    ordered = {name: values[name] for name in sorted(values)}
    return canonical.digest(ordered, label="group", shared_memory=shared_memory(ordered))


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


def shared_memory(value: object) -> list[Region]:
    """The regions of memory which several arrays or frames within one value have in common."""
    if "numpy" not in sys.modules:
        return []
    alive = list(mutable_objects(value))
    return shared_regions([extent for thing in alive for extent in extents_of(thing, id(thing))])


# -- objects ---------------------------------------------------------------------------------


_ATOMS = frozenset(
    {type(None), bool, int, float, complex, str, bytes, range, slice, type(...), types.CodeType}
)
_PASSED_THROUGH = (tuple, frozenset, types.MappingProxyType, types.MethodType, *VIEWS)
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
            if not isinstance(thing, _PASSED_THROUGH):
                if _is_nobodys(thing):
                    continue
                yield thing
            following.extend(_parts(thing))
        level = following


def own_objects(definition: object) -> Iterator[Any]:
    """Mutable objects that a function or class of the notebook holds: attributes, defaults, variables."""
    if getattr(definition, "__module__", None) != "__main__":
        return
    if isinstance(definition, type):
        for member in list(vars(definition).values()):
            if isinstance(member, types.FunctionType):
                yield from own_objects(member)
            elif not isinstance(member, _OF_CLASSES):
                yield from mutable_objects(member)
    elif isinstance(definition, types.FunctionType):
        for part in _parts(definition):
            yield from () if part is None else mutable_objects(part)


_OF_CLASSES = (
    *(property, classmethod, staticmethod, types.GetSetDescriptorType, types.MemberDescriptorType),
    *(type(None), str, int, float, Enum),
)


def _is_nobodys(thing: object) -> bool:
    """Immutable, or found by name where it is loaded."""
    if isinstance(thing, (type, types.ModuleType, Enum)):
        return True
    if type(thing) is dict and "__builtins__" in thing:  # the global names of a frame or of code
        return True
    if isinstance(thing, types.BuiltinFunctionType):  # `len`, but not `xs.append`
        return isinstance(thing.__self__, (type, types.ModuleType, type(None)))
    if isinstance(thing, (types.FunctionType, CACHED)):
        return is_reference(thing)
    from jupyterlab_pipelines.materializers.canonical import is_immutable

    if is_immutable(type(thing)):
        return True
    logging = sys.modules.get("logging")
    return logging is not None and isinstance(thing, logging.Logger)


def _parts(thing: Any) -> list[Any]:
    kind = type(thing)  # not what a proxy says of itself
    np, pd = sys.modules.get("numpy"), sys.modules.get("pandas")
    if isinstance(thing, types.FunctionType):
        return [*(thing.__closure__ or ()), thing.__defaults__, thing.__kwdefaults__, thing.__dict__]
    if np is not None and issubclass(kind, np.ndarray):
        return _items_of(thing) if thing.dtype == object else []
    if pd is not None and issubclass(kind, (pd.DataFrame, pd.Series)):
        items = [_items_of(column) for column in columns_of(thing) if column.dtype == object]
        own = [getattr(thing, name, None) for name in type(thing)._metadata]  # of subclasses
        return [*itertools.chain(*items), thing.attrs, *own]
    if package_of(kind) in ("polars", "pyarrow"):
        return []
    if isinstance(thing, weakref.ref):
        return [thing()]
    return gc.get_referents(thing)


def _items_of(array: Any) -> list[Any]:
    """What is in an array of objects; nothing if all are texts and numbers, as in most columns."""
    items: list[Any] = array.ravel().tolist()
    return [] if _ATOMS.issuperset(map(type, items)) else items
