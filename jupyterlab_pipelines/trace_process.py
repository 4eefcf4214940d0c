"""The process that replays cells for the server: ``python -m jupyterlab_pipelines.trace_process``.

It reads one line of JSON, which says what anomaly of which run is to be traced, and prints the trace.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from jupyterlab_pipelines.documents import write_document
from jupyterlab_pipelines.project import Project


def main() -> None:
    parser = argparse.ArgumentParser(prog="trace_process")
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--store", type=Path, required=True)
    arguments = parser.parse_args()
    # Whatever a library prints must not get into the answer.
    answer = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    asked = json.loads(sys.stdin.read())
    project = Project(arguments.root, arguments.store)
    found = project.tables.trace(
        asked["run_id"], asked["target"], asked["kind"], feature=asked["feature"], check=asked["check"]
    )
    print(write_document(found), file=answer, flush=True)


if __name__ == "__main__":
    main()
