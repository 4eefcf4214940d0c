"""What it costs to hand a large frame from one step to the next.

    python benchmarks/hand_over.py [--size 1GB] [--rounds 3] [--json]

ours       written as a step stores it and read as the next one loads it, without the digest that names it
digest     computed while it is written, and what tells that the next step has not changed it
arrow      one uncompressed Arrow file, written and mapped: the floor
pickle     protocol 5, one file, written and read
parquet    as pandas writes it, written and read

After reading, one column is summed. Files are not synced to disk, by none of them.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from sizes import bytes_from

from jupyterlab_pipelines.materializers import materializer_of

COLUMNS = 16


def frame_of(size: int) -> pd.DataFrame:
    """Numbers of three kinds, as much as `size` bytes."""
    rows = size // (8 * COLUMNS)
    rng = np.random.default_rng(0)
    columns: dict[str, object] = {f"f{n}": rng.normal(size=rows) for n in range(COLUMNS - 4)}
    columns |= {f"i{n}": rng.integers(0, 1 << 40, rows) for n in range(4)}
    return pd.DataFrame(columns)


def ours(frame: pd.DataFrame, path: Path) -> float:
    materializer = materializer_of(frame)
    materializer.write(frame, path)
    return float(materializer.read(path)["f1"].sum())  # type: ignore[index]


def arrow(frame: pd.DataFrame, path: Path) -> float:
    table = pa.Table.from_pandas(frame, preserve_index=False)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    mapped = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    return float(mapped["f1"].to_numpy().sum())


def pickled(frame: pd.DataFrame, path: Path) -> float:
    with path.open("wb") as file:
        pickle.dump(frame, file, protocol=5)
    with path.open("rb") as file:
        return float(pickle.load(file)["f1"].sum())


def parquet(frame: pd.DataFrame, path: Path) -> float:
    frame.to_parquet(path)
    return float(pd.read_parquet(path)["f1"].sum())


def digest(frame: pd.DataFrame, path: Path) -> float:
    materializer_of(frame).digest(frame)
    return float(frame["f1"].sum())


WAYS: dict[str, Callable[[pd.DataFrame, Path], float]] = {
    "arrow": arrow,
    "ours": ours,
    "digest": digest,
    "pickle": pickled,
    "parquet": parquet,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", default="1GB")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    frame = frame_of(bytes_from(arguments.size))
    expected = float(frame["f1"].sum())
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in WAYS}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(arguments.rounds):
            for name, way in WAYS.items():
                path = Path(folder) / name
                wall, processor = time.perf_counter(), time.process_time()
                assert way(frame, path) == expected
                found[name].append((time.perf_counter() - wall, time.process_time() - processor))
                path.unlink(missing_ok=True)
    medians = {
        name: {
            "seconds": statistics.median(wall for wall, _ in costs),
            "processor_seconds": statistics.median(processor for _, processor in costs),
        }
        for name, costs in found.items()
    }
    if arguments.json:
        print(json.dumps({"size": arguments.size, "load": os.getloadavg()[0], "medians": medians}))
        return
    for name, cost in medians.items():
        ratio = cost["seconds"] / medians["arrow"]["seconds"]
        print(
            f"{name:10}{cost['seconds']:8.2f} s {cost['processor_seconds']:8.2f} s processor {ratio:6.2f} × arrow"
        )
    print(f"Load {os.getloadavg()[0]:.1f}.")


if __name__ == "__main__":
    main()
