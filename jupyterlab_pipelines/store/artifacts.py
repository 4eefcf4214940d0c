"""The artifact store: content-addressed files. Standard library only; step kernels write into it.

A file is written aside, synced and renamed into place: what has its final name is whole. It also gets a
**stamp**, a time of modification that follows from its name. Whatever is done to the file afterwards gives
it another one; so a look at the file tells, without reading it, whether it is as it was stored. A copy of
the store that has lost the times is told from a damaged one by checksums, see `integrity`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

FIRST_STAMP_SECONDS = 946_684_800
"""The year 2000: all stamps lie between it and 2017, when none of the files was there."""
STAMPS = 1 << 28
STAMP_STEP_SECONDS = 2
"""The coarsest times that a file system keeps (FAT's)."""

ASIDE = ".part"
"""How the name of a file ends that is being written."""


def stamp_of(name: str) -> int:
    """The time of modification, in nanoseconds, that the stored file `name` has while nobody touches it."""
    number = zlib.crc32(name.encode()) % STAMPS
    return (FIRST_STAMP_SECONDS + number * STAMP_STEP_SECONDS) * 10**9


class ArtifactStore:
    """Files below `root`, each under the digest that names it: ``ab/cdef…``."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, digest: str) -> Path:
        return self.root / digest[:2] / digest[2:]

    def status(self, digest: str) -> os.stat_result | None:
        """What the file system says of the stored file, None if there is none."""
        try:
            return os.stat(os.path.join(self.root, digest[:2], digest[2:]))
        except OSError:
            return None

    def is_stamped(self, digest: str) -> bool:
        """Whether the file is there, and nobody has touched it since it was stored."""
        status = self.status(digest)
        return status is not None and status.st_mtime_ns == stamp_of(digest)

    def stamp(self, digest: str) -> None:
        """Note on the file that it is whole; somebody has looked."""
        with suppress(OSError):  # a store that we may only read
            os.utime(self.path(digest), ns=(stamp_of(digest), stamp_of(digest)))

    def add(self, digest: str, write: Callable[[Path], object]) -> int:
        """Store under `digest` what `write` writes to the path that it is given; the size in bytes.

        A whole file that is already there is kept: equal digests name equal content.
        """
        final = self.path(digest)
        known = self.status(digest)
        if known is not None and known.st_mtime_ns == stamp_of(digest):
            # Its time of change says that somebody needs it, to whoever looks for what nobody does.
            self.stamp(digest)
            return known.st_size
        final.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".", suffix=ASIDE, dir=final.parent)
        os.close(handle)
        aside = Path(name)
        try:
            write(aside)
            with aside.open("rb+") as file:
                os.utime(aside, ns=(stamp_of(digest), stamp_of(digest)))
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
        digest = _name_of(data)
        self.add(digest, lambda path: path.write_bytes(data))
        return digest

    def read_object(self, digest: str) -> bytes | None:
        """The bytes of an object that `add_bytes` has stored, None if it is gone or damaged."""
        data = self.read_bytes(digest)
        return data if data is not None and _name_of(data) == digest else None

    def read_bytes(self, digest: str) -> bytes | None:
        """The bytes of a stored file, None if it is gone."""
        try:
            return self.path(digest).read_bytes()
        except OSError:
            return None

    def remove(self, digest: str) -> None:
        """Remove a stored file, if it is there."""
        with suppress(OSError):
            self.path(digest).unlink()

    def files(self) -> Iterator[tuple[str, os.stat_result]]:
        """All stored files, by name, and what was left of some that were being written."""
        with suppress(OSError), os.scandir(self.root) as folders:
            for folder in folders:
                if folder.is_dir(follow_symlinks=False) and len(folder.name) == 2:
                    with suppress(OSError), os.scandir(folder) as entries:
                        for entry in entries:
                            with suppress(OSError):
                                yield folder.name + entry.name, entry.stat(follow_symlinks=False)


def _name_of(data: bytes) -> str:
    return hashlib.blake2b(b"object\0" + data, digest_size=16).hexdigest()


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
