"""Random notebooks, made by executing them: every statement is one that succeeds where it stands.

A `Program` is a list of cells, each with its statements and the step that it belongs to. Statements print
what they see, so that a difference shows. All randomness comes from the given `random.Random`.
"""

from __future__ import annotations

import contextlib
import io
import random
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from tests.fixtures.notebooks import Notebook, cell, notebook

NAMES = "abcdefgh"
LONGEST_EXPRESSION = 15
IMPORTS = "import contextlib, copy, random\nimport numpy as np\nimport pandas as pd"

SHOW = """
def show(*values):
    for value in values:
        if isinstance(value, (set, frozenset)):
            print("set", sorted(value, key=repr))
        elif isinstance(value, pd.DataFrame):
            print(value.to_dict("list"), list(value.index), list(value.dtypes.map(str)))
        elif isinstance(value, pd.Series):
            print("series", list(value), list(value.index), value.name)
        elif isinstance(value, Box):
            print("Box", value.items, value.size())
        elif callable(value):
            print("callable", getattr(value, "__name__", ""))
        else:
            print(type(value).__name__, value)
""".strip()

BOX = """
class Box:
    made = 0
    def __init__(self, items):
        self.items = items
    def put(self, item):
        self.items.append(item)
        return self
    def size(self):
        return len(self.items)
    def __repr__(self):
        return f"Box({self.items})"
""".strip()


@dataclass
class Lines:
    """One cell. `step` is None for setup."""

    statements: list[str]
    step: str | None


@dataclass
class Program:
    cells: list[Lines] = field(default_factory=list)

    def notebook(self) -> Notebook:
        return notebook(*(cell("\n".join(one.statements), step=one.step) for one in self.cells))

    def __str__(self) -> str:
        given = {IMPORTS: "…imports…", BOX: "…class Box…", SHOW: "…def show…"}
        shown = []
        for one in self.cells:
            statements = [given.get(statement, statement) for statement in one.statements]
            shown.append(f"# --- {one.step or 'setup'}\n" + "\n".join(statements))
        return "\n".join(shown)


def random_program(rng: random.Random) -> Program:
    """3 to 12 cells in 2 to 8 steps, perhaps after setup cells."""
    writer = _Writer(rng)
    cells: list[Lines] = [Lines([IMPORTS, BOX, SHOW], None)]
    if rng.random() < 0.5:
        for statement in cells[0].statements:
            writer.execute(statement)
    else:
        # Imports and definitions that travel from a step.
        cells = [Lines([statement], "first") for statement in cells[0].statements]
        for one in cells:
            writer.execute(one.statements[0])
    if rng.random() < 0.6:
        setup = writer.statements(rng.randint(1, 4), seeds=True)
        if setup:
            cells.append(Lines(setup, None if cells[0].step is None else "first"))
    steps = [f"s{number}" for number in range(9)]
    step = steps.pop(0)
    for number in range(rng.randint(3, 12)):
        if steps and number and rng.random() < 0.7:
            step = steps.pop(0)
        if rng.random() < 0.03 and number > 2:
            step = rng.choice(["s0", step])
        statements = writer.statements(rng.randint(1, 4))
        if statements:
            cells.append(Lines(statements, step))
    cells.append(Lines([f"show({name})" for name in writer.bound()], "last"))
    return Program(cells)


