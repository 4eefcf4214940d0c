"""Imports at the top of an exported module: those that it uses, sorted; nothing is lost that importing does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from jupyterlab_pipelines.export.imports import Import, chosen_imports, import_block, imports_of

STATEMENTS = (
    "import os, sys",
    "import numpy as np",
    "import os.path as osp",
    "import xml.dom, xml.sax",
    "from math import pi as tau, sqrt",
    "from collections import OrderedDict, deque, abc",
    "from sklearn.metrics import f1_score",
    "from sklearn.metrics import r2_score as r2, accuracy_score",
    "import hvplot.pandas",
    "from typing import Any",
)


def block(statements: list[str], read: set[str], elsewhere: set[str] = frozenset()) -> str:  # type: ignore[assignment]
    found = [each for statement in statements for each in imports_of(statement) or ()]
    used, unread = chosen_imports(found, read, elsewhere, keeps_unread=True)
    return "\n\n".join(import_block(used, unread))


def test_only_what_is_read_is_imported_in_sorted_groups() -> None:
    text = block(list(STATEMENTS), {"sys", "np", "sqrt", "deque", "OrderedDict", "f1_score", "Any"})

    assert text == (
        "import sys\nfrom collections import OrderedDict, deque\nfrom math import sqrt\nfrom typing import Any\n\n"
        "import hvplot.pandas  # noqa: F401\nimport numpy as np\nfrom sklearn.metrics import f1_score"
    )


def test_an_import_that_nobody_reads_stays_for_what_it_does_unless_it_does_nothing() -> None:
    assert block(["import hvplot.pandas"], set()) == "import hvplot.pandas  # noqa: F401"
    assert block(["import hvplot.pandas"], set(), {"hvplot"}) == ""
    assert block(["import json"], set()) == ""
    assert block(["from a.b import c, d"], {"c"}) == "from a.b import c"


def test_what_is_tried_is_no_plain_import() -> None:
    assert imports_of("try:\n    import x\nexcept ImportError:\n    x = None") is None


@given(st.lists(st.sampled_from(STATEMENTS), unique=True), st.data())
def test_each_name_is_bound_once_to_what_the_notebook_bound_it_to(
    statements: list[str], data: st.DataObject
) -> None:
    found = {each for statement in statements for each in imports_of(statement) or ()}
    read = data.draw(st.sets(st.sampled_from(sorted({each.binds for each in found}) or ["x"])))

    made = [each for line in block(statements, read).splitlines() if line for each in imports_of(line) or ()]

    assert len(made) == len(set(made))
    assert {each for each in found if each.binds in read} <= set(made) <= found


def test_linters_find_nothing_to_sort(tmp_path: Path) -> None:
    everything = {each.binds for statement in STATEMENTS for each in imports_of(statement) or ()}
    module = block(list(STATEMENTS), everything) + f"\n\nprint({', '.join(sorted(everything))})\n"
    (tmp_path / "module.py").write_text(module)

    ended = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F,I", "module.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )

    assert ended.returncode == 0, ended.stdout


def test_a_long_import_takes_several_lines() -> None:
    names = [f"a_name_that_is_long_{number}" for number in range(8)]
    (text,) = import_block(Import("module", name) for name in names)

    assert text.startswith("from module import (\n    a_name_that_is_long_0,\n")
    assert max(map(len, text.splitlines())) < 110
