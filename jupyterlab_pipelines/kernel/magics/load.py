"""``%pipeline load``: what a run has stored, as variables of the live kernel."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from jupyterlab_pipelines.errors import PipelinesError, UsageError
from jupyterlab_pipelines.kernel.recalling import references
from jupyterlab_pipelines.kernel.runtime.inputs import load_references, take_snapshots
from jupyterlab_pipelines.kernel.runtime.watch import set_state

if TYPE_CHECKING:
    from jupyterlab_pipelines.api import Run
    from jupyterlab_pipelines.artifact import Artifact
    from jupyterlab_pipelines.kernel.magics.session import Session


def load_values(session: Session, run: Run, step: str, names: list[str], as_name: str | None) -> None:
    """Stored values of one step, each under its name or `as_name`; objects that they share stay shared."""
    if as_name is not None and not as_name.isidentifier():
        raise UsageError("usage", f"`{as_name}` is no name of a variable.")
    if len(names) == 1:
        value = run[step][names[0]].load()
        session.shell.user_ns[as_name or names[0]] = value
        print(f"{as_name or names[0]} = {run[step][names[0]]!r}")
        return
    stored = {name: run._project.artifact(run.id, step, name) for name in names}
    for name in names[:1]:
        run[step][name].load()  # the definitions to which they refer come along
    session.shell.user_ns |= load_references(run._project.store_path, references(stored))
    print(f"Loaded {_listed(names)} of step {step}, run {run.id}.")


def load_state(session: Session, run: Run, step: str) -> None:
    """All variables as they were when `step` of `run` had ended, without executing a step.

    Setup cells are executed, as they are before each step; definitions and imports of the steps are, too.
    """
    shell = session.shell
    run[step]  # says so if there is none
    recalled = run._project.recall(run.id, step)
    missing = {each.name: each.message for each in recalled.missing}
    namespace = shell.user_ns
    store = run._project.store_path
    with session.live.unwatched():
        for source in recalled.preamble:
            _execute(session, source)
        namespace |= dict(recalled.parameters)
        state = references(recalled.state)
        set_state(store, state, ambient_only=True)
        _define(session, (each.source for each in recalled.definitions), missing)
        loaded = _load(session, run, recalled.inputs, missing)
        _define(session, (each.source for each in recalled.late_definitions), missing)
        loaded += _load(session, run, recalled.late_inputs, missing)
        for name, other in recalled.aliases.items():
            if other in loaded:
                namespace[name] = namespace[other]
                loaded.append(name)
        for name, path, other in recalled.inside:
            if name in loaded and other in loaded:
                _put(namespace[name], path, namespace[other])
        for name in recalled.absent:
            namespace.pop(name, None)
        set_state(store, state)
    definitions = [*recalled.definitions, *recalled.late_definitions]
    print(f"As after step {step} of run {run.id}: {_listed(loaded) or 'no variables'}.")
    defined = sorted({name for each in definitions for name in each.names})
    if defined:
        print(f"Defined: {_listed(defined)}.")
    for name, why in sorted(missing.items()):
        verb = "Not as it was" if name in loaded else "Not loaded"
        print(f"{verb}: {name}: {' '.join(why.split())}")


def _load(
    session: Session, run: Run, artifacts: dict[str, Artifact] | Any, missing: dict[str, str]
) -> list[str]:
    """Load what can be loaded; the names. What is damaged is told, and does not keep the others away."""
    wanted = dict(artifacts)
    namespace = session.shell.user_ns
    while wanted:
        said = references(wanted)
        try:
            load_references(run._project.store_path, said, into=namespace)
        except PipelinesError as error:
            name = str(error.details.get("name"))
            if name not in wanted:
                raise
            missing[name] = error.message
            del wanted[name]
            continue
        take_snapshots(namespace, said, {name: artifact.digest for name, artifact in wanted.items()})
        break
    return sorted(wanted)


def _put(holder: Any, path: list[list[Any]], value: Any) -> None:
    """Let the place that `path` leads to hold `value`."""
    for kind, key in path[:-1]:
        holder = holder[key] if kind == "item" else vars(holder)[key]
    kind, key = path[-1]
    (holder if kind == "item" else vars(holder))[key] = value


def _define(session: Session, sources: Iterable[str], missing: dict[str, str]) -> None:
    for source in sources:
        try:
            _execute(session, source)
        except UsageError as error:
            missing[source.split("\n")[0]] = error.message


def _execute(session: Session, source: str) -> None:
    """Execute code in the live kernel as a cell, without a trace of it."""
    with _quiet():
        shell: Any = session.shell
        result = shell.run_cell(source, store_history=False, silent=True)
    if result.success:
        session.live.note(source)
        return
    error = result.error_before_exec or result.error_in_exec
    first = source.strip().split("\n")[0]
    raise UsageError("setup_failed", f"`{first} …` failed: {type(error).__name__}: {error}")


@contextmanager
def _quiet() -> Iterator[None]:
    from IPython.utils.capture import capture_output

    with capture_output():
        yield


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
