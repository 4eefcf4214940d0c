"""A warm process that runners are forked from, so that a run from JupyterLab begins at once.

A runner that is started afresh spends half a second importing papermill, and the process that forks its kernels a
second or two importing the notebook's packages. The server keeps one host, which has done the first, and
which keeps what kernels are forked from (`kernels.ServerSpec`) for the notebooks that are open. A runner is a
fork of the host that takes one of those over: it outlives the host and the server.

Orders are JSON documents, one a datagram, to the host's standard input, a socket; files come with them. A run is
answered when its runner is there. The host ends when the socket is closed.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

from jupyterlab_pipelines import runner_process
from jupyterlab_pipelines.environment import environment_with_us
from jupyterlab_pipelines.errors import PipelinesError
from jupyterlab_pipelines.execution import lean
from jupyterlab_pipelines.execution.kernels import ForkServer, ServerSpec, Wanted, start_server

MOST_BYTES = 1 << 16
"""Of one order."""
MOST_WAITING = 2
"""Notebooks whose packages are kept imported."""
SECONDS_TO_KEEP = 900.0
SECONDS_TO_ANSWER = 10.0
SECONDS_BETWEEN_LOOKS = 5.0


class RunnerHost:
    """The server's end: starts the host when it is first needed, and tells it what to do.

    Every method may be called by any thread, and none raises: a run that cannot begin warm begins cold.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    def prepare(self, wanted: Wanted) -> None:
        """Let the host have a process ready that kernels can be forked from."""
        with self._lock:
            self._send({"prepare": wanted}, [])

    def run(self, *, root: Path, store: Path, run_id: str, lock: int, log: int, wanted: Wanted) -> bool:
        """Fork a runner; False if there is no host that could.

        Parameters
        ----------
        lock, log
            Open files: the run's lock, and where the runner writes what goes wrong.
        wanted
            What its kernels will be forked from.
        """
        order = {"root": str(root), "store": str(store), "run": run_id}
        with self._lock:
            if not self._send({"run": order, "wanted": wanted}, [lock, log]):
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


class _Host:
    """The host's end."""

    def __init__(self, orders: socket.socket) -> None:
        self._orders = orders
        self._waiting: dict[Wanted, tuple[ServerSpec, subprocess.Popen[bytes], float]] = {}

    def serve(self) -> None:
        """Carry out orders until nobody can give any more."""
        self._orders.settimeout(SECONDS_BETWEEN_LOOKS)
        while True:
            files: list[int] = []
            try:
                message, files, _, _ = socket.recv_fds(self._orders, MOST_BYTES, 2)
            except TimeoutError:
                message = b"{}"
            self._look_after_children()
            if not message:
                return
            order = json.loads(message)
            if "prepare" in order:
                self._prepare(_wanted(order["prepare"]))
            elif "run" in order:
                self._run(order["run"], _wanted(order["wanted"]), *files)

    def _run(self, order: dict[str, str], wanted: Wanted, lock: int, log: int) -> None:
        if os.fork() == 0:
            self._orders.close()
            self._become_runner(order, wanted, lock, log)
        os.close(lock)
        os.close(log)
        self._orders.send(b"1")
        # What waited is the runner's now; the next run finds another one.
        self._forget(wanted)
        self._prepare(wanted)

    def _prepare(self, wanted: Wanted) -> None:
        found = self._waiting.pop(wanted, None)
        if found is not None:
            spec, process, _ = found
        else:
            made = _spec(wanted)
            if made is None:
                return
            try:
                spec, process = made, start_server(made)
            except OSError:  # the run will tell
                return
        self._waiting[wanted] = (spec, process, time.monotonic())
        for oldest in list(self._waiting)[:-MOST_WAITING]:
            self._forget(oldest)

    def _look_after_children(self) -> None:
        """Take notice of those that have ended, and end those that nobody has wanted for long."""
        ended: set[int] = set()
        with contextlib.suppress(ChildProcessError):
            while (pid := os.waitpid(-1, os.WNOHANG)[0]) != 0:
                ended.add(pid)
        for wanted, (_, process, since) in list(self._waiting.items()):
            if process.pid in ended or time.monotonic() - since > SECONDS_TO_KEEP:
                self._forget(wanted)

    def _forget(self, wanted: Wanted) -> None:
        """Let go of what kernels were to be forked from: it ends when nobody can write to it."""
        found = self._waiting.pop(wanted, None)
        if found is not None:
            for pipe in (found[1].stdin, found[1].stdout):
                assert pipe is not None
                pipe.close()

    def _become_runner(self, order: dict[str, str], wanted: Wanted, lock: int, log: int) -> None:
        """In the child: be what ``python -m jupyterlab_pipelines.runner_process`` would have been."""
        status = 1
        try:
            os.setsid()
            signal.signal(signal.SIGINT, signal.default_int_handler)
            nowhere = os.open(os.devnull, os.O_RDONLY)
            os.dup2(nowhere, 0)
            os.close(nowhere)
            for number in (1, 2):
                os.dup2(log, number)
            os.close(log)
            os.chdir(order["root"])
            found = self._waiting.pop(wanted, None)
            for other in list(self._waiting):
                self._forget(other)
            warm = None if found is None else ForkServer(found[0], found[1])
            runner_process.carry_out(
                Path(order["root"]), Path(order["store"]), order["run"], lock=lock, warm=warm
            )
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            with contextlib.suppress(BaseException):
                sys.stderr.flush()
            os._exit(status)


def _wanted(document: list[Any]) -> Wanted:
    kernel, modules, folder, store = document
    return Wanted(kernel, tuple(modules), folder, store)


def _spec(wanted: Wanted) -> ServerSpec | None:
    try:
        return wanted.spec()
    except PipelinesError:  # there is no such kernel: the run will tell
        return None


def _rehearse() -> None:
    """Import and do once what every run does before its first cell: kernels are looked for, notebooks validated."""
    for module in ("papermill", "runner", "step", "completion", "inspection"):
        importlib.import_module(f"jupyterlab_pipelines.execution.{module}")
    for module in ("jupyterlab_pipelines.quality.inspection", "psutil"):
        importlib.import_module(module)
    with contextlib.suppress(Exception):  # a run will tell what is wrong
        import nbformat
        from jupyter_client.kernelspec import KernelSpecManager

        KernelSpecManager().get_kernel_spec("python3")
        nbformat.reads('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}', as_version=4)  # type: ignore[no-untyped-call]


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    orders = socket.socket(fileno=os.dup(0))
    lean.own_process()
    lean.import_papermill()
    _rehearse()
    if threading.active_count() > 1:
        return  # a forked runner would miss these threads; runs begin cold
    gc.collect()
    gc.freeze()
    _Host(orders).serve()


if __name__ == "__main__":
    main()
