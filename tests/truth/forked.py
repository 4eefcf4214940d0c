"""Executes cells in forked processes: thousands of notebooks in the time that kernels take for a hundred.

`run_all` is a second oracle beside `tests.oracle`, for notebooks whose cells only print: one fresh process
executes all cells in order. `without_kernels` lets a pipeline run execute its steps likewise; all else is
the product's own: flow, planner, runner, store, and the runtime that watches the step in its process.
"""

from __future__ import annotations

import contextlib
import io
import json
import multiprocessing
import os
import sys
import time
import traceback
import types
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

from jupyterlab_pipelines.execution import step as step_module
from jupyterlab_pipelines.execution.step import StepJob, StepOutcome
from jupyterlab_pipelines.notebook.assemble import is_step_cell

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(
    ["numpy", "pandas", "cloudpickle", "jupyterlab_pipelines.materializers.canonical", "tests.truth.forked"]
)
SECONDS = 120


def run_all(notebook: Mapping[str, Any], folder: Path) -> list[str] | str:
    """What each cell of the notebook prints in one process; the error if one raises."""
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return _in_a_process(_all_cells, [cell["source"] for cell in cells], str(folder))


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
    notebook = step_module._notebook(job)
    cells: list[tuple[str, bool]] = []
    for cell in notebook["cells"]:
        cells.append((cell["source"], is_step_cell(cell)))
        if "parameters" in cell["metadata"]["tags"]:
            values = step_module.used_parameters(job)
            cells.append(("\n".join(f"{name} = {value!r}" for name, value in values.items()), False))
    texts, report, error = _in_a_process(
        _step_cells, cells, step_module._spec(job), str(job.store.path), str(job.folder)
    )
    shown = iter(texts)
    for cell in notebook["cells"]:
        text = next(shown, "")
        cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": text}] if text else []
        if "parameters" in cell["metadata"]["tags"]:
            next(shown, "")
    executed = job.store.artifacts.add_bytes(json.dumps(notebook, sort_keys=True).encode())
    seconds = time.perf_counter() - started
    if report is None:
        name = job.step.name
        document = {
            "code": "cell_failed",
            "step": name,
            "cell_index": None,
            "message": "",
            "traceback": error,
        }
        return StepOutcome(seconds, executed=executed, error=document)
    return step_module.outcome_of(job, report, seconds, executed=executed)


# -- in the process ------------------------------------------------------------------------------


def _all_cells(sources: Sequence[str], folder: str) -> list[str] | str:
    namespace = _fresh_main(folder)
    texts = []
    for number, source in enumerate(sources):
        try:
            texts.append(_printed(source, namespace, number))
        except Exception as error:
            return f"cell {number}: {type(error).__name__}: {error}"
    return texts


def _step_cells(
    cells: Sequence[tuple[str, bool]], spec: Mapping[str, Any], store: str, folder: str
) -> tuple[list[str], dict[str, Any] | None, str]:
    os.environ["JUPYTER_PIPELINES_STORE"] = store
    namespace = _fresh_main(folder)
    from jupyterlab_pipelines.kernel import runtime

    texts: list[str] = []
    has_begun = False
    try:
        for number, (source, is_own) in enumerate(cells):
            if is_own and not has_begun:
                runtime.begin(dict(spec))
                has_begun = True
            texts.append(_printed(source, namespace, number))
        return texts, runtime.finish(), ""
    except Exception:
        return texts, None, traceback.format_exc()


def _fresh_main(folder: str) -> dict[str, Any]:
    import random

    import numpy as np

    os.chdir(folder)
    main = types.ModuleType("__main__")
    sys.modules["__main__"] = main
    # Forked processes would all draw the same numbers; kernels do not.
    random.seed()
    np.random.seed()
    return vars(main)


def _printed(source: str, namespace: dict[str, Any], number: int) -> str:
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        exec(compile(source, f"<cell {number}>", "exec"), namespace)
    return text.getvalue()


def _in_a_process(function: Any, *arguments: Any) -> Any:
    here, there = _processes.Pipe(duplex=False)
    process = _processes.Process(target=_answer, args=(there, function, arguments), daemon=True)
    process.start()
    there.close()
    try:
        if not here.poll(SECONDS):
            raise TimeoutError(f"{function.__name__} took longer than {SECONDS} s")
        return here.recv()
    finally:
        here.close()
        process.join(1)
        if process.is_alive():
            process.kill()
            process.join()


def _answer(connection: Any, function: Any, arguments: Sequence[Any]) -> None:
    connection.send(function(*arguments))
    connection.close()
    os._exit(0)
