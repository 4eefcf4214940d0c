"""Runs the pipeline: each step in a process of its own, as soon as what it needs is there.

A run is a folder of artifacts. ``STEP/NAME.…`` are what a step left, ``STEP/_step.json`` tells how it ended and of
which inputs, ``_run.json`` tells of the whole. A step that fails leaves everything before it in place; with
``resume=True`` the next run takes what is still valid.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import inspect
import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from typing import Any

from . import io, state
from .parameters import TYPES, defaults
from .pipeline import DATA, NAME, NOTEBOOK, STEPS
from .step import ABSENT, Step

MANIFEST = "_step.json"
RUN = "_run.json"
HASH_SEED = "0"
"""One order of sets in all processes, as there is in the one process of a notebook."""

_stderr = threading.Lock()


class StepFailedError(Exception):
    """A step did not end well; its error is told on stderr."""


def find_step(name: str) -> Step:
    """The step of this name.

    Raises
    ------
    KeyError
        With a sentence for people.
    """
    for step in STEPS:
        if step.name == name:
            return step
    raise KeyError(f"There is no step {name!r}. The steps are: {', '.join(step.name for step in STEPS)}.")


def data_folder(given: str | None = None) -> str:
    """The folder in which the steps find their files: as given, or as the environment says.

    Else the first that has the files which came with the pipeline: the current folder, ``data`` in it, or ``data``
    beside the sources; at last the current one.
    """
    said = given or os.environ.get(f"{NAME.upper()}_DATA")
    if said:
        return os.path.abspath(said)
    sources = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    for folder in (os.getcwd(), os.path.abspath("data"), os.path.join(os.path.dirname(sources), "data")):
        if DATA and all(os.path.exists(os.path.join(folder, path)) for path in DATA):
            return folder
    return os.getcwd()


def check_parameters(given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that replace the defaults.

    Raises
    ------
    KeyError, ValueError
        With a sentence for people.
    """
    kinds: dict[str, tuple[type, ...]] = {
        "int": (int,),
        "float": (int, float),
        "str": (str,),
        "bool": (bool,),
        "list": (list,),
        "dict": (dict,),
    }
    for name, value in given.items():
        if name not in TYPES:
            known = ", ".join(TYPES) or "none"
            raise KeyError(f"There is no parameter {name!r}. The parameters are: {known}.")
        wanted = kinds.get(TYPES[name])
        if (
            wanted
            and value is not None
            and (not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted))
        ):
            raise ValueError(f"The parameter {name!r} must be {TYPES[name]}, not {value!r}.")
    return dict(given)


def run_step(
    name: str,
    *,
    artifacts: str,
    parameters: Mapping[str, Any] | None = None,
    data: str | None = None,
) -> dict[str, Any]:
    """Execute one step in this process: read its inputs, call its function, write what it leaves.

    Parameters
    ----------
    artifacts
        Folder or URL of the run.
    parameters
        Values that replace the defaults.
    data
        Folder in which the step finds its files.

    Returns
    -------
    dict
        The step's manifest, which is in the folder, too.
    """
    step = find_step(name)
    given = check_parameters(parameters or {})
    started = datetime.now(UTC)
    folder = io.Folder(artifacts)
    with _inside(data_folder(data)):
        state.begin()
        arguments, digests = _inputs(folder, step)
        values = defaults() | given if step.parameters else {}
        arguments |= {each: values[each] for each in step.parameters}
        _put_files(folder, step)
        result = step.function(**arguments)
        if inspect.iscoroutine(result):
            result = asyncio.run(result)
        del arguments
        results = (result,) if len(step.outputs) == 1 else result or ()
        outputs = dict(zip(step.outputs, results, strict=True))
        left = {output: value for output, value in outputs.items() if value is not ABSENT}
        records = io.save_outputs(folder, name, left, step.together, step.pickled)
        files = _keep_files(folder, step)
    document = _told_of(step, given, started) | {
        "status": "succeeded",
        "parameters": {each: _told(values[each]) for each in step.parameters},
        "inputs": digests,
        "outputs": records,
        "files": files,
    }
    folder.write_json(f"{name}/{MANIFEST}", document)
    return document


def fail(
    name: str, error: BaseException, *, artifacts: str, parameters: Mapping[str, Any] | None = None
) -> None:
    """Leave in the run's folder that a step failed, and how."""
    document = _told_of(find_step(name), parameters or {}, datetime.now(UTC)) | {
        "status": "failed",
        "outputs": {},
        "files": {},
        "error": {
            "type": type(error).__qualname__,
            "message": str(error),
            "traceback": "".join(traceback.format_exception(error)),
        },
    }
    io.Folder(artifacts).write_json(f"{name}/{MANIFEST}", document)


def end(signum: int, frame: object) -> None:
    """End this process as a signal asks for, so that the step leaves word of it."""
    raise SystemExit(f"The step was ended by {signal.Signals(signum).name}.")


