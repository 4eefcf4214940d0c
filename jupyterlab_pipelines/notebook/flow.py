"""Data flow: which writer each reader sees. Cells with their statements → Pipeline.

The notebook is walked once, statement by statement, in notebook order, as *Restart & Run All* would
execute it. At each moment `_Flow._seen` says, for every name, what wrote it last:

- a **value** of a step: a reader in another step gets it as an artifact;
- a **definition** (import, function, class, lambda): a reader in another step gets its source;
- **setup** or a **parameter**: every kernel makes it anew, nothing travels.

A statement that *may* bind a name, or changes its object in place, first reads it: so the step passes on
what the earlier writer left when it did not write after all. What syntax cannot see comes in as
`Effects` that were learned while the step ran, and is treated exactly alike.
"""

from __future__ import annotations

import ast
import builtins
import graphlib
import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from jupyterlab_pipelines import dag
from jupyterlab_pipelines.artifact import AMBIENT, FILE, KERNEL, is_state
from jupyterlab_pipelines.errors import NotebookError
from jupyterlab_pipelines.fingerprint import code_fingerprint
from jupyterlab_pipelines.notebook.file_flow import FileLinks, link_files
from jupyterlab_pipelines.notebook.ipython import is_quiet, parse_python
from jupyterlab_pipelines.notebook.links import Links
from jupyterlab_pipelines.notebook.names import (
    FileUse,
    Statement,
    StatementKind,
    analyse,
    makes_annotations_lazy,
)
from jupyterlab_pipelines.notebook.parse import Outline, StepTags
from jupyterlab_pipelines.notebook.tags import METRICS_STEP, age_seconds
from jupyterlab_pipelines.notebook.units import find_units
from jupyterlab_pipelines.pipeline import (
    AS_READ,
    Cell,
    CellKind,
    Definition,
    Edge,
    Effects,
    Input,
    Needs,
    Parameter,
    Pipeline,
    Step,
    Unit,
    Warning,
)

GIVEN = frozenset(dir(builtins)) | {
    *("get_ipython", "display", "In", "Out", "exit", "quit", "_", "__", "___", "_i", "_ii", "_iii"),
    *("_ih", "_oh", "_dh", "__name__", "__doc__", "__builtins__", "__builtin__"),
}
"""Names that every kernel has before the first cell."""

HISTORY = re.compile(r"(_{1,3}|_i{0,3}\d*|_?In|_?Out|_[io]h)\Z")
"""Names of what cells have shown, and of their text, unless the notebook binds them."""

SETTER = re.compile(
    r"(set|use|enable|disable|configure|register|reset|extension|theme|filterwarnings|simplefilter|basicConfig"
    r"|set_\w+|use_\w+|enable_\w+|disable_\w+|register_\w+|unregister_\w+|reset_\w+|restore_\w+|init_\w+)\Z"
)
"""Functions of packages that set an option and do nothing else, by their names."""

MOST_DEFINITIONS = 50
"""How far definitions that read each other at once are followed; further, they travel as values."""

MOST_SHOWN = 120
"""How many characters of a source line a message shows."""

Position = tuple[int, int]
"""Cell index and number of the statement in the cell."""

END = 1 << 30
"""Number of a statement after all others: where learned effects take place."""


@dataclass(frozen=True, slots=True)
class _Binding:
    """What wrote a name last. `owner` is a step, or None for setup and parameters."""

    owner: str | None
    position: Position
    statement: Statement | None = None  # only of a definition
    # What the names that a definition reads at once were bound to when it was executed.
    reads: Mapping[str, _Binding | None] = field(default_factory=dict)
    earlier_imports: tuple[_Binding, ...] = ()

    @property
    def is_definition(self) -> bool:
        return self.statement is not None


@dataclass
class _Reader:
    """What one step was found to need so far."""

    own: set[str] = field(default_factory=set)
    inputs: dict[str, _Binding] = field(default_factory=dict)
    optional: set[str] = field(default_factory=set)
    definitions: dict[Position, _Binding] = field(default_factory=dict)
    late: set[Position] = field(default_factory=set)
    parameters: set[str] = field(default_factory=set)
    setup_names: set[str] = field(default_factory=set)
    unresolved: dict[str, int] = field(default_factory=dict)
    imports: set[str] = field(default_factory=set)

    def copy(self) -> _Reader:
        return _Reader(
            set(self.own),
            dict(self.inputs),
            set(self.optional),
            dict(self.definitions),
            set(self.late),
            set(self.parameters),
            set(self.setup_names),
            dict(self.unresolved),
            set(self.imports),
        )


@dataclass(slots=True)
class _Called:
    """What definitions may do when they are called: bind names, change objects in place, anything at all."""

    binds: set[str] = field(default_factory=set)
    mutates: set[str] = field(default_factory=set)
    is_opaque: bool = False
    files: FileUse = FileUse.NONE


@dataclass
class _PassedOn:
    """What a step must leave though it did not change it.

    Two names share objects, one of them left by the step and one by an earlier step, and a later step
    reads or changes both. They must travel together: the step passes on what it got.
    """

    names: set[str] = field(default_factory=set)
    groups: set[frozenset[str]] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Preamble:
    """A statement of setup or of the parameters cell."""

    statement: Statement
    position: Position
    is_effect: bool


def read_pipeline(outline: Outline, learned: Mapping[str, Effects] | None = None) -> Pipeline:
    """The pipeline of the notebook with `outline`, with the `learned` effects of steps by name.

    Raises
    ------
    NotebookError
        ``syntax_error`` (cell and line), ``order_cycle`` (the steps in it), ``interleaved_steps``,
        ``unknown_step`` (in an ``after:``), ``setup_reads_step``.
    """
    flow = _walk(outline, learned or {})
    while flow.passed_on:
        merged = dict(flow.learned)
        for step, passed_on in flow.passed_on.items():
            effects = merged.get(step, Effects())
            merged[step] = replace(
                effects, mutates=effects.mutates | passed_on.names, shared=effects.shared | passed_on.groups
            )
        if merged == flow.learned:
            break
        flow = _walk(outline, merged)
    return flow.pipeline()


