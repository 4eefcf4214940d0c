"""What one does with a pipeline from the first look to the comparison of runs, some of it by keyboard alone."""

from __future__ import annotations

import json
import re
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Locator, expect

from .conftest import FRONT, RUN_MS, Desk, Server

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"

HOUSES = [
    (["parameters"], "alpha = 1.0  # strength (0 to 10)\nkind = 'a'  # one of: a, b"),
    ([], "import time"),
    (["step:load", "role:importer"], "rows = list(range(20))\nrows"),
    (["step:train", "role:trainer"], "print('training')\nmodel = [row * alpha for row in rows]"),
    (["step:evaluate", "role:evaluator"], "score = sum(model) / len(model)\nprint(score)"),
]


@pytest.fixture
def desk(make_desk, lab: Server) -> Desk:
    return make_desk(lab)


def write_large(desk: Desk, steps: int, per_group: int = 12) -> str:
    """A notebook of so many steps under headings, each of which reads of one or two before it."""
    cells: list[tuple[list[str], str]] = []
    for number in range(steps):
        reads = "".join(f" + v{number - back}" for back in (1, 7) if number % back == 0 and number >= back)
        cells.append(([f"step:s{number}"], f"v{number} = {number}{reads}"))
    path = desk.write("large.ipynb", cells)
    file = desk.directory / "large.ipynb"
    notebook = json.loads(file.read_text())
    for group in reversed(range(0, steps, per_group)):
        heading = {
            "cell_type": "markdown",
            "id": f"h{group}",
            "metadata": {},
            "source": f"## Part {group // per_group}",
        }
        notebook["cells"].insert(group, heading)
    file.write_text(json.dumps(notebook))
    return path


def serious_problems(desk: Desk, selector: str = ".jp-Pipelines") -> list[str]:
    """What axe finds in our part of the page that keeps people out; nothing where axe is not installed."""
    if not AXE.exists():
        return []
    desk.page.evaluate(AXE.read_text())
    found = desk.page.evaluate("selector => axe.run(selector, {resultTypes: ['violations']})", selector)
    return [
        f"{problem['id']}: {node['html'][:160]}"
        for problem in found["violations"]
        if problem["impact"] in ("serious", "critical")
        for node in problem["nodes"]
    ]


def menu_item(desk: Desk, name: str) -> Locator:
    return desk.page.get_by_role("menuitem", name=name)


def test_one_knows_before_the_click_and_sees_what_a_run_has_measured(desk: Desk) -> None:
    desk.open(desk.write("houses.ipynb", HOUSES))
    expect(desk.panel.get_by_text("1 to 3 of 3 steps")).to_be_visible()
    desk.run()
    expect(desk.panel.get_by_text("3 steps, all up to date")).to_be_visible()
    expect(desk.runs.first).to_contain_text("score 9.5")

    desk.edit(3, "print('training')\nmodel = [row * alpha * 2 for row in rows]")
    expect(desk.panel.get_by_text(re.compile("1 to 2 of 3 steps, up to about"))).to_be_visible()
    # The step of the cell that is edited is the one selected.
    detail = desk.step("train")
    detail.get_by_text("Code: changed since that run").click()
    expect(detail.locator("[data-kind='removed']")).to_contain_text("row * alpha for row")
    expect(detail.locator("[data-kind='added']")).to_contain_text("alpha * 2")
    expect(detail.locator(".jp-Pipelines-outputs")).to_contain_text("training")
    detail.get_by_role("button", name="model", exact=True).click()
    expect(detail.locator(".jp-Pipelines-preview")).to_contain_text("19.0")
    detail.get_by_text("Files and environment").click()
    expect(detail.locator(".jp-Pipelines-factList")).to_contain_text("CPython")


