"""`<notebook>.schema.yaml`: what is expected of the tables of a notebook, under ``step.name``.

::

    clean.df:
      rows: {min: 1000}
      columns:
        price: {type: float, nulls: 0, min: 0, max: 500}

What stands under each table is explained in `schema_file`. People edit the file and review its changes, so it is
changed as little as possible: a key that holds goes on standing where it stands, with its comments.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from jupyterlab_pipelines.errors import UsageError
from jupyterlab_pipelines.quality.kinds import BY_NAME
from jupyterlab_pipelines.quality.rules.keys import is_named_key
from jupyterlab_pipelines.quality.rules.pinned import broken
from jupyterlab_pipelines.quality.schema import Feature, Schema, infer
from jupyterlab_pipelines.quality.schema_file import schema_from
from jupyterlab_pipelines.quality.statistics import Column, Statistics
from jupyterlab_pipelines.quality.yaml_text import flow, set_in

_HEADER = """\
# What is expected of the tables of {notebook}, checked strictly on every run.
# Keys: rows, checks, environments, environment, closed, columns. Of a column: type, nulls, required, values,
# coverage, min, max, infinite, unique, distinct, order, min_length, max_length, only_in, not_in, deprecated.
"""

KEYS_OF_ASPECT = {
    "type": ("type",),
    "presence": ("required", "nulls"),
    "domain": ("values", "coverage"),
    "range": ("min", "max", "infinite"),
    "uniqueness": ("unique", "distinct"),
    "order": ("order",),
    "lengths": ("min_length", "max_length"),
}
_LONGEST_LINE = 100
_FEW_VALUES = 10
_SURELY_KEYS = 100
"""From so many rows on, values that are all different are hardly so by accident."""

Document = dict[str, Any]


def read_text(path: Path) -> str:
    """The file's text; nothing if there is no file.

    Raises
    ------
    UsageError
        It cannot be read as text.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError("invalid_schema", f"{path}: cannot be read: {error}", path=str(path)) from error


def read_schemas(path: Path) -> dict[str, Schema]:
    """By ``step.name``, the schemas in the file at `path`; none if there is no file.

    Raises
    ------
    UsageError
        It is no YAML, or says something that no schema says.
    """
    return {key: _schema(key, says, path) for key, says in documents_in(read_text(path), path).items()}


def parse_schemas(text: str, path: Path) -> dict[str, Schema]:
    """The same of the file's text."""
    return {key: _schema(key, says, path) for key, says in documents_in(text, path).items()}


def require_environment(environment: str | None, schemas: Mapping[str, Schema]) -> None:
    """Refuse an environment that none of the schemas has.

    Raises
    ------
    UsageError
        So it is.
    """
    known = dict.fromkeys(name for schema in schemas.values() for name in schema.environments)
    if environment is not None and environment not in known:
        told = f"there are {', '.join(known)}" if known else "the schema file names none"
        raise UsageError("unknown_environment", f"There is no environment `{environment}`: {told}.")


def documents_in(text: str, path: Path) -> dict[str, Any]:
    """What the text says of each table, as it stands there.

    Raises
    ------
    UsageError
        It is no YAML, or no mapping of tables.
    """
    if not text.strip():
        return {}
    import yaml

    try:
        says = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UsageError(
            "invalid_schema", f"{path}: cannot be read as YAML: {error}", path=str(path)
        ) from error
    if says is None:
        return {}
    if not isinstance(says, dict) or not all(isinstance(key, str) and "." in key for key in says):
        raise UsageError(
            "invalid_schema",
            f"{path}: must be a mapping with a key `step.name` for each table, such as `clean.df`.",
            path=str(path),
        )
    return says


def _schema(key: str, says: Any, path: Path) -> Schema:
    try:
        return schema_from(says)
    except ValueError as error:
        raise UsageError("invalid_schema", f"{path}: {key}: {error}", path=str(path)) from error


# -- what is written --------------------------------------------------------------------------------


def pin(text: str, key: str, statistics: Statistics, notebook: str, path: Path) -> str:
    """The text of the file after a person has agreed to a table.

    A table that the file does not know yet gets a schema that is inferred, with room to move. Of one that it
    knows only what the table breaks is changed, and columns that are new are added.
    """
    said = documents_in(text, path).get(key)
    if said is None:
        return with_table(text, key, expectation(statistics), notebook)
    # A schema tells of each column only the first thing that is wrong.
    for _ in KEYS_OF_ASPECT:
        changed = _with_accepted(text, key, said, _schema(key, said, path), statistics)
        if changed == text:
            break
        text, said = changed, documents_in(changed, path)[key]
    return text


def with_table(text: str, key: str, says: Document, notebook: str) -> str:
    """The text of the file with `says` for a table, in place of what it says of it."""
    import yaml

    if key in (yaml.safe_load(text) or {}):
        mark = "the place of the table"
        return set_in(text, (key,), mark).replace(f"{flow(key)}: {mark}", _table_text(key, says).rstrip())
    if not text.strip():
        text = _HEADER.format(notebook=notebook)
    return f"{text.rstrip()}\n\n{_table_text(key, says)}"


