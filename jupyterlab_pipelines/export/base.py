"""What is exported (`Export`), and what a target is (`Exporter`).

**A new target** is one new file with one class. It has the three members of `Exporter`, and `write` yields the
files that the engine needs *beside* the package, which every target gets from `package` first:

- Everything that the engine must know is in the `Export`: `export.steps` in an order in which they can run, each
  with its `parents`, `retries`, `timeout_seconds`, `cache`, `parameters`, `inputs`, `outputs`.
- A task of the engine runs a step by the package's own door, which reads the inputs from the artifacts folder and
  leaves the outputs there. Values never go through the engine, so that they stay what they are::

      from NAME.running import run_step            # in this process: one process per task, please
      run_step("train", artifacts=URL, parameters={"alpha": 0.1}, data=FOLDER)
      from NAME.running import run_step_apart      # in a process of its own, for engines that share one
      python -m NAME run-step train --artifacts URL --parameters '{"alpha": 0.1}'   # the same, for containers

  All three end well only when the outputs and the step's manifest are in the folder; `run_step` returns the
  manifest, a small JSON document, whose ``outputs`` have for each artifact its ``file`` and ``sha256``.
- Engines retry and time out by themselves: hand them `retries` and `timeout_seconds`. The package's own ``run``
  does so where there is no engine.
- `SourceFile.code` puts the header with notebook hash, commit and version on Python files; `ExportedFile.text` is for
  all else. Return them in an order that is the same each time, and put in no dates and no paths of this machine.
- A target that can run its own exports for ``--verify`` also has `engine`, the requirements to install, and
  ``prove(bench)``, which runs the export and leaves its artifacts in ``bench.artifacts``: see `proof.Workbench`.
  A target with options (``export --option image=NAME``) has ``with_options(**options)``, which returns an exporter.
- What the target cannot express goes into `Exporter.gaps`: it is told in the command's output and in the README.

Register an instance as an entry point of the group `ENTRY_POINTS`; those that come with this package are registered
in the same way. ``tests/export/test_targets.py`` asks every target the same questions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from jupyterlab_pipelines.errors import ExportError
from jupyterlab_pipelines.pipeline import Parameter, Resources

ENTRY_POINTS = "jupyterlab_pipelines.exporters"


@dataclass(frozen=True, slots=True)
class Origin:
    """What the header of every exported file tells: where it comes from.

    Attributes
    ----------
    notebook
        File name of the notebook.
    digest
        Hash of its cells, without their outputs.
    commit
        Revision of the folder that the notebook lies in; "" if there is none.
    generator
        Name and version of this program.
    """

    notebook: str
    digest: str
    commit: str
    generator: str

    def lines(self) -> list[str]:
        commit = f", commit {self.commit}" if self.commit else ""
        return [
            f"Exported from {self.notebook} (cells {self.digest[:16]}{commit}) by {self.generator}.",
            "Change the notebook and export it again rather than this file.",
        ]


@dataclass(frozen=True, slots=True)
class Value:
    """A value that a step leaves.

    Attributes
    ----------
    name
        The variable.
    annotation
        Its type, as the function's signature says it.
    step
        Step of the notebook that leaves it as it is then: for comparison with a run of the notebook.
    is_optional
        The step binds it on some paths only.
    """

    name: str
    annotation: str
    step: str
    is_optional: bool = False


@dataclass(frozen=True, slots=True)
class ExportedStep:
    """One function of the exported pipeline.

    Attributes
    ----------
    name
        Of the function, and of the folder of its artifacts: an identifier.
    steps
        Steps of the notebook that it executes; several where they cannot be taken apart (`why_joined`).
    title, text
        Heading and prose above the step's first cell.
    source
        The function, as Python.
    inputs
        By argument, the artifact ``step/name`` that it gets.
    parameters
        Parameters of the notebook that it takes, as keyword arguments.
    outputs
        What it returns, in order.
    together
        Groups of outputs that share objects and therefore lie in one file.
    states_in, states_out
        State of the process (a random generator) that it gets from a step, and that it leaves: by kind, the
        artifact; kinds. They are arguments and outputs, too.
    version
        Hash of its code and of the definitions that it reaches, without comments.
    pickled
        Outputs that other formats than pickle would not bring back exactly.
    files_in, files_out
        Files below the data folder: by path the step that wrote it; paths.
    parents
        Exported steps that must have ended before.
    kernel
        Kernelspec that its tag names: another environment.
    resources
        What it asks of the machine that runs it.
    """

    name: str
    steps: tuple[str, ...]
    title: str
    text: str
    source: str
    is_async: bool
    inputs: Mapping[str, str]
    parameters: tuple[str, ...]
    outputs: tuple[Value, ...]
    together: tuple[tuple[str, ...], ...]
    states_out: tuple[str, ...]
    files_in: Mapping[str, str]
    files_out: tuple[str, ...]
    parents: tuple[str, ...]
    retries: int = 0
    timeout_seconds: float | None = None
    cache: str = "on"
    cache_age_seconds: float | None = None
    role: str | None = None
    kernel: str | None = None
    resources: Resources = field(default_factory=Resources)
    version: str = ""
    pickled: tuple[str, ...] = ()
    why_joined: tuple[str, ...] = ()

    @property
    def output_names(self) -> tuple[str, ...]:
        return tuple(value.name for value in self.outputs)


@dataclass(frozen=True, slots=True)
class Requirement:
    """A distribution with its exact version; `modules` are the imported names that it provides."""

    name: str
    version: str
    modules: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}=={self.version}"


@dataclass(frozen=True, slots=True)
class Recorded:
    """A file of a real run of the notebook, kept for the package's own tests."""

    path: str
    content: bytes


