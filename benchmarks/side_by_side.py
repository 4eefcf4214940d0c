"""The same work by several tools, in one go: what a step costs, a first run, a run of nothing new, a run after an edit.

    python benchmarks/side_by_side.py [--rounds 3] [--peers PYTHON] [--light] [--json FILE]

`--peers` is the Python of an environment with the other tools (``benchmarks/peers.txt``); what is not installed there
is left out. Every number is a whole process from the shell: processor seconds, those of its children
included, and seconds on the clock; medians of rounds in which the tools take turns. *At a terminal*, an earlier command
has left a warm process behind, whose processor seconds are counted, too. With `--light`, the model is numpy's least
squares instead of scikit-learn's, the import of which is half of the plain script.

chain        20 steps that add one to a number, each in a process of its own where the tool has that
cold         6 steps on a table of 200,000 × 12: load, clean, two features, train, evaluate
unchanged    the same again
edited       the same after an edit of `train`
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import psutil

from jupyterlab_pipelines import warm

IMPORTS = """\
import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression
"""
EDITED = ("LinearRegression()", "LinearRegression(fit_intercept=False)")
LIGHT = {
    'LinearRegression().fit(X, df["y"])': 'np.linalg.lstsq(X.to_numpy(), df["y"].to_numpy(), rcond=None)[0]',
    'model.score(X, df["y"])': '1 - (df["y"] - X.to_numpy() @ model).var() / df["y"].var()',
    "from sklearn.linear_model import LinearRegression\n": "",
}
"""What takes the place of what, where scikit-learn is not wanted."""
EDITED_LIGHT = ("rcond=None", "rcond=1e-9")
SECONDS = 600
SECONDS_TO_IMPORT = 5.0
"""Until a process that was left behind is sure to be idle."""


@dataclass(frozen=True)
class Step:
    """One step: what it reads from the steps before, what it leaves, and its code."""

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    source: str


CHAIN = [
    Step(f"s{n}", (f"x{n - 1}",) if n else (), (f"x{n}",), f"x{n} = x{n - 1} + 1" if n else "x0 = 1")
    for n in range(20)
]
DIAMOND = [
    Step(
        "load",
        (),
        ("raw",),
        textwrap.dedent(
            """\
            rng = np.random.default_rng(0)
            raw = pd.DataFrame(rng.normal(size=(200_000, 12)), columns=[f"x{i}" for i in range(12)])
            raw.loc[rng.random(len(raw)) < 0.05, "x3"] = np.nan
            raw["y"] = raw["x0"] * 2 + raw["x1"] + rng.normal(size=len(raw))"""
        ),
    ),
    Step("clean", ("raw",), ("df",), "df = raw.dropna().reset_index(drop=True)"),
    Step("squares", ("df",), ("sq",), 'sq = df[[f"x{i}" for i in range(6)]] ** 2'),
    Step("ratios", ("df",), ("ra",), 'ra = df[["x6", "x7", "x8"]].div(df["x9"].abs() + 1, axis=0)'),
    Step(
        "train",
        ("df", "sq", "ra"),
        ("model", "X"),
        'X = pd.concat([df.drop(columns="y"), sq.add_suffix("_2"), ra.add_suffix("_r")], axis=1)\n'
        'model = LinearRegression().fit(X, df["y"])',
    ),
    Step(
        "evaluate", ("df", "model", "X"), ("r2",), 'r2 = float(model.score(X, df["y"]))\nprint(round(r2, 4))'
    ),
]


class Tool(ABC):
    """A tool at work in a folder of its own."""

    name: str
    package: str | None = None

    def __init__(self, folder: Path, python: str) -> None:
        self.folder = folder
        self.python = python

    @abstractmethod
    def write(self, steps: Sequence[Step], imports: str) -> None:
        """Write down the work, as people do with this tool."""

    @abstractmethod
    def command(self) -> list[str]:
        """What runs it."""

    def again(self) -> list[str]:
        """What runs it when it has run before."""
        return self.command()

    keeps_results = True
    """Whether a second run may be quicker than the first."""
    variables: Mapping[str, str] = {}
    """What it finds in its environment."""

    def warm_up(self) -> None:  # noqa: B027 - most tools profit from nothing
        """Let there be what was there before the command."""

    def left_seconds(self) -> float:
        """Processor seconds, so far, of processes that outlive the command."""
        return 0.0

    def put(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def notebook(cells: Iterable[tuple[str, str | None]]) -> str:
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return json.dumps(
        {
            "nbformat": 4,
            "nbformat_minor": 5,
            "metadata": {"kernelspec": kernel},
            "cells": [
                {
                    "cell_type": "code",
                    "id": f"c{number}",
                    "metadata": {"tags": [tag] if tag else []},
                    "source": source,
                    "outputs": [],
                    "execution_count": None,
                }
                for number, (source, tag) in enumerate(cells)
            ],
        }
    )


class Plain(Tool):
    name = "plain script"
    keeps_results = False

    def write(self, steps: Sequence[Step], imports: str) -> None:
        self.put("plain.py", imports + "\n".join(step.source for step in steps))

    def command(self) -> list[str]:
        return [self.python, "plain.py"]


class Ours(Tool):
    name = "this project"
    variables: Mapping[str, str] = {warm.VARIABLE: "0"}

    def write(self, steps: Sequence[Step], imports: str) -> None:
        self.put("pyproject.toml", "")
        cells = [(step.source, f"step:{step.name}") for step in steps]
        self.put("work.ipynb", notebook([(imports, None), *cells] if imports else cells))

    def command(self) -> list[str]:
        return [self.python, "-m", "jupyterlab_pipelines.cli", "run", "work.ipynb", "--json"]


class OursAtTerminal(Ours):
    name = "this project, at a terminal"

    def __init__(self, folder: Path, python: str) -> None:
        super().__init__(folder, python)
        runtime = folder.parent / "runtime"
        runtime.mkdir(exist_ok=True)
        self.variables = {warm.VARIABLE: "1m", "XDG_RUNTIME_DIR": str(runtime)}

    def warm_up(self) -> None:
        subprocess.run(
            self.command(), cwd=self.folder, env=_environment(self), check=True, capture_output=True
        )
        shutil.rmtree(self.folder / ".pipelines")
        time.sleep(SECONDS_TO_IMPORT)
        if not self._hosts():
            raise RuntimeError("nothing was left behind: too little memory, or no Linux")

    def left_seconds(self) -> float:
        while any(map(_is_at_work, (child for host in self._hosts() for child in host.children()))):
            time.sleep(0.1)
        used = [each.cpu_times() for host in self._hosts() for each in [host, *host.children()]]
        return sum(each.user + each.system + each.children_user + each.children_system for each in used)

    def _hosts(self) -> list[psutil.Process]:
        with mock.patch.dict(os.environ, self.variables):
            return [psutil.Process(pid) for _, pid in warm.addresses()]


def _is_at_work(process: psutil.Process) -> bool:
    """Whether a child of a host carries out a command, or has ended and does not count yet."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE or "runner_host" in process.cmdline()
    except psutil.NoSuchProcess:
        return False


