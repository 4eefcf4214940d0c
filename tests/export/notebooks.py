"""Notebooks with which every target is proved."""

from __future__ import annotations

from tests.fixtures.notebooks import Notebook, cell, markdown, notebook, parameters

DIAMOND: Notebook = notebook(
    markdown("# A diamond\n\nSplit and joined."),
    cell(
        """
        import numpy as np
        import pandas as pd
        from dataclasses import dataclass

        np.random.seed(1)

        @dataclass
        class Box:
            rows: list

        def grow(values):
            values.append(len(values))
        """
    ),
    parameters(
        """
        n = 6  # how many
        label = 'a'
        rate = 0.5
        logged = True
        columns = ['x', 'y']
        twice = n * 2
        """
    ),
    markdown("## Load\n\nThe table."),
    cell("df = pd.DataFrame({'x': range(n), 'y': np.random.rand(n) * rate})\nbox = Box([1, 2])", step="load"),
    cell(
        "left = df[columns].sum()\nbox.rows.append(4)",
        step="left",
        role="transformer",
        tags=["retries:1", "timeout:5m", "cpu:0.5", "memory:256Mi", "gpu:1"],
    ),
    cell(
        "add = lambda value: value + twice\nright = [add(value) for value in df.x]", step="right", cache="off"
    ),
    cell("grow(right)", step="grown"),
    cell("report = (left.to_dict(), right, box, {label, 'b'}, logged)", step="report"),
    cell("other = str(label)", step="start", after="left"),
)
"""Two wide levels, an override, a class, a closure, in-place changes, draws, and a name that engines reserve."""

UNSTEADY: Notebook = notebook(
    cell("import os\nfrom pathlib import Path"),
    parameters("fails = 'once'\nmarks = '.'"),
    cell("a = 1", step="first"),
    cell(
        """
        mark = Path(marks, os.getcwd().replace(os.sep, '_'))
        if fails == 'always' or not mark.exists():
            mark.touch()
            raise ValueError('not this time')
        del mark
        b = a + 1
        """,
        step="second",
        tags=["retries:2"],
    ),
    cell("c = b", step="third"),
)
"""Its second step fails the first time in each folder, as there is no file in `marks` yet; or ``always``."""

HANGING: Notebook = notebook(
    cell("import time"),
    parameters("seconds = 0"),
    cell("a = 1", step="first"),
    cell("time.sleep(seconds)\nb = a", step="slow", tags=["timeout:15s"]),
    cell("c = b", step="last"),
)
"""Its second step may take too long."""

LEARNED: Notebook = notebook(
    cell(
        """
        import random
        from pathlib import Path

        random.seed(3)

        class Account:
            def __init__(self, owner):
                self.owner = owner
                self.entries = []

            def book(self, amount):
                self.entries.append(amount)
                return self

        def note(amount):
            ledger.append(amount)

        def adder(more):
            def add(value):
                return value + more
            return add
        """
    ),
    parameters(
        """
        tag = 'old'
        params = [1]
        config = {'a': None}
        schema = True
        n = -2
        N = 4
        source = ''
        text = '${c} %d {x}'
        """
    ),
    cell("kept = (tag, params, config, schema, n, N, source, text)", step="class"),
    cell("ledger = []\nbooks = {'main': ledger}", step="open"),
    cell("account = Account('Ada').book(5)\nadd_two = adder(2)", step="account"),
    cell("for amount in (1, 2):\n    note(amount)\ndrawn = random.random()", step="note"),
    cell("Path('notes.txt').write_text(f'{len(ledger)} entries')\nledger.append(add_two(4))", step="write"),
    cell("account.book(sum(ledger)).book(random.randrange(9))", step="sum"),
    cell("class Report(Account):\n    pass\n\nreport = Report(account.owner)", step="report"),
    cell(
        "text = Path('notes.txt').read_text()\nclosing = (books['main'] is ledger, ledger, report.owner)",
        step="close",
    ),
)
"""Classes, closures, changes through other names, draws and files: most of it is seen only while it runs.

Its parameters have names that engines have for themselves, and values that shells would change.
"""
