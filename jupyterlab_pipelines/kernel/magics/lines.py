"""The ``%%step`` line of a cell, as IPython's input transformers see it."""

from __future__ import annotations

import re

from jupyterlab_pipelines.errors import NotebookError

STEP_LINE = re.compile(r"%%step(\s|$)")


def is_step(source: str) -> bool:
    """Whether a cell begins with ``%%step``."""
    return STEP_LINE.match(source.lstrip()) is not None


def with_first_line_read(lines: list[str]) -> list[str]:
    """The lines of a cell, with what stands for a leading ``%%step`` line; an input transformer of IPython.

    The line is left empty, or sets the values that it names, so that results, errors, line numbers and
    top-level ``await`` are those of the code below it.
    """
    first = next((position for position, line in enumerate(lines) if line.strip()), None)
    if first is None or not STEP_LINE.match(lines[first]):
        return lines
    from jupyterlab_pipelines.notebook.tags import read_step_magic

    try:
        magic = read_step_magic("".join(lines), 0)
    except NotebookError:
        return lines  # the magic itself says what is wrong
    assert magic is not None
    return magic[1].splitlines(keepends=True)
