"""Types of values as signatures say them, and the imports that these need."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Collection, Mapping

from jupyterlab_pipelines.notebook.ipython import parse_expression

SHORT = {
    "pandas": "pd",
    "numpy": "np",
    "polars": "pl",
    "pyarrow": "pa",
}
"""Modules with the names that everybody gives them."""

GENERIC = {"list": "list[Any]", "dict": "dict[Any, Any]", "set": "set[Any]", "frozenset": "frozenset[Any]"}


MADE_BY = {
    **{
        name: name
        for name in ("bool", "bytes", "complex", "dict", "float", "frozenset", "int", "list", "set", "str")
    },
    "tuple": "tuple",
    "Path": "pathlib.Path",
    "date": "datetime.date",
    "datetime": "datetime.datetime",
    "timedelta": "datetime.timedelta",
    "Decimal": "decimal.Decimal",
    "Fraction": "fractions.Fraction",
    "Timestamp": "pandas.Timestamp",
    "Timedelta": "pandas.Timedelta",
}
"""By the last part of a class's name, its qualified name."""


def type_of(source: str) -> str:
    """Qualified name of the type that an expression surely makes; "" if it does not tell."""
    tree = parse_expression(source)
    return _type_of(tree) if tree is not None else ""


def _type_of(node: ast.expr) -> str:
    if isinstance(node, ast.Constant) and node.value is not None:
        return type(node.value).__name__
    if isinstance(node, ast.List | ast.Tuple | ast.Set | ast.Dict):
        return type(node).__name__.lower()
    if isinstance(node, ast.JoinedStr):
        return "str"
    if isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        return MADE_BY.get(name, "")
    if isinstance(node, ast.Attribute) and node.attr in ("inf", "nan", "pi"):
        return "float"
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        return _type_of(node.operand)
    if isinstance(node, ast.BinOp):
        left, right = _type_of(node.left), _type_of(node.right)
        if left == "pathlib.Path" and isinstance(node.op, ast.Div):
            return left
        if {left, right} == {"int"} and isinstance(node.op, ast.Add | ast.Sub | ast.Mult | ast.FloorDiv):
            return "int"
    return ""


class Annotations:
    """Makes annotations, and remembers what must be imported for them.

    Parameters
    ----------
    classes
        Classes of the notebook at the top of its modules.
    taken
        Names at the top of the module with the import that binds them, "" for anything else.
    public
        By type whose module is private, the public module that has it.
    """

    def __init__(
        self, classes: Collection[str], taken: Mapping[str, str], public: Mapping[str, str] = {}
    ) -> None:
        self._classes = classes
        self._taken = taken
        self._public = public
        self.read: set[str] = set()
        self.imports: set[str] = set()
        self.own: set[str] = set()
        self.needs_any = False

    def of(self, type_name: str) -> str:
        """The annotation for a public qualified name such as ``pandas.DataFrame``; ``Any`` if there is none."""
        said = self._of(type_name)
        if "Any" in said:
            self.needs_any = True
        return said

    def _of(self, type_name: str) -> str:
        if type_name == "IPython.utils.text.SList":
            return "list[str]"
        last = type_name.rpartition(".")[2]
        module = type_name.rpartition(".")[0]
        if module in ("", "builtins"):
            if last == "NoneType":
                return "None"
            if last == "tuple":
                return "tuple[Any, ...]"
            if last in GENERIC:
                return GENERIC[last]
            if isinstance(getattr(builtins, last, None), type) and last not in self._taken:
                return last
        if module in ("", "__main__"):
            if last in self._classes:
                self.own.add(last)
                return last
            return "Any"
        module = self._public.get(type_name, module)
        parts = [*module.split("."), last]
        if not all(part.isidentifier() and not part.startswith("_") for part in parts):
            return "Any"
        if module == "numpy" and last == "ndarray":
            return f"{self._module('numpy')}.ndarray" if self._module("numpy") else "Any"
        if module in SHORT:
            short = self._module(module)
            return f"{short}.{last}" if short else "Any"
        statement = f"from {module} import {last}"
        if last in self._taken:
            if self._taken[last] != statement:
                return "Any"
            self.read.add(last)
            return last
        if any(each.endswith(f" import {last}") and each != statement for each in self.imports):
            return "Any"
        self.imports.add(statement)
        return last

    def _module(self, module: str) -> str:
        short = SHORT[module]
        statement = f"import {module} as {short}"
        if short in self._taken:
            if self._taken[short] != statement:
                return ""
            self.read.add(short)
            return short
        self.imports.add(statement)
        return short
