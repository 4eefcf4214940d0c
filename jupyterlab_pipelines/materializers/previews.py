"""What people are shown of a value: its type, a few words, and the first rows. Never raises."""

from __future__ import annotations

import base64
import itertools
import json
import struct
import sys
import zlib
from collections.abc import Callable
from typing import Any

from jupyterlab_pipelines.materializers.definitions import package_of

ROWS, COLUMNS = 20, 30
PREVIEW_BYTES = 20_000
_TEXT_LENGTHS = (80, 40, 20, 8)
"""Cells are cut to the first of these with which the preview is small enough."""


def describe(value: object) -> tuple[str, str]:
    """The public qualified name of the type and a short summary, which may be empty.

    ``("pandas.DataFrame", "336,776 × 19")``, ``("int", "42")``, ``("list", "3 items")``
    """
    try:
        summary = _summary(value)
    except Exception:
        summary = ""
    return public_name(type(value)), summary


def preview(value: object) -> dict[str, Any] | None:
    """What may be shown of the value without loading it, as JSON of at most about 20 kB.

    ``kind`` says which keys there are:

    ``table``
        ``shape``, ``columns`` ([{name, dtype}]), ``index`` and ``rows``: the head, as strings
    ``array``
        ``shape``, ``dtype``, ``values``: the first ones, flat, as strings
    ``items``
        ``length`` and ``items``: [[key or position, text]]
    ``image``
        ``shape``, ``dtype``, and ``png``: the picture in base64, small
    ``parameters``
        of an estimator: ``parameters`` as {name: text}; of a torch module: the shape of each
    ``text``
        ``text``

    None when there is nothing to show.
    """
    for length in _TEXT_LENGTHS:
        try:
            shown = _preview(value, lambda thing, length=length: _text(thing, length))  # type: ignore[misc]
            if shown is None or len(json.dumps(shown)) <= PREVIEW_BYTES:
                return shown
        except Exception:
            return None
    return None


def public_name(kind: type) -> str:
    """The shortest path by which already imported modules offer the type: ``pandas.DataFrame``."""
    try:
        module, name = kind.__module__, kind.__qualname__
        if module in ("builtins", "__main__"):
            return name
        parts = module.split(".")
        for end in range(1, len(parts) + 1):
            path = ".".join(parts[:end])
            # `vars`, not `getattr`, which may make a module import something.
            if path in sys.modules and vars(sys.modules[path]).get(name) is kind:
                return f"{path}.{name}"
        return f"{module}.{name}"
    except Exception:
        return "object"


def _is(value: object, *names: str) -> bool:
    """Whether the value is an instance of one of these types; imports nothing to find out."""
    for path in names:
        module, _, name = path.rpartition(".")
        kind = vars(sys.modules[module]).get(name) if module in sys.modules else None
        if isinstance(kind, type) and issubclass(type(value), kind):
            return True
    return False


def _summary(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, (bool, int, float, complex, str)) and type(value).__module__ == "builtins":
        return _text(value, 60)
    if isinstance(value, (list, tuple, dict, set, frozenset)):
        return _count(len(value), "key" if isinstance(value, dict) else "item")
    if isinstance(value, (bytes, bytearray)):
        return _count(len(value), "byte")
    if _is(value, "pandas.DataFrame", "polars.DataFrame", "pyarrow.Table", "pyarrow.RecordBatch"):
        return _dimensions(value.shape)
    if _is(value, "pandas.Series", "pandas.Index", "polars.Series"):
        return f"{_count(len(value), 'value')}, {value.dtype}"
    if _is(value, "pyarrow.Array", "pyarrow.ChunkedArray"):
        return f"{_count(len(value), 'value')}, {value.type}"
    if _is(value, "numpy.ndarray"):
        return f"{_dimensions(value.shape)} {value.dtype}".strip()
    if _is(value, "numpy.generic"):
        return _text(value, 60)
    if _is(value, "PIL.Image.Image"):
        return f"{_dimensions(value.size)} {value.mode}"
    if _is(value, "torch.nn.Module"):
        return _count(sum(part.numel() for part in value.parameters()), "parameter")
    if _is(value, "sklearn.pipeline.Pipeline"):
        return " → ".join(type(step).__name__ for _, step in value.steps)[:120]
    return ""


