"""Makes a failing notebook small: leaves out cells and statements as long as it still fails alike."""

from __future__ import annotations

import time
from collections.abc import Iterator
from copy import deepcopy

from tests.truth.check import Verdict, check
from tests.truth.generator import Lines, Program

MOST_SECONDS = 60


def shrink(versions: list[Program], verdict: Verdict, *, jobs: int) -> tuple[list[Program], Verdict]:
    """The smallest versions found that have a problem of the same kind, and their verdict."""
    kind = _kind(verdict)

    def still_fails(smaller: list[Program]) -> Verdict | None:
        if not all(program.cells for program in smaller):
            return None
        found = check(smaller, jobs=jobs)
        return found if found.problem is not None and _kind(found) == kind else None

    for fewer in (versions[:1], versions[:2], versions[1:2], versions[2:3], versions[1:]):
        if len(fewer) < len(versions) and fewer and (found := still_fails(fewer)):
            versions, verdict = fewer, found
            break
    started = time.monotonic()
    statements = list(dict.fromkeys(_statements(versions)))
    size = len(statements) // 2
    while size and time.monotonic() - started < MOST_SECONDS:
        progress = False
        for start in range(0, len(statements), size):
            smaller = _without(versions, set(statements[start : start + size]))
            found = still_fails(smaller)
            if found:
                versions, verdict, progress = smaller, found, True
        statements = list(dict.fromkeys(_statements(versions)))
        if not progress:
            size = min(size, len(statements)) // 2
    return versions, verdict


def _kind(verdict: Verdict) -> str:
    problem = verdict.problem or ""
    for kind in ("not reused", "but Run All"):
        if kind in problem:
            return kind
    words = problem.split(": ")
    return " ".join(words[1:3])


def _statements(versions: list[Program]) -> Iterator[str]:
    for program in versions:
        for one in program.cells:
            yield from one.statements


def _without(versions: list[Program], statements: set[str]) -> list[Program]:
    smaller = deepcopy(versions)
    for program in smaller:
        cells = []
        for one in program.cells:
            kept = [other for other in one.statements if other not in statements]
            if kept:
                cells.append(Lines(kept, one.step))
        program.cells = cells
    return smaller
