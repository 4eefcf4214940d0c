"""Statistics: what is known about a table without looking at it again.

The nouns are plain records that go to JSON and back, about 2 kB a column. `measure` makes them.

What a number is made of, for every column:

- `nulls` counts None, NaN, NaT and NA alike; all other numbers are about the values that are left.
- Infinities are counted, and left out of minimum, mean, quantiles and histogram.
- Times are seconds since 1970 (UTC for times with a zone), durations are seconds.
- A quantile interpolates linearly between the two nearest values (numpy's default).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

VERSION = 1

NUMERIC_TYPES = frozenset({"int", "float"})
"""Column types that are numbers."""
MEASURED_TYPES = frozenset({"int", "float", "time", "duration"})
"""Column types that have quantiles."""

Value = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts of values in bins of equal width from `start` to `stop`; whole bins for whole numbers."""

    start: float
    stop: float
    counts: tuple[int, ...]

    @property
    def edges(self) -> list[float]:
        """The borders of the bins, one more than there are bins."""
        bins = len(self.counts)
        width = (self.stop - self.start) / bins
        return [self.start + width * index for index in range(bins)] + [self.stop]


@dataclass(frozen=True, slots=True)
class Numbers:
    """Finite values in order of size: of a number, time or duration, of a text's or list's length.

    `grid` are the 0 %, 1 %, … 100 % quantiles; `lowest` and `highest` the ten outermost values, the
    outermost first. `decimals` is how many digits after the point nearly all values need (negative
    for round tens, hundreds, …; None where they need more than nine). `order` says how the values
    stand in the table: ``increasing`` (strictly), ``nondecreasing``, ``decreasing``,
    ``nonincreasing`` or None. `autocorrelation` is the rank correlation of neighbouring rows, where
    the table has a column of times in order (of at most 2,000 evenly spread pairs).
    """

    count: int
    infinities: int
    zeros: int
    negatives: int
    mean: float
    std: float
    grid: tuple[float, ...]
    histogram: Histogram
    lowest: tuple[float, ...]
    highest: tuple[float, ...]
    decimals: int | None = None
    order: str | None = None
    autocorrelation: float | None = None

    @property
    def min(self) -> float:
        """The smallest finite value."""
        return self.grid[0]

    @property
    def max(self) -> float:
        """The largest finite value."""
        return self.grid[-1]

    @property
    def median(self) -> float:
        """The 50 % quantile."""
        return self.grid[50]

    @property
    def quantiles(self) -> tuple[float, ...]:
        """The eleven quantiles 0 %, 10 %, … 100 %."""
        return self.grid[::10]


@dataclass(frozen=True, slots=True)
class Text:
    """What the strings of a column look like.

    `blank` (empty or white space alone) and `edge_spaces` are counts of all rows. The rest are counts of
    `seen` rows: all, or where there are more than 2,000 distinct values, the rows of so many of them.
    `shapes` are the commonest patterns, digits as ``9`` and letters as ``a``, runs as one.
    """

    lengths: Numbers
    blank: int
    edge_spaces: int
    numeric: int = 0
    decimal_commas: int = 0
    decorated: int = 0
    times: int = 0
    upper: int = 0
    lower: int = 0
    non_ascii: int = 0
    damaged: int = 0
    shapes: tuple[tuple[str, int], ...] = ()
    seen: int = 0


@dataclass(frozen=True, slots=True)
class Times:
    """What only times have: gaps between neighbouring distinct moments, and the hours of the day.

    Gaps in seconds; `max_gap_start` is where the widest begins. `resolution` is the coarsest unit
    all values fall on: ``day hour minute second subsecond``. `zone` is the column's time zone. `late` are
    the rows after the 12th of a month; `early_only` those of months that have eight rows and more, but
    none that is late (the first and the last month and the fullest of these left out): where day and
    month are exchanged, there are many.
    """

    span: float
    median_gap: float
    max_gap: float
    max_gap_start: float
    resolution: str
    hours: tuple[int, ...]
    weekdays: tuple[int, ...]
    zone: str | None = None
    late: int = 0
    early_only: int = 0


