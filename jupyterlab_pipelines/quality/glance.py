"""Documents for a person who looks at a table of a run: all of it at a glance, then one column in detail.

A glance is small, a row a column; what is known of a column beyond that is asked for when somebody opens it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jupyterlab_pipelines.errors import NotFoundError
from jupyterlab_pipelines.quality import drift
from jupyterlab_pipelines.quality.anomalies import find
from jupyterlab_pipelines.quality.measurer import known_statistics
from jupyterlab_pipelines.quality.overview import bins, changes, overview, teller
from jupyterlab_pipelines.quality.rules.pair import moment, number, percent, shown, span
from jupyterlab_pipelines.quality.statistics import Column, Numbers, Statistics
from jupyterlab_pipelines.quality.views import statistics_of, table_of
from jupyterlab_pipelines.store import Store

DETAIL_BINS = 60
DETAIL_VALUES = 20

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Against:
    """A table that another is compared with. `is_usual`: the one that its run was compared with, too."""

    run_id: str
    table: str
    digest: str
    is_usual: bool = False


def against_of(
    store: Store, run: Document, target: str, other: tuple[Document, str] | None
) -> Against | None:
    """What a table is compared with: `other`, a run's document and a table in it, or what its run compared it with.

    That is the newest good table of the same name; None if there is none.

    Raises
    ------
    NotFoundError
        There is no such table.
    """
    if other is not None:
        other_run, table = other
        return Against(other_run["run_id"], table, table_of(other_run, table)[1]["digest"])
    step, output = table_of(run, target)
    found = store.quality.reference(run["notebook"], step["name"], output["name"], run["run_id"])
    return Against(found.run_id, target, found.digest, is_usual=True) if found else None


# -- a table ----------------------------------------------------------------------------------------


def table_at_a_glance(store: Store, run: Document, target: str, against: Against | None) -> Document:
    """A row for every column of a table of a run, beside the table that it is compared with.

    Where that is an input of the step that left the table, `changes` says what the step did to it; what a step
    does on purpose is no anomaly, so that there are none then.
    """
    step, output = table_of(run, target)
    now = statistics_of(store, output["digest"])
    before = statistics_of(store, against.digest) if against else None
    is_edge = against is not None and against.table != target and against.digest in step["inputs"].values()
    found: list[Document] = []
    if against is None or against.is_usual:
        found = [anomaly for anomaly in step["anomalies"] if anomaly["output"] == output["name"]]
    elif now and before and not is_edge:
        found = [anomaly.to_document() for anomaly in find(now, None, before)]
    return {
        "run_id": run["run_id"],
        "table": target,
        "digest": output["digest"],
        "type": output["type"],
        "summary": output["summary"],
        "size": _size(now) if now else None,
        "against": {
            "run_id": against.run_id,
            "table": against.table,
            "is_usual": against.is_usual,
            "size": _size(before) if before else None,
        }
        if against
        else None,
        "anomalies": found,
        "overview": overview(now, before, found) if now else [],
        "changes": changes(before, now) if is_edge and before and now else None,
        "upstream": _upstream(store, run, step),
        "is_pinned": store.quality.accepted(run["notebook"], step["name"], output["name"]) is not None,
    }


def _size(statistics: Statistics) -> Document:
    return {
        "rows": statistics.rows,
        "columns": len(statistics.columns),
        "duplicates": statistics.duplicates,
        "measured_rows": statistics.measured_rows if statistics.approximate else statistics.rows,
    }


def _upstream(store: Store, run: Document, step: Document) -> list[str]:
    """The step's inputs that are tables, as ``step.name`` of the last step before that left them."""
    digests = set(step["inputs"].values())
    found = {}
    for earlier in run["steps"][: run["steps"].index(step)]:
        for output in earlier["outputs"]:
            is_input = step["inputs"].get(output["name"]) == output["digest"] or (
                output["digest"] in digests and output["digest"] not in found
            )
            if is_input and known_statistics(store, output["digest"]) is not None:
                found[output["digest"]] = f"{earlier['name']}.{output['name']}"
    return list(found.values())


# -- a column ---------------------------------------------------------------------------------------


def column_in_detail(
    store: Store, run: Document, target: str, name: str, against: Against | None
) -> Document:
    """All that is told of one column: numbers, quantiles, values, a chart.

    Raises
    ------
    NotFoundError
        Neither of the tables has such a column.
    """
    _, output = table_of(run, target)
    now = _column(store, output["digest"], name)
    before = _column(store, against.digest, name) if against else None
    column = now or before
    if column is None:
        raise NotFoundError(
            "unknown_column", f"`{target}` has no column {name!r}.", table=target, column=name
        )
    reference = before if now else None
    distance = drift.compare(before, now) if before and now else None
    shared = bins(column, reference, DETAIL_BINS, DETAIL_VALUES)
    return {
        "name": name,
        "type": column.type,
        "dtype": column.dtype,
        "is_gone": now is None,
        "facts": _side_by_side(_facts(now), _facts(before)),
        "quantiles": _quantiles(now, before),
        "values": _values(column, reference),
        "drift": distance.to_document() | drift.measures(before, now)
        if distance and before and now
        else None,
        "bins": shared,
        "chart": _chart(shared, column),
    }


