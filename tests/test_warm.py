"""Commands at a terminal: the first leaves a warm process behind, later ones are carried out by it."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from jupyterlab_pipelines import warm
from tests.fixtures.notebooks import cell, notebook, write
from tests.fixtures.processes import PIPELINES, has_ended, parent_of, wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="runners are forked on Linux only")

SECONDS = 40
ASKS = (
    "import os, sys, pandas\n"
    "marked = getattr(pandas, 'somebody_was_here', False)\n"
    "pandas.somebody_was_here = True\n"
    "print('parent', os.getppid(), 'mark', marked, 'seen', os.environ.get('SEEN'), 'in', os.getcwd())"
)


@pytest.fixture
def hosts() -> Iterator[Callable[[], list[int]]]:
    """Gives those that commands have left behind; they are all ended."""
    folder = tempfile.mkdtemp(prefix="jp-")
    with mock.patch.dict(os.environ, {"XDG_RUNTIME_DIR": folder, warm.VARIABLE: "2m"}):
        try:
            yield lambda: [pid for _, pid in warm.addresses()]
        finally:
            for at, pid in list(warm.addresses()):
                warm.end(at)
                wait_for(lambda pid=pid: has_ended(pid))
            # One may have been about to begin.
            shutil.rmtree(folder, ignore_errors=True)


def environment_with(variables: Mapping[str, str | None]) -> dict[str, str]:
    """Ours, with some variables set, or not (None)."""
    return {name: value for name, value in {**os.environ, **variables}.items() if value is not None}


def pipelines(*words: str, folder: Path, **variables: str | None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*PIPELINES, *words],
        cwd=folder,
        env=environment_with(variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def told(*words: str, folder: Path, **variables: str | None) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of a command."""
    process = pipelines(*words, folder=folder, **variables)
    stdout, stderr = process.communicate(timeout=SECONDS)
    return process.returncode, stdout, stderr


def save(folder: Path, *cells: tuple[str, str]) -> Path:
    (folder / "pyproject.toml").touch()
    return write(notebook(*(cell(source, step=step) for step, source in cells)), folder / "work.ipynb")


def meeting(here: Path, there: Path) -> str:
    """The source of a step that says that it is here, and waits until another is there."""
    return (
        f"import os, time\nopen({str(here)!r}, 'w')\n"
        f"while not os.path.exists({str(there)!r}):\n    time.sleep(0.02)"
    )


def log_of(folder: Path, document: Mapping[str, Any], step: str) -> str:
    _, shown, _ = told("show", document["run_id"], "--step", step, "--json", folder=folder)
    return str(json.loads(shown)["log"])


def test_a_later_run_is_carried_out_by_what_the_first_has_left(
    tmp_path: Path, hosts: Callable[[], list[int]]
) -> None:
    save(tmp_path, ("ask", ASKS))

    def run(**variables: str) -> tuple[dict[str, Any], list[str]]:
        status, stdout, _ = told(
            "run", "work.ipynb", "--json", "--force", "ask", folder=tmp_path, **variables
        )
        document = json.loads(stdout)
        assert (status, document["status"]) == (0, "succeeded")
        return document, log_of(tmp_path, document, "ask").split()

    first, cold = run()
    [host] = wait_for(hosts)
    second, words = run(SSH_TTY="/dev/pts/7")
    third, again = run()

    # The same documents; the kernels' parent is the host's child and stays, and nothing stays in it.
    assert first.keys() == second.keys() == third.keys()
    parents = [words[1], again[1]]
    assert parents[0] == parents[1] != cold[1]
    assert parent_of(int(parents[0])) == host
    assert words[2:] == cold[2:] == ["mark", "False", "seen", "None", "in", str(tmp_path)]
    # Another environment is another process's.
    _, elsewhere = run(SEEN="yes")
    assert elsewhere[5] == "yes" and elsewhere[1] not in parents


@pytest.mark.parametrize(
    "words",
    [
        ["run", "missing.ipynb", "--json"],
        ["run", "work.ipynb", "--json", "-p", "nobody", "1"],
        ["run", "work.ipynb", "--jobs", "none"],
        ["run", "--help"],
        ["verify", "work.ipynb", "--step", "nobody"],
    ],
)
def test_what_goes_wrong_is_told_as_ever(
    tmp_path: Path, hosts: Callable[[], list[int]], words: list[str]
) -> None:
    save(tmp_path, ("ask", ASKS))
    cold = told(*words, folder=tmp_path, JUPYTER_PIPELINES_WARM="0")
    assert not hosts()
    told("run", "work.ipynb", folder=tmp_path)
    wait_for(hosts)

    assert told(*words, folder=tmp_path) == cold


