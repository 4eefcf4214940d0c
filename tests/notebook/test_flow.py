"""Data flow: which step reads what from which, without executing anything."""

from __future__ import annotations

import pytest

from jupyterlab_pipelines.errors import NotebookError
from jupyterlab_pipelines.notebook.flow import read_pipeline
from jupyterlab_pipelines.notebook.parse import read_outline
from jupyterlab_pipelines.pipeline import Effects, Pipeline
from tests.fixtures.notebooks import Cell, cell, notebook, parameters


def pipeline(*cells: Cell, learned: dict[str, Effects] | None = None) -> Pipeline:
    return read_pipeline(read_outline(notebook(*cells)), learned)


def steps(*sources: str, learned: dict[str, Effects] | None = None) -> Pipeline:
    """Steps a, b, c, …"""
    return pipeline(
        *(cell(source, step=name) for name, source in zip("abcdefgh", sources, strict=False)), learned=learned
    )


def inputs(of: Pipeline, step: str) -> set[str]:
    """``name<step`` for all that the step gets."""
    return {f"{given.name}<{given.step}" for given in of[step].needs.inputs}


def carried(of: Pipeline, step: str) -> set[str]:
    needs = of[step].needs
    return {name for one in (*needs.definitions, *needs.late_definitions) for name in one.names}


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        (["x = 1", "print(x)"], {"x<a"}),
        (["x = 1", "x = 2", "print(x)"], {"x<b"}),
        (["x = 1", "y = 2", "print(x, y)"], {"x<a", "y<b"}),
        (["x = [1]", "x.append(2)", "print(x)"], {"x<b"}),
        (["x = 1", "x += 2", "print(x)"], {"x<b"}),
        (["x = {}", "x['a'] = 2", "print(x)"], {"x<b"}),
        (["x = 1", "if maybe:\n    x = 2", "print(x)"], {"x<b"}),
        (["x = 1", "del x", "print(x)"], {"x<b"}),
        (["x = 1", "[x for x in range(3)]", "print(x)"], {"x<a"}),
        (["x = 1", "[(x := y) for y in range(3)]", "print(x)"], {"x<b"}),
        (["x = 1", "def f(x): return x", "print(x)"], {"x<a"}),
        (["x = 1", "x = 2\nprint(x)"], set()),
        (["x = 1", "for x in [1, 2]: pass", "print(x)"], {"x<b"}),
        (["x = 1", "y = f'{x}'"], {"x<a"}),
        (["x = 1", "%time y = x"], {"x<a"}),
        (["x = 1", "print('x')"], set()),
    ],
)
def test_notebook_order_decides_which_writer_a_reader_sees(sources: list[str], expected: set[str]) -> None:
    read = steps(*sources)

    assert inputs(read, "abcdefgh"[len(sources) - 1]) == expected


def test_a_maybe_write_keeps_the_earlier_writer() -> None:
    read = steps("x = 1", "if maybe:\n    x = 2", "print(x)")

    assert inputs(read, "b") == {"x<a"}


def test_definitions_travel_as_source_with_what_they_read_when_called() -> None:
    read = steps(
        "import math\nk = 2\ndef f(x): return g(x) * k",
        "def g(x): return math.sqrt(x)",
        "k = 3",
        "print(f(1))",
    )

    assert carried(read, "d") == {"math", "f", "g"}
    assert inputs(read, "d") == {"k<c"}


def test_a_definition_whose_default_is_bound_otherwise_now_travels_as_a_value() -> None:
    read = steps("N = 1\ndef f(x=N): return x * k", "N = 2", "k = 3", "f()")

    assert (carried(read, "d"), inputs(read, "d")) == (set(), {"f<a", "k<c"})


def test_setup_and_parameters_are_made_anew_and_only_what_is_used_counts() -> None:
    read = pipeline(
        cell("import math\nconfig = {'a': 1}\nother = 2"),
        parameters("n = 1\nm = 2"),
        cell("x = config['a'] + n", step="a"),
        cell("print(x)", step="b"),
    )

    assert read["a"].needs.parameters == ("n",)
    assert read["a"].needs.setup == ("config = {'a': 1}",)
    assert (read["b"].needs.parameters, read["b"].needs.setup) == ((), ())
    assert [(one.name, one.default) for one in read.parameters] == [("n", 1), ("m", 2)]


