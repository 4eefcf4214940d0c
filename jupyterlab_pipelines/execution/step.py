"""Execute one step: step notebook → papermill → outputs, executed notebook, log, or an error."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyterlab_pipelines.artifact import AMBIENT, HIDDEN, Artifact, in_loading_order, is_state
from jupyterlab_pipelines.environment import base_environment, find_kernelspec, kernel_environment
from jupyterlab_pipelines.execution.lean import import_papermill
from jupyterlab_pipelines.execution.pool import KernelPool
from jupyterlab_pipelines.execution.shared import LiveKernel
from jupyterlab_pipelines.notebook.assemble import cell_index_of, step_notebook
from jupyterlab_pipelines.notebook.names import analyse
from jupyterlab_pipelines.pipeline import Definition, Effects, FileEffects, Pipeline, Role, Step
from jupyterlab_pipelines.planner import Resolved
from jupyterlab_pipelines.store import Store
from jupyterlab_pipelines.variables import changed_variables

if TYPE_CHECKING:
    from jupyterlab_pipelines.execution.kernels import ForkServer
    from jupyterlab_pipelines.execution.papermill import StepSession

CELL_AND_LINE = re.compile(r"Cell In\[(\d+)\], line (\d+)")
MISSED = re.compile(r"NameError: name '(\w+)' is not defined")
VARIABLE = re.compile(r"\$\{?([A-Z][A-Z0-9_]+)\b|\bprintenv\s+(\w+)")
SEEDING = re.compile(r"\b\w*(seed|set_?state|set_rng_state)\w*\s*\(\s*[^\s)]")
"""A call that brings a random generator into a known state; ``default_rng(seed=1)`` is none."""
KILL = 9
"""The signal that nobody can refuse, which Linux sends when memory runs out."""


@dataclass(frozen=True, slots=True)
class StepJob:
    """Everything that is needed to execute one step once.

    `kernel` is the one in which it goes on, where the step before it in its unit ended. `started_with` are the
    environment variables of the process that starts kernels, if not this one's as they are now. `probe` is a folder
    to which the tables are written that there are after each of its cells.
    """

    pipeline: Pipeline
    resolved: Resolved
    content: Mapping[str, Any]
    kernel_name: str
    folder: Path
    store: Store
    run_folder: Path
    parameters: Mapping[str, Any]
    wanted: frozenset[str]
    on_cell: Callable[[int, int], None]
    on_session: Callable[[StepSession], None]
    server: ForkServer | None = None
    pool: KernelPool | None = None
    kernel: LiveKernel | None = None
    started_with: Mapping[str, str] | None = None
    probe: Path | None = None

    @property
    def step(self) -> Step:
        return self.resolved.step


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """What one execution of a step came to. `error` is None when it succeeded.

    `executed` and `log` are digests of stored objects. Of a step that failed, `effects` are what it had
    done to files, and the names that it missed. `kernel` is the step's, if a later step may go on in it.
    `sizes` are those of the files to which it has appended, before it did. `was_killed`: somebody else ended
    its kernel from outside, as Linux does when memory runs out.
    """

    duration_seconds: float
    outputs: tuple[Artifact, ...] = ()
    previews: dict[str, Any] = field(default_factory=dict)
    effects: Effects = field(default_factory=Effects)
    trace: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    executed: str | None = None
    log: str | None = None
    error: dict[str, Any] | None = None
    stopped: str | None = None
    was_killed: bool = False
    kernel: LiveKernel | None = None


def execute_step(job: StepJob) -> StepOutcome:
    """Execute the step in a kernel of its own; what the user's code does wrong is part of the outcome."""
    import_papermill()
    from jupyterlab_pipelines.execution.papermill import StepSession

    job.run_folder.mkdir(parents=True, exist_ok=True)
    paths = {part: job.run_folder / f"{job.step.name}.{part}" for part in ("log", "logged", "report.json")}
    for path in paths.values():
        path.unlink(missing_ok=True)
    paths["log"].touch()
    session = StepSession(
        spec_of(job) | {"logged": str(paths["logged"])},
        store=job.store.path,
        folder=job.folder,
        log=paths["log"],
        report=paths["report.json"],
        logged=paths["logged"],
        on_cell=job.on_cell,
        server=job.server,
        pool=job.pool,
        timeout_seconds=job.step.timeout_seconds,
        kernel=job.kernel,
        keeps_kernel=lambda report: may_go_on(job.step, report),
    )
    job.on_session(session)
    started = time.perf_counter()
    failure: BaseException | None = None
    killed_by: int | None = None
    try:
        _execute(job, session)
    except Exception as error:  # a kernel that died, or one that says what nobody can write down
        failure = error
        killed_by = session.killed_by
    finally:
        session.close()
    seconds = time.perf_counter() - started
    executed = _executed(session.executed)
    notebook = (
        job.store.artifacts.add_bytes(json.dumps(executed, sort_keys=True).encode()) if executed else None
    )
    text = paths["log"].read_bytes()
    log = job.store.artifacts.add_bytes(text) if text else None
    for path in paths.values():
        path.unlink(missing_ok=True)
    report = session.report
    if report is None:
        told = _error(job, session, executed, failure, seconds, killed_by)
        seen = Effects(
            files=_file_effects(session.files) if session.files else FileEffects(),
            missed=frozenset(MISSED.findall(f"{told['message']}\n{told['traceback']}")),
        )
        return StepOutcome(
            duration_seconds=seconds,
            effects=seen,
            executed=notebook,
            log=log,
            error=told,
            stopped=session.stopped,
            was_killed=killed_by == KILL and session.stopped is None,
        )
    outcome = outcome_of(job, report, seconds, executed=notebook, log=log, stopped=session.stopped)
    if session.manager is None:
        return outcome
    kernel = job.kernel or LiveKernel(session.manager, used_parameters(job))
    note_in_kernel(kernel, job, outcome)
    return replace(outcome, kernel=kernel)


