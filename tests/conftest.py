"""What all tests share."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from jupyterlab_pipelines import warm
from jupyterlab_pipelines.environment import base_environment, find_kernelspec
from jupyterlab_pipelines.execution.kernels import ForkServer, ServerSpec, modules_to_preload, python_of
from jupyterlab_pipelines.execution.runner import Runner

PRELOADED = ("numpy", "pandas")
MOST_OPEN_FILES = 200


@pytest.fixture(scope="session", autouse=True)
def nothing_kept_warm() -> Iterator[None]:
    """Commands neither use a process that somebody has left behind, nor leave one, unless a test is about that."""
    with mock.patch.dict(os.environ, {warm.VARIABLE: "0"}):
        yield


@pytest.fixture(scope="module", autouse=True)
def few_open_files() -> Iterator[None]:
    """Event loops and connections of hundreds of runs wait for the garbage collector; the system allows 1,024."""
    yield
    if os.path.isdir("/proc/self/fd") and len(os.listdir("/proc/self/fd")) > MOST_OPEN_FILES:
        gc.collect()


@pytest.fixture(scope="module")
def shared_fork_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Runs fork their kernels from one server, as a new one for each takes a second and a half.

    Those that want none preloaded have one of their own.
    """
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
