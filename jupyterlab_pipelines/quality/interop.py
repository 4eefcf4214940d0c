"""Schemas for other tools, as their own plain files: nothing of them is needed to write or to read these.

``pandera`` a YAML file for `pandera.io.from_yaml`; ``great-expectations`` an expectation suite as JSON;
``tfdv`` a schema as protobuf text; ``jsonschema`` a JSON schema of one row. What a tool has no word for is left out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from jupyterlab_pipelines.errors import UsageError
from jupyterlab_pipelines.quality.schema import Feature, Schema

Document = dict[str, Any]

_PANDERA_TYPES = {
    "int": "int64",
    "float": "float64",
    "bool": "bool",
    "string": "str",
    "time": "datetime64[ns]",
    "duration": "timedelta64[ns]",
    "object": "object",
}
_FROM_PANDERA = {
    **{f"{sign}int{bits}": "int" for sign in ("", "u") for bits in (8, 16, 32, 64)},
    **{f"float{bits}": "float" for bits in (16, 32, 64)},
    "bool": "bool",
    "boolean": "bool",
    "str": "string",
    "string": "string",
    "object": "object",
    "datetime64[ns]": "time",
    "timedelta64[ns]": "duration",
}
_TFDV_TYPES = {
    "int": "INT",
    "bool": "INT",
    "float": "FLOAT",
    "string": "BYTES",
    "binary": "BYTES",
    "time": "INT",
}
_JSON_TYPES = {"int": "integer", "float": "number", "bool": "boolean", "string": "string", "time": "string"}


def export(schemas: Mapping[str, Schema], target: str) -> str:
    """The text of the schemas, by ``step.name``, in the form of `target`; a document each where there are several."""
    return _WRITERS[target](schemas)


# -- pandera ----------------------------------------------------------------------------------------


def _pandera(schemas: Mapping[str, Schema]) -> str:
    import yaml

    documents = [
        {
            "schema_type": "dataframe",
            "name": name,
            "columns": {feature.name: _pandera_column(feature) for feature in schema.features},
            "checks": None,
            "index": None,
            "coerce": False,
            "strict": schema.closed,
            "unique": None,
        }
        for name, schema in schemas.items()
    ]
    return yaml.safe_dump_all(documents, sort_keys=False, allow_unicode=True)


def _pandera_column(feature: Feature) -> Document:
    checks: Document = {}
    if feature.domain and feature.domain.min_share == 1:
        checks["isin"] = list(feature.domain.values)
    if feature.range:
        for name, limit in (
            ("greater_than_or_equal_to", feature.range.min),
            ("less_than_or_equal_to", feature.range.max),
        ):
            if limit is not None:
                checks[name] = _limit(feature, limit)
    if feature.lengths:
        checks["str_length"] = {"min_value": feature.lengths.min or 0, "max_value": feature.lengths.max}
    return {
        "dtype": _PANDERA_TYPES.get(feature.type.name) if feature.type else None,
        "nullable": feature.presence is None or feature.presence.min_share < 1,
        "unique": bool(feature.uniqueness and feature.uniqueness.unique),
        "coerce": False,
        "required": feature.presence is None or feature.presence.required,
        "regex": False,
        "checks": checks or None,
    }


def from_pandera(text: str) -> Document:
    """A pandera schema (YAML, as `to_yaml` writes it) in the form of the schema file.

    Raises
    ------
    UsageError
        It is no such schema.
    """
    import yaml

    try:
        says = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UsageError("invalid_schema", f"The pandera schema cannot be read as YAML: {error}") from error
    if not isinstance(says, dict) or not isinstance(says.get("columns"), dict):
        raise UsageError("invalid_schema", "This is no pandera schema: it has no mapping of `columns`.")
    return {
        "closed": bool(says.get("strict", False)),
        "columns": {
            str(name): _from_pandera_column(column or {}) for name, column in says["columns"].items()
        },
    }


def _from_pandera_column(column: Mapping[str, Any]) -> Document:
    says: Document = {}
    kind = _FROM_PANDERA.get(str(column.get("dtype")))
    if kind:
        says["type"] = kind
    if not column.get("nullable", False):
        says["nulls"] = 0
    if not column.get("required", True):
        says["required"] = False
    if column.get("unique"):
        says["unique"] = True
    for name, check in _checks_of(column):
        if name == "isin":
            says["values"] = list(check.get("allowed_values", ()) if isinstance(check, dict) else check)
        elif name in ("greater_than_or_equal_to", "less_than_or_equal_to"):
            says["min" if name.startswith("greater") else "max"] = _value_of(check)
        elif name == "in_range" and isinstance(check, dict):
            says |= {"min": check.get("min_value"), "max": check.get("max_value")}
        elif name == "str_length" and isinstance(check, dict):
            limits = {"min_length": check.get("min_value"), "max_length": check.get("max_value")}
            says |= {key: value for key, value in limits.items() if value is not None}
    return says


def _checks_of(column: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Checks by name: older pandera writes a mapping, newer a list with the name among the options."""
    checks = column.get("checks") or {}
    if isinstance(checks, dict):
        return list(checks.items())
    return [
        (str(each.get("options", {}).get("check_name")), each) for each in checks if isinstance(each, dict)
    ]


