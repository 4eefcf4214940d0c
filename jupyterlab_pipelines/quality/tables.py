"""Table files: Parquet, CSV, Arrow, Feather, JSON and Excel, read as Arrow tables.

The other formats say what their columns are. CSV does not, so it is read by rules that look at all values
and are the same for every file:

- empty fields and the words that pandas takes for missing are nulls;
- a column is one of whole numbers, numbers, booleans or times if *all* its values are; numbers with leading zeros (ids,
  postal codes) stay text, and so do whole numbers of more than 18 digits;
- times are ISO 8601, or dates with slashes, dots or dashes; whether day or month comes first is decided
  by the values, and where they leave it open a date with slashes has the month first;
- a decimal comma is one only in files that are separated by something else than commas;
- the separator is found among ``, ; tab |``, the encoding among UTF-8, UTF-16 and Windows-1252.
"""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import Any

from jupyterlab_pipelines.errors import NotFoundError, UsageError
from jupyterlab_pipelines.quality.records import read_excel, read_json

PARQUET = (".parquet", ".pq")
ARROW = (".arrow", ".feather", ".ipc", ".arrows")
CSV = (".csv", ".tsv", ".txt", ".tab")
JSON = (".json", ".jsonl", ".ndjson")
EXCEL = (".xlsx", ".xlsm")
COMPRESSED = (".gz", ".bz2", ".zst")
SEPARATORS = ",;\t|"
# What pandas.read_csv takes for missing.
NULL_WORDS = (
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA",
    "NULL", "NaN", "None", "n/a", "nan", "null",
)  # fmt: skip
IN_WORDS = {
    **dict.fromkeys(PARQUET, "a Parquet"),
    **dict.fromkeys(ARROW, "an Arrow"),
    **dict.fromkeys(CSV, "a CSV"),
    **dict.fromkeys(JSON, "a JSON"),
    **dict.fromkeys(EXCEL, "an Excel"),
}
WRITTEN = "written"
"""Metadata of a column of times that are not written in ISO 8601: the form of the first."""
INDEX_COLUMN = re.compile(r"__index_level_\d+__")


def read_table(path: str | Path) -> Any:
    """The table in the file at `path`, a `pyarrow.Table`; an index that pandas wrote is left out.

    Raises
    ------
    NotFoundError
        No such file.
    UsageError
        The file is empty, of an unknown kind, or cannot be read as what it says it is.
    """
    path = Path(path)
    if not path.exists():
        raise NotFoundError("file_not_found", f"{path}: no such file.", path=str(path))
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in COMPRESSED:
        suffixes.pop()
    suffix = suffixes[-1] if suffixes else ""
    readers = {
        **dict.fromkeys(PARQUET, _read_parquet),
        **dict.fromkeys(ARROW, _read_arrow),
        **dict.fromkeys(CSV, _read_csv),
        **dict.fromkeys(JSON, read_json),
        **dict.fromkeys(EXCEL, read_excel),
    }
    if path.is_dir():
        reader = _read_parquet
    elif suffix not in readers:
        raise UsageError(
            "unknown_table_format",
            f"{path}: tables are read from Parquet (.parquet), CSV (.csv, .tsv), Arrow and Feather (.arrow, .feather), "
            f"JSON (.json, .jsonl) and Excel (.xlsx) files, and {suffix or 'a name without a suffix'} is none of them.",
            path=str(path),
        )
    else:
        reader = readers[suffix]
        if path.stat().st_size == 0:
            raise UsageError("empty_file", f"{path}: the file is empty.", path=str(path))
    import pyarrow as pa

    try:
        table = reader(path)
    except (pa.ArrowException, OSError, ValueError, csv.Error, EOFError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UsageError(
            "unreadable_table",
            f"{path}: cannot be read as {IN_WORDS.get(suffix, 'a Parquet')} table: {reason}",
            path=str(path),
        ) from error
    kept = [index for index, name in enumerate(table.column_names) if not INDEX_COLUMN.fullmatch(name)]
    if not kept:
        raise UsageError("no_columns", f"{path}: the table has no columns.", path=str(path))
    return table.select(kept)


def _read_parquet(path: Path) -> Any:
    import pyarrow.parquet as pq

    if path.is_dir():
        return pq.read_table(path)
    # Unlike a folder of them, one file may have a name twice.
    with pq.ParquetFile(path) as file:
        return file.read()


def _read_arrow(path: Path) -> Any:
    import pyarrow as pa
    from pyarrow import feather

    try:
        return feather.read_table(path)
    except pa.ArrowInvalid:
        with pa.OSFile(str(path)) as source:
            return pa.ipc.open_stream(source).read_all()


# -- CSV ------------------------------------------------------------------------------------------


def _read_csv(path: Path) -> Any:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    with pa.input_stream(str(path), compression="detect") as stream:
        data = stream.read()
    text_start, encoding = _encoding(data)
    data = data[text_start:]
    if encoding != "utf-8":
        data = data.decode(encoding).encode("utf-8")
    if not data.strip():
        raise ValueError("there is nothing in it")
    if b"\0" in data[:4096]:
        raise ValueError("it holds binary data")
    separator = _separator(data[:65_536].decode("utf-8", "ignore"))
    header = next(row for row in csv.reader(io.StringIO(_first_lines(data)), delimiter=separator) if row)
    names = unique_names(header)
    table = arrow_csv.read_csv(
        pa.BufferReader(data),
        read_options=arrow_csv.ReadOptions(column_names=names, skip_rows=_lines_of_header(data, header)),
        parse_options=arrow_csv.ParseOptions(delimiter=separator, newlines_in_values=True),
        convert_options=arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            strings_can_be_null=True,
            null_values=list(NULL_WORDS),
        ),
    )
    columns = {name: _convert(table.column(name), comma=separator != ",") for name in names}
    written = {name: form for name in names if (form := _date_form(table.column(name), columns[name]))}
    if header[0] == "" and len(names) > 1 and _is_index(columns[names[0]]):
        # pandas writes its index as a first column without a name.
        del columns[names[0]]
    fields = [
        pa.field(name, column.type, metadata={WRITTEN: written[name]} if name in written else None)
        for name, column in columns.items()
    ]
    return pa.table(list(columns.values()), schema=pa.schema(fields))


