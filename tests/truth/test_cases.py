"""Notebooks with one idea each: a pipeline run shows what *Restart & Run All* shows, twice.

The first run executes every step in a kernel of its own, the second takes all from the cache.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from jupyterlab_pipelines.errors import NotebookError
from jupyterlab_pipelines.project import Project
from tests.fixtures.notebooks import Notebook, cell, notebook, parameters, write
from tests.oracle import assert_same_outputs, cell_texts, run_all

pytestmark = [pytest.mark.timeout(240), pytest.mark.usefixtures("shared_fork_server")]


def steps(*sources: str, setup: str = "import numpy as np\nimport pandas as pd") -> Notebook:
    """A notebook with a step for each source, after setup."""
    return notebook(
        *([cell(setup)] if setup else []),
        *(cell(source, step=f"s{n}") for n, source in enumerate(sources, 1)),
    )


def without_ids(document: Notebook) -> Notebook:
    """As nbformat 4.2 has it."""
    return document | {"nbformat_minor": 2}


CASES: dict[str, Notebook] = {
    # -- what cannot be stored --------------------------------------------------------------------
    "a generator of a list that another step changes": steps(
        "xs = [1, 2]\ng = (x for x in xs)", "xs.append(3)", "print(next(g))", "print(list(g), xs)"
    ),
    "a hook that counts cells": steps(
        "n = []\nget_ipython().events.register('pre_execute', lambda: n.append(1))",
        "print(len(n))",
        "print(len(n))",
    ),
    "a generator that writes a log": steps(
        "log = []\ndef gen():\n    for i in range(3):\n        log.append(i)\n        yield i\ng = gen()",
        "print(next(g))",
        "print(log)",
        "print(list(g))",
        "print(log)",
    ),
    "rows of a frame, one by one": steps(
        "df = pd.DataFrame({'a': range(5)})",
        "rows = df.iterrows()",
        "m = df.a.mean()",
        "print(next(rows)[1].a, m)",
        "df2 = df * 2",
        "print(next(rows)[1].a, df2.a.sum())",
    ),
    "draws between what steps do with a class that they change": steps(
        "accounts = [Account(name) for name in ('ann', 'bob')]",
        "print(random.randint(1, 1000), np.random.rand())",
        "print(Account.registry, len(accounts))",
        "print(random.random(), np.random.rand())",
        setup="import random\nimport numpy as np\nrandom.seed(11)\nnp.random.seed(11)\nclass Account:\n"
        "    registry = []\n    def __init__(self, owner):\n        Account.registry.append(owner)",
    ),
    "a database in memory": steps(
        "import sqlite3\ncon = sqlite3.connect(':memory:')\ncon.execute('create table t(a)');",
        "con.execute('insert into t values (1)');",
        "cur = con.cursor()\ncur.execute('insert into t values (2)');",
        "print(cur.execute('select sum(a) from t').fetchall())",
        "print(con.total_changes)",
    ),
    "an open file": steps(
        "f = open('log.txt', 'w')\nf.write('a');",
        "f.write('b');",
        "f.close()",
        "print(open('log.txt').read())",
    ),
    "the order of sets": steps(
        "ids = {number * 7919 % 100_003 for number in range(300)}\nfew = {8, 0, 16, 24, 5}\nfew.discard(5)",
        "print(list(ids)[:20], few)\nfew |= {40, 3}\nids -= set(range(50_000))",
        "print(few, ids)\nfor each in ids:\n    first = each\n    break\nfirst, few.pop()",
        "print(few, {'ids': [ids]})",
    ),
    "workers that a library keeps": steps(
        "print(Parallel(n_jobs=2)(delayed(abs)(number) for number in (-1, -2)))",
        "import os\nprint(os.popen('echo done').read())",
        "print(GridSearchCV(Ridge(), {'alpha': [0.1, 1.0]}, cv=2, n_jobs=2).fit([[1], [2], [3], [4]], [1, 2, 3, 5]))",
        "print('later')",
        setup="from joblib import Parallel, delayed\nfrom sklearn.linear_model import Ridge\n"
        "from sklearn.model_selection import GridSearchCV",
    ),
    "arrays are resized": steps(
        "a = np.array([1, 2, 3])\nb = [np.arange(4.0)]",
        "a.resize((2, 3))\nprint(a)",
        "b[0].resize(6)\nprint(b, a.flags.owndata)",
        "a.resize(2, refcheck=False)\nprint(a, b)",
        setup="import numpy as np",
    ),
    "which NaN it is": steps(
        "xs = [1.0, np.nan]\nx = np.nan\nown = float('nan')\npair = (own, [own])\nby = {np.nan: 1, 'a': 2}",
        "print(np.nan in xs, x is np.nan, pair[0] in pair[1], by[np.nan], xs.index(np.nan))",
        "d = pd.DataFrame({'a': [1, 'x', np.nan]}, dtype=object)",
        "print(d['a'][2] is np.nan, x in list(d['a']))",
        setup="import numpy as np\nimport pandas as pd",
    ),
    "files in another folder, in one kernel": steps(
        "import os\nos.makedirs('sub', exist_ok=True)\nos.chdir('sub')\ng = (i for i in range(3))",
        "with open('note.txt', 'a') as file:\n    file.write(f'{next(g)}\\n')",
        "print(next(g), open('note.txt').read())",
        setup="",
    ),
    "an object with a lock": steps(
        "import threading\nclass Box:\n    def __init__(self):\n        self.lock = threading.Lock()\n"
        "        self.n = 0\n"
        "    def add(self):\n        with self.lock:\n            self.n += 1\nbox = Box()",
        "box.add()\nprint(box.n)",
        "box.add()\nprint(box.n, type(box) is Box)",
    ),
    "a function that takes from a generator": steps(
        "g = (i for i in range(9))\ndef take():\n    return next(g)", "print(take())", "print(take())"
    ),
    "a stored function that locks": steps(
        "import threading\nlock = threading.Lock()\ndef use():\n    with lock:\n        return 5\nfs = [use]",
        "print(fs[0]())",
        "print(lock.locked())",
    ),
    "draws of a generator": steps(
        "import random\nrandom.seed(3)\ng = (random.random() for _ in range(5))",
        "x = random.random()\nprint(x)",
        "print(next(g))",
        "print(random.random())",
    ),
    "a function is defined again while a generator waits": steps(
        "def f():\n    return 1\ng = (f() for i in range(3))",
        "print(f())",
        "def f():\n    return 2",
        "print(next(g), f())",
        "print(list(g))",
    ),
    "a weak reference": steps(
        "import weakref\nclass A:\n    pass\na = A()\nw = weakref.ref(a)",
        "print(w() is a)",
        "del a",
        "print(w() is None)",
    ),
    "a thread is waited for": steps(
        "import threading, time\nres = []\ndef work():\n    time.sleep(0.2)\n    res.append(1)\n"
        "t = threading.Thread(target=work)\nt.start()",
        "t.join()\nprint(res)",
        "print(len(res), t.is_alive())",
    ),
    "code that may read anything reads a generator": steps(
        "g = (i for i in range(5))", "exec('print(next(g))')", "print(next(g))"
    ),
    # -- in place --------------------------------------------------------------------------------
    "a frame is cleaned in place": steps(
        "df = pd.DataFrame({'a': [1, None, 3]})", "df.dropna(inplace=True)", "print(len(df)); df"
    ),
    "a column is added": steps(
        "df = pd.DataFrame({'a': [1, 2]})", "df['b'] = df['a'] * 2", "df.loc[0, 'a'] = 9", "df"
    ),
    "a series taken before the frame changes": steps(
        "df = pd.DataFrame({'a': [1, 2, 3]})\ns = df['a']", "df.loc[0, 'a'] = 100", "print(df, s)"
    ),
    "a view of an array is written to": steps("a = np.zeros(5)\nb = a[1:3]", "b[:] = 7", "print(a)"),
    "a view made in another step": steps(
        "a = np.zeros(5)", "b = a[1:3]", "a += 1", "print(b)", "b[0] = 9", "print(a)"
    ),
    "an array is written by out=": steps("a = np.arange(3.)", "np.add(a, 1, out=a)", "print(a)"),
    "a method called by its name": steps(
        "xs = [3, 1, 2]\ndef weird(z):\n    getattr(z, 'so' + 'rt')()", "weird(xs)", "print(xs)"
    ),
    "a set and a dict in place": steps(
        "s = {1, 2}\nd = {'a': [1]}", "s.add(5)\nd['a'].append(2)\nd |= {'b': 1}", "print(sorted(s), d)"
    ),
    "a loop over several lists": steps(
        "a, b = [1], [2]", "for xs in (a, b):\n    xs.append(0)", "print(a, b, xs)"
    ),
    "a list that holds itself": steps("a = [1]\na.append(a)", "a[1].append(2)", "print(a, a[1] is a)"),
    # -- sharing ---------------------------------------------------------------------------------
    "two names for one list": steps("a = [1]\nb = a", "a.append(2)", "print(b, a is b)"),
    "an alias made in another step": steps("a = [1]", "b = a", "print(a is b)", "b.append(2)", "print(a)"),
    "an alias of an alias": steps(
        "c = [g := e, 1]", "b = c[0]", "e.append(1)", "print(b, c)", setup="e = [0]"
    ),
    "sharing by way of a name that is rebound": steps(
        "g = e", "b = [g]", "g = 1", "e.append(2)", "print(b)", setup="e = [0]"
    ),
    "nested sharing": steps(
        "inner = {'k': [1]}\nouter = [inner, inner]",
        "inner['k'].append(2)",
        "print(outer, outer[0] is outer[1], outer[0] is inner)",
    ),
    "a container around an input": steps(
        "base = [1, 2]", "wrap = {'b': base}", "base.append(3)", "print(wrap, wrap['b'] is base)"
    ),
    "a bound method keeps its list": steps("c = h", "add(5)", "print(c, h)", setup="h = [3]\nadd = h.append"),
    "equal lists are not one": steps("a = [0]\nb = list(a)", "b.append(1)", "print(a, b)"),
    "objects in several lists": steps(
        "class Node:\n    def __init__(self): self.next = None",
        "a, b = Node(), Node()\na.next = b",
        "nodes = [a, b]",
        "print(nodes[0] is a, nodes.index(b), a.next is nodes[1])",
    ),
    "an object that a step changes and then drops": steps(
        "h = e = random.Random(2)",
        "f = e",
        "e = 5\nprint(f.random())\nf = e",
        "print(h.random())",
        setup="import random",
    ),
    "setup names that share by way of a name that is bound again": steps(
        "print(f.random())",
        "print(h.random())",
        setup="import random\ne = random.Random(2)\nh = e = e\nf = (e := e)",
    ),
    # -- functions and classes --------------------------------------------------------------------
    "a function reads a global when called": steps(
        "k = 2\ndef f(x): return x * k", "print(f(3))", "k = 10", "print(f(3))"
    ),
    "a closure reads a global when called": steps(
        "k = 2\ndef make(n):\n    def add(x): return (x + n) * k\n    return add\nadd5 = make(5)",
        "k = 10",
        "print(add5(1))",
    ),
    "a closure changes a global": steps(
        "log = []\ndef make(n):\n    def note(x): log.append(x + n)\n    return note\nnote = make(5)",
        "note(1)",
        "note(2); print(log)",
    ),
    "closures that share a variable": steps(
        "def counter():\n    n = 0\n    def up():\n        nonlocal n\n        n += 1\n    def get(): return n\n"
        "    return up, get\nup, get = counter()",
        "up(); up()",
        "print(get())",
        "up(); print(get())",
    ),
    "a default argument of a name that is rebound": steps(
        "N, k = 3, 2\ndef f(x=N): return x * k", "N = 5", "k = 10", "print(f(), N)"
    ),
    "a mutable default argument": steps(
        "def f(x, seen=[]):\n    seen.append(x)\n    return list(seen)", "f(1)", "print(f(2))"
    ),
    "a default argument that its own step changes": steps(
        "def f(x, seen=[]):\n    seen.append(x)\n    return list(seen)\nf(1)", "f(2)", "print(f(3))"
    ),
    "a function in a formula": steps(
        "df = pd.DataFrame({'a': [1.0, 2.0, 3.0]})",
        "def doubled(x): return 2 * x",
        "shift = 1",
        "from tests.truth.library import evaluate\nprint(evaluate('doubled(a) ~ a + shift', df))",
        "formula = 'doubled(a) + shift'",
        "from tests.truth.library import evaluate\nprint(evaluate(formula, df))",
    ),
    "a setting made by a function that a star import brought": steps(
        "from tests.truth.library import *\ninit_styles('pretty')", "Styled()", "x = 1\nStyled()", setup=""
    ),
    "a setting made by a function that was imported": steps(
        "from tests.truth.library import init_styles",
        "init_styles('pretty')",
        "from tests.truth.library import Styled\nStyled()",
    ),
    "a class that names no module": steps(
        "Odd = type('Odd', (), {'__module__': None, 'a': 1})\nodd = Odd()",
        "print(isinstance(odd, Odd), odd.a)",
    ),
    "a proxy that says it is a frame": steps(
        "class Proxy:\n    def __init__(self, frame): self.frame = frame\n"
        "    @property\n    def __class__(self): return type(self.frame)\n"
        "    def __reduce__(self): return (Proxy, (self.frame,))",
        "p = Proxy(pd.DataFrame({'a': [1, 2]}))",
        "print(isinstance(p, pd.DataFrame), p.frame.a.sum())",
    ),
    "a private name of the notebook's own": steps(
        "_p = 1\n_j = [2]", "_j.append(_p)\n_p += 1", "print(_p, _j)"
    ),
    "a counter by global": steps(
        "count = 0\ndef inc():\n    global count\n    count += 1",
        "inc(); inc()",
        "inc(); print(count)",
        "print(count)",
    ),
    "functions that call each other": steps(
        "def even(n): return n == 0 or odd(n - 1)",
        "def odd(n): return n > 0 and even(n - 1)",
        "print(even(10))",
    ),
    "a decorator that prints, and a name for its function": steps(
        "h = [8]",
        "def loud(f):\n    print('made', h)\n    return f\n@loud\ndef f(x): return x",
        "g = f",
        "print(f(2), g(3), f is g)",
    ),
    "a decorator with functools.wraps": steps(
        "import functools\ndef twice(f):\n    @functools.wraps(f)\n    def run(x): return f(f(x))\n    return run",
        "@twice\ndef inc(x):\n    'adds'\n    return x + 1",
        "print(inc(1), inc.__name__, inc.__doc__)",
    ),
    "a decorator that registers": steps(
        "REG = {}\ndef reg(c):\n    REG[c.__name__] = c\n    return c",
        "@reg\nclass A: pass",
        "print(REG['A'] is A)",
    ),
    "a cached function": steps(
        "from functools import lru_cache\n@lru_cache(None)\ndef fib(n): return n if n < 2 else fib(n-1) + fib(n-2)",
        "print(fib(30))",
    ),
    "a cached function that prints": steps(
        "import functools\n@functools.lru_cache\ndef f(x=0):\n    print('computed')\n    return 1",
        "print(f(1))",
        "print(f.cache_info())\nprint(f(1))",
    ),
    "a function with a memory, changed where it is defined": steps(
        "def f(x, seen=[]):\n    seen.append(x)\n    return seen\nf.calls = 1\nprint(f(2))",
        "print(f(3), f.calls)",
        "print(f(4))",
    ),
    "a class with a counter, changed where it is defined": steps(
        "class Small:\n    shared = []\n    n = 0\n    def __init__(self):\n        self.shared.append(8)\n"
        "        type(self).n += 1\nd = Small()",
        "print(d.shared, Small.n, type(d) is Small)\ne = Small()",
        "print(d.shared, Small.n, type(d) is Small, type(e) is Small, e.n)",
    ),
    "lambdas and comprehensions keep their scopes": steps(
        "x = 'outer'\nfs = [lambda n=n: n + x_ for n in range(3)]\nsq = [x for x in range(3)]",
        "x_ = 10",
        "print(x, [f() for f in fs], sq, [y := 5, y], y)",
    ),
    "a dataclass and an enum": steps(
        "from dataclasses import dataclass, field\nimport enum",
        "@dataclass\nclass P:\n    x: int\n    tags: list = field(default_factory=list)\n"
        "    def up(self): self.x += by\n"
        "class Color(enum.Enum):\n    RED = 1\nby = 5",
        "p = P(1); c = Color.RED; ps = [p, p]",
        "p.up(); print(p, c is Color.RED, isinstance(p, P), ps)",
        "print(ps, p in ps, ps[0] is p, ps[0] == P(6))",
    ),
    "named tuples and abstract classes": steps(
        "import abc\nfrom typing import NamedTuple\nfrom collections import namedtuple",
        "class Shape(abc.ABC):\n    @abc.abstractmethod\n    def area(self): ...\n"
        "class Pair(NamedTuple):\n    a: int\n    b: int = 2\nXY = namedtuple('XY', 'x y')",
        "class Square(Shape):\n    def __init__(self, side): self.side = side\n"
        "    def area(self): return self.side ** 2",
        "shapes = [Square(2), Pair(1), XY(3, 4)]",
        "print(shapes[0].area(), isinstance(shapes[0], Shape), shapes[1:], type(shapes[2]) is XY)",
    ),
    "a class attribute changes": steps(
        "class Box:\n    made = 0\n    def __init__(self): type(self).made += 1",
        "b = Box()",
        "c = Box()",
        "print(Box.made)",
    ),
    # -- names -----------------------------------------------------------------------------------
    "a conditional write, a deletion": steps(
        "x = 1\nflag = False",
        "if flag:\n    x = 2",
        "print(x)",
        "del x",
        "try:\n    print(x)\nexcept NameError as e:\n    print('gone', e)",
    ),
    "try leaves what it bound": steps(
        "try:\n    a = 1\n    b = 1 / 0\nexcept ZeroDivisionError:\n    b = 'none'\nfinally:\n    c = a",
        "print(a, b, c)",
    ),
    "match, for and with targets": steps(
        "import contextlib\nmatch [1, 2, 3]:\n    case [first, *rest]: pass\n"
        "for i, (j, k) in enumerate([(1, 2)]): pass\n"
        "with contextlib.nullcontext(5) as five: pass",
        "print(first, rest, i, j, k, five)",
    ),
    "exec and globals": steps(
        "exec('q = 42')", "print(q)", "globals()['z'] = 7\nq += 1", "print(q, z)", setup=""
    ),
    "a star import": steps("from math import *", "print(sqrt(4), pi)", setup=""),
    "imports in a step": steps(
        "import os.path\nimport xml.etree.ElementTree as ET",
        "print(os.path.basename('/a/b'), ET.Element('x').tag)",
        setup="",
    ),
    "a name that hides a builtin": steps("sum = [1]", "sum.append(2)", "print(sum)"),
    # -- state of the process ---------------------------------------------------------------------
    "seeded in setup, drawn in steps": steps(
        "print(random.random(), np.random.rand())",
        "print(random.random(), np.random.rand())",
        "print(np.random.rand())",
        setup="import random\nimport numpy as np\nrandom.seed(1); np.random.seed(2)",
    ),
    "seeded in a step": steps(
        "np.random.seed(5)", "x = np.random.rand(3); print(x)", "pass", "print(np.random.rand(), x)"
    ),
    "a generator of one's own": steps(
        "rng = np.random.default_rng(1)",
        "a = rng.normal()",
        "b = rng.normal()",
        "print(a, b, rng.integers(9))",
    ),
    "an environment variable": steps(
        "import os\nos.environ['FOO_X'] = '1'", "print(os.environ.get('FOO_X'))", setup=""
    ),
    "numpy's way of printing": steps(
        "a = np.ones(2) / 3\nnp.set_printoptions(precision=3)",
        "print(a)",
        "np.set_printoptions(precision=8)",
        "print(a)",
    ),
    "pandas options": steps(
        "pd.set_option('display.max_rows', 4)",
        "pd.DataFrame({'a': range(20)})",
        "pd.reset_option('display.max_rows')",
        "pd.DataFrame({'a': range(8)})",
    ),
    "a file written in one step and read in another": notebook(
        cell("with open('note.txt', 'w') as f:\n    n = f.write('hello')", step="write"),
        cell("print(open('note.txt').read())", step="read", after="write"),
    ),
    "the working directory": steps(
        "import os\nos.makedirs('sub', exist_ok=True)\nos.chdir('sub')",
        "import os\nprint(os.path.basename(os.getcwd()))",
    ),
    "setup values that steps change": steps(
        "config['b'] = 2; note('x')",
        "note('y'); print(config)",
        "print(config, log)",
        setup="config = {'a': 1}\nlog = []\ndef note(m): log.append(m)",
    ),
    "iterators go on": steps("it = iter([1, 2, 3])\nnext(it)", "print(next(it))", "print(next(it))"),
    "a name bound to the same list again": steps(
        "b = [1]\nh = [b]", "c = b = b\nb.append(2)", "f = h", "print(f, h[0] is b)"
    ),
    "a container bound again while what it holds changes": steps(
        "d = pd.Series([4, 7, 9], name='x')", "g = {'k': d}", "g = g\nd[0] = 2", "d += 7", "print(g)"
    ),
    "names that change places": steps(
        "a, b = [1], [2]\nboth = [a, b]", "a, b = b, a", "a.append(3)", "print(both, a is both[1])"
    ),
    "a generator that nobody needs later": steps("g = (i for i in range(3))\nn = next(g)", "print(n)"),
    "a lock that nobody needs later": steps(
        "import threading\nlock = threading.Lock()\nwith lock:\n    n = 1", "print(n)"
    ),
    # -- definitions that are more than their source ----------------------------------------------
    "definitions that are bound again, and what still refers to the first ones": steps(
        "class A:\n    def hi(self): return 'old'\na = A(); Old = A\ndef f(): return 1\ng = f",
        "class A:\n    def hi(self): return 'new'\nb = A()\ndef f(): return g() + 10",
        "print(a.hi(), b.hi(), isinstance(a, A), type(a) is Old, type(b) is A, f(), g())",
        "A.hi = lambda self: f'changed {f()}'",
        "print(a.hi(), b.hi())",
        setup="",
    ),
    "a class that is made by a call, or in a function, and changed by name": steps(
        "def make(n):\n    class Local:\n        v = n\n        def get(self): return self.v * K\n"
        "    return Local\nL1, L2 = make(1), make(2)\nPt = type('Pt', (), {'x': 1, 'm': lambda s: s.x + K})\nK = 1",
        "a, b, p = L1(), L2(), Pt()",
        "K = 3\nL1.v = 7",
        "Pt.x = 5",
        "print(a.get(), b.get(), p.m(), type(a) is L1, type(p) is Pt, isinstance(b, L1))",
        setup="",
    ),
    "an object that a class and its instances share": steps(
        "class S:\n    EMPTY = object()\n    def __init__(self, v=EMPTY): self.v = v",
        "a, b = S(), S(1)",
        "print(a.v is S.EMPTY, b.v is S.EMPTY)",
        "c = [a, S.EMPTY]",
        "print(c[1] is a.v, c[1] is S.EMPTY)",
        setup="",
    ),
    "functions that remember": steps(
        "from functools import cache, lru_cache, singledispatch\ncalls = []\n"
        "@cache\ndef f(x, *, k=1):\n    calls.append(x)\n    return [x, k]\n"
        "@lru_cache(maxsize=2, typed=True)\ndef g(a, b=2):\n    calls.append((a, b))\n    return a\n"
        "class Memo:\n    def __init__(self, f): self.f, self.known = f, {}\n"
        "    def __call__(self, x): return self.known.setdefault(x, self.f(x))\n"
        "@singledispatch\ndef show(x): return 'object'",
        "r = f(1); f((1, 2), k=3); g(1); g(1.0); g(1, b=5)\n"
        "@Memo\ndef square(x): return x * x\n@show.register\ndef _(x: int): return 'int'\n"
        "@show.register(list)\ndef _show_list(x): return 'list'",
        "print(f(1) is r, f((1, 2), k=3), calls, f.cache_info(), square(3))",
        "g(1, b=5); print(calls, g.cache_info(), square.known, show(1), show([]), show(''))",
        setup="",
    ),
    "annotations that are asked for": notebook(
        cell(
            "from __future__ import annotations\nfrom dataclasses import dataclass\nimport typing", step="a"
        ),
        cell(
            "@dataclass\nclass Node:\n    value: int\n    next: Node | None = None\n    kind: Kind = None",
            step="b",
        ),
        cell("class Kind: pass\nT = typing.TypeVar('T')", step="c"),
        cell("def f(x: 'Kind', y: list[Kind]) -> 'Node': ...\nclass Box(typing.Generic[T]): pass", step="d"),
        cell("n = Node(1, Node(2), Kind())\nbox = Box[int]()", step="e"),
        cell("print(typing.get_type_hints(Node), typing.get_type_hints(f))", step="f"),
        cell("print(n.next, type(n.kind) is Kind, type(box) is Box, box.__orig_class__)", step="g"),
    ),
    "a decorator that evaluates names in text": steps(
        "def model(cls):\n    kinds = {k: eval(v) for k, v in cls.__annotations__.items()}\n"
        "    def init(self, **given):\n        for k, kind in kinds.items(): setattr(self, k, kind(given[k]))\n"
        "    cls.__init__ = init\n    return cls\nNum = float",
        "@model\nclass M:\n    a: 'Num'",
        "m = M(a='1.5')",
        "Num = int\nprint(m.a, M(a='3').a)",
        setup="",
    ),
    "names that are bound without being said": steps(
        "exec('a1 = 1')\nglobals().update(a2=2)\nvars()['a3'] = 3",
        "import sys\nsetattr(sys.modules['__main__'], 'a4', 4)\nimport __main__; __main__.a5 = 5",
        "print(a1, a2, a3, a4, a5)",
        "for i in range(2): globals()[f'v{i}'] = i * 10",
        "exec(compile('v0 += 1', 'x', 'exec'))\ndel globals()['a1']",
        "print(v0, v1, 'a1' in globals())",
        setup="",
    ),
    # -- values that pickle would change -------------------------------------------------------------
    "views, proxies, exceptions, matches": steps(
        "import re, types\nd = {'a': 1}; views = [d.keys(), d.values(), d.items()]\n"
        "proxy = types.MappingProxyType(d)\nm = re.search('(b)(?P<x>c)', 'abcd'); Function = type(lambda: 0)\n"
        "class E(Exception):\n    def __init__(self, text, code):\n        super().__init__(text)\n"
        "        self.code = code\n"
        "try:\n    raise E('bad', 3) from ValueError('why')\nexcept E as error:\n    kept = error",
        "d['b'] = 2",
        "print(*map(list, views), dict(proxy), m.group('x'), m.span(), Function is types.FunctionType)",
        "print(kept, kept.code, repr(kept.__cause__), type(kept) is E)",
        setup="",
    ),
    "objects with attributes of their own making": steps(
        "class Wrapped:\n    def __init__(self, inner): self.inner = inner\n"
        "    def __getattr__(self, name): return getattr(self.inner, name)\n"
        "class Unit(np.ndarray):\n    def __new__(cls, values, unit=None):\n"
        "        made = np.asarray(values).view(cls); made.unit = unit; return made\n"
        "    def __array_finalize__(self, other): self.unit = getattr(other, 'unit', None)\n"
        "w, q = Wrapped([1, 2]), Unit([1., 2.], 'm')",
        "w.append(3)",
        "q *= 2",
        "print(w.inner, w.count(3), q, q.unit, type(q) is Unit)",
    ),
    # -- more state of the process -------------------------------------------------------------------
    "options of numpy, decimal and the interpreter": steps(
        "import decimal, sys\nnp.set_printoptions(precision=2, suppress=True); old = np.seterr(all='ignore')\n"
        "decimal.getcontext().prec = 5; sys.setrecursionlimit(5000)",
        "print(np.array([1.23456, 1e-9]), np.array([1.]) / 0, decimal.Decimal(1) / 3, sys.getrecursionlimit())",
        "np.seterr(**old); np.set_printoptions(precision=4); decimal.getcontext().prec = 8",
        "print(np.array([1.23456, 1e-9]), np.geterr()['divide'], decimal.Decimal(1) / 3)",
    ),
    "what is set back": steps(
        "import os\nos.environ['ADV_A'] = '1'; pd.options.display.max_rows = 3; os.umask(0o077)",
        "import warnings\nwarnings.simplefilter('error')\nprint(os.environ['ADV_A'], oct(os.umask(0o022)))",
        "del os.environ['ADV_A']; pd.reset_option('display.max_rows'); warnings.resetwarnings()",
        "print('ADV_A' in os.environ, pd.options.display.max_rows)\nwarnings.warn('is told')",
    ),
    "loggers": steps(
        "import logging, sys\nlogging.basicConfig(\n    stream=sys.stdout, level=logging.INFO, force=True,"
        " format='%(levelname)s:%(message)s'\n)\nlog = logging.getLogger('adv')",
        "log.info('hello')",
        "log.setLevel(logging.ERROR)",
        "log.info('no'); log.error('yes')",
        setup="",
    ),
    "options of IPython and packages": steps(
        "import altair as alt, sklearn\n%precision 2\n%pprint",
        "alt.data_transformers.enable('json')\nsklearn.set_config(transform_output='pandas')",
        "print(alt.data_transformers.active)\n3.14159",
        "from sklearn.preprocessing import StandardScaler\n"
        "print(type(StandardScaler().fit_transform([[1.], [2.]])).__name__)\nlist(range(40))",
        "get_ipython().ast_node_interactivity = 'all'",
        "1\n2",
        setup="",
    ),
    "methods and accessors added to a package's classes": steps(
        "def top(self, n=1): return self.head(n)\npd.DataFrame.top = top\n"
        "@pd.api.extensions.register_series_accessor('loud')\nclass Loud:\n"
        "    def __init__(self, s): self.s = s\n    def up(self): return self.s.str.upper().tolist()",
        "df = pd.DataFrame({'a': ['x', 'y']})",
        "print(df.top(), df.a.loud.up())",
    ),
    "a module beside the notebook has a state": steps(
        "%%writefile counting.py\ncount, items = 0, []\ndef up():\n    global count\n    count += 1\n"
        "    items.append(count)\n",
        "import counting\nfrom counting import items",
        "counting.up(); counting.up()",
        "counting.count += 5; items.append('x')",
        "counting.up(); print(counting.count, items, items is counting.items)",
        setup="",
    ),
    # -- files --------------------------------------------------------------------------------------
    "files that are looked for, listed, moved and removed": steps(
        "import os, shutil\nfrom pathlib import Path\nshutil.rmtree('d', ignore_errors=True); os.makedirs('d')\n"
        "Path('x.txt').write_text('x')",
        "for n in range(3): Path(f'd/{n}.txt').write_text(str(n))",
        "print(sorted(os.listdir('d')), os.path.exists('d/1.txt'), os.path.getsize('d/2.txt'))",
        "os.rename('x.txt', 'y.txt')",
        "print(os.path.exists('x.txt'), Path('y.txt').read_text())",
        setup="",
    ),
    "files that Python does not open itself": steps(
        "pd.DataFrame({'a': [1, 2]}).to_parquet('o.parquet')\n!echo shell > s.txt",
        "print(pd.read_parquet('o.parquet'), open('s.txt').read())",
        "pd.DataFrame({'a': [7]}).to_parquet('o.parquet')\n!echo again >> s.txt",
        "print(pd.read_parquet('o.parquet'), open('s.txt').read())",
    ),
    "objects of the notebook's classes in a pickle": steps(
        "import pickle\nclass Q:\n    def __init__(self, v): self.v = v",
        "with open('q.pkl', 'wb') as f: pickle.dump(Q([1]), f)",
        "with open('q.pkl', 'rb') as f: q = pickle.load(f)\nprint(q.v)",
        "print(type(q) is Q)",
        setup="",
    ),
    "a temporary folder is handed on": steps(
        "import os, tempfile\nfolder = tempfile.mkdtemp(); path = os.path.join(folder, 'x.txt')",
        "with open(path, 'w') as f: f.write('one')",
        "print(open(path).read(), os.listdir(folder))",
        setup="",
    ),
    # -- IPython ---------------------------------------------------------------------------------
    "magics and shell": notebook(
        cell("%matplotlib inline\nimport os"),
        cell("%%capture out\nprint('hidden')\nw = 4", step="b"),
        cell("print(out.stdout, w)", step="c"),
        cell("files = !echo hi there\nprint(files)", step="d"),
        cell("%%bash\necho from bash", step="e"),
        cell("print(files.s, w)\nw?;", step="f", tags=["skip"]),
    ),
    "top-level await": steps(
        "import asyncio\nasync def go(): return 5", "r = await go()\nprint(r)", setup=""
    ),
    "what a kernel and its shell are": steps(
        "print([str(place) == os.getcwd() for place in _dh], shell.starting_dir == os.getcwd(), len(In) > 1, Out)",
        "print(type(shell).__name__, type(shell.compile).__name__, type(shell.displayhook).__name__)\n"
        "print(shell.kernel is shell.parent, shell.profile, shell.config.get('IPKernelApp', {}).get('tqdm', '')[:5])",
        "print([os.environ.get(name) for name in ('TERM', 'PAGER', 'GIT_PAGER', 'CLICOLOR', 'MPLBACKEND')])",
        "warnings.warn('which file does it say?')\nsys.argv[0].endswith('ipykernel_launcher.py')",
        setup="import os, sys, warnings\nshell = get_ipython()",
    ),
    "what a cell shows": notebook(
        cell("x = [1, 2]", step="a"),
        cell("x", step="a"),
        cell("x;", step="a"),
        cell("# only comment", step="a"),
        cell("print(1)\nx", step="b"),
        cell("display(x, 'two')\nNone", step="b"),
    ),
    "a cell that may raise": notebook(
        cell("1 / 0", step="a", tags=["raises-exception"]), cell("print('on')", step="a")
    ),
    # -- tags and formats -------------------------------------------------------------------------
    "parameters": notebook(
        parameters("alpha = 0.5  # rate\nname = 'x'\nn = 3\nm = n * 2"),
        cell("print(alpha, name)", step="a"),
        cell("print(n, m)", step="b"),
    ),
    "cells of two steps take turns": notebook(
        cell("a = 1", step="a"),
        cell("b = 10", step="b"),
        cell("a2 = a + 1; print(a2)", step="a"),
        cell("print(a2 + b)", step="c"),
    ),
    "untagged cells join, skipped cells do not": notebook(
        cell("x = 1", step="a"),
        cell("x += 1"),
        cell("'aside'", tags=["skip"]),
        cell("print(x)"),
        cell("print(x)", step="b"),
    ),
    "without ids, nbformat 4.2": without_ids(
        notebook(cell("x = 1", step="a"), cell("print(x)\nx", step="b"), ids=False)
    ),
    # -- data science -----------------------------------------------------------------------------
    "a model is fitted in place": steps(
        "X = np.arange(10.).reshape(-1, 1); y = X.ravel() * 2",
        "m = LinearRegression()",
        "m.fit(X, y)",
        "print(m.coef_.round(3)); m",
        setup="import numpy as np\nfrom sklearn.linear_model import LinearRegression",
    ),
    "a scikit-learn pipeline with the notebook's functions": steps(
        "def double(X): return X * factor\nfactor = 2",
        "class Clip(BaseEstimator, TransformerMixin):\n    def fit(self, X, y=None): return self\n"
        "    def transform(self, X): return np.clip(X, 0, 9)",
        "model = make_pipeline(FunctionTransformer(double), Clip(), LinearRegression())",
        "model.fit(np.arange(8.).reshape(-1, 1), np.arange(8.))",
        "print(model.predict([[3.], [20.]]).round(4), type(model[1]) is Clip)",
        setup="import numpy as np\nfrom sklearn.base import BaseEstimator, TransformerMixin\n"
        "from sklearn.linear_model import LinearRegression\nfrom sklearn.pipeline import make_pipeline\n"
        "from sklearn.preprocessing import FunctionTransformer",
    ),
    "polars": steps(
        "d = pl.DataFrame({'a': [1, 2, 3]})",
        "print(d.with_columns(b=pl.col('a') * 2))",
        setup="import polars as pl",
    ),
    "a figure goes from step to step": steps(
        "fig, ax = plt.subplots()\nax.plot([1, 2]); plt.close(fig)",
        "ax.set_title('T')\nprint(ax.get_title(), len(ax.lines))",
        "print(fig.axes[0].get_title(), fig.axes[0] is ax)",
        setup="%matplotlib inline\nimport matplotlib.pyplot as plt",
    ),
    "groups and merges": steps(
        "df = pd.DataFrame({'k': list('aab'), 'v': [1, 2, 3]}, index=pd.Index([5, 6, 7], name='id'))",
        "by = df.groupby('k')['v'].agg(['sum', 'mean'])",
        "df['share'] = df['v'] / df['k'].map(by['sum'])",
        "df.join(by, on='k')",
    ),
}

KALE = notebook(
    cell("import math", tags=["imports"]),
    cell("n = 4\nscale = 2.0", tags=["pipeline-parameters"]),
    cell("numbers = [helper(i) for i in range(n)]", tags=["block:load"]),
    cell("print(numbers)", tags=["block:"]),
    cell("print('only in the notebook')", tags=["skip"]),
    cell("def helper(i):\n    return math.sqrt(i) * scale", tags=["functions"]),
    cell("total = sum(numbers)", tags=["step:total", "prev:load"]),
    cell("print(total)", tags=["pipeline-metrics"]),
)
"""Kale puts functions before every step, wherever they stand: as Kale itself would run it."""

KALE_AS_RUN = [0, 1, 5, 2, 3, 6, 7]


def executed(document: Notebook, folder: Path, **options: Any) -> list[tuple[Notebook, dict[str, Any]]]:
    """The notebook with outputs, and the run's document, of two runs."""
    path = write(document, folder / "notebook.ipynb")
    runs = []
    for _ in range(2):
        output = folder / "output.ipynb"
        run = Project.open(path, store=folder / "store").run(path, output=output, **options)
        runs.append((json.loads(output.read_text()), run))
    return runs


