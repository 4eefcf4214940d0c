"""``%%step`` in a live kernel: reuse what is there, execute what is not, and keep it for pipeline runs.

A cache entry says: this code, with these definitions, setup, parameters and input values, in this environment,
leaves these values. It is true wherever it was found out. So a step that is executed in a live kernel is kept under
the very key that a pipeline run would look it up with, but only if it can be proved (see `evidence`) that the
kernel held exactly what the run would have given to the step. Where it cannot, the cell is executed as every
other cell, and nothing is kept; ``%pipeline status`` says why.
"""

from __future__ import annotations

import ast
import json
import logging
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from jupyterlab_pipelines import materializers
from jupyterlab_pipelines.artifact import AMBIENT, FILE, HIDDEN, is_state
from jupyterlab_pipelines.errors import PipelinesError
from jupyterlab_pipelines.kernel import runtime
from jupyterlab_pipelines.kernel.magics.displays import Recording, replay
from jupyterlab_pipelines.kernel.magics.evidence import (
    Evidence,
    accounted,
    normal_of,
    state_digest,
    user_names,
)
from jupyterlab_pipelines.kernel.magics.lines import is_step
from jupyterlab_pipelines.kernel.runtime import hidden
from jupyterlab_pipelines.kernel.runtime.inputs import load_references, take_snapshots
from jupyterlab_pipelines.kernel.runtime.watch import set_state
from jupyterlab_pipelines.pipeline import Effects

if TYPE_CHECKING:
    from jupyterlab_pipelines.execution.step import StepJob, StepOutcome
    from jupyterlab_pipelines.kernel.magics.session import Session
    from jupyterlab_pipelines.notebook.parse import Outline
    from jupyterlab_pipelines.pipeline import Pipeline, Step
    from jupyterlab_pipelines.planner import Planner, Resolved
    from jupyterlab_pipelines.project import Project
    from jupyterlab_pipelines.run import Execution

log = logging.getLogger(__name__)


class NotProvedError(Exception):
    """The kernel does not hold, as far as anybody can tell, what a pipeline run would give to the step."""


@dataclass
class _Entry:
    """A cell of this session, as the notebook has it now."""

    id: str | None
    source: str
    step: str | None


@dataclass
class _Prepared:
    """A step that is about to be executed, or reused."""

    name: str
    source: str
    project: Project
    content: Mapping[str, Any]
    outline: Outline
    pipeline: Pipeline
    planner: Planner
    resolved: Resolved
    job: StepJob
    spec: dict[str, Any]
    learned: Mapping[str, Effects]
    reused: Execution | None = None
    removed: dict[str, Any] = field(default_factory=dict)
    started: float = 0.0

    @property
    def step(self) -> Step:
        return self.resolved.step