class PapermillWhole(Tool):
    name = "papermill, one kernel"
    package = "papermill"
    keeps_results = False

    def write(self, steps: Sequence[Step], imports: str) -> None:
        self.put("work.ipynb", notebook([(imports, None), *((step.source, None) for step in steps)]))

    def command(self) -> list[str]:
        return [
            self.python,
            "-m",
            "papermill",
            "--no-progress-bar",
            "work.ipynb",
            "out.ipynb",
            "-k",
            "python3",
        ]


def _script(step: Step, imports: str) -> str:
    """A script that hands its values over in files."""
    lines = ["import pickle", imports]
    lines += [f'{name} = pickle.load(open("data/{name}.pkl", "rb"))' for name in step.inputs]
    lines += [step.source]
    lines += [f'pickle.dump({name}, open("data/{name}.pkl", "wb"), protocol=5)' for name in step.outputs]
    return "\n".join(lines) + "\n"


class PapermillSteps(Tool):
    name = "papermill, a notebook a step"
    package = "papermill"
    keeps_results = False

    def write(self, steps: Sequence[Step], imports: str) -> None:
        (self.folder / "data").mkdir(exist_ok=True)
        for step in steps:
            self.put(f"{step.name}.ipynb", notebook([(_script(step, imports), None)]))
        names = [step.name for step in steps]
        self.put(
            "all.py",
            f"import papermill\nfor name in {names!r}:\n"
            '    papermill.execute_notebook(f"{name}.ipynb", f"{name}.out.ipynb", progress_bar=False,'
            ' kernel_name="python3")\n',
        )

    def command(self) -> list[str]:
        return [self.python, "all.py"]


