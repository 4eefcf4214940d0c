"""Importing papermill without what a run never uses, in a process that is ours alone.

Most of the second that papermill takes to import is spent in packages that other packages use if they are
there: parsers of addresses and durations, for JSON schemas (no notebook's schema has such a thing), and
the file systems of clouds; in clients of the web, for notebooks that lie there; and in the search for plug-ins of
papermill. In anybody else's process they must be there for others.
"""

from __future__ import annotations

import gc
import importlib
import sys
from types import ModuleType
from typing import Any

UNUSED = (
    *("rfc3987_syntax", "rfc3987", "rfc3986_validator", "rfc3339_validator", "fqdn", "webcolors"),
    *("jsonpointer", "uri_template", "isoduration"),
    *("pyarrow.fs", "boto3", "botocore", "azure.datalake.store", "azure.storage.blob", "gcsfs", "github"),
)
RARELY_USED = ("requests", "click", "yaml")
"""Imported when somebody asks one of them for something."""

_is_own_process = False


def own_process() -> None:
    """Say that this process does nothing but what this package asks of it."""
    global _is_own_process
    _is_own_process = True


def import_papermill() -> None:
    """Import papermill and its engines; a second call does nothing."""
    if "papermill" in sys.modules:
        return
    # None in place of a module: whoever imports it is told that it is not installed.
    instead: dict[str, ModuleType | None] = dict.fromkeys(UNUSED)
    instead |= {name: _late(name) for name in RARELY_USED}
    instead["entrypoints"] = _without_plug_ins()
    instead = {
        name: module for name, module in instead.items() if _is_own_process and name not in sys.modules
    }
    sys.modules.update(instead)  # type: ignore[arg-type]
    if _is_own_process:
        # What is imported stays: to look through it for garbage takes a twentieth of the time.
        gc.disable()
    try:
        importlib.import_module("papermill.engines")
    finally:
        if _is_own_process:
            gc.freeze()
            gc.enable()
        for name, module in instead.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]


def _late(name: str) -> ModuleType:
    """What stands for a module, and imports it when it is asked for an attribute."""

    def find(attribute: str) -> Any:
        if sys.modules.get(name) is stands_for_it:
            del sys.modules[name]
        return getattr(importlib.import_module(name), attribute)

    stands_for_it = ModuleType(name)
    vars(stands_for_it)["__getattr__"] = find
    return stands_for_it


def _without_plug_ins() -> ModuleType:
    """What papermill is told by: no engine, translator or file system but its own; ours is registered by us."""
    found = ModuleType("entrypoints")
    vars(found)["get_group_all"] = lambda *_, **__: []
    return found
