"""An honest `Project` in memory: keeps runs, executes nothing, and is told how they go on."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jupyterlab_pipelines.errors import NotFoundError, ParameterError
from jupyterlab_pipelines.store.logs import LogPart, read_part

ENDED = {"succeeded", "failed", "cancelled", "interrupted"}
REASON = {"kind": "new", "what": None, "before": None, "after": None, "message": "it has never run"}


class FakeProject:
    """Every notebook in it is a pipeline of the steps `load` and `clean`."""

    step_names = ("load", "clean")
    unit: dict[str, list[str]] | None = None

    def __init__(self, root: Path, store_path: Path | None = None) -> None:
        self.root = root
        self.store_path = store_path or root / ".pipelines"
        self.documents: dict[str, dict[str, Any]] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self._changes = 0
        self._ids = (f"{number:08x}" for number in itertools.count(0x3F2A0001))
        self.script: Callable[[FakeProject, str], None] = FakeProject.succeed
        self.tables = FakeTables(self)

    def suggest(self, notebook: Path, *, content: dict[str, Any] | None = None) -> dict[str, Any]:
        self.asked.append(("suggest", {"content": content}))
        tags = {"0": ["step:load"], "1": ["step:clean"]}
        return {"path": str(notebook), "steps": [], "setup_cells": [], "edges": [], "tags": tags}

    # -- what tests make happen ---------------------------------------------------------------------

    def begin(self, notebook: Path, **options: Any) -> str:
        """A run begins, in some process."""
        run_id = next(self._ids)
        self.documents[run_id] = {
            "run_id": run_id,
            "status": "running",
            "notebook": str(notebook),
            "parameters": options.get("parameters") or {},
            "created_at": "2026-11-21T03:53:45Z",
            "finished_at": None,
            "duration_seconds": None,
            "output": None,
            "error": None,
            "tags": [],
            "comment": "",
            "steps": [self._step(name) for name in self.step_names],
        }
        self._changes += 1
        return run_id

    def set_step(self, run_id: str, name: str, status: str, **fields: Any) -> None:
        step = next(step for step in self.documents[run_id]["steps"] if step["name"] == name)
        step.update(status=status, **fields)
        self._changes += 1

    def end(self, run_id: str, status: str) -> None:
        self.documents[run_id].update(status=status, duration_seconds=2.1, finished_at="2026-11-21T03:53:47Z")
        self._changes += 1

    def succeed(self, run_id: str) -> None:
        for name in self.step_names:
            self.set_step(run_id, name, "running")
            self.set_step(run_id, name, "succeeded", duration_seconds=1.0)
        self.end(run_id, "succeeded")

    # -- Project ------------------------------------------------------------------------------------

    def inspect(self, notebook: Path, *, content: Any = None, parameters: Any = None) -> dict[str, Any]:
        self.asked.append(("inspect", {"notebook": notebook, "content": content, "parameters": parameters}))
        active = [run for run in self.active_runs() if run["notebook"] == str(notebook)]
        return {
            "path": str(notebook),
            "state": "ok",
            "error": None,
            "setup_cells": [],
            "parameter_cells": [],
            "skipped_cells": [],
            "parameters": [],
            "steps": [],
            "edges": [],
            "warnings": [],
            "run_id": active[0]["run_id"] if active else None,
        }

    def plan(self, notebook: Path, **options: Any) -> dict[str, Any]:
        self.asked.append(("plan", {"notebook": notebook, **options}))
        steps = [
            {"name": name, "title": "", "decision": "run", "reasons": [REASON], "inputs": [], "outputs": []}
            | {"unit": self.unit, "verdicts": []}
            for name in self.step_names
        ]
        parameters = options.get("parameters") or {}
        return {"notebook": str(notebook), "parameters": parameters, "steps": steps, "warnings": []}

    def run(self, notebook: Path, *, on_event: Any = None, **options: Any) -> dict[str, Any]:
        self.asked.append(("run", {"notebook": notebook, **options}))
        if "unknown" in (options.get("parameters") or {}):
            raise ParameterError("unknown_parameter", "The notebook has no parameter `unknown`.")
        run_id = self.begin(notebook, **options)
        tell = on_event or (lambda event: None)
        tell(
            {
                "kind": "plan",
                "steps": [{"name": n, "decision": "run", "reasons": [REASON]} for n in self.step_names],
            }
        )
        self.script(self, run_id)
        document = self.documents[run_id]
        for step in document["steps"]:
            tell(
                {
                    "kind": "step",
                    "step": step["name"],
                    "status": step["status"],
                    "decision": "run",
                    "reasons": step["reasons"],
                    "duration_seconds": step["duration_seconds"],
                    "progress": None,
                    "error": step["error"],
                }
            )
        tell({"kind": "run", "run_id": run_id, "status": document["status"]})
        return document

    def wanted(self, notebook: Path, *, content: Any = None) -> None:
        return None

    def start(self, notebook: Path, *, host: Any, **options: Any) -> str:
        self.asked.append(("start", {"notebook": notebook, **options}))
        return self.begin(notebook, **options)

    def runs(self, notebook: Path | None = None, *, limit: int = 50) -> list[dict[str, Any]]:
        runs = [run for run in reversed(self.documents.values()) if notebook in (None, Path(run["notebook"]))]
        return [self._summary(run) for run in runs[:limit]]

    def history(self, notebook: Path | None = None, **wanted: Any) -> dict[str, Any]:
        self.wanted = wanted
        runs = self.runs(notebook, limit=wanted["limit"])
        return {"runs": runs, "total": len(runs), "next": None}

    def compare(self, run_ids: list[str]) -> dict[str, Any]:
        return {"runs": [self._summary(self.run_document(run_id)) for run_id in run_ids]}

    def diff(self, first: str, second: str) -> dict[str, Any]:
        runs = [self.run_document(run_id)["run_id"] for run_id in (first, second)]
        return {"runs": runs, "parameters": {}, "steps": []}

    def step_facts(self, run_id: str, step: str) -> dict[str, Any]:
        return {"run_id": self.run_document(run_id)["run_id"], "step": step, "files_read": ["a.csv"]}

    def step_logged(self, run_id: str, step: str) -> dict[str, Any]:
        self.run_document(run_id)
        return {"metrics": {"loss": [[0, 1.0]]}, "texts": {}, "figures": {}}

    def start_sweep(self, notebook: Path, parameter_sets: Any, **options: Any) -> str:
        self.asked.append(
            ("start_sweep", {"notebook": notebook, "parameter_sets": parameter_sets, **options})
        )
        return "sweep-1"

    def resume_sweep(self, sweep_id: str) -> None:
        self.asked.append(("resume_sweep", {"sweep": sweep_id}))

    def cancel_sweep(self, sweep_id: str) -> None:
        self.asked.append(("cancel_sweep", {"sweep": sweep_id}))

    def run_document(self, run_id: str) -> dict[str, Any]:
        found = [document for key, document in self.documents.items() if key.startswith(run_id)]
        if len(found) != 1:
            raise NotFoundError("unknown_run", f"There is no run {run_id!r}.", run_id=run_id)
        return found[0]

    def cancel_step(self, run_id: str, step: str) -> None:
        self.run_document(run_id)
        self.set_step(run_id, step, "cancelled")

    def cancel(self, run_id: str) -> None:
        self.end(self.run_document(run_id)["run_id"], "cancelled")

    def annotate(
        self, run_id: str, *, tags: list[str] | None = None, comment: str | None = None
    ) -> dict[str, Any]:
        document = self.run_document(run_id)
        document.update(
            {} if tags is None else {"tags": tags}, **({} if comment is None else {"comment": comment})
        )
        return document

    def run_notebook(self, run_id: str) -> dict[str, Any]:
        self.run_document(run_id)
        cells = [
            {"cell_type": "markdown", "source": "# Flights"},
            {"cell_type": "code", "source": "df = read()\ndf['late'] = df.dely > 0\ndf"},
        ]
        return {"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": cells}

    def step_notebook(self, run_id: str, step: str) -> dict[str, Any]:
        return self.run_notebook(run_id)

    def step_log(self, run_id: str, step: str) -> str:
        return self.step_log_part(run_id, step).text

    def step_log_part(
        self, run_id: str, step: str, *, start: int = 0, last_bytes: int | None = None
    ) -> LogPart:
        if step not in self.step_names:
            raise NotFoundError("unknown_step", f"Run {run_id} has no step {step!r}.")
        return read_part(io.BytesIO(f"log of {step}".encode()), start=start, last_bytes=last_bytes)

    def preview(self, digest: str) -> dict[str, Any]:
        if digest != "d1":
            raise NotFoundError("unknown_artifact", f"There is no artifact {digest}.")
        return {"digest": digest, "type": "float", "summary": "nan", "preview": {"value": float("nan")}}

    def changes(self) -> int:
        return self._changes

    def active_runs(self) -> list[dict[str, Any]]:
        return [
            {
                "run_id": run["run_id"],
                "notebook": run["notebook"],
                "status": run["status"],
                "steps": {
                    step["name"]: {
                        "status": step["status"],
                        **(step["progress"] or {"cell": None, "cells": None}),
                    }
                    for step in run["steps"]
                },
            }
            for run in self.documents.values()
            if run["status"] not in ENDED
        ]

    def _step(self, name: str) -> dict[str, Any]:
        return {
            "name": name,
            "status": "queued",
            "decision": "run",
            "reasons": [REASON],
            "cache_key": None,
            "duration_seconds": None,
            "started_at": None,
            "finished_at": None,
            "progress": None,
            "cells": [1],
            "position": self.step_names.index(name),
            "inputs": {},
            "outputs": [],
            "verdicts": [],
            "metrics": {},
            "anomalies": [],
            "error": None,
        }

    def _summary(self, run: dict[str, Any]) -> dict[str, Any]:
        statuses = [step["status"] for step in run["steps"]]
        kept = ("run_id", "notebook", "status", "parameters", "created_at", "finished_at", "duration_seconds")
        return {key: run[key] for key in (*kept, "tags", "comment")} | {
            "steps_total": len(statuses),
            "steps_executed": statuses.count("succeeded"),
            "steps_reused": statuses.count("reused"),
            "steps_failed": statuses.count("failed"),
        }


class FakeTables:
    """What the project says of tables."""

    def __init__(self, project: FakeProject) -> None:
        self.project = project

    def artifact_statistics(self, digest: str) -> dict[str, Any]:
        self.project.preview(digest)
        empty: dict[str, Any] = {"statistics": None, "reference": None, "anomalies": [], "overview": []}
        return {"digest": digest, "rows": None, **empty}

    def artifact_anomalies(self, digest: str) -> dict[str, Any]:
        self.project.preview(digest)
        return {"digest": digest, "anomalies": []}

    def artifact_lineage(self, digest: str) -> dict[str, Any]:
        self.project.preview(digest)
        return {"digest": digest, "left_by": []}

    def schemas(self, notebook: Path) -> dict[str, Any]:
        return {"file": f"{notebook.stem}.schema.yaml", "text": "", "tables": {}}

    def write_schemas(self, notebook: Path, text: str) -> dict[str, Any]:
        self.project.asked.append(("write_schemas", {"notebook": notebook, "text": text}))
        return self.schemas(notebook) | {"text": text}

    def pin(self, notebook: Path, **options: Any) -> dict[str, Any]:
        self.project.asked.append(("pin", {"notebook": notebook, **options}))
        return self.schemas(notebook) | {"pinned": list(options["tables"])}
