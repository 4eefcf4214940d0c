"""What a person at the panel waits for: a click on Run, a keystroke, a large pipeline; what waiting kernels hold.

    python benchmarks/panel.py [--rounds 5] [--json FILE]

A Jupyter server with the extension is started in a folder of its own, and asked what the panel asks it, over HTTP.

click        Run is clicked in a notebook that has been open for a few seconds: until the first step's first output
             can be read; beside it papermill, from the shell, on a notebook of that one cell
keystroke    a letter in a notebook of 200 cells, 50 steps: until the new graph and decisions are there; and what the
             server computes for it
thousand     the same with 1,000 steps, and by how much the server's memory grows in ten plans
memory       a kernel that has been forked ahead, with pandas imported, what it does not share with others; beside
             it an ordinary kernel that has imported pandas
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat

SECONDS = 60
SECONDS_OPEN = 3.0
"""How long the notebook has been open before the click."""
TICKS = os.sysconf("SC_CLK_TCK")

Row = dict[str, float]


class Server:
    """A Jupyter server at work in a folder."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.token = secrets.token_hex(8)
        self.url = f"http://127.0.0.1:{port}/pipelines-as-experiments"
        self.log = folder / "server.log"
        settings = {
            "allow_root": True,
            "ip": "127.0.0.1",
            "port": port,
            "port_retries": 0,
            "root_dir": folder,
            "jpserver_extensions": {"jupyterlab_pipelines": True},
        }
        options = [f"--ServerApp.{name}={value}" for name, value in settings.items()]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "jupyter_server", f"--IdentityProvider.token={self.token}", *options],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            f"{self.url}/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {self.token}"},
        )
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            return json.load(answer)

    def wait(self) -> None:
        def answers() -> bool:
            assert self.process.poll() is None, self.log.read_text()
            with contextlib.suppress(OSError):
                self.ask("GET", "status")
                return True
            return False

        until(answers)

    def plan(self, path: str, content: Any) -> Any:
        return self.ask("POST", "pipelines", {"path": path, "content": content})

    @property
    def processor_seconds(self) -> float:
        """So far, of the server's own process."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def close(self) -> None:
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        with contextlib.suppress(OSError):
            os.killpg(self.process.pid, signal.SIGKILL)


def until(condition: Callable[[], Any]) -> Any:
    """What the condition says when it is true."""
    deadline = time.monotonic() + SECONDS
    while not (said := condition()):
        assert time.monotonic() < deadline, "It takes too long."
        time.sleep(0.005)
    return said


def notebook(*cells: str) -> Any:
    """A notebook; a cell's first line ``# step`` makes it one."""
    made = nbformat.v4.new_notebook()
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    for number, source in enumerate(cells):
        cell = nbformat.v4.new_code_cell(source)
        if source.startswith("# step\n"):
            cell.metadata["tags"] = [f"step:s{number}"]
        made.cells.append(cell)
    return made


def click(server: Server, folder: Path, rounds: int) -> Row:
    seconds, papermills = [], []
    for number in range(rounds):
        path = f"click{number}.ipynb"
        # Another one each time: nothing of it may be known.
        content = notebook(
            "import pandas as pd", f"# step\nprint('here', {number})", "# step\nprint('there')"
        )
        nbformat.write(content, folder / path)
        server.plan(path, content)
        time.sleep(SECONDS_OPEN)
        started = time.perf_counter()
        run = server.ask("POST", "runs", {"path": path, "content": content})["run_id"]
        until(lambda run=run: "here" in log_of(server, run))
        seconds.append(time.perf_counter() - started)
        until(lambda run=run: server.ask("GET", f"runs/{run}")["finished_at"])
        alone = folder / f"alone{number}.ipynb"
        nbformat.write(notebook("import pandas as pd\nprint('here')"), alone)
        started = time.perf_counter()
        command = [sys.executable, "-m", "papermill", "--no-progress-bar", str(alone), os.devnull]
        subprocess.run(command, check=True, capture_output=True)
        papermills.append(time.perf_counter() - started)
    return {"seconds": statistics.median(seconds), "papermill_seconds": statistics.median(papermills)}


def log_of(server: Server, run: str) -> str:
    with contextlib.suppress(urllib.error.HTTPError):  # the step has not begun
        return str(server.ask("GET", f"runs/{run}/steps/s1/log")["log"])
    return ""


