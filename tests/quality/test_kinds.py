"""The documented kinds are those that there are."""

from __future__ import annotations

import re
from pathlib import Path

from jupyterlab_pipelines.quality.kinds import KINDS, SEVERITIES

ROOT = Path(__file__).parents[2]


def test_the_page_lists_every_kind_and_no_other() -> None:
    page = (ROOT / "docs/reference/anomalies.md").read_text()

    assert re.findall(r"^\| `(\w+)` \| (\w+) \| (.*) \|$", page, re.MULTILINE) == [
        (kind.name, kind.severity, kind.meaning) for kind in KINDS
    ]


def test_every_kind_that_a_rule_tells_is_known_and_every_known_one_is_told() -> None:
    source = "".join(path.read_text() for path in (ROOT / "jupyterlab_pipelines/quality").rglob("*.py"))
    source = source.replace((ROOT / "jupyterlab_pipelines/quality/kinds.py").read_text(), "")

    assert [kind.name for kind in KINDS if f'"{kind.name}"' not in source] == []
    assert {kind.severity for kind in KINDS} == set(SEVERITIES)
