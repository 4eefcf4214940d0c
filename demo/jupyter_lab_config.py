"""JupyterLab as `make demo` shows it: the example beside its pipeline, nothing asked, nothing looked up."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from traitlets.config import get_config

here = Path(__file__).resolve().parent

c = get_config()
c.ServerApp.root_dir = str(here.parent / "examples")
c.ServerApp.allow_root = True
c.LabApp.default_url = "/lab/tree/flights/flights.ipynb"
# overrides.json beside this file: no question about news.
c.LabApp.app_settings_dir = str(here)
# A layout of the demo's own, so that it opens alike whatever else the user has open in JupyterLab.
c.LabApp.workspaces_dir = str(Path(sys.prefix, "var", "pipelines-demo", "workspaces"))
# Else the list of extensions is fetched from a package index.
c.LabApp.extension_manager = "readonly"