@pytest.mark.timeout(240)
def test_values_are_saved_runs_are_found_tagged_and_compared(desk: Desk) -> None:
    desk.open(desk.write("houses.ipynb", HOUSES))
    desk.run()
    alpha = desk.panel.get_by_label("alpha", exact=True)
    alpha.fill("20")
    expect(desk.panel.get_by_text("The comment says 0 to 10.")).to_be_visible()
    desk.button("Save values…").click()
    desk.panel.get_by_label("Name for these values").fill("strong")
    desk.page.keyboard.press("Enter")
    expect(desk.button("strong")).to_have_attribute("aria-pressed", "true")
    desk.run()
    desk.button("alpha: back to the default").click()
    desk.edit(4, "score = max(model)\nprint(score)")
    desk.run()
    desk.run()

    desk.runs.first.get_by_role("button", name=re.compile("^More for the run")).click()
    menu_item(desk, "Pin the Run").click()
    expect(desk.runs.first.get_by_role("img", name="pinned")).to_be_visible()
    desk.runs.first.get_by_role("button", name=re.compile("^More for the run")).click()
    menu_item(desk, "Tags and Comment").click()
    desk.page.get_by_role("dialog").get_by_label("Tags").fill("good, final")
    desk.page.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(desk.runs.first).to_contain_text("final")

    find = desk.panel.get_by_label("Find runs")
    find.fill("alpha=20")
    expect(desk.runs).to_have_count(1)
    find.fill("")
    expect(desk.runs).to_have_count(4)
    desk.panel.get_by_label("Order of the runs").select_option(label="highest score")
    expect(desk.runs.first).to_contain_text("score 190")

    for at in (0, 3):
        desk.runs.nth(at).get_by_role("checkbox").check()
    desk.button("Compare").click()
    comparison = desk.page.get_by_role("region", name="Comparison of runs")
    expect(comparison.get_by_role("columnheader", name=re.compile("^alpha"))).to_be_visible()
    expect(comparison.get_by_role("columnheader", name=re.compile("^kind"))).to_have_count(0)
    comparison.get_by_role("button", name=re.compile("score")).click()
    first = comparison.get_by_role("region", name="Runs", exact=True).locator("tbody tr").first
    expect(first.locator("td").last).to_have_text("9.5")
    expect(comparison.get_by_role("region", name="Code and data")).to_contain_text("output changed")
    desk.screenshot("compared")
    assert serious_problems(desk, ".jp-Pipelines-compare") == []


def test_outputs_of_a_run_fill_the_notebook_and_a_version_comes_back(desk: Desk) -> None:
    desk.open(desk.write("houses.ipynb", HOUSES))
    desk.run()
    more = desk.runs.first.get_by_role("button", name=re.compile("^More for the run"))
    more.click()
    menu_item(desk, "Show the Run’s Outputs").click()
    expect(desk.cell(4).locator(".jp-OutputArea-output")).to_contain_text("9.5")
    desk.command("notebook:undo-cell-action")
    expect(desk.cell(4).locator(".jp-OutputArea-output")).to_have_count(0)

    desk.edit(4, "score = 'other'")
    more.click()
    menu_item(desk, "Restore the Notebook").click()
    expect(desk.cell(4)).to_contain_text("score = sum(model)")
    desk.command("notebook:undo-cell-action")
    expect(desk.cell(4)).to_contain_text("score = 'other'")


@pytest.mark.timeout(240)
def test_a_failed_step_is_mended_and_retried(desk: Desk) -> None:
    cells = [(["step:load"], "x = 1"), (["step:broken"], "y = x / 0"), (["step:after"], "print(y)")]
    desk.open(desk.write("broken.ipynb", cells))
    desk.run()
    expect(desk.panel.get_by_text("Step broken failed in the last run.")).to_be_visible()
    desk.button("Show the error").click()
    step = desk.step("broken")
    expect(step.get_by_role("alert")).to_contain_text("ZeroDivisionError")

    desk.edit(1, "y = x / 2")
    desk.expect_states({"load": "succeeded"})
    desk.button("Retry from broken").click()
    desk.expect_states({"load": "reused", "broken": "succeeded", "after": "succeeded"})
    expect(desk.panel.get_by_text("failed in the last run")).to_have_count(0)


