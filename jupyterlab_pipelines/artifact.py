"""Artifact: a stored value of one name. A frozen record, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NewType

Digest = NewType("Digest", str)
"""Names a value: equal values (type, shape, names, dtype, index, data) have equal digests."""

HIDDEN = "hidden state "
"""Begins the name of process state that only those read who change it: random generators."""

AMBIENT = "ambient state "
"""Begins the name of process state that everybody may read: environment variables, options."""

FILE = "file "
"""Begins the name of a file that one step writes and another reads; its path follows."""


WITH = "+"
"""In the digest of a value that shares its object, or parts of it, with others: stands before what these are."""

KERNEL = "kernel state"
"""The name of all that a step's kernel holds, for the next step of its unit, which goes on in that kernel."""

GROUP = "group"
"""What stands in place of a materializer for several values in one file."""


def is_state(name: str) -> bool:
    """Whether `name` is that of process state or of a file, not of a variable."""
    return name.startswith((HIDDEN, AMBIENT, FILE, KERNEL))


@dataclass(frozen=True, slots=True)
class Artifact:
    """What a step left under one name.

    Attributes
    ----------
    name
        The variable.
    digest
        Digest of the value.
    type
        Qualified Python type, e.g. ``pandas.DataFrame``.
    materializer
        Which materializer wrote it, and reads it.
    size_bytes
        Size of the stored file; 0 for a name that the step left undefined.
    stored
        Name of the file in the artifact store: the digest, except for a value that shares
        objects with other outputs and therefore lies with them in one file.
    member
        Its key in that file, when `stored` holds several values; the names joined by ``=`` when
        several stand for the one object in it.
    summary
        A few words for people: ``336,776 × 19``.
    definitions
        Names of the notebook which the stored value refers to: classes and functions that must be
        defined before it can be loaded, and what functions in it read when they are called.
    kind
        ``value``; ``absent`` when the step ended with the name undefined; ``hidden`` for process
        state that has no name in Python (e.g. the global random generator); ``uncarriable`` for a value
        that cannot leave its process, with the reason as `summary`; ``unkept`` for a large one that no
        step reads.
    """

    name: str
    digest: str
    type: str
    materializer: str
    size_bytes: int
    stored: str = ""
    member: str | None = None
    summary: str = ""
    definitions: tuple[str, ...] = ()
    kind: str = "value"

    @property
    def reference(self) -> str:
        """How a step notebook names the stored value, see `kernel.runtime.inputs.load_references`."""
        name = f"{self.materializer}:{self.stored}"
        return name if self.member is None else f"{name}#{self.member}"

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Artifact:
        """From a mapping that has its fields, and perhaps others."""
        own = {name: record[name] for name in cls.__slots__}
        return cls(**own | {"definitions": tuple(own["definitions"])})

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "type": self.type,
            "materializer": self.materializer,
            "digest": self.digest,
            "size_bytes": self.size_bytes,
            "summary": self.summary,
        }

    def verdict(self) -> dict[str, Any]:
        """Whether the value can be handed on, how, and how large it is, as JSON."""
        carriable = self.kind != "uncarriable"
        return {
            "name": self.name,
            "type": self.type,
            "carriable": carriable,
            "kept": self.kind == "value",
            "materializer": self.materializer if carriable else None,
            "size_bytes": self.size_bytes if carriable else None,
            "message": "" if self.kind == "value" else self.summary,
        }


def in_loading_order(artifacts: Mapping[str, Artifact]) -> list[str]:
    """The names, so that a class that is stored as a value comes before the objects that refer to it by name."""
    order: dict[str, None] = {}

    def put(name: str) -> None:
        if name not in order and name not in waiting:
            waiting.add(name)
            for other in artifacts[name].definitions:
                if other in artifacts:
                    put(other)
            order[name] = None

    waiting: set[str] = set()
    for name in sorted(artifacts):
        put(name)
    return list(order)


@dataclass(frozen=True, slots=True)
class Preview:
    """What may be shown of an artifact without loading it: JSON, written in the kernel."""

    digest: str
    content: dict[str, Any] = field(default_factory=dict)
