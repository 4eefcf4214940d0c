"""Pipeline → notebooks: the step notebook that a kernel executes, and the whole one with fresh outputs.

A step notebook is an ordinary notebook, which papermill (or a person) can run: setup and parameters,
then what the step gets from other steps, then its own cells as they stand in the source notebook.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from typing import Any

from jupyterlab_pipelines.notebook.flow import has_code, normal_form
from jupyterlab_pipelines.notebook.parse import source_of
from jupyterlab_pipelines.pipeline import Cell, CellKind, Definition, Needs, Pipeline, Step

METADATA = "pipelines-as-experiments"
"""Key in cell and notebook metadata of step notebooks."""


def step_notebook(
    pipeline: Pipeline,
    step: Step,
    needs: Needs,
    *,
    content: Mapping[str, Any],
    kernel: str,
    references: Mapping[str, str],
    late: Collection[str] = (),
    without_cells: Collection[int] = (),
) -> dict[str, Any]:
    """The notebook that executes `step` alone, nbformat 4.5.

    Parameters
    ----------
    content
        The source notebook; its metadata is kept.
    references
        By name of an input, how the runtime finds its stored value, in the order in which they are loaded.
    late
        Inputs that refer to late definitions.
    without_cells
        Setup and parameters cells that were executed already in the kernel in which the step goes on.
    """
    cells: list[dict[str, Any]] = []
    parameter_cells = pipeline.cells_of(CellKind.PARAMETERS)
    for cell in pipeline.preamble_of(step):
        if cell.index in without_cells:
            continue
        tags = ["parameters"] if cell.index in parameter_cells[-1:] else []
        cells.append(
            _code(f"cell-{cell.index}", cell.source, tags + _kept(content, cell.index), cell_index=cell.index)
        )
    cells += _definitions("definitions", needs.definitions)
    cells += _inputs("inputs", {name: said for name, said in references.items() if name not in late})
    cells += _definitions("late-definitions", needs.late_definitions)
    cells += _inputs("late-inputs", {name: said for name, said in references.items() if name in late})
    for index in step.cells:
        cell = pipeline.cells[index]
        ours = {"cell_index": index, "step": step.name, "has_code": has_code(cell)}
        tags = [f"step:{step.name}", *_kept(content, index)]
        cells.append(_code(f"cell-{index}", cell.source, tags, **ours))
    metadata = copy.deepcopy(dict(content.get("metadata") or {}))
    metadata["kernelspec"] = {"name": kernel, "display_name": kernel, "language": "python"}
    metadata[METADATA] = {"step": step.name}
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def _kept(content: Mapping[str, Any], index: int) -> list[str]:
    """The tags of a cell that change how it is executed, under *Run All* too."""
    tags = (content["cells"][index].get("metadata") or {}).get("tags") or []
    return [tag for tag in tags if tag in ("raises-exception", "skip-execution")]


def _inputs(cell_id: str, references: Mapping[str, str]) -> list[dict[str, Any]]:
    if not references:
        return []
    arguments = "".join(f"    {name}={said!r},\n" for name, said in references.items())
    source = (
        "import jupyterlab_pipelines.kernel.runtime as _pipelines\n\n"
        f"_pipelines.load(\n{arguments})\ndel _pipelines"
    )
    return [_code(cell_id, source, ["injected-inputs"])]


def _definitions(cell_id: str, definitions: tuple[Definition, ...]) -> list[dict[str, Any]]:
    if not definitions:
        return []
    first = [one.source for one in definitions if one.source.startswith("from __future__ ")]
    others = [one.source for one in definitions if one.source not in first]
    source = "\n\n".join([*first, *others])
    return [_code(cell_id, source, ["injected-definitions"])]


def _code(cell_id: str, source: str, tags: list[str], **ours: Any) -> dict[str, Any]:
    metadata: dict[str, Any] = {"tags": tags}
    if ours:
        metadata[METADATA] = ours
    else:
        metadata["jupyter"] = {"source_hidden": True}
    return {
        "cell_type": "code",
        "id": cell_id,
        "metadata": metadata,
        "source": source,
        "execution_count": None,
        "outputs": [],
    }


def cell_index_of(cell: Mapping[str, Any]) -> int | None:
    """Position in the source notebook of a step notebook's cell, None for an injected one."""
    index = (cell.get("metadata") or {}).get(METADATA, {}).get("cell_index")
    return index if isinstance(index, int) else None


def is_step_cell(cell: Mapping[str, Any]) -> bool:
    """Whether a step notebook's cell is one of the step's own."""
    return "step" in (cell.get("metadata") or {}).get(METADATA, {})


