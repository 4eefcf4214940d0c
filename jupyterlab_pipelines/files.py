"""The state of files and folders: what a step saw of them, and whether that still holds.

A **trace** is JSON that an execution keeps of what it read::

    {"files": {"data/a.csv": [size, mtime_ns, digest, ctime_ns], "data/b.csv": null},
     "folders": {"data": [digest, ["own.csv"], ["a.csv", "b.csv"]]}}

``null`` stands for a file that was looked for and not found. ``mtime_ns`` is null where it proves nothing;
``ctime_ns``, which no program can set, is left out by earlier versions. A null digest is one that nobody has
computed yet: until then only the times prove that the file is as it was.
A folder's digest is one of its names, without those that the step itself put there afterwards; the names
themselves are null where they are many, and left out by earlier versions. Paths are relative to the notebook's
folder, with slashes, or absolute when they lie outside the project.

Standard library only; used in kernels and by the planner.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, Protocol

MOST_NAMES = 200
"""In a folder: of more, a trace has the digest alone."""

DIGEST_BYTES = 16
BLOCK_BYTES = 1 << 20
RACY_NS = 2_000_000_000
"""A file this young may change again without another time of modification."""

ABSENT = "absent"
"""In place of the digest of a file that is not there."""
UNKNOWN = "unknown"
"""In place of the digest of a file that changed while it was read: equal to nothing."""

_digests: dict[tuple[str, int, int, int, int], str] = {}


class Memory(Protocol):
    """Remembers digests for longer than this process lives."""

    def find(self, path: str, status: os.stat_result) -> str | None:
        """The digest of the file while its status was this one, None if nobody knows."""

    def keep(self, path: str, status: os.stat_result, digest: str) -> None:
        """Remember the digest that the file has while its status is this one."""


def file_digest(path: str, memory: Memory | None = None) -> str:
    """Digest of a file's content, `ABSENT` if there is no such file; computed once while it stays as it is.

    `UNKNOWN` if somebody writes to the file meanwhile.
    """
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            return ABSENT
        key = (path, *identity(status))
        if key in _digests:
            return _digests[key]
        settled = is_settled(status)
        if memory is not None and settled and (known := memory.find(path, status)) is not None:
            _digests[key] = known
            return known
        digest = read_digest(path)
        if identity(os.stat(path)) != identity(status):
            return UNKNOWN
    except OSError:
        return ABSENT
    if settled:
        _digests[key] = digest
        if memory is not None:
            memory.keep(path, status, digest)
    return digest


def read_digest(path: str | os.PathLike[str]) -> str:
    """Digest of the bytes that a file has now, whatever is remembered of it."""
    hashed = blake2b(digest_size=DIGEST_BYTES)
    with open(path, "rb", buffering=0) as file:
        while block := file.read(BLOCK_BYTES):
            hashed.update(block)
    return hashed.hexdigest()


def identity(status: os.stat_result) -> tuple[int, int, int, int]:
    """What is another after a change of the file: size, times of modification and of change, number."""
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def is_settled(status: os.stat_result) -> bool:
    """Whether another change of the file would surely show in its times."""
    return max(status.st_mtime_ns, status.st_ctime_ns) + RACY_NS < time.time_ns()


def listed(folder: str) -> set[str] | None:
    """Names in a folder, without hidden ones and compiled modules; None if it cannot be listed."""
    try:
        return {name for name in os.listdir(folder) if not name.startswith((".", "__pycache__"))}
    except OSError:
        return None


def names_digest(names: Iterable[str] | None) -> str:
    if names is None:
        return ABSENT
    text = "\0".join(sorted(names))
    return blake2b(text.encode("utf-8", "surrogateescape"), digest_size=DIGEST_BYTES).hexdigest()


def changed_files(
    trace: Mapping[str, Any], folder: Path, without: Collection[str] = (), memory: Memory | None = None
) -> dict[str, str]:
    """What a step read and is not as it was, by path: ``changed``, ``is gone`` or ``is there now``.

    Parameters
    ----------
    folder
        The notebook's.
    without
        Paths that do not count.
    memory
        Of digests.
    """
    changed = {}
    for path, seen in trace.get("files", {}).items():
        if path in without:
            continue
        full = os.path.join(folder, path)
        try:
            status = os.stat(full)
        except OSError:
            if seen is not None:
                changed[path] = "is gone"
            continue
        if seen is None:
            changed[path] = "is there now"
        elif _is_as_seen(status, seen):
            continue
        elif status.st_size != seen[0] or file_digest(full, memory) != seen[2]:
            changed[path] = "changed"
    return changed


def _is_as_seen(status: os.stat_result, seen: Sequence[Any]) -> bool:
    """Whether the times alone prove that a file is as a step has seen it."""
    if [status.st_size, status.st_mtime_ns] != seen[:2]:
        return False
    return len(seen) < 4 or status.st_ctime_ns == seen[3]


def missing_digests(trace: Mapping[str, Any]) -> list[str]:
    """Paths of the files whose digests nobody has computed yet."""
    return [path for path, seen in trace.get("files", {}).items() if seen is not None and seen[2] is None]


def with_digests(trace: Mapping[str, Any], folder: Path, memory: Memory | None = None) -> dict[str, Any]:
    """The trace with the digests that it lacks, of files that are still as the step has seen them."""
    files = dict(trace.get("files", {}))
    for path in missing_digests(trace):
        seen, full = files[path], os.path.join(folder, path)
        try:
            is_as_seen = _is_as_seen(os.stat(full), seen)
            digest = file_digest(full, memory) if is_as_seen else None
            if digest is not None and _is_as_seen(os.stat(full), seen):
                files[path] = [*seen[:2], digest, *seen[3:]]
        except OSError:
            continue
    return {**trace, "files": files}


def changed_folders(trace: Mapping[str, Any], folder: Path) -> list[str]:
    """Folders that a step listed and that hold other names now."""
    changed = []
    for path, (digest, own, *_) in trace.get("folders", {}).items():
        names = listed(os.path.join(folder, path))
        if names_digest(None if names is None else names.difference(own)) != digest:
            changed.append(path)
    return changed


def other_names(trace: Mapping[str, Any], folder: Path, path: str) -> tuple[list[str], list[str]]:
    """Names that are new in a folder that a step listed, and those that are gone, where that is known."""
    _, own, *kept = trace["folders"][path]
    now = listed(os.path.join(folder, path))
    if now is None or not kept or kept[0] is None:
        return [], []
    return sorted(now.difference(own, kept[0])), sorted(set(kept[0]).difference(now))


def saw(trace: Mapping[str, Any], path: str, digest: str) -> bool:
    """Whether a step read the file while it had this content."""
    seen = trace.get("files", {}).get(path, ())
    return digest == ABSENT if seen is None else bool(seen) and seen[2] == digest
