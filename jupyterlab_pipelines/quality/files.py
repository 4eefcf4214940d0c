"""Two table files held against each other: the document of `jupyter pipelines quality`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyterlab_pipelines.errors import UsageError
from jupyterlab_pipelines.quality.processor import prefer_fast_sort

if TYPE_CHECKING:
    from jupyterlab_pipelines.quality.rules.pair import Anomaly
    from jupyterlab_pipelines.quality.schema import Schema
    from jupyterlab_pipelines.quality.statistics import Statistics

FIELDS = ("feature", "kind", "severity", "description", "reference", "current", "p_value", "effect")
"""What the document says of an anomaly."""


@dataclass(frozen=True)
class Comparison:
    """What was found: both tables with their statistics, and the anomalies of the current one.

    `failing_rows` are those of each anomaly; None if nobody has asked for them.
    """

    tables: dict[str, Any]
    anomalies: tuple[Anomaly, ...]
    failing_rows: tuple[dict[str, Any], ...] | None = None

    @property
    def is_schema_broken(self) -> bool:
        """Whether anything is against what a person has agreed to."""
        return any(anomaly.pinned for anomaly in self.anomalies)

    def to_document(self) -> dict[str, Any]:
        """As JSON."""
        told = [anomaly.to_document() for anomaly in self.anomalies]
        closer = {} if self.failing_rows is None else {"failing_rows": list(self.failing_rows)}
        return {
            "tables": self.tables,
            "anomalies": [{name: anomaly[name] for name in FIELDS} for anomaly in told],
            **closer,
        }


def compare_files(
    reference: Path,
    current: Path,
    *,
    schema: Schema | None = None,
    environment: str | None = None,
    rows: int | None = None,
) -> Comparison:
    """Statistics of both tables, the anomalies of `current`, and how far its columns have drifted.

    Without a `schema` the reference is all that is expected. The checks of a schema are evaluated over the rows.

    Parameters
    ----------
    rows
        How many rows of each anomaly to tell; none if it is None.

    Raises
    ------
    UsageError
        A file does not exist or is no table, or the schema has not the environment.
    """
    prefer_fast_sort()
    from jupyterlab_pipelines.quality import drift
    from jupyterlab_pipelines.quality.anomalies import find
    from jupyterlab_pipelines.quality.statistics import measure
    from jupyterlab_pipelines.quality.tables import read_table

    if schema and schema.environments and environment and environment not in schema.environments:
        known = ", ".join(schema.environments)
        raise UsageError(
            "unknown_environment", f"There is no environment `{environment}`: there are {known}."
        )
    environment = schema.environment_in(environment) if schema else None
    before = measure(read_table(reference))
    table = read_table(current)
    after = measure(table)
    anomalies = find(after, schema, before, environment=environment)
    if schema and schema.checks:
        from jupyterlab_pipelines.quality.checks import failures

        anomalies = [*failures(schema.checks, table), *anomalies]
    drifts = {
        column.name: found.to_document() | drift.measures(before.by_name[column.name], column)
        for column in after.columns
        if column.name in before.by_name and (found := drift.compare(before.by_name[column.name], column))
    }
    tables = {
        "reference": {"path": str(reference), "rows": before.rows, "statistics": before.to_document()},
        "current": {
            "path": str(current),
            "rows": after.rows,
            "statistics": after.to_document(),
            "drift": drifts,
        },
    }
    closer = None if rows is None else tuple(_rows(table, anomalies, schema, before, rows))
    return Comparison(tables, tuple(anomalies), closer)


def _rows(
    table: Any, anomalies: Sequence[Anomaly], schema: Schema | None, before: Statistics, limit: int
) -> list[dict[str, Any]]:
    """The rows of each anomaly."""
    from jupyterlab_pipelines.quality.expected import expected
    from jupyterlab_pipelines.quality.failing import failing_rows

    documents = [anomaly.to_document() for anomaly in anomalies]
    return [
        {"anomaly": one, **failing_rows(table, one, expected(one, schema, before), limit=limit)}
        for one in documents
    ]