@dataclass(frozen=True)
class Export:
    """All that a target needs to know of the exported pipeline.

    Attributes
    ----------
    name
        Of the package: an identifier. `distribution` is the same with dashes.
    title, text
        First heading of the notebook, and the prose below it.
    steps
        In an order in which they can run.
    parameters
        Of the notebook.
    modules
        Sources of the package's modules that come from the notebook, by file name: ``steps.py``, ``definitions.py``,
        ``parameters.py``, without header.
    requirements
        What the steps import, exactly pinned; `lock` adds what those need.
    python
        Version of the interpreter, as ``3.11``.
    local_modules
        Modules beside the notebook that it imports, by path: they lie beside the package.
    data
        Small files that the steps read, by path below the data folder.
    data_missing
        Files that the steps read and that are not part of the export.
    recorded
        Inputs and outputs of a real run, for tests.
    untested
        By step, why the tests do not ask it for the same again.
    run_parameters
        Those with which that run was made, where they are not the defaults.
    unbound
        Names that the exported code would read where a run of the notebook does not come to.
    notes
        For people: what was left out, or joined, and why.
    schedule
        When it runs by itself, in cron's notation; None: when somebody asks.
    """

    name: str
    title: str
    text: str
    origin: Origin
    steps: tuple[ExportedStep, ...]
    parameters: tuple[Parameter, ...]
    modules: Mapping[str, str]
    requirements: tuple[Requirement, ...]
    lock: tuple[Requirement, ...]
    python: str
    local_modules: Mapping[str, bytes] = field(default_factory=dict)
    data: Mapping[str, bytes] = field(default_factory=dict)
    data_missing: tuple[str, ...] = ()
    recorded: tuple[Recorded, ...] = ()
    untested: Mapping[str, str] = field(default_factory=dict)
    run_parameters: Mapping[str, Any] = field(default_factory=dict)
    unbound: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    schedule: str | None = None

    @property
    def distribution(self) -> str:
        return self.name.replace("_", "-")

    def __getitem__(self, name: str) -> ExportedStep:
        return next(step for step in self.steps if step.name == name)

    def defaults(self) -> dict[str, Any]:
        """Values of the parameters whose default can be said in JSON."""
        return {each.name: each.default for each in self.parameters if each.is_literal}


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """A file of the export: path below the target folder, with slashes."""

    path: str
    content: bytes
    is_executable: bool = False

    @classmethod
    def text(cls, path: str, text: str, *, is_executable: bool = False) -> ExportedFile:
        return cls(path, (text.rstrip("\n") + "\n").encode("utf-8", "surrogatepass"), is_executable)

    @classmethod
    def code(cls, export: Export, path: str, text: str, *, is_executable: bool = False) -> ExportedFile:
        """A text file with the header in comments that begin with ``#``; a ``#!`` line stays first."""
        first, _, rest = text.partition("\n")
        shebang = f"{first}\n" if first.startswith("#!") else ""
        header = "".join(f"# {line}\n" for line in export.origin.lines())
        return cls.text(path, shebang + header + (rest if shebang else text), is_executable=is_executable)


