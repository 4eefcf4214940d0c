"""A Jupyter server with the extension in it.

pytest-jupyter's fixtures are imported, not loaded as a plugin: as a plugin its automatic fixtures
would reach the browser tests, which keep an event loop of their own.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from pytest_jupyter.jupyter_server import *  # noqa: F403
from pytest_jupyter.pytest_tornasync import *  # noqa: F403
from tornado.httpclient import HTTPClientError

from jupyterlab_pipelines.server import manager
from tests.fake_project import FakeProject


@pytest.fixture
def jp_server_config() -> dict[str, Any]:
    return {"ServerApp": {"jpserver_extensions": {"jupyterlab_pipelines": True}}}


@pytest.fixture
def projects(monkeypatch: pytest.MonkeyPatch, jp_root_dir: Path) -> dict[Path, FakeProject]:
    """Projects in memory, by root directory; the one at the server's root directory exists."""
    projects = {jp_root_dir: FakeProject(jp_root_dir)}

    def open_fake(path: Path, store: Path | None) -> FakeProject:
        return next(projects[directory] for directory in [path, *path.parents] if directory in projects)

    monkeypatch.setattr(manager, "open_project", open_fake)
    return projects


@pytest.fixture
def project(projects: dict[Path, FakeProject], jp_root_dir: Path) -> FakeProject:
    return projects[jp_root_dir]


@pytest.fixture
def ask(jp_fetch):
    """Asks the server, as the front end does: status and document."""

    async def ask(method: str, path: str, body: Any = None, /, **params: Any) -> tuple[int, Any]:
        data = {"body": body if isinstance(body, str) else json.dumps(body)} if method != "GET" else {}
        path, _, query = path.partition("?")
        # Pairs: `run=1&run=2` is two values of one name, which a dictionary cannot say.
        pairs = [*params.items(), *parse_qsl(query)]
        try:
            answer = await jp_fetch(
                "pipelines-as-experiments", *path.split("/"), method=method, params=pairs, **data
            )
        except HTTPClientError as error:
            assert error.response is not None
            return error.code, json.loads(error.response.body)
        return answer.code, json.loads(answer.body)

    return ask


@pytest.fixture
def heard(jp_serverapp) -> list[dict[str, Any]]:
    """Our events since the test began, as they went over the bus."""
    events: list[dict[str, Any]] = []

    async def listen(logger: Any, schema_id: str, data: dict[str, Any]) -> None:
        if schema_id.startswith("https://pipelines-as-experiments.dev/"):
            kind = schema_id.rsplit("/", 2)[1]
            ids = {key: value for key, value in data.items() if not key.startswith("__")}
            events.append({"kind": kind, **ids})

    jp_serverapp.event_logger.add_listener(listener=listen)
    return events
