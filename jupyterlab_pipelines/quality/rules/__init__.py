"""Rules: each looks for one kind of fault in a pair of columns, from their statistics alone.

They are asked in order, the most specific first, and the first that speaks is heard: a column whose
unit changed has drifted, too, and nobody wants to be told both.
"""

from __future__ import annotations

from collections.abc import Callable

from jupyterlab_pipelines.quality.rules import categories, keys, nulls, numbers, text, times, types
from jupyterlab_pipelines.quality.rules.pair import Anomaly, Pair

Rule = Callable[[Pair], Anomaly | None]

COLUMN_RULES: tuple[Rule, ...] = (
    nulls.all_null,
    types.type_changed,
    nulls.nulls_increased,
    nulls.blank_values,
    categories.constant_column,
    numbers.precision_lost,
    keys.duplicate_keys,
    text.encoding_damage,
    text.truncated_text,
    text.whitespace,
    categories.unseen_values,
    text.case_changed,
    numbers.infinite_values,
    times.day_month_swapped,
    times.stale_data,
    times.shifted_times,
    numbers.sign_flipped,
    numbers.unit_changed,
    numbers.sentinel_values,
    numbers.unit_changed_in_part,
    numbers.out_of_range,
    times.far_times,
    times.order_lost,
    numbers.clipped_values,
    numbers.value_spike,
    keys.repeated_key,
    times.time_gap,
    nulls.nulls_decreased,
    categories.missing_category,
    text.format_changed,
    numbers.truncated_range,
    categories.drift,
    types.fractions_appeared,
)
"""In the order in which they are asked."""
