"""Cells → typed functions and shared modules: the part of the export that reads like the notebook."""

from __future__ import annotations

import ast
import hashlib
import keyword
import re
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import compress

from jupyterlab_pipelines.artifact import AMBIENT, FILE, HIDDEN, KERNEL, Artifact, is_state
from jupyterlab_pipelines.errors import ExportError
from jupyterlab_pipelines.export.annotations import Annotations, type_of
from jupyterlab_pipelines.export.base import ExportedStep, Value, literal
from jupyterlab_pipelines.export.imports import imports_of
from jupyterlab_pipelines.export.joining import SHOWN_STATES, Part
from jupyterlab_pipelines.export.magics import Translation, guarded, refused
from jupyterlab_pipelines.export.scopes import (
    BUILTINS,
    Placed,
    all_statements,
    is_constant,
    only_reads,
    plain_python,
    shared_positions,
)
from jupyterlab_pipelines.export.source import (
    INDENT,
    Passage,
    awaits,
    docstring,
    edited,
    indented,
    nonlocal_for_global,
    passages,
    replacing,
    unguarded,
)
from jupyterlab_pipelines.notebook.flow import HISTORY, Position
from jupyterlab_pipelines.notebook.ipython import is_quiet, parse_python, words
from jupyterlab_pipelines.notebook.names import StatementKind, analyse, makes_annotations_lazy
from jupyterlab_pipelines.notebook.parse import Outline, source_of
from jupyterlab_pipelines.pipeline import (
    Cell,
    CellKind,
    Definition,
    Effects,
    Needs,
    Parameter,
    Pipeline,
    Resources,
    Role,
    Step,
)

HELPERS = {
    "display": "display",
    "shell": "commands",
    "shell_lines": "commands",
    "write_file": "commands",
    "set_variable": "commands",
    "change_folder": "commands",
    "current_folder": "commands",
    "state": "",
    "ABSENT": "step",
}
"""What exported functions call in the package's own modules, and where it is."""

LINE_LENGTH = 110

KEEPS_EXCEPTIONS = re.compile(r"suppress|raises|ignore|catch(?!_warnings)", re.IGNORECASE)
"""In the name of a context manager after whose block code goes on though the block has failed."""

REGISTERS = re.compile(r"__init_subclass__|__subclasses__|\bmetaclass\b")
"""In code to which it matters which subclasses there are."""

SETS_VARIABLES = re.compile(r"\benviron\b|\bputenv\b|_magic\('(set_)?env'")
"""In the source of a statement that sets environment variables."""

NAMESPACES = words("globals locals exec eval")
OURS = "jupyterlab_pipelines"


@dataclass(frozen=True, slots=True)
class Facts:
    """What a run of the notebook has shown.

    Attributes
    ----------
    artifacts
        By step, what it left, by name.
    learned
        By step, what it was seen to do.
    stars
        By module, the names that ``from module import *`` binds.
    unwritable
        Step and name of values that nobody reads and that no file can hold.
    public
        By type of a private module, the public module that has it, too.
    silent
        Cells that have shown no value, or none worth a line in a log: a drawing's name.
    """

    artifacts: Mapping[str, Mapping[str, Artifact]]
    learned: Mapping[str, Effects]
    stars: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unwritable: frozenset[tuple[str, str]] = frozenset()
    public: Mapping[str, str] = field(default_factory=dict)
    silent: frozenset[int] = frozenset()


@dataclass
class _Body:
    """The inside of a function while it is written."""

    lines: list[str] = field(default_factory=list)
    helpers: set[str] = field(default_factory=set)
    reads: set[str] = field(default_factory=set)
    left_out: list[str] = field(default_factory=list)
    local: set[str] = field(default_factory=set)
    declared: set[str] = field(default_factory=set)
    is_async: bool = False
    _is_apart: bool = False

    def add(self, text: str, *, is_apart: bool = False) -> None:
        """Add lines; a blank one stands before them if they are apart, or `part` was called."""
        if text.strip():
            self.lines.append(f"\n{text}" if (is_apart or self._is_apart) and self.lines else text)
            self._is_apart = False

    def part(self) -> None:
        """What is added next is apart."""
        self._is_apart = True


