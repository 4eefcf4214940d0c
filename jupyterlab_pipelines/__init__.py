"""Pipelines as experiments: a tagged notebook is a cached, parallel pipeline.

Importing this package imports the standard library only; it is also imported inside the kernels
that execute steps, where nothing else of ours may be needed.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jupyterlab_pipelines.api import Artifact, Run, Runs, StepRun, get_run, run_notebook, runs
    from jupyterlab_pipelines.logged import log_figure, log_metric, log_text

__version__ = "0.1.0"

__all__ = [
    "Artifact",
    "Run",
    "Runs",
    "StepRun",
    "get_run",
    "log_figure",
    "log_metric",
    "log_text",
    "run_notebook",
    "runs",
]


def __getattr__(name: str) -> Any:
    # On first use: the package itself is imported inside every step's kernel.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = "logged" if name.startswith("log_") else "api"
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": "pipelines-as-experiments"}]


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    from jupyterlab_pipelines.server.app import PipelinesExtension

    return [{"module": "jupyterlab_pipelines", "app": PipelinesExtension}]


def load_ipython_extension(shell: Any) -> None:
    """``%load_ext jupyterlab_pipelines``: cells may begin with ``%%step NAME``."""
    from jupyterlab_pipelines.kernel import magics

    magics.load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """``%unload_ext jupyterlab_pipelines``."""
    from jupyterlab_pipelines.kernel import magics

    magics.unload(shell)
