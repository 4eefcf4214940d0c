"""Pictures of Pillow, which lie in the store as pickles: their points, without Pillow."""

from __future__ import annotations

from typing import Any

from jupyterlab_pipelines.quality.pickled import StandIn

MODES = {
    "L": ("uint8", ("grey",)),
    "LA": ("uint8", ("grey", "alpha")),
    "RGB": ("uint8", ("red", "green", "blue")),
    "RGBA": ("uint8", ("red", "green", "blue", "alpha")),
    "CMYK": ("uint8", ("cyan", "magenta", "yellow", "black")),
    "HSV": ("uint8", ("hue", "saturation", "value")),
    "YCbCr": ("uint8", ("luma", "blue_difference", "red_difference")),
    "I;16": ("<u2", ("grey",)),
    "I": ("int32", ("grey",)),
    "F": ("float32", ("grey",)),
}
"""What the points of a picture are, by Pillow's name of its mode. Black and white, and palettes, are no quantities."""


def channels(value: object) -> tuple[dict[str, Any], dict[str, str]] | None:
    """The channels of a picture and their dtypes; None where `value` is none whose points are known."""
    import numpy as np

    if not isinstance(value, StandIn) or not type(value).__module__.startswith("PIL."):
        return None
    match value.state:
        case [_, str(mode), (int(width), int(height)), _, bytes(data), *_] if mode in MODES:
            kind, names = MODES[mode]
        case _:
            return None
    points = np.frombuffer(data, dtype=kind)
    if points.size != width * height * len(names):
        return None
    told = f"{points.dtype} {height} × {width} × {len(names)}"
    return {name: points[at :: len(names)] for at, name in enumerate(names)}, dict.fromkeys(names, told)
