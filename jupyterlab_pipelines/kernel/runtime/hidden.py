"""Process state that has no name in the notebook, but is read and changed by its cells.

Each kind of state is treated as if it were a variable: a step that changes it leaves it as an output,
and a later step that changes it too gets it as an input first. So a random draw in one step goes on
where the step before it stopped, as it does under *Restart & Run All*.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

PREFIX = "hidden state "
UNTOUCHED_POSITION = 624
"""Where the Mersenne Twister stands before its first draw."""


@dataclass(frozen=True, slots=True)
class HiddenState:
    """One kind of state: `read` gives None while the state does not exist yet in this process."""

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


def _write_environment(state: Any) -> None:
    os.environ.clear()
    os.environ.update(state)


def _read_environment() -> Any:
    return {name: value for name, value in sorted(os.environ.items()) if not _is_ours(name)}


def _is_ours(name: str) -> bool:
    return name.startswith(("JUPYTER_PIPELINES_", "JPY_")) or name == "PYTHONHASHSEED"


STATES = (
    HiddenState(f"{PREFIX}random", random.getstate, lambda state: random.setstate(state)),
    HiddenState(f"{PREFIX}numpy.random", _read_numpy, _write_numpy),
)


def untouched(name: str, state: Any) -> bool:
    """Whether a generator that this step brought up has neither been drawn from nor, surely, seeded."""
    if name.endswith("numpy.random"):
        return bool(state is None or (state[2] == UNTOUCHED_POSITION and not state[3]))
    return False
