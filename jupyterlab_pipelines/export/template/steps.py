"""The steps of the pipeline: pure functions of their inputs and parameters."""

from __future__ import annotations


def load(*, n: int) -> list[int]:
    """Load."""
    return list(range(n))


def add(numbers: list[int]) -> int:
    """Add."""
    return sum(numbers)
