"""Pipeline: what one notebook says. Frozen records, no I/O.

A pipeline is made from a notebook by `jupyterlab_pipelines.notebook` and handed on to the planner.
Positions of cells (`cell_index`) count all cells of the notebook from 0, as nbformat does.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from jupyterlab_pipelines import dag
from jupyterlab_pipelines.errors import NotFoundError

AS_READ = "as read "


class CellKind(StrEnum):
    """What a code cell is to the pipeline."""

    SETUP = "setup"
    PARAMETERS = "parameters"
    STEP = "step"
    SKIP = "skip"
    TEXT = "text"


class Role(StrEnum):
    """The kind of an ML step."""

    IMPORTER = "importer"
    VALIDATOR = "validator"
    TRANSFORMER = "transformer"
    TRAINER = "trainer"
    EVALUATOR = "evaluator"
    DEPLOYER = "deployer"
    MONITOR = "monitor"


@dataclass(frozen=True, slots=True)
class Resources:
    """What a step asks of the machine that runs it in production; runs of the notebook do not look at it.

    Attributes
    ----------
    cpu
        Cores: ``2`` or ``0.5``.
    memory
        ``4Gi``.
    gpu
        How many.
    """

    cpu: str | None = None
    memory: str | None = None
    gpu: str | None = None

    def __bool__(self) -> bool:
        return any((self.cpu, self.memory, self.gpu))

    @property
    def memory_bytes(self) -> int | None:
        if self.memory is None:
            return None
        number, unit = re.fullmatch(MEMORY, self.memory).groups()  # type: ignore[union-attr]
        return math.ceil(float(number) * MEMORY_UNITS[unit or ""])

    def with_default(self, other: Resources) -> Resources:
        """The same, with what only the other says."""
        return Resources(
            cpu=self.cpu or other.cpu, memory=self.memory or other.memory, gpu=self.gpu or other.gpu
        )

    def at_least(self, other: Resources) -> Resources:
        """The larger of both in each kind."""
        larger = (self if self.amount(kind) >= other.amount(kind) else other for kind in RESOURCES)
        return Resources(*(getattr(each, kind) for kind, each in zip(RESOURCES, larger, strict=True)))

    def amount(self, kind: str) -> float:
        """Cores, bytes or GPUs; 0 if nothing is said."""
        if kind == "memory":
            return self.memory_bytes or 0
        return float(getattr(self, kind) or 0)


RESOURCES = ("cpu", "memory", "gpu")

MEMORY_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12} | {
    "Ki": 2**10,
    "Mi": 2**20,
    "Gi": 2**30,
    "Ti": 2**40,
}
MEMORY = rf"(\d+(?:\.\d+)?)({'|'.join(filter(None, MEMORY_UNITS))})?"


def read_resource(kind: str, text: str) -> Resources:
    """What ``cpu``, ``memory`` or ``gpu`` says.

    Raises
    ------
    ValueError
        With a sentence that tells how it is written.
    """
    match kind:
        case "cpu" if re.fullmatch(r"\d+m", text):
            return Resources(cpu=f"{int(text[:-1]) / 1000:g}")
        case "cpu" if re.fullmatch(r"\d+(\.\d+)?", text):
            return Resources(cpu=text)
        case "memory" if re.fullmatch(MEMORY, text):
            return Resources(memory=text)
        case "gpu" if re.fullmatch(r"\d+", text):
            return Resources(gpu=text)
    how = {
        "cpu": "a number of cores, such as `2` or `0.5`",
        "memory": "a number and a unit, such as `4Gi`",
        "gpu": "a whole number, such as `1`",
    }
    raise ValueError(f"`{text}` is not how {kind} is asked for: write {how[kind]}.")


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of the notebook. `source` is what a kernel executes (without a `%%step` line)."""

    index: int
    id: str | None
    kind: CellKind
    source: str
    step: str | None = None


@dataclass(frozen=True, slots=True)
class Parameter:
    """A value of the `parameters` cell that a run may replace.

    `default` is the value when `is_literal`, else None: then only its `source` is known.
    """

    name: str
    source: str
    default: Any
    is_literal: bool
    comment: str = ""

    @property
    def type(self) -> str:
        if not self.is_literal:
            return "expression"
        return "none" if self.default is None else type(self.default).__name__

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "default": self.default,
            "source": self.source,
            "type": self.type,
            "comment": self.comment,
        }


