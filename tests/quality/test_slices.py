"""Slices: a metric for each value of a column, the worst first."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.proportion import proportion_confint

from jupyterlab_pipelines.quality.slices import metric_values, slices


def test_the_worst_slice_stands_first() -> None:
    rng = np.random.default_rng(0)
    country = pd.Series(rng.choice(["de", "fr", "it"], 3_000), name="country")
    right = pd.Series(rng.random(3_000) < country.map({"de": 0.9, "fr": 0.9, "it": 0.6}))
    found = slices(right, country, higher_is_better=True)

    assert found[0].value == "it"
    assert found[0].p_value < 1e-10 < found[0].rows
    of_it = right[country == "it"]
    assert (found[0].low, found[0].high) == pytest.approx(
        proportion_confint(of_it.sum(), len(of_it), method="wilson"), rel=1e-6
    )
    assert found[0].metric == pytest.approx(of_it.mean())
    assert found[0].difference == pytest.approx(of_it.mean() - right[country != "it"].mean())


def test_errors_by_size() -> None:
    rng = np.random.default_rng(0)
    size = pd.Series(rng.uniform(0, 100, 2_000), name="size")
    truth = pd.Series(rng.normal(size=2_000))
    error = metric_values(truth, truth + size / 50, "mean_absolute_error")
    found = slices(error, size, higher_is_better=False)

    assert len(found) == 5
    assert found[0].metric == max(one.metric for one in found)
    assert sum(one.rows for one in found) == 2_000


def test_slices_that_do_not_differ_are_not_significant() -> None:
    rng = np.random.default_rng(0)
    found = slices(
        pd.Series(rng.normal(size=500)), pd.Series(rng.integers(0, 4, 500), name="k"), higher_is_better=False
    )

    assert all(one.p_value > 0.01 and one.low < 0.3 and one.high > -0.3 for one in found)


def test_small_slices_and_missing_values_are_left_out() -> None:
    found = slices(
        pd.Series([1.0, 2.0, None] + [3.0] * 20),
        pd.Series(["a", "a", "b"] + ["c"] * 19 + [None]),
        higher_is_better=True,
    )

    assert [(one.value, one.rows) for one in found] == [("c", 19)]


def test_an_unknown_metric() -> None:
    with pytest.raises(ValueError, match="'auc' is none of"):
        metric_values(pd.Series([1]), pd.Series([1]), "auc")
