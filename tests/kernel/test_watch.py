"""What a step is seen to do to its inputs, and how little looking costs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from jupyterlab_pipelines import materializers
from jupyterlab_pipelines.kernel.runtime.inputs import load_references, take_snapshots
from jupyterlab_pipelines.kernel.runtime.watch import Watch
from jupyterlab_pipelines.materializers import numpy as numpy_materializer
from jupyterlab_pipelines.store.artifacts import ArtifactStore

is_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux")

NOTHING: dict[str, Any] = {
    "inputs": {},
    "absent": [],
    "rebound": [],
    "hidden": {},
    "wanted": [],
    "leaves": [],
    "setup_values": [],
    "definitions": [],
    "sources": [],
    "held": [],
    "imports": [],
    "seeds": False,
    "is_seeded": False,
    "metrics": [],
    "evaluator": False,
}


def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {"x": np.arange(5000.0), "s": [str(at) for at in range(5000)], "b": [True, False] * 2500}
    )


@contextmanager
def a_step(store: Path, **inputs: Any) -> Iterator[tuple[dict[str, Any], Callable[..., dict[str, Any]]]]:
    """The namespace of a step that has loaded `inputs`, and what ends the step."""
    artifacts = ArtifactStore(store / "artifacts")
    digests, references = {}, {}
    for name, value in inputs.items():
        materializer = materializers.materializer_of(value)
        digests[name] = materializer.digest(value)
        artifacts.add(digests[name], lambda path, m=materializer, v=value: m.write(v, path))
        references[name] = f"{materializer.name}:{digests[name]}"
    namespace = load_references(store, references)
    take_snapshots(namespace, references)
    wanted = [*inputs]
    watch = Watch({**NOTHING, "inputs": digests, "wanted": wanted, "leaves": wanted}, namespace, store)
    yield namespace, watch.finish


def mutated(report: dict[str, Any]) -> list[str]:
    names: list[str] = json.loads(json.dumps(report))["effects"]["mutates"]
    return names


def never(*arguments: Any) -> Any:
    raise AssertionError("data were hashed")


@is_linux
def test_an_input_that_is_passed_through_is_not_digested(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with a_step(tmp_path, df=frame()) as (namespace, finish):
        before = namespace["df"]
        namespace["df"].describe()
        monkeypatch.setattr(materializers.materializer_named("pandas"), "digest", never, raising=False)
        report = finish()

    assert mutated(report) == []
    assert [(output["name"], output["kind"]) for output in report["outputs"]] == [("df", "value")]
    assert namespace["df"] is before


def test_a_value_that_one_step_changed_and_the_next_one_changed_back_was_changed_twice(
    tmp_path: Path,
) -> None:
    with a_step(tmp_path, df=frame()) as (namespace, finish):
        namespace["df"].index.name = "row"
        report = finish()
    assert mutated(report) == ["df"]
    (output,) = report["outputs"]

    # In the same process, where nothing is loaded again.
    spec = {**NOTHING, "inputs": {"df": output["digest"]}, "wanted": ["df"], "leaves": ["df"]}
    following = Watch(spec, namespace, tmp_path)
    namespace["df"].index.name = None
    assert mutated(following.finish()) == ["df"]


def test_a_value_that_was_changed_is_digested_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digested: list[int] = []
    original = numpy_materializer.MATERIALIZER.digest

    def digest(value: object) -> str:
        digested.append(id(value))
        return original(value)

    with a_step(tmp_path, a=np.arange(5000.0)) as (namespace, finish):
        namespace["a"][7] = -1
        monkeypatch.setattr(materializers.materializer_named("numpy"), "digest", digest, raising=False)
        report = finish()

    assert mutated(report) == ["a"]
    assert digested == [id(namespace["a"])]
    stored = load_references(tmp_path, {"a": f"numpy:{report['outputs'][0]['stored']}"})
    assert stored["a"][7] == -1


CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "an item": lambda names: names["df"].iloc.__setitem__((3, 0), -1.0),
    "a column": lambda names: names["df"].__setitem__("x", 1),
    "the rows' name": lambda names: setattr(names["df"].index, "name", "row"),
    "an attribute": lambda names: names["df"].attrs.update(unit="km"),
    "sorted": lambda names: names["df"].sort_values("s", inplace=True),
    "gone": lambda names: names.pop("df"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_an_input_that_was_changed_in_place_is_an_output(
    tmp_path: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    with a_step(tmp_path, df=frame()) as (namespace, finish):
        change(namespace)
        assert mutated(finish()) == ["df"]


def test_an_input_that_was_changed_and_changed_back_is_unchanged(tmp_path: Path) -> None:
    with a_step(tmp_path, df=frame()) as (namespace, finish):
        namespace["df"]["x"] = namespace["df"]["x"].copy()
        assert mutated(finish()) == []


def test_a_value_that_cannot_be_stored_is_told_though_it_was_an_input(tmp_path: Path) -> None:
    with a_step(tmp_path, d={"x": np.arange(9)}) as (namespace, finish):
        namespace["d"]["lock"] = (item for item in ())
        report = finish()

    assert mutated(report) == ["d"]
    assert [(output["name"], output["kind"]) for output in report["outputs"]] == [("d", "uncarriable")]
