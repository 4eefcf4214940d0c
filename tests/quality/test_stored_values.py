"""Whatever the store keeps is measured as what suits it, and no code of a pickle runs."""

from __future__ import annotations

import pickle
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from jupyterlab_pipelines.artifact import Artifact
from jupyterlab_pipelines.errors import UsageError
from jupyterlab_pipelines.materializers import container, materializer_named, materializer_of
from jupyterlab_pipelines.quality.measurable import can_be_measured, is_table
from jupyterlab_pipelines.quality.pickled import StandIn, read_pickled
from jupyterlab_pipelines.quality.statistics import Statistics, measure
from jupyterlab_pipelines.quality.stored import measure_stored


class Point:
    def __init__(self) -> None:
        self.x = 1


def kept(value: Any, tmp_path: Path) -> Statistics:
    """The statistics of `value` as the store keeps it."""
    materializer = materializer_of(value)
    materializer.write(value, tmp_path / "value")
    return measure_stored(materializer.name, tmp_path / "value")


ROWS = 60
PICKLED: dict[str, Any] = {
    "Arrow's dtypes": pd.DataFrame({"n": range(ROWS), "s": ["a", None, "b"] * 20}).convert_dtypes(
        dtype_backend="pyarrow"
    ),
    "an index of several levels": pd.DataFrame(
        {"x": np.arange(4.0)}, index=pd.MultiIndex.from_product([["a", "b"], [1, 2]])
    ),
    "several levels of columns": pd.DataFrame(
        [[1, 2]], columns=pd.MultiIndex.from_tuples([("a", "x"), ("a", "y")])
    ),
    "objects": pd.DataFrame({"mixed": [1, "two", 3.0, None], "lists": [[1], [], [1, 2], None]}),
    "periods and intervals": pd.DataFrame(
        {"p": pd.period_range("2020", periods=3, freq="Q"), "i": pd.interval_range(0, 3)}
    ),
    "sparse": pd.DataFrame({"s": pd.arrays.SparseArray([0, 0, 1, np.nan])}),
    "decimals": pd.Series([pa.scalar(1).as_py(), 2], dtype=pd.ArrowDtype(pa.decimal128(10, 2)), name="d"),
}


@pytest.mark.parametrize("name", PICKLED)
def test_a_pickled_table_is_measured_like_any_other(tmp_path: Path, name: str) -> None:
    table = PICKLED[name]
    assert materializer_of(table).name == "pickle"

    assert kept(table, tmp_path) == measure(table)


def test_a_table_among_objects_that_share_memory(tmp_path: Path) -> None:
    from sklearn.linear_model import LinearRegression

    table = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": ["x", "y", None]})
    group = {"table": table, "column": table["a"], "model": LinearRegression(), "own": Point()}
    materializer_named("pickle").write(group, tmp_path / "group")

    assert measure_stored("group", tmp_path / "group", "table") == measure(table)
    assert measure_stored("group", tmp_path / "group", "column") == measure(table["a"])


def test_an_object_of_the_notebook_is_told_by_its_class(tmp_path: Path) -> None:
    table = pd.DataFrame({"thing": [Point(), Point(), 1]})
    materializer_named("pickle").write(table, tmp_path / "value")

    (column,) = measure_stored("pickle", tmp_path / "value").columns
    assert (column.type, column.python_types) == ("object", {"Point": 2, "int": 1})


class Malicious:
    def __init__(self, function: Any, *arguments: Any) -> None:
        self._call = function, arguments

    def __reduce__(self) -> Any:
        return self._call


def test_no_code_of_a_pickle_runs(tmp_path: Path) -> None:
    target = tmp_path / "run"
    for call in (
        Malicious(subprocess.run, ["touch", str(target)]),
        Malicious(eval, f"open({str(target)!r}, 'w')"),
        Malicious(pd.eval, "1 + 1"),
        Malicious(np.save, str(target), np.arange(3)),
        Malicious(pa.OSFile, str(target), "w"),
    ):
        container.write(tmp_path / "value", memoryview(pickle.dumps([call, 1], protocol=5)), [])
        stand_in, one = read_pickled(tmp_path / "value")
        assert isinstance(stand_in, StandIn) and one == 1

    assert not [path for path in tmp_path.iterdir() if path.name.startswith("run")]


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "CMYK", "I;16", "F"])
def test_a_picture_of_pillow_is_measured_by_its_channels(tmp_path: Path, mode: str) -> None:
    image = pytest.importorskip("PIL.Image")
    rng = np.random.default_rng(2)
    size = {"LA": 2, "RGB": 3, "RGBA": 4, "CMYK": 4}.get(mode)
    points = rng.integers(0, 256, (20, 30, size) if size else (20, 30)).astype(
        {"I;16": "uint16", "F": "float32"}.get(mode, "uint8")
    )
    picture = image.frombytes(mode, (30, 20), points.tobytes())

    measured = kept(picture, tmp_path).columns

    assert [column.numbers for column in measured] == [
        measure(points[:, :, at].reshape(-1) if size else points.reshape(-1)).columns[0].numbers
        for at in range(size or 1)
    ]
    assert all(f"20 × 30 × {size or 1}" in column.dtype for column in measured)


