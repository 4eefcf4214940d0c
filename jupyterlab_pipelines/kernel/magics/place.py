"""Which notebook a kernel belongs to: nobody tells a kernel, so several are asked."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def find_notebook(namespace: Mapping[str, Any]) -> Path | None:
    """The notebook's file, as far as VS Code or the Jupyter server have said; None if nobody has."""
    for said in (namespace.get("__vsc_ipynb_file__"), os.environ.get("JPY_SESSION_NAME")):
        if isinstance(said, str) and said.endswith(".ipynb"):
            path = Path(said)
            if path.is_file():
                return path.absolute()
    return None
