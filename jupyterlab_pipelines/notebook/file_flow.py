"""Which steps wait for each other because of files: what was learned while they ran → links.

Steps are gone through in notebook order, as *Restart & Run All* would execute them. A file has, at each
moment, the step that wrote it last: a later step that reads the file, or lists its folder, gets it from
there, as it gets a variable. Who overwrites a file waits for those that were to read it before.

What a step does to files is known when it has run. Before that, and where its code says that it reads or
writes files but nothing was seen of it (a library that opens files itself, another process), nor did the
system tell that there was nothing to see, it is taken to
read or write any file: it waits for the steps before it that may write, and who may write waits for all.

What was learned never makes a notebook wrong: a link that would close a cycle, or join steps whose cells
alternate, is left out.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field

from jupyterlab_pipelines import dag
from jupyterlab_pipelines.notebook.names import FileUse
from jupyterlab_pipelines.pipeline import FileEffects


@dataclass(slots=True)
class FileLinks:
    """What files join.

    Attributes
    ----------
    inputs
        By reader and path, the step that writes the file.
    after
        By step, the steps that it must wait for and gets nothing from.
    finals
        By step, the files that are as it leaves them when the whole notebook has run.
    """

    inputs: dict[str, dict[str, str]]
    after: dict[str, list[str]]
    finals: dict[str, list[str]]


@dataclass(slots=True)
class _File:
    """`is_made`: some step wrote it from the beginning, so that its content is the notebook's doing.

    It is not that of a log, to which every run appends.
    """

    writer: str | None = None
    is_made: bool = False
    readers: list[str] = field(default_factory=list)


def link_files(
    cells: Mapping[str, tuple[int, ...]],
    effects: Mapping[str, FileEffects],
    parents: Mapping[str, tuple[str, ...]],
    uses: Mapping[str, FileUse],
) -> FileLinks:
    """How files join steps.

    Parameters
    ----------
    cells
        By step, its cells in notebook order.
    effects
        By step, what it was seen to do to files.
    parents
        By step, those that it waits for anyway.
    uses
        By step, what its code says it does to files.
    """
    return _Walk(cells, effects, parents, uses).links


class _Walk:
    def __init__(
        self,
        cells: Mapping[str, tuple[int, ...]],
        effects: Mapping[str, FileEffects],
        parents: Mapping[str, tuple[str, ...]],
        uses: Mapping[str, FileUse],
    ) -> None:
        self.cells = cells
        self.parents = {step: list(before) for step, before in parents.items()}
        self.links = FileLinks({step: {} for step in cells}, {step: [] for step in cells}, {})
        self.files: dict[str, _File] = {}
        self.in_folder: dict[str, set[str]] = {}
        self.listers: dict[str, list[str]] = {}
        # By step, whether it may read, and write, files that nobody has seen.
        unseen = {step: _unseen(uses[step], effects.get(step, FileEffects())) for step in cells}
        before: list[str] = []
        for step in sorted(cells, key=lambda step: cells[step][-1]):
            if step in effects:
                self._read(step, effects[step])
                self._write(step, effects[step])
            for other in before:
                if self._may_meet(uses, unseen, other, step):
                    self._wait(step, other)
            if uses[step]:
                before.append(step)
        for path, file in sorted(self.files.items()):
            if file.writer is not None and file.is_made:
                self.links.finals.setdefault(file.writer, []).append(path)

    def _read(self, step: str, seen: FileEffects) -> None:
        listed = {path for folder in seen.lists for path in self.in_folder.get(folder, ())}
        for path in sorted(seen.reads | listed):
            file = self.files.setdefault(path, _File())
            self._get(step, path, file)
            file.readers.append(step)
        for path in sorted(seen.appends):
            if path in self.files and self.files[path].is_made:
                self._get(step, path, self.files[path])
        for folder in seen.lists:
            self.listers.setdefault(folder, []).append(step)

    def _write(self, step: str, seen: FileEffects) -> None:
        for path in sorted(seen.writes):
            folder = posixpath.dirname(path) or "."
            file = self.files.setdefault(path, _File())
            for other in (file.writer, *file.readers, *self.listers.get(folder, ())):
                if other is not None:
                    self._wait(step, other)
            self.files[path] = _File(step, file.is_made or path not in seen.appends)
            self.in_folder.setdefault(folder, set()).add(path)

    @staticmethod
    def _may_meet(uses: Mapping[str, FileUse], unseen: Mapping[str, FileUse], other: str, step: str) -> bool:
        """Whether two steps may touch the same file, one of them at least writing, and it was not seen."""
        touches = FileUse.READ | FileUse.WRITE
        return any(
            FileUse.WRITE in uses[one]
            and bool(uses[two] & touches)
            and (FileUse.WRITE in unseen[one] or bool(unseen[two] & touches))
            for one, two in ((other, step), (step, other))
        )

    def _get(self, step: str, path: str, file: _File) -> None:
        if file.writer is not None and self._may_follow(step, file.writer):
            self.links.inputs[step][path] = file.writer
            if file.writer not in self.parents[step]:
                self.parents[step].append(file.writer)

    def _wait(self, step: str, other: str) -> None:
        if self._may_follow(step, other) and other not in dag.ancestors(self.parents, [step]):
            self.links.after[step].append(other)
            self.parents[step].append(other)

    def _may_follow(self, step: str, other: str) -> bool:
        """Whether `step` stands wholly after `other`, and `other` does not wait for it."""
        if other in self.parents[step]:
            return True
        is_later = self.cells[step][0] > self.cells[other][-1]
        return is_later and step not in dag.ancestors(self.parents, [other])


def _unseen(use: FileUse, seen: FileEffects) -> FileUse:
    """What of `use` nothing was seen that would explain it."""
    if seen.is_whole:
        return FileUse.NONE
    if seen.writes:
        return FileUse.NONE if seen.reads or seen.lists or FileUse.WRITE in use else use & FileUse.READ
    return use & ~FileUse.READ if seen.reads or seen.lists else use
