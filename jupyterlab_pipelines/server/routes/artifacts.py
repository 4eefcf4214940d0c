from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyterlab_pipelines.server.routes.base import PipelinesAPIHandler


class ArtifactPreviewHandler(PipelinesAPIHandler):
    @web.authenticated
    @authorized
    async def get(self, digest: str) -> None:
        self.answer(await self.manager.preview(digest, self.notebook_path))
