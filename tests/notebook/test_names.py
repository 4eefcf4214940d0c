"""What the statements of a cell bind, read, delete and change, against tables and against Python itself."""

from __future__ import annotations

import ast
import builtins
import dis
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from jupyterlab_pipelines.notebook.names import Call, Statement, StatementKind, analyse

BUILTINS = frozenset(dir(builtins))


def one(source: str) -> Statement:
    (statement,) = analyse(source).statements
    return statement


def facts(source: str) -> dict[str, set[Any]]:
    """The facts about the only statement that are not empty, builtins left out."""
    statement = one(source)
    named = ["binds", "may_bind", "deletes", "may_delete", "reads", "deferred", "mutates"]
    named += ["deferred_binds", "deferred_mutates", "mutated_parameters", "imports", "star_imports"]
    found = {name: set(getattr(statement, name)) - BUILTINS for name in named}
    return {name: value for name, value in found.items() if value}


def words(text: str) -> set[str]:
    return set(text.split())


# ----- a table of statements


Case = tuple[str, dict[str, Any]]

SIMPLE: list[Case] = [
    ("x = y", {"binds": "x", "reads": "y"}),
    ("x, (y, *z) = w", {"binds": "x y z", "reads": "w"}),
    ("x = y = z", {"binds": "x y", "reads": "z"}),
    ("x += y", {"binds": "x", "reads": "x y", "mutates": "x"}),
    ("x: T = y", {"binds": "x", "reads": "T y"}),
    ("x: T", {"reads": "T"}),
    ("del x", {"deletes": "x"}),
    ("del x[0], y.z", {"reads": "x y", "mutates": "x y"}),
    ("(x := y)", {"binds": "x", "reads": "y"}),
    ("a and (x := b)", {"may_bind": "x", "reads": "a b"}),
    ("a < (x := b) < (y := c)", {"binds": "x", "may_bind": "y", "reads": "a b c"}),
    ("(x := a) if (y := b) else (z := c)", {"binds": "y", "may_bind": "x z", "reads": "a b c"}),
    ("assert (x := y), z", {"may_bind": "x", "reads": "y z"}),
    ("raise E(x) from y", {"reads": "E x y"}),
    ("f'{x!r:>{y}} {f\"{z}\"}'", {"reads": "x y z"}),
    ("await f(x)", {"reads": "f x"}),
    ("None", {}),
]

IMPORTS: list[Case] = [
    ("import a.b", {"binds": "a", "imports": "a"}),
    ("import a.b as c, d", {"binds": "c d", "imports": "a d"}),
    ("from a.b import c as d, e", {"binds": "d e", "imports": "a"}),
    ("from . import a", {"binds": "a"}),
    ("from .m import a", {"binds": "a"}),
    ("from a.b import *", {"imports": "a", "star_imports": "a.b"}),
    ("def f():\n import a.b", {"binds": "f", "imports": "a"}),
    ("try:\n import a\nexcept ImportError:\n a = None", {"binds": "a", "imports": "a"}),
    ("m = __import__('a.b')", {"binds": "m", "imports": "a"}),
    ("m = importlib.import_module('a.b')", {"binds": "m", "imports": "a", "reads": "importlib"}),
]

