"""Text of statements: comments kept, indented without touching strings, one kind of scope made another."""

from __future__ import annotations

import ast
import builtins
import io
import symtable
import tokenize
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from jupyterlab_pipelines.notebook.ipython import parse_expression, parse_python
from jupyterlab_pipelines.notebook.names import Statement

INDENT = "    "


@dataclass(frozen=True, slots=True)
class Passage:
    """A statement with the comments that belong to it.

    Attributes
    ----------
    before
        Comment lines above it, and blank lines between them, as they stand in the cell.
    is_apart
        Whether a blank line stands above it all.
    source
        Its text.
    after
        The comment at the end of its last line.
    """

    statement: Statement
    before: tuple[str, ...]
    source: str
    after: str = ""
    is_apart: bool = False

    @property
    def text(self) -> str:
        last = f"{self.source}  {self.after}" if self.after else self.source
        return "\n".join([*self.before, last])


def passages(python: str, statements: Collection[Statement]) -> tuple[list[Passage], list[str]]:
    """The statements of a cell with their comments, and the comments below the last of them.

    Parameters
    ----------
    python
        The text of the cell, line by line as the `statements` count it.
    """
    comments = _comments(python)
    found: list[Passage] = []
    line = 1
    ordered = list(statements)
    for number, statement in enumerate(ordered):
        before = [comments.get(above, "") for above in range(line, statement.line)]
        is_apart = bool(found) and bool(before) and not before[0]
        while before and not before[0]:
            del before[0]
        follows = ordered[number + 1] if number + 1 < len(ordered) else None
        is_last_of_line = follows is None or follows.line > statement.end_line
        after = comments.get(statement.end_line, "") if is_last_of_line else ""
        found.append(Passage(statement, tuple(before), statement.source, after, is_apart))
        line = statement.end_line + 1
    below = [comment for at, comment in sorted(comments.items()) if at >= line]
    return found, below


def _comments(python: str) -> dict[int, str]:
    """By line, its comment; of text that cannot be read to its end, those up to there."""
    found = {}
    try:
        for token in tokenize.generate_tokens(io.StringIO(python).readline):
            if token.type == tokenize.COMMENT:
                found[token.start[0]] = token.string
    except (tokenize.TokenError, SyntaxError, IndentationError):
        pass
    return found


def indented(source: str, levels: int = 1) -> str:
    """`source` moved to the right; what stands inside a string stays where it is, unless it is a docstring."""
    inside = _lines_in_strings(source)
    if inside and "__doc__" not in source:
        inside -= _lines_in_docstrings(source)
    return "\n".join(
        line if number in inside or not line.strip() else INDENT * levels + line
        for number, line in enumerate(source.split("\n"), 1)
    )


def _lines_in_strings(source: str) -> set[int]:
    """Numbers of the lines that begin inside a string."""
    inside: set[int] = set()
    opened: list[int] = []
    starts = {getattr(tokenize, name, None) for name in ("FSTRING_START", "TSTRING_START")} - {None}
    ends = {getattr(tokenize, name, None) for name in ("FSTRING_END", "TSTRING_END")} - {None}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.STRING:
            inside.update(range(token.start[0] + 1, token.end[0] + 1))
        elif token.type in starts:
            opened.append(token.start[0])
        elif token.type in ends:
            inside.update(range(opened.pop() + 1, token.end[0] + 1))
    return inside


