"""What a project's notebooks become elsewhere, and what comes home: exports, and the runs of exported pipelines."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

from jupyterlab_pipelines.artifact import Artifact
from jupyterlab_pipelines.errors import ExportError
from jupyterlab_pipelines.notebook.flow import step_fingerprints
from jupyterlab_pipelines.notebook.parse import Outline, snapshot_of
from jupyterlab_pipelines.pipeline import Pipeline, Step
from jupyterlab_pipelines.run import Status
from jupyterlab_pipelines.store import Store
from jupyterlab_pipelines.store.runs import new_run_id

if TYPE_CHECKING:
    from jupyterlab_pipelines.export.build import Source
    from jupyterlab_pipelines.export.importing import StepOfRun

Document = dict[str, Any]


class Notebooks(Protocol):
    """What is asked of a `Project`."""

    root: Path
    store: Store

    @classmethod
    def open(cls, path: Path, store: Path | None = None) -> Self: ...
    def key_of(self, notebook: Path) -> str: ...
    def folder_of(self, notebook: Path) -> Path: ...
    def content_of(self, notebook: Path, content: Document | None) -> Document: ...
    def pipeline_of(self, content: Document) -> tuple[Outline, Pipeline]: ...
    @property
    def run(self) -> Callable[..., Document]: ...
    def run_document(self, run_id: str) -> Document: ...


class Exports:
    """The exports of a project's notebooks. Its methods are those of `Project` for them."""

    def __init__(self, project: Notebooks) -> None:
        self._project = project
        self._store = project.store

    def export(
        self,
        notebook: Path,
        target: str,
        output: Path,
        *,
        name: str | None = None,
        schedule: str | None = None,
        options: Mapping[str, Any] | None = None,
        verifies: bool = False,
        environments: Path | None = None,
        tell: Callable[[str], None] = lambda line: None,
        on_event: Callable[[Document], None] | None = None,
        **request: Any,
    ) -> Document:
        """Write a production pipeline for an engine, from a run of the notebook that is up to date.

        Parameters
        ----------
        target
            See `jupyterlab_pipelines.export.base.exporters`.
        output
            Folder to write; files of an earlier export in it are replaced, others stay.
        name
            Of the package; default: the notebook's.
        schedule
            When the pipeline runs by itself, in cron's notation.
        options
            Of the target.
        verifies
            Whether to install the export in a fresh environment, run it, and compare what it leaves.
        environments
            Folder that keeps environments with engines for that; default: below the user's cache folder.
        tell
            Called with a line for each part of that.
        request
            How the notebook is run first; see `project.RunRequest`.

        Raises
        ------
        ExportError
            Something in the notebook cannot be exported, or its run fails.
        """
        from jupyterlab_pipelines.export.base import find_exporter
        from jupyterlab_pipelines.export.write import export

        find_exporter(target)  # before anything is run
        content = self._project.content_of(notebook, request.get("content"))
        source = self.source(notebook, content, on_event, request)

        def again() -> Source:
            import tempfile

            with tempfile.TemporaryDirectory(prefix="pipelines-", ignore_cleanup_errors=True) as store:
                other = self._project.open(notebook, Path(store))
                return Exports(other).source(notebook, content, None, request)

        return export(
            source,
            target,
            output,
            name=name,
            schedule=schedule,
            options=options or {},
            verifies=verifies,
            environments=environments,
            tell=tell,
            again=again,
        )

    def targets(self) -> Document:
        """The engines that a notebook can be exported to, each with the names of its options."""
        from jupyterlab_pipelines.export.base import exporters
        from jupyterlab_pipelines.export.proof import can_verify

        return {
            "targets": [
                {
                    "name": name,
                    "summary": exporter.summary,
                    "options": list(getattr(exporter, "known_options", ())),
                    "can_verify": can_verify(exporter),
                }
                for name, exporter in exporters().items()
            ]
        }

    def source(
        self,
        notebook: Path,
        content: Document,
        on_event: Callable[[Document], None] | None,
        request: Mapping[str, Any],
    ) -> Source:
        """The notebook with a run of it as it is now."""
        from jupyterlab_pipelines.export.build import Source

        run = self._project.run(notebook, on_event=on_event, **request)
        if run["status"] != "succeeded":
            failed = next((step for step in run["steps"] if step["error"]), None)
            why = f": step `{failed['name']}`, {failed['error']['message']}" if failed else ""
            raise ExportError(
                "run_failed",
                f"Only a notebook that runs can be exported, and its run {run['status']}{why}",
                run=run,
            )
        outline, pipeline = self._project.pipeline_of(content)
        return Source(
            notebook=Path(os.path.abspath(notebook)),
            content=content,
            outline=outline,
            pipeline=pipeline,
            executions=self._store.executions_of(run["run_id"]),
            learned=self._store.executions.effects(step_fingerprints(outline)),
            store=self._store,
            parameters=run["parameters"],
        )

    def import_run(self, folder: Path, notebook: Path | None = None) -> Document:
        """Take a run of an exported pipeline into the history; its document.

        Parameters
        ----------
        folder
            Folder of the run's artifacts.
        notebook
            The notebook that it was exported from, if it does not lie in the project's folder under its name.

        Raises
        ------
        ExportError
            There is no exported run, or its values cannot be read here.
        """
        from jupyterlab_pipelines.export.importing import notebook_of, read_run

        named = notebook_of(folder)
        if notebook is None:
            if named is None:
                raise ExportError(
                    "no_notebook", f"{folder} does not tell from which notebook it comes: name it."
                )
            notebook = self._project.root / named
        content = self._project.content_of(notebook, None)
        outline, pipeline = self._project.pipeline_of(content)
        self._store.create()
        exported = read_run(folder, self._store, outline, pipeline, self._project.folder_of(notebook))
        run_id = new_run_id()
        lock = self._store.run_lock(run_id)
        while not lock.acquire():
            time.sleep(0.01)
        try:
            self._store.runs.create(
                run_id,
                notebook=self._project.key_of(notebook),
                parameters=exported.parameters,
                options={"steps": [], "force": [], "jobs": 1, "kernel": outline.kernel},
                snapshot=self._store.artifacts.add_bytes(snapshot_of(content)),
                output=None,
            )
            self._store.runs.start(run_id, [(step.name, step.cells) for step in pipeline.steps])
            for step in exported.steps:
                self._take_in(run_id, self._project.key_of(notebook), pipeline[step.name], step)
            status = Status.FAILED if exported.has_failed else Status.SUCCEEDED
            error = next((step.error for step in exported.steps if step.error), None)
            self._store.runs.finish(run_id, status, exported.duration_seconds, error)
            self._store.runs.annotate(run_id, tags=None, comment=f"imported from {folder.name}")
        finally:
            lock.release()
        return self._project.run_document(run_id)

    def _take_in(self, run_id: str, key: str, step: Step, told: StepOfRun) -> None:
        """Note one step of an exported run. Its key is no cache key: nothing is ever reused from it."""
        columns: Document = {"started_at": told.started_at, "finished_at": told.finished_at}
        columns |= {"duration_seconds": told.duration_seconds, "error": told.error, "decision": "run"}
        if told.status == "succeeded":
            empty = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
            cache_key = f"imported {run_id} {step.name}"
            parts: Document = {"code": [list(cell) for cell in step.code]}
            parts |= {"definitions": [], "setup": [], "parameters": {}, "inputs": {}, "environment": {}}
            execution = self._store.executions.add(
                cache_key=cache_key,
                notebook=key,
                step=step.name,
                run_id=run_id,
                finished_at=told.finished_at or "",
                duration_seconds=told.duration_seconds or 0.0,
                parts=parts,
                trace={},
                executed=self._store.artifacts.add_bytes(json.dumps(empty).encode()),
                log=None,
                outputs=[Artifact.from_record(record) for record in told.outputs],
                metrics={},
                previews={record["digest"]: record["preview"] for record in told.outputs},
                effects={},
            )
            columns |= {"execution_id": execution.id, "cache_key": cache_key, "executed": execution.notebook}
        self._store.runs.update_step(run_id, step.name, status=Status(told.status), **columns)
