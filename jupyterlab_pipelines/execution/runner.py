"""The runner: carries out one run, step by step, in parallel, and writes it all down.

Every time something ends, all steps are looked at again in order. A step's result counts only while
it lies under the cache key that the step has *now*. So when a step turns out to have changed what
another had already read, that other step's key is another one, and it runs again: nothing else is
needed to repair a run.
"""

from __future__ import annotations

import contextlib
import copy
import os
import queue
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyterlab_pipelines.artifact import FILE, is_state
from jupyterlab_pipelines.environment import base_environment
from jupyterlab_pipelines.errors import PipelinesError
from jupyterlab_pipelines.execution.completion import Completion
from jupyterlab_pipelines.execution.inspection import Inspections
from jupyterlab_pipelines.execution.pool import KernelPool
from jupyterlab_pipelines.execution.shared import SharedKernel, SharedKernels
from jupyterlab_pipelines.execution.step import StepJob, StepOutcome, execute_step
from jupyterlab_pipelines.files import file_digest, with_digests
from jupyterlab_pipelines.notebook.flow import read_pipeline, step_fingerprints
from jupyterlab_pipelines.notebook.parse import Outline
from jupyterlab_pipelines.notebook.units import why_apart
from jupyterlab_pipelines.pipeline import Effects, Input, Pipeline, Role, Step
from jupyterlab_pipelines.plan import Decision, Reason
from jupyterlab_pipelines.planner import Decided, Planner, Resolved, Waiting
from jupyterlab_pipelines.run import Execution, Status
from jupyterlab_pipelines.store import Store
from jupyterlab_pipelines.store.runs import now

if TYPE_CHECKING:
    from jupyterlab_pipelines.execution.kernels import ForkServer, StepKernelManager
    from jupyterlab_pipelines.execution.papermill import StepSession
    from jupyterlab_pipelines.quality.inspection import Inspector

TICK_SECONDS = 0.2
"""How often a run that waits for its steps looks whether somebody cancelled it."""

MOST_EXECUTIONS = 20
"""A step that was repaired this often in one run is no nearer to its end."""

Event = dict[str, Any]
Listener = Callable[[Event], None]


@dataclass
class _Result:
    """How a step ended under one cache key."""

    cache_key: str
    execution: Execution | None
    error: dict[str, Any] | None = None


@dataclass
class _Running:
    cache_key: str
    wanted: frozenset[str]
    newest: int
    shared: SharedKernel | None = None
    session: StepSession | None = None
    is_stale: bool = False
    has_company: bool = False
    logged_bytes: int = 0


@dataclass
class _Ended:
    """What a worker hands back."""

    step: str
    resolved: Resolved
    outcome: StepOutcome | None
    execution: Execution | None
    error: BaseException | None = None


