"""The whole way: a run that REST starts, in a process of its own, seen through REST and events."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

import jupyterlab_pipelines.server
from jupyterlab_pipelines.server.manager import PipelineManager
from jupyterlab_pipelines.server.wire import HistoryQuery

pytestmark = pytest.mark.timeout(180)

OPENAPI = yaml.safe_load((Path(jupyterlab_pipelines.server.__file__).parent / "openapi.yaml").read_text())
ENDED = {"succeeded", "failed", "cancelled", "interrupted"}


def conforms(document: Any, name: str) -> None:
    """`document` is what `openapi.yaml` says under `name`."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": OPENAPI["components"]}
    jsonschema.validate(document, schema)


def notebook(*steps: tuple[str, str], parameters: str = "") -> dict[str, Any]:
    cells = [("parameters", parameters)] if parameters else []
    cells += [(f"step:{name}", source) for name, source in steps]
    return {
        "nbformat": 4,
        "nbformat_minor": 4,
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        "cells": [
            {
                "cell_type": "code",
                "metadata": {"tags": [tag]},
                "source": source,
                "outputs": [],
                "execution_count": None,
            }
            for tag, source in cells
        ],
    }


NUMBERS = notebook(
    ("load", "numbers = list(range(n))\nprint('loaded')"),
    ("total", "total = sum(numbers)\ntotal"),
    parameters="n = 4",
)


@pytest.fixture
def save(jp_root_dir: Path):
    def save(content: dict[str, Any], name: str = "sub/a.ipynb") -> str:
        file = jp_root_dir / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(content))
        return name

    (jp_root_dir / "pyproject.toml").touch()
    return save


@pytest.fixture
def ended(ask):
    """Waits until a run has ended; its document."""

    async def ended(run_id: str) -> dict[str, Any]:
        async with asyncio.timeout(120):
            while (run := (await ask("GET", f"runs/{run_id}"))[1])["status"] not in ENDED:
                await asyncio.sleep(0.1)
        return run

    return ended


def statuses(run: dict[str, Any]) -> dict[str, str]:
    return {step["name"]: step["status"] for step in run["steps"]}


async def test_a_run_is_started_followed_and_read(ask, save, ended, heard) -> None:
    path = save(NUMBERS)
    _, pipeline = await ask("POST", "pipelines", {"path": path, "content": NUMBERS})

    _, started = await ask("POST", "runs", {"path": path, "content": NUMBERS, "parameters": {"n": 5}})
    run = await ended(started["run_id"])
    _, listed = await ask("GET", "runs", path=path)
    _, read = await ask("GET", f"runs/{run['run_id']}/notebook")
    _, log = await ask("GET", f"runs/{run['run_id']}/steps/load/log")
    _, step = await ask("GET", f"runs/{run['run_id']}/steps/total/notebook")
    [output] = [output for output in run["steps"][1]["outputs"] if output["name"] == "total"]
    preview = await ask("GET", f"artifacts/{output['digest']}/preview")
    async with asyncio.timeout(10):
        while not any(event["kind"] == "run" and event["status"] in ENDED for event in heard):
            await asyncio.sleep(0.05)

    conforms(pipeline, "Pipeline")
    conforms(run, "Run")
    conforms(listed["runs"][0], "RunSummary")
    assert (pipeline["state"], pipeline["steps"][0]["decision"]) == ("ok", "run")
    assert (run["status"], run["parameters"]) == ("succeeded", {"n": 5})
    assert statuses(run) == {"load": "succeeded", "total": "succeeded"}
    assert [item["run_id"] for item in listed["runs"]] == [run["run_id"]]
    assert read["content"]["cells"][2]["outputs"][0]["data"]["text/plain"] in ("10", ["10"])
    assert any("total" in "".join(cell["source"]) for cell in step["content"]["cells"])
    assert "loaded" in log["log"]
    assert (preview[0], preview[1]["digest"]) == (200, output["digest"])
    assert {event["path"] for event in heard} == {path}
    assert heard[-1] == {"kind": "run", "run_id": run["run_id"], "path": path, "status": "succeeded"}
    assert ("total", "succeeded") in {(event.get("step"), event["status"]) for event in heard}

    _, again = await ask("POST", "runs", {"path": path, "content": NUMBERS, "parameters": {"n": 5}})
    assert statuses(await ended(again["run_id"])) == {"load": "reused", "total": "reused"}


