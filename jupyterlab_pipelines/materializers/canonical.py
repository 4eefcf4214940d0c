"""The canonical encoding of values, and its hash: what a digest is a digest of.

The encoding is a pickle stream without memo, so that neither memory addresses nor interning can
be seen in it, hashed while it is written. Whatever plain pickle would encode by accident of the
process is replaced by a *form*: a tuple that begins with what it is a form of.

- A mutable object met again is encoded as the number of its first meeting. So sharing of mutable
  objects counts, cycles end, and sharing of immutable ones does not count.
- Sets are encoded in the order of the digests of their elements; dicts keep their order.
- Arrays, frames and columns become type, shape, names, dtypes and one hash of the data each: see
  `form_of` in the module of their library. Chunks and bytes under nulls do not count.
- Functions and classes that travel by value are encoded without file names and line numbers,
  those that travel by name as their name: see `definitions`.
"""

from __future__ import annotations

import builtins
import dis
import functools
import importlib
import io
import itertools
import pickle
import re
import types
import weakref
from collections.abc import Callable, Hashable, Iterator
from enum import Enum
from hashlib import blake2b
from types import SimpleNamespace
from typing import Any, cast

from jupyterlab_pipelines.materializers.definitions import is_of_notebook, is_reference, package_of
from jupyterlab_pipelines.materializers.memory import Region, find_region, region_of
from jupyterlab_pipelines.materializers.reductions import VIEWS, behind, is_dispatching, memory_of

DIGEST_BYTES = 16

Form = Callable[["Encoder", Any], "tuple[object, ...] | None"]
"""Makes the encoding of an object: a tuple of encodable parts, or None for pickle's own way."""

Met = dict[Hashable, tuple[int, object]]

LIBRARIES = {"numpy": "numpy", "pandas": "pandas", "polars": "polars", "pyarrow": "arrow"}
"""Top-level package → our module whose `form_of` knows the types of that package."""


def digest(value: object, label: str = "value", shared_memory: list[Region] | None = None) -> str:
    """BLAKE2b-128 of the canonical encoding of `value`, in hexadecimal.

    Where arrays lie within the regions `shared_memory` counts as well: see `sharing`.

    Raises
    ------
    NotCarriableError : something in the value cannot leave this process.
    """
    from jupyterlab_pipelines.materializers.obstacles import explaining

    with explaining(value):
        hasher = labelled_hash(label)
        Encoder(hasher, {}, shared_memory or []).dump(value)
        return cast(str, hasher.hexdigest())


def new_hash() -> Any:
    return blake2b(digest_size=DIGEST_BYTES)


def labelled_hash(label: str) -> Any:
    hasher = new_hash()
    hasher.update(label.encode() + b"\0")
    return hasher


class Encoder(pickle.Pickler):
    """Hashes one value.

    Parameters
    ----------
    met
        Mutable objects met so far: id → number and the object, which is kept alive so that its
        id stays its own; and regions of shared memory.
    shared_memory
        In which several arrays of the value lie.
    """

    def __init__(self, hasher: Any, met: Met, shared_memory: list[Region]) -> None:
        super().__init__(cast(Any, SimpleNamespace(write=hasher.update)), protocol=5)
        self.fast = True  # no memo: the same str twice and two equal ones encode alike
        self.met = met
        self.shared_memory = shared_memory
        self._forms: dict[type, Form | None] = dict(_PYTHON_FORMS)

    def persistent_id(self, thing: Any) -> Any:
        kind = type(thing)
        try:
            form = self._forms[kind]
        except KeyError:
            form = self._forms[kind] = self.form_of(kind)
        return None if form is None else form(self, thing)

    def form_of(self, kind: type) -> Form | None:
        """How objects of this type are encoded; asked once for each type."""
        return _form_of(kind)

    def meet(self, thing: object) -> tuple[object, ...] | None:
        """The encoding of a mutable object met before; None at the first meeting."""
        known = self.met.get(id(thing))
        if known is not None:
            return ("met", known[0])
        self.met[id(thing)] = (len(self.met), thing)
        return None

    def place(self, array: Any) -> tuple[int, int] | None:
        """Which shared memory the array lies in, and how far from the first array met in it."""
        region = find_region(array, self.shared_memory) if self.shared_memory else None
        if region is None:
            return None
        start = region_of(array).start
        number, first = self.met.setdefault(region, (len(self.met), start))
        return number, start - cast(int, first)

    # -- data: what `unchanged` encodes otherwise --------------------------------------------

    def data(self, arrays: list[Any]) -> list[object]:
        """The encoding of the plain data of each NumPy array."""
        from jupyterlab_pipelines.materializers.numpy import hash_columns

        return cast("list[object]", hash_columns(arrays))

    def masked(self, data: Any, mask: Any) -> Any:
        """The data of a nullable column: whatever lies under a missing value is an accident."""
        import numpy as np

        return np.where(mask, np.zeros(1, data.dtype), data)

    def objects(self, array: Any) -> tuple[object, ...]:
        """The encoding of what is in a NumPy array of Python objects."""
        return tuple(array.ravel().tolist())

    def column(self, column: Any) -> tuple[object, ...]:
        """The encoding of an Arrow array."""
        from jupyterlab_pipelines.materializers.arrow import column_form

        return column_form(column)

    def exported(self, series: Any) -> Any:
        """A series of polars as an Arrow array."""
        return series.to_arrow()

    def within(self, hasher: Any) -> Encoder:
        """For a part of the value, hashed by itself."""
        return Encoder(hasher, self.met, self.shared_memory)


