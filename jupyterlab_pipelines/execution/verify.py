"""Runs reused steps again, in a scratch place, and tells which of them do not give the same.

Each step, or unit of steps, is executed by a `Runner` of its own, for which all other steps are *pinned* to the
executions that a run would reuse: so it starts from the stored inputs, and a step that gives another value each
time is not held against those below it. The scratch place is a folder for temporary files with

- the project's files, as copies, or as links where they are large and the step only reads them,
- a store with a copy of the database, and links to the stored values.

Nothing of the project or its store is changed, and the scratch place is gone when all has been looked at.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyterlab_pipelines.artifact import AMBIENT, FILE, HIDDEN, KERNEL, Artifact
from jupyterlab_pipelines.execution.causes import Cause, likely_causes
from jupyterlab_pipelines.execution.runner import Runner, close_servers
from jupyterlab_pipelines.execution.scratch import Scratch, scratch_folder, terminated_as_interrupted
from jupyterlab_pipelines.fingerprint import code_fingerprint
from jupyterlab_pipelines.notebook.assemble import cell_index_of
from jupyterlab_pipelines.notebook.parse import Outline
from jupyterlab_pipelines.pipeline import FileEffects, Pipeline, Step
from jupyterlab_pipelines.plan import Decision, Plan, PlannedStep
from jupyterlab_pipelines.planner import Planner, Resolved
from jupyterlab_pipelines.run import Execution, Status
from jupyterlab_pipelines.store import Store
from jupyterlab_pipelines.store.runs import new_run_id

ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]+")

PICKLED = ("pickle", "group")
"""Materializers that write with pickle; a group holds objects that several variables share."""

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that a step did not give again.

    `kind`: ``value``, ``state`` (of a random generator, of options), ``file``, or ``shown`` (what its cells show).
    """

    kind: str
    what: str
    message: str
    before: str | None = None
    after: str | None = None

    def to_json(self) -> Document:
        return {
            "kind": self.kind,
            "what": self.what,
            "before": self.before,
            "after": self.after,
            "message": self.message,
        }


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one step.

    `status`: ``equal``, ``different``, ``failed`` (it did not run to its end in the scratch place) or
    ``not_verified``, with the reason as `message`.
    """

    step: str
    status: str
    message: str = ""
    differences: tuple[Difference, ...] = ()
    causes: tuple[Cause, ...] = ()
    duration_seconds: float | None = None

    def to_json(self) -> Document:
        return {
            "name": self.step,
            "status": self.status,
            "message": self.message,
            "differences": [difference.to_json() for difference in self.differences],
            "causes": [cause.to_json() for cause in self.causes],
            "duration_seconds": self.duration_seconds,
        }


@dataclass
class Verifier:
    """Verifies the reused steps of a plan.

    Parameters
    ----------
    planner
        That of the plan: for the project's own store and folder.
    root
        The project's.
    """

    store: Store
    planner: Planner
    plan: Plan
    outline: Outline
    content: Mapping[str, Any]
    root: Path
    listener: Callable[[Verdict], None] = field(default=lambda verdict: None)
    _servers: dict[str, Any] = field(default_factory=dict)
    # The working directory of the fork servers: it must not go before they do.
    _servers_began_in: Path | None = None

    def verify(self, steps: Collection[str] = ()) -> list[Verdict]:
        """A verdict on each of `steps`, or of all; interrupted, it leaves nothing behind.

        Raises
        ------
        KeyboardInterrupt
            Somebody asked to end it.
        """
        planned = {each.step.name: each for each in self.plan.steps}
        chosen = [name for name in planned if not steps or name in steps]
        verdicts: dict[str, Verdict] = {}
        with terminated_as_interrupted(), scratch_folder() as folder, contextlib.ExitStack() as ending:
            ending.callback(close_servers, self._servers)
            for name in chosen:
                if name in verdicts:
                    continue
                unit = planned[name].step.unit
                group = unit.steps if unit else (name,)
                together = [planned[each] for each in group if each in planned]
                for verdict in self._verify_group(together, steps, folder):
                    verdicts[verdict.step] = verdict
                    if verdict.step in chosen:
                        self.listener(verdict)
        return [verdicts[name] for name in chosen]

    def _verify_group(
        self, group: Sequence[PlannedStep], asked_for: Collection[str], folder: Path
    ) -> list[Verdict]:
        executions = {
            each.step.name: found
            for each in self.plan.steps
            if each.execution_id is not None
            and (found := self.store.executions.get(each.execution_id)) is not None
        }
        steps = [each.step for each in group]
        effects = self._file_effects(steps)
        obstacle = None if any(step.name in asked_for for step in steps) else _volatile(steps)
        obstacle = obstacle or self._obstacle(group, executions, effects)
        if obstacle is not None:
            return [Verdict(each.name, "not_verified", obstacle) for each in steps]
        names = {each.name for each in steps}
        scratch = Scratch(folder, self.store, self.root, self.planner.folder)
        scratch.fill([executions[name] for name in names], effects)
        runner = self._runner(scratch, names, executions)
        status = runner.run()
        if status is Status.CANCELLED or runner.was_asked_to_end:
            raise KeyboardInterrupt
        verdicts = self._verdicts(steps, executions, effects, scratch, runner)
        if self._servers_began_in not in (None, scratch.root):
            shutil.rmtree(scratch.root, ignore_errors=True)
        self._servers_began_in = self._servers_began_in or scratch.root
        return verdicts

    def _verdicts(
        self,
        steps: Sequence[Step],
        executions: Mapping[str, Execution],
        effects: FileEffects,
        scratch: Scratch,
        runner: Runner,
    ) -> list[Verdict]:
        verdicts = []
        for step in steps:
            result = runner.results.get(step.name)
            if result is None or result.execution is None:
                error = (result and result.error) or self._run_error(scratch, runner.run_id)
                verdicts.append(self._failed(step, error))
            else:
                appends = effects.appends
                verdicts.append(
                    self._compared(step, executions[step.name], result.execution, scratch, appends)
                )
        return verdicts

    def _runner(self, scratch: Scratch, names: set[str], executions: Mapping[str, Execution]) -> Runner:
        planner = Planner(
            scratch.store, self.planner.notebook, self.planner.parameters, self.planner.kernel, scratch.folder
        )
        run_id = new_run_id()
        scratch.store.runs.create(
            run_id,
            notebook=self.planner.notebook,
            parameters=self.planner.parameters,
            options={},
            snapshot="",
            output=None,
        )
        pinned = {name: execution for name, execution in executions.items() if name not in names}
        for execution in executions.values():
            scratch.refer(execution)
        return Runner(
            store=scratch.store,
            planner=planner,
            run_id=run_id,
            outline=self.outline,
            content=self.content,
            folder=scratch.folder,
            targets=names,
            force=names,
            jobs=1,
            pinned=pinned,
            servers=self._servers,
        )

    # -- what cannot be verified ----------------------------------------------------------------

    def _obstacle(
        self, group: Sequence[PlannedStep], executions: Mapping[str, Execution], effects: FileEffects
    ) -> str | None:
        """Why the steps cannot be verified; None if they can."""
        for each in group:
            if each.decision is not Decision.REUSE:
                return _why_not(each, group)
            resolved = self.planner.resolve(self.plan.pipeline, each.step, executions)
            if isinstance(resolved, Resolved) and (spoilt := self.planner.overwritten(resolved)):
                path = spoilt[0].name.removeprefix(FILE)
                return f"{path}, which it reads, was overwritten since"
        outside = sorted(path for path in effects.writes if os.path.isabs(path))
        if outside:
            return f"it writes {outside[0]}, outside the project"
        if effects.writes and any(self._names_the_project(each.step) for each in group):
            return f"it writes files, and names the project's folder {self.root} in its code"
        return None

    def _names_the_project(self, step: Step) -> bool:
        texts = [self.plan.pipeline.cells[index].source for index in step.cells]
        texts += [str(value) for value in self.planner.parameters.values()]
        return any(str(self.root) in text for text in texts)

    def _file_effects(self, steps: Sequence[Step]) -> FileEffects:
        codes = {step.name: code_fingerprint(step.code) for step in steps}
        found = [effects.files for effects in self.store.executions.effects(codes).values()]
        return FileEffects(
            reads=frozenset().union(*(each.reads for each in found)),
            lists=frozenset().union(*(each.lists for each in found)),
            writes=frozenset().union(*(each.writes for each in found)),
            appends=frozenset().union(*(each.appends for each in found)),
        )

    # -- what came of a step --------------------------------------------------------------------

    def _compared(
        self, step: Step, before: Execution, after: Execution, scratch: Scratch, appends: Collection[str]
    ) -> Verdict:
        differences = [
            *_other_outputs(before, after, appends),
            *_other_shown(_notebook(self.store, before), _notebook(scratch.store, after)),
        ]
        real = [difference for difference in differences if difference.kind != "shown"]
        causes: tuple[Cause, ...] = ()
        if differences:
            causes = likely_causes(
                self._sources(step),
                {**before.trace, **after.trace},
                [each.what for each in differences],
                real=bool(real),
            )
            materializers = {each.name: each.materializer for each in before.outputs.values()}
            is_pickled = any(materializers.get(each.what) in PICKLED for each in real)
            if is_pickled and [cause.kind for cause in causes] == ["unknown"]:
                causes = (Cause.of("pickle"),)
        return Verdict(
            step.name,
            "different" if real else "equal",
            "; ".join(difference.message for difference in differences),
            tuple(differences),
            causes,
            after.duration_seconds,
        )

    def _failed(self, step: Step, error: Mapping[str, Any]) -> Verdict:
        message = str(error.get("message") or "it did not come to its turn").rstrip(".")
        missing = "FileNotFoundError" in f"{message} {error.get('traceback', '')}"
        causes = likely_causes(self._sources(step), {}, (), real=True)
        causes = ((Cause.of("unseen"),) if missing else ()) + tuple(c for c in causes if c.kind != "unknown")
        return Verdict(step.name, "failed", f"it failed in the scratch place: {message}", (), causes)

    def _run_error(self, scratch: Scratch, run_id: str) -> Mapping[str, Any]:
        error = scratch.store.runs.row(run_id)["error"]
        return json.loads(error) if error else {}

    def _sources(self, step: Step) -> list[str]:
        """The code of the step, and all that it reaches."""
        pipeline: Pipeline = self.plan.pipeline
        needs = step.needs
        carried = (*needs.setup_definitions, *needs.definitions, *needs.late_definitions)
        own = [pipeline.cells[index].source for index in step.cells]
        return [*own, *(definition.source for definition in carried), *needs.setup]


def _volatile(steps: Sequence[Step]) -> str | None:
    """Why the steps need not give the same again: their tags say that the result is kept for some time only."""
    tagged = [step for step in steps if step.cache_age_seconds is not None]
    return f"`cache:{tagged[0].cache}` says that it may give something else" if tagged else None


def _why_not(each: PlannedStep, group: Sequence[PlannedStep]) -> str:
    reasons = "; ".join(reason.message for reason in each.reasons)
    if len(group) > 1:
        reasons = f"`{each.step.name}`, with which it shares a kernel: {reasons}"
    return f"not up to date: {reasons}"


# -- differences ----------------------------------------------------------------------------------


def _other_outputs(before: Execution, after: Execution, appends: Collection[str]) -> Iterator[Difference]:
    """What the two left and is not equal; files that they append to grow each time, and are left out."""
    left = {**before.unkept, **before.outputs}
    again = {**after.unkept, **after.outputs}
    for name in sorted(left.keys() | again.keys()):
        old, new = left.get(name), again.get(name)
        if name.startswith(KERNEL) or name.removeprefix(FILE) in appends:
            continue
        if _cannot_be_compared(old) or _cannot_be_compared(new):
            continue
        if name.startswith(FILE) and os.path.isabs(name.removeprefix(FILE)) and None in (old, new):
            continue  # a temporary file counts as soon as it has been there before
        if old is None or new is None or old.digest != new.digest:
            yield _other_output(name, old, new)


def _cannot_be_compared(artifact: Artifact | None) -> bool:
    return artifact is not None and (artifact.kind == "uncarriable" or not artifact.digest)


def _other_output(name: str, old: Artifact | None, new: Artifact | None) -> Difference:
    digests = tuple(None if artifact is None else artifact.digest for artifact in (old, new))
    if name.startswith(FILE):
        path = name.removeprefix(FILE)
        verb = "was not written" if new is None else "was written" if old is None else "has other content"
        return Difference("file", path, f"{path} {verb}", *digests)
    if name.startswith((HIDDEN, AMBIENT)):
        what = name.removeprefix(HIDDEN).removeprefix(AMBIENT)
        return Difference("state", what, f"it leaves {what} in another state", *digests)
    if old is None or old.kind == "absent":
        return Difference("value", name, f"`{name}` was left this time, and was not before", *digests)
    if new is None or new.kind == "absent":
        return Difference("value", name, f"`{name}` was not left this time", *digests)
    told = f": {old.summary} → {new.summary}" if old.summary != new.summary else ""
    return Difference("value", name, f"`{name}` has another value{told}", *digests)


def _notebook(store: Store, execution: Execution) -> dict[int, str]:
    """By cell of the notebook, what it shows, without what differs from time to time."""
    data = store.artifacts.read_bytes(execution.notebook)
    cells = json.loads(data)["cells"] if data else []
    shown: dict[int, str] = {}
    for cell in cells:
        index = cell_index_of(cell)
        if index is None:
            continue
        streams: dict[str, str] = {}
        parts = []
        for output in cell.get("outputs", []):
            if output.get("output_type") == "stream":
                # How a stream was cut into pieces is left to chance.
                streams[output["name"]] = streams.get(output["name"], "") + "".join(output["text"])
            else:
                parts.append(json.dumps(output.get("data"), sort_keys=True))
        text = "\n".join([*(streams.get(name, "") for name in ("stdout", "stderr")), *parts])
        shown[index] = ADDRESS.sub("at 0x", text)
    return shown


def _other_shown(before: Mapping[int, str], after: Mapping[int, str]) -> Iterator[Difference]:
    for index in sorted(before.keys() & after.keys()):
        if before[index] != after[index]:
            yield Difference("shown", f"cell {index + 1}", f"cell {index + 1} shows something else")
