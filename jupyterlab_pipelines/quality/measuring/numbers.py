"""Numbers in order of size: all that one sort tells."""

from __future__ import annotations

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


def measure_numbers(
    values: Array, *, infinities: int = 0, order: str | None = None, scale: float | None = None
) -> Numbers | None:
    """Numbers of finite `values`, sorted ascending; None when there are none.

    `scale` divides whole numbers into the unit that is told (nanoseconds to seconds).
    """
    count = len(values)
    if count == 0:
        return None
    whole = values.dtype.kind in "iu" and scale is None
    lowest, highest = values[:OUTERMOST], values[: -OUTERMOST - 1 : -1]
    mean, std = _moments(values, scale)
    plain = (lambda array: array.tolist()) if scale is None else (lambda array: (array / scale).tolist())
    return Numbers(
        count=count,
        infinities=infinities,
        zeros=int(np.searchsorted(values, 0, "right") - np.searchsorted(values, 0, "left")),
        negatives=int(np.searchsorted(values, 0, "left")),
        mean=mean,
        std=std,
        grid=_grid(values, scale),
        histogram=_histogram(values, whole, scale),
        lowest=tuple(plain(lowest)),
        highest=tuple(plain(highest)),
        decimals=_decimals(values) if scale is None else None,
        order=order,
    )


def count_values(values: Array) -> tuple[int, int, list[tuple[Any, int]]]:
    """How many distinct `values` (sorted) there are, how many occur once, and the commonest with counts."""
    count = len(values)
    if count == 0:
        return 0, 0, []
    starts = values[1:] != values[:-1]
    distinct = int(np.count_nonzero(starts)) + 1
    if count <= 20_000 or distinct <= count // 8:
        # Where each run of equal values begins; its length is the distance to the next.
        positions = np.flatnonzero(starts) + 1
        positions = np.concatenate(([0], positions))
        runs = np.diff(positions, append=count)
        singletons = int(np.count_nonzero(runs == 1))
        return distinct, singletons, _commonest(values[positions], runs, distinct)
    first = np.concatenate(([True], starts))
    last = np.concatenate((starts, [True]))
    singletons = int(np.count_nonzero(first & last))
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
    wanted = distinct if distinct <= COMPLETE else TOP
    if len(runs) > wanted:
        # Some that are as common as the last wanted one stay out: those that are larger.
        border = np.partition(runs, len(runs) - wanted)[len(runs) - wanted]
        above, equal = np.flatnonzero(runs > border), np.flatnonzero(runs == border)
        kept = np.concatenate((above, equal[: wanted - len(above)]))
        values, runs = values[kept], runs[kept]
        if distinct > COMPLETE:
            # A value that occurs once is not common.
            values, runs = values[runs > 1], runs[runs > 1]
    elif distinct > COMPLETE:
        values, runs = values[runs > 1], runs[runs > 1]
    ranked = np.argsort(-runs, kind="stable")
    return list(zip(values[ranked].tolist(), runs[ranked].tolist(), strict=True))


def _moments(values: Array, scale: float | None) -> tuple[float, float]:
    if scale is not None:
        # Nanoseconds since 1970 have more digits than a float: what is left after the first has not.
        base = int(values[0])
        mean, std = _moments((values - base) / scale, None)
        return base / scale + mean, std
    with np.errstate(over="ignore", invalid="ignore"):
        mean = float(values.mean(dtype=np.float64))
        if not np.isfinite(mean):
            largest = float(np.abs(values).max())
            mean = float((values / largest).mean()) * largest
        deviation = values - mean
        # Not np.dot: it wakes BLAS's threads, whose waiting costs more than the sum.
        np.multiply(deviation, deviation, out=deviation)
        std = float(np.sqrt(deviation.sum() / (len(values) - 1))) if len(values) > 1 else 0.0
        if not np.isfinite(std):
            largest = float(np.abs(values).max())
            std = float((values / largest).std(ddof=1)) * largest
    # The sums of 1e308 may have no float at all.
    return mean, std if np.isfinite(std) else float(np.finfo(np.float64).max)


def _grid(values: Array, scale: float | None) -> tuple[float, ...]:
    positions = np.arange(101) * ((len(values) - 1) / 100)
    left = positions.astype(np.int64)
    right = np.minimum(left + 1, len(values) - 1)
    share = positions - left
    low, high = values[left], values[right]
    if scale is not None:
        return tuple((low / scale + (high - low) / scale * share).tolist())
    if values.dtype.kind in "iu" and (low == high).all():
        return tuple(low.tolist())
    # Weighted rather than low + (high - low) * share, which overflows between -1e308 and 1e308.
    grid = np.where(low == high, low, low * (1 - share) + high * share).tolist()
    grid[0], grid[-1] = values[0].item(), values[-1].item()
    return tuple(grid)


def _histogram(values: Array, whole: bool, scale: float | None) -> Histogram:
    first, last = values[0].item(), values[-1].item()
    if first == last:
        middle = first if scale is None else first / scale
        return Histogram(middle - 0.5, middle + 0.5, (len(values),))
    if whole:
        # Bins that hold equally many whole numbers: else a comb is drawn that is not in the data.
        width = -(-(last - first + 1) // BINS)
        bins = -(-(last - first + 1) // width)
        borders = [first + width * index for index in range(1, bins)]
        inner = np.searchsorted(values, np.array(borders, dtype=values.dtype), "left")
        start, stop = first - 0.5, first + width * bins - 0.5
    else:
        # Halved, as the distance between -1e308 and 1e308 is no float.
        half = last / 2 - first / 2
        edges = np.arange(1, BINS) * (half / BINS) * 2 + first
        inner = np.searchsorted(values, edges, "left")
        start, stop = (first, last) if scale is None else (first / scale, last / scale)
    counts = np.diff(np.concatenate(([0], inner, [len(values)])))
    return Histogram(start, stop, tuple(counts.tolist()))


def _decimals(values: Array) -> int | None:
    """Digits after the point that 99.5 % of the values that are not zero need."""
    sample = values[:: max(1, len(values) // SAMPLE)].astype(np.float64)
    sample = np.abs(sample[sample != 0])
    if len(sample) == 0:
        return None
    # What is a multiple of 0.1 is one of 0.01: the border is found by halving.
    allowed = 0.005 * len(sample)
    fewest, most = -9, MOST_DECIMALS
    if _breaks(sample, most, allowed):
        return None
    if not _breaks(sample, 0, allowed):
        most = 0
    while fewest < most:
        middle = (fewest + most) // 2
        if _breaks(sample, middle, allowed):
            fewest = middle + 1
        else:
            most = middle
    return most


def _breaks(sample: Array, digits: int, allowed: float) -> bool:
    """Whether more than `allowed` values need more than so many digits, but for what a float cannot hold."""
    with np.errstate(over="ignore", invalid="ignore"):
        steps = sample * 10.0**digits if digits >= 0 else sample / 10.0**-digits
        off = np.abs(steps - np.rint(steps)) > np.maximum(1e-9 * steps, 1e-6)
    return bool(np.count_nonzero(off) > allowed)
