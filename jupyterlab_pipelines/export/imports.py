"""The notebook's imports as a module has them: those that it uses, one a line, sorted, at its top."""

from __future__ import annotations

import ast
import sys
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from jupyterlab_pipelines.notebook.ipython import parse_python

WIDTH = 110
UNREAD = "# noqa: F401"
"""On an import of which no name is read: it is there for what importing it does."""


@dataclass(frozen=True, slots=True)
class Import:
    """One name that an import statement binds.

    Attributes
    ----------
    module
        Dotted name; a relative one begins with a dot.
    name
        What is imported from the module; "" for the module itself.
    alias
        What it is called here; "" if that is its own name.
    """

    module: str
    name: str = ""
    alias: str = ""

    @property
    def binds(self) -> str:
        return self.alias or self.name or self.module.partition(".")[0]

    @property
    def root(self) -> str:
        return self.module.partition(".")[0]

    @property
    def statement(self) -> str:
        """The statement that binds this name alone."""
        renamed = f" as {self.alias}" if self.alias else ""
        if self.name:
            return f"from {self.module} import {self.name}{renamed}"
        return f"import {self.module}{renamed}"

    @property
    def is_standard(self) -> bool:
        return self.root in sys.stdlib_module_names


def imports_in(source: str) -> set[str]:
    """Root names of all that a module imports, itself or in its functions; not what it takes from its own package.

    Raises
    ------
    SyntaxError
    """
    roots: set[str] = set()
    for node in ast.walk(parse_python(source)):
        if isinstance(node, ast.Import):
            roots.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            roots.add(node.module.partition(".")[0])
    return roots


def imports_of(source: str) -> list[Import] | None:
    """What an import statement binds; None for a `try` or an `if` with imports in it."""
    body = parse_python(source).body
    if len(body) != 1:
        return None
    tree = body[0]
    if isinstance(tree, ast.Import):
        return [Import(each.name, alias=_alias(each)) for each in tree.names]
    if isinstance(tree, ast.ImportFrom):
        module = f"{'.' * tree.level}{tree.module or ''}"
        return [Import(module, each.name, _alias(each)) for each in tree.names]
    return None


def _alias(name: ast.alias) -> str:
    return name.asname if name.asname and name.asname != name.name else ""


def chosen_imports(
    found: Iterable[Import], read: Collection[str], read_elsewhere: Collection[str], *, keeps_unread: bool
) -> tuple[set[Import], set[Import]]:
    """Those that bind a name which a module reads, and those that are there for what importing them does.

    Parameters
    ----------
    read_elsewhere
        What any code of the notebook reads: an import that is for others is not for this module.
    keeps_unread
        Whether this module imports what nobody reads. A module of the standard library does nothing when it is
        imported; neither does a name of a module that is imported anyway.
    """
    found = list(found)
    used = {each for each in found if each.binds in read}
    if not keeps_unread:
        return used, set()
    modules = {each.module for each in found if each.binds in {*read, *read_elsewhere}}
    unread = {
        each
        for each in found
        if each.binds not in read
        and each.binds not in read_elsewhere
        and not each.is_standard
        and each.module not in modules
        and each.module != "__future__"
    }
    return used, unread


def import_block(
    used: Iterable[Import], unread: Iterable[Import] = (), comments: dict[Import, str] | None = None
) -> list[str]:
    """Groups of import statements, sorted as linters want them: standard library, others, the package's own."""
    comments = comments or {}
    notes = dict.fromkeys(unread, UNREAD)
    lines: dict[int, list[tuple[tuple[bool, str, tuple[int, str]], str]]] = {0: [], 1: [], 2: []}
    for statement, first in _statements([*used, *notes], {*notes, *comments}):
        note = comments.get(first, "")
        if first in notes and "noqa" not in note:
            note = f"{UNREAD}  {note}" if note else UNREAD
        text = f"{statement}  {note}" if note else statement
        group = 2 if first.module.startswith(".") else 0 if first.is_standard else 1
        lines[group].append(((bool(first.name), first.module.lower(), _rank(first.name)), text))
    return ["\n".join(text for _, text in sorted(group)) for group in lines.values() if group]


def _statements(imports: Iterable[Import], alone: Collection[Import]) -> Iterator[tuple[str, Import]]:
    """Statements, each with one of the imports that it makes; what is `alone` or renamed has its own."""
    together: dict[str, list[Import]] = {}
    for each in sorted(set(imports), key=lambda one: (one.module, _rank(one.name), one.alias)):
        if not each.name or each.alias or each in alone:
            yield each.statement, each
        else:
            together.setdefault(each.module, []).append(each)
    for module, members in together.items():
        yield import_from(module, [each.name for each in members]), members[0]


def _rank(name: str) -> tuple[int, str]:
    """Constants first, then classes, then all else."""
    return (0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2, name)


def import_from(module: str, names: Iterable[str]) -> str:
    """``from module import …``, over several lines where it is long."""
    names = list(names)
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= WIDTH:
        return line
    return f"from {module} import (\n" + "".join(f"    {name},\n" for name in names) + ")"
