"""Tables that the store keeps as pickles, or among other objects that share memory with them.

They are opened by an unpickler that knows tables, arrays and plain data alone. Whatever else lies beside or in
them, such as a model or an object of the notebook's own class, becomes an empty stand-in of the same name:
no code of it runs, and none has to be installed.
"""

from __future__ import annotations

import importlib
import io
import pickle
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jupyterlab_pipelines.materializers import container

LIBRARIES = frozenset(("numpy", "pandas", "polars", "pyarrow"))
PLAIN = frozenset(
    (
        *("builtins.bool", "builtins.bytearray", "builtins.bytes", "builtins.complex", "builtins.dict"),
        *("builtins.float", "builtins.frozenset", "builtins.int", "builtins.list", "builtins.object"),
        *("builtins.range", "builtins.set", "builtins.slice", "builtins.str", "builtins.tuple"),
        *("_codecs.encode", "collections.OrderedDict", "collections.defaultdict", "copyreg._reconstructor"),
        *("datetime.date", "datetime.datetime", "datetime.time", "datetime.timedelta", "datetime.timezone"),
        *(
            "decimal.Decimal",
            "fractions.Fraction",
            "uuid.UUID",
            "zoneinfo.ZoneInfo",
            "zoneinfo.ZoneInfo._unpickle",
        ),
    )
)
"""What is data and nothing else."""
OWN = "jupyterlab_pipelines.materializers."
BUILDERS = frozenset(("new_block", "scalar", "py_buffer"))
"""Functions of the libraries, beside those whose name begins with ``_``, that put together what is loaded."""

CLASS_MAKERS = frozenset(("_make_skeleton_class", "_make_skeleton_enum", "_builtin_type"))


class StandIn:
    """An object of which nothing is known but its class's name and what it was made of."""

    arguments: tuple[object, ...]
    state: object
    items: list[object]

    def __new__(cls, *arguments: object, **_: object) -> StandIn:
        self = super().__new__(cls)
        self.arguments, self.state, self.items = arguments, None, []
        return self

    def __init__(self, *_: object, **__: object) -> None: ...

    def __setstate__(self, state: object) -> None:
        self.state = state

    def __setitem__(self, key: object, value: object) -> None:
        self.items.append({key: value})

    def append(self, value: object) -> None:
        self.items.append(value)

    def extend(self, values: Iterable[object]) -> None:
        self.items.extend(values)

    def add(self, value: object) -> None:
        self.items.append(value)

    def __call__(self, *arguments: object, **_: object) -> StandIn:
        return StandIn(*arguments)


def _make_class(_: object, name: object = "object", *__: object) -> type:
    """Where cloudpickle would make the class of an object again: an empty one of its name."""
    return type(str(name), (StandIn,), {})


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if f"{module}.{name}" in PLAIN:
            return super().find_class(module, name)
        library = module.partition(".")[0]
        if library == "cloudpickle" and name in CLASS_MAKERS:
            return _make_class
        if library in LIBRARIES or module.startswith(OWN):
            found = super().find_class(module, name)
            # A path through attributes may lead out of the library.
            if str(getattr(found, "__module__", module)).partition(".")[0] == library and (
                module.startswith(OWN) or _puts_together(library, name, found)
            ):
                return found
        return type(name.rpartition(".")[2] or "object", (StandIn,), {"__module__": module})

    def persistent_load(self, which: Any) -> float:
        # NaNs are kept apart from each other; a statistic does not.
        if isinstance(which, str):
            return float(importlib.import_module(which).nan) if which in ("math", "numpy") else float("nan")
        return float(struct.unpack("<d", which[1])[0])


def _puts_together(library: str, name: str, found: Any) -> bool:
    """Whether it is a type of data or one of the functions that restore one, and no door to files or code."""
    if not callable(found):
        return True  # pandas.NA
    if isinstance(found, type):
        return not name.endswith(("File", "Stream", "FileSystem"))
    last = name.rpartition(".")[2]
    if library == "pyarrow":
        # Types are restored by the functions that make them.
        return not any(word in last for word in ("file", "memory_map", "stream", "pool"))
    return last.startswith("_") or last in BUILDERS


def read_pickled(path: Path, member: str | None = None) -> Any:
    """The value in a pickle of the store; of a group that of `member`."""
    pickled, buffers = container.read(path)
    value = _Unpickler(io.BytesIO(pickled), buffers=buffers).load()
    return value if member is None else value[member]
