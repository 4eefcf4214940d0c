"""Names that share mutable objects are found, and share them again after they were stored."""

from __future__ import annotations

import collections
import types
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from jupyterlab_pipelines.materializers import group_digest, read_group, shared_groups, write_group


def groups(**values: Any) -> list[set[str]]:
    return sorted((set(group) for group in shared_groups(values)), key=sorted)


def counter() -> tuple[Any, Any]:
    count = 0

    def up() -> int:
        nonlocal count
        count += 1
        return count

    def look() -> int:
        return count

    return up, look


def test_the_same_object_under_two_names() -> None:
    one = [1]
    assert groups(a=one, b=one, c=[1]) == [{"a", "b"}]
    frame = pd.DataFrame({"a": [1]})
    assert groups(df=frame, same=frame) == [{"df", "same"}]


def test_an_object_that_both_reach() -> None:
    inner = {"k": 1}
    assert groups(a=[inner], b=(1, inner), c=types.SimpleNamespace(x=inner), d=inner.copy()) == [
        {"a", "b", "c"}
    ]
    assert groups(frame=pd.DataFrame({"o": [inner, None]}), b=inner) == [{"b", "frame"}]
    assert groups(array=np.array([inner, 1], dtype=object), b=inner) == [{"array", "b"}]
    pair = collections.namedtuple("pair", "x y")
    assert groups(named=pair(inner, 1), b=inner) == [{"b", "named"}]
    assert groups(method=[1].append, b=2) == []


def test_chains_are_one_group() -> None:
    x, y = [1], [2]
    assert groups(a=x, b=[x, y], c=y, lone=[3]) == [{"a", "b", "c"}]


def test_closures_that_share_a_variable() -> None:
    up, look = counter()
    assert groups(up=up, look=look) == [{"look", "up"}]


@pytest.mark.parametrize(
    "shared", [(1, "a"), "text", 10**50, pd.RangeIndex(3), np.dtype("f4"), int, np, pd.Timestamp(0)]
)
def test_sharing_what_cannot_change_is_no_sharing(shared: Any) -> None:
    assert groups(a=[shared], b={"k": shared}) == []


def test_arrays_that_overlap() -> None:
    base = np.arange(10)
    assert groups(a=base, b=base[2:4], c=base.copy()) == [{"a", "b"}]
    assert groups(a=base[:5], b=base[5:]) == []
    assert groups(a=base[:6], b=base[5:][::-1]) == [{"a", "b"}]
    assert groups(a=base, b={"inside": [base.reshape(2, 5)]}) == [{"a", "b"}]


def test_frames_copy_on_write_and_are_not_grouped_with_their_parts() -> None:
    frame = pd.DataFrame(np.zeros((4, 3)), columns=list("abc"))
    assert groups(df=frame, column=frame["a"], part=frame[:2], copy=frame.copy()) == []


def test_a_frame_and_the_array_that_shows_its_memory() -> None:
    frame = pd.DataFrame(np.zeros((4, 3)), columns=list("abc"))
    assert groups(df=frame, values=frame.to_numpy(), other=frame.to_numpy(copy=True)) == [{"df", "values"}]


def test_a_stored_group_shares_what_it_shared(tmp_path: Path) -> None:
    base, inner = np.arange(10_000.0), [1]
    frame = pd.DataFrame(np.zeros((4, 3)), columns=list("abc"))
    values = {
        "a": base,
        "b": base[2:4],
        "i": inner,
        "o": {"i": inner},
        "df": frame,
        "v": frame["b"].to_numpy(),
    }
    write_group(values, tmp_path / "group")
    back = read_group(tmp_path / "group")
    assert list(back) == list(values)
    assert group_digest(back) == group_digest(values)
    back["a"][2] = -1
    back["i"].append(2)
    back["df"].iloc[0, 1] = 7
    assert back["b"][0] == -1 and back["o"] == {"i": [1, 2]} and back["v"][0] == 7
    assert not back["v"].flags.writeable
    assert base[2] == 2 and inner == [1]


def test_the_digest_of_a_group_counts_names_values_and_what_is_shared() -> None:
    inner = [1]
    digests = {
        group_digest(values)
        for values in (
            {"a": inner, "b": [inner]},
            {"b": [inner], "a": inner},
            {"a": inner, "b": [[1]]},
            {"a": inner, "c": [inner]},
            {"a": inner, "b": [inner, 2]},
        )
    }
    assert len(digests) == 4


def test_many_objects_are_looked_at_in_bounded_time() -> None:
    ring: list[Any] = []
    ring.append(ring)
    huge = [{"k": [number]} for number in range(300_000)]
    assert groups(ring=ring, huge=huge, numbers=list(range(1_000_000))) == []
