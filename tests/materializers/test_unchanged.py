"""A snapshot proves that a value is unchanged: often where it is, and never where it is not."""

from __future__ import annotations

import ctypes
import gc
import io
import mmap
import pickle
import random
import sys
import warnings
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyterlab_pipelines import materializers
from jupyterlab_pipelines.materializers import container, mapped, unchanged
from jupyterlab_pipelines.materializers import numpy as numpy_materializer
from jupyterlab_pipelines.materializers.memory import Region
from tests.materializers.samples import FAMILIES

ROWS = 5000
"""So that a column takes several pages."""

is_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux")


@pytest.fixture(autouse=True)
def small_values_are_mapped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "MAPPED_FROM_BYTES", 0)
    monkeypatch.setattr(numpy_materializer, "MAPPED_FROM_BYTES", 0)
    monkeypatch.setattr(mapped, "SETTLED_FROM_BYTES", 1)


def numbers(columns: int = 3) -> pd.DataFrame:
    data = np.random.default_rng(1).random((ROWS, columns))
    return pd.DataFrame(data, columns=[f"c{at}" for at in range(columns)])


def mixed() -> pd.DataFrame:
    rng = np.random.default_rng(2)
    whole = rng.integers(0, 9, ROWS)
    frame = pd.DataFrame(
        {
            "f": rng.random(ROWS),
            "i": whole,
            "b": whole < 5,
            "s": pd.Series(whole.astype(str)).astype("str"),
            "o": pd.Series(whole.astype(str)).astype(object),
            "t": pd.to_datetime(whole, unit="D"),
            "z": pd.to_datetime(whole, unit="D", utc=True),
            "c": pd.Categorical.from_codes(whole % 3, ["a", "b", "c"]),
            "n": pd.arrays.FloatingArray(rng.random(ROWS), whole < 2),
            "nb": pd.arrays.BooleanArray(whole < 5, whole < 2),
        }
    )
    frame.attrs["unit"] = {"f": "km"}
    return frame


