"""Logs of steps, read in parts: they grow while they are read, and can be larger than anybody wants to see."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import BinaryIO

_UP = re.compile(r"\x1b\[\d*A")


@dataclass(frozen=True, slots=True)
class LogPart:
    """A piece of a log, and the bytes that it stands for.

    Progress bars that stand below each other go up a line by an escape sequence, which the text keeps.
    """

    text: str
    start: int
    end: int

    @property
    def plain(self) -> str:
        """The text without escape sequences."""
        return _UP.sub("", self.text)


def read_part(
    file: BinaryIO, *, start: int = 0, last_bytes: int | None = None, is_growing: bool = False
) -> LogPart:
    """The log from the byte `start` on; of more than `last_bytes` of it, the end.

    A log that is shorter than `start`, because its step has begun anew, is told from its beginning. A character is
    never cut in two: at the end of a log that `is_growing`, half a one waits for its rest.
    """
    size = file.seek(0, os.SEEK_END)
    start = start if start <= size else 0
    if last_bytes is not None:
        start = max(start, size - last_bytes)
    file.seek(start)
    data = file.read(size - start)
    cut = _rest_of_character(data) if start > 0 else 0
    end = len(data) - (_begun_character(data) if is_growing else 0)
    return LogPart(data[cut:end].decode("utf-8", "replace"), start + cut, start + max(cut, end))


def _rest_of_character(data: bytes) -> int:
    """How many bytes at the beginning of UTF-8 belong to a character that began before them."""
    continued = (at for at, byte in enumerate(data[:3]) if byte & 0xC0 != 0x80)
    return next(continued, min(3, len(data)))


def _begun_character(data: bytes) -> int:
    """How many bytes at the end of UTF-8 are a character whose rest is not there yet."""
    for count in range(1, min(3, len(data)) + 1):
        byte = data[-count]
        if byte & 0xC0 != 0x80:
            length = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC0 else 1
            return count if length > count else 0
    return 0