@dataclass(frozen=True, slots=True)
class Input:
    """A name that a step reads from another step, with that step's name.

    `optional`: read only by code that could read anything (`exec`), so that it may as well be missing.
    """

    name: str
    step: str
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Definition:
    """A statement of the notebook that travels as source: an import, a function, a class.

    `position` orders definitions as the notebook does: cell index, number of the statement.
    """

    names: frozenset[str]
    source: str
    normalised: str
    position: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Needs:
    """All that must be at hand before a step can start, and all that its cache key is made of.

    Attributes
    ----------
    inputs
        Values from other steps.
    definitions
        Imports, functions and classes from other steps' cells, in notebook order.
    late_definitions
        Those of them that read an input while they are defined (a default argument, a decorator).
    parameters
        Names of the parameters that the step reads, directly or through definitions and setup.
    setup
        Normalised setup statements that act on the step: side effects, and what it reads.
    setup_values
        Names that the step reads and setup makes anew in each kernel.
    imports
        Root names of the modules that the step's code and definitions import.
    """

    inputs: tuple[Input, ...]
    definitions: tuple[Definition, ...]
    late_definitions: tuple[Definition, ...]
    parameters: tuple[str, ...]
    setup: tuple[str, ...]
    setup_definitions: tuple[Definition, ...]
    setup_values: tuple[str, ...]
    imports: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FileEffects:
    """Paths of files that a step was seen to touch, as its trace has them.

    Attributes
    ----------
    reads
        Read as they were before the step.
    lists
        Folders whose names it looked at.
    writes
        Written, moved or removed.
    appends
        Those of `writes` in which it left what was there.
    is_whole
        Whether that is all, because the system told; else libraries may have touched files unseen.
    """

    reads: frozenset[str] = frozenset()
    lists: frozenset[str] = frozenset()
    writes: frozenset[str] = frozenset()
    appends: frozenset[str] = frozenset()
    is_whole: bool = False

    def __bool__(self) -> bool:
        return bool(self.reads or self.lists or self.writes)

    def to_json(self) -> dict[str, Any]:
        return {
            "is_whole": self.is_whole,
            "reads": sorted(self.reads),
            "lists": sorted(self.lists),
            "writes": sorted(self.writes),
            "appends": sorted(self.appends),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> FileEffects:
        paths = {name: frozenset(said) for name, said in document.items() if name != "is_whole"}
        return cls(**paths, is_whole=document.get("is_whole", False))


@dataclass(frozen=True, slots=True)
class Effects:
    """What a step was seen to do while it ran, beyond what its syntax says.

    Attributes
    ----------
    binds
        Names that it bound (`exec`, a star import).
    mutates
        Names whose value it changed in place, or passed on because it shares objects with an output.
    shared
        Groups of names that share mutable objects when the step has ended. `AS_READ` before a name: the
        object that it stood for when the step began.
    files
        Files that it touched.
    reads
        Names that it reads because a stored function, which it got, reads them when it is called.
    missed
        Names of the notebook that it looked for in vain, though its syntax does not say that it reads them:
        they stand in a formula, or a library looks into its caller's variables.
    uncarriable
        Names whose values cannot be stored: steps that read them join the step's unit.
    """

    binds: frozenset[str] = frozenset()
    mutates: frozenset[str] = frozenset()
    shared: frozenset[frozenset[str]] = frozenset()
    files: FileEffects = FileEffects()
    reads: frozenset[str] = frozenset()
    missed: frozenset[str] = frozenset()
    uncarriable: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return self != Effects()

    def to_json(self) -> dict[str, Any]:
        return {
            "binds": sorted(self.binds),
            "mutates": sorted(self.mutates),
            "shared": sorted(sorted(group) for group in self.shared),
            "files": self.files.to_json(),
            "reads": sorted(self.reads),
            "missed": sorted(self.missed),
            "uncarriable": sorted(self.uncarriable),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Effects:
        return cls(
            binds=frozenset(document["binds"]),
            mutates=frozenset(document["mutates"]),
            shared=frozenset(frozenset(group) for group in document["shared"]),
            files=FileEffects.from_json(document.get("files", {})),
            reads=frozenset(document.get("reads", ())),
            missed=frozenset(document.get("missed", ())),
            uncarriable=frozenset(document.get("uncarriable", ())),
        )


@dataclass(frozen=True, slots=True)
class Unit:
    """Steps that are executed in one kernel, one after another, because they share what cannot be stored.

    Attributes
    ----------
    steps
        Two or more, in notebook order.
    names
        What cannot be stored and is read by several of them.
    """

    steps: tuple[str, ...]
    names: tuple[str, ...]

    def to_json(self) -> dict[str, list[str]]:
        return {"steps": list(self.steps), "names": list(self.names)}


@dataclass(frozen=True, slots=True)
class Step:
    """All cells with one `step:` tag, and what the tags say of it.

    Attributes
    ----------
    cells
        Cell indexes, in notebook order.
    code
        Per cell that holds code, its statements in normal form (no comments, no formatting).
    after
        Steps that must end before this one starts, though no name says so.
    cache
        ``on``, ``off``, or the age up to which a result is reused, as the tag says it.
    outputs
        Names that later steps read from it.
    leaves
        Names that it may leave: `outputs`, and what nobody reads yet.
    defines
        Functions and classes that its cells define.
    metrics
        Names whose numbers are metrics because the notebook prints them in a metrics cell.
    files
        Files that are as this step leaves them when the whole notebook has run.
    rebound
        Names of the notebook's definitions that are bound to something else further down. What refers to
        such a definition must go on doing so: they travel as values.
    unit
        Those with which it shares a kernel; None for a step with a kernel of its own.
    reads_files, writes_files
        Whether its code looks as if it did, in a way that cannot be seen while it runs perhaps.
    paths
        Text in its code that may be the path of a file.
    """

    name: str
    title: str
    cells: tuple[int, ...]
    code: tuple[tuple[str, ...], ...]
    role: Role | None = None
    after: tuple[str, ...] = ()
    cache: str = "on"
    cache_age_seconds: float | None = None
    retries: int = 0
    timeout_seconds: float | None = None
    kernel: str | None = None
    resources: Resources = field(default_factory=Resources)
    needs: Needs = field(default_factory=lambda: Needs((), (), (), (), (), (), (), ()))
    outputs: tuple[str, ...] = ()
    leaves: tuple[str, ...] = ()
    defines: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    rebound: tuple[str, ...] = ()
    reads_files: bool = False
    writes_files: bool = False
    paths: tuple[str, ...] = ()
    unit: Unit | None = None

    @property
    def before_in_unit(self) -> tuple[str, ...]:
        """Steps that must have been executed in the kernel in which this one is."""
        return self.unit.steps[: self.unit.steps.index(self.name)] if self.unit else ()

    @property
    def after_in_unit(self) -> tuple[str, ...]:
        """Steps that are executed in this one's kernel when it has ended."""
        return self.unit.steps[self.unit.steps.index(self.name) + 1 :] if self.unit else ()

    @property
    def parents(self) -> tuple[str, ...]:
        """Steps that must end before this one can start."""
        return tuple(dict.fromkeys([*(given.step for given in self.needs.inputs), *self.after]))


@dataclass(frozen=True, slots=True)
class Edge:
    """`target` waits for `source`: because of `names`, or (`explicit`) because a tag says so."""

    source: str
    target: str
    names: tuple[str, ...]
    explicit: bool = False
    learned: bool = False


@dataclass(frozen=True, slots=True)
class Warning:
    """Something that the user should know before a run; not an error."""

    code: str
    message: str
    step: str | None = None
    cell_index: int | None = None

    def to_json(self) -> dict[str, Any]:
        return {"code": self.code, "message": self.message, "step": self.step, "cell_index": self.cell_index}


@dataclass(frozen=True)
class Pipeline:
    """What one notebook says: its steps in an order in which they can run, and what joins them.

    `preambles` has, by step, the indexes of the setup and parameters cells that hold in it.

    `needs_with(step, definitions)` are the step's needs when its inputs turn out to refer to classes
    and functions of the notebook (`Artifact.definitions`): only stored values know that.
    """

    steps: tuple[Step, ...]
    cells: tuple[Cell, ...]
    parameters: tuple[Parameter, ...]
    kernel: str
    edges: tuple[Edge, ...]
    needs_with: Callable[[str, frozenset[str]], Needs] = field(repr=False, compare=False)
    preambles: Mapping[str, tuple[int, ...]]
    warnings: tuple[Warning, ...] = ()

    def __getitem__(self, name: str) -> Step:
        for step in self.steps:
            if step.name == name:
                return step
        raise self._no_such_step(name)

    def _no_such_step(self, name: str) -> NotFoundError:
        known = ", ".join(f"`{step.name}`" for step in self.steps)
        return NotFoundError(
            "unknown_step", f"The notebook has no step `{name}`. Its steps are {known}.", step=name
        )

    def require_steps(self, names: Iterable[str]) -> None:
        """Raise `NotFoundError` if one of `names` is no step."""
        known = {step.name for step in self.steps}
        for name in names:
            if name not in known:
                raise self._no_such_step(name)

    @property
    def parents(self) -> dict[str, tuple[str, ...]]:
        return {step.name: step.parents for step in self.steps}

    def needed_for(self, targets: Iterable[str]) -> tuple[Step, ...]:
        """`targets` and the steps that they need, in order; all steps if there are no targets."""
        targets = tuple(targets)
        self.require_steps(targets)
        if not targets:
            return self.steps
        names = dag.ancestors(self.parents, targets)
        return tuple(step for step in self.steps if step.name in names)

    def preamble_of(self, step: Step) -> tuple[Cell, ...]:
        """Setup and parameters cells that hold in `step`, in the order in which they are executed."""
        return tuple(self.cells[index] for index in self.preambles[step.name])

    def cells_of(self, kind: CellKind) -> tuple[int, ...]:
        return tuple(cell.index for cell in self.cells if cell.kind is kind)