def _encoding(data: bytes) -> tuple[int, str]:
    """How many bytes to leave out, and the encoding of the rest."""
    if data.startswith(b"\xef\xbb\xbf"):
        return 3, "utf-8"
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return 0, "utf-16"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        try:
            data.decode("cp1252")
        except UnicodeDecodeError:
            return 0, "latin-1"
        return 0, "cp1252"
    return 0, "utf-8"


def _first_lines(data: bytes) -> str:
    return data[:1_000_000].decode("utf-8", "ignore")


def _lines_of_header(data: bytes, header: list[str]) -> int:
    """How many lines the header takes: names may have line breaks in quotes."""
    text = _first_lines(data)
    empty = len(text) - len(text.lstrip("\r\n"))
    blank_lines = text[:empty].count("\n")
    return blank_lines + 1 + sum(name.count("\n") for name in header)


def _separator(text: str) -> str:
    """The sign that cuts the first lines into equally many fields, as many as possible."""
    lines = [line for line in text.splitlines()[:50] if line.strip()]
    if len(lines) > 1 and len(text) >= 65_000:
        lines = lines[:-1]
    best, found = 0, ","
    for sign in SEPARATORS:
        widths = [len(row) for row in csv.reader(lines, delimiter=sign)]
        if not widths or sum(width == widths[0] for width in widths) < 0.9 * len(widths):
            continue
        if widths[0] > max(best, 1):
            best, found = widths[0], sign
    return found


def unique_names(header: list[str]) -> list[str]:
    """The names, with a number behind those that occur again, and one for those that are blank."""
    names: list[str] = []
    for position, name in enumerate(header):
        name = name if name.strip() else f"unnamed_{position}"
        number = 1
        fresh = name
        while fresh in names:
            fresh, number = f"{name}.{number}", number + 1
        names.append(fresh)
    return names


def _is_index(column: Any) -> bool:
    import pyarrow as pa
    import pyarrow.compute as pc

    return bool(
        pa.types.is_integer(column.type) and not column.null_count and len(pc.unique(column)) == len(column)
    )


INTEGER = r"^\s*[-+]?(0|[1-9]\d{0,17})\s*$"
LONG_INTEGER = r"^[-+]?\d{19,}$"
NUMBER = r"^\s*[-+]?((0|[1-9]\d*)(\.\d*)?|\.\d+)([eE][-+]?\d+)?\s*$|^\s*[-+]?(?i:inf|infinity)\s*$"
COMMA_NUMBER = r"^\s*[-+]?(0|[1-9]\d{0,2}(\.?\d{3})*|[1-9]\d*)(,\d+)?\s*$"
BOOLEANS = {"true": True, "false": False}
ISO_TIME = r"^\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2}([.,]\d{1,9})?)?)?\s*(Z|[-+]\d{2}(:?\d{2})?)?$"
DATE = re.compile(r"^(\d{1,4})([-/.])(\d{1,2})\2(\d{1,4})(?:[ T](\d{1,2}:\d{2}(?::\d{2})?))?$")


