"""Tables of runs, named as ``step.name``: what is known of them, and of their anomalies."""

from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyterlab_pipelines.server.routes.base import PipelinesAPIHandler
from jupyterlab_pipelines.server.wire import AnomalyName, SliceQuery, parse_limit, required


class TableHandler(PipelinesAPIHandler):
    @web.authenticated
    @authorized
    async def get(self, run_id: str, table: str) -> None:
        against = self.get_query_argument("against", None)
        self.answer(await self.manager.table(run_id, table, against, self.notebook_path))


class FailingRowsHandler(PipelinesAPIHandler):
    @web.authenticated
    @authorized
    async def get(self, run_id: str, table: str) -> None:
        name = AnomalyName.from_body(
            {
                key: values[-1]
                for key in ("kind", "feature", "check")
                if (values := self.get_query_arguments(key, strip=False))
            }
        )
        limit = parse_limit(self.get_query_argument("limit", "20"))
        self.answer(await self.manager.failing_rows(run_id, table, name, limit, self.notebook_path))


class TraceHandler(PipelinesAPIHandler):
    """Executes cells, in a process of its own and kernels of their own: this may take a while."""

    @web.authenticated
    @authorized
    async def post(self, run_id: str, table: str) -> None:
        name = AnomalyName.from_body(self.get_json_body())
        self.answer(await self.manager.trace(run_id, table, name, self.notebook_path))


class AcceptHandler(PipelinesAPIHandler):
    @web.authenticated
    @authorized
    async def post(self, run_id: str, table: str) -> None:
        name = AnomalyName.from_body(self.get_json_body())
        self.answer(await self.manager.accept(run_id, table, name, self.notebook_path))


class SlicesHandler(PipelinesAPIHandler):
    @web.authenticated
    @authorized
    async def get(self, run_id: str, table: str) -> None:
        values = {name: self.get_query_arguments(name) for name in self.request.query_arguments}
        query = SliceQuery.from_query(values)
        self.answer(await self.manager.slices(run_id, table, query, self.notebook_path))


class EdgeHandler(PipelinesAPIHandler):
    @web.authenticated
    @authorized
    async def get(self, run_id: str, source: str, target: str) -> None:
        self.answer(await self.manager.edge(run_id, source, target, self.notebook_path))


class TrendHandler(PipelinesAPIHandler):
    @web.authenticated
    @authorized
    async def get(self) -> None:
        path = required("path", self.notebook_path)
        table = required("table", self.get_query_argument("table", None))
        column = self.get_query_argument("column", None, strip=False)
        limit = parse_limit(self.get_query_argument("limit", "20"))
        self.answer(await self.manager.trend(path, table, column, limit))
