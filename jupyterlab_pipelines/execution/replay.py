"""Replays a step of a run on its stored inputs, in a scratch place, and keeps the tables that each cell leaves.

All other steps are *pinned* to what stood for them in that run, so the step starts from what it read then. The project
and its store are not changed. A step that would reach beyond the scratch place is not replayed.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from jupyterlab_pipelines.artifact import FILE
from jupyterlab_pipelines.errors import NotFoundError, PipelinesError
from jupyterlab_pipelines.execution.runner import Runner, close_servers
from jupyterlab_pipelines.execution.scratch import Scratch, scratch_folder, terminated_as_interrupted
from jupyterlab_pipelines.files import file_digest
from jupyterlab_pipelines.kernel.runtime.probing import RECORD
from jupyterlab_pipelines.notebook.flow import read_pipeline, step_fingerprints
from jupyterlab_pipelines.notebook.parse import Outline, read_outline
from jupyterlab_pipelines.pipeline import FileEffects, Pipeline, Role, Step
from jupyterlab_pipelines.planner import Planner
from jupyterlab_pipelines.run import Execution
from jupyterlab_pipelines.store import Store
from jupyterlab_pipelines.store.runs import new_run_id


@dataclass(frozen=True, slots=True)
class Table:
    """A table that a cell has left: as the store would have it, and where its file is."""

    digest: str
    materializer: str
    path: Path


@dataclass(frozen=True, slots=True)
class State:
    """The tables that there are after a cell, by name; before the first cell, `cell_index` is None."""

    cell_index: int | None
    tables: Mapping[str, Table]


@dataclass(frozen=True, slots=True)
class Replay:
    """What came of a replay.

    `states` has one for before the first cell and one for each cell that came to its end. `problem` says why the step
    was not replayed, or not to its end; `warnings` what may make the replay differ from the run.
    """

    run_id: str
    pipeline: Pipeline
    step: str
    states: tuple[State, ...] = ()
    problem: str | None = None
    warnings: tuple[str, ...] = ()


@dataclass
class Replayer:
    """Replays steps; a context manager that holds the scratch place, in which the tables lie.

    Parameters
    ----------
    root
        The project's folder.
    """

    store: Store
    root: Path
    _servers: dict[str, Any] = field(default_factory=dict)
    _ending: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def __enter__(self) -> Replayer:
        self._ending.enter_context(terminated_as_interrupted())
        self._base = self._ending.enter_context(scratch_folder())
        # The working directory of the fork servers must not go before they do.
        self._ending.callback(close_servers, self._servers)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.close()

    def replay(self, run_id: str, step: str) -> Replay:
        """Execute the cells of a step of a run again.

        Raises
        ------
        NotFoundError
            There is no such run or step, or its notebook is not in the store any more.
        """
        row = self.store.runs.row(run_id)
        snapshot = self.store.artifacts.read_object(row["snapshot"])
        if snapshot is None:
            raise NotFoundError(
                "notebook_gone", f"The notebook of run {run_id} is not in the store any more."
            )
        content = json.loads(snapshot)
        outline = read_outline(content)
        effects = self.store.executions.effects(step_fingerprints(outline))
        pipeline = read_pipeline(outline, effects)
        pipeline.require_steps([step])
        unit = pipeline[step].unit
        group = [pipeline[name] for name in (unit.steps if unit else (step,))]
        files = _together(effects[one.name].files for one in group if one.name in effects)
        executions = self.store.executions_of(run_id)
        notebook = self.root / row["notebook"]
        problem = self._obstacle(pipeline, group, files, executions)
        if problem is not None:
            return Replay(run_id, pipeline, step, problem=problem)
        warnings = tuple(_warnings(pipeline[step], executions.get(step), notebook.parent))
        states, problem = self._execute(run_id, outline, content, notebook, group, step, executions, files)
        return Replay(run_id, pipeline, step, states, problem, warnings)

    def _obstacle(
        self,
        pipeline: Pipeline,
        group: Sequence[Step],
        files: FileEffects,
        executions: Mapping[str, Execution],
    ) -> str | None:
        """Why the steps must not, or cannot, be executed once more; None if they can."""
        if deployers := [step.name for step in group if step.role is Role.DEPLOYER]:
            return f"`{deployers[0]}` deploys, and would do so again"
        if outside := sorted(path for path in files.writes if os.path.isabs(path)):
            return f"it writes {outside[0]}, outside the project"
        sources = [pipeline.cells[index].source for step in group for index in step.cells]
        if files.writes and any(str(self.root) in source for source in sources):
            return "it writes files, and names the project's folder in its code"
        names = {step.name for step in group}
        for step in group:
            for given in step.needs.inputs:
                maker = executions.get(given.step)
                artifact = maker.outputs.get(given.name) if maker else None
                if given.step in names or artifact is None or not artifact.stored:
                    continue
                if problem := self.store.integrity.problem(artifact):
                    return f"its input `{given.name}` {problem}"
        return None

    def _execute(
        self,
        run_id: str,
        outline: Outline,
        content: Mapping[str, Any],
        notebook: Path,
        group: Sequence[Step],
        step: str,
        executions: Mapping[str, Execution],
        files: FileEffects,
    ) -> tuple[tuple[State, ...], str | None]:
        row = self.store.runs.row(run_id)
        names = {one.name for one in group}
        scratch = Scratch(self._base, self.store, self.root, notebook.parent)
        scratch.fill([executions[name] for name in names if name in executions], files)
        for execution in executions.values():
            scratch.refer(execution)
        probe = scratch.store.path / "probe"
        parameters = json.loads(row["parameters"])
        again = new_run_id()
        scratch.store.runs.create(
            again, notebook=row["notebook"], parameters=parameters, options={}, snapshot="", output=None
        )
        runner = Runner(
            store=scratch.store,
            planner=Planner(
                scratch.store,
                row["notebook"],
                parameters,
                json.loads(row["options"])["kernel"],
                scratch.folder,
            ),
            run_id=again,
            outline=outline,
            content=content,
            folder=scratch.folder,
            targets=names,
            force=names,
            jobs=1,
            pinned={name: found for name, found in executions.items() if name not in names},
            servers=self._servers,
            probe=(step, probe),
        )
        try:
            runner.run()
        except PipelinesError as error:
            return (), error.message
        if runner.was_asked_to_end:
            raise KeyboardInterrupt
        result = runner.results.get(step)
        problem = None
        if result is None or result.execution is None:
            told = (result and result.error) or json.loads(scratch.store.runs.row(again)["error"] or "{}")
            problem = f"it failed in the scratch place: {told.get('message', 'it did not come to its turn')}"
        return _states(probe), problem


def _together(effects: Iterable[FileEffects]) -> FileEffects:
    found = list(effects)
    return FileEffects(
        reads=frozenset().union(*(each.reads for each in found)),
        lists=frozenset().union(*(each.lists for each in found)),
        writes=frozenset().union(*(each.writes for each in found)),
        appends=frozenset().union(*(each.appends for each in found)),
    )


def _warnings(step: Step, execution: Execution | None, folder: Path) -> list[str]:
    """What may make the step give something else than it gave."""
    warnings = []
    if execution is not None:
        for path, digest in execution.trace.get("files", {}).items():
            if digest is not None and file_digest(str(folder / path)) != digest:
                warnings.append(f"{path}, which step `{step.name}` reads, has changed since")
        if "network" in execution.trace.get("doubts", {}):
            warnings.append(f"step `{step.name}` reads the network, which may give something else now")
        if written := sorted(name.removeprefix(FILE) for name in execution.outputs if name.startswith(FILE)):
            warnings.append(f"step `{step.name}` writes {written[0]}: the replay wrote a copy of it")
    return warnings


def _states(folder: Path) -> tuple[State, ...]:
    """What the runtime has kept; of a step that was executed more than once, the last time."""
    try:
        lines = (folder / RECORD).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return ()
    records = [json.loads(line) for line in lines]
    begun = max(index for index, record in enumerate(records) if record["cell"] is None)
    return tuple(
        State(
            record["cell"],
            {
                name: Table(one["digest"], one["materializer"], folder / one["digest"].replace(":", "-"))
                for name, one in record["tables"].items()
            },
        )
        for record in records[begun:]
    )
