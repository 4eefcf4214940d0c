"""Step notebooks of an export: one `parameters` cell, one assignment a line, and the step.

They are what notebook engines run, and what they leave is evidence: the code of the step, and all that it printed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from jupyterlab_pipelines.export.base import Export, ExportedFile, ExportedStep, literal
from jupyterlab_pipelines.export.engines import (
    WIDTH,
    call,
    default,
    free_names,
    mapping,
    used_parameters,
    words,
)
from jupyterlab_pipelines.pipeline import Parameter

TAKEN = words("artifacts os print run run_folder run_task source")
"""Names that the notebooks have for themselves."""


def notebook_path(export: Export, step: ExportedStep) -> str:
    """Below the export, as ``notebooks/02_train.ipynb``."""
    width = max(2, len(str(len(export.steps))))
    return f"notebooks/{export.steps.index(step) + 1:0{width}}_{step.name}.ipynb"


def variables(export: Export) -> dict[str, str]:
    """By parameter, the variable of the notebooks: none that they need for themselves."""
    return free_names((each.name for each in export.parameters), TAKEN)


def gaps_of_notebooks(export: Export) -> Iterator[str]:
    for name, variable in variables(export).items():
        if name != variable:
            yield f"The parameter `{name}` is `{variable}` in the notebooks."


def step_notebooks(
    export: Export,
    *,
    run: str,
    value: Callable[[Parameter], str] = default,
    prelude: str = "",
    retries: str = "",
) -> list[ExportedFile]:
    """A notebook for each step.

    Parameters
    ----------
    run
        The parameter `artifacts`, the folder of a run, as Python.
    value
        What is assigned to a parameter, as Python.
    prelude
        Lines before these assignments.
    retries
        Argument of `run_task` by which the notebook repeats a failed step itself, because its engine does not.
    """
    return [
        ExportedFile.text(notebook_path(export, step), _notebook(export, step, run, value, prelude, retries))
        for step in export.steps
    ]


def _notebook(
    export: Export,
    step: ExportedStep,
    run: str,
    value: Callable[[Parameter], str],
    prelude: str,
    retries: str,
) -> str:
    header = "\n".join(f"<!-- {line} -->" for line in export.origin.lines())
    assignments = [prelude + _assignment("artifacts", run, "folder or URL of the run")]
    taken = used_parameters(export, step)
    names = variables(export)
    for each in taken:
        assignments.append(_assignment(names[each.name], value(each), each.comment))
    arguments = [literal(step.name), "artifacts=artifacts"]
    if taken:
        arguments.append(f"parameters={mapping({each.name: names[each.name] for each in taken})}")
    if step.timeout_seconds is not None:
        arguments.append(f"timeout_seconds={step.timeout_seconds:g}")
    if retries and step.retries:
        arguments.append(f"{retries}={step.retries}")
    cells = [
        _cell("markdown", "about", f"{header}\n\n# {step.title}\n\n{step.text}".strip()),
        _cell("code", "parameters", "\n".join(assignments), tags=["parameters"]),
        _cell(
            "code",
            "run",
            f"from {export.name}.task import run_task, source\n\nprint(source({literal(step.name)}))",
        ),
        _cell(
            "code", "step", call("run_task(", arguments), tags=[f"role:{step.role}"] if step.role else None
        ),
    ]
    document = {
        "cells": cells,
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(document, indent=1, ensure_ascii=False)


def _assignment(name: str, value: str, comment: str) -> str:
    """A line, with its comment above it where both are too long for one."""
    line = f"{name} = {value}"
    if not comment:
        return line
    return f"{line}  # {comment}" if len(line) + len(comment) < WIDTH - 3 else f"# {comment}\n{line}"


def _cell(kind: str, identity: str, source: str, tags: list[str] | None = None) -> Mapping[str, Any]:
    cell: dict[str, Any] = {
        "cell_type": kind,
        "id": identity,
        "metadata": {"tags": tags} if tags else {},
        "source": source.splitlines(keepends=True),
    }
    return cell | ({"execution_count": None, "outputs": []} if kind == "code" else {})