class Functions:
    """Writes the functions of a notebook's parts.

    Parameters
    ----------
    content
        The notebook's JSON, for the prose above steps and the tags of cells.

    Raises
    ------
    ExportError
        ``not_exportable``: something in the notebook cannot be said in plain functions.
    """

    def __init__(
        self,
        outline: Outline,
        pipeline: Pipeline,
        content: Mapping[str, object],
        parts: Iterable[Part],
        facts: Facts,
    ) -> None:
        self.outline = outline
        self.pipeline = pipeline
        self.content = content
        self.facts = facts
        self.parts = tuple(parts)
        self.placed = all_statements(outline)
        self.shared = shared_positions(outline, pipeline, facts.learned, self.placed)
        self.steps = {step.name: step for step in pipeline.steps}
        self.part_of = {name: part for part in self.parts for name in part.steps}
        self.bound = {
            name for each in self.placed.values() for name in each.names | each.statement.deferred_binds
        }
        self.read = {
            name for each in self.placed.values() for name in each.statement.reads | each.statement.deferred
        }
        self.definitions = {
            name
            for each in self.placed.values()
            if each.statement.kind is not StatementKind.OTHER
            for name in each.names
        }
        self.shared_names = {name for position in self.shared for name in self.placed[position].names}
        self.star_names = {name for names in facts.stars.values() for name in names} - self.bound
        self.names = self._function_names()
        self.state = self.alias("state")
        self.used: set[str] = set()
        self.configure = "configure" if "configure" not in {*self.bound, *self.names.values()} else "set_up"
        self.in_definitions: set[Position] = set()
        self.helpers: dict[str, set[str]] = {}
        self.left_out: list[str] = []
        self.optional: set[tuple[str, str]] = set()
        self.subclasses = self._subclasses()
        self.effects = self._effects()
        self.early = [each for each in self.effects if self._is_early(each)]
        self.effects = [each for each in self.effects if each not in self.early]
        self.annotations = Annotations(self._classes(), self._taken_names(), facts.public)
        self.is_lazy = any(makes_annotations_lazy(cell.source) for cell in outline.cells)
        # What postponed annotations would mean to a dataclass inside a function is another thing.
        self.quotes = not self.is_lazy and any(
            each.statement.kind is StatementKind.DEFINITION
            and "class " in each.statement.source
            and position not in self.shared
            for position, each in self.placed.items()
        )

    def alias(self, helper: str) -> str:
        """What the package's own function or module is called where the notebook has that name, too."""
        return f"_{helper}" if helper in self.bound | {p.name for p in self.pipeline.parameters} else helper

    # -- names ----------------------------------------------------------------------------------

    def _taken_names(self) -> dict[str, str]:
        """Names at the top of the modules with the import that binds them; "" for other things."""
        taken = dict.fromkeys(self.names.values(), "")
        for position in self.shared:
            each = self.placed[position]
            taken |= dict.fromkeys(each.names, "")
            if each.statement.kind is StatementKind.IMPORT:
                taken |= {made.binds: made.statement for made in imports_of(each.statement.source) or ()}
        return taken | dict.fromkeys(self.bound - self.shared_names, "")

    def _classes(self) -> set[str]:
        return {
            name
            for position in self.shared
            if self.placed[position].statement.source.lstrip("@").find("class ") >= 0
            for name in self.placed[position].names
        }

    def _function_names(self) -> dict[tuple[str, ...], str]:
        """By part, the name of its function: an identifier that nothing else in the module has."""
        taken = {
            *self.shared_names,
            *BUILTINS,
            *HELPERS,
            *keyword.kwlist,
            *keyword.softkwlist,
            *self.star_names,
        }
        names: dict[tuple[str, ...], str] = {}
        for part in self.parts:
            joined = part.steps if len(part.steps) <= 3 else (part.steps[0], "to", part.steps[-1])
            wanted = re.sub(r"\W", "_", ("_" if len(part.steps) > 3 else "_and_").join(joined))
            name, number = wanted, 1
            if name in taken:
                name = f"{wanted}_step"
            while name in taken:
                number += 1
                name = f"{wanted}_{number}"
            taken.add(name)
            names[part.steps] = name
        return names

    def name_of(self, step: str) -> str:
        """Name of the function that executes a step of the notebook."""
        return self.names[self.part_of[step].steps]

    def _subclasses(self) -> dict[str, list[Position]]:
        """By class, those of setup at the top of the module that derive from it, where code may ask which there are."""
        if not any(REGISTERS.search(each.statement.source) for each in self.placed.values()):
            return {}
        found: dict[str, list[Position]] = {}
        for position in sorted(self.shared):
            each = self.placed[position]
            if each.cell.step is None and each.statement.kind is StatementKind.DEFINITION:
                node = parse_python(each.statement.source).body[0]
                for base in node.bases if isinstance(node, ast.ClassDef) else ():
                    name = base.value if isinstance(base, ast.Subscript) else base
                    if isinstance(name, ast.Name):
                        found.setdefault(name.id, []).append(position)
        return found

    def _effects(self) -> list[Placed]:
        """Statements of setup cells that bind nothing: options of packages, a seed."""
        normal = {statement for step in self.pipeline.steps for statement in step.needs.setup}
        return [
            each
            for each in self.placed.values()
            if each.cell.step is None
            and not each.names
            and not each.statement.star_imports
            and each.statement.normalised in normal
            and self._is_left(each)
        ]

    def _is_early(self, each: Placed) -> bool:
        """Whether a statement sets environment variables that a package imported later may read."""
        standard = {
            name
            for other in self.placed.values()
            if other.statement.kind is StatementKind.IMPORT
            and other.statement.imports <= sys.stdlib_module_names
            for name in other.names
        }
        reads = each.statement.reads | each.statement.deferred
        return (
            SETS_VARIABLES.search(each.statement.source) is not None
            and reads <= standard | BUILTINS | {"get_ipython"}
            and any(
                position > each.position and other.statement.imports - sys.stdlib_module_names
                for position, other in self.placed.items()
            )
        )

    def _is_left(self, each: Placed) -> bool:
        """Whether anything of a statement is left without IPython."""
        translation = Translation(each.cell, self.bound)
        left = translation.statement(each.statement.source, each.statement.line) is not None
        self.left_out += translation.left_out
        return left

    # -- one function ----------------------------------------------------------------------------

    def write(self) -> tuple[ExportedStep, ...]:
        """All functions. Afterwards `steps_module` and `definitions_module` know what these use."""
        self._refuse_what_only_notebooks_have()
        return tuple(self._write(part) for part in self.parts)

    def _write(self, part: Part) -> ExportedStep:
        steps = [self.steps[name] for name in part.steps]
        needs = [step.needs for step in steps]
        inputs, states, files = self._inputs(part, needs)
        parameters = self._parameters(needs, inputs)
        outputs = self._outputs(part, steps)
        states_out = self._states_out(part)
        body = _Body()
        optional = [each for each in inputs if (self.name_of(inputs[each]), each) in self.optional]
        arguments = [*inputs, *(self._state_name(kind) for kind in states), *parameters]
        self._preamble(body, part, needs, arguments)
        for kind in states:
            body.helpers.add("state")
            body.add(f"{self.state}.restore({literal(kind)}, {self._state_name(kind)})")
        self._carried(body, part, needs)
        uncertain = self._uncertain(steps, {*arguments, *body.local}.difference(optional))
        self._own_cells(body, part)
        outputs = [replace(value, is_optional=value.name in uncertain) for value in outputs]
        returned = [self._returned(body, value) for value in outputs]
        for kind in states_out:
            body.helpers.add("state")
            returned.append(f"{self.state}.current({literal(kind)})")
        self._first_lines(body, arguments, [value.name for value in outputs], optional)
        parameters = [each for each in parameters if each in body.reads]
        name = self.names[part.steps]
        self.optional |= {(name, value.name) for value in outputs if value.is_optional}
        title, text = self._prose(steps[0])
        if len(steps) > 1:
            title = _listed([self._prose(step)[0].rstrip(".") for step in steps])
            text = "\n\n".join(filter(None, (self._prose(step)[1] for step in steps)))
        annotations = [
            *(
                f"{each}: {self._annotation_of_input(each, inputs[each])}"
                for each in inputs
                if each not in optional
            ),
            *(f"{self._state_name(kind)}: Any" for kind in states),
            *(f"{each}: {self._annotation_of_input(each, inputs[each])}" for each in optional),
        ]
        keywords = [f"{each}: {self._annotation_of_parameter(each)}" for each in parameters]
        result = [*(value.annotation for value in outputs), *("Any" for _ in states_out)]
        if self.quotes:
            annotations, keywords = _quoted(annotations), _quoted(keywords)
            result = [f'"{each}"' for each in result]
        if states or states_out or "Any" in " ".join([*result, *annotations, *keywords]):
            self.annotations.needs_any = True
        for number in range(len(annotations) - len(optional), len(annotations)):
            annotations[number] += f" = {self.alias('ABSENT')}"
        source = _function(name, annotations, keywords, result, returned, title, text, body)
        self.helpers.setdefault(name, set()).update(body.helpers)
        self.used |= body.reads
        self.left_out += body.left_out
        parents = {self.name_of(p) for step in steps for p in step.parents if p not in part.steps}
        merged = [step for step in steps if step.retries]
        timeouts = [step.timeout_seconds for step in steps]
        roles = [step.role for step in steps if step.role]
        return ExportedStep(
            name=name,
            steps=part.steps,
            title=title,
            text=text,
            source=source,
            is_async=body.is_async,
            inputs={each: f"{self.name_of(owner)}/{each}" for each, owner in inputs.items()}
            | {
                self._state_name(k): f"{self.name_of(owner)}/{self._state_name(k)}"
                for k, owner in states.items()
            },
            parameters=tuple(parameters),
            outputs=(
                *outputs,
                *(Value(self._state_name(kind), "Any", part.steps[-1]) for kind in states_out),
            ),
            together=self._together(part, [value.name for value in outputs]),
            states_out=states_out,
            files_in={path: self.name_of(owner) for path, owner in files.items()},
            files_out=self._files_out(part),
            parents=tuple(self.names[each.steps] for each in self.parts if self.names[each.steps] in parents),
            retries=max((step.retries for step in merged), default=0),
            timeout_seconds=sum(each for each in timeouts if each) if all(timeouts) else None,
            cache=next((step.cache for step in steps if step.cache != "on"), "on"),
            cache_age_seconds=min((s.cache_age_seconds for s in steps if s.cache_age_seconds), default=None),
            role=roles[0] if roles else None,
            kernel=next((step.kernel for step in steps if step.kernel), None),
            resources=reduce(Resources.at_least, (step.resources for step in steps)),
            version=self._version(source, body.reads),
            why_joined=part.reasons,
        )

    def _version(self, source: str, reads: Collection[str]) -> str:
        """Hash of a function and of what it reaches in the modules: comments and prose do not count."""
        reached: set[Position] = set()
        todo = set(reads)
        done: set[str] = set()
        while todo:
            name = todo.pop()
            done.add(name)
            for position in self.shared:
                if (
                    name in self.placed[position].names or position in self.subclasses.get(name, ())
                ) and position not in reached:
                    reached.add(position)
                    statement = self.placed[position].statement
                    todo |= (statement.reads | statement.deferred) - done
        tree = parse_python(source)
        function = tree.body[0]
        assert isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        del function.body[0]  # the docstring
        function.body = function.body or [ast.Pass()]
        texts = [ast.unparse(tree), *(self.placed[each].statement.normalised for each in sorted(reached))]
        return hashlib.sha256("\0".join(texts).encode("utf-8", "surrogatepass")).hexdigest()[:16]

    def _inputs(
        self, part: Part, needs: Iterable[Needs]
    ) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
        """By name, the step that leaves it: variables, state of the process by kind, files by path."""
        inputs: dict[str, str] = {}
        states: dict[str, str] = {}
        files: dict[str, str] = {}
        for each in needs:
            for given in each.inputs:
                if given.step in part.steps or given.name == KERNEL or given.name in SHOWN_STATES:
                    continue
                left = self.facts.artifacts.get(given.step, {}).get(given.name)
                if given.name in self.star_names:
                    continue
                if given.name.startswith(FILE):
                    files[given.name.removeprefix(FILE)] = given.step
                elif given.name.startswith((HIDDEN, AMBIENT)):
                    states.setdefault(kind_of_state(given.name), given.step)
                elif (
                    left is None
                    or left.kind != "absent"
                    or (self.name_of(given.step), given.name) in self.optional
                ):
                    inputs.setdefault(given.name, given.step)
        return inputs, states, files

    def _parameters(self, needs: Iterable[Needs], inputs: Collection[str]) -> list[str]:
        used = {name for each in needs for name in each.parameters}
        return [
            each.name for each in self.pipeline.parameters if each.name in used and each.name not in inputs
        ]

    def _outputs(self, part: Part, steps: list[Step]) -> list[Value]:
        """What steps outside the part read, and what it is for: results that nobody reads."""
        read = {
            given.name: given.step
            for step in self.pipeline.steps
            if step.name not in part.steps
            for given in step.needs.inputs
            if given.step in part.steps and not is_state(given.name) and given.name not in self.star_names
        }
        left: dict[str, str] = {}
        unread = self._unread(steps)
        changed = {
            name
            for step in steps
            for name, artifact in self.facts.artifacts.get(step.name, {}).items()
            if artifact.kind == "uncarriable"
        }
        for step in steps:
            kept = self.facts.artifacts.get(step.name, {})
            wanted = set(read)
            results = set(step.leaves) - self._counters(step)
            if step.role not in (Role.TRAINER, Role.EVALUATOR) and read:
                results &= unread
            wanted |= {
                name
                for name in results
                if self._is_result(kept.get(name), name, changed)
                and (step.name, name) not in self.facts.unwritable
            }
            for name in step.leaves:
                left.pop(name, None)
                if name in wanted and name not in self.shared_names:
                    left[name] = step.name
            for name, owner in read.items():
                if owner == step.name:
                    left[name] = step.name
        found = []
        for name, owner in left.items():
            artifact = self.facts.artifacts.get(owner, {}).get(name)
            if artifact is None and name not in read:
                continue
            if artifact is not None and artifact.kind == "absent" and name not in self._may_bind(steps):
                continue
            found.append(Value(name, self._annotation(artifact), owner))
        return found

    def _own(self, steps: Iterable[Step]) -> list[Placed]:
        """The statements of steps' own cells, in order."""
        cells = {index for step in steps for index in step.cells}
        return [each for position, each in sorted(self.placed.items()) if position[0] in cells]

    def _may_bind(self, steps: Iterable[Step]) -> set[str]:
        return {name for each in self._own(steps) for name in each.statement.binds | each.statement.may_bind}

    def _unread(self, steps: list[Step]) -> set[str]:
        """Names that nothing in the steps reads after they are bound, but to show or to change what they name.

        They are no means to anything: the steps make them for their own sake.
        """
        unread: set[str] = set()
        later: set[str] = set()
        for each in self._own(steps):
            later |= each.statement.deferred
        for each in reversed(self._own(steps)):
            statement = each.statement
            bound = statement.binds | statement.may_bind
            unread |= bound - later - _read_inside(statement.source)
            later -= statement.binds
            later |= statement.reads.difference(statement.printed, () if bound else statement.mutates)
        return unread

    def _uncertain(self, steps: list[Step], certain: set[str]) -> set[str]:
        """Names that the steps bind on some paths only, where there are `certain` ones before."""
        uncertain: set[str] = set()
        for each in self._own(steps):
            statement = each.statement
            bound = statement.binds | _bound_within(statement.source)
            if "raises-exception" in self._tags(each.cell.index):
                bound = frozenset()
            certain |= bound
            certain -= statement.deletes | statement.may_delete
            uncertain |= statement.binds | statement.may_bind | statement.deletes | statement.may_delete
        return uncertain - certain

    def _returned(self, body: _Body, value: Value) -> str:
        """What stands for an output in the function's last line."""
        if not value.is_optional:
            return value.name
        body.helpers.add("ABSENT")
        return f"locals().get({literal(value.name)}, {self.alias('ABSENT')})"

    def _counters(self, step: Step) -> set[str]:
        """Names that a step binds in the head of a loop only: they are not what it is for."""
        heads: Counter[str] = Counter()
        bound: Counter[str] = Counter()
        for each in self._own([step]):
            for node in ast.walk(parse_python(each.statement.source)):
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    bound[node.id] += 1
                if isinstance(node, ast.For | ast.AsyncFor):
                    heads.update(name.id for name in ast.walk(node.target) if isinstance(name, ast.Name))
                if isinstance(node, ast.comprehension):  # whose names are its own
                    bound.subtract(n.id for n in ast.walk(node.target) if isinstance(n, ast.Name))
        return {name for name, times in heads.items() if times == bound[name]}

    def _is_result(self, artifact: Artifact | None, name: str, changed: Collection[str]) -> bool:
        """Whether what a step leaves can be an output; `changed`: what its part has that no file can hold."""
        if artifact is None or artifact.kind != "value" or name.startswith("_") or is_state(name):
            return False
        if artifact.type.startswith("matplotlib."):
            return False  # a drawing, which its step has shown
        if name in self.star_names or name in self.definitions or is_made_here(artifact, self.shared_names):
            return False
        named = {artifact.type.rpartition(".")[2], *artifact.definitions}
        if named & set(changed):
            return False  # of a class that the step has changed
        return self.shared_names.issuperset(artifact.definitions)

    def _states_out(self, part: Part) -> tuple[str, ...]:
        kinds = {
            kind_of_state(given.name)
            for step in self.pipeline.steps
            if step.name not in part.steps
            for given in step.needs.inputs
            if given.step in part.steps
            and given.name.startswith((HIDDEN, AMBIENT))
            and given.name not in SHOWN_STATES
        }
        return tuple(sorted(kinds))

    def _files_out(self, part: Part) -> tuple[str, ...]:
        paths = {
            given.name.removeprefix(FILE)
            for step in self.pipeline.steps
            if step.name not in part.steps
            for given in step.needs.inputs
            if given.step in part.steps and given.name.startswith(FILE)
        }
        return tuple(sorted(paths))

    def _together(self, part: Part, names: Collection[str]) -> tuple[tuple[str, ...], ...]:
        """Outputs that lie in one file of the notebook's run, because they share objects."""
        by_file: dict[str, list[str]] = {}
        for step in part.steps:
            for name, artifact in self.facts.artifacts.get(step, {}).items():
                if artifact.member is not None and name in names:
                    by_file.setdefault(f"{artifact.stored}", []).append(name)
        return tuple(
            tuple(name for name in names if name in group)
            for group in by_file.values()
            if len(set(group)) > 1
        )

    @staticmethod
    def _state_name(kind: str) -> str:
        return f"{kind.replace(' ', '_')}_state"

    # -- the body --------------------------------------------------------------------------------

    def _preamble(self, body: _Body, part: Part, needs: list[Needs], arguments: Collection[str]) -> None:
        """The setup statements that act on the part, or make what it reads."""
        wanted = {normalised for each in needs for normalised in each.setup}
        defined = {each.position for need in needs for each in need.setup_definitions}
        cells = {index for name in part.steps for index in self.pipeline.preambles[name]}
        chosen = [
            each
            for position, each in self.placed.items()
            if each.cell.index in cells
            and position not in self.shared
            and not self._repeats_shared(each)
            and not self._is_parameter(each)
            and not each.statement.star_imports
            and each not in self.early
            and (each.statement.normalised in wanted or position in defined)
            and self._is_left(each)
        ]
        chosen = self._with_registered(chosen, cells, arguments)
        chosen = self._needed(chosen, part, needs)
        if not chosen:
            return
        if self._is_configuration(chosen):
            body.reads.add(self.configure)
            body.add(f"{self.configure}()")
            chosen = [each for each in chosen if each.names]
        chosen = [each for each in chosen if not self._is_replaced(each, chosen, arguments)]
        rebound = sorted(name for name in arguments if any(name in each.names for each in chosen))
        for name in rebound:
            body.add(f"given_{name} = {name}")
        self._statements(body, chosen, displays=False)
        for name in rebound:
            body.add(f"{name} = given_{name}")

    def _with_registered(
        self, chosen: list[Placed], cells: Collection[int], arguments: Collection[str]
    ) -> list[Placed]:
        """Setup statements with the definitions that a decorator among them notes somewhere, and what these need."""
        found = {each.position: each for each in chosen}
        others = {
            position: each
            for position, each in self.placed.items()
            if each.cell.index in cells
            and position not in self.shared
            and position not in found
            and bool(each.names)
            and not self._repeats_shared(each)
            and not self._is_parameter(each)
        }
        parameters = {parameter.name for parameter in self.pipeline.parameters}
        added: dict[Position, Placed] = {}
        while True:
            functions = {
                name
                for each in found.values()
                if each.statement.kind is StatementKind.DEFINITION
                for name in each.names
            }
            wanted = {n for each in added.values() for n in each.statement.reads | each.statement.deferred}
            more = {
                position: each
                for position, each in others.items()
                if position not in found
                and (each.names & wanted or (_is_decorated(each) and each.statement.reads & functions))
            }
            if not more:
                break
            found |= more
            added |= more
        for each in added.values():
            missing = (each.statement.reads | each.statement.deferred) & parameters - set(arguments)
            if missing:
                what = f"a definition that a decorator notes reads the parameter `{sorted(missing)[0]}`"
                raise refused(each.cell, each.statement.line, what)
        return [found[position] for position in sorted(found)]

    def _needed(self, chosen: list[Placed], part: Part, needs: list[Needs]) -> list[Placed]:
        """Setup statements without those that only read files for what the part does not use."""
        own = {index for name in part.steps for index in self.steps[name].cells}
        carried = {each.position for need in needs for each in (*need.definitions, *need.late_definitions)}
        read = {name for need in needs for name in need.setup_values}
        for position, each in self.placed.items():
            if position[0] in own or position in carried:
                read |= each.statement.reads | each.statement.deferred
        kept: list[Placed] = []
        for each in reversed(chosen):
            if not only_reads(each.statement) or each.names & read:
                kept.append(each)
                read |= each.statement.reads | each.statement.deferred
        return kept[::-1]

    def _is_replaced(self, each: Placed, chosen: Iterable[Placed], arguments: Collection[str]) -> bool:
        """Whether setup only gives arguments another value first, which nothing else in setup reads."""
        return (
            bool(each.names)
            and each.names <= set(arguments)
            and is_constant(each.statement)
            and not any(other.statement.reads & each.names for other in chosen)
        )

    def _is_configuration(self, chosen: list[Placed]) -> bool:
        """Whether setup statements that bind nothing can be called before the others, as one function."""
        effects = [each for each in chosen if not each.names]
        if not effects or effects != chosen[: len(effects)] or effects != self.effects:
            return False
        return all(
            not each.statement.deletes
            and not each.statement.opaque
            and not each.statement.mutates - self.shared_names
            and "get_ipython" not in each.statement.source
            and not (each.statement.reads | each.statement.deferred) & self.bound - self.shared_names
            for each in effects
        )

    def _repeats_shared(self, each: Placed) -> bool:
        """Whether a statement says once more what is at the top of the module."""
        return (
            bool(each.names)
            and each.names <= self.shared_names
            and each.statement.kind is not StatementKind.OTHER
        )

    def _is_parameter(self, each: Placed) -> bool:
        known = {parameter.name for parameter in self.pipeline.parameters}
        return each.cell.kind is CellKind.PARAMETERS and bool(each.statement.binds & known)

    def _carried(self, body: _Body, part: Part, needs: list[Needs]) -> None:
        """Definitions of other steps that cannot stand at the top of a module."""
        own = {index for name in part.steps for index in self.steps[name].cells}
        definitions: dict[Position, Definition] = {}
        for each in needs:
            for definition in (*each.definitions, *each.late_definitions):
                definitions[definition.position] = definition
        chosen = []
        for position in sorted(definitions):
            each_placed = self.placed.get(position)
            if each_placed is None or position[0] in own or position in self.shared:
                continue
            if self._repeats_shared(each_placed) or each_placed.statement.star_imports:
                continue
            if definitions[position].source.startswith("from __future__"):
                continue
            chosen.append(each_placed)
        read = {
            name
            for position, each in self.placed.items()
            if position[0] in own or (each in chosen and each.statement.kind is not StatementKind.IMPORT)
            for name in each.statement.reads | each.statement.deferred
        }
        is_needed = [each.statement.kind is not StatementKind.IMPORT or each.names & read for each in chosen]
        self._statements(body, list(compress(chosen, is_needed)), displays=False)

    def _own_cells(self, body: _Body, part: Part) -> None:
        indexes = sorted(index for name in part.steps for index in self.steps[name].cells)
        first = indexes[0] if indexes else -1
        for index in indexes:
            tags = self._tags(index)
            if "skip-execution" in tags:
                continue
            if index != first:
                body.part()
                prose = [f"# {line}".rstrip() for line in self._prose_above(index)]
                body.add("\n".join(prose))
            if "raises-exception" in tags:
                inner = _Body()
                self._cell(inner, self.outline.cells[index])
                if inner.lines:
                    body.helpers.add("traceback")
                    body.add(guarded("\n".join(inner.lines)))
                for name in ("helpers", "reads", "local", "declared"):
                    getattr(body, name).update(getattr(inner, name))
                body.is_async |= inner.is_async
                body.left_out += inner.left_out
            else:
                self._cell(body, self.outline.cells[index])

    def _cell(self, body: _Body, cell: Cell) -> None:
        translation = Translation(cell, self.bound | {p.name for p in self.pipeline.parameters}, self.read)
        python = plain_python(cell)
        if python is None:
            taken = translation.taken()
            for each in self._of_cell(cell):
                body.reads |= each.statement.reads
                body.local |= each.statement.binds
            body.add(taken)
        else:
            translation.body()
            statements = [each for each in self._of_cell(cell) if not _is_cell_magic(each)]
            self._statements(body, statements, displays=True, below=True, translation=translation)
            if not statements:
                body.add("\n".join(passages(python, [])[1]))
        body.helpers |= translation.helpers
        body.left_out += translation.left_out

    def _of_cell(self, cell: Cell) -> list[Placed]:
        return [each for position, each in self.placed.items() if position[0] == cell.index]

    def _statements(
        self,
        body: _Body,
        chosen: list[Placed],
        *,
        displays: bool,
        below: bool = False,
        translation: Translation | None = None,
    ) -> None:
        """Write statements into a body; those that are shared are left to the modules."""
        by_cell: dict[int, list[Placed]] = {}
        for each in chosen:
            by_cell.setdefault(each.cell.index, []).append(each)
        if not chosen:
            return
        for index, group in by_cell.items():
            cell = self.outline.cells[index]
            names = self.bound | {p.name for p in self.pipeline.parameters}
            translate = translation or Translation(cell, names, self.read)
            whole = [each for each in self._of_cell(cell) if not _is_cell_magic(each)]
            texts, comments = passages(plain_python(cell) or "", [each.statement for each in whole])
            wanted = {each.position for each in group}
            for each, passage in zip(whole, texts, strict=True):
                if each.position not in wanted:
                    continue
                if each.position in self.shared or self._repeats_shared(each):
                    continue
                shows = displays and each is whole[-1] and index not in self.facts.silent
                shows = shows and not is_quiet(cell.source)
                self._statement(body, each, passage, translate, shows=shows)
            if below and comments and body.lines:
                body.add("\n".join(comments))
            if translation is None:
                body.helpers |= translate.helpers
                body.left_out += translate.left_out

    def _statement(
        self, body: _Body, each: Placed, passage: Passage, translation: Translation, *, shows: bool
    ) -> None:
        statement = each.statement
        if statement.star_imports:
            return
        source = translation.statement(passage.source, statement.line)
        if source is not None:
            self._refuse(each)
        uncovered = (statement.deletes | statement.may_delete) & BUILTINS
        if uncovered:
            what = f"`del {sorted(uncovered)[0]}` uncovers the builtin of that name"
            raise refused(each.cell, statement.line, what)
        body.reads |= statement.reads | statement.deferred
        if source is None:
            body.add("\n".join(line for line in passage.before if line))
            return
        source = _as_main(source)
        body.is_async |= awaits(source)
        body.local |= statement.binds | statement.may_bind | statement.deletes | statement.may_delete
        body.local |= statement.deferred_binds
        source, declared = nonlocal_for_global(source, statement.deferred_binds | self.bound)
        body.declared |= declared
        if shows and source == passage.source:
            source = self._shown(body, source, bool(statement.mutates or statement.files))
        is_definition = statement.kind is StatementKind.DEFINITION
        text = Passage(statement, passage.before, source, passage.after).text
        body.add(text, is_apart=passage.is_apart or is_definition)
        if is_definition:
            body.part()

    def _shown(self, body: _Body, source: str, does_more: bool) -> str:
        """The last expression of a cell: the notebook shows its value, unless it is there to do something."""
        tree = parse_python(source).body[0]
        if not isinstance(tree, ast.Expr):
            return source
        value = tree.value
        if (
            isinstance(value, ast.Call)
            and isinstance(value.func, ast.Name)
            and value.func.id in ("print", "display")
        ):
            return source
        if isinstance(value, ast.Constant) or does_more:
            return source
        body.reads.add("display")
        for shown in (f"display({source})", f"display(({source}))", f"display(\n{source}\n)"):
            if _is_call_with(shown, value):
                return shown
        return source

    def _first_lines(
        self, body: _Body, arguments: Collection[str], returned: Collection[str], optional: Iterable[str]
    ) -> None:
        """What must stand first so that a function's own names mean what the notebook's did."""
        first = []
        for name in optional:
            body.helpers.add("ABSENT")
            first.append(f"if {name} is {self.alias('ABSENT')}:\n{INDENT}del {name}")
        for name in sorted(body.declared - set(arguments)):
            first.append(f"{name}: Any")
            self.annotations.needs_any = True
        own = body.local - set(arguments)
        for name in sorted(own & body.reads):
            module = next((m for m, names in self.facts.stars.items() if name in names), None)
            if module is not None:
                first.append(f"from {module} import {name}")
            elif name in BUILTINS:
                body.helpers.add("builtins")
                first.append(f"{name} = builtins.{name}")
        body.lines[:0] = first
        if "display" in body.reads and "display" not in self.bound:
            body.helpers.add("display")
        for name in returned:
            body.reads.add(name)

    # -- refusals --------------------------------------------------------------------------------

    def _refuse_what_only_notebooks_have(self) -> None:
        for each in self.placed.values():
            unknown = sorted(each.statement.star_imports - self.facts.stars.keys())
            if unknown:
                what = (
                    f"`from {unknown[0]} import *` binds names of a module that cannot be imported by itself"
                )
                raise refused(each.cell, each.statement.line, what)
            if OURS in each.statement.imports:
                line = each.statement.line
                if each.names & {
                    n
                    for other in self.placed.values()
                    for n in other.statement.reads | other.statement.deferred
                }:
                    raise refused(each.cell, line, f"`{OURS}` is used")

    def _refuse(self, each: Placed) -> None:
        """Raise for what a function cannot do as a notebook does."""
        statement, line = each.statement, each.statement.line
        if statement.opaque or statement.deferred_opaque:
            raise refused(
                each.cell,
                line,
                "the code may read and bind any name (`exec`, `globals()`, `%run` and the like)",
            )
        history = {n for n in statement.reads | statement.deferred if HISTORY.match(n)} - self.bound
        if history:
            raise refused(each.cell, line, f"`{sorted(history)[0]}` is what IPython keeps of other cells")
        if each.position in self.shared or "get_ipython" in statement.source:
            return
        tree = parse_python(statement.source)
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                name = node.func.id
                if name in NAMESPACES - self.bound or (name in ("vars", "dir") and not node.args):
                    raise refused(each.cell, line, f"`{name}()` looks at all names of the notebook")
            if isinstance(node, ast.ClassDef):
                clash = _class_scope_clash(node) & (self.bound | self.star_names)
                if clash:
                    what = f"class `{node.name}` has an attribute `{sorted(clash)[0]}` made of a variable of that name"
                    raise refused(each.cell, line, what)
            if isinstance(node, ast.Attribute | ast.Name | ast.alias):
                named = getattr(node, "id", getattr(node, "name", ""))
                if named == "__main__":
                    raise refused(each.cell, line, "the module `__main__` is the notebook")
        if statement.kind is StatementKind.DEFINITION:
            told = statement.mentions & (self.bound - self.shared_names)
            if told:
                raise refused(each.cell, line, f"a function reads `{sorted(told)[0]}` in a text")

    # -- prose -----------------------------------------------------------------------------------

    def _tags(self, index: int) -> list[str]:
        cells = self.content["cells"]
        assert isinstance(cells, list)
        tags = (cells[index].get("metadata") or {}).get("tags") or []
        return [tag for tag in tags if isinstance(tag, str)]

    def _prose(self, step: Step) -> tuple[str, str]:
        """Title and text above a step's first cell."""
        lines = self._prose_above(step.cells[0]) if step.cells else []
        kept: list[str] = []
        title = ""
        for line in lines:
            heading = re.match(r"\s{0,3}#{1,6}\s+(.*?)\s*#*\s*$", line)
            if heading:
                title = step.title
                kept = []
                continue
            kept.append(line)
        return title or _said(step), "\n".join(kept).strip("\n")

    def _prose_above(self, index: int) -> list[str]:
        """Lines of the markdown cells right above a cell."""
        cells = self.content["cells"]
        assert isinstance(cells, list)
        texts = []
        above = index - 1
        while above >= 0 and cells[above]["cell_type"] != "code":
            if cells[above]["cell_type"] == "markdown":
                texts.append(source_of(cells[above]).strip("\n"))
            above -= 1
        return "\n\n".join(reversed(texts)).split("\n") if texts else []

    # -- types -----------------------------------------------------------------------------------

    def _annotation(self, artifact: Artifact | None) -> str:
        if artifact is None or artifact.kind != "value":
            return "Any"
        return self.annotations.of(artifact.type)

    def _annotation_of_input(self, name: str, owner: str) -> str:
        return self._annotation(self.facts.artifacts.get(owner, {}).get(name))

    def _annotation_of_parameter(self, name: str) -> str:
        parameter = next(each for each in self.pipeline.parameters if each.name == name)
        if parameter.is_literal:
            return parameter_annotation(parameter)
        made = type_of(parameter.source)
        return self.annotations.of(made) if made else "Any"


