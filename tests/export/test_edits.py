"""What an edit of the notebook changes in the exported tree: what it is about, and no more."""

from __future__ import annotations

import ast
import random
from pathlib import Path

import pytest

from tests.export.test_package import exported, tree
from tests.fixtures.notebooks import Notebook, cell, markdown, notebook, parameters

pytestmark = pytest.mark.timeout(300)

START = notebook(
    markdown("# Edits"),
    cell(
        """
        import json
        import math

        LIMIT = 3  # rows


        def root(value):  # of a number
            return math.sqrt(value)
        """
    ),
    parameters("scale = 2  # how much"),
    markdown("## Make"),
    cell("# numbers\nnumbers = [number * scale for number in range(LIMIT)]", step="make"),
    cell("roots = [root(number) for number in numbers]  # all of them", step="roots"),
    cell("text = json.dumps(numbers)\n# its length\nlength = len(text)", step="text"),
    cell("total = sum(roots) + length  # both", step="total"),
)

STEPS = {4: "make", 5: "roots", 6: "text", 7: "total"}


def edited(cell_index: int, old: str, new: str) -> Notebook:
    cells = [dict(each) for each in START["cells"]]
    assert old in cells[cell_index]["source"]
    cells[cell_index]["source"] = cells[cell_index]["source"].replace(old, new)
    return START | {"cells": cells}


def functions(lines: list[str]) -> dict[str, str]:
    """By name, the text of each function of a module."""
    text = "\n".join(lines)
    return {
        node.name: ast.get_source_segment(text, node) or ""
        for node in ast.parse(text).body
        if isinstance(node, ast.FunctionDef)
    }


def test_a_comment_changes_no_code(tmp_path: Path) -> None:
    before = tree(exported(START, tmp_path))
    chance = random.Random(7)
    document = START
    for index in sorted(STEPS):
        comment = f"# note {chance.randrange(1000)}\n"
        source = document["cells"][index]["source"]
        cells = [dict(each) for each in document["cells"]]
        cells[index]["source"] = f"{comment}{source}" if chance.random() < 0.5 else f"{source}\n{comment}"
        document = document | {"cells": cells}

    after = tree(exported(document, tmp_path))

    assert before.keys() == after.keys()
    for path, lines in after.items():
        assert [line for line in lines if not line.lstrip().startswith("# note")] == before[path], path
    assert any("# note" in line for line in after["src/notebook/steps.py"])


@pytest.mark.parametrize("seed", range(2))
def test_an_edit_of_a_step_changes_its_function(seed: int, tmp_path: Path) -> None:
    edits = {
        4: ("number * scale", "number * scale + 1"),
        5: ("root(number)", "2 * root(number)"),
        6: ("len(text)", "len(text) + 1"),
        7: ("sum(roots)", "max(roots)"),
    }
    chance = random.Random(seed)
    before = tree(exported(START, tmp_path))
    for index in chance.sample(sorted(STEPS), 2):
        after = tree(exported(edited(index, *edits[index]), tmp_path))

        changed = {
            path
            for path in before.keys() | after.keys()
            if before.get(path) != after.get(path) and not path.startswith("tests/recorded")
        }
        assert changed == {"src/notebook/steps.py"}
        old, new = functions(before["src/notebook/steps.py"]), functions(after["src/notebook/steps.py"])
        assert {name for name in old if old[name] != new[name]} == {STEPS[index]}


def test_an_edit_of_a_definition_changes_the_versions_of_its_readers(tmp_path: Path) -> None:
    def versions(output: Path) -> list[str]:
        text = (output / "src/notebook/pipeline.py").read_text()
        return [line for line in text.splitlines() if "version=" in line]

    before = versions(exported(START, tmp_path))
    after = versions(exported(edited(1, "math.sqrt(value)", "math.cbrt(value)"), tmp_path))

    assert [old == new for old, new in zip(before, after, strict=True)] == [True, False, True, True]
