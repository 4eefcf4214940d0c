"""What all handlers share: they authenticate, authorise, ask the manager, answer."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from jupyter_server.base.handlers import APIHandler

from jupyterlab_pipelines.documents import write_document
from jupyterlab_pipelines.errors import PipelinesError
from jupyterlab_pipelines.server.manager import PipelineManager
from jupyterlab_pipelines.server.wire import error_answer

URL_PREFIX = "pipelines-as-experiments"


class PipelinesAPIHandler(APIHandler):
    auth_resource = "pipelines"

    manager: PipelineManager

    def initialize(self, manager: PipelineManager) -> None:
        self.manager = manager

    @property
    def notebook_path(self) -> str | None:
        """Query argument ``path``: the notebook that is asked about."""
        return self.get_query_argument("path", None)

    def answer(self, document: dict[str, Any], status: int = 200) -> None:
        self.set_status(status)
        self.finish(write_document(document))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = kwargs["exc_info"][1] if "exc_info" in kwargs else None
        status, document = error_answer(error, status_code)
        self.answer(document, status)

    def log_exception(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        # Wrong use is no news for the log beyond the line that every refused request gets.
        if not isinstance(value, PipelinesError):
            super().log_exception(typ, value, tb)
