"""What was executed in a live kernel, and what it left: the proof that a step finds what a pipeline run gives it.

A pipeline run executes setup, loads inputs and defines what a step reads, in a fresh kernel. A live kernel has come
there on other ways. `Evidence` remembers how, cell by cell, and says what speaks against a step's being as in a
run. Whatever it cannot prove counts as a difference.
"""

from __future__ import annotations

import ast
import builtins
import os
import types
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jupyterlab_pipelines import materializers
from jupyterlab_pipelines.artifact import HIDDEN, WITH, is_state
from jupyterlab_pipelines.kernel.runtime import Seen, hidden, inputs, local_modules
from jupyterlab_pipelines.kernel.runtime.process import ProcessState
from jupyterlab_pipelines.kernel.runtime.watch import KEPT_ANYWAY_BYTES, _is_shells, _size
from jupyterlab_pipelines.notebook.flow import GIVEN, normal_form
from jupyterlab_pipelines.notebook.names import StatementKind, analyse
from jupyterlab_pipelines.pipeline import Cell, CellKind, Definition, Pipeline, Step

if TYPE_CHECKING:
    from jupyterlab_pipelines.planner import Resolved

NOT_SEEN = "cells were executed before `%load_ext jupyterlab_pipelines`"


@dataclass(frozen=True, slots=True)
class _Made:
    """What a definition was when it had just been executed."""

    value: Any
    normalised: str
    digest: str


@dataclass(frozen=True, slots=True)
class _Value:
    """A value of setup: cells that made it, and its digest then; None if it is too large to be looked at."""

    cells: tuple[tuple[str, ...], ...]
    digest: str | None


@dataclass
class PlainCell:
    """The last execution of a cell that is no step; `left`: what it made of the process state that it changed."""

    position: int
    shown: list[dict[str, Any]]
    seen: Seen
    changed: frozenset[str] = frozenset()
    left: dict[str, Any] = field(default_factory=dict)


