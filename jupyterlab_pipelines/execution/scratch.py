"""The scratch place: a copy of a project and of what its store knows, in which steps are executed once more.

It is a folder for temporary files with

- the project's files, as copies, or as links where they are large and the step only reads them,
- a store with a copy of the database, and links to the stored values.

Nothing of the project or its store is changed by what is executed there.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from jupyterlab_pipelines.artifact import FILE
from jupyterlab_pipelines.pipeline import FileEffects
from jupyterlab_pipelines.run import Execution
from jupyterlab_pipelines.store import Store

COPIED_BYTES = 1 << 20
"""Files up to this size are copied into the scratch place, so that nothing can be written through a link."""

MOST_FILES = 20_000
"""Below the notebook's folder: of more, only those that the step was seen to read are there."""

LEFT_OUT = frozenset({"node_modules", "__pycache__", "site-packages"})
ENVIRONMENT_MARKS = ("pyvenv.cfg", "conda-meta")


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    # Not "jp-": files below such a folder are our own, and would not be seen to be read.
    folder = Path(os.path.realpath(tempfile.mkdtemp(prefix="pipelines-verify-")))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """A request to terminate ends the verification as Ctrl-C does: by way of what cleans up."""

    def interrupt(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    before: Any = None
    try:
        with contextlib.suppress(ValueError):  # not in the main thread
            before = signal.signal(signal.SIGTERM, interrupt)
        yield
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)


class Scratch:
    """A copy of the project and of what its store knows, for the steps of one group."""

    def __init__(self, base: Path, store: Store, root: Path, folder: Path) -> None:
        self._real, self._root, self._real_folder = store, root, folder
        self.root = Path(tempfile.mkdtemp(prefix="", dir=base))
        self.folder = self.root / os.path.relpath(folder, root)
        self.folder.mkdir(parents=True, exist_ok=True)
        # The kernel finds the project's root by it.
        self.store = store.scratch_copy(self.root / ".pipelines")

    def fill(self, executions: Sequence[Execution], effects: FileEffects) -> None:
        """Put there what lies beside the notebook, as it was before the steps were executed."""
        made = {
            path
            for execution in executions
            for path, seen in execution.trace.get("files", {}).items()
            if seen is None
        }
        written = set(effects.writes)
        for execution in executions:
            written |= {name.removeprefix(FILE) for name in execution.outputs if name.startswith(FILE)}
            read = {path for path, seen in execution.trace.get("files", {}).items() if seen is not None}
            made |= written - read - effects.appends
            for path in read:
                self._put(self._real_folder / path, written)
            for path in execution.trace.get("folders", {}):
                self._put_names(self._real_folder / path, written)
        for count, path in enumerate(_files_below(self._real_folder)):
            if count >= MOST_FILES:
                break
            self._put(path, written)
        for name in made:
            with contextlib.suppress(OSError):
                (self.folder / name).unlink()

    def refer(self, execution: Execution) -> None:
        """Let the scratch store have what the execution left, without a copy."""
        for artifact in execution.outputs.values():
            if artifact.stored:
                self.store.artifacts.refer(artifact.stored, self._real.artifacts)

    def _place(self, path: Path) -> Path | None:
        relative = os.path.relpath(path, self._root)
        return None if relative.startswith("..") else self.root / relative

    def _put(self, path: Path, written: Collection[str]) -> None:
        place = self._place(path)
        if place is None or os.path.lexists(place):
            return
        try:
            status = os.stat(path)
            place.parent.mkdir(parents=True, exist_ok=True)
            if os.path.isdir(path):
                self._link_folder(Path(os.path.realpath(path)), place)
                return
            name = Path(os.path.relpath(path, self._real_folder)).as_posix()
            if status.st_size > COPIED_BYTES and name not in written:
                with contextlib.suppress(OSError, NotImplementedError):  # Windows may refuse links
                    os.symlink(os.path.realpath(path), place)
                    return
            shutil.copy2(path, place)
        except OSError:
            pass  # unreadable, a socket, or gone meanwhile: the step will say so if it needs it

    def _link_folder(self, target: Path, place: Path) -> None:
        """A link to a folder of the project leads to the copy of that folder."""
        copy = self._place(target)
        if copy is not None:
            copy.mkdir(parents=True, exist_ok=True)
        os.symlink(copy or target, place, target_is_directory=True)

    def _put_names(self, folder: Path, written: Collection[str]) -> None:
        place = self._place(folder)
        if place is None or not folder.is_dir():
            return
        place.mkdir(parents=True, exist_ok=True)
        for entry in os.scandir(folder):
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                (place / entry.name).mkdir(exist_ok=True)
            else:
                self._put(Path(entry.path), written)


def _files_below(folder: Path) -> Iterator[Path]:
    """Files below a folder, and links to folders, without version control, environments and stores."""
    for parent, folders, names in os.walk(folder):
        if parent != str(folder) and any(
            os.path.exists(os.path.join(parent, mark)) for mark in ENVIRONMENT_MARKS
        ):
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in LEFT_OUT)
        for name in sorted(names) + [name for name in folders if os.path.islink(os.path.join(parent, name))]:
            yield Path(parent, name)
