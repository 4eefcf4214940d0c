"""A Hypothesis strategy for random notebooks, and for what becomes of them as somebody goes on to edit them.

What Hypothesis draws are bytes: some for each statement, each cell and each edit, a byte for a choice. A
`_Writer` turns them into code: it executes each statement as it writes it, so that it knows what every name
stands for, and leaves out what fails. A choice does not hang on what was left out elsewhere, as far as that can
be: so Hypothesis, which looks for the smallest failing example, takes away cells and statements one by one.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import io
import os
import random
import re
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from tests.fixtures.notebooks import Notebook, cell, notebook

NAMES = "abcdefgh"
BYTES = 10
"""For the choices of one statement; those beyond are the first of what there is to choose from."""

LONGEST_EXPRESSION = 15
MOST_CHARACTERS = 400
MOST_SHOWN = 4000

IMPORTS = """
import contextlib, copy, enum, functools, glob, json, os, random, sys, warnings
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field
from pathlib import Path
import numpy as np
import pandas as pd
import polars as pl
""".strip()

SHOW = """
def show(*values):
    for value in values:
        if isinstance(value, (set, frozenset)):
            print("set", sorted(value, key=repr))
        elif isinstance(value, pd.DataFrame):
            print(value.to_dict("list"), list(value.index), list(value.dtypes.map(str)))
        elif isinstance(value, pd.Series):
            print("series", list(value), list(value.index), value.name)
        elif isinstance(value, pl.DataFrame):
            print(value.to_dict(as_series=False), value.dtypes)
        elif isinstance(value, Box):
            print(type(value).__name__, value.items, value.size())
        elif callable(value):
            print("callable", getattr(value, "__name__", ""))
        else:
            print(type(value).__name__, value)
""".strip()

BOX = """
class Box:
    made = 0
    log = []
    def __init__(self, items):
        self.items = items
    def put(self, item):
        self.items.append(item)
        return self
    def size(self):
        return len(self.items)
    def __repr__(self):
        return f"Box({self.items})"
class Tally(Box):
    def __init__(self, items):
        super().__init__(items)
        type(self).made += 1
    @classmethod
    def note(cls, item):
        cls.log.append(item)
        return cls.made, list(cls.log)
""".strip()

POINT = """
class Color(enum.Enum):
    RED = 1
    BLUE = 2
@dataclass
class Point:
    x: int
    tags: list = field(default_factory=list)
    color: Color = Color.RED
    def up(self):
        self.x += 1
        return self.x
