from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from jupyter_server.utils import url_path_join
from tornado import web

from jupyterlab_pipelines.server.routes.base import URL_PREFIX, PipelinesAPIHandler
from jupyterlab_pipelines.server.wire import RunChange, RunRequest, parse_limit


class RunsHandler(PipelinesAPIHandler):
    @web.authenticated
    @authorized
    async def get(self) -> None:
        limit = parse_limit(self.get_query_argument("limit", "50"))
        self.answer(await self.manager.runs(self.notebook_path, limit))

    @web.authenticated
    @authorized
    async def post(self) -> None:
        request = RunRequest.from_body(self.get_json_body())
        run_id = await self.manager.start(request)
        self.set_header("Location", url_path_join(self.base_url, URL_PREFIX, "runs", run_id))
        self.answer({"run_id": run_id}, 202)


class RunHandler(PipelinesAPIHandler):
    @web.authenticated
    @authorized
    async def get(self, run_id: str) -> None:
        self.answer(await self.manager.run(run_id, self.notebook_path))

    @web.authenticated
    @authorized
    async def patch(self, run_id: str) -> None:
        change = RunChange.from_body(self.get_json_body())
        self.answer(await self.manager.annotate(run_id, change, self.notebook_path))


class RunCancelHandler(PipelinesAPIHandler):
    @web.authenticated
    @authorized
    async def post(self, run_id: str) -> None:
        await self.manager.cancel(run_id, self.notebook_path)
        self.answer({"run_id": run_id}, 202)


class RunNotebookHandler(PipelinesAPIHandler):
    @web.authenticated
    @authorized
    async def get(self, run_id: str) -> None:
        self.answer(await self.manager.run_notebook(run_id, self.notebook_path))


class StepNotebookHandler(PipelinesAPIHandler):
    @web.authenticated
    @authorized
    async def get(self, run_id: str, step: str) -> None:
        self.answer(await self.manager.step_notebook(run_id, step, self.notebook_path))


class StepLogHandler(PipelinesAPIHandler):
    @web.authenticated
    @authorized
    async def get(self, run_id: str, step: str) -> None:
        self.answer(await self.manager.step_log(run_id, step, self.notebook_path))
