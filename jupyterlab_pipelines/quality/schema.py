"""Schema: what is expected of a table, as records without I/O.

A constraint is *learned* (inferred; it is broken only by what chance does not explain) or *pinned* (a
person has agreed to it; it is strict). `infer` learns one from statistics; `Schema.pin` agrees to all of it.
The file beside a notebook is written and read by `schema_file.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from jupyterlab_pipelines.quality.statistics import Column, Statistics, Value

LARGEST_DOMAIN = 100
"""Columns of text with more distinct values get no domain, as in TFDV."""


@dataclass(frozen=True)
class Type:
    """The column's type, in the words of `statistics.Column`."""

    name: str
    pinned: bool = False


@dataclass(frozen=True)
class Presence:
    """At least this share of the rows has a value; `required`: the column exists at all."""

    min_share: float = 0.0
    min_count: int = 0
    required: bool = True
    pinned: bool = False


@dataclass(frozen=True)
class Domain:
    """The values that are allowed for at least `min_share` of all rows that have one."""

    values: tuple[Value, ...]
    min_share: float = 1.0
    pinned: bool = False


@dataclass(frozen=True)
class Range:
    """Smallest and largest allowed value; None: any. Times in seconds since 1970."""

    min: float | None = None
    max: float | None = None
    allow_infinite: bool = True
    pinned: bool = False


@dataclass(frozen=True)
class Uniqueness:
    """`unique`: no value twice; else how many distinct values there may be."""

    unique: bool = False
    min_distinct: int | None = None
    max_distinct: int | None = None
    pinned: bool = False


@dataclass(frozen=True)
class Order:
    """How the values stand, in the words of `statistics.Numbers.order`."""

    name: str
    pinned: bool = False


@dataclass(frozen=True)
class Lengths:
    """Shortest and longest allowed text or list."""

    min: int | None = None
    max: int | None = None
    pinned: bool = False


@dataclass(frozen=True)
class RowCount:
    """Fewest and most rows of the table."""

    min: int | None = None
    max: int | None = None
    pinned: bool = False


Constraint = Type | Presence | Domain | Range | Uniqueness | Order | Lengths | RowCount


@dataclass(frozen=True)
class Feature:
    """What is expected of one column; None: nothing.

    `not_in` names the environments in which the column may be missing (as the label is when serving), `only_in`
    those in which alone it must be there.
    A `deprecated` feature is not checked.
    """

    name: str
    type: Type | None = None
    presence: Presence | None = None
    domain: Domain | None = None
    range: Range | None = None
    uniqueness: Uniqueness | None = None
    order: Order | None = None
    lengths: Lengths | None = None
    not_in: tuple[str, ...] = ()
    only_in: tuple[str, ...] = ()
    deprecated: bool = False

    def is_expected_in(self, environment: str | None) -> bool:
        """Whether the column must exist in `environment`."""
        required = self.presence is None or self.presence.required
        elsewhere = environment is not None and self.only_in and environment not in self.only_in
        return not self.deprecated and required and environment not in self.not_in and not elsewhere

    def pin(self) -> Feature:
        """The same, every constraint strict."""
        return replace(
            self,
            **{
                name: replace(constraint, pinned=True)
                for name in _CONSTRAINTS
                if (constraint := getattr(self, name)) is not None
            },
        )


_CONSTRAINTS = ("type", "presence", "domain", "range", "uniqueness", "order", "lengths")


