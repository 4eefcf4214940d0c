"""The process of one task that the server was asked for: ``python -m jupyterlab_pipelines.task_process``.

A task is what takes long, or imports more than a server should, and is no run: an export, a verification, the
import of an exported run, a look at the installation or the store.

What is wanted comes as one JSON document in the first line of stdin. When stdin ends, the server is gone, and the task
ends with all that it has started. On stdout goes one JSON document a line: ``{"event": …}`` as
often as there is news, and at the end ``{"result": …}`` or ``{"error": …}``. What is meant for people goes to stderr.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from jupyterlab_pipelines.documents import write_document
from jupyterlab_pipelines.errors import PipelinesError, UsageError
from jupyterlab_pipelines.project import Project

Document = dict[str, Any]
Emit = Callable[[Document], None]


def export(project: Project, task: Mapping[str, Any], emit: Emit) -> Document:
    said = task["arguments"]
    return project.exports.export(
        Path(task["notebook"]),
        said["target"],
        Path(said["folder"]),
        name=said.get("name") or None,
        schedule=said.get("schedule") or None,
        options=said.get("options") or {},
        verifies=bool(said.get("verify")),
        tell=lambda line: print(line, file=sys.stderr, flush=True),
        on_event=emit,
        content=task["content"],
        parameters=said.get("parameters"),
    )


def verify(project: Project, task: Mapping[str, Any], emit: Emit) -> Document:
    said = task["arguments"]
    return project.verify(
        Path(task["notebook"]),
        content=task["content"],
        parameters=said.get("parameters"),
        steps=tuple(said.get("steps") or ()),
        on_event=emit,
    )


def import_run(project: Project, task: Mapping[str, Any], emit: Emit) -> Document:
    notebook = Path(task["notebook"]) if task["notebook"] else None
    return project.exports.import_run(Path(task["arguments"]["folder"]), notebook)


def doctor(project: Project, task: Mapping[str, Any], emit: Emit) -> Document:
    from jupyterlab_pipelines.doctor import examine

    findings = [finding.to_json() for finding in examine(project.root, project.store_path)]
    has_problem = any(finding["level"] == "problem" for finding in findings)
    return {"status": "problem" if has_problem else "ok", "checks": findings}


def check(project: Project, task: Mapping[str, Any], emit: Emit) -> Document:
    return project.check()


def gc(project: Project, task: Mapping[str, Any], emit: Emit) -> Document:
    said = task["arguments"]
    return project.gc(
        older_than_seconds=said.get("older_than_seconds"),
        max_size_bytes=said.get("max_size_bytes"),
        dry_run=bool(said.get("dry_run")),
    )


TASKS: dict[str, Callable[[Project, Mapping[str, Any], Emit], Document]] = {
    "export": export,
    "verify": verify,
    "import": import_run,
    "doctor": doctor,
    "check": check,
    "gc": gc,
}


def _end_with(server: BinaryIO) -> None:
    """Wait until the server is gone, then end everything."""
    with contextlib.suppress(OSError):
        server.read()
    if os.name == "posix":
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os._exit(1)


def main() -> int:
    """Exit status 0 if there is a result, 1 if there is none."""
    # Only documents go to stdout: what a library or a child process prints goes where people read.
    documents = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def write(document: Document) -> None:
        documents.write(write_document(document) + "\n")
        documents.flush()

    requests = os.fdopen(os.dup(0), "rb", buffering=0)
    os.dup2(nothing := os.open(os.devnull, os.O_RDONLY), 0)
    os.close(nothing)
    task = json.loads(requests.readline())
    threading.Thread(target=_end_with, args=(requests,), daemon=True).start()
    try:
        if task["kind"] not in TASKS:
            raise UsageError("unknown_task", f"There is no task `{task['kind']}`.")
        project = Project(Path(task["root"]), Path(task["store"]))
        result = TASKS[task["kind"]](project, task, lambda event: write({"event": event}))
    except PipelinesError as error:
        write(error.to_document())
        return 1
    except KeyboardInterrupt:
        write(PipelinesError("cancelled", "Cancelled.").to_document())
        return 1
    write({"result": result})
    return 0


if __name__ == "__main__":
    sys.exit(main())