@pytest.mark.timeout(240)
def test_a_failed_step_opens_as_a_notebook_of_its_own(desk: Desk) -> None:
    cells = [(["step:load"], "x = 1"), (["step:broken"], "y = x / 0")]
    desk.open(desk.write("broken.ipynb", cells))
    desk.run()
    desk.button("Show the error").click()
    desk.step("broken").get_by_role("button", name="Debug as notebook").click()
    expect(desk.page.get_by_role("tab", name="broken-broken.ipynb")).to_be_visible()
    sources = f"{FRONT}.content.widgets.map(cell => cell.model.sharedModel.getSource())"
    desk.page.wait_for_function(f"() => {sources}.length > 1")
    loading, own = desk.page.evaluate(sources)
    assert 'x = run["load"]["x"].load()' in loading
    assert own == "y = x / 0"


@pytest.mark.timeout(240)
def test_a_sweep_is_one_thing(desk: Desk) -> None:
    desk.open(desk.write("houses.ipynb", HOUSES))
    desk.button("Sweep…").click()
    dialog = desk.page.get_by_role("dialog")
    start = dialog.get_by_role("button", name="Start", exact=True)
    expect(start).to_be_disabled()
    dialog.get_by_label("alpha").fill("1, 2, 3")
    expect(dialog.get_by_role("status")).to_contain_text("3 runs")
    start.click()
    sweep = desk.panel.locator("[data-sweep]")
    expect(sweep).to_contain_text("Sweep of 3 runs", timeout=RUN_MS)
    expect(sweep).to_contain_text("3 of 3 ended", timeout=RUN_MS)
    sweep.get_by_role("button", name=re.compile("Sweep of")).click()
    expect(sweep.locator("[data-run]")).to_have_count(3)
    # What does not read `alpha` was run once.
    expect(sweep.locator("[data-run]").first).to_contain_text("1 reused")


@pytest.mark.timeout(240)
def test_a_sweep_whose_process_was_killed_is_resumed(desk: Desk) -> None:
    waiting = (
        "import pathlib, time\npathlib.Path('began').touch()\n"
        "while not pathlib.Path('go').exists():\n    time.sleep(0.05)\nscore = alpha * 2"
    )
    desk.open(desk.write("waiting.ipynb", [(["parameters"], "alpha = 1.0"), (["step:train"], waiting)]))
    desk.button("Sweep…").click()
    dialog = desk.page.get_by_role("dialog")
    dialog.get_by_label("alpha").fill("1, 2, 3")
    dialog.get_by_role("button", name="Start", exact=True).click()
    sweep = desk.panel.locator("[data-sweep]")
    expect(sweep).to_contain_text("Sweep of 3 runs", timeout=RUN_MS)
    expect(desk.step("train")).to_have_attribute("data-state", "running", timeout=RUN_MS)

    sweep_id = sweep.get_attribute("data-sweep")
    [process] = [each for each in psutil.process_iter() if sweep_id in commandline(each)]
    process.kill()
    (desk.directory / "go").touch()
    expect(sweep).to_contain_text("2 runs were not begun", timeout=RUN_MS)
    desk.screenshot("sweep-interrupted")
    sweep.get_by_role("button", name="Resume").click()

    expect(sweep).to_contain_text("3 of 3 ended", timeout=RUN_MS)
    expect(sweep.get_by_role("button", name="Resume")).to_have_count(0)
    sweep.get_by_role("button", name=re.compile("Sweep of")).click()
    expect(sweep.locator("[data-run][data-status='succeeded']")).to_have_count(3)


