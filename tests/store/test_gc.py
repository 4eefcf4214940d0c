"""Space is reclaimed from what was not used for long, and never from what somebody needs."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyterlab_pipelines.project import Project
from jupyterlab_pipelines.store import Store
from jupyterlab_pipelines.store.gc import Reclaimed
from jupyterlab_pipelines.store.gc import gc as collect
from tests.fixtures.notebooks import cell, notebook, write
from tests.store.histories import History, tree

DAY = 86_400.0


def gc(store: Store, **options: Any) -> Reclaimed:
    """When the clock of the file system has gone on: what was written this moment nobody judges."""
    time.sleep(0.03)
    return collect(store, **options)


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(Store(tmp_path))


def test_thirty_days_without_a_word(history: History) -> None:
    history.run("old", {"a": {"x": b"1" * 1000}}, days_ago=40)
    history.run("new", {"a": {"x": b"2"}}, days_ago=3)

    reclaimed = gc(history.store)

    assert (reclaimed.executions, reclaimed.runs, reclaimed.unknown_files) == (1, 1, 0)
    assert history.used["new"] == history.files().keys()


def test_what_was_reused_yesterday_is_not_old(history: History) -> None:
    history.run("first", {"a": {"x": b"1"}, "b": {"y": b"2"}}, days_ago=100)
    history.run("again", {"a": {"x": b"1"}}, days_ago=1)

    gc(history.store, older_than_seconds=7 * DAY)

    assert history.used["again"] <= history.files().keys()
    assert not (history.used["first"] - history.used["again"]) & history.files().keys()


def test_the_least_recently_used_goes_first(history: History) -> None:
    for days in (5, 4, 3, 2, 1):
        history.run(f"day {days}", {"a": {"x": bytes([days]) * 10_000}}, days_ago=days)

    reclaimed = gc(history.store, max_size_bytes=25_000)

    assert reclaimed.is_enough and reclaimed.kept_bytes <= 25_000
    assert [run for run in history.used if history.used[run] <= history.files().keys()] == ["day 2", "day 1"]


def test_a_tag_keeps_a_run_with_all_that_it_reused(history: History) -> None:
    history.run("first", {"a": {"x": b"1" * 5000}, "b": {"y": b"2"}}, days_ago=100)
    history.run("good", {"a": {"x": b"1" * 5000}}, days_ago=90, tags=("paper",))
    history.run("last", {"c": {"z": b"3"}}, days_ago=80)

    reclaimed = gc(history.store, max_size_bytes=0)

    assert history.files().keys() == history.used["good"]
    assert not reclaimed.is_enough and reclaimed.pinned_bytes == reclaimed.kept_bytes > 5000


def test_what_a_run_under_way_may_reuse_stays(history: History) -> None:
    history.run("before", {"a": {"x": b"1"}}, days_ago=100)
    history.run("other", {"a": {"x": b"2"}}, days_ago=100, notebook="b.ipynb")
    time.sleep(0.03)
    lock = history.store.run_lock("now")
    assert lock.acquire()
    history.run("now", {"b": {"y": b"3"}})
    written = history.store.artifacts.add_bytes(b"not told of yet")
    try:
        reclaimed = gc(history.store, max_size_bytes=0)
    finally:
        lock.release()

    assert {written, *history.used["now"]} <= history.files().keys()
    assert {out.stored for out in history.executions["a.ipynb/a/[('x', b'1')]"].outputs.values()} <= (
        history.files().keys()
    )
    assert not history.used["other"] & history.files().keys()
    assert reclaimed.needed_bytes > 0


def test_what_nobody_knows_goes(history: History) -> None:
    history.run("run", {"a": {"x": b"1"}})
    history.store.artifacts.add_bytes(b"left by a process that was killed")

    assert gc(history.store, dry_run=True).unknown_files == 1
    assert gc(history.store).unknown_files == 1
    assert history.files().keys() == history.used["run"]


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[dict[str, object]], float | None, int | None, bool]:
    """Runs, an age in days, a size in bytes, whether the last run is still under way."""
    contents = st.sampled_from([b"a" * 100, b"b" * 1000, b"c" * 5000, b"d" * 20_000])
    values = st.dictionaries(st.sampled_from("xyz"), contents, max_size=2)
    runs = draw(
        st.lists(
            st.fixed_dictionaries(
                {
                    "steps": st.dictionaries(st.sampled_from("abc"), values, min_size=1, max_size=3),
                    "notebook": st.sampled_from(["a.ipynb", "b.ipynb"]),
                    "tags": st.sampled_from([(), (), (), ("good",)]),
                }
            ),
            min_size=1,
            max_size=6,
        )
    )
    age = draw(st.none() | st.sampled_from([0.5, 1.5, 2.5, 4.5]))
    size = draw(st.none() | st.sampled_from([0, 300, 2000, 10_000, 30_000, 10**6]))
    return runs, age, size, draw(st.booleans())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(histories())
def test_random_histories(chosen: tuple[list[dict[str, object]], float | None, int | None, bool]) -> None:
    runs, age, size, is_live = chosen
    with tempfile.TemporaryDirectory() as folder:
        history = History(Store(Path(folder)))
        names = [f"run-{number}" for number in range(len(runs))]
        lock = history.store.run_lock(names[-1])
        assert lock.acquire()
        for number, (name, run) in enumerate(zip(names, runs, strict=True)):
            history.run(name, days_ago=len(runs) - 1 - number, **run)  # type: ignore[arg-type]
        if not is_live:
            lock.release()
        before = history.files()
        kept = set().union(
            *(history.used[name] for name, run in zip(names, runs, strict=True) if run["tags"])
        )
        kept |= history.used[names[-1]] if is_live else set()
        untouched = tree(Path(folder))
        options = {
            "older_than_seconds": None if age is None else age * DAY,
            "max_size_bytes": size,
        }
        said = gc(history.store, dry_run=True, **options)  # type: ignore[arg-type]
        assert tree(Path(folder)) == untouched

        done = gc(history.store, **options)
        after = history.files()
        lock.release()

        assert kept <= after.keys()
        assert done.kept_bytes == sum(after.values())
        assert not is_live or done.needed_bytes > 0
        if not is_live:
            assert (said.kept_bytes, said.files) == (done.kept_bytes, done.files)
        # By file, the newest run that has used it.
        last_use = {
            file: max(number for number, name in enumerate(names) if file in history.used[name])
            for file in before
        }
        days = {file: len(runs) - 1 - number for file, number in last_use.items()}
        gone = before.keys() - after.keys()
        if size is None:
            limit = 30 if age is None else age
            assert all(days[file] > limit for file in gone)
            if not is_live:
                assert all(days[file] < limit or file in kept for file in after)
        elif not is_live:
            assert done.is_enough or after.keys() == kept, "as small as asked, or nothing but what is needed"
            assert done.pinned_bytes == sum(before[file] for file in kept)
            free = [file for file in after if file not in kept]
            assert not gone or all(days[file] <= min(days[g] for g in gone) for file in free)


@pytest.mark.usefixtures("shared_fork_server")
def test_after_any_gc_a_run_gives_the_same(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").touch()
    path = write(
        notebook(
            cell("import random"),
            cell("random.seed(1)\nxs = [random.random() for _ in range(10)]", step="make"),
            cell("total = sum(xs)\nprint(total)", step="add"),
        ),
        tmp_path / "a.ipynb",
    )
    project = Project.open(tmp_path)
    first = project.run(path)
    shown = project.run_notebook(first["run_id"])["cells"][2]["outputs"]

    for older_than in (None, 0.0):
        project.gc(older_than_seconds=older_than, max_size_bytes=0)
        assert project.check()["status"] == "clean"
        document = project.run_document(first["run_id"])
        assert document["steps"][0]["outputs"][0]["gone"] == "was reclaimed by `gc`"
        assert project.step_log(first["run_id"], "add") == "(The log was reclaimed by `gc`.)\n"
        assert project.diff(first["run_id"], first["run_id"])["steps"] == []
        again = project.run(path)
        assert [step["outputs"] for step in again["steps"]] == [
            [out | {"gone": None} for out in step["outputs"]] for step in first["steps"]
        ]
        assert project.run_notebook(again["run_id"])["cells"][2]["outputs"] == shown
        assert {step["reasons"][0]["kind"] for step in again["steps"]} == {"output_missing"}

    project.annotate(again["run_id"], tags=["keep"])
    project.gc(max_size_bytes=0)
    assert {step["status"] for step in project.run(path)["steps"]} == {"reused"}
