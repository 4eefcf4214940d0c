"""What the panel shows before anything has run, and while the notebook is edited."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Response, expect

from .conftest import Desk

STEPS = ["load", "double", "square", "total"]
# The promise is half a second; a busy machine gets more.
EDIT_MS = 2000


def test_the_graph_of_the_unsaved_document_is_there_without_a_click(desk: Desk) -> None:
    desk.open(desk.write_small(), show=False)

    for name in STEPS:
        expect(desk.node(name)).to_be_visible()
    assert desk.decisions() == {
        "load": "run",
        "double": "undecided",
        "square": "undecided",
        "total": "undecided",
    }
    expect(desk.step("load")).to_contain_text("to run")
    expect(desk.panel.locator(".jp-Pipelines-edge")).to_have_count(4)
    assert not desk.is_dirty()


def test_an_edit_is_drawn_at_once(desk: Desk) -> None:
    desk.open(desk.write_small())
    expect(desk.node("total")).to_be_visible()

    desk.edit(5, "squares = doubled")
    begun = time.monotonic()
    # Now `square` reads `doubled`: an edge from `double`, and none from `load`.
    expect(desk.panel.locator("[data-edge='double → square']")).to_be_attached(timeout=EDIT_MS)
    expect(desk.panel.locator("[data-edge='load → square']")).not_to_be_attached(timeout=EDIT_MS)
    assert time.monotonic() - begun < EDIT_MS / 1000


def test_cells_are_marked_with_their_step(desk: Desk) -> None:
    desk.open(desk.write_small())

    def marks(attribute: str) -> list[str | None]:
        return [desk.cell(index).get_attribute(f"data-pipelines-{attribute}") for index in range(8)]

    expect(desk.cell(2)).to_have_attribute("data-pipelines-step", "load")
    assert marks("step") == [None, None, "load", "double", "double", "square", "total", None]
    assert marks("mark") == [
        "parameters",
        "setup",
        "load  ○ to run",
        "double  ? undecided",
        None,
        "square  ? undecided",
        "total  ? undecided",
        "not in the pipeline",
    ]


def test_a_click_on_a_step_goes_to_its_cells(desk: Desk) -> None:
    desk.open(desk.write_small())

    desk.node("double").click()
    expect(desk.cell(3)).to_have_class(re.compile("jp-mod-active"))
    expect(desk.cell(4)).to_have_class(re.compile("jp-mod-selected"))
    expect(desk.step("double")).to_have_attribute("data-selected", "true")

    desk.step("total").get_by_role("button").first.click()
    expect(desk.cell(6)).to_have_class(re.compile("jp-mod-active"))
    expect(desk.node("total")).to_have_attribute("data-selected", "true")


def test_selecting_a_cell_marks_its_step(desk: Desk) -> None:
    desk.open(desk.write_small())
    expect(desk.node("square")).to_be_visible()

    desk.select_cell(4)
    expect(desk.step("double")).to_have_attribute("data-selected", "true")
    desk.select_cell(5)
    expect(desk.step("square")).to_have_attribute("data-selected", "true")
    expect(desk.step("double")).not_to_have_attribute("data-selected", "true")


def test_the_list_works_by_keyboard(desk: Desk) -> None:
    desk.open(desk.write_small())

    button = desk.step("load").get_by_role("button").first
    button.focus()
    expect(button).to_have_attribute("aria-expanded", "false")
    desk.page.keyboard.press("Enter")
    expect(button).to_have_attribute("aria-expanded", "true")
    expect(desk.step("load")).to_contain_text("Outputs")


def test_a_parameter_typed_in_the_panel_changes_the_plan_and_not_the_notebook(desk: Desk) -> None:
    desk.open(desk.write_small())
    desk.run()
    assert set(desk.decisions().values()) == {"reuse"}

    desk.panel.get_by_label("factor", exact=True).fill("3")
    desk.expect_states({"double": "run"})
    assert desk.decisions()["load"] == desk.decisions()["square"] == "reuse"
    desk.panel.get_by_label("factor", exact=True).fill("much")
    expect(desk.panel.get_by_text("A whole number is needed")).to_be_visible()
    expect(desk.button("Run")).to_be_disabled()

    desk.button("factor: back to the default").click()
    desk.expect_states({"double": "succeeded"})
    assert "factor = 2" in (desk.directory / "small.ipynb").read_text()


def test_a_syntax_error_is_told_with_its_place_and_the_graph_stays(desk: Desk) -> None:
    desk.open(desk.write_small())
    expect(desk.node("total")).to_be_visible()

    desk.edit(5, "squares = 1 +")
    alert = desk.panel.get_by_role("alert")
    expect(alert).to_contain_text("Cell 6")
    expect(desk.node("total")).to_be_visible()
    desk.screenshot("syntax-error")

    desk.select_cell(0)
    alert.get_by_role("button", name="Go to cell 6, line 1").click()
    expect(desk.cell(5)).to_have_class(re.compile("jp-mod-active"))

    desk.edit(5, "squares = 1")
    expect(alert).not_to_be_visible()


def test_a_cycle_names_its_steps(desk: Desk) -> None:
    notebook = desk.write(
        "cycle.ipynb", [(["step:one", "after:two"], "x = 1"), (["step:two", "after:one"], "y = 1")]
    )
    desk.open(notebook)
    alert = desk.panel.get_by_role("alert")
    expect(alert).to_contain_text("one")
    expect(alert).to_contain_text("two")


def test_an_untagged_notebook_says_how_to_begin(desk: Desk) -> None:
    desk.open(desk.write("untagged.ipynb", [([], "x = 1"), ([], "y = x")]))

    expect(desk.panel.get_by_role("heading", name="This notebook has no steps yet")).to_be_visible()
    desk.screenshot("untagged")
    desk.select_cell(0)
    desk.button("Make the selected cell a step").click()
    dialog = desk.page.get_by_role("dialog")
    dialog.get_by_label("Step", exact=True).fill("load")
    dialog.get_by_role("button", name="Set").click()

    expect(desk.node("load")).to_be_visible()
    assert desk.tags(0) == ["step:load"]


def test_without_a_notebook_the_panel_says_what_it_is_for(desk: Desk) -> None:
    desk.page.goto(f"{desk.server.url}lab?token={desk.server.token}&reset")
    expect(desk.page.locator(".jp-Launcher")).to_be_visible(timeout=60_000)
    desk.command("pipelines-as-experiments:open-panel")
    expect(desk.panel.get_by_role("heading", name="No notebook in front")).to_be_visible()
    desk.screenshot("no-notebook")


def test_a_server_without_the_extension_is_told_calmly(desk: Desk) -> None:
    ours = re.compile(r"/base/pipelines-as-experiments/")
    desk.page.route(ours, lambda route: route.fulfill(status=404, body='{"message": "Not Found"}'))
    desk.open(desk.write_small())
    expect(desk.panel).to_contain_text("is not enabled")

    desk.page.unroute(ours)
    desk.button("Retry").click()
    expect(desk.node("total")).to_be_visible()


def is_saved_layout(response: Response) -> bool:
    """Whether JupyterLab has saved a layout in which the left area is closed."""
    request = response.request
    if "/api/workspaces/" not in request.url or request.method != "PUT":
        return False
    data = json.loads(request.post_data or "{}").get("data", {})
    return bool(data.get("layout-restorer:data", {}).get("left", {}).get("collapsed"))


def test_a_closed_panel_stays_closed(desk: Desk) -> None:
    notebook = desk.write_small()
    desk.open(notebook)
    with desk.page.expect_response(is_saved_layout):
        desk.command("application:toggle-left-area")
    expect(desk.panel).not_to_be_visible()

    desk.page.goto(desk.server.address(notebook))
    desk.wait_for_notebook()
    expect(desk.cell(2)).to_have_attribute("data-pipelines-step", "load")
    expect(desk.panel).not_to_be_visible()


def test_a_chart_of_altair_6_is_drawn(desk: Desk) -> None:
    notebook = desk.write("chart.ipynb", [([], "chart")])
    path: Path = desk.server.root / notebook
    chart = {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "data": {"values": [{"a": 1, "b": 2}, {"a": 2, "b": 3}]},
        "mark": "bar",
        "encoding": {"x": {"field": "a", "type": "ordinal"}, "y": {"field": "b", "type": "quantitative"}},
    }
    desk.add_output(path, 0, {"application/vnd.vegalite.v6.json": chart, "text/plain": "alt.Chart(...)"})
    desk.open(notebook)
    expect(desk.cell(0).locator(".vega-embed canvas, .vega-embed svg").first).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [280, 900])
def test_it_fits_narrow_and_wide_light_and_dark(
    desk: Desk, theme: Literal["light", "dark"], width: int
) -> None:
    desk.open(desk.write_small(), theme=theme)
    expect(desk.node("total")).to_be_visible()
    desk.widen(width)
    desk.step("double").get_by_role("button").first.click()
    expect(desk.node("double")).to_be_visible()
    overflow = desk.panel.evaluate("panel => panel.scrollWidth - panel.clientWidth")
    assert overflow == 0
    desk.screenshot(f"panel-{theme}-{width}")