class Live:
    """Watches the cells of one shell."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._shell = session.shell
        self._entries: list[_Entry] = []
        self._executions: dict[str, Execution] = {}
        self._learned: dict[str, Effects] = {}
        self._recording: Recording | None = None
        self._source: str | None = None
        self._cell_id: str | None = None
        self._prepared: _Prepared | None = None
        self._seen = runtime.Seen()
        self._is_off = False
        self._run: tuple[str, str] | None = None
        self._instead: Any = _Instead(self)
        self._step: str | None = None
        self.shadows = False
        self.status: dict[str, str] = {}

    # -- the shell ------------------------------------------------------------------------------

    def begin(self) -> None:
        """From now on, look at every cell; the one that is being executed among them."""
        runtime.record()
        self._evidence = Evidence(self._shell.user_ns)
        manager: Any = self._shell.history_manager
        history = list(manager.input_hist_raw)[1:]
        with suppress(Exception):  # a history that somebody has put something else in
            for source in history[:-1]:
                self._evidence.note_unseen(_code(source))
            before, _, _ = history[-1].partition("%load_ext jupyterlab_pipelines")
            self._evidence.note_unseen(before)
        self._source = history[-1] if history else None
        self._recording = Recording(self._shell)
        self._recording.start()
        self._shell.events.register("pre_run_cell", self._before_cell)
        self._shell.events.register("post_run_cell", self._after_cell)
        self._shell.ast_transformers.insert(0, self._instead)

    def end(self) -> None:
        for event, callback in (("pre_run_cell", self._before_cell), ("post_run_cell", self._after_cell)):
            with suppress(ValueError):
                self._shell.events.unregister(event, callback)
        if self._instead in self._shell.ast_transformers:
            self._shell.ast_transformers.remove(self._instead)
        if self._recording is not None:
            self._recording.stop()
            self._recording = None

    @contextmanager
    def unwatched(self) -> Iterator[None]:
        """What is executed within it is told by `note`."""
        self._is_off = True
        try:
            yield
        finally:
            self._is_off = False
            self._evidence.settle()

    def note(self, source: str) -> None:
        """A cell of setup, or a definition, was executed."""
        self._evidence.note(source, [], runtime.Seen())

    def _before_cell(self, info: Any) -> None:
        if self._is_off or not isinstance(info.raw_cell, str):
            return
        self._source, self._cell_id = info.raw_cell, getattr(info, "cell_id", None)
        self._prepared = self._step = None
        try:
            self._step = self._name_of_step(self._source)
            if self._step is not None:
                self._prepared = self._prepare(self._source, self._step)
        except (NotProvedError, PipelinesError) as why:
            self._tell(str(why))
        except Exception as bug:
            self._note_bug(bug)
        self._recording = Recording(self._shell)
        self._recording.start()
        if self._prepared is not None:
            self._prepared.started = time.perf_counter()

    def _after_cell(self, result: Any) -> None:
        if self._is_off or self._recording is None:
            return
        source, prepared = self._source, self._prepared
        shown, displays = self._recording.stop(), self._recording.outputs.displays
        self._recording = self._source = self._prepared = None
        if source is None:
            return
        try:
            if prepared is None or prepared.reused is not None:
                self._note_plain(source, shown, ok=result.success)
            elif result.success:
                self._keep(prepared, shown, displays)
            else:
                self._give_back(prepared)
        except (NotProvedError, PipelinesError, OSError) as why:
            self._tell(str(why), source)
        except Exception as bug:
            self._note_bug(bug, source)
        finally:
            if prepared is not None:
                runtime.release()

    def _note_plain(self, source: str, shown: list[dict[str, Any]], *, ok: bool) -> None:
        now = runtime.seen()
        seen, self._seen = now.since(self._seen), now
        self._evidence.modules |= {p: read for p, read in seen.files.items() if p.endswith(".py")}
        code = _code(source)
        if not ok or normal_of(code) is None:
            self._evidence.settle()
            return
        self._entries = self._with_entry(source, self._step)
        if self._step is not None:
            self._evidence.note_names(code)
            self._evidence.settle()
        else:
            self._evidence.note(code, shown, seen)

    def _tell(self, why: str, source: str | None = None) -> None:
        """Say once, to somebody who looks, that a step is not kept, and why."""
        source = source or self._source or ""
        step = self._step or "?"
        message = f"not stored: {why.removeprefix('Cell 1, ')}"
        is_new = self.status.get(step) != message
        self.status[step] = message
        # A front end says which cell it is; whoever executes a notebook as a whole wants its outputs alone.
        if (
            is_new
            and is_step(source)
            and (self._cell_id is not None or getattr(self._shell, "kernel", None) is None)
        ):
            print(f"(step {step} {message})", file=sys.stderr)

    def _note_bug(self, bug: Exception, source: str | None = None) -> None:
        """A mistake of ours is no reason to spoil the outputs of somebody's cell."""
        log.debug("A step is executed without the cache", exc_info=True)
        self._tell(f"internal error ({type(bug).__name__}: {bug})", source)

    # -- before ---------------------------------------------------------------------------------

    def _name_of_step(self, source: str) -> str | None:
        """The step that the cell's first line names; where steps are recorded in the shadow, that of its tags."""
        from jupyterlab_pipelines.notebook.tags import read_step_magic, read_tags

        magic = read_step_magic(source, 0)
        if magic is not None:
            return magic[0].step
        path = self._session.notebook
        if not self.shadows or self._cell_id is None or path is None:
            return None
        from jupyterlab_pipelines.notebook.parse import read_notebook

        for position, cell in enumerate(read_notebook(path)["cells"]):
            if cell.get("id") == self._cell_id and cell["cell_type"] == "code":
                return read_tags((cell.get("metadata") or {}).get("tags") or (), position).step
        return None

    def _prepare(self, source: str, name: str) -> _Prepared | None:
        """What a pipeline run would start this step with, and that it is all here.

        None for a step that is executed in the shadow, and whose result is stored already.
        """
        from jupyterlab_pipelines.execution.step import StepJob, spec_of
        from jupyterlab_pipelines.notebook.tags import is_forced

        project = self._session.project
        content = self._content(source, name)
        outline, pipeline, learned = self._read(project, content)
        step = pipeline[name]
        self._require_simple(pipeline, step, source)
        planner = self._planner(project, outline, pipeline)
        resolved = self._resolve(pipeline, planner, step)
        job = StepJob(
            pipeline=pipeline,
            resolved=resolved,
            content=content,
            kernel_name=planner.kernel,
            folder=planner.folder,
            store=project.store,
            run_folder=project.store.path,
            parameters=planner.parameters,
            wanted=frozenset(step.outputs),
            on_cell=lambda done, of: None,
            on_session=lambda session: None,
            started_with=runtime.started_with(),
        )
        for why in self._evidence.differences(pipeline, step, resolved):
            raise NotProvedError(why)
        prepared = _Prepared(
            *(name, source, project, content, outline, pipeline, planner, resolved, job),
            {},
            learned,
        )
        project.store.create()
        prepared.spec = spec_of(job)
        restored = self._inputs_to_restore(prepared)
        decided = planner.decide(resolved, wanted=step.outputs, forced=is_forced(source))
        if decided.execution is not None and not is_step(source):
            self._executions[name] = decided.execution
            self.status[name] = f"stored already, in run {decided.execution.run_id}"
            return None
        if decided.execution is not None and self._can_take(prepared, decided.execution):
            prepared.reused = decided.execution
            return prepared
        self._begin(prepared, restored)
        return prepared

    def _content(self, source: str, name: str) -> dict[str, Any]:
        """The notebook with the cells as they were executed here, this one among them."""
        path = self._session.notebook
        entries = self._with_entry(source, name)
        if path is None:
            return _as_notebook(entries)
        if path.parent.resolve() != self._session.folder.resolve():
            raise NotProvedError("this kernel was not started in the notebook's folder")
        from jupyterlab_pipelines.notebook.parse import read_notebook, source_of

        content = read_notebook(path)
        cells = [dict(cell) for cell in content["cells"]]
        for entry in entries:
            place = _find_cell(cells, entry)
            if place is not None:
                if source_of(cells[place]) != entry.source:
                    cells[place]["source"] = entry.source
            elif entry.step is not None and not any(source_of(cell) == entry.source for cell in cells):
                cells.append({"cell_type": "code", "metadata": {}, "outputs": [], "source": entry.source})
        return {**content, "cells": cells}

    def as_notebook(self) -> dict[str, Any]:
        """The cells of this session: setup before the first step, and the steps."""
        return _as_notebook(self._entries)

    def _with_entry(self, source: str, name: str | None) -> list[_Entry]:
        """The cells with this one, in place of what it was before."""
        new = _Entry(self._cell_id, source, name)
        entries = list(self._entries)
        for position, entry in enumerate(entries):
            is_same = entry.id is not None and entry.id == new.id
            if is_same or entry.source == source or (name is not None and entry.step == name):
                entries[position] = new
                return entries
        if name is None and self._session.notebook is None and any(entry.step for entry in entries):
            return entries  # a look at something between two steps
        return [*entries, new]

    def _read(
        self, project: Project, content: Mapping[str, Any]
    ) -> tuple[Outline, Pipeline, dict[str, Effects]]:
        from jupyterlab_pipelines.notebook.flow import read_pipeline, step_fingerprints
        from jupyterlab_pipelines.notebook.parse import read_outline, require_python

        outline = read_outline(content)
        require_python(outline)
        codes = step_fingerprints(outline)
        learned = project.store.executions.effects(codes)
        learned |= {name: self._learned[code] for name, code in codes.items() if code in self._learned}
        return outline, read_pipeline(outline, learned), learned

    def _require_simple(self, pipeline: Pipeline, step: Step, source: str) -> None:
        """Raise `NotProvedError` for a step that is more than this cell."""
        from jupyterlab_pipelines.notebook.flow import has_code

        cells = [pipeline.cells[index] for index in step.cells if has_code(pipeline.cells[index])]
        if len(cells) != 1:
            raise NotProvedError(
                f"it has {len(cells)} cells with code; a pipeline run executes them together"
            )
        if cells[0].source.strip() != _code(source).strip():
            raise NotProvedError("the notebook's file has another cell for it")
        if step.unit is not None:
            names = ", ".join(f"`{name}`" for name in step.unit.names)
            raise NotProvedError(f"it shares {names} with other steps, which cannot be stored")

    def _planner(self, project: Project, outline: Outline, pipeline: Pipeline) -> Planner:
        from jupyterlab_pipelines.environment import find_kernelspec
        from jupyterlab_pipelines.planner import Planner

        if not find_kernelspec(outline.kernel).is_own:
            raise NotProvedError(f"this is not the Python of the notebook's kernel `{outline.kernel}`")
        parameters = {}
        for parameter in pipeline.parameters:
            if parameter.is_literal and parameter.name in self._shell.user_ns:
                value = self._shell.user_ns[parameter.name]
                if type(value) is not type(parameter.default) or value != parameter.default:
                    try:
                        json.dumps(value, allow_nan=False)
                    except (TypeError, ValueError):
                        raise NotProvedError(f"the parameter `{parameter.name}` is no plain value") from None
                    parameters[parameter.name] = value
        path = self._session.path
        return Planner(
            project.store,
            project.key_of(path),
            parameters,
            outline.kernel,
            path.parent,
            started_with=runtime.started_with(),
        )

    def _resolve(self, pipeline: Pipeline, planner: Planner, step: Step) -> Resolved:
        """The step with its inputs, given what is stored of the steps that it needs."""
        from jupyterlab_pipelines.planner import Waiting

        done: dict[str, Execution] = {}
        for each in pipeline.needed_for([step.name]):
            resolved = planner.resolve(pipeline, each, done)
            if isinstance(resolved, Waiting):
                raise NotProvedError(f"there is no stored result of step `{resolved.steps[0]}` as it is now")
            if each.name == step.name:
                if resolved.missing or resolved.uncarriable:
                    given = (*resolved.missing, *resolved.uncarriable)[0]
                    raise NotProvedError(f"`{given.name}` of step `{given.step}` is not stored")
                if planner.overwritten(resolved):
                    raise NotProvedError("a file is not as a step above left it")
                return resolved
            own = self._executions.get(each.name)
            if own is not None and own.cache_key == resolved.cache_key:
                done[each.name] = own
                continue
            decided = planner.decide(resolved, wanted=each.outputs)
            if decided.execution is not None:
                done[each.name] = decided.execution
        raise NotProvedError(f"step `{step.name}` is not there")  # pragma: no cover

    def _inputs_to_restore(self, prepared: _Prepared) -> dict[str, str]:
        """Inputs that this very step has replaced when it was executed before: they are loaded again.

        Raises
        ------
        NotProvedError
            An input is another value than a run would give.
        """
        evidence, resolved = self._evidence, prepared.resolved
        definitions, rebound = prepared.spec["definitions"], prepared.spec["rebound"]
        differing = evidence.differing_inputs(resolved, definitions, rebound)
        own = self._executions.get(prepared.name)
        restored = {}
        for name in sorted(differing):
            artifact = resolved.inputs[name]
            left = None if own is None else own.outputs.get(name)
            if left is None or artifact.kind != "value":
                raise NotProvedError(f"`{name}` is not what the steps above leave")
            with materializers.carried_definitions(definitions, rebound):
                is_left = (
                    materializers.digest_of(self._shell.user_ns.get(name)) == left.digest.partition("+")[0]
                )
            if not is_left:
                raise NotProvedError(f"`{name}` is not what the steps above leave")
            restored[name] = artifact.reference
        if not restored:
            self._require_same_sharing(resolved)
        return restored

    def _require_same_sharing(self, resolved: Resolved) -> None:
        """Inputs must share objects here just where they do in a run."""
        values = {n: a for n, a in resolved.inputs.items() if a.kind == "value" and not is_state(n)}
        here = {n: self._shell.user_ns[n] for n in values if n in self._shell.user_ns}
        shared = {frozenset(group & values.keys()) for group in materializers.shared_groups(here)}
        files: dict[str, set[str]] = {}
        for name, artifact in values.items():
            if artifact.member is not None:
                files.setdefault(artifact.stored, set()).add(name)
        stored = {frozenset(names) for names in files.values() if len(names) > 1}
        if {group for group in shared if len(group) > 1} != stored:
            raise NotProvedError("its inputs share objects otherwise than in a run")

    def _begin(self, prepared: _Prepared, restored: dict[str, str]) -> None:
        """Make the namespace what a run's kernel would have of the step's names, and watch."""
        namespace = self._shell.user_ns
        step = prepared.step
        known = accounted(step, prepared.resolved)
        if restored:
            loaded = load_references(prepared.project.store.path, restored)
            prepared.removed |= {name: namespace[name] for name in restored}
            namespace |= loaded
            digests = {name: prepared.resolved.inputs[name].digest for name in restored}
            take_snapshots(namespace, restored, digests)
        stale = {*step.leaves, *step.outputs, *step.defines} - known
        for name in stale & user_names(namespace):
            prepared.removed[name] = namespace.pop(name)
        runtime.record()
        for cell in prepared.pipeline.preamble_of(step):
            plain = self._evidence.cells.get(normal_of(cell.source) or ())
            if plain is not None:
                if plain.seen.writes:
                    raise NotProvedError("setup has written files")
                runtime.carry(plain.seen)
        runtime.begin(prepared.spec)

    def _give_back(self, prepared: _Prepared) -> None:
        """The step failed: names that it was to bind anew are what they were."""
        for name, value in prepared.removed.items():
            self._shell.user_ns.setdefault(name, value)
        self._evidence.settle()
        self._seen = runtime.seen()

    # -- reuse ----------------------------------------------------------------------------------

    def _can_take(self, prepared: _Prepared, execution: Execution) -> bool:
        """Whether loading what the execution left makes the namespace what executing the cell would make it."""
        from jupyterlab_pipelines.notebook.names import StatementKind, analyse

        outputs = execution.outputs
        if execution.unkept or any(a.kind not in ("value", "absent", "hidden") for a in outputs.values()):
            return False
        normals = [normal_of(cell.source) or () for cell in prepared.pipeline.preamble_of(prepared.step)]
        for why in self._evidence.edited_files(normals):
            raise NotProvedError(why)
        made: set[str] = set()
        for statement in analyse(_code(prepared.source)).statements:
            if statement.kind is not StatementKind.OTHER:
                if statement.reads & made or statement.binds & outputs.keys():
                    return False  # it needs a value of the step, or is one: no copy would be what is imported
                continue
            made |= statement.binds | statement.may_bind
            if any(name not in outputs for name in statement.binds - statement.deletes):
                return False
        effects = prepared.learned.get(prepared.name, Effects())
        same = execution.trace.get("same", {})
        for group in effects.shared:
            names = {name.removeprefix("as read ") for name in group}
            # Inputs and values of setup which stay as they are, and of which the step has kept a part.
            apart = names - outputs.keys()
            if apart and any(same.get(name) not in apart for name in names - apart):
                return False
        changed = {name for name in effects.mutates if not is_state(name)}
        # Handed on as they were: other names for them would not stand for the loaded objects.
        changed |= (accounted(prepared.step, prepared.resolved) & outputs.keys()) - made
        return not changed or not self._is_known_elsewhere(changed, set(outputs))

    def _is_known_elsewhere(self, changed: set[str], outputs: set[str]) -> bool:
        """Whether objects that the step changes in place have other names here, which would not see the change."""
        namespace = self._shell.user_ns
        values = {name: namespace[name] for name in user_names(namespace)}
        return any(group & changed and not group <= outputs for group in materializers.shared_groups(values))

    def take(self) -> None:
        """Load what the step left, and show what it showed; called in place of the cell's code."""
        prepared = self._prepared
        assert prepared is not None and prepared.reused is not None
        execution, namespace = prepared.reused, self._shell.user_ns
        store = prepared.project.store
        values = {n: a for n, a in execution.outputs.items() if a.kind == "value" and not is_state(n)}
        from jupyterlab_pipelines.artifact import in_loading_order

        said = {
            name: values[name].reference
            for name in in_loading_order(values)
            if name not in execution.trace.get("same", {})
        }
        load_references(store.path, said, into=namespace)
        take_snapshots(namespace, said, {name: values[name].digest for name in said})
        for name, other in execution.trace.get("same", {}).items():
            if name in values:
                namespace[name] = namespace[other]
        for name, artifact in execution.outputs.items():
            if artifact.kind == "absent" and not is_state(name):
                namespace.pop(name, None)
        state = {
            name: a.reference if a.stored else ""
            for name, a in execution.outputs.items()
            if name.startswith((HIDDEN, AMBIENT))
        }
        set_state(store.path, state)
        self._executions[prepared.name] = execution
        self.status[prepared.name] = f"reused, from run {execution.run_id}"
        notebook = store.artifacts.read_object(execution.notebook)
        if notebook is not None:
            from jupyterlab_pipelines.notebook.assemble import is_step_cell

            for cell in json.loads(notebook)["cells"]:
                if is_step_cell(cell):
                    replay(self._shell, cell.get("outputs", []))

    @property
    def is_taking(self) -> bool:
        return self._prepared is not None and self._prepared.reused is not None

    # -- after ----------------------------------------------------------------------------------

    def _keep(self, prepared: _Prepared, shown: list[dict[str, Any]], displays: dict[str, Any]) -> None:
        """Store what the step has left, under the key that a pipeline run will ask for."""
        from jupyterlab_pipelines.execution.step import outcome_of

        seconds = time.perf_counter() - prepared.started
        report = runtime.finish()
        self._seen = runtime.seen()
        self._evidence.modules |= {p: read for p, read in self._seen.files.items() if p.endswith(".py")}
        self._evidence.note_names(_code(prepared.source))
        self._entries = self._with_entry(prepared.source, prepared.name)
        self._evidence.settle()
        executed = self._executed(prepared, shown, displays, report.pop("logged"))
        store = prepared.project.store
        outcome = outcome_of(
            prepared.job,
            report,
            seconds,
            executed=store.artifacts.add_bytes(json.dumps(executed, sort_keys=True).encode()),
        )
        resolved = self._require_still_proved(prepared, outcome)
        run_id = self._run_of(prepared)
        from jupyterlab_pipelines.fingerprint import code_fingerprint
        from jupyterlab_pipelines.store.runs import now

        assert outcome.executed is not None
        execution = store.executions.add(
            cache_key=resolved.cache_key,
            notebook=prepared.planner.notebook,
            step=prepared.name,
            run_id=run_id,
            finished_at=now(),
            duration_seconds=outcome.duration_seconds,
            parts=resolved.parts,
            trace=outcome.trace,
            executed=outcome.executed,
            log=None,
            outputs=outcome.outputs,
            metrics=outcome.metrics,
            previews=outcome.previews,
            effects={code_fingerprint(prepared.step.code): outcome.effects},
        )
        self._executions[prepared.name] = execution
        self._note_run(prepared, resolved, execution, run_id)
        self.status[prepared.name] = f"stored, in run {run_id}"

    def _require_still_proved(self, prepared: _Prepared, outcome: StepOutcome) -> Resolved:
        """What the step was seen to do may show that it reads more than was known: that must be proved, too."""
        from jupyterlab_pipelines.files import saw, with_digests
        from jupyterlab_pipelines.fingerprint import code_fingerprint
        from jupyterlab_pipelines.notebook.flow import read_pipeline

        before = prepared.learned.get(prepared.name)
        effects = outcome.effects
        if before is not None:
            effects = replace(effects, reads=before.reads, missed=before.missed)
        self._learned[code_fingerprint(prepared.step.code)] = effects
        for output in outcome.outputs:
            if output.kind == "uncarriable" and (
                is_state(output.name) or output.name in prepared.step.outputs
            ):
                raise NotProvedError(f"it leaves `{output.name}`, which cannot be stored: {output.summary}")
        pipeline = read_pipeline(prepared.outline, {**prepared.learned, prepared.name: effects})
        resolved = self._resolve(pipeline, prepared.planner, pipeline[prepared.name])
        states = runtime.watch().hidden_before
        trace = with_digests(outcome.trace, prepared.planner.folder, prepared.project.store.files)
        for name, artifact in resolved.inputs.items():
            known = prepared.resolved.inputs.get(name)
            if known is not None and known.digest == artifact.digest:
                continue
            is_proved = (
                (states[name] is not None or bool(artifact.stored))
                and state_digest(states[name]) == artifact.digest
                if name in states
                else saw(trace, name.removeprefix(FILE), artifact.digest)
                if name.startswith(FILE)
                else False
            )
            if not is_proved:
                raise NotProvedError(f"it turned out to read `{name}`; execute it once more")
        if prepared.spec["is_seeded"]:
            normals = [normal_of(cell.source) or () for cell in pipeline.preamble_of(resolved.step)]
            for state in hidden.generators():
                before = states[state.name]
                if before == state.read() or state.name in resolved.inputs:
                    continue
                if before != self._evidence.after_setup(state.name, normals):
                    raise NotProvedError("it draws random numbers, and others were drawn before")
        return resolved

    def _executed(
        self,
        prepared: _Prepared,
        shown: list[dict[str, Any]],
        displays: dict[str, Any],
        logged: dict[str, Any],
    ) -> dict[str, Any]:
        """The step notebook as a run would have executed it."""
        from jupyterlab_pipelines.execution.step import notebook_of
        from jupyterlab_pipelines.notebook.assemble import METADATA, cell_index_of, is_step_cell

        notebook = notebook_of(prepared.job)
        for position, cell in enumerate(notebook["cells"]):
            if is_step_cell(cell):
                if not cell["metadata"][METADATA]["has_code"]:
                    continue
                cell["outputs"] = shown
                if displays:
                    notebook["metadata"][METADATA]["displays"] = {
                        display_id: {
                            "data": entry["data"],
                            "metadata": entry["metadata"],
                            "places": [[position, place] for place in entry["places"]],
                        }
                        for display_id, entry in displays.items()
                    }
            elif cell_index_of(cell) is not None:
                plain = self._evidence.cells.get(normal_of(cell["source"]) or ())
                cell["outputs"] = plain.shown if plain is not None else []
        if logged:
            notebook["metadata"][METADATA]["logged"] = logged
        return notebook

    def _run_of(self, prepared: _Prepared) -> str:
        """The run that stands for this session, as long as the notebook and its parameters stay as they are."""
        from jupyterlab_pipelines.notebook.parse import snapshot_of
        from jupyterlab_pipelines.store.runs import new_run_id

        store = prepared.project.store
        snapshot = store.artifacts.add_bytes(snapshot_of(prepared.content))
        said = f"{snapshot} {json.dumps(dict(prepared.planner.parameters), sort_keys=True)}"
        if self._run is None or self._run[0] != said:
            run_id = new_run_id()
            store.runs.create(
                run_id,
                notebook=prepared.planner.notebook,
                parameters=prepared.planner.parameters,
                options={"steps": [], "force": [], "jobs": 1, "kernel": prepared.planner.kernel},
                snapshot=snapshot,
                output=None,
            )
            store.runs.annotate(run_id, tags=None, comment="executed by hand")
            self._run = said, run_id
        return self._run[1]

    def _note_run(self, prepared: _Prepared, resolved: Resolved, execution: Execution, run_id: str) -> None:
        """The step belongs to the session's run, which has ended well so far."""
        from jupyterlab_pipelines.plan import Decision
        from jupyterlab_pipelines.run import Status

        runs = prepared.project.store.runs
        known = {row["step"]: row for row in runs.steps(run_id)}
        if prepared.name not in known:
            runs.add_steps(run_id, [(prepared.name, prepared.step.cells)])
        reason = {"kind": "forced", "what": prepared.name, "message": "executed by hand"}
        runs.update_step(
            run_id,
            prepared.name,
            status=Status.SUCCEEDED,
            decision=Decision.RUN,
            reasons=[{"before": None, "after": None, **reason}],
            cache_key=resolved.cache_key,
            inputs={name: a.digest for name, a in resolved.inputs.items() if not is_state(name)},
            execution_id=execution.id,
            started_at=execution.finished_at,
            finished_at=execution.finished_at,
            duration_seconds=execution.duration_seconds,
            executed=execution.notebook,
        )
        rows = runs.steps(run_id)
        runs.finish(run_id, Status.SUCCEEDED, sum(row["duration_seconds"] or 0.0 for row in rows))


