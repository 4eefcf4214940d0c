"""Values that are missing, or are no longer missing."""

from __future__ import annotations

from jupyterlab_pipelines.quality.chance import hypergeometric_tail
from jupyterlab_pipelines.quality.rules.pair import Anomaly, Pair, percent

FIRST_NULLS = 0.005
"""The share of nulls that matters in a column that had none."""
MORE_NULLS = 0.02
"""The difference that matters in a column that had some."""


def all_null(pair: Pair) -> Anomaly | None:
    """No value is left."""
    before, after = pair.before, pair.after
    if after.count or not before.count or not after.rows:
        return None
    p_value = hypergeometric_tail(after.nulls, after.rows, before.nulls, before.rows)
    if p_value >= max(pair.limit, 0.01):
        return None
    return pair.anomaly(
        "all_null",
        f"No value at all in {after.rows} rows; {percent(before.count / before.rows)} of the reference had one.",
        reference=before.nulls / before.rows,
        current=1.0,
        p_value=p_value,
        effect=before.count / before.rows,
    )


def nulls_increased(pair: Pair) -> Anomaly | None:
    """More values are missing."""
    before, after = pair.before, pair.after
    if not before.rows or not after.rows or after.count == 0:
        return None
    share_before, share_after = before.nulls / before.rows, after.nulls / after.rows
    difference = share_after - share_before
    if difference < (MORE_NULLS if before.nulls else FIRST_NULLS):
        return None
    p_value = hypergeometric_tail(after.nulls, after.rows, before.nulls, before.rows)
    # Few columns have nulls so rarely that a table has none by accident.
    if p_value >= (pair.limit if before.nulls else max(pair.limit, 0.01)):
        return None
    return pair.anomaly(
        "nulls_increased",
        f"{percent(share_after)} of the values are missing ({after.nulls} of {after.rows}), "
        f"{percent(share_before)} in the reference.",
        reference=share_before,
        current=share_after,
        p_value=p_value,
        effect=difference,
    )


def nulls_decreased(pair: Pair) -> Anomaly | None:
    """Fewer values are missing."""
    before, after = pair.before, pair.after
    if not before.rows or not after.rows or not before.count:
        return None
    share_before, share_after = before.nulls / before.rows, after.nulls / after.rows
    difference = share_before - share_after
    if difference < MORE_NULLS:
        return None
    p_value = hypergeometric_tail(before.nulls, before.rows, after.nulls, after.rows)
    if p_value >= pair.limit:
        return None
    return pair.anomaly(
        "nulls_decreased",
        f"{percent(share_after)} of the values are missing, {percent(share_before)} in the reference: "
        "were they filled?",
        reference=share_before,
        current=share_after,
        p_value=p_value,
        effect=difference,
    )


def blank_values(pair: Pair) -> Anomaly | None:
    """Empty text stands for what is missing."""
    before, after = pair.before, pair.after
    if not before.text or not after.text:
        return None
    share_before, share_after = before.text.blank / before.count, after.text.blank / after.count
    difference = share_after - share_before
    if difference < (MORE_NULLS if before.text.blank else FIRST_NULLS):
        return None
    p_value = hypergeometric_tail(after.text.blank, after.count, before.text.blank, before.count)
    if p_value >= pair.limit:
        return None
    return pair.anomaly(
        "blank_values",
        f"{after.text.blank} values are empty or white space alone ({percent(share_after)}), "
        f"{percent(share_before)} in the reference.",
        reference=share_before,
        current=share_after,
        p_value=p_value,
        effect=difference,
    )