def _walk(outline: Outline, learned: Mapping[str, Effects]) -> _Flow:
    flow = _Flow(outline, learned, hoist=False)
    if flow.misses_shared_cells():
        # Kale puts imports and functions before every step, wherever their cells stand.
        hoisted = _Flow(outline, learned, hoist=True)
        if hoisted.number_unresolved() < flow.number_unresolved():
            return hoisted
    return flow


def step_code(outline: Outline) -> dict[str, tuple[tuple[str, ...], ...]]:
    """Per step its code in normal form (see `Step.code`); needs no data flow."""
    code: dict[str, tuple[tuple[str, ...], ...]] = {step.name: () for step in outline.steps}
    for cell in outline.cells:
        if cell.step is not None:
            normal = normal_form(cell)
            if normal:
                code[cell.step] += (normal,)
    return code


def step_fingerprints(outline: Outline) -> dict[str, str]:
    """Per step the fingerprint of its code, by which its effects are learned."""
    return {name: code_fingerprint(code) for name, code in step_code(outline).items()}


def has_code(cell: Cell) -> bool:
    """Whether executing `cell` does anything: comments alone do not."""
    return bool(normal_form(cell))


def normal_form(cell: Cell) -> tuple[str, ...]:
    """The code of `cell` without comments and formatting: equal where executing it does the same."""
    code = _analyse(cell)
    if not code.statements:
        return () if code.is_python or not cell.source.strip() else (cell.source.strip(),)
    statements = tuple(statement.normalised for statement in code.statements)
    if not code.is_python:
        return (cell.source.strip(), *statements)
    # `df.head();` shows nothing, `df.head()` does, and the syntax tree is the same.
    return (*statements, ";") if is_quiet(cell.source) else statements


def _analyse(cell: Cell, *, lazy_annotations: bool = False) -> Any:
    try:
        return analyse(cell.source, lazy_annotations)
    except SyntaxError as error:
        line = error.lineno or 1
        lines = cell.source.splitlines()
        text = lines[line - 1].strip() if 0 < line <= len(lines) else ""
        text = text if len(text) <= MOST_SHOWN else text[: MOST_SHOWN - 1] + "…"
        raise NotebookError(
            "syntax_error",
            f"Cell {cell.index + 1}, line {line}: {error.msg}" + (f": `{text}`" if text else "") + ".",
            cell_index=cell.index,
            cell_id=cell.id,
            line=line,
            step=cell.step,
        ) from None