def with_outputs(
    pipeline: Pipeline, content: Mapping[str, Any], executed: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """The source notebook with the outputs of its steps in every cell; ids and metadata are kept.

    Cells that were not executed have no outputs. Execution counts are those of *Run All*.

    Parameters
    ----------
    executed
        By step name, its executed step notebook.
    """
    result = copy.deepcopy(dict(content))
    outputs: dict[int, list[Any]] = {}
    displays = _Displays()
    preamble = {
        cell.index: normal_form(cell) for step in pipeline.steps for cell in pipeline.preamble_of(step)
    }
    for step in pipeline.steps:
        notebook = executed.get(step.name)
        if notebook is None:
            continue
        own = [cell for cell in notebook["cells"] if is_step_cell(cell)]
        # By position among the cells that hold code: a reused execution may come from another
        # version of the notebook, in which cells stood elsewhere or comment cells were missing.
        theirs = [cell for cell in own if _holds_code(cell)]
        ours = [index for index in step.cells if has_code(pipeline.cells[index])]
        for index, cell in zip(ours, theirs, strict=False):
            outputs[index] = copy.deepcopy(cell.get("outputs", []))
        displays.add(
            step, notebook, {id(cell): outputs[index] for index, cell in zip(ours, theirs, strict=False)}
        )
        shown = [
            (normal_form(Cell(0, None, CellKind.SETUP, source_of(cell))), cell.get("outputs", []))
            for cell in notebook["cells"]
            if cell_index_of(cell) is not None and not is_step_cell(cell)
        ]
        for given in pipeline.preamble_of(step):
            same = next((entry for entry in shown if entry[0] == preamble[given.index]), None)
            if same is not None:
                shown.remove(same)
                outputs.setdefault(given.index, copy.deepcopy(same[1]))
    displays.update()
    count = 0
    for index, cell in enumerate(result["cells"]):
        if cell.get("cell_type") != "code":
            continue
        cell["outputs"] = outputs.get(index, [])
        cell["execution_count"] = None
        if index in outputs and pipeline.cells[index].source.strip():
            count += 1
            cell["execution_count"] = count
        for output in cell["outputs"]:
            if output.get("output_type") == "execute_result":
                output["execution_count"] = cell["execution_count"]
    return result


class _Displays:
    """What steps have shown under a `display_id`: the last of it shows in all places of that id."""

    def __init__(self) -> None:
        self._steps: list[tuple[int, Mapping[str, Any], list[list[Any] | None]]] = []

    def add(self, step: Step, notebook: Mapping[str, Any], outputs: Mapping[int, list[Any]]) -> None:
        """Note a step's; `outputs` has, by the `id` of a cell of its notebook, where its outputs go."""
        shown = notebook["metadata"].get(METADATA, {}).get("displays")
        if shown:
            self._steps.append((step.cells[0], shown, [outputs.get(id(cell)) for cell in notebook["cells"]]))

    def update(self) -> None:
        last: dict[str, Any] = {}
        for _, displays, _ in sorted(self._steps, key=lambda entry: entry[0]):
            last |= displays
        for _, displays, outputs in self._steps:
            for display_id, display in displays.items():
                for cell, number in display["places"]:
                    place = outputs[cell]
                    if place is not None and number < len(place):
                        place[number]["data"] = copy.deepcopy(last[display_id]["data"])
                        place[number]["metadata"] = copy.deepcopy(last[display_id]["metadata"])


def _holds_code(cell: Mapping[str, Any]) -> bool:
    return bool((cell.get("metadata") or {}).get(METADATA, {}).get("has_code", True))


def shorten_texts(content: dict[str, Any], longest: int) -> None:
    """Take out the middle of printed texts of more than `longest` characters: nobody reads megabytes on a page."""
    for cell in content["cells"]:
        for output in cell.get("outputs", []):
            if output["output_type"] == "stream":
                output["text"] = _shortened(output["text"], longest, "the log has all of it")
            elif "text/plain" in output.get("data", {}):
                output["data"]["text/plain"] = _shortened(
                    output["data"]["text/plain"], longest, "it is too long to be shown"
                )


def _shortened(text: str | list[str], longest: int, why: str) -> str:
    whole = text if isinstance(text, str) else "".join(text)
    if len(whole) <= longest:
        return whole
    # Whole lines, where there are any.
    half = longest // 2
    head, tail = whole[:half], whole[len(whole) - half :]
    head = head[: head.rfind("\n") + 1] or head
    tail = tail[tail.find("\n") + 1 :] or tail
    left_out = len(whole) - len(head) - len(tail)
    return f"{head}\n… {left_out:,} characters are left out here: {why} …\n\n{tail}"