SCOPES: list[Case] = [
    ("[x for x in y]", {"reads": "y"}),
    ("[x for x in x]", {"reads": "x"}),
    ("[z for x in y for z in x if z]", {"reads": "y"}),
    ("[(z := x) for x in y]", {"may_bind": "z", "reads": "y"}),
    ("{k: v for k, v in d.items() if k in e}", {"reads": "d e"}),
    ("(x + k for x in y)", {"reads": "y k", "deferred": "k"}),
    ("f = lambda x, y=z: x + w", {"binds": "f", "reads": "z", "deferred": "w"}),
    ("df.apply(lambda r: r + k)", {"reads": "df k", "deferred": "k"}),
    (
        "def f(x, y=a, *z, w: T = b, **k) -> R:\n return x, g",
        {"binds": "f", "reads": "a b T R", "deferred": "g"},
    ),
    ("@d(e)\ndef f():\n return g", {"binds": "f", "reads": "d e g", "deferred": "g"}),
    ("@functools.cache\ndef f():\n return g", {"binds": "f", "reads": "functools", "deferred": "g"}),
    ("def f():\n x = 1\n def g():\n  nonlocal x\n  x += y\n return g", {"binds": "f", "deferred": "y"}),
    ("def f():\n print(x)\n x = 1", {"binds": "f"}),
    ("def f():\n global x\n x = y", {"binds": "f", "deferred": "y", "deferred_binds": "x"}),
    ("def f():\n global x\n del x", {"binds": "f", "deferred_binds": "x"}),
    ("def f():\n global x\n def g():\n  return x", {"binds": "f", "deferred": "x"}),
    ("def f():\n x: T = 1", {"binds": "f"}),
    ("def f():\n return f()", {"binds": "f", "deferred": "f"}),
    ("def f():\n return [x for x in y if (z := x)] + [z]", {"binds": "f", "deferred": "y"}),
    ("def f():\n try: pass\n except E as e: print(e)", {"binds": "f", "deferred": "E"}),
    ("class A(B, metaclass=M):\n x: T = y\n z = x", {"binds": "A", "reads": "B M T y"}),
    ("class A:\n x = x", {"binds": "A", "reads": "x"}),
    ("class A:\n x = 1\n y = [x for _ in z]", {"binds": "A", "reads": "x z"}),
    ("class A:\n def m(self):\n  return super().m(), __class__, k", {"binds": "A", "deferred": "k"}),
    ("class A:\n def m(self):\n  return m, __x", {"binds": "A", "deferred": "m _A__x"}),
    ("class A:\n global x\n x = 1", {"binds": "A x"}),
    ("class A:\n if c:\n  x = 1\n y = x", {"binds": "A", "reads": "c x"}),
    ("class A:\n name = __qualname__", {"binds": "A"}),
    ("if c:\n def f():\n  return g", {"may_bind": "f", "reads": "c g", "deferred": "g"}),
    ("for x in y:\n z = x\n w(lambda: z)", {"may_bind": "x z", "reads": "y w", "deferred": "z"}),
]

FLOW: list[Case] = [
    ("if c:\n x = 1", {"may_bind": "x", "reads": "c"}),
    ("if c:\n x = 1\nelse:\n x = y", {"binds": "x", "reads": "c y"}),
    ("if c:\n x = 1\nelse:\n raise E", {"binds": "x", "reads": "c E"}),
    ("if True:\n x = 1", {"binds": "x"}),
    ("if False:\n x = y", {}),
    ("for x in y:\n z = x\n w = z + w", {"may_bind": "x z w", "reads": "y w"}),
    ("for x.a in y: pass", {"reads": "x y", "mutates": "x"}),
    ("for x in y:\n pass\nelse:\n z = 1", {"binds": "z", "may_bind": "x", "reads": "y"}),
    ("for x in y:\n break\nelse:\n z = 1", {"may_bind": "x z", "reads": "y"}),
    ("while c:\n x = y", {"may_bind": "x", "reads": "c y"}),
    ("while x := f():\n y = x", {"binds": "x", "may_bind": "y", "reads": "f"}),
    ("while True:\n x = 1\n if c: break", {"binds": "x", "reads": "c"}),
    ("while True:\n if c: break\n x = 1\n del x", {"may_bind": "x", "may_delete": "x", "reads": "c"}),
    ("for i in y:\n f(x)\n x = 1\n del x", {"may_bind": "i x", "may_delete": "x", "reads": "f x y"}),
    (
        "try:\n x = f()\nexcept E as e:\n x = e",
        {"binds": "x", "may_bind": "e", "may_delete": "e", "reads": "f E"},
    ),
    ("try:\n x = f()\nexcept E:\n g(x)", {"may_bind": "x", "reads": "f E g x"}),
    ("try:\n x = 1\nfinally:\n y = x", {"binds": "x y", "reads": "x"}),
    ("try:\n f()\nexcept E:\n raise\nelse:\n x = 1", {"binds": "x", "reads": "f E"}),
    (
        "while True:\n try:\n  x = 1\n  break\n finally:\n  del x",
        {"deletes": "x"},
    ),
    ("with f() as x:\n y = x", {"binds": "x", "may_bind": "y", "reads": "f"}),
    ("with open(p) as x:\n y = x.read()", {"binds": "x y", "reads": "p"}),
    ("with a as x, b as y:\n z = 1", {"binds": "x", "may_bind": "y z", "reads": "a b"}),
    ("with open(p) as f.x:\n pass", {"reads": "p f", "mutates": "f"}),
    ("async with f() as x:\n pass", {"binds": "x", "reads": "f"}),
    ("async for x in f():\n pass", {"may_bind": "x", "reads": "f"}),
    ("match s:\n case [x, *y]: pass\n case {'k': z, **r}: pass", {"may_bind": "x y z r", "reads": "s"}),
    ("match s:\n case C(x=1) | V.w: y = 1\n case _: y = 2", {"binds": "y", "reads": "s C V"}),
    ("match s:\n case x if g(x): y = x", {"may_bind": "x y", "reads": "s g"}),
    ("if c:\n del x", {"may_delete": "x", "reads": "c"}),
    ("if c:\n del x\nelse:\n del x", {"deletes": "x", "reads": "c"}),
]

