"""Documents about the tables of runs, put together from the store: what `stats`, the panel and cells show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jupyterlab_pipelines.errors import NotFoundError
from jupyterlab_pipelines.quality import drift
from jupyterlab_pipelines.quality.anomalies import find
from jupyterlab_pipelines.quality.measurer import Measurer, known_statistics
from jupyterlab_pipelines.quality.overview import changes, overview, trend
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

    Raises
    ------
    NotFoundError
        The table has none such.
    """
    step, output = table_of(run, target)
    found: list[Document] = [one for one in step["anomalies"] if one["output"] == output["name"]]
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


def table_document(
    store: Store, run: Document, target: str, against: Mapping[str, Any] | None = None
) -> Document:
    """All that is known of one output of a run: statistics, anomalies, drift, what the step changed, the trend.

    Parameters
    ----------
    against
        Another run's document to compare with, in place of the reference of the run.
    """
    step, output = table_of(run, target)
    digest = output["digest"]
    statistics = statistics_of(store, digest)
    reference: Document | None = None
    if against is not None:
        _, other = table_of(dict(against), target)
        reference = {"run_id": against["run_id"], "digest": other["digest"]}
    else:
        found = store.quality.reference(run["notebook"], step["name"], output["name"], run["run_id"])
        if found is not None:
            reference = {"run_id": found.run_id, "digest": found.digest}
    before = statistics_of(store, reference["digest"]) if reference else None
    if against is not None and statistics is not None and before is not None:
        anomalies = [anomaly.to_document() for anomaly in find(statistics, None, before)]
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
        "changes": _changes(store, step["inputs"], statistics),
        "trend": _trend(store, run["notebook"], step["name"], output["name"]),
    }


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


def _changes(store: Store, inputs: Mapping[str, str], after: Statistics | None) -> list[Document]:
    if after is None:
        return []
    return [
        {"input": name, "digest": digest} | changes(before, after)
        for name, digest in inputs.items()
        if (before := known_statistics(store, digest)) is not None
    ]


def _trend(store: Store, notebook: str, step: str, name: str) -> list[Document]:
    tables = store.quality.history(notebook, step, name, RUNS_OF_TREND)
    known = {run_id: known_statistics(store, digest) for run_id, digest in tables}
    return trend({run_id: found for run_id, found in known.items() if found}, COLUMNS_OF_TREND)
