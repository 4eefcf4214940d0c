"""How objects are pickled that Python, or cloudpickle, would bring back as something else.

`reduction_of` gives what `__reduce__` would, or None for all that need no help:

- views of dicts and read-only proxies, which cloudpickle would cut off from their dict;
- exceptions whose `__init__` takes other arguments than were given to `Exception`, and their causes;
- objects with `__getattr__`, which would be asked for `__setstate__` before they have any attribute;
- attributes of array subclasses; matches of regular expressions; types that only `types` knows by name;
- functions under `functools.lru_cache` with what they remember, and under `functools.singledispatch`.
"""

from __future__ import annotations

import copyreg
import functools
import gc
import pickle
import re
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

VIEWS: dict[type, str] = {type({}.keys()): "keys", type({}.values()): "values", type({}.items()): "items"}
CACHED = type(functools.lru_cache(lambda: None))

_TYPES = {kind: name for name, kind in sorted(vars(types).items()) if isinstance(kind, type)}
_OWN_PICKLING = ("__getnewargs__", "__getnewargs_ex__", "__setstate__")


def reduction_of(thing: Any) -> tuple[Any, ...] | None:
    kind = type(thing)
    if kind in VIEWS:
        return _view, (behind(thing), VIEWS[kind])
    reduce = _REDUCTIONS.get(kind)
    if reduce is not None:
        return reduce(thing)
    if isinstance(thing, BaseException):
        return _exception_parts(thing)
    if "__getattr__" in vars(kind) or hasattr(kind, "__getattr__"):
        return _object_parts(thing)
    np = sys.modules.get("numpy")
    if np is not None and isinstance(thing, np.ndarray) and has_attributes(kind):
        return _array_parts(thing)
    return None


# -- dicts ---------------------------------------------------------------------------------------


def behind(view: Any) -> Any:
    """The dict that a view or a proxy shows."""
    return gc.get_referents(view)[0]


def _proxy_parts(proxy: Any) -> tuple[Any, ...]:
    return types.MappingProxyType, (behind(proxy),)


def _view(shown: dict[Any, Any], name: str) -> Any:
    return getattr(shown, name)()


# -- objects with a state of their own -----------------------------------------------------------


def _exception_parts(error: BaseException) -> tuple[Any, ...] | None:
    kind = type(error)
    if kind.__reduce__ is not BaseException.__reduce__:
        return None
    links = (error.__cause__, error.__context__, error.__suppress_context__)
    made_of = (kind, error.args)
    return _new_exception, made_of, (dict(error.__dict__), links), None, None, _complete_exception


def _new_exception(kind: type[BaseException], arguments: tuple[Any, ...]) -> BaseException:
    return kind.__new__(kind, *arguments)


def _complete_exception(error: BaseException, state: Any) -> None:
    attributes, (cause, context, is_suppressed) = state
    error.__dict__.update(attributes)
    error.__cause__, error.__context__ = cause, context
    error.__suppress_context__ = is_suppressed


def _object_parts(thing: Any) -> tuple[Any, ...] | None:
    kind = type(thing)
    hooks = ("__reduce_ex__", "__reduce__", "__new__", "__getstate__")
    is_plain = all(getattr(kind, name, None) is getattr(object, name, None) for name in hooks) and not any(
        hasattr(kind, name) for name in _OWN_PICKLING
    )
    if not is_plain or not hasattr(kind, "__dict__"):
        return None
    attributes = object.__getattribute__(thing, "__dict__") if kind.__dictoffset__ else {}
    slots = {}
    for name in copyreg._slotnames(kind):  # type: ignore[attr-defined]
        try:
            slots[name] = object.__getattribute__(thing, name)
        except AttributeError:  # not set
            continue
    return object.__new__, (kind,), (attributes, slots), None, None, _complete_object


def _complete_object(thing: Any, state: Any) -> None:
    attributes, slots = state
    if attributes:
        object.__getattribute__(thing, "__dict__").update(attributes)
    for name, value in slots.items():
        object.__setattr__(thing, name, value)


def has_attributes(kind: type) -> bool:
    """Whether arrays of a subclass have attributes, which NumPy's own reduction forgets."""
    import numpy as np

    is_numpys = kind.__module__.partition(".")[0] == "numpy"
    reduce: Any = kind.__reduce__
    return not is_numpys and reduce is np.ndarray.__reduce__ and bool(kind.__dictoffset__)


def _array_parts(array: Any) -> tuple[Any, ...] | None:
    attributes = getattr(array, "__dict__", None)
    if not attributes:
        return None
    make, arguments, state = array.__reduce__()
    return make, arguments, (state, attributes), None, None, _complete_array


def _complete_array(array: Any, state: Any) -> None:
    own, attributes = state
    array.__setstate__(own)
    array.__dict__.update(attributes)