CHANGES: list[Case] = [
    ("x[k] = v", {"reads": "x k v", "mutates": "x"}),
    ("x.a.b[0].c = v", {"reads": "x v", "mutates": "x"}),
    ("x[k] += v", {"reads": "x k v", "mutates": "x"}),
    ("x[1:], y = v", {"binds": "y", "reads": "x v", "mutates": "x"}),
    ("x.append(y)", {"reads": "x y", "mutates": "x"}),
    ("x.setdefault(k, []).append(y)", {"reads": "x k y", "mutates": "x"}),
    ("x.copy().append(y)", {"reads": "x y"}),
    ("y = x.dropna()", {"binds": "y", "reads": "x"}),
    ("x.dropna(inplace=True)", {"reads": "x", "mutates": "x"}),
    ("x.dropna(inplace=False)", {"reads": "x"}),
    ("x['a'].fillna(0, inplace=True)", {"reads": "x", "mutates": "x"}),
    ("m = LinearRegression().fit(x, y)", {"binds": "m", "reads": "LinearRegression x y"}),
    ("m.fit(x, y)", {"reads": "m x y", "mutates": "m"}),
    ("x.add_(y)", {"reads": "x y", "mutates": "x"}),
    ("random.shuffle(x)", {"reads": "random x", "mutates": "random x"}),
    ("heappush(h, x)", {"reads": "heappush h x", "mutates": "h"}),
    ("setattr(x, n, v)", {"reads": "x n v", "mutates": "x"}),
    ("y = next(it)", {"binds": "y", "reads": "it", "mutates": "it"}),
    ("f(x, out=y)", {"reads": "f x y", "mutates": "y"}),
    ("for d in [a, b]:\n d.dropna(inplace=True)", {"may_bind": "d", "reads": "a b", "mutates": "a b"}),
    ("for i, d in enumerate(ds):\n d['k'] = i", {"may_bind": "i d", "reads": "ds", "mutates": "ds"}),
    ("for k, v in d.items():\n v.append(k)", {"may_bind": "k v", "reads": "d", "mutates": "d"}),
    ("[d.update(k=1) for d in ds]", {"reads": "ds", "mutates": "ds"}),
    ("if c:\n y = x\n y.append(1)", {"may_bind": "y", "reads": "c x", "mutates": "x"}),
    ("if c:\n y = []\n y.append(1)", {"may_bind": "y", "reads": "c"}),
    (
        "def f(a, b, *, c):\n a['x'] = 1\n d = c\n d.append(b)",
        {"binds": "f", "mutated_parameters": [0, "a", "c"]},
    ),
    ("def f(df):\n df = df.copy()\n return df", {"binds": "f"}),
    ("def f(a):\n cache[a] = 1", {"binds": "f", "deferred": "cache", "deferred_mutates": "cache"}),
    ("f = lambda a: a.append(1)", {"binds": "f", "mutated_parameters": [0, "a"]}),
    ("def f(a):\n def g():\n  a.append(1)\n g()", {"binds": "f", "mutated_parameters": [0, "a"]}),
]

DYNAMIC: list[Case] = [
    ("globals()['x'] = y", {"binds": "x", "reads": "y"}),
    ("y = globals()['x']", {"binds": "y", "reads": "x"}),
    ("'x' in globals()", {"reads": "x"}),
    ("exec('x = y')", {"binds": "x", "reads": "y"}),
    ("z = eval('x + y')", {"binds": "z", "reads": "x y"}),
    ("exec(code, ns)", {"reads": "code ns", "mutates": "ns"}),
    ("df.query('a > @limit')", {"reads": "df limit"}),
    ("df.query(f'{c} > @limit')", {"reads": "df c limit"}),
    ("duckdb.sql('SELECT * FROM flights')", {"reads": "duckdb flights"}),
    ("pd.eval('a + b')", {"reads": "pd a b"}),
]


