"""What a run would do now, step by step, and why.

`resolve` says what a step's inputs are, `decide` whether an earlier execution can be reused. The
runner asks the same two questions while it goes; so a plan and a run never disagree.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyterlab_pipelines.artifact import FILE, KERNEL, Artifact
from jupyterlab_pipelines.environment import (
    environment_of,
    find_kernelspec,
    kernel_environment,
    still_installed,
)
from jupyterlab_pipelines.errors import ParameterError
from jupyterlab_pipelines.files import changed_files, changed_folders, file_digest, saw, with_digests
from jupyterlab_pipelines.fingerprint import cache_key, fingerprint, key_parts
from jupyterlab_pipelines.pipeline import Input, Needs, Parameter, Pipeline, Step
from jupyterlab_pipelines.plan import Decision, Doubt, Plan, PlannedStep, Reason, doubts_of
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

    step: Step
    needs: Needs
    inputs: dict[str, Artifact]
    cache_key: str
    parts: dict[str, Any]
    missing: tuple[Input, ...] = ()
    uncarriable: tuple[Input, ...] = ()


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
    """

    store: Store
    notebook: str
    parameters: Mapping[str, Any]
    kernel: str
    folder: Path
    _environments: dict[str, dict[str, str]] = field(default_factory=dict)
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
            self._variables[name] = kernel_environment(find_kernelspec(name), self.store.path)
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
        parts = key_parts(
            step,
            needs,
            parameters=self._parameter_values(pipeline, needs),
            inputs={name: artifact.digest for name, artifact in inputs.items()},
            environment=self.environment(step),
        )
        return Resolved(step, needs, inputs, cache_key(parts), parts, tuple(missing), tuple(uncarriable))

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
            problems = problems or reasons
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
            shown = "the notebook's folder" if path == "." else f"{path}/"
            reasons.append(Reason("folder", f"there are other files in {shown}", path))
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
        """Why no execution has this key: what differs from the step's last one."""
        step = resolved.step.name
        status = self.store.runs.last_status(self.notebook, step)
        if status is not None and status in UNFINISHED:
            return (Reason("unfinished", UNFINISHED[Status(status)], step),)
        last = self.store.executions.last_of(self.notebook, step)
        if last is None:
            return (Reason("never_ran", "never ran"),)
        reasons = _differences(resolved, last.parts)
        return tuple(reasons) or (Reason("unfinished", "did not run to its end with these inputs", step),)

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
    expected = planner.store.executions.expected_seconds(planner.notebook, [step.name for step in steps])
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
            decided = Decided(
                Decision.RUN if forced or step.cache == "off" else Decision.UNDECIDED,
                tuple(Reason("waits", f"waits for `{name}`", name) for name in resolved.steps),
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


def _differences(resolved: Resolved, before: Mapping[str, Any]) -> list[Reason]:
    """What differs between the parts of two cache keys, in a data scientist's words."""
    parts, step = resolved.parts, resolved.step
    reasons: list[Reason] = []
    old_code = [statement for cell in before["code"] for statement in cell]
    new_code = [statement for cell in parts["code"] for statement in cell]
    if parts["code"] != before["code"]:
        old, new = _first_difference(old_code, new_code)
        shown = f": `{_short(old)}` → `{_short(new)}`" if old and new else ""
        shown = shown or (f": new `{_short(new)}`" if new else f": without `{_short(old)}`" if old else "")
        reasons.append(Reason("code", f"`{step.name}` changed{shown}", step.name, old, new))
    for name in sorted(parts["definitions"].keys() | before["definitions"].keys()):
        old_source, new_source = before["definitions"].get(name), parts["definitions"].get(name)
        if old_source != new_source:
            what = _kind_of_definition((new_source or old_source or [""])[-1])
            verb = (
                "is new" if old_source is None else "is no longer needed" if new_source is None else "changed"
            )
            old, new = (None if s is None else "\n".join(s) for s in (old_source, new_source))
            reasons.append(Reason("definition", f"{what} `{name}` {verb}", name, old, new))
    if parts["setup"] != before["setup"]:
        old, new = _first_difference(before["setup"], parts["setup"])
        reasons.append(Reason("setup", f"setup changed: `{_short(new or old or '')}`", "setup", old, new))
    for name in sorted(parts["parameters"].keys() | before["parameters"].keys()):
        old, new = before["parameters"].get(name), parts["parameters"].get(name)
        if old != new:
            shown_old, shown_new = _shown(old), _shown(new)
            reasons.append(
                Reason("parameter", f"`{name}` {shown_old} → {shown_new}", name, shown_old, shown_new)
            )
    makers = {given.name: given.step for given in resolved.needs.inputs}
    for name in sorted(parts["inputs"].keys() | before["inputs"].keys()):
        old, new = before["inputs"].get(name), parts["inputs"].get(name)
        if old == new:
            continue
        if name == KERNEL:
            message = (
                f"it shares a kernel with `{makers[name]}`, which changed"
                if old and new
                else (
                    f"it shares a kernel with `{makers[name]}` now"
                    if new
                    else "it has a kernel of its own now"
                )
            )
            reasons.append(Reason("unit", message, makers.get(name)))
            continue
        source = f" (from `{makers[name]}`)" if name in makers else ""
        verb = (
            "is a new input"
            if old is None
            else "is no longer an input"
            if new is None
            else "has another value"
        )
        if name.startswith(FILE):
            path = name.removeprefix(FILE)
            reasons.append(
                Reason("file", f"{path} {verb}{source}".replace("value", "content"), path, old, new)
            )
            continue
        message = f"input `{name}` {verb}{source}" if old and new else f"`{name}` {verb}{source}"
        reasons.append(Reason("input", message, name, old, new))
    for name in sorted(parts["environment"].keys() | before["environment"].keys()):
        old, new = before["environment"].get(name), parts["environment"].get(name)
        if old != new:
            reasons.append(Reason("environment", f"{name}: {old} → {new}", name, old, new))
    return reasons


def _first_difference(old: list[str], new: list[str]) -> tuple[str | None, str | None]:
    """The first statement that differs, before and now; one side None where one was put in or left out."""
    for position in range(max(len(old), len(new))):
        before = old[position] if position < len(old) else None
        after = new[position] if position < len(new) else None
        if before != after:
            if len(new) > len(old) and before in new[position:]:
                return None, after
            if len(old) > len(new) and after in old[position:]:
                return before, None
            return before, after
    return None, None


def _kind_of_definition(source: str) -> str:
    body = next((line for line in source.splitlines() if not line.startswith("@")), "")
    if body.startswith(("def ", "async def ")):
        return "function"
    if body.startswith("class "):
        return "class"
    return "import" if body.startswith(("import ", "from ")) else "definition"


def _shown(value: Any) -> str:
    if value is None:
        return "not used"
    return repr(value["value"]) if "value" in value else str(value["source"])


def _short(text: str, width: int = 60) -> str:
    line = text.splitlines()[0] if text else ""
    return line if len(line) <= width and line == text else line[: width - 1] + "…"