def _execute(job: StepJob, session: StepSession) -> None:
    """As `papermill.execute_notebook`, which reads, checks and writes the notebook as a file, and raises its errors.

    Ours was made in memory just now, what was executed we keep in the store, and errors are told by it.
    """
    from nbformat import from_dict
    from papermill.engines import papermill_engines
    from papermill.parameterize import parameterize_notebook

    from jupyterlab_pipelines.execution.papermill import PipelinesEngine

    papermill_engines.register("pipelines", PipelinesEngine)
    notebook: Any = from_dict(notebook_of(job))  # type: ignore[no-untyped-call]
    notebook.metadata["papermill"] = {}
    parameters = used_parameters(job) if job.kernel is None else {}
    if parameters:
        notebook = parameterize_notebook(
            notebook, parameters, kernel_name=job.kernel_name, engine_name="pipelines"
        )
    papermill_engines.execute_notebook_with_engine(
        "pipelines",
        notebook,
        job.kernel_name,
        progress_bar=False,
        session=session,
        environment=base_environment(job.store.path),
    )


def may_go_on(step: Step, report: Mapping[str, Any]) -> bool:
    """Whether a later step may want to go on in the kernel of one that has ended."""
    wanted = any(
        record["kind"] == "uncarriable" and record["name"] in step.outputs for record in report["outputs"]
    )
    return wanted or bool(step.after_in_unit)


def note_in_kernel(kernel: LiveKernel, job: StepJob, outcome: StepOutcome) -> None:
    """Note what the kernel holds now that the step has ended."""
    needs = job.resolved.needs
    kernel.cells.update(cell.index for cell in job.pipeline.preamble_of(job.step))
    kernel.cells.update(job.step.cells)
    carried = (*needs.definitions, *needs.late_definitions)
    kernel.definitions.update(definition.position for definition in carried)
    kernel.artifacts.update(job.resolved.inputs)
    for name in (*job.step.leaves, *outcome.effects.binds, *outcome.effects.mutates):
        kernel.artifacts.pop(name, None)
        kernel.uncarriable.discard(name)
        kernel.known.discard(name)
    kernel.artifacts.update((artifact.name, artifact) for artifact in outcome.outputs if artifact.stored)
    kernel.uncarriable.update(outcome.effects.uncarriable)
    kernel.known.update(_definitions(job) - job.wanted)


