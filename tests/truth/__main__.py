"""Random notebooks against Run All, for as long as you like.

``python -m tests.truth --seeds 0:1000 [--seconds S] [--kernels-every N] [--no-shrink]``: Hypothesis makes ten
notebooks for each seed, and the same ones each time.
"""

from __future__ import annotations

import argparse
import sys
import time

from tests.truth.check import Tally
from tests.truth.search import search


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.truth", description=__doc__)
    parser.add_argument("--seeds", default="0:1000", help="first:last+1")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no seed after this time")
    parser.add_argument(
        "--kernels-every", type=int, default=0, metavar="N", help="run every Nth seed in kernels"
    )
    parser.add_argument("--no-shrink", action="store_true", help="do not make failing notebooks smaller")
    given = parser.parse_args()
    first, _, last = given.seeds.partition(":")
    started, failed = time.monotonic(), []
    total = Tally()
    for seed in range(int(first), int(last)):
        if time.monotonic() - started > given.seconds:
            break
        in_kernels = bool(given.kernels_every) and seed % given.kernels_every == 0
        tally, problem = search(seed, kernels=in_kernels, shrinks=not given.no_shrink)
        total.add(tally)
        if problem is not None:
            failed.append(seed)
            print(f"=== seed {seed}: {problem}\n", flush=True)
        if (seed + 1) % 50 == 0:
            print(f"… seed {seed}: {total}; {time.monotonic() - started:.0f} s", flush=True)
    print(f"{total}; {len(failed)} wrong, seeds {failed}; {time.monotonic() - started:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
