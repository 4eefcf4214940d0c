"""Cells become Python that does the same: moved, edited and freed of IPython without changing a string."""

from __future__ import annotations

import ast
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyterlab_pipelines.errors import ExportError
from jupyterlab_pipelines.export.magics import Translation
from jupyterlab_pipelines.export.scopes import plain_python
from jupyterlab_pipelines.export.source import (
    indented,
    may_be_deleted,
    nonlocal_for_global,
    passages,
    unbound_names,
    unguarded,
)
from jupyterlab_pipelines.notebook.names import analyse
from jupyterlab_pipelines.pipeline import Cell, CellKind

TEXTS = [
    "plain",
    "two\nlines",
    "  indented\n    more\n",
    "quote ' \" `",
    "tab\there",
    "{braces}",
    "back\\slash",
]


@given(st.lists(st.sampled_from(TEXTS), min_size=1, max_size=4), st.integers(1, 3))
def test_moving_code_to_the_right_leaves_its_strings_alone(texts: list[str], levels: int) -> None:
    lines = [f"a{number} = {_triple(text)}" for number, text in enumerate(texts)]
    lines += ["b = f'''{a0!r}\n  {a0:>10}'''", "if a0:\n    c = [\n        1,\n    ]"]
    source = "\n".join(lines)
    before: dict[str, object] = {}
    exec(source, before)

    moved = "if True:\n" + "".join("    " * level + "if True:\n" for level in range(1, levels))
    after: dict[str, object] = {}
    exec(moved + indented(source, levels), after)

    assert _own(after) == _own(before)


def _triple(text: str) -> str:
    return '"""' + text.replace("\\", "\\\\").replace('"', '\\"') + '"""'


def _own(namespace: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in namespace.items() if not name.startswith("__")}


def test_comments_stay_with_their_statements() -> None:
    source = textwrap.dedent(
        """\
        # about x
        x = 1  # one

        # about y,
        # at length
        y = (  # inside
            2
        )
        z = '# none'; w = 3  # last
        # below"""
    )

    found, below = passages(source, analyse(source).statements)

    assert [passage.text for passage in found] == [
        "# about x\nx = 1  # one",
        "# about y,\n# at length\ny = (  # inside\n    2\n)",
        "z = '# none'",
        "w = 3  # last",
    ]
    assert [passage.is_apart for passage in found] == [False, True, False, False]
    assert below == ["# below"]


def test_what_is_global_in_a_notebook_is_a_functions_own_in_a_step() -> None:
    source = "def f():\n    global count, other\n    text = 'global count'\n    count += 1"

    changed, bound = nonlocal_for_global(source, {"count"})

    assert changed == "def f():\n    global other; nonlocal count\n    text = 'global count'\n    count += 1"
    assert bound == {"count"}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("!ls -l", 'shell("ls -l")'),
        ("!echo {name} $name $HOME", 'shell(f"echo {name} {name} $HOME")'),
        ("!echo $name {1}", 'shell("echo " + str(name) + " {1}")'),
        ("files = !ls", 'files = shell_lines("ls")'),
        ("if name:\n    !ls\nelse:\n    %time name()", 'if name:\n    shell("ls")\nelse:\n    name()'),
        ("%time x = name + 1", "x = name + 1"),
        ("%matplotlib inline", ""),
        ("!pip install -q x y", ""),
        ("!{sys.executable} -m pip install x && apt-get install -y z", ""),
        (
            "try:\n    name()\nexcept ImportError:\n    !pip install x",
            "try:\n    name()\nexcept ImportError:\n    pass",
        ),
        ("!pip list", 'shell("pip list")'),
        ("!pip install x; echo done", 'shell("pip install x; echo done")'),
        ("for i in name:\n    %pip install x", "for i in name:\n    pass"),
        ("%env A=b c", 'set_variable("A", "b c")'),
        ("%cd ../data", 'change_folder("../data")'),
        ("%%time\nx = 1", "x = 1"),
    ],
)
def test_ipython_is_said_in_python(source: str, expected: str) -> None:
    assert translated(source) == expected


@pytest.mark.parametrize("source", ["%run other.py", "x = 1\n%store x", "y = %who_ls", "get_ipython()"])
def test_what_only_ipython_can_do_is_refused(source: str) -> None:
    with pytest.raises(ExportError, match=r"Cell 1, line \d"):
        translated(source)


def test_cell_magics_become_calls() -> None:
    def taken(source: str) -> str:
        return Translation(Cell(0, None, CellKind.STEP, source), {"name"}).taken()

    assert taken("%%bash\necho 1\necho 2\n") == 'shell("""echo 1\necho 2\n""", program="bash")'
    assert taken("%%html\n<b>x</b>") == ""
    (call,) = (
        node for node in ast.walk(ast.parse(taken("%%writefile a.txt\n'x'\n"))) if isinstance(node, ast.Call)
    )
    assert [ast.literal_eval(each) for each in call.args] == ["a.txt", "'x'\n"]
    assert taken("%%bash\npip install x\n# done\n") == ""
    with pytest.raises(ExportError, match="`%%R` needs IPython"):
        taken("%%R\n1")


def translated(source: str) -> str:
    cell = Cell(0, None, CellKind.STEP, source)
    translation = Translation(cell, {"name"})
    python = plain_python(cell)
    assert python is not None
    statements = [s for s in analyse(source).statements if "run_cell_magic" not in s.source]
    found, _ = passages(python, statements)
    texts = [translation.statement(each.source, each.statement.line) for each in found]
    return "\n".join(text for text in texts if text is not None)


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("import os\n\ndef f(x):\n    return os, x, len(x), y", {"y"}),
        ("def f():\n    x = 1\n    def g():\n        nonlocal x\n        return x + z\n    return g", {"z"}),
        ("def f():\n    global a\n    a = 1\n\ndef g():\n    return a", set()),
        ("class A:\n    b = 1\n    def c(self):\n        return b", {"b"}),
        ("def f():\n    a: 'pl.Frame' = [i for i in range(3)]\n    return a", {"pl"}),
        ("from __future__ import annotations\n\ndef f(x: Missing) -> list[int]: ...", {"Missing"}),
    ],
)
def test_names_that_nothing_binds_are_found(module: str, expected: set[str]) -> None:
    assert unbound_names(module) == expected


def test_docstrings_are_indented_with_their_functions_and_other_texts_are_not() -> None:
    source = 'def f():\n    """One.\n\n    Two.\n    """\n    return """\nleft"""'

    assert indented(source).splitlines()[3] == "        Two."
    assert indented(source).splitlines()[-1] == 'left"""'


def test_what_runs_as_the_main_module_is_not_guarded() -> None:
    guarded = 'if __name__ == "__main__":\n    # so\n    x = """\n    a"""\n    if x:\n        y = 1'

    assert unguarded(guarded) == '# so\nx = """\n    a"""\nif x:\n    y = 1'
    assert unguarded(f"{guarded}\nelse:\n    z = 1") == f"{guarded}\nelse:\n    z = 1"


def test_what_a_function_deletes_and_one_in_it_reads_is_told() -> None:
    assert may_be_deleted("def f(x):\n    def g():\n        return x\n    del x\n    return g")
    assert not may_be_deleted("def f(x, y):\n    def g():\n        return y\n    del x\n    return g")
