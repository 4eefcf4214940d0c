"""Notebooks in a language so small that what each step shows and reads can be told without running it.

Every variable is a whole number, a sum of terms: numbers, variables of other steps, calls of functions, constants,
parameters, contents of files, names in folders, modules beside the notebook. `World.read` computes a step's value
and **everything that it has read**, from the definition of the language alone; the product has no part in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from tests.fixtures.notebooks import Cell, Notebook, cell, markdown, notebook, parameters

SETUP = -1
"""The home of what setup defines; else the home is a step's variable."""

IMPORTS = "import glob, json, os\nfrom pathlib import Path\nimport numpy as np\nimport pandas as pd"

FILE_READERS = {
    "open": "int(open('{path}').read())",
    "pathlib": "int(Path('{path}').read_text())",
    "numpy": "int(np.loadtxt('{path}'))",
    "pandas": "int(pd.read_csv('{path}', header=None).iloc[0, 0])",
    "json": "json.load(open('{path}'))",
}
FOLDER_READERS = {
    "glob": "len(glob.glob('{path}/*.txt'))",
    "listdir": "len([name for name in os.listdir('{path}') if name.endswith('.txt')])",
    "contents": "sum(int(each.read_text()) for each in Path('{path}').glob('*.txt'))",
}
OPTIONAL_READERS = {
    "exists": "(int(open('{path}').read()) if os.path.exists('{path}') else 0)",
    "is_file": "(int(Path('{path}').read_text()) if Path('{path}').is_file() else 0)",
    "try": "optional('{path}')",
}
OPTIONAL = """
def optional(path):
    try:
        with open(path) as file:
            return int(file.read())
    except FileNotFoundError:
        return 0
""".strip()


@dataclass
class Term:
    """One summand. `what`: its number, or the name or path of what it reads; `how`: one way to write it."""

    kind: str
    what: Any
    how: str = ""

    @property
    def source(self) -> str:
        if self.kind == "number":
            return f"({self.what - 1} + 1)" if self.how == "sum" else str(self.what)
        if self.kind == "function":
            return f"{self.what}().value({self.how})" if self.what[0] == "C" else f"{self.what}({self.how})"
        if self.kind == "module":
            return f"{self.what}.value({self.how})"
        readers = {"file": FILE_READERS, "folder": FOLDER_READERS, "optional": OPTIONAL_READERS}
        if self.kind in readers:
            return readers[self.kind][self.how].format(path=self.what)
        return str(self.what)


@dataclass
class Definition:
    """A function of one argument, or (no `terms`) a constant.

    The first letter of its name says how it is written: a class with a method, a lambda, a function with a default
    argument, or a plain one.
    """

    name: str
    home: int
    number: int
    terms: list[Term] | None = None

    @property
    def source(self) -> str:
        if self.terms is None:
            return f"{self.name} = {self.number}"
        match self.name[0]:
            case "C":
                body = f"        return {_sum(self.terms, 'x * self.factor')}"
                return f"class {self.name}:\n    factor = {self.number}\n    def value(self, x):\n{body}"
            case "g":
                return f"{self.name} = lambda x: {_sum(self.terms, f'x * {self.number}')}"
            case "d":
                return f"def {self.name}(x, by={self.number}):\n    return {_sum(self.terms, 'x * by')}"
        return f"def {self.name}(x):\n    total = x * {self.number}\n    return {_sum(self.terms, 'total')}"


@dataclass
class Step:
    """Leaves the variable ``v<id>``, and a file if `writes`."""

    id: int
    name: str
    terms: list[Term]
    writes: bool = False
    has_two_cells: bool = False

    @property
    def variable(self) -> str:
        return f"v{self.id}"

    @property
    def file(self) -> str:
        return f"out-{self.id}.txt"


@dataclass
class Module:
    """A file beside the notebook. `remark` and `unused` make no difference to what it does."""

    name: str
    number: int
    imports: str | None = None
    remark: int = 0
    unused: int = 0

    @property
    def source(self) -> str:
        head = f"import {self.imports}\n" if self.imports else ""
        more = f" + {self.imports}.value(x)" if self.imports else ""
        return (
            f"# remark {self.remark}\n{head}NUMBER = {self.number}\ndef value(x):\n    return x + NUMBER{more}\n"
            f"def unused():\n    return {self.unused}\n"
        )


@dataclass
class Reading:
    """What a step's execution comes to.

    Attributes
    ----------
    value
        Of its variable.
    reads
        By kind and name, all that it reads: any difference makes another execution of it.
    texts
        The same down to what makes no difference: remarks in modules, files that a pattern leaves out. While
        this is as it was once, the step must be reused.
    """

    value: int = 0
    reads: dict[tuple[str, str], Any] = field(default_factory=dict)
    texts: dict[tuple[str, str], Any] = field(default_factory=dict)

    def note(self, kind: str, name: str, value: Any, text: Any = None) -> None:
        self.reads[kind, name] = value
        self.texts[kind, name] = value if text is None else text


