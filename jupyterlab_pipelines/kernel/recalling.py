"""Values of a run → this process: one value for whoever asks, or all that there was after a step."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from jupyterlab_pipelines.artifact import Artifact
from jupyterlab_pipelines.kernel.runtime.inputs import load_references

if TYPE_CHECKING:
    from jupyterlab_pipelines.project import Project


def load_artifact(project: Project, run_id: str, step: str, artifact: Artifact) -> Any:
    """The stored value; what it refers to is defined in ``__main__`` where that does not have it."""
    main = vars(sys.modules["__main__"])
    if any(name not in main for name in artifact.definitions):
        recalled = project.recall(run_id, step, artifact.name)
        needed = [*recalled.setup_definitions, *recalled.definitions, *recalled.late_definitions]
        define((each.source for each in needed if not each.names <= main.keys()), main)
        classes = {
            n: each for n, each in recalled.inputs.items() if n in artifact.definitions and n not in main
        }
        main |= load_references(project.store_path, references(classes))
    return load_references(project.store_path, references({artifact.name: artifact}))[artifact.name]


def references(artifacts: Mapping[str, Artifact]) -> dict[str, str]:
    """How the runtime finds stored values."""
    return {name: artifact.reference for name, artifact in artifacts.items()}


def define(sources: Iterable[str], namespace: dict[str, Any]) -> None:
    """Execute definitions of the notebook."""
    for source in sources:
        exec(compile(source, "<notebook>", "exec"), namespace)
