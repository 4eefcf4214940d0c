"""The rows that an anomaly is about, found in the table itself.

An anomaly is told from statistics, so where its rows stand is asked only when somebody wants to see them. Of the table
the guilty column is read, and then the few rows that are shown; a stored table is mapped, not loaded.

Some anomalies have no rows of their own: what is missing or distributed differently is wrong with the column as a
whole. Then `message` says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jupyterlab_pipelines.quality.measuring.numbers import Array
from jupyterlab_pipelines.quality.measuring.rows import repeated_rows
from jupyterlab_pipelines.quality.measuring.table import columns_of
from jupyterlab_pipelines.quality.measuring.text import DAMAGED, NUMBER, QUESTIONED, TIME, shape_of

MOST_COLUMNS = 30
"""Columns whose values are told, the guilty one first."""
LONGEST = 200
"""Longer texts are cut where they are told."""

Document = dict[str, Any]
Found = tuple[Array | None, str]
"""For each row whether it is one of them (None: no row is), and which rows these are, in words."""


def failing_rows(
    table: Any,
    anomaly: Document,
    expectation: Mapping[str, Any],
    *,
    limit: int,
    labels: Callable[[Sequence[int]], Sequence[Any]] | None = None,
) -> Document:
    """The first `limit` rows that the anomaly is about, as ``openapi.yaml`` describes them.

    Parameters
    ----------
    expectation
        What the guilty column should be like, see `expected`.
    labels
        Gives the labels of rows by position, where the table has an index.
    """
    columns = columns_of(table)
    count = len(columns[0][2]) if columns else 0
    rows, message = _rows(columns, anomaly, expectation, table)
    positions = np.flatnonzero(rows) if rows is not None else np.zeros(0, dtype=np.int64)
    shown = positions[:limit].tolist()
    guilty = _guilty(anomaly)
    ordered = sorted(range(len(columns)), key=lambda index: columns[index][0] not in guilty)[:MOST_COLUMNS]
    values = [_values(columns[index][2], shown) for index in ordered]
    names = labels(shown) if labels else shown
    return {
        "total": len(positions),
        "of": count,
        "columns": [columns[index][0] for index in ordered],
        "left_out": len(columns) - len(ordered),
        "rows": [
            {"position": position, "index": _plain(label), "values": [column[number] for column in values]}
            for number, (position, label) in enumerate(zip(shown, names, strict=True))
        ],
        "message": message if len(positions) or rows is None else f"No row any more: {message}",
    }


def _guilty(anomaly: Document) -> list[str]:
    if anomaly["kind"] != "check_failed":
        return [anomaly["feature"]]
    from jupyterlab_pipelines.quality.checks import columns_of as columns_of_check
    from jupyterlab_pipelines.quality.checks import parse

    return columns_of_check(parse(anomaly["reference"]))


def _rows(
    columns: Sequence[tuple[str, str, Any]], anomaly: Document, expectation: Mapping[str, Any], table: Any
) -> Found:
    kind, feature = anomaly["kind"], anomaly["feature"]
    if kind == "check_failed":
        from jupyterlab_pipelines.quality.checks import failing

        return failing(anomaly["reference"], table), f"rows in which {anomaly['reference']!r} does not hold"
    if kind == "duplicate_rows":
        return repeated_rows([values for _, _, values in columns]), "rows that occur more than once"
    values = next((values for name, _, values in columns if name == feature), None)
    if feature is None or kind not in _OF_COLUMN:
        return None, "It is about the table as a whole." if feature is None else _WHOLE
    if values is None:
        return None, "The table has no such column."
    return _OF_COLUMN[kind](_Guilty(values), anomaly, expectation)


_WHOLE = "It is about the column as a whole: no single row is at fault."


class _Guilty:
    """The column that an anomaly is about."""

    def __init__(self, values: Any) -> None:
        array = pa.array(values, from_pandas=True) if isinstance(values, np.ndarray) else values
        if pa.types.is_dictionary(array.type):
            array = array.cast(array.type.value_type)
        self.values = array
        kind = array.type
        self.is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
        self.is_time = pa.types.is_temporal(kind)

    @property
    def missing(self) -> Array:
        return _told(pc.is_null(self.values, nan_is_null=True))

    @property
    def numbers(self) -> Array:
        """As floats, times in seconds; NaN where there is none."""
        values = self.values
        if self.is_time:
            unit = getattr(values.type, "unit", None)
            if pa.types.is_date(values.type):
                values, unit = values.cast(pa.timestamp("s")), "s"
            per_second = {"s": 1, "ms": 1e3, "us": 1e6, "ns": 1e9}[unit or "s"]
            return _floats(values.cast(pa.int64())) / per_second
        if self.is_text or pa.types.is_nested(values.type) or pa.types.is_binary(values.type):
            return np.full(len(values), np.nan)
        return _floats(values)

    @property
    def lengths(self) -> Array:
        if self.is_text:
            return _floats(pc.utf8_length(self.values))
        if pa.types.is_list(self.values.type) or pa.types.is_large_list(self.values.type):
            return _floats(pc.list_value_length(self.values))
        return np.full(len(self.values), np.nan)

    def where_text(self, holds: Callable[[str], bool]) -> Array:
        """The same for text; no row of another column."""
        return self.where(holds) if self.is_text else np.zeros(len(self.values), dtype=bool)

    def where(self, holds: Callable[[Any], bool]) -> Array:
        """Rows whose value `holds` is true of, asked once for each distinct value."""
        encoded = self.values.dictionary_encode()
        if isinstance(encoded, pa.ChunkedArray):
            encoded = encoded.unify_dictionaries().combine_chunks()
            if isinstance(encoded, pa.ChunkedArray):
                encoded = encoded.chunk(0) if encoded.num_chunks else pa.array([], encoded.type)
        answers = np.array(
            [value is not None and holds(value) for value in encoded.dictionary.to_pylist()] + [False]
        )
        return np.asarray(answers[pc.fill_null(encoded.indices.cast(pa.int64()), -1).to_numpy()])


def _floats(values: Any) -> Array:
    return np.asarray(
        pc.cast(values, pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        if not isinstance(values, pa.ChunkedArray)
        else pc.cast(values, pa.float64(), safe=False).to_numpy()
    )


def _told(mask: Any) -> Array:
    return np.asarray(
        pc.fill_null(mask, False).to_numpy(zero_copy_only=False)
        if not isinstance(mask, pa.ChunkedArray)
        else pc.fill_null(mask, False).to_numpy()
    )


# -- which rows -------------------------------------------------------------------------------------


def _missing(column: _Guilty, anomaly: Document, expectation: Mapping[str, Any]) -> Found:
    return column.missing, "rows without a value"


def _blank(column: _Guilty, anomaly: Document, expectation: Mapping[str, Any]) -> Found:
    return column.where_text(lambda text: not text.strip()), "rows with empty text or white space alone"


def _infinite(column: _Guilty, anomaly: Document, expectation: Mapping[str, Any]) -> Found:
    return np.isinf(column.numbers), "rows with an infinite value"


def _outside(column: _Guilty, anomaly: Document, expectation: Mapping[str, Any]) -> Found:
    low, high = expectation.get("min"), expectation.get("max")
    numbers = column.numbers
    rows = np.zeros(len(numbers), dtype=bool)
    if low is not None:
        rows |= numbers < low
    if high is not None:
        rows |= numbers > high
    beyond = "what is allowed" if anomaly["pinned"] else "the reference's"
    return rows, f"rows with a value beyond {beyond}"


def _flipped(column: _Guilty, anomaly: Document, expectation: Mapping[str, Any]) -> Found:
    numbers, low, high = column.numbers, expectation.get("min", 0), expectation.get("max", 0)
    if low is not None and low >= 0:
        return numbers < 0, "rows with a negative value"
    if high is not None and high <= 0:
        return numbers > 0, "rows with a positive value"
    return _whole(column, anomaly, expectation)


def _rescaled(column: _Guilty, anomaly: Document, expectation: Mapping[str, Any]) -> Found:
    rows, message = _outside(column, anomaly, expectation)
    return (rows, message) if rows is not None and rows.any() else _whole(column, anomaly, expectation)


def _standing_in(column: _Guilty, anomaly: Document, expectation: Mapping[str, Any]) -> Found:
    values = anomaly["current"] if isinstance(anomaly["current"], list) else [anomaly["current"]]
    if column.is_text:
        wanted = set(map(str, values))
        return column.where(lambda text: text in wanted), "rows with such a value"
    numbers = column.numbers
    moments = [_seconds(value) if isinstance(value, str) else value for value in values]
    rows = np.isin(numbers, [float(value) for value in moments if value is not None])
    return rows, "rows with such a value"


def _seconds(moment: str) -> float | None:
    from datetime import UTC, datetime

    try:
        return datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def _unknown(column: _Guilty, anomaly: Document, expectation: Mapping[str, Any]) -> Found:
    told = f"rows with a value that is not {'allowed' if anomaly['pinned'] else 'in the reference'}"
    known = expectation.get("values")
    if known is None:
        return _standing_in(column, anomaly, expectation)
    allowed = {*known, *map(str, known)}
    return column.where(lambda value: value not in allowed and str(value) not in allowed), told


def _spaced(column: _Guilty, anomaly: Document, expectation: Mapping[str, Any]) -> Found:
    if isinstance(anomaly["current"], list):
        return _unknown(column, anomaly, expectation)
    return column.where_text(
        lambda text: text != text.strip()
    ), "rows with white space before or after the value"


def _cased(column: _Guilty, anomaly: Document, expectation: Mapping[str, Any]) -> Found:
    if isinstance(anomaly["current"], list):
        return _unknown(column, anomaly, expectation)
    is_upper = "upper" in anomaly["description"].partition(" case")[0]
    return (
        column.where_text(str.isupper if is_upper else str.islower),
        f"rows in {'upper' if is_upper else 'lower'} case",
    )


def _damaged(column: _Guilty, anomaly: Document, expectation: Mapping[str, Any]) -> Found:
    if isinstance(anomaly["current"], list):
        return _unknown(column, anomaly, expectation)
    rows = column.where_text(
        lambda text: bool(DAMAGED(text)) if not text.isascii() else bool(QUESTIONED(text))
    )
    return (rows, "rows with damaged text") if rows.any() else (None, _WHOLE)


def _shaped(column: _Guilty, anomaly: Document, expectation: Mapping[str, Any]) -> Found:
    if not column.is_text:
        return _whole(column, anomaly, expectation)
    pattern = anomaly["current"]
    return column.where(lambda text: shape_of(text) == pattern), f"rows of the pattern {pattern!r}"


def _repeated(column: _Guilty, anomaly: Document, expectation: Mapping[str, Any]) -> Found:
    return repeated_rows([column.values]) & ~column.missing, "rows with a value that occurs more than once"


def _of_another_type(column: _Guilty, anomaly: Document, expectation: Mapping[str, Any]) -> Found:
    wanted = expectation.get("type")
    if column.is_text and wanted in ("int", "float"):
        rows = column.where(lambda text: not NUMBER(text) and bool(text.strip()))
        # Where all that is text is a number, the text itself is what is wrong.
        return (rows, "rows whose text is no number") if rows.any() else _whole(column, anomaly, expectation)
    if column.is_text and wanted == "time":
        rows = column.where(lambda text: not TIME(text) and bool(text.strip()))
        return (rows, "rows whose text is no time") if rows.any() else _whole(column, anomaly, expectation)
    if wanted == "int" and pa.types.is_floating(column.values.type):
        numbers = column.numbers
        rows = np.isfinite(numbers) & (numbers != np.floor(numbers))
        return (rows, "rows with a fraction") if rows.any() else _whole(column, anomaly, expectation)
    return _whole(column, anomaly, expectation)


def _long(column: _Guilty, anomaly: Document, expectation: Mapping[str, Any]) -> Found:
    lengths = column.lengths
    low, high = expectation.get("min_length"), expectation.get("max_length")
    rows = np.zeros(len(lengths), dtype=bool)
    if low is not None:
        rows |= lengths < low
    if high is not None:
        rows |= lengths > high
    return rows, "rows shorter or longer than is allowed"


def _cut(column: _Guilty, anomaly: Document, expectation: Mapping[str, Any]) -> Found:
    return column.lengths == anomaly["current"], f"rows that are just {anomaly['current']} letters long"


def _at_the_limit(column: _Guilty, anomaly: Document, expectation: Mapping[str, Any]) -> Found:
    return column.numbers == anomaly["current"], "rows that stand at the limit"


def _disordered(column: _Guilty, anomaly: Document, expectation: Mapping[str, Any]) -> Found:
    numbers = column.numbers
    steps = np.diff(numbers, prepend=numbers[:1])
    wanted = str(anomaly["reference"])
    if wanted.startswith(("decreasing", "nonincreasing")):
        steps = -steps
    wrong = steps < 0
    if wanted in ("increasing", "decreasing"):
        wrong |= steps == 0
        wrong[:1] = False
    return wrong, "rows that do not follow the one before"


def _around_the_gap(column: _Guilty, anomaly: Document, expectation: Mapping[str, Any]) -> Found:
    numbers = column.numbers
    known = np.unique(numbers[np.isfinite(numbers)])
    if len(known) < 2:
        return None, _WHOLE
    at = int(np.argmax(np.diff(known)))
    return np.isin(numbers, known[at : at + 2]), "rows at both ends of the gap"


def _newest(column: _Guilty, anomaly: Document, expectation: Mapping[str, Any]) -> Found:
    numbers = column.numbers
    known = numbers[np.isfinite(numbers)]
    return (numbers == known.max(), "the newest rows") if len(known) else (None, _WHOLE)


def _drifted(column: _Guilty, anomaly: Document, expectation: Mapping[str, Any]) -> Found:
    if column.is_text and expectation.get("values") is not None:
        rows, message = _unknown(column, anomaly, expectation)
    else:
        rows, message = _outside(column, anomaly, expectation)
    return (rows, message) if rows is not None and rows.any() else (None, _WHOLE)


def _whole(column: _Guilty, anomaly: Document, expectation: Mapping[str, Any]) -> Found:
    return ~column.missing, "all rows that have a value"


_OF_COLUMN: dict[str, Callable[[_Guilty, Document, Mapping[str, Any]], Found]] = {
    "nulls_increased": _missing,
    "all_null": _missing,
    "blank_values": _blank,
    "infinite_values": _infinite,
    "out_of_range": _outside,
    "outliers": _outside,
    "sign_flipped": _flipped,
    "unit_changed": _rescaled,
    "sentinel_values": _standing_in,
    "value_spike": _standing_in,
    "constant_column": _whole,
    "unexpected_values": _unknown,
    "misspelled_values": _unknown,
    "case_changed": _cased,
    "whitespace": _spaced,
    "encoding_damage": _damaged,
    "format_changed": _shaped,
    "duplicate_keys": _repeated,
    "type_changed": _of_another_type,
    "numbers_as_text": _of_another_type,
    "decimal_comma": _of_another_type,
    "times_as_text": _of_another_type,
    "mixed_types": _of_another_type,
    "length_out_of_range": _long,
    "truncated_text": _cut,
    "clipped_values": _at_the_limit,
    "order_lost": _disordered,
    "time_gap": _around_the_gap,
    "stale_data": _newest,
    "swapped_columns": _whole,
    "distribution_drift": _drifted,
}


# -- values as JSON ---------------------------------------------------------------------------------


def _values(values: Any, positions: Sequence[int]) -> list[Any]:
    """A few values of a column, by position."""
    if isinstance(values, np.ndarray):
        return [_plain(value) for value in values[np.asarray(positions, dtype=np.int64)].tolist()]
    return [_plain(value) for value in values.take(pa.array(positions, pa.int64())).to_pylist()]


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None if math.isnan(value) else str(value)
    if hasattr(value, "isoformat"):
        return value.isoformat()
    text = (
        value
        if isinstance(value, str)
        else repr(value)
        if isinstance(value, bytes | list | dict)
        else str(value)
    )
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
