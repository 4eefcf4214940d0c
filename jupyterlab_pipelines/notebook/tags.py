"""The tag language: what the tags of one code cell, or its `%%step` line, say.

Nothing else in the package knows how a tag is spelled. Kale's vocabulary is read as well; tags that
are neither ours nor Kale's belong to somebody else and mean nothing here.
"""

from __future__ import annotations

import ast
import keyword
import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import NoReturn

from jupyterlab_pipelines.errors import NotebookError
from jupyterlab_pipelines.pipeline import Resources, Role, read_resource

STEP_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*\Z")
AGE = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])\Z")
SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
METRICS_STEP = "pipeline-metrics"
KALE_LIMITS = {"cpu": "cpu", "memory": "memory", "nvidia.com/gpu": "gpu"}


@dataclass(frozen=True, slots=True)
class CellTags:
    """What one code cell says about itself.

    `step` is None where no step is named; `joins` marks Kale's empty `block:`, which joins the step
    above. `shared` is Kale's ``imports`` or ``functions``: setup, wherever the cell stands.
    """

    step: str | None = None
    joins: bool = False
    shared: str | None = None
    parameters: bool = False
    metrics: bool = False
    skip: bool = False
    role: Role | None = None
    after: tuple[str, ...] = ()
    previous: tuple[str, ...] = ()
    cache: str | None = None
    retries: int | None = None
    timeout_seconds: float | None = None
    kernel: str | None = None
    resources: Resources = field(default_factory=Resources)
    outputs: tuple[str, ...] = ()


def read_tags(tags: Iterable[object], cell_index: int) -> CellTags:
    """What the `tags` of the code cell at `cell_index` say.

    Raises
    ------
    NotebookError
        ``bad_tag``: a tag of ours has a value that it cannot have.
    """
    said = CellTags()
    for tag in tags:
        if isinstance(tag, str):
            said = _read_tag(said, tag.strip(), cell_index)
    return said


def _read_tag(said: CellTags, tag: str, cell_index: int) -> CellTags:
    key, colon, value = tag.partition(":")
    value = value.strip()
    if not colon:
        match tag:
            case "parameters" | "pipeline-parameters":
                return replace(said, parameters=True)
            case "pipeline-metrics":
                return replace(said, metrics=True)
            case "skip":
                return replace(said, skip=True)
            case "imports" | "functions":
                return replace(said, shared=tag)
            case _:
                return said
    match key:
        case "step" | "block":
            if not value:
                return replace(said, joins=True)
            if said.step is not None and said.step != value:
                _refuse(
                    cell_index, tag, f"the cell already belongs to step `{said.step}`. Keep one of the two."
                )
            return replace(said, step=_step_name(value, tag, cell_index))
        case "after":
            return replace(said, after=(*said.after, _step_name(value, tag, cell_index)))
        case "prev":
            return replace(said, previous=(*said.previous, value))
        case "role":
            return replace(said, role=_role(value, tag, cell_index))
        case "cache":
            return replace(said, cache=_cache(value, tag, cell_index))
        case "retries":
            if not value.isascii() or not value.isdigit():
                _refuse(cell_index, tag, "the number of retries must be a whole number such as `retries:2`.")
            return replace(said, retries=int(value))
        case "timeout":
            return replace(said, timeout_seconds=_age(value, tag, cell_index))
        case "kernel":
            if not value:
                _refuse(cell_index, tag, "name a kernelspec, such as `kernel:python3`.")
            return replace(said, kernel=value)
        case "cpu" | "memory" | "gpu":
            return _with_resource(said, key, value, tag, cell_index)
        case "limit":  # Kale: `limit:nvidia.com/gpu:1`
            name, _, amount = value.partition(":")
            kind = KALE_LIMITS.get(name)
            return _with_resource(said, kind, amount, tag, cell_index) if kind else said
        case _:
            return said


