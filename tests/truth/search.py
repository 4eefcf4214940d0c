"""Looks for a notebook that a pipeline runs wrongly, with Hypothesis."""

from __future__ import annotations

from unittest import mock

import hypothesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Flaky
from hypothesis.internal.conjecture.providers import Constants

from tests.truth.check import Tally, check
from tests.truth.generator import Story, stories

NOTEBOOKS = 10
"""Per seed, after the smallest one. Beyond that Hypothesis begins to repeat parts of what it has made."""


def search(
    seed: int, *, notebooks: int = NOTEBOOKS, kernels: bool = False, shrinks: bool = True
) -> tuple[Tally, str | None]:
    """Check random notebooks, the same ones for the same `seed`.

    Returns
    -------
    What was done, and what is wrong with the smallest notebook found to be so; None if all was well.
    """
    total = Tally()
    found: list[str] = []

    @hypothesis.seed(seed)
    @settings(
        max_examples=notebooks + 1,
        phases=[Phase.generate, Phase.shrink] if shrinks else [Phase.generate],
        suppress_health_check=list(HealthCheck),
        database=None,
        deadline=None,
        report_multiple_bugs=False,
    )
    @given(stories())
    def shows_what_run_all_shows(story: Story) -> None:
        try:
            tally = check(story, kernels=kernels)
        except AssertionError as problem:
            found.append(f"{type(problem).__name__}: {problem}")
            raise
        if not found:
            total.add(tally)

    try:
        # Else Hypothesis draws numbers and texts that occur in our source: other notebooks with each change of it.
        with mock.patch("hypothesis.internal.conjecture.providers._get_local_constants", Constants):
            shows_what_run_all_shows()
    except AssertionError:
        return total, found[-1]
    except Flaky:
        return total, f"not every time: {found[0]}"
    return total, None
