"""What people look at afterwards: the list of runs, several runs side by side, one step of a run.

Answers are JSON documents made of what the store holds. Nothing here loads a value.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from jupyterlab_pipelines.artifact import is_state
from jupyterlab_pipelines.fingerprint import code_fingerprint
from jupyterlab_pipelines.notebook.flow import step_code
from jupyterlab_pipelines.notebook.parse import read_outline
from jupyterlab_pipelines.run import Execution
from jupyterlab_pipelines.store import Store

Document = dict[str, Any]


def list_runs(
    store: Store,
    notebook: str | None,
    *,
    limit: int,
    before: str | None = None,
    words: str = "",
    status: Collection[str] = (),
    tag: str | None = None,
    sweep: str | None = None,
    metric: str | None = None,
    descending: bool = True,
) -> Document:
    """A page of the history: ``runs``, their number in ``total``, and ``next``, the run to ask for more with.

    ``sweep_runs``: how many runs each sweep has of which there is one on the page.

    Parameters
    ----------
    before
        Id of the run after which the page begins.
    words
        All of them must stand in the run's id, status, tags, comment or parameters, in either case.
    status, tag, sweep
        Only runs that have one of these statuses, this tag, that belong to this sweep.
    metric
        ``step.name``: only runs that have it, and in its order instead of the time's.
    """
    wanted = words.casefold().split()
    rows = store.runs.briefly(notebook)
    sweeps = {row["id"]: found for row in rows if (found := _sweep_of(row))}
    ids = [
        row["id"]
        for row in rows
        if (not status or row["status"] in status)
        and (tag is None or tag in json.loads(row["tags"]))
        and (sweep is None or sweeps.get(row["id"]) == sweep)
        and (not wanted or _has_words(row, wanted))
    ]
    if metric is not None:
        values = {
            run: found[metric] for run, found in store.runs.metrics(notebook).items() if metric in found
        }
        ids = [run for run in ids if run in values]
        ids.sort(key=lambda run: values[run], reverse=descending)
    first = ids.index(before) + 1 if before in ids else 0
    page = ids[first : first + limit]
    is_all = first + limit >= len(ids)
    sizes = Counter(sweeps.values())
    return {
        "runs": store.runs.summaries_of(page),
        "total": len(ids),
        "next": None if is_all else page[-1],
        "sweep_runs": {sweeps[run]: sizes[sweeps[run]] for run in page if run in sweeps},
    }


def _sweep_of(row: sqlite3.Row) -> str | None:
    # Few runs belong to a sweep: most of them are not worth parsing.
    return json.loads(row["options"]).get("sweep") if '"sweep": "' in row["options"] else None


def _has_words(row: sqlite3.Row, words: Sequence[str]) -> bool:
    text = " ".join([row["id"], row["status"], row["comment"], *json.loads(row["tags"])])
    if row["parameters"] != "{}":
        values = json.loads(row["parameters"]).items()
        text += "".join(f" {name}={value}" for name, value in values)
    text = text.casefold()
    return all(word in text for word in words)


def compare(store: Store, run_ids: Sequence[str], values_of: Callable[[str], Document]) -> Document:
    """Runs side by side: every parameter's value, metrics, and per step status, time, code and outputs.

    ``code`` of a step is a fingerprint, equal where the code is; `Project.diff` tells what differs.

    Parameters
    ----------
    values_of
        Every parameter's value in a run.
    """
    summaries = {run["run_id"]: run for run in store.runs.summaries_of(run_ids)}
    return {
        "runs": [
            summaries[run_id] | {"values": values_of(run_id), "steps": _compared_steps(store, run_id)}
            for run_id in run_ids
        ]
    }


def _compared_steps(store: Store, run_id: str) -> list[Document]:
    steps = []
    for row in store.runs.steps(run_id):
        execution = store.executions.get(row["execution_id"]) if row["execution_id"] is not None else None
        steps.append(
            {
                "name": row["step"],
                "status": row["status"],
                "duration_seconds": row["duration_seconds"],
                "code": None if execution is None else _fingerprint(execution.parts["code"]),
                "outputs": [] if execution is None else _compared_outputs(execution),
            }
        )
    return steps


def _fingerprint(code: object) -> str:
    return hashlib.sha256(b"shown code:" + json.dumps(code).encode()).hexdigest()[:16]


def _compared_outputs(execution: Execution) -> list[Document]:
    return [
        {
            "name": name,
            "digest": artifact.digest,
            "type": artifact.type,
            "summary": artifact.summary,
            "size_bytes": artifact.size_bytes,
        }
        for name, artifact in execution.outputs.items()
        if artifact.kind == "value" and not is_state(name)
    ]


def step_facts(store: Store, run_id: str, step: str, snapshot: Mapping[str, Any] | None) -> Document:
    """What is known of how a step of a run was executed, or of the execution that it reused.

    ``executed_in`` is the run that executed it. Files, folders and environment variables are those it was
    seen to use, by name; values of variables are not told.

    Parameters
    ----------
    snapshot
        The notebook as it was run; None where it is gone.
    """
    row = store.runs.step(run_id, step)
    execution = store.executions.get(row["execution_id"]) if row["execution_id"] is not None else None
    facts: Document = {
        "run_id": run_id,
        "step": step,
        "executed_in": None,
        "finished_at": None,
        "duration_seconds": None,
        "files_read": [],
        "files_written": [],
        "folders": [],
        "variables": [],
        "packages": {},
        "environment": {},
        "parameters": {},
    }
    if execution is None:
        return facts
    trace, parts = execution.trace, execution.parts
    environment = {name: text for name, text in parts.get("environment", {}).items() if text}
    return facts | {
        "executed_in": execution.run_id,
        "finished_at": execution.finished_at,
        "duration_seconds": execution.duration_seconds,
        "files_read": _present(trace.get("files", {})),
        "files_written": [] if snapshot is None else _written(store, snapshot, step),
        "folders": _present(trace.get("folders", {})),
        "variables": _present(trace.get("variables", {})),
        "packages": dict(sorted(trace.get("packages", {}).values())),
        "environment": environment,
        "parameters": {
            name: said.get("value", said) if isinstance(said, dict) else said
            for name, said in parts.get("parameters", {}).items()
        },
    }


def _present(seen: Mapping[str, Any]) -> list[str]:
    """Of what a step looked for, what was there."""
    return sorted(name for name, found in seen.items() if found is not None)


def _written(store: Store, snapshot: Mapping[str, Any], step: str) -> list[str]:
    """Files that the step was last seen to write, with the code that it had."""
    code = step_code(read_outline(snapshot)).get(step)
    if code is None:
        return []
    effects = store.executions.effects({step: code_fingerprint(code)})
    return sorted(effects[step].files.writes) if step in effects else []
