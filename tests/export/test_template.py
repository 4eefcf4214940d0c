"""What runs in every exported package: values come back as they were, and runs are told truly."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyterlab_pipelines import materializers
from jupyterlab_pipelines.export.template import io, running

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@given(JSON)
def test_plain_values_come_back_exactly(value: Any) -> None:
    form, content = io.dump(value)

    assert materializers.digest_of(io.parse(form, content)) == materializers.digest_of(value)


FRAMES = {
    "numbers": pd.DataFrame({"a": [1, 2], "b": [0.5, float("nan")]}),
    "text": pd.DataFrame({"a": ["x", "y"]}),
    "categories": pd.DataFrame({"a": pd.Categorical(["b", "a"], categories=["b", "a"], ordered=True)}),
    "times": pd.DataFrame({"a": pd.to_datetime(["2024-01-01", "2024-01-02"], utc=True)}),
    "index": pd.DataFrame({"a": [1, 2]}, index=pd.date_range("2024-01-01", periods=2)),
    "named index": pd.DataFrame({"a": [1, 2]}, index=pd.Index([5, 6], name="i")),
    "two levels": pd.DataFrame({"a": [1, 2]}, index=pd.MultiIndex.from_tuples([(1, "x"), (2, "y")])),
    "objects": pd.DataFrame({"a": [1, "x", None]}, dtype=object),
    "numbers as labels": pd.DataFrame({0: [1], 1: [2]}),
    "same labels": pd.DataFrame([[1, 2]], columns=["a", "a"]),
    "attributes": pd.DataFrame({"a": [1]}),
    "empty": pd.DataFrame(),
    "nullable": pd.DataFrame({"a": pd.array([1, None], dtype="Int64")}),
}
FRAMES["attributes"].attrs["unit"] = "m"


@pytest.mark.parametrize("name", FRAMES)
def test_frames_come_back_exactly(name: str) -> None:
    frame = FRAMES[name]

    form, content = io.dump(frame)

    assert materializers.digest_of(io.parse(form, content)) == materializers.digest_of(frame)


def test_what_options_say_of_texts_changes_no_table_that_is_read() -> None:
    with pd.option_context("mode.string_storage", "python"):
        frame = pd.DataFrame({"text": pd.array(["a", None], dtype="string"), "n": [1, 2]})
        form, content = io.dump(frame)
        inside = io.parse(form, content)

    outside = io.parse(form, content)

    pd.testing.assert_frame_equal(outside, frame)
    pd.testing.assert_frame_equal(inside, frame)


def test_the_most_open_format_is_chosen() -> None:
    values = {"json": {"a": [1, None]}, "npy": np.arange(3), "parquet": FRAMES["numbers"], "pickle": {1, 2}}

    assert {form: io.dump(value)[0] for form, value in values.items()} == {form: form for form in values}


def test_a_file_that_somebody_changed_is_not_handed_on(tmp_path: Path) -> None:
    folder = io.Folder(tmp_path)
    record = io.save(folder, "step/x", [1])
    (tmp_path / record["file"]).write_text("[2]")

    with pytest.raises(ValueError, match="not the file that its step wrote"):
        io.load(folder, record)


def test_any_fsspec_url_holds_a_run() -> None:
    fsspec = pytest.importorskip("fsspec")
    folder = io.Folder("memory://somewhere/run")

    record = io.save(folder, "step/x", np.arange(3))

    assert io.load(folder, record).tolist() == [0, 1, 2]
    assert fsspec.filesystem("memory").exists("/somewhere/run/step/x.npy")
    assert folder.read_json("nothing.json") is None


def test_a_run_leaves_artifacts_manifests_and_how_it_ended(tmp_path: Path) -> None:
    ended = example("run", "--artifacts", str(tmp_path), "--param", "n=4", "--json")

    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["steps"] == {"load": "succeeded", "add": "succeeded"}
    assert running.output("add/total", artifacts=str(tmp_path)) == 6
    assert json.loads((tmp_path / "_run.json").read_text())["parameters"] == {"n": 4}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["run", "--param", "m=4"], "no parameter 'm'. The parameters are: n"),
        (["run", "--param", "n=x"], "must be int"),
        (["run", "--step", "nothing"], "no step 'nothing'. The steps are: load, add"),
        (["run-step"], "STEP"),
    ],
)
def test_wrong_use_ends_with_status_2(words: list[str], told: str, tmp_path: Path) -> None:
    ended = example(*words, *(["--artifacts", str(tmp_path)] if len(words) > 1 else []))

    assert ended.returncode == 2
    assert told in ended.stderr
    assert os.listdir(tmp_path) == []


def test_a_place_that_processes_do_not_share_is_told() -> None:
    ended = example("run", "--artifacts", "memory://run")

    assert ended.returncode == 1
    assert "left nothing in memory://run: is it a place that all processes share?" in ended.stderr


def test_a_url_of_files_is_a_folder(tmp_path: Path) -> None:
    assert example("run", "--artifacts", f"file://{tmp_path}/a").returncode == 0
    assert json.loads((tmp_path / "a" / "add" / "total.json").read_text()) == 3


def test_a_step_that_is_aborted_after_its_end_has_ended_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import atexit, os, sys\nif 'run-step' in sys.orig_argv:\n    atexit.register(os.abort)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    artifacts = str(tmp_path / "artifacts")

    document = running.run_step_apart("load", artifacts=artifacts, parameters={"n": 3})
    assert document["status"] == "succeeded"

    with pytest.raises(running.StepFailedError, match="exit status"):
        running.run_step_apart("add", artifacts=str(tmp_path / "others"))


def test_a_step_alone_needs_what_is_before_it(tmp_path: Path) -> None:
    ended = example("run-step", "add", "--artifacts", str(tmp_path))

    assert ended.returncode == 1
    assert "Step load has not ended well yet" in ended.stderr
    assert json.loads((tmp_path / "add" / "_step.json").read_text())["status"] == "failed"


def example(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "jupyterlab_pipelines.export.template", *words],
        capture_output=True,
        text=True,
        check=False,
    )
