"""Process state that has no name in the notebook, but is read and changed by its cells.

Each kind of state is treated as if it were a variable: a step that changes it leaves it as an output,
and a later step gets it as an input. So a random draw in one step goes on where the step before it
stopped, as it does under *Restart & Run All*.

Who reads such a state is not seen. Of a random generator every reader is a writer, too, because a draw
moves it. All other state is `AMBIENT`: once a step has changed it, every later step gets it.

A state is read as its difference from what it was when the kernel started, which is the same in all kernels
of a run, and written whole: what another step has set back is set back.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import gc
import importlib
import locale
import os
import random
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jupyterlab_pipelines.artifact import AMBIENT, HIDDEN
from jupyterlab_pipelines.kernel.runtime import variables

UNTOUCHED = (0x80000000, 623)
"""First key and position of NumPy's Mersenne Twister that has its seed from the system, before its first draw."""

SET_BY_PACKAGES = (
    "KMP_",
    "JPY_",
    "JUPYTER_PIPELINES_",
    "MPL",
    "PYTHONHASHSEED",
    "OMP_WAIT_POLICY",
    "OPENBLAS_THREAD_TIMEOUT",
    "PYDEVD_",
    "_RJEM_",
)
"""Environment variables that packages set when they are imported, or that are ours."""

SET_BY_BACKENDS = frozenset({"backend", "backend_fallback", "interactive", "toolbar"})

NUMPY_PRINTS = {
    "edgeitems": 3,
    "threshold": 1000,
    "floatmode": "maxprec",
    "precision": 8,
    "suppress": False,
    "linewidth": 75,
    "nanstr": "nan",
    "infstr": "inf",
    "sign": "-",
    "formatter": None,
    "legacy": False,
    "override_repr": None,
}
NUMPY_ERRORS = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}
"""What NumPy does before anybody tells it otherwise."""


@dataclass(frozen=True, slots=True)
class HiddenState:
    """One kind of state. `read` gives None while it is as it was when the kernel started."""

    name: str
    read: Callable[[], Any]
    write: Callable[[Any], None]


# -- random generators -----------------------------------------------------------------------


def _read_numpy() -> Any:
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is None:
        return None
    algorithm, keys, position, has_gauss, gauss = numpy_random.get_state()
    return (algorithm, keys.tobytes(), int(position), int(has_gauss), float(gauss))


def _write_numpy(state: Any) -> None:
    import numpy as np

    algorithm, keys, position, has_gauss, gauss = state
    np.random.set_state((algorithm, np.frombuffer(keys, dtype=np.uint32), position, has_gauss, gauss))


def _read_torch() -> Any:
    torch: Any = sys.modules.get("torch")
    if not hasattr(torch, "get_rng_state"):  # not there, or half imported
        return None
    devices = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    return [bytes(state.tolist()) for state in (torch.get_rng_state(), *devices)]


def _write_torch(state: Any) -> None:
    torch: Any = importlib.import_module("torch")
    first, *devices = [torch.tensor(list(each), dtype=torch.uint8) for each in state]
    torch.set_rng_state(first)
    if devices:
        torch.cuda.set_rng_state_all(devices)


# -- the interpreter and the operating system --------------------------------------------------

_environment: dict[str, str] = {}
_folder = ""
_path: list[str] = []


def _read_environment() -> Any:
    now = variables.values()
    changes = {
        name: now.get(name)
        for name in sorted(now.keys() | _environment.keys())
        if now.get(name) != _environment.get(name) and not name.startswith(SET_BY_PACKAGES)
    }
    return changes or None


def _write_environment(state: Any) -> None:
    changes = dict(state or {})
    for name in _read_environment() or {}:
        changes.setdefault(name, _environment.get(name))
    for name, value in changes.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    if "TZ" in changes and hasattr(time, "tzset"):
        time.tzset()


def _read_folder() -> Any:
    folder = os.getcwd()
    return None if folder == _folder else os.path.relpath(folder, _folder)


def _write_folder(state: Any) -> None:
    os.chdir(os.path.join(_folder, state or "."))


