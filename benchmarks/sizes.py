"""Sizes on the command line: ``200MB``."""

from __future__ import annotations

UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9}


def bytes_from(text: str) -> int:
    for unit, factor in UNITS.items():
        if text.upper().endswith(unit):
            return int(float(text[: -len(unit)]) * factor)
    return int(float(text))
