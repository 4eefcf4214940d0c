"""State of the process that can be neither stored nor set anew: threads, processes, hooks, modules' own state.

A step that changes it leaves an output that cannot be stored. So all steps after it go on in its kernel,
where they find it as *Restart & Run All* would. Only what the notebook itself does counts: packages set hooks
and start threads when they are imported, which they do in every kernel.
"""

from __future__ import annotations

import builtins
import functools
import importlib
import importlib.machinery
import os
import signal
import sys
import threading
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from jupyterlab_pipelines.artifact import AMBIENT
from jupyterlab_pipelines.kernel.runtime.commands import children, command_line
from jupyterlab_pipelines.materializers import digest_of

HOOKS = ("stdin", "stdout", "stderr", "displayhook", "excepthook", "unraisablehook")
SET_BY_IPYTHON = frozenset({"_", "__IPYTHON__", "get_ipython", "display"})
SIGNALS = tuple(map(int, signal.valid_signals()))

_handler_of: Any = importlib.import_module("_signal").getsignal
"""As `signal.getsignal`, which looks each handler up among the members of an enumeration."""


class LocalModules:
    """The modules beside the notebook: what they held when they had just been imported.

    Parameters
    ----------
    is_local
        Whether a file is the project's own.
    look
        Called with the path of each file that an import of the notebook's looks for in vain.
    """

    def __init__(self, is_local: Callable[[str], bool], look: Callable[[str], None]) -> None:
        self._is_local = is_local
        self._look = look
        self._fresh: dict[str, dict[str, str]] = {}
        # Before the finder of ordinary modules, after those of the interpreter's own.
        finders: list[Any] = sys.meta_path
        ordinary = importlib.machinery.PathFinder
        finders.insert(finders.index(ordinary) if ordinary in finders else len(finders), self)

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """As `importlib.abc.MetaPathFinder` has it."""
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        loader: Any = None if spec is None else spec.loader
        if spec is None and self._is_asked_by_user():
            for entry in sys.path if path is None else path:
                place = os.path.join(entry, name.rpartition(".")[2])
                self._look(f"{place}.py")
                self._look(os.path.join(place, "__init__.py"))
        if spec is None or not spec.has_location or not self._is_local(str(spec.origin)):
            return None  # not ours to look at: the next finder says the same
        execute = getattr(loader, "exec_module", None)
        if execute is not None:

            def exec_module(module: types.ModuleType) -> None:
                execute(module)
                self._fresh[name] = _of_module(module)

            with suppress(AttributeError):  # a loader with slots: its module is not looked at
                loader.exec_module = exec_module
        return spec

    def _is_asked_by_user(self) -> bool:
        frame = sys._getframe(2)
        while frame.f_back is not None and "importlib" in frame.f_code.co_filename:
            frame = frame.f_back
        return frame.f_globals.get("__name__") in {"__main__", *self._fresh}

    def changed(self) -> Iterator[tuple[str, dict[str, str]]]:
        """Names of modules that hold something else by now, with what they hold."""
        for name, fresh in self._fresh.items():
            module = sys.modules.get(name)
            if module is not None and (now := _of_module(module)) != fresh:
                yield name, now

    @property
    def names(self) -> list[str]:
        """Of those that were imported."""
        return list(self._fresh)

    def is_users(self, thing: Any) -> bool:
        """Whether a function, class or object was made by the notebook's or the project's own code."""
        home = getattr(thing, "__module__", None) or type(thing).__module__
        return home == "__main__" or home in self._fresh


def _of_module(module: types.ModuleType) -> dict[str, str]:
    """Digests of a module's own data, and of its classes'."""
    found = {}
    for name, value in list(vars(module).items()):
        if name.startswith("__") or isinstance(value, types.ModuleType):
            continue
        if isinstance(value, types.FunctionType | types.BuiltinFunctionType):
            found[name] = f"function {id(value)}"
            held = (getattr(value, part, None) for part in ("__defaults__", "__kwdefaults__", "__dict__"))
            found[f"{name}()"] = _digest(tuple(held))
        elif isinstance(value, type):
            if value.__module__ == module.__name__:
                own = {k: v for k, v in vars(value).items() if not k.startswith("__") and not callable(v)}
                found |= {f"{name}.{key}": _digest(each) for key, each in own.items()}
        else:
            found[name] = _digest(value)
    return found


def _digest(value: Any) -> str:
    if isinstance(value, functools._lru_cache_wrapper):
        return str(value.cache_info())
    try:
        return digest_of(value)
    except Exception:  # what has no digest is told by its identity
        return f"object {id(value)}"