def _preview(value: Any, text: Callable[[object], str]) -> dict[str, Any] | None:
    if value is None:
        return None
    if _is(value, "pandas.Series", "pandas.Index"):
        value = value.to_frame(name="" if value.name is None else value.name)
    elif _is(value, "polars.Series"):
        value = value.to_frame()
    if _is(value, "pandas.DataFrame"):
        head = value.iloc[:ROWS, :COLUMNS]
        columns = [(name, head.iloc[:, at].dtype) for at, name in enumerate(head.columns)]
        cells = [list(head.iloc[:, at].array) for at in range(head.shape[1])]
        index = [text(label) for label in head.index]
        rows = [[text(column[row]) for column in cells] for row in range(len(head))]
        return _table(value.shape, columns, index, rows, text)
    if _is(value, "polars.DataFrame"):
        head = value[:ROWS, :COLUMNS]
        rows = [[text(cell) for cell in row] for row in head.rows()]
        return _table(value.shape, list(head.schema.items()), None, rows, text)
    if _is(value, "pyarrow.Table", "pyarrow.RecordBatch"):
        head = value.slice(0, ROWS)
        fields = list(head.schema)[:COLUMNS]
        cells = [head.column(at).to_pylist() for at in range(len(fields))]
        rows = [[text(cell) for cell in row] for row in zip(*cells, strict=True)]
        return _table(value.shape, [(field.name, field.type) for field in fields], None, rows, text)
    picture = _picture(value)
    if picture is not None:
        return picture
    if _is(value, "numpy.ndarray"):
        values = [text(item) for item in itertools.islice(value.flat, 100)]
        return {"kind": "array", "shape": list(value.shape), "dtype": str(value.dtype), "values": values}
    if type(value) in (list, tuple, set, frozenset, dict):
        pairs = value.items() if type(value) is dict else enumerate(value)
        items = [[text(key), text(item)] for key, item in itertools.islice(pairs, 50)]
        return {"kind": "items", "length": len(value), "items": items}
    if _is(value, "sklearn.base.BaseEstimator"):
        parameters = {str(name): text(setting) for name, setting in value.get_params(deep=False).items()}
        return {"kind": "parameters", "parameters": parameters}
    if _is(value, "torch.nn.Module"):
        shapes = {str(name): _dimensions(tuple(part.shape)) for name, part in value.named_parameters()}
        return {"kind": "parameters", "parameters": dict(itertools.islice(shapes.items(), 50))}
    if type(value).__module__ in ("builtins", "datetime", "decimal", "fractions", "numpy"):
        return {"kind": "text", "text": _text(value, 4000) if isinstance(value, str) else text(value)}
    return None


def _picture(value: Any) -> dict[str, Any] | None:
    """An array of bytes that is likely a picture, or one of Pillow's, as a PNG; None for anything else."""
    if _is(value, "PIL.Image.Image"):
        import numpy as np

        shape, kind = [value.height, value.width], value.mode
        pixels = value.convert("RGBA")
        pixels.thumbnail((_PICTURE_EDGES[0], _PICTURE_EDGES[0]))
        pixels = np.asarray(pixels)
    elif _is(value, "numpy.ndarray") and str(value.dtype) == "uint8":
        pixels, shape, kind = value, list(value.shape), str(value.dtype)
    else:
        return None
    has_form = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (3, 4))
    if not has_form or min(pixels.shape[:2]) < _SMALLEST_PICTURE:
        return None
    for edge in _PICTURE_EDGES:
        every = max(1, -(-max(pixels.shape[:2]) // edge))
        png = base64.b64encode(_png(pixels[::every, ::every])).decode()
        if len(png) <= PREVIEW_BYTES * 3 // 4:
            return {"kind": "image", "shape": shape, "dtype": kind, "png": png}
    return None


_PICTURE_EDGES = (192, 96, 56)
"""Longest edges of pictures in pixels; the first with which the file is small enough."""
_SMALLEST_PICTURE = 8


def _png(pixels: Any) -> bytes:
    """A PNG file of 8-bit samples: grey, RGB or RGBA (https://www.w3.org/TR/png)."""
    height, width = pixels.shape[:2]
    colour = 0 if pixels.ndim == 2 else {3: 2, 4: 6}[pixels.shape[2]]
    # Each line begins with its filter: none.
    lines = b"".join(b"\0" + pixels[line].tobytes() for line in range(height))

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def _table(
    shape: tuple[int, ...],
    columns: list[tuple[Any, Any]],
    index: list[str] | None,
    rows: list[list[str]],
    text: Callable[[object], str],
) -> dict[str, Any]:
    return {
        "kind": "table",
        "shape": list(shape),
        "columns": [{"name": text(name), "dtype": text(dtype)} for name, dtype in columns],
        "index": index,
        "rows": rows,
    }


def _text(thing: object, length: int) -> str:
    """At most `length` characters; containers and unknown objects are named, not written out."""
    if isinstance(thing, str):
        text = str(thing[: length + 1])
    elif isinstance(thing, (bytes, bytearray)):
        text = repr(bytes(thing[:length]))
    elif isinstance(thing, int) and thing.bit_length() > 1000:
        text = f"an integer of {thing.bit_length():,} bits"
    elif isinstance(thing, (list, tuple, dict, set, frozenset)) or not _is_quickly_written(thing):
        name, summary = describe(thing)
        text = f"{name} ({summary})" if summary else name
    else:
        text = str(thing)
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= length else text[: length - 1] + "…"


_QUICKLY_WRITTEN = frozenset(
    {
        "builtins",
        "datetime",
        "decimal",
        "fractions",
        "numpy",
        "pandas",
        "polars",
        "pyarrow",
        "uuid",
        "zoneinfo",
    }
)
"""Packages whose objects, containers aside, are short texts."""


def _is_quickly_written(thing: object) -> bool:
    if _is(thing, "numpy.ndarray", "pandas.DataFrame", "pandas.Series", "polars.DataFrame", "polars.Series"):
        return False
    return package_of(type(thing)) in _QUICKLY_WRITTEN


def _dimensions(shape: tuple[int, ...]) -> str:
    return " × ".join(f"{length:,}" for length in shape)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
