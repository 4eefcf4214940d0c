"""The package's modules that come from the notebook: ``steps.py``, ``definitions.py``, ``parameters.py``."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from functools import cached_property

from jupyterlab_pipelines.export.base import ExportedStep, literal
from jupyterlab_pipelines.export.functions import HELPERS, OURS, Functions, parameter_annotation
from jupyterlab_pipelines.export.imports import (
    Import,
    chosen_imports,
    import_block,
    import_from,
    imports_of,
)
from jupyterlab_pipelines.export.magics import Translation
from jupyterlab_pipelines.export.scopes import Placed, plain_python
from jupyterlab_pipelines.export.source import INDENT, Passage, indented, passages
from jupyterlab_pipelines.notebook.flow import Position
from jupyterlab_pipelines.notebook.names import StatementKind
from jupyterlab_pipelines.pipeline import CellKind

LAZY = "from __future__ import annotations"
EARLY = "from . import environment as environment  # before all that reads it when it is imported"


def notebook_modules(functions: Functions, steps: tuple[ExportedStep, ...]) -> dict[str, str]:
    """The modules by file name; call after `Functions.write`."""
    writer = _Modules(functions, steps)
    modules = {"steps.py": writer.steps(), "parameters.py": writer.parameters()}
    if writer.defined or writer.configures:
        modules["definitions.py"] = writer.definitions()
    if functions.early:
        modules["environment.py"] = writer.environment()
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
                todo += [
                    p for name in self.placed[position].names for p in functions.subclasses.get(name, ())
                ]
        return sorted(p for p in found if self.placed[p].statement.kind is not StatementKind.IMPORT)

    # -- imports ---------------------------------------------------------------------------------

    def _imports(
        self, read: Collection[str], *, ours: Iterable[Import] = (), keeps_unread: bool = False
    ) -> tuple[list[str], list[str]]:
        """The notebook's imports that bind one of `read`, and `ours`: groups of statements for the top of a module.

        Apart from them, imports that are tried, or depend on something: they follow the others.
        """
        plain, blocks, read = self._chosen(read)
        everything = {name for each in self.placed.values() for name in self._reads(each)}
        used, unread = chosen_imports(plain, read, everything, keeps_unread=keeps_unread)
        for module, names in self.functions.facts.stars.items():
            used |= {Import(module, name) for name in set(names) & read - {each.binds for each in used}}
        return import_block([*used, *ours], unread, self._comments), blocks

    def _chosen(self, read: Collection[str]) -> tuple[list[Import], list[str], set[str]]:
        """All plain imports; the others that bind something read; and `read` with what these read themselves."""
        read = set(read)
        plain: list[Import] = []
        others: dict[str, Placed] = {}
        for position in self.shared:
            each = self.placed[position]
            if each.statement.kind is not StatementKind.IMPORT or OURS in each.statement.imports:
                continue
            found = imports_of(each.statement.source)
            if found is None:
                others.setdefault(each.statement.source, each)
            elif not each.statement.source.startswith("from __future__"):
                plain += found
        chosen: dict[str, Placed] = {}
        while True:
            more = {text: each for text, each in others.items() if text not in chosen and each.names & read}
            if not more:
                break
            chosen |= more
            read |= {name for each in more.values() for name in self._reads(each)}
        return plain, [self._text(each) for text, each in others.items() if text in chosen], read

    @cached_property
    def _comments(self) -> dict[Import, str]:
        """By import, the comment behind it, where its statement binds one name."""
        found: dict[Import, str] = {}
        for position in self.shared:
            each = self.placed[position]
            made = imports_of(each.statement.source) if each.statement.kind is StatementKind.IMPORT else None
            if made and len(made) == 1 and (passage := self._passage(each)) is not None and passage.after:
                found.setdefault(made[0], passage.after)
        return found

    # -- modules ---------------------------------------------------------------------------------

    def definitions(self) -> str:
        """Functions, classes and constants that several steps may use, as the notebook has them."""
        parts = ['"""Functions, classes and constants of the notebook."""']
        if self.functions.is_lazy:
            parts.append(LAZY)
        groups, blocks = self._imports(self.read_by_definitions)
        parts += [*([EARLY] if self.functions.early else []), *groups, *blocks]
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

    def environment(self) -> str:
        """What sets variables that packages read when they are imported."""
        parts = ['"""Variables of the process that packages read when they are imported."""']
        helpers: set[str] = set()
        lines = []
        for each in self.functions.early:
            translation = Translation(each.cell, self.functions.bound)
            passage = self._passage(each)
            source = translation.statement(each.statement.source, each.statement.line)
            if source is not None:
                kept = passage or Passage(each.statement, (), source)
                lines.append(replace(kept, source=source).text)
            helpers |= translation.helpers
        groups, _ = self._imports({name for each in self.functions.early for name in self._reads(each)})
        parts += groups
        if helpers:
            parts.append(import_from(".commands", sorted(helpers)))
        return "\n\n".join([*parts, "\n".join(lines)])

    def _text(self, each: Placed) -> str:
        passage = self._passage(each)
        return each.statement.source if passage is None else passage.text

    def _passage(self, each: Placed) -> Passage | None:
        cell = each.cell
        whole = [
            p.statement
            for p in self.functions._of_cell(cell)
            if not p.statement.source.startswith("get_ipython().run_cell")
        ]
        texts, _ = passages(plain_python(cell) or "", whole)
        return next((passage for passage in texts if passage.statement is each.statement), None)

    def steps(self) -> str:
        """One function for each step."""
        functions = self.functions
        helpers = set().union(*functions.helpers.values()) if functions.helpers else set()
        parts = ['"""The steps of the pipeline: pure functions of their inputs and parameters."""']
        if not functions.quotes:
            parts.append(LAZY)
        needs_types = bool(functions.annotations.imports)
        ours = [Import(name) for name in ("builtins", "traceback") if name in helpers]
        ours += [Import("typing", "TYPE_CHECKING")] if needs_types else []
        ours += [Import("typing", "Any")] if functions.annotations.needs_any else []
        read = functions.used | functions.annotations.read
        groups, blocks = self._imports(read, ours=ours, keeps_unread=True)
        parts += [*([EARLY] if functions.early else []), *groups]
        local = self._local_imports(helpers, read)
        if local:
            parts.append("\n".join(local))
        parts += blocks
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
            lines.append(import_from(f".{module}", by_module[module]))
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
        groups, blocks = self._imports(read, ours=[Import("typing", "Any")])
        parts += [*([EARLY] if functions.early else []), *groups]
        defined = sorted({n for p in self.defined for n in self.placed[p].names} & read)
        if defined:
            parts.append(import_from(".definitions", defined))
        parts += blocks
        lines = ['"""By name, the values of the notebook\'s parameters cell."""']
        lines += [self._text(each) for each in own]
        pairs = {literal(each.name): each.name for each in parameters}
        lines.append(f"return {_dictionary(pairs)}")
        types = {
            literal(each.name): literal(parameter_annotation(each).partition("[")[0]) for each in parameters
        }
        table = f"TYPES: dict[str, str] = {_dictionary(types)}"
        table += '\n"""Their types, as the command line reads them."""'
        text = "\n\n".join(parts) + f"\n\n{table}\n\n\ndef defaults() -> dict[str, Any]:\n"
        return text + indented("\n".join(lines))


def _dictionary(pairs: Mapping[str, str]) -> str:
    """A dictionary in Python, over several lines where it has more than three pairs."""
    if len(pairs) <= 3:
        return "{" + ", ".join(f"{key}: {value}" for key, value in pairs.items()) + "}"
    return "{\n" + "".join(f"{INDENT}{key}: {value},\n" for key, value in pairs.items()) + "}"


def _as(name: str, alias: str) -> str:
    return name if name == alias else f"{name} as {alias}"
