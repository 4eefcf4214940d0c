"""Anomalies: what differs from the reference or the schema by more than chance explains.

`find` is quiet by design. A difference is told only when chance cannot explain it (the limit of
p = 0.005 is shared among the columns: Bonferroni) *and* it is large enough to matter; one fault is told once, by
the most specific kind. What a person has pinned in a schema is strict instead.

Statistics are all that is looked at, so comparing two tables takes milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable

from jupyterlab_pipelines.quality.drift import align
from jupyterlab_pipelines.quality.kinds import BY_NAME, SEVERITIES
from jupyterlab_pipelines.quality.rules import COLUMN_RULES
from jupyterlab_pipelines.quality.rules import table as table_rules
from jupyterlab_pipelines.quality.rules.keys import is_named_key
from jupyterlab_pipelines.quality.rules.pair import Anomaly, Pair, percent
from jupyterlab_pipelines.quality.rules.pinned import accepts, broken
from jupyterlab_pipelines.quality.schema import Schema
from jupyterlab_pipelines.quality.statistics import Column, Statistics

CHANCE = 0.01
"""How often a table without any fault may raise an alarm of one kind."""

__all__ = ["CHANCE", "Anomaly", "find"]


def find(
    statistics: Statistics,
    schema: Schema | None = None,
    reference: Statistics | None = None,
    *,
    environment: str | None = None,
) -> list[Anomaly]:
    """The anomalies of a table, the gravest first.

    Parameters
    ----------
    statistics
        Of the table.
    schema
        What is expected. Pinned constraints are strict and take the place of what the reference says
        about the same; learned ones count only where there is no `reference`.
    reference
        Statistics of a table that is known to be good.
    environment
        E.g. ``serving``: a column whose feature is `not_in` it may be missing.
    """
    found: list[Anomaly] = []
    if schema:
        found += broken(statistics, schema, learned=reference is None, environment=environment)
    if reference:
        told = {anomaly.feature for anomaly in found}
        for anomaly in _differences(reference, statistics, schema, environment):
            allowed = schema and accepts(schema, anomaly, statistics, BY_NAME[anomaly.kind].aspect)
            if not allowed and (anomaly.feature not in told):
                found.append(anomaly)
    elif schema and schema.closed:
        found += [_new_column(column) for column in statistics.columns if column.name not in schema.by_name]
    return sorted(found, key=_rank)


def _rank(anomaly: Anomaly) -> tuple[int, float, str]:
    p_value = anomaly.p_value if anomaly.p_value is not None else 0.0
    return SEVERITIES.index(anomaly.severity), p_value, anomaly.feature or ""


def _differences(
    before: Statistics, after: Statistics, schema: Schema | None, environment: str | None
) -> list[Anomaly]:
    """What the table has that the reference lets not expect."""
    counted = table_rules.row_counts(before, after)
    found = [counted] if counted else []
    found += _comings_and_goings(before, after, schema, environment)
    if counted and counted.kind == "empty_table":
        # Every column is empty, too, and nobody needs to be told.
        return found
    common = [column for column in after.columns if column.name in before.by_name]
    limit = CHANCE / max(1, len(common))
    goes_on = table_rules.goes_on(before, after)
    of_columns = {
        column.name: anomaly
        for column in common
        if (anomaly := _difference(before.by_name[column.name], column, limit, goes_on))
    }
    of_columns |= _exchanged(before, after, of_columns, limit)
    if counted:
        return found + _of_few_rows(of_columns, len(common))
    of_columns = _one_key(after, of_columns)
    found += _repeated_rows(before, after, of_columns, limit)
    found += of_columns.values()
    found += table_rules.broken_correlations(before, after, of_columns, limit)
    return found


def _difference(before: Column, after: Column, limit: float, goes_on: bool) -> Anomaly | None:
    pair = Pair(after.name, before, align(before, after), limit, goes_on)
    for rule in COLUMN_RULES:
        if anomaly := rule(pair):
            return anomaly
    return None


_OF_A_SELECTION = frozenset(
    (
        *("distribution_drift", "missing_category", "truncated_range", "constant_column", "value_spike"),
        *(
            "nulls_increased",
            "nulls_decreased",
            "stale_data",
            "time_gap",
            "correlation_broken",
            "unit_changed",
        ),
    )
)
"""What columns may show because of which rows are there."""


def _of_few_rows(of_columns: dict[str, Anomaly], columns: int) -> list[Anomaly]:
    """What is told beside "hardly any rows": the rows that are left are seldom a fair sample.

    Where many columns show what a selection explains, it does; one of many has a cause of its own.
    """
    explained = [
        anomaly
        for anomaly in of_columns.values()
        if anomaly.kind in _OF_A_SELECTION and anomaly.kind != "stale_data"
    ]
    others = [anomaly for anomaly in of_columns.values() if anomaly.kind not in _OF_A_SELECTION]
    return others + (explained if len(explained) <= columns // 10 else [])


def _one_key(after: Statistics, found: dict[str, Anomaly]) -> dict[str, Anomaly]:
    """Where whole rows occur again, all keys do: the one that is called a key, or the first, speaks for them."""
    keys = [name for name, anomaly in found.items() if anomaly.kind == "duplicate_keys"]
    if len(keys) < 2 or not after.duplicates:
        return found
    best = next((name for name in keys if is_named_key(name)), keys[0])
    return {name: anomaly for name, anomaly in found.items() if name == best or name not in keys}


def _repeated_rows(
    before: Statistics, after: Statistics, found: dict[str, Anomaly], limit: float
) -> list[Anomaly]:
    """Whole rows that occur again. Where they do, the order they break (and take out of `found`) is no news.

    Rows are soon alike when a column is gone or has lost what told them apart, so where there is any other
    anomaly there must be far more of them than the sound columns let expect.
    """
    keys = [name for name, anomaly in found.items() if anomaly.kind == "duplicate_keys"]
    disordered = [name for name, anomaly in found.items() if anomaly.kind == "order_lost"]
    # One look at the table, not one at each column.
    duplicates = table_rules.duplicate_rows(before, after, max(limit, CHANCE / 2))
    if not duplicates:
        return []
    suspects = found.keys() - {*keys, *disordered}
    if suspects or any(column.name not in after.by_name for column in before.columns):
        expected = table_rules.expected_duplicates(before, after, suspects)
        if (after.duplicates or 0) < 5 * (expected + (before.duplicates or 0)) + 5:
            return []
    for name in disordered:
        del found[name]
    _leave_out_repetition(before, after, found, limit)
    return [duplicates]


def _leave_out_repetition(
    before: Statistics, after: Statistics, found: dict[str, Anomaly], limit: float
) -> None:
    """Take out the drifts that are none among the rows that are left when each is counted once."""
    once = after.rows - (after.duplicates or 0)

    def weight(rows: int) -> float:
        return before.rows * rows / (before.rows + rows)

    # The logarithm of the p-value of a distance is in proportion to the number of rows.
    share = weight(once) / weight(after.rows)
    for name, anomaly in list(found.items()):
        if anomaly.kind == "distribution_drift" and anomaly.p_value and anomaly.p_value**share >= limit:
            del found[name]


def _exchanged(
    before: Statistics, after: Statistics, found: dict[str, Anomaly], limit: float
) -> dict[str, Anomaly]:
    """Of the columns with an anomaly, those that hold what another one held."""
    pairs = table_rules.swapped(before, after, found, limit)
    return {
        name: Anomaly(
            name,
            "swapped_columns",
            f"It holds what {other!r} held in the reference, and {other!r} what it held.",
            name,
            other,
            found[name].p_value,
            found[name].effect,
        )
        for name, other in pairs.items()
    }


def _comings_and_goings(
    before: Statistics, after: Statistics, schema: Schema | None, environment: str | None
) -> Iterable[Anomaly]:
    renamed = table_rules.renames(before, after)
    expected = schema.by_name if schema else {}
    for column in before.columns:
        if column.name in after.by_name:
            continue
        feature = expected.get(column.name)
        if feature and not feature.is_expected_in(environment):
            continue
        if column.name in renamed:
            new = renamed[column.name]
            yield Anomaly(
                column.name,
                "renamed_column",
                f"The column is gone; {new!r} is new and looks like it.",
                column.name,
                new,
                effect=1.0,
            )
        else:
            yield Anomaly(
                column.name,
                "missing_column",
                f"The reference has this column ({column.type}, {percent(column.count / max(1, column.rows))} filled), "
                "the table has not.",
                column.type,
                None,
                effect=1.0,
            )
    for column in after.columns:
        if column.name in before.by_name or column.name in renamed.values() or column.name in expected:
            continue
        yield _new_column(column)


def _new_column(column: Column) -> Anomaly:
    return Anomaly(
        column.name,
        "new_column",
        f"A new column ({column.type}) that nobody expects.",
        None,
        column.type,
        effect=1.0,
    )
