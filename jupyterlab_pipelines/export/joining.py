"""Which steps must be exported as one function, so that the exported pipeline gives the notebook's answer.

Steps that share what cannot be written to a file (a generator, a connection, a class that one of them changed)
are executed one after another in one function. If the other steps then would have to wait for each other, or a
name would stand for two things in one function, the steps between join them, too: in notebook order, and at the
worst all of them, which is *Restart & Run All*.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from jupyterlab_pipelines.artifact import AMBIENT, FILE, HIDDEN, KERNEL
from jupyterlab_pipelines.dag import find_cycle
from jupyterlab_pipelines.pipeline import Pipeline, Step

CARRIED_STATES = frozenset(
    {
        *(f"{HIDDEN}{name}" for name in ("random", "numpy.random", "torch")),
        *(f"{AMBIENT}{name}" for name in ("environment", "working directory", "decimal context")),
        *(f"{AMBIENT}{name} options" for name in ("numpy", "pandas", "matplotlib")),
        f"{AMBIENT}warnings filters",
    }
)
"""State of the process that an exported step can hand on to another one."""

SHOWN_STATES = frozenset({f"{AMBIENT}IPython options", f"{AMBIENT}loggers"})
"""State that changes what is shown, and no value."""


@dataclass(frozen=True, slots=True)
class Joint:
    """Two steps that must be in one function, and why."""

    first: str
    second: str
    why: str


@dataclass(frozen=True, slots=True)
class Part:
    """Steps of the notebook that become one function, in notebook order, and why they do."""

    steps: tuple[str, ...]
    reasons: tuple[str, ...] = ()


def joints_of(pipeline: Pipeline) -> Iterator[Joint]:
    """Joints that the pipeline itself tells of: shared kernels, and state of the process that nothing carries."""
    for step in pipeline.steps:
        for given in step.needs.inputs:
            if given.name == KERNEL:
                shared = (
                    ", ".join(f"`{name.removeprefix(AMBIENT)}`" for name in step.unit.names if name != "_")
                    if step.unit
                    else ""
                )
                yield Joint(
                    given.step,
                    step.name,
                    f"they share {shared or 'what cells have shown'}, which cannot be stored",
                )
            elif given.name.startswith((HIDDEN, AMBIENT)) and given.name not in CARRIED_STATES | SHOWN_STATES:
                what = given.name.removeprefix(AMBIENT)
                yield Joint(given.step, step.name, f"`{given.step}` changes the process ({what})")
            elif given.name.startswith(FILE) and not is_portable(given.name.removeprefix(FILE)):
                path = given.name.removeprefix(FILE)
                yield Joint(given.step, step.name, f"`{step.name}` reads {path}, which `{given.step}` writes")


def is_portable(path: str) -> bool:
    """Whether a file lies below the notebook's folder, so that its content can be handed on."""
    return not path.startswith(("/", "~", "..")) and ":" not in path[:3] and "\\" not in path


def join(pipeline: Pipeline, joints: Iterable[Joint]) -> tuple[Part, ...]:
    """The parts, in an order in which they can run."""
    order = [step.name for step in sorted(pipeline.steps, key=lambda step: step.cells[0])]
    groups = _Groups(order)
    for joint in joints:
        groups.join([joint.first, joint.second], joint.why)
    steps = {step.name: step for step in pipeline.steps}
    while True:
        problem = _find_cycle(groups, steps) or _find_conflict(groups, steps, order)
        if problem is None:
            break
        groups.join(*problem)
    parts = []
    left = {group: groups.parents(group, steps) for group in groups.all()}
    while left:
        ready = next(group for group in left if not left[group] & left.keys())
        del left[ready]
        parts.append(Part(ready, tuple(groups.reasons(ready))))
    return tuple(parts)


class _Groups:
    def __init__(self, order: Sequence[str]) -> None:
        self._order = list(order)
        self._group = {name: {name} for name in order}
        self._why: list[tuple[str, str]] = []

    def join(self, names: Iterable[str], why: str) -> None:
        names = list(names)
        together = set().union(*(self._group[name] for name in names))
        for name in together:
            self._group[name] = together
        self._why.append((names[0], why))

    def all(self) -> list[tuple[str, ...]]:
        return list(dict.fromkeys(self.of(name) for name in self._order))

    def of(self, name: str) -> tuple[str, ...]:
        return tuple(each for each in self._order if each in self._group[name])

    def parents(self, group: tuple[str, ...], steps: Mapping[str, Step]) -> set[tuple[str, ...]]:
        return {self.of(parent) for name in group for parent in steps[name].parents} - {group}

    def reasons(self, group: tuple[str, ...]) -> list[str]:
        return list(dict.fromkeys(why for name, why in self._why if name in group))


def _find_cycle(groups: _Groups, steps: Mapping[str, Step]) -> tuple[list[str], str] | None:
    parents = {
        group[0]: tuple(parent[0] for parent in groups.parents(group, steps)) for group in groups.all()
    }
    cycle = find_cycle(parents)
    return (
        None if cycle is None else (cycle, "the steps between them wait for the first, and the last for them")
    )


def _find_conflict(
    groups: _Groups, steps: Mapping[str, Step], order: Sequence[str]
) -> tuple[list[str], str] | None:
    """A name that would stand for two things in one function, or be wanted as it was half-way through."""
    for group in groups.all():
        if len(group) == 1:
            continue
        for name in order:
            for given in steps[name].needs.inputs:
                if given.name == KERNEL or given.name.startswith(FILE):
                    continue
                if name in group and given.step not in group:
                    before = group[: group.index(name)]
                    clash = any(given.name in steps[other].leaves for other in before) or any(
                        theirs.name == given.name and theirs.step not in (given.step, *group)
                        for other in group
                        for theirs in steps[other].needs.inputs
                    )
                    if clash:
                        return _between(
                            order, [*group, given.step]
                        ), f"`{given.name}` has several values in them"
                if given.step in group and name not in group:
                    later = group[group.index(given.step) + 1 :]
                    if any(given.name in steps[other].leaves for other in later):
                        return _between(order, [*group, name]), f"`{given.name}` has several values in them"
    return None


def _between(order: Sequence[str], names: Iterable[str]) -> list[str]:
    places = [order.index(name) for name in names]
    return list(order[min(places) : max(places) + 1])