def _lines_in_docstrings(source: str) -> set[int]:
    """Numbers of the lines that begin inside the docstring of a function or class."""
    inside: set[int] = set()
    for node in ast.walk(parse_python(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            first = node.body[0]
            if isinstance(first, ast.Expr) and ast.get_docstring(node) is not None:
                inside.update(range(first.lineno + 1, (first.end_lineno or first.lineno) + 1))
    return inside


@dataclass(frozen=True, slots=True)
class Edit:
    """Text to put in place of that between two positions: line from 1, column in bytes from 0."""

    start: tuple[int, int]
    end: tuple[int, int]
    text: str


def edited(source: str, edits: Collection[Edit]) -> str:
    """`source` with disjoint edits made."""
    lines = source.encode().split(b"\n")
    for edit in sorted(edits, key=lambda edit: edit.start, reverse=True):
        (first, start), (last, end) = edit.start, edit.end
        whole = lines[first - 1][:start] + edit.text.encode() + lines[last - 1][end:]
        lines[first - 1 : last] = whole.split(b"\n")
    return b"\n".join(lines).decode()


def replacing(node: ast.expr | ast.stmt, text: str) -> Edit:
    """The edit that puts `text` in the place of a node."""
    assert node.end_lineno is not None and node.end_col_offset is not None
    return Edit((node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset), text)


def nonlocal_for_global(source: str, names: Collection[str]) -> tuple[str, set[str]]:
    """`source`, which becomes part of a function: what it calls global is now that function's.

    Returns
    -------
    tuple
        The text, and which of `names` its functions bind.
    """
    if "global" not in source:
        return source, set()
    edits, bound = [], set()
    tree = parse_python(source)
    for node, depth in _with_depth(tree, 0):
        if not isinstance(node, ast.Global):
            continue
        ours = [name for name in node.names if name in names]
        if not depth:
            edits.append(replacing(node, "pass"))
        elif ours:
            bound.update(ours)
            others = [name for name in node.names if name not in names]
            text = f"nonlocal {', '.join(ours)}"
            edits.append(replacing(node, f"global {', '.join(others)}; {text}" if others else text))
    return edited(source, edits), bound


def unbound_names(module: str) -> set[str]:
    """Names that a module's code reads and that neither the module binds nor Python: it fails if it comes there."""
    try:
        top = symtable.symtable(module, "<module>", "exec")
    except SyntaxError:  # It is told where the module is imported.
        return set()
    bound = {name for name in top.get_identifiers() if _is_bound(top.lookup(name))}
    read: set[str] = set()
    todo = [top]
    while todo:
        table = todo.pop()
        todo += table.get_children()
        for symbol in table.get_symbols():
            if symbol.is_declared_global() and symbol.is_assigned():
                bound.add(symbol.get_name())
            if symbol.is_referenced() and (symbol.is_global() or table is top):
                read.add(symbol.get_name())
    return read - bound - {*dir(builtins), "__file__", "__name__", "__path__"} | _in_annotations(
        module, bound
    )


def may_be_deleted(module: str) -> bool:
    """Whether a function deletes a name that one in it reads: linters take that for a name which nobody binds."""
    scopes = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    for function in ast.walk(parse_python(module)):
        if isinstance(function, scopes):
            inner = [node for node in ast.walk(function) if isinstance(node, scopes) and node is not function]
            names = [node for node in ast.walk(function) if isinstance(node, ast.Name)]
            gone = {node.id for node in names if isinstance(node.ctx, ast.Del)}
            if gone and any(
                isinstance(n, ast.Name) and n.id in gone for each in inner for n in ast.walk(each)
            ):
                return True
    return False


def _is_bound(symbol: symtable.Symbol) -> bool:
    return symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()


def _in_annotations(module: str, bound: Collection[str]) -> set[str]:
    """Names in annotations that nothing in the module binds; those in texts, too."""
    tree = parse_python(module)
    found: set[str] = set()
    known = {*bound, *dir(builtins)}
    for node in ast.walk(tree):
        known |= {name for name in (getattr(node, "name", None), getattr(node, "arg", None)) if name}
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            known.add(node.id)
        if isinstance(node, ast.alias):
            known.add(node.asname or node.name.partition(".")[0])
        for annotation in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            if annotation is not None:
                found |= _names_in(annotation)
    return found - known


def _names_in(annotation: ast.AST) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(annotation):
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = parse_expression(node.value)
            found |= _names_in(text) if text is not None else set()
    return found


def _with_depth(node: ast.AST, depth: int) -> Iterator[tuple[ast.AST, int]]:
    """All nodes below, each with the number of functions and classes around it."""
    for child in ast.iter_child_nodes(node):
        yield child, depth
        is_scope = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda)
        yield from _with_depth(child, depth + is_scope)


def docstring(title: str, text: str = "") -> str:
    """The docstring of a function with a title and prose below it, for `indented`."""
    summary = title if title.endswith((".", "?", "!")) else f"{title}."
    # Lines inside a string are not indented later.
    lines = "\n".join(INDENT + line if line.strip() else "" for line in text.split("\n"))
    whole = f"{summary}\n\n{lines}\n{INDENT}" if text else summary
    whole = whole.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    if whole.endswith('"'):
        whole = f'{whole[:-1]}\\"'
    return f'"""{whole}"""'


def unguarded(source: str) -> str:
    """What stands below ``if __name__ == "__main__":``, where that is all; any other source as it is."""
    tree = parse_python(source)
    guard = tree.body[0] if len(tree.body) == 1 else None
    if not isinstance(guard, ast.If) or guard.orelse:
        return source
    if ast.dump(guard.test) != ast.dump(ast.parse('__name__ == "__main__"', mode="eval").body):
        return source
    assert guard.test.end_lineno is not None
    inside = _lines_in_strings(source)
    indent = " " * guard.body[0].col_offset
    lines = [
        line if number in inside else line.removeprefix(indent)
        for number, line in enumerate(source.split("\n"), 1)
        if number > guard.test.end_lineno
    ]
    body = "\n".join(lines)
    try:
        is_same = ast.dump(parse_python(body)) == ast.dump(ast.Module(guard.body, []))
    except SyntaxError:
        is_same = False
    return body if is_same else source


def awaits(source: str) -> bool:
    """Whether a statement awaits something itself, not only in a function that it defines."""
    if "await" not in source and "async" not in source:
        return False
    waits = (ast.Await, ast.AsyncFor, ast.AsyncWith)
    for node, depth in _with_depth(parse_python(source), 0):
        if not depth and (isinstance(node, waits) or (isinstance(node, ast.comprehension) and node.is_async)):
            return True
    return False


def same_code(left: str, right: str) -> bool:
    """Whether two texts are the same program."""
    return ast.dump(parse_python(left)) == ast.dump(parse_python(right))