@dataclass(frozen=True)
class Column:
    """One feature of a table.

    `type` is one of ``int float bool string time duration binary nested object null``; `dtype` is the
    library's own name for it. `top` are the commonest values with their counts: all of them up to a
    hundred distinct ones, else twenty (of nearly unique columns only those that occur often).
    `singletons` is how many values occur once. `distinct` is None where values cannot be compared.
    """

    name: str
    type: str
    dtype: str
    rows: int
    nulls: int
    distinct: int | None = None
    singletons: int = 0
    top: tuple[tuple[Value, int], ...] = ()
    numbers: Numbers | None = None
    text: Text | None = None
    times: Times | None = None
    lengths: Numbers | None = None
    python_types: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def count(self) -> int:
        """How many values there are."""
        return self.rows - self.nulls

    @cached_property
    def counts(self) -> dict[Value, int]:
        """The common values and how often they occur."""
        return dict(self.top)

    @cached_property
    def is_complete(self) -> bool:
        """Whether `top` tells every value there is."""
        return self.distinct is not None and self.distinct == len(self.top)

    @cached_property
    def is_unique(self) -> bool:
        """Whether no value occurs twice."""
        return self.distinct is not None and self.distinct == self.count


@dataclass(frozen=True)
class Statistics:
    """Numbers about one table.

    `rows` is what the table has, `measured_rows` what was looked at: fewer only above the budget,
    and then `approximate`. `duplicates` counts rows that repeat an earlier one (None: not known).
    `correlations` are rank correlations (Spearman) of pairs of number columns, of at most 2,000
    evenly spread rows; pairs below 0.2 are left out. `correlated` are the columns that were compared.
    """

    rows: int
    columns: tuple[Column, ...]
    duplicates: int | None = None
    measured_rows: int | None = None
    correlated: tuple[str, ...] = ()
    correlations: tuple[tuple[str, str, float], ...] = ()

    @property
    def approximate(self) -> bool:
        """Whether only a part of the rows was measured."""
        return self.measured_rows is not None and self.measured_rows < self.rows

    @cached_property
    def by_name(self) -> dict[str, Column]:
        """The columns by their names."""
        return {column.name: column for column in self.columns}

    def to_document(self) -> dict[str, Any]:
        """As JSON; `from_document` reads it."""
        document: dict[str, Any] = {
            "version": VERSION,
            "rows": self.rows,
            "approximate": self.approximate,
            "duplicates": self.duplicates,
            "columns": [_column_document(column) for column in self.columns],
        }
        if self.approximate:
            document["measured_rows"] = self.measured_rows
        if self.correlated:
            document["correlated"] = list(self.correlated)
            document["correlations"] = [list(pair) for pair in self.correlations]
        return document

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Statistics:
        """Read what `to_document` wrote.

        Raises
        ------
        ValueError
            The document was written by a later version.
        """
        if document.get("version") != VERSION:
            raise ValueError(f"statistics of version {document.get('version')!r}; this reads {VERSION}")
        return cls(
            rows=document["rows"],
            columns=tuple(_read_column(column) for column in document["columns"]),
            duplicates=document.get("duplicates"),
            measured_rows=document.get("measured_rows"),
            correlated=tuple(document.get("correlated", ())),
            correlations=tuple((a, b, r) for a, b, r in document.get("correlations", ())),
        )


def measure(table: Any, *, threads: int | None = None, budget_rows: int | None = None) -> Statistics:
    """Measure `table`.

    Parameters
    ----------
    table
        A pandas or polars frame or series, a pyarrow table, batch or array, a numpy array (structured,
        or of one or two dimensions), or a mapping of names to columns.
    threads
        How many columns are measured at a time; the number of cores, at most four, if not said.
    budget_rows
        Longer tables are measured on that many evenly spread rows, and marked approximate.

    Raises
    ------
    UsageError
        `table` is none of these.
    """
    from jupyterlab_pipelines.quality.measuring.table import measure_table

    return measure_table(table, threads=threads, budget_rows=budget_rows)


# -- documents ------------------------------------------------------------------------------------


def _column_document(column: Column) -> dict[str, Any]:
    document: dict[str, Any] = {
        "name": column.name,
        "type": column.type,
        "dtype": column.dtype,
        "rows": column.rows,
        "nulls": column.nulls,
        "distinct": column.distinct,
        "singletons": column.singletons,
        "top": [list(pair) for pair in column.top],
    }
    if column.numbers:
        document["numbers"] = _numbers_document(column.numbers, column.type)
    if column.text:
        text = column.text
        document["text"] = {
            "lengths": _numbers_document(text.lengths, "int"),
            **{
                name: getattr(text, name)
                for name in _TEXT_COUNTS
                if getattr(text, name) or name in ("blank", "edge_spaces")
            },
            "shapes": [list(pair) for pair in text.shapes],
        }
    if column.times:
        times = column.times
        document["times"] = {
            "span": times.span,
            "median_gap": times.median_gap,
            "max_gap": times.max_gap,
            "max_gap_start": times.max_gap_start,
            "resolution": times.resolution,
            "hours": list(times.hours),
            "weekdays": list(times.weekdays),
            "zone": times.zone,
            "late": times.late,
            "early_only": times.early_only,
        }
    if column.lengths:
        document["lengths"] = _numbers_document(column.lengths, "int")
    if column.python_types:
        document["python_types"] = dict(column.python_types)
    return document


