"""Documents about the tables of runs, put together from the store: what `stats`, the panel and cells show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jupyterlab_pipelines.errors import NotFoundError
from jupyterlab_pipelines.quality import drift
from jupyterlab_pipelines.quality.anomalies import find
from jupyterlab_pipelines.quality.expected import expected
from jupyterlab_pipelines.quality.measurer import Measurer, known_statistics
from jupyterlab_pipelines.quality.overview import changes, column_facts, likely_renames, overview, trend
from jupyterlab_pipelines.quality.schema import Schema
from jupyterlab_pipelines.quality.shown import ShownStatistics
from jupyterlab_pipelines.quality.statistics import Statistics
from jupyterlab_pipelines.store import Store

RUNS_OF_TREND = 20
COLUMNS_OF_TREND = 60

Document = dict[str, Any]


def statistics_of(store: Store, digest: str) -> Statistics | None:
    """The statistics of an artifact, measured now if they never were; None if it is no table that can be.

    Raises
    ------
    NotFoundError
        No run left such an artifact.
    """
    artifact = store.quality.artifact(digest)
    if artifact is None:
        raise NotFoundError("unknown_artifact", f"The store has no artifact {digest}.", digest=digest)
    known = known_statistics(store, digest)
    if known is not None:
        return known
    with Measurer(store) as measurer:
        return measurer.statistics(artifact)


def shown_statistics(store: Store, digest: str) -> ShownStatistics | None:
    """The same with a picture of the table beside what it was compared with in its newest run."""
    statistics = statistics_of(store, digest)
    if statistics is None:
        return None
    reference = store.quality.newest_reference(digest)
    before = known_statistics(store, reference) if reference and reference != digest else None
    return ShownStatistics.of(statistics, before, store.quality.newest_anomalies(digest))


def table_of(run: Document, target: str) -> tuple[Document, Document]:
    """The step and the output that ``step.name`` stands for in a run's document.

    Raises
    ------
    NotFoundError
        The run has none such.
    """
    step_name, _, name = target.partition(".")
    step = next((each for each in run["steps"] if each["name"] == step_name), None)
    outputs = {output["name"]: output for output in step["outputs"]} if step else {}
    if step is None or name not in outputs:
        known = [f"{each['name']}.{output['name']}" for each in run["steps"] for output in each["outputs"]]
        raise NotFoundError(
            "unknown_output",
            f"Run {run['run_id']} has no output `{target}`; it has {', '.join(known) or 'none'}.",
            target=target,
            outputs=known,
        )
    return step, outputs[name]


def anomaly_of(
    run: Document, target: str, kind: str, feature: str | None = None, check: str | None = None
) -> Document:
    """The anomaly of a table of a run that a person names; `check`: of a check, its expression.

    Of a metric, which is in no table, `target` is the step.

    Raises
    ------
    NotFoundError
        The table has none such.
    """
    if "." in target:
        step, output = table_of(run, target)
        name = output["name"]
    else:
        step, name = next((each for each in run["steps"] if each["name"] == target), {"anomalies": []}), None
    found: list[Document] = [one for one in step["anomalies"] if one["output"] == name]
    for one in found:
        wanted = check is None or one["reference"] == check
        if (one["kind"], one["feature"]) == (kind, feature) and wanted:
            return one
    known = ", ".join(f"{one['kind']} of {one['feature'] or 'the table'}" for one in found) or "none"
    raise NotFoundError(
        "unknown_anomaly",
        f"`{target}` of run {run['run_id']} has no anomaly `{kind}` of {feature or 'the whole table'}; it has {known}.",
        target=target,
    )


def home_of(run: Document, anomaly: Document) -> str:
    """The table that an anomaly is of, as ``step.name``: a validator tells of those that it reads, too."""
    for step in run["steps"]:
        for output in step["outputs"]:
            if (output["name"], output["digest"]) == (anomaly["output"], anomaly["digest"]):
                return f"{step['name']}.{output['name']}"
    return f"{anomaly['first']['step']}.{anomaly['output']}"


def failing_rows(
    store: Store,
    run_id: str,
    anomalies: Sequence[Document],
    schemas: Mapping[str, Schema],
    limit: int,
) -> list[Document]:
    """For each anomaly the rows of its table that it is about, read by a worker.

    Anomalies say in which ``table`` and ``digest`` they were found, and with which table it was compared: in
    ``reference_digest``, or as the run noted.

    Raises
    ------
    NotFoundError
        A table is not in the store any more.
    """
    found = []
    with Measurer(store) as measurer:
        for anomaly in anomalies:
            artifact = store.quality.artifact(anomaly["digest"])
            reference = anomaly.get("reference_digest") or store.quality.reference_in(
                run_id, anomaly["digest"]
            )
            before = known_statistics(store, reference) if reference else None
            expectation = expected(anomaly, schemas.get(anomaly["table"]), before)
            wanted = {"anomaly": anomaly, "expectation": expectation, "limit": limit}
            answer = measurer.ask(artifact, rows=wanted) if artifact else None
            if answer is None:
                raise NotFoundError(
                    "table_gone",
                    f"`{anomaly['table']}` of run {run_id} is not in the store any more.",
                    target=anomaly["table"],
                )
            told = {"run_id": run_id, "table": anomaly["table"], "digest": anomaly["digest"]}
            found.append({**told, "anomaly": anomaly, **answer["rows"]})
    return found


def table_document(
    store: Store, run: Document, target: str, against: tuple[Document, str] | None = None
) -> Document:
    """All that is known of one output of a run: statistics, anomalies, drift, what the step changed, the trend.

    Parameters
    ----------
    against
        A run's document and a table in it to compare with, in place of the reference of the run.
    """
    step, output = table_of(run, target)
    digest = output["digest"]
    statistics = statistics_of(store, digest)
    reference = _compared_with(store, run, target, against)
    before = statistics_of(store, reference["digest"]) if reference else None
    if against is not None and reference and statistics is not None and before is not None:
        anomalies = [
            anomaly.to_document()
            | {"output": output["name"], "digest": digest, "reference_digest": reference["digest"]}
            for anomaly in find(statistics, None, before)
        ]
    else:
        anomalies = [anomaly for anomaly in step["anomalies"] if anomaly["output"] == output["name"]]
    return {
        "run_id": run["run_id"],
        "notebook": run["notebook"],
        "step": step["name"],
        "name": output["name"],
        "digest": digest,
        "type": output["type"],
        "summary": output["summary"],
        "rows": statistics.rows if statistics else None,
        "statistics": statistics.to_document() if statistics else None,
        "anomalies": anomalies,
        "reference": reference | {"rows": before.rows if before else None} if reference else None,
        "overview": overview(statistics, before, anomalies) if statistics else [],
        "drift": drifts(before, statistics),
        "changes": _changes(store, step["inputs"], output["name"], statistics),
        "trend": _trend(store, run["notebook"], step["name"], output["name"]),
    }


def _compared_with(
    store: Store, run: Document, target: str, against: tuple[Document, str] | None
) -> Document | None:
    """Where the table is that another one is compared with; None if there is none."""
    if against is not None:
        other_run, other_target = against
        _, other = table_of(other_run, other_target)
        return {"run_id": other_run["run_id"], "table": other_target, "digest": other["digest"]}
    step, output = table_of(run, target)
    found = store.quality.reference(run["notebook"], step["name"], output["name"], run["run_id"])
    return {"run_id": found.run_id, "table": target, "digest": found.digest} if found else None


def edge_document(store: Store, run: Document, source: str, target: str) -> Document:
    """What a step did to the tables of another: a change for each table that it leaves.

    Each is compared with the table of `source` that it is most like: of those that the step reads, or of all where it
    reads none directly.

    Raises
    ------
    NotFoundError
        The run has no such step.
    """
    steps = {step["name"]: step for step in run["steps"]}
    for name in (source, target):
        if name not in steps:
            raise NotFoundError(
                "unknown_step", f"Run {run['run_id']} has no step `{name}`; it has {', '.join(steps)}."
            )
    given = _measured(store, {each["name"]: each["digest"] for each in steps[source]["outputs"]})
    inputs = steps[target]["inputs"]
    read = {name: found for name, found in given.items() if inputs.get(name) == found[0]}
    left = _measured(store, {each["name"]: each["digest"] for each in steps[target]["outputs"]})
    tables = []
    for name, (_, after) in left.items():
        likest = _likest(name, after, read or given)
        if likest is not None:
            digest, before = (read or given)[likest]
            tables.append({"input": likest, "output": name, "digest": digest} | changes(before, after))
    return {"run_id": run["run_id"], "source": source, "target": target, "tables": tables}


def _measured(store: Store, digests: Mapping[str, str]) -> dict[str, tuple[str, Statistics]]:
    return {
        name: (digest, found)
        for name, digest in digests.items()
        if (found := statistics_of(store, digest)) is not None
    }


def _likest(name: str, table: Statistics, others: Mapping[str, tuple[str, Statistics]]) -> str | None:
    """The name of the table that has most columns in common, the same name where several have; None if none has any."""

    def common(other: str) -> tuple[int, bool, bool]:
        statistics = others[other][1]
        shared = len(table.by_name.keys() & statistics.by_name.keys()) + len(
            likely_renames(statistics, table)
        )
        return shared, other == name, statistics.rows == table.rows

    best = max(others, key=common, default=None)
    return best if best is not None and common(best)[0] else None


def trend_document(store: Store, notebook: str, target: str, column: str | None, most: int) -> Document:
    """A table, or one of its columns, in the last runs of a notebook, the oldest first."""
    step, _, name = target.partition(".")
    runs = []
    for past in store.quality.history(notebook, step, name, most):
        statistics = known_statistics(store, past.digest)
        if statistics is None:
            continue
        anomalies = [
            one for one in past.anomalies if one["output"] == name and column in (None, one["feature"])
        ]
        facts = column_facts(statistics.by_name.get(column)) if column is not None else {}
        runs.append(
            {
                "run_id": past.run_id,
                "created_at": past.created_at,
                "digest": past.digest,
                "rows": statistics.rows,
                "anomalies": len(anomalies),
                **facts,
            }
        )
    if column is not None and runs and all(run["nulls"] is None for run in runs):
        raise NotFoundError("unknown_column", f"`{target}` has no column {column!r} in any of these runs.")
    return {"table": target, "column": column, "runs": runs}


def artifact_document(store: Store, digest: str) -> Document:
    """What is known of an artifact, whichever run it is from."""
    statistics = statistics_of(store, digest)
    anomalies = store.quality.newest_anomalies(digest)
    reference = store.quality.newest_reference(digest)
    before = known_statistics(store, reference) if reference and reference != digest else None
    return {
        "digest": digest,
        "rows": statistics.rows if statistics else None,
        "statistics": statistics.to_document() if statistics else None,
        "reference": reference,
        "anomalies": anomalies,
        "overview": overview(statistics, before, anomalies) if statistics else [],
    }


def drifts(before: Statistics | None, after: Statistics | None) -> Document:
    """By column, how far the two tables lie apart."""
    if before is None or after is None:
        return {}
    return {
        column.name: found.to_document() | drift.measures(before.by_name[column.name], column)
        for column in after.columns
        if column.name in before.by_name and (found := drift.compare(before.by_name[column.name], column))
    }


def differences(store: Store, before: str, after: str) -> Document | None:
    """What two tables, of which the statistics are known, differ in; None if they are not known."""
    old, new = known_statistics(store, before), known_statistics(store, after)
    if old is None or new is None:
        return None
    found = [anomaly.to_document() for anomaly in find(new, None, old)]
    return {"rows": {"before": old.rows, "after": new.rows}, "anomalies": found}


def _changes(store: Store, inputs: Mapping[str, str], name: str, after: Statistics | None) -> list[Document]:
    if after is None:
        return []
    return [
        {"input": given, "output": name, "digest": digest} | changes(before, after)
        for given, digest in inputs.items()
        if (before := known_statistics(store, digest)) is not None
    ]


def _trend(store: Store, notebook: str, step: str, name: str) -> list[Document]:
    tables = store.quality.history(notebook, step, name, RUNS_OF_TREND)
    known = {past.run_id: known_statistics(store, past.digest) for past in tables}
    return trend({run_id: found for run_id, found in known.items() if found}, COLUMNS_OF_TREND)