def read_step_magic(source: str, cell_index: int) -> tuple[CellTags, str] | None:
    """What a `%%step NAME …` first line says, and the source below it; None without such a line.

    Raises
    ------
    NotebookError
        ``bad_tag``: the line lacks a name or has an option that it cannot have.
    """
    lines = source.split("\n")
    first = next((number for number, line in enumerate(lines) if line.strip()), None)
    if first is None or not re.match(r"%%step(\s|$)", lines[first]):
        return None
    line = lines[first]
    try:
        words = shlex.split(line, comments=True)[1:]
    except ValueError as error:
        _refuse(cell_index, line, f"{error}.")
    said = CellTags()
    assignments: list[str] = []
    position = 0
    while position < len(words):
        word = words[position]
        option, equals, value = word.partition("=")
        if not option.startswith("--"):
            if said.step is not None:
                _refuse(cell_index, line, f"`{word}` comes after the step's name; it is no option.")
            said = replace(said, step=_step_name(word, line, cell_index))
            position += 1
            continue
        if option == "--force":
            position += 1
            continue
        if not equals:
            position += 1
            value = words[position] if position < len(words) else ""
        position += 1
        match option:
            case "--after":
                names = [name.strip() for name in value.split(",") if name.strip()]
                said = replace(said, after=tuple(_step_name(name, line, cell_index) for name in names))
            case "--role":
                said = replace(said, role=_role(value, line, cell_index))
            case "--cache":
                said = replace(said, cache=_cache(value, line, cell_index))
            case "--retries" | "--timeout" | "--kernel" | "--cpu" | "--memory" | "--gpu":
                said = _read_tag(said, f"{option[2:]}:{value}", cell_index)
            case "--outputs":
                names = [name.strip() for name in value.split(",") if name.strip()]
                said = replace(said, outputs=tuple(_variable(name, line, cell_index) for name in names))
            case "--params":
                assignments += _assignments(value, line, cell_index)
            case _:
                _refuse(
                    cell_index,
                    line,
                    f"`{option}` is no option of `%%step`; its options are --after, --role, --cache, --outputs, "
                    "--params, --force, --retries, --timeout, --kernel, --cpu, --memory and --gpu.",
                )
    if said.step is None:
        _refuse(cell_index, line, "it lacks the step's name: `%%step NAME`.")
    # The line stays as an empty one, so that line numbers in messages are those of the cell.
    lines[first] = "; ".join(assignments)
    return said, "\n".join(lines)


def is_forced(source: str) -> bool:
    """Whether a cell's ``%%step`` line says ``--force``: a wish for this moment, no property of the step."""
    lines = source.lstrip().split("\n", 1)
    return re.match(r"%%step\s(.*\s)?--force(\s|$)", lines[0]) is not None


def is_command(source: str) -> bool:
    """Whether a cell holds nothing but ``%pipeline`` lines: those speak of the pipeline, and are no part of it."""
    lines = [
        line.strip() for line in source.split("\n") if line.strip() and not line.lstrip().startswith("#")
    ]
    return bool(lines) and all(re.match(r"%pipeline(\s|$)", line) for line in lines)


def age_seconds(cache: str) -> float | None:
    """The age in seconds that a cache policy such as ``12h`` allows; None for ``on`` and ``off``."""
    match = AGE.match(cache)
    return float(match[1]) * SECONDS[match[2]] if match else None


def _variable(name: str, line: str, cell_index: int) -> str:
    if not name.isidentifier() or keyword.iskeyword(name):
        _refuse(cell_index, line, f"`{name}` is no name of a variable.")
    return name


def _assignments(value: str, line: str, cell_index: int) -> list[str]:
    """``alpha=0.1,name=x`` as assignments; what is no Python literal is a text."""
    made = []
    for part in re.split(r",(?=\s*[A-Za-z_]\w*\s*=)", value):
        name, equals, text = (word.strip() for word in part.partition("="))
        if not equals:
            _refuse(cell_index, line, "`--params` wants `NAME=VALUE`, such as `--params alpha=0.1`.")
        try:
            literal = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            literal = text
        made.append(f"{_variable(name, line, cell_index)} = {literal!r}")
    return made


def _step_name(value: str, tag: str, cell_index: int) -> str:
    if not STEP_NAME.match(value):
        _refuse(
            cell_index,
            tag,
            f"`{value}` is no name for a step: use letters, digits, `-` and `_`, starting with a letter.",
        )
    return value


def _role(value: str, tag: str, cell_index: int) -> Role:
    try:
        return Role(value)
    except ValueError:
        _refuse(cell_index, tag, f"`{value}` is no role; the roles are {', '.join(Role)}.")


def _with_resource(said: CellTags, kind: str, value: str, tag: str, cell_index: int) -> CellTags:
    try:
        asked = read_resource(kind, value.strip())
    except ValueError as error:
        _refuse(cell_index, tag, str(error))
    return replace(said, resources=asked.with_default(said.resources))


def _cache(value: str, tag: str, cell_index: int) -> str:
    # Kale writes `cache:enabled` and `cache:disabled`.
    value = {"enabled": "on", "disabled": "off"}.get(value, value)
    if value not in ("on", "off"):
        _age(value, tag, cell_index)
    return value


def _age(value: str, tag: str, cell_index: int) -> float:
    match = AGE.match(value)
    if not match:
        _refuse(
            cell_index, tag, f"`{value}` is no age: write a number and s, m, h or d, such as `30m` or `12h`."
        )
    return float(match[1]) * SECONDS[match[2]]


def _refuse(cell_index: int, tag: str, why: str) -> NoReturn:
    raise NotebookError("bad_tag", f"Cell {cell_index + 1}, `{tag}`: {why}", cell_index=cell_index)
