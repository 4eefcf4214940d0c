"""Checks of users: what holds, what does not, and what is never evaluated."""

from __future__ import annotations

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from jupyterlab_pipelines.errors import UsageError
from jupyterlab_pipelines.quality.checks import failure, failures

TABLE = pd.DataFrame(
    {
        "price": [1.0, 2.0, -3.0, None],
        "start": pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04"]),
        "end": pd.to_datetime(["2024-01-02", "2024-01-01", "2024-01-03", None]),
        "town": ["Berlin", "berlin", "Paris ", None],
        "net price": [1, 2, 3, 4],
        "ok": [True, True, False, True],
    }
)


@pytest.mark.parametrize(
    ("check", "failing"),
    [
        ("price > 0", 1),
        ("0 <= price < 2", 2),
        ("not price < 0", 1),
        ("price > 0 or ok", 1),
        ("price > 0 and ok", 1),
        ("end >= start", 1),
        ("start >= '2024-01-02'", 1),
        ("town in ['Berlin', 'Paris']", 2),
        ("town not in ('Berlin',)", 1),
        ("lower(strip(town)) in {'berlin', 'paris'}", 0),
        ("length(town) <= 6", 0),
        ("matches(town, '[A-Z][a-z]+')", 2),
        ("is_null(price) or price < 3", 0),
        ("not is_null(price)", 1),
        ("abs(price) >= 1", 0),
        ("round(price / 2, 0) * 2 != price", 1),
        ('column("net price") > 1', 1),
        ("column('net price') % 2 == 0", 2),
        ("-price < 3", 1),
        ("ok", 1),
        ("1 < 2", 0),
    ],
)
def test_a_check_is_counted(check: str, failing: int) -> None:
    for table in (TABLE, pa.Table.from_pandas(TABLE), pl.from_pandas(TABLE)):
        found = failure(check, table)
        assert (found.current if found else 0) == failing, check


def test_a_failure_names_the_column_and_a_row() -> None:
    found = failure("price > 0", TABLE)

    assert found
    assert (found.feature, found.kind, found.severity) == ("price", "check_failed", "error")
    assert found.description == "'price > 0' does not hold in 1 of 4 rows (25 %), e.g. price = -3."


@pytest.mark.parametrize(
    "check",
    [
        "__import__('os').system('true')",
        "price.__class__",
        "open('x')",
        "[x for x in price]",
        "lambda: 1",
        "price[0]",
        "(price := 1)",
        "f'{price}'",
        "'a' * 1000000000",
        "price ** 1000000",
        "eval('1')",
        "column(price)",
        "price >",
        "x = 1",
        "1" * 2_000,
    ],
)
def test_nothing_else_is_evaluated(check: str) -> None:
    with pytest.raises(UsageError):
        failure(check, TABLE)


def test_a_check_that_cannot_be_evaluated_is_an_anomaly() -> None:
    found = failures(["price > 0", "nothing > 0", "town + 1 > 2"], TABLE)

    assert [one.kind for one in found] == ["check_failed", "invalid_schema", "invalid_schema"]
    assert "no column 'nothing'" in found[1].description