def outcome_of(
    job: StepJob,
    report: Mapping[str, Any],
    seconds: float,
    *,
    executed: str | None,
    log: str | None = None,
    stopped: str | None = None,
) -> StepOutcome:
    """The outcome of a step that came to its end; `report` is what the runtime in its kernel says."""
    return StepOutcome(
        duration_seconds=seconds,
        outputs=tuple(Artifact.from_record(record) for record in report["outputs"]),
        previews={record["digest"]: record["preview"] for record in report["outputs"]},
        effects=replace(
            Effects.from_json(report["effects"]),
            binds=frozenset(report["effects"]["binds"]) - _bound_by_syntax(job),
            files=_file_effects(report["files"]),
            uncarriable=frozenset(r["name"] for r in report["outputs"] if r["kind"] == "uncarriable"),
        ),
        trace={
            "packages": report["packages"],
            "files": report["files"]["read"],
            "folders": report["files"]["listed"],
        }
        | {what: report[what] for what in ("same", "inside") if report[what]}
        | ({} if _is_own(job) else {"paths": report["paths"]})
        | ({"modules": report["modules"]} if report["modules"] and _is_own(job) else {})
        | ({"doubts": report["doubts"]} if report["doubts"] else {})
        | ({"variables": variables} if (variables := _variables(job, report["variables"])) else {}),
        metrics=report["metrics"],
        sizes=report["files"]["sizes"],
        executed=executed,
        log=log,
        stopped=stopped,
    )


def _bound_by_syntax(job: StepJob) -> set[str]:
    """Names that the step's own statements say they bind or delete."""
    bound: set[str] = set()
    for index in job.step.cells:
        for statement in analyse(job.pipeline.cells[index].source).statements:
            bound |= statement.binds | statement.may_bind | statement.deletes | statement.may_delete
    return bound


def _file_effects(seen: Mapping[str, Any]) -> FileEffects:
    return FileEffects(
        reads=frozenset(seen["read"]).union(seen["databases"]),
        lists=frozenset(seen["listed"]),
        writes=frozenset(seen["written"]),
        appends=frozenset(seen["appended"]),
        is_whole=seen["is_whole"],
    )


def _variables(job: StepJob, seen: Mapping[str, Any]) -> dict[str, Any]:
    """Of the variables that the step saw, those that it saw as its kernel was given them.

    The others were set on the way: by the kernel itself, or by a script that starts it.
    """
    if not seen:
        return {}
    given = kernel_environment(find_kernelspec(job.kernel_name), job.store.path, job.started_with)
    changed = {name for name, _ in changed_variables(seen, given, job.store.secret)}
    return {name: digest for name, digest in seen.items() if name not in changed}


def _variables_in_text(job: StepJob) -> list[str]:
    """Environment variables that the step's text seems to hand to a shell: ``$NAME``, ``printenv NAME``."""
    carried = (*job.resolved.needs.definitions, *job.resolved.needs.late_definitions)
    texts = [job.pipeline.cells[index].source for index in job.step.cells]
    texts += [definition.source for definition in carried]
    return sorted({name for text in texts for pair in VARIABLE.findall(text) for name in pair if name})


def _is_own(job: StepJob) -> bool:
    return bool(job.resolved.parts["environment"].get("kernel") == "")


def used_parameters(job: StepJob) -> dict[str, Any]:
    """The replaced parameters that the step reads, or its unit: others must not show in its notebook."""
    unit = (job.pipeline[name].needs for name in (job.step.unit.steps if job.step.unit else ()))
    used = {name for needs in (job.resolved.needs, *unit) for name in needs.parameters}
    return {name: value for name, value in job.parameters.items() if name in used}


def notebook_of(job: StepJob) -> dict[str, Any]:
    needs = job.resolved.needs
    inputs = {
        name: artifact
        for name, artifact in _to_load(job).items()
        if artifact.kind == "value" and not is_state(name)
    }
    references = {name: inputs[name].reference for name in in_loading_order(inputs)}
    return step_notebook(
        job.pipeline,
        job.step,
        replace(
            needs,
            definitions=_new_definitions(job, needs.definitions),
            late_definitions=_new_definitions(job, needs.late_definitions),
        ),
        content=job.content,
        kernel=job.kernel_name,
        references=references,
        late=job.resolved.late_inputs,
        without_cells=() if job.kernel is None else job.kernel.cells,
    )


