"""Why a step has another cache key than before, in a data scientist's words.

`similar` picks the earlier execution to compare with, `differences` tells what differs from it: the most telling
first, and what merely follows from a change of the code last.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Any

from jupyterlab_pipelines.artifact import FILE, KERNEL, is_state
from jupyterlab_pipelines.notebook.flow import normal_form
from jupyterlab_pipelines.notebook.ipython import parse_python
from jupyterlab_pipelines.notebook.names import analyse
from jupyterlab_pipelines.pipeline import Cell, Needs, Step
from jupyterlab_pipelines.plan import Reason
from jupyterlab_pipelines.run import Execution

ALIKE = 0.6
"""From here on, the code of a step of another name is taken for an earlier version of it."""

MOST_PLACES = 3
"""How many changed lines are named."""

WIDTH = 60
"""Characters of a statement that are shown."""

QUIET = ";"
"""Stands for a semicolon at the end of a cell, which keeps its value from being shown."""

Parts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Placed:
    """A statement of the notebook as it is now."""

    cell: Cell
    line: int
    source: str
    normalised: str


def similar(parts: Parts, own: Sequence[Execution], others: Sequence[Execution]) -> Execution | None:
    """The execution that `parts` differ least from; None if nothing like it was ever executed.

    Parameters
    ----------
    own
        Executions of this step, newest first.
    others
        Executions that may be the step's under another name or in another notebook: if the code is the same,
        or nearly so.
    """
    candidates = list(own)
    if not candidates:
        text = _text(parts)
        alike = [(_ratio(text, _text(other.parts)), other) for other in others]
        best = max((ratio for ratio, _ in alike), default=0.0)
        candidates = [other for ratio, other in alike if ratio == best] if best >= ALIKE else []
    return min(candidates, key=lambda one: _distance(parts, one.parts), default=None)


def differences(step: Step, needs: Needs, cells: Sequence[Cell], parts: Parts, before: Parts) -> list[Reason]:
    """What differs between the parts of two cache keys.

    Parameters
    ----------
    cells
        The step's own, as they are now.
    """
    found = [
        *_code_changes(step, cells, parts["code"], before["code"]),
        *_definition_changes(parts["definitions"], before["definitions"]),
        *_setup_changes(parts["setup"], before["setup"]),
        *_parameter_changes(parts["parameters"], before["parameters"]),
        *_input_changes(needs, parts["inputs"], before["inputs"]),
        *_environment_changes(parts["environment"], before["environment"]),
    ]
    telling = [reason for reason in found if not (_follows(reason) and reason.message.startswith("import "))]
    return sorted(telling or found, key=_follows)


def _follows(reason: Reason) -> bool:
    """Whether it is read for the first time, or no longer: that follows from the code that reads it."""
    return reason.kind != "code" and (reason.before is None) != (reason.after is None)


def _text(parts: Parts) -> str:
    return "\n".join(statement for cell in parts["code"] for statement in cell)


def _ratio(text: str, other: str) -> float:
    if text == other:
        return 1.0
    matcher = SequenceMatcher(None, text.splitlines(), other.splitlines(), autojunk=False)
    return matcher.ratio()


def _distance(parts: Parts, before: Parts) -> float:
    """How many things differ; the code counts by how much of it does."""
    code: float = 0.0 if parts["code"] == before["code"] else 2 - _ratio(_text(parts), _text(before))
    others: int = sum(
        parts[what].get(name) != before[what].get(name)
        for what in ("definitions", "parameters", "inputs", "environment")
        for name in parts[what].keys() | before[what].keys()
    )
    return code + others + int(parts["setup"] != before["setup"])


# -- code -----------------------------------------------------------------------------------------


def _code_changes(
    step: Step, cells: Sequence[Cell], code: Sequence[Sequence[str]], before: Sequence[Sequence[str]]
) -> list[Reason]:
    if [*map(list, code)] == [*map(list, before)]:
        return []
    placed = [statement for cell in cells for statement in _statements(cell)]
    new = [statement.normalised for statement in placed]
    old = [statement for cell in before for statement in cell]
    places: list[tuple[Cell, int]] = []
    shown: list[tuple[str | None, str | None]] = []
    for kind, first, last, start, end in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        for was, now in zip_longest(old[first:last], placed[start:end]):
            shown.append((was, None if now is None else now.normalised))
            if now is not None:
                places.append((now.cell, _line_of_change(was, now)))
    if not shown:
        return [Reason("code", f"the statements of `{step.name}` are in other cells", step.name)]
    where = _told_places(places, several=len(step.cells) > 1)
    old_text = "\n".join(was for was, _ in shown if was)
    new_text = "\n".join(now for _, now in shown if now)
    message = f"`{step.name}` changed{where}{_told_statement(*shown[0])}"
    return [Reason("code", message, step.name, old_text or None, new_text or None)]


def _statements(cell: Cell) -> Iterator[_Placed]:
    """The statements of a cell as `notebook.flow.normal_form` has them, and where they stand."""
    found = [
        _Placed(cell, statement.line, statement.source, statement.normalised)
        for statement in analyse(cell.source).statements
    ]
    at = {statement.normalised: statement for statement in found}
    first = found[0].line if found else 1
    last = found[-1].line if found else 1
    waiting = list(found)
    for normalised in normal_form(cell):
        if waiting and waiting[0].normalised == normalised:
            yield waiting.pop(0)
        else:
            line = last if normalised == QUIET else first
            yield at.get(normalised) or _Placed(cell, line, normalised, normalised)


def _told_places(places: Sequence[tuple[Cell, int]], *, several: bool) -> str:
    """Where the changes are: ``(line 3)``, ``(lines 3, 5, …)``, ``(cell 2, line 3; cell 4, line 1)``."""
    by_cell: dict[int, list[int]] = {}
    for cell, line in dict.fromkeys((cell.index, line) for cell, line in places[: MOST_PLACES + 1]):
        by_cell.setdefault(cell, []).append(line)
    told = []
    room = MOST_PLACES
    for index, lines in by_cell.items():
        if room <= 0:
            break
        numbers = ", ".join(map(str, lines[:room])) + (", …" if len(lines) > room else "")
        words = f"line {numbers}" if len(lines) == 1 else f"lines {numbers}"
        told.append(f"cell {index + 1}, {words}" if several else words)
        room -= len(lines)
    return f" ({'; '.join(told)})" if told else ""


def _told_statement(was: str | None, now: str | None) -> str:
    if QUIET in (was, now):
        return ": it shows its last value " + ("now" if now != QUIET else "no longer")
    if was and now:
        return ": `{}` → `{}`".format(*_shown_difference(was, now))
    return f": new `{_short(now)}`" if now else f": `{_short(was or '')}` was removed"


def _shown_difference(was: str, now: str) -> tuple[str, str]:
    """The first lines that differ, cut so that the difference shows."""
    old, new = next(
        ((old, new) for old, new in zip(was.splitlines(), now.splitlines(), strict=False) if old != new),
        (was, now),
    )
    if max(len(old), len(new)) > WIDTH:
        pairs = enumerate(zip(old, new, strict=False))
        same = next((place for place, (a, b) in pairs if a != b), min(len(old), len(new)))
        start = max(0, same - WIDTH // 3)
        if start:
            old, new = f"…{old[start:]}", f"…{new[start:]}"
    return _short(old.strip()), _short(new.strip())


def _line_of_change(was: str | None, now: _Placed) -> int:
    """The line (1-based) in its cell where a statement differs from what it was."""
    if was is None or was == QUIET or now.normalised == QUIET:
        return now.line
    try:
        line = _first_difference(parse_python(was), parse_python(now.source))
    except (SyntaxError, RecursionError, ValueError):
        line = None
    return now.line + (line or 1) - 1


def _first_difference(old: Any, new: Any, line: int = 1) -> int | None:
    """The line of `new` at which two syntax trees begin to differ; None if they do not."""
    line = getattr(new, "lineno", line)
    if isinstance(new, ast.AST):
        if type(old) is not type(new):
            return line
        pairs = [
            (getattr(old, name, None), getattr(new, name, None)) for name in new._fields if name != "ctx"
        ]
        # Decorators stand above what they decorate.
        pairs.sort(key=lambda pair: pair[1] is not getattr(new, "decorator_list", ()))
    elif isinstance(new, list) and isinstance(old, list):
        pairs = list(zip(old, new, strict=False))
        if len(old) != len(new):
            extra = new[len(old)] if len(new) > len(old) else new[-1] if new else None
            pairs.append(
                (None, extra) if len(new) > len(old) else (None, _End(getattr(extra, "end_lineno", line)))
            )
    else:
        return None if old == new and type(old) is type(new) else line
    for was, now in pairs:
        if isinstance(now, _End):
            return now.line
        found = _first_difference(was, now, line)
        if found is not None:
            return found
    return None


@dataclass(frozen=True, slots=True)
class _End:
    """Stands for what is no longer there, after the line given."""

    line: int


# -- what lies outside the step's cells -----------------------------------------------------------


def _definition_changes(now: Mapping[str, list[str]], before: Mapping[str, list[str]]) -> Iterator[Reason]:
    for name in _names(now, before):
        old, new = before.get(name), now.get(name)
        if old == new:
            continue
        verb = "is new" if old is None else "is no longer needed" if new is None else "changed"
        what = _kind_of_definition((new or old or [""])[-1])
        yield Reason("definition", f"{what} `{name}` {verb}", name, _joined(old), _joined(new))


def _setup_changes(now: Sequence[str], before: Sequence[str]) -> Iterator[Reason]:
    for kind, first, last, start, end in SequenceMatcher(None, before, now, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        for old, new in zip_longest(before[first:last], now[start:end]):
            yield _setup_change(old, new)


def _setup_change(old: str | None, new: str | None) -> Reason:
    was = None if old is None else _constant(old)
    now = None if new is None else _constant(new)
    if was and now and was[0] == now[0]:
        message = f"constant `{now[0]}` {_short(was[1])} → {_short(now[1])}"
        return Reason("setup", message, now[0], was[1], now[1])
    if now and old is None:
        return Reason("setup", f"constant `{now[0]}` is new", now[0], None, now[1])
    if was and new is None:
        return Reason("setup", f"constant `{was[0]}` is no longer needed", was[0], was[1], None)
    return Reason("setup", f"setup changed{_told_statement(old, new)}", "setup", old, new)


def _constant(statement: str) -> tuple[str, str] | None:
    """Name and value of ``NAME = value``."""
    try:
        body = parse_python(statement).body
    except (SyntaxError, RecursionError):
        return None
    match body:
        case [ast.Assign(targets=[ast.Name(id=name)], value=value)]:
            return name, ast.unparse(value)
        case [ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)]:
            return name, ast.unparse(value)
    return None


def _parameter_changes(now: Mapping[str, Any], before: Mapping[str, Any]) -> Iterator[Reason]:
    for name in _names(now, before):
        old, new = before.get(name), now.get(name)
        if old != new:
            message = f"`{name}` {_shown(old)} → {_shown(new)}"
            yield Reason("parameter", message, name, _plain(old), _plain(new))


def _input_changes(needs: Needs, now: Mapping[str, str], before: Mapping[str, str]) -> Iterator[Reason]:
    makers = {given.name: given.step for given in needs.inputs}
    for name in _names(now, before):
        old, new = before.get(name), now.get(name)
        if old == new:
            continue
        if name == KERNEL:
            yield _kernel_change(makers.get(name), old, new)
            continue
        source = f" (from `{makers[name]}`)" if name in makers else ""
        is_file = name.startswith(FILE)
        another = "has other content" if is_file else "has another value"
        verb = "is a new input" if old is None else "is no longer an input" if new is None else another
        if is_file:
            path = name.removeprefix(FILE)
            yield Reason("file", f"{path} {verb}{source}", path, old, new)
        elif is_state(name):
            yield Reason("input", f"{name} {verb}{source}", name, old, new)
        else:
            told = f"input `{name}`" if old and new else f"`{name}`"
            yield Reason("input", f"{told} {verb}{source}", name, old, new)


def _kernel_change(maker: str | None, old: str | None, new: str | None) -> Reason:
    if old and new:
        return Reason("unit", f"it shares a kernel with `{maker}`, which changed", maker)
    message = f"it shares a kernel with `{maker}` now" if new else "it has a kernel of its own now"
    return Reason("unit", message, maker)


def _environment_changes(now: Mapping[str, str], before: Mapping[str, str]) -> Iterator[Reason]:
    for name in _names(now, before):
        old, new = before.get(name), now.get(name)
        if old == new:
            continue
        if old and new and old.split(" ")[0] == new.split(" ")[0]:
            # `python 3.11.9 → 3.12.1`; the implementation only where it is another one.
            message = f"{name} {old.split(' ', 1)[-1]} → {new.split(' ', 1)[-1]}"
        else:
            message = f"{name} {old or 'of this program'} → {new or 'of this program'}"
        yield Reason("environment", message, name, old, new)


def _names(*mappings: Collection[str]) -> list[str]:
    return sorted({name for mapping in mappings for name in mapping})


def _kind_of_definition(source: str) -> str:
    body = next((line for line in source.splitlines() if not line.startswith("@")), "")
    if body.startswith(("def ", "async def ")):
        return "function"
    if body.startswith("class "):
        return "class"
    if body.startswith(("import ", "from ")):
        return "import"
    return "function" if " = lambda" in body else "definition"


def _joined(sources: Sequence[str] | None) -> str | None:
    return None if sources is None else "\n".join(sources)


def _shown(value: Any) -> str:
    if value is None:
        return "not used"
    return _short(repr(value["value"])) if "value" in value else _short(str(value["source"]))


def _plain(value: Any) -> Any:
    """A parameter's value as JSON; its source where only that is known."""
    return None if value is None else value.get("value", value.get("source"))


def _short(text: str) -> str:
    line = text.splitlines()[0] if text else ""
    return line if len(line) <= WIDTH and line == text else line[: WIDTH - 1] + "…"
