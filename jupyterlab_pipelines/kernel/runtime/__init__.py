"""Inside a step's kernel: load the inputs, watch the step, store what it leaves.

Standard library only; materializers import pandas and friends when such a value is at hand. The
step notebook calls `load` in a cell that a person may read and execute; `begin` and `finish` are
called by the papermill engine around the step's own cells.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyterlab_pipelines import logged
from jupyterlab_pipelines.environment import distributions_of
from jupyterlab_pipelines.kernel.runtime import hidden
from jupyterlab_pipelines.kernel.runtime.defined import tell_of_definitions
from jupyterlab_pipelines.kernel.runtime.doubts import DoubtRecorder
from jupyterlab_pipelines.kernel.runtime.files import FileRecorder, spellings_left_out, tell_of_files
from jupyterlab_pipelines.kernel.runtime.inputs import load_references, take_snapshots
from jupyterlab_pipelines.kernel.runtime.native import NativeReaders
from jupyterlab_pipelines.kernel.runtime.process import LocalModules
from jupyterlab_pipelines.kernel.runtime.variables import VariableRecorder, tell_of_variables
from jupyterlab_pipelines.kernel.runtime.watch import Watch, set_state

_watch: Watch | None = None
_log: logged.Log | None = None
_files: FileRecorder | None = None
_variables: VariableRecorder | None = None
_doubts: DoubtRecorder | None = None
_local_modules: LocalModules | None = None
_store: Path | None = None


def look_ahead(packages: Iterable[str]) -> None:
    """Find out what is the same in all processes that will be forked from this one, which has imported `packages`."""
    hidden.begin()
    spellings_left_out()
    distributions_of(packages)


def is_recording() -> bool:
    """Whether somebody has asked to `record`."""
    return _files is not None


def record() -> None:
    """Note from now on what is read: files, modules, variables; before a step's first cell, setup included."""
    global _files, _local_modules, _store, _variables, _doubts
    from jupyterlab_pipelines.store import find_root

    _doubts = DoubtRecorder()
    if _files is not None:
        # The next step in the same kernel. The working directory may be another one by now; the paths are not.
        _files = FileRecorder(Path(_files.folder), Path(_files.project), store_folder(), _files)
        assert _variables is not None
        _variables = VariableRecorder(_variables.started_with, _watch_folder)
        return
    hidden.begin()
    # Before anything is recorded: where the store is found is nothing that the step has looked at.
    _store = store_folder()
    folder = Path(os.getcwd())
    _files = FileRecorder(folder, find_root(folder), _store)
    tell_of_files(_hook)
    _local_modules = LocalModules(_files.is_projects, _look)
    if not _files.is_told_by_system:
        NativeReaders(_read_unseen)
    _variables = VariableRecorder({}, _watch_folder)
    _variables.started_with = tell_of_variables(lambda: _variables)


@dataclass
class Seen:
    """What was read so far: files, folders, variables, and what nobody can compare; whether files were written."""

    files: dict[str, Any] = field(default_factory=dict)
    folders: dict[str, Any] = field(default_factory=dict)
    variables: dict[str, Any] = field(default_factory=dict)
    all_variables: dict[str, bool] = field(default_factory=dict)
    network: str | None = None
    asks_clock: bool = False
    writes: bool = False

    def since(self, before: Seen) -> Seen:
        """What was not seen before."""

        def new(now: dict[str, Any], then: dict[str, Any]) -> dict[str, Any]:
            return {name: each for name, each in now.items() if name not in then}

        return Seen(
            new(self.files, before.files),
            new(self.folders, before.folders),
            new(self.variables, before.variables),
            new(self.all_variables, before.all_variables),
            self.network if before.network is None else None,
            self.asks_clock and not before.asks_clock,
            self.writes,
        )


def seen() -> Seen:
    """What was read since `record`; it comes first."""
    assert _files is not None and _variables is not None and _doubts is not None
    files, folders, writes = _files.so_far()
    return Seen(
        files,
        folders,
        dict(_variables.seen),
        dict(_variables.seen_all),
        _doubts.seen,
        _doubts.asks_clock,
        bool(writes),
    )