@pytest.mark.parametrize("name", CASES)
def test_a_pipeline_shows_what_run_all_shows(name: str, tmp_path: Path) -> None:
    document = CASES[name]
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    with ThreadPoolExecutor() as pool:
        truth = pool.submit(run_all, document, there, env={"PYTHONHASHSEED": "0"})
        (first, first_run), (second, second_run) = executed(document, here)

    assert first_run["status"] == "succeeded", [step["error"] for step in first_run["steps"]]
    expected = [text for text in truth.result() if "skip" not in _tags(document, text.index)]
    for shown in (first, second):
        shown_cells = [cell for cell in shown["cells"] if cell["cell_type"] == "code"]
        assert len(shown_cells) == len(document["cells"])
        for index, one in enumerate(shown["cells"]):
            if "skip" in _tags(document, index):
                assert one["outputs"] == []
        texts = [text for text in cell_texts(shown) if "skip" not in _tags(document, text.index)]
        assert_same_outputs(texts, expected)
    assert {step["status"] for step in second_run["steps"]} == {"reused"}


def _tags(document: Notebook, index: int) -> list[str]:
    return list(document["cells"][index]["metadata"].get("tags", []))


def test_the_step_line_is_no_part_of_what_is_executed(tmp_path: Path) -> None:
    document = notebook(cell("%%step load\nx = 1"), cell("%%step use --after load\nprint(x)\nx"))

    (shown, _), _ = executed(document, tmp_path)

    assert [(text.stdout, text.displays) for text in cell_texts(shown)] == [
        ("", ()),
        ("1\n", ("execute_result (text/plain)\n1",)),
    ]


