"""Which functions and classes a stored value refers to by name, and which it contains.

The notebook's own definitions travel as source and are defined in ``__main__`` before a value is
loaded. A value which refers to them by name therefore meets the very same class on the other
side, so that ``isinstance``, members of enums and dataclasses work as in one process.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_carried: ContextVar[Collection[str]] = ContextVar("carried_definitions", default=frozenset())
_ambiguous: ContextVar[Collection[str]] = ContextVar("ambiguous_definitions", default=frozenset())


@contextmanager
def carried_definitions(names: Collection[str], ambiguous: Collection[str] = ()) -> Iterator[None]:
    """Within it, the definitions `names` of ``__main__`` are stored by name.

    Classes with one of the names `ambiguous`, which the notebook defines more than once, and their objects
    are not stored at all: nobody could say on the other side which of the classes is meant.

    All other functions and classes of ``__main__`` are stored by value, as cloudpickle does. A
    digest counts a definition that is stored by name *as its name*: whoever reuses the value has
    to compare the source of what `Materializer.write` says it refers to. Likewise a function that is
    stored by value reads global names of the notebook in which it is called, not of where it was stored.
    """
    token, other = _carried.set(frozenset(names)), _ambiguous.set(frozenset(ambiguous))
    try:
        yield
    finally:
        _carried.reset(token)
        _ambiguous.reset(other)


def is_reference(thing: object) -> bool:
    """Whether a function or class can be found by module and qualified name where it is loaded."""
    module_name = getattr(thing, "__module__", None)
    path = getattr(thing, "__qualname__", None)
    if not isinstance(module_name, str) or not isinstance(path, str):
        return False
    if module_name == "__main__" and path.partition(".")[0] not in _carried.get():
        return False
    found: object = sys.modules.get(module_name)
    for name in path.split("."):
        found = getattr(found, name, None)
    return found is thing


def package_of(kind: type) -> str:
    """The top-level package that made a class; "" where the class does not say, as those made by sympy."""
    module_name = getattr(kind, "__module__", None)
    return module_name.partition(".")[0] if isinstance(module_name, str) else ""


def is_ambiguous(cls: type) -> bool:
    """Whether the notebook defines several classes of this name."""
    return cls.__module__ == "__main__" and cls.__qualname__.partition(".")[0] in _ambiguous.get()


def definition_name(thing: object) -> str | None:
    """The top-level name in ``__main__`` of a carried definition, None for anything else."""
    if getattr(thing, "__module__", None) == "__main__" and is_reference(thing):
        return str(thing.__qualname__).partition(".")[0]  # type: ignore[attr-defined]
    return None


def is_of_notebook(function: types.FunctionType) -> bool:
    """Whether its global names are those of the notebook."""
    return function.__globals__ is vars(sys.modules["__main__"])
