"""Well-known libraries that open files in native code tell what they are given, where the system does not.

Their functions that read files are wrapped as soon as the library is imported: what they are called with is
looked at for paths, folders, patterns, addresses, and for such in the quotes of a query. A wrapper is found wherever
the library itself keeps the function, under the same name and with the same signature; so it can be pickled, and asked
for its documentation. What cannot be wrapped stays as it is.
"""

from __future__ import annotations

import functools
import importlib.machinery
import inspect
import os
import re
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from typing import Any

READERS: dict[str, tuple[str, ...]] = {
    "pyarrow": ("memory_map", "input_stream"),
    "pyarrow.parquet": ("read_*", "ParquetFile.__init__", "ParquetDataset.__init__"),
    "pyarrow.dataset": ("dataset", "parquet_dataset"),
    "pyarrow.csv": ("read_csv", "open_csv"),
    "pyarrow.json": ("read_json", "open_json"),
    "pyarrow.feather": ("read_*", "FeatherDataset.__init__"),
    "pyarrow.orc": ("read_*", "ORCFile.__init__"),
    "polars": ("read_*", "scan_*"),
    "duckdb": (
        *("connect", "sql", "query", "execute", "read_*", "from_*", "parquet_*"),
        *(f"DuckDBPyConnection.{name}" for name in ("execute", "sql", "query", "read_*", "from_*")),
    ),
    "h5py": ("File.__init__",),
    "fastparquet": ("ParquetFile.__init__",),
    "tables": ("open_file",),
    "xarray": ("open_*", "load_*"),
    "netCDF4": ("Dataset.__init__", "MFDataset.__init__"),
    "cv2": ("imread*", "VideoCapture"),
    "lightgbm": ("Dataset.__init__", "Booster.__init__"),
    "xgboost": ("DMatrix.__init__", "Booster.__init__", "Booster.load_model"),
    "catboost": ("Pool.__init__",),
    "deltalake": ("DeltaTable.__init__",),
    "fastexcel": ("read_excel",),
    "pyogrio": ("read_*",),
    "pyreadstat": ("read_*",),
    "rasterio": ("open",),
    "soundfile": ("read", "SoundFile.__init__"),
}
"""By module, its functions and methods that open files themselves."""

QUOTED = re.compile(r"'([^'\n]+)'|\"([^\"\n]+)\"")
MOST_ARGUMENTS = 10_000


class NativeReaders:
    """Wraps the readers of libraries that are there, and of others when they are imported.

    Parameters
    ----------
    told
        Called with each text that may be a path, before the reader reads it.
    """

    def __init__(self, told: Callable[[str], None]) -> None:
        self._told = told
        for name in READERS:
            module = sys.modules.get(name)
            if module is not None:
                self._wrap(module)
        sys.meta_path.insert(0, self)

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """As `importlib.abc.MetaPathFinder` has it."""
        if name not in READERS:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        loader: Any = None if spec is None else spec.loader
        execute = getattr(loader, "exec_module", None)
        if execute is None:
            return None

        def exec_module(module: types.ModuleType) -> None:
            execute(module)
            self._wrap(module)

        with suppress(AttributeError):
            loader.exec_module = exec_module
        return spec

    def _wrap(self, module: types.ModuleType) -> None:
        for pattern in READERS[module.__name__]:
            with suppress(Exception):  # another version of the library: it goes on as if nobody looked
                owner_name, _, pattern_in = pattern.rpartition(".")
                owner: Any = getattr(module, owner_name) if owner_name else module
                for name in [each for each in dir(owner) if fnmatchcase(each, pattern_in)]:
                    original = getattr(owner, name)
                    if callable(original) and not isinstance(original, type):
                        self._replace(owner, name, original)

    def _replace(self, owner: Any, name: str, original: Any) -> None:
        wrapper = self._wrapper(original)
        with suppress(AttributeError, TypeError):  # a class of native code may not be changed
            setattr(owner, name, wrapper)
        if isinstance(owner, types.ModuleType):
            # Where the library has it from: pickle looks for it there.
            root = owner.__name__.partition(".")[0]
            for other, module in list(sys.modules.items()):
                if other.partition(".")[0] == root and vars(module).get(name) is original:
                    setattr(module, name, wrapper)

    def _wrapper(self, original: Any) -> Any:
        told = self._told

        @functools.wraps(original)
        def reader(*arguments: Any, **options: Any) -> Any:
            for text in texts_of((*arguments, *options.values())):
                told(text)
            return original(*arguments, **options)

        with suppress(TypeError, ValueError):
            reader.__signature__ = inspect.signature(original)  # type: ignore[attr-defined]
        return reader


def texts_of(arguments: Sequence[Any]) -> Iterator[str]:
    """Texts among what a function is given that may name a file, or quote such a name."""
    for value in arguments:
        if isinstance(value, (str, os.PathLike)):
            text = os.fsdecode(value)
            yield text
            if any(quote in text for quote in "'\""):
                yield from (first or second for first, second in QUOTED.findall(text))
        elif isinstance(value, (list, tuple, set)) and len(value) <= MOST_ARGUMENTS:
            yield from texts_of(tuple(value))