def test_pictures_and_arrays(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (30, 40, 3), dtype=np.uint8)
    colours = kept(picture, tmp_path)
    volume = kept(rng.normal(size=(4, 5, 6)), tmp_path)

    assert [(one.name, one.dtype, one.rows) for one in colours.columns] == [
        (name, "uint8 30 × 40 × 3", 1_200) for name in ("red", "green", "blue")
    ]
    assert colours.by_name["green"].numbers == measure(picture[:, :, 1].reshape(-1)).columns[0].numbers
    assert [(one.name, one.dtype, one.rows) for one in volume.columns] == [
        ("values", "float64 4 × 5 × 6", 120)
    ]


def test_a_model_is_the_numbers_in_it(tmp_path: Path) -> None:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rng = np.random.default_rng(0)
    features, labels = rng.normal(size=(60, 4)), rng.integers(0, 3, 60)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(features, labels)
    forest = RandomForestClassifier(3, random_state=0).fit(features, labels)
    linear, trees = kept(model, tmp_path), kept(forest, tmp_path)

    weights = linear.by_name["steps.1.1.coef_"]
    assert (weights.dtype, weights.rows) == ("float64 3 × 4", 12)
    assert weights.numbers == measure(model[-1].coef_.reshape(-1)).columns[0].numbers
    assert linear.by_name["steps.0.1.mean_"].rows == 4
    nodes = trees.by_name["estimators_.2.tree_.nodes.threshold"]
    assert nodes.rows == forest.estimators_[2].tree_.node_count


@pytest.mark.parametrize(
    ("value", "columns"),
    [
        ({"rmse": 1.5, "rows": 20}, ["rmse float", "rows int"]),
        ([1.0, 2.5], ["values float"]),
        ([{"a": 1, "b": "x"}, {"a": 2}], ["a int", "b string"]),
        ({"a": [1, 2], "b": [True, False]}, ["a int", "b bool"]),
        ("a line\nand another\n", ["lines string"]),
    ],
)
def test_plain_data_that_is_like_a_table(tmp_path: Path, value: Any, columns: list[str]) -> None:
    found = kept(value, tmp_path)

    assert [f"{column.name} {column.type}" for column in found.columns] == columns


@pytest.mark.parametrize("value", [3, "a word", [1, [2]], {"a": 1, "b": "x"}, {}, None])
def test_what_is_like_no_table_has_no_statistics(tmp_path: Path, value: Any) -> None:
    with pytest.raises((UsageError, ValueError)):
        kept(value, tmp_path)


def artifact(materializer: str, kind: str) -> Artifact:
    return Artifact(
        "x", "d", kind, materializer, 1, stored="d", member="x" if materializer == "group" else None
    )


def test_tables_alone_are_watched_from_run_to_run() -> None:
    tables = [
        artifact("pandas", "pandas.DataFrame"),
        artifact("pickle", "pandas.DataFrame"),
        artifact("group", "pandas.Series"),
        artifact("numpy", "numpy.ndarray"),
    ]
    others = [artifact("json", "dict"), artifact("pickle", "sklearn.svm.SVC"), artifact("group", "list")]

    assert [is_table(each) for each in tables + others] == [True] * 4 + [False] * 3
    assert all(can_be_measured(each) for each in tables + others)


def test_polars_and_arrow_keep_their_own_ways(tmp_path: Path) -> None:
    for table in (pl.DataFrame({"a": [1, None]}), pa.table({"a": [1, None]})):
        assert [column.nulls for column in kept(table, tmp_path).columns] == [1]
