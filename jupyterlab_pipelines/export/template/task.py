"""What a task of an engine does: one step, in a process of its own.

Imports the standard library only, so that an engine can read its pipeline where the steps' packages are not
installed. Two variables, whose names begin with that of the package in capitals: ``…_PYTHON`` names the interpreter
of the environment that has them (default: this one), ``…_ARTIFACTS`` the folder or URL below which runs leave
their artifacts (default: ``artifacts``).
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

NAME = __package__ or ""


class TaskFailedError(Exception):
    """The step did not end well; its error is told on stderr."""


def run_folder(run: str) -> str:
    """Where a run of an engine leaves its artifacts, by the run's id."""
    root = os.environ.get(f"{NAME.upper()}_ARTIFACTS") or "artifacts"
    return f"{root}/{re.sub(r'[^A-Za-z0-9._-]+', '_', run)}"


def source(step: str) -> str:
    """The step's function as it stands in ``steps.py``."""
    text = Path(__file__).with_name("steps.py").read_text(encoding="utf-8")
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == step:
            return ast.get_source_segment(text, node) or ""
    raise KeyError(f"There is no step {step!r}.")


def run_task(
    step: str,
    *,
    artifacts: str,
    parameters: Mapping[str, Any] | None = None,
    timeout_seconds: float | None = None,
    retries: int = 0,
    local_retries: int = 0,
) -> str:
    """Run one step, whose inputs must be in `artifacts`; the place of the manifest that tells what it left.

    Parameters
    ----------
    artifacts
        Folder or URL of the run.
    parameters
        Values that replace the defaults. None: the default. A text for a parameter of another type is JSON.
    timeout_seconds, retries
        For engines that do not stop or repeat a task by themselves.
    local_retries
        For engines that do so on Kubernetes, but not on one's own machine.

    Raises
    ------
    TaskFailedError
    """
    words = [step, "--artifacts", artifacts]
    given = {name: value for name, value in (parameters or {}).items() if value is not None}
    for name, value in given.items():
        text = value if isinstance(value, str) else json.dumps(value)
        words += ["--param", f"{name}={text}"]
    if "KUBERNETES_SERVICE_HOST" not in os.environ:
        retries = max(retries, local_retries)
    for attempt in range(retries + 1):
        status = -1
        try:
            status = _carry_out(["run-step", *words], timeout_seconds)
            problem = f"failed with exit status {status}" if status else ""
        except subprocess.TimeoutExpired:
            problem = f"took longer than {timeout_seconds:g} seconds"
        except BaseException as error:  # The engine ends the task.
            _carry_out(["fail-step", *words, "--message", f"{type(error).__name__}: {error}"])
            raise
        if not problem:
            return f"{artifacts.rstrip('/')}/{step}/_step.json"
        if status != 1:  # It was ended, and so could not leave word itself.
            _carry_out(["fail-step", *words, "--message", f"Step {step} {problem}."])
        again = ", trying again" if attempt < retries else ""
        print(f"{step}: {problem}{again}", file=sys.stderr, flush=True)
    raise TaskFailedError(f"Step {step} {problem}.")


def _carry_out(words: list[str], timeout_seconds: float | None = None) -> int:
    """A command of the package; its exit status."""
    command = [_python(), "-m", NAME, *words]
    return subprocess.run(command, env=_environment(), check=False, timeout=timeout_seconds).returncode


def _python() -> str:
    return os.environ.get(f"{NAME.upper()}_PYTHON") or sys.executable


def _environment() -> dict[str, str]:
    """One order of sets in all processes, no windows, and this very package."""
    environment = dict(os.environ)
    environment.setdefault("PYTHONHASHSEED", "0")
    environment.setdefault("MPLBACKEND", "agg")
    if _python() == sys.executable:
        ours = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        known = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = f"{ours}{os.pathsep}{known}" if known else ours
    return environment
