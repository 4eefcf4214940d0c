"""Doctor: what is wrong with this installation, and what to do about it."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from jupyterlab_pipelines import __version__
from jupyterlab_pipelines.errors import PipelinesError

DISTRIBUTION = "pipelines-as-experiments"
OLDEST_PYTHON = (3, 11)
OLDEST_SQLITE = (3, 35)
"""Has ``RETURNING``, which the store uses."""

Level = Literal["ok", "warning", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    check
        Stable word for programs.
    level
        ``warning``: some things will not work; ``problem``: nothing will.
    remedy
        What to do; empty when it is ok.
    """

    check: str
    level: Level
    message: str
    remedy: str = ""

    def to_json(self) -> dict[str, Any]:
        return {"check": self.check, "level": self.level, "message": self.message, "remedy": self.remedy}


def examine(directory: Path, store: Path | None = None) -> list[Finding]:
    """Look at everything that a run, the command line and JupyterLab need.

    Changes nothing; a check that fails itself is a finding, too.
    """
    checks: dict[str, Callable[[], Iterator[Finding]]] = {
        "python": _python,
        "packages": _packages,
        "sqlite": _sqlite,
        "store": lambda: _store(directory, store),
        "kernels": _kernels,
        "papermill_engine": _papermill_engine,
        "server_extension": _server_extension,
        "lab_extension": _lab_extension,
        "warm": _warm,
    }
    findings: list[Finding] = []
    for name, check in checks.items():
        try:
            findings += check()
        except Exception as error:
            findings.append(
                Finding(name, "problem", f"The check itself failed: {type(error).__name__}: {error}.")
            )
    return findings


def _python() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info >= OLDEST_PYTHON:
        yield Finding("python", "ok", f"Python {version} at {sys.executable}.")
    else:
        oldest = ".".join(map(str, OLDEST_PYTHON))
        yield Finding(
            "python", "problem", f"Python {version} is too old.", f"Install Python {oldest} or newer."
        )


def _packages() -> Iterator[Finding]:
    """The distribution's own requirements, as far as this environment needs them."""
    from packaging.requirements import Requirement

    try:
        requirements = [Requirement(line) for line in metadata.requires(DISTRIBUTION) or ()]
    except metadata.PackageNotFoundError:
        yield Finding(
            "packages",
            "warning",
            f"{DISTRIBUTION} {__version__} runs from its sources, not from an installation.",
            f"pip install {DISTRIBUTION}",
        )
        return
    yield Finding("packages", "ok", f"{DISTRIBUTION} {metadata.version(DISTRIBUTION)}.")
    for requirement in requirements:
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        remedy = f'pip install "{requirement.name}{requirement.specifier}"'
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            yield Finding("packages", "problem", f"{requirement.name} is missing.", remedy)
            continue
        if requirement.specifier.contains(version, prereleases=True):
            yield Finding("packages", "ok", f"{requirement.name} {version}.")
        else:
            message = f"{requirement.name} is {version}, needed is {requirement.specifier}."
            yield Finding("packages", "problem", message, remedy)


def _sqlite() -> Iterator[Finding]:
    if sqlite3.sqlite_version_info >= OLDEST_SQLITE:
        yield Finding("sqlite", "ok", f"SQLite {sqlite3.sqlite_version}.")
    else:
        oldest = ".".join(map(str, OLDEST_SQLITE))
        yield Finding(
            "sqlite",
            "problem",
            f"SQLite {sqlite3.sqlite_version} is too old.",
            f"Use a Python that was built with SQLite {oldest} or newer.",
        )


def _store(directory: Path, store: Path | None) -> Iterator[Finding]:
    from jupyterlab_pipelines.project import Project

    try:
        project = Project.open(directory, store)
        if project.store_path.exists():
            runs = len(project.runs(limit=1000))
    except PipelinesError as error:
        yield Finding("store", "problem", error.message)
        return
    path = project.store_path
    if path.exists():
        shown = f"{runs} runs" if runs < 1000 else "1000 runs or more"
        yield _writable(path, f"The store {path} can be read and written ({shown}).")
    else:
        # Made by the first run, not by looking.
        existing = next(parent for parent in path.parents if parent.exists())
        yield _writable(existing, f"The first run will make the store {path}.")


def _writable(directory: Path, message: str) -> Finding:
    if os.access(directory, os.W_OK | os.X_OK):
        return Finding("store", "ok", message)
    return Finding(
        "store",
        "problem",
        f"{directory} cannot be written, so there is no place for the store.",
        "Give --store DIR, or set JUPYTER_PIPELINES_STORE, to a directory that you may write.",
    )


def _kernels() -> Iterator[Finding]:
    from jupyter_client.kernelspec import NATIVE_KERNEL_NAME, KernelSpecManager

    specs = {name: found["spec"] for name, found in KernelSpecManager().get_all_specs().items()}
    python = {name: spec for name, spec in specs.items() if spec.get("language", "").lower() == "python"}
    remedy = (
        f"{sys.executable} -m pip install ipykernel && {sys.executable} -m ipykernel install --sys-prefix"
    )
    if NATIVE_KERNEL_NAME not in python:
        known = ", ".join(sorted(specs)) or "none"
        message = f"There is no kernel {NATIVE_KERNEL_NAME}, which most notebooks ask for (known: {known})."
        yield Finding("kernels", "problem" if not python else "warning", message, remedy)
    for name, spec in sorted(python.items()):
        yield _kernel(name, spec["argv"], is_native=name == NATIVE_KERNEL_NAME)