def _column(store: Store, digest: str, name: str) -> Column | None:
    statistics = statistics_of(store, digest)
    return statistics.by_name.get(name) if statistics else None


def _side_by_side(now: Mapping[str, str], before: Mapping[str, str]) -> list[Document]:
    names = [*now, *(name for name in before if name not in now)]
    return [{"name": name, "current": now.get(name), "reference": before.get(name)} for name in names]


def _facts(column: Column | None) -> dict[str, str]:
    return dict(_told_facts(column)) if column else {}


def _told_facts(column: Column) -> Iterator[tuple[str, str]]:
    yield "rows", f"{column.rows:,}"
    yield "nulls", f"{column.nulls:,} ({percent(column.nulls / column.rows)})" if column.nulls else "0"
    if column.distinct is not None:
        yield "distinct", f"{column.distinct:,}"
    if column.numbers and column.numbers.count:
        yield from _of_numbers(column.numbers, column)
    if column.text:
        text = column.text
        if text.lengths.count:
            yield "lengths", f"{number(text.lengths.min)} – {number(text.lengths.max)}"
        counts = {"blank": text.blank, "edge_spaces": text.edge_spaces, "numeric": text.numeric}
        yield from ((name, f"{count:,}") for name, count in counts.items() if count)
        if text.shapes:
            yield "shapes", ", ".join(shape for shape, _ in text.shapes[:3])
    if column.lengths and column.lengths.count:
        yield "lengths", f"{number(column.lengths.min)} – {number(column.lengths.max)}"
    if column.times:
        times = column.times
        yield "span", span(times.span)
        yield "median_gap", span(times.median_gap)
        yield "max_gap", f"{span(times.max_gap)}, {moment(times.max_gap_start)}"
        if times.zone:
            yield "zone", times.zone
    if column.python_types:
        yield "python_types", ", ".join(f"{name} {count:,}" for name, count in column.python_types.items())


def _of_numbers(numbers: Numbers, column: Column) -> Iterator[tuple[str, str]]:
    told = teller(column)
    yield "mean", told(numbers.mean)
    yield "std", span(numbers.std) if column.type in ("time", "duration") else number(numbers.std)
    yield "min", told(numbers.min)
    yield "max", told(numbers.max)
    counts = {"infinities": numbers.infinities}
    if column.type in ("int", "float"):
        counts |= {"zeros": numbers.zeros, "negatives": numbers.negatives}
    yield from ((name, f"{count:,}") for name, count in counts.items() if count)
    if numbers.order:
        yield "order", numbers.order


def _quantiles(now: Column | None, before: Column | None) -> list[Document]:
    """The deciles of both sides, in words."""

    def told(column: Column | None) -> list[str | None]:
        if column is None or not column.numbers or not column.numbers.count:
            return [None] * 11
        return [teller(column)(value) for value in column.numbers.quantiles]

    sides = zip(told(now), told(before), strict=True)
    found = [{"at": at / 10, "current": one, "reference": other} for at, (one, other) in enumerate(sides)]
    return [row for row in found if row["current"] is not None or row["reference"] is not None]


def _values(column: Column, before: Column | None) -> list[Document]:
    """The commonest values, those of the reference that are gone after them."""
    if not column.top and not (before and before.top):
        return []
    known = [value for value, _ in column.top[:DETAIL_VALUES]]
    gone = [value for value, _ in before.top[:DETAIL_VALUES] if value not in column.counts] if before else []
    is_told = before is not None and before.is_complete
    return [
        {
            "value": shown(value)[:200],
            "current": _value_share(column, value),
            "reference": _value_share(before, value) if before else None,
            "is_unseen": bool(is_told and before and value not in before.counts),
        }
        for value in [*known, *(gone if column.is_complete else [])]
    ]


def _value_share(column: Column, value: Any) -> float:
    return round(column.counts.get(value, 0) / column.count, 5) if column.count else 0.0


def _chart(shared: Document | None, column: Column) -> Document | None:
    if shared is None:
        return None
    from jupyterlab_pipelines.quality.charts import distribution

    return distribution(shared, is_time=column.type == "time" and column.numbers is not None)