class ProcessState:
    """The state as it is now, compared with another one by `changes`."""

    def __init__(self, modules: LocalModules | None) -> None:
        self._modules = modules
        self._is_users = modules.is_users if modules else _is_of_main
        self.state: dict[str, Any] = {
            "running threads": frozenset(_threads(self._is_users)),
            "running processes": frozenset(_processes_at_work()),
            "signal handlers": {number: _handler_of(number) for number in SIGNALS},
            "hooks of the interpreter": {name: getattr(sys, name, None) for name in HOOKS},
            "built-in names": {k: v for k, v in vars(builtins).items() if k not in SET_BY_IPYTHON},
            "open figures": _figures(),
            "hooks of IPython": dict(_shell_hooks(self._is_users)),
        }
        if modules is not None:
            self.state |= {f"module {name}": held for name, held in modules.changed()}

    def changes(self, before: ProcessState) -> list[str]:
        """What has changed since `before` and still holds, as names of `AMBIENT` state."""
        nothing: tuple[Any, ...] = (frozenset(), {}, ())
        return [
            f"{AMBIENT}{what}"
            for what, now in self.state.items()
            if now not in nothing and not _is_same(before.state.get(what), now)
        ]


def _is_same(before: Any, now: Any) -> bool:
    if isinstance(now, frozenset):
        return now <= (before or frozenset())
    if isinstance(now, dict) and isinstance(before, dict):
        # Not `==`, which asks the values.
        return before.keys() == now.keys() and all(_is_same_thing(before[key], now[key]) for key in now)
    return bool(before == now)


def _is_same_thing(before: Any, now: Any) -> bool:
    if isinstance(before, types.MethodType) and isinstance(now, types.MethodType):
        return before.__func__ is now.__func__ and before.__self__ is now.__self__
    return before is now or (isinstance(before, str) and isinstance(now, str) and before == now)


def _is_of_main(thing: Any) -> bool:
    return (getattr(thing, "__module__", None) or type(thing).__module__) == "__main__"


def _threads(is_users: Callable[[Any], bool]) -> Iterator[int]:
    for thread in threading.enumerate():
        runs = getattr(thread, "_target", None) or getattr(thread, "function", None) or type(thread)
        if thread.ident is not None and is_users(runs):
            yield thread.ident


OF_POOLS = (b"loky", b"multiprocessing.resource_tracker", b"multiprocessing.forkserver")
"""In the command lines of workers that a library starts again wherever it needs some (joblib, scikit-learn)."""


def _processes_at_work() -> Iterator[int]:
    """Processes that the notebook has started and that are still doing something."""
    for process in children():
        command = command_line(process)
        # One that has ended, and that nobody has asked how, has no command any more.
        if command and not any(pool in command for pool in OF_POOLS):
            yield process


def _figures() -> tuple[int, ...]:
    pyplot: Any = sys.modules.get("matplotlib.pyplot")
    if not hasattr(pyplot, "get_fignums"):
        return ()
    if str(dict.get(pyplot.rcParams, "backend")).endswith("inline"):
        # It shows and closes them after each cell, unless it is told otherwise.
        inline: Any = importlib.import_module("matplotlib_inline.config").InlineBackend.instance()
        if inline.close_figures:
            return ()
    return tuple(pyplot.get_fignums())


def _shell_hooks(is_users: Callable[[Any], bool]) -> Iterator[tuple[str, Any]]:
    """What the notebook has registered with IPython: callbacks, transformers, formatters, magics."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None:
        return
    registered: list[tuple[str, Any]] = []
    for event, callbacks in shell.events.callbacks.items():
        registered += [(f"{event} {number}", each) for number, each in enumerate(callbacks)]
    for kind in ("input_transformers_cleanup", "input_transformers_post", "ast_transformers"):
        registered += [(f"{kind} {number}", each) for number, each in enumerate(getattr(shell, kind))]
    for kind, formatter in shell.display_formatter.formatters.items():
        registered += [(f"{kind} {typ!r}", each) for typ, each in formatter.type_printers.items()]
    for kind, magics in shell.magics_manager.magics.items():
        registered += [(f"{kind} {name}", each) for name, each in magics.items()]
    if shell.custom_exceptions:
        registered.append(("exceptions", shell.CustomTB))
    # IPython's own stand-ins for magics load them when they are asked for anything.
    own = (each for each in registered if not type(each[1]).__module__.startswith("IPython."))
    yield from ((where, thing) for where, thing in own if is_users(getattr(thing, "__func__", thing)))