def _told_of(step: Step, given: Mapping[str, Any], started: datetime) -> dict[str, Any]:
    return {
        "pipeline": NAME,
        "notebook": NOTEBOOK,
        "step": step.name,
        "covers": list(step.covers or (step.name,)),
        "version": step.version,
        "given": dict(given),
        "started_at": started.isoformat(),
        "finished_at": datetime.now(UTC).isoformat(),
    }


def run_step_apart(
    name: str,
    *,
    artifacts: str,
    parameters: Mapping[str, Any] | None = None,
    data: str | None = None,
    timeout_seconds: float | None = None,
) -> dict[str, Any]:
    """Execute one step in a process of its own; its manifest.

    Raises
    ------
    StepFailedError
        It failed, or took longer than `timeout_seconds`.
    """
    begun = datetime.now(UTC).isoformat()
    command = [sys.executable, "-m", __package__ or NAME, "run-step", name, "--artifacts", artifacts]
    command += ["--parameters", json.dumps(dict(parameters or {})), "--data", data_folder(data)]
    environment = dict(os.environ)
    environment.setdefault("PYTHONHASHSEED", HASH_SEED)
    environment.setdefault("MPLBACKEND", "agg")
    ours = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    known = environment.get("PYTHONPATH")
    environment["PYTHONPATH"] = f"{ours}{os.pathsep}{known}" if known else ours
    try:
        status = subprocess.run(command, env=environment, check=False, timeout=timeout_seconds).returncode
        problem = f"Step {name} failed with exit status {status}." if status else ""
    except subprocess.TimeoutExpired:
        status, problem = -9, f"Step {name} took longer than {timeout_seconds:g} seconds."
        begun = "~"  # Whatever it has left, it was too late.
    document: dict[str, Any] = io.Folder(artifacts).read_json(f"{name}/{MANIFEST}") or {}
    # The manifest is written last: what aborts the process after it (a native library's thread) undoes nothing.
    has_left_all = document.get("status") == "succeeded" and document.get("started_at", "") >= begun
    if problem and not (status < 0 and has_left_all):
        error = StepFailedError(problem)
        if status != 1:  # It was ended, and so could not leave word itself.
            fail(name, error, artifacts=artifacts, parameters=parameters)
        raise error
    if document.get("status") != "succeeded":
        raise StepFailedError(
            f"Step {name} left nothing in {artifacts}: is it a place that all processes share?"
        )
    return document


def run(
    *,
    artifacts: str,
    parameters: Mapping[str, Any] | None = None,
    data: str | None = None,
    jobs: int | None = None,
    steps: Collection[str] = (),
    resume: bool = False,
) -> dict[str, Any]:
    """Run the pipeline, or only `steps` and what they need; the run's document.

    Parameters
    ----------
    jobs
        Steps at the same time; default: as many as there are cores.
    resume
        Take what an earlier run in this folder has left, where code, parameters and inputs are the same.

    Returns
    -------
    dict
        ``status`` is ``succeeded`` or ``failed``; ``steps`` has the status of each: ``succeeded``, ``reused``,
        ``failed``, or ``skipped`` because one before it failed.
    """
    given = check_parameters(parameters or {})
    chosen = _needed(steps)
    folder = io.Folder(artifacts)
    started = datetime.now(UTC)
    status: dict[str, str] = {}
    errors: dict[str, str] = {}

    def carry_out(step: Step) -> str:
        if resume and _is_valid(folder, step, given):
            _tell(f"{step.name}: reused")
            return "reused"
        for attempt in range(step.retries + 1):
            begun = time.monotonic()
            try:
                run_step_apart(
                    step.name,
                    artifacts=artifacts,
                    parameters=given,
                    data=data,
                    timeout_seconds=step.timeout_seconds,
                )
            except StepFailedError as error:
                errors[step.name] = str(error)
                again = ", trying again" if attempt < step.retries else ""
                _tell(f"{step.name}: failed{again}. {error}")
            else:
                errors.pop(step.name, None)
                _tell(f"{step.name}: succeeded in {time.monotonic() - begun:.1f} s")
                return "succeeded"
        return "failed"

    waiting = list(chosen)
    under_way: dict[Future[str], Step] = {}
    with ThreadPoolExecutor(jobs or os.cpu_count() or 1) as pool:
        while waiting or under_way:
            for step in list(waiting):
                before = [status.get(each, "waiting") for each in step.after]
                if any(each in ("failed", "skipped") for each in before):
                    status[step.name] = "skipped"
                    waiting.remove(step)
                elif all(each in ("succeeded", "reused") for each in before):
                    under_way[pool.submit(carry_out, step)] = step
                    waiting.remove(step)
            if under_way:
                done, _ = wait(under_way, return_when=FIRST_COMPLETED)
                for future in done:
                    status[under_way.pop(future).name] = future.result()
    document = {
        "pipeline": NAME,
        "notebook": NOTEBOOK,
        "status": "failed" if any(each in ("failed", "skipped") for each in status.values()) else "succeeded",
        "parameters": given,
        "started_at": started.isoformat(),
        "finished_at": datetime.now(UTC).isoformat(),
        "steps": {step.name: status[step.name] for step in chosen},
        "errors": errors,
    }
    folder.write_json(RUN, document)
    return document


