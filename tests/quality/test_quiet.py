"""What looks like a fault and is none; and faults so small that a blunt test misses them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyterlab_pipelines.quality import drift
from jupyterlab_pipelines.quality.anomalies import find
from jupyterlab_pipelines.quality.measuring.numbers import Ordered, measure_numbers
from jupyterlab_pipelines.quality.statistics import Numbers, measure


def told(current: Any, reference: Any) -> list[tuple[str | None, str]]:
    """Column and kind of every anomaly."""
    return [(one.feature, one.kind) for one in find(measure(current), reference=measure(reference))]


def sample(seed: int, rows: int) -> pd.DataFrame:
    """A table without order of its own."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "customer_id": rng.integers(1, 8_000, rows),
            "age": np.round(rng.normal(45, 14, rows).clip(18, 90)).astype(int),
            "income": np.round(rng.lognormal(10.6, 0.5, rows)),
            "home": rng.choice(["rent", "own", "mortgage"], rows, p=[0.4, 0.2, 0.4]),
            "late": rng.poisson(0.4, rows),
            "score": rng.normal(680, 55, rows),
        }
    )


# -- no faults --------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 10_000), st.sampled_from([(3_000, 400), (400, 3_000), (20, 25), (5, 5), (20_000, 3_000)])
)
def test_tables_of_other_length_are_no_fault(seed: int, rows: tuple[int, int]) -> None:
    found = told(sample(seed + 20_000, rows[1]), sample(seed, rows[0]))

    assert len(found) <= 1  # chance has a say now and then


def test_a_process_whose_neighbours_are_alike_goes_on() -> None:
    with_times, without = 0, 0
    for seed in range(8):
        rng = np.random.default_rng(seed)
        values = [rng.normal()]
        for noise in rng.normal(0, np.sqrt(1 - 0.95**2), 3_999):
            values.append(0.95 * values[-1] + noise)
        hours = pd.DataFrame({"at": pd.date_range("2024-01-01", periods=4_000, freq="h"), "x": values})
        first, second = hours[:2_000], hours[2_000:]
        with_times += len(told(second, first))
        without += len(told(second[["x"]], first[["x"]]))
        assert told(second.assign(x=second["x"] + 4), first)

    # Without their times the rows are taken for independent.
    assert with_times <= 1 and without >= 3


def test_ids_become_more() -> None:
    later = sample(2, 3_300).assign(customer_id=np.random.default_rng(3).integers(1, 9_500, 3_300))

    assert told(later, sample(1, 3_000)) == []
    assert told(
        later.rename(columns={"customer_id": "distance"}),
        sample(1, 3_000).rename(columns={"customer_id": "distance"}),
    )


def test_one_fault_stays_one_where_rows_are_repeated() -> None:
    reference, table = sample(1, 500), sample(2, 500)

    assert told(pd.concat([table] * 40), reference) == [(None, "duplicate_rows")]
    holes = table.assign(income=table["income"].mask(np.arange(500) % 10 == 0))
    assert sorted(told(pd.concat([holes, holes[:150]]), reference), key=str) == [
        ("income", "nulls_increased"),
        (None, "duplicate_rows"),
    ]


def test_a_lost_column_explains_rows_that_are_alike() -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {"key": np.arange(2_000), "a": rng.integers(0, 5, 2_000), "b": rng.integers(0, 5, 2_000)}
    )

    assert told(table[1_000:].drop(columns="key"), table[:1_000]) == [("key", "missing_column")]


# -- small faults -----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_small_faults_in_five_hundred_rows(seed: int) -> None:
    reference, table = sample(seed, 500), sample(seed + 100, 500)
    few = np.arange(500) % 50 == 0

    assert ("home", "unexpected_values") in told(
        table.assign(home=table["home"].mask(few, "boat")), reference
    )
    narrow = 680 + (table["score"] - 680) * 0.65
    assert ("score", "distribution_drift") in told(table.assign(score=narrow), reference)
    two = np.isin(np.arange(500), (100, 300))
    assert ("income", "sentinel_values") in told(
        table.assign(income=table["income"].mask(two, -999)), reference
    )
    assert ("late", "sentinel_values") in told(table.assign(late=table["late"].mask(few, -1)), reference)


