"""The tag language: what tags and `%%step` lines say, and what is refused."""

from __future__ import annotations

import pytest

from jupyterlab_pipelines.errors import NotebookError
from jupyterlab_pipelines.notebook.tags import CellTags, age_seconds, read_step_magic, read_tags
from jupyterlab_pipelines.pipeline import Resources, Role


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ([], CellTags()),
        (["step:load"], CellTags(step="load")),
        (["block:load"], CellTags(step="load")),
        (["step:load", "block:load"], CellTags(step="load")),
        (["block:"], CellTags(joins=True)),
        (["parameters"], CellTags(parameters=True)),
        (["pipeline-parameters"], CellTags(parameters=True)),
        (["pipeline-metrics"], CellTags(metrics=True)),
        (["imports"], CellTags(shared="imports")),
        (["functions"], CellTags(shared="functions")),
        (["skip", "step:a"], CellTags(step="a", skip=True)),
        (["step:a", "after:b", "after:c", "prev:d"], CellTags(step="a", after=("b", "c"), previous=("d",))),
        (["role:trainer"], CellTags(role=Role.TRAINER)),
        (["cache:off"], CellTags(cache="off")),
        (["cache:enabled"], CellTags(cache="on")),
        (["cache:12h"], CellTags(cache="12h")),
        (["retries:2", "timeout:30m"], CellTags(retries=2, timeout_seconds=1800.0)),
        (["kernel:gpu"], CellTags(kernel="gpu")),
        (
            ["cpu:500m", "memory:1.5Gi", "gpu:2"],
            CellTags(resources=Resources(cpu="0.5", memory="1.5Gi", gpu="2")),
        ),
        (["limit:nvidia.com/gpu:1"], CellTags(resources=Resources(gpu="1"))),
        ([" step: load "], CellTags(step="load")),
        (
            ["image:python:3.11", "limit:amd.com/gpu:1", "annotation:a:b", "label:x:y", "report:html"],
            CellTags(),
        ),
        (["hide-input", "Step:Load", "raises-exception", 7, None], CellTags()),
    ],
)
def test_what_tags_say(tags: list[object], said: CellTags) -> None:
    assert read_tags(tags, 0) == said


@pytest.mark.parametrize(
    ("tags", "word"),
    [
        (["step:two words"], "letters, digits"),
        (["step:1st"], "letters, digits"),
        (["step:a", "step:b"], "already belongs to step `a`"),
        (["role:wizard"], "the roles are importer"),
        (["cache:sometimes"], "`30m`"),
        (["retries:many"], "whole number"),
        (["memory:much"], "such as `4Gi`"),
        (["gpu:0.5"], "a whole number"),
        (["timeout:soon"], "`30m`"),
        (["kernel:"], "kernelspec"),
    ],
)
def test_a_bad_value_is_told_with_cell_and_remedy(tags: list[str], word: str) -> None:
    with pytest.raises(NotebookError) as error:
        read_tags(tags, 4)

    assert error.value.code == "bad_tag"
    assert "Cell 5" in error.value.message
    assert word in error.value.message


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("%%step load", CellTags(step="load")),
        ("%%step load --after a,b", CellTags(step="load", after=("a", "b"))),
        ("%%step load --role=trainer --cache off", CellTags(step="load", role=Role.TRAINER, cache="off")),
        ("%%step load --retries 3 --timeout 10s", CellTags(step="load", retries=3, timeout_seconds=10.0)),
    ],
)
def test_a_step_line_says_the_same_and_keeps_line_numbers(line: str, said: CellTags) -> None:
    assert read_step_magic(f"\n{line}\nx = 1", 0) == (said, "\n\nx = 1")


@pytest.mark.parametrize("source", ["", "x = 1", "%%steps a", "x = 1\n%%step a", "%%time\n%%step a"])
def test_other_cells_have_no_step_line(source: str) -> None:
    assert read_step_magic(source, 0) is None


@pytest.mark.parametrize(
    "line", ["%%step", "%%step a b", "%%step a --colour red", "%%step 'a", "%%step a --role x"]
)
def test_a_bad_step_line_is_told(line: str) -> None:
    with pytest.raises(NotebookError) as error:
        read_step_magic(line, 2)

    assert (error.value.code, "Cell 3" in error.value.message) == ("bad_tag", True)


@pytest.mark.parametrize(
    ("cache", "seconds"), [("on", None), ("off", None), ("30m", 1800), ("1.5h", 5400), ("7d", 604800)]
)
def test_ages(cache: str, seconds: float | None) -> None:
    assert age_seconds(cache) == seconds
