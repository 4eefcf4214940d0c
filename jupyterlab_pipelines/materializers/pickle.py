"""``pickle``: whatever can be pickled, by cloudpickle where there is one, protocol 5."""

from __future__ import annotations

import builtins
import contextlib
import functools
import importlib
import io
import pickle
import struct
import sys
import types
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard, cast

from jupyterlab_pipelines.materializers import canonical, container, reductions
from jupyterlab_pipelines.materializers.definitions import (
    definition_name,
    is_ambiguous,
    is_of_notebook,
    is_reference,
)
from jupyterlab_pipelines.materializers.memory import Region, bytes_of, find_region, view
from jupyterlab_pipelines.materializers.obstacles import NEVER_CARRIED, explaining
from jupyterlab_pipelines.materializers.set_order import Recipe, fill, recipe
from jupyterlab_pipelines.materializers.sharing import shared_memory

_BESIDE_FROM_BYTES = 4096
"""Smaller buffers stay in the pickle."""

_OWNED_UP_TO_BYTES = 1 << 20


class PickleMaterializer:
    name = "pickle"

    def accepts(self, value: object) -> bool:
        return True

    def digest(self, value: object) -> str:
        label = f"value, {_name_of_nan(value)}.nan" if _name_of_nan(value) else "value"
        return canonical.digest(value, label, shared_memory=shared_memory(value))

    def write(self, value: object, path: Path) -> tuple[str, ...]:
        with explaining(value):
            regions = shared_memory(value)
            pickled = _dump(_pickler_class(), value, regions)
            # Where the bytes may be those of a set or of a NaN, it is worth a closer look.
            content = pickled.stream.getvalue()
            ways = _ways_to_fill_sets(value) if pickle.EMPTY_SET in content else []
            has_nan = any(start in content for start in _STARTS_OF_NAN)
            if ways or has_nan:
                pickled = _dump(
                    _pickler_with_nan() if has_nan else _pickler_class(),
                    _WithSets(value, ways) if ways else value,
                    regions,
                )
        container.write(path, pickled.stream.getbuffer(), pickled.buffers)
        return tuple(sorted(pickled.referenced))

    def read(self, path: Path) -> object:
        pickled, buffers = container.read(path)
        return _Unpickler(io.BytesIO(pickled), buffers=buffers).load()


@dataclass(frozen=True, slots=True)
class _Pickled:
    stream: io.BytesIO
    buffers: list[memoryview]
    referenced: set[str]


def _dump(pickler_class: Any, value: object, regions: Iterable[Region]) -> _Pickled:
    stream = io.BytesIO()
    buffers: list[memoryview] = []

    def keep_inside(buffer: pickle.PickleBuffer) -> bool:
        raw = buffer.raw()
        if raw.nbytes < _BESIDE_FROM_BYTES:
            return True
        buffers.append(raw)
        return False

    pickler = pickler_class(stream, protocol=5, buffer_callback=keep_inside)
    pickler.regions = {region: bytes_of(region) for region in regions}
    pickler.dump(value)
    return _Pickled(stream, buffers, pickler.referenced)


_Ways = list[tuple[set[Any], Recipe]]


def _ways_to_fill_sets(value: object) -> _Ways:
    """The sets in a value that would iterate in another order after loading, each with its recipe."""
    sets: dict[int, set[Any]] = {}

    class Spy(_pickler_class()):  # type: ignore[misc]
        def persistent_id(self, thing: Any) -> None:
            if issubclass(type(thing), set):
                sets[id(thing)] = thing

    _dump(Spy, value, ())
    ways = ((elements, recipe(elements)) for elements in sets.values())
    return [(elements, way) for elements, way in ways if way is not None]


@dataclass(frozen=True, slots=True)
class _WithSets:
    """Stands for a value in its pickle."""

    value: object
    ways: _Ways

    def __reduce__(self) -> Any:
        return _fill_sets, (self.value, self.ways)


