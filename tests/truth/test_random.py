"""Random notebooks: a run, a second one, and one after each of some edits show what Run All shows.

``make truth`` runs tens of thousands of them.
"""

from __future__ import annotations

import pytest

from tests.truth.search import search

FORKED = range(30)
IN_KERNELS = (1000, 1001)


@pytest.mark.parametrize("seed", FORKED)
def test_random_notebooks(seed: int) -> None:
    _, problem = search(seed)

    assert problem is None


@pytest.mark.usefixtures("shared_fork_server")
@pytest.mark.parametrize("seed", IN_KERNELS)
def test_random_notebooks_in_kernels(seed: int) -> None:
    _, problem = search(seed, notebooks=2, kernels=True)

    assert problem is None