def parameter_annotation(parameter: Parameter) -> str:
    """Type of a parameter as a signature says it."""
    known = {
        "int": "int",
        "float": "float",
        "str": "str",
        "bool": "bool",
        "list": "list[Any]",
        "dict": "dict[str, Any]",
    }
    return known.get(parameter.type, "Any")


def _said(step: Step) -> str:
    """The title of a step; its name as a sentence begins, where no heading stands above it."""
    if step.title != step.name:
        return step.title
    words = re.sub(r"[_-]+", " ", step.name).strip() or step.name
    return words[0].upper() + words[1:]


def _listed(titles: list[str]) -> str:
    """Titles of steps in one: ``Load, split and train``."""
    first, *others = titles
    lowered = [each if each[1:2].isupper() else each[:1].lower() + each[1:] for each in others]
    return f"{', '.join([first, *lowered[:-1]])} and {lowered[-1]}"


def is_made_here(artifact: Artifact, shared: Collection[str]) -> bool:
    """Whether a value is a function, or an object of a class, that no module of the export can hold."""
    if artifact.type in ("function", "method", "lambda"):
        return True
    is_plain = "." in artifact.type.removeprefix("__main__.") or artifact.type in BUILTINS | {"NoneType"}
    return (
        not is_plain and artifact.type.removeprefix("__main__.") not in shared and not artifact.type.islower()
    )