def _fill_sets(value: object, ways: _Ways) -> object:
    for elements, way in ways:
        fill(elements, way)
    return value


_STARTS_OF_NAN = (pickle.BINFLOAT + b"\x7f\xf8", pickle.BINFLOAT + b"\xff\xf8")


@functools.cache
def _pickler_with_nan() -> Any:
    """One that keeps apart which NaN is which, as `np.nan in values` does."""

    class Pickler(_pickler_class()):  # type: ignore[misc]
        def persistent_id(self, thing: Any) -> Any:
            if type(thing) is not float or thing == thing:
                return None
            return _name_of_nan(thing) or (id(thing), struct.pack("<d", thing))

    return Pickler


_KNOWN_NANS = ("numpy", "math")
"""Modules that have one, as `nan`."""


def _name_of_nan(value: object) -> str | None:
    """The module whose `nan` it is."""
    if type(value) is not float:
        return None
    return next((name for name in _KNOWN_NANS if value is getattr(sys.modules.get(name), "nan", None)), None)


class _Unpickler(pickle.Unpickler):
    def persistent_load(self, which: Any) -> float:
        if isinstance(which, str):
            return cast(float, importlib.import_module(which).nan)
        nans = self.__dict__.setdefault("nans", {})
        return cast(float, nans.setdefault(which, struct.unpack("<d", which[1])[0]))


@functools.cache
def _pickler_class() -> Any:
    """Cloudpickle's pickler if this environment has it, else the standard one, with our reductions."""
    try:
        from cloudpickle import CloudPickler as Base
    except ImportError:
        Base = _PlainPickler

    class Pickler(Base):  # type: ignore[misc]
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self.referenced: set[str] = set()
            self.regions: dict[Region, Any] = {}
            self.cells: dict[int, tuple[object, _Cell]] = {}

        def reducer_override(self, thing: Any) -> Any:
            if isinstance(thing, _DEFINITIONS):
                name = definition_name(thing)
                if name is not None:
                    self.referenced.add(name)
                    return NotImplemented
                if isinstance(thing, type) and is_ambiguous(thing):
                    raise pickle.PicklingError(f"the notebook defines {thing.__qualname__!r} more than once")
                if isinstance(thing, type):
                    self._note_names(thing)
                    parts = reductions.type_parts(thing)
                    return _made_once(super().reducer_override(thing), thing) if parts is None else parts
                if isinstance(thing, reductions.CACHED) and not is_reference(thing):
                    return reductions.cached_parts(thing)
                if reductions.is_dispatching(thing) and not is_reference(thing):
                    return reductions.dispatching_parts(thing)
                if Base is not _PlainPickler and _is_made_in_notebook(thing):
                    self.referenced |= canonical.globals_read(thing.__code__) - vars(builtins).keys()
                    return _function_by_value(thing, self._cell)
            elif isinstance(thing, NEVER_CARRIED):
                raise pickle.PicklingError(f"cannot pickle {type(thing).__name__!r} object")
            elif _is_array_of_numbers(thing):
                region = find_region(thing, list(self.regions)) if self.regions else None
                if region is not None and thing is not self.regions[region]:
                    return _as_view(thing, region, self.regions[region])
                if not thing.flags.forc and not thing.flags.writeable:
                    return _as_contiguous(thing).__reduce_ex__(5)
                if thing.flags.owndata and thing.flags.writeable and thing.nbytes < _OWNED_UP_TO_BYTES:
                    # As a buffer of the pickle it would not own its memory, and could not be resized.
                    return thing.__reduce__()
            else:
                parts = reductions.reduction_of(thing)
                if parts is not None:
                    return parts
            return super().reducer_override(thing)

        def _note_names(self, cls: type) -> None:
            """A class that is stored by value may be changed by a later step, by its name."""
            if cls.__module__ == "__main__":
                names = vars(sys.modules["__main__"]).items()
                self.referenced.update(name for name, value in list(names) if value is cls)

        def _cell(self, cell: Any) -> _Cell:
            # The cell is kept, so that no other one gets its id.
            return self.cells.setdefault(id(cell), (cell, _Cell()))[1]

    return Pickler


