"""What can wait until a step has ended, and its result is durable: reading large files once more.

Digests of the files that the step has read let it be reused when such a file is touched, or comes back;
checksums of what it has stored tell a copy of the store from a damaged one. Until they are known, the times of
the files prove that they are as they were. So a run that is killed loses nothing that is true.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from jupyterlab_pipelines.errors import StoreError
from jupyterlab_pipelines.files import missing_digests, with_digests
from jupyterlab_pipelines.run import Execution
from jupyterlab_pipelines.store import Store


class Completion:
    """Completes executions one after another, in a thread of its own.

    Parameters
    ----------
    folder
        The notebook's.
    """

    def __init__(self, store: Store, folder: Path) -> None:
        self._store = store
        self._folder = folder
        self._todo: deque[Execution] = deque()
        self._changed = threading.Condition()
        self._is_closed = False
        # A daemon: whoever ends the run by force does not wait until a large file has been read.
        self._thread = threading.Thread(target=self._work, name="completion", daemon=True)

    def add(self, execution: Execution) -> None:
        """An execution has been recorded."""
        with self._changed:
            self._todo.append(execution)
            self._changed.notify()
            # Steps may end at the same moment: within the lock, one of them starts it.
            if not self._thread.is_alive():
                self._thread.start()

    def close(self, is_wanted: Callable[[], bool], every_seconds: float) -> None:
        """Wait until all is done, or nobody wants it any more."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        while self._thread.is_alive() and is_wanted():
            self._thread.join(every_seconds)
        with self._changed:
            self._todo.clear()

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._todo and not self._is_closed:
                    self._changed.wait()
                if not self._todo:
                    break
                executions = list(self._todo)
                self._todo.clear()
            # A store that is busy or full: the times of the files go on to be the only proof.
            with suppress(StoreError, OSError):
                self._complete(executions)
        self._store.database.close_thread()

    def _complete(self, executions: list[Execution]) -> None:
        stored = {artifact.stored for each in executions for artifact in each.outputs.values()}
        self._store.integrity.compute_checksums(stored - {""})
        for execution in executions:
            if missing_digests(execution.trace):
                trace = with_digests(execution.trace, self._folder, self._store.files)
                self._store.executions.complete(execution.id, trace)
        self._store.files.flush()