def _functions(steps: Sequence[Step], decorator: str = "") -> str:
    """Each step as a function."""
    lines: list[str] = []
    for step in steps:
        body = textwrap.indent(step.source, "    ")
        result = ", ".join(step.outputs)
        lines += [decorator] if decorator else []
        lines += [f"def {step.name}({', '.join(step.inputs)}):", body, f"    return {result}", ""]
    return "\n".join(lines)


class Joblib(Tool):
    name = "joblib.Memory"
    package = "joblib"

    def write(self, steps: Sequence[Step], imports: str) -> None:
        calls = [f"{', '.join(step.outputs)} = {step.name}({', '.join(step.inputs)})" for step in steps]
        head = f"import joblib\n{imports}\nmemory = joblib.Memory('cache', verbose=0)\n\n"
        self.put("work.py", head + _functions(steps, "@memory.cache") + "\n" + "\n".join(calls) + "\n")

    def command(self) -> list[str]:
        return [self.python, "work.py"]


class Hamilton(Tool):
    name = "hamilton"
    package = "hamilton"

    def write(self, steps: Sequence[Step], imports: str) -> None:
        head = "from typing import Any\n" + imports
        lines: list[str] = []
        for step in steps:
            # A function is named after what it makes; several values are one, from which they are taken.
            whole = step.outputs[0] if len(step.outputs) == 1 else f"{step.name}_all"
            arguments = ", ".join(f"{name}: Any" for name in step.inputs)
            lines += [f"def {whole}({arguments}) -> Any:", textwrap.indent(step.source, "    ")]
            lines += [f"    return {', '.join(step.outputs)}", ""]
            if len(step.outputs) > 1:
                for number, name in enumerate(step.outputs):
                    lines += [f"def {name}({whole}: Any) -> Any:", f"    return {whole}[{number}]", ""]
        self.put("functions.py", head + "\n" + "\n".join(lines))
        last = steps[-1].outputs[0]
        self.put(
            "work.py",
            "import functions\nfrom hamilton import driver\n"
            "made = driver.Builder().with_modules(functions).with_cache(path='cache').build()\n"
            f"made.execute([{last!r}])\n",
        )

    def command(self) -> list[str]:
        return [self.python, "work.py"]


class Dvc(Tool):
    name = "dvc"
    package = "dvc"

    def write(self, steps: Sequence[Step], imports: str) -> None:
        for step in steps:
            self.put(f"{step.name}.py", _script(step, imports))
        if not (self.folder / ".dvc").exists():
            (self.folder / "data").mkdir()
            _run(self, [self.python, "-m", "dvc", "init", "--no-scm", "-q"])
        stages = {
            step.name: {
                "cmd": f"{self.python} {step.name}.py",
                "deps": [f"{step.name}.py", *(f"data/{name}.pkl" for name in step.inputs)],
                "outs": [f"data/{name}.pkl" for name in step.outputs],
            }
            for step in steps
        }
        self.put("dvc.yaml", json.dumps({"stages": stages}))

    def command(self) -> list[str]:
        return [self.python, "-m", "dvc", "repro", "-q"]


