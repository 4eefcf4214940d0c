"""The tables of a namespace, written aside after a cell: what a replay is made for.

A step is executed once more in a scratch place, and somebody wants to know what its tables were like after every
cell. What is written is what the store would hold, so the same worker measures it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jupyterlab_pipelines.materializers import materializer_of

TABLES = ("pandas", "polars", "arrow", "numpy")
"""Materializers whose files are tables."""

PACKAGES = ("pandas", "polars", "pyarrow", "numpy", "geopandas")

MOST_IN_ONE = 50
"""Values of a list or a dictionary that are looked at."""

RECORD = "cells.jsonl"
"""One line a cell: ``{"cell": index or null, "tables": {name: {"materializer", "digest"}}}``."""


def keep_tables(namespace: Mapping[str, Any], cell: int | None, folder: Path) -> None:
    """Write the tables in the namespace into the folder, each once, and note which names they have.

    `cell`: the one that was executed last; None before the first.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tables = {}
    for name, value in _values(namespace):
        if _is_table(value):
            kept = _keep(value, folder)
            if kept is not None:
                tables[name] = kept
    with (folder / RECORD).open("a", encoding="utf-8") as record:
        record.write(json.dumps({"cell": cell, "tables": tables}) + "\n")


def _values(namespace: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The user's values by name, and those in plain lists and dictionaries: ``parts['a']``."""
    for name, value in list(namespace.items()):
        if name.startswith("_") or name in ("In", "Out"):
            continue
        yield name, value
        if type(value) is dict and len(value) <= MOST_IN_ONE:
            yield from ((f"{name}[{key!r}]", one) for key, one in value.items() if isinstance(key, str | int))
        elif type(value) in (list, tuple) and len(value) <= MOST_IN_ONE:
            yield from ((f"{name}[{index}]", one) for index, one in enumerate(value))


def _is_table(value: Any) -> bool:
    root = type(value).__module__.partition(".")[0]
    # Whatever a class of the user's answers when it is asked for its shape is none of our business.
    return (
        root in PACKAGES
        and not isinstance(value, type)
        and len(getattr(value, "shape", None) or ()) in (1, 2)
    )


def _keep(value: Any, folder: Path) -> dict[str, str] | None:
    try:
        materializer = materializer_of(value)
        if materializer.name not in TABLES:
            return None
        digest = materializer.digest(value)
        path = folder / digest.replace(":", "-")
        if not path.exists():
            materializer.write(value, path)
    except Exception:  # a table that nobody can store is one that nobody can look at
        return None
    return {"materializer": materializer.name, "digest": digest}
