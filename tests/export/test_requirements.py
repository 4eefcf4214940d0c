"""What an export must install, also where code does not import it."""

from __future__ import annotations

import pytest

from jupyterlab_pipelines.export.requirements import named_in


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("df = pd.read_excel('a.xlsx')", "openpyxl"),
        ("with pd.ExcelWriter('a.xlsx') as w: pass", "XlsxWriter"),
        ("read_parquet('x')", "pyarrow"),
        ("df.astype('string[pyarrow]')", "pyarrow"),
        ("pd.read_csv('s3://bucket/x.csv')", "s3fs"),
        ("pd.options.plotting.backend = 'plotly'", "plotly"),
        ("df.corr(method='kendall')", "scipy"),
        ("px.scatter(df, trendline='ols')", "statsmodels"),
        ("df.plot()", "matplotlib"),
        ("df.x.describe()", "bottleneck"),
        ("pd.read_csv('x', engine='pyarrow')", "pyarrow"),
        ("frame.to_pandas()", "pandas"),
        ("importlib.import_module('yaml.parser')", "yaml"),
    ],
)
def test_distributions_behind_code_are_found(source: str, found: str) -> None:
    assert found in named_in([source])


def test_plain_code_asks_for_nothing() -> None:
    assert named_in(["x = {'s3': 1, 'spearman rank': 2}\ny = sorted(x)"]) == set()
