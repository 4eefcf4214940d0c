"""Two table files held against each other: the document of `jupyter pipelines quality`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyterlab_pipelines.errors import UsageError
from jupyterlab_pipelines.quality.processor import prefer_fast_sort

if TYPE_CHECKING:
    from jupyterlab_pipelines.quality.anomalies import Anomaly
    from jupyterlab_pipelines.quality.schema import Schema
    from jupyterlab_pipelines.quality.statistics import Statistics


def compare_files(
    reference: Path,
    current: Path,
    *,
    schema: Schema | None = None,
    environment: str | None = None,
    rows: int | None = None,
) -> dict[str, Any]:
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
    closer = {} if rows is None else {"failing_rows": _rows(table, anomalies, schema, before, rows)}
    return {
        "tables": {
            "reference": {"path": str(reference), "rows": before.rows, "statistics": before.to_document()},
            "current": {"path": str(current), "rows": after.rows, "statistics": after.to_document()},
        },
        "anomalies": [anomaly.to_document() for anomaly in anomalies],
        "drift": drifts,
        **closer,
    }


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
