"""What whole rows tell: which repeat an earlier one, and which columns go together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jupyterlab_pipelines.quality.measuring.arrays import as_arrow, as_numpy
from jupyterlab_pipelines.quality.measuring.numbers import Array
from jupyterlab_pipelines.quality.measuring.values import is_missing
from jupyterlab_pipelines.quality.statistics import Column

SAMPLE = 2_000
"""Rows that are looked at for correlations."""
MOST_COLUMNS = 40
"""Of more number columns the first so many are compared."""
FEWEST = 20
"""Rows that a pair of columns must have in common."""
WEAKEST = 0.2
"""Correlations below are left out."""


def count_duplicates(columns: Sequence[Column], arrays: Sequence[Any]) -> int | None:
    """How many rows repeat an earlier one; None where a column's values cannot be compared.

    Column after column, the one with the most distinct values first, sorts out the rows that are
    like no other; mostly two columns are enough.
    """
    if not columns or columns[0].rows < 2:
        return 0
    if any(column.is_unique and not column.nulls for column in columns):
        return 0
    ranked = sorted(range(len(columns)), key=lambda index: -(columns[index].distinct or 0))
    rows = np.arange(columns[0].rows)
    unique = next((index for index in ranked if columns[index].is_unique and columns[index].count), None)
    if unique is not None:
        # Only rows without a value in it can be alike.
        ranked.remove(unique)
        rows = rows[_is_null(arrays[unique])]
        if len(rows) < 2 or not ranked:
            return max(0, len(rows) - 1)
    hashes = np.zeros(len(rows), dtype=np.uint64)
    for position, index in enumerate(ranked):
        codes = _codes(arrays[index], rows, whole=len(rows) == columns[0].rows)
        if codes is None:
            return None
        hashes = _mix(hashes, codes)
        if position == 0 and len(ranked) > 1:
            continue
        ordered = np.sort(hashes)
        repeated = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
        if len(repeated) == 0:
            return 0
        kept = _contained(hashes, repeated)
        if np.count_nonzero(kept) < 0.8 * len(rows):
            rows, hashes = rows[kept], hashes[kept]
    return len(hashes) - len(np.unique(hashes))


def _is_null(values: Any) -> Array:
    if not isinstance(values, np.ndarray):
        return as_numpy(pc.is_null(values, nan_is_null=True))
    if values.dtype.kind in "fc":
        return np.isnan(values)
    if values.dtype.kind in "Mm":
        return np.isnat(values)
    return np.array([is_missing(value) for value in values.tolist()], dtype=bool)


def repeated_rows(arrays: Sequence[Any]) -> Array:
    """For each row, whether another one is like it; False throughout where values cannot be compared."""
    rows = np.arange(len(arrays[0]) if arrays else 0)
    hashes = np.zeros(len(rows), dtype=np.uint64)
    for values in arrays:
        codes = _codes(values, rows, whole=True)
        if codes is None:
            return np.zeros(len(rows), dtype=bool)
        hashes = _mix(hashes, codes)
    ordered = np.sort(hashes)
    repeated = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    return _contained(hashes, repeated) if len(repeated) else np.zeros(len(rows), dtype=bool)


def _contained(values: Array, ordered: Array) -> Array:
    places = np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)
    return np.asarray(ordered[places] == values)


def _mix(hashes: Array, codes: Array) -> Array:
    """SplitMix64's finisher over both: equal rows keep equal hashes, others hardly ever meet."""
    mixed = hashes * np.uint64(0x9E3779B97F4A7C15) + codes
    mixed ^= mixed >> np.uint64(30)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed


_NO_CODE = as_arrow(np.array([-1]))[0]


def _codes(values: Any, rows: Array, *, whole: bool) -> Array | None:
    """Of the chosen rows, 64 bits that are equal where the values are."""
    part = (
        values
        if whole
        else values.take(as_arrow(rows))
        if not isinstance(values, np.ndarray)
        else values[rows]
    )
    if isinstance(part, np.ndarray):
        return _codes_of_numpy(part)
    kind = part.type
    if pa.types.is_nested(kind) or isinstance(kind, pa.BaseExtensionType) or pa.types.is_null(kind):
        return _codes_of_objects(part.to_pylist())
    if pa.types.is_primitive(kind) and not part.null_count and not pa.types.is_boolean(kind):
        return _codes_of_numpy(as_numpy(part))
    if pa.types.is_dictionary(kind):
        part = part.unify_dictionaries() if isinstance(part, pa.ChunkedArray) else part
    else:
        part = pc.dictionary_encode(part)
    if isinstance(part, pa.ChunkedArray):
        part = part.combine_chunks()
        if isinstance(part, pa.ChunkedArray):
            part = part.chunk(0)
    return as_numpy(pc.fill_null(part.indices.cast(pa.int64()), _NO_CODE)).view(np.uint64)


