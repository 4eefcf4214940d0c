"""``python -m jupyterlab_pipelines``: the same as ``jupyter pipelines``."""

from __future__ import annotations

from jupyterlab_pipelines.cli import main

if __name__ == "__main__":
    main()