def _read_path() -> Any:
    added = [(position, entry) for position, entry in enumerate(sys.path) if entry not in _path and entry]
    removed = [entry for entry in _path if entry not in sys.path and entry]
    return (added, removed) if added or removed else None


def _write_path(state: Any) -> None:
    added, removed = state or ((), ())
    new = {entry for _, entry in added}
    sys.path[:] = [entry for entry in sys.path if not entry or entry in _path or entry in new]
    sys.path[:] = [entry for entry in sys.path if entry not in removed]
    for position, entry in added:
        if entry not in sys.path:
            sys.path.insert(position, entry)


def _mask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _set_collecting(is_on: bool) -> None:
    (gc.enable if is_on else gc.disable)()


_INTERPRETER: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "recursion limit": (sys.getrecursionlimit, sys.setrecursionlimit),
    "switch interval": (sys.getswitchinterval, sys.setswitchinterval),
    "digits of an int": (sys.get_int_max_str_digits, sys.set_int_max_str_digits),
    "garbage collector": (gc.isenabled, _set_collecting),
    "collector's thresholds": (gc.get_threshold, lambda numbers: gc.set_threshold(*numbers)),
    "file mode mask": (_mask, os.umask),
    "locale": (lambda: locale.setlocale(locale.LC_ALL), lambda name: locale.setlocale(locale.LC_ALL, name)),
}
_interpreter: dict[str, Any] = {}


def _read_interpreter() -> Any:
    now = {name: read() for name, (read, _) in _INTERPRETER.items()}
    return {name: value for name, value in now.items() if value != _interpreter[name]} or None


def _write_interpreter(state: Any) -> None:
    for name, value in (_interpreter | dict(state or {})).items():
        read, write = _INTERPRETER[name]
        if read() != value:
            write(value)


def _read_decimal() -> Any:
    decimal: Any = sys.modules.get("decimal")
    if not hasattr(decimal, "DefaultContext"):
        return None
    now, default = (_of_decimal(each) for each in (decimal.getcontext(), decimal.DefaultContext))
    return None if now == default else now


def _of_decimal(context: Any) -> dict[str, Any]:
    said = {
        name: getattr(context, name) for name in ("prec", "rounding", "Emin", "Emax", "capitals", "clamp")
    }
    return said | {"traps": sorted(signal.__name__ for signal, is_on in context.traps.items() if is_on)}


def _write_decimal(state: Any) -> None:
    import decimal

    state = state or _of_decimal(decimal.DefaultContext)
    context = decimal.getcontext()
    for name, value in state.items():
        if name != "traps":
            setattr(context, name, value)
    for signal in context.traps:
        context.traps[signal] = signal.__name__ in state["traps"]


# -- options of packages -----------------------------------------------------------------------


def _read_numpy_options() -> Any:
    np: Any = sys.modules.get("numpy")
    if not hasattr(np, "get_printoptions"):
        return None
    prints = {k: v for k, v in np.get_printoptions().items() if k in NUMPY_PRINTS and v != NUMPY_PRINTS[k]}
    errors = {k: v for k, v in np.geterr().items() if v != NUMPY_ERRORS[k]}
    return (prints, errors) if prints or errors else None


def _write_numpy_options(state: Any) -> None:
    import numpy as np

    prints, errors = state or ({}, {})
    known = np.get_printoptions().keys() & NUMPY_PRINTS.keys()
    np.set_printoptions(**{k: v for k, v in (NUMPY_PRINTS | prints).items() if k in known})
    np.seterr(**(NUMPY_ERRORS | errors))


def _read_pandas() -> Any:
    if "pandas" not in sys.modules:
        return None
    config = sys.modules.get("pandas._config.config")
    registered = getattr(config, "_registered_options", {})
    changes = {}
    for name, option in sorted(registered.items()):
        value = sys.modules["pandas"].get_option(name) if name not in _deprecated_options() else option.defval
        if value is not option.defval and value != option.defval:
            changes[name] = value
    return changes or None