class Metaflow(Tool):
    name = "metaflow"
    package = "metaflow"
    keeps_results = False

    def write(self, steps: Sequence[Step], imports: str) -> None:
        lines = ["from metaflow import FlowSpec, step", imports, "", "class Work(FlowSpec):"]
        # One after another: its branches would have to be joined by hand.
        names = ["start", *(f"do_{step.name}" for step in steps), "end"]
        for number, name in enumerate(names):
            step = steps[number - 1] if 0 < number <= len(steps) else None
            lines += ["    @step", f"    def {name}(self):"]
            if step is not None:
                lines += [f"        {each} = self.{each}" for each in step.inputs]
                lines += [textwrap.indent(step.source, "        ")]
                lines += [f"        self.{each} = {each}" for each in step.outputs]
            lines += [f"        self.next(self.{names[number + 1]})"] if name != "end" else ["        pass"]
        lines += ["", "if __name__ == '__main__':", "    Work()", ""]
        self.put("work.py", "\n".join(lines))

    def command(self) -> list[str]:
        return [self.python, "work.py", "--no-pylint", "--quiet", "run"]


class Ploomber(Tool):
    name = "ploomber"
    package = "ploomber"

    def write(self, steps: Sequence[Step], imports: str) -> None:
        (self.folder / "data").mkdir(exist_ok=True)
        makers = {name: step.name for step in steps for name in step.outputs}
        tasks = []
        for step in steps:
            upstream = sorted({makers[name] for name in step.inputs}) or None
            head = f'# %% tags=["parameters"]\nupstream = {upstream!r}\nproduct = None\n\n# %%\n'
            self.put(f"{step.name}.py", head + _script(step, imports))
            products = {"nb": f"out/{step.name}.ipynb"} | {name: f"data/{name}.pkl" for name in step.outputs}
            tasks.append({"source": f"{step.name}.py", "product": products})
        self.put("pipeline.yaml", json.dumps({"tasks": tasks}))

    def command(self) -> list[str]:
        return [str(Path(self.python).with_name("ploomber")), "build"]


TOOLS: list[type[Tool]] = [
    *(Plain, Ours, OursAtTerminal, PapermillWhole, PapermillSteps, Joblib, Hamilton, Dvc, Metaflow, Ploomber),
]


@dataclass(frozen=True)
class Cost:
    """Of one process and its children."""

    processor_seconds: float
    seconds: float


def _environment(tool: Tool) -> dict[str, str]:
    # Where the tool's own commands are found, too.
    environment = {
        **os.environ,
        "PATH": f"{Path(tool.python).parent}{os.pathsep}{os.environ['PATH']}",
        **{"METAFLOW_USER": "bench", "USER": "bench", "PLOOMBER_STATS_ENABLED": "false"},
        **{"DVC_NO_ANALYTICS": "1", "HAMILTON_TELEMETRY_ENABLED": "false"},
        **tool.variables,
    }
    environment.pop("JUPYTER_PIPELINES_STORE", None)
    # Installed packages are there in compiled form.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment


def _run(tool: Tool, command: list[str]) -> Cost:
    """Run a command to its end.

    Raises
    ------
    RuntimeError
        It failed.
    """
    environment, left = _environment(tool), tool.left_seconds()
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, cwd=tool.folder, env=environment, capture_output=True, timeout=SECONDS)
    seconds = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        raise RuntimeError((done.stderr or done.stdout).decode(errors="replace")[-400:])
    used = (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)
    return Cost(used + tool.left_seconds() - left, seconds)


def measure(tool_class: type[Tool], python: str, *, light: bool = False) -> dict[str, Cost]:
    """One round of one tool."""
    costs: dict[str, Cost] = {}
    folder = Path(tempfile.mkdtemp(prefix="side-by-side-"))
    try:
        for name in ("chain", "diamond"):
            (folder / name).mkdir()
        tool = tool_class(folder / "chain", python)
        tool.write(CHAIN, "")
        tool.warm_up()
        costs["chain"] = _run(tool, tool.command())
        tool = tool_class(folder / "diamond", python)
        diamond, imports = _made_light(DIAMOND, IMPORTS) if light else (DIAMOND, IMPORTS)
        tool.write(diamond, imports)
        tool.warm_up()
        costs["cold"] = _run(tool, tool.command())
        if tool.keeps_results:
            costs["unchanged"] = _run(tool, tool.again())
            edit = EDITED_LIGHT if light else EDITED
            edited = [replace(step, source=step.source.replace(*edit)) for step in diamond]
            tool.write(edited, imports)
            costs["edited"] = _run(tool, tool.again())
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return costs


