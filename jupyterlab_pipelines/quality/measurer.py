"""Statistics of stored tables, measured once and in a process of their own.

Whoever asks gets what the store has; what it lacks is measured now, by a worker that is started when
the first table has to be, and that is asked for one table at a time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from jupyterlab_pipelines.artifact import Artifact
from jupyterlab_pipelines.documents import write_document
from jupyterlab_pipelines.environment import SPINNING
from jupyterlab_pipelines.lending import Lent, borrow
from jupyterlab_pipelines.quality.measurable import can_be_measured, is_table
from jupyterlab_pipelines.quality.statistics import VERSION, Statistics
from jupyterlab_pipelines.store import Store

Document = dict[str, Any]

WISH = ["statistics"]
"""A worker, in the words of those who lend."""


class Measurer:
    """Hands out statistics of artifacts; a context manager that ends its worker."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._worker: subprocess.Popen[bytes] | Lent | None = None
        self._one_at_a_time = threading.Lock()
        self._is_closed = False

    def __enter__(self) -> Measurer:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the worker, also while it measures; nothing is measured any more."""
        self._is_closed = True
        worker = self._worker
        if worker is not None:
            # Whoever holds the lock waits for the worker's answer.
            is_idle = self._one_at_a_time.acquire(blocking=False)
            _end(worker, is_idle=is_idle)
            if is_idle:
                self._one_at_a_time.release()

    def statistics(self, artifact: Artifact) -> Statistics | None:
        """The statistics of a stored table; None for anything else, and where its file is gone."""
        if not can_be_measured(artifact):
            return None
        store = self._store.quality
        if not store.is_measured(artifact.digest, VERSION):
            with self._one_at_a_time:
                if not store.is_measured(artifact.digest, VERSION) and self._is_there(artifact):
                    answer = self._ask(self._job(artifact, measure=True))
                    if answer is not None:
                        found = answer["statistics"]
                        content = None if found is None else write_document(found)
                        store.keep_statistics(artifact.digest, VERSION, content)
        return known_statistics(self._store, artifact.digest)

    def statistics_of_file(self, digest: str, materializer: str, path: Path) -> Statistics | None:
        """The statistics of a table that lies somewhere else; the store gets to know nothing new."""
        known = known_statistics(self._store, digest)
        if known is not None:
            return known
        with self._one_at_a_time:
            answer = self._ask(_job(materializer, path, measure=True))
        found = answer and answer["statistics"]
        return Statistics.from_document(found) if found else None

    def failed_checks_of_file(self, materializer: str, path: Path, checks: Iterable[str]) -> list[Document]:
        """Anomalies of the checks that do not hold in every row of such a table."""
        wanted = list(checks)
        with self._one_at_a_time:
            answer = self._ask(_job(materializer, path, checks=wanted)) if wanted else None
        return [found for check in wanted if (found := answer["checks"].get(check))] if answer else []

    def ask(self, artifact: Artifact, **wanted: Any) -> Document | None:
        """What the worker answers about a stored table, see `worker`; None if its file is gone."""
        if not is_table(artifact) or not self._is_there(artifact):
            return None
        with self._one_at_a_time:
            return self._ask(self._job(artifact, **wanted))

    def failed_checks(self, artifact: Artifact, checks: Iterable[str]) -> list[Document]:
        """Anomalies of the checks that do not hold in every row of a stored table."""
        wanted = list(checks)
        if not wanted or not is_table(artifact):
            return []
        known = self._store.quality.checked(artifact.digest, wanted)
        missing = [check for check in wanted if check not in known]
        if missing and self._is_there(artifact):
            with self._one_at_a_time:
                answer = self._ask(self._job(artifact, checks=missing))
            if answer is not None:
                self._store.quality.keep_checked(artifact.digest, answer["checks"])
                known |= answer["checks"]
        return [found for check in wanted if (found := known.get(check))]

    def _is_there(self, artifact: Artifact) -> bool:
        return self._store.integrity.problem(artifact) is None

    def _job(self, artifact: Artifact, **wanted: Any) -> Document:
        path = self._store.artifacts.path(artifact.stored)
        return _job(artifact.materializer, path, member=artifact.member, **wanted)

    def _ask(self, job: Document) -> Document | None:
        """The worker's answer; None if it has died over it or was ended."""
        if self._is_closed:
            return None
        if self._worker is None:
            self._worker = borrow(WISH) or start_worker()
        worker = self._worker
        assert worker.stdin is not None and worker.stdout is not None
        line = b""
        with suppress(OSError):
            worker.stdin.write(json.dumps(job).encode() + b"\n")
            worker.stdin.flush()
            line = worker.stdout.readline()
        if line.endswith(b"\n"):
            answer: Document = json.loads(line)
            return answer
        if not self._is_closed:
            # It has died over this table; the next one is another worker's.
            _end(worker, is_idle=False)
            self._worker = None
        return None


def _job(
    materializer: str, path: Path, *, measure: bool = False, checks: Iterable[str] = (), **wanted: Any
) -> Document:
    return {
        "materializer": materializer,
        "path": str(path.absolute()),
        "measure": measure,
        "checks": list(checks),
        **wanted,
    }


def known_statistics(store: Store, digest: str) -> Statistics | None:
    """The statistics that the store has of an artifact."""
    document = store.quality.statistics(digest, VERSION)
    return None if document is None else Statistics.from_document(document)


def start_worker(*, ahead: bool = False) -> subprocess.Popen[bytes]:
    """Start a process that measures tables; see `worker` for what it understands.

    `ahead`: before there is one, so that it had better import now what it will need.
    """
    package = Path(__file__).resolve().parent.parent.parent
    path = os.pathsep.join(filter(None, [str(package), os.environ.get("PYTHONPATH")]))
    return subprocess.Popen(
        [sys.executable, "-m", "jupyterlab_pipelines.quality.worker", *(["--ahead"] if ahead else [])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**SPINNING, **os.environ, "PYTHONPATH": path},
        # Ctrl-C is for the run, which then ends the worker.
        start_new_session=os.name == "posix",
    )


def _end(worker: subprocess.Popen[bytes] | Lent, *, is_idle: bool) -> None:
    if isinstance(worker, Lent):
        worker.close(is_idle=is_idle)
    else:
        worker.kill()
        worker.wait()
