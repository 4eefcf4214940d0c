"""Which statements of a notebook can stand at the top of a module, and which belong into the functions.

An import, a function, a class or a constant is *shared* if it means the same wherever the notebook reads it: bound
once, and made of nothing but other shared things. All else depends on where in the notebook one stands, so it is
executed inside the functions that need it.
"""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from jupyterlab_pipelines.artifact import AMBIENT
from jupyterlab_pipelines.notebook.flow import Position
from jupyterlab_pipelines.notebook.ipython import parse_python, split_cell_magics, words
from jupyterlab_pipelines.notebook.names import (
    FileUse,
    Statement,
    StatementKind,
    analyse,
    makes_annotations_lazy,
)
from jupyterlab_pipelines.notebook.parse import Outline
from jupyterlab_pipelines.pipeline import Cell, CellKind, Effects, Pipeline

BUILTINS = frozenset(dir(builtins))
STANDARD = frozenset(sys.stdlib_module_names)
ENVIRONMENT = f"{AMBIENT}environment"

PURE_CALLS = words(
    "Path PurePath Decimal Fraction Timedelta Timestamp bool bytes complex date datetime dict float frozenset "
    "int list namedtuple range set sorted str timedelta tuple Enum compile"
)
"""Calls in the value of a constant, by the last part of the name: they make a value and do nothing else."""

READERS = words(
    "abspath dirname full_load join load load_iris load_wine loads open read read_csv read_excel read_feather "
    "read_json read_parquet read_text read_yaml readlines resolve safe_load split splitlines strip"
)
"""Calls that only read."""

LOGGING = words("getLogger Formatter NullHandler StreamHandler")
"""Calls that make what the process has once, or what changes nothing but what is shown."""

GENERICS = words(
    "Annotated Callable ClassVar Collection Counter DefaultDict Dict Final FrozenSet Generator Iterable Iterator List "
    "Literal Mapping MutableMapping NDArray Optional Sequence Set Tuple Type Union dict frozenset list set tuple type"
)
"""What makes a type of types in brackets, by the last part of the name."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A statement with the cell that it stands in."""

    cell: Cell
    position: Position
    statement: Statement

    @property
    def names(self) -> frozenset[str]:
        return self.statement.binds | self.statement.may_bind


def all_statements(outline: Outline) -> dict[Position, Placed]:
    """The statements of all code cells that are executed, by their position, in notebook order."""
    found = {}
    is_lazy = False
    for cell in outline.cells:
        if cell.kind in (CellKind.TEXT, CellKind.SKIP):
            continue
        code = analyse(cell.source, is_lazy)
        is_lazy |= makes_annotations_lazy(cell.source)
        for number, statement in enumerate(code.statements):
            found[cell.index, number] = Placed(cell, (cell.index, number), statement)
    return found


def plain_python(cell: Cell) -> str | None:
    """The cell's Python with IPython's line syntax as calls, line by line; None where a magic takes the text."""
    from jupyterlab_pipelines.notebook.ipython import parse_cell

    _, body = split_cell_magics(cell.source.replace("\r\n", "\n").replace("\r", "\n"))
    return None if body is None else parse_cell(body)[1]


def shared_positions(
    outline: Outline, pipeline: Pipeline, learned: Mapping[str, Effects], placed: Mapping[Position, Placed]
) -> set[Position]:
    """Positions of the shared statements. One that is written twice in the same words counts where it is first."""
    meanings: dict[str, set[str]] = {}
    for each in placed.values():
        for name in _written(each.statement):
            meanings.setdefault(name, set()).add(_meaning(each.statement, name))
    loggers = _loggers(placed)
    changed = {parameter.name for parameter in pipeline.parameters}
    for each in placed.values():
        changed |= (each.statement.mutates | each.statement.deferred_mutates) - loggers
    for step in pipeline.steps:
        changed.update(step.leaves)
    for effects in learned.values():
        changed |= effects.mutates | effects.binds
    variables = [
        step.cells[0]
        for step in pipeline.steps
        if step.cells and step.name in learned and ENVIRONMENT in learned[step.name].mutates
    ]
    candidates: dict[Position, Placed] = {}
    for position, each in placed.items():
        # What is imported after a step has set variables may read them.
        is_late = bool(variables) and position[0] >= min(variables) and not each.statement.imports <= STANDARD
        if each.statement.kind is StatementKind.IMPORT and is_late:
            continue
        if _may_be_shared(each, changed) and all(len(meanings[name]) == 1 for name in each.names):
            candidates[position] = each
    bound = {name for each in placed.values() for name in _written(each.statement)}
    while True:
        known = {name for each in candidates.values() for name in each.names}
        kinds = _kinds(candidates)
        # A name that nobody binds is a builtin, or an error wherever it is read.
        out = {
            position
            for position, each in candidates.items()
            if (each.statement.reads | each.statement.deferred) & bound - each.names - known
            or any(kinds.get(name) is StatementKind.OTHER for name in each.statement.deferred_mutates)
            or not _is_made_alike(each, candidates)
        }
        if not out:
            break
        for position in out:
            del candidates[position]
    return _first_of_equal(candidates)


