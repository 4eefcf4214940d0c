"""Executes cells in forked processes: thousands of notebooks in the time that kernels take for a hundred.

`run_all` is a second oracle beside `tests.oracle`: one fresh process with IPython's shell executes all cells in
order. `without_kernels` lets a pipeline run execute its steps likewise; all else is the product's own: flow,
planner, runner, store, and the runtime that watches the step in its process.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import sys
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

from jupyterlab_pipelines.environment import find_kernelspec, kernel_environment
from jupyterlab_pipelines.execution import step as step_module
from jupyterlab_pipelines.execution.shared import LiveKernel
from jupyterlab_pipelines.execution.step import StepJob, StepOutcome
from jupyterlab_pipelines.notebook.assemble import is_step_cell
from jupyterlab_pipelines.pipeline import Effects
from tests.truth.shell import Output, run_cell

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(
    [
        *("numpy", "pandas", "polars", "cloudpickle"),
        *("jupyterlab_pipelines.materializers.canonical", "tests.truth.forked", "tests.truth.forking"),
    ]
)
SECONDS = 120


def run_all(
    notebook: Mapping[str, Any], folder: Path, parameters: Mapping[str, Any] | None = None
) -> dict[str, Any] | str:
    """The notebook with what each cell shows in one process; the error if one raises.

    Cells tagged `skip` are not executed, because a pipeline does not execute them.
    """
    cells = []
    for number, cell in enumerate(notebook["cells"]):
        tags = cell["metadata"].get("tags", [])
        if "skip" not in tags:
            cells.append((number, cell["source"]))
        if "parameters" in tags and parameters:
            cells.append((None, _assignments(parameters)))
    answer = _in_a_process(_all_cells, cells, str(folder))
    if isinstance(answer, str):
        return answer
    shown = [{**cell, "outputs": answer.get(number, [])} for number, cell in enumerate(notebook["cells"])]
    return {**notebook, "cells": shown}


def _assignments(values: Mapping[str, Any]) -> str:
    return "\n".join(f"{name} = {value!r}" for name, value in values.items())


@contextlib.contextmanager
def without_kernels() -> Iterator[None]:
    """Within it, pipeline runs execute steps in forked processes."""
    with (
        mock.patch("jupyterlab_pipelines.execution.runner.execute_step", _execute_step),
        mock.patch("jupyterlab_pipelines.execution.runner.Runner._server", lambda *_: None),
    ):
        yield


def _execute_step(job: StepJob) -> StepOutcome:
    started = time.perf_counter()
    notebook = step_module.notebook_of(job)
    cells: list[tuple[str, bool]] = []
    for cell in notebook["cells"]:
        cells.append((cell["source"], is_step_cell(cell)))
        if "parameters" in cell["metadata"]["tags"]:
            values = {} if job.kernel else step_module.used_parameters(job)
            cells.append((_assignments(values), False))
    process = job.kernel.process if isinstance(job.kernel, _LiveProcess) else _Process()
    outputs, report, files, error = process.ask(
        _step_cells,
        cells,
        step_module.spec_of(job),
        str(job.store.path),
        str(job.folder),
        job.kernel is not None,
        kernel_environment(find_kernelspec(job.kernel_name), job.store.path),
    )
    shown = iter(outputs)
    for cell in notebook["cells"]:
        cell["outputs"] = next(shown, [])
        if "parameters" in cell["metadata"]["tags"]:
            next(shown, [])
    executed = job.store.artifacts.add_bytes(json.dumps(notebook, sort_keys=True).encode())
    seconds = time.perf_counter() - started
    if report is None:
        document = {
            "code": "cell_failed",
            "step": job.step.name,
            "cell_index": None,
            "message": "",
            "traceback": error,
        }
        process.close()
        seen = Effects(files=step_module._file_effects(files))
        return StepOutcome(seconds, effects=seen, executed=executed, error=document)
    outcome = step_module.outcome_of(job, report, seconds, executed=executed)
    if not step_module.may_go_on(job.step, report):
        process.close()
        return outcome
    kernel = job.kernel or _LiveProcess(process, step_module.used_parameters(job))
    step_module.note_in_kernel(kernel, job, outcome)
    return replace(outcome, kernel=kernel)


class _LiveProcess(LiveKernel):
    """A process in which the next step of the unit goes on."""

    def __init__(self, process: _Process, parameters: Mapping[str, Any]) -> None:
        super().__init__(None, parameters)  # type: ignore[arg-type]
        self.process = process

    def close(self) -> None:
        self.process.close()


# -- in the process ------------------------------------------------------------------------------


def _all_cells(cells: Sequence[tuple[int | None, str]], folder: str) -> dict[int | None, list[Output]] | str:
    _begin(folder)
    shown = {}
    for number, source in cells:
        shown[number], error = run_cell(source)
        if error is not None:
            return f"cell {number}: {type(error).__name__}: {error}"
    return shown


def _step_cells(
    cells: Sequence[tuple[str, bool]],
    spec: Mapping[str, Any],
    store: str,
    folder: str,
    goes_on: bool,
    environment: Mapping[str, str],
) -> tuple[list[list[Output]], dict[str, Any] | None, dict[str, Any], str]:
    if not goes_on:
        os.environ.clear()
        os.environ.update(environment)
    from jupyterlab_pipelines.kernel import runtime

    if not goes_on:
        _begin(folder)
    runtime.record()
    outputs: list[list[Output]] = []
    has_begun = False
    try:
        for source, is_own in cells:
            if is_own and not has_begun:
                runtime.begin(dict(spec))
                has_begun = True
            shown, error = run_cell(source)
            outputs.append(shown)
            if error is not None:
                raise error
        return outputs, runtime.finish(), {}, ""
    except Exception:
        return outputs, None, runtime.files(), traceback.format_exc()


def _begin(folder: str) -> None:
    """What differs from process to process, and is as in a kernel."""
    import random

    import numpy as np

    from tests.truth import shell

    os.chdir(folder)
    sys.path.insert(0, folder)
    sys.dont_write_bytecode = True
    shell.start()
    # Forked processes would all draw the same numbers; kernels do not.
    random.seed()
    np.random.seed()


def _in_a_process(function: Any, *arguments: Any) -> Any:
    process = _Process()
    try:
        return process.ask(function, *arguments)
    finally:
        process.close()


class _Process:
    """A forked process that calls functions for us."""

    def __init__(self) -> None:
        self._here, there = _processes.Pipe()
        self._process = _processes.Process(target=_answer, args=(there,), daemon=True)
        self._process.start()
        there.close()

    def ask(self, function: Any, *arguments: Any) -> Any:
        self._here.send((function, arguments))
        if not self._here.poll(SECONDS):
            self.close()
            raise TimeoutError(f"{function.__name__} took longer than {SECONDS} s")
        return self._here.recv()

    def close(self) -> None:
        self._here.close()
        self._process.join(1)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def _answer(connection: Any) -> None:
    with contextlib.suppress(EOFError):
        while True:
            function, arguments = connection.recv()
            connection.send(function(*arguments))
    os._exit(0)
