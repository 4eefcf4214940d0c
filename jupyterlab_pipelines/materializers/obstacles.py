"""Says in a person's words why a value cannot be carried, and where in it the obstacle is."""

from __future__ import annotations

import copyreg
import io
import tempfile
import threading
import types
import weakref
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jupyterlab_pipelines.materializers.base import NotCarriableError
from jupyterlab_pipelines.materializers.definitions import is_of_notebook

_LOOKED_AT = 10_000
"""Objects that are looked at in search of the obstacle."""

NEVER_CARRIED = (
    io.FileIO,
    io.TextIOWrapper,
    io.BufferedReader,
    io.BufferedWriter,
    io.BufferedRandom,
    memoryview,
    weakref.finalize,
    tempfile.TemporaryDirectory,
    tempfile._TemporaryFileWrapper,
)
"""Cloudpickle would carry these as something else, such as an open file as its text, or they clean up behind
themselves when their process ends."""


@contextmanager
def explaining(value: object) -> Iterator[None]:
    """Within it, an exception of pickling becomes a `NotCarriableError` that names the obstacle."""
    try:
        yield
    except (NotCarriableError, MemoryError):
        raise
    except RecursionError as error:
        raise NotCarriableError("The value is nested too deeply to be stored.") from error
    except Exception as error:
        raise _error(value, error) from error


def _error(value: object, error: Exception) -> NotCarriableError:
    for path, thing in _walk(value):
        if _is_obstacle(thing):
            kind = _name_of(type(thing))
            where = f"`{path}` is a `{kind}`, which" if path else f"A `{kind}`"
            return NotCarriableError(
                f"{where} cannot be stored: it lives in the process that made it.",
                path=path,
                type=kind,
            )
    return NotCarriableError(
        f"A `{_name_of(type(value))}` cannot be stored: {error}.",
        type=_name_of(type(value)),
    )


def _walk(value: object) -> Iterator[tuple[str, object]]:
    """Objects reachable from `value` with their paths, ``.model['a'][0].lock``, nearest first."""
    todo: deque[tuple[str, Any]] = deque([("", value)])
    seen: dict[int, object] = {}
    while todo and len(seen) < _LOOKED_AT:
        path, thing = todo.popleft()
        if id(thing) in seen:
            continue
        seen[id(thing)] = thing
        yield path, thing
        if isinstance(thing, dict):
            todo.extend((f"{path}[{key!r:.40}]", each) for key, each in thing.items())
        elif isinstance(thing, (list, tuple)):
            todo.extend((f"{path}[{position}]", each) for position, each in enumerate(thing))
        elif isinstance(thing, (set, frozenset)):
            todo.extend((f"{path}{{…}}", each) for each in thing)
        elif isinstance(thing, types.FunctionType):
            cells = zip(thing.__code__.co_freevars, thing.__closure__ or (), strict=True)
            todo.extend((f"{path}.<closure>.{name}", cell.cell_contents) for name, cell in cells)
            if not is_of_notebook(thing):
                names = set(thing.__code__.co_names) & thing.__globals__.keys()
                todo.extend((f"{path}.<global>.{name}", thing.__globals__[name]) for name in sorted(names))
        elif not isinstance(thing, (type, types.ModuleType)):
            todo.extend((f"{path}.{name}", each) for name, each in getattr(thing, "__dict__", {}).items())


def _is_obstacle(thing: object) -> bool:
    if isinstance(thing, (*NEVER_CARRIED, threading.Thread)):
        return True
    if isinstance(thing, (type, types.FunctionType, types.ModuleType, types.CodeType)):
        return False
    if type(thing) in copyreg.dispatch_table or (type(thing).__module__ == "builtins" and _is_plain(thing)):
        return False
    try:
        thing.__reduce_ex__(5)
    except Exception:
        return True
    return False


def _is_plain(thing: object) -> bool:
    return isinstance(thing, (dict, list, tuple, set, frozenset, str, bytes, bytearray, int, float, complex))


def _name_of(kind: type) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