@dataclass
class World:
    """A notebook, and what lies beside it."""

    definitions: list[Definition] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    parameters: dict[str, int] = field(default_factory=dict)
    given: dict[str, int] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    modules: dict[str, Module] = field(default_factory=dict)
    style: dict[str, int] = field(default_factory=dict)
    extra_cells: list[tuple[int, str]] = field(default_factory=list)
    serial: int = 0

    def copy(self) -> World:
        return deepcopy(self)

    def new_id(self) -> int:
        self.serial += 1
        return self.serial

    # -- what it says ---------------------------------------------------------------------------

    def definition(self, name: str) -> Definition:
        return next(each for each in self.definitions if each.name == name)

    def defined_in(self, home: int) -> list[Definition]:
        return [each for each in self.definitions if each.home == home]

    def reached(self, terms: list[Term]) -> Iterator[Term]:
        """The terms, and those of all functions that they call, directly or not."""
        seen: set[str] = set()
        todo = list(terms)
        while todo:
            term = todo.pop()
            yield term
            if term.kind == "function" and term.what not in seen:
                seen.add(term.what)
                todo += self.definition(term.what).terms or []

    def homes(self, step: Step) -> set[int]:
        """Steps whose cells must stand above `step`."""
        own = [term for each in self.defined_in(step.id) for term in each.terms or []]
        found: set[int] = set()
        for term in self.reached([*step.terms, *own]):
            if term.kind == "variable":
                found.add(int(term.what[1:]))
            elif term.kind in ("function", "constant"):
                found.add(self.definition(term.what).home)
            elif term.kind == "file" and term.what.startswith("out-"):
                found.add(int(term.what[4:-4]))
        return found - {SETUP, step.id}

    # -- what it does ---------------------------------------------------------------------------

    def execute(self) -> dict[str, Reading]:
        """By step, what its execution comes to, in notebook order."""
        files = dict(self.files)
        values: dict[str, int] = {}
        readings = {}
        for step in self.steps:
            reading = self.read(step, values, files)
            readings[step.name] = reading
            values[step.variable] = reading.value
            values |= {each.name: each.number for each in self.defined_in(step.id) if each.terms is None}
            if step.writes:
                files[step.file] = str(reading.value)
        return readings

    def read(self, step: Step, values: Mapping[str, int], files: Mapping[str, str]) -> Reading:
        reading = Reading()
        reading.note("code", "", self.sources(step))
        own = {each.name for each in self.defined_in(step.id)}

        def total(terms: list[Term]) -> int:
            return sum(value_of(term) for term in terms)

        def call(name: str, argument: int) -> int:
            function = self.definition(name)
            if name not in own:
                reading.note("definition", name, function.source)
            assert function.terms is not None
            return argument * function.number + total(function.terms)

        def content(path: str) -> int | None:
            text = files.get(path)
            reading.note("file", path, text)
            return None if text is None else int(text)

        def module(name: str, argument: int) -> int:
            found = self.modules[name]
            meaning = (found.number, found.imports)
            reading.note("file", f"{name}.py", meaning, hashlib.sha1(found.source.encode()).hexdigest())
            return argument + found.number + (module(found.imports, argument) if found.imports else 0)

        def value_of(term: Term) -> int:
            match term.kind:
                case "number":
                    return int(term.what)
                case "variable":
                    reading.note("input", term.what, values[term.what])
                    return values[term.what]
                case "function":
                    return call(term.what, int(term.how))
                case "module":
                    return module(term.what, int(term.how))
                case "constant":
                    constant = self.definition(term.what)
                    if constant.home == SETUP:
                        reading.note("setup", term.what, constant.source)
                    elif constant.home != step.id:
                        reading.note("input", term.what, constant.number)
                    return constant.number
                case "parameter":
                    value = self.given.get(term.what, self.parameters[term.what])
                    reading.note("parameter", term.what, value)
                    return value
                case "file" | "optional":
                    if term.how == "try":
                        reading.note("definition", "optional", OPTIONAL)
                    return content(term.what) or 0
                case "folder":
                    inside = [
                        path[len(term.what) + 1 :] for path in files if path.startswith(f"{term.what}/")
                    ]
                    below = sorted({path.partition("/")[0] for path in inside})
                    texts = [name for name in below if name.endswith(".txt")]
                    reading.note("folder", term.what, texts, below)
                    if term.how != "contents":
                        return len(texts)
                    return sum(content(f"{term.what}/{name}") or 0 for name in texts)
            raise AssertionError(term)

        reading.value = total(step.terms)
        return reading

    # -- how it is written ----------------------------------------------------------------------

    def sources(self, step: Step) -> list[str]:
        """Of each of the step's cells."""
        definitions = "\n".join(each.source for each in self.defined_in(step.id))
        writing = f"\nPath('{step.file}').write_text(str({step.variable}))" if step.writes else ""
        body = f"{step.variable} = {_sum(step.terms)}\nprint({step.variable}){writing}"
        if definitions and step.has_two_cells:
            return [definitions, body]
        return [f"{definitions}\n{body}" if definitions else body]

    def notebook(self) -> Notebook:
        setup = "\n".join(each.source for each in self.defined_in(SETUP))
        modules = "".join(f"\nimport {name}" for name in sorted(self.modules))
        cells: list[Cell] = [
            cell(IMPORTS + modules),
            cell(self._styled(f"{OPTIONAL}\n{setup}", "setup")),
            parameters("\n".join(f"{name} = {value}" for name, value in self.parameters.items())),
        ]
        for step in self.steps:
            for number, source in enumerate(self.sources(step)):
                cells.append(cell(self._styled(source, f"{step.id}.{number}"), step=step.name))
        for position, text in self.extra_cells:
            cells.insert(min(position, len(cells)), cell(text) if text.startswith("#!") else markdown(text))
        return notebook(*cells)

    def _styled(self, source: str, key: str) -> str:
        """The same code, written another way."""
        match self.style.get(key, 0) % 6:
            case 1:
                return "# A remark.\n" + source.replace("\n", "  # and another\n", 1)
            case 2:
                return source.replace(" + ", "+").replace(" = ", "=").replace(" * ", "*")
            case 3:
                return source.replace("'", '"') + "\n\n\n"
            case 4:
                return "\n\n".join(source.split("\n")) if "def " not in source else f"\n\n{source}\n"
            case 5:
                return source.replace("    ", "  ").replace(" = ", " =  ")
        return source


def _sum(terms: list[Term], first: str = "0") -> str:
    return " + ".join([first, *(term.source for term in terms)])
