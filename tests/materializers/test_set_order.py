"""Sets iterate after they were handed on as they did before, whatever their history."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyterlab_pipelines.materializers.pickle import MATERIALIZER
from jupyterlab_pipelines.materializers.set_order import recipe

ELEMENTS = st.one_of(
    st.integers(-5, 40),
    st.integers(),
    st.text(max_size=3),
    st.floats(allow_nan=False),
    st.tuples(st.integers(0, 50), st.integers(0, 50)),
)
MANY = st.lists(ELEMENTS, max_size=80)
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(
            ["update", "difference_update", "intersection_update", "symmetric_difference_update"]
        ),
        MANY,
    ),
    max_size=5,
)


def handed_on(value: Any, folder: Path) -> Any:
    MATERIALIZER.write(value, folder / "value")
    return MATERIALIZER.read(folder / "value")


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(begin=MANY, changes=CHANGES, popped=st.integers(0, 5), late=MANY)
def test_a_set_with_any_history_iterates_in_the_same_order(
    begin: list[Any], changes: list[tuple[str, list[Any]]], popped: int, late: list[Any], tmp_path: Path
) -> None:
    elements = set(begin)
    for change, others in changes:
        getattr(elements, change)(set(others))
    for _ in range(min(popped, len(elements))):
        elements.pop()

    loaded = handed_on(elements, tmp_path)

    assert list(loaded) == list(elements)
    for each in late:
        loaded.add(each)
        elements.add(each)
    assert loaded == elements


@pytest.mark.parametrize("count", [2, 3, 5, 8, 12, 20, 50, 200, 1000, 5000])
def test_so_do_sets_of_numbers_as_they_come(count: int, tmp_path: Path) -> None:
    for seed in range(20):
        elements = {(seed + 1) * 7919 * number**2 % 1_000_003 for number in range(count)}
        loaded = handed_on(elements, tmp_path)
        assert list(loaded) == list(elements)
        assert sys.getsizeof(loaded) == sys.getsizeof(elements)


def test_sets_inside_of_other_things_stay_shared(tmp_path: Path) -> None:
    elements = {8, 0, 16, 24, 3}
    elements.remove(3)
    value = {"one": elements, "again": [elements], "others": [{1, 2}, {number**3 for number in range(99)}]}

    loaded = handed_on(value, tmp_path)

    assert [list(each) for each in (loaded["one"], *loaded["others"])] == [
        list(elements),
        [1, 2],
        list(value["others"][1]),  # type: ignore[index]
    ]
    assert loaded["one"] is loaded["again"][0]


def test_the_order_of_addresses_is_left_to_chance() -> None:
    assert recipe({object() for _ in range(50)}) is None
