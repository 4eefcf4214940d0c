"""The extension in the server: what it brings, and what it must never import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from jupyterlab_pipelines.server import events

HEAVY = [
    "pandas",
    "numpy",
    "papermill",
    "nbclient",
    "polars",
    "pyarrow",
    "sklearn",
    "mlflow",
    "dask",
    "torch",
]


def test_the_server_imports_nothing_heavy() -> None:
    code = (
        "import sys, jupyter_server.serverapp\n"
        "before = set(sys.modules)\n"
        "import jupyterlab_pipelines.server.app\n"
        "from jupyterlab_pipelines.server.manager import open_project\n"
        f"print([name for name in {HEAVY} if name in set(sys.modules) - before])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_event_schemas_are_registered(jp_serverapp) -> None:
    for schema_id in (events.RUN, events.STEP_RUN):
        assert jp_serverapp.event_logger.schemas.get(schema_id).version == "1"


def test_the_store_can_be_configured(jp_configurable_serverapp, jp_server_config, tmp_path: Path) -> None:
    app = jp_configurable_serverapp(
        config=jp_server_config, argv=[f"--PipelinesExtension.store={tmp_path / 'store'}"]
    )

    extension = app.web_app.settings["jupyterlab_pipelines"]

    assert extension.manager._store == tmp_path / "store"
