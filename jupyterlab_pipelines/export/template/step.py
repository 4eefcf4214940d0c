"""What a step is: its function, what it gets, and what it leaves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


class Absent:
    """Stands for an output that a step binds on other paths than the one that it took."""


ABSENT = Absent()


@dataclass(frozen=True)
class Step:
    """One function of the pipeline.

    Attributes
    ----------
    function
        Takes `inputs` and `parameters` by name; returns its one output, or a tuple of them.
    inputs
        By argument, the artifact ``step/name`` that it gets.
    outputs
        Names of what it returns, in order.
    optional
        Outputs that may be `ABSENT`: none is left then, and whoever reads it gets none either.
    together
        Outputs that share objects: they lie in one file, so that they still share them when they are read.
    pickled
        Outputs that other formats would not bring back exactly.
    files_in, files_out
        Files below the data folder that other steps write, by path with the writer; that this one writes.
    after
        Steps that must have ended before.
    retries, timeout_seconds
        How often a failed step is tried again; how long a try may take.
    cache, cache_age_seconds
        Whether a resumed run may use what the step has left (``off``: never), and up to what age.
    version
        Hash of its code and of all that it reaches.
    role
        What kind of step of machine learning it is, for people.
    covers
        Steps of the notebook that it executes, where their names differ from its own.
    """

    name: str
    function: Callable[..., Any]
    inputs: Mapping[str, str] = field(default_factory=dict)
    parameters: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    together: tuple[tuple[str, ...], ...] = ()
    pickled: tuple[str, ...] = ()
    files_in: Mapping[str, str] = field(default_factory=dict)
    files_out: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    retries: int = 0
    timeout_seconds: float | None = None
    cache: str = "on"
    cache_age_seconds: float | None = None
    version: str = ""
    role: str | None = None
    covers: tuple[str, ...] = ()
