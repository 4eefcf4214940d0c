"""A notebook without steps → a cut into steps, proposed from headings, data flow and sizes.

A good step is one that a person has a word for: the cells below one heading. Where there are no headings, a cut
lies where few values go across. Cells that share what cannot leave a process are not known before a run; the
engine finds out, and executes such steps in one kernel.

Pure: what goes in is the notebook's JSON and, where known, how long its cells took; what comes out is a document.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jupyterlab_pipelines.errors import NotebookError
from jupyterlab_pipelines.notebook.names import StatementKind, analyse
from jupyterlab_pipelines.notebook.parse import last_heading, source_of
from jupyterlab_pipelines.notebook.tags import is_command, read_step_magic, read_tags

MOST_STEPS = 12
"""More steps than that are no overview; neighbours are joined until there are no more."""

MANY_STATEMENTS = 12
"""A block with no heading within it is cut where it grows longer."""

SHORT_SECONDS = 0.2
"""A block that was seen to take less is no step of its own if a neighbour can have it."""

LEVEL = re.compile(r"^ {0,3}(#{1,6})\s", re.MULTILINE)
WORDS = {
    "load": r"\b(read_\w+|load_\w+|fetch_\w+|open|connect|download\w*)\s*\(",
    "train": r"\.(fit|fit_transform|train)\s*\(",
    "evaluate": r"\b(\w*_score|score|classification_report|confusion_matrix|mean_\w+_error|evaluate)\s*\(",
    "split": r"\btrain_test_split\s*\(",
    "plot": r"\b(plt|sns|px|alt)\.\w+\s*\(|\.plot\w*\s*[.(]",
    "clean": r"\.(dropna|fillna|drop_duplicates|astype|rename|replace)\s*\(",
    "save": r"\.(to_csv|to_parquet|to_pickle|savefig|dump|save)\s*\(|\bdump\s*\(",
    "join": r"\.(merge|join)\s*\(|\bconcat\s*\(",
    "features": r"\.(groupby|assign|transform|get_dummies|apply)\s*\(",
}
"""What code does, by what it calls; the first word whose pattern is found names a step that has no heading."""
ROLES = {"load": "importer", "train": "trainer", "evaluate": "evaluator"}


@dataclass
class _Block:
    """Neighbouring cells that would be one step."""

    cells: list[int]
    heading: str | None
    level: int
    binds: set[str] = field(default_factory=set)
    reads: set[str] = field(default_factory=set)
    mutates: set[str] = field(default_factory=set)
    statements: int = 0
    seconds: float | None = None
    source: str = ""

    def join(self, other: _Block) -> None:
        """Take the cells of the block below."""
        self.reads |= other.reads - self.binds
        self.binds |= other.binds
        self.mutates |= other.mutates
        self.cells += other.cells
        self.statements += other.statements
        self.source += "\n" + other.source
        self.heading = self.heading or other.heading
        if other.seconds is not None:
            self.seconds = (self.seconds or 0.0) + other.seconds


def suggest_steps(content: Mapping[str, Any], seconds: Mapping[int, float] | None = None) -> dict[str, Any]:
    """A cut of the notebook into steps.

    Parameters
    ----------
    content
        The notebook's JSON, nbformat 4.
    seconds
        By cell index, how long the cell was seen to take.

    Returns
    -------
    dict
        ``steps``: ``name``, ``title``, ``role``, ``cells``, ``inputs`` and ``outputs`` (names) of each;
        ``setup_cells``; ``edges``: ``source``, ``target``, ``names``; ``tags``: by cell index, as a text, the
        tags that write it down.

    Raises
    ------
    NotebookError
        ``has_steps``: there are steps already; ``no_code``: there is nothing to cut; ``syntax_error``.
    """
    blocks, setup, fixed = _read(content, seconds or {})
    if not blocks and setup:
        # All code looks like setup: then the whole of it is the one step.
        last = setup.pop()
        blocks = [_block(content, last, None, 7, {})]
    if not blocks:
        raise NotebookError("no_code", "The notebook has no code cell that could be a step.")
    blocks = _joined(_short_ones_joined(blocks))
    names = _names(blocks)
    owner: dict[str, str] = {}
    steps: list[dict[str, Any]] = []
    crossing: dict[tuple[str, str], set[str]] = {}
    for name, block in zip(names, blocks, strict=True):
        given = sorted(each for each in block.reads if each in owner)
        for each in given:
            crossing.setdefault((owner[each], name), set()).add(each)
        owner |= dict.fromkeys(block.binds | (block.mutates & owner.keys()), name)
        word = _word(block)
        steps.append(
            {
                "name": name,
                "title": block.heading or name,
                "role": ROLES.get(word) if word else None,
                "cells": block.cells,
                "inputs": given,
                "outputs": [],
            }
        )
    for step in steps:
        left = {
            each
            for (source, _), each_names in crossing.items()
            if source == step["name"]
            for each in each_names
        }
        step["outputs"] = sorted(left)
    return {
        "steps": steps,
        "setup_cells": setup,
        "edges": [
            {"source": source, "target": target, "names": sorted(found)}
            for (source, target), found in crossing.items()
        ],
        "tags": {
            str(index): [
                f"step:{step['name']}",
                *([f"role:{step['role']}"] if step["role"] and not n else []),
            ]
            for step in steps
            for n, index in enumerate(step["cells"])
            if index not in fixed
        },
    }


def as_one_step(content: Mapping[str, Any], name: str = "notebook") -> dict[str, Any] | None:
    """The notebook with all its code as one step; None if it has steps of its own.

    Cells that are tagged `parameters` or `skip` stay what they are.
    """
    cells = [dict(cell) for cell in content["cells"]]
    for index, cell in enumerate(cells):
        if cell["cell_type"] != "code":
            continue
        metadata = dict(cell.get("metadata") or {})
        tags = read_tags(metadata.get("tags") or (), index)
        if tags.step is not None or read_step_magic(source_of(cell), index) is not None or tags.shared:
            return None
        if not (tags.parameters or tags.skip):
            cell["metadata"] = {**metadata, "tags": [*(metadata.get("tags") or []), f"step:{name}"]}
    return {**content, "cells": cells}


def _read(
    content: Mapping[str, Any], seconds: Mapping[int, float]
) -> tuple[list[_Block], list[int], set[int]]:
    """Blocks of cells between headings, setup cells, and cells that have tags of their own."""
    blocks: list[_Block] = []
    setup: list[int] = []
    fixed: set[int] = set()
    heading: str | None = None
    level = 7
    begins = True
    for index, cell in enumerate(content["cells"]):
        source = source_of(cell)
        if cell["cell_type"] == "markdown":
            if (found := last_heading(source)) is not None:
                heading, level, begins = found, len(LEVEL.findall(source)[-1]), True
            continue
        if cell["cell_type"] != "code" or not source.strip():
            continue
        tags = read_tags((cell.get("metadata") or {}).get("tags") or (), index)
        if tags.step is not None or read_step_magic(source, index) is not None:
            raise NotebookError("has_steps", f"Cell {index + 1} belongs to a step already.", cell_index=index)
        if tags.parameters or tags.skip or is_command(source):
            fixed.add(index)
            continue
        block = _block(content, index, heading, level, seconds)
        if not blocks and _is_setup(source):
            setup.append(index)
            continue
        is_long = bool(blocks) and blocks[-1].statements + block.statements > MANY_STATEMENTS
        if begins or not blocks or (is_long and _is_cut(blocks[-1], block)):
            blocks.append(block)
        else:
            blocks[-1].join(block)
        begins = False
    return blocks, setup, fixed


def _block(
    content: Mapping[str, Any], index: int, heading: str | None, level: int, seconds: Mapping[int, float]
) -> _Block:
    source = source_of(content["cells"][index])
    block = _Block([index], heading, level, source=source, seconds=seconds.get(index))
    try:
        statements = analyse(source).statements
    except SyntaxError as error:
        raise NotebookError(
            "syntax_error",
            f"Cell {index + 1}, line {error.lineno or 1}: {error.msg}.",
            cell_index=index,
            line=error.lineno or 1,
        ) from None
    for statement in statements:
        block.reads |= (statement.reads | statement.deferred | statement.deletes) - block.binds
        block.binds |= statement.binds | statement.may_bind
        block.mutates |= statement.mutates
        block.statements += 1
    return block


def _is_setup(source: str) -> bool:
    """Whether a cell at the top imports, defines, sets options or constants, and shows nothing."""
    try:
        code = analyse(source)
    except SyntaxError:
        return False
    return all(
        statement.kind is not StatementKind.OTHER
        or _is_constant(statement.source)
        or _is_option(statement.source)
        for statement in code.statements
    )


def _is_constant(source: str) -> bool:
    return (
        re.fullmatch(r"[A-Za-z_]\w*\s*(:\s*[\w\[\], .]+)?=\s*[^(]*(Path\([^()]*\))?", source.strip())
        is not None
    )


def _is_option(source: str) -> bool:
    return (
        re.match(
            r"(get_ipython\(\)\.run_line_magic|%|[\w.]+\.(set_\w+|seed|style\.use|filterwarnings|simplefilter|use)\()",
            source.strip(),
        )
        is not None
    )


def _is_cut(above: _Block, below: _Block) -> bool:
    """Whether few values would go across: not where a cell goes on with what the one above it has just made."""
    return len(below.reads & above.binds) <= 2 and not below.mutates & above.binds


def _short_ones_joined(blocks: list[_Block]) -> list[_Block]:
    """Blocks that were seen to take next to no time, and have no heading of their own, go with the one above."""
    result: list[_Block] = []
    for block in blocks:
        is_short = block.seconds is not None and block.seconds < SHORT_SECONDS
        if result and is_short and block.heading == result[-1].heading:
            result[-1].join(block)
        else:
            result.append(block)
    return result


def _joined(blocks: list[_Block]) -> list[_Block]:
    """No more than `MOST_STEPS`: first those below deeper headings join what is above them."""
    blocks = list(blocks)
    while len(blocks) > MOST_STEPS:
        place = max(
            range(1, len(blocks)),
            key=lambda n: (
                blocks[n].level,
                len(blocks[n].reads & blocks[n - 1].binds),
                -blocks[n].statements,
                n,
            ),
        )
        blocks[place - 1].join(blocks.pop(place))
    return blocks


def _names(blocks: Sequence[_Block]) -> list[str]:
    """A name for each: its heading's, else a word for what its code does; each once."""
    names: list[str] = []
    for block in blocks:
        heading = block.heading if sum(b.heading == block.heading for b in blocks) == 1 else None
        base = _slug(heading) if heading else ""
        base = base or _word(block) or (_slug(block.heading) if block.heading else "") or "step"
        name, number = base, 1
        while name in names:
            number += 1
            name = f"{base}-{number}"
        names.append(name)
    return names


def _slug(heading: str) -> str:
    """The first words of a heading as a step's name, without its number."""
    words = re.findall(r"[a-z][a-z0-9]*", re.sub(r"^[\d.\s]+", "", heading.lower()))
    useful = [
        word
        for word in words
        if word not in ("the", "a", "an", "of", "and", "our", "we", "to", "for", "with")
    ]
    return "-".join((useful or words)[:3])


def _word(block: _Block) -> str | None:
    return next((word for word, pattern in WORDS.items() if re.search(pattern, block.source)), None)