def test_drift_is_told_beside_few_rows() -> None:
    few = sample(2, 90)
    found = told(few.assign(home=few["home"].str.upper()), sample(1, 2_000))

    assert found == [(None, "row_count_dropped"), ("home", "case_changed")]


@pytest.mark.parametrize(
    ("name", "change", "kind"),
    [
        ("dollars in cents", lambda v: (v * 100).astype(int), "unit_changed"),
        ("rounded after the change", lambda v: (v * 1.609344).round(1), "unit_changed"),
        ("rounded alone", lambda v: v.round(), "precision_lost"),
    ],
)
def test_another_unit_is_no_lost_precision(name: str, change: Any, kind: str) -> None:
    rng = np.random.default_rng(0)
    first, second = (pd.DataFrame({"way": np.round(rng.gamma(2, 4, 3_000) * 2) / 2 + 0.5}) for _ in range(2))

    assert told(second.assign(way=change(second["way"])), first) == [("way", kind)]


def test_codes_for_words_are_not_cut_off() -> None:
    rng = np.random.default_rng(0)
    first, second = (
        pd.Series(rng.choice(["Sales", "Marketing", "Finance"], 900), name="d") for _ in range(2)
    )
    codes = {"Sales": "D1", "Marketing": "D2", "Finance": "D3"}

    assert told(second.map(codes), first) == [("d", "unexpected_values")]
    assert told(second.str[:5], first) == [("d", "truncated_text")]


def test_what_is_a_decimal_comma_is_told_by_the_others() -> None:
    first = pd.Series(np.random.default_rng(0).normal(40, 9, 300).round(3), name="x")
    commas = first.round(2).map("{:g}".format).str.replace(".", ",")
    commas[::3] = first[::3].map("{:.3f}".format).str.replace(".", ",")

    assert told(commas, first) == [("x", "decimal_comma")]
    assert told((first * 1e5).map("{:,.2f}".format), first * 1e5) == [("x", "numbers_as_text")]


# -- the tests of ranks -----------------------------------------------------------------------------


def numbers(values: Any) -> Numbers:
    found = measure_numbers(Ordered(np.sort(values)))
    assert found is not None
    return found


@pytest.mark.parametrize("kind", ["normal", "heavy", "counts", "zeros"])
def test_rank_tests_are_seldom_wrong(kind: str) -> None:
    rng = np.random.default_rng(1)
    draw = {
        "normal": lambda n: rng.normal(size=n),
        "heavy": lambda n: rng.pareto(1.1, n),
        "counts": lambda n: rng.poisson(2, n).astype(float),
        "zeros": lambda n: np.where(rng.random(n) < 0.9, 0.0, rng.gamma(2, 3, n)),
    }[kind]
    p_values = np.array([drift.rank_tests(numbers(draw(300)), numbers(draw(200))) for _ in range(400)])

    # One in a hundred is expected: four of four hundred, and hardly ever fourteen.
    assert ((p_values < 0.01).sum(axis=0) < 14).all()


def test_rank_tests_are_those_of_scipy() -> None:
    from scipy import stats

    rng = np.random.default_rng(2)
    first, second = rng.normal(size=900), rng.normal(0.1, 0.9, 700)
    place, width = drift.rank_tests(numbers(first), numbers(second))

    assert place == pytest.approx(stats.mannwhitneyu(first, second).pvalue, rel=0.15)
    assert width == pytest.approx(stats.mood(first, second).pvalue, rel=0.35)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(-5, 5), min_size=101, max_size=101),
    st.lists(st.floats(-5, 5), min_size=101, max_size=101),
)
def test_the_distance_is_the_widest_at_any_point(first: list[float], second: list[float]) -> None:
    before, after = sorted(first), sorted(second)
    points = sorted({*before, *after})
    widest = max(abs(drift.cumulated(before, point) - drift.cumulated(after, point)) for point in points)

    assert drift.kolmogorov_smirnov(before, after) == pytest.approx(widest, abs=1e-12)
