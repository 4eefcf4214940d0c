"""What a materializer is, and which one carries a value."""

from __future__ import annotations

import functools
import importlib
from pathlib import Path
from typing import Protocol, cast

from jupyterlab_pipelines.errors import NotFoundError, StepError

ENTRY_POINTS = "jupyterlab_pipelines.materializers"

BUILTIN = ("json", "numpy", "pandas", "polars", "arrow", "pickle")
"""In the order in which they are asked; each is the `MATERIALIZER` of the module of its name."""


class Materializer(Protocol):
    """Writes and reads one family of types, exactly."""

    @property
    def name(self) -> str:
        """Kept with every artifact, so that its reader is found again."""

    def accepts(self, value: object) -> bool:
        """Whether `read` after `write` gives back `value` in every respect a program can see.

        Asked for every value of every step: cheap, and without importing anything heavy.
        """

    def digest(self, value: object) -> str:
        """Names the value: equal for equal values in every process, see `canonical`."""

    def write(self, value: object, path: Path) -> tuple[str, ...]:
        """Write an accepted value to the one file `path`.

        Returns the names of the notebook's definitions which the file refers to and which must be
        defined in ``__main__`` before it is read.

        Raises
        ------
        NotCarriableError : the value cannot leave this process.
        """

    def read(self, path: Path) -> object:
        """The value, which may be changed in place; the file may be mapped, never written to."""


class NotCarriableError(StepError):
    """A value that cannot be handed from one process to another, such as a lock or a generator."""

    def __init__(self, message: str, **details: object) -> None:
        super().__init__("not_carriable", message, **details)


def materializer_of(value: object) -> Materializer:
    """The first materializer that accepts `value`; `pickle` accepts everything.

    That a value cannot be carried at all is told by `write` and by `digest`.
    """
    for name in BUILTIN[:-1]:
        if (builtin := _builtin(name)).accepts(value):
            return builtin
    for registered in _registered().values():
        if registered.accepts(value):
            return registered
    return _builtin("pickle")


def materializer_named(name: str) -> Materializer:
    """The materializer that wrote an artifact, by the name kept with it.

    Raises
    ------
    NotFoundError : this environment has no materializer of that name.
    """
    if name in BUILTIN:
        return _builtin(name)
    try:
        return _registered()[name]
    except KeyError:
        raise NotFoundError(
            "no_such_materializer",
            f"There is no materializer called `{name}` in this environment. "
            f"Install the package that registers it as an entry point of `{ENTRY_POINTS}`.",
        ) from None


def digest_of(value: object) -> str:
    """The digest of the value, by the materializer that carries it.

    Raises
    ------
    NotCarriableError : the value cannot leave this process.
    """
    return materializer_of(value).digest(value)


@functools.cache
def _builtin(name: str) -> Materializer:
    module = importlib.import_module(f"jupyterlab_pipelines.materializers.{name}")
    return cast(Materializer, module.MATERIALIZER)


@functools.cache
def _registered() -> dict[str, Materializer]:
    """Other distributions' materializers, by name; they are asked before `pickle` is."""
    from importlib.metadata import entry_points

    return {entry.name: entry.load() for entry in entry_points(group=ENTRY_POINTS)}
