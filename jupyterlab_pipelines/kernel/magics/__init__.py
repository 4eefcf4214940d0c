"""The door inside the notebook: ``%load_ext jupyterlab_pipelines``.

``%%step`` (see `live`) makes a cell a step, and executes it with the cache that a pipeline run has; ``%pipeline``
(see `commands`) is the command line for the notebook at hand. Inside a step's own kernel both are silent: the
cell is executed as what it is, an ordinary cell.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from jupyterlab_pipelines.kernel.magics.lines import with_first_line_read

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from jupyterlab_pipelines.kernel.magics.session import Session

_sessions: dict[int, Session] = {}


def load(shell: InteractiveShell) -> None:
    """Let `shell` know the magics. Loading twice changes nothing."""
    if with_first_line_read not in shell.input_transformers_cleanup:
        # First of all, so that IPython's own transformers see the cell that is left, `%%time` and all.
        shell.input_transformers_cleanup.insert(0, with_first_line_read)
    if id(shell) in _sessions:
        return
    if _is_of_step():
        register: Any = shell.register_magic_function
        register(_silent, "line", "pipeline")
        return
    from jupyterlab_pipelines.kernel.magics.session import Session

    session = _sessions[id(shell)] = Session(shell)
    session.begin()


def unload(shell: InteractiveShell) -> None:
    """Undo `load`."""
    if with_first_line_read in shell.input_transformers_cleanup:
        shell.input_transformers_cleanup.remove(with_first_line_read)
    session = _sessions.pop(id(shell), None)
    if session is not None:
        session.end()
    shell.magics_manager.magics["line"].pop("pipeline", None)


def session_of(shell: InteractiveShell) -> Session | None:
    """What was loaded into `shell`."""
    return _sessions.get(id(shell))


def _is_of_step() -> bool:
    """Whether this kernel executes a step for somebody who watches it already."""
    runtime: Any = sys.modules.get("jupyterlab_pipelines.kernel.runtime")
    return runtime is not None and runtime.is_recording()


def _silent(line: str) -> None:
    """What ``%pipeline`` is inside a step: nothing."""
