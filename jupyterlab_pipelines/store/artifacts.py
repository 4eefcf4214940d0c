"""The artifact store: content-addressed files. Standard library only; step kernels write into it.

A file is written aside, synced and renamed into place: what has its final name is whole.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path


class ArtifactStore:
    """Files below `root`, each under the digest that names it: ``ab/cdef…``."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, digest: str) -> Path:
        return self.root / digest[:2] / digest[2:]

    def size(self, digest: str) -> int | None:
        """Size in bytes of the stored file, None if there is none."""
        try:
            return self.path(digest).stat().st_size
        except OSError:
            return None

    def add(self, digest: str, write: Callable[[Path], object]) -> int:
        """Store under `digest` what `write` writes to the path that it is given; the size in bytes.

        A file that is already there is kept: equal digests name equal content.
        """
        final = self.path(digest)
        known = self.size(digest)
        if known is not None:
            return known
        final.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=final.parent)
        os.close(handle)
        aside = Path(name)
        try:
            write(aside)
            with aside.open("rb+") as file:
                os.fsync(file.fileno())
            size = aside.stat().st_size
            os.replace(aside, final)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise
        _sync_folder(final.parent)
        return size

    def refer(self, digest: str, other: ArtifactStore) -> None:
        """Have the file of `other`, by a link if there can be one."""
        place, source = self.path(digest), other.path(digest)
        if os.path.lexists(place) or not source.exists():
            return
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.symlink(source.absolute(), place)
        except (OSError, NotImplementedError):  # Windows may refuse links
            shutil.copyfile(source, place)

    def add_bytes(self, data: bytes) -> str:
        """Store an object that is named by the hash of its bytes; that name."""
        digest = hashlib.blake2b(b"object\0" + data, digest_size=16).hexdigest()
        self.add(digest, lambda path: path.write_bytes(data))
        return digest

    def read_bytes(self, digest: str) -> bytes | None:
        """The bytes of a stored object, None if it is gone."""
        try:
            return self.path(digest).read_bytes()
        except OSError:
            return None


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
