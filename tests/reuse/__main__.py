"""Random edits of random notebooks, for as long as you like: ``python -m tests.reuse --seeds 0:1000 [--seconds S]``."""

from __future__ import annotations

import argparse
import sys
import time
from random import Random

from tests.reuse.check import Tally, check


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.reuse", description=__doc__)
    parser.add_argument("--seeds", default="0:1000", help="first:last+1")
    parser.add_argument("--edits", type=int, default=8, help="of each notebook")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no story after this time")
    given = parser.parse_args()
    first, _, last = given.seeds.partition(":")
    started, wrong, total = time.monotonic(), [], Tally()
    for seed in range(int(first), int(last)):
        if time.monotonic() - started > given.seconds:
            break
        try:
            total.add(check(Random(seed), edits=given.edits))
        except AssertionError as problem:
            wrong.append(seed)
            print(f"=== seed {seed}: {type(problem).__name__}: {problem}\n", flush=True)
        if (seed + 1) % 50 == 0:
            print(f"… seed {seed}: {total}; {time.monotonic() - started:.0f} s", flush=True)
    print(f"{total}; {len(wrong)} wrong, seeds {wrong}; {time.monotonic() - started:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
