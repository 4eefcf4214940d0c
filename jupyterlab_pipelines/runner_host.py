"""A warm process that runners are forked from, so that a run begins at once.

A runner that is started afresh spends half a second importing papermill, and the process that forks its kernels a
second or two importing the notebook's packages. A host has done the first, and keeps processes that have done the
second; it lends them to the runners that are forked from it (`lending`), and takes them back when they have ended.
There are two kinds of host:

- The own one of a Jupyter server, or of a sweep. Its orders come over the host's standard input, a socket; it ends when
  that is closed, the runs that it began go on.
- One that a command at a terminal has left behind (`warm`). Commands find it by its address, and are carried out by
  forks of it in their stead. It ends when nobody has wanted it for some time.

Orders are JSON documents, one a datagram; files come with them.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib
import json
import os
import random
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from jupyterlab_pipelines import lending, runner_process, warm
from jupyterlab_pipelines.environment import environment_with_us, installed_for
from jupyterlab_pipelines.errors import PipelinesError
from jupyterlab_pipelines.execution import lean
from jupyterlab_pipelines.execution.kernels import Wanted, start_server
from jupyterlab_pipelines.execution.pool import has_memory
from jupyterlab_pipelines.quality import measurer

MOST_WAITING = 2
"""Notebooks whose packages are kept imported."""
SECONDS_TO_KEEP = 900.0
SECONDS_TO_ANSWER = 10.0
SECONDS_BETWEEN_LOOKS = 5.0
MOST_MEMORY_BYTES = 1 << 28
"""Of a process that measures tables: one that has become larger is not lent again."""


class RunnerHost:
    """The end of a server or a sweep: starts the host when it is first needed, and tells it what to do.

    Every method may be called by any thread, and none raises: a run that cannot begin warm begins cold.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    def prepare(self, wanted: Wanted) -> None:
        """Let the host have a process ready that kernels can be forked from."""
        with self._lock:
            self._send({"prepare": [wanted.wish, measurer.WISH]}, [])

    def run(self, *, root: Path, store: Path, run_id: str, lock: int, log: int) -> bool:
        """Fork a runner; False if there is no host that could.

        Parameters
        ----------
        lock, log
            Open files: the run's lock, and where the runner writes what goes wrong.
        """
        order = {"root": str(root), "store": str(store), "run": run_id}
        with self._lock:
            if not self._send({"run": order}, [lock, log]):
                return False
            try:
                assert self._socket is not None
                if self._socket.recv(1):
                    return True
            except OSError:
                pass
            self._end()
            return False

    def close(self) -> None:
        """End the host; the runners that were forked from it go on."""
        with self._lock:
            self._end()

    def _send(self, order: dict[str, Any], files: list[int]) -> bool:
        if sys.platform != "linux":
            return False
        try:
            if self._process is None or self._process.poll() is not None:
                self._end()
                self._begin()
            assert self._socket is not None
            socket.send_fds(self._socket, [json.dumps(order).encode()], files)
        except OSError:
            self._end()
            return False
        return True

    def _begin(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "jupyterlab_pipelines.runner_host"],
                env=environment_with_us(),
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        ours.settimeout(SECONDS_TO_ANSWER)
        self._socket = ours

    def _end(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._process is not None:
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None


# -- in the host ------------------------------------------------------------------------------------


@dataclass
class _Kept:
    """A process to lend. It was started for `state`, after `wish`; `borrower` has it now."""

    wish: list[Any]
    state: Any
    process: subprocess.Popen[bytes]
    since: float
    borrower: socket.socket | None = None

    @property
    def pipes(self) -> list[int]:
        assert self.process.stdin is not None and self.process.stdout is not None
        return [self.process.stdin.fileno(), self.process.stdout.fileno()]

    def let_go(self) -> None:
        """It ends when nobody can write to it any more."""
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


class _Keeper:
    """What the host has ready to be lent."""

    def __init__(self) -> None:
        self._kept: list[_Kept] = []
        self.missed: list[list[Any]] = []

    def prepare(self, wish: list[Any]) -> None:
        """Have such a process ready, if there is none yet."""
        found = self._waiting(wish)
        if found is not None:
            found.since = time.monotonic()
            return
        if not has_memory():
            return
        try:
            state, process = _start(wish)
        except (OSError, PipelinesError):  # the run will tell
            return
        if process is not None:
            self._kept.append(_Kept(wish, state, process, time.monotonic()))
        kernels = [each for each in self._kept if each.borrower is None and each.wish[0] == "kernels"]
        for oldest in sorted(kernels, key=lambda each: each.since)[:-MOST_WAITING]:
            self._forget(oldest)

    def prepare_missed(self) -> None:
        """Have ready what somebody has asked for in vain."""
        for wish in self.missed:
            self.prepare(wish)
        self.missed.clear()

    def lend(self, wish: list[Any], borrower: socket.socket) -> None:
        """Answer a runner."""
        found = self._waiting(wish)
        if found is None:
            self.missed.append(wish)
            borrower.send(b"{}")
            return
        socket.send_fds(borrower, [json.dumps({"pid": found.process.pid}).encode()], found.pipes)
        found.borrower = borrower

    def take_back(self, pid: int, borrower: socket.socket) -> None:
        """A runner has done with it."""
        for each in self._kept:
            if each.process.pid == pid and each.borrower is borrower:
                each.borrower, each.since = None, time.monotonic()
                if each.wish == measurer.WISH and _memory_bytes(pid) > MOST_MEMORY_BYTES:
                    self._forget(each)
                return

    def lost(self, borrower: socket.socket) -> None:
        """A runner has ended: what it has not given back is not to be trusted."""
        for each in [each for each in self._kept if each.borrower is borrower]:
            self._forget(each)

    def look_after(self, ended: Iterable[int]) -> None:
        """Forget what has ended, and end what nobody has wanted for long."""
        late = time.monotonic() - SECONDS_TO_KEEP
        for each in list(self._kept):
            if each.process.pid in ended or (each.borrower is None and each.since < late):
                self._forget(each)

    def leave(self) -> None:
        """In a fork: nothing of it is this process's."""
        for each in list(self._kept):
            self._forget(each)

    def _waiting(self, wish: list[Any]) -> _Kept | None:
        for each in [each for each in self._kept if each.wish == wish and each.borrower is None]:
            if _state(wish) == each.state:
                return each
            self._forget(each)  # packages were installed since
        return None

    def _forget(self, kept: _Kept) -> None:
        kept.let_go()
        self._kept.remove(kept)


class _Host:
    """The host's end.

    Parameters
    ----------
    seconds
        How long it goes on when nobody wants anything of it; None for ever.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self._keeper = _Keeper()
        self._seconds = seconds
        self._last_wanted = time.monotonic()
        self._runners: set[socket.socket] = set()
        self._is_over = False
        self._selector = selectors.DefaultSelector()
        self._hear_of_children()

    def obey(self, server: socket.socket) -> None:
        """Take orders from whoever has started this host."""
        self._selector.register(server, selectors.EVENT_READ, self._hear_server)

    def listen(self, listener: socket.socket) -> None:
        """Let commands of this user connect."""
        self._selector.register(listener, selectors.EVENT_READ, self._accept)

    def prepare(self, wishes: list[list[Any]]) -> None:
        for wish in wishes:
            self._keeper.prepare(wish)

    def serve(self) -> None:
        """Carry out orders until nobody wants any more of it."""
        while not self._is_over:
            for key, _ in self._selector.select(SECONDS_BETWEEN_LOOKS):
                key.data(key.fileobj)
            self._keeper.look_after(_ended_children())
            if self._seconds is not None and not self._runners:
                is_late = time.monotonic() - self._last_wanted > self._seconds
                self._is_over = self._is_over or is_late or not has_memory()

    def _hear_of_children(self) -> None:
        """Let the end of a child end the wait for the next order."""
        woken, waker = socket.socketpair()
        for end in (woken, waker):
            end.setblocking(False)
        self._waker = waker
        signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        self._selector.register(woken, selectors.EVENT_READ, lambda end: end.recv(4096))

    def _hear_server(self, server: socket.socket) -> None:
        message, files = _receive(server)
        if message is None:
            self._is_over = True
        elif "prepare" in message:
            self.prepare(message["prepare"])
        elif "run" in message:
            lock, log = files
            self._fork(lambda keeper: _become_runner(message["run"], keeper, lock, log))
            os.close(lock)
            os.close(log)
            server.send(b"1")

    def _accept(self, listener: socket.socket) -> None:
        client, _ = listener.accept()
        if warm.user_of(client) != os.getuid():
            client.close()
            return
        self._last_wanted = time.monotonic()
        self._selector.register(client, selectors.EVENT_READ, self._hear_client)
        with contextlib.suppress(OSError):
            client.send(warm.HELLO)

    def _hear_client(self, client: socket.socket) -> None:
        self._selector.unregister(client)
        message, files = _receive(client)
        if message is not None and "command" in message:
            self._fork(lambda keeper: _become_command(message, client, keeper, files))
        elif message is not None and "end" in message:
            self._is_over = True
        for each in files:
            os.close(each)
        client.close()

    def _hear_runner(self, runner: socket.socket) -> None:
        self._last_wanted = time.monotonic()
        message, _ = _receive(runner)
        if message is None:
            self._selector.unregister(runner)
            self._runners.discard(runner)
            runner.close()
            self._keeper.lost(runner)
            self._keeper.prepare_missed()
        elif "borrow" in message:
            with contextlib.suppress(OSError):  # it has ended; that is heard next
                self._keeper.lend(message["borrow"], runner)
        elif "back" in message:
            self._keeper.take_back(message["back"], runner)

    def _fork(self, become: Callable[[socket.socket], NoReturn]) -> None:
        """Fork a process that becomes something else, with the socket over which it borrows."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        if os.fork() == 0:
            try:
                self._leave()
                ours.close()
                become(theirs)
            finally:
                os._exit(1)
        theirs.close()
        self._runners.add(ours)
        self._selector.register(ours, selectors.EVENT_READ, self._hear_runner)

    def _leave(self) -> None:
        """In a fork: let go of what is the host's."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._waker.close()
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
        self._selector.close()
        self._keeper.leave()


def _receive(end: socket.socket) -> tuple[dict[str, Any] | None, list[int]]:
    """A message and the files that came with it; None if nobody is there any more."""
    try:
        message, files, _, _ = socket.recv_fds(end, warm.MOST_BYTES, 2)
        return (json.loads(message) if message else None), files
    except (OSError, ValueError):
        return None, []


def _start(wish: list[Any]) -> tuple[Any, subprocess.Popen[bytes] | None]:
    state = _state(wish)
    if wish == measurer.WISH:
        return state, measurer.start_worker(ahead=True)
    return state, None if state is None else start_server(state)


def _state(wish: list[Any]) -> Any:
    """What a process would be started for now, another one after packages were installed; None: there is none."""
    if wish == measurer.WISH:
        return installed_for(sys.executable, Path.cwd())
    _, kernel, modules, folder, store = wish
    try:
        return Wanted(kernel, tuple(modules), folder, store).spec()
    except PipelinesError:  # there is no such kernel: the run will tell
        return None


def _ended_children() -> set[int]:
    ended: set[int] = set()
    with contextlib.suppress(ChildProcessError):
        while (pid := os.waitpid(-1, os.WNOHANG)[0]) != 0:
            ended.add(pid)
    return ended


def _memory_bytes(pid: int) -> int:
    import psutil

    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:  # it has ended
        return 0


# -- in a fork of the host --------------------------------------------------------------------------


def _begin_anew(keeper: socket.socket) -> None:
    """Be a process of its own."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    random.seed()
    tempfile.tempdir = None
    importlib.invalidate_caches()
    lending.lender = lending.Lender(keeper)


def _become_runner(order: dict[str, str], keeper: socket.socket, lock: int, log: int) -> NoReturn:
    """Be what ``python -m jupyterlab_pipelines.runner_process`` would have been."""
    status = 1
    try:
        _begin_anew(keeper)
        _stand_in_for([os.open(os.devnull, os.O_RDONLY), log, os.dup(log)])
        os.chdir(order["root"])
        runner_process.carry_out(Path(order["root"]), Path(order["store"]), order["run"], lock=lock)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(BaseException):
            sys.stderr.flush()
        os._exit(status)


def _become_command(
    order: dict[str, Any], client: socket.socket, keeper: socket.socket, files: list[int]
) -> NoReturn:
    """Be what the command would have been that has asked, and tell it how that ended."""
    from jupyterlab_pipelines import cli

    try:
        _begin_anew(keeper)
        _stand_in_for([os.open(os.devnull, os.O_RDONLY), *files])
        os.environ.clear()
        os.environ.update(order["environment"])
        os.umask(order["umask"])
        os.chdir(order["folder"])
        sys.path[:], sys.argv[:] = order["path"], order["argv"]
        _open_standard_streams()
        threading.Thread(target=_obey, args=(client,), daemon=True).start()
        client.send(warm.BEGUN)
    except BaseException:
        os._exit(1)  # the command does it itself
    status = 1
    try:
        status = cli.exit_status(order["command"])
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(BaseException):
                stream.flush()
        with contextlib.suppress(OSError):
            client.send(json.dumps({"status": status}).encode())
        os._exit(status)


def _stand_in_for(files: list[int]) -> None:
    """Let these open files be standard input, output and error."""
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)


