"""Plan: what a run would do now, step by step, and why. Frozen records, no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from jupyterlab_pipelines.pipeline import Pipeline, Step


class Decision(StrEnum):
    REUSE = "reuse"
    RUN = "run"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a step is decided as it is.

    Attributes
    ----------
    kind
        ``unchanged never_ran unfinished code definition setup parameter input environment package
        forced cache output_missing waits file folder variable unit``.
    what
        The thing that changed: a name, a file, a package.
    before, after
        Its values, where they can be shown.
    message
        The same for a person.
    """

    kind: str
    message: str
    what: str | None = None
    before: Any = None
    after: Any = None

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "what": self.what,
            "before": self.before,
            "after": self.after,
            "message": self.message,
        }


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step with its decision. `execution_id` names the execution that a reuse takes."""

    step: Step
    decision: Decision
    reasons: tuple[Reason, ...]
    cache_key: str | None = None
    execution_id: int | None = None
    expected_duration_seconds: float | None = None


@dataclass(frozen=True)
class Plan:
    pipeline: Pipeline
    parameters: dict[str, Any]
    steps: tuple[PlannedStep, ...]
