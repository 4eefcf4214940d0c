"""Are the artifacts of an exported run those of the notebook's run?

Both are loaded in one process of the notebook's environment and digested alike, so that a class of the package
and the same class of the notebook are one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jupyterlab_pipelines.export.base import Export
from jupyterlab_pipelines.export.build import Source, examined, question


@dataclass(frozen=True, slots=True)
class Verdict:
    """About one artifact.

    Attributes
    ----------
    status
        ``equal``; ``differs``; ``missing`` in the exported run; ``unsure``: it differs, but the notebook's own step
        does not give the same each time.
    digest, other
        Of the notebook's value and of the exported run's.
    """

    step: str
    name: str
    status: str
    digest: str
    other: str
    message: str = ""

    def to_json(self) -> dict[str, Any]:
        return {
            "artifact": f"{self.step}/{self.name}",
            "status": self.status,
            "digest": self.digest,
            "exported_digest": self.other,
            "message": self.message,
        }


def compare(source: Source, export: Export, sources: Path, artifacts: Path) -> list[Verdict]:
    """A verdict for each artifact of the exported pipeline that the notebook's run has, too.

    Parameters
    ----------
    sources
        Folder with the exported package in it: ``src`` of the export.
    artifacts
        Folder of the exported run.

    Raises
    ------
    ExportError
        ``environment_broken``.
    """
    asked = question(source, export) | {"source": str(sources), "run": str(artifacts)}
    answer = examined(source, asked, "The runs cannot be compared")
    return [
        Verdict(step.name, "+".join(told["names"]), *_status(source, step.steps, told))
        for step in export.steps
        for told in answer[step.name]
    ]


def with_unsteady(export: Export, verdicts: list[Verdict], first: Source, second: Source) -> list[Verdict]:
    """The verdicts, in which what differs between two runs of the notebook is ``unsure``."""

    def is_unsteady(verdict: Verdict) -> bool:
        owners = {value.name: value.step for value in export[verdict.step].outputs}
        return any(
            _digest(first, owners[name], name) != _digest(second, owners[name], name)
            for name in verdict.name.split("+")
        )

    return [
        replace(
            verdict, status="unsure", message="the notebook gives something else, too, when it is run again"
        )
        if verdict.status == "differs" and is_unsteady(verdict)
        else verdict
        for verdict in verdicts
    ]


def _digest(source: Source, step: str, name: str) -> str | None:
    execution = source.executions.get(step)
    artifact = execution.outputs.get(name) if execution else None
    return f"{artifact.digest}" if artifact else None


def _status(source: Source, steps: tuple[str, ...], told: dict[str, Any]) -> tuple[str, str, str, str]:
    digest, other = told.get("digest") or "", told.get("exported") or ""
    if told["problem"]:
        return "differs", digest, other, told["problem"]
    if not other:
        return "missing", digest, other, ""
    if digest == other:
        return "equal", digest, other, ""
    if any(type_name.startswith("matplotlib.") for type_name in told["types"].values()):
        return "unsure", digest, other, "a drawing knows the program that draws it"
    if told.get("names_place"):
        return "unsure", digest, other, "it names a folder of the machine"
    doubts = sorted({doubt for step in steps for doubt in source.executions[step].trace.get("doubts") or ()})
    if doubts:
        return (
            "unsure",
            digest,
            other,
            f"the notebook's step does not give the same each time ({', '.join(doubts)})",
        )
    return "differs", digest, other, ""
