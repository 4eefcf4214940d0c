"""Manager: the use cases of `Project`, asked by handlers, for notebooks of the contents manager."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from jupyter_core.utils import ensure_async
from jupyter_server.services.contents.filemanager import FileContentsManager
from jupyter_server.services.contents.manager import ContentsManager

from jupyterlab_pipelines import __version__
from jupyterlab_pipelines.errors import NotFoundError, UsageError
from jupyterlab_pipelines.notebook.assemble import shorten_texts
from jupyterlab_pipelines.runner_host import RunnerHost
from jupyterlab_pipelines.server import events
from jupyterlab_pipelines.server.tasks import Task, Tasks
from jupyterlab_pipelines.server.watcher import News, RunNews, RunWatcher
from jupyterlab_pipelines.server.wire import (
    AnomalyName,
    HistoryQuery,
    LogQuery,
    PipelineRequest,
    RunChange,
    RunRequest,
    SchemaChange,
    SliceQuery,
    SuggestionRequest,
    SweepRequest,
    TaskRequest,
)

if TYPE_CHECKING:
    import logging

    from jupyter_events import EventLogger

    from jupyterlab_pipelines.project import Project

T = TypeVar("T")

SECONDS_TO_SETTLE = 1.5
TASK_IN_BRIEF = ("task_id", "kind", "path", "folder", "status", "created_at", "finished_at")
CONTENTS_EVENTS = "https://events.jupyter.org/jupyter_server/contents_service/v1"
"""What the contents manager tells: files that are saved, renamed, deleted."""


def move_schemas(before: Path, after: Path) -> bool | None:
    from jupyterlab_pipelines.quality.inspection import move_schemas

    return move_schemas(before, after)


def open_project(path: Path, store: Path | None) -> Project:
    from jupyterlab_pipelines.project import Project

    return Project.open(path, store)


class PipelineManager:
    """Answers every question of the handlers.

    It owns the open projects, the way from the contents API's paths to files and back, and the
    watcher that publishes events. What a project does may wait for files and databases, so it is
    asked in a thread, never on the event loop.

    Parameters
    ----------
    store
        Where all stores are, instead of beside each project; None for beside.
    """

    def __init__(
        self,
        contents_manager: ContentsManager,
        event_logger: EventLogger,
        log: logging.Logger | logging.LoggerAdapter[Any],
        *,
        store: Path | None = None,
    ) -> None:
        self._contents_manager = contents_manager
        self._event_logger = event_logger
        self._store = store
        self._projects: dict[Path, Project] = {}
        self._watcher = RunWatcher(self._publish, log)
        self._host = RunnerHost()
        self._tasks = Tasks()
        self._renaming: set[asyncio.Task[None]] = set()
        if CONTENTS_EVENTS in event_logger.schemas:
            event_logger.add_listener(schema_id=CONTENTS_EVENTS, listener=self._on_contents)
        self._warming: asyncio.Task[None] | None = None

    async def stop(self) -> None:
        """End what this server does on its own. Runs go on, and are found by the next server."""
        if self._warming is not None:
            self._warming.cancel()
        self._tasks.close()
        await asyncio.to_thread(self._host.close)
        await self._watcher.stop()

    async def status(self) -> dict[str, Any]:
        project = await self._open(self._root())
        store = Path(os.path.relpath(project.store_path, project.root))
        shown = store.name if ".." in store.parts else store.as_posix()
        return {"version": __version__, "store": shown}

    async def inspect(self, request: PipelineRequest) -> dict[str, Any]:
        """The pipeline that a notebook is, and what a run of it would do now."""
        notebook, project = await self._find(request.path)
        document = await asyncio.to_thread(
            project.inspect, notebook, content=request.content, parameters=request.parameters
        )
        if self._warming is not None:
            self._warming.cancel()
        self._warming = asyncio.create_task(self._warm(project, notebook, request.content))
        return document | {"path": request.path}

    async def suggest(self, request: SuggestionRequest) -> dict[str, Any]:
        """A cut of a notebook without steps into steps."""
        notebook, project = await self._find(request.path)
        document = await asyncio.to_thread(project.suggest, notebook, content=request.content)
        return document | {"path": request.path}

    async def _warm(self, project: Project, notebook: Path, content: dict[str, Any] | None) -> None:
        """Prepare for a run, once nobody has typed for a moment: other imports need other preparations."""
        await asyncio.sleep(SECONDS_TO_SETTLE)
        wanted = await asyncio.to_thread(project.wanted, notebook, content=content)
        if wanted is not None:
            await asyncio.to_thread(self._host.prepare, wanted)

    async def runs(self, path: str | None, query: HistoryQuery) -> dict[str, Any]:
        """A page of the runs of one notebook, or of the project at the server's root directory."""
        if path is None:
            notebook, project = None, await self._open(self._root())
        else:
            notebook, project = await self._find(path)
        wanted: Any = {field.name: getattr(query, field.name) for field in fields(query)}
        return await asyncio.to_thread(project.history, notebook, **wanted)

    async def compare(self, run_ids: list[str], path: str | None = None) -> dict[str, Any]:
        return await self._ask_projects(lambda project: project.compare(run_ids), path)

    async def diff(self, first: str, second: str, path: str | None = None) -> dict[str, Any]:
        return await self._ask_projects(lambda project: project.diff(first, second), path)

    async def step_facts(self, run_id: str, step: str, path: str | None = None) -> dict[str, Any]:
        return await self._ask_projects(lambda project: project.step_facts(run_id, step), path)

    async def step_logged(self, run_id: str, step: str, path: str | None = None) -> dict[str, Any]:
        return await self._ask_projects(lambda project: project.step_logged(run_id, step), path)

    async def start_sweep(self, request: SweepRequest) -> str:
        """Start a sweep in a process of its own, which outlives this server; its id."""
        notebook, project = await self._find(request.path)
        sweep_id = await asyncio.to_thread(
            project.start_sweep,
            notebook,
            request.parameter_sets,
            content=request.content,
            parallel=request.parallel,
            jobs=request.jobs,
        )
        await self._watcher.watch(project)
        return sweep_id

    async def cancel_sweep(self, sweep_id: str, path: str | None = None) -> None:
        await self._ask_projects(lambda project: project.cancel_sweep(sweep_id), path)

    async def resume_sweep(self, sweep_id: str, path: str | None = None) -> None:
        await self._ask_projects(lambda project: project.resume_sweep(sweep_id), path)

    async def start(self, request: RunRequest) -> str:
        """Start a run in a process of its own, which outlives this server; its id."""
        notebook, project = await self._find(request.path)
        run_id = await asyncio.to_thread(
            project.start,
            notebook,
            host=self._host,
            content=request.content,
            parameters=request.parameters,
            steps=request.steps,
            force=request.force,
            jobs=request.jobs,
            kernel=request.kernel,
            environment=request.environment,
        )
        await self._watcher.watch(project)
        return run_id

    async def run(self, run_id: str, path: str | None = None) -> dict[str, Any]:
        return await self._ask_projects(lambda project: project.run_document(run_id), path)

    async def cancel(self, run_id: str, path: str | None = None) -> None:
        project = await self._project_of_run(run_id, path)
        await asyncio.to_thread(project.cancel, run_id)

    async def cancel_step(self, run_id: str, step: str, path: str | None = None) -> None:
        project = await self._project_of_run(run_id, path)
        await asyncio.to_thread(project.cancel_step, run_id, step)

    async def annotate(self, run_id: str, change: RunChange, path: str | None = None) -> dict[str, Any]:
        project = await self._project_of_run(run_id, path)
        return await asyncio.to_thread(project.annotate, run_id, tags=change.tags, comment=change.comment)

    async def run_notebook(
        self, run_id: str, longest_text: int | None, path: str | None = None
    ) -> dict[str, Any]:
        project = await self._project_of_run(run_id, path)
        return await asyncio.to_thread(_shown, lambda: project.run_notebook(run_id), longest_text)

    async def step_notebook(
        self, run_id: str, step: str, longest_text: int | None, path: str | None = None
    ) -> dict[str, Any]:
        project = await self._project_of_run(run_id, path)
        return await asyncio.to_thread(_shown, lambda: project.step_notebook(run_id, step), longest_text)

    async def step_log(
        self, run_id: str, step: str, query: LogQuery, path: str | None = None
    ) -> dict[str, Any]:
        project = await self._project_of_run(run_id, path)
        part = await asyncio.to_thread(
            project.step_log_part, run_id, step, start=query.start, last_bytes=query.last_bytes
        )
        return {"log": part.text, "start": part.start, "end": part.end}

    async def whole_step_log(self, run_id: str, step: str, path: str | None = None) -> str:
        project = await self._project_of_run(run_id, path)
        return await asyncio.to_thread(project.step_log, run_id, step)

    async def table_at_a_glance(
        self, run_id: str, table: str, against: str | None, path: str | None = None
    ) -> dict[str, Any]:
        return await self._ask_projects(
            lambda project: project.tables.table_at_a_glance(run_id, table, against), path
        )

    async def column_in_detail(
        self, run_id: str, table: str, column: str, against: str | None, path: str | None = None
    ) -> dict[str, Any]:
        return await self._ask_projects(
            lambda project: project.tables.column_in_detail(run_id, table, column, against), path
        )

    async def withdraw(
        self, run_id: str, table: str, name: AnomalyName, path: str | None = None
    ) -> dict[str, Any]:
        return await self._ask_projects(
            lambda project: project.tables.withdraw(
                run_id, table, name.kind, feature=name.feature, check=name.check
            ),
            path,
        )

    async def preview(self, digest: str, path: str | None = None) -> dict[str, Any]:
        return await self._ask_projects(lambda project: project.preview(digest), path)

    async def artifact_statistics(self, digest: str, path: str | None = None) -> dict[str, Any]:
        """Of a table that nobody has measured yet, measured now, by a process of its own."""
        return await self._ask_projects(lambda project: project.tables.artifact_statistics(digest), path)

    async def artifact_anomalies(self, digest: str, path: str | None = None) -> dict[str, Any]:
        return await self._ask_projects(lambda project: project.tables.artifact_anomalies(digest), path)

    async def artifact_lineage(self, digest: str, path: str | None = None) -> dict[str, Any]:
        return await self._ask_projects(lambda project: project.tables.artifact_lineage(digest), path)

    async def table(
        self, run_id: str, table: str, against: str | None, path: str | None = None
    ) -> dict[str, Any]:
        return await self._ask_projects(
            lambda project: project.tables.stats(run_id, table, against=against), path
        )

    async def failing_rows(
        self, run_id: str, table: str, name: AnomalyName, limit: int, path: str | None = None
    ) -> dict[str, Any]:
        return await self._ask_projects(
            lambda project: project.tables.failing_rows(
                run_id, table, name.kind, feature=name.feature, check=name.check, limit=limit
            ),
            path,
        )

    async def trace(
        self, run_id: str, table: str, name: AnomalyName, path: str | None = None
    ) -> dict[str, Any]:
        """Replays cells, by a process of its own."""
        return await self._ask_projects(
            lambda project: project.tables.trace_elsewhere(
                run_id, table, name.kind, feature=name.feature, check=name.check
            ),
            path,
        )

    async def accept(
        self, run_id: str, table: str, name: AnomalyName, path: str | None = None
    ) -> dict[str, Any]:
        """Agree to one anomaly; the schema file as it is then."""
        answer = await self._ask_projects(
            lambda project: project.tables.accept(
                run_id, table, name.kind, feature=name.feature, check=name.check
            ),
            path,
        )
        return _with_dates(answer)

    async def slices(
        self, run_id: str, table: str, query: SliceQuery, path: str | None = None
    ) -> dict[str, Any]:
        return await self._ask_projects(
            lambda project: project.tables.slices(
                run_id,
                table,
                truth=query.truth,
                prediction=query.prediction,
                by=query.by,
                metric=query.metric,
                limit=query.limit,
            ),
            path,
        )

    async def edge(self, run_id: str, source: str, target: str, path: str | None = None) -> dict[str, Any]:
        return await self._ask_projects(lambda project: project.tables.edge(run_id, source, target), path)

    async def trend(self, path: str, table: str, column: str | None, limit: int) -> dict[str, Any]:
        notebook, project = await self._find(path)
        return await asyncio.to_thread(project.tables.trend, notebook, table, column=column, limit=limit)

    async def schemas(self, path: str) -> dict[str, Any]:
        notebook, project = await self._find(path)
        return _with_dates(await asyncio.to_thread(project.tables.schemas, notebook))

    async def change_schemas(self, change: SchemaChange) -> dict[str, Any]:
        """Write the schema file anew, or agree to tables of a run; the file as it is then."""
        notebook, project = await self._find(change.path)
        if change.text is not None:
            answer = await asyncio.to_thread(project.tables.write_schemas, notebook, change.text)
        else:
            answer = await asyncio.to_thread(
                project.tables.pin, notebook, run_id=change.run_id, tables=change.tables
            )
        return _with_dates(answer)

    # -- tasks ------------------------------------------------------------------------------------

    async def export_targets(self) -> dict[str, Any]:
        project = await self._open(self._root())
        return await asyncio.to_thread(project.exports.targets)

    async def start_task(self, request: TaskRequest) -> str:
        """Begin an export, a verification or the like in a process of its own; its id."""
        notebook, project = await self._find(request.path)
        folder = None if request.folder is None else request.folder.strip("/ ")
        arguments = dict(request.arguments)
        if folder is not None:
            arguments["folder"] = str(await self._to_file(folder))
        wanted = {
            "kind": request.kind,
            "root": str(project.root),
            "store": str(project.store_path),
            "notebook": str(notebook),
            "content": request.content,
            "arguments": arguments,
        }
        task = Task(request.kind, request.path, folder)
        loop = asyncio.get_running_loop()

        def publish() -> None:
            loop.call_soon_threadsafe(self._publish_task, task)

        return await asyncio.to_thread(self._tasks.start, task, wanted, project.root, publish)

    async def tasks(self) -> dict[str, Any]:
        """Tasks in brief; what came of each is asked for by its id."""
        await self._open(self._root())
        tasks = await asyncio.to_thread(self._tasks.all)
        return {"tasks": [{name: task[name] for name in TASK_IN_BRIEF} for task in tasks]}

    async def task(self, task_id: str, path: str | None = None) -> dict[str, Any]:
        """A task of this server, or of one that was here before it and served the project of `path`."""
        await (self._open(self._root()) if path is None else self._find(path))
        return await asyncio.to_thread(self._tasks.find, task_id)

    async def cancel_task(self, task_id: str) -> None:
        self._tasks.cancel(task_id)

    # -- projects ---------------------------------------------------------------------------------

    async def _find(self, path: str) -> tuple[Path, Project]:
        if self._renaming:
            # Whoever asks for the new name wants to hear of all that was run under the old one.
            await asyncio.wait(self._renaming)
        notebook = await self._to_file(path)
        return notebook, await self._open(notebook)

    async def _open(self, path: Path) -> Project:
        """The project that `path` belongs to; its runs are watched from now on."""
        opened = await asyncio.to_thread(open_project, path, self._store)
        project = self._projects.setdefault(opened.root, opened)
        self._tasks.notes(project.store_path)
        await self._watcher.watch(project)
        return project

    async def _project_of_run(self, run_id: str, path: str | None) -> Project:
        def has_run(project: Project) -> Project:
            project.run_document(run_id)
            return project

        return await self._ask_projects(has_run, path)

    async def _ask_projects(self, question: Callable[[Project], T], path: str | None) -> T:
        """The first answer of a project that knows one.

        An id says nothing about the project that it is from. `path` does; without it, the projects
        are asked that this server has met, and the one at its root directory.
        """
        if path is not None:
            _, project = await self._find(path)
            return await asyncio.to_thread(question, project)
        met = {project.store_path: project for project in self._projects.values()}
        for project in met.values():
            with suppress(NotFoundError):
                return await asyncio.to_thread(question, project)
        return await asyncio.to_thread(question, await self._open(self._root()))

    # -- renamed notebooks ------------------------------------------------------------------------

    async def _on_contents(self, logger: EventLogger, schema_id: str, data: dict[str, Any]) -> None:
        if data.get("action") == "rename":
            task = asyncio.create_task(self._rename(data["source_path"], data["path"]))
            self._renaming.add(task)
            task.add_done_callback(self._renaming.discard)

    async def _rename(self, before: str, after: str) -> None:
        """The history follows a notebook or a folder within its project; elsewhere it begins anew.

        The schema file follows its notebook anywhere.
        """
        files = self._files()
        old, new = (
            Path(files._get_os_path(path.strip("/")))  # type: ignore[no-untyped-call]
            for path in (before, after)
        )
        if not (new.is_dir() or new.suffix == ".ipynb"):
            return
        project = await asyncio.to_thread(open_project, old.parent, self._store)
        target = await asyncio.to_thread(open_project, new.parent, self._store)
        if project.store_path == target.store_path:
            await asyncio.to_thread(project.rename, old, new)
        if new.suffix == ".ipynb":
            is_moved = await asyncio.to_thread(move_schemas, old, new)
            if is_moved is not None:
                self._event_logger.emit(
                    schema_id=events.SCHEMA_FILE,
                    data={"path": after, "before": before, "status": "moved" if is_moved else "in_the_way"},
                )

    # -- paths ------------------------------------------------------------------------------------

    def _files(self) -> FileContentsManager:
        if not isinstance(self._contents_manager, FileContentsManager):
            raise UsageError(
                "contents_not_local",
                "Pipelines need notebooks that are files: this server keeps its documents in "
                f"{type(self._contents_manager).__name__}, which does not say where they are.",
            )
        return self._contents_manager

    def _root(self) -> Path:
        return Path(self._files().root_dir)

    async def _to_file(self, path: str) -> Path:
        """The file that the contents API calls `path`; refused as the contents API refuses it."""
        files = self._files()
        # 404 for what lies outside the root directory.
        file = Path(files._get_os_path(path.strip("/")))  # type: ignore[no-untyped-call]
        hidden = await ensure_async(files.is_hidden(path))  # type: ignore[no-untyped-call]
        if hidden and not files.allow_hidden:
            raise NotFoundError("not_found", f"There is no notebook {path!r}.", path=path)
        return file

    def _to_path(self, file: Path) -> str | None:
        """What the contents API calls `file`; None when it lies outside the root directory."""
        root = self._root()
        for directory in (root, root.resolve()):
            if file.is_relative_to(directory):
                return file.relative_to(directory).as_posix()
        return None

    # -- events -----------------------------------------------------------------------------------

    def _publish(self, news: News) -> None:
        path = self._to_path(news.notebook)
        if path is None:
            return
        data = {"run_id": news.run_id, "path": path, "status": news.status}
        if isinstance(news, RunNews):
            self._event_logger.emit(schema_id=events.RUN, data=data)
        else:
            self._event_logger.emit(schema_id=events.STEP_RUN, data=data | {"step": news.step})

    def _publish_task(self, task: Task) -> None:
        data = {"task_id": task.id, "path": task.path, "status": task.status}
        self._event_logger.emit(schema_id=events.TASK, data=data)


def _shown(notebook: Callable[[], dict[str, Any]], longest_text: int | None) -> dict[str, Any]:
    content = notebook()
    if longest_text is not None:
        shorten_texts(content, longest_text)
    return {"content": content}


def _with_dates(document: dict[str, Any]) -> dict[str, Any]:
    """A document from YAML, its dates as text."""
    found: dict[str, Any] = json.loads(json.dumps(document, default=str))
    return found
