"""Types in the signatures of exported functions."""

from __future__ import annotations

import pytest

from jupyterlab_pipelines.export.annotations import Annotations, type_of


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("float('nan')", "float"),
        ("-math.inf", "float"),
        ("Path('out') / 'x'", "pathlib.Path"),
        ("date(2024, 1, 1)", "datetime.date"),
        ("(1, 2)", "tuple"),
        ("{1, 2}", "set"),
        ("10 * 2 + 1", "int"),
        ("f'{n}.csv'", "str"),
        ("None", ""),
        ("n * 2", ""),
        ("load(1)", ""),
        ("x if y else z", ""),
    ],
)
def test_an_expression_tells_its_type_or_nothing(source: str, expected: str) -> None:
    assert type_of(source) == expected


def test_types_are_said_with_the_names_that_the_module_has() -> None:
    annotations = Annotations({"Box"}, {"pd": "import pandas as pd", "np": ""}, {"sk._x.Tree": "sk.tree"})

    assert annotations.of("pandas.DataFrame") == "pd.DataFrame"
    assert annotations.of("numpy.float64") == "Any"
    assert annotations.of("__main__.Box") == "Box"
    assert annotations.of("__main__.Other") == "Any"
    assert annotations.of("sk._x.Tree") == "Tree"
    assert annotations.of("sk._y.Leaf") == "Any"
    assert annotations.of("tuple") == "tuple[Any, ...]"
    assert annotations.imports == {"from sk.tree import Tree"}
    assert annotations.read == {"pd"}
