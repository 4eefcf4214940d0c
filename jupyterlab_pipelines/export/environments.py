"""Environments for proofs: those with an engine, and the fresh one in which an export is installed.

What takes long to install, an engine or the packages of a lock file, is installed once and kept; a fresh environment is
a copy of it. Packages come from where uv or pip are told to look: offline, that is their cache, or a folder of wheels.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from jupyterlab_pipelines.errors import ExportError
from jupyterlab_pipelines.store.locks import FileLock

INSTALL_SECONDS = 1800

DAYS = 30
"""An environment that nobody has used for so long is removed."""

CONTENT = "requirements.txt"
"""In a kept environment, once it is complete; its time is that of the last use."""


def install(folder: Path, environment: Path, python: str, kept: Path | None = None) -> Path:
    """A fresh environment with the package of the exported `folder` in it; its interpreter.

    Parameters
    ----------
    kept
        Folder that keeps environments; default: below the user's cache folder.

    Raises
    ------
    ExportError
        ``not_installable``.
    """
    lines = (folder / "requirements.lock").read_text(encoding="utf-8").splitlines()
    locked = tuple(line.strip() for line in lines if line.strip() and not line.startswith("#"))
    with _kept(locked, python, kept) as complete:
        _copy(complete, environment)
    interpreter = _interpreter(environment)
    _add(interpreter, ["--no-deps", str(folder)], folder)
    return interpreter


def engine_environment(requirements: tuple[str, ...], python: str, kept: Path | None = None) -> Path:
    """The interpreter of an environment with an engine, which is made once and kept.

    Raises
    ------
    ExportError
        ``not_installable``.
    """
    with _kept(requirements, python, kept) as environment:
        return _interpreter(environment)


@contextlib.contextmanager
def _kept(requirements: tuple[str, ...], python: str, folder: Path | None) -> Iterator[Path]:
    """An environment with nothing but `requirements`; within, nobody else makes or removes it."""
    if folder is None:
        said = os.environ.get("JUPYTER_PIPELINES_ENGINES")
        folder = Path(said) if said else _cache_folder() / "pipelines-as-experiments" / "engines"
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    described = json.dumps([os.path.realpath(python), *requirements]).encode()
    environment = folder / hashlib.sha256(described).hexdigest()[:16]
    content = environment / CONTENT
    lock = FileLock(environment.with_suffix(".lock"))
    while not lock.acquire():  # Another export makes the same one.
        time.sleep(0.2)
    try:
        if content.is_file():
            content.touch()
        else:
            _remove_unused(folder)
            shutil.rmtree(environment, ignore_errors=True)
            interpreter = _new_environment(environment, python)
            if requirements:
                _add(interpreter, list(requirements), environment)
            content.write_text("".join(f"{each}\n" for each in requirements), encoding="utf-8")
        yield environment
    finally:
        lock.release()


def _remove_unused(folder: Path) -> None:
    """Make room: a lock file changes with the versions that the notebook has."""
    for content in folder.glob(f"*/{CONTENT}"):
        environment = content.parent
        lock = FileLock(environment.with_suffix(".lock"))
        if time.time() - content.stat().st_mtime > DAYS * 86400 and lock.acquire():
            # First this, so that a half removed one is not taken for complete.
            content.unlink(missing_ok=True)
            shutil.rmtree(environment, ignore_errors=True)
            lock.release()


def _copy(environment: Path, place: Path) -> None:
    """A copy of an environment. Files are linked where they can be, as nobody changes an installed file in place."""

    def copy(source: str, target: str) -> str:
        try:
            os.link(source, target)
        except OSError:  # Another disk.
            shutil.copy2(source, target)
        return target

    shutil.copytree(environment, place, symlinks=True, copy_function=copy)


def _cache_folder() -> Path:
    if os.name == "nt":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home())
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def _interpreter(environment: Path) -> Path:
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _new_environment(environment: Path, python: str) -> Path:
    """Make an environment; its interpreter."""
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
