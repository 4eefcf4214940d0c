"""What concerns the whole table, or columns together: rows, names, exchanges, correlations."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from difflib import SequenceMatcher

from jupyterlab_pipelines.quality.chance import binomial_tail, hypergeometric_tail, normal_tail
from jupyterlab_pipelines.quality.drift import Drift, compare
from jupyterlab_pipelines.quality.rules.pair import Anomaly, number, percent
from jupyterlab_pipelines.quality.statistics import Column, Statistics

COLLAPSE = 0.105
"""Fewer rows than this share of the reference are too few: less than a 90 to 10 split leaves."""
MORE_DUPLICATES = 0.01
WEAKENED = 0.3
"""A difference of correlations that matters."""
STRONG = 0.5
"""A correlation that may be missed."""
FEWEST_ROWS = 20


def row_counts(before: Statistics, after: Statistics) -> Anomaly | None:
    """No rows, or far fewer. More rows, however many, are what tables get: after the sample comes the whole.

    What multiplies rows by mistake is told by the keys and rows that occur again.
    """
    if not before.rows:
        return None
    if not after.rows:
        return Anomaly(
            None,
            "empty_table",
            f"The table is empty; the reference has {before.rows} rows.",
            before.rows,
            0,
            effect=1.0,
        )
    ratio = after.rows / before.rows
    if ratio >= COLLAPSE or before.rows < FEWEST_ROWS:
        return None
    return Anomaly(
        None,
        "row_count_dropped",
        f"{after.rows} rows, {percent(ratio)} of the reference's {before.rows}.",
        before.rows,
        after.rows,
        effect=1 - ratio,
    )


def duplicate_rows(before: Statistics, after: Statistics, limit: float) -> Anomaly | None:
    """Whole rows occur again."""
    if before.duplicates is None or after.duplicates is None or not after.duplicates or not before.rows:
        return None
    # In a table without a key, equal rows are met the more often the more rows there are: pairs of rows
    # grow with the square.
    usual = before.duplicates / before.rows * max(1.0, after.rows / before.rows)
    share = after.duplicates / after.rows
    here, there = after.rows**2, before.rows**2
    p_value = binomial_tail(after.duplicates, after.duplicates + before.duplicates, here / (here + there))
    # Where most rows repeat another, there is no room for squares.
    p_value = max(p_value, hypergeometric_tail(after.duplicates, after.rows, before.duplicates, before.rows))
    if share - usual < MORE_DUPLICATES or p_value >= limit:
        return None
    return Anomaly(
        None,
        "duplicate_rows",
        f"{after.duplicates} rows ({percent(share)}) repeat an earlier one; {before.duplicates} in the reference.",
        before.duplicates,
        after.duplicates,
        p_value,
        share,
    )


def expected_duplicates(before: Statistics, after: Statistics, suspects: Collection[str]) -> float:
    """How many rows of `after` would repeat another by chance, for all that the sound columns tell apart.

    Two columns that do not go together are enough to tell; their values as common as in the reference.
    """
    sound = [
        column
        for column in after.columns
        if column.name in before.by_name
        and column.name not in suspects
        and before.by_name[column.name].distinct is not None
    ]
    meetings = {column.name: _meeting(before.by_name[column.name]) for column in sound}
    related = {frozenset((a, b)) for a, b, r in before.correlations if abs(r) >= STRONG}
    pairs = after.rows**2 / 2
    ranked = sorted(meetings, key=lambda name: meetings[name])
    if not ranked:
        return pairs
    first = ranked[0]
    second = next((name for name in ranked[1:] if frozenset((first, name)) not in related), None)
    return pairs * meetings[first] * (meetings[second] if second else 1.0)


def _meeting(column: Column) -> float:
    """P that two rows have the same value (or none)."""
    rows = max(1, column.rows)
    told = sum(count for _, count in column.top)
    among_told = sum((count / rows) ** 2 for _, count in column.top)
    others = max(1, (column.distinct or 0) - len(column.top))
    return float(among_told + ((column.count - told) / rows) ** 2 / others + (column.nulls / rows) ** 2)


# -- columns that come and go -----------------------------------------------------------------------


def renames(before: Statistics, after: Statistics) -> dict[str, str]:
    """Old names and new names of columns that look as if they were only renamed."""
    gone = [column for column in before.columns if column.name not in after.by_name]
    new = [column for column in after.columns if column.name not in before.by_name]
    scored = []
    for old in gone:
        for fresh in new:
            if (score := likeness(old, fresh)) > 0:
                scored.append((score, old.name, fresh.name))
    found: dict[str, str] = {}
    taken: set[str] = set()
    for _, old_name, new_name in sorted(scored, key=lambda item: -item[0]):
        if old_name not in found and new_name not in taken:
            found[old_name] = new_name
            taken.add(new_name)
    return found


def likeness(old: Column, new: Column) -> float:
    """How much `new` looks like `old` under another name: 0 (not at all) to 2."""
    names = _alike(old.name, new.name)
    if {old.type, new.type} - {"int", "float"} and old.type != new.type:
        return 1.0 if names == 1.0 else 0.0
    contents = _same_contents(old, new)
    if names == 1.0:
        return 1.0 + contents
    return names / 2 + contents if contents >= 0.6 and (names >= 0.3 or contents >= 0.9) else 0.0


def _alike(first: str, second: str) -> float:
    a, b = re.sub(r"[\W_]", "", first).casefold(), re.sub(r"[\W_]", "", second).casefold()
    if a == b:
        return 1.0
    return 0.99 * SequenceMatcher(None, a, b).ratio()


def _same_contents(old: Column, new: Column) -> float:
    """1 where nothing tells the values apart, 0 where they are others."""
    if not old.count or not new.count:
        return 0.7 if old.count == new.count else 0.0
    if abs(old.nulls / old.rows - new.nulls / new.rows) > 0.1 or (
        old.is_unique != new.is_unique and old.count > 50
    ):
        return 0.0
    if old.type == "string" and old.is_complete and new.is_complete:
        common = sum(new.counts.get(value, 0) for value in old.counts) / new.count
        if common < 0.8:
            return 0.0
        if common > 0.95 and len(old.top) > 2:
            # The very same words.
            return 1.0
    if old.is_unique and new.is_unique and old.type == "int" and new.numbers:
        return 0.7
    drift = compare(old, new)
    if drift is None:
        return 0.6
    if drift.p_value > 1e-3 or drift.distance < 0.05:
        # Booleans and the like are soon alike.
        return 1.0 if (old.distinct or 0) > 5 else 0.7
    return max(0.0, 0.9 - 3 * drift.distance)


def swapped(before: Statistics, after: Statistics, suspects: Collection[str], limit: float) -> dict[str, str]:
    """Names of columns that have exchanged their contents, both ways."""
    found: dict[str, str] = {}
    names = [name for name in suspects if name in before.by_name and name in after.by_name]
    # What still holds its own has been exchanged with nothing.
    moved = {name for name in names if not _holds(before.by_name[name], after.by_name[name], limit)}
    for index, first in enumerate(names):
        for second in names[index + 1 :]:
            if first in found or second in found or first not in moved or second not in moved:
                continue
            if _holds(before.by_name[first], after.by_name[second], limit) and _holds(
                before.by_name[second], after.by_name[first], limit
            ):
                found[first], found[second] = second, first
    return found


def _holds(old: Column, new: Column, limit: float) -> bool:
    """Whether `new` holds what `old` held."""
    if old.type != new.type and {old.type, new.type} != {"int", "float"}:
        return False
    if (
        old.type == "string"
        and old.is_complete
        and sum(new.counts.get(value, 0) for value in old.counts) < 0.9 * new.count
    ):
        return False
    if old.text and new.text and not old.is_complete:
        known = dict(old.text.shapes)
        if (
            sum(count for shape, count in new.text.shapes if shape in known)
            < 0.5 * sum(known.values()) / old.text.seen * new.text.seen
        ):
            return False
    drift: Drift | None = compare(old, new)
    return drift is not None and (drift.p_value > limit or drift.effect < 0.7)


def goes_on(before: Statistics, after: Statistics) -> bool:
    """Whether the table begins in time where the reference ended, or ends where it began."""
    for column in after.columns:
        reference = before.by_name.get(column.name)
        if column.type != "time" or reference is None or reference.type != "time":
            continue
        first, second = reference.numbers, column.numbers
        if first and second and first.order and second.order:
            return second.min >= first.max or second.max <= first.min
    return False


# -- columns together -------------------------------------------------------------------------------


def broken_correlations(
    before: Statistics, after: Statistics, explained: Collection[str], limit: float
) -> list[Anomaly]:
    """Columns that no longer go with others; those that an anomaly explains already are left out."""
    compared = set(before.correlated) & set(after.correlated) - set(explained)
    now = {(a, b): r for a, b, r in after.correlations}
    then = [(a, b, r) for a, b, r in before.correlations if a in compared and b in compared]
    broken: dict[tuple[str, str], tuple[float, float, float]] = {}
    for a, b, r in then:
        if abs(r) < STRONG:
            continue
        current = now.get((a, b), now.get((b, a)))
        # Weak ones are not told: the least difference that this leaves.
        least = current if current is not None else math.copysign(min(0.2, abs(r)), r)
        p_value = _difference(r, _common(before, a, b), least, _common(after, a, b)) * max(1, len(then))
        if abs(r - least) >= WEAKENED and abs(least) <= abs(r) / 2 and p_value < limit:
            broken[a, b] = (r, least, p_value)
    return _blame(broken, then, before.correlated)


def _common(statistics: Statistics, first: str, second: str) -> int:
    """How many of the compared rows tell of both columns, about.

    Rows that have no value tell nothing; nor do those of one value that most have, beyond as many others.
    """
    rows = statistics.rows
    share = min(_telling(statistics.by_name[name]) for name in (first, second)) / max(1, rows)
    return int(min(rows, 2_000) * share)


def _telling(column: Column) -> int:
    commonest = column.top[0][1] if column.top else 0
    return min(column.count, 2 * (column.count - commonest))


def _difference(first: float, first_rows: int, second: float, second_rows: int) -> float:
    """P of so different rank correlations by chance (Fisher's transformation), two-sided."""
    deviation = abs(math.atanh(_inner(first)) - math.atanh(_inner(second)))
    scale = math.sqrt(sum(1.06 / max(1, rows - 3) for rows in (first_rows, second_rows)))
    return min(1.0, 2 * normal_tail(deviation / scale))


def _inner(correlation: float) -> float:
    return max(-0.999, min(0.999, correlation))


def _blame(
    broken: Mapping[tuple[str, str], tuple[float, float, float]],
    pairs: Sequence[tuple[str, str, float]],
    order: Sequence[str],
) -> list[Anomaly]:
    """The fewest columns that explain all broken pairs: those of which the most are broken, first."""
    left = dict(broken)
    strong = [(a, b) for a, b, r in pairs if abs(r) >= STRONG]
    anomalies = []
    while left:
        # Of two that are equally guilty the last: what is derived stands behind what it is made of.
        names = sorted({name for pair in left for name in pair}, key=order.index, reverse=True)

        guilty = max(names, key=lambda name, left=left: _guilt(name, strong, left))  # type: ignore[misc]
        own = [(pair, change) for pair, change in left.items() if guilty in pair]
        (a, b), (was, now, p_value) = max(own, key=lambda item: abs(item[1][0] - item[1][1]))
        other = b if a == guilty else a
        anomalies.append(
            Anomaly(
                guilty,
                "correlation_broken",
                f"It no longer goes with {other!r}: rank correlation {number(was)} → "
                f"{'below ' if abs(now) <= 0.2 else ''}{number(now)}.",
                was,
                now,
                p_value,
                min(1.0, abs(was - now)),
            )
        )
        left = {pair: change for pair, change in left.items() if guilty not in pair}
    return anomalies


def _guilt(
    name: str, strong: Sequence[tuple[str, str]], broken: Collection[tuple[str, str]]
) -> tuple[float, int]:
    """Of the column's strong pairs the share that is broken, and how many these are."""
    own = [pair for pair in strong if name in pair]
    lost = sum(pair in broken for pair in own)
    return lost / len(own), lost
