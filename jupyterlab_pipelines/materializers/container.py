"""The file of a pickle with its large buffers beside it.

::

    8 bytes   magic
    8 bytes   length of the header, little-endian
    header    JSON: {"pickle": [offset, length], "buffers": [[offset, length], …]}
    pickle, then the buffers, each at a multiple of 64 bytes; offsets count from the header's end

A large file is mapped copy-on-write: loading costs nothing, and the arrays in it may be changed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jupyterlab_pipelines.materializers import mapped

MAGIC = b"JPpickl1"
ALIGNMENT = 64
MAPPED_FROM_BYTES = 1 << 20


def write(path: Path, pickled: Any, buffers: Sequence[memoryview]) -> None:
    places, end = [], 0
    for part in (pickled, *buffers):
        places.append([end, len(part)])
        end = _aligned(end + len(part))
    header = json.dumps({"pickle": places[0], "buffers": places[1:]}, separators=(",", ":")).encode()
    header = header.ljust(_aligned(16 + len(header)) - 16)
    with path.open("wb") as file:
        file.write(MAGIC + len(header).to_bytes(8, "little") + header)
        for part in (pickled, *buffers):
            file.write(part)
            file.write(bytes(_aligned(len(part)) - len(part)))


def read(path: Path) -> tuple[memoryview, list[memoryview]]:
    """The pickle and its buffers, which may be written to without changing the file.

    Raises
    ------
    ValueError : the file is no such container.
    """
    if path.stat().st_size < MAPPED_FROM_BYTES:
        content = memoryview(bytearray(path.read_bytes()))
    else:
        content = memoryview(mapped.map_file(path))
    if content[:8] != MAGIC:
        raise ValueError(f"{path} is no pickle container")
    start = 16 + int.from_bytes(content[8:16], "little")
    header = json.loads(bytes(content[16:start]))
    places = (header["pickle"], *header["buffers"])
    pickled, *buffers = (content[start + offset : start + offset + length] for offset, length in places)
    return pickled, buffers


def _aligned(position: int) -> int:
    return -(-position // ALIGNMENT) * ALIGNMENT
