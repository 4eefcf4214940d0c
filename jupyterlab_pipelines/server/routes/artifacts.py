from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyterlab_pipelines.server.routes.base import PipelinesAPIHandler


class ArtifactPreviewHandler(PipelinesAPIHandler):
    @web.authenticated
    @authorized
    async def get(self, digest: str) -> None:
        self.answer(await self.manager.preview(digest, self.notebook_path))


class ArtifactStatisticsHandler(PipelinesAPIHandler):
    @web.authenticated
    @authorized
    async def get(self, digest: str) -> None:
        self.answer(await self.manager.artifact_statistics(digest, self.notebook_path))


class ArtifactAnomaliesHandler(PipelinesAPIHandler):
    @web.authenticated
    @authorized
    async def get(self, digest: str) -> None:
        self.answer(await self.manager.artifact_anomalies(digest, self.notebook_path))


class ArtifactLineageHandler(PipelinesAPIHandler):
    @web.authenticated
    @authorized
    async def get(self, digest: str) -> None:
        self.answer(await self.manager.artifact_lineage(digest, self.notebook_path))
