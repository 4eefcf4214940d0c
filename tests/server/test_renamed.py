"""Notebooks that are renamed or moved in JupyterLab keep their history."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.notebooks import cell, notebook, write

pytestmark = pytest.mark.timeout(120)
NUMBERS = notebook(cell("x = 1", step="load"))


@pytest.fixture
def move(jp_fetch):
    async def move(before: str, after: str) -> None:
        await jp_fetch(
            "api", "contents", *before.split("/"), method="PATCH", body=json.dumps({"path": after})
        )

    return move


@pytest.fixture
def run(ask):
    async def run(path: str) -> str:
        started = (await ask("POST", "runs", {"path": path}))[1]
        while (await ask("GET", f"runs/{started['run_id']}", path=path))[1]["status"] != "succeeded":
            await asyncio.sleep(0.1)
        return str(started["run_id"])

    return run


async def ids(ask: Any, path: str) -> list[str]:
    return [run["run_id"] for run in (await ask("GET", "runs", path=path))[1]["runs"]]


async def test_a_renamed_notebook_keeps_its_runs(ask, run, move, jp_root_dir: Path) -> None:
    (jp_root_dir / ".pipelines").mkdir()
    write(NUMBERS, jp_root_dir / "before.ipynb")
    run_id = await run("before.ipynb")

    await move("before.ipynb", "after.ipynb")

    assert await ids(ask, "after.ipynb") == [run_id]
    assert await ids(ask, "before.ipynb") == []
    plan = (await ask("POST", "pipelines", {"path": "after.ipynb"}))[1]
    assert [(step["decision"], step["last"]["run_id"]) for step in plan["steps"]] == [("reuse", run_id)]


async def test_a_renamed_folder_takes_the_runs_of_its_notebooks_with_it(
    ask, run, move, jp_root_dir: Path
) -> None:
    (jp_root_dir / ".pipelines").mkdir()
    for folder in ("old", "older"):
        (jp_root_dir / folder).mkdir()
        write(NUMBERS, jp_root_dir / folder / "a.ipynb")
    run_id, other_id = await run("old/a.ipynb"), await run("older/a.ipynb")

    await move("old", "new")

    assert await ids(ask, "new/a.ipynb") == [run_id]
    assert await ids(ask, "older/a.ipynb") == [other_id]


async def test_a_notebook_that_leaves_its_project_leaves_its_runs_there(
    ask, run, move, jp_root_dir: Path
) -> None:
    for folder in ("one", "other"):
        (jp_root_dir / folder / ".pipelines").mkdir(parents=True)
    write(NUMBERS, jp_root_dir / "one" / "a.ipynb")
    await run("one/a.ipynb")

    await move("one/a.ipynb", "other/a.ipynb")

    assert await ids(ask, "other/a.ipynb") == []


async def test_a_schema_file_goes_with_its_notebook_and_takes_the_place_of_no_other(
    move, heard, jp_root_dir: Path
) -> None:
    for name in ("one", "two"):
        write(NUMBERS, jp_root_dir / f"{name}.ipynb")
        (jp_root_dir / f"{name}.schema.yaml").write_text(f"# {name}\n")
    (jp_root_dir / "folder").mkdir()

    def schemas() -> dict[str, str]:
        files = sorted(jp_root_dir.rglob("*.schema.yaml"))
        return {file.relative_to(jp_root_dir).as_posix(): file.read_text() for file in files}

    async def wait_for_news(count: int) -> dict[str, Any]:
        while len(news := [event for event in heard if event["kind"] == "schema_file"]) < count:
            await asyncio.sleep(0.02)
        return news[-1]

    await move("one.ipynb", "folder/uno.ipynb")
    news = await wait_for_news(1)
    assert news == {
        "kind": "schema_file", "path": "folder/uno.ipynb", "before": "one.ipynb", "status": "moved"
    }  # fmt: skip
    assert schemas() == {"folder/uno.schema.yaml": "# one\n", "two.schema.yaml": "# two\n"}

    (jp_root_dir / "three.schema.yaml").write_text("# three\n")
    await move("two.ipynb", "three.ipynb")
    assert (await wait_for_news(2))["status"] == "in_the_way"
    assert schemas()["two.schema.yaml"] == "# two\n"
    assert schemas()["three.schema.yaml"] == "# three\n"
