"""Tells of each function and class of a cell as soon as it has been defined.

Only then it is surely as its source says. A step may go on to change it: a counter in a class, a list that is a
default argument, an attribute of a function.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import Any

_listener: Callable[[str], None] | None = None


def tell_of_definitions(listener: Callable[[str], None]) -> None:
    """From now on, call `listener` with the name of what a cell has defined."""
    global _listener
    _listener = listener
    from IPython import get_ipython

    shell: Any = get_ipython()
    if shell is not None and not any(isinstance(each, _Telling) for each in shell.ast_transformers):
        shell.ast_transformers.append(_Telling())


def defined(name: str) -> None:
    """Called by the cells themselves, right after a definition."""
    if _listener is not None:
        _listener(name)


class _Telling:
    """Puts a call of `defined` after each definition at the top level of a cell, in branches and loops too."""

    def visit(self, tree: ast.AST) -> ast.AST:
        for field in ("body", "orelse", "finalbody", "handlers", "cases"):
            statements = getattr(tree, field, None)
            if not isinstance(statements, list):
                continue
            setattr(tree, field, [told for statement in statements for told in self._told(statement)])
        return tree

    def _told(self, statement: ast.AST) -> Iterator[ast.AST]:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield statement
            yield _call(statement.name, statement)
        elif isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Lambda):
            yield statement
            yield from (_call(each.id, statement) for each in statement.targets if isinstance(each, ast.Name))
        else:
            yield self.visit(statement)


def _call(name: str, after: ast.stmt) -> ast.AST:
    call = ast.parse(f"__import__({__name__!r}, fromlist=['']).defined({name!r})").body[0]
    for node in ast.walk(call):
        if isinstance(node, ast.stmt | ast.expr):
            node.lineno = node.end_lineno = after.end_lineno or after.lineno
            node.col_offset = node.end_col_offset = after.end_col_offset or 0
    return call