def output(name: str, *, artifacts: str) -> Any:
    """The value of the artifact ``step/name`` of a run."""
    step, _, output_name = name.partition("/")
    folder = io.Folder(artifacts)
    manifest = folder.read_json(f"{step}/{MANIFEST}")
    return io.loaders(folder)(manifest["outputs"][output_name])


def _needed(names: Collection[str]) -> tuple[Step, ...]:
    """The steps of these names and all before them, in order; all if none are named."""
    if not names:
        return STEPS
    wanted = {find_step(name).name for name in names}
    for step in reversed(STEPS):
        if step.name in wanted:
            wanted.update(step.after)
    return tuple(step for step in STEPS if step.name in wanted)


def _inputs(folder: io.Folder, step: Step) -> tuple[dict[str, Any], dict[str, str]]:
    """By argument, the value and the digest of its file."""
    read = io.loaders(folder)
    values, digests = {}, {}
    for argument, artifact in step.inputs.items():
        record = _record(folder, artifact)
        if record is not None:
            values[argument] = read(record)
            digests[argument] = record["sha256"]
    for path, writer in step.files_in.items():
        digests[f"file {path}"] = (_manifest(folder, writer)["files"].get(path) or {}).get("sha256", "")
    return values, digests


def _record(folder: io.Folder, artifact: str) -> dict[str, Any] | None:
    """None if its step may leave it, and has not."""
    step, _, name = artifact.partition("/")
    records: dict[str, dict[str, Any]] = _manifest(folder, step)["outputs"]
    return records.get(name) if name in find_step(step).optional else records[name]


def _manifest(folder: io.Folder, step: str) -> dict[str, Any]:
    found: dict[str, Any] | None = folder.read_json(f"{step}/{MANIFEST}")
    if found is None or found["status"] != "succeeded":
        raise FileNotFoundError(f"Step {step} has not ended well yet in {folder.place}: run it first.")
    return found


def _is_valid(folder: io.Folder, step: Step, given: Mapping[str, Any]) -> bool:
    """Whether what a step has left in the folder is what it would leave now."""
    if step.cache == "off":
        return False
    try:
        found = _manifest(folder, step.name)
        records = {argument: _record(folder, each) for argument, each in step.inputs.items()}
        inputs = {argument: record["sha256"] for argument, record in records.items() if record is not None}
        for path, writer in step.files_in.items():
            inputs[f"file {path}"] = (_manifest(folder, writer)["files"].get(path) or {}).get("sha256", "")
        for record in found["outputs"].values():
            if hashlib.sha256(folder.read(record["file"])).hexdigest() != record["sha256"]:
                return False
    except (FileNotFoundError, KeyError):
        return False
    age = (datetime.now(UTC) - datetime.fromisoformat(found["finished_at"])).total_seconds()
    if step.cache_age_seconds is not None and age > step.cache_age_seconds:
        return False
    values = defaults() | dict(given) if step.parameters else {}
    parameters = {each: _told(values[each]) for each in step.parameters}
    return bool(
        found["version"] == step.version and found["inputs"] == inputs and found["parameters"] == parameters
    )


def _put_files(folder: io.Folder, step: Step) -> None:
    """Let the step find files that other steps wrote, also where those ran on another machine."""
    for path, writer in step.files_in.items():
        record = _manifest(folder, writer)["files"].get(path)
        if record is None:
            continue
        content = folder.read(record["file"])
        if os.path.isfile(path) and _content(path) == content:
            continue
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)


def _keep_files(folder: io.Folder, step: Step) -> dict[str, Any]:
    """Keep files that later steps read; None for one that is not there."""
    kept: dict[str, Any] = {}
    for path in step.files_out:
        if not os.path.isfile(path):
            kept[path] = None
            continue
        content = _content(path)
        file = f"{step.name}/files/{path}"
        folder.write(file, content)
        kept[path] = {"file": file, "size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    return kept


def _content(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _told(value: Any) -> Any:
    """A parameter's value as JSON can say it."""
    try:
        return json.loads(json.dumps(value))
    except (TypeError, ValueError):
        return repr(value)


@contextlib.contextmanager
def _inside(folder: str) -> Iterator[None]:
    """Within it, relative paths begin in `folder`."""
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def _tell(line: str) -> None:
    with _stderr:
        print(line, file=sys.stderr, flush=True)


def tell_error() -> None:
    """The traceback of the error that is being handled."""
    with _stderr:
        traceback.print_exc()