@dataclass
class Evidence:
    """What is known of the kernel with this namespace."""

    namespace: dict[str, Any]
    cells: dict[tuple[str, ...], PlainCell] = field(default_factory=dict)
    unseen: str | None = None
    modules: dict[str, Any] = field(default_factory=dict)
    _definitions: dict[str, _Made] = field(default_factory=dict)
    _values: dict[str, _Value] = field(default_factory=dict)
    _statements: set[str] = field(default_factory=set)
    _count: int = 0

    def __post_init__(self) -> None:
        self.states = read_states()
        self._began_with = dict(self.states)
        self.process = ProcessState(local_modules())

    # -- remembering ----------------------------------------------------------------------------

    def note_unseen(self, source: str) -> None:
        """A cell was executed before anybody watched: it must do nothing that would have to be seen."""
        if not self._is_harmless(source):
            first = next((line for line in source.splitlines() if line.strip()), "")
            self.unseen = self.unseen or f"{NOT_SEEN}: `{first.strip()}`"
        self.note(source, [], Seen())

    def note(self, source: str, shown: list[dict[str, Any]], seen: Seen) -> None:
        """A cell that is no step was executed to its end."""
        normal = normal_of(source)
        changed = self.settle()
        left = {name: self.states[name] for name in changed if name in self.states}
        self._count += 1
        if normal is not None:
            self.cells[normal] = PlainCell(self._count, shown, seen, changed, left)
            self.note_names(source, normal)

    def note_names(self, source: str, normal: tuple[str, ...] | None = None) -> None:
        """Look at what a cell has defined; `normal`: it is no step, and may have made values of setup."""
        for statement in analyse(source).statements:
            self._statements.add(statement.normalised)
            if statement.kind is not StatementKind.OTHER:
                for name in statement.binds:
                    value = self.namespace.get(name)
                    self._definitions[name] = _Made(value, statement.normalised, self._definition(value))
            elif normal is not None:
                bound = statement.binds | statement.may_bind
                for name in bound | statement.mutates:
                    known = self._values.get(name)
                    cells = () if name in statement.binds or known is None else known.cells
                    self._values[name] = _Value((*cells, normal), self._digest(name))

    def settle(self) -> frozenset[str]:
        """Names of process state that is not as it was at the last look."""
        now = read_states()
        changed = {name for name, value in now.items() if value != self.states[name]}
        process = ProcessState(local_modules())
        changed.update(process.changes(self.process))
        self.states, self.process = now, process
        return frozenset(changed)

    def _is_harmless(self, source: str) -> bool:
        """Whether a cell only imports, defines, and gives names to literals."""
        try:
            statements = analyse(source).statements
            tree = ast.parse(source).body
        except SyntaxError:
            return not source.strip()
        literal = (
            each for each in tree if isinstance(each, ast.Assign | ast.AnnAssign) and _is_literal(each.value)
        )
        others = sum(1 for each in statements if each.kind is StatementKind.OTHER)
        return sum(1 for _ in literal) >= others

    # -- proving --------------------------------------------------------------------------------

    def differences(self, pipeline: Pipeline, step: Step, resolved: Resolved) -> Iterator[str]:
        """What differs from the kernel that a pipeline run would make for the step, but for its inputs."""
        if self.unseen:
            yield self.unseen
        normals = [normal_form(cell) for cell in pipeline.preamble_of(step)]
        yield from self._setup(pipeline.preamble_of(step), normals)
        needs = resolved.needs
        for definition in (*needs.setup_definitions, *needs.definitions, *needs.late_definitions):
            yield from self._definition_differs(definition)
        literal = {parameter.name for parameter in pipeline.parameters if parameter.is_literal}
        for name in needs.setup_values:
            if name not in literal and not self._is_as_made(name, normals):
                yield f"`{name}` is not as setup makes it"
        yield from self._extra_names(pipeline, step, resolved, literal)
        yield from self._state(normals, resolved)

    def _setup(self, cells: Collection[Cell], normals: list[tuple[str, ...]]) -> Iterator[str]:
        positions = []
        for cell, normal in zip(cells, normals, strict=True):
            if not normal:
                continue
            if normal not in self.cells:
                if not self._is_harmless(cell.source):
                    yield f"setup cell {cell.index + 1} was not executed here as the notebook has it"
            elif not self._is_harmless(cell.source):
                positions.append(self.cells[normal].position)
        if positions != sorted(positions):
            yield "setup cells were executed in another order"

    def _definition_differs(self, definition: Definition) -> Iterator[str]:
        if not definition.names and definition.normalised not in self._statements:
            yield f"`{definition.source}` was not executed here"
        for name in definition.names:
            made = self._definitions.get(name)
            value = self.namespace.get(name)
            if made is None or made.normalised != definition.normalised or made.value is not value:
                yield f"`{name}` is not what the notebook defines"
            elif made.digest != self._definition(value):
                yield f"`{name}` was changed since it was defined"

    def _is_as_made(self, name: str, normals: Collection[tuple[str, ...]]) -> bool:
        made = self._values.get(name)
        return (
            made is not None
            and made.digest is not None
            and all(cell in normals for cell in made.cells)
            and self._digest(name) == made.digest
        )

    def _extra_names(
        self, pipeline: Pipeline, step: Step, resolved: Resolved, literal: Collection[str]
    ) -> Iterator[str]:
        """Names that the step would find here, and not in a run."""
        needs = resolved.needs
        known = accounted(step, resolved) | set(literal)
        own = [(pipeline.cells[index].source, False) for index in step.cells]
        carried = (*needs.setup_definitions, *needs.definitions, *needs.late_definitions)
        for source, is_called in (*own, *((each.source, True) for each in carried)):
            for statement in analyse(source).statements:
                if statement.opaque or (is_called and statement.deferred_opaque):
                    yield "its code can read anything"
                    return
                # What a function of the step's own reads is among `reads` if the step calls it.
                for name in statement.reads | (statement.deferred if is_called else frozenset()):
                    if name in known or name in GIVEN or hasattr(builtins, name):
                        continue
                    if name in self.namespace and name not in step.leaves and name not in step.defines:
                        yield f"`{name}` is no variable of the notebook's"

    def _state(self, normals: Collection[tuple[str, ...]], resolved: Resolved) -> Iterator[str]:
        """Process state: what setup made of it, or what steps above have left."""
        for normal, cell in self.cells.items():
            if normal not in normals and (told := sorted(cell.changed - self.states.keys())):
                yield f"a cell that is no part of setup has changed the {told[0].partition('state ')[2]}"
        for name, value in self.states.items():
            artifact = resolved.inputs.get(name)
            if artifact is None:
                if not name.startswith(HIDDEN) and value != self.after_setup(name, normals):
                    yield f"the {name.partition('state ')[2]} are not as in a run"
            elif (value is not None or artifact.stored) and state_digest(value) != artifact.digest:
                yield f"the {name.partition('state ')[2]} are not as the steps above leave them"

    def after_setup(self, name: str, normals: Collection[tuple[str, ...]]) -> Any:
        """What process state is when the cells of setup have been executed."""
        known = (self.cells[normal] for normal in normals if normal in self.cells)
        last = max((c for c in known if name in c.left), key=lambda c: c.position, default=None)
        return self._began_with[name] if last is None else last.left[name]

    def differing_inputs(
        self, resolved: Resolved, definitions: Collection[str], rebound: Collection[str]
    ) -> set[str]:
        """Inputs whose value here is not that of a run."""
        values = {n: a for n, a in resolved.inputs.items() if not is_state(n)}
        snapshots = inputs.snapshots_of({n: a.digest for n, a in values.items()})
        differing = set()
        with materializers.carried_definitions(definitions, rebound):
            for name, artifact in values.items():
                if artifact.kind == "absent":
                    if name in self.namespace:
                        differing.add(name)
                    continue
                value = self.namespace.get(name)
                snapshot = snapshots.get(name)
                if name in self.namespace and snapshot is not None and snapshot.proves(value):
                    continue
                if name not in self.namespace or digest_of(value) != artifact.digest.partition(WITH)[0]:
                    differing.add(name)
        return differing

    def edited_files(self, normals: Collection[tuple[str, ...]]) -> Iterator[str]:
        """Files that setup has read, and modules that were imported, which are others by now."""
        files = dict(self.modules)
        for normal in normals:
            if normal in self.cells:
                files |= self.cells[normal].seen.files
        for path, read in files.items():
            try:
                status: os.stat_result | None = os.stat(path)
            except OSError:
                status = None
            before = None if read is None else (read.status.st_size, read.status.st_mtime_ns)
            now = None if status is None else (status.st_size, status.st_mtime_ns)
            if before != now:
                yield f"{os.path.basename(path)} was changed since this kernel has read it"

    # -- digests --------------------------------------------------------------------------------

    def _digest(self, name: str) -> str | None:
        value = self.namespace.get(name)
        if name not in self.namespace or _size(value) > KEPT_ANYWAY_BYTES:
            return None
        with materializers.carried_definitions(frozenset(self._definitions)):
            return digest_of(value)

    def _definition(self, value: Any) -> str:
        if isinstance(value, types.ModuleType) or value is None:
            return ""
        with materializers.carried_definitions(frozenset()):
            return digest_of(value)


