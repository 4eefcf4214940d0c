"""The statistics worker: a process that measures stored tables, one line of JSON in, one out.

::

    → {"materializer": "pandas", "path": "…", "measure": true, "checks": ["price > 0"]}
    ← {"statistics": {…} or null, "checks": {"price > 0": {anomaly} or null}}

``statistics`` is null for what cannot be measured. The process ends when its input does.
"""

from __future__ import annotations

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


def main() -> None:
    prefer_fast_sort()
    with suppress(OSError, AttributeError):
        os.nice(NICENESS)
    # Whatever a library prints must not get between the lines.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    for line in sys.stdin:
        print(write_document(_answer(json.loads(line))), file=answers, flush=True)


def _answer(job: dict[str, Any]) -> dict[str, Any]:
    path = Path(job["path"])
    answer: dict[str, Any] = {"statistics": None, "checks": {}}
    if job["measure"]:
        from jupyterlab_pipelines.quality.stored import measure_stored

        try:
            answer["statistics"] = measure_stored(job["materializer"], path, job["member"]).to_document()
        except ImportError:
            raise  # whoever installs what is missing gets statistics
        except Exception as error:  # a table is odd in a way that nobody has thought of: no statistics
            print(f"{path} is not measured: {type(error).__name__}: {error}", file=sys.stderr)
    if job["checks"]:
        answer["checks"] = _checked(job["checks"], job["materializer"], path, job["member"])
    return answer


def _checked(checks: list[str], materializer: str, path: Path, member: str | None) -> dict[str, Any]:
    from jupyterlab_pipelines.quality.checks import failures
    from jupyterlab_pipelines.quality.stored import read_stored

    table, _ = read_stored(materializer, path, member)
    found = {check: failures([check], table) for check in checks}
    return {check: anomalies[0].to_document() if anomalies else None for check, anomalies in found.items()}


if __name__ == "__main__":
    main()
