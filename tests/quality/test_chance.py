"""Probabilities against scipy's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from jupyterlab_pipelines.quality import chance


@given(st.data())
def test_hypergeometric_tail(data: st.DataObject) -> None:
    drawn, other = data.draw(st.integers(1, 400)), data.draw(st.integers(1, 400))
    hits, other_hits = data.draw(st.integers(0, drawn)), data.draw(st.integers(0, other))
    expected = stats.hypergeom.sf(hits - 1, drawn + other, hits + other_hits, drawn)
    found = chance.hypergeometric_tail(hits, drawn, other_hits, other)

    if hits > (hits + other_hits) * drawn / (drawn + other):
        assert found == pytest.approx(expected, rel=1e-6, abs=1e-250)
    else:
        assert found >= 0.5


@given(st.integers(1, 500), st.integers(1, 500), st.floats(0.001, 0.999))
def test_binomial_tail(hits: int, drawn: int, share: float) -> None:
    if drawn * share < hits <= drawn:
        assert chance.binomial_tail(hits, drawn, share) == pytest.approx(
            stats.binom.sf(hits - 1, drawn, share), rel=1e-6, abs=1e-250
        )


@given(st.integers(1, 60), st.floats(0.001, 80))
def test_poisson_tail(hits: int, expected: float) -> None:
    assert chance.poisson_tail(hits, expected) == pytest.approx(
        stats.poisson.sf(hits - 1, expected), rel=1e-6, abs=1e-12
    )


@given(st.floats(0.01, 400), st.integers(1, 200))
def test_chi_square_tail(statistic: float, freedom: int) -> None:
    assert chance.chi_square_tail(statistic, freedom) == pytest.approx(
        stats.chi2.sf(statistic, freedom), rel=1e-6, abs=1e-12
    )


@given(st.floats(0.02, 0.9), st.integers(20, 5_000), st.integers(20, 5_000))
def test_kolmogorov_tail(distance: float, first: int, second: int) -> None:
    root = np.sqrt(first * second / (first + second))
    expected = stats.kstwobign.sf((root + 0.12 + 0.11 / root) * distance)

    assert chance.kolmogorov_tail(distance, first, second) == pytest.approx(expected, rel=1e-5, abs=1e-9)


def test_normal_tail() -> None:
    assert chance.normal_tail(3.1) == pytest.approx(stats.norm.sf(3.1))


def test_tail_exponents_of_known_tails() -> None:
    rng = np.random.default_rng(0)
    values = np.sort(rng.pareto(2.0, 100_000) + 1)[::-1]

    assert chance.tail_exponent(values[:1_000].tolist(), values[1_000]) == pytest.approx(0.5, abs=0.05)
    assert chance.tail_exponent([1.0, 1.0], 1.0) == 0.0