@dataclass
class Runner:
    """Carries out one run.

    Parameters
    ----------
    content
        The notebook as it is run.
    folder
        The kernels' working directory: the notebook's.
    targets, force
        Steps to run with what they need (none: all); steps to run even if nothing changed.
    pinned
        Executions that stand for steps, whatever the store says: the steps are not looked at.
    inspector
        Looks for anomalies in the tables that steps leave; None: nobody does. The run closes it.
    servers
        What kernels are forked from, by kernelspec, if that outlives the run; its owner closes it.
    probe
        A step, and the folder to which the tables are written that there are after each of its cells.
    """

    store: Store
    planner: Planner
    run_id: str
    outline: Outline
    content: Mapping[str, Any]
    folder: Path
    targets: Collection[str] = ()
    force: Collection[str] = ()
    jobs: int = 1
    pinned: Mapping[str, Execution] = field(default_factory=dict)
    servers: dict[str, ForkServer | None] | None = None
    inspector: Inspector | None = None
    probe: tuple[str, Path] | None = None
    listener: Listener = field(default=lambda event: None)

    def __post_init__(self) -> None:
        self.codes = step_fingerprints(self.outline)
        self.learned: dict[str, Effects] = self.store.executions.effects(self.codes)
        self.pipeline: Pipeline = read_pipeline(self.outline, self.learned)
        self.pipeline.require_steps(self.force)
        self.steps: tuple[Step, ...] = self.pipeline.needed_for(self.targets)
        self.results: dict[str, _Result] = {}
        self.running: dict[str, _Running] = {}
        self.executed: dict[str, int] = {}
        self.wanted_too: dict[str, set[str]] = {}
        # By step, what it had left and is not there any more: files that a later step has overwritten, stored
        # values that somebody has damaged.
        self.wanted_again: dict[str, set[str]] = {}
        self._lost_count = 0
        self.retried: dict[str, int] = {}
        self.appended: dict[str, dict[str, tuple[int, str]]] = {}
        self.cancelled = False
        self.cancelled_steps: set[str] = set()
        self.was_asked_to_end = False
        # None: somebody pressed Ctrl-C. A signal handler may put into a SimpleQueue at any moment.
        self._ended: queue.SimpleQueue[_Ended | None] = queue.SimpleQueue()
        self._servers: dict[str, ForkServer | None] = {} if self.servers is None else self.servers
        self._starting = threading.Lock()

    # -- the story ------------------------------------------------------------------------------

    def run(self) -> Status:
        """Carry out the run; its final status. What was done is in the store, step by step.

        Ctrl-C and a request to terminate cancel it; a second one does not wait for the kernels to give in.
        """
        with self._signals_as_wishes():
            started = time.perf_counter()
            status, error = Status.FAILED, None
            self.store.runs.start(self.run_id, [(step.name, step.cells) for step in self.steps])
            self._tell({"kind": "run", "status": Status.RUNNING})
            self._pool = pool = ThreadPoolExecutor(max_workers=max(1, self.jobs), thread_name_prefix="step")
            self._kernel_pool = KernelPool(self._start_kernel, self.store.run_folder(self.run_id))
            self.kernels = SharedKernels(self._kernel_pool.later)
            self._completion = Completion(self.store, self.folder)
            self._inspections = Inspections(self.inspector, self.store, self._tell_anomalies)
            try:
                self._go_on()
                status = self._final_status()
            except BaseException as problem:
                self.cancel()
                self._wait_for_all()
                if not isinstance(problem, PipelinesError):
                    raise
                error = problem.to_document()["error"]
            finally:
                self.kernels.close_unwanted(())
                pool.shutdown(wait=True)
                self._kernel_pool.close()
                if self.servers is None:
                    close_servers(self._servers)
                self._settle_steps(status)
                self.store.runs.finish(self.run_id, status, time.perf_counter() - started, error)
                self._tell({"kind": "run", "status": status})
                self._inspections.close(self._is_wanted, TICK_SECONDS)
                self._completion.close(self._is_wanted, TICK_SECONDS)
        return status

    def _is_wanted(self) -> bool:
        """Whether nobody has asked to end the run."""
        return not self.cancelled and self._ended.empty()

    def cancel(self) -> None:
        """End all running steps and start no more."""
        self.cancelled = True
        for server in list(self._servers.values()):
            if server is not None:
                server.give_up()
        for running in list(self.running.values()):
            if running.session is not None:
                running.session.stop("cancelled")

    def cancel_step(self, name: str) -> None:
        """End one step, or do not begin it; what needs it is skipped, the others go on."""
        self.cancelled_steps.add(name)
        running = self.running.get(name)
        if running is not None:
            if running.session is not None:
                running.session.stop("cancelled")
        elif name not in self.results:
            self._note(name, status=Status.CANCELLED, finished_at=now())

    @contextlib.contextmanager
    def _signals_as_wishes(self) -> Iterator[None]:
        """Signals to end are noted, and looked at between two steps: never in the middle of writing."""

        def note(number: int, frame: Any) -> None:
            self.was_asked_to_end = True
            self._ended.put(None)

        before: dict[signal.Signals, Any] = {}
        try:
            for number in (signal.SIGINT, signal.SIGTERM):
                # Not in the main thread: then the process is not ours to guard.
                with contextlib.suppress(ValueError):
                    before[number] = signal.signal(number, note)
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _go_on(self) -> None:
        while True:
            if not self.cancelled:
                newest = self.store.executions.newest()
                ready = self._reconsider()
                self.kernels.close_unwanted(self.steps)
                self._start(ready, newest)
            if not self.running:
                return
            self._take_in(self._next_ended())

    def _next_ended(self) -> _Ended:
        while True:
            try:
                ended = self._ended.get(timeout=TICK_SECONDS)
            except queue.Empty:
                self._tell_of_logged()
                self._hear_of_cancelling()
                continue
            if ended is not None:
                return ended
            if self.cancelled:
                for running in list(self.running.values()):
                    if running.session is not None:
                        running.session.kill()
            else:
                self.cancel()

    def _hear_of_cancelling(self) -> None:
        if self.cancelled:
            return
        if self.store.runs.cancel_requested(self.run_id):
            self.cancel()
            return
        for name in self.store.runs.cancelled_steps(self.run_id) - self.cancelled_steps:
            self.cancel_step(name)

    def _wait_for_all(self) -> None:
        """Until the steps that were cancelled have ended; what they came to counts no more."""
        while self.running:
            ended = self._next_ended()
            self._keep_kernel(ended, self.running.pop(ended.step))

    def _final_status(self) -> Status:
        if all(self._succeeded(step.name) for step in self.steps):
            return Status.SUCCEEDED
        has_failed = any(result.error is not None for result in self.results.values())
        is_cancelled = self.cancelled or (bool(self.cancelled_steps) and not has_failed)
        return Status.CANCELLED if is_cancelled else Status.FAILED

    def _succeeded(self, name: str) -> bool:
        result = self.results.get(name)
        return result is not None and result.execution is not None

    # -- looking at all steps -------------------------------------------------------------------

    def _reconsider(self) -> list[tuple[Resolved, Decided]]:
        """Go through the steps in order: which results count, which steps are ready to run."""
        while True:
            before = copy.deepcopy(
                (self.wanted_too, self.wanted_again, self.kernels.wanted, self._lost_count)
            )
            learned = dict(self.learned)
            ready = self._reconsider_once()
            if (self.wanted_too, self.wanted_again, self.kernels.wanted, self._lost_count) != before:
                continue
            if self.learned == learned:
                return ready
            self._read_pipeline()

    def _reconsider_once(self) -> list[tuple[Resolved, Decided]]:
        done: dict[str, Execution] = {}
        blocked: set[str] = set()
        ready: list[tuple[Resolved, Decided]] = []
        for step in self.steps:
            pinned = self.pinned.get(step.name)
            if pinned is not None:
                done[step.name] = pinned
                self.results[step.name] = _Result(pinned.cache_key, pinned)
                continue
            if step.name in self.cancelled_steps and not self._succeeded(step.name):
                blocked.add(step.name)
                continue
            resolved = self.planner.resolve(self.pipeline, step, done)
            if isinstance(resolved, Waiting):
                if any(parent in blocked for parent in resolved.steps):
                    blocked.add(step.name)
                continue
            for given in resolved.missing:
                self.wanted_too.setdefault(given.step, set()).add(given.name)
            if resolved.missing:
                continue
            if resolved.uncarriable:
                if not self._learn_of_unit(resolved):
                    self._refuse(resolved)
                blocked.add(step.name)
                continue
            wanted = self._wanted(step)
            result = self._result(resolved)
            if result is not None and result.cache_key == resolved.cache_key and _covers(result, wanted):
                if result.execution is None and self._want_files(resolved):
                    # It failed while another step overwrote or removed a file that it reads.
                    del self.results[step.name]
                elif result.execution is None:
                    blocked.add(step.name)
                else:
                    done[step.name] = result.execution
                continue
            running = self.running.get(step.name)
            if running is not None:
                if running.cache_key != resolved.cache_key and not running.is_stale:
                    running.is_stale = True
                    if running.session is not None:
                        running.session.stop("stale")
                continue
            forced = step.name in self.force and not self.executed.get(step.name)
            wanted_again = self.wanted_again.get(step.name, set())
            goes_on = self.kernels.wanted.get(step.name)
            decided = self.planner.decide(
                resolved, wanted=wanted | wanted_again, forced=forced, goes_on=goes_on
            )
            if step.cache == "off" and self.executed.get(step.name) and not wanted_again and not goes_on:
                # `cache:off` is for other runs; within one run the step is executed once for each key.
                decided = self._own_execution(resolved, wanted) or decided
            if decided.execution is not None:
                self._reuse(resolved, decided)
                if self._succeeded(step.name):
                    done[step.name] = decided.execution
                else:
                    blocked.add(step.name)
                continue
            if not (self._want_files(resolved) or self._want_values(resolved) or self._want_kernel(step)):
                ready.append((resolved, decided))
        return ready

    def _result(self, resolved: Resolved) -> _Result | None:
        """How the step ended in this run, unless its files were overwritten since."""
        step = resolved.step
        result = self.results.get(step.name)
        if result is None or result.execution is None:
            return result
        execution = result.execution
        if result.cache_key != resolved.cache_key:
            if execution.run_id != self.run_id or not self.planner.has_seen(execution, resolved):
                return result
            execution = self.store.executions.move(execution, resolved.cache_key, resolved.parts)
            result = self.results[step.name] = _Result(resolved.cache_key, execution)
            self.store.runs.update_step(self.run_id, step.name, cache_key=resolved.cache_key)
        for path in step.files:
            if self._is_overwritten(step.name, execution, f"{FILE}{path}"):
                del self.results[step.name]
                return None
        return result

    def _want_files(self, resolved: Resolved) -> bool:
        """Whether steps must run first, because later ones have overwritten what they left in files."""
        wanted = False
        for given in self.planner.overwritten(resolved):
            result = self.results.get(given.step)
            if result is None or result.execution is None:
                continue
            if self._is_overwritten(given.step, result.execution, given.name):
                self.wanted_again.setdefault(given.step, set()).add(given.name)
                del self.results[given.step]
                wanted = True
        return wanted

    def _want_values(self, resolved: Resolved) -> bool:
        """Whether steps must run first, because somebody has damaged or removed what they had stored."""
        lost = []
        for given in resolved.needs.inputs:
            artifact = resolved.inputs.get(given.name)
            if artifact is not None and self.store.integrity.problem(artifact):
                lost.append(given)
        return self._want_again(lost)

    def _want_again(self, lost: Iterable[Input]) -> bool:
        lost = list(lost)
        for given in lost:
            self._lost_count += 1
            self.wanted_again.setdefault(given.step, set()).add(given.name)
            self.results.pop(given.step, None)
        return bool(lost)

    def _want_kernel(self, step: Step) -> bool:
        """Whether steps must run first, so that `step` can go on in their kernel."""
        if not step.before_in_unit or self._kernel_for(step) is not None:
            return False
        for name in step.before_in_unit:
            self.kernels.wanted.setdefault(name, step.name)
            self.results.pop(name, None)
        return True

    def _kernel_for(self, step: Step) -> SharedKernel | None:
        keys = {name: result.cache_key for name, result in self.results.items()}
        return self.kernels.find(step, keys, self.planner.parameters)

    def _is_overwritten(self, step: str, execution: Execution, name: str) -> bool:
        """Whether a file is not as `step` left it, and running the step again would help.

        It does not if something changes the file that we do not see.
        """
        path = name.removeprefix(FILE)
        is_known = execution.run_id != self.run_id or any(
            path in self.learned.get(other, Effects()).files.writes
            for other in self.executed
            if other != step
        )
        return is_known and not self.planner.is_left(execution, name)

    def _own_execution(self, resolved: Resolved, wanted: frozenset[str]) -> Decided | None:
        for execution in self.store.executions.with_key(resolved.cache_key):
            if execution.run_id == self.run_id and wanted <= execution.outputs.keys():
                reason = Reason("unchanged", "executed already in this run", resolved.step.name)
                return Decided(Decision.REUSE, (reason,), execution)
        return None

    def _wanted(self, step: Step) -> frozenset[str]:
        return frozenset(step.outputs) | self.wanted_too.get(step.name, set())

    def _learn_of_unit(self, resolved: Resolved) -> bool:
        """Note that the step shares what cannot be stored with others; False if that was known before."""
        step, before = resolved.step, dict(self.learned)
        for given in resolved.uncarriable:
            maker = self.learned.get(given.step, Effects())
            self.learned[given.step] = replace(maker, uncarriable=maker.uncarriable | {given.name})
            if given not in step.needs.inputs:
                reader = self.learned.get(step.name, Effects())
                self.learned[step.name] = replace(reader, reads=reader.reads | {given.name})
        return self.learned != before

    def _refuse(self, resolved: Resolved) -> None:
        """A step that needs a value which cannot leave the process that made it, and cannot go on in that."""
        step, given = resolved.step, resolved.uncarriable[0]
        made_by = self.results[given.step].execution
        assert made_by is not None
        artifact = made_by.outputs[given.name]
        pair = (given.step, step.name)
        apart = why_apart(
            pair,
            {name: self.pipeline[name].cells for name in pair},
            {name: self.pipeline[name].kernel for name in pair},
        )
        error = {
            "code": "not_carriable",
            "step": step.name,
            "cell_index": step.cells[0],
            "cell_id": self.pipeline.cells[step.cells[0]].id,
            "message": (
                f"Step `{step.name}` needs `{given.name}` from step `{given.step}`. {artifact.summary} Nor can both "
                f"steps share a kernel: {apart or 'steps between them cannot'}. Put the cells that make and use "
                f"`{given.name}` into one step, e.g. give the cells of `{step.name}` the tag `step:{given.step}`."
            ),
            "traceback": "",
        }
        if self.results.get(step.name) != _Result(resolved.cache_key, None, error):
            self.results[step.name] = _Result(resolved.cache_key, None, error)
            self._note(step.name, status=Status.FAILED, decision=Decision.RUN, error=error, finished_at=now())

    def _reuse(self, resolved: Resolved, decided: Decided) -> None:
        step, execution = resolved.step.name, decided.execution
        assert execution is not None
        error = self._inspections.gate(resolved, execution.outputs.values())
        if error is not None:
            self.results[step] = _Result(resolved.cache_key, None, error)
            self._note(
                step,
                status=Status.FAILED,
                decision=Decision.REUSE,
                reasons=[reason.to_json() for reason in decided.reasons],
                inputs=_digests(resolved),
                error=error,
                finished_at=now(),
            )
            return
        self.results[step] = _Result(resolved.cache_key, execution)
        is_own = execution.run_id == self.run_id
        self._note(
            step,
            status=Status.SUCCEEDED if is_own else Status.REUSED,
            decision=Decision.RUN if is_own else Decision.REUSE,
            reasons=[reason.to_json() for reason in decided.reasons],
            cache_key=resolved.cache_key,
            inputs=_digests(resolved),
            execution_id=execution.id,
            duration_seconds=execution.duration_seconds if is_own else 0.0,
            executed=execution.notebook,
            log=execution.log,
            finished_at=now(),
            error=None,
        )
        self._inspect(resolved, execution)

    # -- executing ------------------------------------------------------------------------------

    def _start(self, ready: list[tuple[Resolved, Decided]], newest: int) -> None:
        """Hand steps to workers. `newest`: the last execution that may have been looked at."""
        for resolved, decided in ready:
            if len(self.running) >= max(1, self.jobs):
                return
            step = resolved.step
            self.wanted_again.pop(step.name, None)
            self.store.integrity.discard_lost()
            count = self.executed[step.name] = self.executed.get(step.name, 0) + 1
            if count > MOST_EXECUTIONS:
                raise PipelinesError(
                    "never_settles",
                    f"Step `{step.name}` was executed {MOST_EXECUTIONS} times in this run, and what the steps "
                    "before it leave still changes: they change each other's values in turn. "
                    "Put them into one step.",
                    step=step.name,
                )
            self.kernels.wanted.pop(step.name, None)
            wanted = self._wanted(step)
            shared = self._kernel_for(step)
            if shared is not None:
                self.kernels.take(shared)
            running = self.running[step.name] = _Running(resolved.cache_key, wanted, newest, shared)
            if len(self.running) > 1:
                for each in self.running.values():
                    each.has_company = True
            self._note(
                step.name,
                status=Status.RUNNING,
                decision=Decision.RUN,
                reasons=[reason.to_json() for reason in decided.reasons],
                cache_key=resolved.cache_key,
                inputs=_digests(resolved),
                started_at=now(),
                finished_at=None,
                duration_seconds=None,
                cell=0,
                cells=len(step.cells),
                error=None,
                execution_id=None,
            )
            self._keep_spares()
            self._pool.submit(self._work, resolved, wanted, running, self.pipeline, step.name in self.force)

    def _work(
        self, resolved: Resolved, wanted: frozenset[str], running: _Running, pipeline: Pipeline, forced: bool
    ) -> None:
        """In a worker thread: one step, to its end."""
        name = resolved.step.name
        try:
            self._cut_files(name)
            ended = self._execute(resolved, wanted, running, pipeline, forced)
        except OSError as error:
            # A full disk, a folder that is gone: nobody's bug, and nothing that the step's cells did.
            told = PipelinesError("system_error", f"Step `{name}` could not be run: {error}.", step=name)
            ended = _Ended(name, resolved, None, None, told)
        except BaseException as error:  # handed to the run's thread, which tells it
            ended = _Ended(name, resolved, None, None, error)
        finally:
            self.store.database.close_thread()
        try:
            if running.shared is not None and (ended.outcome is None or ended.outcome.kernel is None):
                running.shared.kernel.close()
        finally:
            self._ended.put(ended)

    def _cut_files(self, step: str) -> None:
        """What a step has appended to files in this run is cut off before it is executed again."""
        for path, (size, left) in self.appended.get(step, {}).items():
            file = self.folder / path
            if file_digest(str(file)) == left:
                os.truncate(file, size)

    def _execute(
        self, resolved: Resolved, wanted: frozenset[str], running: _Running, pipeline: Pipeline, forced: bool
    ) -> _Ended:
        step = resolved.step
        lock = self.store.step_lock(resolved.cache_key)
        while not lock.acquire():
            # Another run is executing this very step: its result will do.
            if self._why_stop(step.name, running) is not None:
                return _Ended(step.name, resolved, None, None)
            time.sleep(TICK_SECONDS / 2)
        try:
            is_done = self.store.executions.newest(resolved.cache_key) > running.newest
            if is_done and not forced and running.shared is None and not step.after_in_unit:
                decided = self.planner.decide(resolved, wanted=wanted)
                if decided.execution is not None:
                    return _Ended(step.name, resolved, None, decided.execution)
            # A step that went on in another's kernel has spoilt it: both must be executed again.
            attempts = 1 if running.shared else step.retries + 1
            for attempt in range(attempts):
                job = self._job(resolved, wanted, running, pipeline)
                outcome = execute_step(job)
                if (
                    outcome.error
                    and outcome.stopped is None
                    and not running.shared
                    and job.server
                    and job.server.has_died
                ):
                    # The kernel went with the process that it was forked from: not the step's fault.
                    outcome = execute_step(self._job(resolved, wanted, running, pipeline))
                if outcome.error is None or outcome.stopped in ("cancelled", "stale"):
                    break
                if attempt < attempts - 1:
                    self._progress(step.name, {"retry": attempt + 1})
            # What it got because it had been missed or seems needed, no watching finds out again.
            known = self.learned.get(step.name, Effects())
            missed = known.missed | outcome.effects.missed
            outcome = replace(outcome, effects=replace(outcome.effects, reads=known.reads, missed=missed))
            execution = None
            if outcome.error is None:
                outcome = replace(outcome, error=self._inspections.gate(resolved, outcome.outputs))
            if outcome.error is None:
                execution = self._record(resolved, outcome)
                self._inspect(resolved, execution)
            return _Ended(step.name, resolved, outcome, execution)
        finally:
            lock.release()

    def _job(
        self, resolved: Resolved, wanted: frozenset[str], running: _Running, pipeline: Pipeline
    ) -> StepJob:
        step = resolved.step

        def on_cell(done: int, of: int) -> None:
            self.store.runs.update_step(self.run_id, step.name, cell=done, cells=of)
            self._progress(step.name, {"cell": done, "cells": of})

        def on_session(session: StepSession) -> None:
            running.session = session
            why = self._why_stop(step.name, running)
            if why is not None:
                session.stop(why)

        return StepJob(
            pipeline=pipeline,
            resolved=resolved,
            content=self.content,
            kernel_name=step.kernel or self.planner.kernel,
            folder=self.folder,
            store=self.store,
            run_folder=self.store.run_folder(self.run_id),
            parameters=self.planner.parameters,
            wanted=wanted,
            on_cell=on_cell,
            on_session=on_session,
            server=self._server(step.kernel or self.planner.kernel),
            pool=self._kernel_pool,
            kernel=running.shared.kernel if running.shared else None,
            probe=self.probe[1] if self.probe and self.probe[0] == step.name else None,
        )

    def _why_stop(self, step: str, running: _Running) -> str | None:
        """Why a step that is about to be executed is not to be; None: it is."""
        if self.cancelled or step in self.cancelled_steps:
            return "cancelled"
        return "stale" if running.is_stale else None

    def _keep_spares(self) -> None:
        """Let kernels start for the steps that may come next, while others run."""
        waiting = Counter(
            step.kernel or self.planner.kernel
            for step in self.steps
            if step.name not in self.results and step.name not in self.running and not step.before_in_unit
        )
        self._kernel_pool.keep({kernel: min(self.jobs, count) for kernel, count in waiting.items()})

    def _start_kernel(self, kernel: str, log: Path) -> StepKernelManager:
        from jupyter_core.utils import run_sync

        from jupyterlab_pipelines.execution.kernels import step_kernel

        def require_wanted() -> None:
            if self.cancelled:
                raise RuntimeError("the run was cancelled")

        manager = step_kernel(kernel, self._server(kernel), log, require_wanted)
        run_sync(manager.begin)(base_environment(self.store.path), self.folder)
        return manager

    def _server(self, kernel: str) -> ForkServer | None:
        """What kernels of this name are forked from; started when the first is wanted."""
        with self._starting:
            if kernel not in self._servers:
                from jupyterlab_pipelines.execution.kernels import fork_server, wanted_for

                wanted = wanted_for(self.pipeline, kernel, self.folder, self.store.path)
                self._servers[kernel] = fork_server(wanted)
            return self._servers[kernel]

    def _record(self, resolved: Resolved, outcome: StepOutcome) -> Execution:
        """Make the finished step durable: only now may others start from it."""
        assert outcome.executed is not None
        trace = outcome.trace
        if outcome.kernel is not None:
            # What the kernel holds is named by what the step has read: that name must not change any more.
            trace = with_digests(trace, self.folder, self.store.files)
        execution = self.store.executions.add(
            cache_key=resolved.cache_key,
            notebook=self.planner.notebook,
            step=resolved.step.name,
            run_id=self.run_id,
            finished_at=now(),
            duration_seconds=outcome.duration_seconds,
            parts=resolved.parts,
            trace=trace,
            executed=outcome.executed,
            log=outcome.log,
            outputs=outcome.outputs,
            metrics=outcome.metrics,
            previews=outcome.previews,
            effects={self.codes[resolved.step.name]: outcome.effects},
        )
        self._completion.add(execution)
        return execution

    def _inspect(self, resolved: Resolved, execution: Execution) -> None:
        if resolved.step.role != Role.VALIDATOR:  # whose gate has seen to it
            self._inspections.add(resolved, execution)

    def _take_in(self, ended: _Ended) -> None:
        """A worker is done with a step: note it, and learn from it."""
        running = self.running.pop(ended.step)
        self._keep_kernel(ended, running)
        if ended.error is not None:
            raise ended.error
        outcome, execution = ended.outcome, ended.execution
        if execution is not None and outcome is None:
            reason = Reason("unchanged", "another run executed it just now", ended.step)
            self._reuse(ended.resolved, Decided(Decision.REUSE, (reason,), execution))
            return
        if execution is None and ended.step in self.cancelled_steps and not self.cancelled:
            self._note(ended.step, status=Status.CANCELLED, finished_at=now(), **_left_by(outcome))
            return
        if outcome is None or outcome.stopped == "stale" or (running.is_stale and execution is None):
            self._note(ended.step, status=Status.QUEUED)
            return
        if outcome.stopped == "cancelled" or (self.cancelled and execution is None):
            self._note(ended.step, status=Status.CANCELLED, finished_at=now(), **_left_by(outcome))
            return
        if execution is None and running.shared and self._may_retry(ended.resolved.step):
            self._note(ended.step, status=Status.QUEUED)
            return
        if outcome.was_killed and running.has_company and not running.shared:
            # Memory has run out, most likely: from now on one step at a time, this one once more.
            self.jobs = 1
            self._note(ended.step, status=Status.QUEUED)
            return
        is_own_fault = outcome.error is not None and outcome.error["code"] == "cell_failed"
        if execution is None and not is_own_fault and self._misses_inputs(ended.resolved):
            self._note(ended.step, status=Status.QUEUED)
            return
        key = ended.resolved.cache_key
        self.results[ended.step] = _Result(key, execution, outcome.error)
        self._note(
            ended.step,
            status=Status.FAILED if execution is None else Status.SUCCEEDED,
            execution_id=None if execution is None else execution.id,
            duration_seconds=outcome.duration_seconds,
            finished_at=now(),
            error=outcome.error,
            executed=outcome.executed,
            log=outcome.log,
        )
        if execution is not None:
            left = {output.name: output.digest for output in outcome.outputs}
            self.appended[ended.step] = {
                path: (size, left[f"{FILE}{path}"]) for path, size in outcome.sizes.items()
            }
            self._learn(ended.step, outcome.effects)
        elif outcome.effects:
            # It may have come too early: before the step that writes what it reads, or makes what it missed.
            known, seen = self.learned.get(ended.step, Effects()), outcome.effects
            files = replace(
                known.files,
                reads=known.files.reads | seen.files.reads,
                lists=known.files.lists | seen.files.lists,
            )
            self._learn(ended.step, replace(known, files=files, missed=known.missed | seen.missed))

    def _misses_inputs(self, resolved: Resolved) -> bool:
        """Whether a step has failed because stored values were damaged or gone when it wanted to load them."""
        lost = self.store.integrity.discard_damaged(list(resolved.inputs.values()))
        return self._want_again(
            given for given in resolved.needs.inputs if resolved.inputs.get(given.name) in lost
        )

    def _learn(self, step: str, effects: Effects) -> None:
        """What a step was seen to do may join steps that the syntax does not join."""
        if self.learned.get(step, Effects()) == effects:
            return
        is_news = False
        for name, code in self.codes.items():
            if code != self.codes[step]:
                continue
            # The same code may touch other files: those that an input of it names.
            known = self.learned.get(name)
            own_files = name != step and name in self.executed
            learned = replace(effects, files=(known or Effects()).files) if own_files else effects
            is_news |= self._is_news(name, known, learned)
            self.learned[name] = learned
        if is_news:
            self._read_pipeline()

    def _is_news(self, name: str, known: Effects | None, learned: Effects) -> bool:
        """Whether the pipeline may be another one than without what was learned of a step: mostly it is not."""
        step = self.pipeline[name]
        if known is None and step.unit is not None:
            return True
        known = known or Effects()
        if learned.files.is_whole != known.files.is_whole and not (step.reads_files or step.writes_files):
            known = replace(known, files=replace(known.files, is_whole=learned.files.is_whole))
        return known != learned

    def _read_pipeline(self) -> None:
        self.pipeline = read_pipeline(self.outline, self.learned)
        self.steps = self.pipeline.needed_for(self.targets)
        self._add_steps()

    def _keep_kernel(self, ended: _Ended, running: _Running) -> None:
        """The step's kernel waits for the next step of its unit."""
        if ended.outcome is not None and ended.outcome.kernel is not None:
            self.kernels.keep(ended.step, ended.resolved.cache_key, ended.outcome.kernel, running.shared)

    def _may_retry(self, step: Step) -> bool:
        """Whether a step that failed in a kernel that it shares is executed again, with those before it."""
        count = self.retried[step.name] = self.retried.get(step.name, 0) + 1
        server = self._servers.get(step.kernel or self.planner.kernel)
        return count <= step.retries + (server is not None and server.has_died)

    def _add_steps(self) -> None:
        """Steps that a learned effect made necessary for the targets."""
        known = {row["step"] for row in self.store.runs.steps(self.run_id)}
        new = [step for step in self.steps if step.name not in known]
        if new:
            self.store.runs.add_steps(self.run_id, [(step.name, step.cells) for step in new])

    # -- telling --------------------------------------------------------------------------------

    def _settle_steps(self, status: Status) -> None:
        """Steps that did not come to their turn."""
        for row in self.store.runs.steps(self.run_id):
            if row["status"] == Status.RUNNING:
                self._note(row["step"], status=Status.CANCELLED, finished_at=now())
            elif row["status"] == Status.QUEUED:
                self._note(row["step"], status=Status.SKIPPED)
        folder = self.store.run_folder(self.run_id)
        with contextlib.suppress(OSError):  # no step ran, or a killed kernel left something there
            os.rmdir(folder)

    def _note(self, step: str, **columns: Any) -> None:
        """Write down how a step stands, and tell the listener."""
        self.store.runs.update_step(self.run_id, step, **columns)
        shown: dict[str, Any] = {
            name: columns[name]
            for name in ("status", "decision", "reasons", "duration_seconds", "error")
            if name in columns
        }
        self._tell({"kind": "step", "step": step, "progress": None, **shown})

    def _progress(self, step: str, progress: dict[str, int]) -> None:
        self._tell({"kind": "step", "step": step, "status": Status.RUNNING, "progress": progress})

    def _tell_anomalies(self, step: str, anomalies: list[dict[str, Any]]) -> None:
        self._tell({"kind": "anomalies", "step": step, "anomalies": anomalies})

    def _tell_of_logged(self) -> None:
        """Steps have logged metrics: those who watch the store look again."""
        for name, running in self.running.items():
            path = self.store.run_folder(self.run_id) / f"{name}.logged"
            size = path.stat().st_size if path.exists() else 0
            if size != running.logged_bytes:
                running.logged_bytes = size
                self.store.runs.update_step(self.run_id, name, status=Status.RUNNING)

    def _tell(self, event: Event) -> None:
        self.listener({"run_id": self.run_id, **event})


def close_servers(servers: Mapping[str, ForkServer | None]) -> None:
    for server in servers.values():
        if server is not None:
            server.close()


def _left_by(outcome: StepOutcome | None) -> dict[str, Any]:
    """What a step has left to be read though it did not come to its end."""
    if outcome is None:
        return {}
    return {
        "duration_seconds": outcome.duration_seconds,
        "executed": outcome.executed,
        "log": outcome.log,
    }


def _covers(result: _Result, wanted: frozenset[str]) -> bool:
    return result.execution is None or wanted <= result.execution.outputs.keys()


def _digests(resolved: Resolved) -> dict[str, str]:
    return {name: artifact.digest for name, artifact in resolved.inputs.items() if not is_state(name)}
