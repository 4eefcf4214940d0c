"""Cells become steps without typing tags, and undo takes it back."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, expect

from .conftest import Desk


def open_form(desk: Desk, index: int) -> Locator:
    desk.select_cell(index)
    desk.cell(index).get_by_title("Set the pipeline step of this cell").click()
    dialog = desk.page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    return dialog


@pytest.mark.parametrize("undo", ["z", "ControlOrMeta+z"])
def test_the_button_of_a_cell_sets_step_role_and_cache_and_undo_takes_it_back(desk: Desk, undo: str) -> None:
    desk.open(desk.write_small())
    dialog = open_form(desk, 5)
    expect(dialog.get_by_label("Step", exact=True)).to_have_value("square")
    dialog.get_by_label("Step", exact=True).fill("cube")
    dialog.get_by_label("Role").select_option("transformer")
    dialog.get_by_label("Cache").select_option("age")
    dialog.get_by_label("At most").fill("30m")
    desk.screenshot("form")
    dialog.get_by_role("button", name="Set").click()

    expect(desk.node("cube")).to_be_visible()
    assert desk.tags(5) == ["step:cube", "owner:anna", "role:transformer", "cache:30m"]

    desk.select_cell(5)
    desk.page.keyboard.press(undo)
    expect(desk.node("square")).to_be_visible()
    assert desk.tags(5) == ["step:square", "owner:anna"]


def test_retries_timeout_and_resources_are_set_and_shown_with_the_step(desk: Desk) -> None:
    desk.open(desk.write_small())
    dialog = open_form(desk, 5)
    dialog.get_by_label("Retries, timeout and resources").check()
    dialog.get_by_label("Timeout", exact=True).fill("30m")
    dialog.get_by_label("GPUs").fill("1")
    dialog.get_by_label("Memory").fill("4 GB")
    expect(dialog.get_by_text("Write a number and a unit, such as 4Gi.")).to_be_visible()
    expect(dialog.get_by_role("button", name="Set")).to_be_disabled()
    dialog.get_by_label("Memory").fill("4Gi")
    desk.screenshot("limits")
    dialog.get_by_role("button", name="Set").click()

    assert desk.tags(5) == ["step:square", "owner:anna", "timeout:30m", "memory:4Gi", "gpu:1"]
    facts = desk.step("square").locator(".jp-Pipelines-facts")
    expect(facts).to_contain_text("4Gi of memory, 1 GPU")
    expect(facts).to_contain_text("Timeout30 min")


def test_a_name_that_is_none_is_refused_with_a_reason(desk: Desk) -> None:
    desk.open(desk.write_small())
    dialog = open_form(desk, 5)
    for name in ["Two words", "1st", "Ä", "_x"]:
        dialog.get_by_label("Step", exact=True).fill(name)
        expect(dialog.get_by_text("A name has small letters")).to_be_visible()
        expect(dialog.get_by_role("button", name="Set")).to_be_disabled()
    dialog.get_by_label("Step", exact=True).fill("first_1-b")
    expect(dialog.get_by_role("button", name="Set")).to_be_enabled()
    dialog.get_by_role("button", name="Cancel").click()
    assert desk.tags(5) == ["step:square", "owner:anna"]
    assert not desk.is_dirty()


def test_a_step_can_be_taken_away(desk: Desk) -> None:
    desk.open(desk.write_small())
    dialog = open_form(desk, 6)
    dialog.get_by_label("This cell").select_option("join")
    dialog.get_by_role("button", name="Set").click()
    expect(desk.step("total")).to_have_count(0)
    assert desk.tags(6) == []
    expect(desk.cell(6)).to_have_attribute("data-pipelines-step", "square")


def test_tags_of_kale_are_understood(desk: Desk) -> None:
    desk.open(
        desk.write("kale.ipynb", [(["imports"], "import math"), (["block:load", "prev:none"], "x = 1")])
    )
    dialog = open_form(desk, 0)
    expect(dialog.get_by_label("This cell")).to_have_value("shared")
    dialog.get_by_role("button", name="Cancel").click()
    dialog = open_form(desk, 1)
    expect(dialog.get_by_label("Step", exact=True)).to_have_value("load")
    dialog.get_by_label("Role").select_option("importer")
    dialog.get_by_role("button", name="Set").click()
    expect(dialog).not_to_be_visible()
    assert desk.tags(1) == ["block:load", "prev:none", "role:importer"]


def test_the_property_inspector_has_the_form_too(desk: Desk) -> None:
    desk.open(desk.write_small())
    desk.select_cell(3)
    desk.page.get_by_role("tab", name="Property Inspector").click()
    desk.page.get_by_text("Pipeline Step", exact=True).click()
    form = desk.page.locator(".jp-NotebookTools").get_by_role("group", name="Pipeline step")
    expect(form.get_by_label("Step", exact=True)).to_have_value("double")

    form.get_by_label("Role").select_option("transformer")
    expect(desk.step("double").get_by_role("img", name="Transformer")).to_be_visible()
    form.get_by_label("Step", exact=True).fill("twice")
    form.get_by_label("Step", exact=True).press("Enter")
    expect(desk.node("twice")).to_be_visible()
    assert desk.tags(3) == ["step:twice", "role:transformer"]

    desk.select_cell(5)
    expect(form.get_by_label("Step", exact=True)).to_have_value("square")
    desk.screenshot("inspector")
