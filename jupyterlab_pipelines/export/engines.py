"""What the adapters for engines share: options, names, types of parameters, and how generated Python looks.

An adapter is a file of its own with a subclass of `Engine`. Its generated file names the steps, their order and the
engine's own words for retries, timeouts and schedules; each task calls `run_task` of the exported ``task.py``.
"""

from __future__ import annotations

import ast
import copy
import itertools
import json
import keyword
import math
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Self

from jupyterlab_pipelines.errors import ExportError
from jupyterlab_pipelines.export.base import Export, ExportedFile, ExportedStep, literal
from jupyterlab_pipelines.export.proof import Workbench
from jupyterlab_pipelines.pipeline import RESOURCES, Parameter, Resources, read_resource

WIDTH = 110
SCALARS = ("int", "float", "str", "bool")


class Engine(ABC):
    """Base of the adapters.

    A subclass has the attributes below, `files`, `section` and `prove`, and `gaps` where `lacks` cannot tell them.

    Attributes
    ----------
    name, summary
        See `Exporter`.
    engine
        Requirements that run it.
    known_options
        ``image`` (that containers run in), ``cpu``, ``memory`` and ``gpu`` for all steps, or ``cpu.STEP`` for one:
        they count more than what tags say.
    lacks
        What the engine has no words for (``retries``, ``timeout``, ``schedule``, ``resources``, ``role``), each with
        the sentence that tells it. All else that a notebook says must be in the engine's files.
    """

    name: str = ""
    summary: str = ""
    engine: tuple[str, ...] = ()
    known_options: tuple[str, ...] = ()
    lacks: Mapping[str, str] = {}

    def __init__(self) -> None:
        self.options: dict[str, Any] = {}

    def with_options(self, **options: Any) -> Self:
        """The same with options.

        Raises
        ------
        ExportError
            ``unknown_option``, ``bad_option``.
        """
        for name, value in options.items():
            if name.partition(".")[0] not in self.known_options:
                known = ", ".join(self.known_options) or "none"
                raise ExportError(
                    "unknown_option", f"The target `{self.name}` has no option {name}; it has: {known}."
                )
            if "." in name and name.partition(".")[0] not in RESOURCES:
                raise ExportError(
                    "unknown_option", f"The option {name.partition('.')[0]} is not for one step."
                )
            if value is True and name != "as_notebooks":
                raise ExportError("bad_option", f"The option {name} needs a value: --option {name}=….")
            if name.partition(".")[0] in RESOURCES:
                try:
                    read_resource(name.partition(".")[0], str(value))
                except ValueError as error:
                    raise ExportError("bad_option", f"The option {name}: {error}") from None
        changed = copy.copy(self)
        changed.options = self.options | options
        return changed

    # -- for subclasses -------------------------------------------------------------------------

    @abstractmethod
    def files(self, export: Export) -> Iterable[ExportedFile]:
        """The engine's own files."""

    @abstractmethod
    def section(self, export: Export) -> str:
        """How the export is run on the engine: markdown, below a heading."""

    @abstractmethod
    def prove(self, bench: Workbench) -> None:
        """Run the export on the engine; its artifacts are in ``bench.artifacts`` afterwards."""

    # -- Exporter -------------------------------------------------------------------------------

    def write(self, export: Export) -> Iterator[ExportedFile]:
        for option in self.options:
            step = option.partition(".")[2]
            if step and step not in {each.name for each in export.steps}:
                raise ExportError("bad_option", f"The option {option} names no step of the export.")
        task = resources.files("jupyterlab_pipelines.export").joinpath("template", "task.py")
        yield ExportedFile.code(export, f"src/{export.name}/task.py", task.read_text("utf-8"))
        if self.engine:
            yield ExportedFile.code(export, "requirements-engine.txt", "\n".join(self.engine))
        yield from self.files(export)

    def gaps(self, export: Export) -> Iterator[str]:
        """What of `lacks` the notebook says, and what engines have in common."""
        said = {
            "retries": any(step.retries for step in export.steps),
            "timeout": any(step.timeout_seconds is not None for step in export.steps),
            "schedule": export.schedule is not None,
            "resources": any(self.resources(step) for step in export.steps),
            "role": any(step.role for step in export.steps),
        }
        yield from (sentence for kind, sentence in self.lacks.items() if said[kind])
        if any(step.cache_age_seconds is not None or step.cache == "off" for step in export.steps):
            yield (
                f"Every run on {self.title} executes all steps, so that cache tags have no effect there; "
                f"`python -m {export.name} run --resume` follows them."
            )

    @property
    def title(self) -> str:
        return self.name.capitalize()

    # -- what options say -----------------------------------------------------------------------

    def image(self, export: Export) -> str:
        return str(self.options.get("image") or f"{export.distribution}:1.0.0")

    def resources(self, step: ExportedStep) -> Resources:
        """What the options ask for the step, or for all; else its tags."""
        asked = Resources()
        for name in (*(f"{kind}.{step.name}" for kind in RESOURCES), *RESOURCES):
            if name in self.options:
                asked = asked.with_default(read_resource(name.partition(".")[0], str(self.options[name])))
        return asked.with_default(step.resources)


# -- names and parameters -------------------------------------------------------------------------


def words(text: str) -> frozenset[str]:
    """The names in a text."""
    return frozenset(text.split())


def free_name(name: str, taken: Collection[str]) -> str:
    """The name, with `_` behind it as long as it is taken."""
    while name in taken or keyword.iskeyword(name):
        name += "_"
    return name


