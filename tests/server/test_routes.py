"""The REST interface: what every route answers, and whom it refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from tornado.httpclient import HTTPClientError
from tornado.web import HTTPError

import jupyterlab_pipelines.server
from jupyterlab_pipelines import __version__
from jupyterlab_pipelines.server.routes import ROUTES
from tests.fake_project import FakeProject

OPENAPI = yaml.safe_load((Path(jupyterlab_pipelines.server.__file__).parent / "openapi.yaml").read_text())
METHODS = ("get", "post", "put", "patch", "delete")
NOTEBOOK = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}


def served() -> set[tuple[str, str]]:
    return {
        ("/" + re.sub(r"\(\?P<(\w+)>[^)]*\)", r"{\1}", pattern), method)
        for pattern, handler in ROUTES
        for method in METHODS
        if method in vars(handler)
    }


def test_openapi_describes_every_route_and_no_other() -> None:
    described = {
        (path, method) for path, item in OPENAPI["paths"].items() for method in METHODS if method in item
    }

    assert described == served()


@pytest.mark.parametrize(("path", "method"), sorted(served()))
async def test_every_route_refuses_who_is_not_known(
    jp_fetch, project: FakeProject, path: str, method: str
) -> None:
    parts = re.sub(r"\{\w+\}", "x1", path).strip("/").split("/")

    with pytest.raises(HTTPClientError) as refused:
        await jp_fetch(
            "pipelines-as-experiments",
            *parts,
            method=method.upper(),
            headers={"Authorization": "token wrong"},
            body=None if method == "get" else "{}",
        )

    assert refused.value.code == 403
    assert project.asked == []


@pytest.mark.parametrize(("path", "method"), sorted(served()))
async def test_every_route_refuses_who_is_not_authorised(
    jp_serverapp, jp_fetch, project: FakeProject, monkeypatch: pytest.MonkeyPatch, path: str, method: str
) -> None:
    asked = []
    monkeypatch.setattr(
        type(jp_serverapp.authorizer),
        "is_authorized",
        lambda self, handler, user, action, resource: asked.append(resource),
    )
    parts = re.sub(r"\{\w+\}", "x1", path).strip("/").split("/")

    with pytest.raises(HTTPClientError) as refused:
        await jp_fetch(
            "pipelines-as-experiments", *parts, method=method.upper(), body=None if method == "get" else "{}"
        )

    assert refused.value.code == 403
    assert asked == ["pipelines"]
    assert project.asked == []


async def test_the_unsaved_document_is_inspected(ask, project: FakeProject, jp_root_dir: Path) -> None:
    status, pipeline = await ask(
        "POST", "pipelines", {"path": "deep/a b.ipynb", "content": NOTEBOOK, "parameters": {"alpha": 1}}
    )

    assert (status, pipeline["path"], pipeline["state"]) == (200, "deep/a b.ipynb", "ok")
    assert project.asked == [
        (
            "inspect",
            {"notebook": jp_root_dir / "deep" / "a b.ipynb", "content": NOTEBOOK, "parameters": {"alpha": 1}},
        )
    ]


async def test_steps_are_suggested_for_the_unsaved_document(
    ask, project: FakeProject, jp_root_dir: Path
) -> None:
    status, document = await ask("POST", "suggestions", {"path": "a.ipynb", "content": NOTEBOOK})

    assert (status, document["path"], sorted(document["tags"])) == (200, "a.ipynb", ["0", "1"])
    assert project.asked == [("suggest", {"content": NOTEBOOK})]


async def test_a_large_notebook_is_no_trouble(ask, project: FakeProject) -> None:
    cell = {"cell_type": "code", "source": "x = 1", "metadata": {}, "outputs": [{"text": "y" * 5_000_000}]}

    status, _ = await ask(
        "POST", "pipelines", {"path": "big.ipynb", "content": NOTEBOOK | {"cells": [cell] * 3}}
    )

    assert status == 200


async def test_a_run_is_started_watched_annotated_and_cancelled(
    ask, jp_fetch, jp_base_url, project, jp_root_dir
) -> None:
    body = {"path": "a.ipynb", "steps": ["clean"], "force": ["load"], "jobs": 2, "parameters": {"n": 1}}

    started = await jp_fetch("pipelines-as-experiments", "runs", method="POST", body=json.dumps(body))
    run_id = json.loads(started.body)["run_id"]

    assert started.code == 202
    assert started.headers["Location"] == f"{jp_base_url}pipelines-as-experiments/runs/{run_id}"
    assert project.asked[-1] == (
        "start",
        {
            "notebook": jp_root_dir / "a.ipynb",
            "content": None,
            "parameters": {"n": 1},
            "steps": ("clean",),
            "force": ("load",),
            "jobs": 2,
            "kernel": None,
            "environment": None,
        },
    )
    assert (await ask("GET", f"runs/{run_id}"))[1]["status"] == "running"
    assert (await ask("POST", "pipelines", {"path": "a.ipynb"}))[1]["run_id"] == run_id
    cancelled = {"run_id": run_id, "step": "load"}
    assert await ask("POST", f"runs/{run_id}/steps/load/cancel") == (202, cancelled)
    assert await ask("POST", f"runs/{run_id}/cancel") == (202, {"run_id": run_id})
    assert (await ask("GET", f"runs/{run_id}"))[1]["status"] == "cancelled"
    status, run = await ask("PATCH", f"runs/{run_id}", {"tags": ["good"], "comment": "the best so far"})
    assert (status, run["tags"], run["comment"]) == (200, ["good"], "the best so far")


async def test_runs_are_listed_for_one_notebook_newest_first(
    ask, project: FakeProject, jp_root_dir: Path
) -> None:
    ids = [project.begin(jp_root_dir / name) for name in ("a.ipynb", "b.ipynb", "a.ipynb")]

    async def listed(**params) -> list[str]:
        return [run["run_id"] for run in (await ask("GET", "runs", **params))[1]["runs"]]

    assert await listed() == ids[::-1]
    assert await listed(path="a.ipynb") == [ids[2], ids[0]]
    assert await listed(path="a.ipynb", limit=1) == [ids[2]]


async def test_what_a_run_left_can_be_read(ask, jp_fetch, project: FakeProject, jp_root_dir: Path) -> None:
    run_id = project.begin(jp_root_dir / "a.ipynb")

    assert (await ask("GET", f"runs/{run_id}/notebook"))[1]["content"]["nbformat"] == 4
    assert (await ask("GET", f"runs/{run_id}/steps/load/notebook"))[1]["content"]["nbformat"] == 4
    log = f"runs/{run_id}/steps/load/log"
    assert await ask("GET", log) == (200, {"log": "log of load", "start": 0, "end": 11})
    assert (await ask("GET", f"{log}?start=4"))[1] == {"log": "of load", "start": 4, "end": 11}
    assert (await ask("GET", f"{log}?last_bytes=4"))[1] == {"log": "load", "start": 7, "end": 11}
    assert (await ask("GET", f"{log}?start=x"))[0] == 400
    text = await jp_fetch("pipelines-as-experiments", *log.split("/"), "text")
    assert (await ask("GET", f"runs/{run_id}/notebook?longest_text=9"))[0] == 200
    assert (await ask("GET", f"runs/{run_id}/notebook?longest_text=x"))[0] == 400
    assert (text.body, text.headers["Content-Type"]) == (b"log of load", "text/plain; charset=utf-8")


async def test_a_page_of_the_history_can_be_asked_for(ask, project: FakeProject) -> None:
    await ask(
        "GET", "runs", limit=7, before="r9", words="alpha=1 good", status="failed,cancelled", tag="pinned"
    )
    assert project.wanted == {
        "limit": 7,
        "before": "r9",
        "words": "alpha=1 good",
        "status": ("failed", "cancelled"),
        "tag": "pinned",
        "sweep": None,
        "metric": None,
        "descending": True,
    }

    await ask("GET", "runs", metric="evaluate.rmse", order="asc", sweep="sweep-1")
    assert (project.wanted["metric"], project.wanted["descending"]) == ("evaluate.rmse", False)
    assert project.wanted["sweep"] == "sweep-1"


async def test_runs_are_compared_and_a_step_is_looked_into(
    ask, project: FakeProject, jp_root_dir: Path
) -> None:
    one, other = (project.begin(jp_root_dir / "a.ipynb") for _ in range(2))

    compared = await ask("GET", f"comparison?run={one}&run={other}")
    assert [run["run_id"] for run in compared[1]["runs"]] == [one, other]
    assert (await ask("GET", f"runs/{one}/diff/{other}"))[1]["runs"] == [one, other]
    assert (await ask("GET", f"runs/{one}/steps/load"))[1]["files_read"] == ["a.csv"]
    assert (await ask("GET", f"runs/{one}/steps/load/logged"))[1]["metrics"] == {"loss": [[0, 1.0]]}
    assert (await ask("GET", f"comparison?run={one}&run=none"))[0] == 404


async def test_a_sweep_is_started_and_cancelled_as_one(ask, project: FakeProject, jp_root_dir: Path) -> None:
    sets = [{"alpha": 1}, {"alpha": 2}]
    body = {"path": "a.ipynb", "parameter_sets": sets, "parallel": 2}

    assert await ask("POST", "sweeps", body) == (202, {"sweep_id": "sweep-1"})
    assert project.asked[-1] == (
        "start_sweep",
        {
            "notebook": jp_root_dir / "a.ipynb",
            "parameter_sets": tuple(sets),
            "content": None,
            "parallel": 2,
            "jobs": None,
        },
    )
    assert await ask("POST", "sweeps/sweep-1/cancel") == (202, {"sweep_id": "sweep-1"})
    assert project.asked[-1] == ("cancel_sweep", {"sweep": "sweep-1"})
    assert await ask("POST", "sweeps/sweep-1/resume") == (202, {"sweep_id": "sweep-1"})
    assert project.asked[-1] == ("resume_sweep", {"sweep": "sweep-1"})


async def test_a_schema_file_is_read_written_and_agreed_to(
    ask, project: FakeProject, jp_root_dir: Path
) -> None:
    assert (await ask("GET", "schemas", path="a.ipynb"))[1]["file"] == "a.schema.yaml"
    assert (await ask("GET", "schemas"))[0] == 400
    await ask("PUT", "schemas", {"path": "a.ipynb", "text": "load.df: {}"})
    await ask("PUT", "schemas", {"path": "a.ipynb", "run_id": "r1", "tables": ["load.df"]})
    assert (await ask("PUT", "schemas", {"path": "a.ipynb"}))[0] == 400
    assert project.asked[-2:] == [
        ("write_schemas", {"notebook": jp_root_dir / "a.ipynb", "text": "load.df: {}"}),
        ("pin", {"notebook": jp_root_dir / "a.ipynb", "run_id": "r1", "tables": ("load.df",)}),
    ]


async def test_a_number_that_is_none_is_sent_as_null(ask, project: FakeProject) -> None:
    status, preview = await ask("GET", "artifacts/d1/preview")

    assert (status, preview["preview"]) == (200, {"value": None})


async def test_a_run_is_found_in_whichever_project_it_is(ask, projects, jp_root_dir: Path) -> None:
    for name in ("one", "two"):
        projects[jp_root_dir / name] = FakeProject(jp_root_dir / name)
    first = projects[jp_root_dir / "one"].begin(jp_root_dir / "one" / "a.ipynb")
    projects[jp_root_dir / "two"]._ids = iter(["cafe"])
    second = projects[jp_root_dir / "two"].begin(jp_root_dir / "two" / "b.ipynb")

    before = await ask("GET", f"runs/{second}")
    told_where = await ask("GET", f"runs/{second}", path="two/b.ipynb")
    met = await ask("GET", f"runs/{second}")
    await ask("GET", "runs", path="one/a.ipynb")
    other = await ask("GET", f"runs/{first}")

    assert (before[0], told_where[0], met[0], other[0]) == (404, 200, 200, 200)
    assert other[1]["notebook"].endswith("a.ipynb")


async def test_status_tells_version_and_store(ask, project: FakeProject, tmp_path: Path) -> None:
    assert await ask("GET", "status") == (200, {"version": __version__, "store": ".pipelines"})
    project.store_path = tmp_path / "elsewhere" / "store"
    assert await ask("GET", "status") == (200, {"version": __version__, "store": "store"})


@pytest.mark.parametrize(
    ("method", "path", "body", "said"),
    [
        ("POST", "pipelines", "{not json", "JSON"),
        ("POST", "pipelines", "", "JSON object"),
        ("POST", "pipelines", [], "JSON object"),
        ("POST", "pipelines", {}, "`path`"),
        ("POST", "pipelines", {"path": 3}, "`path`"),
        ("POST", "pipelines", {"path": "a.ipynb", "content": "text"}, "`content`"),
        ("POST", "pipelines", {"path": "a.ipynb", "content": {"worksheets": []}}, "`content`"),
        ("POST", "pipelines", {"path": "a.ipynb", "content": {"cells": [1]}}, "`content`"),
        ("POST", "pipelines", {"path": "a.ipynb", "parameters": [1]}, "`parameters`"),
        ("POST", "runs", {"path": "a.ipynb", "step": ["load"]}, "`step`"),
        ("POST", "runs", {"path": "a.ipynb", "steps": "load"}, "`steps`"),
        ("POST", "runs", {"path": "a.ipynb", "jobs": 0}, "`jobs`"),
        ("POST", "runs", {"path": "a.ipynb", "jobs": True}, "`jobs`"),
        ("PATCH", "runs/1", {}, "`tags`"),
        ("PATCH", "runs/1", {"tags": [1]}, "`tags`"),
        ("PATCH", "runs/1", {"comment": 1}, "`comment`"),
        ("GET", "runs?limit=many", None, "`limit`"),
        ("GET", "runs?status=done", None, "`status`"),
        ("GET", "runs?order=up", None, "`order`"),
        ("GET", "comparison", None, "`run`"),
        ("POST", "runs", {"path": "a.ipynb", "kernel": 1}, "`kernel`"),
        ("POST", "sweeps", {"path": "a.ipynb", "parameter_sets": {}}, "`parameter_sets`"),
        ("POST", "sweeps", {"path": "a.ipynb", "parameter_sets": [1]}, "`parameter_sets`"),
        ("POST", "sweeps", {"path": "a.ipynb", "parameter_sets": [], "parallel": 0}, "`parallel`"),
    ],
)
async def test_a_wrong_request_is_told_what_is_wrong(ask, project, method, path, body, said) -> None:
    path, _, query = path.partition("?")

    status, document = await ask(method, path, body, **dict([query.split("=")] if query else []))

    assert (status, document["error"]["code"]) == (400, "bad_request")
    assert said in document["message"]
    assert document["message"] == document["error"]["message"]
    assert project.asked == []


@pytest.mark.parametrize("path", ["../out.ipynb", "a/../../out.ipynb", ".hidden/a.ipynb", "nul\0.ipynb"])
async def test_a_path_outside_of_what_the_server_shows_is_refused(
    ask, project: FakeProject, path: str
) -> None:
    status, document = await ask("POST", "pipelines", {"path": path})

    assert (status, document["error"]["code"]) == (404, "not_found")
    assert project.asked == []


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("runs/none", "unknown_run"),
        ("runs/none/notebook", "unknown_run"),
        ("runs/none/steps/load/log", "unknown_run"),
        ("artifacts/none/preview", "unknown_artifact"),
        ("artifacts/none/statistics", "unknown_artifact"),
        ("artifacts/none/anomalies", "unknown_artifact"),
        ("artifacts/none/lineage", "unknown_artifact"),
    ],
)
async def test_what_does_not_exist_is_404(ask, project: FakeProject, path: str, code: str) -> None:
    status, document = await ask("GET", path)

    assert (status, document["error"]["code"], document["reason"]) == (404, code, None)


async def test_an_error_of_our_own_is_logged_and_keeps_its_details_to_itself(
    ask, project: FakeProject, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args, **kwargs):
        raise RuntimeError("secret detail")

    monkeypatch.setattr(project, "inspect", broken)

    status, document = await ask("POST", "pipelines", {"path": "a.ipynb"})

    assert (status, document["error"]["code"]) == (500, "internal_server_error")
    assert "secret" not in json.dumps(document)
    assert any(record.exc_info and "secret detail" in str(record.exc_info[1]) for record in caplog.records)


async def test_notebooks_that_are_no_files_are_refused_clearly(
    ask, jp_serverapp, project: FakeProject
) -> None:
    class DatabaseContents:
        pass

    extension = jp_serverapp.web_app.settings["jupyterlab_pipelines"]
    extension.manager._contents_manager = DatabaseContents()

    status, document = await ask("POST", "pipelines", {"path": "a.ipynb"})

    assert (status, document["error"]["code"]) == (400, "contents_not_local")
    assert "DatabaseContents" in document["message"]


def test_an_http_error_keeps_its_message() -> None:
    from jupyterlab_pipelines.server.wire import error_answer

    status, document = error_answer(HTTPError(404, "%s is outside root", "a.ipynb"), 404)

    assert (status, document["message"]) == (404, "a.ipynb is outside root")
