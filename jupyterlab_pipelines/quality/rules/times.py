"""Times: too old, moved by hours, out of order, with a gap."""

from __future__ import annotations

import math
from collections.abc import Sequence

from jupyterlab_pipelines.quality.chance import chi_square_tail, hypergeometric_tail
from jupyterlab_pipelines.quality.drift import FEWEST, chi_square, cumulated, total_variation
from jupyterlab_pipelines.quality.rules.pair import Anomaly, Pair, moment, percent, span

FEWEST_DAYS = 3
SWAPPED = 0.02
"""The share of rows in months of early days alone that matters."""
FEW = 0.2
"""More times than this share, beyond a gap, are no strays any more."""
FAR = 10.0
"""So many spans away a time does not belong to the others."""
DIRECTIONS = {"increasing": 1, "nondecreasing": 1, "decreasing": -1, "nonincreasing": -1}


def stale_data(pair: Pair) -> Anomaly | None:
    """The newest time lies well before the reference's newest."""
    before, after = pair.before.numbers, pair.after.numbers
    if not before or not after or pair.before.type != "time" or pair.after.type != "time":
        return None
    if min(before.count, after.count) < FEWEST:
        return None
    behind = before.max - after.max
    width = before.max - before.min
    if behind <= 0.1 * width or behind <= 0:
        return None
    # The chance that so many draws from the reference all lie before the newest one now.
    p_value = cumulated(before.grid, after.max) ** min(after.count, pair.after.distinct or after.count)
    if p_value >= pair.limit:
        return None
    return pair.anomaly(
        "stale_data",
        f"The newest time is {moment(after.max)}, {span(behind)} before the reference's {moment(before.max)}.",
        reference=moment(before.max),
        current=moment(after.max),
        p_value=p_value,
        effect=behind / width if width else None,
    )


def shifted_times(pair: Pair) -> Anomaly | None:
    """The hours of the day are those of the reference, moved round the clock."""
    before, after = pair.before.times, pair.after.times
    if not before or not after or pair.before.type != pair.after.type:
        return None
    if min(before.span, after.span) < FEWEST_DAYS * 86_400:
        # A morning after an afternoon is no other time zone.
        return None
    if sum(after.hours) < 24 or (before.resolution == "day" and after.resolution == "day"):
        return None
    unmoved = total_variation(before.hours, after.hours)
    p_value = chi_square_tail(*chi_square(before.hours, after.hours))
    if p_value >= pair.limit or unmoved < 0.1:
        return None
    moves = {
        hours: total_variation(_rolled(before.hours, hours), after.hours) for hours in range(-12, 13) if hours
    }
    best = min(moves, key=lambda hours: (moves[hours], abs(hours)))
    fits = chi_square_tail(*chi_square(_rolled(before.hours, best), after.hours))
    if moves[best] > max(0.05, 0.25 * unmoved) and (fits < 1e-3 or moves[best] > 0.5 * unmoved):
        return None
    zones = (
        "" if before.zone == after.zone else f" (time zone {before.zone or 'none'} → {after.zone or 'none'})"
    )
    return pair.anomaly(
        "shifted_times",
        f"The hours of the day are moved by {best:+d}{zones}: another time zone?",
        reference=before.zone,
        current=best,
        p_value=p_value,
        effect=unmoved,
    )


def _rolled(hours: Sequence[int], by: int) -> list[int]:
    return [hours[(hour - by) % 24] for hour in range(24)]


def day_month_swapped(pair: Pair) -> Anomaly | None:
    """Dates such as 3/4 that were read as 4/3; 13/4 can be read in one way only.

    Months of which only the first twelve days have rows give it away. Where the true dates fill all months of all
    their years alike, the exchanged ones do, too, and nothing can be seen.
    """
    before, after = pair.before.times, pair.after.times
    if not before or not after or pair.before.type != pair.after.type:
        return None
    was, now = before.early_only / pair.before.count, after.early_only / pair.after.count
    p_value = hypergeometric_tail(after.early_only, pair.after.count, before.early_only, pair.before.count)
    if now - was < SWAPPED or p_value >= pair.limit or not after.late or not before.late:
        return None
    if after.late / pair.after.count < 0.5 * before.late / pair.before.count:
        # The rows themselves are others: what is exchanged leaves late days as they are.
        return None
    if pair.after.count * (pair.before.distinct or 0) > 2 * pair.before.count * (pair.after.distinct or 0):
        # The rows of a month are few that occur again and again.
        return None
    return pair.anomaly(
        "day_month_swapped",
        f"{percent(now)} of the times lie in months of which only the days 1 to 12 have rows ({percent(was)} in the "
        "reference): were days read as months?",
        reference=was,
        current=now,
        p_value=p_value,
        effect=now,
    )