def _open_standard_streams() -> None:
    """As Python does when it starts."""
    for name, number in (("stdout", 1), ("stderr", 2)):
        before, buffering = getattr(sys, name), 1 if name == "stderr" else -1
        opened = os.fdopen(number, "w", buffering, before.encoding, before.errors, closefd=False)
        setattr(sys, name, opened)
        setattr(sys, f"__{name}__", opened)


def _obey(client: socket.socket) -> None:
    """Pass on the signals that the command was sent; when it was killed, so is what stands in for it."""
    while True:
        message, _ = _receive(client)
        if message is None:
            os.kill(os.getpid(), signal.SIGKILL)
        else:
            os.kill(os.getpid(), message["signal"])


# -- its beginning ----------------------------------------------------------------------------------


HOSTS_OF_RUNS = (
    *("execution.papermill", "execution.runner", "execution.step", "execution.completion"),
    *("execution.inspection", "quality.inspection", "quality.anomalies"),
)
HOSTS_OF_COMMANDS = (*HOSTS_OF_RUNS, "execution.verify", "cli", "cli_report", "cli_table")
"""Modules of ours that they need."""


def _rehearse(modules: Iterable[str]) -> None:
    """Import and do once what every run does before its first cell: kernels are looked for, notebooks validated."""
    for module in modules:
        importlib.import_module(f"jupyterlab_pipelines.{module}")
    importlib.import_module("psutil")
    with contextlib.suppress(Exception):  # a run will tell what is wrong
        import nbformat
        from jupyter_client.kernelspec import KernelSpecManager

        KernelSpecManager().get_kernel_spec("python3")
        nbformat.reads('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}', as_version=4)  # type: ignore[no-untyped-call]


