from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from jupyter_server.utils import url_path_join
from tornado import web

from jupyterlab_pipelines.server.routes.base import URL_PREFIX, PipelinesAPIHandler
from jupyterlab_pipelines.server.wire import (
    HistoryQuery,
    LogQuery,
    RunChange,
    RunRequest,
    parse_compared,
    parse_number,
)


class RunsHandler(PipelinesAPIHandler):
    @web.authenticated
    @authorized
    async def get(self) -> None:
        values = {name: self.get_query_arguments(name) for name in self.request.query_arguments}
        self.answer(await self.manager.runs(self.notebook_path, HistoryQuery.from_query(values)))

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


class StepCancelHandler(PipelinesAPIHandler):
    @web.authenticated
    @authorized
    async def post(self, run_id: str, step: str) -> None:
        await self.manager.cancel_step(run_id, step, self.notebook_path)
        self.answer({"run_id": run_id, "step": step}, 202)


class NotebookHandler(PipelinesAPIHandler):
    @property
    def longest_text(self) -> int | None:
        """Query argument ``longest_text``: so many characters of a printed text are shown."""
        text = self.get_query_argument("longest_text", None)
        return None if text is None else parse_number("longest_text", text)


class RunNotebookHandler(NotebookHandler):
    @web.authenticated
    @authorized
    async def get(self, run_id: str) -> None:
        self.answer(await self.manager.run_notebook(run_id, self.longest_text, self.notebook_path))


class StepNotebookHandler(NotebookHandler):
    @web.authenticated
    @authorized
    async def get(self, run_id: str, step: str) -> None:
        answer = await self.manager.step_notebook(run_id, step, self.longest_text, self.notebook_path)
        self.answer(answer)


class StepLogHandler(PipelinesAPIHandler):
    @web.authenticated
    @authorized
    async def get(self, run_id: str, step: str) -> None:
        start, last_bytes = (self.get_query_argument(name, None) for name in ("start", "last_bytes"))
        query = LogQuery.from_query(start, last_bytes)
        self.answer(await self.manager.step_log(run_id, step, query, self.notebook_path))


class StepLogTextHandler(PipelinesAPIHandler):
    """The same as plain text, for a browser to show or to save."""

    @web.authenticated
    @authorized
    async def get(self, run_id: str, step: str) -> None:
        text = await self.manager.whole_step_log(run_id, step, self.notebook_path)
        self.finish(text, set_content_type="text/plain; charset=utf-8")


class StepFactsHandler(PipelinesAPIHandler):
    @web.authenticated
    @authorized
    async def get(self, run_id: str, step: str) -> None:
        self.answer(await self.manager.step_facts(run_id, step, self.notebook_path))


class RunDiffHandler(PipelinesAPIHandler):
    @web.authenticated
    @authorized
    async def get(self, run_id: str, other: str) -> None:
        self.answer(await self.manager.diff(run_id, other, self.notebook_path))


class ComparisonHandler(PipelinesAPIHandler):
    """Runs side by side; the query says which: ``?run=ID&run=ID``."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        run_ids = parse_compared(self.get_query_arguments("run"))
        self.answer(await self.manager.compare(run_ids, self.notebook_path))


class StepLoggedHandler(PipelinesAPIHandler):
    """What the cells of a step have logged: metrics over time, texts and figures."""

    @web.authenticated
    @authorized
    async def get(self, run_id: str, step: str) -> None:
        self.answer(await self.manager.step_logged(run_id, step, self.notebook_path))
