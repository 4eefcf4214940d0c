"""The kernels of a run: started ahead of need while the steps before run, ended while those after do."""

from __future__ import annotations

import contextlib
import os
import threading
import uuid
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jupyterlab_pipelines.execution.kernels import StepKernelManager

Start = Callable[[str, Path], "StepKernelManager"]

SPARE_MEMORY_BYTES = 1 << 29
"""While less memory is left than this, no kernel is started before it is needed."""


CGROUP = Path("/sys/fs/cgroup")
"""Where Linux tells a container of its limits."""


class KernelPool:
    """Starts and ends the kernels of one run, off the way of its steps.

    Parameters
    ----------
    start
        Starts a kernel of a kernelspec, its text output appended to a file.
    folder
        In which those files are until a step takes the kernel.
    """

    def __init__(self, start: Start, folder: Path) -> None:
        self._start = start
        self._folder = folder
        self._waiting: dict[str, deque[Future[StepKernelManager]]] = defaultdict(deque)
        self._counts: dict[str, int] = {}
        self._lock = threading.Lock()
        self._is_closed = False
        # One after another: kernels that start at once would only slow each other down. To end is to wait.
        self._starting = ThreadPoolExecutor(max_workers=1, thread_name_prefix="kernels")
        self._ending = ThreadPoolExecutor(max_workers=8, thread_name_prefix="kernels")

    def keep(self, counts: Mapping[str, int]) -> None:
        """From now on, each time a step has got its kernel, let as many wait as `counts` say, by kernelspec."""
        with self._lock:
            self._counts = dict(counts)

    def take(self, kernel: str, log: Path) -> StepKernelManager | None:
        """A kernel that has not executed anything yet, its output from now on in `log`; None if none waits."""
        manager = self._waiting_one(kernel)
        if manager is not None:
            # The kernel goes on writing to the same file.
            os.replace(manager.log_path, log)
            manager.log_path = str(log)
        self._fill_up()
        return manager

    def later(self, end: Callable[[], None]) -> None:
        """Call what ends a kernel, in the background."""
        self._ending.submit(end)

    def close(self) -> None:
        """End the kernels that nobody has wanted; when it returns, all that were to end have ended."""
        with self._lock:
            self._is_closed = True
            waiting = [started for spares in self._waiting.values() for started in spares]
            self._waiting.clear()
        for started in waiting:
            if not started.cancel():
                with contextlib.suppress(Exception):
                    self._drop(started.result())
        self._starting.shutdown()
        self._ending.shutdown()

    def _waiting_one(self, kernel: str) -> StepKernelManager | None:
        while True:
            with self._lock:
                if not self._waiting[kernel]:
                    return None
                started = self._waiting[kernel].popleft()
            try:
                manager = started.result()
            except Exception:
                return None  # the step starts its own, and tells what is wrong
            if manager.is_running():
                return manager
            self._drop(manager)

    def _fill_up(self) -> None:
        with self._lock:
            for kernel, count in self._counts.items():
                while not self._is_closed and len(self._waiting[kernel]) < count and has_memory():
                    self._waiting[kernel].append(self._starting.submit(self._start_one, kernel))

    def _start_one(self, kernel: str) -> StepKernelManager:
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._start(kernel, self._folder / f"spare-{uuid.uuid4().hex}.log")

    def _drop(self, manager: StepKernelManager) -> None:
        manager.kill()
        with contextlib.suppress(OSError):
            os.unlink(manager.log_path)


def has_memory() -> bool:
    """Whether so much memory is left that something may be started before it is needed."""
    import psutil

    left: list[int] = [psutil.virtual_memory().available]
    with contextlib.suppress(OSError, ValueError):  # no limit, or none that we know
        limit = int((CGROUP / "memory.max").read_text())
        left.append(limit - int((CGROUP / "memory.current").read_text()))
    return min(left) > SPARE_MEMORY_BYTES