def kind_of_state(name: str) -> str:
    """How the package calls a state of the process: ``hidden state numpy.random`` → ``numpy random``"""
    return name.removeprefix(HIDDEN).removeprefix(AMBIENT).replace(".", " ")


def _bound_within(source: str) -> set[str]:
    """Names that a statement surely binds inside: what runs as the main module does so here.

    The manager of a `with` keeps no exception, unless it is made for that.
    """
    if "__name__" in source and (plain := unguarded(source)) != source:
        return {name for each in analyse(plain).statements for name in each.binds}
    statement = parse_python(source).body[0]
    bound: set[str] = set()
    if isinstance(statement, ast.With | ast.AsyncWith) and not any(
        KEEPS_EXCEPTIONS.search(ast.unparse(item.context_expr)) for item in statement.items
    ):
        for inner in statement.body:
            text = ast.unparse(inner)
            bound.update(*(each.binds for each in analyse(text).statements), _bound_within(text))
    return bound


def _read_inside(source: str) -> set[str]:
    """Names that a loop, a condition and the like reads: it may have bound them before."""
    statement = parse_python(source).body[0]
    if isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign):
        return set()
    nodes = ast.walk(statement)
    return {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}


def _is_decorated(each: Placed) -> bool:
    return each.statement.kind is StatementKind.DEFINITION and each.statement.source.lstrip().startswith("@")


