"""What a column should be like, in the few words that are needed to find the rows that are not.

A mapping that may have ``type``, ``values``, ``min``, ``max`` (times in seconds), ``min_length`` and ``max_length``.
"""

from __future__ import annotations

from typing import Any

from jupyterlab_pipelines.quality.schema import Feature, Schema
from jupyterlab_pipelines.quality.statistics import Column, Statistics

Document = dict[str, Any]


def expected(anomaly: Document, schema: Schema | None, reference: Statistics | None) -> Document:
    """What the guilty column should be like: as the schema says if the anomaly is pinned, else as it was before."""
    name = anomaly["feature"]
    if anomaly["pinned"]:
        feature = schema.by_name.get(name) if schema else None
        return _by_schema(feature) if feature else {}
    column = reference.by_name.get(name) if reference else None
    return _by_reference(column) if column else {}


def _by_schema(feature: Feature) -> Document:
    found: Document = {}
    if feature.type:
        found["type"] = feature.type.name
    if feature.domain:
        found["values"] = [_plain(value) for value in feature.domain.values]
    if feature.range:
        found |= {"min": feature.range.min, "max": feature.range.max}
    if feature.lengths:
        found |= {"min_length": feature.lengths.min, "max_length": feature.lengths.max}
    return found


def _by_reference(column: Column) -> Document:
    found: Document = {"type": column.type}
    if column.is_complete:
        found["values"] = [value for value, _ in column.top]
    if column.numbers and column.numbers.count:
        found |= {"min": column.numbers.min, "max": column.numbers.max}
    lengths = column.text.lengths if column.text else column.lengths
    if lengths and lengths.count:
        found |= {"min_length": lengths.min, "max_length": lengths.max}
    return found


def _plain(value: Any) -> Any:
    """A value of a schema file, which may be a date."""
    return value if isinstance(value, str | int | float | bool) else str(value)