@pytest.mark.parametrize(
    ("source", "expected"),
    SIMPLE + IMPORTS + SCOPES + FLOW + CHANGES + DYNAMIC,
)
def test_statement(source: str, expected: dict[str, Any]) -> None:
    found = facts(source)
    assert found == {
        name: words(value) if isinstance(value, str) else set(value) for name, value in expected.items()
    }


def test_a_function_handed_over_may_be_called_at_once() -> None:
    statement = one("xs.apply(lambda row: log.append(row))")
    assert statement.mutates == {"log"}
    assert statement.deferred_mutates == {"log"}


@pytest.mark.parametrize(
    "source",
    [
        "exec(code)",
        "eval(code)",
        "globals()[name] = 1",
        "globals().update(x=1)",
        "f(**locals())",
        "vars()['x'] = y = globals()",
        "ip = get_ipython()",
        "get_ipython().user_ns['x'] = 1",
        "get_ipython().ex('x = 1')",
        "import __main__",
        "sys.modules['__main__'].x = 1",
        "%run script.py",
        "%pylab inline",
        "%store -r",
        "%unknown magic",
        "rows = %sql SELECT * FROM t",
        "%%unknown\nbody",
        "%reset -f",
        "%who",
    ],
)
def test_code_that_may_touch_anything_is_opaque(source: str) -> None:
    assert any(statement.opaque for statement in analyse(source).statements)


@pytest.mark.parametrize(
    "source",
    [
        "vars(x)['a']",
        "dir(x)",
        "def f():\n return locals()",
        "'ZMQ' in str(get_ipython())",
        "get_ipython().__class__.__name__",
        "df.eval('x = a + b')",
        "model.eval()",
        "re.compile('x')",
        "%matplotlib inline",
        "%load_ext autoreload\n%autoreload 2",
        "get_ipython().run_line_magic('matplotlib', 'inline')",
    ],
)
def test_code_that_only_looks_so_is_not_opaque(source: str) -> None:
    assert not any(statement.opaque for statement in analyse(source).statements)


def test_annotations_are_read_later_where_they_are_lazy() -> None:
    future, definition = analyse("from __future__ import annotations\ndef f(x: T) -> R: pass").statements
    assert future.imports == frozenset()
    assert definition.reads == frozenset()
    assert definition.deferred == {"T", "R"}


@pytest.mark.skipif(sys.version_info < (3, 12), reason="type parameters came with Python 3.12")
@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def f[T: B](x: T) -> U: return g", {"binds": "f", "reads": "U", "deferred": "B g"}),
        ("class A[T](C[T]): pass", {"binds": "A", "reads": "C"}),
        ("type X[T] = dict[T, Y]", {"binds": "X", "deferred": "Y"}),
    ],
)
def test_type_parameters_are_a_scope(source: str, expected: dict[str, str]) -> None:
    assert facts(source) == {name: words(value) for name, value in expected.items()}


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("import a", StatementKind.IMPORT),
        ("from a import b", StatementKind.IMPORT),
        ("from a import *", StatementKind.OTHER),
        ("try:\n import a\nexcept ImportError:\n a = None", StatementKind.IMPORT),
        ("try:\n import a\nexcept ImportError:\n install()", StatementKind.OTHER),
        ("def f(): pass", StatementKind.DEFINITION),
        ("async def f(): pass", StatementKind.DEFINITION),
        ("@d\nclass A: pass", StatementKind.DEFINITION),
        ("f = lambda: 1", StatementKind.DEFINITION),
        ("f = g(lambda: 1)", StatementKind.OTHER),
        ("if c:\n def f(): pass", StatementKind.OTHER),
    ],
)
def test_kind(source: str, kind: StatementKind) -> None:
    assert one(source).kind is kind


def test_calls_tell_what_they_hand_over() -> None:
    statement = one("for d in frames:\n  y = clean(d, x[0], g(z), key=k.a, n=1)")
    assert (
        Call(
            "clean",
            (frozenset({"d", "frames"}), frozenset({"x"}), frozenset()),
            (("key", frozenset({"k"})), ("n", frozenset())),
        )
        in statement.calls
    )
    assert one("def f(a, b):\n  g(b, c)").calls == (Call("g", (frozenset({"b"}), frozenset({"c"})), ()),)
    assert one("df.pipe(f, x)").calls == (Call("f", (frozenset({"df"}), frozenset({"x"})), ()),)


