"""Notebook → cells: reads the file, and says of each cell to which step it belongs.

Works on the notebook's JSON, without nbformat (0.95 s of imports). Nothing depends on cell ids:
notebooks before nbformat 4.5 have none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jupyterlab_pipelines.errors import KernelError, NotebookError
from jupyterlab_pipelines.notebook.tags import METRICS_STEP, CellTags, is_command, read_step_magic, read_tags
from jupyterlab_pipelines.pipeline import Cell, CellKind, Role

DEFAULT_KERNEL = "python3"
HEADING = re.compile(r"^ {0,3}#{1,6}\s+(.+?)\s*#*\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class StepTags:
    """What the tags of all cells of one step say together."""

    name: str
    title: str
    tags: CellTags


@dataclass(frozen=True, slots=True)
class Outline:
    """A notebook's cells and steps, before anything is known of the data flow.

    `shared_cells` are those that Kale's ``imports`` and ``functions`` tags mark, in the order in which
    Kale puts them before every step.
    """

    cells: tuple[Cell, ...]
    steps: tuple[StepTags, ...]
    shared_cells: tuple[int, ...]
    kernel: str
    language: str


def read_notebook(path: Path) -> dict[str, Any]:
    """The notebook's JSON, as nbformat 4.

    Raises
    ------
    NotebookError
        ``not_found``, ``not_readable``, ``not_json`` or ``not_a_notebook``.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise NotebookError("not_found", f"There is no file {path}.", path=str(path)) from None
    except IsADirectoryError:
        raise NotebookError(
            "not_a_notebook", f"{path} is a folder; name a notebook in it.", path=str(path)
        ) from None
    except OSError as error:
        raise NotebookError(
            "not_readable", f"{path} cannot be read: {error.strerror or error}.", path=str(path)
        ) from None
    except UnicodeDecodeError:
        raise NotebookError(
            "not_json", f"{path} is no notebook: it is not UTF-8 text.", path=str(path)
        ) from None
    if not text.strip():
        raise NotebookError("not_json", f"{path} is empty: it is no notebook.", path=str(path))
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        where = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        hint = " It holds merge conflict markers: resolve them first." if "\n<<<<<<< " in text else ""
        hint = hint or " Name a notebook (.ipynb), or restore the file from an earlier version."
        raise NotebookError("not_json", f"{path} is not JSON{where}.{hint}", path=str(path)) from None
    return as_version_4(content, str(path))


def as_version_4(content: Any, name: str) -> dict[str, Any]:
    """`content` as an nbformat 4 notebook; older formats are converted.

    Raises
    ------
    NotebookError
        ``not_a_notebook``: it lacks what makes a notebook.
    """

    def refuse(why: str) -> NotebookError:
        return NotebookError("not_a_notebook", f"{name} is no Jupyter notebook: {why}.", path=name)

    if not isinstance(content, dict):
        raise refuse("its JSON is not an object")
    major = content.get("nbformat")
    if isinstance(major, int) and major < 4 and isinstance(content.get("worksheets"), list):
        import nbformat

        try:
            # nbformat's functions have no types.
            converted: Any = nbformat.convert(nbformat.from_dict(content), 4)  # type: ignore[no-untyped-call]
            content = json.loads(nbformat.writes(converted))  # type: ignore[no-untyped-call]
        except Exception as error:  # nbformat raises many kinds for broken old notebooks
            raise refuse(f"it says nbformat {major} but cannot be converted ({error})") from None
        major = 4
    if not isinstance(content.get("cells"), list):
        raise refuse("it has no list of cells")
    if not isinstance(major, int):
        raise refuse("it does not say its nbformat")
    if major > 4:
        raise refuse(f"its nbformat {major} is newer than this program knows")
    for index, cell in enumerate(content["cells"]):
        if not isinstance(cell, dict) or not isinstance(cell.get("cell_type"), str):
            raise refuse(f"its cell {index + 1} is no cell")
    notebook: dict[str, Any] = content
    return notebook


def source_of(cell: Mapping[str, Any]) -> str:
    """The text of a cell, whichever way the file spells it."""
    source = cell.get("source", "")
    if isinstance(source, list):
        return "".join(line for line in source if isinstance(line, str))
    return source if isinstance(source, str) else ""


