"""What cells log: metrics with their curves, texts and figures."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyterlab_pipelines import logged
from jupyterlab_pipelines.logged import MOST_POINTS, Log, read_log


@pytest.fixture
def log(tmp_path: Path) -> Any:
    log = Log(tmp_path / "step.logged")
    logged.collect(log)
    yield log
    logged.collect(None)


def test_a_watcher_reads_what_the_step_has_said(log: Log, tmp_path: Path) -> None:
    logged.log_metric("loss", 0.5)
    logged.log_metric("loss", np.float32(0.25), step=10)
    logged.log_metric("diverged", float("nan"))
    logged.log_text("note", 3)

    expected = {
        "metrics": {"loss": [[0, 0.5], [10, 0.25]], "diverged": [[0, None]]},
        "last": {"loss": 0.25, "diverged": None},
        "texts": {"note": "3"},
    }
    assert log.to_json() == expected
    assert read_log(tmp_path / "step.logged").to_json() == expected


def test_a_line_that_is_being_written_does_not_count(log: Log, tmp_path: Path) -> None:
    logged.log_metric("a", 1)
    with (tmp_path / "step.logged").open("a") as file:
        file.write('{"kind": "metric", "name": "a", "st')

    assert read_log(tmp_path / "step.logged").metrics == {"a": [[0, 1]]}


@given(st.integers(1, 3 * MOST_POINTS))
def test_long_curves_are_thinned_evenly(count: int) -> None:
    log = Log()
    for number in range(count):
        log.add({"kind": "metric", "name": "a", "step": None, "value": number})

    steps = [step for step, _ in log.metrics["a"]]
    assert len(steps) <= MOST_POINTS
    assert steps[0] == 0
    assert len({after - before for before, after in itertools.pairwise(steps)}) <= 1
    assert log.last["a"] == count - 1


@pytest.mark.parametrize("value", ["much", None, [1, 2]])
def test_what_is_no_number_is_refused(log: Log, value: Any) -> None:
    with pytest.raises(TypeError, match="must be a number"):
        logged.log_metric("a", value)


def test_outside_of_steps_nothing_happens() -> None:
    logged.log_metric("a", 1)
    logged.log_figure("b", object())
