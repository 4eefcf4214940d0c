"""``%%step`` in a live kernel.

``%%step NAME`` as a cell's first line says the same as the tag ``step:NAME``. When the cell is run by
hand, or by *Restart & Run All*, it is an ordinary cell: the line is taken away before anything else looks at
it, so results, errors and top-level ``await`` are those of the code below it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


def without_step_line(lines: list[str]) -> list[str]:
    """The lines of a cell without a leading ``%%step``; an input transformer of IPython."""
    if lines and lines[0].split(maxsplit=1)[:1] == ["%%step"]:
        return lines[1:]
    return lines


def load(shell: InteractiveShell) -> None:
    """Let `shell` run cells that begin with ``%%step``. Loading twice changes nothing."""
    if without_step_line not in shell.input_transformers_cleanup:
        shell.input_transformers_cleanup.append(without_step_line)


def unload(shell: InteractiveShell) -> None:
    """Undo `load`."""
    if without_step_line in shell.input_transformers_cleanup:
        shell.input_transformers_cleanup.remove(without_step_line)
