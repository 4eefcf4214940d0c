"""The same bundle in Notebook 7."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from .conftest import Desk, Server

STEPS = ["load", "double", "square", "total"]


@pytest.fixture
def desk(make_desk: Callable[[Server], Desk], notebook_server: Server) -> Desk:
    return make_desk(notebook_server)


def test_the_panel_runs_the_pipeline(desk: Desk) -> None:
    desk.open(desk.write_small())
    expect(desk.node("total")).to_be_visible()
    expect(desk.cell(2)).to_have_attribute("data-pipelines-step", "load")
    desk.run()
    desk.expect_states(dict.fromkeys(STEPS, "succeeded"))
    desk.screenshot("succeeded")


def test_a_cell_can_be_made_a_step(desk: Desk) -> None:
    desk.open(desk.write_small())
    desk.select_cell(5)
    desk.command("notebook:enter-command-mode")
    desk.cell(5).get_by_title("Set the pipeline step of this cell").click()
    dialog = desk.page.get_by_role("dialog")
    dialog.get_by_label("Step", exact=True).fill("cube")
    dialog.get_by_role("button", name="Set").click()
    expect(desk.node("cube")).to_be_visible()
