"""Runs: started, watched, cancelled, found again, looked at."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from .conftest import EXAMPLES, FRONT, RUN_MS, Desk, Server

STEPS = ["load", "double", "square", "total"]
SLOW = [
    (["step:quick"], "x = 1\nprint('hello')"),
    (["step:slow"], "import time\nfor _ in range(600):\n    time.sleep(0.1)\ny = x"),
    (["step:later"], "z = y"),
]


def test_all_steps_succeed_then_all_are_reused_then_only_the_stale_ones_run(desk: Desk) -> None:
    desk.open(desk.write_small())

    desk.run()
    desk.expect_states(dict.fromkeys(STEPS, "succeeded"))
    expect(desk.runs.first).to_contain_text("4 executed")
    desk.screenshot("succeeded")

    desk.run()
    desk.expect_states(dict.fromkeys(STEPS, "reused"))
    expect(desk.runs.first).to_contain_text("4 reused")
    desk.screenshot("reused")

    desk.edit(5, "squares = [number ** 3 for number in numbers]")
    desk.expect_states({"square": "run"}, timeout=2000)
    assert desk.decisions() == {"load": "reuse", "double": "reuse", "square": "run", "total": "undecided"}
    expect(desk.step("square")).to_contain_text("changed")
    desk.screenshot("stale")

    desk.run()
    desk.expect_states({"load": "reused", "double": "reused", "square": "succeeded", "total": "succeeded"})
    # The run has used what is in the editor; the file is the user's to save.
    assert "number ** 3" not in (desk.directory / "small.ipynb").read_text()


def test_run_to_here_runs_what_the_step_needs(desk: Desk) -> None:
    desk.open(desk.write_small())
    expect(desk.button("Run to here")).to_be_disabled()

    desk.step("double").get_by_role("button").first.click()
    before = desk.runs.count()
    desk.button("Run to here").click()
    expect(desk.runs).not_to_have_count(before, timeout=RUN_MS)
    desk.expect_states({"load": "succeeded", "double": "succeeded"})
    expect(desk.button("Cancel")).to_be_disabled(timeout=RUN_MS)
    desk.expect_states({"square": "run", "total": "undecided"})


def test_the_detail_of_a_step_shows_what_it_left(desk: Desk) -> None:
    desk.open(desk.write_small())
    desk.run()
    detail = desk.step("double")
    detail.get_by_role("button").first.click()
    expect(detail).to_contain_text("list · 6 items")
    expect(detail).to_contain_text("← load")
    detail.get_by_text("Log", exact=True).click()
    expect(detail.get_by_role("log")).to_contain_text("doubled [0, 2, 4, 6, 8, 10]")


def test_a_run_can_be_cancelled(desk: Desk) -> None:
    desk.open(desk.write("slow.ipynb", SLOW))
    desk.button("Run").click()
    desk.expect_states({"quick": "succeeded", "slow": "running", "later": "queued"})
    desk.screenshot("running")
    desk.button("Cancel").click()
    expect(desk.runs.first).to_have_attribute("data-status", "cancelled", timeout=RUN_MS)
    expect(desk.button("Cancel")).to_be_disabled()
    desk.expect_states({"quick": "succeeded", "slow": "run"})


def test_a_run_is_found_again_after_a_reload(desk: Desk) -> None:
    notebook = desk.write("slow.ipynb", SLOW)
    desk.open(notebook)
    desk.button("Run").click()
    desk.expect_states({"slow": "running"})

    desk.open(notebook)
    desk.expect_states({"quick": "succeeded", "slow": "running"})
    desk.button("Cancel").click()
    expect(desk.runs.first).to_have_attribute("data-status", "cancelled", timeout=RUN_MS)


def test_a_run_outlives_the_server(
    make_desk: Callable[[Server], Desk], start_server: Callable[..., Server]
) -> None:
    server = start_server("lab")
    desk = make_desk(server)
    notebook = desk.write("slow.ipynb", SLOW)
    desk.open(notebook)
    desk.button("Run").click()
    desk.expect_states({"slow": "running"})

    desk.page.goto("about:blank")
    server.stop()
    server.start()
    desk.open(notebook)
    desk.expect_states({"quick": "succeeded", "slow": "running"})
    desk.button("Cancel").click()
    expect(desk.runs.first).to_have_attribute("data-status", "cancelled", timeout=RUN_MS)


def test_a_failed_step_shows_its_error_and_log(desk: Desk) -> None:
    notebook = desk.write(
        "failing.ipynb",
        [
            (["step:load"], "x = 1"),
            (["step:broken"], "print('so far so good')\ny = x / 0"),
            (["step:after"], "print(y)"),
        ],
    )
    desk.open(notebook)
    desk.run()
    desk.expect_states({"load": "succeeded", "broken": "failed"})

    step = desk.step("broken")
    step.get_by_role("button").first.click()
    expect(step.get_by_role("alert")).to_contain_text("ZeroDivisionError: division by zero")
    step.get_by_text("Traceback", exact=True).click()
    traceback = step.locator("pre").first
    expect(traceback).to_contain_text("y = x / 0")
    assert "\x1b" not in (traceback.text_content() or "")
    step.get_by_text("Log", exact=True).click()
    expect(step.get_by_role("log")).to_contain_text("so far so good")
    desk.screenshot("failed")

    desk.select_cell(0)
    desk.step("broken").get_by_role("button").first.click()
    step.get_by_role("button", name="Go to cell 2").click()
    expect(desk.cell(1)).to_have_class(re.compile("jp-mod-active"))

    desk.edit(1, "y = x / 2")
    desk.expect_states({"load": "succeeded"})
    desk.run()
    desk.expect_states({"load": "reused", "broken": "succeeded", "after": "succeeded"})


def test_past_runs_can_be_looked_at_and_opened_read_only(desk: Desk) -> None:
    desk.open(desk.write_small())
    desk.run()
    desk.edit(5, "squares = [number ** 3 for number in numbers]")
    desk.expect_states({"square": "run"})
    desk.run()

    desk.runs.last.get_by_role("button").first.click()
    expect(desk.panel.get_by_text("The steps below are those of a past run")).to_be_visible()
    desk.expect_states({"load": "succeeded", "square": "succeeded"})
    desk.button("Back to now").click()
    desk.expect_states({"load": "reused"})

    desk.runs.last.get_by_role("button", name="Open").click()
    executed = desk.page.locator(".jp-Pipelines-executed")
    expect(executed).to_contain_text("85")
    expect(executed).to_contain_text("number ** 2")
    editors = executed.locator(".cm-content")
    assert set(editors.evaluate_all("all => all.map(editor => editor.ariaReadOnly)")) == {"true"}
    editors.last.click()
    desk.page.keyboard.type("changed")
    expect(executed).not_to_contain_text("changed")
    assert desk.page.evaluate(f"{FRONT}.title.className").find("jp-mod-dirty") == -1
    desk.screenshot("past-run")


def test_the_executed_notebook_of_a_step_can_be_opened(desk: Desk) -> None:
    desk.open(desk.write_small())
    desk.run()
    desk.step("total").get_by_role("button").first.click()
    desk.step("total").get_by_role("button", name="Executed notebook").click()
    expect(desk.page.locator(".jp-Pipelines-executed")).to_contain_text("print(total)")


@pytest.mark.timeout(600)
def test_the_example_runs_and_is_reused(desk: Desk, page: Page) -> None:
    page.set_viewport_size({"width": 1600, "height": 1000})
    desk.open(desk.copy(EXAMPLES / "flights" / "flights.ipynb"))
    expect(desk.node("train")).to_be_visible()
    assert len(desk.states()) >= 10
    desk.screenshot("flights-planned")

    desk.button("Run").click()
    expect(desk.runs.first).to_have_attribute("data-status", "succeeded", timeout=400_000)
    assert set(desk.states().values()) == {"succeeded"}
    desk.screenshot("flights-succeeded")

    desk.run()
    assert set(desk.states().values()) == {"reused"}


@pytest.mark.timeout(240)
def test_of_a_log_of_megabytes_the_end_is_shown_and_the_rest_a_click_away(desk: Desk) -> None:
    talk = (
        "import pathlib, sys, time\n"
        "for percent in range(0, 50, 10):\n"
        "    print(f'\\rwork: {percent}%|#   | {percent}/100', end='', file=sys.stderr, flush=True)\n"
        "while not pathlib.Path('go').exists():\n    time.sleep(0.05)\n"
        "print()\nprint(('y' * 99 + '\\n') * 50_000)\nprint('the end')\ntalked = 1"
    )
    desk.open(desk.write("talk.ipynb", [(["step:talk"], talk)]))
    desk.step("talk").get_by_role("button").first.click()
    desk.button("Run").click()
    log = desk.step("talk").get_by_role("log")
    bar = log.get_by_role("progressbar", name="work")
    expect(bar).to_have_attribute("value", "40", timeout=RUN_MS)
    expect(log.get_by_role("progressbar")).to_have_count(1)

    asked: list[str] = []
    desk.page.on("request", lambda request: asked.append(request.url) if "/log?" in request.url else None)
    (desk.directory / "go").touch()
    expect(desk.runs.first).to_have_attribute("data-status", "succeeded", timeout=RUN_MS)
    desk.step("talk").get_by_text("Log", exact=True).click()
    expect(log.get_by_text("the end")).to_be_in_viewport()
    # Of five megabytes two hundred kilobytes are fetched.
    assert asked and all("last_bytes=200000" in url for url in asked)
    assert len(log.inner_text()) < 250_000
    # What the cell showed is shortened, too.
    expect(desk.step("talk").locator(".jp-Pipelines-outputs")).to_contain_text("characters are left out here")
    with desk.page.expect_popup() as popup:
        desk.step("talk").get_by_role("link", name="Open the whole log").click()
    popup.value.wait_for_load_state()
    assert len(popup.value.locator("body").inner_text()) > 5_000_000