class _Instead:
    """Leaves of a cell that is reused its imports and definitions, and puts a call in place of all else."""

    def __init__(self, live: Live) -> None:
        self._live = live

    def visit(self, tree: ast.AST) -> ast.AST:
        if not self._live.is_taking or not isinstance(tree, ast.Module):
            return tree
        kept = [each for each in tree.body if _is_definition(each)]
        call = ast.parse(f"__import__({__name__!r}, fromlist=['']).take()").body
        return ast.Module(body=[*kept, *call], type_ignores=[])


def take() -> None:
    """Called by a cell that is reused."""
    from IPython import get_ipython

    from jupyterlab_pipelines.kernel.magics import session_of

    session = session_of(get_ipython())
    assert session is not None
    session.live.take()


def _is_definition(node: ast.stmt) -> bool:
    if isinstance(node, ast.Assign):
        return isinstance(node.value, ast.Lambda)
    return isinstance(
        node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    )


def _code(source: str) -> str:
    """What is executed of a cell: without its ``%%step`` line."""
    if not is_step(source):
        return source
    from jupyterlab_pipelines.notebook.tags import read_step_magic

    magic = read_step_magic(source, 0)
    return magic[1] if magic is not None else source


def _find_cell(cells: list[dict[str, Any]], entry: _Entry) -> int | None:
    """Where the notebook's file has the cell: by its id, or by the step's name if that is one cell's alone."""
    if entry.id is not None:
        for position, cell in enumerate(cells):
            if cell.get("id") == entry.id:
                return position
    if entry.step is None:
        return None
    from jupyterlab_pipelines.notebook.parse import source_of
    from jupyterlab_pipelines.notebook.tags import read_step_magic

    found = []
    for position, cell in enumerate(cells):
        if cell["cell_type"] == "code" and is_step(source_of(cell)):
            with suppress(PipelinesError):
                magic = read_step_magic(source_of(cell), position)
                if magic is not None and magic[0].step == entry.step:
                    found.append(position)
    return found[0] if len(found) == 1 else None


def _as_notebook(entries: list[_Entry]) -> dict[str, Any]:
    cells: list[dict[str, Any]] = [
        {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "source": entry.source}
        for entry in entries
    ]
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