async def test_what_cannot_be_stored_is_told(ask, save, ended) -> None:
    content = notebook(
        ("make", "rows = (n for n in range(9))\nprint(next(rows))\nopen('log.txt', 'w').write('begun')"),
        ("note", "note = open('log.txt').read()"),
        ("read", "left = list(rows)"),
    )
    path = save(content)

    _, started = await ask("POST", "runs", {"path": path, "content": content})
    run = await ended(started["run_id"])
    _, pipeline = await ask("POST", "pipelines", {"path": path, "content": content})

    conforms(run, "Run")
    conforms(pipeline, "Pipeline")
    unit = {"steps": ["make", "read"], "names": ["rows"]}
    assert [step["unit"] for step in pipeline["steps"]] == [unit, None, unit]
    edges = {(edge["source"], edge["target"]): edge for edge in pipeline["edges"]}
    assert edges["make", "read"] == {
        "source": "make",
        "target": "read",
        "names": ["rows"],
        "state": [],
        "explicit": False,
        "learned": False,
        "kernel": True,
    }
    assert edges["make", "note"] == {
        "source": "make",
        "target": "note",
        "names": [],
        "state": ["file log.txt"],
        "explicit": False,
        "learned": True,
        "kernel": False,
    }
    [rows] = run["steps"][0]["verdicts"]
    assert (rows["name"], rows["carriable"], rows["materializer"]) == ("rows", False, None)
    assert "generator" in rows["message"]


async def test_the_unsaved_document_is_what_runs(ask, save, ended) -> None:
    path = save(NUMBERS)
    edited = notebook(("load", "numbers = [1]"), ("total", "raise ValueError('no total')"))

    _, started = await ask("POST", "runs", {"path": path, "content": edited})
    run = await ended(started["run_id"])

    conforms(run, "Run")
    assert (run["status"], statuses(run)) == ("failed", {"load": "succeeded", "total": "failed"})
    assert run["steps"][1]["error"]["cell_index"] == 1
    assert "no total" in run["steps"][1]["error"]["message"]


async def test_a_run_is_cancelled(ask, save, ended, heard) -> None:
    path = save(notebook(("wait", "import time\ntime.sleep(100)"), ("then", "after_it = 1")))
    _, started = await ask("POST", "runs", {"path": path})
    async with asyncio.timeout(60):
        while ("wait", "running") not in {(event.get("step"), event["status"]) for event in heard}:
            await asyncio.sleep(0.05)
    _, pipeline = await ask("POST", "pipelines", {"path": path})

    begun = time.monotonic()
    status, _ = await ask("POST", f"runs/{started['run_id']}/cancel")
    run = await ended(started["run_id"])

    assert pipeline["run_id"] == started["run_id"]
    assert (status, run["status"]) == (202, "cancelled")
    assert time.monotonic() - begun < 30


async def test_a_run_from_a_terminal_is_announced(ask, save, heard, jp_root_dir: Path) -> None:
    path = save(NUMBERS)
    await ask("POST", "pipelines", {"path": path})

    terminal = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "jupyterlab_pipelines.cli", "run", str(jp_root_dir / path), "--json"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    out, _ = await terminal.communicate()
    async with asyncio.timeout(10):
        while not any(event["kind"] == "run" and event["status"] in ENDED for event in heard):
            await asyncio.sleep(0.05)

    assert heard[-1] == {
        "kind": "run",
        "run_id": json.loads(out)["run_id"],
        "path": path,
        "status": "succeeded",
    }


async def test_runs_are_found_by_the_next_server(ask, save, ended, jp_serverapp) -> None:
    path = save(NUMBERS)
    _, started = await ask("POST", "runs", {"path": path})
    await jp_serverapp.web_app.settings["jupyterlab_pipelines"].stop_extension()

    next_server = PipelineManager(jp_serverapp.contents_manager, jp_serverapp.event_logger, jp_serverapp.log)
    try:
        found = await next_server.run(started["run_id"])
        listed = await next_server.runs(path, HistoryQuery(limit=10))
        ended_run = await ended(started["run_id"])
    finally:
        await next_server.stop()

    assert found["run_id"] == started["run_id"]
    assert [run["run_id"] for run in listed["runs"]] == [started["run_id"]]
    assert ended_run["status"] == "succeeded"


