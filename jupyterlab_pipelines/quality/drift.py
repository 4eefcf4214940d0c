"""Drift: how far two columns lie apart, and whether chance explains it, from their statistics alone.

A difference counts when chance cannot explain it *and* it is large enough to matter:

- numbers, times and lengths with many values: Kolmogorov–Smirnov's distance between the two
  distribution functions (interpolated in the 101-point grids), and Wasserstein's distance in
  standard deviations of the reference; where the middle or the width has changed, which that test
  is slow to see, the rank tests of Wilcoxon and of Mood as well;
- few values, categories and booleans: chi-square with rare values pooled, and the value whose share
  has changed the most; the total variation (the share of rows that would have to change their value),
  and Cohen's h of that value.

PSI and Jensen–Shannon's divergence (base 2) are there for those who ask for them.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from jupyterlab_pipelines.quality.chance import chi_square_tail, kolmogorov_tail, normal_tail
from jupyterlab_pipelines.quality.statistics import Column, Numbers, Value

LARGE_DISTANCE = 0.1
"""A Kolmogorov–Smirnov distance that matters."""
LARGE_MOVE = 0.2
"""A Wasserstein distance, in standard deviations, that matters."""
LARGE_WIDENING = 0.25
"""A change of the width of the middle four fifths that matters, as a logarithm."""
LARGE_VARIATION = 0.1
"""A total variation that matters."""
LARGE_CHANGE = 0.2
"""A change of one value's share that matters, as Cohen's h: from 1 to 4 %, from 40 to 50 %."""
FEW_NUMBERS = 12
"""Numbers with more distinct values are compared by size, not value by value."""
FEWEST = 8
"""With fewer values on a side nothing is said."""


@dataclass(frozen=True, slots=True)
class Drift:
    """How far two columns lie apart.

    `measure` is ``kolmogorov_smirnov`` or ``total_variation``, `distance` its value, 0 to 1;
    `effect` is the distance (or the move) as a multiple of what matters, so 1 and more matter.
    `move` is Wasserstein's distance in standard deviations, None for categories.
    """

    measure: str
    distance: float
    p_value: float
    effect: float
    move: float | None = None

    def to_document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "measure": self.measure,
            "distance": self.distance,
            "p_value": self.p_value,
            "effect": self.effect,
            "move": self.move,
        }


def compare(reference: Column, current: Column, *, goes_on: bool = False) -> Drift | None:
    """How far `current` lies from `reference`; None where that cannot be said.

    `goes_on`: the rows of one table follow those of the other in time. Where neighbouring rows are alike, each
    table then has fewer independent values than rows.

    It cannot where a side has fewer than eight values, the types have nothing in common, or the
    column is text with too many different values (the lengths are compared then).
    """
    if min(reference.count, current.count) < FEWEST:
        return None
    if are_both_categories(reference, current):
        return compare_counts(reference, align(reference, current))
    if reference.numbers and current.numbers:
        return compare_numbers(reference.numbers, current.numbers, goes_on=goes_on)
    if reference.text and current.text:
        return compare_numbers(reference.text.lengths, current.text.lengths)
    if reference.lengths and current.lengths:
        return compare_numbers(reference.lengths, current.lengths)
    return None


def are_both_categories(reference: Column, current: Column) -> bool:
    """Whether both columns have so few values that each of them is counted."""
    if _family(reference) != _family(current):
        return False
    if reference.type == "string" and current.type == "string":
        # Some of the rare values may be untold: they are pooled.
        return _told(reference) > 0.8 and _told(current) > 0.5
    if (
        reference.type in ("int", "float")
        and max(reference.distinct or 0, current.distinct or 0) > FEW_NUMBERS
    ):
        return False
    return reference.is_complete and current.is_complete


def _family(column: Column) -> str:
    # 0 and 1 are booleans to some.
    return "number" if column.type in ("int", "float", "bool") else column.type


def align(reference: Column, current: Column) -> Column:
    """`current` with the values that differ from one of the reference's in the last digits alone made equal."""
    if "float" not in (reference.type, current.type) or not reference.top:
        return current
    known = {_nine_digits(value): value for value in reference.counts}
    if all(value in reference.counts or _nine_digits(value) not in known for value in current.counts):
        return current
    counts: dict[Value, int] = {}
    for value, count in current.top:
        value = known.get(_nine_digits(value), value)
        counts[value] = counts.get(value, 0) + count
    distinct = current.distinct - (len(current.top) - len(counts)) if current.distinct is not None else None
    return replace(current, top=tuple(counts.items()), distinct=distinct)


def _nine_digits(value: Value) -> Value:
    return float(f"{value:.9g}") if isinstance(value, int | float) else value