def commandline(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def test_three_hundred_steps_are_drawn_within_a_second_and_found(desk: Desk) -> None:
    desk.open(desk.write("empty.ipynb", [([], "x = 1")]))
    path = write_large(desk, 300)
    desk.open(path)
    groups = desk.panel.locator(".jp-Pipelines-group[data-collapsed]")
    expect(groups).to_have_count(25)

    milliseconds = desk.page.evaluate(
        """async () => {
            const button = document.querySelector('[aria-label="Open all groups"]');
            const start = performance.now();
            button.click();
            await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
            return performance.now() - start;
        }"""
    )
    expect(desk.panel.locator(".jp-Pipelines-node")).to_have_count(300)
    assert milliseconds < 1000
    desk.screenshot("large")

    desk.button("Close all groups").click()
    desk.panel.get_by_label("Find a step").fill("v277")
    desk.page.keyboard.press("Enter")
    expect(desk.node("s277")).to_have_attribute("data-selected", "true")
    expect(desk.node("s277")).to_be_in_viewport()
    assert serious_problems(desk) == []


@pytest.mark.timeout(240)
def test_the_whole_job_by_keyboard(desk: Desk) -> None:
    desk.open(desk.write("houses.ipynb", HOUSES))
    graph = desk.panel.get_by_role("listbox", name=re.compile("Graph of the steps"))
    graph.focus()
    for key, step in (("ArrowDown", "load"), ("ArrowDown", "train"), ("ArrowUp", "load")):
        desk.page.keyboard.press(key)
        expect(desk.node(step)).to_have_attribute("aria-selected", "true")
    desk.page.keyboard.press("ArrowDown")
    desk.page.keyboard.press("Enter")
    expect(desk.cell(3)).to_have_class(re.compile("jp-mod-active"))

    desk.page.keyboard.press("Escape")
    desk.page.keyboard.press("ControlOrMeta+Alt+Enter")
    expect(desk.runs.first).to_have_attribute("data-status", "succeeded", timeout=RUN_MS)
    desk.expect_states({"load": "succeeded", "train": "succeeded"})
    assert desk.decisions()["evaluate"] != "reuse"
    desk.page.keyboard.press("ControlOrMeta+Alt+r")
    expect(desk.panel.get_by_text("3 steps, all up to date")).to_be_visible(timeout=RUN_MS)

    menu = desk.button("Other ways to run")
    menu.focus()
    desk.page.keyboard.press("Enter")
    expect(menu_item(desk, "Run All Steps Again")).to_be_visible()
    desk.page.keyboard.press("Escape")
    expect(menu).to_be_focused()


@pytest.mark.skipif(not AXE.exists(), reason="no axe-core: run `npm ci`")
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_serious_keeps_people_out(desk: Desk, theme) -> None:
    desk.open(desk.write("houses.ipynb", HOUSES), theme=theme)
    expect(desk.node("train")).to_be_visible()
    assert serious_problems(desk) == []
    desk.run()
    desk.step("train").get_by_role("button").first.click()
    expect(desk.step("train").locator(".jp-Pipelines-outputs")).to_be_visible()
    assert serious_problems(desk) == []


@pytest.mark.skipif(not AXE.exists(), reason="no axe-core: run `npm ci`")
@pytest.mark.timeout(240)
@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark High Contrast"])
def test_no_view_and_no_dialog_keeps_people_out(desk: Desk, theme: str) -> None:
    path = desk.write("houses.ipynb", HOUSES)
    desk.open(path)
    desk.run()
    desk.panel.get_by_role("textbox", name="alpha").fill("2")
    desk.run()
    desk.command("apputils:change-theme", {"theme": theme})
    expect(desk.page.locator("body")).to_have_attribute("data-jp-theme-name", theme)
    expect(desk.page.locator("#jupyterlab-splash")).to_have_count(0)

    for command in ("sweep", "set-step"):
        # Not awaited: it goes on until its dialog is closed.
        desk.page.evaluate(
            "id => { void window.jupyterapp.commands.execute(id); }", f"pipelines-as-experiments:{command}"
        )
        expect(desk.page.get_by_role("dialog")).to_be_visible()
        assert serious_problems(desk, ".jp-Dialog") == []
        desk.page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
        expect(desk.page.get_by_role("dialog")).to_have_count(0)
    desk.panel.get_by_role("button", name=re.compile("^More for the run")).first.click()
    menu_item(desk, "Tags and Comment").click()
    expect(desk.page.get_by_role("dialog")).to_be_visible()
    assert serious_problems(desk, ".jp-Dialog") == []
    desk.page.keyboard.press("Escape")

    for box in desk.panel.get_by_role("checkbox", name=re.compile("^Choose the run")).all()[:2]:
        box.check()
    assert serious_problems(desk) == []
    desk.button("Compare").click()
    expect(desk.page.get_by_role("region", name="Durations", exact=True)).to_be_visible()
    assert serious_problems(desk, ".jp-Pipelines-comparison") == []
    desk.command("pipelines-as-experiments:open-data", {"path": path})
    expect(desk.page.get_by_role("navigation", name="Data of the run")).to_be_visible()
    assert serious_problems(desk, ".jp-Pipelines-data") == []
    for command in ("export", "import-run", "reclaim-space"):
        desk.command(f"pipelines-as-experiments:{command}", {"path": path})
        task = desk.page.locator(".jp-Pipelines-task:visible")
        expect(task.get_by_role("heading").first).to_be_visible()
        assert serious_problems(desk, ".jp-Pipelines-task") == []


def test_a_run_is_listed_among_the_running_sessions(desk: Desk) -> None:
    desk.open(desk.write("slow.ipynb", [(["step:slow"], "import time; time.sleep(60)")]))
    desk.button("Run").click()
    expect(desk.page.get_by_role("button", name="slow: 0 of 1 step")).to_be_visible(timeout=RUN_MS)
    desk.command("running:show-panel")
    runs = desk.page.get_by_role("region", name="Pipeline runs Section")
    item = runs.locator(".jp-RunningSessions-item").filter(has_text="slow.ipynb").first
    expect(item).to_be_visible()
    item.hover()
    item.locator(".jp-RunningSessions-itemShutdown").click()
    expect(item).to_have_count(0, timeout=RUN_MS)


def test_a_pipeline_notebook_is_made_from_the_template(desk: Desk) -> None:
    desk.open(desk.write_small())
    desk.command("pipelines-as-experiments:new-pipeline-notebook", {"cwd": desk.folder})
    for stage in ("collect", "validate", "preprocess", "train", "evaluate", "deploy"):
        expect(desk.node(stage)).to_be_visible()


@pytest.mark.timeout(240)
def test_a_step_shows_what_it_logged_and_what_it_left_goes_into_the_kernel(desk: Desk) -> None:
    train = (
        "import jupyterlab_pipelines as pipelines\n"
        "for epoch in range(5):\n"
        "    pipelines.log_metric('loss', 1 / (epoch + 1), step=epoch)\n"
        "result = [1, 2, 3]"
    )
    desk.open(desk.write("logged.ipynb", [(["step:train"], train), (["step:use"], "print(result)")]))
    desk.run()
    step = desk.step("train")
    if step.get_by_role("button").first.get_attribute("aria-expanded") == "false":
        step.get_by_role("button").first.click()
    expect(step.locator(".jp-Pipelines-charts canvas, .jp-Pipelines-charts svg").first).to_be_visible()

    desk.page.wait_for_function(f"() => {FRONT}.sessionContext.session?.kernel?.status === 'idle'")
    step.get_by_role("button", name="result", exact=True).click()
    step.get_by_role("button", name="Load into kernel").click()
    expect(desk.page.get_by_text("`result` is a variable of the kernel now.")).to_be_visible()
    said = desk.page.evaluate(
        f"""async () => {{
            const kernel = {FRONT}.sessionContext.session.kernel;
            let text = '';
            const future = kernel.requestExecute({{code: 'print(result)'}});
            future.onIOPub = message => {{ text += message.content.text ?? ''; }};
            await future.done;
            return text;
        }}"""
    )
    assert said.strip() == "[1, 2, 3]"


def test_steps_are_proposed_for_a_notebook_that_has_none(desk: Desk) -> None:
    cells = [([], "x = list(range(9))"), ([], "y = [n * 2 for n in x]"), ([], "print(sum(y))")]
    desk.open(desk.write("plain.ipynb", cells))
    desk.button("Propose steps").click()
    proposed = desk.panel.locator(".jp-Pipelines-proposal li")
    expect(proposed.first).to_be_visible()
    count = proposed.count()
    desk.button("Use these steps").click()
    expect(desk.panel.locator(".jp-Pipelines-node")).to_have_count(count)
    desk.command("notebook:undo-cell-action")
    expect(desk.panel.get_by_text("This notebook has no steps yet")).to_be_visible()