def _deprecated_options() -> Any:
    return getattr(sys.modules.get("pandas._config.config"), "_deprecated_options", {})


def _write_pandas(state: Any) -> None:
    import pandas as pd

    for name in (_read_pandas() or {}).keys() - (state or {}).keys():
        pd.reset_option(name)
    for name, value in (state or {}).items():
        pd.set_option(name, value)


def _read_matplotlib() -> Any:
    matplotlib: Any = sys.modules.get("matplotlib")
    if not hasattr(matplotlib, "rcParamsDefault"):
        return None
    default = matplotlib.rcParamsDefault
    changes = {
        name: value
        for name, value in dict.items(matplotlib.rcParams)
        if name not in SET_BY_BACKENDS and value != dict.get(default, name)
    }
    if _shows_inline(matplotlib) and not matplotlib.rcParams["interactive"]:
        changes["interactive"] = False
    return changes or None


def _shows_inline(matplotlib: Any) -> bool:
    """Whether pyplot is there, with a backend for notebooks, which draws as you go: ``plt.ion()``."""
    backend = str(dict.get(matplotlib.rcParams, "backend"))
    return "matplotlib.pyplot" in sys.modules and backend.endswith(("inline", "backend_inline"))


def _write_matplotlib(state: Any) -> None:
    import matplotlib

    changes = dict(state or {})
    if "interactive" in changes:
        importlib.import_module("matplotlib.pyplot")  # the backend makes it interactive: before we do not
    for name in _read_matplotlib() or {}:
        changes.setdefault(name, name == "interactive" or dict.get(matplotlib.rcParamsDefault, name))
    matplotlib.rcParams.update(changes)


def _read_warnings() -> Any:
    """Filters for all messages of all modules; packages add others when they are imported."""
    general = [
        (action, category, line)
        for action, message, category, module, line in warnings.filters
        if message is None and module is None
    ]
    return None if general == _filters else general


def _write_warnings(state: Any) -> None:
    special = [entry for entry in warnings.filters if not (entry[1] is None and entry[3] is None)]
    warnings.resetwarnings()
    for action, category, line in reversed(_filters if state is None else state):
        warnings.simplefilter(action, category, line)
    warnings.filters.extend(entry for entry in special if entry not in warnings.filters)  # type: ignore[attr-defined]


_filters: Any = None


# -- loggers -------------------------------------------------------------------------------------


def _read_logging() -> Any:
    logging: Any = sys.modules.get("logging")
    if not hasattr(logging, "root"):
        return None
    changes = {name: said for name, said in _of_loggers(logging) if said != _loggers.get(name, _UNSET)}
    return (changes, logging.root.manager.disable) if changes or logging.root.manager.disable else None


def _of_loggers(logging: Any) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Level and handlers of the notebook's own loggers: packages have loggers of their own."""
    for name, logger in [("root", logging.root), *sorted(logging.root.manager.loggerDict.items())]:
        is_packages = name != "root" and name.partition(".")[0] in sys.modules and name != "__main__"
        if isinstance(logger, logging.Logger) and not is_packages:
            handlers = [_of_handler(logging, handler) for handler in logger.handlers]
            yield name, (logger.level, logger.propagate, logger.disabled, [h for h in handlers if h])


def _of_handler(logging: Any, handler: Any) -> tuple[Any, ...] | None:
    """What makes a handler of the plain kinds again; the others stay in the kernel that has them."""
    streams = {id(sys.stdout): "stdout", id(sys.stderr): "stderr"}
    where = getattr(handler, "baseFilename", None) or streams.get(id(getattr(handler, "stream", None)))
    if type(handler) not in (logging.StreamHandler, logging.FileHandler) or where is None or handler.filters:
        return None
    formatter = handler.formatter
    if formatter is None:
        return where, handler.level, None, None, ""
    style = {value[0]: key for key, value in logging._STYLES.items()}.get(type(formatter._style))
    if type(formatter) is not logging.Formatter or style is None:
        return None
    return where, handler.level, formatter._fmt, formatter.datefmt, style


