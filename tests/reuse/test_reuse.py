"""Random edits of random notebooks and of what lies beside them: never a lie, and rarely anything forgotten.

``python -m tests.reuse --seeds first:last`` tries as many as you like, and tells how much ran without need.
"""

from __future__ import annotations

from random import Random

import pytest

from tests.reuse.check import check

pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize("seed", range(12))
def test_what_is_executed_is_what_has_read_something_new(seed: int) -> None:
    check(Random(seed), edits=6)
