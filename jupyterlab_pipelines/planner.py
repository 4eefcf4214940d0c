"""What a run would do now, step by step, and why.

`resolve` says what a step's inputs are, `decide` whether an earlier execution can be reused. The
runner asks the same two questions while it goes; so a plan and a run never disagree.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyterlab_pipelines.artifact import FILE, KERNEL, Artifact
from jupyterlab_pipelines.environment import (
    environment_of,
    find_kernelspec,
    kernel_environment,
    moved_modules,
    still_installed,
)
from jupyterlab_pipelines.errors import ParameterError
from jupyterlab_pipelines.files import (
    changed_files,
    changed_folders,
    file_digest,
    other_names,
    saw,
    with_digests,
)
from jupyterlab_pipelines.fingerprint import cache_key, fingerprint, key_parts
from jupyterlab_pipelines.pipeline import Input, Needs, Parameter, Pipeline, Step
from jupyterlab_pipelines.plan import Decision, Doubt, Plan, PlannedStep, Reason, doubts_of
from jupyterlab_pipelines.reasons import differences, similar
from jupyterlab_pipelines.run import Execution, Status
from jupyterlab_pipelines.store import Store
from jupyterlab_pipelines.store.integrity import DAMAGED
from jupyterlab_pipelines.variables import changed_variables

UNFINISHED = {
    Status.FAILED: "failed last time",
    Status.CANCELLED: "was cancelled last time",
    Status.INTERRUPTED: "was interrupted last time",
}


@dataclass(frozen=True, slots=True)
class Resolved:
    """A step whose inputs are all known.

    Attributes
    ----------
    missing
        Inputs that the step before did not keep; it must run again, and keep them.
    uncarriable
        Inputs whose value cannot be stored, from steps that are not of the step's unit.
    """

    pipeline: Pipeline = field(repr=False, compare=False)
    step: Step
    needs: Needs
    inputs: dict[str, Artifact]
    cache_key: str
    parts: dict[str, Any]
    missing: tuple[Input, ...] = ()
    uncarriable: tuple[Input, ...] = ()

    @property
    def late_inputs(self) -> set[str]:
        """Inputs that can be loaded only when late definitions have been made."""
        late = {name for definition in self.needs.late_definitions for name in definition.names}
        return {name for name, artifact in self.inputs.items() if late.intersection(artifact.definitions)}


@dataclass(frozen=True, slots=True)
class Waiting:
    """A step that waits for steps before it."""

    step: Step
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Decided:
    decision: Decision
    reasons: tuple[Reason, ...]
    execution: Execution | None = None


@dataclass
class Planner:
    """Decides for one notebook against one store.

    Attributes
    ----------
    notebook
        The notebook's path below the project root, with slashes.
    parameters
        Values that the run replaces.
    kernel
        Kernelspec for all steps that do not name one of their own.
    folder
        The notebook's, where its files are looked for.
    started_with
        Environment variables, if not those of this process, which has changed its own.
    """

    store: Store
    notebook: str
    parameters: Mapping[str, Any]
    kernel: str
    folder: Path
    started_with: Mapping[str, str] | None = None
    _environments: dict[str, dict[str, str]] = field(default_factory=dict)
    _newest: list[tuple[str, Execution]] | None = None
    _variables: dict[str, dict[str, str]] = field(default_factory=dict)

    def environment(self, step: Step) -> dict[str, str]:
        name = step.kernel or self.kernel
        if name not in self._environments:
            self._environments[name] = environment_of(find_kernelspec(name))
        return self._environments[name]

    def variables(self, step: Step) -> dict[str, str]:
        """Environment variables that the step's kernel would be given."""
        name = step.kernel or self.kernel
        if name not in self._variables:
            self._variables[name] = kernel_environment(
                find_kernelspec(name), self.store.path, self.started_with
            )
        return self._variables[name]

    def doubts(self, step: Step, decided: Decided) -> tuple[Doubt, ...]:
        """What the user should know of the result that is reused, or of what the step did the last time."""
        if step.cache != "on":
            return ()
        seen = decided.execution or self.store.executions.last_of(self.notebook, step.name)
        if seen is None or seen.parts["code"] != [list(cell) for cell in step.code]:
            return ()
        return doubts_of(seen.trace, step.cache)

    def resolve(self, pipeline: Pipeline, step: Step, done: Mapping[str, Execution]) -> Resolved | Waiting:
        """What `step` would start with, given how the steps that are `done` were executed."""
        needs = step.needs
        known: frozenset[str] = frozenset()
        while True:
            parents = dict.fromkeys([*(given.step for given in needs.inputs), *step.after])
            waits = tuple(parent for parent in parents if parent not in done)
            if waits:
                return Waiting(step, waits)
            inputs: dict[str, Artifact] = {}
            missing, uncarriable = [], []
            for given in needs.inputs:
                if given.name == KERNEL:
                    inputs[KERNEL] = _kernel_state(done[given.step])
                    continue
                artifact = done[given.step].outputs.get(given.name)
                if artifact is None:
                    if not given.optional:
                        missing.append(given)
                elif artifact.kind == "uncarriable":
                    if given.step not in step.before_in_unit:
                        uncarriable.append(given)
                else:
                    inputs[given.name] = artifact
            definitions = frozenset(name for artifact in inputs.values() for name in artifact.definitions)
            if definitions <= known:
                break
            known |= definitions
            needs = pipeline.needs_with(step.name, known)
        parts = self._parts(pipeline, step, needs, inputs)
        return Resolved(
            pipeline, step, needs, inputs, cache_key(parts), parts, tuple(missing), tuple(uncarriable)
        )

    def _parts(
        self, pipeline: Pipeline, step: Step, needs: Needs, inputs: Mapping[str, Artifact]
    ) -> dict[str, Any]:
        return key_parts(
            step,
            needs,
            parameters=self._parameter_values(pipeline, needs),
            inputs={name: artifact.digest for name, artifact in inputs.items()},
            environment=self.environment(step),
        )

    def decide(
        self,
        resolved: Resolved,
        *,
        wanted: Collection[str],
        forced: bool = False,
        goes_on: str | None = None,
    ) -> Decided:
        """Reuse an execution, or run, and why.

        Parameters
        ----------
        wanted
            Names, and files, that it must have kept.
        goes_on
            A later step of its unit, which is to be executed in its kernel.
        """
        step = resolved.step
        wanted = {*wanted, *(f"{FILE}{path}" for path in step.files)}
        if forced:
            return Decided(Decision.RUN, (Reason("forced", "asked to run again", step.name),))
        if step.cache == "off":
            return Decided(Decision.RUN, (Reason("cache", "never reused (`cache:off`)", step.name),))
        if goes_on is not None:
            return Decided(Decision.RUN, (_shares_kernel(step, goes_on),))
        problems: list[Reason] = []
        for execution in self.store.executions.with_key(resolved.cache_key):
            reasons = self._why_not(execution, wanted, step)
            if step.cache_age_seconds is not None and execution.age_seconds > step.cache_age_seconds:
                reasons = reasons or [Reason("cache", f"its result is older than {step.cache}", step.name)]
            if not reasons:
                return Decided(Decision.REUSE, (Reason("unchanged", "nothing changed"),), execution)
            # Of several, the one that least stands in the way of: going back to it would do.
            if not problems or len(reasons) < len(problems):
                problems = reasons
        if problems:
            return Decided(Decision.RUN, tuple(problems))
        return Decided(Decision.RUN, self._explain(resolved))

    def _why_not(self, execution: Execution, wanted: Collection[str], step: Step) -> list[Reason]:
        """Why the execution, though under the right key, cannot be reused now."""
        reasons = []
        for name in wanted:
            artifact = execution.outputs.get(name)
            if name.startswith(FILE):
                if not self.is_left(execution, name):
                    path = name.removeprefix(FILE)
                    reasons.append(Reason("file", f"{path} is not as the step left it", path))
            elif artifact is None:
                reasons.append(Reason("output_missing", f"`{name}` was not kept", name))
            elif problem := self.store.integrity.problem(artifact):
                reasons.append(_lost(f"the stored value of `{name}` {problem}", problem, name))
        if problem := self.store.integrity.object_problem(execution.notebook):
            reasons.append(_lost(f"its executed notebook {problem}", problem))
        packages = execution.trace.get("packages", {})
        for name, before, after in still_installed(packages, execution.trace.get("paths")):
            reasons.append(Reason("package", f"{name} {before} → {after}", name, before, after))
        if modules := execution.trace.get("modules"):
            entries = self.variables(step).get("PYTHONPATH", "").split(os.pathsep)
            for name, before, now in moved_modules(modules, self.folder, [*filter(None, entries), *sys.path]):
                message = f"module `{name}` is another one: {before} → {now or 'not found'}"
                reasons.append(Reason("package", message, name, before, now))
        given = {name.removeprefix(FILE) for name in execution.parts["inputs"] if name.startswith(FILE)}
        # What it looked for in vain and then made itself is there now.
        given |= {
            path
            for path, seen in execution.trace.get("files", {}).items()
            if seen is None and f"{FILE}{path}" in execution.outputs
        }
        for path, verb in changed_files(
            execution.trace, self.folder, without=given, memory=self.store.files
        ).items():
            reasons.append(Reason("file", f"{path} {verb}", path))
        for path in changed_folders(execution.trace, self.folder):
            reasons.append(_folder_reason(path, *other_names(execution.trace, self.folder, path)))
        if variables := execution.trace.get("variables"):
            for name, verb in changed_variables(variables, self.variables(step), self.store.secret):
                reasons.append(Reason("variable", f"environment variable `{name}` {verb}", name))
        return reasons

    def is_left(self, execution: Execution, name: str) -> bool:
        """Whether a file is as the execution left it; True if it did not write the file."""
        left = execution.outputs.get(name)
        return left is None or self.file_digest(name) == left.digest

    def file_digest(self, name: str) -> str:
        """The digest of a file now, by its name in an execution's outputs."""
        return file_digest(str(self.folder / name.removeprefix(FILE)), self.store.files)

    def overwritten(self, resolved: Resolved) -> list[Input]:
        """Files that the step reads and that are not as the step before left them."""
        return [
            given
            for given in resolved.needs.inputs
            if given.name.startswith(FILE)
            and given.name in resolved.inputs
            and self.file_digest(given.name) != resolved.inputs[given.name].digest
        ]

    def has_seen(self, execution: Execution, resolved: Resolved) -> bool:
        """Whether an execution that did not know where its files come from has read just what it would now.

        Only the first time that a step reads a file from another step: then it has run under another key.
        """
        before, now = execution.parts, resolved.parts
        if {**before, "inputs": _without_files(before["inputs"])} != {
            **now,
            "inputs": _without_files(now["inputs"]),
        }:
            return False
        trace = with_digests(execution.trace, self.folder, self.store.files)
        return all(
            saw(trace, name.removeprefix(FILE), digest)
            for name, digest in now["inputs"].items()
            if name.startswith(FILE) and before["inputs"].get(name) != digest
        )

    def _explain(self, resolved: Resolved) -> tuple[Reason, ...]:
        """Why no execution has this key: what differs from the one that is most like it."""
        step = resolved.step
        unfinished = self._unfinished(step.name)
        earlier = self._most_similar(resolved)
        if earlier is None:
            return unfinished or (Reason("never_ran", "never ran", step.name),)
        cells = [resolved.pipeline.cells[index] for index in step.cells]
        changes = differences(step, resolved.needs, cells, resolved.parts, earlier.parts)
        seen = [
            reason for reason in self._why_not(earlier, (), step) if not reason.kind.startswith("output_")
        ]
        found = (*unfinished, *changes, *seen)
        return found or (Reason("unfinished", "did not run to its end with these inputs", step.name),)

    def foreseen(self, pipeline: Pipeline, step: Step) -> tuple[Reason, ...]:
        """Why a step will run, whatever it will get from the steps that it waits for; nothing if that is open."""
        parts = self._parts(pipeline, step, step.needs, {})
        resolved = Resolved(pipeline, step, step.needs, {}, "", parts)
        same = _without_inputs(parts, parts)
        ran_before = False
        for each in self.store.executions.recent_of(self.notebook, step.name):
            if _without_inputs(each.parts, parts) == same:
                return ()
            ran_before = True
        earlier = self._most_similar(resolved)
        if earlier is None:
            return (Reason("never_ran", "never ran", step.name),)
        if not ran_before and earlier.parts["code"] == parts["code"]:
            return ()  # the same code in another notebook: it may be reused
        cells = [pipeline.cells[index] for index in step.cells]
        changes = differences(step, step.needs, cells, parts, {**earlier.parts, "inputs": {}})
        # What its inputs refer to, and so is needed too, only they can tell.
        return tuple(reason for reason in changes if reason.kind == "code" or reason.after is not None)

    def _unfinished(self, step: str) -> tuple[Reason, ...]:
        status = self.store.runs.last_status(self.notebook, step)
        if status is None or status not in UNFINISHED:
            return ()
        return (Reason("unfinished", UNFINISHED[Status(status)], step),)

    def _most_similar(self, resolved: Resolved) -> Execution | None:
        """The execution to compare with: of this step, or of one that has become this step."""
        name = resolved.step.name
        own = list(self.store.executions.recent_of(self.notebook, name))
        if own:
            return similar(resolved.parts, own, ())
        names = {step.name for step in resolved.pipeline.steps}
        code = resolved.parts["code"]
        others = [
            execution
            for notebook, execution in self._newest_of_steps()
            if execution.parts["code"] == code or (notebook == self.notebook and execution.step not in names)
        ]
        return similar(resolved.parts, (), others)

    def expected_seconds(self, steps: Collection[Step]) -> dict[str, float]:
        """By step, how long it is likely to take; of one that never ran, what the same code took elsewhere."""
        expected = self.store.executions.expected_seconds(self.notebook, [step.name for step in steps])
        for step in steps:
            if step.name not in expected:
                code = [list(cell) for cell in step.code]
                same = [other for _, other in self._newest_of_steps() if other.parts["code"] == code]
                if same:
                    expected[step.name] = same[0].duration_seconds
        return expected

    def _newest_of_steps(self) -> list[tuple[str, Execution]]:
        """Asked of the store once: a planner decides about one moment, or one run."""
        if self._newest is None:
            self._newest = self.store.executions.newest_of_steps()
        return self._newest

    def _parameter_values(self, pipeline: Pipeline, needs: Needs) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for parameter in pipeline.parameters:
            if parameter.name not in needs.parameters:
                continue
            if parameter.name in self.parameters:
                values[parameter.name] = {"value": self.parameters[parameter.name]}
            elif parameter.is_literal:
                values[parameter.name] = {"value": parameter.default}
            else:
                values[parameter.name] = {"source": parameter.source}
        return values


