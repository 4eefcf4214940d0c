"""The statistics worker: a process that measures stored tables, one line of JSON in, one out.

::

    → {"materializer": "pandas", "path": "…", "measure": true, "checks": ["price > 0"]}
    ← {"statistics": {…} or null, "checks": {"price > 0": {anomaly} or null}}

``statistics`` is null for what cannot be measured. With ``rows`` (an anomaly, what is expected, a limit) the rows are
told that the anomaly is about, see `failing`; with ``slices`` (truth, prediction, columns, metric) how good predictions
are, see `predictions`. The process ends when its input does.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from jupyterlab_pipelines.documents import write_document
from jupyterlab_pipelines.quality.processor import prefer_fast_sort

NICENESS = 5
"""Steps go first."""

NEEDED = (
    *("pyarrow.compute", "jupyterlab_pipelines.quality.stored"),
    *("jupyterlab_pipelines.quality.measuring.table", "jupyterlab_pipelines.quality.checks"),
)
"""For most tables, to be measured and checked."""


def main() -> None:
    prefer_fast_sort()
    with suppress(OSError, AttributeError):
        os.nice(NICENESS)
    # Whatever a library prints must not get between the lines.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    if sys.argv[1:] == ["--ahead"]:
        for module in NEEDED:
            with suppress(ImportError):
                importlib.import_module(module)
    for line in sys.stdin:
        print(write_document(_answer(json.loads(line))), file=answers, flush=True)


def _answer(job: dict[str, Any]) -> dict[str, Any]:
    path = Path(job["path"])
    answer: dict[str, Any] = {"statistics": None, "checks": {}}
    if job["measure"]:
        from jupyterlab_pipelines.quality.stored import measure_stored

        try:
            answer["statistics"] = measure_stored(job["materializer"], path, job.get("member")).to_document()
        except ImportError:
            raise  # whoever installs what is missing gets statistics
        except Exception as error:  # a table is odd in a way that nobody has thought of: no statistics
            print(f"{path} is not measured: {type(error).__name__}: {error}", file=sys.stderr)
    if job["checks"]:
        answer["checks"] = _checked(job["checks"], job["materializer"], path, job.get("member"))
    if job.get("slices"):
        from jupyterlab_pipelines.quality.predictions import sliced
        from jupyterlab_pipelines.quality.stored import read_stored

        answer["slices"] = sliced(job["slices"], read_stored(job["materializer"], path, job.get("member"))[0])
    if job.get("rows"):
        answer["rows"] = _failing(job["rows"], job["materializer"], path, job.get("member"))
    return answer


def _failing(wanted: dict[str, Any], materializer: str, path: Path, member: str | None) -> dict[str, Any]:
    from jupyterlab_pipelines.quality.failing import failing_rows
    from jupyterlab_pipelines.quality.stored import read_labels, read_stored

    table, _ = read_stored(materializer, path, member)
    return failing_rows(
        table,
        wanted["anomaly"],
        wanted["expectation"],
        limit=wanted["limit"],
        labels=read_labels(materializer, path),
    )


def _checked(checks: list[str], materializer: str, path: Path, member: str | None) -> dict[str, Any]:
    from jupyterlab_pipelines.quality.checks import failures
    from jupyterlab_pipelines.quality.stored import read_stored

    table, _ = read_stored(materializer, path, member)
    found = {check: failures([check], table) for check in checks}
    return {check: anomalies[0].to_document() if anomalies else None for check, anomalies in found.items()}


if __name__ == "__main__":
    main()
