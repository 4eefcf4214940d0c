"""``arrow``: tables, batches and arrays of pyarrow, as Arrow IPC."""

from __future__ import annotations

import mmap
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jupyterlab_pipelines.materializers import canonical, mapped

_KIND = b"jupyterlab_pipelines.kind"


class ArrowMaterializer:
    name = "arrow"

    def accepts(self, value: Any) -> bool:
        """Tables, record batches, arrays and chunked arrays whose types this process can read back."""
        pa = sys.modules.get("pyarrow")
        if pa is None:
            return False
        if type(value) in (pa.Table, pa.RecordBatch):
            return all(_is_kept_by_ipc(field.type) for field in value.schema)
        # An array's class follows from its type; extension types may bring their own and go by pickle.
        is_array = isinstance(value, (pa.Array, pa.ChunkedArray)) and type(value).__module__ == "pyarrow.lib"
        return is_array and _is_kept_by_ipc(value.type)

    def digest(self, value: object) -> str:
        return canonical.digest(value)

    def write(self, value: Any, path: Path) -> tuple[str, ...]:
        import pyarrow as pa

        if isinstance(value, pa.Table):
            kind, table = "Table", value
        elif isinstance(value, pa.RecordBatch):
            kind, table = "RecordBatch", pa.Table.from_batches([value])
        else:
            kind = "ChunkedArray" if isinstance(value, pa.ChunkedArray) else "Array"
            table = pa.Table.from_arrays([value], [""])
        metadata = {**(table.schema.metadata or {}), _KIND: kind.encode()}
        write_ipc(table.replace_schema_metadata(metadata), path)
        return ()

    def read(self, path: Path) -> object:
        import pyarrow as pa

        with path.open("rb") as file:
            mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            data = pa.py_buffer(mapping)
            mapped.watch(mapping, file.fileno(), data.address)
        table = pa.ipc.open_file(data).read_all()
        metadata = dict(table.schema.metadata)
        kind = metadata.pop(_KIND).decode()
        table = table.replace_schema_metadata(metadata or None)
        if kind == "Table":
            return table
        if kind == "RecordBatch":
            batches = table.to_batches()
            return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)
        column = table.column(0)
        if kind == "ChunkedArray":
            return column
        return column.chunk(0) if column.num_chunks else pa.array([], column.type)


def write_ipc(table: Any, path: Path) -> None:
    """An uncompressed Arrow IPC file, which a reader can map without copying."""
    import pyarrow as pa

    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def _is_kept_by_ipc(dtype: Any) -> bool:
    import pyarrow as pa

    if isinstance(dtype, (pa.BaseExtensionType, pa.UnionType)):
        return False
    if isinstance(dtype, pa.DictionaryType):
        return _is_kept_by_ipc(dtype.value_type)
    return all(_is_kept_by_ipc(dtype.field(position).type) for position in range(dtype.num_fields))


# -- canonical encoding ----------------------------------------------------------------------


def form_of(kind: type) -> Any:
    import pyarrow as pa

    if issubclass(kind, pa.Table):
        return _table_form
    if issubclass(kind, pa.RecordBatch):
        return _table_form
    if issubclass(kind, (pa.Array, pa.ChunkedArray)):
        return _array_form
    if issubclass(kind, (pa.Schema, pa.Field, pa.DataType, pa.Scalar)):
        return None
    return ...


def _table_form(encoder: canonical.Encoder, table: Any) -> tuple[object, ...]:
    return (
        f"pyarrow.{type(table).__name__}",
        table.schema.serialize().to_pybytes(),
        table.num_rows,
        tuple(encoder.column(column) for column in table.columns),
    )


def _array_form(encoder: canonical.Encoder, array: Any) -> tuple[object, ...]:
    import pyarrow as pa

    kind = "ChunkedArray" if isinstance(array, pa.ChunkedArray) else "Array"
    schema = pa.schema([pa.field("", array.type)])
    return (f"pyarrow.{kind}", schema.serialize().to_pybytes(), encoder.column(array))


