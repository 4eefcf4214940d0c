"""What every materializer promises, asked of every materializer with every sample."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from jupyterlab_pipelines.errors import NotFoundError
from jupyterlab_pipelines.materializers import (
    describe,
    digest_of,
    materializer_named,
    materializer_of,
    preview,
)
from jupyterlab_pipelines.materializers.base import BUILTIN

from .exact import assert_same
from .samples import FAMILIES

SAMPLES = [
    pytest.param(family, value, id=f"{family}: {name}")
    for family, samples in FAMILIES.items()
    for name, value in samples.items()
]


def carried(value: Any, path: Path) -> Any:
    materializer = materializer_of(value)
    materializer.write(value, path)
    return materializer_named(materializer.name).read(path)


@pytest.mark.parametrize(("family", "value"), SAMPLES)
def test_a_value_comes_back_the_same(family: str, value: Any, tmp_path: Path) -> None:
    assert materializer_of(value).name == family
    assert_same(carried(value, tmp_path / "value"), value)


@pytest.mark.parametrize(("family", "value"), SAMPLES)
def test_what_came_back_has_the_digest_of_what_was_written(family: str, value: Any, tmp_path: Path) -> None:
    back = carried(value, tmp_path / "value")
    assert digest_of(back) == digest_of(value)
    assert digest_of(carried(back, tmp_path / "again")) == digest_of(value)


def test_different_values_have_different_digests() -> None:
    digests: dict[str, str] = {}
    for family, samples in FAMILIES.items():
        for name, value in samples.items():
            assert digests.setdefault(digest_of(value), f"{family}: {name}") == f"{family}: {name}"


@pytest.mark.parametrize(("family", "value"), SAMPLES)
def test_the_digest_does_not_change_when_asked_again_or_of_a_copy(family: str, value: Any) -> None:
    assert digest_of(value) == digest_of(value)
    if family in ("json", "arrow", "polars"):
        assert digest_of(copy.deepcopy(value)) == digest_of(value)


@pytest.mark.parametrize(("family", "value"), SAMPLES)
def test_everything_can_be_shown(family: str, value: Any) -> None:
    import json

    type_name, summary = describe(value)
    assert type_name and "<" not in type_name and len(summary) <= 120
    assert len(json.dumps(preview(value))) <= 20_000


@pytest.mark.parametrize(
    "value",
    [np.arange(6.0), np.zeros(3_000_000), pd.DataFrame({"a": [1.0, 2.0]}), {"a": np.arange(1000)}, [1, 2]],
    ids=["array", "mapped array", "frame", "array in a dict", "list"],
)
def test_what_came_back_may_be_changed_in_place_and_the_file_stays(value: Any, tmp_path: Path) -> None:
    path = tmp_path / "value"
    back = carried(value, path)
    before = path.read_bytes()
    if isinstance(back, pd.DataFrame):
        back.loc[0, "a"] = 9.0
        assert back.loc[0, "a"] == 9.0
    else:
        target = back["a"] if isinstance(back, dict) else back
        target[0] = 9
        assert target[0] == 9
    assert path.read_bytes() == before
    assert_same(materializer_of(value).read(path), value)


def test_every_column_of_a_frame_that_came_back_can_be_written_to(tmp_path: Path) -> None:
    frame = pd.concat([FAMILIES["pandas"]["nullable"], FAMILIES["pandas"]["missing dates"]], axis=1)
    back = carried(frame, tmp_path / "value")
    for position in range(back.shape[1]):
        back.iloc[0, position] = back.iloc[1, position]
        assert (
            back.iloc[0, position] is back.iloc[1, position]
            or back.iloc[0, position] == back.iloc[1, position]
        )


def test_all_names_are_known_and_others_are_told() -> None:
    assert [materializer_named(name).name for name in BUILTIN] == list(BUILTIN)
    with pytest.raises(NotFoundError, match="no materializer called `hdf`"):
        materializer_named("hdf")


def test_a_tables_file_is_an_ordinary_arrow_file(tmp_path: Path) -> None:
    import pyarrow as pa

    materializer_of(frame := FAMILIES["pandas"]["nullable"]).write(frame, tmp_path / "value")
    table = pa.ipc.open_file(str(tmp_path / "value")).read_all()
    assert table.column_names == list(frame.columns)
    assert table.column("Int8").to_pylist() == [1, None]