class _Flow:
    """One walk through the notebook."""

    def __init__(self, outline: Outline, learned: Mapping[str, Effects], *, hoist: bool) -> None:
        self.outline = outline
        self.learned = learned
        self.tags: dict[str, StepTags] = {step.name: step for step in outline.steps}
        self.readers: dict[str, _Reader] = {name: _Reader() for name in self.tags}
        self.leaves: dict[str, dict[str, None]] = {name: {} for name in self.tags}
        self.defines: dict[str, set[str]] = {name: set() for name in self.tags}
        self.views: dict[str, dict[str, _Binding]] = {}
        self.preamble: list[_Preamble] = []
        self.preamble_before: dict[str, int] = {}
        self.preamble_cells: list[int] = []
        self.preambles: dict[str, list[int]] = {}
        self.parameters: dict[str, Parameter] = {}
        self.read_by: dict[tuple[str, str], set[str]] = {}
        self.printed: dict[str, list[str]] = {}
        self.file_use: dict[str, FileUse] = dict.fromkeys(self.tags, FileUse.NONE)
        self.paths: dict[str, set[str]] = {name: set() for name in self.tags}
        self.star_imports: list[_Binding] = []
        self.configurations: list[_Binding] = []
        self.links = Links()
        self.passed_on: dict[str, _PassedOn] = {}
        self.passes_uncarriable: set[tuple[str, str]] = set()
        self.opaque: str | None = None
        self.rebound = _rebound(outline)
        # Steps that read what other cells have shown.
        self.looks_back: set[str] = set()
        self._seen: dict[str, _Binding] = {}
        self._names_in_skipped: dict[str, int] = {}
        self._annotations_are_lazy = False
        self._cells: dict[str, tuple[int, ...]] = dict.fromkeys(self.tags, ())
        for cell in outline.cells:
            if cell.step is not None:
                self._cells[cell.step] += (cell.index,)
        cells = list(outline.cells)
        if hoist:
            first = [outline.cells[index] for index in outline.shared_cells]
            moved = set(outline.shared_cells)
            first += [c for c in cells if c.kind is CellKind.PARAMETERS]
            cells = first + [c for c in cells if c.index not in moved and c.kind is not CellKind.PARAMETERS]
        for cell in cells:
            self._read_cell(cell)

    # -- the walk -------------------------------------------------------------------------------

    def _read_cell(self, cell: Cell) -> None:
        if cell.kind is CellKind.TEXT:
            return
        if cell.kind is CellKind.SKIP:
            self._note_skipped(cell)
            return
        code = _analyse(cell, lazy_annotations=self._annotations_are_lazy)
        self._annotations_are_lazy |= makes_annotations_lazy(cell.source)
        if cell.step is None:
            self.preamble_cells.append(cell.index)
            for number, statement in enumerate(code.statements):
                self._read_preamble(cell, (cell.index, number), statement)
            return
        step = cell.step
        if step not in self.views:
            self.views[step] = dict(self._seen)
            self.preamble_before[step] = len(self.preamble)
            self.preambles[step] = list(self.preamble_cells)
            for name in self._seen:
                if name.startswith(AMBIENT):
                    self._resolve(step, name, self._seen)
            missed = self.learned.get(step, Effects()).missed
            self._read(step, sorted(missed), self._seen, cell.index, missed)
            self._configure(step)
        for number, statement in enumerate(code.statements):
            self._read_statement(step, (cell.index, number), statement)
            if self._looks_back(step, cell.index, statement):
                self.looks_back.add(step)
        if self._cells[step][-1] == cell.index:
            self._apply_learned(step, (cell.index, END))

    def _note_skipped(self, cell: Cell) -> None:
        try:
            statements = analyse(cell.source).statements
        except SyntaxError:
            return
        for statement in statements:
            for name in statement.binds | statement.may_bind:
                self._names_in_skipped.setdefault(name, cell.index)

    def _read_preamble(self, cell: Cell, position: Position, statement: Statement) -> None:
        for name in statement.reads:
            binding = self._seen.get(name)
            if binding is not None and binding.owner is not None and not binding.is_definition:
                raise NotebookError(
                    "setup_reads_step",
                    f"Cell {cell.index + 1} holds in every step, but reads `{name}` from step "
                    f"`{binding.owner}`. Give the cell a `step:` tag of its own.",
                    cell_index=cell.index,
                    cell_id=cell.id,
                    step=binding.owner,
                )
        if cell.kind is CellKind.PARAMETERS:
            for parameter in _parameters_of(statement, cell.source):
                self.parameters[parameter.name] = parameter
        self.preamble.append(_Preamble(statement, position, self._is_effect(statement)))
        if statement.star_imports:
            self.star_imports.append(_Binding(None, position, statement))
        written = statement.binds | statement.may_bind | statement.mutates
        # Whether they really share objects is not looked at: setup is executed in every kernel.
        together = {name for name in statement.reads if self._is_setup_value(name)} if written else set()
        for name in statement.mutates - statement.binds:
            together |= self._sharing_with(name)
        before = [(name, self._seen[name]) for name in together if name in self._seen]
        for name in written:
            only_changes = name in statement.mutates and name not in statement.binds
            if only_changes and name in self._seen and self._seen[name].is_definition:
                continue
            self._seen[name] = self._binding(None, name, position, statement)
        bound = [*before, *((name, self._seen[name]) for name in written if name in self._seen)]
        if len(bound) > 1:
            self.links.add(None, bound)
        for name in statement.deletes:
            self._seen.pop(name, None)

    def _is_setup_value(self, name: str) -> bool:
        binding = self._seen.get(name)
        return binding is not None and binding.owner is None and not binding.is_definition

    def _is_effect(self, statement: Statement) -> bool:
        """Whether a setup statement acts on every step, not only on those that read its names."""
        if statement.kind is not StatementKind.OTHER:
            return False
        if statement.opaque or statement.star_imports:
            return True
        for name in statement.mutates:
            binding = self._seen.get(name)
            if binding is None or binding.is_definition:
                return True
        return not _only_assigns(statement.normalised) and not (
            statement.mutates and _only_calls_on_names(statement)
        )

    def _read_statement(self, step: str, position: Position, statement: Statement) -> None:
        reader = self.readers[step]
        reader.imports |= statement.imports
        if statement.kind is StatementKind.DEFINITION:
            self.defines[step] |= statement.binds
        called = self._read(step, statement.reads, self._seen, position[0], statement.mentions)
        binds, mutates = called.binds, called.mutates
        is_opaque = statement.opaque or called.is_opaque
        self.file_use[step] |= statement.files | called.files
        if statement.kind is not StatementKind.DEFINITION or statement.files or statement.reads:
            # What a function reads counts where it is called.
            self.paths[step] |= statement.paths
        if FileUse.UNPICKLE in statement.files | called.files:
            for name, binding in list(self._seen.items()):
                if binding.statement is not None and binding.statement.kind is StatementKind.DEFINITION:
                    self._resolve(step, name, self._seen)
        if is_opaque:
            for name in list(self._seen):
                known = name in reader.inputs
                self._resolve(step, name, self._seen)
                if not known and name in reader.inputs:
                    reader.optional.add(name)
        mutates |= statement.mutates | self._changed_arguments(statement)
        # A weak reference sees that the object is gone.
        deleted = [self._sharing_with(name) for name in statement.deletes if name in self._seen]
        mutates |= {name for together in deleted for name in together if self._is_seen_uncarriable(name)}
        mutates = {name for name in mutates if not self._is_module(name)}
        if _configures(statement, {name for name in statement.reads if self._is_imported(name)}):
            self.configurations.append(self._binding(step, "*", position, statement))
        binds |= statement.may_bind | statement.may_delete
        for name in sorted((binds | mutates | statement.deletes) - reader.own):
            self._resolve(step, name, self._seen)
        for name in sorted(mutates):
            self._write_shared(step, name, position)
        for name in sorted(binds | mutates):
            self._write(step, name, _Binding(step, position))
        for name in sorted(statement.binds):
            self._write(step, name, self._binding(step, name, position, statement))
            reader.own.add(name)
        for name in sorted(statement.deletes):
            self._write(step, name, _Binding(step, position))
            reader.own.add(name)
        if statement.star_imports:
            self.star_imports.append(self._binding(step, "*", position, statement))
        if statement.printed:
            self.printed.setdefault(step, []).extend(statement.printed)
        if is_opaque:
            self.opaque = step
            for name, binding in list(self._seen.items()):
                if binding.owner is not None and not binding.is_definition:
                    self._write(step, name, _Binding(step, position))

    def _apply_learned(self, step: str, position: Position) -> None:
        effects = self.learned.get(step)
        if not effects:
            return
        called = self._read(step, sorted(effects.reads), self.views[step], position[0])
        for name in sorted(effects.mutates | called.mutates):
            if name not in self.readers[step].own:
                self._resolve(step, name, self._seen)
            self._write_shared(step, name, position, self._as_read(step, name))
            self._write(step, name, _Binding(step, position))
        for name in sorted(effects.binds):
            current = self._seen.get(name)
            if current is None or current.owner != step:
                self._write(step, name, _Binding(step, position))
        for group in effects.shared:
            self._link(step, group)

    def _is_imported(self, name: str) -> bool:
        """Also by a star import, as far as one can know."""
        by_star = bool(self.star_imports) and name not in self._seen and name not in GIVEN
        return by_star or self._is_module(name)

    def _is_module(self, name: str) -> bool:
        """`np.append(xs, 1)` does not change `np`."""
        binding = self._seen.get(name)
        statement = None if binding is None else binding.statement
        return statement is not None and statement.kind is StatementKind.IMPORT

    def _looks_back(self, step: str, cell_index: int, statement: Statement) -> bool:
        """Whether a statement reads what a cell of another step has shown: `_`, `Out[3]`."""
        names = {name for name in statement.reads | statement.deferred if HISTORY.match(name)}
        if not names:
            return False
        before = [cell for cell in self.outline.cells[:cell_index] if cell.kind is not CellKind.TEXT]
        shown_here = bool(before) and before[-1].step == step
        return bool(names - self._seen.keys() - self.readers[step].own - ({"_"} if shown_here else set()))

    def _changed_arguments(self, statement: Statement) -> set[str]:
        """Names passed to functions of the notebook that change that parameter in place."""
        changed: set[str] = set()
        for call in statement.calls:
            binding = self._seen.get(call.function)
            if binding is None or binding.statement is None:
                continue
            for parameter in binding.statement.mutated_parameters:
                if isinstance(parameter, str):
                    changed |= dict(call.keywords).get(parameter, frozenset())
                elif parameter < len(call.arguments):
                    changed |= call.arguments[parameter]
        return changed & statement.reads

    # -- writing --------------------------------------------------------------------------------

    def _binding(self, owner: str | None, name: str, position: Position, statement: Statement) -> _Binding:
        if statement.kind is StatementKind.OTHER and name != "*":
            return _Binding(owner, position)
        if statement.kind is not StatementKind.OTHER and name not in statement.binds and name != "*":
            return _Binding(owner, position)
        before = self._seen.get(name)
        earlier: tuple[_Binding, ...] = ()
        known = None if before is None else before.statement
        if before is not None and known is not None and known.kind is StatementKind.IMPORT:
            # `import a.b` after `import a.c`: both submodules are there.
            earlier = (before,) if _extends_package(statement, name) else ()
        return _Binding(
            owner,
            position,
            statement,
            reads={read: self._seen.get(read) for read in statement.reads},
            earlier_imports=earlier,
        )

    def _write(self, step: str, name: str, binding: _Binding) -> None:
        readers = self.read_by.get((step, name), set()) - {step}
        if readers and not binding.is_definition:
            reader = sorted(readers)[0]
            raise NotebookError(
                "interleaved_steps",
                f"Step `{step}` changes `{name}` again in cell {binding.position[0] + 1}, after step `{reader}` "
                f"has read it. Give that cell a step name of its own.",
                cell_index=binding.position[0],
                step=step,
                steps=[step, reader],
                name=name,
            )
        self._seen[name] = binding
        self.leaves[step][name] = None

    def _write_shared(
        self, step: str, name: str, position: Position, as_read: _Binding | None = None
    ) -> None:
        """Names that share objects with `name` change when it is changed in place, and go on to share.

        `as_read`: what the changed object was bound to when the step got it.
        """
        together = self._sharing_with(name, as_read)
        if len(together) == 1:
            return
        bound = {other: self._seen[other] for other in together if other in self._seen}
        self._keep_together(bound if as_read is None else bound | {name: as_read})
        for other in sorted(together - {name}):
            self._resolve(step, other, self._seen)
        for other in sorted(together):
            self._write(step, other, _Binding(step, position))
        self._link(step, together)

    def _link(self, step: str | None, names: Iterable[str]) -> None:
        bound = []
        for name in names:
            plain = name.removeprefix(AS_READ)
            binding = self._seen.get(name) if plain == name or step is None else self._as_read(step, plain)
            if binding is not None:
                bound.append((plain, binding))
        if len(bound) > 1:
            self.links.add(step, bound)

    def _as_read(self, step: str, name: str) -> _Binding | None:
        """What `step` got under `name`, from another step or from setup."""
        return self.readers[step].inputs.get(name) or self.views[step].get(name)

    def _sharing_with(self, name: str, as_read: _Binding | None = None) -> set[str]:
        """Names that share objects now with `name`, itself among them, or with what `as_read` bound it to."""
        found = {name}
        for binding in (self._seen.get(name), as_read):
            reached = {} if binding is None else self.links.reached(name, binding)
            found |= {other for other, bindings in reached.items() if id(self._seen.get(other)) in bindings}
        return found

    def _keep_together(self, bound: Mapping[str, _Binding]) -> None:
        """The names share objects: the step that joined the last of them leaves them all, still sharing."""
        if len({binding.owner for binding in bound.values()}) == 1:
            return
        step = self.links.joined_by(bound)
        if step is not None:
            passed_on = self.passed_on.setdefault(step, _PassedOn())
            passed_on.names |= {name for name, then in bound.items() if then.owner != step}
            passed_on.groups.add(frozenset(bound))

    # -- reading --------------------------------------------------------------------------------

    def _read(
        self,
        step: str,
        names: Iterable[str],
        seen: Mapping[str, _Binding],
        cell_index: int,
        mentions: frozenset[str] = frozenset(),
    ) -> _Called:
        """Resolve `names` and all that the definitions among them may read when they are called."""
        reader = self.readers[step]
        called = _Called()
        todo, done = list(names), set()
        while todo:
            name = todo.pop()
            if name in done:
                continue
            done.add(name)
            binding = seen.get(name)
            is_foreign = name not in reader.own or (binding is not None and binding.owner != step)
            if is_foreign and not self._resolve(step, name, seen) and name not in reader.own | mentions:
                reader.unresolved.setdefault(name, cell_index)
            if binding is None:
                continue
            if binding.owner != step and self._is_uncarriable(name, binding):
                # To read a generator or a connection is to change it, and it stays what it is.
                called.mutates.add(name)
                self.passes_uncarriable.add((step, name))
            for statement in self._statements_behind(step, name, binding):
                todo.extend(statement.deferred)
                mentions |= statement.mentions
                if statement.kind is not StatementKind.OTHER and name not in reader.inputs:
                    todo.extend(statement.reads)
                called.binds |= statement.deferred_binds
                called.mutates |= statement.deferred_mutates
                called.is_opaque |= statement.deferred_opaque
                called.files |= statement.deferred_files
                self.paths[step] |= statement.paths
        return called

    def _is_seen_uncarriable(self, name: str) -> bool:
        binding = self._seen.get(name)
        return binding is not None and self._is_uncarriable(name, binding)

    def _is_uncarriable(self, name: str, binding: _Binding) -> bool:
        """Whether what `name` is bound to was seen to be nothing that can be stored."""
        owner = binding.owner
        if owner is None:
            return False
        if owner not in self.learned:  # not executed yet as it stands now
            return (owner, name) in self.passes_uncarriable
        return name in self.learned[owner].uncarriable

    def _statements_behind(self, step: str, name: str, binding: _Binding) -> list[Statement]:
        if binding.statement is not None:
            return [binding.statement]
        if binding.owner is None:
            return [entry.statement for entry in self._setup_behind(step, {name})]
        return []

    def _resolve(self, step: str, name: str, seen: Mapping[str, _Binding]) -> bool:
        """Note what `step` needs so that it can read `name`; False if nothing is known to bind it."""
        reader = self.readers[step]
        if name in reader.inputs:
            reader.optional.discard(name)
            current = seen.get(name)
            if current is not None and current.owner not in (step, None, reader.inputs[name].owner):
                # Another step wrote it between two cells of this step.
                self._refuse_interleaved(step, name, current)
            return True
        binding = seen.get(name)
        if binding is None:
            if self.opaque is not None and self.opaque != step and name not in GIVEN:
                self._need_value(step, name, _Binding(self.opaque, (0, 0)))
                return True
            for star in self.star_imports:
                self._carry(step, star, seen)
            return bool(self.star_imports) or self.opaque == step or name in GIVEN
        if binding.owner == step:
            return True
        # What an input refers to is read when the step begins, before it binds the name itself.
        if name in reader.own and binding.owner is not None and seen is self._seen:
            self._refuse_interleaved(step, name, binding)
        if binding.owner is None:
            if name in self.parameters and not binding.is_definition:
                reader.parameters.add(name)
            if name not in reader.setup_names:
                reader.setup_names.add(name)
                self._read_shared(step, name, binding)
            return True
        if (
            binding.is_definition
            and not self._is_uncarriable(name, binding)
            and self._can_travel(binding, seen)
        ):
            self._carry(step, binding, seen)
            return True
        self._need_value(step, name, binding)
        self._read_shared(step, name, binding)
        return True

    def _read_shared(self, step: str, name: str, binding: _Binding) -> None:
        """Names that share objects with `name` and are read by `step` as well must be one to it, too."""
        reader = self.readers[step]
        reached = self.links.reached(name, binding)
        read = {}
        for other in reached.keys() & (reader.inputs.keys() | reader.setup_names):
            then = self._as_read(step, other)
            if then is not None and id(then) in reached[other]:
                read[other] = then
        if len(read) > 1:
            self._keep_together(read)

    def _need_value(self, step: str, name: str, binding: _Binding) -> None:
        assert binding.owner is not None
        self.readers[step].inputs[name] = binding
        self.read_by.setdefault((binding.owner, name), set()).add(step)
        self.leaves[binding.owner].setdefault(name, None)

    def _can_travel(self, binding: _Binding, seen: Mapping[str, _Binding], depth: int = 0) -> bool:
        """Whether executing the definition's source again makes the same thing, and does nothing else.

        It does if what it reads at once (defaults, decorators, bases) is bound to the same now, and
        none of the notebook's functions among that (a decorator that registers) changes anything.
        """
        assert binding.statement is not None
        if binding.statement.opaque or not self.rebound.isdisjoint(binding.statement.binds):
            return False
        for name, then in binding.reads.items():
            now = seen.get(name)
            if then is None and now is None:
                continue
            if then is None and now is not None and (now.owner, now.position[1]) == (binding.owner, END):
                continue  # its step bound it in a way that only the run could show: a star import
            if then is None or now is None or (then.owner, then.position) != (now.owner, now.position):
                return False
            if now.statement is not None and depth < MOST_DEFINITIONS:
                does = now.statement
                if does.deferred_binds or does.deferred_mutates or does.deferred_opaque:
                    return False
                if now.owner is not None and not self._can_travel(now, seen, depth + 1):
                    return False
        return True

    def _carry(self, step: str, binding: _Binding, seen: Mapping[str, _Binding]) -> None:
        reader = self.readers[step]
        if binding.owner is None or binding.owner == step or binding.position in reader.definitions:
            return
        assert binding.statement is not None
        reader.definitions[binding.position] = binding
        reader.imports |= binding.statement.imports
        for earlier in binding.earlier_imports:
            self._carry(step, earlier, seen)
        todo, done = list(binding.statement.reads), set()
        while todo:
            # What it reads at once, and what functions among that read when it calls them.
            name = todo.pop()
            if name in done:
                continue
            done.add(name)
            self._resolve(step, name, seen)
            then = seen.get(name)
            if name in reader.inputs or (then is not None and then.position in reader.late):
                reader.late.add(binding.position)
            elif then is not None and then.statement is not None:
                todo.extend(then.statement.deferred)

    def _configure(self, step: str) -> None:
        """A step gets what earlier steps have set in modules: it may use them by way of a value alone."""
        for configuration in self.configurations:
            if self._can_travel(configuration, self._seen):
                self._carry(step, configuration, self._seen)

    def _refuse_interleaved(self, step: str, name: str, binding: _Binding) -> None:
        raise NotebookError(
            "interleaved_steps",
            f"Step `{step}` uses `{name}` both before and after step `{binding.owner}` changes it "
            f"(cell {binding.position[0] + 1}). Give the later cells of `{step}` a step name of their own.",
            cell_index=binding.position[0],
            step=step,
            steps=[step, binding.owner],
            name=name,
        )

    # -- setup ----------------------------------------------------------------------------------

    def _setup_behind(self, step: str, names: set[str]) -> list[_Preamble]:
        """The preamble statements that make `names`, with all that those read, in order."""
        before = self.preamble[: self.preamble_before.get(step, len(self.preamble))]
        wanted, chosen = set(names), set()
        grown = True
        while grown:
            grown = False
            for number, entry in enumerate(before):
                statement = entry.statement
                written = statement.binds | statement.may_bind | statement.mutates | statement.may_delete
                if number not in chosen and written & wanted:
                    chosen.add(number)
                    wanted |= statement.reads | statement.deferred
                    grown = True
        return [before[number] for number in sorted(chosen)]

    # -- the result -----------------------------------------------------------------------------

    def number_unresolved(self) -> int:
        return sum(len(reader.unresolved) for reader in self.readers.values())

    def misses_shared_cells(self) -> bool:
        late: set[str] = set()
        for cell in self.outline.cells:
            if cell.index in self.outline.shared_cells or cell.kind is CellKind.PARAMETERS:
                for statement in _analyse(cell).statements:
                    late |= statement.binds | statement.may_bind
        return any(late & reader.unresolved.keys() for reader in self.readers.values())

    def needs(self, step: str, definitions: frozenset[str] = frozenset()) -> Needs:
        """What `step` needs, if its inputs refer to the notebook's `definitions` as well."""
        kept = self.readers[step]
        if definitions:
            self.readers[step] = kept.copy()
            self._read(step, definitions, self.views[step], 0)
        try:
            return self._needs(step, self.readers[step])
        finally:
            self.readers[step] = kept

    def _needs(self, step: str, reader: _Reader) -> Needs:
        effects = {
            name
            for entry in self.preamble[: self.preamble_before[step]]
            if entry.is_effect
            for name in entry.statement.reads | entry.statement.deferred
        }
        behind = {entry.position: entry for entry in self._setup_behind(step, reader.setup_names | effects)}
        for entry in self.preamble[: self.preamble_before[step]]:
            if entry.is_effect:
                behind[entry.position] = entry
        setup, setup_definitions = [], []
        parameters = set(reader.parameters)
        imports = set(reader.imports)
        for position in sorted(behind):
            statement = behind[position].statement
            imports |= statement.imports
            parameters |= (statement.reads | statement.deferred) & self.parameters.keys()
            literal = statement.binds and all(
                name in self.parameters and self.parameters[name].is_literal for name in statement.binds
            )
            if statement.kind is not StatementKind.OTHER:
                setup_definitions.append(_definition(_Binding(None, position, statement)))
            elif not literal:
                setup.append(statement.normalised)
        carried = [reader.definitions[position] for position in sorted(reader.definitions)]
        return Needs(
            inputs=tuple(
                Input(name, binding.owner, name in reader.optional)
                for name, binding in sorted(reader.inputs.items())
                if binding.owner is not None
            ),
            definitions=tuple(_definition(b) for b in carried if b.position not in reader.late),
            late_definitions=tuple(_definition(b) for b in carried if b.position in reader.late),
            parameters=tuple(sorted(parameters)),
            setup=tuple(setup),
            setup_definitions=tuple(setup_definitions),
            setup_values=tuple(sorted(self._setup_values(step, reader))),
            imports=tuple(sorted(imports)),
        )

    def _setup_values(self, step: str, reader: _Reader) -> set[str]:
        view = self.views[step]
        return {name for name in reader.setup_names if name in view and not view[name].is_definition}

    def pipeline(self) -> Pipeline:
        """The finished pipeline."""
        code = step_code(self.outline)
        files = self._link_files()
        units = self._units()
        warnings = list(self._warnings())
        outputs: dict[str, set[str]] = {name: set() for name in self.tags}
        for reader in self.readers.values():
            for name, binding in reader.inputs.items():
                if binding.owner is not None and not name.startswith((FILE, KERNEL)):
                    outputs[binding.owner].add(name)
        steps = {}
        for name, tagged in self.tags.items():
            tags = tagged.tags
            cells = self._cells[name]
            after, unknown = self._order(name, tags.after, tags.previous, cells[0])
            after = tuple(dict.fromkeys([*after, *files.after[name]]))
            warnings.extend(unknown)
            steps[name] = Step(
                name=name,
                title=tagged.title,
                cells=cells,
                code=code[name],
                role=tags.role,
                after=after,
                cache=tags.cache or "on",
                cache_age_seconds=age_seconds(tags.cache or "on"),
                retries=tags.retries or 0,
                timeout_seconds=tags.timeout_seconds,
                kernel=tags.kernel,
                resources=tags.resources,
                needs=self.needs(name),
                outputs=tuple(
                    dict.fromkeys([*(n for n in self.leaves[name] if n in outputs[name]), *tags.outputs])
                ),
                leaves=tuple(self.leaves[name]),
                defines=tuple(sorted(self.defines[name])),
                metrics=tuple(dict.fromkeys(self.printed.get(name, ()))) if name == METRICS_STEP else (),
                files=tuple(files.finals.get(name, ())),
                rebound=tuple(sorted(self.rebound)),
                unit=units.get(name),
                reads_files=FileUse.READ in self.file_use[name],
                writes_files=FileUse.WRITE in self.file_use[name],
                paths=tuple(sorted(self.paths[name])),
            )
        parents = {name: step.parents for name, step in steps.items()}
        self._refuse_cycle(parents)
        try:
            order = dag.in_order(parents, list(steps))
        except graphlib.CycleError:  # pragma: no cover - _refuse_cycle has found it
            raise
        return Pipeline(
            steps=tuple(steps[name] for name in order),
            cells=self.outline.cells,
            parameters=tuple(self.parameters.values()),
            kernel=self.outline.kernel,
            edges=tuple(self._edges((steps[name] for name in order), files)),
            warnings=tuple(warnings),
            needs_with=self.needs,
            preambles={name: tuple(cells) for name, cells in self.preambles.items()},
        )

    def _link_files(self) -> FileLinks:
        """Let steps that read files wait for those that write them."""
        parents = {}
        for name, tagged in self.tags.items():
            owners = [binding.owner for binding in self.readers[name].inputs.values()]
            known = [*owners, *tagged.tags.after, *tagged.tags.previous]
            parents[name] = tuple(dict.fromkeys(owner for owner in known if owner in self.tags))
        effects = {name: self.learned[name].files for name in self.tags if name in self.learned}
        links = link_files(self._cells, effects, parents, self.file_use)
        for name, writers in links.inputs.items():
            for path, writer in writers.items():
                self.readers[name].inputs[f"{FILE}{path}"] = _Binding(writer, (self._cells[writer][-1], END))
                self.readers[name].optional.add(f"{FILE}{path}")
        return links

    def _units(self) -> dict[str, Unit]:
        """Let steps that share what cannot be stored go on in one kernel, each where the one before it ended."""
        joined = [
            (binding.owner, step, name.removeprefix(AMBIENT))
            for step, reader in self.readers.items()
            for name, binding in reader.inputs.items()
            if binding.owner is not None and self._is_uncarriable(name, binding)
        ]
        joined += [
            (other, step, "_")
            for step in self.looks_back
            for other in self.tags
            if self._cells[other][-1] < self._cells[step][0]
        ]
        units = find_units(
            list(self.tags),
            joined,
            self._cells,
            {name: tagged.tags.kernel for name, tagged in self.tags.items()},
        )
        for unit in set(units.values()):
            for first, second in itertools.pairwise(unit.steps):
                self.readers[second].inputs[KERNEL] = _Binding(first, (self._cells[first][-1], END))
        return units

    def _order(
        self, step: str, after: tuple[str, ...], previous: tuple[str, ...], cell_index: int
    ) -> tuple[tuple[str, ...], list[Warning]]:
        for name in after:
            if name not in self.tags:
                raise NotebookError(
                    "unknown_step",
                    f"Cell {cell_index + 1}: step `{step}` is to run after `{name}`, but there is no such step. "
                    f"The steps are {', '.join(f'`{known}`' for known in self.tags)}.",
                    cell_index=cell_index,
                    step=step,
                )
        unknown = [
            Warning(
                "unknown_step",
                f"`prev:{name}` of step `{step}` names no step and is ignored.",
                step,
                cell_index,
            )
            for name in previous
            if name not in self.tags
        ]
        return tuple(dict.fromkeys([*after, *(name for name in previous if name in self.tags)])), unknown

    def _refuse_cycle(self, parents: Mapping[str, tuple[str, ...]]) -> None:
        cycle = dag.find_cycle(parents)
        if cycle is None:
            return
        first = self.tags[cycle[0]].name
        because = []
        for step, waits_for in zip(cycle, [*cycle[1:], cycle[0]], strict=True):
            reads = self.readers[step].inputs
            names = sorted(name for name, b in reads.items() if b.owner == waits_for and not is_state(name))
            because.append(
                f"`{step}` waits for `{waits_for}` "
                + (f"(reads {', '.join(f'`{name}`' for name in names)})" if names else "(says its tag)")
            )
        raise NotebookError(
            "order_cycle",
            f"The steps wait for each other: {'; '.join(because)}. "
            "Give the later cells of one of them a step name of their own, or remove an `after:` tag.",
            steps=cycle,
            step=first,
            cell_index=next(cell.index for cell in self.outline.cells if cell.step == first),
        )

    def _edges(self, steps: Iterable[Step], files: FileLinks) -> Iterable[Edge]:
        for step in steps:
            for parent in step.parents:
                names = tuple(given.name for given in step.needs.inputs if given.step == parent)
                seen_running = self.learned.get(parent, Effects())
                yield Edge(
                    parent,
                    step.name,
                    names,
                    explicit=not names and parent not in files.after[step.name],
                    learned=all(
                        name.startswith((FILE, KERNEL)) or name in seen_running.mutates | seen_running.binds
                        for name in names
                    )
                    if names
                    else parent in files.after[step.name],
                )

    def _warnings(self) -> Iterable[Warning]:
        for step, reader in self.readers.items():
            for name, cell_index in sorted(reader.unresolved.items()):
                where = f"`{name}` in step `{step}` (cell {cell_index + 1})"
                if name in self._names_in_skipped:
                    why = (
                        f"is defined only in cell {self._names_in_skipped[name] + 1}, which is tagged `skip`"
                    )
                elif name in self._seen and (later := self._seen[name]).position[0] > cell_index:
                    why = f"is defined only later, in cell {later.position[0] + 1}"
                else:
                    why = "is defined by no cell"
                yield Warning("undefined_name", f"{where} {why}.", step, cell_index)


