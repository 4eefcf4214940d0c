"""What the documentation shows works: the tutorial's notebook runs, links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.fixtures.notebooks import cell, notebook
from tests.oracle import run_all

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])

every_page = pytest.mark.parametrize(
    "text_file", PAGES, ids=[page.relative_to(ROOT).as_posix() for page in PAGES]
)


def blocks(page: Path, language: str) -> list[str]:
    """The code blocks of one language, in order."""
    return re.findall(
        rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )


def anchors(page: Path) -> set[str]:
    """What `page.md#…` may name: its headings, as GitHub spells them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_tutorials_notebook_runs(tmp_path: Path) -> None:
    document = notebook(*(cell(source) for source in blocks(ROOT / "docs" / "tutorial.md", "python")))

    texts = run_all(document, tmp_path, env={"PYTHONPATH": str(ROOT)})

    assert [text.error or text.stderr for text in texts if text.error or text.stderr] == []
    assert texts[1].stdout == "150 flowers\n"


@every_page
def test_links_lead_somewhere(text_file: Path) -> None:
    text = re.sub(r"```.*?```", "", text_file.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        linked = (text_file.parent / path).resolve() if path else text_file
        assert linked.exists(), f"{target} does not exist"
        assert not anchor or anchor in anchors(linked), f"{target}: no such heading"