def main() -> None:
    parser = argparse.ArgumentParser(prog="runner_host")
    parser.add_argument("--at", type=Path, help="address at which commands find it")
    parser.add_argument("--seconds", type=float, help="how long it waits for the next command")
    parser.add_argument("--prepare", type=json.loads, default=[], help="what to have ready")
    arguments = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    host = _Host(arguments.seconds)
    if arguments.at is not None and not _is_only_one(arguments.at):
        return
    host.prepare(arguments.prepare)  # they import meanwhile
    lean.own_process()
    lean.import_papermill()
    _rehearse(HOSTS_OF_RUNS if arguments.at is None else HOSTS_OF_COMMANDS)
    if threading.active_count() > 1:
        return  # a forked runner would miss these threads; runs begin cold
    gc.freeze()
    if arguments.at is None:
        host.obey(socket.socket(fileno=os.dup(0)))
        host.serve()
        return
    for other, _ in list(warm.addresses())[warm.MOST_HOSTS - 1 :]:
        warm.end(other)
    host.listen(_listener_at(arguments.at))
    try:
        host.serve()
    finally:
        warm.remove(arguments.at)


def _is_only_one(address: Path) -> bool:
    """Whether no other host is to listen at this address as long as this process lives."""
    import fcntl

    lock = os.open(warm.lock_of(address), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _listener_at(address: Path) -> socket.socket:
    address.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(str(address))
    listener.listen(16)
    return listener


if __name__ == "__main__":
    main()