def _told(column: Column) -> float:
    return sum(count for _, count in column.top) / column.count if column.count else 0.0


# -- categories -----------------------------------------------------------------------------------


def compare_counts(reference: Column, current: Column) -> Drift:
    """Two columns of counted values."""
    before, after = told_counts(reference, current)
    statistic, freedom = chi_square(before, after)
    p_value = chi_square_tail(statistic, freedom)
    if freedom > 1:
        # Two looks at one column: the better one, at twice its price.
        p_value = min(1.0, 2 * min(p_value, largest_change(before, after)))
    distance = total_variation(before, after)
    numbers = reference.numbers and current.numbers and reference.type in ("int", "float")
    move = None
    effect = max(distance / LARGE_VARIATION, _cohens_h(before, after) / LARGE_CHANGE)
    if numbers and reference.numbers and current.numbers:
        ordered = compare_numbers(reference.numbers, current.numbers)
        move = ordered.move
        p_value = min(1.0, 2 * min(p_value, ordered.p_value))
        effect = max(effect, ordered.effect)
    return Drift("total_variation", distance, p_value, effect, move)


def told_counts(reference: Column, current: Column) -> tuple[list[int], list[int]]:
    """Counts side by side of all values that either side tells; the untold ones are the last pair.

    A value is told by both sides only if both lists are complete or both have it: what the other side
    may have without telling is pooled with the untold.
    """
    values: list[Value]
    if reference.is_complete and current.is_complete:
        values = list({**reference.counts, **current.counts})
    else:
        values = [value for value in reference.counts if value in current.counts]
        values += [
            value for value in current.counts if value not in reference.counts and reference.is_complete
        ]
        values += [value for value in reference.counts if value not in current.counts and current.is_complete]
    before = [reference.counts.get(value, 0) for value in values]
    after = [current.counts.get(value, 0) for value in values]
    return [*before, reference.count - sum(before)], [*after, current.count - sum(after)]


def chi_square(before: Sequence[int], after: Sequence[int]) -> tuple[float, int]:
    """Statistic and degrees of freedom of "both come from one population".

    Values that are expected less than five times on a side are pooled, as the approximation is good
    from there on.
    """
    total_before, total_after = sum(before), sum(after)
    total = total_before + total_after
    if not total_before or not total_after:
        return 0.0, 0
    smaller = min(total_before, total_after) / total
    statistic, cells, rare_before, rare_after = 0.0, 0, 0, 0

    def cell(a: int, b: int) -> float:
        expected_a, expected_b = (a + b) * total_before / total, (a + b) * total_after / total
        return (a - expected_a) ** 2 / expected_a + (b - expected_b) ** 2 / expected_b

    for a, b in zip(before, after, strict=True):
        if (a + b) * smaller < 5:
            rare_before, rare_after = rare_before + a, rare_after + b
        else:
            statistic += cell(a, b)
            cells += 1
    if rare_before + rare_after:
        statistic += cell(rare_before, rare_after)
        cells += 1
    return statistic, cells - 1


def largest_change(before: Sequence[int], after: Sequence[int]) -> float:
    """P that any value's share changes as much as the one that has changed the most."""
    total_before, total_after = sum(before), sum(after)
    if not total_before or not total_after:
        return 1.0
    weight = 1 / total_before + 1 / total_after
    largest = 0.0
    for a, b in zip(before, after, strict=True):
        share = (a + b) / (total_before + total_after)
        if min(share, 1 - share) / weight >= 5:
            change = abs(a / total_before - b / total_after)
            largest = max(largest, change / math.sqrt(share * (1 - share) * weight))
    return min(1.0, 2 * len(before) * normal_tail(largest))


def _cohens_h(before: Sequence[int], after: Sequence[int]) -> float:
    """The largest distance between two shares of a value, on the scale on which chance moves all shares alike."""
    total_before, total_after = sum(before) or 1, sum(after) or 1
    return max(
        2 * abs(math.asin(math.sqrt(a / total_before)) - math.asin(math.sqrt(b / total_after)))
        for a, b in zip(before, after, strict=True)
    )


def total_variation(before: Sequence[int], after: Sequence[int]) -> float:
    """The share of rows that would have to change their value; 0 to 1."""
    total_before, total_after = sum(before) or 1, sum(after) or 1
    return sum(abs(a / total_before - b / total_after) for a, b in zip(before, after, strict=True)) / 2


# -- numbers --------------------------------------------------------------------------------------