@dataclass(frozen=True)
class Schema:
    """What is expected of a table.

    `checks` are expressions over the columns that must hold in every row (`checks.py`). A column that
    the schema does not name is an anomaly only if `closed`. `environment` is the one of `environments` that the
    table is in, if nobody says another one.
    """

    features: tuple[Feature, ...] = ()
    rows: RowCount | None = None
    checks: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    closed: bool = True
    environment: str | None = None

    def environment_in(self, run: str | None) -> str | None:
        """The environment that the table is in, in a run that is made in `run` (None: in none)."""
        is_known = not self.environments or run in self.environments
        return run if run is not None and is_known else self.environment

    @cached_property
    def by_name(self) -> dict[str, Feature]:
        """The features by their names."""
        return {feature.name: feature for feature in self.features}

    def pin(self, names: Iterable[str] | None = None) -> Schema:
        """The same with every constraint of the named features (all if none is named) strict."""
        chosen = None if names is None else set(names)
        features = tuple(
            feature.pin() if chosen is None or feature.name in chosen else feature
            for feature in self.features
        )
        rows = replace(self.rows, pinned=True) if self.rows and chosen is None else self.rows
        return replace(self, features=features, rows=rows)


def infer(statistics: Statistics | Sequence[Statistics]) -> Schema:
    """The schema that all given tables keep to; every constraint is learned.

    A column that one of several tables lacks is not required. Ranges are the smallest and largest
    values seen, domains all values of text and booleans of up to a hundred.
    """
    tables = [statistics] if isinstance(statistics, Statistics) else list(statistics)
    names = list(dict.fromkeys(column.name for table in tables for column in table.columns))
    features = []
    for name in names:
        columns = [table.by_name[name] for table in tables if name in table.by_name]
        features.append(_infer_feature(name, columns, everywhere=len(columns) == len(tables)))
    return Schema(tuple(features), rows=RowCount(min=1 if any(table.rows for table in tables) else 0))


def _infer_feature(name: str, columns: Sequence[Column], *, everywhere: bool) -> Feature:
    types = {column.type for column in columns} - {"null"}
    kind = _common_type(types)
    filled = [column for column in columns if column.count]
    shares = [column.count / column.rows for column in columns if column.rows]
    return Feature(
        name=name,
        type=Type(kind) if kind else None,
        presence=Presence(
            min_share=min(shares, default=0.0), min_count=1 if filled else 0, required=everywhere
        ),
        domain=_infer_domain(kind, filled),
        range=_infer_range(kind, filled),
        uniqueness=Uniqueness(unique=True)
        if filled
        and kind not in ("float", "bool", "null")
        and all(column.is_unique and column.count > 1 for column in filled)
        else None,
        order=_infer_order(kind, filled),
        lengths=_infer_lengths(kind, filled),
    )


def _common_type(types: set[str]) -> str | None:
    if len(types) == 1:
        return next(iter(types))
    if types == {"int", "float"}:
        return "float"
    return "object" if types else None


def _infer_domain(kind: str | None, columns: Sequence[Column]) -> Domain | None:
    if kind not in ("string", "bool") or not columns or not all(column.is_complete for column in columns):
        return None
    values = {value for column in columns for value in column.counts}
    if len(values) > LARGEST_DOMAIN or any(column.is_unique and column.count > 2 for column in columns):
        return None
    return Domain(tuple(sorted(values, key=str)))


def _infer_range(kind: str | None, columns: Sequence[Column]) -> Range | None:
    numbers = [column.numbers for column in columns if column.numbers]
    if kind not in ("int", "float", "time", "duration") or not numbers:
        return None
    return Range(
        min=min(one.min for one in numbers),
        max=max(one.max for one in numbers),
        allow_infinite=any(one.infinities for one in numbers),
    )


def _infer_order(kind: str | None, columns: Sequence[Column]) -> Order | None:
    orders = {column.numbers.order if column.numbers else None for column in columns}
    if kind != "time" or len(orders) != 1:
        return None
    (order,) = orders
    return Order(order) if order else None


def _infer_lengths(kind: str | None, columns: Sequence[Column]) -> Lengths | None:
    if kind == "string":
        lengths = [column.text.lengths for column in columns if column.text]
    else:
        lengths = [column.lengths for column in columns if column.lengths]
    if not lengths:
        return None
    return Lengths(min=int(min(one.min for one in lengths)), max=int(max(one.max for one in lengths)))
