from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from jupyter_server.utils import url_path_join
from tornado import web

from jupyterlab_pipelines.server.routes.base import URL_PREFIX, PipelinesAPIHandler
from jupyterlab_pipelines.server.wire import TaskRequest


class TasksHandler(PipelinesAPIHandler):
    """What takes long and is no run: exports, verifications, looks at the store."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        self.answer(await self.manager.tasks())

    @web.authenticated
    @authorized
    async def post(self) -> None:
        task_id = await self.manager.start_task(TaskRequest.from_body(self.get_json_body()))
        self.set_header("Location", url_path_join(self.base_url, URL_PREFIX, "tasks", task_id))
        self.answer({"task_id": task_id}, 202)


class TaskHandler(PipelinesAPIHandler):
    @web.authenticated
    @authorized
    async def get(self, task_id: str) -> None:
        self.answer(await self.manager.task(task_id, self.notebook_path))


class TaskCancelHandler(PipelinesAPIHandler):
    @web.authenticated
    @authorized
    async def post(self, task_id: str) -> None:
        await self.manager.cancel_task(task_id)
        self.answer({"task_id": task_id}, 202)


class ExportTargetsHandler(PipelinesAPIHandler):
    """The engines that notebooks can be exported to."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        self.answer(await self.manager.export_targets())