def test_names_that_share_an_object() -> None:
    assert one("a = b").aliases == {("a", "b")}
    assert one("a, c = b.x, d['k']").aliases == {("a", "b"), ("c", "d")}
    assert one("a = b[b.x > 0]").aliases == frozenset()
    assert one("a = b.copy()").aliases == frozenset()


def test_printed_names() -> None:
    statements = analyse("print(rmse)\nprint(f'{x}')\nx\nprint(a, b)\nmae").statements
    assert [statement.printed for statement in statements] == [("rmse",), (), (), ("a", "b"), ("mae",)]


# ----- source and place


def test_source_and_lines_are_those_of_the_cell() -> None:
    cell = (
        "# hello\n\nx = 1; y = 'é'; z = (2,\n  3)  # end\n\n@d\n@e(\n 1)\ndef f():\n    # why\n    return 1\n"
    )
    statements = analyse(cell).statements
    assert [(s.source, s.line, s.end_line) for s in statements] == [
        ("x = 1", 3, 3),
        ("y = 'é'", 3, 3),
        ("z = (2,\n  3)", 3, 4),
        ("@d\n@e(\n 1)\ndef f():\n    # why\n    return 1", 6, 11),
    ]


def test_normalised_forgets_form_and_nothing_else() -> None:
    assert one("x = ( 1,2 )  # why").normalised == one("\n\nx = (1,\n     2)").normalised
    assert one('def f():\n    "doc"\n').normalised != one("def f():\n    pass\n").normalised
    assert one("%time f( x )").normalised == one("%time f( x )  ").normalised
    assert one("x = 1").normalised != one("x = True").normalised


@pytest.mark.parametrize(
    ("cell", "line", "word"),
    [
        ("x = 1\ny = (", 2, "never closed"),
        ("%%time\nx = 1\ny = = 2", 3, "invalid"),
        ("%matplotlib inline\n!ls \\\n  -l\nfor x in y\n  pass", 4, "expected ':'"),
        ("x = 1\nreturn x", 2, "outside function"),
        ("if x:\n  break", 2, "outside loop"),
        ("x = [\n  %foo\n]", 2, ""),
        ("\n\nx ==== y", 3, "invalid"),
        ("x = '\0'", 1, "null"),
    ],
)
def test_a_syntax_error_is_placed_in_the_cell(cell: str, line: int, word: str) -> None:
    with pytest.raises(SyntaxError) as caught:
        analyse(cell)
    assert (caught.value.lineno, caught.value.text) == (line, cell.split("\n")[line - 1])
    assert word in caught.value.msg


@pytest.mark.parametrize("cell", ["", "\n\n", "# only a comment\n", "%%time\n"])
def test_nothing_to_do(cell: str) -> None:
    code = analyse(cell)
    assert code.is_python
    assert all(statement.reads == frozenset() for statement in code.statements)


def test_very_deep_expressions_do_no_harm() -> None:
    statement = one("x = " + " + ".join(["y"] * 2000))
    assert statement.opaque or statement.reads == {"y"}
    assert statement.normalised


# ----- IPython


MAGICS: list[Case] = [
    ("%time y = f(x)", {"binds": "y", "reads": "f x"}),
    ("y = %time f(x)", {"binds": "y", "reads": "f x"}),
    ("%timeit -n 3 -r2 y = f(x)", {"reads": "f x", "deferred": "f x"}),
    ("%timeit -o -v result f(x)", {"binds": "result", "reads": "f x", "deferred": "f x"}),
    ("%prun -l 5 y = f(x)", {"binds": "y", "reads": "f x"}),
    ("x = !ls {pattern} $var $$not", {"binds": "x", "reads": "pattern var"}),
    ("!cp {os.path.join(a, b)} {xs[1:2]} '{print $1}'", {"reads": "os a b xs"}),
    ("!!ls $var", {"reads": "var"}),
    ("if c:\n  %time x = y", {"may_bind": "x", "reads": "c y"}),
    ("df.head?", {"reads": "df"}),
    ("??df", {"reads": "df"}),
    ("%store x", {"reads": "x"}),
    ("%store -r x y", {"may_bind": "x y"}),
    ("%macro m 1-3", {"binds": "m"}),
    ("%env KEY=$value", {"reads": "value"}),
    ("%%bash --out x --err=y $z\necho $w", {"binds": "x y", "reads": "z"}),
    ("%%html\n<b>{x}</b>", {}),
    ("%%writefile {name}\nimport a", {"reads": "name"}),
    (
        "%%timeit k = 3\nx = y + k\nz.append(x)",
        {"reads": "y z", "deferred": "y z", "mutates": "z", "deferred_mutates": "z"},
    ),
    ("%%!\nls $x", {"reads": "x"}),
    ("pip install x", {}),
    ("time x = f()", {"binds": "x", "reads": "f"}),
    (">>> x = y", {"binds": "x", "reads": "y"}),
    ("   x = %time y", {"binds": "x", "reads": "y"}),
]


