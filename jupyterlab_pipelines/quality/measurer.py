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
from pathlib import Path
from typing import Any

from jupyterlab_pipelines.artifact import Artifact
from jupyterlab_pipelines.documents import write_document
from jupyterlab_pipelines.quality.measurable import can_be_measured, is_table
from jupyterlab_pipelines.quality.statistics import VERSION, Statistics
from jupyterlab_pipelines.store import Store

Document = dict[str, Any]


class Measurer:
    """Hands out statistics of artifacts; a context manager that ends its worker."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._worker: subprocess.Popen[str] | None = None
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
            worker.kill()
            worker.wait()

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
        if self._worker is None or self._worker.poll() is not None:
            self._worker = _start()
        assert self._worker.stdin is not None and self._worker.stdout is not None
        try:
            self._worker.stdin.write(json.dumps(job) + "\n")
            self._worker.stdin.flush()
            line = self._worker.stdout.readline()
        except OSError:
            return None
        answer: Document | None = json.loads(line) if line.endswith("\n") else None
        return answer


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


def _start() -> subprocess.Popen[str]:
    package = Path(__file__).resolve().parent.parent.parent
    path = os.pathsep.join(filter(None, [str(package), os.environ.get("PYTHONPATH")]))
    return subprocess.Popen(
        [sys.executable, "-m", "jupyterlab_pipelines.quality.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": path},
        # Ctrl-C is for the run, which then ends the worker.
        start_new_session=os.name == "posix",
    )