def digest_of(value: Any) -> str:
    try:
        return materializers.digest_of(value)
    except Exception:  # what has no digest is told by its identity
        return f"object {id(value)}"


def state_digest(value: Any) -> str:
    """The digest of process state, as a step stores it."""
    return materializers.materializer_of(value).digest(value)


def read_states() -> dict[str, Any]:
    return {state.name: state.read() for state in hidden.STATES}


def normal_of(source: str) -> tuple[str, ...] | None:
    """The cell's normal form; None if it is no code."""
    try:
        return normal_form(Cell(0, None, CellKind.SETUP, source))
    except Exception:
        return None


def accounted(step: Step, resolved: Resolved) -> set[str]:
    """Names that a run's kernel would have when the step begins."""
    needs = resolved.needs
    definitions = (*needs.setup_definitions, *needs.definitions, *needs.late_definitions)
    return {
        *(name for name in resolved.inputs if not is_state(name)),
        *needs.setup_values,
        *needs.parameters,
        *(name for definition in definitions for name in definition.names),
    }


def user_names(namespace: Mapping[str, Any]) -> set[str]:
    """Names in a shell's namespace that are not IPython's own."""
    return {name for name in namespace if not _is_shells(name) and not name.startswith("_")}


def _is_literal(node: ast.expr | None) -> bool:
    try:
        ast.literal_eval(node)  # type: ignore[arg-type]
    except (ValueError, TypeError):
        return False
    return True
