"""The server extension: routes, event schemas, and one manager for all of them."""

from __future__ import annotations

from pathlib import Path

from jupyter_server.extension.application import ExtensionApp
from traitlets import Unicode

from jupyterlab_pipelines.server import events
from jupyterlab_pipelines.server.manager import PipelineManager
from jupyterlab_pipelines.server.routes import ROUTES, URL_PREFIX


class PipelinesExtension(ExtensionApp):
    name = "jupyterlab_pipelines"
    description = "Runs tagged notebooks as cached, parallel pipelines."

    store = Unicode(
        "",
        help="""Directory of the store: artifacts, runs, history.

        Empty: `.pipelines` in the root directory of each project.""",
    ).tag(config=True)

    manager: PipelineManager

    def initialize_settings(self) -> None:
        server = self.serverapp
        assert server is not None
        assert server.event_logger is not None
        for schema in events.SCHEMAS:
            server.event_logger.register_event_schema(schema)
        self.manager = PipelineManager(
            server.contents_manager,
            server.event_logger,
            self.log,
            store=Path(self.store).expanduser().absolute() if self.store else None,
        )

    def initialize_handlers(self) -> None:
        self.handlers.extend(
            (rf"/{URL_PREFIX}/{pattern}", handler, {"manager": self.manager}) for pattern, handler in ROUTES
        )

    async def stop_extension(self) -> None:
        await self.manager.stop()
