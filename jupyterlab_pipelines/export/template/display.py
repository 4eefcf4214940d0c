"""What a notebook shows below a cell is printed."""

from __future__ import annotations

from typing import Any


def display(*values: Any, **options: Any) -> None:
    """Print values as a notebook shows them in text; nothing for None."""
    for value in values:
        if value is not None:
            print(repr(value))