def free_names(
    names: Iterable[str], taken: Collection[str], said: Callable[[str], str] = str
) -> dict[str, str]:
    """By name, one that is not `taken`, and that no other has, also not as the engine has it `said`."""
    chosen: dict[str, str] = {}
    for name in names:
        used = {said(each) for each in chosen.values()}
        numbered = (f"{name}_{number}" for number in itertools.count(2))
        candidates = itertools.chain([free_name(name, taken)], numbered)
        chosen[name] = next(each for each in candidates if each not in taken and said(each) not in used)
    return chosen


def dashed(name: str) -> str:
    """As Kubernetes names things: `Train_model_` is ``train-model``."""
    return "-".join(part for part in name.lower().split("_") if part) or "step"


def is_scalar(parameter: Parameter) -> bool:
    """Whether an engine can carry the default as it is; else it is given as JSON, and None means the notebook's."""
    value = parameter.default
    return (
        parameter.is_literal
        and type(value).__name__ in SCALARS
        and (not isinstance(value, float) or math.isfinite(value))
        and (not isinstance(value, int) or abs(value) < 2**53)
    )


def annotation(parameter: Parameter) -> str:
    """Of a parameter, as Python."""
    return parameter.type if is_scalar(parameter) else "str | None"


def default(parameter: Parameter) -> str:
    """Of a parameter, as Python."""
    return literal(parameter.default) if is_scalar(parameter) else "None"


def used_parameters(export: Export, step: ExportedStep) -> list[Parameter]:
    """Those that the step takes."""
    return [each for each in export.parameters if each.name in step.parameters]


def seconds(step: ExportedStep) -> int | None:
    """The step's timeout, in whole seconds."""
    return None if step.timeout_seconds is None else max(1, math.ceil(step.timeout_seconds))


def megabytes(wanted: Resources) -> int | None:
    """The memory that is asked for, in whole MiB."""
    return None if wanted.memory_bytes is None else math.ceil(wanted.memory_bytes / 2**20)


def container_limits(wanted: Resources) -> dict[str, str]:
    """What is asked for, as Kubernetes names it."""
    said = {"cpu": wanted.cpu, "memory": wanted.memory, "nvidia.com/gpu": wanted.gpu}
    return {name: value for name, value in said.items() if value}


def levels(export: Export) -> list[list[ExportedStep]]:
    """The steps by how long the longest way to them is: those of one level do not need each other."""
    depth: dict[str, int] = {}
    for step in export.steps:
        depth[step.name] = 1 + max((depth[parent] for parent in step.parents), default=-1)
    found: list[list[ExportedStep]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for step in export.steps:
        found[depth[step.name]].append(step)
    return found


def described(text: str) -> str:
    """A text as a description: one line, as Python."""
    return literal(" ".join(text.split()))


def sentence(text: str) -> str:
    """A text as the inside of a docstring: one line."""
    line = " ".join(text.split()).replace("\\", "\\\\").replace('"', "'")
    return line if line.endswith((".", "?", "!")) else f"{line}."


# -- Python ---------------------------------------------------------------------------------------


def call(head: str, arguments: Iterable[str], tail: str = ")", *, indent: int = 0) -> str:
    """``head`` + arguments + ``tail`` on one line, or one argument a line; as formatters write it."""
    given, space = list(arguments), " " * indent
    one = f"{space}{head}{', '.join(given)}{tail}"
    if len(one) <= WIDTH or not given:
        return one
    inner = f"{space}    {', '.join(given)}"
    if len(inner) <= WIDTH and not head.startswith(("def ", "async def ")) and not head.endswith("{"):
        return f"{space}{head}\n{inner}\n{space}{tail}"
    lines = "".join(_argument(each, indent + 4) for each in given)
    return f"{space}{head}\n{lines}{space}{tail}"


def _argument(text: str, indent: int) -> str:
    """A line of a call; a container that is too long for it has one item a line."""
    space = " " * indent
    line = f"{space}{text},\n"
    start = min((at for each in "{[" if (at := text.find(each)) >= 0), default=-1)
    if len(line) <= WIDTH + 1 or start < 0 or text[-1] not in "}]":
        return line
    items = "".join(f"{space}    {each},\n" for each in _items(text[start:]))
    return f"{space}{text[: start + 1]}\n{items}{space}{text[-1]},\n"


def _items(text: str) -> list[str]:
    """The items of a container, as Python."""
    node = ast.parse(text, mode="eval").body
    if isinstance(node, ast.Dict):
        pairs = [
            (ast.unparse(key) if key else "", value)
            for key, value in zip(node.keys, node.values, strict=True)
        ]
        return [f"{literal(ast.literal_eval(key))}: {_said(text, value)}" for key, value in pairs]
    return [_said(text, each) for each in node.elts] if isinstance(node, ast.List) else [text]


def _said(text: str, node: ast.expr) -> str:
    return ast.get_source_segment(text, node) or ""


def mapping(names: Mapping[str, str]) -> str:
    """A dictionary from names to expressions, as Python."""
    return "{" + ", ".join(f"{literal(name)}: {value}" for name, value in names.items()) + "}"


# -- proofs ---------------------------------------------------------------------------------------


def given_words(bench: Workbench, flag: str = "--{name}={value}") -> list[str]:
    """The values that replace the defaults, as words of a command; what is no text, as JSON."""
    return [
        flag.format(name=name, value=value if isinstance(value, str) else json.dumps(value))
        for name, value in bench.parameters.items()
    ]


def scratch(bench: Workbench, name: str) -> Path:
    """A new folder beside the copy of the export, for the engine's own records."""
    folder = bench.artifacts.with_name(name)
    os.makedirs(folder, exist_ok=True)
    return folder
