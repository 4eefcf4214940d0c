"""Tasks: exports, verifications and the like, each a process that can be watched and ended."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.fixtures.notebooks import Notebook, cell, notebook, write

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def save(jp_root_dir: Path):
    def save(content: Notebook, name: str = "work.ipynb") -> str:
        (jp_root_dir / ".pipelines").mkdir(exist_ok=True)
        return write(content, jp_root_dir / name).name

    return save


@pytest.fixture
def ended(ask):
    """Waits for the end of a task; its document."""

    async def ended(task_id: str) -> dict[str, Any]:
        while (task := (await ask("GET", f"tasks/{task_id}"))[1])["status"] == "running":
            await asyncio.sleep(0.1)
        return dict(task)

    return ended


@pytest.fixture
def carry_out(ask, ended):
    async def carry_out(kind: str, path: str, **said: Any) -> dict[str, Any]:
        status, answer = await ask("POST", "tasks", {"kind": kind, "path": path, **said})
        assert status == 202
        return await ended(answer["task_id"])

    return carry_out


NUMBERS = notebook(cell("x = 1", step="load"), cell("y = x + 1\nprint(y)", step="add"))
SHAKY = notebook(
    cell("x = 1", step="load"), cell("import secrets\ny = x + secrets.randbelow(10**9)", step="add")
)


async def test_a_notebook_is_exported_and_its_folder_is_told(carry_out, save, jp_root_dir: Path) -> None:
    task = await carry_out("export", save(NUMBERS), folder="out/numbers", arguments={"target": "package"})

    assert (task["status"], task["folder"]) == ("succeeded", "out/numbers")
    assert [step["name"] for step in task["result"]["steps"]] == ["load", "add"]
    assert (jp_root_dir / "out" / "numbers" / "pyproject.toml").is_file()
    # The run that came first was told, step by step.
    assert ("add", "succeeded") in {(event.get("step"), event.get("status")) for event in task["events"]}


async def test_a_verification_tells_each_step(ask, carry_out, save) -> None:
    path = save(SHAKY)
    first = await carry_out("export", path, folder="out", arguments={"target": "package"})
    assert first["status"] == "succeeded"

    task = await carry_out("verify", path)

    assert [(event["name"], event["status"]) for event in task["events"]] == [
        ("load", "equal"),
        ("add", "different"),
    ]
    assert task["result"]["status"] == "different"


async def test_an_unsaved_document_counts(carry_out, save) -> None:
    path = save(notebook(cell("1 / 0", step="broken")))

    task = await carry_out(
        "export", path, folder="out", content=json.loads(json.dumps(NUMBERS)), arguments={"target": "package"}
    )

    assert [step["name"] for step in task["result"]["steps"]] == ["load", "add"]


async def test_what_goes_wrong_is_told(carry_out, save) -> None:
    task = await carry_out("export", save(NUMBERS), folder="out", arguments={"target": "no_such"})

    assert (task["status"], task["error"]["code"]) == ("failed", "unknown_target")


async def test_installation_and_store_are_looked_at(carry_out, save) -> None:
    path = save(NUMBERS)

    assert "python" in {check["check"] for check in (await carry_out("doctor", path))["result"]["checks"]}
    assert (await carry_out("check", path))["result"]["findings"] == []
    assert (await carry_out("gc", path, arguments={"dry_run": True}))["status"] == "succeeded"


async def test_a_task_is_cancelled_with_all_that_it_has_started(ask, ended, save, jp_root_dir: Path) -> None:
    path = save(notebook(cell("open('began', 'w').close()\nimport time\ntime.sleep(600)", step="stay")))
    wanted = {"kind": "export", "path": path, "folder": "out", "arguments": {"target": "package"}}
    task_id = (await ask("POST", "tasks", wanted))[1]["task_id"]
    while not (jp_root_dir / "began").exists():
        await asyncio.sleep(0.05)

    assert (await ask("POST", f"tasks/{task_id}/cancel"))[0] == 202

    assert (await asyncio.wait_for(ended(task_id), 20))["status"] == "cancelled"
    assert [task["task_id"] for task in (await ask("GET", "tasks"))[1]["tasks"]] == [task_id]


@pytest.mark.parametrize(
    "wanted",
    [
        {"kind": "rm", "path": "a.ipynb"},
        {"kind": "export", "path": "a.ipynb", "arguments": {"target": "package"}},
        {"kind": "export", "path": "a.ipynb", "folder": "/", "arguments": {"target": "package"}},
        {"kind": "export", "path": "a.ipynb", "folder": "out"},
        {"kind": "export", "path": "a.ipynb", "folder": "../out", "arguments": {"target": "package"}},
    ],
)
async def test_wrong_wishes_are_refused(ask, wanted: dict[str, Any]) -> None:
    assert (await ask("POST", "tasks", wanted))[0] in (400, 404)


async def test_the_targets_are_told_with_their_options(ask) -> None:
    _, answer = await ask("GET", "export-targets")

    assert {"name", "summary", "options", "can_verify"} == answer["targets"][0].keys()
    assert "image" in next(each["options"] for each in answer["targets"] if each["name"] == "argo")


STAYING = notebook(cell("open('began', 'w').close()\nimport time\ntime.sleep(600)", step="stay"))


def start_server(root: Path, port: int) -> subprocess.Popen[bytes]:
    """A server that is a process of its own, so that it can be killed."""
    command = [
        *(sys.executable, "-m", "jupyter_server", "--allow-root", "--no-browser"),
        *(f"--port={port}", f"--ServerApp.root_dir={root}", "--IdentityProvider.token=t"),
        "--ServerApp.jpserver_extensions={'jupyterlab_pipelines': True}",
    ]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_a_server_after_one_that_was_killed_tells_what_came_of_its_tasks(save, jp_root_dir: Path) -> None:
    path = save(NUMBERS)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    base = f"http://127.0.0.1:{port}/pipelines-as-experiments"

    def ask(url: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"{base}/{url}", data, {"Authorization": "token t"})
        while True:
            try:
                with urlopen(request, timeout=30) as answer:
                    return dict(json.load(answer))
            except HTTPError:
                raise
            except OSError:
                time.sleep(0.1)

    def wait_for(task_id: str, status: str) -> dict[str, Any]:
        while (task := ask(f"tasks/{task_id}?path={path}"))["status"] == "running":
            time.sleep(0.1)
        assert task["status"] == status
        return task

    server = start_server(jp_root_dir, port)
    try:
        done = ask("tasks", {"kind": "check", "path": path})["task_id"]
        result = wait_for(done, "succeeded")["result"]
        stay = {"kind": "export", "path": path, "folder": "out", "arguments": {"target": "package"}}
        cut = ask("tasks", stay | {"content": json.loads(json.dumps(STAYING))})["task_id"]
        while not (jp_root_dir / "began").exists():
            time.sleep(0.05)
        server.kill()
        server.wait()
        server = start_server(jp_root_dir, port)

        task = wait_for(cut, "interrupted")

        assert task["error"]["code"] == "server_ended"
        assert wait_for(done, "succeeded")["result"] == result
        assert {task["task_id"]: task["status"] for task in ask("tasks")["tasks"]} == {
            done: "succeeded",
            cut: "interrupted",
        }
        # What the task had started has ended with it, and the run is told so.
        while ask(f"runs?path={path}")["runs"][0]["status"] == "running":
            time.sleep(0.1)
        assert ask(f"runs?path={path}")["runs"][0]["status"] == "interrupted"
    finally:
        server.kill()
        server.wait()
