"""A table at a glance: one row a column, the guilty ones first. What the panel, charts and reports show.

Every row has the same parts: what is wrong, how much is missing, how many different values there are, the
distribution now and in the reference on shared bins, three numbers. From statistics alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from jupyterlab_pipelines.quality import drift
from jupyterlab_pipelines.quality.anomalies import CHANCE
from jupyterlab_pipelines.quality.rules.pair import moment, number, percent, shown, span
from jupyterlab_pipelines.quality.rules.table import renames
from jupyterlab_pipelines.quality.statistics import Column, Numbers, Statistics

BINS = 24
MOST_VALUES = 12
"""Values of a category that get a bin of their own; the others share one."""
MOST_PAIRS = 2_500
"""Of columns that are gone with columns that are new, which are looked at for renames."""
FAR_WIDTHS = 1.0
"""Outer values so many widths away from the rest are left out of the picture, and counted."""

SEVERITIES = ("error", "warning", "info")

Document = dict[str, Any]


def overview(
    current: Statistics, reference: Statistics | None = None, anomalies: Sequence[Document] = ()
) -> list[Document]:
    """A row for every column, with its anomalies; a column that is gone has a row, too."""
    before = reference.by_name if reference else {}
    by_feature: dict[str, list[Document]] = {}
    for anomaly in anomalies:
        if anomaly["feature"] is not None:
            by_feature.setdefault(anomaly["feature"], []).append(anomaly)
    rows = [
        _row(column, before.get(column.name), by_feature.get(column.name, [])) for column in current.columns
    ]
    rows += [
        _row(before[name], before[name], found) | {"is_gone": True}
        for name, found in by_feature.items()
        if name not in current.by_name and name in before
    ]
    return sorted(rows, key=_rank)


def _rank(row: Document) -> int:
    if not row["anomalies"]:
        return len(SEVERITIES)
    return min(SEVERITIES.index(anomaly["severity"]) for anomaly in row["anomalies"])


def _row(column: Column, before: Column | None, anomalies: list[Document]) -> Document:
    drifted = drift.compare(before, column) if before else None
    return {
        "name": column.name,
        "type": column.type,
        "dtype": column.dtype,
        "is_gone": False,
        "anomalies": anomalies,
        "nulls": _share(column),
        "reference_nulls": _share(before) if before else None,
        "distinct": column.distinct,
        "reference_distinct": before.distinct if before else None,
        "bins": bins(column, before),
        "numbers": _three_numbers(column),
        "reference_numbers": _three_numbers(before) if before else None,
        "quantiles": _told_quantiles(column),
        "reference_quantiles": _told_quantiles(before) if before else None,
        "drift": drifted.to_document() if drifted else None,
    }


def _told_quantiles(column: Column) -> dict[str, str] | None:
    """Seven quantiles and the mean in words, by their names; None of a column that has none."""
    numbers = column.numbers
    if numbers is None or not numbers.count:
        return None
    told = teller(column)
    names = {0: "min", 5: "5 %", 25: "25 %", 50: "median", 75: "75 %", 95: "95 %", 100: "max"}
    return {name: told(numbers.grid[at]) for at, name in names.items()} | {"mean": told(numbers.mean)}


def _share(column: Column) -> float:
    return round(column.nulls / column.rows, 6) if column.rows else 0.0


def _three_numbers(column: Column) -> dict[str, str]:
    """What a row tells of a distribution in words: the smallest, the middle, the largest; or the commonest."""
    if column.numbers and column.numbers.count:
        numbers = column.numbers
        told = teller(column)
        return {"min": told(numbers.min), "median": told(numbers.median), "max": told(numbers.max)}
    if column.top and column.count:
        value, count = column.top[0]
        return {"top": shown(value), "share": percent(count / column.count)}
    lengths = column.text.lengths if column.text else column.lengths
    if lengths and lengths.count:
        return {"shortest": number(lengths.min), "longest": number(lengths.max)}
    return {}


def teller(column: Column) -> Callable[[float], str]:
    """Tells the numbers of a column in words: as numbers, moments or lengths of time."""
    return {"time": moment, "duration": span}.get(column.type, number)


# -- distributions ----------------------------------------------------------------------------------


def bins(
    column: Column, before: Column | None, most_bins: int = BINS, most_values: int = MOST_VALUES
) -> Document | None:
    """The distribution on bins that both sides share, as shares of all values; None where there is none.

    ``values``: a bin for each value, those never seen before marked; ``numbers``: bins of equal width from `start`
    to `stop`, and the shares `below` and `above` that lie far outside.
    """
    if _has_values(column) and (before is None or _has_values(before)):
        return _value_bins(column, before, most_values)
    numbers, earlier = _numbers_of(column), _numbers_of(before) if before else None
    if numbers is None:
        return None
    return _number_bins(numbers, earlier, teller(column) if column.numbers else number, most_bins)


def _has_values(column: Column) -> bool:
    if column.type in ("float", "time", "duration"):
        return False
    is_few = column.is_complete and len(column.top) <= 2 * BINS
    return bool(column.top) and (is_few or column.type == "string")


def _value_bins(column: Column, before: Column | None, most: int) -> Document:
    first = before or column
    if column.type == "int":
        labels = sorted({*first.counts, *column.counts}, key=lambda value: float(value or 0))
    else:
        known = [value for value, _ in first.top[:most]]
        labels = known + [value for value, _ in column.top[:most] if value not in known]
    is_known = before.counts if before else column.counts
    return {
        "kind": "values",
        "labels": [shown(value) for value in labels],
        "current": _value_shares(column, labels),
        "reference": _value_shares(before, labels) if before else None,
        "unseen": [before is not None and before.is_complete and value not in is_known for value in labels],
        "other": _other(column, labels),
        "reference_other": _other(before, labels) if before else None,
    }


def _value_shares(column: Column, labels: Sequence[Any]) -> list[float]:
    return [round(column.counts.get(value, 0) / column.count, 5) if column.count else 0.0 for value in labels]


def _other(column: Column, labels: Sequence[Any]) -> float:
    return round(max(0.0, 1 - sum(_value_shares(column, labels))), 5) if column.count else 0.0


def _numbers_of(column: Column) -> Numbers | None:
    """What is measured of a column: its values, or how long they are."""
    numbers = column.numbers or (column.text.lengths if column.text else column.lengths)
    return numbers if numbers and numbers.count else None


def _number_bins(numbers: Numbers, before: Numbers | None, told: Any, most: int) -> Document:
    both = [numbers, before] if before else [numbers]
    start, stop = min(_inner(one)[0] for one in both), max(_inner(one)[1] for one in both)
    if not (math.isfinite(start) and math.isfinite(stop)) or stop <= start:
        stop = start + 1
    edges = [start + (stop - start) * index / most for index in range(most + 1)]
    return {
        "kind": "numbers",
        "start": start,
        "stop": stop,
        "start_text": told(start),
        "stop_text": told(stop),
        "current": _binned(numbers, edges),
        "reference": _binned(before, edges) if before else None,
        "below": _outside(numbers, start, stop)[0],
        "above": _outside(numbers, start, stop)[1],
    }


def _inner(numbers: Numbers) -> tuple[float, float]:
    """From where to where to draw: all, unless the outermost hundredth lies far away."""
    low, high = numbers.grid[1], numbers.grid[99]
    width = (high - low) or abs(high) or 1
    start = numbers.min if low - numbers.min <= FAR_WIDTHS * width else low
    stop = numbers.max if numbers.max - high <= FAR_WIDTHS * width else high
    return start, stop


def _binned(numbers: Numbers, edges: Sequence[float]) -> list[float]:
    grid = numbers.grid
    below = [drift.cumulated(grid, edge) for edge in edges[:-1]]
    # The largest value belongs to the last bin.
    shares = [b - a for a, b in zip(below, [*below[1:], _up_to(grid, edges[-1])], strict=True)]
    return [round(max(0.0, share), 5) for share in shares]


def _up_to(grid: Sequence[float], edge: float) -> float:
    return 1.0 if edge >= grid[-1] else drift.cumulated(grid, edge)


def _outside(numbers: Numbers, start: float, stop: float) -> tuple[float, float]:
    below = drift.cumulated(numbers.grid, start) if numbers.min < start else 0.0
    above = 1 - drift.cumulated(numbers.grid, stop) if numbers.max > stop else 0.0
    return round(max(0.0, below), 5), round(max(0.0, above), 5)


# -- what a step did --------------------------------------------------------------------------------


def likely_renames(before: Statistics, after: Statistics) -> dict[str, str]:
    """Old and new names of columns that were only renamed, as far as it looks; none where very many are new."""
    gone = len(before.by_name.keys() - after.by_name.keys())
    new = len(after.by_name.keys() - before.by_name.keys())
    if not 0 < gone * new <= MOST_PAIRS:
        return {}
    return renames(_without_nulls(before), _without_nulls(after))


def _without_nulls(statistics: Statistics) -> Statistics:
    """The values alone: a step may rename a column and fill it, or make nulls in it."""
    columns = tuple(replace(column, rows=column.count, nulls=0) for column in statistics.columns)
    return replace(statistics, columns=columns)


def changes(before: Statistics, after: Statistics) -> Document:
    """What lies between two tables: rows, columns, types, nulls and categories that came or went, and drift.

    A column that looks as if it was only renamed is compared with what it was called before. Rows are told by their
    number alone: of a step that drops some and adds others, the difference. Drift is told where chance does not
    explain it and it is large enough to matter.
    """
    renamed = likely_renames(before, after)
    former = {new: old for old, new in renamed.items()}
    common = [
        (before.by_name[former.get(column.name, column.name)], column)
        for column in after.columns
        if former.get(column.name, column.name) in before.by_name
    ]
    known = {new.name for _, new in common}
    return {
        "rows_before": before.rows,
        "rows_after": after.rows,
        "rows_dropped": max(0, before.rows - after.rows),
        "rows_added": max(0, after.rows - before.rows),
        "columns_added": [column.name for column in after.columns if column.name not in known],
        "columns_removed": [
            column.name
            for column in before.columns
            if column.name not in after.by_name and column.name not in renamed
        ],
        "columns_renamed": [{"before": old, "after": new} for old, new in renamed.items()],
        "types": [
            {"column": new.name, "before": old.type, "after": new.type}
            for old, new in common
            if old.type != new.type
        ],
        "nulls": [
            {"column": new.name, "before": old.nulls, "after": new.nulls}
            for old, new in common
            if old.nulls != new.nulls
        ],
        "categories_lost": [
            {"column": new.name, "values": lost} for old, new in common if (lost := _lost(old, new))
        ],
        "categories_gained": [
            {"column": new.name, "values": gained} for old, new in common if (gained := _lost(new, old))
        ],
        "drift": {
            new.name: found.to_document()
            for old, new in common
            if (found := drift.compare(old, new))
            and found.p_value < CHANCE / len(common)
            and found.effect >= 1
        },
    }


def _lost(old: Column, new: Column) -> list[Any]:
    if not new.is_complete or old.type != new.type or old.type not in ("string", "bool"):
        return []
    return [value for value, _ in old.top if value not in new.counts][:MOST_VALUES]


def column_facts(column: Column | None) -> Document:
    """One column at one moment, for a trend; all null where there is no such column."""
    numbers = column.numbers if column and column.numbers and column.numbers.count else None
    return {
        "nulls": _share(column) if column else None,
        "distinct": column.distinct if column else None,
        "mean": numbers.mean if numbers else None,
        "quantiles": _quantiles(numbers) if numbers else None,
        "top": [[shown(value), round(count / column.count, 6)] for value, count in column.top[:MOST_VALUES]]
        if column and column.count and not numbers
        else None,
    }


def _quantiles(numbers: Numbers) -> list[float]:
    return [numbers.grid[at] for at in (5, 25, 50, 75, 95)]


def trend(statistics: Mapping[str, Statistics], most_columns: int) -> list[Document]:
    """Rows, nulls and five quantiles per column and run, in the order of `statistics` (by run id)."""
    return [
        {
            "run_id": run_id,
            "rows": table.rows,
            "columns": {
                column.name: {
                    "nulls": _share(column),
                    "quantiles": _quantiles(column.numbers)
                    if column.numbers and column.numbers.count
                    else None,
                }
                for column in table.columns[:most_columns]
            },
        }
        for run_id, table in statistics.items()
    ]