def far_times(pair: Pair) -> Anomaly | None:
    """A few times centuries away from all others, also where the table goes on in time."""
    before, after = pair.before.numbers, pair.after.numbers
    if not before or not after or pair.before.type != "time" or min(before.count, after.count) < 20:
        return None
    body = max(after.grid[90] - after.grid[10], before.max - before.min, 86_400.0)
    for value, near, outermost in (
        (after.max, max(after.grid[90], before.max), after.highest),
        (after.min, min(after.grid[10], before.min), after.lowest),
    ):
        if abs(value - near) <= FAR * body:
            continue
        times = max(pair.after.counts.get(value, 0), sum(one == value for one in outermost))
        return pair.anomaly(
            "sentinel_values" if times >= 3 else "outliers",
            f"{moment(value)} ({times} times) lies far from all others, which are around {moment(after.median)}.",
            reference=moment(before.max),
            current=moment(value),
            effect=times / after.count,
        )
    return None


def order_lost(pair: Pair) -> Anomaly | None:
    """Times stood in order, and do not any more."""
    before, after = pair.before.numbers, pair.after.numbers
    if not before or not after or pair.before.type != "time" or before.order is None:
        return None
    if pair.before.count < 10 or pair.after.count < 10 or (pair.before.distinct or 0) < 5:
        return None
    if DIRECTIONS.get(after.order or "") == DIRECTIONS[before.order]:
        return None
    # The chance that times stand in order without being put there.
    p_value = math.exp(-math.lgamma(min(pair.before.distinct or 0, 100) + 1))
    if p_value >= pair.limit:
        return None
    now = f"are {after.order}" if after.order else "are in no order"
    return pair.anomaly(
        "order_lost",
        f"The times were {before.order} and {now}.",
        reference=before.order,
        current=after.order,
        p_value=p_value,
        effect=1.0,
    )


def time_gap(pair: Pair) -> Anomaly | None:
    """A stretch without rows, wider than the reference's rhythm and chance explain."""
    before, after = pair.before.times, pair.after.times
    if not before or not after or pair.before.type != pair.after.type:
        return None
    moments_before, moments_after = pair.before.distinct or 0, pair.after.distinct or 0
    if min(moments_before, moments_after) < 10 or not after.max_gap:
        return None
    mean_before = before.span / (moments_before - 1)
    mean_after = (after.span - after.max_gap) / max(1, moments_after - 2)
    if not mean_after or not mean_before:
        return None
    regular = before.max_gap <= 1.5 * before.median_gap
    if regular:
        # Every tick has a row but for a few; so many in a row are missed by accident?
        ticks_before, ticks_after = before.span / before.median_gap + 1, after.span / before.median_gap + 1
        missed = after.max_gap / before.median_gap - 1
        rate = max(1.0, ticks_before - moments_before + 1) / ticks_before
        rate = max(rate, (ticks_after - missed - moments_after + 1) / max(1.0, ticks_after - missed))
        p_value = min(1.0, ticks_after * min(1.0, rate) ** missed)
        widest = 1.4 * before.max_gap
    else:
        # Moments that fall at random leave gaps that are exponentially distributed; a thinner table has
        # wider ones everywhere.
        p_value = min(1.0, moments_after * math.exp(-after.max_gap / mean_after))
        widest = 2 * before.max_gap * max(1.0, mean_after / mean_before)
    if after.max_gap <= widest or p_value >= pair.limit:
        return None
    end = after.max_gap_start + after.max_gap
    if found := _beyond_the_gap(pair, after.max_gap_start, end, p_value):
        return found
    return pair.anomaly(
        "time_gap",
        f"No row between {moment(after.max_gap_start)} and {moment(end)} ({span(after.max_gap)}); the widest gap of "
        f"the reference was {span(before.max_gap)}.",
        reference=before.max_gap,
        current=after.max_gap,
        p_value=p_value,
        effect=after.max_gap / after.span if after.span else None,
    )


def _beyond_the_gap(pair: Pair, start: float, end: float, p_value: float) -> Anomaly | None:
    """A few times that a gap parts from all others, where the reference had none at all."""
    before, after = pair.before.numbers, pair.after.numbers
    assert before and after
    late = end > before.max
    share = 1 - cumulated(after.grid, start) if late else cumulated(after.grid, start)
    if not (late or start < before.min) or share > FEW or not before.min <= after.median <= before.max:
        return None
    border, outermost = (before.max, after.max) if late else (before.min, after.min)
    return pair.anomaly(
        "out_of_range",
        f"{percent(share)} of the times lie beyond the reference's {'newest' if late else 'oldest'}, "
        f"{moment(border)}, up to {moment(outermost)}.",
        reference=moment(border),
        current=moment(outermost),
        p_value=p_value,
        effect=share,
    )
