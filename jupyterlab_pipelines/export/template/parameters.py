"""Parameters of the pipeline, and their values if nobody gives others."""

from __future__ import annotations

from typing import Any

TYPES: dict[str, str] = {"n": "int"}
"""Their types, as the command line reads them."""


def defaults() -> dict[str, Any]:
    """By name, the values of the notebook's parameters cell."""
    n = 3
    return {"n": n}
