"""Stores with a made-up history: runs that executed and reused steps at given times."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import md5
from pathlib import Path

from jupyterlab_pipelines.artifact import Artifact
from jupyterlab_pipelines.run import Execution, Status
from jupyterlab_pipelines.store import Store

NOW = datetime.now(UTC)


@dataclass
class History:
    """A store, and by run what it has used: the files of its steps' executions and its own notebooks."""

    store: Store
    executions: dict[str, Execution] = field(default_factory=dict)
    used: dict[str, set[str]] = field(default_factory=dict)

    def run(
        self,
        run_id: str,
        steps: Mapping[str, Mapping[str, bytes]],
        *,
        days_ago: float = 0.0,
        notebook: str = "a.ipynb",
        tags: tuple[str, ...] = (),
    ) -> None:
        """A run of some steps, each with what it leaves; one that has left it before is reused."""
        moment = (NOW - timedelta(days=days_ago)).isoformat()
        store = self.store
        store.create()
        snapshot = store.artifacts.add_bytes(b"notebook of " + run_id.encode())
        store.runs.create(
            run_id, notebook=notebook, parameters={}, options={}, snapshot=snapshot, output=None
        )
        store.runs.start(run_id, [(step, [0]) for step in steps])
        files = self.used[run_id] = {snapshot}
        for step, values in steps.items():
            key = f"{notebook}/{step}/{sorted(values.items())}"
            is_new = key not in self.executions
            if is_new:
                self.executions[key] = self._execute(run_id, notebook, step, key, values, moment)
            execution = self.executions[key]
            store.runs.update_step(
                run_id,
                step,
                status=Status.SUCCEEDED if is_new else Status.REUSED,
                decision="run" if is_new else "reuse",
                execution_id=execution.id,
                executed=execution.notebook,
                finished_at=moment,
            )
            files |= {execution.notebook, *(out.stored for out in execution.outputs.values())}
        store.runs.finish(run_id, Status.SUCCEEDED, 1.0)
        store.runs.annotate(run_id, tags=tags, comment=None)
        with store.database.transaction() as connection:
            connection.execute(
                "UPDATE runs SET created_at = ?, finished_at = ? WHERE id = ?", (moment, moment, run_id)
            )

    def _execute(
        self, run_id: str, notebook: str, step: str, key: str, values: Mapping[str, bytes], moment: str
    ) -> Execution:
        store = self.store
        outputs = []
        for name, content in values.items():
            digest = store.artifacts.add_bytes(b"value " + content)
            size = store.artifacts.path(digest).stat().st_size
            outputs.append(Artifact(name, digest, "bytes", "pickle", size, stored=digest))
        return store.executions.add(
            cache_key=key,
            notebook=notebook,
            step=step,
            run_id=run_id,
            finished_at=moment,
            duration_seconds=1.0,
            parts={"code": [[step]]},
            trace={},
            executed=store.artifacts.add_bytes(b"executed " + md5(key.encode()).digest()),
            log=None,
            outputs=outputs,
            metrics={},
            previews={},
            effects={},
        )

    def files(self) -> dict[str, int]:
        """All stored files with their sizes."""
        return {name: status.st_size for name, status in self.store.artifacts.files()}


def tree(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file below a folder: its time of modification and its bytes."""
    found = {}
    for root, _, names in os.walk(folder):
        for name in names:
            path = Path(root) / name
            if not name.endswith(("-wal", "-shm")):  # SQLite's own, made by whoever reads
                found[str(path.relative_to(folder))] = (path.stat().st_mtime_ns, path.read_bytes())
    return found