def _loggers(placed: Mapping[Position, Placed]) -> set[str]:
    """Names of loggers and their parts: setting them up changes what is shown, and no value."""
    found: set[str] = set()
    for each in placed.values():
        if each.statement.kind is not StatementKind.OTHER or not is_constant(each.statement):
            continue
        calls = (
            node for node in ast.walk(parse_python(each.statement.normalised)) if isinstance(node, ast.Call)
        )
        if any(isinstance(call.func, ast.Attribute) and call.func.attr in LOGGING for call in calls):
            found |= each.statement.binds
    return found


def _kinds(candidates: Mapping[Position, Placed]) -> dict[str, StatementKind]:
    return {name: each.statement.kind for each in candidates.values() for name in each.names}


def _written(statement: Statement) -> frozenset[str]:
    return (
        statement.binds
        | statement.may_bind
        | statement.deletes
        | statement.may_delete
        | statement.deferred_binds
    )


def _meaning(statement: Statement, name: str) -> str:
    """What a statement binds a name to, in words that are equal only where that is surely the same."""
    if statement.kind is StatementKind.OTHER and not statement.star_imports:
        return f"value {statement.source} {statement.line} {id(statement)}"
    tree = parse_python(statement.normalised).body[0]
    if isinstance(tree, ast.Import):
        for alias in tree.names:
            if (alias.asname or alias.name.partition(".")[0]) == name:
                return f"import {alias.name} as {name}" if alias.asname else f"import {name}"
    if isinstance(tree, ast.ImportFrom):
        for alias in tree.names:
            if (alias.asname or alias.name) == name:
                return f"from {'.' * tree.level}{tree.module} import {alias.name}"
    if statement.kind is StatementKind.DEFINITION and name in statement.binds:
        return statement.normalised
    return f"{statement.normalised} {name}"


def _may_be_shared(each: Placed, changed: Collection[str]) -> bool:
    statement = each.statement
    if statement.opaque or statement.deferred_opaque or statement.star_imports:
        return False
    if "get_ipython" in statement.source:
        return False
    if statement.kind is StatementKind.IMPORT:
        return True
    if statement.kind is StatementKind.DEFINITION:
        return not statement.deferred_binds and not statement.mutates - statement.binds
    return (
        each.cell.step is None
        and each.cell.kind is CellKind.SETUP
        and bool(statement.binds)
        and not statement.may_bind
        and not statement.files
        and statement.binds.isdisjoint(changed)
        and is_constant(statement)
    )


def is_constant(statement: Statement) -> bool:
    """Whether a statement gives names a value that is made of constants, and does nothing else."""
    tree = parse_python(statement.normalised).body[0]
    if isinstance(tree, ast.Assign):
        targets, value = tree.targets, tree.value
    elif isinstance(tree, ast.AnnAssign) and tree.value is not None:
        targets, value = [tree.target], tree.value
    else:
        return False
    if not all(isinstance(target, ast.Name) for target in targets):
        return False
    return all(_is_plain(node) for node in ast.walk(value))


def only_reads(statement: Statement) -> bool:
    """Whether a statement binds names to what files hold, and does nothing else."""
    calls = (node for node in ast.walk(parse_python(statement.normalised)) if isinstance(node, ast.Call))
    names = (
        call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        for call in calls
    )
    return (
        bool(statement.binds)
        and not statement.mutates - statement.binds
        and not statement.deletes
        and not statement.star_imports
        and FileUse.WRITE not in statement.files
        and statement.kind is StatementKind.OTHER
        and all(name in PURE_CALLS | READERS for name in names)
    )


def _is_plain(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        function = node.func
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        return name in PURE_CALLS | LOGGING
    if isinstance(node, ast.Subscript):
        owner = node.value
        name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
        return name in GENERICS
    return isinstance(
        node,
        ast.Constant | ast.List | ast.Tuple | ast.Set | ast.Dict | ast.BinOp | ast.UnaryOp | ast.BoolOp
        | ast.operator | ast.unaryop | ast.boolop | ast.expr_context | ast.Name | ast.Attribute | ast.keyword
        | ast.JoinedStr | ast.FormattedValue,
    )  # fmt: skip


def _is_made_alike(each: Placed, candidates: Mapping[Position, Placed]) -> bool:
    """Whether making it does nothing else: what it calls at once (decorators) changes nothing.

    A class that notes the classes derived from it is as it is wherever all of them are made.
    """
    called = {name: other.statement for other in candidates.values() for name in other.names}
    for name in each.statement.reads:
        does = called.get(name)
        if does is None:
            continue
        own = {name} if "__init_subclass__" in does.source else set()
        if does.deferred_binds or does.deferred_mutates - _imports(candidates) - own:
            return False
    return True


def _imports(candidates: Mapping[Position, Placed]) -> set[str]:
    return {
        name
        for each in candidates.values()
        if each.statement.kind is StatementKind.IMPORT
        for name in each.names
    }


def _first_of_equal(candidates: Mapping[Position, Placed]) -> set[Position]:
    seen: set[str] = set()
    first = set()
    for position in sorted(candidates):
        normalised = candidates[position].statement.normalised
        if normalised not in seen:
            seen.add(normalised)
            first.add(position)
    return first
