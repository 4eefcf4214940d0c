"""Run: one execution of a plan, as the store keeps it and every door shows it. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from jupyterlab_pipelines.artifact import Artifact, is_state


class Status(StrEnum):
    """Of a run or of a step in it; a run is never `reused` or `skipped`."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    REUSED = "reused"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"
    INTERRUPTED = "interrupted"

    @property
    def is_final(self) -> bool:
        return self not in (Status.QUEUED, Status.RUNNING)


@dataclass(frozen=True, slots=True)
class Execution:
    """A finished execution of a step under a cache key: what a later run may reuse.

    Attributes
    ----------
    parts
        What the cache key was made of, by name; tells later why another key is another one.
    trace
        What the step was seen to read while it ran; reuse is allowed only while it still holds.
    notebook, log
        Digests of the executed step notebook and of its log in the artifact store.
    outputs, unkept
        What it left, by name; large values which no step read were not stored.
    """

    id: int
    cache_key: str
    step: str
    run_id: str
    finished_at: str
    duration_seconds: float
    parts: dict[str, Any]
    trace: dict[str, Any]
    notebook: str
    log: str | None
    outputs: dict[str, Artifact]
    metrics: dict[str, Any]
    unkept: dict[str, Artifact] = field(default_factory=dict)

    def verdicts(self) -> list[dict[str, Any]]:
        """Of each variable that the step left, whether and how it can be handed on."""
        left = {**self.outputs, **self.unkept}
        told = ("value", "uncarriable", "unkept")
        return [
            artifact.verdict()
            for name, artifact in sorted(left.items())
            if artifact.kind in told and not is_state(name)
        ]

    @property
    def age_seconds(self) -> float:
        """How long ago it was finished."""
        return (datetime.now(UTC) - datetime.fromisoformat(self.finished_at)).total_seconds()
