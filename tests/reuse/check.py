"""Runs random notebooks between random edits, and compares what was executed with what the model says.

A step that is reused although it has read something else than ever before is a **lie**. A step that is executed
although all that it reads was there in an earlier execution has been **forgotten**; `MAY` say where the product
does not promise otherwise. And each run must show and leave in files what the model says.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from jupyterlab_pipelines.project import Project
from tests.fixtures.notebooks import write
from tests.reuse.edits import EDITS, new_world
from tests.reuse.model import Reading, World
from tests.truth import forked

MEMORY = Path("/dev/shm")


@dataclass
class Tally:
    """What was done. `unneeded`: executions of steps that had read nothing new, which nobody promises to spare."""

    stories: int = 0
    runs: int = 0
    executed: int = 0
    reused: int = 0
    unneeded: int = 0
    edits: Counter[str] = field(default_factory=Counter)

    def add(self, other: Tally) -> None:
        for name in ("stories", "runs", "executed", "reused", "unneeded"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.edits += other.edits

    def __str__(self) -> str:
        return (
            f"{self.stories} stories, {self.runs} runs, {self.executed} steps executed ({self.unneeded} without "
            f"need), {self.reused} reused"
        )


class LieError(AssertionError):
    """A step was reused that had to be executed, or something wrong was shown."""


class ForgottenError(AssertionError):
    """A step was executed that had to be reused."""


class UntrueError(AssertionError):
    """What is said of a step that runs is not why it runs."""


def check(random: Random, *, edits: int = 8) -> Tally:
    """One story: a notebook, run again after each of some edits."""
    folder = Path(tempfile.mkdtemp(prefix="reuse-", dir=MEMORY if MEMORY.is_dir() else None))
    try:
        with forked.without_kernels():
            return _Story(folder, random).tell(edits)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Story:
    def __init__(self, folder: Path, random: Random) -> None:
        self.random = random
        self.base = folder
        self.folder = folder / "here"
        self.store = folder / "store"
        self.world = new_world(random)
        self.earlier: list[World] = []
        self.done: list[str] = []
        self.tally = Tally(stories=1)
        # Of all executions so far.
        self.reads: list[Any] = []
        self.texts: list[Any] = []
        self.notebook = "notebook.ipynb"

    def tell(self, edits: int) -> Tally:
        self.folder.mkdir()
        self._put_files()
        self._run()
        for _ in range(edits):
            self._edit()
            self._run()
        return self.tally

    # -- between runs ---------------------------------------------------------------------------

    def _edit(self) -> None:
        self.earlier.append(self.world.copy())
        for _ in range(self.random.choice((1, 1, 1, 2))):
            whole = self.random.random()
            if whole < 0.15:
                self._look_back()
            elif whole < 0.25:
                self._move()
            elif whole < 0.35:
                self._disturb_files()
            else:
                edit = self.random.choice(EDITS)
                said = edit(self.world, self.random)
                if said is not None:
                    self._say(said, edit.__name__)
        self._put_files()

    def _say(self, text: str, kind: str) -> None:
        self.done.append(text)
        self.tally.edits[kind] += 1

    def _look_back(self) -> None:
        number = self.random.randrange(len(self.earlier))
        serial = self.world.serial
        self.world = self.earlier[number].copy()
        self.world.serial = serial
        self._say(f"back to version {number}", "back")

    def _move(self) -> None:
        """Another checkout, another folder, another name."""
        what = self.random.choice(("checkout", "folder", "name"))
        if what == "name":
            self.notebook = f"copy-{len(self.done)}.ipynb"
        else:
            target = self.base / f"there-{len(self.done)}" / "deep"
            if what == "folder":
                target.parent.mkdir()
                shutil.move(self.folder, target)
            else:
                shutil.copytree(self.folder, target, copy_function=shutil.copyfile)
            self.folder = target
        self._say(f"another {what}", "move")

    def _disturb_files(self) -> None:
        """What changes nothing that a step reads; and what steps have written is changed or removed."""
        path = self.random.choice(
            sorted(each for each in self.folder.rglob("*") if each.suffix in (".txt", ".py"))
        )
        name = path.relative_to(self.folder).as_posix()
        what = self.random.choice(("touch", "old", "again", "spoil"))
        if what == "touch":
            path.touch()
        elif what == "old":
            os.utime(path, (1_000_000_000, 1_000_000_000))
        elif what == "spoil" and name.startswith("out-"):
            if self.random.random() < 0.5:
                path.unlink()
            else:
                path.write_text("-7")
        else:
            text = path.read_bytes()
            path.unlink()
            path.write_bytes(text)
        self._say(f"{what} {name}", what)

    def _put_files(self) -> None:
        """Let the folder hold the files of the world; what steps have written stays as it is."""
        wanted = dict(self.world.files)
        wanted |= {f"{module.name}.py": module.source for module in self.world.modules.values()}
        there = {
            path.relative_to(self.folder).as_posix(): path
            for path in self.folder.rglob("*")
            if path.suffix in (".txt", ".py", ".md")
        }
        for name, path in there.items():
            if name not in wanted and not name.startswith("out-"):
                path.unlink()
                if path.parent.name == "extra":
                    path.parent.rmdir()
        for name, text in wanted.items():
            if name not in there or there[name].read_text() != text:
                path = self.folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)

    # -- runs -----------------------------------------------------------------------------------

    def _run(self) -> None:
        world = self.world
        expected = world.execute()
        for path in self.folder.glob("*.ipynb"):
            path.unlink()
        path = write(world.notebook(), self.folder / self.notebook)
        output = self.base / "output.ipynb"
        project = Project.open(path, store=self.store)
        plan = {step["name"]: step for step in project.plan(path, parameters=world.given)["steps"]}
        run = project.run(path, jobs=2, parameters=world.given, output=output)
        self.tally.runs += 1
        if run["status"] != "succeeded":
            errors = [step["error"]["traceback"] for step in run["steps"] if step["error"]]
            raise AssertionError(self._told(f"{run['status']}: {run['error']} {errors}"))
        decisions = {step["name"]: step for step in run["steps"]}
        for step in world.steps:
            self._compare(step.name, expected[step.name], decisions[step.name], plan[step.name])
        shown = _shown(output)
        for step in world.steps:
            value = expected[step.name].value
            if shown.get(step.name) != f"{value}\n":
                raise LieError(self._told(f"{step.name} shows {shown.get(step.name)!r}, not {value}"))
            if step.writes and (self.folder / step.file).read_text() != str(value):
                raise LieError(self._told(f"{step.file} does not hold {value}"))
        for step in world.steps:
            if decisions[step.name]["decision"] == "run":
                self.reads.append(expected[step.name].reads)
                self.texts.append(expected[step.name].texts)

    def _compare(self, step: str, reading: Reading, ran: dict[str, Any], planned: dict[str, Any]) -> None:
        decision = ran["decision"]
        self.tally.executed += decision == "run"
        self.tally.reused += decision == "reuse"
        if decision == "reuse" and reading.reads not in self.reads:
            raise LieError(
                self._told(f"{step} was reused, but reads what is new: {_new(reading.reads, self.reads)}")
            )
        if decision == "run" and reading.reads in self.reads:
            self.tally.unneeded += 1
            if (
                reading.texts in self.texts
                and not self._may_run(step)
                and not all(r["what"] and r["what"].endswith(".py") for r in ran["reasons"])
            ):
                raise ForgottenError(self._told(f"{step} was executed: {ran['reasons']}"))
        if planned["decision"] not in ("undecided", decision) and not self._may_run(step):
            raise AssertionError(self._told(f"{step}: planned {planned['decision']}, was {decision}"))
        if (
            planned["decision"] == "run"
            and not self._may_run(step)
            and not self._is_true(planned["reasons"], reading)
        ):
            raise UntrueError(self._told(f"{step}: {[reason['message'] for reason in planned['reasons']]}"))

    def _is_true(self, reasons: list[dict[str, Any]], reading: Reading) -> bool:
        """Whether the reasons are all differences from one earlier execution, and tell all that it read as well."""
        told = {(reason["kind"], reason["what"]) for reason in reasons}
        kinds = {kind for kind, _ in told}
        if kinds <= {"never_ran", "output_missing"}:
            return kinds == {"output_missing"} or reading.texts not in self.texts
        named = {("code", "") if kind == "code" else (kind, what) for kind, what in told}
        # A module that the step's setup imports is read, whether the step uses it or not.
        named = {(kind, what) for kind, what in named if not str(what).endswith(".py")}
        for known in self.texts:
            other = {
                key for key in reading.texts.keys() | known.keys() if reading.texts.get(key) != known.get(key)
            }
            both = {
                key for key in other if key in reading.texts and key in known and not key[1].endswith(".py")
            }
            if both <= named <= other:
                return True
        return False

    def _may_run(self, step: str) -> bool:
        """Steps that write files are executed again where these are not as they left them."""
        joined = {each.name for each in self.world.steps if each.writes}
        for each in self.world.steps:
            terms = self.world.reached(each.terms)
            if any(term.kind == "file" and term.what.startswith("out-") for term in terms):
                joined.add(each.name)
        return step in joined

    def _told(self, problem: str) -> str:
        cells = "\n---\n".join(
            f"{cell['metadata'].get('tags', '')} {cell['source']}" for cell in self.world.notebook()["cells"]
        )
        story = "\n".join(f"{number}. {text}" for number, text in enumerate(self.done, 1))
        return f"{problem}\n{story}\n{cells}"


def _is_module_alone(ran: dict[str, Any]) -> bool:
    return all(str(reason["what"]).endswith(".py") for reason in ran["reasons"])


def _new(reads: dict[Any, Any], known: list[dict[Any, Any]]) -> Any:
    """What differs from the nearest of the readings that are known."""
    differences = [
        {key for key in reads.keys() | other.keys() if reads.get(key) != other.get(key)} for other in known
    ]
    return min(differences, key=len, default=reads)


def _shown(path: Path) -> dict[str, str]:
    shown: dict[str, str] = {}
    for cell in json.loads(path.read_text())["cells"]:
        step = [tag[5:] for tag in cell["metadata"].get("tags", []) if tag.startswith("step:")]
        text = "".join(
            "".join(out["text"]) for out in cell.get("outputs", []) if out["output_type"] == "stream"
        )
        if step:
            shown[step[0]] = shown.get(step[0], "") + text
    return shown
