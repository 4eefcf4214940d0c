"""The history: pages of it, what is found in it, runs side by side, and how long that takes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from jupyterlab_pipelines.history import compare, list_runs
from jupyterlab_pipelines.run import Status
from jupyterlab_pipelines.store import Store

NOTEBOOK = "a.ipynb"
Add = Callable[..., str]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / ".pipelines")
    store.create()
    return store


@pytest.fixture
def add(store: Store) -> Add:
    """Adds a run with one step, `evaluate`; its id."""

    def add(
        number: int,
        *,
        rmse: float | None = None,
        status: Status = Status.SUCCEEDED,
        sweep: str = "",
        **values,
    ) -> str:
        run_id = f"2026-{number:05d}"
        options = {"sweep": sweep} if sweep else {}
        store.runs.create(
            run_id, notebook=NOTEBOOK, parameters=values, options=options, snapshot="", output=None
        )
        store.runs.start(run_id, [("evaluate", [0])])
        execution = store.executions.add(
            cache_key=run_id,
            notebook=NOTEBOOK,
            step="evaluate",
            run_id=run_id,
            finished_at="2026-01-01T00:00:00+00:00",
            duration_seconds=1.0,
            parts={"code": [["x = 1"]]},
            trace={},
            executed="",
            log=None,
            outputs=[],
            metrics={} if rmse is None else {"rmse": rmse, "note": "text"},
            previews={},
            effects={},
        )
        store.runs.update_step(run_id, "evaluate", status=status, execution_id=execution.id)
        store.runs.finish(run_id, status, 1.0)
        return run_id

    return add


def listed(store: Store, **wanted) -> list[str]:
    wanted.setdefault("limit", 50)
    return [run["run_id"] for run in list_runs(store, NOTEBOOK, **wanted)["runs"]]


def test_pages_follow_each_other_newest_first(store: Store, add: Add) -> None:
    ids = [add(number) for number in range(7)][::-1]

    seen, before = [], None
    while True:
        page = list_runs(store, NOTEBOOK, limit=3, before=before)
        seen += [run["run_id"] for run in page["runs"]]
        assert page["total"] == 7
        if page["next"] is None:
            break
        before = page["next"]
    assert seen == ids
    nothing = list_runs(store, "other.ipynb", limit=3)
    assert nothing == {"runs": [], "total": 0, "next": None, "sweep_runs": {}}


def test_runs_are_found_by_words_tags_status_and_sweep(store: Store, add: Add) -> None:
    first, second = add(1, alpha=0.5, city="Zürich"), add(2, alpha=0.1, status=Status.FAILED)
    third = add(3, sweep="sweep-1")
    store.runs.annotate(first, tags=["pinned", "Größe"], comment="the Best so far, 100% sure")

    assert listed(store, words="best FAR") == [first]
    assert listed(store, words="alpha=0.1") == [second]
    assert listed(store, words="zürich GRÖSSE") == [first]
    assert listed(store, words="100%") == [first]
    assert listed(store, words="%") == [first]
    assert listed(store, words="failed") == [second]
    assert listed(store, status=["failed", "cancelled"]) == [second]
    assert listed(store, tag="pinned") == [first]
    assert listed(store, tag="pin") == []
    assert listed(store, sweep="sweep-1") == [third]
    assert list_runs(store, NOTEBOOK, limit=1, sweep="sweep-1")["runs"][0]["sweep"] == "sweep-1"


def test_a_metric_makes_a_leaderboard(store: Store, add: Add) -> None:
    middle, worst, none, best = add(1, rmse=2.0), add(2, rmse=3.5), add(3), add(4, rmse=-1)

    assert listed(store, metric="evaluate.rmse", descending=False) == [best, middle, worst]
    assert listed(store, metric="evaluate.rmse", limit=1) == [worst]
    assert none in listed(store)
    assert list_runs(store, NOTEBOOK, limit=1)["runs"][0]["metrics"] == {"evaluate.rmse": -1}


def test_runs_stand_side_by_side_in_the_order_asked_for(store: Store, add: Add) -> None:
    ids = [add(2, rmse=1.0), add(1, rmse=2.0)]

    runs = compare(store, ids, lambda run_id: {"alpha": run_id})["runs"]

    assert [run["run_id"] for run in runs] == ids
    assert [run["values"]["alpha"] for run in runs] == ids
    assert runs[0]["steps"] == runs[1]["steps"]
    assert runs[0]["steps"][0]["name"] == "evaluate"


def test_ten_thousand_runs_are_no_trouble(store: Store) -> None:
    rows = [
        (f"r{number:05d}", NOTEBOOK, json.dumps({"n": number}), f"2026-01-01T{number:06d}")
        for number in range(10_000)
    ]
    with store.database.transaction() as connection:
        connection.executemany(
            "INSERT INTO runs (id, notebook, status, parameters, options, created_at, snapshot)"
            " VALUES (?, ?, 'succeeded', ?, '{}', ?, '')",
            rows,
        )
    start = time.process_time()
    assert listed(store, limit=2) == ["r09999", "r09998"]
    assert listed(store, words="n=4321") == ["r04321"]
    assert listed(store, limit=1, before="r00001") == ["r00000"]
    assert time.process_time() - start < 2.0


def test_a_step_shows_the_run_whose_result_stands_not_the_newest(store: Store, add: Add) -> None:
    first = add(1)
    execution = store.runs.steps(first)[0]["execution_id"]
    add(2)

    found = store.runs.last_with(NOTEBOOK, [execution])
    assert {number: row["run_id"] for number, row in found.items()} == {execution: first}
    assert store.runs.last_with(NOTEBOOK, []) == {}
    assert store.runs.last_with("other.ipynb", [execution]) == {}
