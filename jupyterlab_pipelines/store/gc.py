"""``jupyter pipelines gc``: space reclaimed from what nobody has used for long."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from jupyterlab_pipelines.store import references
from jupyterlab_pipelines.store.references import Owner

if TYPE_CHECKING:
    from jupyterlab_pipelines.store import Store

DEFAULT_AGE_SECONDS = 30 * 86_400.0
FILES_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Reclaimed:
    """What was, or would be, reclaimed.

    Attributes
    ----------
    size_bytes, kept_bytes
        Of all stored files before, and of those that stay.
    executions, runs
        How many of them lose something that they had.
    files
        Stored files that go; `unknown_files` of them belonged to no execution and no run.
    pinned_bytes, needed_bytes
        Of what stays, because a run that has a tag, or one that is under way, needs it.
    max_size_bytes
        What was asked for.
    """

    dry_run: bool
    size_bytes: int
    kept_bytes: int
    executions: int
    runs: int
    files: int
    unknown_files: int
    pinned_bytes: int
    needed_bytes: int
    max_size_bytes: int | None = None

    @property
    def is_enough(self) -> bool:
        return self.max_size_bytes is None or self.kept_bytes <= self.max_size_bytes

    def to_json(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "reclaimed_bytes": self.size_bytes - self.kept_bytes,
            "is_enough": self.is_enough,
        }


def gc(
    store: Store,
    *,
    older_than_seconds: float | None = None,
    max_size_bytes: int | None = None,
    dry_run: bool = False,
) -> Reclaimed:
    """Remove the stored files of executions and runs that were not used for long, least recently used first.

    An execution that was reused yesterday was used yesterday. What a run with a tag has used stays, and what a
    run under way may need. The history stays: runs, their steps, metrics and reasons.

    Parameters
    ----------
    older_than_seconds
        Remove what was not used for so long; without this and `max_size_bytes`, 30 days.
    max_size_bytes
        Go on until the rest is no larger.
    dry_run
        Only say what would be done.
    """
    if older_than_seconds is None and max_size_bytes is None:
        older_than_seconds = DEFAULT_AGE_SECONDS
    if not dry_run:
        store.settle_interrupted()
    live = references.live_runs(store)
    settled_before = references.settled_before(store, live.values(), may_write=not dry_run)
    sizes = {name: status.st_size for name, status in store.artifacts.files()}
    # Those that a run has stored or found since are not for us to judge.
    fresh = {name for name, status in store.artifacts.files() if status.st_ctime_ns >= settled_before}
    owners = sorted(references.owners(store, live), key=lambda owner: owner.used_at)

    dropped = _choose(owners, sizes, older_than_seconds, max_size_bytes)
    kept = {name for owner in owners if id(owner) not in dropped for name in owner.files} | fresh
    going = sizes.keys() - kept
    owned = {name for owner in owners for name in owner.files}
    losing = [owner for owner in owners if owner.files & going]
    if not dry_run:
        _remove(store, going, owned, settled_before)
    return Reclaimed(
        dry_run=dry_run,
        size_bytes=sum(sizes.values()),
        kept_bytes=sum(size for name, size in sizes.items() if name in kept),
        executions=sum(owner.step is not None for owner in losing),
        runs=sum(owner.step is None for owner in losing),
        files=len(going),
        unknown_files=len(going - owned),
        pinned_bytes=_size(sizes, (owner for owner in owners if owner.is_pinned)),
        needed_bytes=_size(sizes, (owner for owner in owners if owner.is_needed)),
        max_size_bytes=max_size_bytes,
    )


def _choose(
    owners: list[Owner], sizes: dict[str, int], older_than_seconds: float | None, max_size_bytes: int | None
) -> set[int]:
    """Whose files go, by `id`; `owners` come least recently used first."""
    users = Counter(name for owner in owners for name in owner.files if name in sizes)
    left = sum(sizes[name] for name in users)
    oldest = None if older_than_seconds is None else time.time() - older_than_seconds
    dropped = set()
    for owner in owners:
        if owner.is_pinned or owner.is_needed:
            continue
        is_old = oldest is not None and owner.used_at < oldest
        if not is_old and (max_size_bytes is None or left <= max_size_bytes):
            continue
        dropped.add(id(owner))
        for name in owner.files & users.keys():
            users[name] -= 1
            if not users[name]:
                left -= sizes[name]
    return dropped


def _remove(store: Store, going: Iterable[str], owned: set[str], settled_before: int) -> None:
    batch: list[str] = []
    for name in sorted(going):
        status = store.artifacts.status(name)
        if status is None or status.st_ctime_ns >= settled_before:
            continue
        if name not in owned:
            store.artifacts.remove(name)
            continue
        batch.append(name)
        if len(batch) == FILES_AT_ONCE:
            store.integrity.forget(batch, "reclaimed")
            batch = []
    store.integrity.forget(batch, "reclaimed")


def _size(sizes: dict[str, int], owners: Iterable[Owner]) -> int:
    return sum(sizes[name] for name in {name for owner in owners for name in owner.files} if name in sizes)
