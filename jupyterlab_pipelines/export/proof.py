"""``export --verify``: does the export, installed afresh and run, leave what the notebook's run left?

The package is installed in an environment of its own, without this program, with the versions of its lock file;
then the target's engine runs it there, and each artifact is compared with the notebook's.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from jupyterlab_pipelines.errors import ExportError, PipelinesError
from jupyterlab_pipelines.export.base import Export, Exporter
from jupyterlab_pipelines.export.build import Source
from jupyterlab_pipelines.export.compare import compare, with_unsteady
from jupyterlab_pipelines.export.environments import clean_environment, engine_environment, install

RUN_SECONDS = 3600


@dataclass(frozen=True)
class Workbench:
    """Where an export is proved: what a target needs to run it on its engine.

    Attributes
    ----------
    export
        What was exported.
    folder
        A copy of the exported files, which the proof may change.
    python
        Interpreter of the fresh environment in which the package is installed.
    engine
        Interpreter of the environment in which the engine is installed: another one, because engines and
        notebooks often need different versions of the same package. The steps run with `python`.
    artifacts
        Folder that the run has to leave its artifacts in.
    data
        Folder in which the steps find their files.
    parameters
        Values that replace the defaults.
    """

    export: Export
    folder: Path
    python: Path
    engine: Path
    artifacts: Path
    data: Path
    parameters: Mapping[str, Any]

    def run(
        self,
        command: Sequence[str | os.PathLike[str]],
        *,
        environment: Mapping[str, str] | None = None,
        timeout_seconds: float = RUN_SECONDS,
    ) -> None:
        """Run a command of the proof in the exported folder; one that takes too long is asked to end.

        Raises
        ------
        ExportError
            ``export_fails``: it ends with another status than 0, or takes too long.
        """
        name = self.export.name.upper()
        variables = clean_environment() | {f"{name}_DATA": str(self.data)}
        if self.engine != self.python:
            variables |= {f"{name}_PYTHON": str(self.python), "PYTHONPATH": str(self.folder / "src")}
            variables["PATH"] = f"{self.engine.parent}{os.pathsep}{variables.get('PATH', '')}"
        variables |= dict(environment or {})
        process = subprocess.Popen(
            [os.fspath(word) for word in command],
            cwd=self.folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        try:
            said, _ = process.communicate(timeout=timeout_seconds)
        except subprocess.TimeoutExpired:
            process.terminate()
            process.communicate()
            raise ExportError(
                "export_fails", f"The exported pipeline did not end in {timeout_seconds:g} seconds."
            ) from None
        if process.returncode:
            raise ExportError(
                "export_fails",
                f"The exported pipeline fails with exit status {process.returncode}:\n{said.strip()[-8000:]}",
            )


class Provable(Exporter, Protocol):
    """A target whose exports can be run for a proof.

    `engine` are the requirements to install beside the package; `prove` runs the export on the engine so that
    its artifacts lie in ``bench.artifacts``.
    """

    engine: tuple[str, ...]

    def prove(self, bench: Workbench) -> None:
        """Run the export on the engine; raise `ExportError` if it fails."""


def can_verify(exporter: Exporter) -> bool:
    """Whether the target can run its own exports here."""
    return _runner(exporter) is not None


def _runner(exporter: Exporter) -> Callable[[Workbench], None] | None:
    return getattr(exporter, "prove", None) or (_run_package if exporter.name == "package" else None)


def verify(
    source: Source,
    export: Export,
    exporter: Exporter,
    output: Path,
    tell: Callable[[str], None],
    environments: Path | None = None,
    again: Callable[[], Source] | None = None,
) -> dict[str, Any]:
    """Prove the export in `output`.

    Parameters
    ----------
    tell
        Called with a line for each thing that is done.
    environments
        Folder that keeps the environments of engines; default: one below the user's cache folder.
    again
        Runs the notebook once more. Called if something differs: what differs between two runs of the notebook
        tells nothing about the export.

    Returns
    -------
    dict
        ``status``: ``equal`` or ``differs``; ``artifacts``: a document for each (see `Verdict`); ``seconds`` of
        ``install`` and ``run``.

    Raises
    ------
    ExportError
        ``not_installable``, ``export_fails``, ``not_provable``.
    """
    started = time.monotonic()
    with workbench(source, export, exporter, output, tell, environments) as bench:
        installed = time.monotonic()
        tell("running it")
        prove(exporter, bench)
        ended = time.monotonic()
        verdicts = compare(source, export, bench.folder / "src", bench.artifacts)
    if again is not None and any(verdict.status == "differs" for verdict in verdicts):
        tell("running the notebook again, to see what differs between two of its runs")
        with contextlib.suppress(PipelinesError):  # Its second run fails: what differs differs.
            verdicts = with_unsteady(export, verdicts, source, again())
    is_equal = all(verdict.status in ("equal", "unsure") for verdict in verdicts)
    return {
        "status": "equal" if is_equal else "differs",
        "artifacts": [verdict.to_json() for verdict in verdicts],
        "seconds": {"install": round(installed - started, 1), "run": round(ended - installed, 1)},
    }


@contextlib.contextmanager
def workbench(
    source: Source,
    export: Export,
    exporter: Exporter,
    output: Path,
    tell: Callable[[str], None] = lambda line: None,
    environments: Path | None = None,
) -> Iterator[Workbench]:
    """A copy of the export in `output`, installed in a fresh environment; gone afterwards.

    Raises
    ------
    ExportError
        ``not_installable``.
    """
    with tempfile.TemporaryDirectory(prefix="verify-", ignore_cleanup_errors=True) as scratch:
        place = Path(scratch)
        folder = place / "export"
        shutil.copytree(output, folder)
        data = _data(source, export, place / "files")
        tell("installing the export in a fresh environment")
        python = install(folder, place / "environment", source.python, environments)
        requirements = tuple(getattr(exporter, "engine", ()))
        if requirements:
            tell(f"looking for an environment with {', '.join(requirements)}, or making it")
        engine = engine_environment(requirements, source.python, environments) if requirements else python
        yield Workbench(export, folder, python, engine, place / "artifacts", data, source.parameters)


def prove(exporter: Exporter, bench: Workbench) -> None:
    """Run the export on its engine; its artifacts are in ``bench.artifacts`` afterwards.

    Raises
    ------
    ExportError
        ``export_fails``; ``not_provable``.
    """
    run = _runner(exporter)
    if run is None:
        raise ExportError("not_provable", f"The target `{exporter.name}` cannot run its exports here.")
    try:
        run(bench)
    except ExportError as error:
        # Engines say much about themselves, and little about the step.
        told = [error.message, *_errors(bench.artifacts)]
        raise ExportError(error.code, "\n".join(told), **error.details) from None


def _errors(artifacts: Path) -> Iterator[str]:
    """A sentence for each step that has left word of how it failed."""
    for path in sorted(artifacts.glob("*/_step.json")):
        manifest = json.loads(path.read_text(encoding="utf-8"))
        if manifest["status"] == "failed":
            error = manifest["error"]
            yield f"Step `{manifest['step']}` failed: {error['type']}: {error['message']}"


def _run_package(bench: Workbench) -> None:
    """Run the package by its own command."""
    bench.run(
        [
            *(bench.python, "-m", bench.export.name, "run", "--artifacts", str(bench.artifacts)),
            *("--data", str(bench.data), "--parameters", json.dumps(dict(bench.parameters))),
        ]
    )


def _data(source: Source, export: Export, place: Path) -> Path:
    """A folder with the files that the steps read, as they were before the pipeline wrote any.

    It lies so deep that files above the notebook's folder can be given, too, by the same relative paths.
    """
    written = {path for effects in source.learned.values() for path in effects.files.writes}
    folder = place.joinpath("a", "b", "c", "d", "data")
    folder.mkdir(parents=True)
    for path, content in export.data.items():
        _put(folder / path, content)
    for path in export.data_missing:
        target = Path(os.path.normpath(folder / path))
        if (source.folder / path).exists() and target.is_relative_to(place) and path not in written:
            target.parent.mkdir(parents=True, exist_ok=True)
            os.symlink(source.folder / path, target)
    return folder


def _put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
