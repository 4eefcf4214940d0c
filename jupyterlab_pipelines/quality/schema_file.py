"""The schema file: what is expected of a table, in YAML that people review and edit.

::

    rows: {min: 1000, max: 50000}
    environments: [training, serving]
    environment: training               # that of this table, if a run says nothing else
    closed: true                        # a column that is not named is an anomaly
    checks:
      - price > 0
      - end >= start
    columns:
      price:
        type: float                     # int float bool string time duration binary nested object
        nulls: 0.02                     # the largest share of missing values; 0: none
        min: 0
        max: 10000
        infinite: false
      channel:
        type: string
        values: [web, app, store]
        coverage: 0.99                  # this share of the values must be among them
      order_id: {type: int, unique: true}
      created_at: {type: time, order: nondecreasing, min: 2020-01-01}
      name: {type: string, max_length: 40, distinct: {min: 10, max: 5000}}
      label: {not_in: [serving]}        # may be missing there; or only_in: [training]
      old: {deprecated: true}
      comment: {required: false}

Every key may be left out. All that the file says is pinned: it was agreed to, and is checked strictly.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from jupyterlab_pipelines.errors import NotFoundError, UsageError
from jupyterlab_pipelines.quality.schema import (
    Domain,
    Feature,
    Lengths,
    Order,
    Presence,
    Range,
    RowCount,
    Schema,
    Type,
    Uniqueness,
)

TYPES = ("int", "float", "bool", "string", "time", "duration", "binary", "nested", "object")
ORDERS = ("increasing", "nondecreasing", "decreasing", "nonincreasing")
_TABLE_KEYS = ("rows", "environments", "environment", "closed", "checks", "columns")
_COLUMN_KEYS = (
    *(
        "type",
        "required",
        "nulls",
        "values",
        "coverage",
        "min",
        "max",
        "infinite",
        "unique",
        "distinct",
        "order",
    ),
    *("min_length", "max_length", "only_in", "not_in", "deprecated"),
)


def read_schema(path: Path) -> Schema:
    """The schema in the file at `path`.

    Raises
    ------
    NotFoundError
        No such file.
    UsageError
        It is no YAML, says something that no schema says, or contradicts itself.
    """
    import yaml

    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotFoundError("file_not_found", f"{path}: no such file.", path=str(path)) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(
            "invalid_schema", f"{path}: cannot be read as YAML: {error}", path=str(path)
        ) from error
    try:
        return schema_from(document)
    except _Wrong as wrong:
        raise UsageError("invalid_schema", f"{path}: {wrong}", path=str(path)) from None


class _Wrong(ValueError):
    """What is wrong with a schema, without the file's name."""


def schema_from(document: Any) -> Schema:
    """The schema that a document of the file's form says; ValueError tells what is wrong with it."""
    table = _mapping(document if document is not None else {}, "the schema")
    _require_known(table, _TABLE_KEYS, "the schema")
    rows = None
    if "rows" in table:
        limits = _mapping(table["rows"], "rows")
        _require_known(limits, ("min", "max"), "rows")
        rows = RowCount(_count(limits, "min", "rows"), _count(limits, "max", "rows"), pinned=True)
        _require_order(rows.min, rows.max, "rows")
    environments = _words(table.get("environments", []), "environments")
    columns = _mapping(table.get("columns") or {}, "columns")
    features = tuple(
        _feature(str(name), _mapping(says if says is not None else {}, f"column {name!r}"), environments)
        for name, says in columns.items()
    )
    environment = table.get("environment")
    if environment is not None and environment not in environments:
        told = (
            f"is none of the environments {', '.join(environments)}"
            if environments
            else "needs `environments`"
        )
        raise _Wrong(f"environment: {environment!r} {told}")
    checks = _words(table.get("checks") or [], "checks")
    for check in checks:
        _require_check(check)
    closed = _flag(table, "closed", "the schema", True)
    return Schema(features, rows, checks, environments, closed=closed, environment=environment)


