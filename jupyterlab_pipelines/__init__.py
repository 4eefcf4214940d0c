"""Pipelines as experiments: a tagged notebook is a cached, parallel pipeline.

Importing this package imports the standard library only; it is also imported inside the kernels
that execute steps, where nothing else of ours may be needed.
"""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"


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
