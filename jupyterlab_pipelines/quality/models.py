"""What is in a model: the arrays of numbers that it consists of, whichever library made it.

A model lies in the store as a pickle. `pickled` opens it without its library: the objects in it are stand-ins
that keep what they were made of, so its coefficients, trees and layers are found under their own names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from jupyterlab_pipelines.errors import UsageError
from jupyterlab_pipelines.quality.pickled import StandIn
from jupyterlab_pipelines.quality.statistics import Statistics, measure

MOST_ARRAYS = 1_000
MOST_TOLD = 100
"""Arrays that are measured; the others are counted."""
MOST_OBJECTS = 100_000
DEEPEST = 12


def arrays_in(value: object) -> dict[str, Any]:
    """The arrays of numbers in a model or a container, by their paths, such as ``steps.1.coef_``."""
    import numpy as np

    found: dict[str, Any] = {}
    todo: list[tuple[str, object, int]] = [("", value, 0)]
    seen: set[int] = set()
    while todo and len(found) < MOST_ARRAYS and len(seen) < MOST_OBJECTS:
        path, each, depth = todo.pop()
        if isinstance(each, np.ndarray):
            if each.dtype.names and each.size:
                # The nodes of trees.
                fields = each.dtype.names
                todo += [(f"{path}.{name}", np.asarray(each[name]), depth + 1) for name in reversed(fields)]
            elif each.dtype.kind in "iufc" and each.size:
                found[path.strip(".") or "values"] = each
                continue
            elif each.dtype.kind != "O":
                continue
        if id(each) in seen or depth > DEEPEST:
            continue
        seen.add(id(each))
        todo += [(f"{path}.{name}", part, depth + 1) for name, part in reversed(list(_parts(each)))]
    return found


def _parts(thing: object) -> Iterator[tuple[str, object]]:
    import numpy as np

    if isinstance(thing, StandIn):
        for part in (thing.arguments, thing.state):
            if isinstance(part, dict):
                yield from ((str(name), each) for name, each in part.items())
            elif isinstance(part, tuple | list):
                # What an object was made from has no names of its own.
                yield from (
                    ("" if isinstance(each, dict | StandIn) else str(at), each)
                    for at, each in enumerate(part)
                )
        yield from (("", each) for each in thing.items)
    elif isinstance(thing, dict):
        yield from ((str(name), each) for name, each in thing.items())
    elif isinstance(thing, list | tuple) or (isinstance(thing, np.ndarray) and thing.dtype == object):
        yield from ((str(at), each) for at, each in enumerate(thing))


def measure_arrays(arrays: Mapping[str, Any]) -> Statistics:
    """Each array as a column of its own length; `rows` is how many numbers there are in all.

    Raises
    ------
    UsageError
        There are none.
    """
    if not arrays:
        raise UsageError("no_numbers", "There are no arrays of numbers in it.")
    columns = []
    for name, array in list(arrays.items())[:MOST_TOLD]:
        (column,) = measure(array.reshape(-1)).columns
        shape = " × ".join(map(str, array.shape))
        columns.append(replace(column, name=name, dtype=f"{array.dtype} {shape}"))
    return Statistics(rows=sum(array.size for array in arrays.values()), columns=tuple(columns))
