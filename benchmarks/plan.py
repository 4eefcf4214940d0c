"""What it costs to plan an unchanged notebook whose steps have read large files.

    python benchmarks/plan.py [--steps 100] [--files 200] [--size 10GB] [--json]

The notebook's steps read `--files` files of `--size` in all. The files are sparse, and the executions are
written into the store as a run would leave them, so that it takes seconds to begin.

warm         a process that has planned the notebook before, such as the server; the best of five
cold         a process that has just begun, without the time that Python takes to start
touched      cold, after every file was touched, and digests that earlier plans have computed are remembered
hashed       bytes that were read to compute digests: none are expected
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from sizes import bytes_from

from jupyterlab_pipelines import files
from jupyterlab_pipelines.artifact import Artifact
from jupyterlab_pipelines.planner import Planner, Waiting
from jupyterlab_pipelines.project import Project
from jupyterlab_pipelines.run import Execution, Status

LIMIT_SECONDS = 0.150


def make(folder: Path, steps: int, count: int, size: int) -> Path:
    """The notebook, its files, and a store with a finished execution of each step."""
    (folder / "pyproject.toml").touch()
    (folder / "data").mkdir()
    paths = [f"data/{number}.bin" for number in range(count)]
    for path in paths:
        with (folder / path).open("wb") as file:
            file.write(path.encode())
            file.truncate(size // count)
    cells = [code("import numpy as np")]
    for step in range(steps):
        own = paths[step::steps]
        reads = " + ".join(f"open({path!r}, 'rb').read(8)" for path in own)
        before = f"len(x{step - 1}) * b'.' + " if step else ""
        cells.append(code(f"x{step} = {before}{reads}", f"step:s{step}"))
    notebook = folder / "large.ipynb"
    kernel = {"kernelspec": {"name": "python3", "display_name": "", "language": "python"}}
    notebook.write_text(json.dumps({"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}))
    execute(folder, notebook, paths, steps)
    return notebook


def code(source: str, *tags: str) -> dict[str, Any]:
    return {
        **{"cell_type": "code", "id": str(abs(hash(source)))[:8], "source": source, "outputs": []},
        **{"execution_count": None, "metadata": {"tags": list(tags)}},
    }


def execute(folder: Path, notebook: Path, paths: list[str], steps: int) -> None:
    """Write down what a run would have: every step with its trace and its output."""
    project = Project.open(notebook)
    store = project.store
    store.create()
    snapshot = store.artifacts.add_bytes(notebook.read_bytes())
    store.runs.create(
        "run", notebook=notebook.name, parameters={}, options={}, snapshot=snapshot, output=None
    )
    _, pipeline = project._pipeline(json.loads(notebook.read_text()))
    planner = Planner(store, notebook.name, {}, "python3", folder)
    store.runs.start("run", [(step.name, step.cells) for step in pipeline.steps])
    done: dict[str, Execution] = {}
    for number, step in enumerate(pipeline.steps):
        resolved = planner.resolve(pipeline, step, done)
        assert not isinstance(resolved, Waiting)
        trace: dict[str, Any] = {"packages": {}, "files": {}, "folders": {}}
        for path in paths[number::steps]:
            status = (folder / path).stat()
            # The digest would take long to compute, and nobody is to ask for it.
            trace["files"][path] = [status.st_size, status.st_mtime_ns, "0" * 32, status.st_ctime_ns]
        stored = store.artifacts.add_bytes(b"value of " + step.name.encode())
        size = store.artifacts.path(stored).stat().st_size
        done[step.name] = store.executions.add(
            cache_key=resolved.cache_key,
            notebook=notebook.name,
            step=step.name,
            run_id="run",
            finished_at="2026-01-01T00:00:00+00:00",
            duration_seconds=1.0,
            parts=resolved.parts,
            trace=trace,
            executed=store.artifacts.add_bytes(b"executed " + step.name.encode()),
            log=None,
            outputs=[Artifact(name, stored, "bytes", "pickle", size, stored) for name in step.outputs],
            metrics={},
            previews={},
            effects={},
        )
        store.runs.update_step("run", step.name, status=Status.SUCCEEDED, execution_id=done[step.name].id)
    store.runs.finish("run", Status.SUCCEEDED, 1.0)


def remember(folder: Path) -> None:
    """Touch all files; the store knows their digests, as it does after one more plan."""
    digests = Project.open(folder).store.files
    for path in (folder / "data").iterdir():
        path.touch()
        digests.keep(str(path), path.stat(), "0" * 32)
    digests.flush()
    time.sleep(files.RACY_NS / 1e9 + 0.1)


def plan(notebook: Path, times: int) -> dict[str, Any]:
    """Plan in this process; seconds of each time, and how many bytes were hashed."""
    hashed = 0
    read_digest = files.read_digest

    def counted(path: Any) -> str:
        nonlocal hashed
        hashed += Path(path).stat().st_size
        return read_digest(path)

    files.read_digest = counted
    project = Project.open(notebook)
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        document = project.plan(notebook)
        seconds.append(time.perf_counter() - started)
        assert {str(step["decision"]) for step in document["steps"]} == {"reuse"}
    return {"seconds": seconds, "hashed_bytes": hashed}


def plan_elsewhere(notebook: Path) -> dict[str, Any]:
    """The best of three processes that plan once."""
    told = [
        json.loads(subprocess.check_output([sys.executable, __file__, "--plan", str(notebook)]))
        for _ in range(3)
    ]
    return min(told, key=lambda each: float(each["seconds"][0]))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--size", type=bytes_from, default=10**10, help="of all files (default: 10GB)")
    parser.add_argument(
        "--json", action="store_true", help="one JSON document on stdout, the table on stderr"
    )
    parser.add_argument("--plan", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.plan:
        print(json.dumps(plan(chosen.plan, 1)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        notebook = make(folder, chosen.steps, chosen.files, chosen.size)
        warm = plan(notebook, 6)
        results = {"warm": warm | {"seconds": [min(warm["seconds"][1:])]}, "cold": plan_elsewhere(notebook)}
        remember(folder)
        results["touched"] = plan_elsewhere(notebook)
    out = sys.stderr if chosen.json else sys.stdout
    print(f"{chosen.steps} steps, {chosen.files} files of {chosen.size / 1e9:g} GB in all", file=out)
    for case, result in results.items():
        print(f"{case:8} {result['seconds'][0] * 1e3:7.0f} ms   hashed {result['hashed_bytes']} B", file=out)
    if chosen.json:
        numbers = {
            case: {"seconds": result["seconds"][0], "hashed_bytes": result["hashed_bytes"]}
            for case, result in results.items()
        }
        print(json.dumps(numbers, indent=1))
    is_slow = results["warm"]["seconds"][0] > LIMIT_SECONDS
    sys.exit(1 if is_slow or any(result["hashed_bytes"] for result in results.values()) else 0)


if __name__ == "__main__":
    main()
