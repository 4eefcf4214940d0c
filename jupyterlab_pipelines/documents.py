"""Documents: the JSON that the command line and the server hand out."""

from __future__ import annotations

import json
import math
from typing import Any


def write_document(document: Any, *, indent: int | None = None) -> str:
    """`document` as JSON that every parser accepts.

    Python would write ``NaN`` and ``Infinity``, which are no JSON and which a browser refuses; a
    number that is none becomes ``null``, as in JavaScript.
    """
    try:
        return json.dumps(document, indent=indent, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(document), indent=indent, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