def _convert(column: Any, *, comma: bool) -> Any:
    """`column` of text as what all its values are."""
    import pyarrow as pa
    import pyarrow.compute as pc

    encoded = column.dictionary_encode().unify_dictionaries().combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.chunk(0) if encoded.num_chunks else pa.array([], encoded.type)
    words = encoded.dictionary
    if not len(words):
        return pa.nulls(len(column)) if len(column) else column
    trimmed = pc.utf8_trim_whitespace(words)

    def all_match(pattern: str) -> bool:
        # The first few tell nearly always that a column is none.
        return all(
            pc.all(pc.match_substring_regex(part, pattern)).as_py() for part in (trimmed[:50], trimmed)
        )

    if all_match(INTEGER):
        converted = pc.replace_substring_regex(trimmed, r"^\+", "").cast(pa.int64())
    elif all_match(NUMBER):
        if pc.any(pc.match_substring_regex(trimmed, LONG_INTEGER)).as_py():
            # An id: as a float it would lose its last digits.
            return column
        converted = pc.replace_substring_regex(trimmed, r"^\+", "").cast(pa.float64())
    elif comma and all_match(COMMA_NUMBER):
        plain = pc.replace_substring(pc.replace_substring(trimmed, ".", ""), ",", ".")
        converted = plain.cast(pa.float64())
    elif len(words) <= 6 and {word.lower() for word in trimmed.to_pylist()} <= BOOLEANS.keys():
        converted = pa.array([BOOLEANS[word.lower()] for word in trimmed.to_pylist()])
    else:
        converted = _times(trimmed) if pc.match_substring_regex(trimmed[:1], r"^\d").to_pylist()[0] else None
        if converted is None:
            return column
    return converted.take(encoded.indices)


def _date_form(texts: Any, converted: Any) -> str | None:
    """How local dates are written; None where the column holds none. Of day and month nothing is said."""
    import pyarrow as pa
    import pyarrow.compute as pc

    known = texts.drop_null()
    if not pa.types.is_timestamp(converted.type) or pc.match_substring_regex(known[:1], ISO_TIME)[0].as_py():
        return None
    found = DATE.match(known[0].as_py().strip())
    if not found:
        return None
    return f"with {found[2]} and year {'first' if len(found[1]) == 4 else 'last'}"


def _times(words: Any) -> Any:
    """`words` as times, None if one of them is none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pc.all(pc.match_substring_regex(words, ISO_TIME)).as_py():
        zoned = pc.all(pc.match_substring_regex(words, r"(Z|[-+]\d{2}(:?\d{2})?)$")).as_py()
        dates = pc.all(pc.match_substring_regex(words, r"^\d{4}-\d{2}-\d{2}$")).as_py()
        try:
            if dates:
                return words.cast(pa.timestamp("us"))
            return words.cast(pa.timestamp("us", "UTC") if zoned else pa.timestamp("us"))
        except pa.ArrowInvalid:
            return None
    return _local_dates(words)


def iso_times(texts: Any) -> Any:
    """A column of text in which all is times in ISO 8601 as times, any other as it is."""
    import pyarrow.compute as pc

    words = texts.drop_null()
    if not len(words) or not pc.match_substring_regex(words[:1], ISO_TIME)[0].as_py():
        return texts
    if not pc.all(pc.match_substring_regex(words, ISO_TIME)).as_py():
        return texts
    times = _times(pc.unique(words))
    if times is None:
        return texts
    return times.take(pc.index_in(texts, pc.unique(words)))


def _local_dates(words: Any) -> Any:
    """Dates as people write them, in one and the same order."""
    from datetime import datetime

    import pyarrow as pa

    parts = []
    for word in words.to_pylist():
        found = DATE.match(word)
        if not found:
            return None
        parts.append(found.groups())
    signs = {sign for _, sign, *_ in parts}
    if len(signs) != 1:
        return None
    first = [int(part[0]) for part in parts]
    second = [int(part[2]) for part in parts]
    year_first = all(len(part[0]) == 4 for part in parts)
    if not year_first and not all(len(part[3]) == 4 for part in parts):
        return None
    day_first = max(first) > 12 or (signs != {"/"} and max(second) <= 12)
    found_times = []
    for a, _, b, c, clock in parts:
        year, month, day = (a, b, c) if year_first else (c, b, a) if day_first else (c, a, b)
        hours, minutes, seconds = (*map(int, clock.split(":")), 0)[:3] if clock else (0, 0, 0)
        try:
            found_times.append(datetime(int(year), int(month), int(day), hours, minutes, seconds))
        except ValueError:
            return None
    return pa.array(found_times, pa.timestamp("us"))