def _write_logging(state: Any) -> None:
    import logging

    changes, least = state or ({}, 0)
    logging.disable(least)
    now = dict(_of_loggers(logging))
    for name, said in ({name: _loggers.get(name, _UNSET) for name in now} | changes).items():
        if now.get(name, _UNSET) == said:
            continue
        level, propagate, disabled, handlers = said
        logger = logging.getLogger(None if name == "root" else name)
        logger.setLevel(level)
        logger.propagate, logger.disabled = propagate, disabled
        for handler in list(logger.handlers):
            known = _of_handler(logging, handler)
            if known is not None and known not in handlers:
                logger.removeHandler(handler)
        there = [_of_handler(logging, handler) for handler in logger.handlers]
        for where, handler_level, *style in (each for each in handlers if each not in there):
            is_stream = where in ("stdout", "stderr")
            made: Any = (
                logging.StreamHandler(getattr(sys, where)) if is_stream else logging.FileHandler(where)
            )
            made.setLevel(handler_level)
            if style[2]:
                made.setFormatter(logging.Formatter(*style))
            logger.addHandler(made)


_UNSET: tuple[Any, ...] = (0, True, False, [])
_loggers: dict[str, tuple[Any, ...]] = {}


# -- IPython -------------------------------------------------------------------------------------

_PLAIN = (type(None), bool, int, float, str, list, tuple, set, dict)


def _shell() -> Any:
    ipython = sys.modules.get("IPython")
    return None if ipython is None else ipython.get_ipython()


def _of_shell(shell: Any) -> dict[tuple[str, str], Any]:
    """Options that magics set, by class and name: ``%config``, ``%precision``, ``%pprint``."""
    options = {}
    for configurable in _configurables(shell):
        kind = type(configurable).__name__
        for name in _option_names(configurable.__class__):
            with contextlib.suppress(Exception):  # one that cannot say its default
                value: Any = getattr(configurable, name)
                if isinstance(value, _PLAIN):
                    options[kind, name] = copy.copy(value)
    return options


@functools.cache
def _option_names(kind: Any) -> tuple[str, ...]:
    """Those of a class, without hooks (see `process`), and without what grows when something is shown."""
    names: list[str] = kind.class_trait_names(config=True)
    return tuple(name for name in names if not name.endswith("_printers") and name != "ast_transformers")


def _configurables(shell: Any) -> Iterator[Any]:
    yield shell
    yield shell.display_formatter.formatters["text/plain"]
    for configurable in shell.configurables:
        if type(configurable).__name__ in ("InlineBackend", "DisplayFormatter"):
            yield configurable


def _default_of(shell: Any, option: tuple[str, str]) -> Any:
    """What an option of something that came with a package was."""
    for configurable in _configurables(shell):
        if type(configurable).__name__ == option[0]:
            return configurable.trait_defaults(option[1])
    return None


def _read_shell() -> Any:
    shell = _shell()
    if shell is None:
        return None
    options = {}
    for option, value in _of_shell(shell).items():
        before = _options[option] if option in _options else _default_of(shell, option)
        if value != before:
            options[option] = value
    loaded = sorted(set(shell.extension_manager.loaded) - _extensions - {OURS})
    mode = shell.InteractiveTB.mode
    return (options, loaded, mode) if options or loaded or mode != _traceback_mode else None


def _write_shell(state: Any) -> None:
    shell = _shell()
    options, loaded, mode = state or ({}, [], _traceback_mode)
    for extension in loaded:
        if extension not in shell.extension_manager.loaded:
            shell.extension_manager.load_extension(extension)
    if any(kind == "InlineBackend" for kind, _ in options):
        importlib.import_module("matplotlib_inline.backend_inline")
    changes = dict(options)
    for option in (_read_shell() or ({},))[0]:
        changes.setdefault(option, _options[option] if option in _options else _default_of(shell, option))
    for configurable in list(_configurables(shell)):
        for (kind, name), value in changes.items():
            if kind == type(configurable).__name__ and getattr(configurable, name) != value:
                setattr(configurable, name, value)
    if shell.InteractiveTB.mode != mode:
        shell.InteractiveTB.set_mode(mode=mode)


