"""Metric drift: a metric that lies beyond what earlier executions of the same code explain.

One number says nothing of chance; the numbers before it do. With the same code and the same parameters a metric moves
as the data do, so a new value is told where it lies outside the prediction interval of the earlier ones (Student's t)
*and* differs from their mean by enough to matter.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from jupyterlab_pipelines.quality.chance import student_tail
from jupyterlab_pipelines.quality.rules.pair import Anomaly, number, percent

CHANCE = 0.005
"""How often a step without any fault may raise an alarm; shared among its metrics."""
FEWEST = 5
"""With fewer values before it nothing is said of a metric."""
LARGE_CHANGE = 0.05
"""A change, as a share of the mean, that matters."""


def unusual(metrics: Mapping[str, Any], earlier: Sequence[Mapping[str, Any]]) -> list[Anomaly]:
    """An anomaly for every metric that is not like the same metric before.

    Parameters
    ----------
    earlier
        The metrics of earlier executions.
    """
    known = {name: value for name, value in metrics.items() if _is_number(value)}
    found = []
    for name, value in known.items():
        before = [float(one[name]) for one in earlier if _is_number(one.get(name))]
        anomaly = _compared(name, float(value), before, CHANCE / len(known))
        if anomaly:
            found.append(anomaly)
    return sorted(found, key=lambda one: one.p_value or 0.0)


def _compared(name: str, value: float, before: Sequence[float], limit: float) -> Anomaly | None:
    count = len(before)
    if count < FEWEST:
        return None
    mean = math.fsum(before) / count
    spread = math.sqrt(math.fsum((one - mean) ** 2 for one in before) / (count - 1))
    change = abs(value - mean) / (abs(mean) or max(spread, abs(value)) or 1.0)
    if change < LARGE_CHANGE:
        return None
    error = spread * math.sqrt(1 + 1 / count)
    p_value = 2 * student_tail(abs(value - mean) / error, count - 1) if error else 0.0
    if p_value >= limit:
        return None
    return Anomaly(
        name,
        "metric_drift",
        f"{number(value)}, {percent(change)} {'above' if value > mean else 'below'} the mean of the {count} executions "
        f"before it, which gave {number(min(before))} to {number(max(before))}.",
        mean,
        value,
        p_value,
        change,
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
