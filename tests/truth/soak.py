"""Random notebooks against Run All, for as long as you like.

``python -m tests.truth.soak --seeds 0:1000 [--kernels]``
"""

from __future__ import annotations

import argparse
import random
import sys
import time

from tests.truth.check import Verdict, check
from tests.truth.generator import Program, random_edit, random_program
from tests.truth.shrink import shrink

EDITS = 2


def versions_of(seed: int) -> tuple[list[Program], int]:
    """A random notebook, then as it stands after each of some edits; and a number of jobs."""
    rng = random.Random(seed)
    versions = [random_program(rng)]
    for _ in range(EDITS):
        versions.append(random_edit(versions[-1], rng))
    return versions, rng.choice([1, 2, 8])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="0:1000", help="first:last+1")
    parser.add_argument("--kernels", action="store_true", help="execute steps in real kernels")
    parser.add_argument("--shrink", action="store_true", help="make failing notebooks smaller")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after this time")
    given = parser.parse_args()
    first, _, last = given.seeds.partition(":")
    started, total, failed = time.monotonic(), Verdict(), []
    number = 0
    for seed in range(int(first), int(last)):
        if time.monotonic() - started > given.seconds:
            break
        number += 1
        versions, jobs = versions_of(seed)
        verdict = check(versions, jobs=jobs, kernels=given.kernels)
        for name in ("runs", "told", "skipped", "executed"):
            setattr(total, name, getattr(total, name) + getattr(verdict, name))
        if verdict.problem is not None:
            failed.append(seed)
            if given.shrink:
                versions, verdict = shrink(versions, verdict, jobs=jobs)
            print(f"=== seed {seed}, {jobs} jobs: {verdict.problem}")
            for version in versions:
                print(f"{version}\n")
            sys.stdout.flush()
    print(
        f"{number} notebooks, {total.runs} runs, {total.executed} steps executed, {total.told} told as errors, "
        f"{total.skipped} versions fail under Run All; {len(failed)} wrong: {failed}; "
        f"{time.monotonic() - started:.0f} s"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
