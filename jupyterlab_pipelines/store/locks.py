"""Locks that end with the process that holds them, however it ends."""

from __future__ import annotations

import os
from pathlib import Path

if os.name == "posix":
    import fcntl

    def _lock(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)

else:  # pragma: no cover - Windows
    import msvcrt

    def _lock(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]


class FileLock:
    """An exclusive lock on a file; the operating system drops it when its holder dies."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.handle: int | None = None

    def acquire(self) -> bool:
        """Take the lock if nobody holds it; whether it was taken. Never waits."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                _lock(handle)
            except OSError:
                os.close(handle)
                return False
            # Its last holder may have removed the file between our opening and locking it.
            try:
                same = os.path.samestat(os.fstat(handle), os.stat(self.path))
            except OSError:
                same = False
            if same:
                self.handle = handle
                return True
            os.close(handle)

    def adopt(self, handle: int) -> None:
        """Hold the lock that the parent process took and handed down as an open file."""
        os.set_inheritable(handle, False)
        self.handle = handle

    def release(self) -> None:
        """Drop the lock and remove its file."""
        if self.handle is None:
            return
        if os.name == "posix":
            self.path.unlink(missing_ok=True)
        os.close(self.handle)
        self.handle = None

    def close(self) -> None:
        """Close our copy of a lock that a child process holds on."""
        if self.handle is not None:
            os.close(self.handle)
            self.handle = None
