"""The package's modules that come from the notebook: ``steps.py``, ``definitions.py``, ``parameters.py``."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from jupyterlab_pipelines.export.base import ExportedStep, literal
from jupyterlab_pipelines.export.functions import HELPERS, OURS, Functions, parameter_annotation
from jupyterlab_pipelines.export.scopes import Placed, plain_python
from jupyterlab_pipelines.export.source import indented, passages
from jupyterlab_pipelines.notebook.flow import Position
from jupyterlab_pipelines.notebook.names import StatementKind
from jupyterlab_pipelines.pipeline import CellKind

LAZY = "from __future__ import annotations"


def notebook_modules(functions: Functions, steps: tuple[ExportedStep, ...]) -> dict[str, str]:
    """The modules by file name; call after `Functions.write`."""
    writer = _Modules(functions, steps)
    modules = {"steps.py": writer.steps(), "parameters.py": writer.parameters()}
    if writer.defined or writer.configures:
        modules["definitions.py"] = writer.definitions()
    return modules


class _Modules:
    def __init__(self, functions: Functions, steps: tuple[ExportedStep, ...]) -> None:
        self.functions = functions
        self.exported = steps
        self.placed = functions.placed
        self.shared = sorted(functions.shared)
        self.by_name: dict[str, list[Position]] = {}
        for position in self.shared:
            for name in self.placed[position].names:
                self.by_name.setdefault(name, []).append(position)
        self.defined = self._defined()
        self.configures = functions.configure in functions.used and functions.configure not in functions.bound
        self.read_by_definitions = {name for p in self.defined for name in self._reads(self.placed[p])}
        if self.configures:
            self.read_by_definitions |= {name for each in functions.effects for name in self._reads(each)}

    def _reads(self, each: Placed) -> frozenset[str]:
        return each.statement.reads | each.statement.deferred

    def _defined(self) -> list[Position]:
        """Positions of what goes into ``definitions.py``: what steps read, with all that it reads."""
        functions = self.functions
        wanted = set(functions.used) | functions.annotations.own
        if functions.configure in wanted - functions.bound:
            wanted |= {name for each in functions.effects for name in self._reads(each)}
        for artifacts in functions.facts.artifacts.values():
            for artifact in artifacts.values():
                wanted.update(artifact.definitions)
        positions = {
            definition.position
            for step in functions.pipeline.steps
            for definition in (*step.needs.definitions, *step.needs.setup_definitions)
            if definition.position in functions.shared
        }
        todo = [*positions, *(p for name in wanted for p in self.by_name.get(name, ()))]
        found: set[Position] = set()
        while todo:
            position = todo.pop()
            if position not in found:
                found.add(position)
                todo += [p for name in self._reads(self.placed[position]) for p in self.by_name.get(name, ())]
        return sorted(p for p in found if self.placed[p].statement.kind is not StatementKind.IMPORT)

    # -- imports ---------------------------------------------------------------------------------

    def _imports(self, read: Collection[str]) -> list[str]:
        """Import statements of the notebook that bind one of `read`, or a name that nobody reads."""
        everything = {name for each in self.placed.values() for name in self._reads(each)}
        found = []
        for position in self.shared:
            each = self.placed[position]
            if each.statement.kind is not StatementKind.IMPORT or OURS in each.statement.imports:
                continue
            source = each.statement.source
            if source.startswith("from __future__") or source in found:
                continue
            if each.names & set(read) or each.names.isdisjoint(everything):
                found.append(source)
        for module, names in self.functions.facts.stars.items():
            used = sorted(set(names) & set(read))
            if used:
                found.append(f"from {module} import {', '.join(used)}")
        return found

    # -- modules ---------------------------------------------------------------------------------

    def definitions(self) -> str:
        """Functions, classes and constants that several steps may use, as the notebook has them."""
        parts = ['"""Functions, classes and constants of the notebook."""']
        if self.functions.is_lazy:
            parts.append(LAZY)
        imports = self._imports(self.read_by_definitions)
        if imports:
            parts.append("\n".join(imports))
        text = "\n\n".join(parts)
        was_constant = False
        for position in self.defined:
            each = self.placed[position]
            is_constant = each.statement.kind is StatementKind.OTHER
            text += (
                "\n" if is_constant and was_constant else "\n\n" if is_constant else "\n\n\n"
            ) + self._text(each)
            was_constant = is_constant
        if self.configures:
            lines = ['"""Set the options that the notebook sets before its first step."""']
            lines += [self._text(each) for each in self.functions.effects]
            text += f"\n\n\ndef {self.functions.configure}() -> None:\n" + indented("\n".join(lines))
        return text

    def _text(self, each: Placed) -> str:
        cell = each.cell
        whole = [
            p.statement
            for p in self.functions._of_cell(cell)
            if not p.statement.source.startswith("get_ipython().run_cell")
        ]
        texts, _ = passages(plain_python(cell) or "", whole)
        return next(
            (passage.text for passage in texts if passage.statement is each.statement), each.statement.source
        )

    def steps(self) -> str:
        """One function for each step."""
        functions = self.functions
        helpers = set().union(*functions.helpers.values()) if functions.helpers else set()
        parts = ['"""The steps of the pipeline: pure functions of their inputs and parameters."""']
        if not functions.quotes:
            parts.append(LAZY)
        needs_types = bool(functions.annotations.imports)
        standard = [f"import {name}" for name in ("builtins", "traceback") if name in helpers]
        typing = [
            *(["TYPE_CHECKING"] if needs_types else []),
            *(["Any"] if functions.annotations.needs_any else []),
        ]
        if typing:
            standard.append(f"from typing import {', '.join(typing)}")
        if standard:
            parts.append("\n".join(standard))
        read = set(functions.used)
        imports = self._imports(read)
        if imports:
            parts.append("\n".join(imports))
        local = self._local_imports(helpers, read)
        if local:
            parts.append("\n".join(local))
        if needs_types:
            lines = "\n".join(sorted(functions.annotations.imports))
            parts.append(f"if TYPE_CHECKING:\n{indented(lines)}")
        return "\n\n".join(parts) + "\n\n\n" + "\n\n\n".join(step.source for step in self.exported)

    def _local_imports(self, helpers: Collection[str], read: Collection[str]) -> list[str]:
        alias = self.functions.alias
        lines = [f"from . import {_as('state', alias('state'))}"] if "state" in helpers else []
        by_module: dict[str, list[str]] = {}
        for name in sorted(helpers):
            if HELPERS.get(name):
                by_module.setdefault(HELPERS[name], []).append(_as(name, alias(name)))
        names = {
            name
            for position in self.defined
            for name in self.placed[position].names
            if name in read or name in self.functions.annotations.own
        }
        if self.configures:
            names.add(self.functions.configure)
        if names:
            by_module["definitions"] = sorted(names)
        elif self.defined:
            lines.insert(0, "from . import definitions as definitions")
        for module in sorted(by_module):
            lines.append(_import_from(f".{module}", by_module[module]))
        return lines

    def parameters(self) -> str:
        """The parameters cell."""
        functions = self.functions
        parameters = functions.pipeline.parameters
        own = [
            each
            for each in self.placed.values()
            if each.cell.kind is CellKind.PARAMETERS and each.position not in functions.shared
        ]
        read = {name for each in own for name in self._reads(each)}
        parts = ['"""Parameters of the pipeline, and their values if nobody gives others."""', LAZY]
        parts.append("from typing import Any")
        imports = [text for text in self._imports(read) if self._binds(text, read)]
        if imports:
            parts.append("\n".join(imports))
        defined = sorted({n for p in self.defined for n in self.placed[p].names} & read)
        if defined:
            parts.append(_import_from(".definitions", defined))
        lines = ['"""By name, the values of the notebook\'s parameters cell."""']
        lines += [self._text(each) for each in own]
        pairs = ", ".join(f'"{each.name}": {each.name}' for each in parameters)
        lines.append(f"return {{{pairs}}}")
        types = {each.name: parameter_annotation(each).partition("[")[0] for each in parameters}
        said = ", ".join(f"{literal(name)}: {literal(kind)}" for name, kind in types.items())
        table = f"TYPES: dict[str, str] = {{{said}}}" + '\n"""Their types, as the command line reads them."""'
        text = "\n\n".join(parts) + f"\n\n{table}\n\n\ndef defaults() -> dict[str, Any]:\n"
        return text + indented("\n".join(lines))

    def _binds(self, text: str, read: Collection[str]) -> bool:
        return any(
            self.placed[p].statement.source == text and self.placed[p].names & set(read) for p in self.shared
        ) or text.startswith("from ")


def _as(name: str, alias: str) -> str:
    return name if name == alias else f"{name} as {alias}"


def _import_from(module: str, names: Iterable[str]) -> str:
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= 110:
        return line
    return f"from {module} import (\n" + "".join(f"    {name},\n" for name in names) + ")"
