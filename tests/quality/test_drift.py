"""Drift: distances from two profiles against those from the values themselves."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import jensenshannon

from jupyterlab_pipelines.quality import drift
from jupyterlab_pipelines.quality.statistics import Column, measure


def column(values: object) -> Column:
    return measure(pd.DataFrame({"x": values})).columns[0]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(50, 3_000), st.floats(-1, 1), st.floats(0.5, 2))
def test_the_distance_of_grids_is_nearly_that_of_the_values(
    seed: int, rows: int, shift: float, scale: float
) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=rows), rng.normal(size=rows // 2 + 30) * scale + shift
    found = drift.compare(column(a), column(b))

    assert found and found.measure == "kolmogorov_smirnov"
    assert found.distance == pytest.approx(stats.ks_2samp(a, b).statistic, abs=0.025)
    assert found.move is not None
    trimmed = np.clip(a, *np.quantile(a, [0.01, 0.99]))
    assert found.move == pytest.approx(stats.wasserstein_distance(a, b) / trimmed.std(), rel=0.25, abs=0.06)


def test_chi_square_is_scipys_where_nothing_is_rare() -> None:
    before, after = [50, 30, 20], [20, 30, 50]
    statistic, freedom = drift.chi_square(before, after)
    expected = stats.chi2_contingency([before, after], correction=False)

    assert (statistic, freedom) == (pytest.approx(expected.statistic), expected.dof)


def test_rare_values_are_pooled() -> None:
    statistic, freedom = drift.chi_square([100, *[1] * 50], [100, *[1] * 50])

    assert (statistic, freedom) == (0.0, 1)


def test_jensen_shannon_and_stability_on_request() -> None:
    a, b = column(["x"] * 60 + ["y"] * 40), column(["x"] * 30 + ["y"] * 70)
    found = drift.measures(a, b)

    assert found["jensen_shannon_divergence"] == pytest.approx(
        jensenshannon([0.6, 0.4], [0.3, 0.7], base=2) ** 2
    )
    assert found["population_stability_index"] == pytest.approx(
        (0.3 - 0.6) * np.log(0.3 / 0.6) + (0.7 - 0.4) * np.log(0.7 / 0.4)
    )


def test_equal_columns_do_not_differ() -> None:
    values = np.random.default_rng(0).normal(size=500)
    found = drift.compare(column(values), column(values))

    assert found and (found.distance, found.effect, found.p_value) == (0.0, 0.0, 1.0)


def test_the_last_digit_does_not_tear_values_apart() -> None:
    rng = np.random.default_rng(0)
    values = rng.choice([0.1, 0.2, 0.7], 1_000)
    found = drift.compare(column(values), column(values * (1 + rng.normal(0, 1e-13, 1_000))))

    assert found and found.distance < 0.02


@pytest.mark.parametrize(
    ("a", "b"),
    [([1.0, 2.0], [1.0, 2.0]), (["a"] * 20, [1] * 20), ([None] * 20, [1.0] * 20), ([[1]] * 20, ["a"] * 20)],
)
def test_what_cannot_be_compared(a: list[object], b: list[object]) -> None:
    assert drift.compare(column(pd.Series(a, dtype=object)), column(pd.Series(b, dtype=object))) is None
