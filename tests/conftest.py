"""One fork server for the step kernels of all cases: a new one for each run takes a second and a half."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from jupyterlab_pipelines.environment import base_environment, find_kernelspec
from jupyterlab_pipelines.execution.kernels import ForkServer, ServerSpec, modules_to_preload, python_of
from jupyterlab_pipelines.execution.runner import Runner

PRELOADED = ("numpy", "pandas")


@pytest.fixture(scope="module")
def shared_fork_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Runs fork their kernels from one server; those that want none preloaded have one of their own."""
    folder: Path = tmp_path_factory.mktemp("server")
    python = python_of(find_kernelspec("python3"))
    server = ForkServer(ServerSpec(python, PRELOADED, base_environment(folder), folder))
    own_server = Runner._server

    def server_of(runner: Runner, kernel: str) -> ForkServer | None:
        is_common = kernel == "python3" and modules_to_preload(runner.pipeline, runner.folder) != []
        return server if is_common else own_server(runner, kernel)

    with mock.patch.object(Runner, "_server", server_of):
        yield
    server.close()
