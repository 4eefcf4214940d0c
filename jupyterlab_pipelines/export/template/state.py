"""State of the process that a step hands on: random generators, options of packages, the environment.

A step that draws random numbers goes on where the one before it stopped; so its draws are those of the notebook
run from top to bottom, whichever process it runs in.
"""

from __future__ import annotations

import importlib
import os
import random
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

_environment = dict(os.environ)
_folder = os.getcwd()


def begin() -> None:
    """From now on, the environment and the folder are told as what differs from now."""
    global _environment, _folder
    _environment, _folder = dict(os.environ), os.getcwd()


def current(kind: str) -> Any:
    """The state of this kind as it is now; None if the package that has it is not imported."""
    return _KINDS[kind][0]()


def restore(kind: str, state: Any) -> None:
    """Bring the process into a state that `current` has told; None leaves it alone."""
    if state is not None:
        _KINDS[kind][1](state)


def _numpy_random() -> Any:
    if "numpy.random" not in sys.modules:
        return None
    import numpy as np

    told: Any = np.random.get_state(legacy=True)
    algorithm, keys, position, has_gauss, gauss = told
    return (algorithm, keys.tobytes(), int(position), int(has_gauss), float(gauss))


def _set_numpy_random(state: Any) -> None:
    import numpy as np

    algorithm, keys, position, has_gauss, gauss = state
    np.random.set_state((algorithm, np.frombuffer(keys, dtype=np.uint32), position, has_gauss, gauss))


def _torch() -> Any:
    torch: Any = sys.modules.get("torch")
    if not hasattr(torch, "get_rng_state"):
        return None
    return [bytes(torch.get_rng_state().tolist())]


def _set_torch(state: Any) -> None:
    torch: Any = importlib.import_module("torch")
    torch.set_rng_state(torch.tensor(list(state[0]), dtype=torch.uint8))


def _variables() -> dict[str, str | None]:
    now = dict(os.environ)
    names = sorted(now.keys() | _environment.keys())
    return {name: now.get(name) for name in names if now.get(name) != _environment.get(name)}


def _set_variables(state: dict[str, str | None]) -> None:
    for name, value in state.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    if "TZ" in state and hasattr(time, "tzset"):
        time.tzset()


def _working_directory() -> str:
    return os.path.relpath(os.getcwd(), _folder)


def _set_working_directory(state: str) -> None:
    os.chdir(os.path.join(_folder, state))


def _decimal() -> Any:
    import decimal

    return decimal.getcontext()


def _set_decimal(state: Any) -> None:
    import decimal

    decimal.setcontext(state)


def _numpy_options() -> Any:
    if "numpy" not in sys.modules:
        return None
    import numpy as np

    return dict(np.get_printoptions()), np.geterr()


def _set_numpy_options(state: Any) -> None:
    import numpy as np

    prints, errors = state
    np.set_printoptions(**{name: value for name, value in prints.items() if name != "override_repr"})
    np.seterr(**errors)


def _pandas_options() -> Any:
    if "pandas" not in sys.modules:
        return None
    config: Any = importlib.import_module("pandas._config.config")
    deprecated = getattr(config, "_deprecated_options", {})
    changed = {}
    for name, option in sorted(config._registered_options.items()):
        if name not in deprecated:
            value = config.get_option(name)
            if value is not option.defval and value != option.defval:
                changed[name] = value
    return changed


def _set_pandas_options(state: dict[str, Any]) -> None:
    pandas: Any = importlib.import_module("pandas")
    for name in (_pandas_options() or {}).keys() - state.keys():
        pandas.reset_option(name)
    for name, value in state.items():
        pandas.set_option(name, value)


def _matplotlib_options() -> Any:
    matplotlib: Any = sys.modules.get("matplotlib")
    if not hasattr(matplotlib, "rcParamsDefault"):
        return None
    own = {"backend", "backend_fallback", "interactive", "toolbar"}
    default = matplotlib.rcParamsDefault
    now = dict.items(matplotlib.rcParams)
    return {name: value for name, value in now if name not in own and value != dict.get(default, name)}


def _set_matplotlib_options(state: dict[str, Any]) -> None:
    matplotlib: Any = importlib.import_module("matplotlib")
    for name in _matplotlib_options() or {}:
        state.setdefault(name, dict.get(matplotlib.rcParamsDefault, name))
    matplotlib.rcParams.update(state)


def _filters() -> Any:
    filters: list[Any] = list(warnings.filters)
    return [
        (action, category, line)
        for action, message, category, module, line in filters
        if message is None and module is None
    ]


def _set_filters(state: Any) -> None:
    filters: list[Any] = list(warnings.filters)
    special = [entry for entry in filters if not (entry[1] is None and entry[3] is None)]
    warnings.resetwarnings()
    for action, category, line in reversed(state):
        warnings.simplefilter(action, category, line)
    own: Any = warnings.filters
    own.extend(entry for entry in special if entry not in own)


_KINDS: dict[str, tuple[Callable[[], Any], Callable[[Any], None]]] = {
    "random": (random.getstate, random.setstate),
    "numpy random": (_numpy_random, _set_numpy_random),
    "torch": (_torch, _set_torch),
    "environment": (_variables, _set_variables),
    "working directory": (_working_directory, _set_working_directory),
    "decimal context": (_decimal, _set_decimal),
    "numpy options": (_numpy_options, _set_numpy_options),
    "pandas options": (_pandas_options, _set_pandas_options),
    "matplotlib options": (_matplotlib_options, _set_matplotlib_options),
    "warnings filters": (_filters, _set_filters),
}