def compare_numbers(reference: Numbers, current: Numbers, *, goes_on: bool = False) -> Drift:
    """Two columns of numbers."""
    if goes_on:
        reference, current = _independent(reference), _independent(current)
    distance = kolmogorov_smirnov(reference.grid, current.grid)
    if distance > LARGE_DISTANCE / 2:
        # A value that many have may differ in its last digit, which would tear both apart there.
        distance = kolmogorov_smirnov(_rounded(reference.grid), _rounded(current.grid))
    p_value = kolmogorov_tail(distance, reference.count, current.count)
    move = wasserstein(reference.grid, current.grid) / (spread(reference) or spread(current) or 1.0)
    effect = max(distance / LARGE_DISTANCE, min(move, 10.0) / LARGE_MOVE if distance > 0.03 else 0.0)
    widening = _widening(reference.grid, current.grid)
    if p_value > 1e-12 and distance > 0.03 and max(effect, widening / LARGE_WIDENING) >= 1:
        place, width = rank_tests(reference, current)
        # Three looks at one column: the best one, at three times its price.
        p_value = min(1.0, 3 * min(p_value, place, width))
        effect = max(effect, widening / LARGE_WIDENING)
    return Drift("kolmogorov_smirnov", distance, p_value, effect, move)


def _independent(numbers: Numbers) -> Numbers:
    """As if there were only so many values as tell as much as these, of which neighbours are alike.

    Of a first-order autoregressive process, n values tell as much about the mean as n (1 - r) / (1 + r)
    independent ones.
    """
    return replace(numbers, count=max(1, round(numbers.count * independence(numbers))))


def independence(numbers: Numbers) -> float:
    """How many independent values one of these is worth, as neighbours are alike: 0 to 1."""
    likeness = min(max(numbers.autocorrelation or 0.0, 0.0), 0.999)
    return (1 - likeness) / (1 + likeness)


def _widening(before: Sequence[float], after: Sequence[float]) -> float:
    first, second = before[90] - before[10], after[90] - after[10]
    if not 0 < min(first, second) <= max(first, second) < math.inf:
        return 0.0
    return abs(math.log(second) - math.log(first))


def rank_tests(reference: Numbers, current: Numbers) -> tuple[float, float]:
    """P of so different places (Wilcoxon's rank sum) and widths (Mood's test) by chance, two-sided.

    Both work on the ranks in the two samples together, so no tail is too heavy for them.
    """
    total = reference.count + current.count
    parts = reference.count / total, current.count / total
    before, after = _rounded(reference.grid), _rounded(current.grid)
    points = sorted({*before, *after})
    both = zip(_middle_cumulated(before, points), _middle_cumulated(after, points), strict=True)
    ranks = {point: parts[0] * a + parts[1] * b for point, (a, b) in zip(points, both, strict=True)}
    places = [[ranks[value] for value in grid] for grid in (before, after)]
    widths = [[(rank - 0.5) ** 2 for rank in sample] for sample in places]
    weight = 1 / reference.count + 1 / current.count
    return _same_mean(places, parts, weight), _same_mean(widths, parts, weight)


def _same_mean(samples: Sequence[Sequence[float]], parts: Sequence[float], weight: float) -> float:
    """P of so different means of two samples, which are `parts` of all values; `weight`: 1/n + 1/m."""
    means = [_mean(sample) for sample in samples]
    squares = [_mean([value * value for value in sample]) for sample in samples]
    middle = parts[0] * means[0] + parts[1] * means[1]
    variance = parts[0] * squares[0] + parts[1] * squares[1] - middle * middle
    if variance < 1e-9:
        return 1.0
    return min(1.0, 2 * normal_tail(abs(means[0] - means[1]) / math.sqrt(variance * weight)))


def _mean(values: Sequence[float]) -> float:
    """Of what a grid holds, by trapezoids."""
    return (math.fsum(values) - (values[0] + values[-1]) / 2) / (len(values) - 1)


def _middle_cumulated(grid: Sequence[float], points: Sequence[float]) -> list[float]:
    """The share of values below each of the ascending points, of those equal to it half."""
    up_to = _all_cumulated(grid, points)
    mirrored = _all_cumulated([-value for value in reversed(grid)], [-point for point in reversed(points)])
    below = [1 - share for share in reversed(mirrored)]
    return [(low + high) / 2 for low, high in zip(below, up_to, strict=True)]


