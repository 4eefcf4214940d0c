"""Executed by the notebook's environment: which of the recorded steps give again what was recorded?

Not all that changes from one time to the next shows in code: how long a search took is part of what it leaves. So
each step that the package's tests run is run once, as these tests do it.

Reads a JSON document from stdin, prints one. It runs user code: never in the server.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

SECONDS = 180

_here = threading.Lock()
"""Values are read and compared one after another: that imports packages, some of which import each other."""


def main() -> None:
    """Answer the question on stdin."""
    asked = json.load(sys.stdin)
    real, sys.stdout = sys.stdout, sys.stderr
    folder = Path(asked["folder"])
    sys.path[:0] = [str(folder / "src"), str(folder / "tests")]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        tried = pool.map(lambda step: _gives_the_same(asked, folder, step), asked["steps"])
        answer = [step for step, is_same in zip(asked["steps"], tried, strict=True) if not is_same]
    print(json.dumps(answer), file=real, flush=True)


def _gives_the_same(asked: Mapping[str, Any], folder: Path, step: str) -> bool:
    package = asked["package"]
    io = importlib.import_module(f"{package}.io")
    comparing = importlib.import_module("comparing")
    with tempfile.TemporaryDirectory(prefix="trial-", ignore_cleanup_errors=True) as scratch:
        artifacts, data = Path(scratch, "artifacts"), Path(scratch, "data")
        shutil.copytree(folder / "tests" / "recorded", artifacts)
        shutil.copytree(folder / "data", data) if (folder / "data").is_dir() else data.mkdir()
        with _here:
            expected = _outputs(io, artifacts, step)
        command = [sys.executable, "-m", package, "run-step", step, "--artifacts", str(artifacts)]
        command += ["--data", str(data), "--parameters", json.dumps(asked["parameters"])]
        environment = os.environ | {
            "PYTHONPATH": str(folder / "src"),
            "PYTHONHASHSEED": "0",
            "MPLBACKEND": "agg",
        }
        try:
            ended = subprocess.run(
                command,
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=SECONDS,
            )
        except subprocess.TimeoutExpired:
            return False
        if ended.returncode:
            return False
        with _here:
            found = _outputs(io, artifacts, step)
            return all(
                name in found and comparing.are_equal(found[name], expected[name]) for name in expected
            )


def _outputs(io: Any, artifacts: Path, step: str) -> dict[str, Any]:
    folder = io.Folder(artifacts)
    manifest = folder.read_json(f"{step}/_step.json")
    read = io.loaders(folder)
    return {name: read(record) for name, record in manifest["outputs"].items()}


if __name__ == "__main__":
    main()
    # Threads of native libraries may abort a process that is taken down, and the answer is told.
    os._exit(0)
