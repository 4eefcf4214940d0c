"""Units: steps that are executed in one kernel, because they share a value that cannot be stored.

A generator, a database connection or a lock cannot leave the process that made it. The step that makes it
and all steps that read it are executed one after another in one kernel, in notebook order, as *Restart &
Run All* would. All other steps stay apart from them, and run beside them as before.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence

from jupyterlab_pipelines.pipeline import Unit


def find_units(
    order: Sequence[str],
    joined: Iterable[tuple[str, str, str]],
    cells: Mapping[str, Sequence[int]],
    kernels: Mapping[str, str | None],
) -> dict[str, Unit]:
    """By step its unit; steps that share nothing are left out.

    Parameters
    ----------
    order
        All steps in notebook order.
    joined
        Pairs of steps of which one needs what the other cannot store, with its name.
    cells
        By step, the indexes of its cells.
    kernels
        By step, the kernelspec that its tag names.

    Returns
    -------
    dict
        Without steps that cannot be executed one after another in one kernel, since they want different
        ones or their cells are interleaved.
    """
    joined = list(joined)
    if not joined:
        return {}
    unit_of: dict[str, set[str]] = {name: {name} for name in order}
    names_of: dict[str, set[str]] = {name: set() for name in order}
    for first, second, name in joined:
        names_of[first].add(name)
        together = unit_of[first] | unit_of[second]
        for member in together:
            unit_of[member] = together
    units = {}
    for step, together in unit_of.items():
        members = tuple(each for each in order if each in together)
        if len(members) > 1 and not why_apart(members, cells, kernels):
            names = set().union(*(names_of[member] for member in members))
            units[step] = Unit(members, tuple(sorted(names)))
    return units


def why_apart(
    members: Sequence[str], cells: Mapping[str, Sequence[int]], kernels: Mapping[str, str | None]
) -> str | None:
    """Why steps cannot be a unit, for a person; None if they can."""
    for first, second in itertools.pairwise(members):
        if kernels[first] != kernels[second]:
            return f"`{first}` and `{second}` run in different kernels"
        if max(cells[first]) > min(cells[second]):
            return f"the cells of `{first}` and `{second}` are interleaved"
    return None
