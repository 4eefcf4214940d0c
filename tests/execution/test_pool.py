"""Kernels that are started ahead of need: one process a step all the same, and nothing is left of them."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyterlab_pipelines.execution import pool
from jupyterlab_pipelines.project import Project
from jupyterlab_pipelines.store import Store
from tests.fixtures.notebooks import Cell, cell, notebook, write
from tests.fixtures.processes import kernels, processes_with, wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at the processes")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.delenv("JUPYTER_PIPELINES_STORE", raising=False)
    return tmp_path


def run(folder: Path, *cells: Cell, **options: Any) -> dict[str, Any]:
    path = write(notebook(*cells), folder / "a.ipynb")
    return Project.open(path).run(path, **options)


def chain(*sources: str) -> list[Cell]:
    """Steps of which each uses what the one before has left."""
    cells = []
    for number, source in enumerate(sources):
        before = f"x{number - 1} + " if number else ""
        cells.append(
            cell(f"{source}\nx{number} = {before}[os.getpid()]\nprint(x{number})", step=f"s{number}")
        )
    return [cell("import os"), *cells]


def shown(folder: Path, document: dict[str, Any], step: str) -> str:
    return Project.open(folder).step_log(document["run_id"], step)


@contextlib.contextmanager
def folder_of_sockets() -> Iterator[Path]:
    """Where this process puts the sockets of its kernels meanwhile: others start kernels on this machine, too."""
    before = tempfile.tempdir
    with tempfile.TemporaryDirectory(prefix="t") as name:
        tempfile.tempdir = name
        try:
            yield Path(name)
        finally:
            tempfile.tempdir = before


def test_each_step_has_a_process_of_its_own(folder: Path) -> None:
    document = run(folder, *chain(*["pass"] * 6), jobs=1)

    assert document["status"] == "succeeded"
    processes = eval(shown(folder, document, "s5"))
    assert len(set(processes)) == 6


def test_nothing_is_left_of_them(folder: Path) -> None:
    with folder_of_sockets() as sockets:
        document = run(folder, *chain("pass", "pass", "1 / 0", "pass", "pass"), jobs=3)

        assert document["status"] == "failed"
        project = Project.open(folder)
        assert not list(project.store.run_folder(document["run_id"]).glob("*"))
        wait_for(lambda: not processes_with(project.store_path))
        wait_for(lambda: not list(sockets.iterdir()))


def test_what_a_waiting_kernel_says_for_itself_is_in_the_log_of_its_step(folder: Path) -> None:
    document = run(folder, *chain("pass", "os.write(1, b'straight to the file\\n')"))

    assert "straight to the file" in shown(folder, document, "s1")


def test_a_step_does_without_a_kernel_that_died_while_it_waited(folder: Path) -> None:
    store = Store(folder / ".pipelines")

    def end_waiting() -> None:
        # The first step tells which kernel is its own.
        own = int(wait_for(lambda: (folder / "own").exists() and (folder / "own").read_text()))
        waiting = wait_for(lambda: [pid for pid in kernels(store.path) if pid != own])
        for pid in waiting:
            os.kill(pid, signal.SIGKILL)
        (folder / "go").touch()

    ending = threading.Thread(target=end_waiting)
    ending.start()
    wait = "import time\nopen('own', 'w').write(str(os.getpid()))\n"
    wait += "while not os.path.exists('go'):\n    time.sleep(0.05)"
    document = run(folder, *chain(wait, "pass"), jobs=1)
    ending.join()

    assert [step["status"] for step in document["steps"]] == ["succeeded", "succeeded"]


def test_with_little_memory_left_kernels_start_when_they_are_needed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "SPARE_MEMORY_BYTES", 1 << 60)
    taken = []
    take = pool.KernelPool.take
    monkeypatch.setattr(
        pool.KernelPool, "take", lambda *arguments: taken.append(take(*arguments)) or taken[-1]
    )

    document = run(folder, *chain("pass", "pass", "pass"))

    assert document["status"] == "succeeded"
    assert taken == [None, None, None]


def test_what_a_step_has_left_in_an_open_file_is_there_for_the_next(folder: Path) -> None:
    document = run(
        folder,
        cell("file = open('notes.txt', 'w')\nn = file.write('left open')\nfile.flush()", step="write"),
        cell("n\nprint(open('notes.txt').read())", step="read"),
    )

    assert document["status"] == "succeeded"
    assert shown(folder, document, "read").strip() == "left open"


def run_and_kill(folder: Path, times: int) -> dict[str, Any]:
    """Run two steps at once, and kill the kernel of the first one `times` times."""

    other = threading.Event()

    def kill() -> None:
        killed: set[int] = set()
        for _ in range(times):
            pid = wait_for(
                lambda: _number_in(folder / "own") not in {0, *killed} and _number_in(folder / "own")
            )
            assert other.wait(30)
            killed.add(pid)
            os.kill(pid, signal.SIGKILL)
        (folder / "go").touch()

    wait = "import os, time\nopen('own', 'w').write(str(os.getpid()))\n"
    wait += "while not os.path.exists('go'):\n    time.sleep(0.05)"
    killing = threading.Thread(target=kill)
    killing.start()
    document = run(
        folder,
        cell(wait, step="large"),
        cell("import time\ntime.sleep(3)", step="other"),
        jobs=2,
        on_event=lambda event: other.set() if event.get("step") == "other" else None,
    )
    killing.join()
    return document


def _number_in(path: Path) -> int:
    return int(path.read_text() or 0) if path.exists() else 0


def test_what_is_killed_in_company_has_the_machine_to_itself_once_more(folder: Path) -> None:
    document = run_and_kill(folder, times=1)

    assert document["status"] == "succeeded"


def test_what_is_killed_alone_as_well_has_failed(folder: Path) -> None:
    document = run_and_kill(folder, times=2)

    assert [step["status"] for step in document["steps"]] == ["failed", "succeeded"]
    assert "--jobs 1" in document["steps"][0]["error"]["message"]


def many_kernels(folder: Path, count: int, *, at_once: int = 25) -> None:
    """Execute `count` steps, `at_once` in each run, and see that this process has nothing of them afterwards."""
    cells = []
    for number in range(at_once):
        before = f"n{number - 1}" if number else "0"
        cells.append(cell(f"n{number} = {before} + 1", step=f"s{number}", cache="off"))
    path = write(notebook(*cells), folder / "many.ipynb")
    project = Project.open(path)
    held: list[tuple[int, int, int]] = []
    with folder_of_sockets() as sockets:
        for _ in range(max(2, count // at_once)):
            document = project.run(path, jobs=2)
            assert [step["status"] for step in document["steps"]] == ["succeeded"] * at_once
            gc.collect()
            held.append((len(os.listdir("/proc/self/fd")), threading.active_count(), _own_memory()))
        wait_for(lambda: not processes_with(project.store_path))
        assert not list(sockets.iterdir())
    files, threads, memory = zip(*held, strict=True)
    # The first run leaves what is made once: ZeroMQ's threads, the connection to the store.
    assert max(files[1:]) <= files[0] + 2
    assert max(threads[1:]) <= threads[0] + 1
    assert memory[-1] - memory[1] <= (1 << 22) + 4_000 * at_once * len(held)


def _own_memory() -> int:
    """Bytes of this process alone."""
    pages = Path("/proc/self/statm").read_text().split()
    return (int(pages[1]) - int(pages[2])) * os.sysconf("SC_PAGE_SIZE")


def test_one_process_can_start_any_number_of_kernels(folder: Path) -> None:
    many_kernels(folder, 75)


if __name__ == "__main__":
    # The long form: python -m tests.execution.test_pool 2000
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "pyproject.toml").touch()
        many_kernels(Path(name), int(sys.argv[1]))
    print(f"{sys.argv[1]} kernels, and nothing is left of them")
