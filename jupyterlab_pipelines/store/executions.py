"""Finished executions and what they left: the index that the cache is looked up in."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from jupyterlab_pipelines.artifact import Artifact
from jupyterlab_pipelines.pipeline import Effects
from jupyterlab_pipelines.run import Execution
from jupyterlab_pipelines.store.database import Database

MOST_COMPARED = 20
"""How many executions of a step are looked through for the one that is most like it."""


MOST_ALIKE = 50
"""How many executions of a step are looked through for those whose metrics a new one's are compared with."""


class ExecutionStore:
    """Executions are immutable: written once, when the step has ended well, with all their outputs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        *,
        cache_key: str,
        notebook: str,
        step: str,
        run_id: str,
        finished_at: str,
        duration_seconds: float,
        parts: Mapping[str, Any],
        trace: Mapping[str, Any],
        executed: str,
        log: str | None,
        outputs: Iterable[Artifact],
        metrics: Mapping[str, Any],
        previews: Mapping[str, Any],
        effects: Mapping[str, Effects],
    ) -> Execution:
        """Record one execution, with what was learned from it, in one transaction.

        Parameters
        ----------
        previews
            By digest, what may be shown of an output.
        effects
            By fingerprint of the step's own code, what the step was seen to do.
        """
        outputs = list(outputs)
        with self._database.transaction() as connection:
            cursor = connection.execute(
                "INSERT INTO executions (cache_key, notebook, step, run_id, finished_at, duration_seconds,"
                " parts, trace, executed, log, metrics) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(cache_key, notebook, step, run_id, finished_at, duration_seconds),
                    *(json.dumps(parts), json.dumps(trace), executed, log, json.dumps(metrics)),
                ),
            )
            execution_id = int(cursor.lastrowid or 0)
            connection.executemany(
                "INSERT INTO outputs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        *(execution_id, out.name, out.digest, out.type, out.materializer, out.size_bytes),
                        *(out.stored, out.member, out.summary, json.dumps(out.definitions), out.kind),
                    )
                    for out in outputs
                ],
            )
            # A file that had to be made again may have other bytes: its old checksum goes with the old file.
            connection.executemany(
                "INSERT INTO artifacts (name, size_bytes) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET"
                " checksum = CASE WHEN gone IS NULL AND size_bytes = excluded.size_bytes THEN checksum END,"
                " size_bytes = excluded.size_bytes, gone = NULL",
                [(out.stored, out.size_bytes) for out in outputs if out.stored],
            )
            connection.executemany(
                "INSERT OR IGNORE INTO previews VALUES (?, ?, ?, ?)",
                [
                    (out.digest, out.type, out.summary, json.dumps(previews.get(out.digest)))
                    for out in outputs
                    if out.kind == "value"
                ],
            )
            connection.executemany(
                "INSERT OR REPLACE INTO effects VALUES (?, ?, ?)",
                [(code, json.dumps(seen.to_json()), finished_at) for code, seen in effects.items()],
            )
        return Execution(
            id=execution_id,
            cache_key=cache_key,
            step=step,
            run_id=run_id,
            finished_at=finished_at,
            duration_seconds=duration_seconds,
            parts=dict(parts),
            trace=dict(trace),
            notebook=executed,
            log=log,
            metrics=dict(metrics),
            **_kept_apart(outputs),
        )

    def move(self, execution: Execution, cache_key: str, parts: Mapping[str, Any]) -> Execution:
        """Put an execution under another key: it has turned out which steps its files come from."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE executions SET cache_key = ?, parts = ? WHERE id = ?",
                (cache_key, json.dumps(parts), execution.id),
            )
        return replace(execution, cache_key=cache_key, parts=dict(parts))

    def complete(self, execution_id: int, trace: Mapping[str, Any]) -> None:
        """Note digests of files that nobody had computed yet when the execution was recorded."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE executions SET trace = ? WHERE id = ?", (json.dumps(trace), execution_id)
            )

    def with_key(self, cache_key: str) -> Iterator[Execution]:
        """Executions under one key, newest first; read one by one, since mostly the first will do."""
        rows = self._database.rows(
            "SELECT * FROM executions WHERE cache_key = ? ORDER BY id DESC", (cache_key,)
        )
        return (self._execution(row) for row in rows)

    def newest(self, cache_key: str | None = None) -> int:
        """The id of the execution that was recorded last, of all or under a key; 0 if there is none."""
        where, values = ("", ()) if cache_key is None else (" WHERE cache_key = ?", (cache_key,))
        row = self._database.row(f"SELECT coalesce(max(id), 0) FROM executions{where}", values)
        assert row is not None
        return int(row[0])

    def get(self, execution_id: int) -> Execution | None:
        row = self._database.row("SELECT * FROM executions WHERE id = ?", (execution_id,))
        return None if row is None else self._execution(row)

    def last_of(self, notebook: str, step: str) -> Execution | None:
        """The execution that the step of this name had last in `notebook`, or reused last."""
        row = self._database.row(
            "SELECT e.* FROM step_runs s JOIN runs r ON r.id = s.run_id"
            " JOIN executions e ON e.id = s.execution_id"
            " WHERE r.notebook = ? AND s.step = ? ORDER BY r.created_at DESC, r.rowid DESC LIMIT 1",
            (notebook, step),
        )
        return None if row is None else self._execution(row)

    def recent_of(self, notebook: str, step: str, most: int = MOST_COMPARED) -> Iterator[Execution]:
        """Executions of the step of this name in `notebook`, those that it reused among them.

        Newest first, and read one by one: mostly the first will do.
        """
        rows = self._database.rows(
            "SELECT s.execution_id FROM runs r JOIN step_runs s ON r.id = s.run_id"
            " WHERE r.notebook = ? AND s.step = ? AND s.execution_id IS NOT NULL"
            " ORDER BY r.created_at DESC, r.rowid DESC LIMIT ?",
            (notebook, step, 10 * most),
        )
        ids = list(dict.fromkeys(row["execution_id"] for row in rows))[:most]
        return (found for each in ids if (found := self.get(each)) is not None)

    def alike(self, notebook: str, execution: Execution) -> list[dict[str, Any]]:
        """The metrics of earlier executions of the same code with the same parameters, the newest first.

        Without those that somebody should look at, and none from before the last that somebody has agreed to.
        """
        rows = self._database.rows(
            "SELECT e.parts, e.metrics, a.severity, a.accepted FROM executions e LEFT JOIN anomalies a"
            " ON a.run_id = e.run_id AND a.step = e.step AND a.output = ''"
            " WHERE e.notebook = ? AND e.step = ? AND e.id < ? ORDER BY e.id DESC LIMIT ?",
            (notebook, execution.step, execution.id, MOST_ALIKE),
        )
        found = []
        for row in rows:
            parts = json.loads(row["parts"])
            if any(parts.get(part) != execution.parts.get(part) for part in ("code", "parameters")):
                continue
            if not row["severity"] or row["accepted"]:
                found.append(json.loads(row["metrics"]))
            if row["accepted"] and row["severity"]:
                break
        return found

    def newest_of_steps(self, most: int = 10 * MOST_COMPARED) -> list[tuple[str, Execution]]:
        """The newest execution of every step of every notebook, with the notebook; newest first."""
        rows = self._database.rows(
            "SELECT * FROM executions WHERE id IN (SELECT max(id) FROM executions GROUP BY notebook, step)"
            " ORDER BY id DESC LIMIT ?",
            (most,),
        )
        return [(row["notebook"], self._execution(row)) for row in rows]

    def expected_seconds(self, notebook: str, steps: Iterable[str]) -> dict[str, float]:
        """By step, how long an execution of it in `notebook` takes: the median of its last three."""
        expected = {}
        for step in steps:
            rows = self._database.rows(
                "SELECT duration_seconds FROM executions WHERE notebook = ? AND step = ?"
                " ORDER BY id DESC LIMIT 3",
                (notebook, step),
            )
            if rows:
                # Not `statistics.median`, which takes ten milliseconds to import.
                expected[step] = sorted(row["duration_seconds"] for row in rows)[len(rows) // 2]
        return expected

    def effects(self, codes: Mapping[str, str]) -> dict[str, Effects]:
        """What was learned of steps, by step name; `codes` has the fingerprint of each one's code."""
        learned: dict[str, Effects] = {}
        for step, code in codes.items():
            row = self._database.row("SELECT effects FROM effects WHERE code = ?", (code,))
            if row is not None:
                effects = Effects.from_json(json.loads(row["effects"]))
                if effects:
                    learned[step] = effects
        return learned

    def preview(self, digest: str) -> dict[str, Any] | None:
        """What may be shown of the artifact: digest, type, summary and preview."""
        row = self._database.row("SELECT * FROM previews WHERE digest = ?", (digest,))
        if row is None:
            return None
        return {
            "digest": row["digest"],
            "type": row["type"],
            "summary": row["summary"],
            "preview": json.loads(row["content"]),
        }

    def _execution(self, row: sqlite3.Row) -> Execution:
        outputs = self._database.rows(
            "SELECT * FROM outputs WHERE execution_id = ? ORDER BY name", (row["id"],)
        )
        return Execution(
            id=row["id"],
            cache_key=row["cache_key"],
            step=row["step"],
            run_id=row["run_id"],
            finished_at=row["finished_at"],
            duration_seconds=row["duration_seconds"],
            parts=json.loads(row["parts"]),
            trace=json.loads(row["trace"]),
            notebook=row["executed"],
            log=row["log"],
            metrics=json.loads(row["metrics"]),
            **_kept_apart(
                Artifact.from_record({**out, "definitions": json.loads(out["definitions"])})
                for out in map(dict, outputs)
            ),
        )


def _kept_apart(artifacts: Iterable[Artifact]) -> dict[str, dict[str, Artifact]]:
    apart: dict[str, dict[str, Artifact]] = {"outputs": {}, "unkept": {}}
    for artifact in artifacts:
        apart["unkept" if artifact.kind == "unkept" else "outputs"][artifact.name] = artifact
    return apart
