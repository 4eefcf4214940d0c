"""What differs between two values: for people, in a few facts."""

from __future__ import annotations

from typing import Any

from jupyterlab_pipelines.materializers import describe


def compare(before: Any, after: Any) -> dict[str, Any]:
    """Facts that differ, by name; of two tables, per column as well."""
    (old_type, old_summary), (new_type, new_summary) = describe(before), describe(after)
    facts: dict[str, Any] = {}
    if old_type != new_type:
        facts["type"] = f"{old_type} → {new_type}"
    if old_summary != new_summary:
        facts["value"] = f"{old_summary} → {new_summary}"
    tables = [_as_pandas(value) for value in (before, after)]
    if all(table is not None for table in tables):
        facts |= _compare_tables(*tables)
    return facts


def _as_pandas(value: Any) -> Any:
    """A pandas or polars frame or series, or an Arrow table, as a pandas frame; None for anything else."""
    module = type(value).__module__.partition(".")[0]
    if module in ("polars", "pyarrow") and hasattr(value, "to_pandas"):
        value = value.to_pandas()
    if type(value).__module__.partition(".")[0] != "pandas":
        return None
    if hasattr(value, "to_frame") and not hasattr(value, "columns"):
        value = value.to_frame()
    return value if hasattr(value, "columns") and hasattr(value, "dtypes") else None


def _compare_tables(before: Any, after: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    old, new = list(before.columns), list(after.columns)
    if removed := [str(name) for name in old if name not in new]:
        facts["columns removed"] = ", ".join(removed)
    if added := [str(name) for name in new if name not in old]:
        facts["columns added"] = ", ".join(added)
    if len(before) != len(after):
        facts["rows"] = f"{len(before):,} → {len(after):,}"
    if len(set(old)) < len(old) or len(set(new)) < len(new):
        return facts  # which of the columns of one name is meant, nobody can say
    for name in (name for name in old if name in new):
        first, second = before[name], after[name]
        changes = []
        if first.dtype != second.dtype:
            changes.append(f"{first.dtype} → {second.dtype}")
        if len(first) == len(second):
            left, right = first.to_numpy(dtype=object), second.to_numpy(dtype=object)
            differ = sum(
                not (a is b or _is_equal(a, b)) for a, b in zip(left.tolist(), right.tolist(), strict=True)
            )
            if differ:
                changes.append(f"{differ:,} of {len(first):,} values differ")
        nulls = int(first.isna().sum()), int(second.isna().sum())
        if nulls[0] != nulls[1]:
            changes.append(f"missing {nulls[0]:,} → {nulls[1]:,}")
        if changes:
            facts[f"column {name}"] = ", ".join(changes)
    if not facts and not before.index.equals(after.index):
        facts["index"] = "another one"
    return facts


def _is_equal(first: Any, second: Any) -> bool:
    try:
        return bool(first == second) or (first != first and second != second)
    except (TypeError, ValueError):  # NA, or arrays in cells
        return repr(first) == repr(second)