def random_edit(program: Program, rng: random.Random) -> Program:
    """The program as somebody goes on to edit it; it may fail."""
    edited = deepcopy(program)
    body = [one for one in edited.cells if one.statements and one.statements[0] not in (IMPORTS, BOX, SHOW)]
    one = rng.choice(body or edited.cells)
    place = rng.randrange(len(one.statements))
    match rng.choice(["number", "number", "delete", "insert", "comment", "rename", "move", "repeat", "cell"]):
        case "number":
            text = one.statements[place]
            digits = [at for at, sign in enumerate(text) if sign.isdigit()]
            if digits:
                at = rng.choice(digits)
                one.statements[place] = text[:at] + str(rng.randint(0, 9)) + text[at + 1 :]
        case "delete" if len(one.statements) > 1:
            del one.statements[place]
        case "comment":
            one.statements.insert(place, "# a remark")
        case "rename":
            old = one.step
            for other in edited.cells:
                if other.step == old and old is not None:
                    other.step = "renamed"
        case "move" if one.step is not None:
            one.step = rng.choice([other.step for other in edited.cells if other.step])
        case "repeat":
            one.statements.insert(place, one.statements[place])
        case "cell":
            names = [name for name in NAMES if f"{name} = " in str(edited)]
            new = f"show({rng.choice(names)})" if names else "print('new')"
            edited.cells.insert(edited.cells.index(one) + 1, Lines([new], "inserted"))
        case _:
            name, other = rng.sample(NAMES, 2)
            one.statements.insert(place, rng.choice([f"{name} = {other}", f"{name} = [{rng.randint(0, 9)}]"]))
    return edited


