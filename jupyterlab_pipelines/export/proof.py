"""``export --verify``: does the export, installed afresh and run, leave what the notebook's run left?

The package is installed in an environment of its own, without this program, with the versions of its lock file;
then the target's engine runs it there, and each artifact is compared with the notebook's.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from jupyterlab_pipelines.errors import ExportError
from jupyterlab_pipelines.export.base import Export, Exporter
from jupyterlab_pipelines.export.build import Source
from jupyterlab_pipelines.export.compare import compare
from jupyterlab_pipelines.store.locks import FileLock

INSTALL_SECONDS = 1800
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
        self, command: Sequence[str | os.PathLike[str]], *, environment: Mapping[str, str] | None = None
    ) -> None:
        """Run a command of the proof in the exported folder.

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
        try:
            ended = subprocess.run(
                [os.fspath(word) for word in command],
                cwd=self.folder,
                env=variables,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=RUN_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ExportError(
                "export_fails", f"The exported pipeline did not end in {RUN_SECONDS} seconds."
            ) from None
        if ended.returncode:
            tail = f"{ended.stdout}\n{ended.stderr}".strip()[-8000:]
            raise ExportError(
                "export_fails", f"The exported pipeline fails with exit status {ended.returncode}:\n{tail}"
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
    return getattr(exporter, "prove", None) or (run_package if exporter.name == "package" else None)


def verify(
    source: Source,
    export: Export,
    exporter: Exporter,
    output: Path,
    tell: Callable[[str], None],
    environments: Path | None = None,
) -> dict[str, Any]:
    """Prove the export in `output`.

    Parameters
    ----------
    tell
        Called with a line for each thing that is done.
    environments
        Folder that keeps the environments of engines; default: one below the user's cache folder.

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
    prove = _runner(exporter)
    if prove is None:
        raise ExportError("not_provable", f"The target `{exporter.name}` cannot run its exports here.")
    started = time.monotonic()
    with workbench(source, export, exporter, output, tell, environments) as bench:
        installed = time.monotonic()
        tell("running it")
        prove(bench)
        ended = time.monotonic()
        verdicts = compare(source, export, bench.folder / "src", bench.artifacts)
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
        python = install(folder, place / "environment", source.python)
        requirements = tuple(getattr(exporter, "engine", ()))
        if requirements:
            tell(f"looking for an environment with {', '.join(requirements)}, or making it")
        engine = engine_environment(requirements, source.python, environments) if requirements else python
        yield Workbench(export, folder, python, engine, place / "artifacts", data, source.parameters)


def run_package(bench: Workbench) -> None:
    """Run the package by its own command."""
    bench.run(
        [
            *(bench.python, "-m", bench.export.name, "run", "--artifacts", str(bench.artifacts)),
            *("--data", str(bench.data), "--parameters", json.dumps(dict(bench.parameters))),
        ]
    )


def install(folder: Path, environment: Path, python: str) -> Path:
    """A fresh environment with the package in it; its interpreter.

    Packages come from where pip or uv are told to look: offline, that is their cache, or a folder of wheels.

    Raises
    ------
    ExportError
        ``not_installable``.
    """
    interpreter = _new_environment(environment, python)
    lock = folder / "requirements.lock"
    if any(line and not line.startswith("#") for line in lock.read_text(encoding="utf-8").splitlines()):
        _add(interpreter, ["-r", str(lock)], folder)
    _add(interpreter, ["--no-deps", str(folder)], folder)
    return interpreter


def engine_environment(requirements: tuple[str, ...], python: str, folder: Path | None = None) -> Path:
    """The interpreter of an environment with an engine, which is made once and kept.

    Raises
    ------
    ExportError
        ``not_installable``.
    """
    if folder is None:
        said = os.environ.get("JUPYTER_PIPELINES_ENGINES")
        folder = Path(said) if said else _cache_folder() / "pipelines-as-experiments" / "engines"
    described = json.dumps([os.path.realpath(python), *requirements]).encode()
    environment = folder.absolute() / hashlib.sha256(described).hexdigest()[:16]
    done = environment / "requirements.txt"
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(environment.with_suffix(".lock"))
    while not lock.acquire():  # Another export makes the same one.
        time.sleep(0.5)
    try:
        if not done.is_file():
            shutil.rmtree(environment, ignore_errors=True)
            _add(_new_environment(environment, python), list(requirements), environment)
            done.write_text("\n".join(requirements) + "\n", encoding="utf-8")
    finally:
        lock.release()
    return _interpreter(environment)


def _cache_folder() -> Path:
    if os.name == "nt":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home())
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def _interpreter(environment: Path) -> Path:
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _new_environment(environment: Path, python: str) -> Path:
    """Make an environment; its interpreter."""
    environment.parent.mkdir(parents=True, exist_ok=True)
    try:
        # With the pip that comes with Python: uv's would be fetched, from where uv alone is told.
        _installed([python, "-m", "venv", str(environment)], environment.parent)
    except ExportError:
        uv = _uv()
        if uv is None:
            raise
        shutil.rmtree(environment, ignore_errors=True)
        make = [uv, "venv", "--quiet", "--seed", "--python", python, str(environment)]
        _installed(make, environment.parent)
    return _interpreter(environment)


def _add(interpreter: Path, words: list[str], folder: Path) -> None:
    """Install by uv, which is faster, or by pip where there is no uv, or where only pip is told about an index."""
    uv = _uv()
    if uv:
        with contextlib.suppress(ExportError):
            return _installed([uv, "pip", "install", "--quiet", "--python", str(interpreter), *words], folder)
    pip = [str(interpreter), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    return _installed([*pip, *words], folder)


def _uv() -> str | None:
    beside = Path(sys.executable).with_name("uv.exe" if os.name == "nt" else "uv")
    return shutil.which("uv") or (str(beside) if beside.is_file() else None)


def _installed(command: list[str], folder: Path) -> None:
    try:
        ended = subprocess.run(
            command,
            cwd=folder,
            env=clean_environment(),
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ExportError("not_installable", f"The export cannot be installed: {error}.") from None
    if ended.returncode:
        raise ExportError(
            "not_installable",
            f"The export cannot be installed: `{' '.join(command[:6])} …` says {ended.stderr.strip()[-1500:]}",
        )


def clean_environment() -> dict[str, str]:
    """Our environment without what would let another Python find this program."""
    variables = {
        name: value
        for name, value in os.environ.items()
        if name not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    }
    variables.setdefault("PYTHONHASHSEED", "0")
    variables.setdefault("MPLBACKEND", "agg")
    return variables


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
