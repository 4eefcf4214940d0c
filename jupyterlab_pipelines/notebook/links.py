"""Which names share objects: all of them that links join, directly or by way of others.

A name stands for different things at different times. So what is joined are names *with their bindings*, and two
of them may be joined by way of a name that stands for something else by now.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Set
from typing import Any

Node = tuple[str, int]
"""A name, and the `id` of what it was bound to."""


class Links:
    """Sets of names that share objects, joined link by link (union-find, which remembers when).

    No path is ever shortened: along each one the joins grow later, which is what `joined_by` reads.
    """

    def __init__(self) -> None:
        self._parents: dict[Node, Node] = {}
        self._joined: dict[Node, int] = {}
        self._members: dict[Node, dict[str, set[int]]] = {}
        self._sizes: dict[Node, int] = {}
        self._count = 0
        self._of_steps: list[int] = []
        self._steps: list[str] = []
        self._alive: list[Any] = []  # so that no id becomes another's

    def add(self, step: str | None, bound: Iterable[tuple[str, Any]]) -> None:
        """From now on the names share objects, in `step`, or since setup if it is None."""
        if step is not None:
            self._of_steps.append(self._count)
            self._steps.append(step)
        first: Node | None = None
        for name, binding in bound:
            self._alive.append(binding)
            node = (name, id(binding))
            if node not in self._parents:
                self._parents[node] = node
                self._members[node] = {name: {id(binding)}}
                self._sizes[node] = 1
            if first is None:
                first = node
            else:
                self._join(first, node)
        self._count += 1

    def _join(self, one: Node, other: Node) -> None:
        small, large = sorted((self._top(one), self._top(other)), key=self._sizes.__getitem__)
        if small == large:
            return
        self._parents[small], self._joined[small] = large, self._count
        self._sizes[large] += self._sizes[small]
        members = self._members[large]
        for name, ids in self._members.pop(small).items():
            members.setdefault(name, set()).update(ids)

    def _top(self, node: Node) -> Node:
        while self._parents[node] != node:
            node = self._parents[node]
        return node

    def reached(self, name: str, binding: Any) -> Mapping[str, Set[int]]:
        """What shares objects with `name` bound to `binding`: by name, the ids of its bindings."""
        node = (name, id(binding))
        return self._members[self._top(node)] if node in self._parents else {name: {id(binding)}}

    def joined_by(self, bound: Mapping[str, Any]) -> str | None:
        """The step that joined the last of these names with the others; None if they are not all joined."""
        nodes = [(name, id(binding)) for name, binding in bound.items()]
        if any(node not in self._parents for node in nodes):
            return None
        moments = [self._moment(nodes[0], node) for node in nodes[1:]]
        if not moments or any(moment is None for moment in moments):
            return None
        # Setup joins them in every step: then the first step that joins anything after it.
        at = bisect_left(self._of_steps, max(moment for moment in moments if moment is not None))
        return self._steps[at] if at < len(self._steps) else None

    def _moment(self, one: Node, other: Node) -> int | None:
        """The number of the link that joined two nodes."""
        if self._top(one) != self._top(other):
            return None
        moment = -1
        while one != other:
            if self._joined.get(one, self._count) > self._joined.get(other, self._count):
                one, other = other, one
            moment = self._joined[one]
            one = self._parents[one]
        return moment
