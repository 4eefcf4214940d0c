"""What must hold for a notebook: a pipeline run, a second one, and one after an edit show what Run All shows."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import tempfile
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from jupyterlab_pipelines.errors import PipelinesError
from jupyterlab_pipelines.project import Project
from tests.fixtures.notebooks import Notebook, write
from tests.oracle import CellText, assert_same_outputs, cell_texts, run_all
from tests.truth import forked
from tests.truth.generator import Program, Story, put

TOLD = frozenset({"interleaved_steps", "order_cycle", "setup_reads_step", "not_carriable"})
"""Errors that name variable, step and remedy: the honest answer where steps cannot be cut like that."""

ADDRESS = re.compile(rb"\bat 0x[0-9a-fA-F]+")
Content = dict[str, bytes | None]

TIMES = re.compile(r"(CPU times|Wall time): .*")
FOLDER = re.compile(r"/\S*truth-\w+/(pipeline|run-all)/")
MEMORY = Path("/dev/shm")


class WrongAnswerError(AssertionError):
    """A run shows, or leaves in files, something else than Run All."""


class BrokenRunError(AssertionError):
    """A run fails or crashes where Run All succeeds."""


class ForgottenError(AssertionError):
    """A second run executes what has not changed."""


@dataclass
class Tally:
    """What was done to check notebooks."""

    notebooks: int = 0
    runs: int = 0
    executed: int = 0
    reused: int = 0
    told: int = 0
    skipped: int = 0

    def add(self, other: Tally) -> None:
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))

    def __str__(self) -> str:
        return (
            f"{self.notebooks} notebooks, {self.runs} runs, {self.executed} steps executed and {self.reused} reused, "
            f"{self.told} told as errors, {self.skipped} versions fail under Run All or are left to chance"
        )


def check(story: Story, *, kernels: bool = False) -> Tally:
    """Run the versions of a notebook one after another with one store, each against a fresh Run All.

    Parameters
    ----------
    kernels
        Whether steps run in kernels, and Run All by nbclient, rather than in forked processes.

    Raises
    ------
    WrongAnswerError, BrokenRunError, ForgottenError
    """
    tally = Tally(notebooks=1)
    with _folder() as folder, contextlib.nullcontext() if kernels else forked.without_kernels():
        checker = _Checker(folder, story.jobs, kernels, tally)
        for number, program in enumerate(story.versions):
            try:
                has_ended = checker.check(program)
            except AssertionError as problem:
                raise type(problem)(f"version {number}, {problem}\n{story!r}") from None
            if has_ended:
                break
    return tally


class _Checker:
    """Runs versions of one notebook, in a folder of its own beside that of Run All."""

    def __init__(self, folder: Path, jobs: int, kernels: bool, tally: Tally) -> None:
        self.here = folder / "pipeline" / "notebook"
        self.there = folder / "run-all" / "notebook"
        self.store = folder / "store"
        self.output = folder / "output.ipynb"
        self.jobs = jobs
        self.kernels = kernels
        self.tally = tally
        self.beside: dict[str, str] = {}
        self.here.mkdir(parents=True)

    def check(self, program: Program) -> bool:
        """Whether the story ends: the user was told that this cannot be, or what the next run finds is unsure."""
        document = program.notebook()
        put({name: text for name, text in program.files.items() if self.beside.get(name) != text}, self.here)
        self.beside = program.files
        before = _content(self.here)
        truth, after = self._run_all(document, program)
        if truth is None:
            self.tally.skipped += 1
            return False
        changes_files = before != after
        for attempt in ("first run", "second run"):
            if attempt == "second run" and changes_files:
                truth, again = self._run_all(document, program)
                if truth is None or again != after:
                    return True  # every Run All goes on from what the one before has left
            run = self._run(document, program, attempt)
            if run is None:
                self.tally.told += 1
                return True
            try:
                assert_same_outputs(_shown(json.loads(self.output.read_text())), truth)
                _assert_same_files(_content(self.here), after)
            except AssertionError as difference:
                if self._run_all(document, program, again=True)[0] != truth:
                    self.tally.skipped += 1  # what Run All shows is left to chance
                    return False
                raise WrongAnswerError(f"{attempt}: {difference}") from None
            not_reused = [step for step in run["steps"] if step["status"] != "reused"]
            self.tally.executed += len(not_reused)
            self.tally.reused += len(run["steps"]) - len(not_reused)
            if attempt == "second run" and not_reused and not changes_files:
                reasons = "\n".join(f"{step['name']}: {step['reasons']}" for step in not_reused)
                raise ForgottenError(f"{attempt}: {reasons}")
        return False

    def _run_all(
        self, document: Notebook, program: Program, *, again: bool = False
    ) -> tuple[list[CellText] | None, Content]:
        """What every cell shows, None if one fails; and what is in the files then."""
        if again:
            self._put_back()
        else:
            self._take()
        if self.kernels:
            texts = run_all(document, self.there, parameters=program.given, env={"PYTHONHASHSEED": "0"})
            if any(text.error for text in texts):
                return None, {}
            return _even(texts), _content(self.there)
        shown = forked.run_all(document, self.there, program.given)
        return (None, {}) if isinstance(shown, str) else (_shown(shown), _content(self.there))

    def _take(self) -> None:
        """Let Run All find the files that the pipeline finds, and keep them for another time."""
        self.kept = self.there.with_name("kept")
        shutil.rmtree(self.kept, ignore_errors=True)
        shutil.copytree(self.here, self.kept)
        self._put_back()

    def _put_back(self) -> None:
        shutil.rmtree(self.there, ignore_errors=True)
        shutil.copytree(self.kept, self.there)

    def _run(self, document: Notebook, program: Program, attempt: str) -> dict[str, Any] | None:
        """The run's document; None if the user was told that the steps cannot be cut so."""
        path = write(document, self.here / "notebook.ipynb")
        self.tally.runs += 1
        try:
            run = Project.open(path, store=self.store).run(
                path, jobs=self.jobs, output=self.output, parameters=program.given
            )
        except PipelinesError as error:
            if error.code in TOLD:
                return None
            raise BrokenRunError(f"{attempt}: {error.code}: {error.message}") from None
        except Exception:
            raise BrokenRunError(f"{attempt}: crashed: {traceback.format_exc(limit=-4)}") from None
        finally:
            path.unlink()
        if run["status"] == "succeeded":
            return run
        errors = [error for error in (*(step["error"] for step in run["steps"]), run["error"]) if error]
        if errors and {error["code"] for error in errors} <= TOLD:
            return None
        texts = [f"{error['message']} {error.get('traceback', '')[-1500:]}" for error in errors]
        raise BrokenRunError(f"{attempt}: {run['status']}: " + "\n".join(texts))


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="truth-", dir=MEMORY if MEMORY.is_dir() else None))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _shown(executed: Notebook) -> list[CellText]:
    return _even(cell_texts(executed))


def _even(texts: list[CellText]) -> list[CellText]:
    """Without what differs from time to time, and without warnings, which name lines of files."""
    return [
        replace(text, stdout=TIMES.sub("times", FOLDER.sub("…/", text.stdout)), stderr="") for text in texts
    ]


def _content(folder: Path) -> dict[str, bytes | None]:
    """By path, what is in the files, and None for folders."""
    return {
        path.relative_to(folder).as_posix(): ADDRESS.sub(b"at 0x", path.read_bytes())
        if path.is_file()
        else None
        for path in sorted(folder.rglob("*"))
    }


def _assert_same_files(left: Content, expected: Content) -> None:
    for name in sorted(left.keys() | expected.keys()):
        assert left.get(name) == expected.get(name), (
            f"{name} holds {left.get(name)!r}, after Run All {expected.get(name)!r}"
        )
