from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyterlab_pipelines.server.routes.base import PipelinesAPIHandler
from jupyterlab_pipelines.server.wire import SweepRequest


class SweepsHandler(PipelinesAPIHandler):
    @web.authenticated
    @authorized
    async def post(self) -> None:
        request = SweepRequest.from_body(self.get_json_body())
        self.answer({"sweep_id": await self.manager.start_sweep(request)}, 202)


class SweepCancelHandler(PipelinesAPIHandler):
    @web.authenticated
    @authorized
    async def post(self, sweep_id: str) -> None:
        await self.manager.cancel_sweep(sweep_id, self.notebook_path)
        self.answer({"sweep_id": sweep_id}, 202)


class SweepResumeHandler(PipelinesAPIHandler):
    """Begins the runs of a sweep whose process is gone."""

    @web.authenticated
    @authorized
    async def post(self, sweep_id: str) -> None:
        await self.manager.resume_sweep(sweep_id, self.notebook_path)
        self.answer({"sweep_id": sweep_id}, 202)
