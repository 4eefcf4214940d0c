"""Checks of a user: one-line expressions that must hold in every row, such as ``end >= start``.

Names are columns (``column("net price")`` for a name that is no Python name). There are numbers, text, ``True``
and ``False``, arithmetic, comparisons, ``in`` a list, ``and``, ``or``, ``not``, and these functions:

- ``abs(x)``, ``round(x, digits)``, ``length(x)``, ``lower(x)``, ``upper(x)``, ``strip(x)``;
- ``is_null(x)``; ``matches(x, "regular expression")`` for the whole text.

Nothing else is evaluated: no attributes, no other names, no calls into Python. A row in which a column
that the check compares is missing passes: whether a value may be missing is what `presence` says.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from jupyterlab_pipelines.errors import UsageError
from jupyterlab_pipelines.quality.rules.pair import Anomaly, percent, shown

LONGEST = 1_000
"""Letters of an expression."""

_OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
_FUNCTIONS = ("abs", "round", "length", "lower", "upper", "strip", "is_null", "matches", "column")


def failures(checks: Iterable[str], table: Any) -> list[Anomaly]:
    """An anomaly for every check that does not hold in all rows, or that cannot be evaluated."""
    found = []
    for check in checks:
        try:
            anomaly = failure(check, table)
        except UsageError as error:
            anomaly = Anomaly(None, "invalid_schema", error.message, check, pinned=True)
        if anomaly:
            found.append(anomaly)
    return found


def failure(check: str, table: Any) -> Anomaly | None:
    """The anomaly of one check; None where it holds in every row.

    Raises
    ------
    UsageError
        The expression is none that a check may be, or names a column that is not there.
    """
    frame, fails = _failing(check, table)
    failing = int(fails.sum())
    if not failing:
        return None
    names = columns_of(parse(check))
    first = frame[fails].iloc[0]
    example = ", ".join(f"{name} = {shown(_plain(first[name]))}" for name in names)
    return Anomaly(
        names[0] if len(names) == 1 else None,
        "check_failed",
        f"{check!r} does not hold in {failing} of {len(frame)} rows ({percent(failing / len(frame))}), e.g. {example}.",
        check,
        failing,
        effect=failing / len(frame),
        pinned=True,
    )


def failing(check: str, table: Any) -> Any:
    """For every row, whether the check does not hold in it: a numpy array of booleans.

    Raises
    ------
    UsageError
        As `failure`.
    """
    return _failing(check, table)[1].to_numpy()


def _failing(check: str, table: Any) -> tuple[Any, Any]:
    """The columns that the check reads, as a pandas frame, and a series that is true where it does not hold."""
    expression = parse(check)
    names = columns_of(expression)
    frame = _frame(table, names)
    missing = [name for name in names if name not in frame]
    if missing:
        raise UsageError("unknown_column", f"Check {check!r}: the table has no column {missing[0]!r}.")
    try:
        return frame, ~_Evaluation(frame).passes(expression)
    except (TypeError, ValueError, ZeroDivisionError, AttributeError) as error:
        raise UsageError("bad_check", f"Check {check!r} cannot be evaluated: {error}") from error


def parse(check: str) -> ast.expr:
    """The expression's syntax tree.

    Raises
    ------
    UsageError
        It holds something that a check may not.
    """
    if len(check) > LONGEST:
        raise UsageError("bad_check", f"Check {check[:40]!r}… is longer than {LONGEST} letters.")
    try:
        tree = ast.parse(check.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UsageError("bad_check", f"Check {check!r} is no expression: {error}") from error
    for node in ast.walk(tree):
        _require_allowed(node, check)
    return tree


_NODES = (
    ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.BinOp, ast.Compare, ast.In, ast.NotIn,
    ast.Name, ast.Load, ast.Constant, ast.Call, ast.List, ast.Tuple, ast.Set, *_OPERATORS,
)  # fmt: skip


def _require_allowed(node: ast.AST, check: str) -> None:
    allowed = isinstance(node, _NODES)
    if isinstance(node, ast.Call):
        allowed = isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS and not node.keywords
    if isinstance(node, ast.Constant):
        allowed = isinstance(node.value, int | float | str | bool)
    if isinstance(node, ast.BinOp):
        # 'a' * 1000000000 is quickly written.
        allowed = not any(
            isinstance(side, ast.Constant) and isinstance(side.value, str) for side in (node.left, node.right)
        )
    if not allowed:
        told = ast.unparse(node) if isinstance(node, ast.expr) else type(node).__name__
        raise UsageError(
            "bad_check",
            f"Check {check!r}: {told} is not allowed. There are columns, numbers, text, comparisons, arithmetic, "
            f"and, or, not, in, and {', '.join(_FUNCTIONS)}.",
        )


def columns_of(expression: ast.expr) -> list[str]:
    """The columns that the expression reads, in order."""
    functions = {id(node.func) for node in ast.walk(expression) if isinstance(node, ast.Call)}
    names: list[str] = []
    for node in ast.walk(expression):
        if isinstance(node, ast.Name) and id(node) not in functions:
            names.append(node.id)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "column":
            names.append(_text(node.args))
    return list(dict.fromkeys(names))


def _text(arguments: Sequence[ast.expr]) -> str:
    if len(arguments) == 1 and isinstance(arguments[0], ast.Constant) and isinstance(arguments[0].value, str):
        return arguments[0].value
    raise UsageError("bad_check", 'column() wants a name in quotes: column("net price").')


class _Evaluation:
    """One expression over the rows of a pandas frame."""

    def __init__(self, frame: Any) -> None:
        self._frame = frame
        self._missing: Any = None

    def passes(self, expression: ast.expr) -> Any:
        """For every row, whether the expression holds or cannot be told for want of a value."""
        import pandas as pd

        value = self._value(expression)
        if not isinstance(value, pd.Series):
            value = pd.Series(bool(value), index=self._frame.index)
        holds = value.fillna(False).astype(bool)
        return holds if self._missing is None else holds | self._missing

    def _value(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            return [self._value(item) for item in node.elts]
        if isinstance(node, ast.Name):
            return self._column(node.id)
        if isinstance(node, ast.Call):
            return self._call(node)
        if isinstance(node, ast.BoolOp):
            combine = operator.and_ if isinstance(node.op, ast.And) else operator.or_
            values = [self._value(item) for item in node.values]
            result = values[0]
            for value in values[1:]:
                result = combine(result, value)
            return result
        if isinstance(node, ast.UnaryOp):
            value = self._value(node.operand)
            if isinstance(node.op, ast.Not):
                return not value if isinstance(value, bool) else ~value
            return _OPERATORS[type(node.op)](value)
        if isinstance(node, ast.BinOp):
            return _OPERATORS[type(node.op)](self._value(node.left), self._value(node.right))
        assert isinstance(node, ast.Compare)
        return self._compare(node)

    def _compare(self, node: ast.Compare) -> Any:
        result: Any = None
        left = self._value(node.left)
        for kind, side in zip(node.ops, node.comparators, strict=True):
            right = self._value(side)
            if isinstance(kind, ast.In | ast.NotIn):
                held = left.isin(right) if hasattr(left, "isin") else left in right
                part = ~held if isinstance(kind, ast.NotIn) and not isinstance(held, bool) else held
            else:
                part = _OPERATORS[type(kind)](left, right)
            result = part if result is None else result & part
            left = right
        return result

    def _call(self, node: ast.Call) -> Any:
        assert isinstance(node.func, ast.Name)
        name = node.func.id
        if name == "column":
            return self._column(_text(node.args))
        if name == "is_null":
            before = self._missing
            value = self._value(node.args[0])
            self._missing = before
            return value.isna()
        first, *rest = [self._value(argument) for argument in node.args]
        if name == "abs":
            return abs(first)
        if name == "round":
            return first.round(*rest) if hasattr(first, "round") else round(first, *rest)
        if name == "length":
            return first.str.len()
        if name == "matches":
            return first.str.fullmatch(*rest)
        return getattr(first.str, name)()

    def _column(self, name: str) -> Any:
        values = self._frame[name]
        missing = values.isna()
        if missing.any():
            self._missing = missing if self._missing is None else self._missing | missing
        return values


def _frame(table: Any, names: Sequence[str]) -> Any:
    """The named columns as a pandas frame."""
    import pandas as pd

    if isinstance(table, pd.DataFrame):
        return table[[name for name in names if name in table.columns]]
    if not hasattr(table, "select"):
        from jupyterlab_pipelines.quality.measuring.table import columns_of as columns_of_table

        return pd.DataFrame({name: values for name, _, values in columns_of_table(table) if name in names})
    if hasattr(table, "column_names"):
        return table.select([name for name in names if name in table.column_names]).to_pandas()
    return table.select([name for name in names if name in table.columns]).to_pandas()


def _plain(value: Any) -> Any:
    return (
        value.item()
        if hasattr(value, "item")
        else value
        if isinstance(value, str | int | float)
        else str(value)
    )