def expectation(statistics: Statistics) -> Document:
    """What to expect of tables like this one, in the form of the file.

    Limits leave room to move: a range is widened by its own width (zero stays a limit) and rounded outwards,
    the share of nulls by what chance explains, the longest text may become twice as long. Times and
    keys may go on. Values are listed where rare ones are unlikely to be missing, and columns are keys where they are
    called so or there are many rows.
    """
    schema = infer(statistics)
    features = {
        column.name: _column_document(schema.by_name[column.name], column) for column in statistics.columns
    }
    rows: Document = {"rows": {"min": 1}} if statistics.rows else {}
    return rows | {"columns": features}


def _column_document(feature: Feature, column: Column) -> Document:
    says: Document = {}
    if feature.type:
        says["type"] = feature.type.name
    if column.rows:
        says["nulls"] = _nulls(column)
    if feature.domain and column.type != "bool" and _is_closed(column):
        says["values"] = list(feature.domain.values)
    is_key = bool(feature.uniqueness and feature.uniqueness.unique and _is_key(column))
    if feature.range:
        says |= _limits(column, feature.range.min, feature.range.max)
        if is_key:
            # Numbers of orders or rows go on.
            says.pop("max", None)
        if not feature.range.allow_infinite and column.type == "float":
            says["infinite"] = False
    if is_key and "values" not in says:
        says["unique"] = True
    if feature.order:
        says["order"] = feature.order.name
    if feature.lengths and feature.lengths.max and "values" not in says:
        says["max_length"] = 2 * feature.lengths.max
    return says


def _nulls(column: Column) -> float:
    share = column.nulls / column.rows
    if not column.nulls:
        return 0
    chance = 4 * math.sqrt(share * (1 - share) / column.rows)
    return min(1.0, math.ceil(100 * (share + max(0.01, chance))) / 100)


def _is_closed(column: Column) -> bool:
    """Whether further values are unlikely to turn up."""
    return column.distinct is not None and (
        column.distinct <= _FEW_VALUES or 20 * column.singletons <= column.distinct
    )


def _is_key(column: Column) -> bool:
    return is_named_key(column.name) or (column.type in ("int", "string") and column.count >= _SURELY_KEYS)


def _limits(column: Column, low: float | None, high: float | None) -> Document:
    if low is None or high is None:
        return {}
    if column.type == "time":
        return {"min": _moment(low)}
    width = (high - low) or abs(high) or 1
    least = 0 if low >= 0 else _outwards(low - width, math.floor)
    most = 0 if high <= 0 and low < 0 else 1 if 0 <= low <= high <= 1 else _outwards(high + width, math.ceil)
    return {"min": least, "max": most}


def _outwards(value: float, rounded: Any) -> float:
    """To two digits."""
    if not value or not math.isfinite(value):
        return value
    unit = 10.0 ** (math.floor(math.log10(abs(value))) - 1)
    result = rounded(value / unit) * unit
    return int(result) if abs(result) >= 10 else round(result, 12)


def _moment(seconds: float) -> date | datetime | float:
    """The day, as YAML writes it; a number for what no calendar has."""
    try:
        return datetime.fromtimestamp(math.floor(seconds), UTC).date()
    except (OverflowError, ValueError, OSError):
        return seconds


def _table_text(key: str, says: Document) -> str:
    lines = [f"{flow(key)}:"]
    for name, value in says.items():
        if name != "columns":
            lines.append(f"  {name}: {flow(value)}")
    lines.append("  columns:")
    for name, column in says["columns"].items():
        line = f"    {flow(name)}: {flow(column)}"
        if len(line) <= _LONGEST_LINE:
            lines.append(line)
        else:
            lines.append(f"    {flow(name)}:")
            lines += [f"      {inner}: {flow(value)}" for inner, value in column.items()]
    return "\n".join(lines) + "\n"


def _with_accepted(text: str, key: str, said: Any, schema: Schema, statistics: Statistics) -> str:
    expected = expectation(statistics)
    columns = (said or {}).get("columns") or {}
    strict = replace(schema, checks=())
    for anomaly in broken(statistics, strict, learned=False, environment=None):
        aspect = BY_NAME[anomaly.kind].aspect
        if anomaly.feature is None:
            if aspect == "rows":
                limits = dict(said["rows"])
                limits["min"] = min(limits.get("min", 0), statistics.rows)
                if "max" in limits:
                    limits["max"] = max(limits["max"], statistics.rows)
                text = set_in(text, (key, "rows"), limits)
            continue
        if anomaly.feature not in statistics.by_name:
            text = set_in(text, (key, "columns", anomaly.feature, "required"), False)
            continue
        now = dict(columns.get(anomaly.feature) or {})
        for name, value in widened(now, expected["columns"][anomaly.feature], aspect).items():
            text = set_in(text, (key, "columns", anomaly.feature, name), value)
    for column in statistics.columns:
        if column.name not in columns:
            text = set_in(text, (key, "columns", column.name), expected["columns"][column.name])
    return text


def widened(said: Document, expected: Document, aspect: str | None) -> Document:
    """The keys of one aspect that change so that a column keeps to them; None: the key goes."""
    changes: Document = {}
    for name in KEYS_OF_ASPECT.get(aspect or "", ()):
        if name not in said and name not in ("nulls",):
            continue
        old, new = said.get(name), expected.get(name)
        if name == "values" and isinstance(old, list) and new is not None:
            new = [*old, *(value for value in new if value not in old)]
        elif name in ("min", "max") and isinstance(old, int | float) and isinstance(new, int | float):
            new = min(old, new) if name == "min" else max(old, new)
        if new != old:
            changes[name] = new
    return changes
