"""Predictions of a run, held against the truth: slices of a table that a step has left.

Truth and prediction are columns of the table, or values of their own with as many rows (``split.y_test``,
``predict.y_pred``). Who does not name them gets those with a usual name. The server finds them by name; a worker reads
the tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jupyterlab_pipelines.errors import UsageError
from jupyterlab_pipelines.quality.measurable import is_table
from jupyterlab_pipelines.quality.measurer import Measurer
from jupyterlab_pipelines.quality.slices import METRICS, metric_values, overall, slices
from jupyterlab_pipelines.quality.statistics import Statistics
from jupyterlab_pipelines.quality.views import statistics_of, table_of
from jupyterlab_pipelines.store import Store

PREDICTIONS = ("prediction", "predictions", "predicted", "pred", "preds", "y_pred", "y_hat", "yhat")
TRUTHS = ("truth", "y_true", "actual", "observed", "target", "label", "labels", "y", "y_test")
"""Usual names, the surest first; case does not matter."""

MOST_CLASSES = 20
"""Truths of more different numbers are numbers, not classes."""
MOST_VALUES = 50
"""Columns of more different values are sliced only if they are numbers, which are cut into parts."""

Document = dict[str, Any]


def slices_document(
    store: Store,
    run: Document,
    target: str,
    *,
    truth: str | None = None,
    prediction: str | None = None,
    by: Sequence[str] = (),
    metric: str | None = None,
    limit: int = 20,
) -> Document:
    """How good predictions are for each value of the columns of a table, the worst first.

    Raises
    ------
    NotFoundError
        There is no such table.
    UsageError
        There are no predictions or truths to be found, or they do not fit the table.
    """
    _, output = table_of(run, target)
    statistics = statistics_of(store, output["digest"])
    if statistics is None:
        raise UsageError("no_table", f"`{target}` is no table: it is a {output['type']}.")
    if metric is not None and metric not in METRICS:
        raise UsageError(
            "unknown_metric", f"There is no metric `{metric}`; choose one of {', '.join(METRICS)}."
        )
    found = {
        "truth": truth or _usual(store, run, statistics, TRUTHS, "truth"),
        "prediction": prediction or _usual(store, run, statistics, PREDICTIONS, "prediction"),
    }
    sides = {side: _source(store, run, statistics, place) for side, place in found.items()}
    if unknown := [name for name in by if name not in statistics.by_name]:
        raise UsageError("unknown_column", f"`{target}` has no column `{unknown[0]}`.")
    columns = list(by) or [
        column.name
        for column in statistics.columns
        if column.name not in found.values()
        and column.count
        and (column.type in ("int", "float") or (column.distinct or MOST_VALUES + 1) <= MOST_VALUES)
    ]
    artifact = store.quality.artifact(output["digest"])
    job = {**sides, "by": columns, "metric": metric, "limit": limit}
    with Measurer(store) as measurer:
        answer = measurer.ask(artifact, slices=job) if artifact else None
    if answer is None:
        raise UsageError("table_gone", f"`{target}` is not in the store any more.", target=target)
    told = answer["slices"]
    if "error" in told:
        raise UsageError("no_slices", told["error"])
    return {"run_id": run["run_id"], "table": target, **found, "by": columns, **told}


def _usual(store: Store, run: Document, statistics: Statistics, names: Sequence[str], what: str) -> str:
    """A column with a usual name, or a value of the run with as many rows."""
    columns = {name.casefold(): name for name in reversed(list(statistics.by_name))}
    for name in names:
        if name in columns:
            return columns[name]
    others = {
        output["name"].casefold(): f"{step['name']}.{output['name']}"
        for step in run["steps"]
        for output in step["outputs"]
        if output["name"].casefold() in names
    }
    for name in names:
        if name in others:
            _, output = table_of(run, others[name])
            found = statistics_of(store, output["digest"])
            if found is not None and (found.rows, len(found.columns)) == (statistics.rows, 1):
                return others[name]
    raise UsageError(
        f"no_{what}",
        f"Say which column, or which STEP.NAME, is the {what}: none is called {', '.join(names[:4])} or the like.",
    )


def _source(store: Store, run: Document, statistics: Statistics, place: str) -> Document:
    """Where the worker finds it: a column of the table, or another stored one."""
    if place in statistics.by_name:
        return {"column": place}
    if "." not in place:
        raise UsageError("unknown_column", f"There is no column `{place}`, and it is no STEP.NAME.")
    _, output = table_of(run, place)
    artifact = store.quality.artifact(output["digest"])
    if artifact is None or not is_table(artifact) or store.artifacts.status(artifact.stored) is None:
        raise UsageError("no_table", f"`{place}` is no table or array that is in the store.")
    path = str(store.artifacts.path(artifact.stored).absolute())
    return {"materializer": artifact.materializer, "path": path, "member": artifact.member, "place": place}


# -- in the worker ----------------------------------------------------------------------------------


def sliced(job: Mapping[str, Any], table: Any) -> Document:
    """The slices that a job asks for; ``error`` where the sides do not fit."""
    import pandas as pd

    from jupyterlab_pipelines.quality.measuring.table import columns_of

    wanted = {*job["by"], *(side["column"] for side in (job["truth"], job["prediction"]) if "column" in side)}
    frame = pd.DataFrame({name: _series(values) for name, _, values in columns_of(table) if name in wanted})
    try:
        truth, prediction = (_side(frame, job[side]) for side in ("truth", "prediction"))
        metric = job["metric"] or _fitting(truth, prediction)
        values = metric_values(truth, prediction, metric).astype(float)
        # Where one side is missing nobody can say how good the other is.
        values = values.where(truth.notna() & prediction.notna())
    except ValueError as error:
        return {"error": str(error)}
    except TypeError as error:
        return {"error": f"Truth and prediction cannot be compared: {error}"}
    is_accuracy = metric == "accuracy"
    if metric == "mean_error":
        # Worst is furthest from zero, on either side.
        found = sorted(_all_slices(values, frame, job["by"], False), key=lambda one: -abs(one["metric"]))
    else:
        found = _all_slices(values, frame, job["by"], is_accuracy)
        found.sort(key=lambda one: one["metric"] if is_accuracy else -one["metric"])
    return {
        "metric": metric,
        "higher_is_better": is_accuracy,
        "overall": overall(values).to_document(),
        "slices": found[: job["limit"]],
    }


def _all_slices(values: Any, frame: Any, by: Sequence[str], higher: bool) -> list[Document]:
    found = []
    for column in by:
        for one in slices(values, frame[column], higher_is_better=higher):
            document = dict(one.to_document())
            # Each column is one more chance to find something.
            document["p_value"] = min(1.0, document["p_value"] * len(by))
            found.append(document)
    return found


def _side(frame: Any, side: Mapping[str, Any]) -> Any:
    if "column" in side:
        return frame[side["column"]]
    from jupyterlab_pipelines.quality.measuring.table import columns_of
    from jupyterlab_pipelines.quality.stored import read_stored

    table, _ = read_stored(side["materializer"], Path(side["path"]), side["member"])
    # The index of a series may come as a column behind it.
    series = _series(columns_of(table)[0][2])
    if len(series) != len(frame):
        raise ValueError(f"{side['place']} has {len(series)} rows, and the table {len(frame)}.")
    return series


def _series(values: Any) -> Any:
    import numpy as np
    import pandas as pd

    if isinstance(values, np.ndarray):
        return pd.Series(values)
    return pd.Series(values.to_pandas().to_numpy(dtype=object)).infer_objects()


def _fitting(truth: Any, prediction: Any) -> str:
    """The metric that fits: how often classes are right, how far numbers are off."""
    import pandas as pd

    if not all(pd.api.types.is_numeric_dtype(side) and side.dtype != bool for side in (truth, prediction)):
        return "accuracy"
    known = prediction.dropna()
    has_fractions = bool((known.astype(float) % 1 != 0).any())
    return "mean_absolute_error" if has_fractions or truth.nunique() > MOST_CLASSES else "accuracy"
