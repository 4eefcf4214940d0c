"""Statistics that show themselves in a notebook: as a chart, as HTML where there is no Vega, as text."""

from __future__ import annotations

from typing import Any

from jupyterlab_pipelines.quality.overview import overview
from jupyterlab_pipelines.quality.statistics import Statistics


class ShownStatistics(Statistics):
    """Statistics with a picture; `overview` documents are made when they are looked at."""

    @classmethod
    def of(cls, statistics: Statistics) -> ShownStatistics:
        """The same numbers, with a picture."""
        return cls(
            rows=statistics.rows,
            columns=statistics.columns,
            duplicates=statistics.duplicates,
            measured_rows=statistics.measured_rows,
            correlated=statistics.correlated,
            correlations=statistics.correlations,
        )

    def __repr__(self) -> str:
        lines = [f"{self.rows} rows, {len(self.columns)} columns"]
        for row in overview(self):
            numbers = ", ".join(f"{name} {value}" for name, value in row["numbers"].items())
            lines.append(f"{row['name']}: {row['type']}, {100 * row['nulls']:.3g} % nulls, {numbers}")
        return "\n".join(lines)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        from jupyterlab_pipelines.quality.charts import mimebundle

        return mimebundle(overview(self), repr(self))