def _rebound(outline: Outline) -> frozenset[str]:
    """Names of functions and classes that another statement binds as well, one of the two in a step."""
    sources: dict[str, set[str]] = {}
    defined: set[str] = set()
    in_steps: set[str] = set()
    for cell in outline.cells:
        if cell.kind in (CellKind.TEXT, CellKind.SKIP):
            continue
        for statement in _analyse(cell).statements:
            for name in statement.binds | statement.may_bind:
                sources.setdefault(name, set()).add(statement.normalised)
                in_steps.update([name] if cell.step is not None else [])
            if statement.kind is StatementKind.DEFINITION:
                defined |= statement.binds
    return frozenset(name for name in defined & in_steps if len(sources[name]) > 1)


def _definition(binding: _Binding) -> Definition:
    statement = binding.statement
    assert statement is not None
    return Definition(statement.binds, statement.source, statement.normalised, binding.position)


def _extends_package(statement: Statement, name: str) -> bool:
    return statement.normalised.startswith(f"import {name}.") and " as " not in statement.normalised


def _tree(normalised: str) -> ast.stmt | None:
    try:
        body = parse_python(normalised).body
    except SyntaxError:
        return None
    return body[0] if len(body) == 1 else None


def _only_assigns(normalised: str) -> bool:
    tree = _tree(normalised)
    if isinstance(tree, ast.Assign):
        return all(isinstance(t, ast.Name | ast.Tuple | ast.List) for t in tree.targets)
    return isinstance(tree, ast.AnnAssign | ast.AugAssign) and isinstance(tree.target, ast.Name)


