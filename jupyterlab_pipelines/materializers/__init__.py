"""Values to files and back, and what a value is called: its digest.

A *materializer* writes and reads one family of types. The first that accepts a value carries it,
and it accepts only what it brings back exactly; whatever no other accepts goes by `pickle`.

====================  =========================================================================
``json``              None, bool, int, float, str, and lists and dicts of them
``numpy``             plain arrays, as ``.npy``
``pandas``            frames and series of ordinary dtypes, as Arrow IPC: readable without pickle
``polars``, ``arrow``  tables and columns, as Arrow IPC
``pickle``            everything else that can be pickled, large buffers beside the pickle
====================  =========================================================================

**A new materializer** is one new file with one class that has the five members of `Materializer`;
copy `numpy.py`. Add its name to `base.BUILTIN`, or, from another distribution, register an
instance of it as an entry point of the group ``jupyterlab_pipelines.materializers``. The contract
tests in ``tests/materializers/test_contract.py`` ask every materializer the same questions.

This package runs inside the kernels of the steps, of whichever environment they are: it imports
the standard library alone, and touches pandas, numpy and the like only with such a value at hand.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from jupyterlab_pipelines.materializers.base import (
    Materializer,
    NotCarriableError,
    digest_of,
    materializer_named,
    materializer_of,
)

if TYPE_CHECKING:
    from jupyterlab_pipelines.materializers.definitions import carried_definitions
    from jupyterlab_pipelines.materializers.previews import describe, preview
    from jupyterlab_pipelines.materializers.sharing import (
        group_digest,
        mutable_objects,
        own_objects,
        read_group,
        shared_groups,
        write_group,
    )
    from jupyterlab_pipelines.materializers.unchanged import Snapshot, snapshot

__all__ = [
    "Materializer",
    "NotCarriableError",
    "Snapshot",
    "carried_definitions",
    "describe",
    "digest_of",
    "group_digest",
    "materializer_named",
    "materializer_of",
    "mutable_objects",
    "own_objects",
    "preview",
    "read_group",
    "shared_groups",
    "snapshot",
    "write_group",
]

_HOMES = {
    "carried_definitions": "definitions",
    "describe": "previews",
    "preview": "previews",
    "group_digest": "sharing",
    "mutable_objects": "sharing",
    "own_objects": "sharing",
    "read_group": "sharing",
    "shared_groups": "sharing",
    "write_group": "sharing",
    "Snapshot": "unchanged",
    "snapshot": "unchanged",
}


def __getattr__(name: str) -> Any:
    # On first use: the server imports this package for the names of materializers alone.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