_TEXT_COUNTS = (
    "blank",
    "edge_spaces",
    "numeric",
    "decimal_commas",
    "decorated",
    "times",
    "upper",
    "lower",
    "non_ascii",
    "damaged",
    "seen",
)


def _numbers_document(numbers: Numbers, kind: str) -> dict[str, Any]:
    # The eleven deciles are told in full, the quantiles between them to seven digits (times to the
    # microsecond): that halves the size of a column.
    digits = "%.16g" if kind == "time" else "%.7g"
    grid = [
        value if index % 10 == 0 or isinstance(value, int) else float(digits % value)
        for index, value in enumerate(numbers.grid)
    ]
    document: dict[str, Any] = {
        "count": numbers.count,
        "infinities": numbers.infinities,
        "zeros": numbers.zeros,
        "negatives": numbers.negatives,
        "mean": numbers.mean,
        "std": numbers.std,
        "grid": [_short(value) for value in grid],
        "histogram": {
            "start": _short(numbers.histogram.start),
            "stop": _short(numbers.histogram.stop),
            "counts": list(numbers.histogram.counts),
        },
        "lowest": [_short(value) for value in numbers.lowest],
        "highest": [_short(value) for value in numbers.highest],
    }
    if numbers.decimals is not None:
        document["decimals"] = numbers.decimals
    if numbers.order is not None:
        document["order"] = numbers.order
    if numbers.autocorrelation is not None:
        document["autocorrelation"] = numbers.autocorrelation
    return document


def _short(value: float) -> float:
    """Whole numbers without `.0`; JSON knows one kind of number."""
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else value


def _read_column(document: Mapping[str, Any]) -> Column:
    text = document.get("text")
    return Column(
        name=document["name"],
        type=document["type"],
        dtype=document["dtype"],
        rows=document["rows"],
        nulls=document["nulls"],
        distinct=document["distinct"],
        singletons=document["singletons"],
        top=_pairs(document["top"]),
        numbers=_read_numbers(document.get("numbers")),
        text=Text(
            **{name: text[name] for name in _TEXT_COUNTS if name in text},
            lengths=_lengths(text["lengths"]),
            shapes=_pairs(text["shapes"]),
        )
        if text
        else None,
        times=_read_times(document.get("times")),
        lengths=_read_numbers(document.get("lengths")),
        python_types=document.get("python_types", {}),
    )


def _read_times(document: Mapping[str, Any] | None) -> Times | None:
    if document is None:
        return None
    return Times(
        span=document["span"],
        median_gap=document["median_gap"],
        max_gap=document["max_gap"],
        max_gap_start=document["max_gap_start"],
        resolution=document["resolution"],
        hours=tuple(document["hours"]),
        weekdays=tuple(document["weekdays"]),
        zone=document["zone"],
        # What was measured by an earlier version has them not.
        late=document.get("late", 0),
        early_only=document.get("early_only", 0),
    )


def _pairs(pairs: Sequence[Sequence[Any]]) -> tuple[tuple[Any, int], ...]:
    return tuple((value, count) for value, count in pairs)


def _lengths(document: Mapping[str, Any]) -> Numbers:
    numbers = _read_numbers(document)
    assert numbers is not None
    return numbers


def _read_numbers(document: Mapping[str, Any] | None) -> Numbers | None:
    if document is None:
        return None
    histogram = document["histogram"]
    return Numbers(
        count=document["count"],
        infinities=document["infinities"],
        zeros=document["zeros"],
        negatives=document["negatives"],
        mean=document["mean"],
        std=document["std"],
        grid=tuple(document["grid"]),
        histogram=Histogram(histogram["start"], histogram["stop"], tuple(histogram["counts"])),
        lowest=tuple(document["lowest"]),
        highest=tuple(document["highest"]),
        decimals=document.get("decimals"),
        order=document.get("order"),
        autocorrelation=document.get("autocorrelation"),
    )