def _only_calls_on_names(statement: Statement) -> bool:
    """`config["a"] = 1`, `xs.append(2)`: acts on the named objects alone."""
    tree = _tree(statement.normalised)
    return isinstance(tree, ast.Assign | ast.AugAssign | ast.Expr | ast.Delete)


def _configures(statement: Statement, modules: set[str]) -> bool:
    """Whether a statement sets something in an imported module: `alt.renderers.enable("html")`.

    Such a setting lives in the process. As it does nothing else, it is made again in every later step.
    """
    if statement.imports == frozenset() and statement.normalised.startswith("from __future__ import "):
        return True
    if not modules or statement.may_bind:
        return False
    tree = _tree(statement.normalised)
    if isinstance(tree, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return any(_registers(decorator, modules) for decorator in tree.decorator_list)
    if statement.kind is not StatementKind.OTHER or statement.binds:
        return False
    if isinstance(tree, ast.Assign | ast.AugAssign | ast.Delete):
        targets = [tree.target] if isinstance(tree, ast.AugAssign) else tree.targets
        return all(_root(target) in modules for target in targets)
    if not isinstance(tree, ast.Expr) or not isinstance(tree.value, ast.Call):
        return False
    call = tree.value
    if isinstance(call.func, ast.Name) and call.func.id in ("setattr", "delattr") and call.args:
        return _root(call.args[0]) in modules
    return _registers(call.func, modules)


def _registers(function: ast.expr, modules: set[str]) -> bool:
    """Whether a function of a module sets an option, or registers something, by its name."""
    while isinstance(function, ast.Call):
        function = function.func
    name = function.attr if isinstance(function, ast.Attribute) else None
    if isinstance(function, ast.Name):
        name = function.id
    return name is not None and bool(SETTER.match(name)) and _root(function) in modules


def _root(tree: ast.expr) -> str | None:
    while isinstance(tree, ast.Attribute | ast.Subscript):
        tree = tree.value
    return tree.id if isinstance(tree, ast.Name) else None


def _parameters_of(statement: Statement, cell_source: str) -> Iterable[Parameter]:
    tree = _tree(statement.normalised)
    targets: list[ast.expr] = []
    if isinstance(tree, ast.Assign):
        targets, value = tree.targets, tree.value
    elif isinstance(tree, ast.AnnAssign) and tree.value is not None:
        targets, value = [tree.target], tree.value
    else:
        return
    lines = cell_source.splitlines()
    last = lines[statement.end_line - 1] if 0 < statement.end_line <= len(lines) else ""
    comment = last.partition("#")[2].strip() if "#" in last else ""
    for target in targets:
        if isinstance(target, ast.Name):
            default, is_literal = _literal(value)
            yield Parameter(target.id, ast.unparse(value), default, is_literal, comment)


def _literal(value: ast.expr) -> tuple[Any, bool]:
    """The value of a literal that JSON can say exactly."""
    try:
        literal = ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None, False
    return (literal, True) if _is_json(literal) else (None, False)


def _is_json(value: Any) -> bool:
    if value is None or type(value) in (bool, int, float, str):
        return True
    if type(value) is list:
        return all(_is_json(item) for item in value)
    if type(value) is dict:
        return all(type(key) is str and _is_json(item) for key, item in value.items())
    return False