def kolmogorov_smirnov(before: Sequence[float], after: Sequence[float]) -> float:
    """The widest distance between two distribution functions, each given by its grid of quantiles."""
    # Both are straight between their points, so the widest distance is at one of these. One pass over all,
    # as this is what comparing two tables spends its time on.
    first_last, second_last = len(before) - 1, len(after) - 1
    first_right = second_right = 0
    widest = 0.0
    for point in sorted({*before, *after}):
        while first_right <= first_last and before[first_right] <= point:
            first_right += 1
        while second_right <= second_last and after[second_right] <= point:
            second_right += 1
        first, second = float(first_right - 1), float(second_right - 1)
        if 0 < first_right <= first_last and (low := before[first_right - 1]) != point:
            first += (point - low) / (before[first_right] - low)
        if 0 < second_right <= second_last and (low := after[second_right - 1]) != point:
            second += (point - low) / (after[second_right] - low)
        distance = (first if first > 0 else 0.0) / first_last - (second if second > 0 else 0.0) / second_last
        if distance > widest:
            widest = distance
        elif -distance > widest:
            widest = -distance
    return widest


def _all_cumulated(grid: Sequence[float], points: Sequence[float]) -> list[float]:
    """`cumulated` at ascending points, in one go."""
    found = []
    right, last = 0, len(grid) - 1
    for point in points:
        while right <= last and grid[right] <= point:
            right += 1
        if right == 0:
            found.append(0.0)
        elif right > last:
            found.append(1.0)
        else:
            low = grid[right - 1]
            found.append((right - 1 + (point - low) / (grid[right] - low)) / last)
    return found


def _rounded(grid: Sequence[float]) -> list[float]:
    """To nine significant digits."""
    return [float(f"{value:.9g}") for value in grid]


def cumulated(grid: Sequence[float], point: float) -> float:
    """The share of values up to `point`, interpolated in a grid of quantiles."""
    right = bisect_right(grid, point)
    if right == 0:
        return 0.0
    last = len(grid) - 1
    if right > last:
        return 1.0
    low, high = grid[right - 1], grid[right]
    return (right - 1 + (point - low) / (high - low)) / last


def wasserstein(before: Sequence[float], after: Sequence[float]) -> float:
    """The mean distance between equal quantiles, the outermost left out: one outlier is no drift."""
    return math.fsum(abs(a - b) for a, b in zip(before[1:-1], after[1:-1], strict=True)) / (len(before) - 2)


def spread(numbers: Numbers) -> float:
    """The standard deviation of the middle 98 %: one outlier must not hide a move."""
    inner = numbers.grid[1:-1]
    middle = math.fsum(inner) / len(inner)
    return math.sqrt(math.fsum((value - middle) ** 2 for value in inner) / len(inner))


# -- on request -----------------------------------------------------------------------------------


def shares(reference: Column, current: Column, bins: int = 10) -> tuple[list[float], list[float]]:
    """Both columns as shares of the same bins: values, or tenths of the reference's distribution."""
    if are_both_categories(reference, current):
        before, after = told_counts(reference, current)
        return [a / max(1, sum(before)) for a in before], [b / max(1, sum(after)) for b in after]
    first, second = _compared_numbers(reference, current)
    edges = sorted({first.grid[round(index * 100 / bins)] for index in range(1, bins)})
    return _binned(first.grid, edges), _binned(second.grid, edges)


def _compared_numbers(reference: Column, current: Column) -> tuple[Numbers, Numbers]:
    for first, second in (
        (reference.numbers, current.numbers),
        (reference.text and reference.text.lengths, current.text and current.text.lengths),
        (reference.lengths, current.lengths),
    ):
        if first and second:
            return first, second
    raise ValueError(
        f"{reference.name} is {reference.type}, {current.name} is {current.type}: no common scale"
    )


def _binned(grid: Sequence[float], edges: Sequence[float]) -> list[float]:
    below = [0.0, *(cumulated(grid, edge) for edge in edges), 1.0]
    return [high - low for low, high in pairwise(below)]


def population_stability(before: Sequence[float], after: Sequence[float]) -> float:
    """The population stability index of two rows of shares; shares of zero count as 0.0001."""
    return math.fsum(
        (max(b, 1e-4) - max(a, 1e-4)) * math.log(max(b, 1e-4) / max(a, 1e-4))
        for a, b in zip(before, after, strict=True)
    )


def jensen_shannon(before: Sequence[float], after: Sequence[float]) -> float:
    """Jensen–Shannon's divergence of two rows of shares, to base 2: 0 (equal) to 1 (nothing in common)."""
    divergence = 0.0
    for a, b in zip(before, after, strict=True):
        middle = (a + b) / 2
        divergence += sum(share * math.log2(share / middle) for share in (a, b) if share > 0) / 2
    return max(0.0, divergence)


def measures(reference: Column, current: Column) -> dict[str, float]:
    """PSI and Jensen–Shannon's divergence of two columns; empty where they have no common scale."""
    try:
        before, after = shares(reference, current)
    except ValueError:
        return {}
    return {
        "population_stability_index": population_stability(before, after),
        "jensen_shannon_divergence": jensen_shannon(before, after),
    }
