"""Notebooks that are made for people to look at."""

from __future__ import annotations

import nbformat
from nbformat.v4 import new_code_cell, new_notebook, new_output

from jupyterlab_pipelines.notebook.assemble import shorten_texts


def test_of_a_long_text_beginning_and_end_stay_in_whole_lines() -> None:
    lines = "".join(f"line {number}\n" for number in range(1000))
    outputs = [
        new_output("stream", name="stdout", text=lines),
        new_output("stream", name="stderr", text=lines.splitlines(keepends=True)),
        new_output("display_data", {"text/plain": "y" * 5000, "image/png": "z" * 5000}),
        new_output("stream", name="stdout", text="short"),
    ]
    content = new_notebook(cells=[new_code_cell("x", outputs=outputs)])

    shorten_texts(content, 100)

    nbformat.validate(content)
    printed, warned, shown, short = content.cells[0].outputs
    assert printed.text == warned.text
    told = printed.text.splitlines()
    assert (told[0], told[-1], len(told)) == ("line 0", "line 999", 15)
    assert "the log has all of it" in printed.text
    assert len(shown.data["text/plain"]) < 200
    assert shown.data["image/png"] == "z" * 5000
    assert short.text == "short"
