"""Where steps run: kernelspecs, interpreters, and the versions of installed distributions.

Standard library and `jupyter_core` only; `distributions_of` is also called inside step kernels.
"""

from __future__ import annotations

import functools
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from jupyterlab_pipelines.errors import KernelError

if TYPE_CHECKING:
    from importlib.metadata import Distribution

DESCRIBE = (
    "import json, platform, sys;"
    "print(json.dumps([platform.python_implementation(), platform.python_version(),"
    " sys.platform, platform.machine()]))"
)


@dataclass(frozen=True, slots=True)
class Kernelspec:
    """An installed kernelspec. `is_own`: it starts the Python that we are running in.

    `env` are the variables that it sets, as it says them: ``${NAME}`` stands for another variable.
    """

    name: str
    argv: tuple[str, ...]
    language: str
    env: tuple[tuple[str, str], ...] = ()

    @property
    def is_own(self) -> bool:
        command = self.argv[0] if self.argv else ""
        if os.path.dirname(command):
            try:
                return os.path.samefile(os.path.dirname(command), os.path.dirname(sys.executable))
            except OSError:
                return False
        return command.lower().removesuffix(".exe").startswith("python")


def installed_kernelspecs() -> dict[str, Path]:
    """Folders of the installed kernelspecs by name; the first one on Jupyter's path counts."""
    from jupyter_core.paths import jupyter_path

    found: dict[str, Path] = {}
    for folder in jupyter_path("kernels"):
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in entries:
            if entry.is_dir() and os.path.isfile(os.path.join(entry.path, "kernel.json")):
                found.setdefault(entry.name.lower(), Path(entry.path))
    return found


