"""What a schema says, held against a table: strict where it is pinned, with chance where it was learned."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from jupyterlab_pipelines.quality.chance import binomial_tail
from jupyterlab_pipelines.quality.rules.categories import variant_of
from jupyterlab_pipelines.quality.rules.pair import Anomaly, moment, number, percent, shown
from jupyterlab_pipelines.quality.schema import Feature, Schema
from jupyterlab_pipelines.quality.statistics import Column, Statistics

LIMIT = 1e-4
"""A learned constraint is broken only by what chance explains less often."""
ROOM = 3.0
"""A learned range is broken only by values so many widths outside."""


def broken(
    statistics: Statistics, schema: Schema, *, learned: bool, environment: str | None
) -> Iterator[Anomaly]:
    """What breaks the schema; the learned constraints are looked at only if `learned`."""
    rows = schema.rows
    if rows and (rows.pinned or learned):
        if rows.min is not None and statistics.rows < rows.min:
            yield Anomaly(
                None,
                "empty_table" if not statistics.rows else "row_count_dropped",
                f"{statistics.rows} rows; the schema wants at least {rows.min}.",
                rows.min,
                statistics.rows,
                pinned=rows.pinned,
            )
        if rows.max is not None and statistics.rows > rows.max:
            yield Anomaly(
                None,
                "row_count_grew",
                f"{statistics.rows} rows; the schema allows {rows.max}.",
                rows.max,
                statistics.rows,
                pinned=rows.pinned,
            )
    for feature in schema.features:
        column = statistics.by_name.get(feature.name)
        if feature.deprecated:
            continue
        if column is None:
            if feature.is_expected_in(environment) and (learned or _is_pinned(feature)):
                yield Anomaly(
                    feature.name,
                    "missing_column",
                    "The schema expects this column, and the table has none.",
                    reference=feature.type.name if feature.type else None,
                    pinned=_is_pinned(feature),
                )
        elif statistics.rows:
            yield from _first(feature, column, learned)


def _is_pinned(feature: Feature) -> bool:
    return bool((feature.presence and feature.presence.pinned) or (feature.type and feature.type.pinned))


def _first(feature: Feature, column: Column, learned: bool) -> Iterator[Anomaly]:
    """The first constraint that is broken: the others mostly follow from it."""
    for check in (_type, _presence, _uniqueness, _domain, _range, _order, _lengths):
        for anomaly in check(feature, column):
            if anomaly.pinned or learned:
                yield anomaly
                return


def _type(feature: Feature, column: Column) -> Iterator[Anomaly]:
    expected = feature.type
    if (
        not expected
        or column.type in (expected.name, "null")
        or {expected.name, column.type} == {"float", "int"}
    ):
        # A float column may happen to hold whole numbers, and an int column with nulls is one of floats.
        whole = column.numbers is None or column.numbers.decimals is None or column.numbers.decimals <= 0
        if not expected or expected.name != "int" or column.type != "float" or whole or not expected.pinned:
            return
    kind = "type_changed"
    text = column.text
    if column.type == "object":
        kind = "mixed_types"
    elif text and expected.name in ("int", "float"):
        numbers = text.numeric + text.decimal_commas + text.decorated
        if text.decimal_commas and numbers > 0.5 * text.seen:
            kind = "decimal_comma"
        elif numbers > 0.9 * text.seen:
            kind = "numbers_as_text"
        elif numbers > 0.2 * text.seen:
            kind = "mixed_types"
    elif text and expected.name == "time" and text.times > 0.5 * text.seen:
        kind = "times_as_text"
    yield Anomaly(
        feature.name,
        kind,
        f"The type is {column.type}; the schema says {expected.name}.",
        expected.name,
        column.type,
        effect=1.0,
        pinned=expected.pinned,
    )


def _presence(feature: Feature, column: Column) -> Iterator[Anomaly]:
    presence = feature.presence
    if not presence or not column.rows:
        return
    share = column.count / column.rows
    if share >= presence.min_share and column.count >= presence.min_count:
        return
    p_value = binomial_tail(column.nulls, column.rows, max(1 - presence.min_share, 1e-3))
    if not presence.pinned and (p_value >= LIMIT or presence.min_share - share < 0.01):
        return
    yield Anomaly(
        feature.name,
        "nulls_increased" if column.count else "all_null",
        f"{percent(1 - share)} of the values are missing ({column.nulls} of {column.rows}); the schema allows "
        f"{percent(1 - presence.min_share)}.",
        1 - presence.min_share,
        1 - share,
        p_value=None if presence.pinned else p_value,
        effect=presence.min_share - share,
        pinned=presence.pinned,
    )


def _uniqueness(feature: Feature, column: Column) -> Iterator[Anomaly]:
    rule = feature.uniqueness
    if not rule or column.distinct is None:
        return
    repeated = column.count - column.distinct
    if rule.unique and repeated and (rule.pinned or repeated >= 10):
        yield Anomaly(
            feature.name,
            "duplicate_keys",
            f"{repeated} of {column.count} values repeat an earlier one; the schema says that all differ.",
            0,
            repeated,
            effect=repeated / column.count,
            pinned=rule.pinned,
        )
    for limit, broken_limit in (
        (rule.min_distinct, rule.min_distinct is not None and column.distinct < rule.min_distinct),
        (rule.max_distinct, rule.max_distinct is not None and column.distinct > rule.max_distinct),
    ):
        if broken_limit:
            yield Anomaly(
                feature.name,
                "distinct_count",
                f"{column.distinct} distinct values; the schema's limit is {limit}.",
                limit,
                column.distinct,
                pinned=rule.pinned,
            )


def _domain(feature: Feature, column: Column) -> Iterator[Anomaly]:
    domain = feature.domain
    if not domain or not column.count or column.type in ("nested", "binary"):
        return
    allowed = {*domain.values, *(str(value) for value in domain.values)}
    off = {value: count for value, count in column.top if value not in allowed and str(value) not in allowed}
    total = sum(off.values())
    if not column.is_complete:
        # Values that are not told are others than the commonest, so at least the surplus is not allowed.
        total += max(0, (column.distinct or 0) - len(column.top) - len(domain.values))
    share = total / column.count
    if not total or share <= 1 - domain.min_share:
        return
    p_value = binomial_tail(total, column.count, max(1 - domain.min_share, 1e-3))
    if not domain.pinned and p_value >= LIMIT:
        return
    kinds = [variant_of(str(value), domain.values) for value in off]
    kind = kinds[0][0] if kinds and len({name for name, _ in kinds}) == 1 else "unexpected_values"
    told = []
    for (value, count), (_, nearest) in list(zip(off.items(), kinds, strict=True))[:3]:
        near = f" (nearest: {shown(nearest)})" if nearest is not None else ""
        told.append(f"{shown(value)} {count} times{near}")
    more = f" and {len(off) - 3} more" if len(off) > 3 else ""
    yield Anomaly(
        feature.name,
        kind,
        f"{total} values ({percent(share)}) are not allowed: {', '.join(told)}{more}.",
        list(domain.values)[:10],
        list(off)[:10],
        p_value=None if domain.pinned else p_value,
        effect=share,
        pinned=domain.pinned,
    )


def _range(feature: Feature, column: Column) -> Iterator[Anomaly]:
    rule, numbers = feature.range, column.numbers
    if not rule or not numbers:
        return
    if numbers.infinities and not rule.allow_infinite:
        yield Anomaly(
            feature.name,
            "infinite_values",
            f"{numbers.infinities} values are infinite.",
            0,
            numbers.infinities,
            effect=numbers.infinities / max(1, column.count),
            pinned=rule.pinned,
        )
    room = 0.0
    if not rule.pinned:
        room = ROOM * (rule.max - rule.min) if rule.min is not None and rule.max is not None else 0.0
    told = moment if column.type == "time" else number
    for limit, value, outside in (
        (rule.min, numbers.min, rule.min is not None and numbers.min < rule.min - room),
        (rule.max, numbers.max, rule.max is not None and numbers.max > rule.max + room),
    ):
        if outside and limit is not None:
            yield Anomaly(
                feature.name,
                "out_of_range",
                f"{told(value)} lies beyond the schema's limit {told(limit)}.",
                limit,
                value,
                pinned=rule.pinned,
            )


def _order(feature: Feature, column: Column) -> Iterator[Anomaly]:
    rule = feature.order
    if not rule or not column.numbers or column.count < 2 or column.distinct == 1:
        return
    allowed = {rule.name}
    if rule.name in ("nondecreasing", "nonincreasing"):
        allowed.add("increasing" if rule.name == "nondecreasing" else "decreasing")
    if column.numbers.order not in allowed:
        yield Anomaly(
            feature.name,
            "order_lost",
            f"The values are {column.numbers.order or 'in no order'}; the schema says {rule.name}.",
            rule.name,
            column.numbers.order,
            pinned=rule.pinned,
        )


def _lengths(feature: Feature, column: Column) -> Iterator[Anomaly]:
    rule = feature.lengths
    lengths = column.text.lengths if column.text else column.lengths
    if not rule or not lengths or not rule.pinned:
        return
    for limit, value, outside in (
        (rule.min, lengths.min, rule.min is not None and lengths.min < rule.min),
        (rule.max, lengths.max, rule.max is not None and lengths.max > rule.max),
    ):
        if outside:
            yield Anomaly(
                feature.name,
                "length_out_of_range",
                f"A length of {int(value)}; the schema's limit is {limit}.",
                limit,
                value,
                pinned=True,
            )


def accepts(schema: Schema, anomaly: Anomaly, statistics: Statistics, aspect: str | None) -> bool:
    """Whether a person has pinned what a learned rule complains about, and the table keeps to it."""
    if aspect is None or anomaly.pinned:
        return False
    if aspect == "rows":
        return bool(schema.rows and schema.rows.pinned)
    feature = schema.by_name.get(anomaly.feature or "")
    if feature is None:
        return False
    if feature.deprecated:
        return True
    constraint = getattr(feature, aspect, None)
    if constraint is None or not constraint.pinned:
        return False
    column = statistics.by_name.get(feature.name)
    only = replace(Feature(feature.name), **{aspect: constraint})
    return column is not None and not any(True for _ in _first(only, column, learned=False))