def _is_cell_magic(each: Placed) -> bool:
    return each.statement.source.startswith("get_ipython().run_cell_magic(")


def _as_main(source: str) -> str:
    """A notebook is `__main__`; the package's modules are not."""
    if "__name__" not in source:
        return source
    source = unguarded(source)
    tree = parse_python(source)
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == "__name__"]
    return edited(source, [replacing(node, '"__main__"') for node in names])


def _is_call_with(source: str, argument: ast.expr) -> bool:
    """Whether a text is a call with one argument, this one."""
    try:
        tree = parse_python(source).body[0]
    except SyntaxError:
        return False
    call = tree.value if isinstance(tree, ast.Expr) else None
    return isinstance(call, ast.Call) and [ast.dump(each) for each in call.args] == [ast.dump(argument)]


def _class_scope_clash(node: ast.ClassDef) -> set[str]:
    """Names that a class body both reads and binds: in a function, it would not find the function's."""
    stored: set[str] = set()
    loaded: set[str] = set()
    todo: list[ast.AST] = list(node.body)
    while todo:
        inner = todo.pop()
        if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            stored.add(inner.name)
            todo.extend(inner.decorator_list)
            continue
        if isinstance(inner, ast.Lambda):
            continue
        if isinstance(inner, ast.Name):
            (loaded if isinstance(inner.ctx, ast.Load) else stored).add(inner.id)
        todo.extend(ast.iter_child_nodes(inner))
    return stored & loaded