def _to_load(job: StepJob) -> dict[str, Artifact]:
    """Inputs that the kernel does not hold yet."""
    held = {} if job.kernel is None else job.kernel.artifacts
    return {name: artifact for name, artifact in job.resolved.inputs.items() if held.get(name) != artifact}


def _new_definitions(job: StepJob, definitions: tuple[Definition, ...]) -> tuple[Definition, ...]:
    """Those of `definitions` that were not executed yet in the step's kernel."""
    kernel = job.kernel
    if kernel is None:
        return definitions
    return tuple(
        definition
        for definition in definitions
        if definition.position not in kernel.definitions and definition.position[0] not in kernel.cells
    )


def spec_of(job: StepJob) -> dict[str, Any]:
    """What the runtime in the kernel is told, see `kernel.runtime.watch.Watch`."""
    needs, step = job.resolved.needs, job.step
    defined = _definitions(job)
    # What earlier steps have left in its kernel, the step may change by way of what cannot be stored.
    held = {} if job.kernel is None else job.kernel.artifacts
    known = set() if job.kernel is None else job.kernel.known
    uncarriable = set() if job.kernel is None else job.kernel.uncarriable
    return {
        "inputs": {
            name: artifact.digest
            for name, artifact in {**held, **job.resolved.inputs}.items()
            if artifact.kind == "value" and not is_state(name)
        },
        "absent": [name for name, artifact in job.resolved.inputs.items() if artifact.kind == "absent"],
        "hidden": {
            name: artifact.reference if artifact.stored else ""
            for name, artifact in _to_load(job).items()
            if name.startswith((HIDDEN, AMBIENT))
        },
        "wanted": sorted(job.wanted),
        "leaves": list(step.leaves),
        "setup_values": list(needs.setup_values),
        # What is wanted as a value cannot travel as source: it is stored whole.
        "definitions": sorted((defined | known) - job.wanted - set(step.rebound)),
        "sources": sorted(defined),
        "held": sorted(uncarriable),
        "rebound": list(step.rebound),
        "imports": list(needs.imports),
        "reads_files": step.reads_files,
        "writes_files": step.writes_files,
        "paths": list(step.paths),
        "variables": _variables_in_text(job),
        "secret": job.store.secret.hex(),
        "probe": str(job.probe) if job.probe else None,
        "metrics": list(step.metrics),
        "evaluator": step.role is Role.EVALUATOR and not step.metrics,
        "code": _code(job),
        "calls_seed": any(SEEDING.search(cell.source) for cell in job.pipeline.cells),
        "seeds": any(_seeds(statement) for cell in step.code for statement in cell),
        "is_seeded": any(_seeds(cell.source) for cell in job.pipeline.cells),
    }


def _definitions(job: StepJob) -> set[str]:
    """Names of the definitions that the step executes, be they its own or of others."""
    needs = job.resolved.needs
    carried = (*needs.setup_definitions, *needs.definitions, *needs.late_definitions)
    return {name for definition in carried for name in definition.names} | set(job.step.defines)


def _code(job: StepJob) -> list[str]:
    """The statements of the step, and those of setup and of definitions that act on it."""
    needs = job.resolved.needs
    carried = (*needs.setup_definitions, *needs.definitions, *needs.late_definitions)
    own = [statement for cell in job.step.code for statement in cell]
    own += [
        parameter.source
        for parameter in job.pipeline.parameters
        if parameter.name in needs.parameters and parameter.name not in job.parameters
    ]
    return [*needs.setup, *(definition.normalised for definition in carried), *own]


def _seeds(source: str) -> bool:
    """Whether code may bring a random generator into a known state."""
    return "seed" in source or "set_state" in source or "setstate" in source


