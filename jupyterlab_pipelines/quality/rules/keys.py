"""Keys: values that must not occur twice."""

from __future__ import annotations

import math
import re

from jupyterlab_pipelines.quality.rules.pair import Anomaly, Pair, shown

SURE = 10.0
"""So many pairs of equal values expected by chance, and none seen: the column is a key by design."""
RESOLUTIONS = {"day": 86_400, "hour": 3_600, "minute": 60, "second": 1}
KEY_NAME = re.compile(
    r"(^|[_\W])(id|key|pk|uuid|guid|isbn|sku|ean|mrn|ssn|vin|imei|serial)$|[a-z](Id|ID|Key)$", re.I
)


def duplicate_keys(pair: Pair) -> Anomaly | None:
    """Several values that were unique are not any more."""
    return _duplicates(pair, several=True)


def repeated_key(pair: Pair) -> Anomaly | None:
    """One value that was unique occurs again and again."""
    return _duplicates(pair, several=False)


def is_named_key(name: str) -> bool:
    """Whether the column is called a key."""
    return bool(KEY_NAME.search(name))


def is_id(pair: Pair) -> bool:
    """Whether whole numbers are names of things, of which there are others with time."""
    return pair.before.type == pair.after.type == "int" and is_named_key(pair.name)


def _is_one_value(pair: Pair, repeated: int) -> bool:
    most = pair.after.top[0][1] if pair.after.top else 0
    return most > 5 and most - 1 >= 0.5 * repeated


def _duplicates(pair: Pair, *, several: bool) -> Anomaly | None:
    """Values that were unique are not any more.

    A column of the reference may be unique by accident. It is a key if its values are so dense that
    some would have met by chance, if it is called one, or if so many values occur twice now that some
    would have in the reference.
    """
    before, after = pair.before, pair.after
    if not before.is_unique or before.count < 10 or after.distinct is None or not after.count:
        return None
    if before.type in ("float", "bool", "null", "nested", "object", "binary", "duration"):
        return None
    repeated = after.count - after.distinct
    if not repeated or (several and _is_one_value(pair, repeated)):
        return None
    p_value = math.exp(-_expected_pairs(pair))
    # If values met as often in the reference as now, so many pairs would hardly all be here.
    here, there = after.count**2, before.count**2
    p_value = min(p_value, (here / (here + there)) ** repeated)
    if is_named_key(pair.name):
        p_value = min(p_value, math.exp(-SURE))
    if p_value >= max(pair.limit, 1e-3):
        return None
    worst = next((value for value, count in after.top if count > 1), None)
    example = f", e.g. {shown(worst)} {after.counts[worst]} times" if worst is not None else ""
    return pair.anomaly(
        "duplicate_keys",
        f"{repeated} of {after.count} values repeat an earlier one{example}; the reference had "
        f"{before.count} values, all different.",
        reference=0,
        current=repeated,
        p_value=p_value,
        effect=repeated / after.count,
    )


def _expected_pairs(pair: Pair) -> float:
    """How many pairs of equal values the reference would have if its values were drawn from its range.

    Whole numbers and times alone; drawn evenly they meet least often.
    """
    numbers = pair.before.numbers
    if not numbers:
        return 0.0
    if pair.before.times:
        step = RESOLUTIONS.get(pair.before.times.resolution)
    else:
        step = 1 if pair.before.type == "int" else None
    if step is None:
        return 0.0
    return pair.before.count**2 / 2 / max(1.0, (numbers.max - numbers.min) / step + 1)