@pytest.mark.parametrize("given", [{}, {"n": 2, "scale": 0.5}])
def test_a_kale_notebook_runs_as_kale_runs_it(given: dict[str, Any], tmp_path: Path) -> None:
    in_kales_order = notebook(*(KALE["cells"][index] for index in KALE_AS_RUN))
    for one in in_kales_order["cells"]:
        if one["metadata"]["tags"] == ["pipeline-parameters"]:
            one["metadata"]["tags"] = ["parameters"]
    truth = run_all(in_kales_order, tmp_path, parameters=given)

    for shown, run in executed(KALE, tmp_path, parameters=given):
        assert run["status"] == "succeeded"
        outputs = [shown["cells"][index]["outputs"] for index in KALE_AS_RUN]
        texts = ["".join("".join(out["text"]) for out in each) for each in outputs]
        assert texts == [text.stdout for text in truth]


def test_replaced_parameters_show_what_papermill_would_show(tmp_path: Path) -> None:
    document = CASES["parameters"]
    given = {"n": 7, "name": "y"}
    truth = run_all(document, tmp_path, parameters=given)

    for shown, _ in executed(document, tmp_path, parameters=given):
        assert_same_outputs(shown, truth)


@pytest.mark.parametrize(
    ("cells", "code"),
    [
        ([("a", "x = 1"), ("b", "print(x)"), ("a", "x = 2")], "interleaved_steps"),
        ([("a", "x = 1"), ("b", "y = x"), ("a", "print(y)")], "order_cycle"),
    ],
)
def test_steps_that_cannot_be_cut_like_that_are_told(
    cells: list[tuple[str, str]], code: str, tmp_path: Path
) -> None:
    path = write(notebook(*(cell(source, step=step) for step, source in cells)), tmp_path / "notebook.ipynb")

    with pytest.raises(NotebookError) as error:
        Project.open(path, store=tmp_path / "store").run(path)

    assert error.value.code == code
    assert (
        "a step name of their own" in error.value.message or "a step name of its own" in error.value.message
    )