def test_independent_steps_have_no_edge() -> None:
    read = steps("df = load()", "x = df.mean()", "y = df.sum()", "print(x, y)")

    assert read.parents == {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c")}


def test_tags_add_order() -> None:
    read = pipeline(
        cell("x = 1", step="a"),
        cell("y = 1", step="b", after="a"),
        cell("z = 1", step="c", tags=["prev:b", "prev:no"]),
    )

    assert read.parents == {"a": (), "b": ("a",), "c": ("b",)}
    assert [edge.explicit for edge in read.edges] == [True, True]
    assert [warning.code for warning in read.warnings] == ["unknown_step"]


def test_learned_effects_join_steps() -> None:
    sources = ["x = [1]", "weird(x)", "print(x)"]

    assert inputs(steps(*sources), "c") == {"x<a"}
    learned = steps(*sources, learned={"b": Effects(mutates=frozenset({"x"}))})
    assert inputs(learned, "c") == {"x<b"}
    assert {(edge.source, edge.target, edge.learned) for edge in learned.edges} == {
        ("a", "b", False),
        ("b", "c", True),
    }


def shared(*names: str) -> Effects:
    return Effects(shared=frozenset({frozenset(names)}))


def test_names_that_share_objects_change_together() -> None:
    read = steps("x = [1]\ny = [x]", "x.append(2)", "print(y)", learned={"a": shared("x", "y")})

    assert inputs(read, "c") == {"y<b"}


def test_names_that_share_objects_travel_together() -> None:
    read = steps("x = [1]", "y = [x]", "print(y[0] is x)", learned={"b": shared("x", "y")})

    assert inputs(read, "c") == {"x<b", "y<b"}


def test_sharing_reaches_over_names_and_rebinding() -> None:
    read = steps(
        "x = [1]\ng = x", "b = [g]", "g = 1", "x.append(2)", "print(b)",
        learned={"a": shared("x", "g"), "b": shared("g", "b")},
    )  # fmt: skip

    assert inputs(read, "e") == {"b<d"}


@pytest.mark.parametrize(
    ("cells", "code", "words"),
    [
        (
            [("a", "x = 1"), ("b", "y = x"), ("a", "print(y)")],
            "order_cycle",
            ["`y`", "`a`", "`b`", "step name"],
        ),
        (
            [("a", "x = 1"), ("b", "print(x)"), ("a", "x = 2")],
            "interleaved_steps",
            ["`x`", "`a`", "`b`", "cell 3"],
        ),
        (
            # The last cell would read what `a` itself has bound, were it not in the same kernel.
            [("a", "x = 1"), ("b", "x = [2]"), ("a", "x[0]")],
            "interleaved_steps",
            ["`x`", "`a`", "`b`", "cell 2"],
        ),
        ([("a", "x = 1"), ("b", "x = (")], "syntax_error", ["Cell 2, line 1"]),
    ],
)
def test_what_cannot_be_a_pipeline_is_told(cells: list[tuple[str, str]], code: str, words: list[str]) -> None:
    with pytest.raises(NotebookError) as error:
        pipeline(*(cell(source, step=step) for step, source in cells))

    assert error.value.code == code
    assert [word for word in words if word not in error.value.message] == []


def test_an_unknown_step_in_after_is_told() -> None:
    with pytest.raises(NotebookError) as error:
        pipeline(cell("x = 1", step="a", after="load"))

    assert error.value.code == "unknown_step"


def test_a_name_that_nobody_defines_is_a_warning() -> None:
    (warning,) = steps("print(unheard)").warnings

    assert (warning.code, warning.step, "`unheard`" in warning.message) == ("undefined_name", "a", True)
    assert steps("exec('unheard = 1')", "print(unheard)").warnings == ()
