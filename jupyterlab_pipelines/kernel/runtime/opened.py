"""Which files are opened, written, moved and removed below some folders, told by the operating system.

Linux tells it through `fanotify`, whatever the language of who does it, and with the process that did. An ordinary
user may ask since Linux 5.13, and learns of the own process only; root learns of all processes. Elsewhere, and
where a container forbids the question, there is no `OpenWatch`.
"""

from __future__ import annotations

import ctypes
import functools
import os
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

OFF = "JUPYTER_PIPELINES_NO_FANOTIFY"
"""Environment variable that keeps us from asking, so that what is done without can be tried."""

# From <linux/fanotify.h>.
FAN_CLOEXEC, FAN_NONBLOCK, FAN_UNLIMITED_QUEUE = 0x1, 0x2, 0x10
FAN_REPORT_DIR_FID, FAN_REPORT_NAME = 0x400, 0x800
FAN_MARK_ADD, FAN_MARK_ONLYDIR = 0x1, 0x8
FAN_MODIFY, FAN_CLOSE_WRITE, FAN_OPEN = 0x2, 0x8, 0x20
FAN_MOVED_FROM, FAN_MOVED_TO, FAN_CREATE, FAN_DELETE = 0x40, 0x80, 0x100, 0x200
FAN_Q_OVERFLOW = 0x4000
FAN_EVENT_ON_CHILD, FAN_ONDIR = 0x0800_0000, 0x4000_0000
WANTED = (
    *(FAN_MODIFY, FAN_CLOSE_WRITE, FAN_OPEN, FAN_MOVED_FROM, FAN_MOVED_TO, FAN_CREATE, FAN_DELETE),
    *(FAN_EVENT_ON_CHILD, FAN_ONDIR),
)
AT_FDCWD, AT_HANDLE_FID = -100, 0x200
EVENT = struct.Struct("=IBBHQii")
HANDLE_BYTES = 128
"""The most that the name of a folder takes, by which a file system knows it."""
RECORD_BYTES = 12
"""Of what follows an event: its head and the file system's number, before the handle."""
BUFFER_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Opened:
    """What a process did to a file or a folder, or several things at once.

    `pid` is 0 for another process if we may not know which.
    """

    path: str
    pid: int
    mask: int

    @property
    def is_folder(self) -> bool:
        return bool(self.mask & FAN_ONDIR)

    @property
    def was_made(self) -> bool:
        return bool(self.mask & (FAN_CREATE | FAN_MOVED_TO))

    @property
    def was_changed(self) -> bool:
        return bool(
            self.mask
            & (FAN_MODIFY | FAN_CLOSE_WRITE | FAN_MOVED_FROM | FAN_MOVED_TO | FAN_CREATE | FAN_DELETE)
        )

    @property
    def was_opened(self) -> bool:
        return bool(self.mask & FAN_OPEN)


class OpenWatch:
    """What happens in folders, from when they are marked until `close`.

    Raises
    ------
    OSError
        The system does not tell.
    """

    def __init__(self) -> None:
        if not sys.platform.startswith("linux") or os.environ.get(OFF):
            raise OSError("not here")
        # By kind and name of the handle, as the system lays them out.
        self._folders: dict[bytes, str] = {}
        self._buffer = ctypes.create_string_buffer(8 + HANDLE_BYTES)
        self._mount = ctypes.byref(ctypes.c_int())
        self.has_lost = False
        flags = FAN_CLOEXEC | FAN_NONBLOCK | FAN_REPORT_DIR_FID | FAN_REPORT_NAME
        for more in (FAN_UNLIMITED_QUEUE, 0):
            self._handle = _libc().fanotify_init(flags | more, os.O_RDONLY | os.O_CLOEXEC)
            if self._handle >= 0:
                return
        raise OSError(ctypes.get_errno(), "fanotify_init")

    def mark(self, folder: str) -> bool:
        """Tell from now on what happens to the folder and to what lies directly in it; whether that is possible."""
        name = os.fsencode(folder)
        buffer = self._buffer
        # Some file systems give a handle only to those who do not want to open it.
        for flags in (0, AT_HANDLE_FID):
            struct.pack_into("=I", buffer, 0, HANDLE_BYTES)
            if _libc().name_to_handle_at(AT_FDCWD, name, buffer, self._mount, flags) == 0:
                break
        else:
            return False
        if _libc().fanotify_mark(self._handle, FAN_MARK_ADD | FAN_MARK_ONLYDIR, sum(WANTED), AT_FDCWD, name):
            return False
        (size,) = struct.unpack_from("=I", buffer)
        self._folders[buffer.raw[4 : 8 + size]] = folder
        return True

    def events(self) -> Iterator[Opened]:
        """What has happened since the last time."""
        while True:
            try:
                data = os.read(self._handle, BUFFER_BYTES)
            except OSError:  # nothing more
                return
            yield from self._read(data)

    def _read(self, data: bytes) -> Iterator[Opened]:
        start = 0
        while start < len(data):
            length, _, _, head, mask, _, pid = EVENT.unpack_from(data, start)
            if mask & FAN_Q_OVERFLOW:
                self.has_lost = True
            elif length > head + RECORD_BYTES:
                at = start + head + RECORD_BYTES
                (size,) = struct.unpack_from("=I", data, at)
                folder = self._folders.get(data[at + 4 : at + 8 + size])
                name = os.fsdecode(data[at + 8 + size : start + length].split(b"\0", 1)[0])
                if folder is not None:
                    path = folder if name in ("", ".") else os.path.join(folder, name)
                    yield Opened(path, pid, mask)
            start += length

    def close(self) -> None:
        with suppress(OSError):
            os.close(self._handle)


@functools.cache
def _libc() -> Any:
    library = ctypes.CDLL(None, use_errno=True)
    library.fanotify_mark.argtypes = (
        *(ctypes.c_int, ctypes.c_uint, ctypes.c_uint64, ctypes.c_int, ctypes.c_char_p),
    )
    return library


def is_below(pid: int, ancestor: int) -> bool | None:
    """Whether a process was started by another or by one that this started; None if it has ended."""
    while pid > 1:
        try:
            with open(f"/proc/{pid}/stat", "rb", buffering=0) as file:
                # The second field is the program's name, which may hold anything.
                parent = int(file.read().rpartition(b")")[2].split()[1])
        except (OSError, ValueError):
            return None
        if parent == ancestor:
            return True
        pid = parent
    return False