def _value_of(check: Any) -> Any:
    if isinstance(check, dict):
        return next((check[key] for key in ("min_value", "max_value", "value") if key in check), None)
    return check


# -- Great Expectations -----------------------------------------------------------------------------


def _great_expectations(schemas: Mapping[str, Schema]) -> str:
    suites = [
        {
            "name": name,
            "expectations": [
                {"type": kind, "kwargs": kwargs, "meta": {}} for kind, kwargs in _expectations(schema)
            ],
            "meta": {},
        }
        for name, schema in schemas.items()
    ]
    return json.dumps(suites[0] if len(suites) == 1 else suites, indent=2, default=str)


def _expectations(schema: Schema) -> list[tuple[str, Document]]:
    found: list[tuple[str, Document]] = []
    limits: Document
    kwargs: Document
    if schema.rows:
        limits = {"min_value": schema.rows.min, "max_value": schema.rows.max}
        found.append(("expect_table_row_count_to_be_between", limits))
    if schema.closed and schema.features:
        names = [feature.name for feature in schema.features]
        found.append(("expect_table_columns_to_match_set", {"column_set": names, "exact_match": True}))
    for feature in schema.features:
        column: Document = {"column": feature.name}
        if not schema.closed and (feature.presence is None or feature.presence.required):
            found.append(("expect_column_to_exist", column))
        if feature.type and (kind := _PANDERA_TYPES.get(feature.type.name)):
            found.append(("expect_column_values_to_be_of_type", column | {"type_": kind}))
        if feature.presence and feature.presence.min_share > 0:
            kwargs = {**column, "mostly": round(feature.presence.min_share, 6)}
            found.append(("expect_column_values_to_not_be_null", kwargs))
        if feature.domain:
            kwargs = column | {"value_set": list(feature.domain.values), "mostly": feature.domain.min_share}
            found.append(("expect_column_values_to_be_in_set", kwargs))
        if feature.range and (feature.range.min is not None or feature.range.max is not None):
            limits = {
                f"{name}_value": None if limit is None else _limit(feature, limit)
                for name, limit in (("min", feature.range.min), ("max", feature.range.max))
            }
            found.append(("expect_column_values_to_be_between", column | limits))
        if feature.uniqueness and feature.uniqueness.unique:
            found.append(("expect_column_values_to_be_unique", column))
        if feature.order and feature.order.name in ("increasing", "nondecreasing"):
            strictly = {"strictly": feature.order.name == "increasing"}
            found.append(("expect_column_values_to_be_increasing", column | strictly))
        if feature.lengths:
            limits = {"min_value": feature.lengths.min, "max_value": feature.lengths.max}
            found.append(("expect_column_value_lengths_to_be_between", column | limits))
    return found


# -- TFDV -------------------------------------------------------------------------------------------


def _tfdv(schemas: Mapping[str, Schema]) -> str:
    return "\n".join(f"# {name}\n{_tfdv_schema(schema)}" for name, schema in schemas.items())