def make_plan(
    planner: Planner,
    pipeline: Pipeline,
    *,
    targets: Collection[str] = (),
    force: Collection[str] = (),
) -> Plan:
    """What a run would do now, step by step, and why.

    A step whose inputs are not known yet, because an earlier step must run, cannot be looked up: its
    decision is `UNDECIDED`, and the runner decides when the inputs exist. A step that runs and leaves the
    same digests as before therefore lets everything after it be reused.

    Raises
    ------
    NotFoundError
        `targets` or `force` name a step that the pipeline does not have.
    KernelError
        A step's kernel is not installed.
    """
    pipeline.require_steps(force)
    steps = pipeline.needed_for(targets)
    extra: dict[str, set[str]] = {}
    while True:
        planned, wants = _plan_once(planner, pipeline, steps, force, extra)
        if all(names <= extra.get(step, set()) for step, names in wants.items()):
            break
        for step, names in wants.items():
            extra.setdefault(step, set()).update(names)
    planner.store.files.flush()
    expected = planner.expected_seconds(steps)
    return Plan(
        pipeline,
        dict(planner.parameters),
        tuple(
            PlannedStep(
                step=step,
                decision=decided.decision,
                reasons=decided.reasons,
                cache_key=key,
                execution_id=decided.execution.id if decided.execution else None,
                expected_duration_seconds=expected.get(step.name),
                doubts=planner.doubts(step, decided),
            )
            for step, decided, key in planned
        ),
    )


