"""Two table files held against each other: the document of `jupyter pipelines quality`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyterlab_pipelines.quality.processor import prefer_fast_sort

if TYPE_CHECKING:
    from jupyterlab_pipelines.quality.rules.pair import Anomaly
    from jupyterlab_pipelines.quality.schema import Schema

FIELDS = ("feature", "kind", "severity", "description", "reference", "current", "p_value", "effect")
"""What the document says of an anomaly."""


@dataclass(frozen=True)
class Comparison:
    """What was found: both tables with their statistics, and the anomalies of the current one."""

    tables: dict[str, Any]
    anomalies: tuple[Anomaly, ...]

    @property
    def is_schema_broken(self) -> bool:
        """Whether anything is against what a person has agreed to."""
        return any(anomaly.pinned for anomaly in self.anomalies)

    def to_document(self) -> dict[str, Any]:
        """As JSON."""
        told = [anomaly.to_document() for anomaly in self.anomalies]
        return {
            "tables": self.tables,
            "anomalies": [{name: anomaly[name] for name in FIELDS} for anomaly in told],
        }


def compare_files(
    reference: Path, current: Path, *, schema: Schema | None = None, environment: str | None = None
) -> Comparison:
    """Statistics of both tables, the anomalies of `current`, and how far its columns have drifted.

    Without a `schema` the reference is all that is expected. The checks of a schema are evaluated over the rows.

    Raises
    ------
    UsageError
        A file does not exist or is no table.
    """
    prefer_fast_sort()
    from jupyterlab_pipelines.quality import drift
    from jupyterlab_pipelines.quality.anomalies import find
    from jupyterlab_pipelines.quality.statistics import measure
    from jupyterlab_pipelines.quality.tables import read_table

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
    return Comparison(tables, tuple(anomalies))