def _tfdv_schema(schema: Schema) -> str:
    lines = []
    for feature in schema.features:
        lines.append("feature {")
        lines.append(f"  name: {json.dumps(feature.name)}")
        if feature.type:
            lines.append(f"  type: {_TFDV_TYPES.get(feature.type.name, 'BYTES')}")
        if feature.presence and feature.presence.required:
            lines.append(f"  presence {{ min_fraction: {feature.presence.min_share:g} min_count: 1 }}")
        lines += _tfdv_domain(feature)
        lines += [f"  in_environment: {json.dumps(name)}" for name in feature.only_in]
        lines += [f"  not_in_environment: {json.dumps(name)}" for name in feature.not_in]
        if feature.deprecated:
            lines.append("  lifecycle_stage: DEPRECATED")
        lines.append("}")
    lines += [f"default_environment: {json.dumps(name)}" for name in schema.environments]
    if schema.rows:
        limits = {"min_examples_count": schema.rows.min, "max_examples_count": schema.rows.max}
        told = " ".join(f"{name}: {limit}" for name, limit in limits.items() if limit is not None)
        lines.append(f"dataset_constraints {{ {told} }}")
    return "\n".join(lines) + "\n"


def _tfdv_domain(feature: Feature) -> list[str]:
    kind = feature.type.name if feature.type else None
    if kind == "bool":
        return ["  bool_domain { }"]
    if feature.domain and kind in ("string", None):
        values = "".join(
            f" value: {json.dumps(str(value), ensure_ascii=False)}" for value in feature.domain.values
        )
        lines = [f"  string_domain {{{values} }}"]
        if feature.domain.min_share < 1:
            lines.append(f"  distribution_constraints {{ min_domain_mass: {feature.domain.min_share:g} }}")
        return lines
    if feature.range and kind in ("int", "float", "time"):
        is_whole = kind != "float"
        limits = (("min", feature.range.min), ("max", feature.range.max))
        told = [f"{name}: {int(limit) if is_whole else limit}" for name, limit in limits if limit is not None]
        if kind == "float" and not feature.range.allow_infinite:
            told.append("disallow_inf: true")
        return [f"  {'int' if is_whole else 'float'}_domain {{ {' '.join(told)} }}"]
    return []


# -- JSON Schema ------------------------------------------------------------------------------------


def _jsonschema(schemas: Mapping[str, Schema]) -> str:
    documents = {name: _row_schema(name, schema) for name, schema in schemas.items()}
    if len(documents) == 1:
        return json.dumps(next(iter(documents.values())), indent=2, ensure_ascii=False)
    whole = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$defs": documents}
    return json.dumps(whole, indent=2, ensure_ascii=False)


def _row_schema(name: str, schema: Schema) -> Document:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": name,
        "description": "One row of the table.",
        "type": "object",
        "properties": {feature.name: _property(feature) for feature in schema.features},
        "required": [feature.name for feature in schema.features if feature.is_expected_in(None)],
        "additionalProperties": not schema.closed,
    }


def _property(feature: Feature) -> Document:
    may_be_null = feature.presence is None or feature.presence.min_share < 1
    says: Document = {}
    kind = _JSON_TYPES.get(feature.type.name) if feature.type else None
    if kind:
        says["type"] = [kind, "null"] if may_be_null else kind
    if feature.type and feature.type.name == "time":
        says["format"] = "date-time"
    if feature.domain and feature.domain.min_share == 1:
        says["enum"] = [*feature.domain.values, *([None] if may_be_null else [])]
    if feature.range and kind in ("integer", "number"):
        limits = {"minimum": feature.range.min, "maximum": feature.range.max}
        says |= {key: limit for key, limit in limits.items() if limit is not None}
    if feature.lengths and kind == "string":
        limits = {"minLength": feature.lengths.min, "maxLength": feature.lengths.max}
        says |= {key: limit for key, limit in limits.items() if limit is not None}
    return says


def _limit(feature: Feature, limit: float) -> Any:
    """A limit as a value of the column: times as text, whole numbers without a point."""
    if feature.type and feature.type.name == "time":
        return datetime.fromtimestamp(limit, UTC).replace(tzinfo=None).isoformat(sep=" ")
    return int(limit) if float(limit).is_integer() else limit


_WRITERS: dict[str, Callable[[Mapping[str, Schema]], str]] = {
    "pandera": _pandera,
    "great-expectations": _great_expectations,
    "tfdv": _tfdv,
    "jsonschema": _jsonschema,
}
TARGETS = tuple(_WRITERS)
