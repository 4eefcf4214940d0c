"""Canonical hashing and cache keys."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from jupyterlab_pipelines.fingerprint import cache_key, code_fingerprint, fingerprint, key_parts
from jupyterlab_pipelines.pipeline import Definition, Needs, Step

NEEDS = Needs((), (), (), ("n",), (), (), (), ())
STEP = Step("load", "Load", (1,), (("x = 1",),))
KNOWN: dict[str, Any] = {
    "parameters": {"n": {"value": 1}},
    "inputs": {"x": "aa"},
    "environment": {"python": "3.12"},
}


def key(step: Step = STEP, needs: Needs = NEEDS, **known: Any) -> str:
    return cache_key(key_parts(step, needs, **(KNOWN | known)))


def test_values_that_python_calls_equal_differ() -> None:
    values: list[Any] = [1, 1.0, True, "1", [1], None, "null", {}, []]

    assert len({fingerprint("thing", value) for value in values}) == len(values)


def test_a_hash_begins_with_what_it_is_a_hash_of() -> None:
    assert fingerprint("one", 1) != fingerprint("other", 1)


def test_the_order_of_keys_does_not_count_the_order_of_lists_does() -> None:
    assert fingerprint("thing", {"a": 1, "b": 2}) == fingerprint("thing", {"b": 2, "a": 1})
    assert fingerprint("thing", [1, 2]) != fingerprint("thing", [2, 1])


def test_cells_are_told_apart_in_code() -> None:
    assert code_fingerprint((("a", "b"),)) != code_fingerprint((("a",), ("b",)))


def test_the_names_of_steps_and_cells_are_no_part_of_a_key() -> None:
    assert key(replace(STEP, name="renamed", title="Other", cells=(7,))) == key()


@pytest.mark.parametrize(
    "other",
    [
        key(replace(STEP, code=(("x = 2",),))),
        key(needs=replace(NEEDS, setup=("import os",))),
        key(
            needs=replace(
                NEEDS, definitions=(Definition(frozenset({"f"}), "def f(): 1", "def f(): 1", (0, 0)),)
            )
        ),
        key(parameters={"n": {"value": 2}}),
        key(parameters={"n": {"value": 1.0}}),
        key(parameters={"n": {"value": True}}),
        key(parameters={"n": {"source": "1"}}),
        key(parameters={}),
        key(inputs={"x": "bb"}),
        key(inputs={"y": "aa"}),
        key(environment={"python": "3.13"}),
    ],
)
def test_everything_that_a_step_reads_is_part_of_its_key(other: str) -> None:
    assert other != key()