def _codes_of_numpy(part: Array) -> Array | None:
    kind = part.dtype.kind
    if kind == "f":
        # Minus zero is zero, and a NaN is like any other.
        numbers = part.astype(np.float64) + 0.0
        numbers[np.isnan(numbers)] = np.nan
        return numbers.view(np.uint64)
    if kind in "iub":
        return part.astype(np.int64, copy=False).view(np.uint64)
    if kind in "Mm":
        return part.view(np.uint64)
    if kind == "O":
        return _codes_of_objects(part.tolist())
    return _codes_of_objects(part.tolist())


def _codes_of_objects(values: Sequence[Any]) -> Array | None:
    codes: dict[Any, int] = {}
    found = np.empty(len(values), dtype=np.uint64)
    for index, value in enumerate(values):
        if is_missing(value):
            key: Any = None
        else:
            try:
                hash(value)
                key = (type(value).__name__, value)
            except TypeError:
                key = (type(value).__name__, repr(value))
        found[index] = codes.setdefault(key, len(codes))
    return found


def rank_correlations(
    columns: Sequence[Column], arrays: Sequence[Any]
) -> tuple[tuple[str, ...], tuple[tuple[str, str, float], ...]]:
    """Which number columns were compared, and the rank correlations (Spearman) that are not weak."""
    chosen = [
        index
        for index, column in enumerate(columns)
        if column.type in ("int", "float") and column.numbers and (column.distinct or 0) > 2
    ][:MOST_COLUMNS]
    if len(chosen) < 2 or columns[0].rows < 20:
        return (), ()
    rows = columns[0].rows
    places = np.unique(np.linspace(0, rows - 1, min(rows, SAMPLE)).astype(np.int64))
    ranks = np.stack([_ranks(arrays[index], places) for index in chosen])
    known = ranks == ranks
    ranks[~known] = 0.0
    weights = known.astype(np.float64)
    # Pearson's correlation of the ranks, of each pair over the rows that have both.
    if known.all():
        common = np.full((len(chosen), len(chosen)), float(len(places)))
        sums = np.zeros_like(common)
        squares = np.broadcast_to((ranks * ranks).sum(axis=1)[:, None], common.shape)
    else:
        common = _products(weights, weights)
        sums = _products(ranks, weights)
        squares = _products(ranks * ranks, weights)
    with np.errstate(divide="ignore", invalid="ignore"):
        covariances = _products(ranks, ranks) - sums * sums.T / common
        variances = squares - sums * sums / common
        matrix = covariances / np.sqrt(variances * variances.T)
    matrix[common < FEWEST] = 0.0
    matrix = np.clip(np.nan_to_num(matrix, posinf=0.0, neginf=0.0), -1.0, 1.0)
    first, second = np.nonzero(np.triu(np.abs(matrix) >= WEAKEST, 1))
    names = tuple(columns[index].name for index in chosen)
    pairs = tuple(
        (names[a], names[b], round(float(matrix[a, b]), 3))
        for a, b in zip(first.tolist(), second.tolist(), strict=True)
    )
    return names, pairs


def autocorrelations(columns: Sequence[Column], arrays: Sequence[Any]) -> dict[int, float]:
    """By position, the rank correlation of neighbouring rows in number columns of a table in order of time."""
    if not any(column.type == "time" and column.numbers and column.numbers.order for column in columns):
        return {}
    rows = columns[0].rows
    if rows < FEWEST:
        return {}
    places = np.unique(np.linspace(0, rows - 2, min(rows - 1, SAMPLE)).astype(np.int64))
    found = {}
    for index in [i for i, column in enumerate(columns) if column.type in ("int", "float")][:MOST_COLUMNS]:
        here, there = _ranks(arrays[index], places), _ranks(arrays[index], places + 1)
        both = (here == here) & (there == there)
        if np.count_nonzero(both) < FEWEST:
            continue
        here, there = here[both] - here[both].mean(), there[both] - there[both].mean()
        scale = float(np.sqrt((here * here).sum() * (there * there).sum()))
        if scale:
            found[index] = round(float((here * there).sum()) / scale, 3)
    return found


def _products(left: Array, right: Array) -> Array:
    """All rows of one with all of the other; without BLAS, whose threads would go on waiting for more."""
    return np.asarray(np.einsum("ik,jk->ij", left, right))


def _ranks(values: Any, places: Array) -> Array:
    """Mid-ranks less their mean; NaN for the missing."""
    if isinstance(values, np.ndarray):
        part = values[places]
        if part.dtype == object:
            part = np.array([np.nan if value is None else value for value in part.tolist()], dtype=np.float64)
        part = np.abs(part) if part.dtype.kind == "c" else part.astype(np.float64)
    else:
        taken = values.take(as_arrow(places))
        part = as_numpy(pc.cast(taken, pa.float64(), safe=False))
    known = ~np.isnan(part)
    present = part[known]
    order = np.argsort(present)
    ordered = present[order]
    # Equal values share the middle of their places.
    borders = np.concatenate(([0], np.flatnonzero(ordered[1:] != ordered[:-1]) + 1, [len(ordered)]))
    middle = np.empty(len(present))
    middle[order] = np.repeat((borders[:-1] + borders[1:]) / 2, borders[1:] - borders[:-1])
    ranks = np.full(len(part), np.nan)
    ranks[known] = middle - len(present) / 2
    return ranks
