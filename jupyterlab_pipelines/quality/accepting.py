"""One anomaly agreed to: what the schema file can say of it is written there, and nothing else is changed.

Of a table that the file knows, the keys of one column that the anomaly is about are widened, or added. A table that it
does not know gets a schema of these keys alone, which lets all other columns be. Of some kinds a schema says nothing
(values that are distributed differently): these are quiet because later tables are compared with this one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jupyterlab_pipelines.quality.kinds import BY_NAME
from jupyterlab_pipelines.quality.notebook_schema import (
    KEYS_OF_ASPECT,
    documents_in,
    expectation,
    widened,
    with_table,
)
from jupyterlab_pipelines.quality.statistics import Statistics
from jupyterlab_pipelines.quality.yaml_text import set_in

Document = dict[str, Any]


def accepted(
    text: str, key: str, anomaly: Document, statistics: Statistics, notebook: str, path: Path
) -> tuple[str, list[str]]:
    """The text of the schema file after a person has agreed to an anomaly of a table, and the keys that were written.

    Parameters
    ----------
    key
        The table, as ``step.name``.
    statistics
        Of the table that has the anomaly.
    notebook
        The notebook's file name.
    path
        The schema file's, for errors.
    """
    said = documents_in(text, path).get(key)
    changes = _changes(said, anomaly, statistics)
    if said is None and changes:
        says: Document = {"closed": False, "columns": {}}
        for place, value in changes:
            inner = says
            for name in place[:-1]:
                inner = inner.setdefault(name, {})
            inner[place[-1]] = value
        text = with_table(text, key, says, notebook)
    else:
        for place, value in changes:
            text = set_in(text, (key, *place), value)
    return text, [".".join((key, *place)) for place, _ in changes]


def _changes(
    said: Document | None, anomaly: Document, statistics: Statistics
) -> list[tuple[tuple[str, ...], Any]]:
    """What is to be written where, below the table; None removes a key."""
    kind, feature = anomaly["kind"], anomaly["feature"]
    expected = expectation(statistics)["columns"]
    columns = (said or {}).get("columns") or {}
    if kind == "check_failed":
        checks = [check for check in (said or {}).get("checks", ()) if check != anomaly["reference"]]
        return [(("checks",), checks or None)]
    if BY_NAME[kind].aspect == "rows":
        return [(("rows",), _rows((said or {}).get("rows") or {}, kind, statistics.rows))]
    if feature is None:
        return []
    if kind == "new_column":
        return [] if said is None else [(("columns", feature), expected[feature])]
    if feature not in statistics.by_name:
        changes: list[tuple[tuple[str, ...], Any]] = []
        if said is None or feature in columns:
            changes.append((("columns", feature, "required"), False))
        new = anomaly["current"]
        if said is not None and kind == "renamed_column" and new in expected and new not in columns:
            changes.append((("columns", new), expected[new]))
        return changes
    aspect = BY_NAME[kind].aspect
    now = dict(columns.get(feature) or {})
    wanted = widened(now, expected[feature], aspect)
    if not anomaly["pinned"]:
        # Learned from the reference: from now on the file says it.
        for name in KEYS_OF_ASPECT.get(aspect or "", ()):
            if name not in now and name in expected[feature] and name != "infinite":
                wanted.setdefault(name, expected[feature][name])
    return [(("columns", feature, name), value) for name, value in wanted.items()]


def _rows(limits: Document, kind: str, rows: int) -> Document:
    limits = dict(limits)
    if kind != "row_count_grew":
        limits["min"] = min(limits.get("min", rows), rows)
    if "max" in limits or kind == "row_count_grew":
        limits["max"] = max(limits.get("max", rows), rows)
    return limits
