"""The store: artifacts, runs and what may be reused, below one folder of the project."""

from __future__ import annotations

import functools
import os
import shutil
from contextlib import suppress
from pathlib import Path

from jupyterlab_pipelines.run import Execution
from jupyterlab_pipelines.store.artifacts import ArtifactStore
from jupyterlab_pipelines.store.database import Database, unwritable
from jupyterlab_pipelines.store.executions import ExecutionStore
from jupyterlab_pipelines.store.files import FileDigests
from jupyterlab_pipelines.store.integrity import Integrity
from jupyterlab_pipelines.store.locks import FileLock
from jupyterlab_pipelines.store.quality import QualityStore
from jupyterlab_pipelines.store.runs import RunStore
from jupyterlab_pipelines.store.secret import read_secret

FOLDER = ".pipelines"
ENVIRONMENT_VARIABLE = "JUPYTER_PIPELINES_STORE"


class Store:
    """Everything that is kept, below the folder `path`. Made on the first write."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.database = Database(path / "metadata.db")
        self.artifacts = ArtifactStore(path / "artifacts")
        self.runs = RunStore(self.database)
        self.executions = ExecutionStore(self.database)
        self.quality = QualityStore(self.database)
        self.files = FileDigests(self.database)
        self.integrity = Integrity(self.artifacts, self.database, self.files)

    def create(self) -> None:
        """Make the store if it is not there; `StoreError` if it cannot be written."""
        self.database.create()
        for name in ("artifacts", "locks", "runs"):
            try:
                (self.path / name).mkdir(exist_ok=True)
            except OSError as error:
                raise unwritable(self.path, f"its {name}: {error.strerror}") from None

    def scratch_copy(self, path: Path) -> Store:
        """A store at `path` that knows all that this one does, and holds none of its files."""
        self.database.copy_to(path / "metadata.db")
        with suppress(FileNotFoundError):
            shutil.copy2(self.path / "secret", path / "secret")
        copy = Store(path)
        copy.create()
        return copy

    @functools.cached_property
    def secret(self) -> bytes:
        """With which digests of environment variables are made; a folder for itself knows them by no other."""
        return read_secret(self.path / "secret")

    def run_folder(self, run_id: str) -> Path:
        """Where a run keeps what it is writing just now."""
        return self.path / "runs" / run_id

    def run_lock(self, run_id: str) -> FileLock:
        """Held by the process that carries out the run."""
        return FileLock(self.path / "locks" / f"run-{run_id}")

    def sweep_lock(self, sweep_id: str) -> FileLock:
        """Held by the process that carries out the sweep."""
        return FileLock(self.path / "locks" / f"sweep-{sweep_id}")

    def executions_of(self, run_id: str) -> dict[str, Execution]:
        """By step of the run, what stood for it, in the run's order; steps without an execution are left out."""
        found = (
            (row["step"], self.executions.get(row["execution_id"]))
            for row in self.runs.steps(run_id)
            if row["execution_id"] is not None
        )
        return {step: execution for step, execution in found if execution is not None}

    def step_lock(self, cache_key: str) -> FileLock:
        """Held by the run that executes the step with this key, so that no other does."""
        return FileLock(self.path / "locks" / f"step-{cache_key}")

    def settle_interrupted(self) -> list[str]:
        """Tell runs whose process is gone as interrupted; their ids."""
        interrupted = []
        for run_id in self.runs.unfinished():
            lock = self.run_lock(run_id)
            try:
                free = lock.acquire()
            except OSError:
                continue  # a store that we may only read
            if free:
                try:
                    if self.runs.interrupt(run_id):
                        interrupted.append(run_id)
                finally:
                    lock.release()
        return interrupted


def find_root(path: Path) -> Path:
    """The project that `path` (a notebook or a folder) belongs to.

    The nearest folder above it that has a store, a ``pyproject.toml`` or a ``.git``; else its own folder.
    """
    folder = path if path.is_dir() else path.parent
    for candidate in (folder, *folder.parents):
        if any((candidate / mark).exists() for mark in (FOLDER, "pyproject.toml", ".git")):
            return candidate
    return folder


def find_store(root: Path, chosen: Path | None = None) -> Path:
    """Where the project at `root` keeps its store, unless `chosen` or the environment says otherwise."""
    if chosen is not None:
        return chosen.expanduser().absolute()
    said = os.environ.get(ENVIRONMENT_VARIABLE)
    return Path(said).expanduser().absolute() if said else root / FOLDER
