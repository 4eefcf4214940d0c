"""Importing papermill without what a run never uses, in a process that is ours alone.

Most of the second that papermill takes to import is spent in packages that other packages use if they are
there: a parser of international addresses, for JSON schemas (no notebook's schema has such an address), and
the file systems of clouds. In anybody else's process they must be there for others.
"""

from __future__ import annotations

import importlib
import sys

UNUSED = (
    *("rfc3987_syntax", "rfc3987"),
    *("pyarrow.fs", "boto3", "botocore", "azure.datalake.store", "azure.storage.blob", "gcsfs", "github"),
)

_is_own_process = False


def own_process() -> None:
    """Say that this process does nothing but what this package asks of it."""
    global _is_own_process
    _is_own_process = True


def import_papermill() -> None:
    """Import papermill and its engines; a second call does nothing."""
    if "papermill" in sys.modules:
        return
    hidden = [name for name in UNUSED if _is_own_process and name not in sys.modules]
    # None in place of a module: whoever imports it is told that it is not installed.
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        importlib.import_module("papermill.engines")
    finally:
        for name in hidden:
            sys.modules.pop(name, None)