def _made_light(steps: Sequence[Step], imports: str) -> tuple[list[Step], str]:
    def light(source: str) -> str:
        for heavy, instead in LIGHT.items():
            source = source.replace(heavy, instead)
        return source

    return [replace(step, source=light(step.source)) for step in steps], light(imports)


def has(python: str, package: str) -> bool:
    code = f"import importlib.util as u; raise SystemExit(u.find_spec({package!r}) is None)"
    return subprocess.run([python, "-c", code], capture_output=True).returncode == 0


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", default=sys.executable, help="Python that has the other tools")
    parser.add_argument("--light", action="store_true", help="without scikit-learn")
    parser.add_argument("--only", nargs="*", help="names of tools")
    parser.add_argument("--json", type=Path, help="file to write the results to")
    arguments = parser.parse_args()
    pythons: dict[type[Tool], str] = {}
    for tool in TOOLS:
        python = sys.executable if issubclass(tool, Plain | Ours) else arguments.peers
        if arguments.only and tool.name not in arguments.only:
            continue
        if tool.package is None or has(python, tool.package):
            pythons[tool] = python
        else:
            print(f"{tool.name} is not installed, and left out", file=sys.stderr)
    found: dict[str, dict[str, list[Cost]]] = {}
    load_before = os.getloadavg()[0]
    for _ in range(arguments.rounds):
        for tool, python in list(pythons.items()):
            try:
                costs = measure(tool, python, light=arguments.light)
            except (RuntimeError, subprocess.TimeoutExpired) as problem:
                print(f"{tool.name} failed, and is left out: {problem}", file=sys.stderr)
                del pythons[tool]
                found.pop(tool.name, None)
                continue
            for row, cost in costs.items():
                found.setdefault(tool.name, {}).setdefault(row, []).append(cost)
    report(found, load_before, arguments.rounds, arguments.json)


def report(
    found: dict[str, dict[str, list[Cost]]], load_before: float, rounds: int, file: Path | None
) -> None:
    rows = ("chain", "cold", "unchanged", "edited")
    medians: dict[str, dict[str, dict[str, float]]] = {
        tool: {
            row: {
                "processor_seconds": statistics.median(cost.processor_seconds for cost in costs),
                "seconds": statistics.median(cost.seconds for cost in costs),
            }
            for row, costs in by_row.items()
        }
        for tool, by_row in found.items()
    }
    plain = medians.get(Plain.name, {})
    print("Processor seconds (seconds on the clock), and how many times the plain script's.")
    print(f"{'':30}" + "".join(f"{row:>26}" for row in rows))
    for tool, by_row in medians.items():
        print(f"{tool:30}" + "".join(f"{_cell(by_row.get(row), plain.get(row)):>26}" for row in rows))
    print(
        f"Load before {load_before:.1f}, after {os.getloadavg()[0]:.1f}; {os.cpu_count()} cores; {rounds} rounds."
    )
    if file is not None:
        document: dict[str, Any] = {
            "rounds": rounds,
            "load_before": load_before,
            "load_after": os.getloadavg()[0],
            "cores": os.cpu_count(),
            "python": sys.version.split()[0],
            "medians": medians,
        }
        file.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def _cell(cost: dict[str, float] | None, plain: dict[str, float] | None) -> str:
    if cost is None:
        return "–"
    ratio = f" {cost['processor_seconds'] / plain['processor_seconds']:6.1f} ×" if plain else ""
    return f"{cost['processor_seconds']:.2f} ({cost['seconds']:.2f}){ratio}"


if __name__ == "__main__":
    main()