def _plan_once(
    planner: Planner,
    pipeline: Pipeline,
    steps: Collection[Step],
    force: Collection[str],
    extra: Mapping[str, set[str]],
) -> tuple[list[tuple[Step, Decided, str | None]], dict[str, set[str]]]:
    """One pass; also the names that a later step turned out to want of an earlier one."""
    done: dict[str, Execution] = {}
    planned: list[tuple[Step, Decided, str | None]] = []
    wants: dict[str, set[str]] = {}
    for step in steps:
        forced = step.name in force
        resolved = planner.resolve(pipeline, step, done)
        if isinstance(resolved, Waiting):
            waits = tuple(Reason("waits", f"waits for `{name}`", name) for name in resolved.steps)
            is_sure = forced or step.cache == "off"
            decided = (
                Decided(Decision.RUN, waits)
                if is_sure
                else Decided(Decision.UNDECIDED, (*waits, *planner.foreseen(pipeline, step)))
            )
            planned.append((step, decided, None))
            continue
        for given in resolved.missing:
            wants.setdefault(given.step, set()).add(given.name)
        decided = planner.decide(resolved, wanted={*step.outputs, *extra.get(step.name, ())}, forced=forced)
        if decided.execution is not None:
            done[step.name] = decided.execution
        else:
            for given in planner.overwritten(resolved):
                wants.setdefault(given.step, set()).add(given.name)
        planned.append((step, decided, resolved.cache_key))
    return _with_units(planned), wants


