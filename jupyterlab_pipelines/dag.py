"""Directed acyclic graphs of names: order, cycles, ancestors. Standard library only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter


def find_cycle(parents: Mapping[str, Iterable[str]]) -> list[str] | None:
    """The nodes of one cycle, each depending on the next, or None when there is none."""
    try:
        TopologicalSorter(parents).prepare()
    except CycleError as error:
        return list(error.args[1][:-1])
    return None


def ancestors(parents: Mapping[str, Iterable[str]], nodes: Iterable[str]) -> set[str]:
    """`nodes` and everything that they depend on, directly or not."""
    seen: set[str] = set()
    todo = list(nodes)
    while todo:
        node = todo.pop()
        if node not in seen:
            seen.add(node)
            todo.extend(parents.get(node, ()))
    return seen


def in_order(parents: Mapping[str, Iterable[str]], preferred: Iterable[str]) -> list[str]:
    """A topological order that keeps to `preferred` wherever the dependencies allow it.

    Raises
    ------
    graphlib.CycleError
        There is no order.
    """
    rank = {node: position for position, node in enumerate(preferred)}
    sorter = TopologicalSorter({node: parents.get(node, ()) for node in rank})
    sorter.prepare()
    ordered: list[str] = []
    ready: list[str] = []
    while sorter.is_active():
        ready.extend(sorter.get_ready())
        ready.sort(key=lambda node: rank.get(node, len(rank)))
        node = ready.pop(0)
        ordered.append(node)
        sorter.done(node)
    return ordered
