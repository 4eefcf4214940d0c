"""``%%step`` in a live kernel.

``%%step NAME`` as a cell's first line says the same as the tag ``step:NAME``. When the cell is run by
hand, or by *Restart & Run All*, it is an ordinary cell: the line is emptied before anything else looks at it,
so results, errors and top-level ``await`` are those of the code below it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


def without_step_line(lines: list[str]) -> list[str]:
    """The lines of a cell, a leading ``%%step`` line left empty; an input transformer of IPython."""
    first = next((position for position, line in enumerate(lines) if line.strip()), None)
    if first is None or not re.match(r"%%step(\s|$)", lines[first]):
        return lines
    return [*lines[:first], "\n", *lines[first + 1 :]]


def load(shell: InteractiveShell) -> None:
    """Let `shell` run cells that begin with ``%%step``. Loading twice changes nothing."""
    if without_step_line not in shell.input_transformers_cleanup:
        # First of all, so that IPython's own transformers see the cell that is left, `%%time` and all.
        shell.input_transformers_cleanup.insert(0, without_step_line)


def unload(shell: InteractiveShell) -> None:
    """Undo `load`."""
    if without_step_line in shell.input_transformers_cleanup:
        shell.input_transformers_cleanup.remove(without_step_line)
