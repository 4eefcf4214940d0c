"""What people are shown of a value."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from jupyterlab_pipelines.materializers import describe, preview


@pytest.mark.parametrize(
    ("value", "type_name", "summary"),
    [
        (42, "int", "42"),
        ("text", "str", "text"),
        ("x" * 100, "str", "x" * 59 + "…"),
        (None, "NoneType", ""),
        ([1, 2, 3], "list", "3 items"),
        ({"a": 1}, "dict", "1 key"),
        (np.zeros((1000, 3)), "numpy.ndarray", "1,000 × 3 float64"),
        (np.float64(1.5), "numpy.float64", "1.5"),
        (pd.DataFrame(np.zeros((1234, 2))), "pandas.DataFrame", "1,234 × 2"),
        (pd.Series([1]), "pandas.Series", "1 value, int64"),
        (pl.DataFrame({"a": [1]}), "polars.DataFrame", "1 × 1"),
        (Path("/a"), "pathlib.PosixPath", ""),
    ],
)
def test_type_and_summary(value: Any, type_name: str, summary: str) -> None:
    assert describe(value) == (type_name, summary)


def test_models_have_their_public_name_and_parameters() -> None:
    from sklearn.linear_model import LinearRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    assert describe(LinearRegression())[0] == "sklearn.linear_model.LinearRegression"
    assert (
        describe(make_pipeline(StandardScaler(), LinearRegression()))[1]
        == "StandardScaler → LinearRegression"
    )
    shown = preview(LinearRegression(fit_intercept=False))
    assert shown is not None and shown["kind"] == "parameters"
    assert shown["parameters"]["fit_intercept"] == "False"


def decoded(shown: dict[str, Any]) -> np.ndarray:
    """The pixels of a preview, read by another program than the one that wrote them."""
    import matplotlib.image

    file = io.BytesIO(base64.b64decode(shown["png"]))
    return (matplotlib.image.imread(file) * 255).round().astype("uint8")


@pytest.mark.parametrize("shape", [(40, 60), (40, 60, 3), (40, 60, 4)])
def test_arrays_that_are_pictures_are_shown_as_such(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape).astype("uint8")
    shown = preview(pixels)
    assert shown is not None
    assert (shown["kind"], shown["shape"]) == ("image", list(shape))
    assert np.array_equal(decoded(shown), pixels)


def test_large_pictures_are_made_small_and_other_arrays_are_none() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (2000, 3000, 3)).astype("uint8")
    shown = preview(noise)
    assert shown is not None and shown["shape"] == [2000, 3000, 3]
    assert len(json.dumps(shown)) <= 20_000
    assert max(decoded(shown).shape) <= 192
    for array in (noise.astype("float32"), noise[:4], noise[0], noise[:, :, :2]):
        assert (preview(array) or {})["kind"] == "array"


def test_the_head_of_a_table() -> None:
    frame = pd.DataFrame({"n": [1, 2], "s": ["a", None]}, index=["x", "y"])
    assert preview(frame) == {
        "kind": "table",
        "shape": [2, 2],
        "columns": [{"name": "n", "dtype": "int64"}, {"name": "s", "dtype": "str"}],
        "index": ["x", "y"],
        "rows": [["1", "a"], ["2", "nan"]],
    }


def test_large_values_are_cut_to_size() -> None:
    wide = pd.DataFrame({f"column {i}" * 9: ["text " * 100] * 100 for i in range(100)})
    shown = preview(wide)
    assert shown is not None and shown["shape"] == [100, 100]
    assert (len(shown["rows"]), len(shown["columns"])) == (20, 30)
    for value in (
        wide,
        ["x" * 10**6] * 1000,
        "y" * 10**7,
        np.zeros(10**6),
        {str(i): [i] * 99 for i in range(10**4)},
    ):
        assert len(json.dumps(preview(value))) <= 20_000


class Hostile:
    def __repr__(self) -> str:
        raise RuntimeError("no")

    __str__ = __len__ = __getattr__ = __iter__ = __repr__  # type: ignore[assignment]


def test_nothing_is_raised_and_no_code_of_unknown_objects_runs() -> None:
    hostile = Hostile()
    assert describe(hostile) == (f"{__name__}.Hostile", "")
    assert preview(hostile) is None
    assert preview([hostile]) == {"kind": "items", "length": 1, "items": [["0", f"{__name__}.Hostile"[:80]]]}
    frame = preview(pd.DataFrame({"o": [hostile]}))
    assert frame is not None and frame["rows"] == [[f"{__name__}.Hostile"]]


def test_importing_and_asking_about_plain_values_imports_no_library() -> None:
    program = (
        "import sys, jupyterlab_pipelines.materializers as m\n"
        "for value in (1, [1], (1, {2}), object, len):\n"
        "    m.digest_of(value), m.describe(value), m.preview(value)\n"
        "print(m.shared_groups({'a': [1], 'b': [2]}))\n"
        "print({'numpy', 'pandas', 'polars', 'pyarrow', 'cloudpickle', 'asyncio'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\nset()\n"
