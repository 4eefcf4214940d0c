"""What was found out about stored tables: their statistics, and the anomalies of runs.

Statistics belong to a digest, so a table is measured once, whichever runs and steps it occurs in. They are
history, as previews are: `gc` reclaims tables, and what is known of them stays.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jupyterlab_pipelines.artifact import Artifact
from jupyterlab_pipelines.store.database import Database

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reference:
    """A table that a later one is compared with, and the run that it is from."""

    run_id: str
    digest: str


@dataclass(frozen=True, slots=True)
class Past:
    """A table as one run left it, and what was found in it."""

    run_id: str
    created_at: str
    digest: str
    anomalies: list[Document]


@dataclass(frozen=True, slots=True)
class Agreed:
    """A table that later ones are compared with in some of its columns; None stands for the table as a whole."""

    digest: str
    features: tuple[str | None, ...]


OF_THE_RUN = ("output", "digest", "reference_run", "first", "accepted")
"""Of an anomaly, what is said of the run it was found in, beside what it is."""


class QualityStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    # -- statistics -----------------------------------------------------------------------------

    def statistics(self, digest: str, version: int) -> Document | None:
        """The statistics of an artifact as a document of that version; None if there are none."""
        row = self._row(digest, version)
        return json.loads(row["content"]) if row is not None and row["content"] else None

    def is_measured(self, digest: str, version: int) -> bool:
        """Whether the artifact was measured, or found to be nothing that can be."""
        return self._row(digest, version) is not None

    def keep_statistics(self, digest: str, version: int, content: str | None) -> None:
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO statistics VALUES (?, ?, ?)", (digest, version, content)
            )

    def _row(self, digest: str, version: int) -> sqlite3.Row | None:
        return self._database.row(
            "SELECT content FROM statistics WHERE digest = ? AND version = ?", (digest, version)
        )

    def checked(self, digest: str, expressions: Iterable[str]) -> dict[str, Document | None]:
        """By expression, the anomaly that it came to (None: it holds); those never evaluated are left out."""
        known = {
            row["expression"]: row["content"]
            for row in self._database.rows("SELECT * FROM failed_checks WHERE digest = ?", (digest,))
        }
        return {
            expression: json.loads(known[expression]) if known[expression] else None
            for expression in expressions
            if expression in known
        }

    def keep_checked(self, digest: str, results: Mapping[str, Document | None]) -> None:
        with self._database.transaction() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO failed_checks VALUES (?, ?, ?)",
                [
                    (digest, expression, json.dumps(found) if found else None)
                    for expression, found in results.items()
                ],
            )

    def artifact(self, digest: str) -> Artifact | None:
        """An artifact of this digest, as the newest execution left it."""
        row = self._database.row(
            "SELECT * FROM outputs WHERE digest = ? AND kind = 'value' ORDER BY execution_id DESC LIMIT 1",
            (digest,),
        )
        if row is None:
            return None
        return Artifact.from_record({**dict(row), "definitions": json.loads(row["definitions"])})

    # -- anomalies ------------------------------------------------------------------------------

    def keep_anomalies(
        self,
        run_id: str,
        step: str,
        output: str,
        digest: str,
        *,
        reference: str | None,
        severity: str | None,
        anomalies: Sequence[Document],
        basis: str | None = None,
    ) -> None:
        """Note what was found in a table of a run, in place of what was found before."""
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO anomalies (run_id, step, output, digest, reference, severity, content,"
                " basis) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (run_id, step, output, digest, reference, severity, json.dumps(list(anomalies)), basis),
            )

    def verdict(self, basis: str) -> list[Document] | None:
        """The anomalies that were found when all was as `basis` says; None if it never was."""
        row = self._database.row("SELECT content FROM anomalies WHERE basis = ? LIMIT 1", (basis,))
        if row is None:
            return None
        return [
            {name: value for name, value in anomaly.items() if name not in OF_THE_RUN}
            for anomaly in json.loads(row["content"])
        ]

    def agree(
        self,
        run_id: str,
        step: str,
        output: str,
        is_meant: Callable[[Document], bool],
        *,
        agrees: bool = True,
    ) -> None:
        """A person agrees to some anomalies of a table, or no longer; if to all, later ones may be compared with it."""
        with self._database.transaction() as connection:
            row = connection.execute(
                "SELECT content FROM anomalies WHERE run_id = ? AND step = ? AND output = ?",
                (run_id, step, output),
            ).fetchone()
            if row is None:
                return
            anomalies = [
                {**anomaly, "accepted": agrees} if is_meant(anomaly) else anomaly
                for anomaly in json.loads(row["content"])
            ]
            whole = all(anomaly.get("accepted") or anomaly["severity"] == "info" for anomaly in anomalies)
            connection.execute(
                "UPDATE anomalies SET content = ?, accepted = CASE WHEN ? THEN max(accepted, ?) ELSE 0 END"
                " WHERE run_id = ? AND step = ? AND output = ?",
                (json.dumps(anomalies), agrees, int(whole), run_id, step, output),
            )

    def agreed(
        self, notebook: str, step: str, output: str, *, after: str | None, before: str
    ) -> list[Agreed]:
        """Tables of that name of which a person has agreed to some anomalies, between two runs, the oldest first."""
        rows = self._database.rows(
            "SELECT a.digest, a.content FROM anomalies a JOIN runs r ON r.id = a.run_id"
            " WHERE r.notebook = ? AND a.step = ? AND a.output = ? AND NOT a.accepted"
            " AND a.content LIKE '%\"accepted\": true%'"
            " AND r.rowid < (SELECT rowid FROM runs WHERE id = ?)"
            " AND r.rowid > coalesce((SELECT rowid FROM runs WHERE id = ?), 0) ORDER BY r.rowid",
            (notebook, step, output, before, after),
        )
        return [
            Agreed(
                row["digest"],
                tuple(one["feature"] for one in json.loads(row["content"]) if one.get("accepted")),
            )
            for row in rows
        ]

    def accept(self, run_id: str, step: str, output: str) -> None:
        """A person says that the table is as it should be: later ones may be compared with it."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE anomalies SET accepted = 1 WHERE run_id = ? AND step = ? AND output = ?",
                (run_id, step, output),
            )

    def anomalies_of_run(self, run_id: str) -> dict[str, list[Document]]:
        """By step, the anomalies of its tables, the gravest of each table first."""
        found: dict[str, list[Document]] = {}
        for row in self._database.rows(
            "SELECT step, content FROM anomalies WHERE run_id = ? AND severity IS NOT NULL ORDER BY output",
            (run_id,),
        ):
            found.setdefault(row["step"], []).extend(json.loads(row["content"]))
        return found

    def anomalies_of(self, run_id: str, digest: str) -> list[Document]:
        """The anomalies that steps before have found in this very table, in one run."""
        rows = self._database.rows(
            "SELECT content FROM anomalies WHERE run_id = ? AND digest = ?", (run_id, digest)
        )
        return [anomaly for row in rows for anomaly in json.loads(row["content"])]

    def newest_anomalies(self, digest: str) -> list[Document]:
        """What was found in the table in the newest run that had it."""
        row = self._database.row(
            "SELECT a.content FROM anomalies a JOIN runs r ON r.id = a.run_id WHERE a.digest = ?"
            " ORDER BY r.created_at DESC, r.rowid DESC LIMIT 1",
            (digest,),
        )
        return json.loads(row["content"]) if row is not None else []

    def reference(self, notebook: str, step: str, output: str, before_run: str) -> Reference | None:
        """The newest table of that name from a run older than `before_run` that is known to be good.

        That is one of a successful run without anomalies (else they would be told once and forgotten), or
        one that a person has accepted.
        """
        row = self._database.row(
            "SELECT r.id, o.digest FROM runs r JOIN step_runs s ON s.run_id = r.id"
            " JOIN outputs o ON o.execution_id = s.execution_id"
            " LEFT JOIN anomalies a ON a.run_id = r.id AND a.step = s.step AND a.output = o.name"
            " WHERE r.notebook = ? AND s.step = ? AND o.name = ? AND o.kind = 'value'"
            " AND r.rowid < (SELECT rowid FROM runs WHERE id = ?)"
            " AND (a.accepted OR r.status = 'succeeded' AND (a.severity IS NULL OR a.severity = 'info'))"
            " ORDER BY r.rowid DESC LIMIT 1",
            (notebook, step, output, before_run),
        )
        return None if row is None else Reference(row["id"], row["digest"])

    def newest_reference(self, digest: str) -> str | None:
        """What the table was compared with in the newest run that had it."""
        row = self._database.row(
            "SELECT a.reference FROM anomalies a JOIN runs r ON r.id = a.run_id WHERE a.digest = ?"
            " ORDER BY r.created_at DESC, r.rowid DESC LIMIT 1",
            (digest,),
        )
        return None if row is None else row["reference"]

    def reference_in(self, run_id: str, digest: str) -> str | None:
        """What the table was compared with in a run."""
        row = self._database.row(
            "SELECT reference FROM anomalies WHERE run_id = ? AND digest = ? AND reference IS NOT NULL",
            (run_id, digest),
        )
        return None if row is None else row["reference"]

    def history(self, notebook: str, step: str, output: str, most: int) -> list[Past]:
        """One output in the newest runs that have it, the oldest of them first."""
        rows = self._database.rows(
            "SELECT r.id, r.created_at, o.digest, a.content FROM runs r JOIN step_runs s ON s.run_id = r.id"
            " JOIN outputs o ON o.execution_id = s.execution_id"
            " LEFT JOIN anomalies a ON a.run_id = r.id AND a.step = s.step AND a.output = o.name"
            " WHERE r.notebook = ? AND s.step = ? AND o.name = ? AND o.kind = 'value'"
            " ORDER BY r.rowid DESC LIMIT ?",
            (notebook, step, output, most),
        )
        return [
            Past(row["id"], row["created_at"], row["digest"], json.loads(row["content"] or "[]"))
            for row in reversed(rows)
        ]

    def accepted(self, notebook: str, step: str, output: str) -> Reference | None:
        """The newest table of that name that a person has agreed to."""
        row = self._database.row(
            "SELECT a.run_id, a.digest FROM anomalies a JOIN runs r ON r.id = a.run_id"
            " WHERE r.notebook = ? AND a.step = ? AND a.output = ? AND a.accepted ORDER BY r.rowid DESC LIMIT 1",
            (notebook, step, output),
        )
        return None if row is None else Reference(row["run_id"], row["digest"])

    def lineage(self, digest: str) -> list[Document]:
        """Which runs and steps left the artifact, newest first, and the inputs that each of them had."""
        rows = self._database.rows(
            "SELECT r.id, r.notebook, r.created_at, s.step, s.status, s.inputs, o.name FROM outputs o"
            " JOIN step_runs s ON s.execution_id = o.execution_id JOIN runs r ON r.id = s.run_id"
            " WHERE o.digest = ? ORDER BY r.rowid DESC LIMIT 200",
            (digest,),
        )
        return [
            {
                "run_id": row["id"],
                "notebook": row["notebook"],
                "created_at": row["created_at"],
                "step": row["step"],
                "status": row["status"],
                "name": row["name"],
                "inputs": json.loads(row["inputs"]),
            }
            for row in rows
        ]