def _executed(notebook: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The executed step notebook, without what papermill put in for its own readers."""
    if notebook is None:
        return None
    from nbformat.v4 import rwbase

    # As notebooks are in files: text is a list of lines.
    split_lines: Callable[[Any], Any] = rwbase.split_lines
    split_lines(notebook)
    # Times that would make equal notebooks differ.
    metadata = {name: value for name, value in notebook["metadata"].items() if name != "papermill"}
    return {**notebook, "metadata": metadata}


def _error(
    job: StepJob,
    session: StepSession,
    executed: Mapping[str, Any] | None,
    failure: BaseException | None,
    seconds: float,
    killed_by: int | None,
) -> dict[str, Any]:
    """The error document of a step that did not come to its end."""
    from jupyterlab_pipelines.errors import StepError
    from jupyterlab_pipelines.execution.papermill import ANSI

    name = job.step.name
    document: dict[str, Any] = {
        "code": "step_failed",
        "step": name,
        "cell_index": None,
        "cell_id": None,
        "message": "",
        "traceback": "",
    }
    if session.stopped == "timeout":
        limit = job.step.timeout_seconds
        message = f"Step `{name}` was ended after {seconds:.0f} s: its `timeout` allows {limit:g} s."
        return document | {"code": "timeout", "message": message} | _place(job, _last_started(executed))
    if session.stopped == "cancelled":
        return document | {"code": "cancelled", "message": f"Step `{name}` was cancelled."}
    for cell in (executed or {}).get("cells", []):
        if "raises-exception" in cell.get("metadata", {}).get("tags", []):
            continue
        for output in cell.get("outputs", []):
            if output.get("output_type") != "error":
                continue
            trace = ANSI.sub("", "\n".join(output["traceback"]))
            message = f"{output['ename']}: {ANSI.sub('', output['evalue'])}".rstrip(": ")
            if cell_index_of(cell) is None:
                message = _input_message(job, message)
                return document | {"code": "input_failed", "message": message, "traceback": trace}
            place = _place(job, cell, _line(trace, cell.get("execution_count")))
            return document | {"code": "cell_failed", "message": message, "traceback": trace} | place
    if isinstance(failure, StepError):
        trace = str(failure.details.get("traceback", ""))
        message = f"The outputs of step `{name}` could not be stored: {failure.message}"
        return document | {"code": failure.code, "message": message, "traceback": trace}
    if failure is not None and "Kernel died" in str(failure):
        message = f"The kernel of step `{name}` died{_how(killed_by)}"
        return document | {"code": "kernel_died", "message": message} | _place(job, _last_started(executed))
    message = f"Step `{name}` could not be run: {failure}"
    trace = "".join(traceback.format_exception(failure)) if failure is not None else ""
    place = _place(job, _last_started(executed))
    return document | {"code": "kernel_failed", "message": message, "traceback": trace} | place


def _how(killed_by: int | None) -> str:
    """The end of the sentence that a kernel died."""
    if killed_by == KILL:
        return (
            ": it was killed from outside, as the system does when memory runs out. Fewer steps at once (`--jobs 1`) "
            "or less data in the step may help."
        )
    if killed_by is not None:
        with contextlib.suppress(ValueError):
            return f" of {signal.Signals(killed_by).name}: code that it called has crashed."
    return ": its cell ended the process."


def _input_message(job: StepJob, message: str) -> str:
    """What went wrong with an input, and where that comes from."""
    message = message.removeprefix("StepError: ")
    for given in job.resolved.needs.inputs:
        if f"`{given.name}`" in message:
            message += (
                f" Step `{job.step.name}` gets `{given.name}` from step `{given.step}`; cells of one step share "
                "their values without storing them."
            )
    return message


def _last_started(executed: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    started = [
        cell
        for cell in (executed or {}).get("cells", [])
        if cell.get("metadata", {}).get("papermill", {}).get("start_time")
    ]
    return started[-1] if started else None


def _place(job: StepJob, cell: Mapping[str, Any] | None, line: int | None = None) -> dict[str, Any]:
    """Where in the source notebook it happened."""
    index = None if cell is None else cell_index_of(cell)
    if index is None:
        return {}
    source = job.pipeline.cells[index]
    lines = source.source.splitlines()
    text = lines[line - 1] if line is not None and 0 < line <= len(lines) else None
    return {"cell_index": index, "cell_id": source.id, "line": line, "source_line": text}


def _line(trace: str, execution_count: int | None) -> int | None:
    """The line of the failing cell that the traceback went through last."""
    lines = [int(line) for count, line in CELL_AND_LINE.findall(trace) if int(count) == execution_count]
    return lines[-1] if lines else None
