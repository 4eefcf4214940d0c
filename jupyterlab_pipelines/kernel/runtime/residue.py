"""What a step leaves in its process that is no variable and that nobody could set anywhere else.

A module beside the notebook with another content, a thread that goes on, a figure that pyplot holds, a function
that IPython calls: a later step sees them, and only in the same process. A step that was seen to leave such a
thing shares its kernel with all later steps (`uncarriable`, see `pipeline.Unit`).
"""

from __future__ import annotations

import importlib
import signal
import sys
import threading
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jupyterlab_pipelines import materializers
from jupyterlab_pipelines.artifact import AMBIENT


def residue(folder: Path) -> dict[str, Any]:
    """What is there now, by name of the state, to be compared with what is there later.

    Parameters
    ----------
    folder
        The project: modules below it are the notebook's own.
    """
    found = {f"{AMBIENT}module {name}": _content(module) for name, module in _own_modules(folder)}
    return found | {f"{AMBIENT}{name}": read() for name, read in _KINDS.items()}


def left(before: dict[str, Any], after: dict[str, Any]) -> dict[str, str]:
    """What is another now, by name, with the reason that a person reads."""
    names = [
        name
        for name, value in after.items()
        if value != before.get(name, value if _is_module(name) else None)
    ]
    return {name: f"The {name.removeprefix(AMBIENT)} is another, in this process alone." for name in names}


def _is_module(name: str) -> bool:
    return name.startswith(f"{AMBIENT}module ")


# -- modules -------------------------------------------------------------------------------------


def _own_modules(folder: Path) -> list[tuple[str, types.ModuleType]]:
    """Modules whose source lies in the project, and modules that were made by hand."""
    start = f"{folder}/"
    return [
        (name, module)
        for name, module in list(sys.modules.items())
        if name != "__main__"
        and isinstance(module, types.ModuleType)
        and (getattr(module, "__file__", None) or "").startswith(start)
        and "site-packages" not in str(module.__file__)
    ]


def _content(module: types.ModuleType) -> dict[str, str]:
    """Digests of the variables of a module, and of the attributes of its classes."""
    content = {}
    for name, value in list(vars(module).items()):
        if name.startswith("__") or isinstance(value, types.ModuleType):
            continue
        content[name] = _digest(value)
        if isinstance(value, type) and value.__module__ == module.__name__:
            for attribute, held in list(vars(value).items()):
                if not attribute.startswith("__") and not callable(held):
                    content[f"{name}.{attribute}"] = _digest(held)
        elif isinstance(value, types.FunctionType):
            content[f"{name}()"] = _digest((value.__defaults__, value.__kwdefaults__, vars(value)))
    return content


def _digest(value: Any) -> str:
    try:
        return materializers.digest_of(value)
    except Exception:  # what has no digest is told by its identity
        return f"object {id(value)}"


# -- threads, figures, handlers ------------------------------------------------------------------


def _threads() -> frozenset[int]:
    """Threads that execute code of the notebook."""
    return frozenset(
        id(thread)
        for thread in threading.enumerate()
        if "__main__"
        in (type(thread).__module__, getattr(getattr(thread, "_target", None), "__module__", ""))
    )


def _figures() -> tuple[int, ...]:
    pyplot: Any = sys.modules.get("matplotlib.pyplot")
    if not hasattr(pyplot, "get_fignums"):
        return ()
    backend = str(dict.get(pyplot.rcParams, "backend"))
    if backend.endswith("inline"):  # it shows and closes them after each cell, which comes after this
        inline: Any = importlib.import_module("matplotlib_inline.config").InlineBackend.instance()
        if inline.close_figures:
            return ()
    return tuple(pyplot.get_fignums())


def _handlers() -> tuple[Any, ...]:
    known = signal.valid_signals() if threading.current_thread() is threading.main_thread() else ()
    return tuple(
        (number, id(handler))
        for number in sorted(known)
        if isinstance(handler := signal.getsignal(number), types.FunctionType)
        and handler.__module__ == "__main__"
    )


def _hooks() -> tuple[Any, ...]:
    """Functions of the notebook that IPython calls."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    if shell is None:
        return ()
    called: list[Any] = [each for hooks in shell.events.callbacks.values() for each in hooks]
    called += [*shell.ast_transformers, *shell.input_transformers_post, *shell.input_transformers_cleanup]
    for formatter in shell.display_formatter.formatters.values():
        called += formatter.type_printers.values()
    return tuple(id(each) for each in called if _is_notebooks(each))


def _is_notebooks(thing: Any) -> bool:
    return getattr(thing, "__module__", None) == "__main__" or type(thing).__module__ == "__main__"


_KINDS: dict[str, Callable[[], Any]] = {
    "threads": lambda: _threads() or None,
    "open figures": lambda: _figures() or None,
    "signal handlers": lambda: _handlers() or None,
    "IPython hooks": lambda: _hooks() or None,
}
