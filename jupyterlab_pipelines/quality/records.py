"""Tables that are written row by row with a type for each value: JSON, JSON lines, Excel.

A column whose values are of several types, such as numbers and words, becomes text, as it does in CSV. Text
in which all values are times in ISO 8601 becomes times, as JSON has no other way to write them; numbers in
quotes stay text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jupyterlab_pipelines.errors import UsageError


def read_json(path: Path) -> Any:
    """A list of records, one record a line, or any of the layouts that pandas writes."""
    import pyarrow as pa

    with pa.input_stream(str(path), compression="detect") as stream:
        text = stream.read().decode("utf-8-sig")
    if not text.strip():
        raise ValueError("there is nothing in it")
    try:
        document = json.loads(text)
    except json.JSONDecodeError:
        return _of_lines(text)
    if isinstance(document, dict) and "\n" not in text.strip() and not _is_layout(document):
        # A table of one line.
        return _of_records([document])
    return of_document(document)


def _of_lines(text: str) -> Any:
    records = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"line {number} is no JSON: {error.msg}") from error
        if not isinstance(record, dict):
            raise ValueError(f"line {number} holds no record")
        records.append(record)
    return _of_records(records)


def _is_layout(document: Mapping[str, Any]) -> bool:
    return bool(document) and all(isinstance(value, list | dict) for value in document.values())


def of_document(document: Any) -> Any:
    """The Arrow table that a JSON document stands for.

    Raises
    ------
    ValueError
        It is none.
    """
    if isinstance(document, list):
        if all(isinstance(record, dict) for record in document):
            return _of_records(document)
        if document and all(isinstance(row, list) for row in document):
            names = [str(position) for position in range(max(map(len, document)))]
            return _of_rows(names, document)
    elif isinstance(document, dict) and isinstance(document.get("data"), list):
        if isinstance(document.get("columns"), list):
            return _of_rows([str(name) for name in document["columns"]], document["data"])
        return of_document(document["data"])
    elif isinstance(document, dict) and _is_layout(document):
        columns = {
            name: list(values.values()) if isinstance(values, dict) else values
            for name, values in document.items()
        }
        if len({len(values) for values in columns.values()}) == 1:
            return _table(columns)
    raise ValueError("it holds no list of records and no columns of equal length")


def _of_records(records: Sequence[Mapping[str, Any]]) -> Any:
    names = dict.fromkeys(name for record in records for name in record)
    return _table({name: [record.get(name) for record in records] for name in names})


def _of_rows(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> Any:
    filled = [[*row, *[None] * (len(names) - len(row))] for row in rows]
    return _table({name: [row[place] for row in filled] for place, name in enumerate(names)})


def _table(columns: Mapping[str, Sequence[Any]]) -> Any:
    import pyarrow as pa

    arrays = [column_of(values) for values in columns.values()]
    return pa.table(arrays, names=list(columns))


def column_of(values: Sequence[Any]) -> Any:
    """The values as an Arrow array of one type; text where they have none in common."""
    import pyarrow as pa

    from jupyterlab_pipelines.quality.tables import iso_times

    try:
        array = pa.array(values, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return pa.array([None if value is None else _as_text(value) for value in values], pa.string())
    return iso_times(array) if pa.types.is_string(array.type) else array


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value)
    except TypeError:
        return str(value)


def read_excel(path: Path) -> Any:
    """The first sheet; its first row that is not empty holds the names.

    Raises
    ------
    UsageError
        openpyxl is not installed.
    """
    try:
        import openpyxl
    except ImportError as error:
        raise UsageError(
            "openpyxl_missing",
            f"{path}: Excel files are read with openpyxl: pip install openpyxl",
            path=str(path),
        ) from error
    from zipfile import BadZipFile

    from jupyterlab_pipelines.quality.tables import NULL_WORDS, unique_names

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (BadZipFile, KeyError) as error:
        raise ValueError("it is no Excel workbook") from error
    sheet = book.worksheets[0]
    rows = [list(row) for row in sheet.iter_rows(values_only=True)]
    book.close()
    rows = [row for row in rows if any(value is not None for value in row)]
    if not rows:
        raise ValueError("its first sheet is empty")
    header, *body = rows
    while header and header[-1] is None:
        header.pop()
    names = unique_names(["" if name is None else str(name) for name in header])
    missing = set(NULL_WORDS)
    cleaned = [
        [None if isinstance(value, str) and value in missing else value for value in row[: len(names)]]
        for row in body
    ]
    return _of_rows(names, cleaned)