# -- what Python refuses -------------------------------------------------------------------------


def _match_parts(match: re.Match[Any]) -> tuple[Any, ...]:
    span = (match.pos, match.endpos)
    for how in ("search", "match", "fullmatch"):
        again = getattr(match.re, how)(match.string, *span)
        if again is not None and again.regs == match.regs:
            return _match, (match.re, how, match.string, *span)
    again = match.re.match(match.string, match.start(), match.endpos)  # of `finditer`
    if again is not None and again.regs == match.regs:
        return _match, (match.re, "match", match.string, match.start(), match.endpos)
    raise pickle.PicklingError("cannot pickle this match of a regular expression")


def _match(pattern: re.Pattern[Any], how: str, *arguments: Any) -> Any:
    return getattr(pattern, how)(*arguments)


def type_parts(kind: type) -> tuple[Any, ...] | None:
    """For `type(lambda: 0)`, which is called `function` but is not found under that name."""
    if kind.__module__ == "builtins" and kind in _TYPES and not hasattr(types, kind.__name__):
        import builtins

        return None if hasattr(builtins, kind.__name__) else (_type, (_TYPES[kind],))
    return None


def _type(name: str) -> Any:
    return getattr(types, name)


# -- functions of functools ----------------------------------------------------------------------


def is_dispatching(thing: Any) -> bool:
    """Whether it is what `functools.singledispatch` makes of a function."""
    return (
        isinstance(thing, types.FunctionType)
        and thing.__globals__ is vars(functools)
        and ({"register", "dispatch", "registry"} <= vars(thing).keys())
    )


def dispatching_parts(function: Any) -> tuple[Any, ...]:
    implementations = [(kind, each) for kind, each in function.registry.items() if kind is not object]
    made_of = (function.registry[object],)
    return functools.singledispatch, made_of, (implementations,), None, None, _complete_dispatching


def _complete_dispatching(function: Any, state: Any) -> None:
    for kind, implementation in state[0]:
        function.register(kind, implementation)


def memory_of(function: Any) -> dict[Any, Any]:
    """The dict in which a function under `lru_cache` remembers results; without a limit, by its key."""
    dicts = [part for part in gc.get_referents(function) if type(part) is dict and part is not vars(function)]
    return dicts[0] if dicts and function.cache_info().currsize else {}


def _remembered(function: Any) -> Iterator[tuple[tuple[Any, ...], dict[str, Any], Any]]:
    """Arguments and result of each call that a function under `lru_cache` remembers."""
    parameters = function.cache_parameters()
    for key, result in list(memory_of(function).items()):
        arguments, keywords = _arguments_of(key, parameters["typed"])
        if parameters["maxsize"] is not None:
            result = function(*arguments, **keywords)  # it is at hand: nothing is called
        yield arguments, keywords, result


def _arguments_of(key: Any, typed: bool) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What `functools` made a key of: ``(1, 2, <mark>, "a", 3, int, int, int)``, or a lone argument."""
    if type(key) in (int, str):
        return (key,), {}
    parts = list(key)
    mark = next((place for place, part in enumerate(parts) if type(part) is object), None)
    if mark is None:
        return tuple(parts[: len(parts) // 2] if typed else parts), {}
    keywords = parts[mark + 1 :]
    if typed:  # names and values, then a type for each positional argument and each value
        keywords = keywords[: (len(keywords) - mark) // 3 * 2]
    return tuple(parts[:mark]), dict(zip(keywords[::2], keywords[1::2], strict=True))


def cached_parts(function: Any) -> tuple[Any, ...]:
    hits = function.cache_info().hits
    state = (list(_remembered(function)), hits)
    made_of = (function.__wrapped__, function.cache_parameters())
    return _cached, made_of, state, None, None, _complete_cached


class _Remembering:
    """A function, until it is told otherwise; meanwhile it answers what it is given."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.answers: list[Any] = []

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        return self.answers.pop() if self.answers else self.function(*arguments, **keywords)


def _cached(function: Any, parameters: dict[str, Any]) -> Any:
    remembering = _Remembering(function)
    cached: Any = functools.lru_cache(**parameters)(remembering)
    functools.update_wrapper(cached, function)
    return cached


def _complete_cached(cached: Any, state: Any) -> None:
    calls, hits = state
    remembering = next(part for part in gc.get_referents(cached) if type(part) is _Remembering)
    for arguments, keywords, answer in calls:
        remembering.answers = [answer]
        cached(*arguments, **keywords)
    remembering.answers = []
    for _ in range(hits if calls else 0):
        cached(*calls[-1][0], **calls[-1][1])


_REDUCTIONS: dict[type, Callable[[Any], tuple[Any, ...] | None]] = {
    types.MappingProxyType: _proxy_parts,
    re.Match: _match_parts,
}