def find_kernelspec(name: str) -> Kernelspec:
    """The Python kernelspec of this name.

    Raises
    ------
    KernelError
        ``unknown_kernel``, or ``kernel_not_python``.
    """
    installed = installed_kernelspecs()
    folder = installed.get(name.lower())
    if folder is None:
        if name == "python3" and _has_ipykernel():
            return Kernelspec(
                name, ("python", "-m", "ipykernel_launcher", "-f", "{connection_file}"), "python"
            )
        known = ", ".join(f"`{kernel}`" for kernel in sorted(installed)) or "none"
        raise KernelError(
            "unknown_kernel",
            f"The kernel `{name}` is not installed here (installed: {known}). Choose another kernel for the "
            f"notebook, name one by `--kernel`, or install it with `python -m ipykernel install --name {name}`.",
            kernel=name,
            installed=sorted(installed),
        )
    try:
        described = json.loads((folder / "kernel.json").read_text(encoding="utf-8"))
        spec = Kernelspec(
            name,
            tuple(described["argv"]),
            str(described.get("language", "python")),
            tuple((str(key), str(value)) for key, value in (described.get("env") or {}).items()),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise KernelError(
            "unknown_kernel", f"The kernelspec {folder} cannot be read: {error}.", kernel=name
        ) from None
    if spec.language.lower() not in ("python", "ipython"):
        raise KernelError(
            "kernel_not_python",
            f"The kernel `{name}` runs {spec.language}; only Python notebooks can be run as pipelines.",
            kernel=name,
            language=spec.language,
        )
    return spec


def _has_ipykernel() -> bool:
    from importlib.util import find_spec

    return find_spec("ipykernel") is not None


def environment_of(kernel: Kernelspec) -> dict[str, str]:
    """Interpreter and platform that a kernel runs on: a part of every cache key.

    Raises
    ------
    KernelError
        ``kernel_broken``: its Python does not start.
    """
    if kernel.is_own:
        implementation, version, system, machine = (
            platform.python_implementation(),
            platform.python_version(),
            sys.platform,
            platform.machine(),
        )
        return {"python": f"{implementation} {version}", "platform": f"{system} {machine}", "kernel": ""}
    implementation, version, system, machine = _ask(kernel.argv[0], kernel.name)
    return {"python": f"{implementation} {version}", "platform": f"{system} {machine}", "kernel": kernel.name}


def environment_with_us() -> dict[str, str]:
    """Environment variables for a Python that imports this very package."""
    environment = dict(os.environ)
    ours = str(Path(__file__).resolve().parent.parent)
    known = environment.get("PYTHONPATH")
    if ours not in sys.path[1:] or known is not None:
        environment["PYTHONPATH"] = ours if not known else os.pathsep.join([known, ours])
    return environment


SPINNING = {"OMP_WAIT_POLICY": "PASSIVE", "OPENBLAS_THREAD_TIMEOUT": "20"}
"""Variables that keep threads of OpenMP and OpenBLAS from spinning while they have nothing to do.

Steps run side by side, each with threads for all cores: those that spin while they wait take the cores from those
that work (measured: up to 4 x slower). Those of OpenBLAS do when it is loaded, too: 0.1 s of processor time for each
import of numpy. They now wait for 2^20 cycles, which is long enough for the next call of a loop.
"""


def base_environment(store: Path, started_with: Mapping[str, str] | None = None) -> dict[str, str]:
    """Environment variables of every step kernel, before those that its kernelspec sets.

    `started_with`: those of the process that starts it, if not this one's as they are now.
    """
    environment = dict(os.environ if started_with is None else started_with)
    environment["JUPYTER_PIPELINES_STORE"] = str(store)
    # One order of sets in all kernels of a run, as there is one in the one kernel of Run All.
    environment.setdefault("PYTHONHASHSEED", "0")
    return SPINNING | environment


def kernel_environment(
    kernel: Kernelspec, store: Path, started_with: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Environment variables that a step kernel is given, as jupyter_client makes them of a kernelspec."""
    environment = base_environment(store, started_with)
    set_by_kernel = {name: Template(text).safe_substitute(environment) for name, text in kernel.env}
    return environment | set_by_kernel


@functools.lru_cache(maxsize=32)
def _ask(python: str, kernel: str) -> tuple[str, str, str, str]:
    try:
        answer = subprocess.run(
            [python, "-c", DESCRIBE], capture_output=True, text=True, timeout=60, check=True
        ).stdout
        implementation, version, system, machine = json.loads(answer)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise KernelError(
            "kernel_broken", f"The Python of kernel `{kernel}` does not start: {error}.", kernel=kernel
        ) from None
    return implementation, version, system, machine


def distributions_of(modules: Iterable[str], paths: list[str] | None = None) -> dict[str, list[str] | None]:
    """By root name of a module, the distribution that provides it and its version.

    Modules of the standard library and modules without a distribution are left out; None stands for a
    module that cannot be found at all.

    Parameters
    ----------
    paths
        Where to look, if not on this interpreter's own path.
    """
    found: dict[str, list[str] | None] = {}
    for module in sorted(set(modules) - sys.stdlib_module_names - {"__main__"}):
        name = _distribution_name(module)
        version = None if name is None else _version(name, paths)
        if name is not None and version is not None:
            found[module] = [name, version]
        elif paths is None and not _is_importable(module):
            found[module] = None
    return found


def still_installed(packages: dict[str, Any], paths: list[str] | None = None) -> list[tuple[str, str, str]]:
    """Which of `packages` (from `distributions_of`) differ now: (distribution, before, now)."""
    changed = []
    for module, recorded in packages.items():
        if recorded is None:
            if paths is None and _is_importable(module):
                changed.append((module, "not installed", "installed"))
            continue
        name, before = recorded
        current = _version(name, paths)
        if current != before:
            changed.append((name, before, current or "not installed"))
    return changed


def moved_modules(
    places: dict[str, str], folder: Path, entries: Iterable[str]
) -> list[tuple[str, str, str | None]]:
    """Modules that an import would now find in another place: (module, path before, path or folder now).

    Parameters
    ----------
    places
        By root name of a module, its file, as a trace names it.
    folder
        The notebook's.
    entries
        Where Python would look for modules, in order, the notebook's folder aside.
    """
    moved = []
    for module, told in places.items():
        before = os.path.realpath(os.path.join(folder, told))
        found = (place for entry in (str(folder), *entries) if (place := _place_in(entry, module)))
        now = next(found, None)
        if now == before:
            continue
        if now is None:
            # By way of a hook: of a package that is installed so that its source can be edited.
            now = _edited_in(module)
            if now is not None and before.startswith(os.path.join(now, "")):
                continue
        moved.append((module, told, now))
    return moved


def _place_in(entry: str, module: str) -> str | None:
    """The file of a module in a folder of Python's path, or its folder if it has none; None if it is not there."""
    place = os.path.join(entry, module)
    for path in (os.path.join(place, "__init__.py"), f"{place}.py", place):
        if os.path.isfile(path) or (path is place and os.path.isdir(path)):
            return os.path.realpath(path)
    return None


def _edited_in(module: str) -> str | None:
    """The folder of the source of a module whose distribution is installed in place."""
    name = _distribution_name(module)
    return None if name is None else _source_of(name, _installed())


@functools.lru_cache(maxsize=512)
def _source_of(name: str, installed: tuple[int, ...]) -> str | None:
    from importlib import metadata
    from urllib.request import url2pathname

    try:
        said = json.loads(metadata.distribution(name).read_text("direct_url.json") or "{}")
    except (metadata.PackageNotFoundError, ValueError):
        return None
    is_edited = said.get("dir_info", {}).get("editable", False)
    return os.path.realpath(url2pathname(urlsplit(said["url"]).path)) if is_edited else None


def _version(name: str, paths: list[str] | None) -> str | None:
    looked_in = tuple(sys.path if paths is None else paths)
    # A distribution that comes or goes changes the folder that it lies in.
    return _version_in(name, looked_in, _installed(looked_in))


@functools.lru_cache(maxsize=1024)
def _version_in(name: str, paths: tuple[str, ...], modified: tuple[int, ...]) -> str | None:
    from importlib import metadata

    return next((found.version for found in metadata.distributions(name=name, path=list(paths))), None)


def _modified(folder: str) -> int:
    try:
        return os.stat(folder or ".").st_mtime_ns
    except OSError:
        return 0


def installed_for(python: str, folder: Path) -> tuple[int, ...]:
    """Another one after what an interpreter imports has changed: packages, or the files that configure them.

    Parameters
    ----------
    python
        The file that starts the interpreter.
    folder
        In which it is started.
    """
    packages = [entry for entry in sys.path if os.path.basename(entry) in ("site-packages", "dist-packages")]
    packages += sorted(map(str, Path(python).absolute().parent.parent.glob("lib/python3*/site-packages")))
    home, said = Path.home(), os.environ.get
    profile = Path(said("IPYTHONDIR") or home / ".ipython") / "profile_default"
    plots = Path(said("MPLCONFIGDIR") or Path(said("XDG_CONFIG_HOME") or home / ".config") / "matplotlib")
    configured = [profile / "ipython_config.py", profile / "ipython_kernel_config.py"]
    configured += [plots / "matplotlibrc", folder / "matplotlibrc"]
    return _installed([*packages, *map(str, configured)])


def _is_importable(module: str) -> bool:
    from importlib.util import find_spec

    try:
        return module in sys.modules or find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _distribution_name(module: str) -> str | None:
    # The working directory is no place where packages are installed, and changes with every file.
    here = os.getcwd()
    return _distribution_among(
        module, tuple((entry, _modified(entry)) for entry in sys.path if entry not in ("", here))
    )


def _installed(paths: Iterable[str] | None = None) -> tuple[int, ...]:
    """Another one after something was installed in these folders, or removed; without any, on our own path."""
    return tuple(map(_modified, sys.path if paths is None else paths))


@functools.lru_cache(maxsize=512)
def _distribution_among(module: str, installed: tuple[tuple[str, int], ...]) -> str | None:
    from importlib import metadata

    try:
        distribution = metadata.distribution(module)
        if _has_module(distribution, module):
            return str(distribution.metadata["Name"])
    except metadata.PackageNotFoundError:
        pass
    return min(
        (each.metadata["Name"] for each in metadata.distributions() if _has_module(each, module)),
        default=None,
    )


def _has_module(distribution: Distribution, module: str) -> bool:
    """Whether a distribution brings a module: its list of files says so, or, if its source is elsewhere, of modules.

    The list of files is read as a text: taken apart, as `importlib.metadata` does, those of all that is installed
    cost a tenth of a second.
    """
    files = f"\n{distribution.read_text('RECORD') or ''}"
    return (
        f"\n{module}/" in files
        or f"\n{module}." in files
        or module in (distribution.read_text("top_level.txt") or "").split()
    )
