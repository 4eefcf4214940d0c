"""Two table files held against each other: the document of `jupyter pipelines quality`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyterlab_pipelines.quality.processor import prefer_fast_sort

if TYPE_CHECKING:
    from jupyterlab_pipelines.quality.schema import Schema


def compare_files(
    reference: Path, current: Path, *, schema: Schema | None = None, environment: str | None = None
) -> dict[str, Any]:
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
    return {
        "tables": {
            "reference": {"path": str(reference), "rows": before.rows, "statistics": before.to_document()},
            "current": {"path": str(current), "rows": after.rows, "statistics": after.to_document()},
        },
        "anomalies": [anomaly.to_document() for anomaly in anomalies],
        "drift": drifts,
    }
