"""Brings an exported run home: its artifacts and parameters become a run in the history.

So a failure in production is looked at in the notebook: `load` gives the inputs that the failed step had there.

The lower half is executed by the notebook's environment, since it loads values: never by the server.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jupyterlab_pipelines.errors import ExportError
from jupyterlab_pipelines.export.build import environment_for, python_of
from jupyterlab_pipelines.notebook.parse import Outline
from jupyterlab_pipelines.pipeline import Definition, Pipeline
from jupyterlab_pipelines.store import Store

RUN = "_run.json"
MANIFEST = "_step.json"


@dataclass(frozen=True, slots=True)
class StepOfRun:
    """What an exported run tells of one step of the notebook.

    Attributes
    ----------
    outputs
        Records as `Artifact.from_record` reads them, with ``preview``.
    error
        As the run history has it; None if the step ended well.
    """

    name: str
    status: str
    started_at: str | None
    finished_at: str | None
    duration_seconds: float | None
    outputs: tuple[Mapping[str, Any], ...] = ()
    error: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ExportedRun:
    """An exported run, as its folder tells of it."""

    parameters: Mapping[str, Any]
    started_at: str | None
    duration_seconds: float
    steps: tuple[StepOfRun, ...]

    @property
    def has_failed(self) -> bool:
        return any(step.status != "succeeded" for step in self.steps)


def notebook_of(folder: Path) -> str | None:
    """File name of the notebook that the run in `folder` was exported from.

    Raises
    ------
    ExportError
        ``no_exported_run``.
    """
    run = _read(folder / RUN)
    manifests = _manifests(folder)
    if run is None and not manifests:
        raise ExportError(
            "no_exported_run",
            f"{folder} has no exported run: name the folder of artifacts, in which there is `{RUN}`, or a "
            f"folder for each step.",
            folder=str(folder),
        )
    found = (run or next(iter(manifests.values()))).get("notebook")
    return found if isinstance(found, str) else None


def read_run(folder: Path, store: Store, outline: Outline, pipeline: Pipeline, here: Path) -> ExportedRun:
    """Read the run in `folder`, and put its values into the store.

    Parameters
    ----------
    here
        The notebook's folder.

    Raises
    ------
    ExportError
        ``not_loadable``: the notebook's environment cannot read the values at all.
    """
    run = _read(folder / RUN) or {}
    manifests = _manifests(folder)
    answer = _load(folder, store, outline, pipeline, here, manifests)
    told: dict[str, StepOfRun] = {}
    parameters: dict[str, Any] = dict(run.get("parameters") or {})
    known = {parameter.name for parameter in pipeline.parameters}
    for name, manifest in manifests.items():
        parameters |= {k: v for k, v in (manifest.get("given") or {}).items() if k in known}
        covers = manifest.get("covers") or [name]
        for step in covers:
            is_last = step == covers[-1]
            told[step] = StepOfRun(
                name=step,
                status=manifest["status"],
                started_at=manifest.get("started_at"),
                finished_at=manifest.get("finished_at"),
                duration_seconds=_seconds(manifest),
                outputs=tuple(answer.get(name, ())) if is_last else (),
                error=_error(manifest, step, pipeline) if is_last else None,
            )
    steps = tuple(
        told.get(step.name) or StepOfRun(step.name, "skipped", None, None, None) for step in pipeline.steps
    )
    return ExportedRun(parameters, run.get("started_at"), _seconds(run) or 0.0, steps)


def _manifests(folder: Path) -> dict[str, dict[str, Any]]:
    found = {}
    for path in sorted(folder.glob(f"*/{MANIFEST}")):
        manifest = _read(path)
        if manifest is not None:
            found[path.parent.name] = manifest
    return found


def _read(path: Path) -> dict[str, Any] | None:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) else None


def _seconds(document: Mapping[str, Any]) -> float | None:
    try:
        started, finished = (datetime.fromisoformat(document[key]) for key in ("started_at", "finished_at"))
    except (KeyError, TypeError, ValueError):
        return None
    return (finished.astimezone(UTC) - started.astimezone(UTC)).total_seconds()


def _error(manifest: Mapping[str, Any], step: str, pipeline: Pipeline) -> dict[str, Any] | None:
    error = manifest.get("error")
    if manifest["status"] == "succeeded" or not error:
        return None
    cell = pipeline[step].cells[0] if step in pipeline.parents else None
    return {
        "code": "exported_step_failed",
        "step": step,
        "cell_index": cell,
        "cell_id": None if cell is None else pipeline.cells[cell].id,
        "message": f"{error['type']}: {error['message']}",
        "traceback": error["traceback"],
    }


def _load(
    folder: Path,
    store: Store,
    outline: Outline,
    pipeline: Pipeline,
    here: Path,
    manifests: Mapping[str, Mapping[str, Any]],
) -> dict[str, list[dict[str, Any]]]:
    asked = {
        "run": str(folder),
        "store": str(store.path),
        "packages": sorted(
            {str(each.get("pipeline")) for each in manifests.values() if each.get("pipeline")}
        ),
        "definitions": [each.source for each in _definitions(pipeline)],
        "names": sorted({name for step in pipeline.steps for name in step.defines}),
        "rebound": sorted({name for step in pipeline.steps for name in step.rebound}),
        "steps": {
            name: manifest["outputs"] for name, manifest in manifests.items() if manifest.get("outputs")
        },
    }
    ended = subprocess.run(
        [python_of(outline), "-m", "jupyterlab_pipelines.export.importing"],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        env=environment_for(outline, store),
        cwd=here,
        check=False,
    )
    if ended.returncode:
        raise ExportError("not_loadable", f"The exported run cannot be read: {ended.stderr.strip()[-800:]}")
    answer: dict[str, list[dict[str, Any]]] = json.loads(ended.stdout.strip().splitlines()[-1])
    return answer


def _definitions(pipeline: Pipeline) -> Iterable[Definition]:
    """Imports, functions and classes of the whole notebook, in its order."""
    found = {
        definition.position: definition
        for step in pipeline.steps
        for definition in (
            *step.needs.setup_definitions,
            *step.needs.definitions,
            *step.needs.late_definitions,
        )
    }
    return [found[position] for position in sorted(found)]


# -- in the notebook's environment ------------------------------------------------------------------


def main() -> None:
    """Answer the question on stdin."""
    asked = json.load(sys.stdin)
    real, sys.stdout = sys.stdout, sys.stderr
    print(json.dumps(take_in(asked)), file=real)


def take_in(asked: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Store the values of an exported run; by exported step, the records of what it left."""
    from jupyterlab_pipelines import materializers
    from jupyterlab_pipelines.export.template import io as package_io
    from jupyterlab_pipelines.store.artifacts import ArtifactStore

    _define(asked["definitions"], asked["packages"])
    artifacts = ArtifactStore(Path(asked["store"]) / "artifacts")
    folder = package_io.Folder(asked["run"])
    answer: dict[str, list[dict[str, Any]]] = {}
    with materializers.carried_definitions(asked["names"], asked["rebound"]):
        for step, records in asked["steps"].items():
            read = package_io.loaders(folder)
            answer[step] = []
            for name, record in records.items():
                try:
                    answer[step].append(_stored(artifacts, materializers, name, read(record)))
                except Exception as error:  # a class that this notebook does not have any more
                    print(f"{step}/{name}: {type(error).__name__}: {error}", file=sys.stderr)
    return answer


def _define(sources: Iterable[str], packages: Iterable[str]) -> None:
    """Let pickles of the exported package find the notebook's definitions."""
    namespace = vars(importlib.import_module("__main__"))
    for source in sources:
        try:
            exec(source, namespace)
        except Exception as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
    for package in packages:
        for name in (package, f"{package}.definitions", f"{package}.steps"):
            module = types.ModuleType(name)
            vars(module).update({k: v for k, v in namespace.items() if not k.startswith("__")})
            sys.modules[name] = module


def _stored(artifacts: Any, materializers: Any, name: str, value: Any) -> dict[str, Any]:
    materializer = materializers.materializer_of(value)
    referred: list[str] = []
    digest = materializer.digest(value)
    size = artifacts.add(digest, lambda path: referred.extend(materializer.write(value, path)))
    type_name, summary = materializers.describe(value)
    return {
        "name": name,
        "digest": digest,
        "type": type_name,
        "materializer": materializer.name,
        "size_bytes": size,
        "stored": digest,
        "member": None,
        "summary": summary,
        "definitions": sorted(set(referred)),
        "kind": "value",
        "preview": materializers.preview(value),
    }


if __name__ == "__main__":
    main()
