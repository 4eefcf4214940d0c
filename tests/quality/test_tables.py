"""Table files: the same table whatever the format, and clear errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import feather

from jupyterlab_pipelines.errors import NotFoundError, UsageError
from jupyterlab_pipelines.quality.anomalies import find
from jupyterlab_pipelines.quality.statistics import measure
from jupyterlab_pipelines.quality.tables import read_table


def table(rows: int = 200) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "id": np.arange(rows),
            "x": np.round(rng.normal(size=rows), 3),
            "n": pd.array([None if i % 7 == 0 else i % 5 for i in range(rows)], dtype="Int64"),
            "when": pd.date_range("2024-01-01", periods=rows, freq="h"),
            "word": rng.choice(["a", "b b", 'c"c', "d,d"], rows),
            "yes": rng.random(rows) < 0.5,
        }
    )


def csv(folder: Path, text: str | bytes, name: str = "t.csv") -> Any:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_table(path)


def test_every_format_holds_the_same_table(tmp_path: Path) -> None:
    frame = table()
    frame.to_parquet(tmp_path / "t.parquet")
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_csv(tmp_path / "t.tsv", index=False, sep="\t")
    frame.to_csv(tmp_path / "t.csv.gz", index=False)
    feather.write_feather(frame, tmp_path / "t.feather")
    arrow = pa.Table.from_pandas(frame)
    with pa.OSFile(str(tmp_path / "t.arrow"), "wb") as sink, pa.ipc.new_stream(sink, arrow.schema) as writer:
        writer.write_table(arrow)
    reference = measure(frame)

    for name in ("t.parquet", "t.csv", "t.tsv", "t.csv.gz", "t.feather", "t.arrow"):
        found = measure(read_table(tmp_path / name))
        assert [column.type for column in found.columns] == [
            "int",
            "float",
            "int",
            "time",
            "string",
            "bool",
        ], name
        assert find(found, reference=reference) == []
        assert [column.nulls for column in found.columns] == [column.nulls for column in reference.columns]


@pytest.mark.parametrize("suffix", ["csv", "parquet", "feather"])
def test_an_index_of_pandas_is_no_column(tmp_path: Path, suffix: str) -> None:
    part = table()[::3]
    if suffix == "csv":
        part.to_csv(tmp_path / "t.csv")
    elif suffix == "parquet":
        part.to_parquet(tmp_path / "t.parquet")
    else:
        feather.write_feather(pa.Table.from_pandas(part), tmp_path / "t.feather")

    assert read_table(tmp_path / f"t.{suffix}").column_names == list(part.columns)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "-2", "+3"], "int64"),
        (["1", "2.5", "1e3"], "double"),
        (["1", "", "NA"], "int64"),
        (["007", "012"], "string"),
        (["12345678901234567890"], "string"),
        (["true", "False"], "bool"),
        (["2024-01-05", "2024-02-06"], "timestamp[us]"),
        (["2024-01-05 10:00:00", "2024-02-06T11:30:00.5"], "timestamp[us]"),
        (["2024-01-05T10:00:00Z", "2024-01-05T10:00:00+02:00"], "timestamp[us, tz=UTC]"),
        (["5.1.2024", "13.2.2024"], "timestamp[us]"),
        (["1/13/2024", "2/14/2024"], "timestamp[us]"),
        (["2024-01-05", "soon"], "string"),
        (["2024-13-45"], "string"),
        (["1", "two"], "string"),
        (["1;5", "x"], "string"),
        (["", ""], "null"),
    ],
)
def test_a_csv_column_is_what_all_its_values_are(tmp_path: Path, values: list[str], kind: str) -> None:
    found = csv(tmp_path, "k,v\n" + "".join(f"k,{value}\n" for value in values))

    assert str(found.schema.field("v").type) == kind


def test_day_and_month_are_told_apart_by_the_values(tmp_path: Path) -> None:
    found = csv(tmp_path, "d,m\n13/1/2024,1/13/2024\n2/3/2024,2/3/2024\n")

    assert [str(value)[:10] for value in found["d"].to_pylist()] == ["2024-01-13", "2024-03-02"]
    assert [str(value)[:10] for value in found["m"].to_pylist()] == ["2024-01-13", "2024-02-03"]


def test_a_decimal_comma_where_commas_do_not_separate(tmp_path: Path) -> None:
    assert csv(tmp_path, "a;b\n1,5;x\n1.234,25;y\n")["a"].to_pylist() == [1.5, 1234.25]
    assert csv(tmp_path, 'a,b\n"1,5",x\n"2,5",y\n')["a"].to_pylist() == ["1,5", "2,5"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_every_encoding(tmp_path: Path, encoding: str) -> None:
    assert csv(tmp_path, "town,n\nKöln,1\nZürich,2\n".encode(encoding)).to_pydict() == {
        "town": ["Köln", "Zürich"],
        "n": [1, 2],
    }


def test_names_twice_blank_lines_and_line_breaks(tmp_path: Path) -> None:
    found = csv(tmp_path, '\n"a\nb",a,a,\n1,2,3,4\n\n5,6,7,8\n')

    assert found.to_pydict() == {"a\nb": [1, 5], "a": [2, 6], "a.1": [3, 7], "unnamed_3": [4, 8]}


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(-(10**9), 10**9),
            st.floats(-1e6, 1e6),
            st.text("abcäöü ,;\"'", min_size=1, max_size=6),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_what_pandas_writes_is_read(tmp_path: Path, rows: list[tuple[int, float, str]]) -> None:
    frame = pd.DataFrame(rows, columns=["i", "f", "s"])
    frame.to_csv(tmp_path / "t.csv", index=False)
    found = read_table(tmp_path / "t.csv").to_pydict()

    assert found["i"] == frame["i"].tolist()
    assert found["f"] == pytest.approx(frame["f"].tolist())
    assert found["s"] == frame["s"].tolist()


def test_a_header_alone_is_an_empty_table(tmp_path: Path) -> None:
    found = csv(tmp_path, "a,b\n")

    assert (found.num_rows, found.column_names) == (0, ["a", "b"])
    assert measure(found).rows == 0


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("t.csv", b"", "empty"),
        ("t.csv", b"\n\n", "nothing in it"),
        ("t.csv", b"a,b\n1,2\n1,2,3,4\n", "cannot be read"),
        ("t.parquet", b"hello", "cannot be read as a Parquet table"),
        ("t.arrow", b"hello", "cannot be read as an Arrow table"),
        ("t.xlsx", b"PK", "cannot be read as an Excel table"),
        ("t.json", b"{", "line 1 is no JSON"),
        ("t.json", b"[1, 2]", "no list of records"),
        ("t.jsonl", b'{"a": 1}\n[2]\n', "line 2 holds no record"),
        ("t.json", b"[]", "no columns"),
        ("t.ods", b"PK", "none of them"),
        ("t", b"a,b", "without a suffix"),
    ],
)
def test_what_is_no_table_is_told(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        csv(tmp_path, content, name)

    assert str(tmp_path / name) in caught.value.message


@pytest.mark.parametrize(
    "form",
    ["records", "lines", "columns", "split", "table", "index of columns", "json.gz", "xlsx"],
)
def test_rows_with_types(tmp_path: Path, form: str) -> None:
    frame = pd.DataFrame(
        {
            "n": [1, 2, 3],
            "x": [0.5, None, 2.0],
            "word": ["a", None, "12"],
            "mixed": [1, "two", 3.5],
            "flag": [True, False, True],
            "at": pd.to_datetime(["2024-01-31", "2024-02-29", "2024-12-31"]),
        }
    )
    path = tmp_path / f"t.{ {'lines': 'jsonl', 'xlsx': 'xlsx', 'json.gz': 'json.gz'}.get(form, 'json') }"
    if form == "xlsx":
        pytest.importorskip("openpyxl")
        frame.to_excel(path, index=False)
    elif form == "lines":
        frame.to_json(path, orient="records", lines=True, date_format="iso")
    elif form == "columns":
        values = {name: frame[name].to_json(orient="values", date_format="iso") for name in frame}
        path.write_text(json.dumps({name: json.loads(text) for name, text in values.items()}))
    else:
        orient: Any = {"json.gz": "records", "index of columns": "columns"}.get(form, form)
        frame.to_json(path, orient=orient, date_format="iso")
    found = read_table(path)
    if form == "table":
        found = found.drop_columns("index")

    assert found.column_names == list(frame)
    columns = measure(found).by_name
    assert [columns[name].type for name in frame] == ["int", "float", "string", "string", "bool", "time"]
    assert columns["at"].numbers == measure(frame).by_name["at"].numbers
    assert columns["word"].counts == {"a": 1, "12": 1} and columns["word"].nulls == 1
    assert columns["mixed"].text is not None and columns["mixed"].text.numeric == 2


def test_names_that_occur_twice_get_a_number(tmp_path: Path) -> None:
    twice = pa.table([[1, 2], ["a", "b"]], names=["v", "v"])
    pq.write_table(twice, tmp_path / "t.parquet")

    assert csv(tmp_path, "v,v,v\n1,2,3\n").column_names == ["v", "v.1", "v.2"]
    assert [column.name for column in measure(read_table(tmp_path / "t.parquet")).columns] == ["v", "v.1"]


def test_a_table_without_columns_is_told(tmp_path: Path) -> None:
    pq.write_table(pa.table({}), tmp_path / "t.parquet")
    with pytest.raises(UsageError, match="no columns"):
        read_table(tmp_path / "t.parquet")


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no such file"):
        read_table(tmp_path / "t.csv")


def test_dates_that_are_written_in_another_way(tmp_path: Path) -> None:
    days = pd.date_range("2024-01-01", periods=60)

    def read(form: str) -> Any:
        return csv(tmp_path, "d,n\n" + "".join(f"{day:{form}},{i}\n" for i, day in enumerate(days)))

    iso, dots, day_first, month_first = (
        measure(read(form)) for form in ("%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y")
    )

    assert all(one.columns[0].numbers == iso.columns[0].numbers for one in (dots, day_first, month_first))
    assert [one.kind for one in find(dots, reference=iso)] == ["format_changed"]
    assert [one.kind for one in find(month_first, reference=iso)] == ["format_changed"]
    assert find(month_first, reference=day_first) == []


def test_a_blank_in_a_column_name_is_kept(tmp_path: Path) -> None:
    assert csv(tmp_path, "a, b\n1,2\n").column_names == ["a", " b"]