def is_immutable(kind: type) -> bool:
    """Whether objects of this type never change, so that sharing one makes no difference."""
    form = _PYTHON_FORMS[kind] if kind in _PYTHON_FORMS else _form_of(kind)
    return form is not Encoder.meet and not hasattr(form, "__wrapped__")


def once(form: Form) -> Form:
    """The form of a mutable object: the whole at the first meeting, then its number."""

    @functools.wraps(form)
    def form_once(encoder: Encoder, thing: Any) -> tuple[object, ...] | None:
        return encoder.meet(thing) or form(encoder, thing)

    return form_once


def _form_of(kind: type) -> Form | None:
    if issubclass(kind, type):
        return _class_form
    if issubclass(kind, Enum):
        return None
    for base in kind.__mro__:
        library = LIBRARIES.get(package_of(base))
        if library is not None:
            module = importlib.import_module(f"jupyterlab_pipelines.materializers.{library}")
            form = module.form_of(kind)
            if form is not ...:
                return cast("Form | None", form)
    if (kind.__module__, kind.__qualname__) == ("matplotlib.cbook", "CallbackRegistry"):
        return once(_listeners_form)
    if issubclass(kind, _FILES) and not issubclass(kind, (io.BytesIO, io.StringIO)):
        return _refuse
    if package_of(kind) in _MODULES_OF_IMMUTABLES or kind in _IMMUTABLE:
        return None
    if issubclass(kind, _IMMUTABLE_BASES) and not kind.__dictoffset__:
        return None
    return Encoder.meet


# -- Python's own objects --------------------------------------------------------------------


_FILES = (io.FileIO, io.TextIOWrapper, io.BufferedIOBase)

_MODULES_OF_IMMUTABLES = frozenset(
    {"datetime", "decimal", "fractions", "ipaddress", "pathlib", "uuid", "zoneinfo"}
)

_IMMUTABLE: frozenset[type] = frozenset({re.Pattern, types.GenericAlias, types.UnionType})

_IMMUTABLE_BASES = (tuple, frozenset, str, bytes, int, float, complex)
"""Whose subclasses are immutable as well unless they have attributes: named tuples, for example."""


def _refuse(encoder: Encoder, thing: object) -> tuple[object, ...] | None:
    raise pickle.PicklingError(f"cannot pickle {type(thing).__name__!r} object")


def _listeners_form(encoder: Encoder, registry: object) -> tuple[object, ...]:
    """Who listens to a figure is not part of it; pickling advances a counter in the registry."""
    return ("matplotlib.cbook.CallbackRegistry",)


def _set_form(encoder: Encoder, elements: set[object] | frozenset[object]) -> tuple[object, ...]:
    kinds = set(map(type, elements))
    if len(kinds) == 1 and kinds <= {str, bytes, int}:
        return (type(elements).__name__, tuple(sorted(elements)))  # type: ignore[type-var]
    met_before = len(encoder.met)

    def place(element: object) -> bytes:
        hasher = labelled_hash("element")
        encoder.within(hasher).dump(element)
        # Every element is judged as if it were the first, or their order would depend on it.
        while len(encoder.met) > met_before:
            encoder.met.popitem()
        return cast(bytes, hasher.digest())

    return (type(elements).__name__, tuple(sorted(elements, key=place)))


def _function_form(encoder: Encoder, function: types.FunctionType) -> tuple[object, ...] | None:
    if is_reference(function):
        return ("definition", function.__module__, function.__qualname__)
    if is_dispatching(function):
        return _dispatching_form(encoder, function)
    return encoder.meet(function) or (
        "function",
        function.__module__,
        function.__qualname__,
        function.__code__,
        function.__defaults__,
        function.__kwdefaults__,
        function.__closure__,
        function.__doc__,
        function.__dict__,
        None
        if is_of_notebook(function)  # it reads the names of whoever calls it, see `globals_read`
        else tuple(
            (name, function.__globals__[name])
            for name in sorted(globals_read(function.__code__) & function.__globals__.keys())
        ),
    )