class _Writer:
    """Writes statements, each chosen by what the names stand for at that moment."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.namespace: dict[str, Any] = {}
        self.seeded = False
        self.functions = 0

    def execute(self, statement: str) -> bool:
        with contextlib.redirect_stdout(io.StringIO()):
            try:
                exec(statement, self.namespace)
            except Exception:
                return False
        return True

    def bound(self) -> list[str]:
        return [name for name in NAMES if name in self.namespace]

    def statements(self, number: int, *, seeds: bool = False) -> list[str]:
        written: list[str] = []
        if seeds and self.rng.random() < 0.5:
            self.seeded = True
            written.append(f"random.seed({self.digit()}); np.random.seed({self.digit()})")
        for _ in range(number * 4):
            if len(written) >= number:
                break
            statement = self.statement()
            if statement and len(statement) < 400 and self.execute(statement) and self.is_small():
                written.append(statement)
        return written

    def is_small(self) -> bool:
        try:
            return all(len(repr(self.namespace[name])) < 5000 for name in self.bound())
        except Exception:
            return False

    # -- what there is ------------------------------------------------------------------------------

    def digit(self) -> int:
        return self.rng.randint(0, 9)

    def target(self) -> str:
        return self.rng.choice(NAMES)

    def name(self, *types: type) -> str | None:
        found = [name for name in self.bound() if not types or isinstance(self.namespace[name], types)]
        return self.rng.choice(found) if found else None

    def function(self) -> str | None:
        found = [name for name in self.namespace if name.startswith("f_")]
        return self.rng.choice(found) if found else None

    def value(self) -> str:
        """An expression for a new value, which may hold others."""
        d, some = self.digit, self.name() or "0"
        return self.rng.choice(
            [
                f"{d()}",
                f"'{d()}x'",
                f"[{d()}, {d()}, {d()}]",
                f"[[{d()}], [{d()}]]",
                f"{{'k': [{d()}], 'n': {d()}}}",
                f"{{{d()}, {d()}, {d()}}}",
                f"({d()}, [{d()}])",
                f"[{some}, {some}]",
                f"[{some}, [{d()}]]",
                f"{{'k': {some}}}",
                f"({some}, {d()})",
                f"np.arange({d()}, {d()} + 12, dtype=float)",
                f"np.zeros((2, 3)) + {d()}",
                f"pd.DataFrame({{'x': [{d()}, {d()}, {d()}], 'y': [{d()}, None, {d()}.5], 'z': list('abc')}})",
                f"pd.Series([{d()}, {d()}, {d()}], name='x')",
                f"Box([{d()}])",
                f"Box({some})",
                f"list(range({d()}))",
                f"iter([{d()}, {d()}, {d()}])",
            ]
        )

    # -- kinds of statements ------------------------------------------------------------------------

    def statement(self) -> str | None:
        kinds: list[tuple[int, Callable[[], str | None]]] = [
            (14, self.rebind),
            (8, self.alias),
            (5, self.part),
            (26, self.in_place),
            (10, self.look),
            (6, self.conditional),
            (4, self.define),
            (9, self.call),
            (2, self.delete),
            (5, self.draw),
            (3, self.dynamic),
            (4, self.loop),
        ]
        weights, makers = zip(*kinds, strict=True)
        return self.rng.choices(makers, weights)[0]()

    def rebind(self) -> str | None:
        return f"{self.target()} = {self.value()}"

    def alias(self) -> str | None:
        name = self.name()
        if name is None:
            return None
        how = self.rng.choice(["{0} = {1}", "{0} = {2} = {1}", "{0}, {2} = {1}, {2}", "{0} = ({2} := {1})"])
        return how.format(self.target(), name, self.name())

    def part(self) -> str | None:
        name = self.name()
        if name is None:
            return None
        value = self.namespace[name]
        ways = {
            list: ["[0]", "[-1]", "[:2]", "[1:]", ".copy()"],
            tuple: ["[0]", "[1]"],
            dict: ["['k']", ".copy()", ".get('k')", ".keys()", ".values()"],
            set: [".copy()"],
        }
        choices = ways.get(type(value), [])
        if type(value).__name__ == "ndarray":
            choices = ["[1:]", "[::2]", ".T", ".copy()", "[0]", ".reshape(-1)"]
        if type(value).__name__ == "DataFrame":
            choices = [
                "['x']",
                "[['x', 'y']]",
                ".copy()",
                ".iloc[:2]",
                "['x'].values",
                "[lambda t: t['x'] > 3]",
                ".T",
            ]
        if type(value).__name__ == "Series":
            choices = [".values", ".iloc[:2]", ".copy()", ".to_frame()"]
        if type(value).__name__ == "Box":
            choices = [".items", ".put"]
        copies = [f"copy.deepcopy({name})", f"copy.copy({name})", f"list({name})"]
        choices = [f"{name}{choice}" for choice in choices] or copies
        return f"{self.target()} = {self.rng.choice([*choices, *choices, self.rng.choice(copies)])}"

    def in_place(self) -> str | None:
        name = self.name()
        if name is None:
            return None
        changes = list(self.changes(name, self.namespace[name]))
        return self.rng.choice(changes) if changes else None

    def changes(self, name: str, value: object) -> Iterator[str]:
        """Statements that may change the object that the expression `name` stands for."""
        if len(name) > LONGEST_EXPRESSION:  # a list may hold itself
            return
        d, other = self.digit, self.name() or "0"
        match type(value).__name__:
            case "list":
                yield from (f"{name}.append({d()})", f"{name}.append({other})", f"{name} += [{d()}]")
                yield from (f"{name}.extend([{d()}])", f"{name}[0] = {d()}", f"{name}[:] = [{d()}, {d()}]")
                yield from (
                    f"{name}.reverse()",
                    f"{name}.pop()",
                    f"{name}.insert(0, {d()})",
                    f"del {name}[0]",
                )
                yield from (f"{name}.clear()", f"{name} *= 2", f"getattr({name}, 'append')({d()})")
                yield from (f"list.append({name}, {d()})", f"{name}[0], {name}[-1] = {name}[-1], {name}[0]")
                if isinstance(value, list) and value:
                    yield from self.changes(f"{name}[0]", value[0])
                    yield from self.changes(f"{name}[-1]", value[-1])
            case "tuple":
                if isinstance(value, tuple) and value:
                    yield from self.changes(f"{name}[0]", value[0])
                    yield from self.changes(f"{name}[1]", value[1])
            case "dict":
                yield from (f"{name}['n'] = {d()}", f"{name}['k'] = {other}", f"{name}.update(m={d()})")
                yield from (f"{name}.pop('n', None)", f"{name}.setdefault('s', []).append({d()})")
                yield from (f"{name} |= {{'u': {d()}}}", f"for _k in list({name}): {name}[_k] = {d()}")
                if isinstance(value, dict) and "k" in value:
                    yield from self.changes(f"{name}['k']", value["k"])
            case "set":
                yield from (
                    f"{name}.add({d()})",
                    f"{name}.discard({d()})",
                    f"{name} |= {{{d()}}}",
                    f"{name}.clear()",
                )
            case "ndarray":
                yield from (
                    f"{name}[0] = {d()}",
                    f"{name}[:] = {d()}",
                    f"{name} += {d()}",
                    f"{name}.fill({d()})",
                )
                yield from (
                    f"{name}.sort()",
                    f"np.add({name}, {d()}, out={name})",
                    f"{name}[{name} > {d()}] = {d()}",
                )
                yield f"np.random.RandomState({d()}).shuffle({name})"
            case "DataFrame":
                yield from (
                    f"{name}['w'] = {d()}",
                    f"{name}.loc[0, 'x'] = {d()}",
                    f"{name}.dropna(inplace=True)",
                )
                yield from (f"{name}['x'] += {d()}", f"{name}.rename(columns={{'z': 'q'}}, inplace=True)")
                yield from (f"{name}.sort_values('x', inplace=True)", f"{name}.insert(0, 'i{d()}', {d()})")
                yield from (
                    f"{name}.columns = [str(_c).upper() for _c in {name}.columns]",
                    f"{name}.pop('y')",
                )
                yield from (
                    f"{name}.reset_index(drop=True, inplace=True)",
                    f"{name}.index = {name}.index + {d()}",
                )
                yield from (f"{name}.attrs['note'] = {d()}", f"del {name}['x']", f"{name}.iloc[0, 0] = {d()}")
            case "Series":
                yield from (f"{name}[0] = {d()}", f"{name} += {d()}", f"{name}.name = 's{d()}'")
                yield from (f"{name}.iloc[-1] = {d()}", f"{name}.sort_values(inplace=True)")
            case "Box":
                yield from (f"{name}.put({d()})", f"{name}.put({other})", f"{name}.items = [{d()}]")
                yield from (f"{name}.extra = {other}", f"Box.made = {d()}", f"{name}.put({d()}).put({d()})")
                yield from self.changes(f"{name}.items", getattr(value, "items", None))
            case "int":
                yield from (f"{name} += {d()}", f"{name} = {name} * 2 + {d()}") if name.isidentifier() else ()
            case "str":
                yield from (f"{name} += '{d()}'",) if name.isidentifier() else ()
            case "list_iterator":
                yield from (f"print(next({name}))", f"show(list({name}))")
            case "method":
                yield f"{name}({d()})"

    def look(self) -> str | None:
        one, other = self.name(), self.name()
        if one is None or other is None:
            return None
        # Whether equal numbers and texts are one object is up to Python.
        same = [f"print({one} is {other})", f"print([_v is {other} for _v in {one}])"]
        if isinstance(self.namespace[other], (int, str, tuple)):
            same = []
        return self.rng.choice(
            [
                f"show({one})",
                f"show({one}, {other})",
                *same,
                f"print(Box.made, len({one}))",
                f"{self.target()} = len({one})",
                f"print(f'{{{one}!r}}')",
                f"print(sorted(repr(_v) for _v in {one}))",
                f"print('{other}' in globals(), '{other}' in dir())",
            ]
        )

    def conditional(self) -> str | None:
        name, target = self.name(), self.target()
        if name is None:
            return None
        changes = list(self.changes(name, self.namespace[name])) or ["pass"]
        change, other = self.rng.choice(changes), self.rng.choice(changes)
        test = self.rng.choice(
            [f"{self.digit()} > {self.digit()}", f"len(str({name})) % 2", f"'{target}' in globals()"]
        )
        return self.rng.choice(
            [
                f"if {test}:\n    {change}",
                f"if {test}:\n    {target} = {self.value()}",
                f"if {test}:\n    {change}\nelse:\n    {target} = {self.value()}",
                f"try:\n    {change}\n    {target} = {self.digit()} / {self.rng.randint(0, 1)}\n"
                f"except Exception as error:\n    {other}\n    print(type(error).__name__)",
                f"{target} = {name} if {test} else {self.value()}",
                f"if {test}:\n    del {name}\nelse:\n    {change}",
                f"match {name}:\n    case [{target}, *_]:\n        show({target})\n    case {{'k': {target}}}:\n"
                f"        show({target})\n    case _:\n        pass",
            ]
        )

    def define(self) -> str | None:
        name = self.name()
        if name is None:
            return None
        self.functions += 1
        function = f"f_{self.rng.randint(0, 3)}"
        changes = list(self.changes(name, self.namespace[name])) or [f"show({name})"]
        change = self.rng.choice(changes)
        quiet = change if not change.startswith("for ") else f"show({name})"
        d = self.digit
        return self.rng.choice(
            [
                f"def {function}(x):\n    return len({name}), x",
                f"def {function}(x):\n    x.append({d()})",
                f"def {function}(x, extra={name}):\n    return (x, extra)",
                f"def {function}(x):\n    global {name}\n    {quiet}\n    return {name}",
                f"def {function}(x):\n    global {name}\n    {name} = [x, {d()}]",
                f"def {function}(x):\n    {name}.append(x)\n    return {name}",
                f"def {function}(x, seen=[]):\n    seen.append({d()})\n    return list(seen)",
                f"def {function}(x):\n    def inner():\n        return {name}\n    return inner()",
                f"def _make(n):\n    held = [n]\n    def add(x):\n        held.append({d()})\n"
                "        return list(held)\n"
                f"    return add\n{function} = _make({name})",
                f"{function} = lambda x: ({name}, x)",
                f"{function} = {name}.append",
                f"@(lambda g: (show({name}), g)[1])\ndef {function}(x):\n    return x",
            ]
        )

    def call(self) -> str | None:
        function, name = self.function(), self.name()
        if function is None or name is None:
            return None
        return self.rng.choice(
            [
                f"{function}({name})",
                f"show({function}({name}))",
                f"{self.target()} = {function}({name})",
                f"{self.target()} = [{function}(_i) for _i in ({name}, {name})]",
                f"{self.target()} = {function}",
                f"show(list(map({function}, [{name}])))",
            ]
        )

    def delete(self) -> str | None:
        name = self.name()
        if name is None:
            return None
        return self.rng.choice([f"del {name}", f"{name} = None", f"if {self.digit()} > 4:\n    del {name}"])

    def draw(self) -> str | None:
        if not self.seeded:
            self.seeded = True
            return f"random.seed({self.digit()}); np.random.seed({self.digit()})"
        name = self.name(list)
        ways = [
            f"{self.target()} = random.randint(0, 99)",
            f"{self.target()} = np.random.randint(0, 99, size=3)",
            f"{self.target()} = [random.randint(0, 9) for _ in range(3)]",
            "print(random.random())",
            "print(np.random.rand())",
            f"random.seed({self.digit()})",
            f"np.random.seed({self.digit()})",
        ]
        ways += [f"random.shuffle({name})", f"print(random.choice({name}))"] if name else []
        return self.rng.choice(ways)

    def dynamic(self) -> str | None:
        name = self.name()
        if name is None:
            return None
        changes = list(self.changes(name, self.namespace[name])) or [f"show({name})"]
        return self.rng.choice(
            [
                f"exec({f'{self.target()} = [{self.digit()}]'!r})",
                f"exec({self.rng.choice(changes)!r})",
                f"globals()['{self.target()}'] = {name}",
                f"show(eval('{name}'))",
                f"globals().update({self.target()}={self.digit()})",
                f"show(globals()['{name}'])",
            ]
        )

    def loop(self) -> str | None:
        one, other, target = self.name(), self.name(), self.target()
        if one is None or other is None:
            return None
        d = self.digit
        return self.rng.choice(
            [
                f"for {target} in ({one}, {other}):\n    show({target})",
                f"for _v in ({one}, {other}):\n    if hasattr(_v, 'append'):\n        _v.append({d()})",
                f"for {target} in range({d()}):\n    pass",
                f"[_v.append({d()}) for _v in {one}]",
                f"{target} = [({target} := _v) for _v in {one}]",
                f"{target} = {{str(_v): {other} for _v in {one}}}",
                f"while len({one}) > 2:\n    {one}.pop()",
                f"{target}, *{other} = {one}",
                f"with contextlib.suppress(Exception):\n    {one}.append({d()})",
            ]
        )