def column_form(column: Any) -> tuple[object, ...]:
    """Length, validity and values, whatever the chunks and the bytes under nulls are."""
    import pyarrow as pa

    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    return (len(column), str(column.type), _hash_chunks(chunks, column.type))


def _hash_chunks(chunks: list[Any], dtype: Any) -> tuple[object, ...]:
    """One hash per part: validity, then what the type consists of, each run on through the chunks."""
    import pyarrow as pa

    chunks = [chunk for chunk in chunks if len(chunk)]
    if isinstance(dtype, pa.BaseExtensionType):
        return _hash_chunks([chunk.storage for chunk in chunks], dtype.storage_type)
    validity = _hash_of(_bits(chunk.is_valid()) for chunk in chunks)
    if pa.types.is_dictionary(dtype):
        # Dictionaries differ from chunk to chunk, and codes may point to nulls: values are what counts.
        return _hash_chunks([chunk.dictionary_decode() for chunk in chunks], dtype.value_type)
    if pa.types.is_boolean(dtype):
        return validity, _hash_of(_bits(chunk.fill_null(False)) for chunk in chunks)
    if pa.types.is_string(dtype) or pa.types.is_binary(dtype) or _is_large(dtype):
        nothing = b"" if "binary" in str(dtype) else ""
        filled = [chunk.fill_null(nothing) if chunk.null_count else chunk for chunk in chunks]
        lengths = _hash_of(_lengths(chunk) for chunk in filled)
        return validity, lengths, _hash_of(_characters(chunk) for chunk in filled)
    if pa.types.is_primitive(dtype):
        return validity, _hash_of(_numbers(chunk) for chunk in chunks)
    if pa.types.is_struct(dtype):
        fields = (dtype.field(position) for position in range(dtype.num_fields))
        flat = [chunk.flatten() for chunk in chunks]  # a null struct makes its fields null
        return validity, *(_hash_chunks([f[at] for f in flat], field.type) for at, field in enumerate(fields))
    if pa.types.is_list(dtype) or pa.types.is_large_list(dtype):
        import pyarrow.compute as pc

        lengths = _hash_of(_numbers(pc.list_value_length(chunk).cast("int64")) for chunk in chunks)
        return validity, lengths, _hash_chunks([chunk.flatten() for chunk in chunks], dtype.value_type)
    return validity, tuple(item for chunk in chunks for item in chunk.to_pylist())


def _hash_of(parts: Iterator[Any]) -> bytes:
    hasher = canonical.new_hash()
    for part in parts:
        hasher.update(part)
    return bytes(hasher.digest())


def _is_large(dtype: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_large_string(dtype) or pa.types.is_large_binary(dtype))


def _bits(booleans: Any) -> Any:
    """One byte per value, so that chunks of any length can follow each other."""
    return _numbers(booleans.cast("uint8"))


def _numbers(array: Any) -> Any:
    """The bytes of a fixed-width array, zero under nulls."""
    import pyarrow as pa

    width = array.type.bit_width // 8
    if array.null_count:
        zeros = pa.Array.from_buffers(array.type, 1, [None, pa.py_buffer(bytes(width))])
        array = array.fill_null(zeros[0])
    data = array.buffers()[1]
    return memoryview(data)[array.offset * width : (array.offset + len(array)) * width] if data else b""


def _offsets(array: Any) -> Any:
    """The positions where values begin, and where the last one ends."""
    data = memoryview(array.buffers()[1]).cast("B").cast("q" if _is_large(array.type) else "i")
    return data[array.offset : array.offset + len(array) + 1]


def _lengths(array: Any) -> Any:
    import pyarrow.compute as pc

    return _numbers(pc.binary_length(array).cast("int64"))


def _characters(array: Any) -> Any:
    offsets, data = _offsets(array), array.buffers()[2]
    return memoryview(data)[offsets[0] : offsets[-1]] if data else b""


MATERIALIZER = ArrowMaterializer()
