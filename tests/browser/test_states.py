"""The server is the truth: other tabs, other notebooks, renamed files, terminals, a server that goes and comes back."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from .conftest import FRONT, RUN_MS, Desk, Server

pytestmark = pytest.mark.timeout(240)

WAITING = [
    ([], "import pathlib, time"),
    (["step:load"], "rows = list(range(5))"),
    (
        ["step:wait"],
        "_ = pathlib.Path('began').write_text('')\n"
        "while not pathlib.Path('go').exists():\n    time.sleep(0.05)\nwaited = sum(rows)",
    ),
    (["step:stay"], "time.sleep(600)\nstayed = len(rows)"),
    (["step:after_wait"], "print(waited)"),
    (["step:after_stay"], "print(stayed)"),
]


def two_jobs(desk: Desk) -> None:
    """Let two steps run at the same time, whatever the machine."""
    desk.panel.get_by_role("button", name="Run options").click()
    desk.panel.get_by_label("Steps at a time").fill("2")


def test_one_step_is_cancelled_in_one_tab_and_another_tab_sees_it(
    desk: Desk, browser: Browser, browser_context_args: dict[str, Any]
) -> None:
    path = desk.write("waiting.ipynb", WAITING)
    desk.open(path)
    two_jobs(desk)
    context = browser.new_context(**browser_context_args)
    other = Desk(context.new_page(), desk.server, desk.folder)
    other.open(path)
    expect(other.panel.get_by_text("1 to 5 of 5 steps")).to_be_visible()

    desk.button("Run").click()
    for each in (desk, other):
        each.expect_states({"wait": "running", "stay": "running"})
    desk.panel.get_by_role("button", name="Cancel step stay").click()
    for each in (desk, other):
        each.expect_states({"stay": "cancelled", "wait": "running"})
    (desk.directory / "go").touch()
    for each in (desk, other):
        expect(each.runs.first).to_have_attribute("data-status", "cancelled", timeout=RUN_MS)
        each.expect_states({"wait": "succeeded", "after_wait": "succeeded", "stay": "run"})
    # The way on from there.
    desk.edit(3, "stayed = len(rows)")
    desk.step("stay").get_by_role("button", name="Retry from here").click()
    for each in (desk, other):
        expect(each.runs.first).to_have_attribute("data-status", "succeeded", timeout=RUN_MS)
    desk.expect_states({"stay": "succeeded", "after_stay": "succeeded", "wait": "reused"})
    context.close()


def test_two_notebooks_side_by_side_have_each_their_own_panel(desk: Desk) -> None:
    first = desk.write("first.ipynb", [(["step:one"], "x = 1")])
    second = desk.write("second.ipynb", [(["step:two"], "y = 2")])
    desk.open(first)
    desk.command("docmanager:open", {"path": second, "options": {"mode": "split-right"}})
    expect(desk.step("two")).to_be_visible()
    desk.run()
    desk.expect_states({"two": "succeeded"})

    desk.page.locator(".jp-NotebookPanel", has_text="x = 1").locator(".jp-InputPrompt").first.click()

    expect(desk.step("one")).to_have_attribute("data-state", "run")
    expect(desk.step("two")).to_have_count(0)
    expect(desk.runs).to_have_count(0)


def test_a_renamed_notebook_keeps_its_history_and_a_deleted_one_can_still_be_run(desk: Desk) -> None:
    desk.open(desk.write("before.ipynb", [(["step:one"], "x = 1")]))
    desk.run()
    (desk.directory / "before.schema.yaml").write_text("# what is expected\n")
    desk.page.evaluate(f"{FRONT}.context.rename('after.ipynb')")
    expect(desk.panel.get_by_role("heading", name="after")).to_be_visible()
    expect(desk.page.get_by_text(re.compile("The schema file went with the notebook"))).to_be_visible()
    assert (desk.directory / "after.schema.yaml").read_text() == "# what is expected\n"
    expect(desk.runs).to_have_count(1)
    desk.expect_states({"one": "succeeded"})

    (desk.directory / "after.ipynb").unlink()
    desk.edit(0, "x = 2")
    desk.expect_states({"one": "run"})
    desk.run()
    desk.expect_states({"one": "succeeded"})


def test_a_run_from_a_terminal_is_seen_while_it_goes_on(desk: Desk) -> None:
    desk.open(desk.write("waiting.ipynb", [cell for cell in WAITING if "stay" not in "".join(cell[0])]))
    expect(desk.panel.get_by_text("1 to 3 of 3 steps")).to_be_visible()

    command = [sys.executable, "-m", "jupyterlab_pipelines", "run", "waiting.ipynb"]
    terminal = subprocess.Popen(
        command, cwd=desk.directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ
    )

    desk.expect_states({"wait": "running"})
    expect(desk.button("Cancel")).to_be_enabled()
    (desk.directory / "go").touch()
    desk.expect_states({"wait": "succeeded", "after_wait": "succeeded"})
    assert terminal.wait(60) == 0


def test_a_server_that_goes_away_and_comes_back_is_found_again(
    start_server: Callable[..., Server], make_desk: Callable[[Server], Desk]
) -> None:
    server = start_server("lab")
    desk = make_desk(server)
    desk.open(desk.write("waiting.ipynb", [cell for cell in WAITING if "stay" not in "".join(cell[0])]))
    desk.button("Run").click()
    desk.expect_states({"wait": "running"})
    server.stop()
    # What the server was told to do goes on without it.
    (desk.directory / "go").touch()
    expect(desk.panel.get_by_text(re.compile("server does not answer"))).to_be_visible(timeout=60_000)
    server.start()

    desk.expect_states({"wait": "succeeded", "after_wait": "succeeded"})
    expect(desk.panel.get_by_text(re.compile("server does not answer"))).to_have_count(0)
