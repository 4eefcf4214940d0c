"""What it costs a step that somebody watches which files it reads.

    python benchmarks/tracing.py [--size 1GB] [--repeats 3] [--only NAME …] [--json]

Each case is executed in processes of its own, with and without tracing in turn; the best of `--repeats` counts.
All are seconds of processor time, to which other programs add little.

plain        the step by itself
traced       the same with everything that happens in its kernel because of tracing, the report at its end included
cost         how much more, in per cent
later        reading the files once more for their digests, which the process that runs the steps does meanwhile
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from sizes import bytes_from

SMALL_FILES = 5_000

CASES = {
    "np.load": ("import numpy as np", "int(np.load('large.npy').sum())"),
    "pandas, Parquet": ("import pandas as pd", "float(pd.read_parquet('large.parquet')['c0'].sum())"),
    "pyarrow, Parquet": (
        "import pyarrow.parquet as pq, pyarrow.compute as pc",
        "pc.sum(pq.read_table('large.parquet')['c0'])",
    ),
    "pandas, CSV": ("import pandas as pd", "float(pd.read_csv('large.csv')['c0'].sum())"),
    "open, in blocks": ("", "with open('large.npy', 'rb') as f:\n    while f.read(1 << 20): pass"),
    "5,000 small files": (
        "import pathlib",
        "sum(len(path.read_text().splitlines()) for path in pathlib.Path('small').glob('*.txt'))",
    ),
    "imports": ("", "import pandas, pyarrow.parquet"),
    "computes only": ("", "sum(n * n for n in range(10_000_000))"),
}


def make(folder: Path, size: int) -> None:
    import numpy as np
    import pandas as pd

    numbers = np.random.default_rng(1)
    np.save(folder / "large.npy", numbers.integers(0, 100, size // 8))
    frame = pd.DataFrame(numbers.random((size // 80, 10)), columns=[f"c{at}" for at in range(10)])
    frame.to_parquet(folder / "large.parquet")
    # A CSV of this size takes ten times as long to read as the other files do.
    frame.iloc[: size // 2000].to_csv(folder / "large.csv")
    (folder / "small").mkdir()
    for number in range(SMALL_FILES):
        (folder / "small" / f"{number}.txt").write_text("a line\n" * 20)
    (folder / "pyproject.toml").touch()
    time.sleep(2.5)  # files that are younger may change without another time


def execute(setup: str, code: str, is_traced: bool) -> dict[str, float]:
    """In a process of its own: the step's seconds."""
    names: dict[str, Any] = {}
    exec(setup, names)
    compiled = compile(code, "step", "exec")
    if not is_traced:
        started = time.process_time()
        exec(compiled, names)
        return {"seconds": time.process_time() - started}
    from jupyterlab_pipelines.files import missing_digests, with_digests
    from jupyterlab_pipelines.kernel import runtime

    runtime.record_files()
    started = time.process_time()
    exec(compiled, names)
    told = runtime.files()
    seconds = time.process_time() - started
    trace = {"files": told["read"]}
    count = len(missing_digests(trace))
    started = time.process_time()
    with_digests(trace, Path.cwd())
    return {"seconds": seconds, "later": time.process_time() - started, "files": count}


def measure(name: str, folder: Path, repeats: int) -> dict[str, Any]:
    best: dict[str, dict[str, float]] = {}
    for _ in range(repeats):
        for how in ("plain", "traced"):
            command = [sys.executable, os.path.abspath(__file__), "--execute", name, how]
            told = json.loads(subprocess.check_output(command, cwd=folder))
            if how not in best or told["seconds"] < best[how]["seconds"]:
                best[how] = told
    plain, traced = best["plain"]["seconds"], best["traced"]["seconds"]
    return {
        "name": name,
        "plain_seconds": plain,
        "traced_seconds": traced,
        "cost": traced / plain - 1,
        "later_seconds": best["traced"]["later"],
        "files": best["traced"]["files"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=bytes_from, default=10**9, help="of the large files (default: 1GB)")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", nargs="*", choices=list(CASES), metavar="NAME", help="these cases")
    parser.add_argument(
        "--json", action="store_true", help="one JSON document on stdout, the table on stderr"
    )
    parser.add_argument("--execute", nargs=2, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.execute:
        setup, code = CASES[chosen.execute[0]]
        print(json.dumps(execute(setup, code, chosen.execute[1] == "traced")))
        return
    out = sys.stderr if chosen.json else sys.stdout
    print(f"{'':20}    plain   traced    cost    later  files", file=out)
    results = []
    with tempfile.TemporaryDirectory() as name:
        make(Path(name), chosen.size)
        for case in chosen.only or CASES:
            result = measure(case, Path(name), chosen.repeats)
            results.append(result)
            print(
                f"{case:20} {result['plain_seconds']:8.3f} {result['traced_seconds']:8.3f}"
                f" {result['cost']:7.1%} {result['later_seconds']:8.3f} {result['files']:6.0f}",
                file=out,
                flush=True,
            )
    if chosen.json:
        print(json.dumps({"size_bytes": chosen.size, "cases": results}, indent=1))


if __name__ == "__main__":
    main()