def _feature(name: str, says: Mapping[str, Any], environments: Collection[str]) -> Feature:
    where = f"column {name!r}"
    _require_known(says, _COLUMN_KEYS, where)
    kind = says.get("type")
    if kind is not None and kind not in TYPES:
        raise _Wrong(f"{where}: type {kind!r} is none of {', '.join(TYPES)}")
    order = says.get("order")
    if order is not None and order not in ORDERS:
        raise _Wrong(f"{where}: order {order!r} is none of {', '.join(ORDERS)}")
    not_in = _words(says.get("not_in", []), f"{where}: not_in")
    only_in = _words(says.get("only_in", []), f"{where}: only_in")
    if environments and (strange := [one for one in (*not_in, *only_in) if one not in environments]):
        raise _Wrong(f"{where}: {strange[0]!r} is none of the environments {', '.join(environments)}")
    return Feature(
        name=name,
        type=Type(kind, pinned=True) if kind else None,
        presence=_presence(says, where),
        domain=_domain(says, where),
        range=_range(says, where),
        uniqueness=_uniqueness(says, where),
        order=Order(order, pinned=True) if order else None,
        lengths=_lengths(says, where),
        not_in=not_in,
        only_in=only_in,
        deprecated=_flag(says, "deprecated", where, False),
    )


def _presence(says: Mapping[str, Any], where: str) -> Presence:
    nulls = _share(says, "nulls", where, 1.0)
    return Presence(min_share=1 - nulls, required=_flag(says, "required", where, True), pinned=True)


def _domain(says: Mapping[str, Any], where: str) -> Domain | None:
    if "values" not in says:
        if "coverage" in says:
            raise _Wrong(f"{where}: coverage is a share of values, and there are none")
        return None
    values = says["values"]
    if not isinstance(values, list) or not values:
        raise _Wrong(f"{where}: values must be a list")
    return Domain(tuple(values), _share(says, "coverage", where, 1.0), pinned=True)


def _range(says: Mapping[str, Any], where: str) -> Range | None:
    if not {"min", "max", "infinite"} & says.keys():
        return None
    low, high = (_limit(says.get(key), f"{where}: {key}") for key in ("min", "max"))
    _require_order(low, high, where)
    return Range(low, high, _flag(says, "infinite", where, True), pinned=True)


def _uniqueness(says: Mapping[str, Any], where: str) -> Uniqueness | None:
    if not {"unique", "distinct"} & says.keys():
        return None
    limits = _mapping(says.get("distinct", {}), f"{where}: distinct")
    _require_known(limits, ("min", "max"), f"{where}: distinct")
    low, high = _count(limits, "min", where), _count(limits, "max", where)
    _require_order(low, high, f"{where}: distinct")
    return Uniqueness(_flag(says, "unique", where, False), low, high, pinned=True)


def _lengths(says: Mapping[str, Any], where: str) -> Lengths | None:
    if not {"min_length", "max_length"} & says.keys():
        return None
    low, high = _count(says, "min_length", where), _count(says, "max_length", where)
    _require_order(low, high, f"{where}: length")
    return Lengths(low, high, pinned=True)


# -- values that a file may hold --------------------------------------------------------------------


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _Wrong(f"{where} must be a mapping of keys to values, not {value!r}")
    return value


def _require_known(says: Mapping[str, Any], known: Collection[str], where: str) -> None:
    for key in says:
        if key not in known:
            raise _Wrong(f"{where}: {key!r} is none of {', '.join(known)}")


def _require_order(low: float | None, high: float | None, where: str) -> None:
    if low is not None and high is not None and low > high:
        raise _Wrong(f"{where}: min {low} is above max {high}")


def _require_check(check: str) -> None:
    from jupyterlab_pipelines.quality.checks import parse

    try:
        parse(check)
    except UsageError as error:
        raise _Wrong(error.message) from None


def _words(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise _Wrong(f"{where} must be a list of words")
    return tuple(value)


def _flag(says: Mapping[str, Any], key: str, where: str, default: bool) -> bool:
    value = says.get(key, default)
    if not isinstance(value, bool):
        raise _Wrong(f"{where}: {key} must be true or false, not {value!r}")
    return value


def _count(says: Mapping[str, Any], key: str, where: str) -> int | None:
    value = says.get(key)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
        raise _Wrong(f"{where}: {key} must be a whole number, not {value!r}")
    return value


def _share(says: Mapping[str, Any], key: str, where: str, default: float) -> float:
    value = says.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise _Wrong(f"{where}: {key} must be a share from 0 to 1, not {value!r}")
    return float(value)


def _limit(value: Any, where: str) -> float | None:
    """A number, or a time as seconds since 1970."""
    if value is None:
        return None
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise _Wrong(f"{where} must be a number or a time, not {value!r}") from None
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC).timestamp()
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        raise _Wrong(f"{where} must be a number or a time, not {value!r}")
    return float(value)
