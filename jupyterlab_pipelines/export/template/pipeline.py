"""The pipeline: its steps, in an order in which they can run."""

from __future__ import annotations

from . import steps
from .step import Step

NAME = "example"

NOTEBOOK = "example.ipynb"
"""Where it was exported from."""

DATA: tuple[str, ...] = ()
"""Files that the steps read, below the data folder."""

STEPS = (
    Step(name="load", function=steps.load, parameters=("n",), outputs=("numbers",)),
    Step(
        name="add",
        function=steps.add,
        inputs={"numbers": "load/numbers"},
        outputs=("total",),
        after=("load",),
    ),
)
