"""Steps that share what cannot be stored: how the panel tells of them, and of what was learned in a run."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, expect

from .conftest import Desk

READINGS = [
    (
        ["step:open"],
        "readings = (n * n for n in range(50))\nlimit = 600\nopen('log.txt', 'w').write('opened')",
    ),
    (
        ["step:first"],
        "first = [next(readings) for _ in range(9)]\nspare = bytearray(1 << 27)\nunread = (n for n in first)",
    ),
    (["step:rest"], "rest = [n for n in readings if n > limit]"),
    (["step:log"], "log = open('log.txt').read()"),
    (["step:wait", "after:log"], "import time"),
    (["step:report"], "print(sum(first), sum(rest), log)"),
]


def line(desk: Desk, source: str, target: str) -> Locator:
    return desk.panel.locator(f".jp-Pipelines-edge[data-edge='{source} → {target}']")


def select(desk: Desk, step: str) -> Locator:
    button = desk.step(step).get_by_role("button").first
    if button.get_attribute("aria-expanded") == "false":
        button.click()
    expect(button).to_have_attribute("aria-expanded", "true")
    return desk.step(step)


@pytest.mark.timeout(300)
def test_steps_that_share_a_generator_are_shown_as_one_unit(desk: Desk) -> None:
    desk.open(desk.write("readings.ipynb", READINGS))
    desk.run()
    desk.expect_states(dict.fromkeys(["open", "first", "rest", "log", "wait", "report"], "succeeded"))

    # In the drawing: a mark on each step, a line of its own between them, and what the lines mean.
    expect(
        desk.node("first").get_by_role(
            "img", name="Runs in one kernel with `open`, `rest`: `readings` cannot be stored"
        )
    ).to_be_visible()
    expect(desk.node("log").get_by_role("img")).to_have_count(0)
    for pair in (("open", "first"), ("first", "rest")):
        expect(line(desk, *pair)).to_have_class(re.compile("jp-mod-kernel"))
    expect(line(desk, "first", "rest").locator("title")).to_have_text(
        "`rest` goes on in the kernel of `first`: `readings` cannot be stored"
    )
    expect(line(desk, "open", "log")).to_have_class(re.compile("jp-mod-learned"))
    desk.widen(420)
    legend = desk.panel.get_by_role("list", name="Lines of the graph")
    expect(legend.get_by_role("listitem")).to_have_text(["one kernel", "learned", "by a tag"])

    # In the detail: with whom, what became of each variable, and what its code does not show.
    detail = select(desk, "first")
    expect(detail).to_contain_text("Runs in one kernel with open, rest: readings cannot be stored")
    expect(detail).to_contain_text("list · 9 items · json")
    expect(detail).to_contain_text("not stored (no step reads it)")
    expect(detail).to_contain_text("not stored (the steps that read it share its kernel)")
    expect(detail).to_contain_text("A generator cannot be")
    detail.get_by_role("button", name="rest", exact=True).click()
    expect(desk.step("rest")).to_have_attribute("data-selected", "true")
    expect(select(desk, "log")).to_contain_text("file log.txt ← open")
    expect(desk.step("log")).to_contain_text("Learned: seen while the step ran, not in its code.")

    desk.screenshot("learned")

    # What comes after in its kernel makes a step run again that has not changed.
    desk.edit(2, "rest = [n for n in readings if n > limit + 1]")
    desk.expect_states({"rest": "run", "open": "run", "first": "run"})
    assert desk.decisions()["log"] == "reuse"
    expect(select(desk, "open")).to_contain_text("rest goes on in its kernel: readings cannot be stored")
    desk.run()
    desk.expect_states({"open": "succeeded", "rest": "succeeded", "log": "reused"})

    select(desk, "first")
    for width in (280, 900):
        desk.widen(width)
        expect(desk.node("first")).to_be_visible()
        assert desk.panel.evaluate("panel => panel.scrollWidth - panel.clientWidth") == 0
        for theme in ("light", "dark"):
            desk.command("apputils:change-theme", {"theme": f"JupyterLab {theme.capitalize()}"})
            is_light = "true" if theme == "light" else "false"
            expect(desk.page.locator("body")).to_have_attribute("data-jp-theme-light", is_light)
            expect(desk.page.locator("#jupyterlab-splash")).to_have_count(0)
            desk.screenshot(f"units-{theme}-{width}")


def test_a_notebook_with_plain_lines_has_no_legend(desk: Desk) -> None:
    desk.open(desk.write_small())
    expect(desk.node("total")).to_be_visible()
    expect(desk.panel.get_by_role("list", name="Lines of the graph")).to_have_count(0)