def read_outline(content: Mapping[str, Any]) -> Outline:
    """Which cell belongs to which step, and what the tags say.

    Raises
    ------
    NotebookError
        ``bad_tag``, or ``no_steps`` when no cell is tagged as a step.
    """
    cells: list[Cell] = []
    steps: dict[str, StepTags] = {}
    shared: list[tuple[str, int]] = []
    above: str | None = None  # the step, or the kind of shared cell, that an untagged cell joins
    heading: str | None = None
    for index, raw in enumerate(content["cells"]):
        source = source_of(raw)
        cell_id = raw.get("id") if isinstance(raw.get("id"), str) else None
        if raw["cell_type"] != "code":
            if raw["cell_type"] == "markdown":
                heading = last_heading(source) or heading
            cells.append(Cell(index, cell_id, CellKind.TEXT, source))
            continue
        metadata = raw.get("metadata")
        listed = metadata.get("tags") if isinstance(metadata, dict) else None
        tags = read_tags(listed if isinstance(listed, list) else (), index)
        magic = read_step_magic(source, index)
        if magic is not None:
            tags, source = _joined(tags, magic[0]), magic[1]
        kind, step = CellKind.STEP, None
        if tags.parameters:
            kind = CellKind.PARAMETERS
        elif tags.skip or is_command(source):
            kind = CellKind.SKIP
        elif tags.shared is not None:
            kind, above = CellKind.SETUP, f"shared:{tags.shared}"
        elif tags.metrics:
            step = above = METRICS_STEP
            tags = replace(tags, role=Role.EVALUATOR)
        elif tags.step is not None:
            step = above = tags.step
        elif above is None or above.startswith("shared:"):
            kind = CellKind.SETUP
        else:
            step = above
        if kind is CellKind.SETUP and above is not None:
            shared.append((above, index))
        if step is not None:
            known = steps.get(step)
            if known is None:
                steps[step] = StepTags(step, heading or step, tags)
            else:
                steps[step] = StepTags(step, known.title, _joined(known.tags, tags))
        if kind is not CellKind.SKIP:
            heading = None
        cells.append(Cell(index, cell_id, kind, source, step))
    if not steps:
        raise NotebookError(
            "no_steps",
            "No cell of the notebook is tagged as a step. Give a code cell the tag `step:NAME`, "
            "e.g. `step:load`, or begin it with the line `%%step NAME`.",
        )
    shared.sort(key=lambda entry: entry[0] != "shared:imports")
    return Outline(
        cells=tuple(cells),
        steps=tuple(steps.values()),
        shared_cells=tuple(index for _, index in shared),
        kernel=_kernel(content),
        language=_language(content),
    )


def require_python(outline: Outline) -> None:
    """Raise `KernelError` (``kernel_not_python``) if the notebook says another language."""
    if not outline.language.lower().startswith(("python", "ipython")):
        raise KernelError(
            "kernel_not_python",
            f"The notebook is written in {outline.language} (kernel `{outline.kernel}`); "
            "only Python notebooks can be run as pipelines.",
            kernel=outline.kernel,
            language=outline.language,
        )


def last_heading(markdown: str) -> str | None:
    """The text of the last heading in `markdown`, without its inline markup."""
    outside_code = re.sub(r"^(```|~~~).*?^\1", "", markdown, flags=re.MULTILINE | re.DOTALL)
    headings = HEADING.findall(outside_code)
    if not headings:
        return None
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", headings[-1])
    return re.sub(r"[*`]|(?<!\w)_+|_+(?!\w)|<[^>]+>", "", text).strip() or None


def _joined(first: CellTags, other: CellTags) -> CellTags:
    """What two cells of one step say together: the first word counts, orders add up."""
    return replace(
        first,
        step=first.step or other.step,
        role=first.role or other.role,
        after=tuple(dict.fromkeys(first.after + other.after)),
        previous=tuple(dict.fromkeys(first.previous + other.previous)),
        cache=first.cache or other.cache,
        retries=first.retries if first.retries is not None else other.retries,
        timeout_seconds=first.timeout_seconds if first.timeout_seconds is not None else other.timeout_seconds,
        kernel=first.kernel or other.kernel,
        resources=first.resources.with_default(other.resources),
        outputs=tuple(dict.fromkeys(first.outputs + other.outputs)),
    )


def _metadata(content: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    metadata = content.get("metadata")
    value = metadata.get(key) if isinstance(metadata, dict) else None
    return value if isinstance(value, dict) else {}


def _kernel(content: Mapping[str, Any]) -> str:
    name = _metadata(content, "kernelspec").get("name")
    return name if isinstance(name, str) and name else DEFAULT_KERNEL


def _language(content: Mapping[str, Any]) -> str:
    for language in (
        _metadata(content, "kernelspec").get("language"),
        _metadata(content, "language_info").get("name"),
    ):
        if isinstance(language, str) and language:
            return language
    return "python"


def snapshot_of(content: Mapping[str, Any]) -> bytes:
    """The notebook as it is run; its old outputs are no part of that."""
    cells = [
        {**cell, "outputs": [], "execution_count": None} if cell.get("cell_type") == "code" else cell
        for cell in content["cells"]
    ]
    return json.dumps({**content, "cells": cells}, sort_keys=True).encode("utf-8", "surrogatepass")
