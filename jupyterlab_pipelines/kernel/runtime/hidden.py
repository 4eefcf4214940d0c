"""Process state that has no name in the notebook, but is read and changed by its cells.

Each kind of state is treated as if it were a variable: a step that changes it leaves it as an output,
and a later step gets it as an input. So a random draw in one step goes on where the step before it
stopped, as it does under *Restart & Run All*.

Who reads such a state is not seen. Of a random generator every reader is a writer, too, because a draw
moves it. All other state is `AMBIENT`: once a step has changed it, every later step gets it.
"""

from __future__ import annotations

import os
import random
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jupyterlab_pipelines.artifact import AMBIENT, HIDDEN

UNTOUCHED_POSITION = 624
"""Where the Mersenne Twister stands before its first draw."""

_environment = dict(os.environ)
_folder = os.getcwd()
_path = list(sys.path)
SET_BY_PACKAGES = (
    "KMP_",
    "JPY_",
    "JUPYTER_PIPELINES_",
    "MPL",
    "PYTHONHASHSEED",
    "OMP_WAIT_POLICY",
    "PYDEVD_",
)
"""Environment variables that packages set when they are imported, or that are ours."""

SET_BY_BACKENDS = frozenset({"backend", "backend_fallback", "interactive", "toolbar"})


@dataclass(frozen=True, slots=True)
class HiddenState:
    """One kind of state. `read` gives None while it is as it was when the kernel started."""

    name: str
    read: Callable[[], Any]
    write: Callable[[Any], None]


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


def _read_environment() -> Any:
    now = dict(os.environ)
    changes = {
        name: now.get(name)
        for name in sorted(now.keys() | _environment.keys())
        if now.get(name) != _environment.get(name) and not name.startswith(SET_BY_PACKAGES)
    }
    return changes or None


def _write_environment(state: Any) -> None:
    for name, value in state.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _read_folder() -> Any:
    folder = os.getcwd()
    return None if folder == _folder else os.path.relpath(folder, _folder)


def _write_folder(state: Any) -> None:
    os.chdir(os.path.join(_folder, state))


def _read_path() -> Any:
    added = [(position, entry) for position, entry in enumerate(sys.path) if entry not in _path and entry]
    return added or None


def _write_path(state: Any) -> None:
    for position, entry in state:
        if entry not in sys.path:
            sys.path.insert(position, entry)


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

    for name, value in state.items():
        pd.set_option(name, value)


def _read_printing() -> Any:
    numpy: Any = sys.modules.get("numpy")
    options = {} if numpy is None else numpy.get_printoptions()
    changes = {name: value for name, value in options.items() if PRINTING.get(name, value) != value}
    return changes or None


def _write_printing(state: Any) -> None:
    import numpy as np

    np.set_printoptions(**state)


PRINTING: dict[str, Any] = {
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
}
"""How NumPy shows arrays unless it is told otherwise."""


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
    return changes or None


def _write_matplotlib(state: Any) -> None:
    import matplotlib

    matplotlib.rcParams.update(state)


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
    for action, category, line in reversed(state):
        warnings.simplefilter(action, category, line)
    warnings.filters.extend(entry for entry in special if entry not in warnings.filters)  # type: ignore[attr-defined]


_filters: Any = None
_filters = _read_warnings()

STATES = (
    HiddenState(f"{HIDDEN}random", random.getstate, lambda state: random.setstate(state)),
    HiddenState(f"{HIDDEN}numpy.random", _read_numpy, _write_numpy),
    HiddenState(f"{AMBIENT}environment", _read_environment, _write_environment),
    HiddenState(f"{AMBIENT}working directory", _read_folder, _write_folder),
    HiddenState(f"{AMBIENT}sys.path", _read_path, _write_path),
    HiddenState(f"{AMBIENT}pandas options", _read_pandas, _write_pandas),
    HiddenState(f"{AMBIENT}numpy printing", _read_printing, _write_printing),
    HiddenState(f"{AMBIENT}matplotlib options", _read_matplotlib, _write_matplotlib),
    HiddenState(f"{AMBIENT}warnings filters", _read_warnings, _write_warnings),
)


def untouched(name: str, state: Any) -> bool:
    """Whether a generator that this step brought up has neither been drawn from nor, surely, seeded."""
    if name == f"{HIDDEN}numpy.random":
        return bool(state is None or (state[2] == UNTOUCHED_POSITION and not state[3]))
    return False
