"""What it costs to see that a step left its input as it was, beside what it costs to load it.

    python benchmarks/change_check.py [--size 1GB] [--only NAME …] [--json]

For each kind of value, of about `--size` in memory:

load         `Materializer.read`; files are mapped, so hardly anything is read yet
first look   load, and read all of the loaded file's bytes once
check        what the check adds to a step: the snapshot after loading, and the proof after the last cell
%            the check in per cent of the first look, and of the load alone
digest       the check where there is no proof, and what a changed value costs
store        digest and write, without waiting for the disk
arrow        the same data as an uncompressed Arrow file, written and mapped by pyarrow alone (frames)
proved       whether the value was proved unchanged

Each number is the best of three, since other programs can only add to it.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
from sizes import bytes_from

from jupyterlab_pipelines import materializers

REPEATS = 3

RNG = np.random.default_rng(1)


def floats(rows: int, columns: int) -> pd.DataFrame:
    return pd.DataFrame(RNG.random((rows, columns)), columns=[f"c{at}" for at in range(columns)])


def texts(rows: int) -> pd.Series:
    return pd.Series(RNG.integers(10**11, 10**12, rows)).astype("str")


def mixed(size: int) -> pd.DataFrame:
    rows = size // 53
    return pd.DataFrame(
        {
            "text": texts(rows),
            "number": RNG.random(rows),
            "count": RNG.integers(0, 9, rows),
            "is": RNG.random(rows) < 0.5,
            "time": pd.to_datetime(RNG.integers(0, 1 << 40, rows)),
            "other": RNG.random(rows),
        }
    )


def category(size: int) -> pd.DataFrame:
    codes = RNG.integers(0, 3, (10, size // 10), dtype="i1")
    return pd.DataFrame(
        {f"c{at}": pd.Categorical.from_codes(c, ["a", "b", "c"]) for at, c in enumerate(codes)}
    )


def nullable(size: int) -> pd.DataFrame:
    rows = size // 90
    arrays = (pd.arrays.FloatingArray(RNG.random(rows), RNG.random(rows) < 0.1) for _ in range(10))
    return pd.DataFrame({f"c{at}": array for at, array in enumerate(arrays)})


def plain_table(size: int) -> dict[str, Any]:
    rows = size // 80
    return {**{f"c{at}": RNG.random(rows) for at in range(7)}, "s": RNG.integers(10**11, 10**12, rows)}


VALUES: dict[str, Callable[[int], Any]] = {
    "float64, 10 columns": lambda size: floats(size // 80, 10),
    "float64, 1000 columns": lambda size: floats(size // 8000, 1000),
    "int64": lambda size: pd.DataFrame({f"c{at}": RNG.integers(0, 100, size // 80) for at in range(10)}),
    "datetime64": lambda size: pd.DataFrame(
        {f"c{at}": pd.to_datetime(RNG.integers(0, 1 << 40, size // 80)) for at in range(10)}
    ),
    "bool": lambda size: pd.DataFrame(RNG.integers(0, 2, (size // 10, 10), dtype="i1").astype(bool)),
    "category": category,
    "nullable": nullable,
    "str": lambda size: texts(size // 20).to_frame("s"),
    "mixed": mixed,
    "arrow dtypes": lambda size: floats(size // 80, 10).astype(pd.ArrowDtype(pa.float64())),
    "rows of two levels": lambda size: floats(size // 82, 10).set_index(
        pd.MultiIndex.from_arrays([np.arange(size // 82) // 100, np.arange(size // 82) % 100])
    ),
    "objects: texts": lambda size: texts(size // 70).astype(object).to_frame("o"),
    "objects: lists": lambda size: pd.DataFrame({"o": [[at, at + 1] for at in range(size // 140)]}),
    "numpy array": lambda size: RNG.random(size // 8),
    "dict of arrays": lambda size: {"a": RNG.random(size // 16), "b": RNG.random(size // 16)},
    "polars": lambda size: pl.DataFrame(plain_table(size)).with_columns(pl.col("s").cast(pl.String)),
    "pyarrow": lambda size: pa.table({k: pa.array(v).cast("string") if k == "s" else v
                                      for k, v in plain_table(size).items()}),
}  # fmt: skip


def seconds(action: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    result = action()
    return time.perf_counter() - started, result


def best(action: Callable[[], Any], before: Callable[[], Any] = gc.collect) -> float:
    times = []
    for _ in range(REPEATS):
        before()
        times.append(seconds(action)[0])
    return min(times)


def measure(name: str, size: int, folder: Path) -> dict[str, Any]:
    value = VALUES[name](size)
    path, arrow_path = folder / "value", folder / "arrow"
    materializer = materializers.materializer_of(value)
    digest = materializer.digest(value)
    store = best(lambda: (materializer.digest(value), materializer.write(value, path)))
    arrow = best(lambda: through_arrow(value, arrow_path)) if isinstance(value, pd.DataFrame) else None
    arrow_path.unlink(missing_ok=True)
    value = None
    gc.collect()

    load = best(lambda: materializer.read(path))
    look = best(lambda: (materializer.read(path), look_at(path)))
    checks = []
    for _ in range(REPEATS):
        value = materializer.read(path)
        taking, snapshot = seconds(lambda value=value: materializers.snapshot(value))
        # Now its pages are in memory: the most work for whoever asks for them.
        digesting, again = seconds(lambda value=value: materializer.digest(value))
        assert again == digest
        proving, is_proved = seconds(lambda v=value, s=snapshot: s is not None and s.proves(v))
        checks.append((taking + proving if is_proved else taking + digesting, digesting, is_proved))
        value = snapshot = None
        gc.collect()
    check, _, is_proved = min(checks)
    return {
        "name": name,
        "materializer": materializer.name,
        "file_bytes": path.stat().st_size,
        "load_seconds": load,
        "first_look_seconds": look,
        "check_seconds": check,
        "check_per_first_look": check / look,
        "check_per_load": check / load,
        "digest_seconds": min(digesting for _, digesting, _ in checks),
        "store_seconds": store,
        "arrow_seconds": arrow,
        "is_proved": bool(is_proved),
    }


def look_at(path: Path) -> None:
    """Read each byte of a mapped file once."""
    mapped = np.memmap(path, np.uint8, "r")
    words = mapped[: len(mapped) // 8 * 8].view(np.uint64)
    np.bitwise_xor.reduce(words)


def through_arrow(frame: pd.DataFrame, path: Path) -> Any:
    try:
        table = pa.Table.from_pandas(frame)
    except pa.ArrowException:
        return None
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return pa.ipc.open_file(pa.memory_map(str(path))).read_all()


COLUMNS = (
    ("load", "load_seconds", "{:8.4f}"),
    ("first look", "first_look_seconds", "{:10.3f}"),
    ("check", "check_seconds", "{:8.4f}"),
    ("% of look", "check_per_first_look", "{:9.1%}"),
    ("% of load", "check_per_load", "{:9.0%}"),
    ("digest", "digest_seconds", "{:7.3f}"),
    ("store", "store_seconds", "{:7.3f}"),
    ("arrow", "arrow_seconds", "{:7.3f}"),
    ("proved", "is_proved", "{!s:>6}"),
)


def row(measured: dict[str, Any]) -> str:
    cells = [f"{measured['name']:22}"]
    for title, key, form in COLUMNS:
        number = measured[key]
        width = len(form.format(0.0))
        cells.append(("–" if number is None else form.format(number)).rjust(max(width, len(title))))
    return "  ".join(cells)


def titles() -> str:
    return "  ".join(
        [" " * 22, *(title.rjust(max(len(form.format(0.0)), len(title))) for title, _, form in COLUMNS)]
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--size", type=bytes_from, default=10**9, help="of each value, e.g. 200MB (default: 1GB)"
    )
    parser.add_argument("--only", nargs="*", choices=list(VALUES), metavar="NAME", help="these values")
    parser.add_argument(
        "--json", action="store_true", help="one JSON document on stdout, the table on stderr"
    )
    chosen = parser.parse_args()

    table = sys.stderr if chosen.json else sys.stdout
    print(titles(), file=table, flush=True)
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for name in chosen.only or VALUES:
            results.append(measure(name, chosen.size, Path(folder)))
            print(row(results[-1]), file=table, flush=True)
    if chosen.json:
        print(json.dumps({"size_bytes": chosen.size, "values": results}, indent=1))


if __name__ == "__main__":
    main()