@pytest.mark.parametrize(("source", "expected"), MAGICS)
def test_magic(source: str, expected: dict[str, str]) -> None:
    assert facts(source) == {name: words(value) for name, value in expected.items()}


def test_the_python_below_a_cell_magic_counts() -> None:
    code = analyse("\n%%time\n%%capture --no-stderr out\ndef f(): return y\n%time x = f()\n")
    assert code.is_python
    assert code.magics == ("time", "capture", "time")
    assert [(s.kind.value, s.line, sorted(s.binds), sorted(s.reads)) for s in code.statements] == [
        ("definition", 4, ["f"], []),
        ("other", 5, ["x"], ["f"]),
        ("other", 3, ["out"], []),
        ("other", 2, [], []),
    ]


def test_the_magic_that_names_a_step_is_no_statement() -> None:
    code = analyse("%%step clean --cache off\nx = 1")
    assert [statement.normalised for statement in code.statements] == ["x = 1"]
    assert code.magics == ("step",)


def test_cells_in_other_languages() -> None:
    code = analyse("%%bash\nif [ -f x ]; then\n  y\nfi")
    assert not code.is_python
    assert code.magics == ("bash",)
    assert [(s.line, s.end_line, s.reads) for s in code.statements] == [(1, 4, frozenset())]
    assert one("%%bash\na").normalised != one("%%bash\nb").normalised


def test_names_in_commands_are_mentions() -> None:
    statement = one("!echo $HOME {x}")
    assert statement.reads == statement.mentions == {"HOME", "x"}
    assert one("%time f(x)").mentions == frozenset()


def test_lines_stay_in_place_when_a_command_has_several() -> None:
    cell = "\n!ls \\\n  -a \\\n  -b\nx = 1\nfiles = !ls \\\n  {y}\nz = 2"
    assert [s.line for s in analyse(cell).statements] == [2, 5, 6, 8]


