"""Statistics that show themselves in a notebook: as a chart, as HTML where there is no Vega, as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jupyterlab_pipelines.quality.overview import overview
from jupyterlab_pipelines.quality.statistics import Statistics

MOST_LINES = 100
"""Columns that are told as text."""


class ShownStatistics(Statistics):
    """Statistics with a picture, in which a reference and anomalies are shown, too, where there are any."""

    _rows: list[dict[str, Any]]

    @classmethod
    def of(
        cls,
        statistics: Statistics,
        reference: Statistics | None = None,
        anomalies: Sequence[dict[str, Any]] = (),
    ) -> ShownStatistics:
        """The same numbers, with a picture."""
        shown = cls(
            rows=statistics.rows,
            columns=statistics.columns,
            duplicates=statistics.duplicates,
            measured_rows=statistics.measured_rows,
            correlated=statistics.correlated,
            correlations=statistics.correlations,
        )
        object.__setattr__(shown, "_rows", overview(statistics, reference, anomalies))
        return shown

    @classmethod
    def of_document(cls, document: dict[str, Any]) -> ShownStatistics:
        """Of a table's document, see `views.table_document`."""
        shown = cls.of(Statistics.from_document(document["statistics"]))
        object.__setattr__(shown, "_rows", document["overview"])
        return shown

    def __repr__(self) -> str:
        lines = [f"{_number(self.rows, 'row')}, {_number(len(self.columns), 'column')}"]
        for row in self._rows[:MOST_LINES]:
            numbers = ", ".join(f"{name} {value}" for name, value in row["numbers"].items())
            lines.append(f"{row['name']}: {row['type']}, {100 * row['nulls']:.3g} % nulls, {numbers}")
            lines += [f"    {a['severity']}: {a['kind']}: {a['description']}" for a in row["anomalies"]]
        if len(self._rows) > MOST_LINES:
            lines.append(f"… and {_number(len(self._rows) - MOST_LINES, 'more column')}")
        return "\n".join(lines)

    def to_html(self) -> str:
        """The same as rows that open, for a cell's output or a page: no script, nothing from the network."""
        from jupyterlab_pipelines.quality.report import html_rows

        return html_rows(self._rows)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        from jupyterlab_pipelines.quality.charts import mimebundle

        return mimebundle(self._rows, repr(self))


def _number(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