def test_a_step_that_fails_fails_the_command(tmp_path: Path, hosts: Callable[[], list[int]]) -> None:
    save(tmp_path, ("fails", "1 / 0"))
    told("run", "work.ipynb", folder=tmp_path)
    wait_for(hosts)

    status, stdout, _ = told("run", "work.ipynb", folder=tmp_path)

    assert status == 1 and "ZeroDivisionError" in stdout
    assert len(hosts()) == 1


@pytest.fixture
def sleeping(tmp_path: Path, hosts: Callable[[], list[int]]) -> tuple[subprocess.Popen[str], int]:
    """A command that a host carries out, and the process id of the kernel in which its step sleeps."""
    save(tmp_path, ("quick", "x = 1"))
    told("run", "work.ipynb", folder=tmp_path)
    wait_for(hosts)
    pid = tmp_path / "pid"
    save(
        tmp_path,
        ("sleep", f"import os, time\nopen({str(pid)!r}, 'w').write(f'{{os.getpid()}} ')\ntime.sleep(300)"),
    )
    command = pipelines("run", "work.ipynb", "--json", folder=tmp_path)
    kernel = wait_for(lambda: pid.exists() and pid.read_text().endswith(" ") and int(pid.read_text()))
    return command, kernel


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_whoever_ends_the_command_ends_the_run(
    sleeping: tuple[subprocess.Popen[str], int], number: signal.Signals
) -> None:
    command, kernel = sleeping

    command.send_signal(number)
    stdout, _ = command.communicate(timeout=SECONDS)

    assert command.returncode == 1
    assert json.loads(stdout)["status"] == "cancelled"
    wait_for(lambda: has_ended(kernel))


def test_a_killed_command_leaves_nothing_running(
    tmp_path: Path, sleeping: tuple[subprocess.Popen[str], int], hosts: Callable[[], list[int]]
) -> None:
    command, kernel = sleeping

    command.kill()
    command.communicate(timeout=SECONDS)

    wait_for(lambda: has_ended(kernel))
    # The host is as it was, and the run is known to have been broken off.
    save(tmp_path, ("quick", "x = 2"))
    assert told("run", "work.ipynb", folder=tmp_path)[0] == 0
    _, stdout, _ = told("runs", "--json", folder=tmp_path)
    assert [run["status"] for run in json.loads(stdout)["runs"]] == ["succeeded", "interrupted", "succeeded"]
    assert len(hosts()) == 1


def test_a_run_goes_on_when_its_host_is_killed(tmp_path: Path, hosts: Callable[[], list[int]]) -> None:
    save(tmp_path, ("quick", "x = 1"))
    told("run", "work.ipynb", folder=tmp_path)
    [host] = wait_for(hosts)
    begun, go_on = tmp_path / "begun", tmp_path / "go-on"
    save(tmp_path, ("waits", meeting(begun, go_on)), ("after", "print('reached')"))
    command = pipelines("run", "work.ipynb", "--json", folder=tmp_path)
    wait_for(begun.exists)

    os.kill(host, signal.SIGKILL)
    go_on.touch()
    stdout, _ = command.communicate(timeout=SECONDS)

    assert (command.returncode, json.loads(stdout)["status"]) == (0, "succeeded")


def test_a_host_that_does_not_answer_keeps_nobody_waiting(
    tmp_path: Path, hosts: Callable[[], list[int]]
) -> None:
    save(tmp_path, ("quick", "x = 1"))
    told("run", "work.ipynb", folder=tmp_path)
    [host] = wait_for(hosts)
    os.kill(host, signal.SIGSTOP)
    try:
        status, stdout, _ = told("run", "work.ipynb", "--json", "--force", "quick", folder=tmp_path)
    finally:
        os.kill(host, signal.SIGCONT)

    assert (status, json.loads(stdout)["status"]) == (0, "succeeded")
    assert hosts() == [host]


