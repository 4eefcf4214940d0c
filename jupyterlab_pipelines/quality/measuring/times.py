"""Times: gaps between moments, hours of the day, days of the week."""

from __future__ import annotations

import numpy as np

from jupyterlab_pipelines.quality.measuring.numbers import Array
from jupyterlab_pipelines.quality.statistics import Times

UNITS = {
    "D": 1 / 86_400,
    "h": 1 / 3_600,
    "m": 1 / 60,
    "s": 1.0,
    "ms": 1e3,
    "us": 1e6,
    "ns": 1e9,
}
"""Ticks in a second, by numpy's name of the unit."""

LAST_MONTH = 12
"""Up to here a day of the month may be taken for the month."""
MANY = 8
"""So many rows of a month do not all fall on its first twelve days by chance."""

_RESOLUTIONS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))


def measure_times(ordered: Array, scale: float, zone: str | None) -> Times | None:
    """What `ordered` ticks tell about time; `scale` ticks are a second."""
    if len(ordered) == 0:
        return None
    every_step = np.diff(ordered)
    steps = every_step[every_step > 0]
    widest, start = 0, int(ordered[0])
    if len(steps):
        place = int(np.argmax(every_step))
        widest, start = int(every_step[place]), int(ordered[place])
    # In order of time an hour's rows stand together: count the runs, then look at which hours they are.
    ticks, seconds = (round(scale), 1) if scale >= 1 else (1, round(1 / scale))
    every_hour = ordered * seconds // (3_600 * ticks) if seconds > 1 else ordered // (3_600 * ticks)
    starts = np.concatenate(([0], np.flatnonzero(every_hour[1:] != every_hour[:-1]) + 1))
    counts = np.diff(starts, append=len(ordered))
    seen = every_hour[starts]
    hours = np.bincount(seen % 24, weights=counts, minlength=24).astype(np.int64)
    # 1970 began on a Thursday; Monday is the first day.
    weekdays = np.bincount((seen // 24 + 3) % 7, weights=counts, minlength=7).astype(np.int64)
    late, early_only = _days_of_months(seen // 24, counts)
    return Times(
        span=(int(ordered[-1]) - int(ordered[0])) / scale,
        median_gap=_median(steps) / scale if len(steps) else 0.0,
        max_gap=widest / scale,
        max_gap_start=start / scale,
        resolution=_resolution(ordered, scale),
        hours=tuple(hours.tolist()),
        weekdays=tuple(weekdays.tolist()),
        zone=zone,
        late=late,
        early_only=early_only,
    )


def _days_of_months(days: Array, counts: Array) -> tuple[int, int]:
    """Rows after the 12th of a month; and rows of the months between the first and the last that have many
    rows, but none after the 12th, but for the fullest of these. `days` since 1970 in order, each with its rows."""
    dates = days.astype("datetime64[D]")
    months = dates.astype("datetime64[M]")
    is_late = (dates - months.astype("datetime64[D]")).astype(np.int64) >= LAST_MONTH
    starts = np.concatenate(([0], np.flatnonzero(months[1:] != months[:-1]) + 1))
    rows = np.add.reduceat(counts, starts)
    late = np.add.reduceat(np.where(is_late, counts, 0), starts)
    inner = rows[1:-1][(late[1:-1] == 0) & (rows[1:-1] >= MANY)]
    # One alone may be a single day that stands for what is missing.
    return int(late.sum()), int(inner.sum() - inner.max(initial=0))


def _median(steps: Array) -> float:
    # Half as wide, found in half the time.
    return float(np.median(steps.astype(np.int32) if steps.max() < 2**31 else steps))


def _resolution(ordered: Array, scale: float) -> str:
    sample = ordered[:: max(1, len(ordered) // 5_000)]
    if scale < 1:
        sample, scale = sample * round(1 / scale), 1.0
    for name, seconds in _RESOLUTIONS:
        if not (sample % (seconds * round(scale))).any():
            return name
    return "subsecond"