def _with_units(planned: list[tuple[Step, Decided, str | None]]) -> list[tuple[Step, Decided, str | None]]:
    """A step runs again, though nothing changed, if a later one of its unit is to go on in its kernel.

    It is taken to leave what it left before: the steps below it stay as they were decided.
    """
    decisions = {step.name: decided.decision for step, decided, _ in planned}
    result = []
    for step, decided, key in planned:
        if decided.decision is Decision.REUSE:
            waiting = [
                name for name in step.after_in_unit if decisions.get(name) not in (None, Decision.REUSE)
            ]
            if waiting:
                later = next((name for name in waiting if decisions[name] is Decision.RUN), waiting[0])
                decided = Decided(decisions[later], (_shares_kernel(step, later),))
        result.append((step, decided, key))
    return result


def _folder_reason(path: str, new: list[str], gone: list[str]) -> Reason:
    shown = "the notebook's folder" if path == "." else f"{path}/"
    told = [f"new {_listed(new)}"] if new else []
    told += [f"{_listed(gone)} {'is' if len(gone) == 1 else 'are'} gone"] if gone else []
    message = f"{shown} has other files" + (f": {', '.join(told)}" if told else "")
    return Reason("folder", message, path, gone or None, new or None)


def _listed(names: list[str], most: int = 3) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(f"`{name}`" for name in names[:most]) + more


