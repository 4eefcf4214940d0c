"""What statistics cost: ours beside pandas, polars, DuckDB, ydata-profiling and skrub.

Each tool runs in a process of its own on the same two tables, a long and a wide one. Told are CPU seconds of a later
call (the first one imports), wall seconds, the growth of peak memory, and the ratio of CPU seconds to ours. Tools
that are not installed are left out; one that takes longer than two minutes is stopped.

    python benchmarks/measure.py [--rows 1000000] [--only ours,duckdb] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

TIMEOUT_SECONDS = 120
CALLS = 4


def long_table(rows: int) -> Any:
    """Twelve floats with 5 % nulls, eight whole numbers, six texts of 10 to 50,000 values, booleans, times."""
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(0)
    columns: dict[str, Any] = {}
    for index in range(12):
        values = rng.normal(size=rows) * 10 ** (index % 4)
        values[rng.random(rows) < 0.05] = np.nan
        columns[f"float_{index}"] = values
    for index in range(8):
        columns[f"int_{index}"] = rng.integers(0, 10 ** (index + 1), rows)
    for distinct in (10, 50, 200, 1_000, 10_000, 50_000):
        words = np.array([f"value_{number}" for number in range(distinct)])
        columns[f"text_{distinct}"] = words[rng.integers(0, distinct, rows)]
    for index in range(2):
        columns[f"bool_{index}"] = rng.random(rows) < 0.3
        columns[f"time_{index}"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(
            rng.integers(0, 31_536_000, rows), "s"
        )
    return pd.DataFrame(columns)


def wide_table(rows: int) -> Any:
    """A thousand columns: 600 floats, 200 whole numbers, 100 texts, 100 booleans."""
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(0)
    words = np.array([f"value_{number}" for number in range(50)])
    columns: dict[str, Any] = {f"float_{i}": rng.normal(size=rows) for i in range(600)}
    columns |= {f"int_{i}": rng.integers(0, 1_000, rows) for i in range(200)}
    columns |= {f"text_{i}": words[rng.integers(0, 50, rows)] for i in range(100)}
    columns |= {f"bool_{i}": rng.random(rows) < 0.3 for i in range(100)}
    return pd.DataFrame(columns)


def ours(table: Any) -> None:
    from jupyterlab_pipelines.quality.statistics import measure

    measure(table)


def sort_floor(table: Any) -> None:
    """No statistics: what sorting each column of numbers costs."""
    import numpy as np

    for name in table.select_dtypes("number"):
        np.sort(table[name].to_numpy())


def pandas_describe(table: Any) -> None:
    table.describe(include="all")


def polars_describe(table: Any) -> None:
    import polars as pl

    pl.from_pandas(table).describe()


def duckdb_summarize(table: Any) -> None:
    import duckdb

    connection = duckdb.connect()
    connection.register("measured", table)
    connection.execute("SUMMARIZE measured").fetchall()


def ydata_minimal(table: Any) -> None:
    from ydata_profiling import ProfileReport

    ProfileReport(table, minimal=True, progress_bar=False).get_description()


def skrub_report(table: Any) -> None:
    from skrub import TableReport

    TableReport(table, verbose=0).json()


TOOLS: dict[str, Callable[[Any], None]] = {
    "ours": ours,
    "sort_floor": sort_floor,
    "pandas": pandas_describe,
    "polars": polars_describe,
    "duckdb": duckdb_summarize,
    "ydata": ydata_minimal,
    "skrub": skrub_report,
}


def measure_one(tool: str, shape: str, rows: int) -> dict[str, float]:
    """Costs of one tool, in this process."""
    from jupyterlab_pipelines.quality.processor import prefer_fast_sort

    prefer_fast_sort()
    table = long_table(rows) if shape == "long" else wide_table(max(1, rows // 100))
    before = _reset_peak()
    costs = []
    for call in range(CALLS):
        wall, cpu = time.perf_counter(), time.process_time()
        TOOLS[tool](table)
        costs.append((time.process_time() - cpu, time.perf_counter() - wall))
        if call and sum(seconds for _, seconds in costs) > 30:
            break
    grown = _memory_kib("VmHWM") - before
    later = costs[1:] or costs
    return {
        "first_cpu_seconds": costs[0][0],
        "cpu_seconds": min(cpu for cpu, _ in later),
        "wall_seconds": min(wall for _, wall in later),
        "memory_mib": grown / 1024,
    }


def _reset_peak() -> int:
    """Forget the peak of memory that making the table took (Linux); the memory in use, KiB."""
    clear = Path("/proc/self/clear_refs")
    if clear.exists():
        clear.write_text("5")
    return _memory_kib("VmRSS")


def _memory_kib(key: str) -> int:
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) for line in lines if line.startswith(key)), 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--only", default=",".join(TOOLS))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", nargs=2, metavar=("TOOL", "SHAPE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure_one(*arguments.one, arguments.rows)))
        return
    document: dict[str, dict[str, Any]] = {}
    for shape in ("long", "wide"):
        document[shape] = {}
        for tool in arguments.only.split(","):
            document[shape][tool] = found = _in_own_process(tool, shape, arguments.rows)
            told = found.get("failed") or (
                f"CPU {found['cpu_seconds']:6.2f} s  wall {found['wall_seconds']:6.2f} s  "
                f"first CPU {found['first_cpu_seconds']:6.2f} s  memory {found['memory_mib']:6.0f} MiB  "
                f"ratio {found['cpu_seconds'] / document[shape].get('ours', found)['cpu_seconds']:6.1f}"
            )
            print(f"{shape:<5} {tool:<11} {told}", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(document, indent=2) + "\n")


def _in_own_process(tool: str, shape: str, rows: int) -> dict[str, Any]:
    command = [sys.executable, __file__, "--rows", str(rows), "--one", tool, shape]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        return {"failed": f"stopped after {TIMEOUT_SECONDS} s"}
    if ran.returncode:
        return {"failed": ran.stderr.strip().splitlines()[-1] if ran.stderr.strip() else "failed"}
    found: dict[str, Any] = json.loads(ran.stdout.strip().splitlines()[-1])
    return found


if __name__ == "__main__":
    main()
