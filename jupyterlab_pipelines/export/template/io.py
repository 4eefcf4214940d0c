"""Values and files: what a step leaves is written to a folder, local or behind any fsspec URL.

The format is the most open one that brings a value back exactly: JSON, ``.npy``, Parquet, and pickle last.
"""

from __future__ import annotations

import hashlib
import importlib
import io
import json
import os
import pickle
import secrets
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

SUFFIXES = {"json": ".json", "npy": ".npy", "parquet": ".parquet", "pickle": ".pkl"}
LARGEST_INTEGER = 10**4000


class Folder:
    """A folder of artifacts.

    Parameters
    ----------
    place
        A path, or a URL such as ``s3://bucket/run``, for which fsspec and its driver must be installed.
    """

    def __init__(self, place: str | os.PathLike[str]) -> None:
        self.place = os.fspath(place).rstrip("/") or "/"
        self._remote: Any = None
        if "://" in self.place and not self.place.startswith("file://"):
            import fsspec

            self._remote, self._root = fsspec.core.url_to_fs(self.place)
        else:
            self._root = os.path.abspath(self.place.removeprefix("file://"))

    def read(self, path: str) -> bytes:
        """The content of a file.

        Raises
        ------
        FileNotFoundError
        """
        if self._remote is None:
            return Path(self._root, path).read_bytes()
        content: bytes = self._remote.cat_file(f"{self._root}/{path}")
        return content

    def write(self, path: str, content: bytes) -> None:
        """Write a file so that it is never there in part."""
        if self._remote is not None:
            self._remote.makedirs(f"{self._root}/{path}".rpartition("/")[0], exist_ok=True)
            self._remote.pipe_file(f"{self._root}/{path}", content)
            return
        target = Path(self._root, path)
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
        try:
            aside.write_bytes(content)
            os.replace(aside, target)
        finally:
            aside.unlink(missing_ok=True)

    def read_json(self, path: str) -> Any:
        """The document in a file, None if there is no such file."""
        try:
            return json.loads(self.read(path))
        except FileNotFoundError:
            return None

    def write_json(self, path: str, document: Any) -> None:
        """Write a document, readable for people."""
        self.write(path, (json.dumps(document, indent=2, sort_keys=True) + "\n").encode())