def _shares_kernel(step: Step, later: str) -> Reason:
    names = step.unit.names if step.unit else ()
    what = ", ".join(f"`{name}`" for name in names) or "what they share"
    return Reason("unit", f"`{later}` goes on in its kernel: {what} cannot be stored", later)


def _lost(message: str, problem: str, what: str | None = None) -> Reason:
    return Reason("output_damaged" if problem == DAMAGED else "output_missing", message, what)


def _kernel_state(execution: Execution) -> Artifact:
    """What a step's kernel holds when it has ended, named by all that the step has read."""
    trace = execution.trace
    # Not the times and sizes of files: a touched file is the same file.
    files = {path: seen and seen[2] for path, seen in trace.get("files", {}).items()}
    seen = [execution.cache_key, trace.get("packages"), files, trace.get("folders")]
    if variables := trace.get("variables"):
        seen.append(variables)
    return Artifact(KERNEL, fingerprint(KERNEL, seen), "", "", 0, kind="hidden")


def _without_inputs(parts: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """The parts, but for the inputs, and for the definitions that only the inputs of then referred to."""
    definitions = {
        name: source for name, source in parts["definitions"].items() if name in now["definitions"]
    }
    return {**parts, "inputs": {}, "definitions": definitions}


def _without_files(inputs: Mapping[str, str]) -> dict[str, str]:
    return {name: digest for name, digest in inputs.items() if not name.startswith(FILE)}


class TypedText(str):
    """A parameter's value as somebody typed it; the notebook's default says what it is meant to be."""


def check_parameters(pipeline: Pipeline, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The values, each of the kind that the notebook's default has.

    Raises
    ------
    ParameterError
        ``unknown_parameter`` or ``bad_parameter``.
    """
    known = {parameter.name: parameter for parameter in pipeline.parameters}
    values: dict[str, Any] = {}
    for name, given in parameters.items():
        if name not in known:
            offered = ", ".join(f"`{parameter}`" for parameter in known)
            raise ParameterError(
                "unknown_parameter",
                f"The notebook has no parameter `{name}`. "
                + (f"Its parameters are {offered}." if known else "It has no cell tagged `parameters`."),
                name=name,
                parameters=sorted(known),
            )
        parameter = known[name]
        value = _meant(given, parameter) if isinstance(given, TypedText) else given
        values[name] = value
        if parameter.is_literal and not _fits(parameter.default, value):
            raise ParameterError(
                "bad_parameter",
                f"The parameter `{name}` is {_a(parameter.type)} ({parameter.source}); {value!r} is "
                f"{_a(type(value).__name__)}.",
                name=name,
                value=value,
                type=parameter.type,
            )
    return values


def _meant(text: TypedText, parameter: Parameter) -> Any:
    """What `text` stands for: itself where the default is a text, else what it spells.

    That is a number, a truth value or None as papermill reads them, or any JSON.
    """
    if isinstance(parameter.default, str):
        return str(text)
    words = {"True": True, "False": False, "None": None}
    if text in words:
        return words[text]
    for read in (int, float, json.loads):
        with contextlib.suppress(ValueError, RecursionError):
            return read(text)
    return str(text)


def _fits(default: Any, value: Any) -> bool:
    if default is None or value is None:
        return True
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(default, bool) and isinstance(value, bool)
    if isinstance(default, int | float):
        return isinstance(value, int | float)
    return isinstance(value, type(default))


def _a(type_name: str) -> str:
    words = {"int": "a whole number", "float": "a number", "str": "a text", "bool": "true or false"}
    words |= {"list": "a list", "dict": "a mapping", "NoneType": "nothing"}
    return words.get(type_name, type_name)