@pytest.mark.parametrize(
    ("content", "state"),
    [
        (notebook(), "untagged"),
        (notebook(("a", "x = = 1")), "error"),
        ({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{"cell_type": "code"}]}, None),
    ],
)
async def test_a_document_that_is_no_pipeline_is_told_as_one(
    ask, save, content: dict[str, Any], state
) -> None:
    path = save(NUMBERS)

    status, pipeline = await ask("POST", "pipelines", {"path": path, "content": content})

    assert status == 200
    conforms(pipeline, "Pipeline")
    assert state in (None, pipeline["state"])


@pytest.mark.parametrize(
    "options",
    [
        {"steps": ["none"]},
        {"force": ["none"]},
        {"parameters": {"none": 1}},
        {"content": notebook(("a", "x = ="))},
    ],
)
async def test_a_run_that_cannot_begin_is_refused(ask, save, options: dict[str, Any]) -> None:
    path = save(NUMBERS)

    status, document = await ask("POST", "runs", {"path": path} | options)

    assert status in (400, 404)
    conforms(document, "Error")
    assert (await ask("GET", "runs", path=path))[1]["runs"] == []


async def test_a_notebook_that_is_not_there(ask, save) -> None:
    save(NUMBERS)

    status, document = await ask("POST", "runs", {"path": "sub/none.ipynb"})

    assert status in (400, 404)
    assert "none.ipynb" in document["message"]


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def children_of(pid: int, count: int) -> list[int]:
    """The living child processes of a process, once there are `count`."""
    async with asyncio.timeout(30):
        while True:
            tasks = Path(f"/proc/{pid}/task").glob("*/children")
            found = [int(child) for task in tasks for child in task.read_text().split() if lives(int(child))]
            if len(found) == count:
                return found
            await asyncio.sleep(0.05)


@pytest.mark.skipif(sys.platform != "linux", reason="runners are forked on Linux only")
async def test_runs_borrow_what_the_server_keeps_warm(ask, save, ended, jp_serverapp, tmp_path) -> None:
    told = tmp_path / "parents"
    path = save(notebook(("ask", f"import os\nprint(os.getppid(), file=open({str(told)!r}, 'a'))")))
    host = jp_serverapp.extension_manager.extension_points["jupyterlab_pipelines"].app.manager._host
    await ask("POST", "pipelines", {"path": path})
    async with asyncio.timeout(30):
        while host._process is None:
            await asyncio.sleep(0.05)
    # What kernels are forked from, and what measures tables.
    waiting = await children_of(host._process.pid, 2)

    for _ in range(2):
        _, started = await ask("POST", "runs", {"path": path, "force": ["ask"]})
        assert (await ended(started["run_id"]))["status"] == "succeeded"

    # Both runs' kernels were forked from the same process, which waits for the next run.
    first, second = map(int, told.read_text().split())
    assert first == second and first in waiting
    assert await children_of(host._process.pid, 2) == waiting


@pytest.mark.skipif(sys.platform != "linux", reason="runners are forked on Linux only")
async def test_a_run_begins_though_the_warm_process_was_killed(ask, save, ended, jp_serverapp) -> None:
    path = save(NUMBERS)
    host = jp_serverapp.extension_manager.extension_points["jupyterlab_pipelines"].app.manager._host
    _, first = await ask("POST", "runs", {"path": path})
    assert (await ended(first["run_id"]))["status"] == "succeeded"
    host._process.kill()

    _, second = await ask("POST", "runs", {"path": path, "parameters": {"n": 5}})

    document = await ended(second["run_id"])
    assert document["status"] == "succeeded"
    assert [step["status"] for step in document["steps"]] == ["succeeded", "succeeded"]


@pytest.mark.skipif(sys.platform != "linux", reason="runners are forked on Linux only")
async def test_the_warm_process_ends_with_the_server(ask, save, ended, jp_serverapp) -> None:
    manager = jp_serverapp.extension_manager.extension_points["jupyterlab_pipelines"].app.manager
    _, started = await ask("POST", "runs", {"path": save(NUMBERS)})
    assert (await ended(started["run_id"]))["status"] == "succeeded"
    process = manager._host._process
    waiting = await children_of(process.pid, 1)

    await manager.stop()

    assert process.poll() is not None
    async with asyncio.timeout(10):
        while any(lives(pid) for pid in waiting):
            await asyncio.sleep(0.05)


