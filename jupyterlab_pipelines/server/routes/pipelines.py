from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyterlab_pipelines.server.routes.base import PipelinesAPIHandler
from jupyterlab_pipelines.server.wire import PipelineRequest


class PipelinesHandler(PipelinesAPIHandler):
    """Reads the document in the body; POST because it is too long for a URL, it changes nothing."""

    @web.authenticated
    @authorized(action="read")  # type: ignore[untyped-decorator]
    async def post(self) -> None:
        request = PipelineRequest.from_body(self.get_json_body())
        self.answer(await self.manager.inspect(request))
