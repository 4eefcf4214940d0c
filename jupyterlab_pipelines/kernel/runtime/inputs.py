"""Stored values → the namespace. Values that lie in one file are loaded together, once."""

from __future__ import annotations

import contextlib
import importlib
import pickle
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from jupyterlab_pipelines import materializers
from jupyterlab_pipelines.artifact import GROUP
from jupyterlab_pipelines.errors import StepError
from jupyterlab_pipelines.materializers import materializer_named, read_group
from jupyterlab_pipelines.store.artifacts import ArtifactStore


def load_references(
    store: Path, references: Mapping[str, str], into: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The values by name. Members of one group, and names of one object, are loaded once.

    Equal values lie in one file, too, but are objects of their own. A value may refer to those before it
    by their names, once they are in the namespace: see `into`.

    Raises
    ------
    StepError
        ``artifact_missing``, ``package_missing``, ``artifact_damaged`` or ``not_loadable``.
    """
    artifacts = ArtifactStore(store / "artifacts")
    files: dict[str, Any] = {}
    values: dict[str, Any] = {} if into is None else into
    for name, said in references.items():
        materializer, _, rest = said.partition(":")
        stored, _, member = rest.partition("#")
        path = artifacts.path(stored)
        if not path.exists():
            raise StepError(
                "artifact_missing", f"The stored value of `{name}` ({stored}) is gone.", name=name
            )
        key = f"{materializer}:{stored}" if materializer == GROUP else said if member else name
        if key not in files:
            try:
                read = read_group if materializer == GROUP else materializer_named(materializer).read
                files[key] = read(path)
            except ModuleNotFoundError as error:
                raise StepError(
                    "package_missing",
                    f"`{name}` cannot be loaded: the package `{error.name}` is not installed in this kernel's "
                    "environment.",
                    name=name,
                    package=error.name,
                ) from error
            except Exception as error:  # a `__setstate__` of the user's may raise anything
                raise _unreadable(name, materializer, stored, path, error) from error
        values[name] = files[key][member] if materializer == GROUP else files[key]
    _show_figures()
    return values


_snapshots: dict[str, tuple[materializers.Snapshot, str | None]] = {}
"""By name, with the digest of the value when it was loaded: the first that `snapshots_of` was told."""


def take_snapshots(
    values: Mapping[str, Any], names: Iterable[str], digests: Mapping[str, str] | None = None
) -> None:
    """Remember how values look that were loaded just now, before any other code sees them.

    `digests`: of the values, where they are known.
    """
    for name in names:
        snapshot = materializers.snapshot(values[name])
        if snapshot is None:
            _snapshots.pop(name, None)
        else:
            _snapshots[name] = (snapshot, (digests or {}).get(name))


def snapshots_of(digests: Mapping[str, str]) -> dict[str, materializers.Snapshot]:
    """The snapshots of values with these digests.

    Several steps may follow each other in one process. What one of them has changed is another value for the
    next one, of which there is no snapshot.
    """
    found = {}
    for name, digest in digests.items():
        snapshot, known = _snapshots.get(name, (None, None))
        if snapshot is not None and known in (None, digest):
            _snapshots[name] = (snapshot, digest)
            found[name] = snapshot
    return found


def _show_figures() -> None:
    """Let the kernel show figures that it has only loaded, as it shows those that it has drawn.

    matplotlib tells IPython of its figures when its backend is imported, which is when the first is drawn.
    """
    if "matplotlib.figure" in sys.modules:
        import matplotlib

        backend = str(matplotlib.rcParams["backend"])
        if backend.endswith("backend_inline"):
            importlib.import_module(backend.removeprefix("module://"))


def _unreadable(name: str, materializer: str, stored: str, path: Path, error: Exception) -> StepError:
    why = f"{type(error).__name__}: {error}"
    if materializer == "pickle" and not isinstance(error, EOFError | OSError | pickle.UnpicklingError):
        return StepError(
            "not_loadable", f"`{name}` was stored, but cannot be loaded again: {why}.", name=name
        )
    # Never handed on: the step that makes it finds nothing in its place, and runs again.
    with contextlib.suppress(OSError):
        path.unlink()
    return StepError(
        "artifact_damaged",
        f"The stored value of `{name}` ({stored}) was damaged, and is removed: {why}. Run again to make it anew.",
        name=name,
        stored=stored,
    )