def carry(earlier: Seen) -> None:
    """The step that is recorded now starts from what was read then."""
    assert _files is not None and _variables is not None and _doubts is not None
    both: tuple[tuple[dict[str, Any], dict[str, Any]], ...] = (
        (_files.reads, earlier.files),
        (_files.lists, earlier.folders),
        (_variables.seen, earlier.variables),
        (_variables.seen_all, earlier.all_variables),
    )
    for now, then in both:
        for name, each in then.items():
            now.setdefault(name, each)
    _doubts.seen = _doubts.seen or earlier.network
    _doubts.asks_clock |= earlier.asks_clock


def started_with() -> dict[str, str]:
    """Environment variables as they were when `record` was called first."""
    assert _variables is not None
    return _variables.started_with


def watch() -> Watch:
    """What watches the step that was begun last."""
    assert _watch is not None, "begin() comes first"
    return _watch


def release() -> None:
    """Let go of the step that has ended, and so of the values that it began with: nobody else may hold them."""
    global _watch
    _watch = None
    tell_of_definitions(lambda name: None)
    logged.collect(None)


def local_modules() -> LocalModules | None:
    """The modules beside the notebook that this process has imported."""
    return _local_modules


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    assert _files is not None
    _files.hook(event, arguments)
    assert _doubts is not None
    _doubts.hook(event, arguments)


def _read_unseen(name: str) -> None:
    assert _files is not None
    _files.read_unseen(name)


def _watch_folder(value: str) -> None:
    assert _files is not None
    _files.watch(value)


def _look(name: str) -> None:
    assert _files is not None
    _files.look(name)


def files() -> dict[str, Any]:
    """What was seen of files, as JSON (see `FileRecorder.report`): all that a step that failed can tell."""
    assert _files is not None, "record() comes first"
    return _files.report()


def load(**references: str) -> None:
    """Put the stored values that `references` name into the notebook's namespace.

    Parameters
    ----------
    references
        By variable, ``materializer:stored`` or ``materializer:stored#member``.
    """
    take_snapshots(load_references(store_folder(), references, into=_namespace()), references)


def prepare(references: dict[str, str]) -> None:
    """Bring the process into the state that earlier steps left, before definitions import what lies on a path.

    `references`: as in ``hidden`` of the spec, see `Watch`.
    """
    set_state(store_folder(), references, ambient_only=True)


def begin(spec: dict[str, Any]) -> None:
    """Remember the state before the step's first cell. `spec`: see `Watch`."""
    global _watch, _log
    _watch = Watch(spec, _namespace(), store_folder(), _files, _local_modules, _variables, _doubts)
    tell_of_definitions(_watch.defined)
    _log = logged.Log(Path(spec["logged"]) if spec.get("logged") else None)
    logged.collect(_log)


def finish() -> dict[str, Any]:
    """Store what the step leaves; what was stored and seen, as JSON (see `Watch.finish`).

    ``logged`` is what its cells have logged (see `logged.Log`); metrics among it are the step's metrics.
    """
    assert _watch is not None and _log is not None, "begin() comes first"
    logged.collect(None)
    report = _watch.finish()
    report["metrics"] |= _log.last
    return report | {"logged": _log.to_json()}


def probe(folder: str, cell: int | None) -> None:
    """Write the tables that the namespace has after a cell into a folder, see `probing.keep_tables`."""
    from jupyterlab_pipelines.kernel.runtime.probing import keep_tables

    keep_tables(_namespace(), cell, Path(folder))


class Said:
    """The value of what the engine has said: IPython is not to look for ways to show it."""

    def _ipython_display_(self) -> None:
        pass


def hear(expression: str) -> Said:
    """Evaluate an expression in the notebook's namespace as if it stood in a cell."""
    from IPython import get_ipython

    get_ipython().ev(expression)
    return Said()


def told(path: str) -> dict[str, Any]:
    """What the engine has left there."""
    document: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    return document


def answer(path: str, document: dict[str, Any]) -> None:
    """Leave a report where the engine asked for it."""
    Path(path).write_text(json.dumps(document), encoding="utf-8")


def store_folder() -> Path:
    """The store that the step's inputs lie in: said by the environment, else found above the folder."""
    from jupyterlab_pipelines.store import find_root, find_store

    if _store is not None:
        return _store
    return find_store(find_root(Path(os.getcwd())))


def _namespace() -> dict[str, Any]:
    from IPython import get_ipython

    shell = get_ipython()
    if shell is not None:
        namespace: dict[str, Any] = shell.user_ns
        return namespace
    import __main__

    return vars(__main__)