OURS = "jupyterlab_pipelines"
"""Our own extension of IPython: it changes nothing for the cells of a step."""

_options: Mapping[tuple[str, str], Any] = {}
_extensions: set[str] = set()
_traceback_mode: Any = None


# -- all of it -----------------------------------------------------------------------------------


def begin() -> None:
    """States are told as what differs from now, when a kernel has just started."""
    global _environment, _folder, _path, _interpreter, _filters, _loggers
    global _options, _extensions, _traceback_mode
    _environment, _folder, _path = variables.values(), os.getcwd(), list(sys.path)
    _interpreter = {name: read() for name, (read, _) in _INTERPRETER.items()}
    _filters = None
    _filters = _read_warnings()
    _loggers = dict(_of_loggers(sys.modules["logging"])) if "logging" in sys.modules else {}
    shell = _shell()
    if shell is not None:
        if hasattr(shell, "enable_tip"):
            # Whoever asks the kernel what it is gets a tip, which IPython draws from the global generator.
            shell.enable_tip = False
        _options = _of_shell(shell)
        _extensions = set(shell.extension_manager.loaded)
        _traceback_mode = shell.InteractiveTB.mode


STATES = (
    HiddenState(f"{HIDDEN}random", random.getstate, lambda state: random.setstate(state)),
    HiddenState(f"{HIDDEN}numpy.random", _read_numpy, _write_numpy),
    HiddenState(f"{HIDDEN}torch", _read_torch, _write_torch),
    HiddenState(f"{AMBIENT}environment", _read_environment, _write_environment),
    HiddenState(f"{AMBIENT}working directory", _read_folder, _write_folder),
    HiddenState(f"{AMBIENT}sys.path", _read_path, _write_path),
    HiddenState(f"{AMBIENT}interpreter", _read_interpreter, _write_interpreter),
    HiddenState(f"{AMBIENT}decimal context", _read_decimal, _write_decimal),
    HiddenState(f"{AMBIENT}loggers", _read_logging, _write_logging),
    HiddenState(f"{AMBIENT}IPython options", _read_shell, _write_shell),
    HiddenState(f"{AMBIENT}numpy options", _read_numpy_options, _write_numpy_options),
    HiddenState(f"{AMBIENT}pandas options", _read_pandas, _write_pandas),
    HiddenState(f"{AMBIENT}matplotlib options", _read_matplotlib, _write_matplotlib),
    HiddenState(f"{AMBIENT}warnings filters", _read_warnings, _write_warnings),
)
_BY_NAME = {state.name: state for state in STATES}


def restore(values: Mapping[str, Any], *, ambient_only: bool = False) -> None:
    """Bring the process into a state: `values` by name of the state, None for how the kernel started."""
    for state in STATES:  # in this order: what lies on the path, or in the folder, may be imported
        if state.name in values and (state.name.startswith(AMBIENT) or not ambient_only):
            value = values[state.name]
            if value is not None or state.read() is not None:
                state.write(value)


def generators() -> Iterator[HiddenState]:
    """The global random generators."""
    return (state for state in STATES if state.name.startswith(HIDDEN))


def is_known(name: str) -> bool:
    """Whether `name` is that of a state which can be stored, and set anew."""
    return name in _BY_NAME


def untouched(name: str, state: Any) -> bool:
    """Whether a generator that this step brought up has neither been drawn from nor, surely, seeded."""
    if name == f"{HIDDEN}numpy.random":
        return state is None or (int.from_bytes(state[1][:4], sys.byteorder), state[2]) == UNTOUCHED
    if name == f"{HIDDEN}torch":
        return bool(state == [bytes(sys.modules["torch"].Generator().get_state().tolist())])
    return False


def is_repeatable(name: str) -> bool:
    """Whether a generator that nobody has seeded draws the same numbers in every process."""
    return name == f"{HIDDEN}torch"


begin()
