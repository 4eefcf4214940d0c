"""The run history: runs and their steps, written step by step while a run goes on."""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from jupyterlab_pipelines.errors import NotFoundError
from jupyterlab_pipelines.run import Status
from jupyterlab_pipelines.store.database import Database

STEP_COLUMNS = frozenset(
    {
        *(
            "status",
            "decision",
            "reasons",
            "cache_key",
            "inputs",
            "execution_id",
            "started_at",
            "finished_at",
        ),
        *("duration_seconds", "cell", "cells", "error", "executed", "log"),
    }
)
JSON_COLUMNS = frozenset({"reasons", "inputs", "error"})
STEP_COUNTS = (
    "count(s.step) AS steps_total,"
    " sum(s.decision = 'run' AND s.status IN ('succeeded', 'failed', 'cancelled', 'interrupted'))"
    " AS steps_executed,"
    " sum(s.status = 'reused') AS steps_reused, sum(s.status = 'failed') AS steps_failed,"
    " (SELECT count(*) FROM anomalies a WHERE a.run_id = r.id AND a.severity IN ('error', 'warning')"
    " AND NOT a.accepted)"
    " AS tables_with_anomalies"
)


def now() -> str:
    """This moment, ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def new_run_id() -> str:
    """An id that sorts by time and says it: ``20261121-040512-3f2a``."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


class RunStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    # -- writing --------------------------------------------------------------------------------

    def create(
        self,
        run_id: str,
        *,
        notebook: str,
        parameters: Mapping[str, Any],
        options: Mapping[str, Any],
        snapshot: str,
        output: str | None,
    ) -> None:
        """Note that a run is wanted; it is `queued`."""
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO runs (id, notebook, status, parameters, options, created_at, snapshot, output)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(
                        run_id,
                        notebook,
                        Status.QUEUED,
                        json.dumps(dict(parameters)),
                        json.dumps(dict(options)),
                    ),
                    *(now(), snapshot, output),
                ),
            )

    def start(self, run_id: str, steps: Sequence[tuple[str, Sequence[int]]]) -> None:
        """The run begins, with these steps (name, cell indexes) in this order, all `queued`."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE runs SET status = ?, started_at = ? WHERE id = ?", (Status.RUNNING, now(), run_id)
            )
        self.add_steps(run_id, steps)

    def add_steps(self, run_id: str, steps: Sequence[tuple[str, Sequence[int]]]) -> None:
        """More steps for a run, `queued`, after those that it has."""
        with self._database.transaction() as connection:
            count = connection.execute(
                "SELECT count(*) FROM step_runs WHERE run_id = ?", (run_id,)
            ).fetchone()[0]
            connection.executemany(
                "INSERT INTO step_runs (run_id, step, position, cell_indexes, status, decision, reasons, inputs)"
                " VALUES (?, ?, ?, ?, ?, 'undecided', '[]', '{}')",
                [
                    (run_id, step, position, json.dumps(list(cells)), Status.QUEUED)
                    for position, (step, cells) in enumerate(steps, start=count)
                ],
            )

    def update_step(self, run_id: str, step: str, **columns: Any) -> None:
        """Change columns of one step of a run."""
        unknown = columns.keys() - STEP_COLUMNS
        if unknown:
            raise ValueError(f"step_runs has no columns {sorted(unknown)}")
        values = {
            name: json.dumps(value) if name in JSON_COLUMNS and value is not None else value
            for name, value in columns.items()
        }
        changes = ", ".join(f"{name} = ?" for name in values)
        with self._database.transaction() as connection:
            connection.execute(
                f"UPDATE step_runs SET {changes} WHERE run_id = ? AND step = ?",
                (*values.values(), run_id, step),
            )

    def finish(
        self, run_id: str, status: Status, duration_seconds: float, error: Mapping[str, Any] | None = None
    ) -> None:
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE runs SET status = ?, finished_at = ?, duration_seconds = ?, error = ? WHERE id = ?",
                (status, now(), duration_seconds, json.dumps(error) if error else None, run_id),
            )

    def request_cancel(self, run_id: str) -> None:
        with self._database.transaction() as connection:
            connection.execute("UPDATE runs SET cancel_requested = 1 WHERE id = ?", (run_id,))

    def request_cancel_of_step(self, run_id: str, step: str) -> None:
        """Note it beside what else was asked of the run."""
        with self._database.transaction() as connection:
            row = connection.execute("SELECT options FROM runs WHERE id = ?", (run_id,)).fetchone()
            options = json.loads(row["options"])
            options["cancelled_steps"] = [*dict.fromkeys([*options.get("cancelled_steps", []), step])]
            connection.execute("UPDATE runs SET options = ? WHERE id = ?", (json.dumps(options), run_id))

    def interrupt(self, run_id: str) -> bool:
        """Tell an unfinished run as interrupted; False if it has ended meanwhile."""
        with self._database.transaction() as connection:
            changed = connection.execute(
                "UPDATE runs SET status = ?, finished_at = ? WHERE id = ? AND status IN (?, ?)",
                (Status.INTERRUPTED, now(), run_id, Status.QUEUED, Status.RUNNING),
            ).rowcount
            connection.execute(
                "UPDATE step_runs SET status = CASE status WHEN ? THEN ? ELSE ? END"
                " WHERE run_id = ? AND status IN (?, ?)",
                (
                    *(Status.RUNNING, Status.INTERRUPTED, Status.SKIPPED),
                    *(run_id, Status.QUEUED, Status.RUNNING),
                ),
            )
        return bool(changed)

    def annotate(self, run_id: str, *, tags: Iterable[str] | None, comment: str | None) -> None:
        with self._database.transaction() as connection:
            if tags is not None:
                connection.execute(
                    "UPDATE runs SET tags = ? WHERE id = ?", (json.dumps(list(dict.fromkeys(tags))), run_id)
                )
            if comment is not None:
                connection.execute("UPDATE runs SET comment = ? WHERE id = ?", (comment, run_id))

    def rename_notebook(self, before: str, after: str) -> None:
        """Know what was run as a notebook, or from a folder, by its new name."""
        with self._database.transaction() as connection:
            for table in ("runs", "executions"):
                connection.execute(
                    f"UPDATE {table} SET notebook = ? || substr(notebook, ?)"
                    " WHERE notebook = ? OR substr(notebook, 1, ?) = ?",
                    (after, len(before) + 1, before, len(before) + 1, f"{before}/"),
                )

    # -- reading --------------------------------------------------------------------------------

    def unfinished(self) -> list[str]:
        rows = self._database.rows(
            "SELECT id FROM runs WHERE status IN (?, ?)", (Status.QUEUED, Status.RUNNING)
        )
        return [row["id"] for row in rows]

    def cancel_requested(self, run_id: str) -> bool:
        found = self._database.row("SELECT cancel_requested FROM runs WHERE id = ?", (run_id,))
        return bool(found and found["cancel_requested"])

    def cancelled_steps(self, run_id: str) -> set[str]:
        """Steps that somebody has asked to end, one by one."""
        return set(json.loads(self.row(run_id)["options"]).get("cancelled_steps", []))

    def find(self, run_id: str) -> str:
        """The whole id that begins with `run_id`.

        Raises
        ------
        NotFoundError
            ``unknown_run`` or ``ambiguous_run``.
        """
        # Not LIKE: `_` and `%` are ordinary characters here.
        rows = self._database.rows(
            "SELECT id FROM runs WHERE substr(id, 1, ?) = ? OR substr(id, -?) = ? ORDER BY id",
            (len(run_id), run_id, len(run_id), run_id),
        )
        ids = [row["id"] for row in rows] if run_id else []
        if run_id in ids:
            return run_id
        if len(ids) == 1:
            return str(ids[0])
        if not ids:
            raise NotFoundError("unknown_run", f"The store has no run `{run_id}`.", run_id=run_id)
        raise NotFoundError(
            "ambiguous_run",
            f"`{run_id}` may be any of {len(ids)} runs ({', '.join(ids[:3])}, …): write more of the id.",
            run_id=run_id,
        )

    def row(self, run_id: str) -> sqlite3.Row:
        row = self._database.row("SELECT * FROM runs WHERE id = ?", (run_id,))
        if row is None:
            raise NotFoundError("unknown_run", f"The store has no run `{run_id}`.", run_id=run_id)
        return row

    def steps(self, run_id: str) -> list[sqlite3.Row]:
        return self._database.rows("SELECT * FROM step_runs WHERE run_id = ? ORDER BY position", (run_id,))

    def step(self, run_id: str, step: str) -> sqlite3.Row:
        row = self._database.row("SELECT * FROM step_runs WHERE run_id = ? AND step = ?", (run_id, step))
        if row is None:
            raise NotFoundError(
                "unknown_step", f"Run {run_id} has no step `{step}`.", run_id=run_id, step=step
            )
        return row

    def last_of_steps(self, notebook: str) -> dict[str, sqlite3.Row]:
        """By step, its newest ended step run in any run of `notebook`."""
        rows = self._database.rows(
            "SELECT s.step, s.run_id, s.status, s.duration_seconds, s.finished_at"
            " FROM step_runs s JOIN runs r ON r.id = s.run_id"
            " WHERE r.notebook = ? AND s.status NOT IN (?, ?, ?)"
            " ORDER BY r.created_at DESC, r.rowid DESC LIMIT 2000",
            (notebook, Status.QUEUED, Status.RUNNING, Status.SKIPPED),
        )
        newest: dict[str, sqlite3.Row] = {}
        for row in rows:
            newest.setdefault(row["step"], row)
        return newest

    def last_with(self, notebook: str, executions: Iterable[int]) -> dict[int, sqlite3.Row]:
        """By execution, the newest step run of `notebook` that made it or reused it."""
        ids = list(executions)
        rows = self._database.rows(
            "SELECT s.execution_id, s.run_id, s.status, s.duration_seconds, s.finished_at"
            " FROM step_runs s JOIN runs r ON r.id = s.run_id"
            f" WHERE s.execution_id IN ({', '.join('?' * len(ids))}) AND r.notebook = ?"
            " AND s.status IN (?, ?) ORDER BY r.created_at, r.rowid",
            (*ids, notebook, Status.SUCCEEDED, Status.REUSED),
        )
        return {row["execution_id"]: row for row in rows}

    def last_status(self, notebook: str, step: str) -> str | None:
        """How the step ended in the newest run of `notebook` in which it came to its turn."""
        row = self._database.row(
            "SELECT s.status FROM step_runs s JOIN runs r ON r.id = s.run_id WHERE r.notebook = ? AND s.step = ?"
            " AND s.status NOT IN (?, ?, ?) ORDER BY r.created_at DESC, r.rowid DESC LIMIT 1",
            (notebook, step, Status.QUEUED, Status.RUNNING, Status.SKIPPED),
        )
        return None if row is None else str(row["status"])

    def summaries(self, notebook: str | None, limit: int) -> list[dict[str, Any]]:
        """Runs, newest first, with counts of their steps."""
        where, values = ("WHERE r.notebook = ?", [notebook]) if notebook is not None else ("", [])
        rows = self._database.rows(
            f"SELECT r.*, {STEP_COUNTS}"
            f" FROM (SELECT *, rowid AS number FROM runs r {where} ORDER BY created_at DESC, rowid DESC LIMIT ?) r"
            " LEFT JOIN step_runs s ON s.run_id = r.id GROUP BY r.id ORDER BY r.created_at DESC, r.number DESC",
            (*values, limit),
        )
        return [_summary(row) for row in rows]

    def summaries_of(self, run_ids: Sequence[str]) -> list[dict[str, Any]]:
        """The same of these runs, in this order, with their metrics as ``step.name``."""
        marks = ", ".join("?" * len(run_ids))
        rows = self._database.rows(
            f"SELECT r.*, {STEP_COUNTS} FROM runs r LEFT JOIN step_runs s ON s.run_id = r.id"
            f" WHERE r.id IN ({marks}) GROUP BY r.id",
            run_ids,
        )
        metrics = self._metrics(f"s.run_id IN ({marks})", run_ids)
        found = {row["id"]: _summary(row) | {"metrics": metrics.get(row["id"], {})} for row in rows}
        return [found[run_id] for run_id in run_ids if run_id in found]

    def briefly(self, notebook: str | None) -> list[sqlite3.Row]:
        """All runs of a notebook, or of all, newest first: what one may look for."""
        where, values = ("WHERE notebook = ?", [notebook]) if notebook is not None else ("", [])
        return self._database.rows(
            f"SELECT id, status, tags, comment, parameters, options FROM runs {where}"
            " ORDER BY created_at DESC, rowid DESC",
            values,
        )

    def metrics(self, notebook: str | None) -> dict[str, dict[str, float]]:
        """By run, its metrics as ``step.name``."""
        if notebook is None:
            return self._metrics("1", ())
        return self._metrics("s.run_id IN (SELECT id FROM runs WHERE notebook = ?)", (notebook,))

    def _metrics(self, where: str, values: Sequence[Any]) -> dict[str, dict[str, float]]:
        rows = self._database.rows(
            "SELECT s.run_id, s.step, e.metrics FROM step_runs s JOIN executions e ON e.id = s.execution_id"
            f" WHERE e.metrics <> '{{}}' AND {where} ORDER BY s.position",
            values,
        )
        found: dict[str, dict[str, float]] = {}
        for row in rows:
            for name, value in json.loads(row["metrics"]).items():
                if isinstance(value, (int, float)) and not isinstance(value, bool):
                    found.setdefault(row["run_id"], {})[f"{row['step']}.{name}"] = value
        return found


def _summary(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "run_id": row["id"],
        "notebook": row["notebook"],
        "status": row["status"],
        "parameters": json.loads(row["parameters"]),
        "created_at": row["created_at"],
        "finished_at": row["finished_at"],
        "duration_seconds": row["duration_seconds"],
        "steps_total": row["steps_total"],
        "steps_executed": row["steps_executed"] or 0,
        "steps_reused": row["steps_reused"] or 0,
        "steps_failed": row["steps_failed"] or 0,
        "tables_with_anomalies": row["tables_with_anomalies"],
        "tags": json.loads(row["tags"]),
        "comment": row["comment"],
        "sweep": json.loads(row["options"]).get("sweep"),
    }
