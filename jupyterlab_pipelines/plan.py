"""Plan: what a run would do now, step by step, and why. Frozen records, no I/O."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Mapping
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
        forced cache output_missing output_damaged waits file folder variable unit``.
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


IN_DOUBT = {
    "network": "may be out of date: reads the network{what}; `cache:12h` would limit how long it is reused",
    "clock": "may be out of date: reads the clock{what}; `cache:12h` would limit how long it is reused",
    "randomness": (
        "may come out otherwise: draws random numbers without a seed{what}; a seed would make them the same again, "
        "`cache:12h` would limit how long they are reused"
    ),
}


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something that a step was seen to read and that cannot be compared: so its result may be out of date.

    `kind` is ``network``, ``clock`` or ``randomness``; `what` tells a person more.
    """

    kind: str
    what: str

    @property
    def message(self) -> str:
        return IN_DOUBT[self.kind].format(what=f" (`{self.what}`)" if self.what else "")

    def to_json(self) -> dict[str, str]:
        return {"kind": self.kind, "what": self.what, "message": self.message}


def doubts_of(trace: Mapping[str, Any], cache: str) -> tuple[Doubt, ...]:
    """Doubts about a step that left this trace; none if its tags say how long it is reused."""
    if cache != "on":
        return ()
    found = trace.get("doubts", {}).items()
    return tuple(Doubt(kind, what) for kind, what in found if kind in IN_DOUBT)


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step with its decision. `execution_id` names the execution that a reuse takes.

    `doubts` are those about that execution, or about the step's last one.
    """

    step: Step
    decision: Decision
    reasons: tuple[Reason, ...]
    cache_key: str | None = None
    execution_id: int | None = None
    expected_duration_seconds: float | None = None
    doubts: tuple[Doubt, ...] = ()


@dataclass(frozen=True)
class Plan:
    pipeline: Pipeline
    parameters: dict[str, Any]
    steps: tuple[PlannedStep, ...]

    def expected_seconds(self, jobs: int) -> float | None:
        """How long a run of `jobs` steps at a time is likely to take at most; None if nobody can say.

        Undecided steps count as if they ran. Steps of which no duration is known take no time here; if there
        are only such, nobody can say.
        """
        running = {step.step.name: step for step in self.steps if step.decision is not Decision.REUSE}
        known = [step.expected_duration_seconds for step in running.values()]
        if running and all(seconds is None for seconds in known):
            return None
        return _makespan(
            {name: step.expected_duration_seconds or 0.0 for name, step in running.items()},
            {
                name: [parent for parent in step.step.parents if parent in running]
                for name, step in running.items()
            },
            jobs,
        )


def _makespan(seconds: Mapping[str, float], parents: Mapping[str, Collection[str]], jobs: int) -> float:
    """When the last step ends, if at each moment the first ones that can start do so."""
    waiting = list(seconds)
    running: list[tuple[float, str]] = []
    ended: set[str] = set()
    now = 0.0
    while waiting or running:
        for name in [name for name in waiting if ended.issuperset(parents[name])]:
            if len(running) < jobs:
                waiting.remove(name)
                heapq.heappush(running, (now + seconds[name], name))
        now, name = heapq.heappop(running)
        ended.add(name)
    return now
