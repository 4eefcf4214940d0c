"""A digest names a value: the same in every process, another for every other value."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from hypothesis.extra import pandas as hpd

from jupyterlab_pipelines.materializers import (
    NotCarriableError,
    digest_of,
    materializer_of,
)
from jupyterlab_pipelines.materializers import numpy as numpy_materializer

from .exact import assert_same

ROOT = Path(__file__).parents[2]

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.binary()
hashables = st.recursive(
    scalars, lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3), max_leaves=5
)
containers = st.recursive(
    scalars | hashables,
    lambda inner: (
        st.lists(inner) | st.dictionaries(hashables, inner) | st.tuples(inner, inner) | st.sets(hashables)
    ),
    max_leaves=12,
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
arrays = hnp.arrays(
    hnp.scalar_dtypes() | hnp.array_dtypes(), hnp.array_shapes(min_dims=0, min_side=0, max_side=4)
)
columns = (
    hpd.column(dtype=np.dtype(kind)) for kind in ("i8", "u2", "f4", "f8", "bool", "M8[ns]", "m8[ns]", "c16")
)
frames = hpd.data_frames(
    [
        *(
            hpd.column(f"c{i}", dtype=np.dtype(kind))
            for i, kind in enumerate(("i8", "u2", "f4", "f8", "bool"))
        ),
        hpd.column("t", dtype=np.dtype("M8[ns]")),
        hpd.column("d", dtype=np.dtype("m8[ns]")),
        hpd.column("s", elements=st.text(st.characters(exclude_categories=["Cs"])) | st.none()),
        hpd.column("o", elements=st.text(st.characters()) | st.integers() | st.none(), dtype=object),
    ],
    index=hpd.indexes(dtype=np.dtype("i8")) | hpd.range_indexes(),
)
patient = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


def assert_carried_exactly(value: Any, path: Path) -> None:
    materializer = materializer_of(value)
    materializer.write(value, path)
    back = materializer.read(path)
    assert_same(back, value)
    assert digest_of(back) == digest_of(value)


@patient
@given(json_values)
def test_json_values_are_carried_exactly(tmp_path: Path, value: Any) -> None:
    assert_carried_exactly(value, tmp_path / "value")


@patient
@given(containers)
def test_containers_are_carried_exactly(tmp_path: Path, value: Any) -> None:
    materializer = materializer_of(value)
    materializer.write(value, tmp_path / "value")
    assert digest_of(materializer.read(tmp_path / "value")) == digest_of(value)


@patient
@given(arrays)
def test_arrays_are_carried_exactly(tmp_path: Path, value: Any) -> None:
    assert_carried_exactly(value, tmp_path / "value")


@patient
@given(frames)
def test_frames_are_carried_exactly(tmp_path: Path, value: Any) -> None:
    assert_carried_exactly(value, tmp_path / "value")


@patient
@given(containers, containers)
def test_values_of_equal_digest_are_equal(one: Any, other: Any) -> None:
    if digest_of(one) == digest_of(other):
        assert repr(one) == repr(other) or one == other


@patient
@given(frames, st.data())
def test_one_other_cell_is_another_digest(frame: pd.DataFrame, data: st.DataObject) -> None:
    if len(frame):
        row = data.draw(st.integers(0, len(frame) - 1))
        other = frame.copy()
        other.iloc[row, other.columns.get_loc("c0")] ^= 1
        assert digest_of(other) != digest_of(frame)
        other.iloc[row, other.columns.get_loc("c0")] ^= 1
        assert digest_of(other) == digest_of(frame)


@patient
@given(st.lists(hashables, unique=True))
def test_sets_have_no_order(elements: list[Any]) -> None:
    forward, backward = set(), set()
    for element, opposite in zip(elements, reversed(elements), strict=True):
        forward.add(element)
        backward.add(opposite)
    assert digest_of(forward) == digest_of(backward)
    assert digest_of(frozenset(forward)) == digest_of(frozenset(backward))


def test_digests_are_the_same_in_every_process() -> None:
    program = (
        "from tests.materializers.samples import FAMILIES\n"
        "from jupyterlab_pipelines.materializers import digest_of\n"
        "for family in FAMILIES.values():\n"
        "    for name, value in family.items(): print(digest_of(value), name)\n"
    )

    def digests(seed: str) -> list[str]:
        environment = {
            **os.environ,
            "PYTHONHASHSEED": seed,
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "ignore",
        }
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, cwd=ROOT, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    assert digests("1") == digests("2")


class Place(NamedTuple):
    x: int
    y: int


def different(*values: Any) -> bool:
    return len({digest_of(value) for value in values}) == len(values)


def test_types_count() -> None:
    assert different(
        1, 1.0, "1", True, np.int64(1), np.int32(1), np.float64(1), np.array(1), b"1", (1,), [1], {1}
    )
    assert different(0.0, -0.0)
    assert different([], (), {}, set(), frozenset(), None, "")


def test_order_of_memory_and_of_keys_counts() -> None:
    square = np.arange(4).reshape(2, 2)
    assert different(square, np.asfortranarray(square))
    assert different({"a": 1, "b": 2}, {"b": 2, "a": 1})


def test_sharing_of_mutable_objects_counts_and_of_others_does_not() -> None:
    one: list[int] = [1]
    assert different([one, one], [one, [1]])
    text = "".join(["a", "b"])
    assert digest_of([text, text]) == digest_of([text, "".join(["a", "b"])])
    assert digest_of((text, 2.5, 2.5)) == digest_of(("ab", float("2.5"), float("2.5")))
    place = Place(1, 2)
    assert digest_of([place, place]) == digest_of([place, Place(1, 2)]) != digest_of([(1, 2), (1, 2)])
    stamp = pd.Timestamp(0)
    assert digest_of([stamp, stamp]) == digest_of([stamp, pd.Timestamp(0)])
    array = np.arange(9)
    assert different({"a": array, "b": array[2:4]}, {"a": array, "b": array[2:4].copy()})
    assert different({"a": array, "b": array[2:3]}, {"a": array, "b": np.array([2])})


def test_layout_of_a_frame_does_not_count() -> None:
    block = np.random.default_rng(0).random((10_000, 3))
    one = pd.DataFrame(block, columns=list("abc"))
    other = pd.DataFrame({name: block[:, at].copy() for at, name in enumerate("abc")})
    assert digest_of(one) == digest_of(other) == digest_of(pd.concat([one[:7], one[7:]]))


def test_every_trait_of_a_frame_counts() -> None:
    base = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    assert different(
        base,
        base.rename(columns={"a": "A"}),
        base[["b", "a"]],
        base.astype({"a": "int32"}),
        base.astype({"a": "Int64"}),
        base.astype({"b": object}),
        base.astype({"b": "string"}),
        base.astype({"b": "category"}),
        base.set_axis([1, 2]),
        base.set_axis(pd.Index([0, 1])),
        base.rename_axis("i"),
        base.rename_axis("c", axis=1),
        base.set_flags(allows_duplicate_labels=False),
        base.pipe(lambda df: (df := df.copy(), df.attrs.update(k=1), df)[2]),
        base["a"],
        base["a"].rename(None),
        base.index,
        base.to_dict(),
    )


def test_bytes_under_missing_values_do_not_count() -> None:
    mask = np.array([False, True])
    one, other = (pd.Series(pd.arrays.IntegerArray(np.array([1, n]), mask.copy())) for n in (5, 6))
    assert digest_of(one) == digest_of(other)
    bits = pa.py_buffer(b"\x01")
    one, other = (
        pa.Array.from_buffers(pa.int64(), 2, [bits, pa.py_buffer(np.array([1, n]))]) for n in (5, 6)
    )
    assert digest_of(one) == digest_of(other)
    offsets = pa.py_buffer(np.array([0, 1, 3], np.int32))
    one = pa.Array.from_buffers(pa.string(), 2, [bits, offsets, pa.py_buffer(b"abc")])
    assert digest_of(one) == digest_of(pa.array(["a", None]))


def test_padding_of_structures_does_not_count() -> None:
    layout = np.dtype([("a", "i1"), ("b", "f8")], align=True)
    one, other = (np.full(3 * layout.itemsize, fill, np.uint8).view(layout) for fill in (0, 255))
    other["a"], other["b"] = one["a"], one["b"]
    assert digest_of(one) == digest_of(other)


@pytest.mark.parametrize(
    "values",
    [
        ["a", None, "bc", ""],
        [1, None, 3, 4],
        [True, None, False, True],
        [[1], None, [], [2, 3]],
        [{"a": 1}, None, {"a": 2}, {"a": None}],
        [1.5, None, float("nan"), 0.0],
    ],
    ids=["strings", "ints", "booleans", "lists", "structs", "floats"],
)
def test_chunks_do_not_count(values: list[Any]) -> None:
    whole = pa.chunked_array([values])
    parts = pa.chunked_array([values[:1], [], values[1:3], values[3:]], whole.type)
    slices = pa.chunked_array([pa.array([*values, *values], whole.type)[4:]])
    assert digest_of(whole) == digest_of(parts) == digest_of(slices)
    table = pa.table({"x": whole})
    assert digest_of(table) == digest_of(pa.table({"x": parts}))
    assert digest_of(pl.Series(values)) == digest_of(
        pl.concat([pl.Series(values[:2]), pl.Series(values[2:], dtype=pl.Series(values).dtype)])
    )
    changed = pa.chunked_array([[values[0], None, values[3], values[2]]], whole.type)
    assert different(whole, changed)


def function_from(source: str) -> Any:
    namespace: dict[str, Any] = {"__name__": "__main__", "factor": 2}
    exec(compile(source, f"<cell {len(source)}>", "exec"), namespace)
    return namespace["f"]


def test_functions_count_by_what_they_do_not_where_they_stand() -> None:
    one = function_from("def f(x, k=1):\n    return x * factor + k")
    moved = function_from("\n\n# a comment\ndef f(x, k=1):\n\n    return x * factor + k")
    assert digest_of(one) == digest_of(moved)
    assert different(
        one,
        function_from("def f(x, k=2):\n    return x * factor + k"),
        function_from("def f(x, k=1):\n    return x * factor - k"),
        function_from("factor = 3\ndef f(x, k=1):\n    return x * factor + k"),
    )


def test_models_are_carried_and_compare_by_what_they_learned(tmp_path: Path) -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LinearRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rng = np.random.default_rng(0)
    features, target = pd.DataFrame(rng.random((80, 3)), columns=list("abc")), rng.integers(0, 2, 80)
    for make in (
        lambda: make_pipeline(StandardScaler(), LinearRegression()),
        lambda: RandomForestClassifier(5, random_state=0),
        lambda: HistGradientBoostingClassifier(max_iter=5, random_state=0),
    ):
        model = make().fit(features, target)
        path = tmp_path / "model"
        materializer_of(model).write(model, path)
        back: Any = materializer_of(model).read(path)
        np.testing.assert_array_equal(back.predict(features), model.predict(features))
        assert digest_of(back) == digest_of(model) == digest_of(make().fit(features, target))
        assert digest_of(make().fit(features, 1 - target)) != digest_of(model)


def test_figures_do_not_change_by_being_looked_at(tmp_path: Path) -> None:
    figures = pytest.importorskip("matplotlib.figure")

    def plot(height: int) -> Any:
        figure = figures.Figure()
        figure.subplots().plot([1, 2], [3, height], label="x")
        return figure

    figure = plot(4)
    materializer_of(figure).write(figure, tmp_path / "figure")
    back = materializer_of(figure).read(tmp_path / "figure")
    assert digest_of(figure) == digest_of(figure) == digest_of(back)
    assert different(figure, plot(5))


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ((n for n in [1]), "`generator`"),
        ({"model": {"lock": __import__("threading").Lock()}}, r"`\['model'\]\['lock'\]` is a `_thread.lock`"),
        ([sys.stdout], r"`\[0\]`"),
        (memoryview(b"a"), "`memoryview`"),
        ([__import__("socket").socket()], r"`\[0\]` is a `socket.socket`"),
        (__import__("sqlite3").connect(":memory:"), "`sqlite3.Connection`"),
        ([__import__("threading").Thread(target=print)], r"`\[0\]` is a `threading.Thread`"),
    ],
    ids=["generator", "lock", "stream", "memoryview", "socket", "connection", "thread"],
)
def test_what_cannot_be_carried_is_named_with_its_place(value: Any, names: str, tmp_path: Path) -> None:
    with pytest.raises(NotCarriableError, match=names):
        materializer_of(value).write(value, tmp_path / "value")
    with pytest.raises(NotCarriableError, match=names):
        digest_of(value)


def test_an_open_file_is_not_carried_as_its_content(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w+") as file, pytest.raises(NotCarriableError, match="TextIOWrapper"):
        materializer_of(file).write(file, tmp_path / "value")


def test_nesting_without_end_is_told() -> None:
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    with pytest.raises(NotCarriableError, match="nested too deeply"):
        digest_of(nested)
    while nested:
        nested = nested.pop()


def test_large_values_are_quick() -> None:
    frame = pd.DataFrame(np.ones((1_250_000, 10)))
    started = time.perf_counter()
    digest_of(frame)
    digest_of(list(range(1_000_000)))
    assert time.perf_counter() - started < 10  # 0.3 s on an idle machine


def test_columns_that_are_hashed_by_several_threads_have_the_same_digest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(1)
    in_a_block = pd.DataFrame(rng.random((10_000, 20))).rename(columns=str)
    side_by_side = pd.DataFrame({name: in_a_block[name].to_numpy(copy=True) for name in in_a_block})
    one_after_the_other = digest_of(in_a_block)
    monkeypatch.setattr(numpy_materializer, "_THREADS_FROM_BYTES", 0)
    assert digest_of(in_a_block) == digest_of(side_by_side) == one_after_the_other
