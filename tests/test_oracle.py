"""The oracle itself: what it sees, what it evens out, and that it tells a difference."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from tests.fixtures.notebooks import cell, markdown, notebook, parameters, write
from tests.oracle import CellText, assert_same_outputs, cell_texts, run_all


def test_streams_results_and_displays_are_seen_per_cell(tmp_path: Path) -> None:
    document = notebook(
        markdown("# Title"),
        cell(
            """
            import sys
            print("one"); print("warned", file=sys.stderr); print("two")
            display({"text/plain": "shown", "text/html": "<b>shown</b>"}, raw=True)
            6 * 7
            """
        ),
    )

    (text,) = run_all(document, tmp_path)

    assert (text.index, text.stdout, text.stderr) == (1, "one\ntwo\n", "warned\n")
    assert text.displays == ("display_data (text/html, text/plain)\nshown", "execute_result (text/plain)\n42")


def test_an_error_ends_the_run(tmp_path: Path) -> None:
    first, second = run_all(notebook(cell("1 / 0"), cell("print('never')")), tmp_path)

    assert first.error == "ZeroDivisionError: division by zero"
    assert second == CellText(1, "print('never')")


def test_runs_in_the_given_folder_with_the_given_environment(tmp_path: Path) -> None:
    (tmp_path / "numbers.txt").write_text("1 2 3")
    document = notebook(cell("import os; print(open('numbers.txt').read(), os.environ['COLOUR'])"))

    (text,) = run_all(document, tmp_path, env={"COLOUR": "green"})

    assert text.stdout == "1 2 3 green\n"


def test_parameters_are_set_after_the_parameters_cell_and_leave_the_positions_alone(tmp_path: Path) -> None:
    document = notebook(parameters("alpha = 1"), cell("beta = alpha * 2\nbeta"))

    texts = run_all(document, tmp_path, parameters={"alpha": 21})

    assert [text.index for text in texts] == [0, 1]
    assert texts[1].displays == ("execute_result (text/plain)\n42",)


def test_memory_addresses_and_process_ids_do_not_count(tmp_path: Path) -> None:
    document = notebook(cell("import warnings; warnings.warn('careful'); print(hex(4096))\nobject()"))

    once, again = run_all(document, tmp_path), run_all(document, tmp_path)

    assert_same_outputs(once, again)
    assert once[0].stdout == "0x1000\n"


def test_a_difference_is_told_with_its_cell(tmp_path: Path) -> None:
    document = notebook(markdown("# Title"), cell("print('same')"), cell("print('new')"))
    truth = run_all(document, tmp_path)
    executed = notebook(markdown("# Title"), cell("print('same')"), cell("print('new')"))
    executed["cells"][1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["same\n"]}]
    executed["cells"][2]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "old\n"}]

    with pytest.raises(AssertionError) as failure:
        assert_same_outputs(executed, truth)

    assert str(failure.value).splitlines()[0] == "cell 2 differs from Run All"
    assert "-stdout: new" in str(failure.value) and "+stdout: old" in str(failure.value)
    assert "cell 1" not in str(failure.value)


@pytest.mark.parametrize("ids", [True, False])
def test_built_notebooks_are_valid_and_survive_a_file(tmp_path: Path, ids: bool) -> None:
    document = notebook(
        markdown("## Add"),
        cell("x = 1\ny = 2", step="add", role="transformer", after=["load"], cache="12h", tags=["mine"]),
        ids=ids,
    )

    nbformat.validate(document)
    saved = write(document, tmp_path / "folder" / "n.ipynb")

    assert document["cells"][1]["metadata"]["tags"] == [
        "step:add", "role:transformer", "after:load", "cache:12h", "mine",
    ]  # fmt: skip
    assert ("id" in document["cells"][0]) is ids
    assert cell_texts(saved) == cell_texts(document)
    assert document["nbformat_minor"] == (5 if ids else 4)
