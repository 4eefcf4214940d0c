"""Reading notebooks: formats, bad files, and which cell belongs to which step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jupyterlab_pipelines.errors import KernelError, NotebookError
from jupyterlab_pipelines.notebook.parse import (
    as_version_4,
    last_heading,
    read_notebook,
    read_outline,
    require_python,
)
from tests.fixtures.notebooks import Notebook, cell, markdown, notebook, parameters, raw


def layout(document: Notebook) -> list[str]:
    """Per cell its kind, and the step that it belongs to."""
    return [f"{one.kind} {one.step}" if one.step else str(one.kind) for one in read_outline(document).cells]


def test_untagged_cells_are_setup_before_the_first_step_and_join_the_step_above_after_it() -> None:
    document = notebook(
        cell("import math"),
        parameters("n = 1"),
        cell("x = n", step="load"),
        cell("x += 1"),
        cell("x", tags=["skip"]),
        markdown("text"),
        raw("raw"),
        cell("x += 2"),
        cell("y = x", step="use"),
        cell("x", step="load"),
    )

    assert layout(document) == [
        *("setup", "parameters", "step load", "step load", "skip", "text", "text", "step load"),
        *("step use", "step load"),
    ]


def test_kales_vocabulary() -> None:
    document = notebook(
        cell("n = 1", tags=["pipeline-parameters"]),
        cell("import math", tags=["imports"]),
        cell("x = n", tags=["block:load"]),
        cell("x += 1", tags=["block:"]),
        cell("def f(): pass", tags=["functions"]),
        cell("def g(): pass"),
        cell("import os", tags=["imports"]),
        cell("y = x", tags=["block:use", "prev:load"]),
        cell("print(y)", tags=["pipeline-metrics"]),
    )
    outline = read_outline(document)

    assert layout(document) == [
        *("parameters", "setup", "step load", "step load", "setup", "setup", "setup", "step use"),
        "step pipeline-metrics",
    ]
    assert outline.shared_cells == (1, 6, 4, 5)
    assert outline.steps[1].tags.previous == ("load",)
    assert outline.steps[2].tags.role == "evaluator"


def test_a_step_says_what_all_its_cells_say_and_is_titled_by_the_heading_above() -> None:
    document = notebook(
        markdown("# Book\n\n## *Load* the [data](http://x)"),
        cell("x = 1", step="load", cache="off"),
        cell("z = 1", step="other"),
        cell("x = 2", step="load", role="importer", after="other"),
    )
    load, other = read_outline(document).steps

    assert (load.title, other.title) == ("Load the data", "other")
    assert (load.tags.cache, load.tags.role, load.tags.after) == ("off", "importer", ("other",))


@pytest.mark.parametrize(
    ("text", "heading"),
    [
        ("", None),
        ("plain", None),
        ("# One\n## Two ##", "Two"),
        ("```\n# no heading\n```", None),
        ("#hashtag", None),
        ("# `code` and __bold__", "code and bold"),
    ],
)
def test_headings(text: str, heading: str | None) -> None:
    assert last_heading(text) == heading


def test_sources_as_lists_of_lines_and_without_ids() -> None:
    document = notebook(cell("x = 1\ny = 2", step="a"), ids=False)
    document["cells"][0]["source"] = ["x = 1\n", "y = 2"]

    (one,) = read_outline(document).cells

    assert (one.source, one.id) == ("x = 1\ny = 2", None)


def test_a_notebook_without_steps_is_told() -> None:
    with pytest.raises(NotebookError) as error:
        read_outline(notebook(cell("x = 1")))

    assert (error.value.code, "`step:NAME`" in error.value.message) == ("no_steps", True)


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ([], "not an object"),
        ({}, "no list of cells"),
        ({"cells": []}, "nbformat"),
        ({"cells": [], "nbformat": 5}, "newer"),
        ({"cells": [1], "nbformat": 4}, "cell 1"),
        ({"cells": [{}], "nbformat": 4}, "cell 1"),
    ],
)
def test_what_is_no_notebook_is_told(content: Any, word: str) -> None:
    with pytest.raises(NotebookError) as error:
        as_version_4(content, "a.ipynb")

    assert error.value.code == "not_a_notebook"
    assert word in error.value.message


def test_older_notebooks_are_converted() -> None:
    old = {
        "nbformat": 3,
        "nbformat_minor": 0,
        "metadata": {},
        "worksheets": [
            {
                "cells": [
                    {"cell_type": "code", "input": "x = 1", "outputs": [], "metadata": {"tags": ["step:a"]}}
                ]
            }
        ],
    }

    assert layout(as_version_4(old, "old.ipynb")) == ["step a"]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (None, "not_found"),
        (b"\xff\xfe", "not_json"),
        (b"{", "not_json"),
        (b"<<<<<<< HEAD", "not_json"),
        (json.dumps([1]).encode(), "not_a_notebook"),
    ],
)
def test_files_that_cannot_be_read_are_told(content: bytes | None, code: str, tmp_path: Path) -> None:
    path = tmp_path / "a.ipynb"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(NotebookError) as error:
        read_notebook(path)

    assert error.value.code == code


def test_a_folder_is_no_notebook(tmp_path: Path) -> None:
    with pytest.raises(NotebookError) as error:
        read_notebook(tmp_path)

    assert error.value.code == "not_a_notebook"


def test_a_byte_order_mark_is_read_over(tmp_path: Path) -> None:
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps(notebook(cell("x = 1", step="a"))), encoding="utf-8-sig")

    assert layout(read_notebook(path)) == ["step a"]


def test_other_languages_are_refused() -> None:
    document = notebook(cell("x <- 1", step="a"), metadata={"language_info": {"name": "R"}}, kernel=None)

    with pytest.raises(KernelError) as error:
        require_python(read_outline(document))

    assert error.value.code == "kernel_not_python"
