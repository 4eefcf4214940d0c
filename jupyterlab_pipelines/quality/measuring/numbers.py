"""Numbers in order of size: all that one sort tells."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np

from jupyterlab_pipelines.quality.statistics import Histogram, Numbers

Array = np.ndarray[Any, np.dtype[Any]]

BINS = 40
TOP = 20
COMPLETE = 100
"""Columns of up to so many distinct values have all of them told."""
OUTERMOST = 10
SAMPLE = 1_000
"""Of how many values the decimals are looked at."""
MOST_DECIMALS = 9
BLOCK = 32_768
FIRST = 64


@dataclass(frozen=True)
class Ordered:
    """Values in order of size: all of them, or each distinct one with how often it occurs.

    `ends` counts the values up to and with each of the distinct ones; None where `values` are all.
    """

    values: Array
    runs: Array | None = None
    ends: Array | None = None

    @property
    def count(self) -> int:
        """How many values there are, equal ones included."""
        return len(self.values) if self.ends is None else int(self.ends[-1]) if len(self.ends) else 0

    def at(self, positions: Array) -> Array:
        """The values at these positions, 0 the smallest."""
        if self.ends is not None:
            positions = self.ends.searchsorted(positions, "right")
        return np.asarray(self.values[positions])

    def below(self, points: Any) -> Array:
        """How many values are smaller than each point."""
        places = self.values.searchsorted(points, "left")
        if self.ends is None:
            return np.asarray(places)
        return np.where(places > 0, self.ends[places - 1], 0)


def put_in_order(values: Array) -> Ordered:
    """`values` in order of size; whole numbers that lie close together are counted instead of sorted."""
    if values.dtype.kind in "iu" and len(values) > 256:
        first, last = values.min().item(), values.max().item()
        if last - first < len(values) // 4 and first > -(2**62) and last < 2**62:
            # In 64 bits: the distance between two int8 may be no int8.
            counts = np.bincount(values.astype(np.int64, copy=False) - first if first else values)
            distinct = np.flatnonzero(counts)
            return counted(distinct + first, counts[distinct])
        if values.dtype.itemsize > 4 and first >= -(2**31) and last < 2**31:
            # Half as wide, sorted in half the time.
            return Ordered(np.sort(values.astype(np.int32)))
    return Ordered(np.sort(values))


def counted(values: Array, runs: Array) -> Ordered:
    """Distinct `values` in order of size, each with how often it occurs."""
    return Ordered(values, runs, np.cumsum(runs))


_AROUND_ZERO = {True: np.array([0, 1]), False: np.array([0.0, np.nextafter(0.0, 1)])}
"""What is not negative, and what is positive: of whole numbers, and of others."""


def measure_numbers(
    ordered: Ordered, *, infinities: int = 0, order: str | None = None, scale: float | None = None
) -> Numbers | None:
    """Numbers of finite values in order of size; None when there are none.

    `scale` divides whole numbers into the unit that is told (nanoseconds to seconds).
    """
    count = ordered.count
    if count == 0:
        return None
    outermost = min(OUTERMOST, count)
    lowest = ordered.at(np.arange(outermost))
    highest = ordered.at(np.arange(count - 1, count - 1 - outermost, -1))
    if scale is not None:
        lowest, highest = lowest / scale, highest / scale
    mean, std = _moments(ordered, scale)
    to_zero, with_zero = ordered.below(_AROUND_ZERO[ordered.values.dtype.kind in "iu"]).tolist()
    return Numbers(
        count=count,
        infinities=infinities,
        zeros=with_zero - to_zero,
        negatives=to_zero,
        mean=mean,
        std=std,
        grid=_grid(ordered, scale),
        histogram=_histogram(ordered, scale),
        lowest=tuple(lowest.tolist()),
        highest=tuple(highest.tolist()),
        decimals=_decimals(ordered.values) if scale is None else None,
        order=order,
    )


def count_values(ordered: Ordered) -> tuple[int, int, list[tuple[Any, int]]]:
    """How many distinct values there are, how many occur once, and the commonest with their counts."""
    values, count = ordered.values, ordered.count
    if count == 0:
        return 0, 0, []
    if ordered.runs is not None:
        return (
            len(values),
            int(np.count_nonzero(ordered.runs == 1)),
            _commonest(values, ordered.runs, len(values)),
        )
    starts = values[1:] != values[:-1]
    distinct = int(np.count_nonzero(starts)) + 1
    if distinct == count > COMPLETE:
        return distinct, distinct, []
    if count <= 20_000 or distinct <= count // 8:
        # Where each run of equal values begins; its length is the distance to the next.
        positions = np.concatenate(([0], np.flatnonzero(starts) + 1, [count]))
        positions, runs = positions[:-1], positions[1:] - positions[:-1]
        return distinct, int(np.count_nonzero(runs == 1)), _commonest(values[positions], runs, distinct)
    singletons = int(np.count_nonzero(starts[1:] & starts[:-1])) + int(starts[0]) + int(starts[-1])
    # A value that occurs `often` times stands at both ends of a window so wide.
    often = max(2, count // 1000)
    windows = np.flatnonzero(values[often - 1 :] == values[: count - often + 1])
    common = np.unique(values[windows])
    runs = np.searchsorted(values, common, "right") - np.searchsorted(values, common, "left")
    return distinct, singletons, _commonest(common, runs, distinct)


def order_of(values: Array) -> str | None:
    """How `values` stand, in the order of the table; NaN is left out."""
    order = None
    for part in (values[:256], values):
        if part.dtype.kind == "f":
            part = part[~np.isnan(part)]
        if len(part) < 2:
            if len(values) <= 256:
                return None
            continue
        left, right = part[:-1], part[1:]
        if (right >= left).all():
            order = "increasing" if (right > left).all() else "nondecreasing"
        elif (right <= left).all():
            order = "decreasing" if (right < left).all() else "nonincreasing"
        else:
            return None
    # All equal: that is no order.
    return None if len(part) < 2 or part[0] == part[-1] else order


def _commonest(values: Array, runs: Array, distinct: int) -> list[tuple[Any, int]]:
    if distinct > COMPLETE:
        # A value that occurs once is not common.
        repeated = np.flatnonzero(runs > 1)
        values, runs = values[repeated], runs[repeated]
        if len(runs) > TOP:
            # Of those that are as common as the last wanted one the smallest.
            border = np.partition(runs, len(runs) - TOP)[len(runs) - TOP]
            above, equal = np.flatnonzero(runs > border), np.flatnonzero(runs == border)
            kept = np.concatenate((above, equal[: TOP - len(above)]))
            values, runs = values[kept], runs[kept]
    ranked = np.argsort(-runs, kind="stable")
    return list(zip(values[ranked].tolist(), runs[ranked].tolist(), strict=True))


def _moments(ordered: Ordered, scale: float | None) -> tuple[float, float]:
    """Mean and standard deviation (of a sample, n - 1)."""
    values, runs, count = ordered.values, ordered.runs, ordered.count
    base = 0
    if scale is not None:
        # Nanoseconds since 1970 have more digits than a float; what is left after the first has not.
        base = int(values[0])
        values = (values - base) / scale
    with np.errstate(over="ignore", invalid="ignore"):
        mean, squares = _sums(values, runs, count)
        if not (np.isfinite(mean) and np.isfinite(squares)):
            # Sums of 1e308 have no float; those of shares of the largest have.
            largest = float(np.abs(values).max())
            mean, squares = _sums(values / largest, runs, count)
            mean, squares = mean * largest, squares * largest * largest if squares else 0.0
            if not np.isfinite(squares):
                std = float(np.sqrt(_sums(values / largest, runs, count)[1] / max(1, count - 1)))
                return mean, min(std * largest, float(np.finfo(np.float64).max))
    std = float(np.sqrt(squares / (count - 1))) if count > 1 else 0.0
    return (base / scale if scale else 0.0) + mean, std


def _sums(values: Array, runs: Array | None, count: int) -> tuple[float, float]:
    """The mean, and the sum of squared deviations from it."""
    if runs is not None:
        mean = float((values * runs).sum(dtype=np.float64)) / count
        return mean, float(((values - mean) ** 2 * runs).sum())
    mean = float(values.mean(dtype=np.float64))
    squares = 0.0
    for start in range(0, count, BLOCK):
        # Block by block in the processor's cache. Not np.dot: it wakes BLAS's threads, whose waiting
        # costs more than the sum.
        deviation = values[start : start + BLOCK] - mean
        deviation *= deviation
        squares += float(deviation.sum())
    return mean, squares


@lru_cache(maxsize=16)
def _grid_positions(count: int) -> tuple[Array, Array, Array]:
    """The neighbours of the 101 quantiles among `count` values in order, and how far behind the left one each lies."""
    last = count - 1
    positions = np.arange(101) * (last / 100)
    left = positions.astype(np.int64)
    return left, np.minimum(left + 1, last), positions - left


def _grid(ordered: Ordered, scale: float | None) -> tuple[float, ...]:
    left, right, share = _grid_positions(ordered.count)
    low, high = ordered.at(left), ordered.at(right)
    if scale is not None:
        return tuple((low / scale + (high - low) / scale * share).tolist())
    if low.dtype.kind in "iu" and (low == high).all():
        return tuple(low.tolist())
    # Weighted rather than low + (high - low) * share, which overflows between -1e308 and 1e308.
    grid = np.where(low == high, low, low * (1 - share) + high * share).tolist()
    grid[0], grid[-1] = low[0].item(), high[-1].item()
    return tuple(grid)


_INNER_BORDERS = np.arange(1, BINS)


def _histogram(ordered: Ordered, scale: float | None) -> Histogram:
    values, count = ordered.values, ordered.count
    first, last = values[0].item(), values[-1].item()
    if first == last:
        middle = first if scale is None else first / scale
        return Histogram(middle - 0.5, middle + 0.5, (count,))
    if values.dtype.kind in "iu" and scale is None:
        # Bins that hold equally many whole numbers: else a comb is drawn that is not in the data.
        width = -(-(last - first + 1) // BINS)
        bins = -(-(last - first + 1) // width)
        inner = ordered.below(
            np.array([first + width * index for index in range(1, bins)], dtype=values.dtype)
        )
        start, stop = first - 0.5, first + width * bins - 0.5
    else:
        # Halved, as the distance between -1e308 and 1e308 is no float.
        half = last / 2 - first / 2
        inner = ordered.below(_INNER_BORDERS * (half / BINS) * 2 + first)
        start, stop = (first, last) if scale is None else (first / scale, last / scale)
    borders = [0, *inner.tolist(), count]
    return Histogram(start, stop, tuple(stop - start for start, stop in pairwise(borders)))


def _decimals(values: Array) -> int | None:
    """Digits after the point that 99.5 % of the (distinct) values that are not zero need."""
    whole = values.dtype.kind in "iu"
    sample = values[:: max(1, len(values) // SAMPLE)].astype(np.float64)
    sample = np.abs(sample[sample != 0])
    if len(sample) == 0:
        return None
    # What is a multiple of 0.1 is one of 0.01: the border is found by halving.
    allowed = 0.005 * len(sample)
    fewest, most = -9, MOST_DECIMALS
    if whole or not _breaks(sample, 0, allowed):
        most = 0
        if _breaks(sample, -1, allowed):
            return 0
    elif _breaks(sample, most, allowed):
        return None
    while fewest < most:
        middle = (fewest + most) // 2
        if _breaks(sample, middle, allowed):
            fewest = middle + 1
        else:
            most = middle
    return most


def _breaks(sample: Array, digits: int, allowed: float) -> bool:
    """Whether more than `allowed` values need more than so many digits, but for what a float cannot hold."""
    if len(sample) > 4 * FIRST and _breaks(sample[:FIRST], digits, allowed):
        # If the first few do, all do.
        return True
    with np.errstate(over="ignore", invalid="ignore"):
        steps = sample * 10.0**digits if digits >= 0 else sample / 10.0**-digits
        off = np.abs(steps - np.rint(steps)) > np.maximum(4e-13 * steps, 1e-6)
    return bool(np.count_nonzero(off) > allowed)