""".strip()

GIVEN = (IMPORTS, BOX, POINT, SHOW)

FILES = {
    "note.txt": "first\nsecond\n",
    "data.csv": "x,y\n1,2.5\n3,4.5\n",
    "mine.py": "level = 3\ndef twice(x):\n    return [x, x]\n",
}
"""What lies beside the notebook at first."""

TEXTS = ("note.txt", "one.txt", "two.txt", "sub/three.txt")

WEIGHTS = {
    "rebind": 26,
    "in_place": 40,
    "look": 22,
    "alias": 14,
    "part": 12,
    "call": 18,
    "conditional": 12,
    "define": 14,
    "use_file": 16,
    "draw": 10,
    "loop": 9,
    "set_state": 8,
    "dynamic": 6,
    "scope": 10,
    "delete": 4,
    "import_": 4,
    "class_": 8,
}


@dataclass
class Lines:
    """One cell, with its statements. `step` is None for setup, "" for an untagged cell that joins the one above."""

    statements: list[str]
    step: str | None
    magic: str = ""
    tags: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        return "\n".join([self.magic, *self.statements] if self.magic else self.statements)


@dataclass
class Program:
    """A notebook, the files beside it, and the parameters that a run replaces."""

    cells: list[Lines] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=lambda: dict(FILES))
    given: dict[str, Any] = field(default_factory=dict)

    def notebook(self) -> Notebook:
        return notebook(*(cell(one.source, step=one.step or None, tags=one.tags) for one in self.cells))

    def __str__(self) -> str:
        shown = []
        for one in self.cells:
            name = one.step or ("setup" if one.step is None else "as above")
            statements = [
                f"…{statement.splitlines()[0]}…" if statement in GIVEN else statement
                for statement in one.statements
            ]
            shown.append(
                "\n".join([f"# --- {name} {' '.join(one.tags)}", *filter(None, [one.magic]), *statements])
            )
        beside = {name: text for name, text in self.files.items() if FILES.get(name) != text}
        shown += [f"# beside it: {beside}"] if beside else []
        shown += [f"# run with {self.given}"] if self.given else []
        return "\n".join(shown)


@dataclass
class Story:
    """Versions of one notebook, run one after another with `jobs` at a time."""

    versions: list[Program]
    jobs: int

    def __repr__(self) -> str:
        texts = [f"# ===== version {number}\n{one}" for number, one in enumerate(self.versions)]
        return "\n\n".join(["", *texts, f"# {self.jobs} jobs", ""])


def stories() -> st.SearchStrategy[Story]:
    """Notebooks of 3 to 12 cells, and up to two edits of each."""
    statement = st.binary(min_size=BYTES, max_size=BYTES)
    choices = st.binary(min_size=4, max_size=4)
    one_cell = st.tuples(choices, st.lists(statement, min_size=1, max_size=5))
    return st.builds(
        _tell,
        start=choices,
        setup=st.lists(statement, max_size=4),
        cells=st.lists(one_cell, min_size=3, max_size=12),
        edits=st.lists(statement, max_size=2),
        jobs=st.sampled_from([1, 2, 8]),
    )


def _tell(
    start: bytes,
    setup: Sequence[bytes],
    cells: Sequence[tuple[bytes, Sequence[bytes]]],
    edits: Sequence[bytes],
    jobs: int,
) -> Story:
    with _Writer() as writer:
        versions = [_program(writer, _Dice(start), setup, cells)]
    for edit in edits:
        versions.append(edited(versions[-1], _Dice(edit)))
    return Story(versions, jobs)


class _Dice:
    """Makes choices, a byte for each."""

    def __init__(self, numbers: bytes) -> None:
        self._numbers = iter(numbers)

    def below(self, number: int) -> int:
        return next(self._numbers, 0) % number

    def choice(self, options: Sequence[Any]) -> Any:
        return options[self.below(len(options))]

    def hits(self, percent: int) -> bool:
        """True so often; the smallest byte says False."""
        return next(self._numbers, 0) >= 256 * (100 - percent) // 100


def _program(
    writer: _Writer, dice: _Dice, setup: Sequence[bytes], cells: Sequence[tuple[bytes, Sequence[bytes]]]
) -> Program:
    program = Program()
    # Imports and definitions hold in all steps, or travel from the first one.
    first = "first" if dice.hits(40) else None
    for text in GIVEN:
        writer.write(text)
        program.cells.append(Lines([text], first))
    if dice.hits(30):
        parameters = [f"alpha = {dice.below(10)}", "beta = 'x'"]
        for text in parameters:
            writer.write(text)
        program.cells.append(Lines(parameters, None, tags=("parameters",)))
        if dice.hits(60):
            program.given = {"alpha": dice.below(10)}
    # Setup holds in every step: what it appends to a file is appended by each.
    written = writer.statements(setup, with_files=first is not None)
    if written:
        program.cells.append(Lines(written, first))
    steps: list[str] = []
    for number, (head, plans) in enumerate(cells):
        written = writer.statements(plans)
        if written:
            program.cells.extend(_cells(writer, _Dice(head), written, f"s{number}", steps))
    program.cells.append(Lines([f"show({name})" for name in writer.bound()] or ["pass"], "last"))
    return program


def _cells(writer: _Writer, dice: _Dice, written: list[str], name: str, steps: list[str]) -> Iterator[Lines]:
    """A cell with the statements, of the last of the `steps` or of a new one, and perhaps one beside it."""
    is_new = dice.hits(65) or not steps
    earlier = list(steps)
    if is_new:
        steps.append(name)
    one = Lines(written, steps[-1])
    what = dice.below(64)
    if what == 1 and is_new and earlier:
        one.tags = (f"after:{dice.choice(earlier)}",)
    elif what == 2 and not is_new:
        one.step = ""
    elif what == 3:
        one.magic = "%%time"
    elif what == 4:
        yield Lines([f"{dice.choice(NAMES)} = 'skipped'"], None, tags=("skip",))
    elif what == 5 and earlier:
        one.step = dice.choice(earlier)
    elif what == 6:
        one.magic = "%%capture out"
        writer.write("from types import SimpleNamespace as out; out.stdout = ''")
    yield one
    if what == 6:
        yield Lines(["print(out.stdout)"], dice.choice([one.step, f"{name}-shown"]))


def edited(program: Program, dice: _Dice) -> Program:
    """The program as somebody goes on to edit it; it may fail."""
    program = deepcopy(program)
    body = [one for one in program.cells if one.statements[0] not in GIVEN]
    one = dice.choice(body)
    place = dice.below(len(one.statements))
    text = one.statements[place]
    name, other = dice.choice(NAMES), dice.choice(NAMES)
    match dice.choice(
        [
            "number",
            "delete",
            "insert",
            "comment",
            "tag",
            "join",
            "repeat",
            "cell",
            "file",
            "name",
            "move",
            "given",
        ]
    ):
        case "number":
            digits = [at for at, sign in enumerate(text) if sign.isdigit()]
            if digits:
                at = dice.choice(digits)
                one.statements[place] = text[:at] + str(dice.below(10)) + text[at + 1 :]
        case "delete" if len(one.statements) > 1:
            del one.statements[place]
        case "comment":
            one.statements.insert(place, "# a remark")
        case "tag" if one.step:
            before = one.step
            for each in program.cells:
                if each.step == before:
                    each.step = "renamed"
        case "join" if one.step:
            one.step = dice.choice([each.step for each in program.cells if each.step])
        case "repeat":
            one.statements.insert(place, text)
        case "cell":
            program.cells.insert(program.cells.index(one) + 1, Lines([f"show({name})"], "inserted"))
        case "file":
            path = dice.choice(list(FILES))
            program.files[path] = program.files[path].replace("3", "8").replace("second", "other")
        case "name":
            for each in body:
                each.statements = [re.sub(rf"\b{name}\b", "renamed", line) for line in each.statements]
        case "move":
            program.cells.remove(one)
            program.cells.insert(
                program.cells.index(dice.choice([each for each in body if each is not one])), one
            )
        case "given" if any("parameters" in each.tags for each in program.cells):
            program.given = {"alpha": dice.below(10)}
        case _:
            one.statements.insert(place, dice.choice([f"{name} = {other}", f"{name} = [{dice.below(10)}]"]))
    return program


class _Writer:
    """Writes statements, each chosen by what the names stand for at that moment.

    A context: within it, what the statements do to files and to the process stays in a folder of its own.
    """

    def __init__(self) -> None:
        self.dice = _Dice(b"")
        self.written: list[str] = []
        self.namespace: dict[str, Any] = {}
        self._context = contextlib.ExitStack()

    def __enter__(self) -> _Writer:
        self._context.enter_context(_kept_apart())
        self.namespace = {"__name__": "__main__", "display": lambda *_: None}
        return self

    def __exit__(self, *error: object) -> None:
        self._context.close()

    def write(self, statement: str) -> bool:
        """Execute a statement; False, and as if nothing had been, if it fails or makes something huge."""
        if len(statement) < MOST_CHARACTERS or statement in GIVEN:
            if self._execute(statement) and self._is_small():
                self.written.append(statement)
                return True
            self._context.close()
            self.__enter__()
            for each in self.written:
                self._execute(each)
        return False

    def _execute(self, statement: str) -> bool:
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                code = compile(statement, "<statement>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
                if code.co_flags & inspect.CO_COROUTINE:
                    asyncio.run(eval(code, self.namespace))
                else:
                    exec(code, self.namespace)
        except Exception:
            return False
        return True

    def _is_small(self) -> bool:
        try:
            return all(len(repr(self.namespace[name])) < MOST_SHOWN for name in self.bound())
        except Exception:  # a list that holds itself in a way that cannot be shown
            return False

    def bound(self) -> list[str]:
        return [name for name in NAMES if name in self.namespace]

    def statements(self, plans: Sequence[bytes], *, with_files: bool = True) -> list[str]:
        written = []
        for plan in plans:
            self.dice = _Dice(plan)
            kind = self.dice.choice(_KINDS)
            if kind == "use_file" and not with_files:
                continue
            statement = getattr(self, kind)()
            if statement and self.write(statement):
                written.append(statement)
        return written

    # -- what there is ------------------------------------------------------------------------------

    def digit(self) -> int:
        return self.dice.below(10)

    def target(self) -> str:
        return str(self.dice.choice(NAMES))

    def name(self, *types: type) -> str:
        """A name that stands for something, of one of these types if there is such a one."""
        start = self.dice.below(len(NAMES))
        for name in NAMES[start:] + NAMES[:start]:
            if name in self.namespace and (not types or isinstance(self.namespace[name], types)):
                return name
        return self.name() if types and self.bound() else NAMES[start]

    def function(self) -> str:
        return f"f_{self.dice.below(4)}"

    def value(self) -> str:
        """An expression for a new value, which may hold others."""
        kind, some = self.dice.below(256), self.name()
        d = self.digit
        values: list[Callable[[], str]] = [
            lambda: f"[{d()}]",
            lambda: f"{d()}",
            lambda: f"'{d()}x'",
            lambda: f"[{d()}, {d()}, {d()}]",
            lambda: f"[[{d()}], [{d()}]]",
            lambda: f"{{'k': [{d()}], 'n': {d()}}}",
            lambda: f"{{'k': {{'k': [{d()}]}}}}",
            lambda: f"{{{d()}, {d()}, {d()}}}",
            lambda: f"{{'p{d()}', 'q{d()}', 'r{d()}'}}",
            lambda: f"({d()}, [{d()}])",
            lambda: f"[{some}, {some}]",
            lambda: f"[{some}, [{d()}]]",
            lambda: f"{{'k': {some}}}",
            lambda: f"{{'k': {some}, 'l': {some}, 'm': [{some}]}}",
            lambda: f"({some}, {d()})",
            lambda: f"np.arange({d()}, 20, dtype=float)",
            lambda: f"np.zeros((2, 3)) + {d()}",
            lambda: f"np.array([{d()}, 'a', None], dtype=object)",
            lambda: (
                f"pd.DataFrame({{'x': [{d()}, {d()}, {d()}], 'y': [{d()}, None, {d()}.5], 'z': list('abc')}})"
            ),
            lambda: f"pd.DataFrame({{'x': [{d()}, 2], 'k': [{some}, {some}]}}, index=list('ij'))",
            lambda: (
                f"pd.DataFrame({{'x': range(3)}}, index=pd.date_range('2024-01-0{d() % 9 + 1}', periods=3))"
            ),
            lambda: f"[pd.DataFrame({{'x': [{d()}, 2, 3]}}) for _ in range(2)]",
            lambda: f"pd.Series([{d()}, {d()}, {d()}], name='x')",
            lambda: f"pd.Index([{d()}, {d()}], name='i')",
            lambda: f"pd.Categorical(['u', 'v', 'u{d()}'])",
            lambda: f"pl.DataFrame({{'x': [{d()}, {d()}], 'z': ['a', None]}})",
            lambda: f"Box([{d()}])",
            lambda: f"Box({some})",
            lambda: f"Tally([{d()}])",
            lambda: f"Point({d()})",
            lambda: f"Point({d()}, {some}, Color.BLUE)",
            lambda: "Color.RED",
            lambda: f"list(range({d()}))",
            lambda: f"iter([{d()}, {d()}, {d()}])",
            lambda: f"(_i * {d()} for _i in range(3))",
            lambda: f"defaultdict(list, k=[{d()}])",
            lambda: f"deque([{d()}, {d()}], maxlen=3)",
            lambda: f"Counter('aab{d()}')",
            lambda: f"functools.partial(max, {d()})",
            lambda: f"random.Random({d()})",
            lambda: f"np.random.default_rng({d()})",
            lambda: f"np.random.RandomState({d()})",
            lambda: f"lambda x={some}: (x, {some})",
            lambda: f"Path('one{d()}.txt')",
            lambda: f"{some}",
            lambda: "alpha + 1",
            lambda: "[beta, alpha]",
            lambda: "Box",
            lambda: "show",
        ]
        return values[kind % len(values)]() if self.bound() or kind < 4 else values[kind % 4]()

    # -- kinds of statements ------------------------------------------------------------------------

    def rebind(self) -> str:
        return f"{self.target()} = {self.value()}"

    def alias(self) -> str:
        one, target, other = self.name(), self.target(), self.name()
        return str(
            self.dice.choice(
                [
                    f"{target} = {one}",
                    f"{target} = {other} = {one}",
                    f"{target}, {other} = {one}, {other}",
                    f"{target} = ({other} := {one})",
                    f"{target} = [{one}, {other}]",
                    f"{target} = dict(k={one}, l={other})",
                ]
            )
        )

    def part(self) -> str:
        name = self.name()
        value = self.namespace.get(name)
        ways = {
            "list": ["[0]", "[-1]", "[:2]", "[1:]", ".copy()", ".append", ".__getitem__"],
            "tuple": ["[0]", "[1]"],
            "dict": ["['k']", ".copy()", ".get('k')", ".keys()", ".values()", ".items()", ".get"],
            "defaultdict": ["['k']", "['new']"],
            "set": [".copy()", ".pop()"],
            "ndarray": ["[1:]", "[::2]", ".T", ".copy()", "[0]", ".reshape(-1)", ".view()", "[..., None]"],
            "DataFrame": [
                *("['x']", "[['x']]", ".copy()", ".iloc[:2]", "['x'].values", "[lambda t: t['x'] > 3]", ".T"),
                *(
                    ".loc[:, 'x']",
                    ".groupby('x')",
                    ".columns",
                    ".index",
                    ".copy(deep=False)",
                    "['x'].to_numpy()",
                ),
            ],
            "Series": [".values", ".iloc[:2]", ".copy()", ".to_frame()", ".index", ".to_numpy()"],
            "Index": [".values", ".to_list()"],
            "Box": [".items", ".put"],
            "Tally": [".items", ".note", ".log"],
            "Point": [".tags", ".up", ".color"],
        }
        copies = [f"copy.deepcopy({name})", f"copy.copy({name})", f"list({name})"]
        parts = [f"{name}{way}" for way in ways.get(type(value).__name__, ())]
        return f"{self.target()} = {self.dice.choice([*parts, *parts, *copies])}"

    def in_place(self) -> str | None:
        name = self.name()
        changes = list(self.changes(name, self.namespace.get(name)))
        return str(self.dice.choice(changes)) if changes else None

    def changes(self, name: str, value: object) -> Iterator[str]:
        """Statements that may change the object that the expression `name` stands for."""
        if len(name) > LONGEST_EXPRESSION:  # a list may hold itself
            return
        d, o, other = self.digit(), self.digit(), self.name()
        match type(value).__name__:
            case "list":
                yield from (f"{name}.append({d})", f"{name}.append({other})", f"{name} += [{d}]")
                yield from (f"{name}.extend([{d}])", f"{name}[0] = {d}", f"{name}[:] = [{d}, {o}]")
                yield from (f"{name}.reverse()", f"{name}.pop()", f"{name}.insert(0, {d})", f"del {name}[0]")
                yield from (f"{name}.clear()", f"{name} *= 2", f"getattr({name}, 'append')({d})")
                yield from (f"list.append({name}, {d})", f"{name}[0], {name}[-1] = {name}[-1], {name}[0]")
                yield from (
                    f"{name}[0] = {other}",
                    f"{name}.sort(key=repr)",
                    f"random.Random({d}).shuffle({name})",
                )
                if isinstance(value, list) and value:
                    yield from self.changes(f"{name}[0]", value[0])
                    yield from self.changes(f"{name}[-1]", value[-1])
            case "tuple":
                if isinstance(value, tuple) and value:
                    yield from self.changes(f"{name}[0]", value[0])
                    yield from self.changes(f"{name}[-1]", value[-1])
            case "dict" | "defaultdict" | "Counter":
                yield from (f"{name}['n'] = {d}", f"{name}['k'] = {other}", f"{name}.update(m={d})")
                yield from (f"{name}.pop('n', None)", f"{name}.setdefault('s', []).append({d})")
                yield from (f"{name} |= {{'u': {d}}}", f"for _k in list({name}): {name}[_k] = {d}")
                if isinstance(value, dict) and "k" in value:
                    yield from self.changes(f"{name}['k']", value["k"])
            case "deque":
                yield from (f"{name}.append({d})", f"{name}.rotate()", f"{name}.appendleft({other})")
            case "set":
                yield from (
                    f"{name}.add({d})",
                    f"{name}.discard({d})",
                    f"{name} |= {{{d}}}",
                    f"{name}.clear()",
                )
                yield from (f"{name}.update('pqrs')", f"{name}.add('t{d}')")
            case "ndarray":
                yield from (f"{name}[0] = {d}", f"{name}[:] = {d}", f"{name} += {d}", f"{name}.fill({d})")
                yield from (
                    f"{name}.sort()",
                    f"np.add({name}, {d}, out={name})",
                    f"{name}[{name} > {d}] = {o}",
                )
                yield from (f"np.random.RandomState({d}).shuffle({name})", f"{name}[1:] = {name}[:-1]")
                yield from (f"{name}.resize(4, refcheck=False)", f"{name}.flags.writeable = False")
            case "DataFrame" if isinstance(value, pd.DataFrame):
                yield from (f"{name}['w'] = {d}", f"{name}.loc[{name}.index[0], 'x'] = {d}")
                yield from (f"{name}.dropna(inplace=True)", f"{name}['x'] += {d}", f"{name}.pop('y')")
                yield from (
                    f"{name}.rename(columns={{'z': 'q'}}, inplace=True)",
                    f"{name}.insert(0, 'i{d}', {o})",
                )
                yield from (
                    f"{name}.sort_values('x', inplace=True)",
                    f"{name}.iloc[0, 0] = {d}",
                    f"del {name}['x']",
                )
                yield from (
                    f"{name}.columns = [str(_c).upper() for _c in {name}.columns]",
                    f"{name}.eval('v = x * 2', inplace=True)",
                )
                yield from (
                    f"{name}.reset_index(drop=True, inplace=True)",
                    f"{name}.index = range({d}, {d} + len({name}))",
                )
                yield from (
                    f"{name}.attrs['note'] = {d}",
                    f"{name}['k'] = {name}['x'].map(lambda v: v + {d})",
                )
                yield from (
                    f"{name}.at[{name}.index[-1], 'x'] = {d}",
                    f"{name}.loc['new'] = {d}",
                    f"{name}.set_index('x', inplace=True)",
                )
                yield from (
                    f"{name}.index.name = 'n{d}'",
                    f"{name}.update(pd.DataFrame({{'x': [{d}]}}, index={name}.index[:1]))",
                )
            case "DataFrame":
                yield from (
                    f"{name}[0, 'x'] = {d}",
                    f"{name}.insert_column(0, pl.Series('n{d}', [{o}] * len({name})))",
                )
                yield from (
                    f"{name}.extend({name})",
                    f"{name} = {name}.with_columns(x=pl.col('x') + {d})",
                    f"{name}.columns = {name}.columns[::-1]",
                )
            case "Series":
                yield from (f"{name}.iloc[0] = {d}", f"{name} += {d}", f"{name}.name = 's{d}'")
                yield from (
                    f"{name}.iloc[-1] = {d}",
                    f"{name}.sort_values(inplace=True)",
                    f"{name}['new'] = {d}",
                )
            case "Index":
                yield from (f"{name}.name = 'n{d}'", f"{name} = {name} + {d}")
            case "Box" | "Tally":
                yield from (
                    f"{name}.put({d})",
                    f"{name}.put({other})",
                    f"{name}.items = [{d}]",
                    f"{name}.extra = {other}",
                )
                yield from (
                    f"{name}.put({d}).put({o})",
                    f"Box.made = {d}",
                    f"setattr({name}, 'items', {other})",
                )
                yield from (
                    f"type({name}).log.append({d})",
                    f"{name}.log = [{d}]",
                    f"vars({name})['items'] = [{d}]",
                )
                if type(value).__name__ == "Tally":
                    yield f"print({name}.note({d}))"
                yield from self.changes(f"{name}.items", getattr(value, "items", None))
            case "Point":
                yield from (
                    f"{name}.up()",
                    f"{name}.x = {d}",
                    f"{name}.tags.append({d})",
                    f"{name}.tags = {other}",
                    f"{name}.color = Color.BLUE",
                )
            case "int" | "float" | "float64":
                yield from (f"{name} += {d}", f"{name} = {name} * 2 + {d}") if name.isidentifier() else ()
            case "str":
                yield from (f"{name} += '{d}'",) if name.isidentifier() else ()
            case "list_iterator" | "generator":
                yield from (f"print(next({name}))", f"show(list({name}))", f"print(next({name}, None))")
            case "method" | "builtin_function_or_method" | "function" | "partial":
                yield from (f"show({name}({d}))", f"show({name}())", f"{name}.seen = {d}")
            case "Random":
                yield from (
                    f"print({name}.random())",
                    f"{name}.seed({d})",
                    f"print({name}.sample(range(9), 3))",
                )
            case "Generator" | "RandomState":
                yield from (
                    f"print({name}.normal())",
                    f"{name}.shuffle({self.name(list, np.ndarray)})",
                    f"print({name}.permutation(4))",
                )
            case "DataFrameGroupBy":
                yield from (f"show({name}.size())", f"print({name}.ngroups)")
            case "type":
                yield from (
                    f"{name}.made = {d}",
                    f"{name}.log.append({d})",
                    f"print({name}.made, {name}.log)",
                )

    def look(self) -> str:
        one, other = self.name(), self.name()
        # Whether equal numbers and texts are one object is up to Python.
        same = [f"print({one} is {other})", f"print([_v is {other} for _v in {one}])"]
        if isinstance(self.namespace.get(other), int | float | str | tuple | np.generic):
            same = []
        return str(
            self.dice.choice(
                [
                    f"show({one})",
                    f"{one}",
                    f"show({one}, {other})",
                    f"print({one})",
                    *same,
                    *same,
                    "print(Box.made, Tally.made, Box.log)",
                    f"print(len({one}))",
                    f"{self.target()} = len({one})",
                    f"print(f'{{{one}!r}}')",
                    f"print(sorted(repr(_v) for _v in {one}))",
                    f"print([_v for _v in {one}])",
                    f"print('{other}' in globals(), '{other}' in dir())",
                    f"display({one})",
                    f"{one};",
                    f"print(isinstance({one}, Box), type({one}).__name__)",
                    f"print({one} == {other})",
                ]
            )
        )

    def conditional(self) -> str:
        name, target = self.name(), self.target()
        kind = self.dice.below(9)
        changes = list(self.changes(name, self.namespace.get(name))) or ["pass"]
        change, other = self.dice.choice(changes), self.dice.choice(changes)
        test = self.dice.choice(
            [f"{self.digit()} > 4", f"len(str({name})) % 2", f"'{target}' in globals()", f"{name}"]
        )
        value = self.value()
        return [
            f"if {test}:\n    {change}",
            f"if {test}:\n    {target} = {value}",
            f"if {test}:\n    {change}\nelse:\n    {target} = {value}",
            f"try:\n    {change}\n    {target} = {self.digit()} / {self.digit() % 2}\n"
            f"except Exception as error:\n    {other}\n    print(type(error).__name__)",
            f"try:\n    {change}\nfinally:\n    {target} = {value}",
            f"{target} = {name} if {test} else {value}",
            f"if {test}:\n    del {name}\nelse:\n    {change}",
            f"match {name}:\n    case [{target}, *_]:\n        show({target})\n    case {{'k': {target}}}:\n"
            f"        show({target})\n    case _:\n        pass",
            f"with contextlib.suppress(Exception), open('note.txt') as {target}_file:\n"
            f"    {target} = {target}_file.readline()\n    {change}",
        ][kind]

    def define(self) -> str:
        name, function, kind = self.name(), self.function(), self.dice.below(24)
        changes = list(self.changes(name, self.namespace.get(name))) or [f"show({name})"]
        change = self.dice.choice(changes)
        quiet = change if not change.startswith("for ") else f"show({name})"
        d = self.digit
        forms: list[Callable[[], str]] = [
            lambda: f"def {function}(x):\n    return {name}, x",
            lambda: f"def {function}(x):\n    return len({name}), x",
            lambda: f"def {function}(x):\n    x.append({d()})",
            lambda: f"def {function}(x, extra={name}):\n    return (x, extra)",
            lambda: f"def {function}(x):\n    global {name}\n    {quiet}\n    return {name}",
            lambda: f"def {function}(x):\n    global {name}\n    {name} = [x, {d()}]",
            lambda: f"def {function}(x):\n    {name}.append(x)\n    return {name}",
            lambda: f"def {function}(x, seen=[]):\n    seen.append({d()})\n    return list(seen)",
            lambda: f"def {function}(x, *, seen={{}}):\n    seen[len(seen)] = {d()}\n    return dict(seen)",
            lambda: f"def {function}(x):\n    def inner():\n        return {name}\n    return inner()",
            lambda: (
                f"def _make(n):\n    held = [n]\n    def add(x):\n        held.append({d()})\n"
                f"        return list(held)\n    return add\n{function} = _make({d()})"
            ),
            lambda: (
                f"def _make(n):\n    def get(x):\n        return n, {name}\n    return get\n{function} = _make({name})"
            ),
            lambda: (
                f"def _make():\n    n = {d()}\n    def up(x):\n        nonlocal n\n        n += 1\n        return n\n"
                f"    return up\n{function} = _make()"
            ),
            lambda: f"{function} = lambda x: ({name}, x)",
            lambda: f"{function} = {name}.append",
            lambda: f"@(lambda g: (show({name}), g)[1])\ndef {function}(x):\n    return x",
            lambda: (
                f"def _twice(g):\n    @functools.wraps(g)\n    def run(x):\n        return g(x), g(x)\n    return run\n"
                f"@_twice\ndef {function}(x):\n    return {name}"
            ),
            lambda: f"@functools.lru_cache\ndef {function}(x=0):\n    print('computed')\n    return {d()}",
            lambda: f"def {function}(x):\n    yield {d()}\n    yield {name}",
            lambda: f"async def {function}(x):\n    return {name}, x",
            lambda: (
                f"def {function}(x):\n    {function}.calls = getattr({function}, 'calls', 0) + 1\n"
                f"    return {function}.calls"
            ),
            lambda: f"{self.target()} = [lambda x: {name}, lambda x: ({name}, x)]",
            lambda: f"def {function}(x):\n    return f_{d() % 4}({name}) if isinstance(x, int) else x",
            lambda: f"def {function}(x: '{name}' = {d()}) -> list:\n    return [x for x in ({name}, x)]",
        ]
        return forms[kind]()

    def class_(self) -> str:
        name, kind, d = self.name(), self.dice.below(8), self.digit()
        return [
            f"class Small(Box):\n    unit = {name}\n    def size(self):\n        return {d}",
            f"{self.target()} = Small([{d}])",
            f"class Small(Tally):\n    def size(self):\n        return len({name})",
            f"class Box(Box):\n    def size(self):\n        return {d}",
            f"class Small:\n    shared = []\n    def __init__(self):\n        self.shared.append({d})\n"
            f"    def __repr__(self):\n        return f'Small({{self.shared}})'\n{self.target()} = Small()",
            f"Box.{self.dice.choice(['size', 'extra'])} = lambda self: {d}",
            f"Box.log = {name}",
            f"{self.target()} = type('Made', (Box,), {{'made': {d}}})([{d}])",
        ][kind]

    def call(self) -> str:
        function, name, kind = self.function(), self.name(), self.dice.below(8)
        return [
            f"show({function}({name}))",
            f"{function}({name})",
            f"{self.target()} = {function}({name})",
            f"{self.target()} = [{function}(_i) for _i in ({name}, {name})]",
            f"{self.target()} = {function}",
            f"show(list(map({function}, [{name}])))",
            f"{self.target()} = await {function}({name})",
            f"show({name}[0]({self.digit()}))",
        ][kind]

    def delete(self) -> str:
        name = self.name()
        return str(
            self.dice.choice([f"del {name}", f"{name} = None", f"if {self.digit()} > 4:\n    del {name}"])
        )

    def draw(self) -> str:
        kind, d = self.dice.below(12), self.digit()
        return [
            f"random.seed({d}); np.random.seed({d})",
            f"random.seed({d})",
            f"np.random.seed({d})",
            f"random.seed({d}); {self.target()} = random.randint(0, 99)",
            f"np.random.seed({d}); {self.target()} = np.random.randint(0, 99, size=3)",
            "print(random.random())" if self.is_seeded("random.seed(") else "",
            "print(np.random.rand())" if self.is_seeded("np.random.seed(") else "",
            f"{self.target()} = [random.randint(0, 9) for _ in range(3)]"
            if self.is_seeded("random.seed(")
            else "",
            f"{self.target()} = np.random.randn(2)" if self.is_seeded("np.random.seed(") else "",
            f"random.shuffle({self.name(list)})" if self.is_seeded("random.seed(") else "",
            f"{self.target()} = pd.Series(range(6)).sample(2)" if self.is_seeded("np.random.seed(") else "",
            f"{self.target()} = random.Random({d}).random()",
        ][kind]

    def is_seeded(self, how: str) -> bool:
        return any(re.search(rf"(^|; |\n){re.escape(how)}", statement) for statement in self.written)

    def dynamic(self) -> str:
        name, target, kind = self.name(), self.target(), self.dice.below(9)
        changes = list(self.changes(name, self.namespace.get(name))) or [f"show({name})"]
        return [
            f"exec({f'{target} = [{self.digit()}]'!r})",
            f"exec({self.dice.choice(changes)!r})",
            f"globals()['{target}'] = {name}",
            f"show(eval('{name}'))",
            f"globals().update({target}={self.digit()})",
            f"show(globals()['{name}'])",
            f"print(sorted(_n for _n in globals() if _n in '{NAMES}'))",
            f"setattr(sys.modules['__main__'], '{target}', [{self.digit()}])",
            f"for _n in ('{target}', '{name}'):\n    globals()[_n] = [_n]",
        ][kind]

    def loop(self) -> str:
        one, other, target, kind = self.name(), self.name(), self.target(), self.dice.below(12)
        d = self.digit()
        return [
            f"for {target} in ({one}, {other}):\n    show({target})",
            f"for _v in ({one}, {other}):\n    if hasattr(_v, 'append'):\n        _v.append({d})",
            f"for {target} in range({d}):\n    pass",
            f"[_v.append({d}) for _v in list({one}) if hasattr(_v, 'append')]",
            f"{target} = [({target} := _v) for _v in list({one})]",
            f"{target} = {{str(_v): {other} for _v in {one}}}",
            f"while len({one}) > 2:\n    {one}.pop()",
            f"{target}, *{other} = {one}",
            f"with contextlib.suppress(Exception):\n    {one}.append({d})",
            f"for {target}, {other} in zip({one}, {other}):\n    print({target})",
            f"for _i, {target} in enumerate({one}):\n    if _i:\n        break\nelse:\n    {target} = {d}",
            f"{target} = sorted({one}, key=repr)",
        ][kind]

    def scope(self) -> str:
        """What hides a name, or seems to bind one."""
        one, other, target, kind = self.name(), self.name(), self.target(), self.dice.below(9)
        d = self.digit()
        return [
            f"{target} = [{one} for {one} in range(3)]",
            f"{target} = (lambda {one}: {one})({d})",
            f"def f_0({one}):\n    {other} = {one}\n    return {other}",
            f"{target} = {{{one}: {other} for {one}, {other} in [({d}, 1)]}}",
            f"if ({target} := {one}):\n    pass",
            f"class Names:\n    {one} = {one}\n    def get(self):\n        return {one}\nshow(Names().get())",
            f"{target}: list = [{one}]",
            f"assert {one} is {one}, {other}",
            f"print([[{target} for {target} in range(2)] for _ in [{one}]])",
        ][kind]

    def use_file(self) -> str:
        path, name, kind, d = self.dice.choice(TEXTS), self.name(), self.dice.below(20), self.digit()
        return [
            f"print(open({path!r}).read())",
            f"with open({path!r}, 'w') as _file:\n    print({d}, file=_file)",
            f"with open({path!r}, 'a') as _file:\n    _file.write('more {d}\\n')",
            f"print(Path({path!r}).read_text())",
            f"Path({path!r}).write_text(f'{{{name}}}');",
            f"{self.target()} = Path({path!r}).read_text().split()",
            "os.makedirs('sub', exist_ok=True)",
            f"Path({path!r}).unlink()",
            "print(sorted(glob.glob('*.txt')))",
            "print(sorted(_path.name for _path in Path('.').glob('*.txt')))",
            f"{self.target()} = pd.read_csv('data.csv')",
            f"pd.DataFrame({{'x': [{d}, 2], 'y': [3, 4]}}).to_csv('data.csv', index=False)",
            f"pd.DataFrame({{'x': [{d}]}}).to_csv('more.csv', index=False)",
            f"{self.target()} = pd.read_csv('more.csv')",
            f"json.dump({name}, open('some.json', 'w'))",
            f"{self.target()} = json.load(open('some.json'))",
            f"np.save('some.npy', {self.name(np.ndarray)})",
            f"{self.target()} = np.load('some.npy')",
            f"os.replace({path!r}, 'two.txt')",
            f"with open({path!r}, 'w') as _file:\n    _file.write('a{d}')\n"
            f"with open({path!r}) as _file:\n    print(_file.read())",
        ][kind]

    def import_(self) -> str:
        return str(
            self.dice.choice(
                [
                    "import mine; print(mine.level)",
                    "from mine import *; print(level)",
                    "import mine as h; show(h.twice(alpha if 'alpha' in globals() else 1))",
                    f"{self.target()} = __import__('mine').twice({self.digit()})",
                    "from math import floor as f_1",
                    "import os.path as c",
                    f"import mine; mine.level = {self.digit()}",
                    f"import mine; {self.target()} = mine.level",
                ]
            )
        )

    def set_state(self) -> str:
        kind, d, name = self.dice.below(14), self.digit(), self.name()
        return [
            f"os.environ['LEVEL'] = '{d}'",
            "print(os.environ.get('LEVEL'))",
            f"pd.set_option('display.precision', {d})",
            f"print(pd.DataFrame({{'x': [1 / 3, {d}]}}))",
            f"np.set_printoptions(precision={d})",
            f"print(np.array([1 / 3]), {name})",
            "print(np.ones(2) / 3)",
            "warnings.simplefilter('ignore')",
            "with warnings.catch_warnings(record=True) as _found:\n    warnings.warn('w')\nprint(len(_found))",
            "os.makedirs('sub', exist_ok=True); os.chdir('sub')",
            "os.chdir('..') if os.path.basename(os.getcwd()) == 'sub' else None",
            "print(os.path.basename(os.getcwd()))",
            f"pd.options.display.max_rows = {d + 1}",
            f"sys.path.append('/tmp/{d}'); print(len([_p for _p in sys.path if _p.startswith('/tmp/')]))",
        ][kind]


_KINDS = [kind for kind, weight in WEIGHTS.items() for _ in range(weight)]


@contextlib.contextmanager
def _kept_apart() -> Iterator[None]:
    """A folder of its own as working directory, and the process afterwards as it was."""
    generators = random.getstate(), np.random.get_state()
    shown = np.get_printoptions()
    path, here = list(sys.path), os.getcwd()
    folder = tempfile.mkdtemp(prefix="truth-")
    put(FILES, Path(folder))
    with mock.patch.dict(os.environ), warnings.catch_warnings():
        sys.path.insert(0, folder)
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(here)
            sys.path[:] = path
            sys.modules.pop("mine", None)
            random.setstate(generators[0])
            np.random.set_state(generators[1])
            np.set_printoptions(**shown)
            pd.reset_option("display.precision")
            pd.reset_option("display.max_rows")
            shutil.rmtree(folder, ignore_errors=True)


def put(files: Mapping[str, str], folder: Path) -> None:
    """Write the files into the folder, leaving those alone that are so already."""
    for name, text in files.items():
        path = folder / name
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
