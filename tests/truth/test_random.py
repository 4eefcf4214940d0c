"""Random notebooks: a run, a second one, and one after each of some edits show what Run All shows.

``make truth`` runs tens of thousands of them, and makes those that fail small.
"""

from __future__ import annotations

import pytest

from tests.truth.search import search

FORKED = range(8)
IN_KERNELS = (1000,)

pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize("seed", FORKED)
def test_random_notebooks(seed: int) -> None:
    _, problem = search(seed, shrinks=False)

    assert problem is None


@pytest.mark.usefixtures("shared_fork_server")
@pytest.mark.parametrize("seed", IN_KERNELS)
def test_random_notebooks_in_kernels(seed: int) -> None:
    _, problem = search(seed, notebooks=2, kernels=True, shrinks=False)

    assert problem is None
