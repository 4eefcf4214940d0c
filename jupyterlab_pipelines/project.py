"""The waist: every use case once. The command line, the server and the magics open doors to it.

A project is a root folder with notebooks and one store. All answers are plain JSON documents; what
they hold is written down in ``docs/reference/json.md``.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, Required, TypedDict, Unpack

from jupyterlab_pipelines.artifact import KERNEL, Artifact, is_state
from jupyterlab_pipelines.environment import environment_with_us, find_kernelspec
from jupyterlab_pipelines.errors import NotebookError, NotFoundError, PipelinesError, UsageError
from jupyterlab_pipelines.logged import read_log
from jupyterlab_pipelines.notebook.assemble import METADATA
from jupyterlab_pipelines.notebook.flow import read_pipeline, step_fingerprints
from jupyterlab_pipelines.notebook.parse import (
    Outline,
    as_version_4,
    read_notebook,
    read_outline,
    require_python,
    snapshot_of,
)
from jupyterlab_pipelines.pipeline import RESOURCES, CellKind, Pipeline, Step
from jupyterlab_pipelines.plan import Plan, PlannedStep, doubts_of
from jupyterlab_pipelines.planner import Planner, TypedText, check_parameters, make_plan
from jupyterlab_pipelines.run import Execution, Status
from jupyterlab_pipelines.store import Store, find_root, find_store
from jupyterlab_pipelines.store.integrity import DAMAGED
from jupyterlab_pipelines.store.logs import LogPart, read_part
from jupyterlab_pipelines.store.runs import new_run_id
from jupyterlab_pipelines.writing import write_whole

if TYPE_CHECKING:
    import sqlite3

    from jupyterlab_pipelines.execution.kernels import Wanted
    from jupyterlab_pipelines.exports import Exports
    from jupyterlab_pipelines.recall import Recalled
    from jupyterlab_pipelines.store.locks import FileLock
    from jupyterlab_pipelines.tables import Tables

Document = dict[str, Any]
EXECUTORS = ("local",)


class RunnerHost(Protocol):
    """A warm process that runners are forked from; see `runner_host`."""

    def run(self, *, root: Path, store: Path, run_id: str, lock: int, log: int) -> bool: ...


class RunRequest(TypedDict, total=False):
    """What may be said of a run that is wanted.

    Attributes
    ----------
    content
        The notebook as it is to be run, if not as its file has it.
    parameters
        Values that replace those of the parameters cell.
    steps
        Run only these and what they need.
    force
        Run these even if nothing changed.
    jobs
        How many steps may run at the same time; default: as many as there are cores.
    executor
        Where steps run; one of `EXECUTORS`.
    kernel
        Kernelspec to use in place of the notebook's own.
    sweep
        Id of the sweep that the run belongs to.
    environment
        E.g. ``serving``, where the schema file has environments.
    """

    content: Document | None
    parameters: Mapping[str, Any] | None
    steps: Collection[str]
    force: Collection[str]
    jobs: int | None
    executor: str
    kernel: str | None
    sweep: str | None
    environment: str | None


class HistoryRequest(TypedDict, total=False):
    """What may be said of a page of the history; see `jupyterlab_pipelines.history.list_runs`."""

    limit: Required[int]
    before: str | None
    words: str
    status: Collection[str]
    tag: str | None
    sweep: str | None
    metric: str | None
    descending: bool


class Project:
    """A root folder with notebooks and one store.

    Parameters
    ----------
    root
        The project's folder; notebooks are known in the store by their path below it.
    store_path
        Where artifacts and runs are kept. Nothing is written there before the first run.
    """

    def __init__(self, root: Path, store_path: Path) -> None:
        self.root = root
        self.store_path = store_path
        self.store = Store(store_path)

    @classmethod
    def open(cls, path: Path, store: Path | None = None) -> Project:
        """The project of a notebook or a folder. `store`: keep things there, whatever else is said."""
        root = find_root(Path(os.path.abspath(path)))
        return cls(root, find_store(root, store))

    @property
    def tables(self) -> Tables:
        """What is known and expected of the tables that runs have left."""
        from jupyterlab_pipelines.tables import Tables

        return Tables(self)

    @property
    def exports(self) -> Exports:
        """What its notebooks become elsewhere."""
        from jupyterlab_pipelines.exports import Exports

        return Exports(self)

    # -- looking at a notebook ------------------------------------------------------------------

    def inspect(
        self, notebook: Path, *, content: Document | None = None, parameters: Mapping[str, Any] | None = None
    ) -> Document:
        """What the panel shows of a notebook: its steps, and what a run would do now.

        A notebook that is no pipeline is an answer, too: ``state`` is then ``untagged`` or ``error``.
        """
        document: Document = {
            "path": self.key_of(notebook),
            "state": "ok",
            "error": None,
            "setup_cells": [],
            "parameter_cells": [],
            "skipped_cells": [],
            "parameters": [],
            "steps": [],
            "edges": [],
            "warnings": [],
            "expected_duration_seconds": None,
            "run_id": None,
        }
        try:
            document["run_id"] = self._active_run_of(notebook)
            pipeline, plan = self._plan(notebook, content, parameters or {}, (), (), None)
            last = self._last_of_steps(notebook, plan)
        except NotebookError as error:
            state = "untagged" if error.code == "no_steps" else "error"
            return document | {"state": state, "error": error.to_document()["error"]}
        except PipelinesError as error:
            return document | {"state": "error", "error": error.to_document()["error"]}
        return document | {
            "setup_cells": list(pipeline.cells_of(CellKind.SETUP)),
            "parameter_cells": list(pipeline.cells_of(CellKind.PARAMETERS)),
            "skipped_cells": list(pipeline.cells_of(CellKind.SKIP)),
            "parameters": [parameter.to_json() for parameter in pipeline.parameters],
            "steps": [
                _step_document(planned) | {"last": _last_document(last.get(planned.step.name))}
                for planned in plan.steps
            ],
            "edges": [
                {
                    "source": edge.source,
                    "target": edge.target,
                    "names": [name for name in edge.names if not is_state(name)],
                    "state": [name for name in edge.names if is_state(name) and name != KERNEL],
                    "explicit": edge.explicit,
                    "learned": edge.learned,
                    "kernel": KERNEL in edge.names,
                }
                for edge in pipeline.edges
            ],
            "warnings": [warning.to_json() for warning in pipeline.warnings],
            "expected_duration_seconds": plan.expected_seconds(_jobs(None)),
        }

    def suggest(self, notebook: Path, *, content: Document | None = None) -> Document:
        """A cut of a notebook without steps into steps, see `jupyterlab_pipelines.notebook.suggest`.

        Raises
        ------
        NotebookError
            It has steps already, or nothing that could be one.
        """
        from jupyterlab_pipelines.notebook.suggest import suggest_steps

        return {"path": self.key_of(notebook), **suggest_steps(self.content_of(notebook, content))}

    def _last_of_steps(self, notebook: Path, plan: Plan) -> dict[str, sqlite3.Row]:
        """By step, the run whose result stands; of a step that is to run, its newest run.

        The newest run of all may have had other parameters.
        """
        key = self.key_of(notebook)
        last = self.store.runs.last_of_steps(key)
        reused = {
            planned.step.name: planned.execution_id
            for planned in plan.steps
            if planned.execution_id is not None
        }
        found = self.store.runs.last_with(key, reused.values())
        return last | {name: found[each] for name, each in reused.items() if each in found}

    def plan(
        self,
        notebook: Path,
        *,
        content: Document | None = None,
        parameters: Mapping[str, Any] | None = None,
        steps: Collection[str] = (),
        force: Collection[str] = (),
        kernel: str | None = None,
    ) -> Document:
        """Decision and reasons per step; runs nothing.

        Raises
        ------
        UsageError
            The notebook is no pipeline, or something that it does not have was asked for.
        """
        pipeline, plan = self._plan(notebook, content, parameters or {}, steps, force, kernel)
        return {
            "notebook": self.key_of(notebook),
            "parameters": plan.parameters,
            "steps": [
                _step_document(planned) | {"verdicts": self._verdicts(notebook, planned)}
                for planned in plan.steps
            ],
            "warnings": [warning.to_json() for warning in pipeline.warnings],
            "expected_duration_seconds": plan.expected_seconds(_jobs(None)),
        }

    def _verdicts(self, notebook: Path, planned: PlannedStep) -> list[Document]:
        """What is known of the step's outputs: whether and how they can be handed on."""
        executions = self.store.executions
        execution = None
        if planned.execution_id is not None:
            execution = executions.get(planned.execution_id)
        execution = execution or executions.last_of(self.key_of(notebook), planned.step.name)
        return execution.verdicts() if execution else []

    def verify(
        self,
        notebook: Path,
        *,
        content: Document | None = None,
        parameters: Mapping[str, Any] | None = None,
        steps: Collection[str] = (),
        kernel: str | None = None,
        on_event: Callable[[Document], None] | None = None,
    ) -> Document:
        """Execute reused steps again in a scratch place; which of them do not give the same values, and why.

        Each step starts from the stored inputs. Nothing of the project or its store is changed.

        Parameters
        ----------
        steps
            Only these; none: all.
        on_event
            Called with the document of each step as soon as it is verified.

        Raises
        ------
        UsageError
            The notebook is no pipeline, or has no such step.
        """
        from jupyterlab_pipelines.execution.verify import Verifier

        content = self.content_of(notebook, content)
        outline, pipeline = self.pipeline_of(content)
        pipeline.require_steps(steps)
        planner = self._planner(notebook, outline, check_parameters(pipeline, parameters or {}), kernel)
        tell = on_event or (lambda event: None)
        verifier = Verifier(
            self.store,
            planner,
            make_plan(planner, pipeline),
            outline,
            content,
            self._folder_root(notebook),
            lambda verdict: tell(verdict.to_json()),
        )
        verdicts = verifier.verify(steps)
        is_equal = all(verdict.status in ("equal", "not_verified") for verdict in verdicts)
        return {
            "notebook": self.key_of(notebook),
            "parameters": dict(planner.parameters),
            "status": "equal" if is_equal else "different",
            "steps": [verdict.to_json() for verdict in verdicts],
        }

    def _planner(
        self, notebook: Path, outline: Outline, parameters: Mapping[str, Any], kernel: str | None
    ) -> Planner:
        return Planner(
            self.store, self.key_of(notebook), parameters, kernel or outline.kernel, self.folder_of(notebook)
        )

    def _folder_root(self, notebook: Path) -> Path:
        """The project's folder as kernels see it, which look for it from the notebook's."""
        return find_root(self.folder_of(notebook))

    def _plan(
        self,
        notebook: Path,
        content: Document | None,
        parameters: Mapping[str, Any],
        steps: Collection[str],
        force: Collection[str],
        kernel: str | None,
    ) -> tuple[Pipeline, Plan]:
        content = self.content_of(notebook, content)
        outline, pipeline = self.pipeline_of(content)
        parameters = check_parameters(pipeline, parameters)
        planner = self._planner(notebook, outline, parameters, kernel)
        return pipeline, make_plan(planner, pipeline, targets=steps, force=force)

    def folder_of(self, notebook: Path) -> Path:
        return (self.root / self.key_of(notebook)).parent

    def content_of(self, notebook: Path, content: Document | None) -> Document:
        return read_notebook(notebook) if content is None else as_version_4(content, notebook.name)

    def pipeline_of(self, content: Document) -> tuple[Outline, Pipeline]:
        outline = read_outline(content)
        require_python(outline)
        return outline, read_pipeline(outline, self.store.executions.effects(step_fingerprints(outline)))

    # -- running --------------------------------------------------------------------------------

    def run(
        self,
        notebook: Path,
        *,
        output: Path | None = None,
        on_event: Callable[[Document], None] | None = None,
        **request: Unpack[RunRequest],
    ) -> Document:
        """Run what is not up to date, here and now; the run's document.

        Parameters
        ----------
        output
            Where to write the whole notebook with fresh outputs in every cell.
        on_event
            Called with what happens: ``plan``, ``step`` and ``run`` events.
        request
            See `RunRequest`.

        Raises
        ------
        UsageError
            Nothing was run: wrong use, or a notebook that is no pipeline.
        """
        if output is not None:
            _require_writable(output, notebook)
        run_id, lock = self._prepare(notebook, output, on_event, **request)
        try:
            self.carry_out(run_id, on_event=on_event)
        finally:
            lock.release()
        return self.run_document(run_id)

    def start(self, notebook: Path, *, host: RunnerHost | None = None, **request: Unpack[RunRequest]) -> str:
        """Start a run in a process of its own, which outlives this one; the run's id.

        Parameters
        ----------
        host
            A warm process which that one may be forked from.

        Raises
        ------
        UsageError
            As `run`.
        """
        run_id, lock = self._prepare(notebook, None, None, **request)
        folder = self.store.run_folder(run_id)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with (folder / "runner.log").open("wb") as log:
                if host is None or not self._is_begun_by(host, run_id, lock, log.fileno()):
                    self._begin_runner(run_id, lock, log.fileno())
        finally:
            lock.close()
        return run_id

    def _is_begun_by(self, host: RunnerHost, run_id: str, lock: FileLock, log: int) -> bool:
        """Whether a warm process has taken over the run, and its lock with it."""
        if lock.handle is None:
            return False
        return host.run(root=self.root, store=self.store_path, run_id=run_id, lock=lock.handle, log=log)

    def _begin_runner(self, run_id: str, lock: FileLock, log: int) -> None:
        command = [sys.executable, "-m", "jupyterlab_pipelines.runner_process"]
        command += ["--root", str(self.root), "--store", str(self.store_path), "--run", run_id]
        inherited: dict[str, Any] = {}
        if os.name == "posix" and lock.handle is not None:
            # The child takes the lock over; so the run is never without an owner while it starts.
            command += ["--lock", str(lock.handle)]
            inherited = {"pass_fds": [lock.handle], "start_new_session": True}
        else:  # pragma: no cover - Windows
            lock.release()
        subprocess.Popen(
            command,
            cwd=self.root,
            env=environment_with_us(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            **inherited,
        )

    def wanted(self, notebook: Path, *, content: Document | None = None) -> Wanted | None:
        """What the kernels of a run of the notebook will be forked from; None if it is no pipeline."""
        from jupyterlab_pipelines.execution.kernels import wanted_for

        try:
            outline, pipeline = self.pipeline_of(self.content_of(notebook, content))
        except UsageError:
            return None
        return wanted_for(pipeline, outline.kernel, self.folder_of(notebook), self.store_path)

    def carry_out(self, run_id: str, *, on_event: Callable[[Document], None] | None = None) -> Status:
        """Carry out a prepared run in this process, which must hold the run's lock."""
        from jupyterlab_pipelines.execution.runner import Runner
        from jupyterlab_pipelines.quality.inspection import Inspector

        row = self.store.runs.row(run_id)
        options = json.loads(row["options"])
        content = self._stored_notebook(row["snapshot"])
        outline = read_outline(content)
        notebook = self.root / row["notebook"]
        runner = Runner(
            store=self.store,
            planner=Planner(
                self.store,
                row["notebook"],
                json.loads(row["parameters"]),
                options["kernel"],
                notebook.parent,
            ),
            run_id=run_id,
            outline=outline,
            content=content,
            folder=notebook.parent,
            targets=options["steps"],
            force=options["force"],
            jobs=options["jobs"],
            inspector=Inspector(self.store, row["notebook"], notebook, run_id, options.get("environment")),
            listener=on_event or (lambda event: None),
        )
        status = runner.run()
        if row["output"]:
            write_whole(Path(row["output"]), _notebook_file(self.run_notebook(run_id)))
        return status

    def _prepare(
        self,
        notebook: Path,
        output: Path | None,
        on_event: Callable[[Document], None] | None,
        *,
        content: Document | None = None,
        parameters: Mapping[str, Any] | None = None,
        steps: Collection[str] = (),
        force: Collection[str] = (),
        jobs: int | None = None,
        executor: str = "local",
        kernel: str | None = None,
        sweep: str | None = None,
        environment: str | None = None,
    ) -> tuple[str, FileLock]:
        """Check everything that can be wrong before a run, and note the run; its id and its lock."""
        if executor not in EXECUTORS:
            raise UsageError(
                "unknown_executor",
                f"There is no executor `{executor}`; choose one of {', '.join(EXECUTORS)}.",
            )
        if jobs is not None and jobs < 1:
            raise UsageError("bad_jobs", f"The number of jobs must be 1 or more, not {jobs}.")
        content = self.content_of(notebook, content)
        outline, pipeline = self.pipeline_of(content)
        parameters = check_parameters(pipeline, parameters or {})
        kernel = kernel or outline.kernel
        pipeline.require_steps(force)
        self._require_schemas(notebook, environment)
        chosen = pipeline.needed_for(steps)
        for name in dict.fromkeys(step.kernel or kernel for step in chosen):
            find_kernelspec(name)
        self.store.create()
        self.store.settle_interrupted()
        if on_event is not None:
            planner = self._planner(notebook, outline, parameters, kernel)
            plan = make_plan(planner, pipeline, targets=steps, force=force)
            on_event({"kind": "plan", "steps": [_step_document(planned) for planned in plan.steps]})
        run_id = new_run_id()
        lock = self.store.run_lock(run_id)
        while not lock.acquire():  # somebody is looking whether it is held
            time.sleep(0.01)
        try:
            self.store.runs.create(
                run_id,
                notebook=self.key_of(notebook),
                parameters=parameters,
                options={
                    "steps": list(steps),
                    "force": list(force),
                    "jobs": _jobs(jobs),
                    "kernel": kernel,
                }
                | ({} if sweep is None else {"sweep": sweep})
                | ({} if environment is None else {"environment": environment}),
                snapshot=self.store.artifacts.add_bytes(snapshot_of(content)),
                output=None if output is None else os.path.abspath(output),
            )
        except BaseException:
            lock.release()
            raise
        return run_id, lock

    def _require_schemas(self, notebook: Path, environment: str | None) -> None:
        """Refuse a run whose schema file is wrong, or has not its environment."""
        from jupyterlab_pipelines.quality.inspection import schema_path

        file = schema_path(self.root / self.key_of(notebook))
        if environment is None and not file.exists():
            return  # without importing what reads it
        from jupyterlab_pipelines.quality.notebook_schema import read_schemas, require_environment

        require_environment(environment, read_schemas(file))

    def cancel(self, run_id: str) -> None:
        """Ask the process that carries out the run to end it; a run that has ended is left alone."""
        self.store.runs.request_cancel(self.store.runs.find(run_id))
        self.store.settle_interrupted()

    def cancel_step(self, run_id: str, step: str) -> None:
        """Ask for the end of one step of a run; what needs it is skipped, the other steps go on.

        A step that has ended is left alone.

        Raises
        ------
        NotFoundError
            The store has no such run, or the run no such step.
        """
        run_id = self.store.runs.find(run_id)
        self.store.runs.step(run_id, step)
        self.store.runs.request_cancel_of_step(run_id, step)
        self.store.settle_interrupted()

    # -- history --------------------------------------------------------------------------------

    def runs(self, notebook: Path | None = None, *, limit: int = 50) -> list[Document]:
        """Runs of one notebook or of all, newest first."""
        self.store.settle_interrupted()
        return self.store.runs.summaries(None if notebook is None else self.key_of(notebook), limit)

    def history(self, notebook: Path | None = None, **wanted: Unpack[HistoryRequest]) -> Document:
        """A page of the runs of one notebook or of all, see `jupyterlab_pipelines.history.list_runs`."""
        from jupyterlab_pipelines.history import list_runs
        from jupyterlab_pipelines.sweep import unfinished_sweeps

        self.store.settle_interrupted()
        page = list_runs(self.store, None if notebook is None else self.key_of(notebook), **wanted)
        return page | {"sweeps": unfinished_sweeps(self.store)}

    def compare(self, run_ids: Sequence[str]) -> Document:
        """Runs side by side: parameters, metrics, and per step status, time, code and outputs.

        Raises
        ------
        NotFoundError
            The store has no such run.
        """
        from jupyterlab_pipelines.history import compare

        self.store.settle_interrupted()
        found = list(dict.fromkeys(self.store.runs.find(run_id) for run_id in run_ids))
        return compare(self.store, found, lambda run_id: self.parameter_values(self.run_document(run_id)))

    def step_facts(self, run_id: str, step: str) -> Document:
        """How a step of a run was executed: files, packages, environment, the run that executed it.

        Raises
        ------
        NotFoundError
            The store has no such run, or the run no such step.
        """
        from jupyterlab_pipelines.history import step_facts

        row = self.store.runs.row(self.store.runs.find(run_id))
        try:
            snapshot = self._stored_notebook(row["snapshot"])
        except NotFoundError:
            snapshot = None
        return step_facts(self.store, row["id"], step, snapshot)

    def start_sweep(
        self,
        notebook: Path,
        parameter_sets: Sequence[Mapping[str, Any]],
        *,
        content: Document | None = None,
        parallel: int = 1,
        jobs: int | None = None,
    ) -> str:
        """Start a run for each set of parameters, `parallel` at a time, from a process of its own; the sweep's id.

        Raises
        ------
        UsageError
            Nothing was run: the notebook is no pipeline, or a set does not fit its parameters.
        """
        from jupyterlab_pipelines.sweep import MOST_RUNS, create_sweep

        if not 1 <= len(parameter_sets) <= MOST_RUNS:
            raise UsageError(
                "bad_sweep", f"A sweep has 1 to {MOST_RUNS} sets of parameters, not {len(parameter_sets)}."
            )
        content = self.content_of(notebook, content)
        _, pipeline = self.pipeline_of(content)
        for values in parameter_sets:
            check_parameters(pipeline, values)
        self.store.create()
        told = {"notebook": str(notebook), "content": content, "parameter_sets": list(parameter_sets)}
        sweep_id = create_sweep(self.store, told | {"parallel": parallel, "jobs": jobs})
        self._begin_sweep(sweep_id)
        return sweep_id

    def resume_sweep(self, sweep_id: str) -> None:
        """Begin the runs of a sweep that its process, which is gone, did not come to.

        A sweep that is under way is left alone.

        Raises
        ------
        NotFoundError
            The store has no such sweep that has not come to its end.
        """
        from jupyterlab_pipelines.sweep import unfinished_sweeps

        statuses = {sweep["sweep_id"]: sweep["status"] for sweep in unfinished_sweeps(self.store)}
        if sweep_id not in statuses:
            raise NotFoundError(
                "unknown_sweep", f"The store has no unfinished sweep `{sweep_id}`.", sweep=sweep_id
            )
        if statuses[sweep_id] == "interrupted":
            self._begin_sweep(sweep_id)

    def _begin_sweep(self, sweep_id: str) -> None:
        from jupyterlab_pipelines.sweep import sweep_folder

        lock = self.store.sweep_lock(sweep_id)
        lock.acquire()
        command = [sys.executable, "-m", "jupyterlab_pipelines.sweep_process"]
        command += ["--root", str(self.root), "--store", str(self.store_path), "--sweep", sweep_id]
        inherited: dict[str, Any] = {}
        if os.name == "posix" and lock.handle is not None:
            # The child takes the lock over; so the sweep is never without an owner while it starts.
            command += ["--lock", str(lock.handle)]
            inherited = {"pass_fds": [lock.handle], "start_new_session": True}
        else:  # pragma: no cover - Windows
            lock.release()
        try:
            with (sweep_folder(self.store, sweep_id) / "sweep.log").open("ab") as log:
                subprocess.Popen(
                    command,
                    cwd=self.root,
                    env=environment_with_us(),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    **inherited,
                )
        finally:
            lock.close()

    def cancel_sweep(self, sweep_id: str) -> None:
        """End a sweep: its runs that are under way are cancelled, and no more begin.

        Raises
        ------
        NotFoundError
            The store has no such sweep.
        """
        from jupyterlab_pipelines.sweep import request_cancel, unfinished_runs

        request_cancel(self.store, sweep_id)
        for run_id in unfinished_runs(self.store, sweep_id):
            self.cancel(run_id)

    def run_document(self, run_id: str) -> Document:
        """One run and its steps.

        Raises
        ------
        NotFoundError
            The store has no such run.
        """
        run_id = self.store.runs.find(run_id)
        self.store.settle_interrupted()
        row = self.store.runs.row(run_id)
        return {
            "run_id": row["id"],
            "status": row["status"],
            "notebook": row["notebook"],
            "parameters": json.loads(row["parameters"]),
            "duration_seconds": row["duration_seconds"],
            "output": row["output"],
            "created_at": row["created_at"],
            "started_at": row["started_at"],
            "finished_at": row["finished_at"],
            "error": json.loads(row["error"]) if row["error"] else None,
            "tags": json.loads(row["tags"]),
            "comment": row["comment"],
            "steps": self._step_run_documents(row),
        }

    def _step_run_documents(self, run: sqlite3.Row) -> list[Document]:
        rows = self.store.runs.steps(run["id"])
        anomalies = self.store.quality.anomalies_of_run(run["id"])
        executions = self.store.executions_of(run["id"])
        caches: dict[str, str] = {}
        if any(execution.trace.get("doubts") for execution in executions.values()):
            pipeline = read_pipeline(read_outline(self._stored_notebook(run["snapshot"])))
            caches = {step.name: step.cache for step in pipeline.steps}
        return [
            self._step_run_document(row, executions.get(row["step"]), caches.get(row["step"], "on"))
            | {"anomalies": anomalies.get(row["step"], [])}
            for row in rows
        ]

    def _step_run_document(self, row: sqlite3.Row, execution: Execution | None, cache: str) -> Document:
        running = row["status"] == Status.RUNNING and row["cells"] is not None
        return {
            "name": row["step"],
            "status": row["status"],
            "decision": row["decision"],
            "reasons": json.loads(row["reasons"]),
            "warnings": [doubt.to_json() for doubt in doubts_of(execution.trace, cache)] if execution else [],
            "cache_key": row["cache_key"],
            "duration_seconds": row["duration_seconds"],
            "inputs": json.loads(row["inputs"]),
            "outputs": self._outputs(execution),
            "verdicts": execution.verdicts() if execution else [],
            "metrics": execution.metrics if execution else self._logged(row).get("last", {}),
            "anomalies": [],
            "error": json.loads(row["error"]) if row["error"] else None,
            "started_at": row["started_at"],
            "finished_at": row["finished_at"],
            "progress": {"cell": row["cell"], "cells": row["cells"]} if running else None,
            "cells": json.loads(row["cell_indexes"]),
            "position": row["position"],
        }

    def _outputs(self, execution: Execution | None) -> list[Document]:
        """Values that a step left; of one that is not in the store any more, why."""
        if execution is None:
            return []
        return [
            artifact.to_json() | {"gone": self.store.integrity.problem(artifact)}
            for name, artifact in execution.outputs.items()
            if artifact.kind == "value" and not is_state(name)
        ]

    def active_runs(self) -> list[Document]:
        """Runs that are queued or under way, with the status of their steps."""
        self.store.settle_interrupted()
        active = []
        for run_id in self.store.runs.unfinished():
            row = self.store.runs.row(run_id)
            steps = {
                step["step"]: {
                    "status": step["status"],
                    "cell": step["cell"],
                    "cells": step["cells"],
                    "logged_bytes": self._logged_bytes(step),
                }
                for step in self.store.runs.steps(run_id)
            }
            notebook = str(self.root / row["notebook"])
            active.append({"run_id": run_id, "notebook": notebook, "status": row["status"], "steps": steps})
        return active

    def _logged_bytes(self, row: sqlite3.Row) -> int:
        """How much a step that runs has logged so far."""
        path = self.store.run_folder(row["run_id"]) / f"{row['step']}.logged"
        return path.stat().st_size if row["status"] == Status.RUNNING and path.exists() else 0

    def changes(self) -> int:
        """A number that changes whenever any process has written to the run store. Cheap."""
        return self.store.database.version_of_data()

    def annotate(
        self, run_id: str, *, tags: Collection[str] | None = None, comment: str | None = None
    ) -> Document:
        """Replace a run's tags or its comment; the run's document."""
        run_id = self.store.runs.find(run_id)
        self.store.runs.annotate(run_id, tags=tags, comment=comment)
        return self.run_document(run_id)

    def rename(self, before: Path, after: Path) -> None:
        """A notebook of the project, or a folder of notebooks, was moved: its runs go with it."""
        if self.store.database.path.exists():
            self.store.runs.rename_notebook(self.key_of(before), self.key_of(after))

    def check(self) -> Document:
        """Look whether all that is stored is whole, and mend what can be mended.

        Raises
        ------
        StoreError
            The database cannot be read.
        """
        from jupyterlab_pipelines.store.check import check

        return {"store": str(self.store_path), **check(self.store).to_json()}

    def gc(
        self,
        *,
        older_than_seconds: float | None = None,
        max_size_bytes: int | None = None,
        dry_run: bool = False,
    ) -> Document:
        """Reclaim the space of what nobody has used for long, see `jupyterlab_pipelines.store.gc`."""
        from jupyterlab_pipelines.store.gc import gc

        reclaimed = gc(
            self.store,
            older_than_seconds=older_than_seconds,
            max_size_bytes=max_size_bytes,
            dry_run=dry_run,
        )
        return {"store": str(self.store_path), **reclaimed.to_json()}

    def run_notebook(self, run_id: str) -> Document:
        """The whole notebook as it was run, with this run's outputs in every cell."""
        from jupyterlab_pipelines.notebook.assemble import with_outputs

        row = self.store.runs.row(self.store.runs.find(run_id))
        content = self._stored_notebook(row["snapshot"])
        pipeline = read_pipeline(read_outline(content))
        executed = {
            step["step"]: json.loads(data)
            for step in self.store.runs.steps(row["id"])
            if step["executed"] and (data := self.store.artifacts.read_object(step["executed"])) is not None
        }
        return with_outputs(pipeline, content, executed)

    def step_notebook(self, run_id: str, step: str) -> Document:
        """The executed step notebook, of a failed step up to the cell that failed."""
        row = self.store.runs.step(self.store.runs.find(run_id), step)
        if not row["executed"]:
            raise NotFoundError(
                "not_executed", f"Step `{step}` of run {row['run_id']} has no executed notebook.", step=step
            )
        return self._stored_notebook(row["executed"])

    def step_log(self, run_id: str, step: str) -> str:
        """What the step wrote to stdout and stderr; while it runs, so far."""
        return self.step_log_part(run_id, step).plain

    def step_log_part(
        self, run_id: str, step: str, *, start: int = 0, last_bytes: int | None = None
    ) -> LogPart:
        """What the step wrote, from the byte `start` on; of more than `last_bytes` of it, the end."""
        row = self.store.runs.step(self.store.runs.find(run_id), step)
        is_growing = row["status"] == Status.RUNNING
        with self._open_log(row) as file:
            return read_part(file, start=start, last_bytes=last_bytes, is_growing=is_growing)

    def _open_log(self, row: sqlite3.Row) -> BinaryIO:
        if not row["log"]:
            try:
                return (self.store.run_folder(row["run_id"]) / f"{row['step']}.log").open("rb")
            except OSError:
                return io.BytesIO()
        data = self.store.artifacts.read_object(row["log"])
        if data is None:
            problem = self.store.integrity.object_problem(row["log"]) or DAMAGED
            data = f"(The log {problem}.)\n".encode()
        return io.BytesIO(data)

    def artifact(self, run_id: str, step: str, name: str) -> Artifact:
        """What a step of a run has left under a name.

        Raises
        ------
        NotFoundError
            The step has left no such value.
        """
        execution = self._executions_of(self.store.runs.find(run_id), step).get(step)
        left = {**execution.outputs, **execution.unkept} if execution else {}
        if name not in left:
            known = ", ".join(f"`{each}`" for each in sorted(left) if not is_state(each)) or "nothing"
            raise NotFoundError(
                "unknown_output",
                f"Step `{step}` has left no `{name}` in this run; it left {known}.",
                name=name,
            )
        return left[name]

    def recall(self, run_id: str, step: str, name: str | None = None) -> Recalled:
        """What brings a process to where it was after a step of a run; `name`: for this variable alone.

        Raises
        ------
        NotFoundError
            No such run, or no such step in it.
        """
        from jupyterlab_pipelines.recall import recall

        row = self.store.runs.row(self.store.runs.find(run_id))
        done = self._executions_of(row["id"], step)
        return recall(
            self.store,
            self._stored_notebook(row["snapshot"]),
            step,
            done,
            json.loads(row["parameters"]),
            name=name,
        )

    def lineage(self, run_id: str, step: str, name: str) -> Document:
        """Which run and step have made a value, from which inputs, and those from which, down to the first.

        Returns
        -------
        dict
            ``name``, ``digest``, ``step``, ``run_id`` of the run that executed the step, ``cache_key``,
            ``parameters``, and ``inputs``: a list of such documents.
        """
        artifact = self.artifact(run_id, step, name)
        executions = self._executions_of(self.store.runs.find(run_id), step)

        def of(step: str, artifact: Artifact) -> Document:
            execution = executions[step]
            inputs = execution.parts["inputs"]
            order = list(executions)
            makers = [
                (earlier, executions[earlier].outputs[each])
                for each in sorted(inputs)
                if not is_state(each)
                for earlier in reversed(order[: order.index(step)])
                if each in executions[earlier].outputs
                and executions[earlier].outputs[each].digest == inputs[each]
            ]
            first = {artifact.name: (step, artifact) for step, artifact in reversed(makers)}
            return {
                "name": artifact.name,
                "digest": artifact.digest,
                "step": step,
                "run_id": execution.run_id,
                "cache_key": execution.cache_key,
                "parameters": execution.parts["parameters"],
                "inputs": [of(*first[each]) for each in sorted(first)],
            }

        return of(step, artifact)

    def _executions_of(self, run_id: str, step: str) -> dict[str, Execution]:
        """By step of the run, what stood for it, in the run's order; `step` must be one of them."""
        self.store.runs.step(run_id, step)
        return self.store.executions_of(run_id)

    def step_logged(self, run_id: str, step: str) -> Document:
        """What the step's cells have logged; while it runs, so far.

        ``metrics``: by name, ``[step, value]`` pairs; ``texts``; ``figures``: MIME bundles by name.
        """
        logged = self._logged(self.store.runs.step(self.store.runs.find(run_id), step))
        return {what: logged.get(what, {}) for what in ("metrics", "texts", "figures")}

    def _logged(self, row: sqlite3.Row) -> Document:
        if row["status"] == Status.RUNNING:
            path = self.store.run_folder(row["run_id"]) / f"{row['step']}.logged"
            return read_log(path).to_json() if path.exists() else {}
        data = self.store.artifacts.read_object(row["executed"]) if row["executed"] else None
        if data is None:
            return {}
        logged: Document = json.loads(data)["metadata"].get(METADATA, {}).get("logged", {})
        return logged

    def preview(self, digest: str) -> Document:
        """What may be shown of an artifact: its type, a summary, the head of a table.

        Raises
        ------
        NotFoundError
            No run left such an artifact.
        """
        found = self.store.executions.preview(digest)
        if found is None:
            raise NotFoundError("unknown_artifact", f"The store has no artifact {digest}.", digest=digest)
        return found

    # -- differences ----------------------------------------------------------------------------

    def diff(self, first: str, second: str) -> Document:
        """What differs between two runs: parameters, code, inputs, outputs, metrics, durations."""
        before, after = self.run_document(first), self.run_document(second)
        return {
            "runs": [before["run_id"], after["run_id"]],
            "parameters": _changes(self.parameter_values(before), self.parameter_values(after)),
            "steps": [
                difference
                for name in dict.fromkeys(step["name"] for run in (before, after) for step in run["steps"])
                if (difference := self._step_difference(name, before, after))
            ],
        }

    def parameter_values(self, run: Document) -> Document:
        """Every parameter's value in a run: replaced, or its default in the notebook as it was run.

        Of a run whose notebook was reclaimed, only those that it replaced are known.
        """
        try:
            content = self._stored_notebook(self.store.runs.row(run["run_id"])["snapshot"])
        except NotFoundError:
            return dict(run["parameters"])
        pipeline = read_pipeline(read_outline(content))
        values: Document = {p.name: p.default if p.is_literal else p.source for p in pipeline.parameters}
        values.update(run["parameters"])
        return values

    def _step_difference(self, name: str, before: Document, after: Document) -> Document | None:
        old, new = (
            next((step for step in run["steps"] if step["name"] == name), None) for run in (before, after)
        )
        if old is None or new is None:
            return {"name": name, "change": "added" if old is None else "removed"}
        old_run, new_run = (self.store.runs.step(run["run_id"], name) for run in (before, after))
        code = []
        for row in (old_run, new_run):
            execution = self.store.executions.get(row["execution_id"]) if row["execution_id"] else None
            code.append(["\n".join(cell) for cell in execution.parts["code"]] if execution else None)
        difference: Document = {
            "status": _change(old["status"], new["status"]),
            "code": _change(*code),
            "inputs": _changes(old["inputs"], new["inputs"]),
            "outputs": _changes(
                {out["name"]: out["digest"] for out in old["outputs"]},
                {out["name"]: out["digest"] for out in new["outputs"]},
            ),
            "metrics": _changes(old["metrics"], new["metrics"]),
            "statistics": self._table_differences(old, new),
        }
        difference = {what: change for what, change in difference.items() if change}
        if not difference:
            return None
        durations = {"before": old["duration_seconds"], "after": new["duration_seconds"]}
        return {"name": name, "change": "changed", **difference, "duration_seconds": durations}

    def _table_differences(self, old: Document, new: Document) -> Document:
        """Of tables that are not the same in both, what their statistics differ in."""
        from jupyterlab_pipelines.quality import views

        before = {output["name"]: output["digest"] for output in old["outputs"]}
        return {
            output["name"]: found
            for output in new["outputs"]
            if before.get(output["name"], output["digest"]) != output["digest"]
            and (found := views.differences(self.store, before[output["name"]], output["digest"]))
        }

    # -- small things ---------------------------------------------------------------------------

    def key_of(self, notebook: Path) -> str:
        """How the store knows a notebook: its path below the root, with slashes.

        In a store that lies elsewhere, and may serve several projects, it is the whole path.
        """
        path = Path(os.path.abspath(notebook))
        if self.store_path.is_relative_to(self.root) and path.is_relative_to(self.root):
            return path.relative_to(self.root).as_posix()
        return path.as_posix()

    def _active_run_of(self, notebook: Path) -> str | None:
        key = self.key_of(notebook)
        self.store.settle_interrupted()
        active = [run for run in self.store.runs.unfinished() if self.store.runs.row(run)["notebook"] == key]
        return active[-1] if active else None

    def _stored_notebook(self, digest: str) -> Document:
        data = self.store.artifacts.read_object(digest)
        if data is None:
            problem = self.store.integrity.object_problem(digest) or DAMAGED
            raise NotFoundError("notebook_gone", f"The stored notebook {digest} {problem}.", digest=digest)
        notebook: Document = json.loads(data)
        return notebook


def _step_document(planned: PlannedStep) -> Document:
    step: Step = planned.step
    return {
        "name": step.name,
        "title": step.title,
        "role": step.role,
        "cells": list(step.cells),
        "after": list(step.after),
        "cache": step.cache,
        "kernel": step.kernel,
        "retries": step.retries,
        "timeout_seconds": step.timeout_seconds,
        "resources": {kind: getattr(step.resources, kind) for kind in RESOURCES},
        "inputs": [{"name": i.name, "step": i.step} for i in step.needs.inputs if not is_state(i.name)],
        "outputs": [name for name in step.outputs if not is_state(name)],
        "unit": step.unit.to_json() if step.unit else None,
        "parameters": list(step.needs.parameters),
        "decision": planned.decision,
        "reasons": [reason.to_json() for reason in planned.reasons],
        "warnings": [doubt.to_json() for doubt in planned.doubts],
        "cache_key": planned.cache_key,
        "expected_duration_seconds": planned.expected_duration_seconds,
    }


def _jobs(wanted: int | None) -> int:
    """How many steps may run at the same time."""
    return wanted or os.cpu_count() or 1


def _last_document(row: sqlite3.Row | None) -> Document | None:
    if row is None:
        return None
    return {key: row[key] for key in ("run_id", "status", "duration_seconds", "finished_at")}


def _change(before: Any, after: Any) -> Document | None:
    return None if before == after else {"before": before, "after": after}


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Document:
    names = dict.fromkeys([*before, *after])
    return {name: change for name in names if (change := _change(before.get(name), after.get(name)))}


def _notebook_file(content: Mapping[str, Any]) -> bytes:
    """The notebook as JupyterLab writes it to a file."""
    try:
        text = json.dumps(content, indent=1, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # half a character, which JSON can say and UTF-8 cannot
        text = json.dumps(content, indent=1).encode()
    return text + b"\n"


def _require_writable(output: Path, notebook: Path) -> None:
    if os.path.abspath(output) == os.path.abspath(notebook) or (
        output.exists() and notebook.exists() and os.path.samefile(output, notebook)
    ):
        raise UsageError("bad_output", f"{output} is the notebook itself, which a run never changes.")
    folder = Path(os.path.abspath(output)).parent
    if output.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
        why = "is a folder" if output.is_dir() else f"cannot be written: {folder} is no writable folder"
        raise UsageError("bad_output", f"The output {output} {why}.", output=str(output))


__all__ = ["Project", "TypedText"]