ORDERS = notebook(
    (
        "load",
        "import numpy as np, pandas as pd\n"
        "rng = np.random.default_rng(1)\n"
        "raw = pd.DataFrame({'price': rng.normal(50, 9, 800), 'truth': rng.integers(0, 2, 800)})\n"
        "raw['prediction'] = np.where(raw.price > 60, 1 - raw.truth, raw.truth)",
    ),
    ("clean", "tmp = raw.copy()"),
    ("clean", "if bad: tmp.loc[tmp.index[:300], 'price'] = None"),
    ("clean", "df = tmp"),
    ("use", "n = df.price.sum()"),
    parameters="bad = False",
)


async def test_an_anomaly_is_looked_into_traced_and_accepted(save, ask, ended) -> None:
    path = save(ORDERS)
    runs = []
    for bad in (False, True):
        _, started = await ask("POST", "runs", {"path": path, "parameters": {"bad": bad}})
        runs.append(await ended(started["run_id"]))
    async with asyncio.timeout(60):
        while not (found := (await ask("GET", f"runs/{runs[1]['run_id']}"))[1]["steps"][1]["anomalies"]):
            await asyncio.sleep(0.1)
    anomaly = next(one for one in found if one["output"] == "df")
    conforms(anomaly, "Anomaly")
    table = f"runs/{runs[1]['run_id']}/tables/clean.df"
    name = {"kind": "nulls_increased", "feature": "price"}

    status, document = await ask("GET", table)
    assert status == 200
    conforms(document, "Table")
    assert document["reference"]["run_id"] == runs[0]["run_id"]
    status, document = await ask("GET", f"{table}?against=load.raw")
    assert (status, document["reference"]["table"]) == (200, "load.raw")
    conforms(document, "Table")
    assert (await ask("GET", f"{table}?against=pinned"))[0] == 404

    status, rows = await ask("GET", f"{table}/rows", **name, limit=5)
    assert status == 200
    conforms(rows, "FailingRows")
    assert (rows["total"], [row["position"] for row in rows["rows"]]) == (300, [0, 1, 2, 3, 4])
    assert (await ask("GET", f"{table}/rows", kind="all_null"))[0] == 404
    assert (await ask("GET", f"{table}/rows"))[0] == 400

    status, trace = await ask("POST", f"{table}/trace", name)
    assert status == 200, trace
    conforms(trace, "Trace")
    assert (trace["step"], trace["cell_index"], trace["name"]) == ("clean", 3, "tmp")

    status, edge = await ask("GET", f"runs/{runs[1]['run_id']}/edges/load/clean")
    assert status == 200
    for change in edge["tables"]:
        conforms(change, "TableChange")
    assert {change["output"] for change in edge["tables"]} >= {"df"}

    status, trend = await ask("GET", "trends", path=path, table="clean.df", column="price")
    assert status == 200
    conforms(trend, "Trend")
    assert [(run["nulls"], run["anomalies"]) for run in trend["runs"]] == [(0, 0), (0.375, 1)]

    status, slices = await ask("GET", f"runs/{runs[1]['run_id']}/tables/load.raw/slices?by=price")
    assert status == 200, slices
    conforms(slices, "Slices")
    assert (slices["metric"], slices["truth"], slices["prediction"]) == ("accuracy", "truth", "prediction")
    assert slices["slices"][0]["metric"] < 0.6 < slices["slices"][-1]["metric"] == 1

    status, answer = await ask("POST", f"{table}/accept", name)
    assert status == 200
    conforms(answer, "Schemas")
    assert "clean.df.columns.price.nulls" in answer["changed"]
    _, started = await ask("POST", "runs", {"path": path, "parameters": {"bad": True}})
    assert (await ended(started["run_id"]))["steps"][1]["anomalies"] == []
    refused, error = await ask("POST", "runs", {"path": path, "environment": "serving"})
    assert (refused, error["error"]["code"]) == (400, "unknown_environment")
