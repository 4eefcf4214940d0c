"""Random notebooks: a run, a second one, and one after each of two edits show what Run All shows.

``make truth`` runs thousands of them.
"""

from __future__ import annotations

import pytest

from tests.truth.check import check
from tests.truth.soak import versions_of

FORKED = range(1000, 1030)
IN_KERNELS = (5, 17)


@pytest.mark.parametrize("seed", FORKED)
def test_random_notebooks(seed: int) -> None:
    versions, jobs = versions_of(seed)

    verdict = check(versions, jobs=jobs)

    assert verdict.problem is None, "\n\n".join([verdict.problem, *map(str, versions)])


@pytest.mark.usefixtures("shared_fork_server")
@pytest.mark.parametrize("seed", IN_KERNELS)
def test_random_notebooks_in_kernels(seed: int) -> None:
    versions, jobs = versions_of(seed)

    verdict = check(versions[:2], jobs=jobs, kernels=True)

    assert verdict.problem is None, "\n\n".join([verdict.problem, *map(str, versions[:2])])
