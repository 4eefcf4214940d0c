"""Slices: a metric for each value of a column, with confidence intervals, the worst first.

The metric is a mean over rows: of a boolean column (accuracy: was the prediction right?) or of numbers (the
absolute error). A model that is good on average may be bad for one country.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

from jupyterlab_pipelines.quality.chance import normal_tail

METRICS = ("accuracy", "mean_absolute_error", "mean_squared_error", "mean_error")
"""What `metric_values` computes from predictions and truths."""


@dataclass(frozen=True, slots=True)
class Slice:
    """The metric of the rows in which `column` is `value`; of all rows where there is no column.

    `low` and `high` are the borders of the confidence interval; `difference` is to the rows outside, `p_value`
    the chance of one so large in either direction, adjusted for the number of slices (Bonferroni).
    """

    column: str | None
    value: Any
    rows: int
    metric: float
    low: float
    high: float
    difference: float
    p_value: float

    def to_document(self) -> Mapping[str, Any]:
        """As JSON."""
        return asdict(self)


def metric_values(truth: Any, prediction: Any, metric: str) -> Any:
    """What the metric is the mean of, a value for each row.

    Raises
    ------
    ValueError
        There is no such metric.
    """
    if metric == "accuracy":
        return truth == prediction
    if metric == "mean_absolute_error":
        return (prediction - truth).abs()
    if metric == "mean_squared_error":
        return (prediction - truth) ** 2
    if metric == "mean_error":
        return prediction - truth
    raise ValueError(f"{metric!r} is none of the metrics {', '.join(METRICS)}")


def overall(values: Any, confidence: float = 0.95) -> Slice:
    """The mean of all values, as one slice."""
    values = values[values.notna()]
    share = _is_share(values)
    values = values.astype(float)
    count = len(values)
    mean = float(values.mean()) if count else 0.0
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    if not count:
        low, high = 0.0, 0.0
    else:
        low, high = _wilson(mean, count, z) if share else _normal(mean, float(values.var(ddof=0)), count, z)
    return Slice(None, None, count, mean, low, high, 0.0, 1.0)


def slices(
    values: Any,
    by: Any,
    *,
    higher_is_better: bool,
    confidence: float = 0.95,
    fewest: int = 10,
    bins: int = 5,
) -> list[Slice]:
    """The mean of `values` for each value of `by`, the worst first.

    Parameters
    ----------
    values
        A pandas Series of numbers or booleans, a row each; missing ones are left out.
    by
        A pandas Series with the same index. Numbers of more than twenty different values are cut into
        `bins` parts of equally many rows.
    confidence
        Of the intervals: Wilson's for booleans, the normal one for numbers.
    fewest
        Slices of fewer rows are left out.
    """
    import pandas as pd

    known = values.notna() & by.notna()
    values, by = values[known], by[known]
    share = _is_share(values)
    values = values.astype(float)
    if pd.api.types.is_numeric_dtype(by) and not pd.api.types.is_bool_dtype(by) and by.nunique() > 20:
        by = pd.qcut(by, bins, duplicates="drop").astype(str)
    groups = values.groupby(by, observed=True).agg(["count", "mean", "var"])
    groups = groups[groups["count"] >= fewest]
    total, mean = len(values), float(values.mean()) if len(values) else 0.0
    spread = float(values.var()) if total > 1 else 0.0
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    found = []
    for value, group in groups.iterrows():
        count, own, variance = int(group["count"]), float(group["mean"]), float(group["var"])
        rest = total - count
        others = (mean * total - own * count) / rest if rest else own
        error = math.sqrt(spread / count + spread / rest) if rest and spread else 0.0
        p_value = 2 * normal_tail(abs(own - others) / error) if error else 1.0
        low, high = _wilson(own, count, z) if share else _normal(own, variance, count, z)
        name = value.item() if hasattr(value, "item") else value
        found.append(
            Slice(str(by.name), name, count, own, low, high, own - others, min(1.0, p_value * len(groups)))
        )
    return sorted(found, key=lambda one: one.metric if higher_is_better else -one.metric)


def _is_share(values: Any) -> bool:
    """Whether the mean is a share: of rows that are right."""
    return bool(values.dtype == bool or set(values.unique()) <= {0, 1})


def _wilson(share: float, count: int, z: float) -> tuple[float, float]:
    """Wilson's interval of a share; E. B. Wilson, *JASA* 22 (1927), 209–212."""
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return max(0.0, middle - half), min(1.0, middle + half)


def _normal(mean: float, variance: float, count: int, z: float) -> tuple[float, float]:
    half = z * math.sqrt(variance / count)
    return mean - half, mean + half