def save(folder: Folder, path: str, value: Any, *, pickled: bool = False) -> dict[str, Any]:
    """Write a value to `path` and a suffix; how it can be found and read again."""
    form, content = ("pickle", pickle_of(value)) if pickled else dump(value)
    file = path + SUFFIXES[form]
    folder.write(file, content)
    return {
        "file": file,
        "format": form,
        "type": f"{type(value).__module__}.{type(value).__qualname__}",
        "size_bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def load(folder: Folder, record: Mapping[str, Any]) -> Any:
    """Read what `save` has written.

    Raises
    ------
    ValueError
        The file is not the one that was written.
    """
    content = folder.read(record["file"])
    if hashlib.sha256(content).hexdigest() != record["sha256"]:
        raise ValueError(f"{record['file']} in {folder.place} is not the file that its step wrote.")
    return parse(record["format"], content)


def dump(value: Any) -> tuple[str, bytes]:
    """The format and the bytes of a value."""
    if _is_json(value):
        return "json", json.dumps(value, ensure_ascii=True).encode()
    numpy = sys.modules.get("numpy")
    if numpy is not None and _is_plain_array(numpy, value):
        stream = io.BytesIO()
        numpy.save(stream, value, allow_pickle=False)
        return "npy", stream.getvalue()
    pandas = sys.modules.get("pandas")
    if pandas is not None and type(value) is pandas.DataFrame:
        content = _parquet(pandas, value)
        if content is not None:
            return "parquet", content
    return "pickle", pickle_of(value)


def parse(form: str, content: bytes) -> Any:
    """The value in bytes of a format."""
    if form == "json":
        return json.loads(content)
    if form == "npy":
        import numpy

        return numpy.load(io.BytesIO(content), allow_pickle=False).copy()
    if form == "parquet":
        import pandas

        return _read_parquet(pandas, content)
    if form == "pickle":
        return pickle.loads(content)
    raise ValueError(f"There is no format {form!r}.")


def pickle_of(value: Any) -> bytes:
    """The bytes of a value that no other format has."""
    try:
        return pickle.dumps(value, protocol=5)
    except Exception:
        try:
            import cloudpickle
        except ImportError:
            cloudpickle = None
        if cloudpickle is None:
            raise
        content: bytes = cloudpickle.dumps(value, protocol=5)
        return content


def _is_json(value: Any) -> bool:
    """Exactly JSON's types, no container twice, and no number that a reader may take for another."""
    seen: set[int] = set()
    todo: list[tuple[Any, int]] = [(value, 0)]
    while todo:
        each, depth = todo.pop()
        kind = type(each)
        if each is None or kind in (bool, str):
            continue
        if kind is int:
            if not -LARGEST_INTEGER < each < LARGEST_INTEGER:
                return False
        elif kind is float:
            if each != each or each in (float("inf"), float("-inf")):
                return False
        elif kind in (list, dict) and id(each) not in seen and depth < 200:
            seen.add(id(each))
            if kind is dict and not all(type(key) is str for key in each):
                return False
            todo += [(item, depth + 1) for item in (each if kind is list else each.values())]
        else:
            return False
    return True


def _is_plain_array(numpy: Any, value: Any) -> bool:
    return (
        type(value) is numpy.ndarray
        and not value.dtype.hasobject
        and value.dtype.names is None
        and value.dtype.metadata is None
        and value.dtype.kind in "biufcSUmM"
        and value.flags.writeable
        and value.flags.forc
    )


def _parquet(pandas: Any, frame: Any) -> bytes | None:
    """The frame as Parquet, None if it would not come back exactly."""
    if not _may_be_parquet(frame):
        return None
    stream = io.BytesIO()
    try:
        frame.to_parquet(stream, engine="pyarrow")
        content = stream.getvalue()
        back = _read_parquet(pandas, content)
        return content if _are_same_frames(frame, back) else None
    except Exception:  # a column that Parquet does not have: there is always pickle
        return None


def _read_parquet(pandas: Any, content: bytes) -> Any:
    """The frame, which is the same whatever options a step has set: they say how texts are held."""
    config: Any = importlib.import_module("pandas._config.config")
    options: list[Any] = []
    for name in ("mode.string_storage", "future.infer_string"):
        if name in config._registered_options.keys() - config._deprecated_options.keys():
            options += [name, config._registered_options[name].defval]
    with pandas.option_context(*options):
        return pandas.read_parquet(io.BytesIO(content), engine="pyarrow")


def _may_be_parquet(frame: Any) -> bool:
    labels = list(frame.columns)
    return (
        bool(labels)
        and all(type(label) is str for label in labels)
        and len(set(labels)) == len(labels)
        and not frame.attrs
        and frame.flags.allows_duplicate_labels
        and frame.index.nlevels == 1
        and all(_may_be_column(frame[label]) for label in labels)
    )


def _may_be_column(column: Any) -> bool:
    if column.dtype == object:
        return all(type(each) is str for each in column)
    return True


def _are_same_frames(left: Any, right: Any) -> bool:
    return (
        type(left.columns) is type(right.columns)
        and left.columns.dtype == right.columns.dtype
        and list(left.columns) == list(right.columns)
        and left.columns.names == right.columns.names
        and _are_same_indexes(left.index, right.index)
        and all(_are_same_columns(left[label], right[label]) for label in left.columns)
    )


def _are_same_indexes(left: Any, right: Any) -> bool:
    if type(left) is not type(right) or left.names != right.names or str(left.dtype) != str(right.dtype):
        return False
    if getattr(left, "freq", None) != getattr(right, "freq", None):
        return False
    if type(left).__name__ == "RangeIndex":
        return bool((left.start, left.stop, left.step) == (right.start, right.stop, right.step))
    if left.dtype == object and not all(type(each) is str for each in left):
        return False
    if not _same_categories(left.dtype, right.dtype) or not _same_zones(left.dtype, right.dtype):
        return False
    return bool(left.equals(right))


def _are_same_columns(left: Any, right: Any) -> bool:
    if str(left.dtype) != str(right.dtype) or left.dtype != right.dtype:
        return False
    if not _same_categories(left.dtype, right.dtype) or not _same_zones(left.dtype, right.dtype):
        return False
    if type(left.dtype).__module__.startswith("numpy") and left.dtype != object:
        first, second = left.to_numpy(), right.to_numpy()
        return bool(first.tobytes() == second.tobytes())
    return bool(left.equals(right))


def _same_categories(left: Any, right: Any) -> bool:
    if not hasattr(left, "categories"):
        return True
    return bool(
        left.ordered == right.ordered
        and left.categories.dtype == right.categories.dtype
        and list(left.categories) == list(right.categories)
    )


def _same_zones(left: Any, right: Any) -> bool:
    return type(getattr(left, "tz", None)) is type(getattr(right, "tz", None))


def loaders(folder: Folder) -> Callable[[Mapping[str, Any]], Any]:
    """A function that reads records, and each file once: members of one file go on to share objects."""
    files: dict[str, Any] = {}

    def read(record: Mapping[str, Any]) -> Any:
        if "member" not in record:
            return load(folder, record)
        if record["file"] not in files:
            files[record["file"]] = load(folder, record)
        return files[record["file"]][record["member"]]

    return read


def save_outputs(
    folder: Folder,
    place: str,
    values: Mapping[str, Any],
    together: tuple[tuple[str, ...], ...],
    pickled: tuple[str, ...] = (),
) -> dict[str, dict[str, Any]]:
    """Write what a step leaves; by name, the record of each."""
    records: dict[str, dict[str, Any]] = {}
    for group in together:
        members = {name: values[name] for name in group if name in values}
        record = save_together(folder, f"{place}/{'+'.join(group)}", members)
        records |= {name: record | {"member": name} for name in members}
    for name, value in values.items():
        if name not in records:
            records[name] = save(folder, f"{place}/{name}", value, pickled=name in pickled)
    return records


def save_together(folder: Folder, path: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Write values that share objects into one file."""
    content = pickle_of(dict(values))
    folder.write(f"{path}.pkl", content)
    return {
        "file": f"{path}.pkl",
        "format": "pickle",
        "type": "builtins.dict",
        "size_bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
