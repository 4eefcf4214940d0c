"""The schema file beside a notebook: pinned, edited by hand, changed as little as possible."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from jupyterlab_pipelines.errors import UsageError
from jupyterlab_pipelines.quality.anomalies import find
from jupyterlab_pipelines.quality.notebook_schema import parse_schemas, pin
from jupyterlab_pipelines.quality.statistics import Statistics, measure
from jupyterlab_pipelines.quality.yaml_text import set_in

PATH = Path("shop.schema.yaml")


def orders(seed: int, **changes: object) -> Statistics:
    random = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "order_id": np.arange(500) + 500 * seed,
            "price": random.gamma(2, 10, 500).round(2),
            "channel": random.choice(["web", "app", "store"], 500),
            "created_at": pd.date_range("2024-01-01", periods=500, freq="h") + pd.Timedelta(days=seed),
        }
    )
    return measure(table.assign(**changes))


def pinned(text: str, statistics: Statistics) -> str:
    return pin(text, "clean.df", statistics, "shop.ipynb", PATH)


def test_what_was_pinned_is_kept_by_the_table_itself_and_by_its_likes() -> None:
    schema = parse_schemas(pinned("", orders(0)), PATH)["clean.df"]

    assert [find(orders(seed), schema) for seed in range(5)] == [[]] * 5
    [anomaly] = find(orders(1, channel="wbe"), schema)
    assert (anomaly.feature, anomaly.severity) == ("channel", "error")
    assert {a.feature for a in find(orders(1, price=-999.0, order_id=1), schema)} == {"price", "order_id"}


def test_pinning_again_changes_nothing_that_holds() -> None:
    text = pinned("", orders(0)).replace("channel:", "channel:  # as the shop names them\n     ", 1)
    text = text.replace("max: ", "max:  ", 1)

    assert pinned(text, orders(0)) == text
    assert pinned(text, orders(3)) == text


def test_only_what_a_table_breaks_is_changed_and_comments_stay() -> None:
    text = """\
# Ours.
clean.df:
  columns:
    order_id: {type: int, unique: true}  # from the shop
    price:
      type: float  # euros
      max: 10
      min: 0
    channel: {type: string, values: [web, app, store]}  # all there are
    created_at: {type: time}
  checks: [price >= 0]  # always
"""

    changed = pinned(text, orders(1, channel=["fax"] * 500))

    assert changed.replace("max: 60", "max: 10").count("\n") == text.count("\n")
    assert "# Ours." in changed and "# from the shop" in changed and "# euros" in changed
    assert "values: [web, app, store, fax]}  # all there are" in changed
    assert "checks: [price >= 0]  # always" in changed
    schema = parse_schemas(changed, PATH)["clean.df"]
    assert find(orders(1, channel=["fax"] * 500), schema) == []


def test_a_new_column_and_one_that_is_gone() -> None:
    text = pinned("", orders(0))
    random = np.random.default_rng(0)
    wider = orders(0, weight=random.normal(0, 1, 500))

    assert "weight: {type: float" in pinned(text, wider)
    narrow = Statistics(wider.rows, tuple(c for c in wider.columns if c.name != "price"))
    both = pinned(pinned(text, wider), narrow)
    assert find(narrow, parse_schemas(both, PATH)["clean.df"]) == []


@pytest.mark.parametrize("text", ["[1]", "a: [", "clean: {}", "clean.df: 3", "clean.df: {colums: {}}"])
def test_a_file_that_is_none_is_refused_by_its_name(text: str) -> None:
    with pytest.raises(UsageError, match=r"shop\.schema\.yaml") as refused:
        parse_schemas(text, PATH)
    assert refused.value.code == "invalid_schema"


# -- one value changed in a text ----------------------------------------------------------------------

KEYS = st.text("abcdé :#'-", min_size=1, max_size=5)
LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.lists(st.integers(), max_size=3)
TREES = st.dictionaries(KEYS, LEAVES | st.dictionaries(KEYS, LEAVES, max_size=3), min_size=1, max_size=4)


@given(
    TREES, KEYS, KEYS, LEAVES.filter(lambda value: value is not None), st.sampled_from([True, False, None])
)
def test_a_text_says_what_was_set_and_everything_it_said(
    tree: dict, first: str, second: str, value: object, style: bool | None
) -> None:
    text = yaml.safe_dump(
        tree, default_flow_style=style, allow_unicode=True, sort_keys=False, default_style='"'
    )
    expected = {key: dict(inner) if isinstance(inner, dict) else inner for key, inner in tree.items()}
    inner = expected.get(first)
    expected[first] = {**(inner if isinstance(inner, dict) else {}), second: value}

    changed = set_in(text, (first, second), value)

    assert yaml.safe_load(changed) == expected
    del expected[first][second]
    assert (yaml.safe_load(set_in(changed, (first, second), None))[first] or {}) == expected[first]