def test_commands_at_the_same_time_do_not_wait_for_each_other(
    tmp_path: Path, hosts: Callable[[], list[int]]
) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
        save(folder, ("quick", "x = 1"))
    told("run", "work.ipynb", folder=folders[0])
    wait_for(hosts)
    # Each waits for the other one's step.
    for folder, other in zip(folders, reversed(folders), strict=True):
        save(folder, ("meet", meeting(folder / "here", other / "here")))

    both = [pipelines("run", "work.ipynb", "--json", folder=folder) for folder in folders]

    for command in both:
        stdout, _ = command.communicate(timeout=SECONDS)
        assert json.loads(stdout)["status"] == "succeeded"
    assert len(hosts()) == 1


def test_a_host_that_nobody_wants_ends(tmp_path: Path, hosts: Callable[[], list[int]]) -> None:
    save(tmp_path, ("quick", "x = 1"))
    told("run", "work.ipynb", folder=tmp_path, JUPYTER_PIPELINES_WARM="1s")
    [host] = wait_for(hosts)
    children = Path(f"/proc/{host}/task/{host}/children").read_text().split()

    wait_for(lambda: has_ended(host))

    for child in children:
        wait_for(lambda child=child: has_ended(int(child)))
    assert not os.listdir(Path(os.environ["XDG_RUNTIME_DIR"]) / "jupyter-pipelines")


def test_there_are_no_more_than_two(tmp_path: Path, hosts: Callable[[], list[int]]) -> None:
    save(tmp_path, ("quick", "x = 1"))
    left: list[int] = []
    for seen in "123":
        told("run", "work.ipynb", "--force", "quick", folder=tmp_path, SEEN=seen)
        left.append(wait_for(lambda: next((pid for pid in hosts() if pid not in left), None)))

    wait_for(lambda: has_ended(left[0]))
    assert sorted(hosts()) == sorted(left[1:])


def at_terminal(*words: str, folder: Path, **variables: str | None) -> None:
    """Type a command, and wait until it has ended."""
    ours, theirs = pty.openpty()
    command = subprocess.Popen(
        [*PIPELINES, *words],
        cwd=folder,
        env=environment_with(variables),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    with contextlib.suppress(OSError):  # the other end is closed
        while os.read(ours, 1 << 16):
            pass
    os.close(ours)
    assert command.wait(SECONDS) == 0


def test_only_who_sits_at_a_terminal_gets_a_host(tmp_path: Path, hosts: Callable[[], list[int]]) -> None:
    save(tmp_path, ("quick", "x = 1"))
    unsaid: dict[str, str | None] = {warm.VARIABLE: None, "CI": None}
    force = ("run", "work.ipynb", "--force", "quick")

    told(*force, folder=tmp_path, **unsaid)
    at_terminal(*force, folder=tmp_path, **unsaid | {"CI": "true"})
    at_terminal(*force, folder=tmp_path, **unsaid | {warm.VARIABLE: "0"})
    # Nothing was executed.
    at_terminal("run", "work.ipynb", folder=tmp_path, **unsaid)
    time.sleep(1)
    assert not hosts()

    at_terminal(*force, folder=tmp_path, **unsaid)
    [host] = wait_for(hosts)
    _, stdout, _ = told("doctor", folder=tmp_path)
    assert str(host) in stdout


def test_a_length_of_time_that_is_none_is_told(tmp_path: Path) -> None:
    save(tmp_path, ("quick", "x = 1"))

    status, stdout, _ = told("run", "work.ipynb", "--json", folder=tmp_path, JUPYTER_PIPELINES_WARM="long")

    assert status == 2
    assert "JUPYTER_PIPELINES_WARM" in json.loads(stdout)["error"]["message"]


def test_what_a_process_is_born_with_is_its_hosts_address(
    tmp_path: Path, hosts: Callable[[], list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    (Path(os.environ["XDG_RUNTIME_DIR"]) / "jupyter-pipelines").mkdir(mode=0o700)
    before = warm.address()
    assert warm.address() == before
    with mock.patch.dict(os.environ, {"WINDOWID": "7", "SHLVL": "9"}):
        assert warm.address() == before
    with mock.patch.dict(os.environ, {"OMP_NUM_THREADS": "3"}):
        assert warm.address() != before
    # A package is installed.
    packages = tmp_path / "site-packages"
    packages.mkdir()
    monkeypatch.setattr(sys, "path", [*sys.path, str(packages)])
    with_packages = warm.address()
    (packages / "new").mkdir()
    assert warm.address() != with_packages
