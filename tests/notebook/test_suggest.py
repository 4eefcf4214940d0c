"""A cut of an untagged notebook into steps."""

from __future__ import annotations

import pytest

from jupyterlab_pipelines.errors import NotebookError
from jupyterlab_pipelines.notebook.flow import read_pipeline
from jupyterlab_pipelines.notebook.parse import read_outline
from jupyterlab_pipelines.notebook.suggest import MOST_STEPS, suggest_steps
from tests.fixtures.notebooks import Notebook, cell, markdown, notebook, parameters


def tagged(document: Notebook) -> Notebook:
    for index, tags in suggest_steps(document)["tags"].items():
        metadata = document["cells"][int(index)]["metadata"]
        metadata["tags"] = [*metadata.get("tags", []), *tags]
    return document


def test_headings_cut_and_name_the_steps() -> None:
    document = notebook(
        cell("import pandas as pd\nDATA = 'flights.csv'"),
        parameters("seed = 1"),
        markdown("# A study\n\n## 1. Load the flights"),
        cell("df = pd.read_csv(DATA)"),
        cell("df.head()"),
        markdown("## 2. Train"),
        cell("model = Model(seed).fit(df)"),
        markdown("## 3. Evaluate"),
        cell("print(model.score(df))"),
    )

    suggestion = suggest_steps(document)

    assert [(s["name"], s["role"], s["cells"], s["inputs"], s["outputs"]) for s in suggestion["steps"]] == [
        ("load-flights", "importer", [3, 4], [], ["df"]),
        ("train", "trainer", [6], ["df"], ["model"]),
        ("evaluate", "evaluator", [8], ["df", "model"], []),
    ]
    assert suggestion["setup_cells"] == [0]
    assert suggestion["edges"][0] == {"source": "load-flights", "target": "train", "names": ["df"]}
    pipeline = read_pipeline(read_outline(tagged(document)))
    assert [step.name for step in pipeline.steps] == ["load-flights", "train", "evaluate"]


def test_without_headings_it_is_cut_where_little_goes_across() -> None:
    block = "\n".join(f"{{0}}{n} = {n}" for n in range(8))
    document = notebook(
        *(cell(block.format(letter) + f"\n{letter} = {letter}7\nprint({letter})") for letter in "abc")
    )

    assert [step["cells"] for step in suggest_steps(document)["steps"]] == [[0], [1], [2]]


def test_a_notebook_of_many_headings_becomes_no_more_steps_than_one_can_see() -> None:
    document = notebook(
        *(
            each
            for n in range(40)
            for each in (markdown(f"{'#' * (2 + n % 3)} Part {n}"), cell(f"x{n} = {n}\nprint(x{n})"))
        )
    )

    steps = suggest_steps(document)["steps"]
    assert len(steps) == MOST_STEPS
    assert len({step["name"] for step in steps}) == MOST_STEPS
    read_pipeline(read_outline(tagged(document)))


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (notebook(cell("x = 1", step="a")), "has_steps"),
        (notebook(cell("%%step a\nx = 1")), "has_steps"),
        (notebook(markdown("# Nothing")), "no_code"),
        (notebook(cell("x = (")), "syntax_error"),
    ],
)
def test_what_cannot_be_cut_is_told(document: Notebook, code: str) -> None:
    with pytest.raises(NotebookError) as told:
        suggest_steps(document)

    assert told.value.code == code


def test_code_that_only_looks_like_setup_is_one_step() -> None:
    assert [step["cells"] for step in suggest_steps(notebook(cell("x = 1")))["steps"]] == [[0]]