def globals_read(code: types.CodeType) -> set[str]:
    """Global names that a function with this code, or one within it, may read when it is called."""
    names: set[str] = set()
    todo = [code]
    while todo:
        code = todo.pop()
        todo.extend(const for const in code.co_consts if isinstance(const, types.CodeType))
        names.update(
            instruction.argval
            for instruction in dis.get_instructions(code)
            if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME")
        )
    return names


def _code_form(encoder: Encoder, code: types.CodeType) -> tuple[object, ...]:
    """What the code does: no file, no lines."""
    return (
        "code",
        code.co_name,
        code.co_code,
        code.co_consts,
        code.co_names,
        code.co_varnames,
        code.co_freevars,
        code.co_cellvars,
        (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags),
        getattr(code, "co_exceptiontable", b""),
    )


_MADE_BY_PYTHON = frozenset(
    {
        "__abstractmethods__",
        "__annotate__",
        "__annotate_func__",
        "__annotations_cache__",
        "__dict__",
        "__firstlineno__",
        "__module__",
        "__slotnames__",
        "__static_attributes__",
        "__weakref__",
        "_abc_impl",
    }
)


def _class_form(encoder: Encoder, cls: type) -> tuple[object, ...] | None:
    if is_reference(cls):
        return ("definition", cls.__module__, cls.__qualname__)
    if cls.__module__ == "builtins":
        return None if hasattr(builtins, cls.__name__) else ("type", cls.__name__)
    again = encoder.meet(cls)
    if again is not None:
        return again
    members: Iterator[tuple[str, object]] = (
        (name, member)
        for name, member in sorted(vars(cls).items())
        if name not in _MADE_BY_PYTHON
        and not isinstance(member, (types.MemberDescriptorType, types.GetSetDescriptorType))
    )
    if issubclass(cls, Enum):
        values = tuple((name, member.value) for name, member in cls.__members__.items())
        methods = ((name, member) for name, member in members if isinstance(member, types.FunctionType))
        members = iter([("members", values), *((n, m) for n, m in methods if not n.startswith("_"))])
    if type(cls).__module__ == "abc" or hasattr(cls, "_abc_impl"):
        references, *_ = importlib.import_module("_abc")._get_dump(cls)
        others = {other.__qualname__: other for reference in references if (other := reference()) is not None}
        members = itertools.chain(members, sorted(others.items()))
    # A class that travels by value loses the outer classes' part of its qualified name.
    return ("class", cls.__module__, cls.__name__, type(cls), cls.__bases__, tuple(members))


@once
def _cell_form(encoder: Encoder, cell: types.CellType) -> tuple[object, ...] | None:
    try:
        return ("cell", cell.cell_contents)
    except ValueError:
        return ("empty cell",)


def _cached_form(encoder: Encoder, function: Any) -> tuple[object, ...] | None:
    """A function under `functools.lru_cache`, with what it remembers."""
    if is_reference(function):
        return ("definition", function.__module__, function.__qualname__)
    parameters = function.cache_parameters()
    return encoder.meet(function) or (
        "lru_cache",
        tuple(parameters.items()),
        function.__wrapped__,
        tuple(function.cache_info()),
        tuple(memory_of(function).items() if parameters["maxsize"] is None else memory_of(function)),
    )


def _dispatching_form(encoder: Encoder, function: Any) -> tuple[object, ...]:
    return encoder.meet(function) or ("singledispatch", tuple(function.registry.items()))


def _match_form(encoder: Encoder, match: re.Match[Any]) -> tuple[object, ...]:
    return ("re.Match", match.re, match.string, match.pos, match.endpos, match.regs)


_PYTHON_FORMS: dict[type, Form | None] = {
    **dict.fromkeys((type(None), type(...), type(NotImplemented), bool, int, float, complex, str, bytes)),
    **dict.fromkeys((tuple, range, slice, types.BuiltinFunctionType, types.MethodType)),
    **dict.fromkeys((list, dict, bytearray), Encoder.meet),
    set: once(_set_form),
    frozenset: _set_form,
    types.FunctionType: _function_form,
    types.CodeType: _code_form,
    types.CellType: _cell_form,
    types.ModuleType: lambda encoder, module: ("module", module.__name__),
    types.MappingProxyType: lambda encoder, proxy: ("mappingproxy", behind(proxy)),
    re.Match: _match_form,
    property: lambda encoder, p: ("property", p.fget, p.fset, p.fdel, p.__doc__),
    classmethod: lambda encoder, method: ("classmethod", method.__func__),
    staticmethod: lambda encoder, method: ("staticmethod", method.__func__),
    type(functools.lru_cache(lambda: None)): _cached_form,
    **dict.fromkeys(VIEWS, lambda encoder, view: (type(view).__name__, behind(view))),
    weakref.WeakSet: once(lambda encoder, elements: ("WeakSet", set(elements))),
    memoryview: _refuse,
}
