from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyterlab_pipelines.errors import UsageError
from jupyterlab_pipelines.server.routes.base import PipelinesAPIHandler
from jupyterlab_pipelines.server.wire import SchemaChange


class SchemasHandler(PipelinesAPIHandler):
    """The schema file of a notebook."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        if self.notebook_path is None:
            raise UsageError("bad_request", "`path` must say which notebook.", field="path")
        self.answer(await self.manager.schemas(self.notebook_path))

    @web.authenticated
    @authorized
    async def put(self) -> None:
        self.answer(await self.manager.change_schemas(SchemaChange.from_body(self.get_json_body())))
