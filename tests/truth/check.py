"""What must hold for a notebook: a pipeline run, a second one, and one after an edit show what Run All shows."""

from __future__ import annotations

import contextlib
import difflib
import json
import re
import shutil
import tempfile
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyterlab_pipelines.errors import PipelinesError
from jupyterlab_pipelines.project import Project
from tests.fixtures.notebooks import Notebook, write
from tests.truth import forked
from tests.truth.generator import Program

TOLD = frozenset({"interleaved_steps", "order_cycle", "setup_reads_step", "not_carriable"})
"""Errors that name variable, step and remedy: the honest answer where steps cannot be cut like that."""

ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]+")
MEMORY = Path("/dev/shm")


@dataclass
class Verdict:
    """How the runs of one or more versions of a notebook went; `problem` is None if all was well."""

    problem: str | None = None
    runs: int = 0
    told: int = 0
    skipped: int = 0
    executed: int = 0
    needed: int = 0


def check(versions: Sequence[Program], *, jobs: int, kernels: bool = False) -> Verdict:
    """Run the versions of a notebook one after another with one store, each against a fresh Run All."""
    verdict = Verdict()
    folder = Path(tempfile.mkdtemp(prefix="truth-", dir=MEMORY if MEMORY.is_dir() else None))
    try:
        with contextlib.nullcontext() if kernels else forked.without_kernels():
            for number, program in enumerate(versions):
                problem = _check_one(program.notebook(), folder, jobs, verdict)
                if problem is not None:
                    verdict.problem = f"version {number}: {problem}"
                    break
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return verdict


def _check_one(document: Notebook, folder: Path, jobs: int, verdict: Verdict) -> str | None:
    truth = forked.run_all(document, folder)
    if isinstance(truth, str):
        verdict.skipped += 1
        return None
    path = write(document, folder / "notebook.ipynb")
    for attempt in ("run", "again"):
        verdict.runs += 1
        try:
            run = Project.open(path, store=folder / "store").run(
                path, jobs=jobs, output=folder / "output.ipynb"
            )
        except PipelinesError as error:
            if error.code in TOLD:
                verdict.told += 1
                return None
            return f"{attempt}: {error.code}: {error.message}"
        except Exception:
            return f"{attempt}: crashed: {traceback.format_exc(limit=-4)}"
        if run["status"] != "succeeded":
            errors = [step["error"] for step in run["steps"] if step["error"]] + [run["error"]]
            codes = {error["code"] for error in errors if error}
            if codes and codes <= TOLD:
                verdict.told += 1
                return None
            return f"{attempt}: {run['status']}: " + "\n".join(
                f"{error['message']} {error.get('traceback', '')[-1500:]}" for error in errors if error
            )
        problem = _difference(truth, json.loads((folder / "output.ipynb").read_text()))
        if problem is not None and forked.run_all(document, folder) != truth:
            verdict.skipped += 1  # what Run All shows is left to chance
            return None
        if problem is not None:
            return f"{attempt}: {problem}"
        if attempt == "run":
            verdict.executed += sum(step["status"] == "succeeded" for step in run["steps"])
        again = [step for step in run["steps"] if step["status"] != "reused"]
        if attempt == "again" and again:
            return "again: not reused: " + "; ".join(f"{step['name']} {step['reasons']}" for step in again)
    return None


def _difference(truth: Sequence[str], output: dict[str, Any]) -> str | None:
    cells = [cell for cell in output["cells"] if cell["cell_type"] == "code"]
    for number, (expected, cell) in enumerate(zip(truth, cells, strict=True)):
        shown = "".join(
            "".join(out.get("text", "")) for out in cell["outputs"] if out.get("name") == "stdout"
        )
        shown, expected = ADDRESS.sub("at 0x…", shown), ADDRESS.sub("at 0x…", expected)
        if shown != expected:
            lines = difflib.ndiff(expected.splitlines(), shown.splitlines())
            return f"cell {number} shows (+), but Run All (-)\n" + "\n".join(
                one for one in lines if one[0] in "+-"
            )
    return None
