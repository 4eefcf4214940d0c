"""``pickle``: whatever can be pickled, by cloudpickle where there is one, protocol 5."""

from __future__ import annotations

import functools
import io
import pickle
import sys
import types
from pathlib import Path
from typing import Any

from jupyterlab_pipelines.materializers import canonical, container
from jupyterlab_pipelines.materializers.definitions import definition_name, is_reference
from jupyterlab_pipelines.materializers.memory import Region, bytes_of, find_region, view
from jupyterlab_pipelines.materializers.obstacles import NEVER_CARRIED, explaining
from jupyterlab_pipelines.materializers.sharing import shared_memory

_BESIDE_FROM_BYTES = 4096
"""Smaller buffers stay in the pickle."""


class PickleMaterializer:
    name = "pickle"

    def accepts(self, value: object) -> bool:
        return True

    def digest(self, value: object) -> str:
        return canonical.digest(value, shared_memory=shared_memory(value))

    def write(self, value: object, path: Path) -> tuple[str, ...]:
        file = io.BytesIO()
        buffers: list[memoryview] = []

        def keep_inside(buffer: pickle.PickleBuffer) -> bool:
            raw = buffer.raw()
            if raw.nbytes < _BESIDE_FROM_BYTES:
                return True
            buffers.append(raw)
            return False

        with explaining(value):
            pickler = _pickler_class()(file, protocol=5, buffer_callback=keep_inside)
            pickler.regions = {region: bytes_of(region) for region in shared_memory(value)}
            pickler.dump(value)
        container.write(path, file.getbuffer(), buffers)
        return tuple(sorted(pickler.referenced))

    def read(self, path: Path) -> object:
        pickled, buffers = container.read(path)
        return pickle.loads(pickled, buffers=buffers)


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

        def reducer_override(self, thing: Any) -> Any:
            if isinstance(thing, _DEFINITIONS):
                name = definition_name(thing)
                if name is not None:
                    self.referenced.add(name)
                    return NotImplemented
                if isinstance(thing, _CACHED) and not is_reference(thing):
                    return _cached, (thing.__wrapped__, thing.cache_parameters())
            elif isinstance(thing, NEVER_CARRIED):
                raise pickle.PicklingError(f"cannot pickle {type(thing).__name__!r} object")
            elif _is_array_of_numbers(thing):
                region = find_region(thing, list(self.regions)) if self.regions else None
                if region is not None and thing is not self.regions[region]:
                    return _as_view(thing, region, self.regions[region])
                if not thing.flags.forc and not thing.flags.writeable:
                    return _as_contiguous(thing).__reduce_ex__(5)
            return super().reducer_override(thing)

    return Pickler


_CACHED = type(functools.lru_cache(lambda: None))
_DEFINITIONS = (type, types.FunctionType, _CACHED)


def _cached(function: Any, parameters: dict[str, Any]) -> Any:
    return functools.lru_cache(**parameters)(function)


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
