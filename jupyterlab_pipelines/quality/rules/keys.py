"""Keys: values that must not occur twice."""

from __future__ import annotations

import math
import re

from jupyterlab_pipelines.quality.rules.pair import Anomaly, Pair, shown

SURE = 10.0
"""So many pairs of equal values expected by chance, and none seen: the column is a key by design."""
KEY_NAME = re.compile(r"(^|[_\W])(id|ids|key|pk|uuid|guid|code|number|no|nr|index|email|isbn|sku)$|[a-z](Id|ID|Key)$", re.I)


def duplicate_keys(pair: Pair) -> Anomaly | None:
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
    if not repeated:
        return None
    met_by_density = _expected_pairs(pair)
    # How often values meet now, carried over to the size of the reference.
    met_by_rate = repeated * (before.count / after.count) ** 2
    expected = max(met_by_density, met_by_rate)
    if KEY_NAME.search(pair.name):
        expected = max(expected, SURE)
    p_value = math.exp(-expected)
    if p_value >= max(pair.limit, 1e-4):
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

    Whole numbers alone; drawn evenly they meet least often.
    """
    numbers = pair.before.numbers
    if pair.before.type != "int" or not numbers:
        return 0.0
    return pair.before.count**2 / 2 / max(1.0, numbers.max - numbers.min + 1)