def _kernel(name: str, argv: list[str], *, is_native: bool) -> Finding:
    # As jupyter_client does, which starts this Python where a kernelspec says just `python`.
    own_names = {"python", f"python{sys.version_info[0]}", "python{}.{}".format(*sys.version_info[:2])}
    interpreter = sys.executable if argv[0] in own_names else shutil.which(argv[0])
    remove = f"Remove it (jupyter kernelspec remove {name}) or install it anew."
    if interpreter is None:
        return Finding("kernels", "warning", f"Kernel {name} starts {argv[0]}, which does not exist.", remove)
    if "ipykernel_launcher" not in argv and "ipykernel" not in argv:
        return Finding("kernels", "ok", f"Kernel {name} is started by {interpreter}.")
    asked = subprocess.run(
        [interpreter, "-c", "import sys, ipykernel; print(ipykernel.__version__); print(sys.prefix)"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    if asked.returncode != 0:
        level: Level = "problem" if is_native else "warning"
        remedy = f"{interpreter} -m pip install ipykernel"
        return Finding(
            "kernels", level, f"Kernel {name} cannot start: {interpreter} has no ipykernel.", remedy
        )
    version, prefix = asked.stdout.splitlines()[-2:]
    if is_native and Path(prefix) != Path(sys.prefix):
        return Finding(
            "kernels",
            "warning",
            f"Kernel {name} runs another Python, {interpreter}: packages of this one may be missing there.",
            f"{sys.executable} -m ipykernel install --sys-prefix",
        )
    return Finding("kernels", "ok", f"Kernel {name} starts {interpreter} (ipykernel {version}).")


def _papermill_engine() -> Iterator[Finding]:
    ours = [
        point
        for point in metadata.entry_points(group="papermill.engine")
        if point.module.startswith(_PACKAGE)
    ]
    if ours:
        yield Finding("papermill_engine", "ok", f"papermill knows our engine, {ours[0].name!r}.")
    else:
        yield Finding(
            "papermill_engine",
            "problem",
            "papermill does not know our engine.",
            f"pip install {DISTRIBUTION}",
        )


def _server_extension() -> Iterator[Finding]:
    from jupyter_core.paths import jupyter_config_path
    from jupyter_server.extension.config import ExtensionConfigManager

    config = ExtensionConfigManager(read_config_path=jupyter_config_path())
    enabled = config.get_jpserver_extensions()  # type: ignore[no-untyped-call]
    if enabled.get(_PACKAGE):
        yield Finding("server_extension", "ok", "The server extension is enabled.")
    else:
        yield Finding(
            "server_extension",
            "warning",
            "The server extension is not enabled: JupyterLab's panel will stay empty.",
            f"jupyter server extension enable {_PACKAGE}",
        )


def _lab_extension() -> Iterator[Finding]:
    from jupyter_core.paths import jupyter_config_path, jupyter_path

    packages = [Path(folder) / DISTRIBUTION / "package.json" for folder in jupyter_path("labextensions")]
    package = next((file for file in packages if file.is_file()), None)
    if package is None:
        yield Finding(
            "lab_extension",
            "warning",
            "The extension of JupyterLab is not installed: there will be no panel.",
            f"pip install {DISTRIBUTION}",
        )
        return
    version = json.loads(package.read_text(encoding="utf-8")).get("version")
    if any(_disables(Path(folder) / "labconfig" / "page_config.json") for folder in jupyter_config_path()):
        yield Finding(
            "lab_extension",
            "warning",
            "The extension of JupyterLab is disabled.",
            f"jupyter labextension enable {DISTRIBUTION}",
        )
    elif version != __version__:
        yield Finding(
            "lab_extension",
            "warning",
            f"The extension of JupyterLab is {version}, but this package is {__version__}.",
            f"pip install --force-reinstall --no-deps {DISTRIBUTION}",
        )
    else:
        yield Finding("lab_extension", "ok", f"The extension of JupyterLab {version} is installed.")


def _warm() -> Iterator[Finding]:
    from jupyterlab_pipelines import warm

    if not warm.is_wanted():
        return
    for _, pid in warm.addresses():
        yield Finding(
            "warm", "ok", f"Process {pid} is kept warm for commands at a terminal (end it: kill {pid})."
        )


def _disables(page_config: Path) -> bool:
    try:
        disabled = json.loads(page_config.read_text(encoding="utf-8")).get("disabledExtensions", {})
    except (OSError, ValueError):
        return False
    return bool(DISTRIBUTION in disabled if isinstance(disabled, list) else disabled.get(DISTRIBUTION))


_PACKAGE = __name__.partition(".")[0]
