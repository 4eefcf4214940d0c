"""Sets that iterate after loading as they did before.

The order of a set is that of its hash table: which size it has, and who came first where hashes collide.
Adding the same elements to an empty set, as pickle does, often gives another order: for every third set of
eight random integers, and for nearly every one of a thousand. So we look into the table (CPython's, which has
been the same since 3.7) and find an order of insertion that leads to it. What comes out is tried before it
is used.
"""

from __future__ import annotations

import functools
import itertools
import operator
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

SMALLEST_TABLE = 8
LINEAR_PROBES = 9
PERTURB_SHIFT = 5
ADDRESS_BITS = sys.hash_info.width


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to fill a set so that it iterates in a certain order.

    Attributes
    ----------
    elements
        In the order in which they are inserted; integers in `holes` stand for places where something was.
    first
        So many of them are there when the table gets its size.
    ballast
        So many other elements come and go to give the table its size; 0: it grows by itself.
    holes
        Positions, in `elements`, of those that are removed in the end.
    """

    elements: list[Any]
    first: int
    ballast: int
    holes: list[int]


def recipe(elements: set[Any]) -> Recipe | None:
    """How to make a set that iterates like this one; None if loading its pickle does, or no way is known."""
    if len(elements) < 2 or any(_hashes_address(type(element)) for element in elements):
        return None  # no two runs have the same order
    try:
        as_loaded: set[Any] = set()
        as_loaded.update(list(elements))
        if _is_like(as_loaded, elements):
            return None
        table = _table(elements)
        return None if table is None else _recipe(elements, table)
    except Exception:  # an element's own methods, or another Python than ours
        return None


def _hashes_address(kind: Any) -> bool:
    return bool(kind.__hash__ == object.__hash__)


def fill(elements: set[Any], how: Recipe) -> None:
    """Give a loaded set the order that it had."""
    set.clear(elements)
    set.update(elements, how.elements[: how.first])
    if how.ballast:
        ballast = [object() for _ in range(how.ballast)]
        set.update(elements, ballast)
        # More than a quarter of the table is given up: Python makes a new one, for what is left.
        set.difference_update(elements, ballast)
    set.update(elements, how.elements[how.first :])
    for position in how.holes:  # one by one: the table must stay as it is
        set.discard(elements, how.elements[position])


def _is_like(candidate: set[Any], elements: set[Any]) -> bool:
    """Whether it iterates in the same order, and leaves as much room for what comes."""
    return sys.getsizeof(candidate) == sys.getsizeof(elements) and _iterates_like(candidate, elements)


def _iterates_like(candidate: set[Any], elements: set[Any]) -> bool:
    return len(candidate) == len(elements) and all(map(operator.is_, candidate, elements))


def _table(elements: set[Any]) -> list[int | None] | None:
    """By slot of the table, the hash of what is there: None if nothing ever was, -1 for what was removed."""
    import ctypes

    if sys.implementation.name != "cpython":
        return None

    class Head(ctypes.Structure):
        _fields_ = (
            ("object", ctypes.c_byte * object.__basicsize__),
            ("fill", ctypes.c_ssize_t),
            ("used", ctypes.c_ssize_t),
            ("mask", ctypes.c_ssize_t),
            ("table", ctypes.c_void_p),
        )

    head = Head.from_address(id(elements))
    slots = head.mask + 1
    is_plausible = head.used == len(elements) <= head.fill <= slots and slots & head.mask == 0
    own_bytes = sys.getsizeof(elements) - sys.getsizeof(set()) if slots > SMALLEST_TABLE else 0
    if not is_plausible or own_bytes != (slots * 16 if slots > SMALLEST_TABLE else 0):
        return None
    words = (ctypes.c_ssize_t * (2 * slots)).from_address(head.table)
    return [hashed if key else None for key, hashed in zip(words[::2], words[1::2], strict=True)]


def _probed(hashed: int, mask: int) -> Iterator[int]:
    """Slots where Python looks for a place for an element, in order."""
    perturb, slot = hashed & ((1 << ADDRESS_BITS) - 1), hashed & mask
    while True:
        yield from range(slot, slot + LINEAR_PROBES + 1 if slot + LINEAR_PROBES <= mask else slot + 1)
        perturb >>= PERTURB_SHIFT
        slot = (slot * 5 + 1 + perturb) & mask


def _recipe(elements: set[Any], table: list[int | None]) -> Recipe | None:
    mask = len(table) - 1
    remaining = iter(elements)
    there: dict[int, Any] = {}
    removed: set[int] = set()
    for slot, hashed in enumerate(table):
        if hashed == -1:
            # Something whose place this is: an integer is its own hash.
            there[slot] = _hole(slot, mask, elements)
            removed.add(slot)
        elif hashed is not None:
            there[slot] = next(remaining)
    at_home = [slot for slot in there if slot in removed or _home(table[slot], mask) == slot]
    # To get its size, the table needs some elements to begin with; nobody looks into a free slot.
    free = (slot for slot in range(len(table)) if slot not in there)
    for slot in itertools.islice(free, max(0, _fewest(len(table)) - len(at_home))):
        there[slot] = _hole(slot, mask, elements)
        removed.add(slot)
        at_home.append(slot)
    inserted = dict.fromkeys(at_home)
    for slot in there:
        if slot not in inserted:
            _insert(slot, table, there, mask, inserted)
    slots = list(inserted)
    in_order = [there[slot] for slot in slots]
    holes = [position for position, slot in enumerate(slots) if slot in removed]
    next_best = None
    for first, ballast in _sizes(len(table), len(at_home)):
        found = Recipe(in_order, first, ballast, holes)
        candidate: set[Any] = set()
        fill(candidate, found)
        if _is_like(candidate, elements):
            return found
        if next_best is None and _iterates_like(candidate, elements):
            next_best = found
    return next_best


def _home(hashed: int | None, mask: int) -> int:
    return -1 if hashed is None else hashed & mask


def _fewest(slots: int) -> int:
    """Of so many elements Python makes a table of this size, which is larger than four times their number."""
    return slots // 8 if slots > SMALLEST_TABLE else 0


def _hole(slot: int, mask: int, elements: set[Any]) -> int:
    """An integer that belongs into this slot and is no element."""
    return next(number for number in itertools.count(slot, mask + 1) if number not in elements)


def _insert(
    slot: int, table: list[int | None], there: dict[int, Any], mask: int, inserted: dict[int, None]
) -> None:
    """Insert what is in a slot after all that had taken the places where it was looked for one before."""
    todo = [slot]
    while todo:
        slot = todo[-1]
        hashed = table[slot]
        assert hashed is not None
        before = itertools.takewhile(functools.partial(operator.ne, slot), _probed(hashed, mask))
        missing = [probed for probed in before if probed in there and probed not in inserted]
        if missing and len(todo) <= len(there):
            todo.extend(missing)
        else:
            inserted[slot] = None
            todo.pop()


def _sizes(slots: int, at_home: int) -> Iterator[tuple[int, int]]:
    """How many elements, of those in their first place, and how much ballast make a table of this size."""
    yield 0, 0
    if slots > SMALLEST_TABLE:
        first = min(at_home, 2 * _fewest(slots) - 1)
        for ballast in (slots, 2 * slots, slots // 2):
            yield first, ballast