def _quoted(arguments: list[str]) -> list[str]:
    said = (argument.split(": ", 1) for argument in arguments)
    return [f'{name}: "{annotation}"' for name, annotation in said]


def _function(
    name: str,
    arguments: list[str],
    keywords: list[str],
    result: list[str],
    returned: list[str],
    title: str,
    text: str,
    body: _Body,
) -> str:
    """The whole function."""
    signature = [*arguments, *(["*", *keywords] if keywords else [])]
    returns = "None" if not result else result[0] if len(result) == 1 else f"tuple[{', '.join(result)}]"
    if returns.startswith("tuple[") and '"' in returns:
        returns = f'"{returns.replace(chr(34), "")}"'
    begin = f"{'async ' if body.is_async else ''}def {name}"
    head = f"{begin}({', '.join(signature)}) -> {returns}:"
    if len(head) > LINE_LENGTH:
        lines = "".join(f"{INDENT}{each},\n" for each in signature)
        head = f"{begin}(\n{lines}) -> {returns}:" if signature else head
        if len(head.splitlines()[-1]) > LINE_LENGTH and len(result) > 1 and not returns.startswith('"'):
            types = "".join(f"{INDENT}{each},\n" for each in result)
            head = f"{head.removesuffix(f'{returns}:')}tuple[\n{types}]:"
    written = body.lines
    if written and written[0].startswith(("def ", "async def ", "class ", "@")):
        written = [f"\n{written[0]}", *written[1:]]
    inside = [docstring(title, text), *written]
    if returned:
        inside.append(f"return {', '.join(returned)}")
    return head + "\n" + indented("\n".join(inside))


def not_run(name: str) -> ExportError:
    """The error for a notebook whose steps have left nothing to go by."""
    return ExportError("not_run", f"Step `{name}` has no result yet: run the notebook first.", step=name)
