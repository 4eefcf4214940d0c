from __future__ import annotations

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyterlab_pipelines.server.routes.base import PipelinesAPIHandler
from jupyterlab_pipelines.server.wire import SuggestionRequest


class SuggestionsHandler(PipelinesAPIHandler):
    """Proposes steps for the document in the body; POST because it is too long for a URL, it changes nothing."""

    @web.authenticated
    @authorized(action="read")  # type: ignore[untyped-decorator]
    async def post(self) -> None:
        request = SuggestionRequest.from_body(self.get_json_body())
        self.answer(await self.manager.suggest(request))