def keystroke(server: Server, folder: Path, steps: int, cells_of_each: int, rounds: int) -> Row:
    cells = [
        ("# step\n" if part == 0 else "") + f"x{number}_{part} = x{number - 1}_0 + {part}"
        for number in range(1, steps + 1)
        for part in range(cells_of_each)
    ]
    path, content = f"keys{steps}.ipynb", notebook("x0_0 = 1", *cells)
    nbformat.write(content, folder / path)
    for _ in range(3):
        server.plan(path, content)
    memory = resident(server.process.pid)
    computed, seconds = server.processor_seconds, []
    for number in range(rounds):
        content.cells[2].source += f"  # {number}"
        started = time.perf_counter()
        document = server.plan(path, content)
        seconds.append(time.perf_counter() - started)
        assert len(document["steps"]) == steps
    return {
        "seconds": statistics.median(seconds),
        "server_processor_seconds": (server.processor_seconds - computed) / rounds,
        "server_growth_bytes": resident(server.process.pid) - memory,
    }


def resident(process: int) -> int:
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def unshared(process: int) -> int:
    """Bytes of memory that a process has to itself."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private_"))


def memory(server: Server, folder: Path) -> Row:
    """While a step sleeps, the kernels of the next ones wait."""
    path = "memory.ipynb"
    content = notebook(
        "import pandas as pd\nimport time", *[f"# step\ntime.sleep({n or 4})" for n in range(3)]
    )
    nbformat.write(content, folder / path)
    server.plan(path, content)
    time.sleep(SECONDS_OPEN)
    run = server.ask("POST", "runs", {"path": path, "content": content, "jobs": 1})["run_id"]
    time.sleep(2)
    kernels = [process for process in descendants(server.process.pid) if is_kernel(process)]
    waiting = min(map(unshared, kernels))
    server.ask("POST", f"runs/{run}/cancel", {})
    code = "import time, ipykernel.kernelapp, pandas\nprint('x', flush=True)\ntime.sleep(60)"
    ordinary = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    try:
        assert ordinary.stdout is not None
        ordinary.stdout.read(1)
        return {"unshared_bytes": waiting, "ordinary_bytes": unshared(ordinary.pid)}
    finally:
        ordinary.kill()
        ordinary.wait()


def descendants(process: int) -> Iterator[int]:
    for thread in Path(f"/proc/{process}/task").glob("*/children"):
        for child in map(int, thread.read_text().split()):
            yield child
            yield from descendants(child)


def is_kernel(process: int) -> bool:
    """Whether it was forked from a process of the same command line."""
    parent = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1]
    commands = [Path(f"/proc/{each}/cmdline").read_bytes() for each in (process, parent)]
    return b"forkserver" in commands[0] and commands[0] == commands[1]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="file to write the results to")
    chosen = parser.parse_args()
    load_before = os.getloadavg()[0]
    folder = Path(tempfile.mkdtemp(prefix="panel-"))
    (folder / "pyproject.toml").touch()
    server = Server(folder)
    try:
        server.wait()
        rows = {
            "click": click(server, folder, chosen.rounds),
            "keystroke": keystroke(server, folder, 50, 4, 20 * chosen.rounds),
            "thousand": keystroke(server, folder, 1000, 1, 10),
            "memory": memory(server, folder),
        }
    finally:
        server.close()
        shutil.rmtree(folder, ignore_errors=True)
    load_after = os.getloadavg()[0]
    report(rows)
    print(f"Load before {load_before:.1f}, after {load_after:.1f}; {os.cpu_count()} cores.")
    if chosen.json is not None:
        document = {"load_before": load_before, "load_after": load_after, "cores": os.cpu_count(), **rows}
        chosen.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def report(rows: dict[str, Row]) -> None:
    click, memory = rows["click"], rows["memory"]
    ratio = click["papermill_seconds"] / click["seconds"]
    print(f"click      {_ms(click['seconds'])}    papermill {_ms(click['papermill_seconds'])}, {ratio:.1f} ×")
    for name in ("keystroke", "thousand"):
        row = rows[name]
        computed, growth = _ms(row["server_processor_seconds"]), row["server_growth_bytes"] / 1e6
        print(
            f"{name:10} {_ms(row['seconds'])}    the server computes {computed}, and grows by {growth:.1f} MB"
        )
    ratio = memory["ordinary_bytes"] / memory["unshared_bytes"]
    waiting, ordinary = (f"{memory[each] / 1e6:6.0f} MB" for each in ("unshared_bytes", "ordinary_bytes"))
    print(f"memory     {waiting}    an ordinary kernel {ordinary}, {ratio:.1f} ×")


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:6.0f} ms"


if __name__ == "__main__":
    main()