VALUES: dict[str, Callable[[], Any]] = {
    "numbers": numbers,
    "mixed": mixed,
    "dates as rows": lambda: numbers().set_index(pd.date_range("2020", periods=ROWS, freq="h", name="t")),
    "two levels of rows": lambda: numbers().set_index(
        pd.MultiIndex.from_arrays([np.arange(ROWS) // 100, np.arange(ROWS) % 100])
    ),
    "arrow dtypes": lambda: numbers().astype(pd.ArrowDtype(pa.float64())),
    "periods and intervals": lambda: pd.DataFrame(
        {"p": pd.period_range("2020", periods=ROWS, freq="h"), "i": pd.interval_range(0, ROWS)}
    ),
    "lists": lambda: pd.DataFrame({"l": [[at, at + 1] for at in range(ROWS)], "f": np.arange(ROWS) * 1.0}),
    "series": lambda: numbers()["c1"],
    "array": lambda: numbers().to_numpy(copy=True),
    "dict": lambda: {"x": np.arange(ROWS), "df": numbers(), "meta": {"k": [1, 2]}},
    "polars": lambda: pl.DataFrame({"a": np.arange(ROWS) * 1.0, "s": [str(at) for at in range(ROWS)]}),
    "table": lambda: pa.table({"a": np.arange(ROWS), "s": [str(at) for at in range(ROWS)]}),
}


def loaded(value: Any, folder: Path) -> Any:
    path = folder / "value"
    path.unlink(missing_ok=True)  # another mapping may still show what was there
    materializer = materializers.materializer_of(value)
    materializer.write(value, path)
    return materializer.read(path)


# -- changes ---------------------------------------------------------------------------------


def writeable(array: Any) -> Any:
    """The array, for somebody who writes to it though it is not meant for that."""
    array = np.asarray(array)
    if not array.flags.writeable:
        array.flags.writeable = True
    return array


def arrays_in(value: Any) -> list[Any]:
    """Every NumPy array in the blocks of frames, and within pandas' own arrays."""
    if isinstance(value, np.ndarray):
        return [value]
    if isinstance(value, dict):
        return [array for part in value.values() for array in arrays_in(part)]
    if not isinstance(value, pd.DataFrame | pd.Series):
        return []
    found = []
    for block in value._mgr.blocks:
        inner = [block.values, *(getattr(block.values, n, None) for n in ("_ndarray", "_data", "_mask"))]
        found += [array for array in inner if isinstance(array, np.ndarray)]
    index = value.index
    if isinstance(index, pd.MultiIndex):
        found += [np.asarray(codes) for codes in index.codes]
    elif not isinstance(index, pd.RangeIndex):
        found.append(np.asarray(index))
    return [array for array in found if array.size]


def buffers_in(value: Any) -> list[Any]:
    if isinstance(value, pd.DataFrame):
        arrays = [value[name].array for name in value.columns]
        return [
            b for a in arrays if hasattr(a, "_pa_array") for c in a._pa_array.chunks for b in c.buffers() if b
        ]
    return []


def set_item(array: Any, at: int) -> None:
    flat = array.reshape(-1)
    flat[at % flat.size] = flat[(at * 7 + 1) % flat.size]


def overwrite_bytes(address: int, size: int, at: int) -> None:
    """What C code may do: one byte becomes another one."""
    byte = ctypes.c_ubyte.from_address(address + at % size)
    byte.value ^= 0x41


def overwrite_somewhere(value: Any, at: int) -> None:
    places = [(a.__array_interface__["data"][0], a.nbytes) for a in arrays_in(value) if a.dtype != object]
    places += [(buffer.address, buffer.size) for buffer in buffers_in(value)]
    if places:
        overwrite_bytes(*places[at % len(places)], at // len(places))


def in_an_array(change: Callable[[Any, int], object]) -> Callable[[Any, int], None]:
    def apply(value: Any, at: int) -> None:
        arrays = arrays_in(value)
        if arrays:
            change(writeable(arrays[at % len(arrays)]), at // len(arrays))

    return apply


def on_a_frame(change: Callable[[pd.DataFrame, int], object]) -> Callable[[Any, int], None]:
    def apply(value: Any, at: int) -> None:
        frame = value["df"] if isinstance(value, dict) else value
        if isinstance(frame, pd.DataFrame):
            change(frame, at)

    return apply


def column(frame: pd.DataFrame, at: int) -> str:
    name: str = frame.columns[at % frame.shape[1]]
    return name


def through_values(frame: pd.DataFrame, at: int) -> None:
    set_item(writeable(frame[column(frame, at)].to_numpy()), at)


def put(frame: pd.DataFrame, at: int) -> None:
    frame.iloc[at % len(frame), at % frame.shape[1]] = frame.iloc[(at * 3) % len(frame), at % frame.shape[1]]


def rename_rows(frame: pd.DataFrame, at: int) -> None:
    frame.index.name = f"row {at}"


def rename_labels(frame: pd.DataFrame, at: int) -> None:
    frame.columns.name = f"label {at}"


def write_labels(frame: pd.DataFrame, at: int) -> None:
    writeable(frame.columns.values)[at % frame.shape[1]] = f"new {at}"


def attrs(frame: pd.DataFrame, at: int) -> None:
    frame.attrs.setdefault("unit", {})["f"] = at


def flags(frame: pd.DataFrame, at: int) -> None:
    frame.flags.allows_duplicate_labels = False


def from_file(array: Any, at: int) -> None:
    io.BytesIO(bytes(array.nbytes)).readinto(array.reshape(-1).view(np.uint8))


def categories(frame: pd.DataFrame, at: int) -> None:
    if "c" in frame:
        frame["c"].array.codes.base  # noqa: B018 - asked for, as repr does
        frame["c"] = frame["c"].cat.rename_categories({"a": f"a{at}"})


def item_of_item(frame: pd.DataFrame, at: int) -> None:
    if "l" in frame:
        frame["l"].iloc[at % len(frame)].append(at)


def in_polars(value: Any, at: int) -> None:
    if isinstance(value, pl.DataFrame):
        changes: list[Callable[[], object]] = [
            lambda: value.__setitem__((at % len(value), "a"), -1.0),
            lambda: value.insert_column(0, pl.Series("new", [at] * len(value))),
            lambda: value.extend(value.clone()),
            lambda: setattr(value, "columns", ["x", "y"]),
            lambda: value.drop_in_place("s"),
            lambda: value.replace_column(0, pl.Series("a", np.arange(len(value)) * 2.0)),
        ]
        changes[at % len(changes)]()


def in_a_dict(value: Any, at: int) -> None:
    if isinstance(value, dict):
        changes: list[Callable[[], object]] = [
            lambda: value["meta"]["k"].append(at),
            lambda: value.update(new=at),
            lambda: value.pop("x"),
            lambda: value.update(x=value["x"] + 1),
            lambda: value.update(x=value["x"][::-1]),
            lambda: value.update(x=value["x"].view("f8")),
        ]
        changes[at % len(changes)]()


CHANGES: dict[str, Callable[[Any, int], None]] = {
    "C code": overwrite_somewhere,
    "an item": in_an_array(set_item),
    "an item through a view": in_an_array(lambda array, at: set_item(array[::2], at)),
    "an item through a container": in_an_array(lambda array, at: [set_item(x, at) for x in [array[1:]]]),
    "sort": in_an_array(lambda array, at: array.sort(axis=0)),
    "fill": in_an_array(lambda array, at: array.fill(array.reshape(-1)[at % array.size])),
    "out=": in_an_array(lambda array, at: np.minimum(array, array.reshape(-1)[0], out=array)),
    "copyto": in_an_array(lambda array, at: np.copyto(array[1:], array[:-1])),
    "shuffle": in_an_array(lambda array, at: np.random.default_rng(at).shuffle(array)),
    "byteswap": in_an_array(lambda array, at: array.dtype != object and array.byteswap(inplace=True)),
    "a file's bytes": in_an_array(lambda array, at: array.dtype != object and from_file(array, at)),
    "memory view": in_an_array(
        lambda array, at: (
            array.dtype.kind in "fiub" and memoryview(array.view(np.uint8)).__setitem__(0, 9)
            if array.ndim == 1
            else None
        )
    ),
    "values": on_a_frame(through_values),
    "iloc": on_a_frame(put),
    "loc": on_a_frame(lambda f, at: f.loc.__setitem__((f.index[at % len(f)], column(f, at)), f.iloc[0, 0])),
    "at": on_a_frame(lambda f, at: f.iat.__setitem__((0, at % f.shape[1]), f.iat[1, at % f.shape[1]])),
    "a new column": on_a_frame(lambda f, at: f.__setitem__("new", at)),
    "another column": on_a_frame(lambda f, at: f.__setitem__(column(f, at), f[column(f, at + 1)])),
    "an equal column": on_a_frame(lambda f, at: f.__setitem__(column(f, at), f[column(f, at)].copy())),
    "columns swapped": on_a_frame(lambda f, at: setattr(f, "columns", list(f.columns[::-1]))),
    "insert": on_a_frame(lambda f, at: f.insert(0, "new", at)),
    "pop": on_a_frame(lambda f, at: f.pop(column(f, at))),
    "drop": on_a_frame(lambda f, at: f.drop(index=f.index[:1], inplace=True)),
    "dropna": on_a_frame(lambda f, at: f.dropna(inplace=True)),
    "fillna": on_a_frame(lambda f, at: f.select_dtypes("float").fillna(0, inplace=True)),
    "sort_values": on_a_frame(lambda f, at: f.sort_values(column(f, at), inplace=True)),
    "reset_index": on_a_frame(lambda f, at: f.reset_index(inplace=True, drop=bool(at % 2))),
    "set_index": on_a_frame(lambda f, at: f.set_index(column(f, at), inplace=True)),
    "rename": on_a_frame(lambda f, at: f.rename(columns={column(f, at): "new"}, inplace=True)),
    "mask": on_a_frame(lambda f, at: "c0" in f and f.mask(f > 0.5, inplace=True)),
    "eval": on_a_frame(lambda f, at: "c0" in f and f.eval("c0 = c1 + 1", inplace=True)),
    "update": on_a_frame(
        lambda f, at: "c0" in f and f.update(pd.DataFrame({"c0": [float(at)]}, f.index[:1]))
    ),
    "the rows' name": on_a_frame(rename_rows),
    "the labels' name": on_a_frame(rename_labels),
    "the labels": on_a_frame(write_labels),
    "attrs": on_a_frame(attrs),
    "flags": on_a_frame(flags),
    "categories": on_a_frame(categories),
    "an item of an item": on_a_frame(item_of_item),
    "polars": in_polars,
    "dict": in_a_dict,
    "shape": lambda value, at: isinstance(value, np.ndarray) and setattr(value, "shape", (-1,)),  # type: ignore[dict-item]
    "read-only": lambda value, at: isinstance(value, np.ndarray) and value.setflags(write=False),  # type: ignore[dict-item]
}


def try_out(change: Callable[[Any, int], None], value: Any, at: int) -> tuple[str, list[str]]:
    """The error and the warnings, as the user would see them."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            change(value, at)
            error = ""
        except Exception as raised:
            error = repr(raised)
    return error, [str(warning.message) for warning in told]


@given(
    name=st.sampled_from(sorted(VALUES)),
    changes=st.lists(
        st.tuples(st.sampled_from(sorted(CHANGES)), st.integers(0, 10**6)), min_size=1, max_size=3
    ),
)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_proved_unchanged_has_the_digest_it_had(
    tmp_path: Path, name: str, changes: list[tuple[str, int]]
) -> None:
    value = loaded(VALUES[name](), tmp_path)
    before = materializers.digest_of(value)
    snapshot = materializers.snapshot(value)
    alike = loaded(VALUES[name](), tmp_path)
    for change, at in changes:
        told = try_out(CHANGES[change], value, at)
        # Nobody can tell from a change, either, that a snapshot was taken.
        assert told == try_out(CHANGES[change], alike, at)
    if snapshot is not None and snapshot.proves(value):
        assert materializers.digest_of(value) == before
    assert digest_or_error(value) == digest_or_error(alike)


def digest_or_error(value: Any) -> str:
    try:
        return materializers.digest_of(value)
    except Exception as error:
        return type(error).__name__


@pytest.mark.parametrize("name", sorted(VALUES.keys() - {"polars", "table"}))
@given(at=st.integers(0, 10**7))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_one_byte_written_anywhere_is_noticed(tmp_path: Path, name: str, at: int) -> None:
    value = loaded(VALUES[name](), tmp_path)
    snapshot = materializers.snapshot(value)
    overwrite_somewhere(value, at)
    assert snapshot is None or not snapshot.proves(value)


# -- reads -----------------------------------------------------------------------------------


def fit(frame: pd.DataFrame) -> None:
    from sklearn.linear_model import LinearRegression

    data = frame.select_dtypes("float64").fillna(0)
    LinearRegression().fit(data, data.iloc[:, 0])


def plot(frame: pd.DataFrame) -> None:
    from matplotlib.figure import Figure

    Figure().subplots().plot(frame.iloc[:, 0].to_numpy())


FRAME_READS: dict[str, Callable[[Any], object]] = {
    "repr": repr,
    "html": lambda f: f._repr_html_(),
    "describe": lambda f: f.describe(include="all"),
    "info": lambda f: f.info(buf=io.StringIO()),
    "values": lambda f: f.values.sum if len(f.columns) else None,
    "to_numpy": lambda f: f.to_numpy(),
    "slice": lambda f: f.iloc[10:20].to_numpy(),
    "query": lambda f: f[f.iloc[:, 0] > 0.5],
    "copy": lambda f: f.copy(),
    "shallow copy that is changed": lambda f: f.copy(deep=False).insert(0, "new", 1),
    "assign": lambda f: f.assign(new=1),
    "column": lambda f: [f[name].array for name in f.columns],
    "rows": lambda f: list(f.head(50).itertuples()),
    "groupby": lambda f: f.groupby(f.columns[1]).size(),
    "merge": lambda f: f.merge(f.head(10), on=f.columns[1]),
    "sort": lambda f: f.sort_values(f.columns[0]),
    "duplicates": lambda f: f.duplicated(),
    "fit": fit,
    "plot": plot,
    "pickle": pickle.dumps,
    "csv": lambda f: f.to_csv(),
    "memory": lambda f: f.memory_usage(deep=True),
    "lookup": lambda f: f.loc[f.index[5]],
    "loop": lambda f: [len(f[name].unique()) for name in f.columns],
    "digest": materializers.digest_of,
}


@is_linux
@pytest.mark.parametrize("read", FRAME_READS.values(), ids=FRAME_READS)
@pytest.mark.parametrize("name", ["numbers", "mixed", "dates as rows", "two levels of rows", "arrow dtypes"])
def test_a_frame_that_was_only_read_is_proved_unchanged(
    tmp_path: Path, name: str, read: Callable[[Any], object]
) -> None:
    frame = loaded(VALUES[name](), tmp_path)
    snapshot = materializers.snapshot(frame)
    assert snapshot is not None
    read(frame)
    assert snapshot.proves(frame)


READS: dict[str, Callable[[Any], object]] = {
    "array": lambda a: (a.sum(), a.copy().sort(), a[:10].tolist(), np.sort(a), a.T @ a, repr(a)),
    "dict": lambda d: (d["x"] + 1, d["df"].describe(), list(d["meta"]["k"])),
    "series": lambda s: (s.mean(), s.value_counts(), s.to_numpy(), s[s > 0.5]),
    "polars": lambda f: (
        f.filter(pl.col("a") > 3),
        f.group_by("s").len(),
        f.to_numpy(),
        f["a"].to_numpy(),
        repr(f),
    ),
    "table": lambda t: (
        t.to_pandas(),
        t.filter(pa.compute.field("a") > 3),
        t.column("a").to_numpy(),
        repr(t),
    ),
}


@is_linux
@pytest.mark.parametrize("name", READS)
def test_a_value_that_was_only_read_is_proved_unchanged(tmp_path: Path, name: str) -> None:
    value = loaded(VALUES[name](), tmp_path)
    snapshot = materializers.snapshot(value)
    assert snapshot is not None
    READS[name](value)
    assert snapshot.proves(value)


@pytest.mark.parametrize(
    "value", [pytest.param(v, id=f"{family}: {n}") for family, vs in FAMILIES.items() for n, v in vs.items()]
)
def test_taking_a_snapshot_of_anything_leaves_it_as_it_was(value: Any, tmp_path: Path) -> None:
    value = loaded(value, tmp_path)
    before = materializers.digest_of(value)
    snapshot = materializers.snapshot(value)
    assert snapshot is None or snapshot.proves(value)
    assert materializers.digest_of(value) == before


# -- what the user does not see --------------------------------------------------------------


@pytest.mark.parametrize("name", ["numbers", "mixed", "array", "polars"])
def test_memory_is_freed_as_soon_as_the_value_is_dropped(tmp_path: Path, name: str) -> None:
    assert not mapped.is_any()
    value = loaded(VALUES[name](), tmp_path)
    gone = weakref.ref(value)
    snapshot = materializers.snapshot(value)
    del value
    gc.collect()
    assert gone() is None
    assert not mapped.is_any()  # neither the file's memory nor the twins of objects
    del snapshot


def test_a_column_that_is_replaced_is_freed_though_its_frame_stays(tmp_path: Path) -> None:
    frame = loaded(pd.DataFrame({"o": pd.Series(["a"] * ROWS, dtype=object)}), tmp_path)
    snapshot = materializers.snapshot(frame)
    assert snapshot is None or snapshot.proves(frame)
    frame["o"] = 1
    gc.collect()
    assert all(loaded.objects is None for loaded in mapped._loaded.values())
    assert snapshot is None or not snapshot.proves(frame)


class Counted:
    """Says for itself how it is pickled, and can tell that it was."""

    times = 0

    def __init__(self) -> None:
        self.data = np.arange(ROWS)

    def __getstate__(self) -> dict[str, Any]:
        Counted.times += 1
        return self.__dict__


def test_no_code_of_the_users_is_called_before_the_step(tmp_path: Path) -> None:
    value = loaded([Counted(), numbers()], tmp_path)
    Counted.times = 0
    assert materializers.snapshot(value) is None
    assert Counted.times == 0


# -- the operating system --------------------------------------------------------------------


@is_linux
@given(st.sets(st.integers(0, 63), max_size=5), st.tuples(st.integers(0, 63), st.integers(1, 64)))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("way", ["scan", "entries"])
def test_exactly_the_pages_that_were_written_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, written: set[int], asked: tuple[int, int]
) -> None:
    with monkeypatch.context() as patch:
        if way == "entries":
            patch.setattr(mapped, "_scan", refuse)
        path = tmp_path / "file"
        path.write_bytes(b"x" * mmap.PAGESIZE * 64)
        mapping = mapped.map_file(path)
        start = mapped._address(mapping)
        sum(mapping[at] for at in range(0, len(mapping), 4096))
        for page in written:
            mapping[page * mmap.PAGESIZE + 5] = mapping[page * mmap.PAGESIZE + 5]
        first, last = asked[0], min(64, asked[0] + asked[1])
        region = Region(start + first * mmap.PAGESIZE, start + last * mmap.PAGESIZE)
        assert mapped.are_unwritten([region]) == (not written & set(range(first, last)))


def refuse(*arguments: Any) -> Any:
    raise OSError


def test_where_the_system_does_not_tell_nothing_is_proved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mapped, "_devices", {})
    monkeypatch.setattr(mapped, "_is_written", lambda file, pages: False)  # an imitation that knows nothing
    assert materializers.snapshot(loaded(numbers(), tmp_path)) is None


def test_where_the_system_stops_telling_nothing_is_proved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = loaded(numbers(), tmp_path)
    snapshot = materializers.snapshot(value)
    monkeypatch.setattr(mapped, "_is_written", refuse)
    assert snapshot is None or not snapshot.proves(value)


def test_a_place_that_another_file_has_taken_is_not_the_same_place(tmp_path: Path) -> None:
    value = loaded(numbers(), tmp_path)
    snapshot = materializers.snapshot(value)
    for start, known in list(mapped._loaded.items()):
        mapped._loaded[start] = known._replace(owner=weakref.ref(type("Other", (), {})))
    assert snapshot is None or not snapshot.proves(value)


@is_linux
def test_random_changes_of_what_python_objects_a_column_holds_are_noticed(tmp_path: Path) -> None:
    texts = [f"text {at % 7}" for at in range(ROWS)]
    for seed in range(20):
        frame = loaded(pd.DataFrame({"o": pd.Series(texts, dtype=object)}), tmp_path)
        snapshot = materializers.snapshot(frame)
        assert snapshot is not None and snapshot.proves(frame)
        array = writeable(frame["o"].to_numpy())
        random.seed(seed)
        at = random.randrange(ROWS)
        # Freed and made anew: the other text may get the address of the first.
        array[at] = None
        array[at] = "".join(["text ", str(at % 7 + 1)])
        assert not snapshot.proves(frame)


def test_a_snapshot_is_small_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unchanged, "ENCODED_BYTES", 1000)
    lists = loaded({"lists": [[at] for at in range(100_000)], "x": np.arange(10)}, tmp_path)
    assert materializers.snapshot(lists) is None
