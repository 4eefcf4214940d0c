"""Events: what any process writes to a run store is announced by this server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jupyterlab_pipelines.server.watcher import RunNews, StepNews, StoreWatch
from tests.fake_project import FakeProject


async def until(condition: Callable[[], Any], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


def test_what_was_there_before_is_no_news(tmp_path: Path) -> None:
    project = FakeProject(tmp_path)
    project.succeed(project.begin(tmp_path / "a.ipynb"))
    project.begin(tmp_path / "a.ipynb")
    watch = StoreWatch(project)  # type: ignore[arg-type]

    assert watch.look() == []
    assert watch.look() == []
    assert watch.active


def test_a_run_is_followed_from_its_beginning_to_its_end(tmp_path: Path) -> None:
    project, notebook = FakeProject(tmp_path), tmp_path / "a.ipynb"
    watch = StoreWatch(project)  # type: ignore[arg-type]
    watch.look()

    run_id = project.begin(notebook)
    begun = watch.look()
    project.set_step(run_id, "load", "running", progress={"cell": 1, "cells": 2})
    running = watch.look()
    project.set_step(run_id, "load", "running", progress={"cell": 2, "cells": 2})
    progress = watch.look()
    project.set_step(run_id, "load", "succeeded", progress=None)
    project.set_step(run_id, "clean", "failed")
    project.end(run_id, "failed")
    ended = watch.look()

    assert begun == [
        RunNews(run_id, notebook, "running"),
        StepNews(run_id, notebook, "load", "queued"),
        StepNews(run_id, notebook, "clean", "queued"),
    ]
    assert running == progress == [StepNews(run_id, notebook, "load", "running")]
    assert ended == [
        StepNews(run_id, notebook, "load", "succeeded"),
        StepNews(run_id, notebook, "clean", "failed"),
        RunNews(run_id, notebook, "failed"),
    ]
    assert watch.look() == []
    assert not watch.active


def test_a_run_that_came_and_went_between_two_looks_is_told_too(tmp_path: Path) -> None:
    project = FakeProject(tmp_path)
    watch = StoreWatch(project)  # type: ignore[arg-type]
    watch.look()

    run_id = project.begin(tmp_path / "a.ipynb")
    project.succeed(run_id)

    assert watch.look()[-1] == RunNews(run_id, tmp_path / "a.ipynb", "succeeded")


def test_a_note_on_a_run_is_no_news(tmp_path: Path) -> None:
    project = FakeProject(tmp_path)
    run_id = project.begin(tmp_path / "a.ipynb")
    project.succeed(run_id)
    watch = StoreWatch(project)  # type: ignore[arg-type]
    watch.look()

    project.annotate(run_id, tags=["good"])
    project._changes += 1

    assert watch.look() == []


async def test_a_run_of_another_process_is_announced(
    ask, project: FakeProject, heard, jp_root_dir: Path
) -> None:
    await ask("POST", "pipelines", {"path": "sub/a.ipynb"})

    run_id = project.begin(jp_root_dir / "sub" / "a.ipynb")
    project.succeed(run_id)
    await until(lambda: any(event["kind"] == "run" and event["status"] == "succeeded" for event in heard))

    assert {"kind": "run", "run_id": run_id, "path": "sub/a.ipynb", "status": "succeeded"} in heard
    assert {
        "kind": "step_run",
        "run_id": run_id,
        "path": "sub/a.ipynb",
        "step": "clean",
        "status": "succeeded",
    } in heard


async def test_a_started_run_is_announced_from_its_beginning(ask, project: FakeProject, heard) -> None:
    _, started = await ask("POST", "runs", {"path": "a.ipynb"})

    await until(lambda: heard)

    assert heard[0] == {"kind": "run", "run_id": started["run_id"], "path": "a.ipynb", "status": "running"}


async def test_a_store_that_cannot_be_read_for_a_while_stops_nothing(
    ask, project: FakeProject, heard, jp_root_dir: Path, monkeypatch
) -> None:
    await ask("POST", "pipelines", {"path": "a.ipynb"})
    asked = []

    def locked() -> int:
        asked.append(True)
        raise OSError("locked")

    with monkeypatch.context() as patch:
        patch.setattr(project, "changes", locked)
        await until(lambda: asked)
    run_id = project.begin(jp_root_dir / "a.ipynb")
    await until(lambda: heard)

    assert heard[0]["run_id"] == run_id


async def test_the_watcher_ends_with_the_server(ask, project: FakeProject, jp_serverapp) -> None:
    await ask("POST", "pipelines", {"path": "a.ipynb"})
    extension = jp_serverapp.web_app.settings["jupyterlab_pipelines"]

    def watchers() -> list[asyncio.Task[Any]]:
        return [task for task in asyncio.all_tasks() if task.get_name().startswith("pipelines:")]

    assert len(watchers()) == 1
    await extension.stop_extension()
    assert watchers() == []
