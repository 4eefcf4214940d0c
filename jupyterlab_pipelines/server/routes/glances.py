from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyterlab_pipelines.server.routes.base import PipelinesAPIHandler
from jupyterlab_pipelines.server.wire import AnomalyName


class GlanceHandler(PipelinesAPIHandler):
    """A table of a run, a row for each column."""

    @web.authenticated
    @authorized
    async def get(self, run_id: str, table: str) -> None:
        against = self.get_query_argument("against", None)
        self.answer(await self.manager.table_at_a_glance(run_id, table, against, self.notebook_path))


class ColumnHandler(PipelinesAPIHandler):
    """One column of a table of a run."""

    @web.authenticated
    @authorized
    async def get(self, run_id: str, table: str) -> None:
        # As it is: a name may begin or end with a space.
        column = self.get_query_argument("name", strip=False)
        against = self.get_query_argument("against", None)
        self.answer(await self.manager.column_in_detail(run_id, table, column, against, self.notebook_path))


class WithdrawHandler(PipelinesAPIHandler):
    """Takes the agreement to an anomaly back."""

    @web.authenticated
    @authorized
    async def post(self, run_id: str, table: str) -> None:
        name = AnomalyName.from_body(self.get_json_body())
        self.answer(await self.manager.withdraw(run_id, table, name, self.notebook_path))
