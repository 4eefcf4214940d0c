"""Every kind of anomaly: its word, how grave it is, what it means.

The words are stable: scripts may rely on them. `docs/reference/anomalies.md` is this list.
"""

from __future__ import annotations

from dataclasses import dataclass

SEVERITIES = ("error", "warning", "info")
"""The gravest first."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of anomaly; `aspect` is the constraint of a schema that speaks about it, if one does."""

    name: str
    severity: str
    meaning: str
    aspect: str | None = None


KINDS = (
    # -- the table
    Kind("empty_table", "error", "The table has no rows; the reference had."),
    Kind(
        "row_count_dropped",
        "error",
        "Far fewer rows than the reference, or fewer than the schema allows.",
        "rows",
    ),
    Kind("row_count_grew", "warning", "More rows than the schema allows.", "rows"),
    Kind("duplicate_rows", "warning", "Whole rows occur again, more often than in the reference."),
    Kind("check_failed", "error", "A check of the schema does not hold in every row."),
    Kind("invalid_schema", "error", "The schema contradicts itself, or asks what cannot be checked."),
    # -- columns that come and go
    Kind("missing_column", "error", "A column that is expected is not there.", "presence"),
    Kind("new_column", "info", "A column that nobody expects."),
    Kind(
        "renamed_column",
        "error",
        "A column is gone, and a new one looks like it under another name.",
        "presence",
    ),
    Kind("swapped_columns", "error", "Two columns have exchanged their contents."),
    # -- types
    Kind("type_changed", "error", "The column holds another type of values.", "type"),
    Kind("numbers_as_text", "error", "Numbers arrive as text, perhaps with a unit or currency sign.", "type"),
    Kind("decimal_comma", "error", "Numbers arrive as text with a decimal comma.", "type"),
    Kind("times_as_text", "error", "Times arrive as text.", "type"),
    Kind(
        "mixed_types", "error", "Values of several types in one column, such as words among numbers.", "type"
    ),
    # -- nulls
    Kind("all_null", "error", "The column has no values any more.", "presence"),
    Kind("nulls_increased", "warning", "More values are missing than before.", "presence"),
    Kind(
        "nulls_decreased", "warning", "Fewer values are missing than before: something may have filled them."
    ),
    Kind("blank_values", "warning", "Empty text, or white space alone, instead of values."),
    # -- keys
    Kind("duplicate_keys", "error", "Values that were unique occur more than once.", "uniqueness"),
    Kind("distinct_count", "warning", "Fewer or more distinct values than the schema allows.", "uniqueness"),
    # -- values of any type
    Kind(
        "constant_column", "warning", "One value throughout, where there were several: the column is stuck."
    ),
    Kind(
        "sentinel_values",
        "warning",
        "A stand-in for a missing value, such as -999, 0, 1900-01-01 or 'unknown'.",
    ),
    Kind("value_spike", "warning", "One value has become far more frequent."),
    Kind("distribution_drift", "warning", "The values are distributed differently."),
    # -- categories and text
    Kind(
        "unexpected_values",
        "warning",
        "Values that never occurred, or that the schema does not allow.",
        "domain",
    ),
    Kind("misspelled_values", "warning", "Known values with a letter too many, too few or wrong.", "domain"),
    Kind("case_changed", "warning", "Known values in other upper and lower case.", "domain"),
    Kind("whitespace", "warning", "White space before, after or inside values.", "domain"),
    Kind(
        "encoding_damage",
        "warning",
        "Text that was read in the wrong encoding, or lost its accents.",
        "domain",
    ),
    Kind("truncated_text", "warning", "Text that is cut off.", "lengths"),
    Kind("missing_category", "warning", "A value that was common does not occur any more."),
    Kind("format_changed", "warning", "Text follows another pattern of letters, digits and signs."),
    Kind(
        "length_out_of_range", "warning", "Text or lists shorter or longer than the schema allows.", "lengths"
    ),
    # -- numbers
    Kind("unit_changed", "error", "All values, or a part, are multiplied: another unit, scale or currency."),
    Kind("sign_flipped", "error", "Values have the opposite sign, all or a part of them.", "range"),
    Kind("clipped_values", "warning", "Values are cut at a limit, where many of them now stand."),
    Kind("truncated_range", "warning", "Values beyond a limit do not occur any more."),
    Kind("precision_lost", "warning", "Values are rounded more coarsely."),
    Kind("outliers", "warning", "A few values far beyond anything that was seen.", "range"),
    Kind(
        "out_of_range",
        "warning",
        "Values beyond the limits that were seen, or that the schema sets.",
        "range",
    ),
    Kind("infinite_values", "error", "Infinite values, where there were none.", "range"),
    Kind("correlation_broken", "warning", "The column no longer goes with one that it went with."),
    # -- metrics of a step
    Kind("metric_drift", "warning", "A metric lies beyond what earlier executions of the same code explain."),
    # -- times
    Kind("shifted_times", "warning", "All times are moved by whole hours, as by another time zone."),
    Kind(
        "day_month_swapped",
        "error",
        "Day and month have been exchanged, wherever the day may be a month.",
    ),
    Kind("time_gap", "warning", "A stretch of time without rows."),
    Kind("order_lost", "warning", "Times that stood in order do not any more.", "order"),
    Kind("stale_data", "warning", "The newest time is older than chance explains."),
)

BY_NAME = {kind.name: kind for kind in KINDS}
"""The kinds by their words."""