def test_plain_python_never_imports_ipython() -> None:
    script = (
        "import sys\nfrom jupyterlab_pipelines.notebook.names import analyse\n"
        "analyse('x = await f(1)')\n"
        "try: analyse('x = (')\nexcept SyntaxError: pass\n"
        "assert 'IPython' not in sys.modules\n"
        "analyse('%matplotlib inline')\nassert 'IPython' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


# ----- against Python's compiler, on Python's own library


LIBRARY = Path(ast.__file__).parent
MODULES = [
    "argparse",
    "ast",
    "dataclasses",
    "enum",
    "functools",
    "inspect",
    "logging/__init__",
    "tarfile",
    "typing",
]


def code_objects(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from code_objects(constant)


@pytest.mark.parametrize("module", MODULES)
def test_names_are_those_that_the_compiler_finds(module: str) -> None:
    """Every statement of a module reads, sooner or later, and binds what its bytecode does."""
    text = (LIBRARY / f"{module}.py").read_text(encoding="utf-8")
    tree = ast.parse(text)
    future = "from __future__ import annotations\n" if "from __future__ import annotations" in text else ""
    for statement, node in zip(analyse(text).statements, tree.body, strict=True):
        assert ast.dump(ast.parse(statement.source).body[0]) == ast.dump(node)
        compiled = compile(future + statement.source, "<statement>", "exec", dont_inherit=True)
        certain: set[str] = set()
        possible: set[str] = set()
        stored: set[str] = set()
        for code in code_objects(compiled):
            for instruction in dis.get_instructions(code):
                operation, name = instruction.opname, instruction.argval
                if operation == "LOAD_GLOBAL":
                    certain.add(name)
                elif operation in ("LOAD_NAME", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_GLOBALS"):
                    possible.add(name)
                elif operation in ("STORE_GLOBAL", "DELETE_GLOBAL") or (
                    operation in ("STORE_NAME", "DELETE_NAME") and code is compiled
                ):
                    stored.add(name)
        found = statement.reads | statement.deferred
        own = statement.binds | statement.may_bind
        changed = own | statement.deletes | statement.may_delete | statement.deferred_binds
        if future:
            possible |= found  # names in annotations are no longer in the bytecode
        assert certain - found - own <= {"__debug__"}
        assert found <= certain | possible | statement.mentions
        assert (
            changed | {"__annotations__", "__doc__", "annotations", "__conditional_annotations__"} >= stored
        )
        assert changed <= stored


# ----- against Python itself: random programs, executed by a namespace that keeps a record


class Recorder(dict[str, Any]):
    """A namespace that remembers what one statement read from it before binding it itself."""

    def start(self) -> None:
        self.read: set[str] = set()
        self.own: set[str] = set()
        self.before = dict(self)

    def __getitem__(self, name: str) -> Any:
        # a function's STORE_GLOBAL passes by __setitem__, hence the look at the object
        if name not in self.own and (name not in self or self.before.get(name) is dict.get(self, name)):
            self.read.add(name)
        return super().__getitem__(name)

    def __setitem__(self, name: str, value: Any) -> None:
        self.own.add(name)
        super().__setitem__(name, value)

    def __delitem__(self, name: str) -> None:
        super().__delitem__(name)
        self.own.discard(name)


class OutOfSteps(BaseException):
    pass


class World:
    """What random programs call: chance, failure, and calls that end."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.steps = 0

    def chance(self, sides: int = 2) -> int:
        self.steps += 1
        if self.steps > 300:
            raise OutOfSteps
        return self.random.randrange(sides)

    def maybe(self, *_: object) -> bool:
        return self.chance() == 1

    def fail(self) -> None:
        if self.chance(3) == 1:
            raise ValueError

    def some(self, *_: object) -> list[Any]:
        return [[] for _ in range(self.chance(3))]

    def call(self, function: Any, *_: object) -> Any:
        self.chance()
        return function() if callable(function) else []

    def decorate(self, function: Any) -> Any:
        return [function, self.call(function)][0]

    def enter(self) -> Any:
        swallows = self.maybe()

        class Manager:
            def __enter__(self) -> list[Any]:
                return []

            def __exit__(self, kind: type | None, *_: object) -> bool:
                return swallows and kind is not None and issubclass(kind, Exception)

        return Manager()

    def namespace(self) -> Recorder:
        given = {name: getattr(self, name) for name in ("maybe", "fail", "some", "call", "decorate", "enter")}
        return Recorder(given, __builtins__={**vars(builtins)})


def block(statements: list[str]) -> str:
    return "\n".join(" " + line for statement in statements for line in statement.split("\n"))


class Author:
    """Writes random programs."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    def name(self) -> str:
        return self.random.choice("abcd")

    def expression(self, depth: int = 2, walrus: bool = True) -> str:
        kinds = ["name", "name", "fresh"]
        if depth:
            kinds += ["list", "call", "comp", "generator", "lambda", "if", "and", "handed"] + [
                "walrus"
            ] * walrus

        def inner(walrus: bool = walrus) -> str:
            return self.expression(depth - 1, walrus)

        match self.random.choice(kinds):
            case "name":
                return self.name()
            case "fresh":
                return "[]"
            case "list":
                return f"[{inner()}, {inner()}]"
            case "call":
                return f"call({inner()})"
            case "comp":
                return f"[{inner()} for z in some({inner(False)}) if maybe({self.name()})]"
            case "generator":
                return f"list({inner()} for {self.name()} in some({inner(False)}))"
            case "lambda":
                return f"(lambda {self.name()}=[]: {inner()})"
            case "handed":
                return f"call(lambda: {inner()})"
            case "if":
                return f"({inner()} if maybe({inner()}) else {inner()})"
            case "and":
                return f"(maybe() and {inner()} or [{inner()}])"
            case _:
                return f"({self.name()} := {inner()})"

    def body(self, depth: int, loop: bool = False, function: bool = False) -> str:
        return block([self.statement(depth - 1, loop, function) for _ in range(self.random.randint(1, 3))])

    def statement(self, depth: int = 3, loop: bool = False, function: bool = False) -> str:
        kinds = ["assign", "assign", "assign", "expression", "delete", "fail", "augment", "unpack"]
        kinds += ["break", "continue"] * loop + ["return"] * function
        if depth:
            kinds += [
                "if",
                "for",
                "while",
                "endless",
                "try",
                "finally",
                "else",
                "with",
                "match",
                "def",
                "def",
                "class",
            ]

        def body(loop: bool = loop) -> str:
            return self.body(depth, loop, function)

        name, expression = self.name, self.expression
        match self.random.choice(kinds):
            case "assign":
                return f"{name()} = {expression()}"
            case "unpack":
                return f"{name()}, *{name()} = {expression()}, {name()}"
            case "expression":
                return expression()
            case "delete":
                return f"del {name()}"
            case "fail":
                return "fail()"
            case "augment":
                return f"{name()} += [{name()}]"
            case "break" | "continue" as word:
                return word
            case "return":
                return f"return {expression()}"
            case "if":
                return f"if maybe({expression()}):\n{body()}\nelse:\n{body()}"
            case "for":
                return f"for {name()} in some({expression()}):\n{body(True)}\nelse:\n{body()}"
            case "while":
                return f"while maybe({expression()}):\n{body(True)}\nelse:\n{body()}"
            case "endless":
                return f"while True:\n{block([f'if maybe({expression()}): break'])}\n{body(True)}"
            case "try":
                return f"try:\n{body()}\nexcept Exception as {name()}:\n{body()}"
            case "else":
                handlers = f"except NameError:\n{body()}\nelse:\n{body()}\nfinally:\n{body()}"
                return f"try:\n{body()}\n{handlers}"
            case "finally":
                return f"try:\n{body()}\nfinally:\n{body()}"
            case "with":
                return f"with enter() as {name()}, enter():\n{body()}"
            case "match":
                pattern = self.random.choice(["[]", "[{0}]", "[{0}, *_]", "{0}", "_"]).format(name())
                first = f" case [_, {name()}] if maybe({expression()}):\n{block([body()])}"
                return f"match {name()}:\n{first}\n case {pattern}:\n{block([body()])}"
            case "def":
                head = self.random.choice(["", "", "@decorate\n"])
                scope = self.random.choice(["pass", "pass", f"global {name()}"])
                default = self.random.choice(["", f"z={expression()}"])
                return f"{head}def {name()}({default}):\n {scope}\n{self.body(depth, False, True)}"
            case _:
                return f"class {name()}:\n{self.body(depth)}"


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 2**32))
def test_random_programs_do_what_is_said_of_them(seed: int) -> None:
    author = Author(seed)
    source = "\n".join(author.statement() for _ in range(author.random.randint(1, 6)))
    try:
        compile(source, "<program>", "exec")
    except SyntaxError:  # "name 'a' is used prior to global declaration" and the like
        reject()
    check(source, author.random)


def check(source: str, random: Random) -> None:
    """Execute a program, and compare what its statements do with what is said of them."""
    namespace = World(random).namespace()
    called_reads: set[str] = set()
    called_binds: set[str] = set()
    for statement in analyse(source).statements:
        namespace.start()
        failed = False
        try:
            exec(compile(statement.source, "<statement>", "exec", dont_inherit=True), namespace)
        except OutOfSteps:
            return
        except Exception:
            failed = True
        now = dict(namespace)
        unseen = {"__builtins__", "__name__", "__annotations__"}
        changed = {name for name in now if now[name] is not namespace.before.get(name)} - unseen
        removed = set(namespace.before) - set(now)
        # a function that an earlier statement defined may be called, and do what was said of it there
        calls = bool({"call", "decorate"} & statement.reads)
        by_calls = called_binds if calls else set()
        # `global` hides bindings from the record; one that binds the same object again cannot be seen at all
        hidden = "global " in statement.source
        objects = list(map(id, namespace.before.values()))
        shared = {
            name for name in now if hidden and (name in statement.reads or objects.count(id(now[name])) > 1)
        }
        doubtful = {name for name in shared if objects.count(id(namespace.before.get(name))) > 1}
        read = namespace.read - set(vars(builtins)) - unseen - doubtful
        assert read <= statement.reads | (called_reads if calls else set())
        if not failed:
            assert changed <= statement.binds | statement.may_bind | by_calls
            assert removed <= statement.deletes | statement.may_delete | by_calls
            assert statement.binds - by_calls <= changed | namespace.own | shared
            assert not (statement.deletes - by_calls) & set(now)
        called_reads |= statement.deferred
        called_binds |= statement.deferred_binds