class Exporter(Protocol):
    """Writes the pipeline for one engine. See the module's text for how one is made.

    Attributes
    ----------
    name
        What ``--to`` calls it.
    summary
        A sentence for ``export --list``.
    """

    name: str
    summary: str

    def write(self, export: Export) -> Iterable[ExportedFile]:
        """The files beside those of the package. Called once, after everything was found exportable.

        Raises
        ------
        ExportError
            The target cannot express the pipeline.
        """

    def gaps(self, export: Export) -> Iterable[str]:
        """What the target cannot express of this pipeline: a sentence for each."""


def exporters() -> dict[str, Exporter]:
    """All registered targets by name, those of this package first.

    Two plug-ins with one name: the one of this package, or else the first by distribution, counts.
    """
    from importlib.metadata import entry_points

    found = sorted(
        entry_points(group=ENTRY_POINTS),
        key=lambda entry: (not entry.value.startswith("jupyterlab_pipelines."), entry.name, entry.value),
    )
    registered: dict[str, Exporter] = {}
    for name, path in BUILTIN.items():
        registered[name] = _load(path)
    for entry in found:
        if entry.name not in registered:
            registered[entry.name] = entry.load()
    return registered


BUILTIN: dict[str, str] = {
    name: f"jupyterlab_pipelines.export.{name}:EXPORTER"
    for name in (
        "package",
        "airflow",
        "argo",
        "dagster",
        "elyra",
        "kedro",
        "kubeflow",
        "metaflow",
        "mlrun",
        "papermill",
        "zenml",
    )
}
"""Also reached when this package runs from a source folder, which registers nothing."""


def _load(path: str) -> Exporter:
    from importlib import import_module

    module, _, name = path.partition(":")
    exporter: Exporter = getattr(import_module(module), name)
    return exporter


def find_exporter(name: str) -> Exporter:
    """The target of this name.

    Raises
    ------
    ExportError
        ``unknown_target``.
    """
    known = exporters()
    if name not in known:
        raise ExportError(
            "unknown_target",
            f"There is no target `{name}`; choose one of {', '.join(known)}, or install the package that "
            f"registers it as an entry point of `{ENTRY_POINTS}`.",
            target=name,
            targets=list(known),
        )
    return known[name]


def literal(value: Any) -> str:
    """JSON values as Python, strings in double quotes as formatters write them."""
    if isinstance(value, str):
        if '"' in value and "'" not in value:
            return repr(value)
        if value.isascii() or value.isprintable():
            return json.dumps(value, ensure_ascii=False)
        said = repr(value)
        return said if '"' in value else f'"{said[1:-1]}"'
    if isinstance(value, tuple):
        inner = ", ".join(literal(each) for each in value)
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if isinstance(value, list):
        return f"[{', '.join(literal(each) for each in value)}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{literal(k)}: {literal(v)}" for k, v in value.items()) + "}"
    return repr(value)
