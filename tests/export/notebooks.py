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
    cell("left = df[columns].sum()\nbox.rows.append(4)", step="left", tags=["retries:1", "timeout:5m"]),
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
    cell("a = 1", step="first"),
    cell(
        """
        said = os.environ.get('UNSTEADY')
        if said == 'always' or said and not Path(said).exists():
            if said != 'always':
                Path(said).write_text('tried')
            raise ValueError('not this time')
        b = a + 1
        """,
        step="second",
        tags=["retries:2"],
    ),
    cell("c = b", step="third"),
)
"""Its second step fails: once, where the variable ``UNSTEADY`` names a file that is not there yet; or ``always``."""
