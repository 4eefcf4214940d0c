"""Single Python values, as columns of objects hold them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np


def is_missing(value: Any) -> bool:
    """None, NaN, NaT, NA."""
    if value is None:
        return True
    if isinstance(value, float | np.floating):
        return bool(value != value)
    if isinstance(value, Decimal):
        return value.is_nan()
    return type(value).__name__ in ("NaTType", "NAType") or (
        isinstance(value, np.datetime64 | np.timedelta64) and bool(np.isnat(value))
    )


def sound_text(value: str) -> str:
    """`value` with the sign for what cannot be shown where half a character stands."""
    return value if value.isascii() else value.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