_complete: weakref.WeakSet[type] = weakref.WeakSet()
"""Classes that came by value, or went: what is loaded later must not set them back."""


def _made_once(parts: Any, cls: type) -> Any:
    """The reduction of a class by value, whose content counts only where the class is not there yet.

    Several stored values bring their class with them; cloudpickle makes one class of them.
    """
    if not isinstance(parts, tuple) or len(parts) != 6:
        return parts
    _complete.add(cls)
    make, arguments, state, items, pairs, setter = parts
    return make, arguments, (setter, state), items, pairs, _complete_class


def _complete_class(cls: type, state: Any) -> None:
    if cls not in _complete:
        _complete.add(cls)
        setter, content = state
        setter(cls, content)


def _is_made_in_notebook(thing: Any) -> TypeGuard[types.FunctionType]:
    return isinstance(thing, types.FunctionType) and not is_reference(thing) and is_of_notebook(thing)


class _Cell:
    """Stands for a variable of a closure, which several functions may share and which may hold them."""

    def __reduce__(self) -> Any:
        return types.CellType, ()


def _function_by_value(function: Any, cell_for: Callable[[Any], _Cell]) -> Any:
    """Reduce a function of the notebook to its code, and what it holds.

    Cloudpickle would copy the global names that it reads as well. A function that was made in one step and
    is called in another reads what they stand for there.
    """
    cells = function.__closure__ or ()
    contents = {}
    for number, cell in enumerate(cells):
        with contextlib.suppress(ValueError):  # not assigned yet
            contents[number] = cell.cell_contents
    attributes = {name: getattr(function, name) for name in _FUNCTION_ATTRIBUTES}
    state = (attributes, function.__dict__, contents)
    made_of = (function.__code__, tuple(cell_for(cell) for cell in cells))
    return _function, made_of, state, None, None, _complete_function


_FUNCTION_ATTRIBUTES = (
    *("__name__", "__qualname__", "__module__", "__doc__"),
    *("__defaults__", "__kwdefaults__", "__annotations__"),
)


def _function(code: types.CodeType, cells: tuple[types.CellType, ...]) -> types.FunctionType:
    return types.FunctionType(code, vars(sys.modules["__main__"]), closure=cells or None)


def _complete_function(function: Any, state: Any) -> None:
    attributes, own, contents = state
    for name, value in attributes.items():
        setattr(function, name, value)
    function.__dict__.update(own)
    for number, value in contents.items():
        function.__closure__[number].cell_contents = value


_DEFINITIONS = (type, types.FunctionType, reductions.CACHED)


class _PlainPickler(pickle.Pickler):
    def reducer_override(self, thing: Any) -> Any:
        if isinstance(thing, _DEFINITIONS) and getattr(thing, "__module__", None) == "__main__":
            raise pickle.PicklingError(
                f"`{thing.__qualname__}` is defined in the notebook where only cloudpickle can store it; "
                "install cloudpickle into this kernel's environment"
            )
        return NotImplemented


def _is_array_of_numbers(thing: Any) -> bool:
    np = sys.modules.get("numpy")
    return np is not None and type(thing) is np.ndarray and not thing.dtype.hasobject


def _as_view(array: Any, region: Region, memory: Any) -> Any:
    """Reduce an array to its place in memory that it shares with others of the same value."""
    offset = array.__array_interface__["data"][0] - region.start
    return view, (memory, offset, array.dtype, array.shape, array.strides, array.flags.writeable)


def _as_contiguous(array: Any) -> Any:
    """A copy that is read-only as well, which NumPy's reduction of a strided array forgets."""
    copy = array.copy(order="C")
    copy.flags.writeable = array.flags.writeable
    return copy


MATERIALIZER = PickleMaterializer()
