"""What the terminal can, the panel can: export, verification, schema, installation and store."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, expect

from .conftest import RUN_MS, Desk, Server
from .test_stories import menu_item, serious_problems

pytestmark = pytest.mark.timeout(240)

TABLES = [
    (["step:load", "role:importer"], "import pandas as pd\nrows = pd.DataFrame({'a': [1, 2, 3]})"),
    (["step:sum"], "total = int(rows['a'].sum())\nprint(total)"),
    (["step:shake"], "import secrets\nshaken = total + secrets.randbelow(10**9)"),
]


@pytest.fixture
def desk(make_desk, lab: Server) -> Desk:
    return make_desk(lab)


def choose(desk: Desk, name: str) -> None:
    """Choose from the menu at the top of the panel."""
    desk.button("Export, verify, schema and more").click()
    menu_item(desk, name).click()


def test_a_notebook_is_exported_and_verified_from_the_panel(desk: Desk) -> None:
    desk.open(desk.write("tables.ipynb", TABLES))
    expect(desk.panel.get_by_text("1 to 3 of 3 steps")).to_be_visible()
    choose(desk, "Export as a Production Pipeline")
    form = desk.page.get_by_role("region", name="Export tables as a production pipeline")
    form.get_by_label("Target").select_option("argo")
    expect(form.get_by_label("Image")).to_be_visible()
    form.get_by_label("Target").select_option("package")
    expect(form.get_by_label("Folder")).to_have_value(f"{desk.folder}/tables-package")
    assert serious_problems(desk, ".jp-Pipelines-task") == []
    form.get_by_role("button", name="Export", exact=True).click()
    expect(form.get_by_text(re.compile("tables for package: 3 steps"))).to_be_visible(timeout=RUN_MS)
    assert (desk.directory / "tables-package" / "pyproject.toml").is_file()
    # The run that it took is in the history.
    expect(desk.runs).to_have_count(1)
    form.get_by_role("button", name="Show the folder").click()
    expect(desk.page.get_by_role("listitem", name=re.compile("pyproject.toml"))).to_be_visible()

    desk.command("pipelines-as-experiments:open-panel")
    desk.command("docmanager:open", {"path": f"{desk.folder}/tables.ipynb"})
    choose(desk, "Verify Against Run All")
    verified = desk.page.get_by_role("region", name=re.compile("^Does tables give the same"))
    expect(verified.get_by_text("1 step does not give the same")).to_be_visible(timeout=RUN_MS)
    findings = verified.locator(".jp-Pipelines-findings > li")
    expect(findings).to_have_count(3)
    expect(findings.nth(2)).to_contain_text("shaken")
    desk.screenshot("verified")
    # From a verdict to the cells.
    verified.get_by_role("button", name="shake").click()
    expect(desk.step("shake").locator("button").first).to_have_attribute("aria-expanded", "true")


NUMBERS = [
    (["parameters"], "factor = 2"),
    (["step:load"], "rows = [1, 2, 3]"),
    (["step:sum"], "total = sum(rows) * factor\nprint(total)"),
]


def test_an_export_is_verified_on_its_engine_from_the_panel(desk: Desk) -> None:
    desk.open(desk.write("figures.ipynb", NUMBERS))
    choose(desk, "Export as a Production Pipeline")
    form = desk.page.get_by_role("region", name="Export figures as a production pipeline")
    form.get_by_label("Target").select_option("package")
    form.get_by_label(re.compile("^Verify: install it")).check()
    form.get_by_role("button", name="Export", exact=True).click()
    expect(form.get_by_text(re.compile("figures for package: 2 steps"))).to_be_visible(timeout=200_000)
    desk.screenshot("export-verified")
    expect(
        form.get_by_text("Every artifact of the exported pipeline is that of the notebook.")
    ).to_be_visible()


def test_a_run_of_an_exported_pipeline_is_imported_from_the_panel(desk: Desk) -> None:
    desk.open(desk.write("figures.ipynb", NUMBERS))
    choose(desk, "Export as a Production Pipeline")
    form = desk.page.get_by_role("region", name="Export figures as a production pipeline")
    form.get_by_label("Target").select_option("package")
    form.get_by_role("button", name="Export", exact=True).click()
    expect(form.get_by_text(re.compile("figures for package"))).to_be_visible(timeout=RUN_MS)
    package = desk.directory / "figures-package"
    command = [sys.executable, "-m", "figures", "run", "--artifacts", "artifacts", "--param", "factor=5"]
    subprocess.run(command, cwd=package, env=os.environ | {"PYTHONPATH": "src"}, check=True)

    desk.command("docmanager:open", {"path": f"{desk.folder}/figures.ipynb"})
    choose(desk, "Import a Run of an Exported Pipeline")
    importing = desk.page.get_by_role("region", name="Import a run of an exported pipeline")
    # A folder in which there is no run is told, and can be corrected.
    importing.get_by_label("Folder").fill(f"{desk.folder}/nowhere")
    importing.get_by_role("button", name="Import").click()
    expect(importing.get_by_role("alert")).to_contain_text("nowhere", timeout=RUN_MS)
    importing.get_by_label("Folder").fill(f"{desk.folder}/figures-package/artifacts")
    importing.get_by_role("button", name="Import").click()
    expect(desk.runs).to_have_count(2, timeout=RUN_MS)
    desk.screenshot("imported")
    desk.command("docmanager:open", {"path": f"{desk.folder}/figures.ipynb"})
    desk.runs.first.get_by_role("button").first.click()
    expect(desk.panel.get_by_text("factor = 5")).to_be_visible()
    desk.step("sum").get_by_role("button").first.click()
    expect(desk.step("sum").locator(".jp-Pipelines-detail")).to_contain_text("30")


def test_tasks_are_among_the_running_sessions_and_end_honestly_with_the_server(
    start_server: Callable[..., Server], make_desk: Callable[[Server], Desk]
) -> None:
    server = start_server("lab")
    desk = make_desk(server)
    desk.open(desk.write("slow.ipynb", [(["step:load"], "import time\ntime.sleep(600)\nx = 1")]))
    choose(desk, "Export as a Production Pipeline")
    form = desk.page.get_by_role("region", name="Export slow as a production pipeline")

    def begin() -> Locator:
        form.get_by_role("button", name="Export", exact=True).click()
        expect(form.get_by_text("load: running")).to_be_visible(timeout=RUN_MS)
        desk.command("running:show-panel")
        return desk.page.get_by_role("treeitem", name=re.compile("^Export slow .+"))

    item = begin()
    expect(item).to_be_visible()
    desk.screenshot("running-tasks")
    item.hover()
    item.get_by_title("Cancel").click()
    expect(form.locator("[data-state='cancelled']")).to_be_visible(timeout=RUN_MS)
    expect(item).to_have_count(0)

    expect(begin()).to_be_visible()
    # From there back to what it shows.
    form.page.get_by_role("tab", name="slow.ipynb").click()
    item.locator(".jp-RunningSessions-itemLabel").click()
    expect(form).to_be_visible()
    server.stop()
    expect(form.get_by_text("The server does not answer.")).to_be_visible(timeout=60_000)
    server.start()
    expect(form.get_by_role("alert")).to_contain_text("ended together with the server", timeout=60_000)
    desk.page.reload()
    expect(form.get_by_role("alert")).to_contain_text("ended together with the server", timeout=60_000)
    expect(item).to_have_count(0)


def test_an_export_that_cannot_be_says_why_and_one_under_way_is_cancelled(desk: Desk) -> None:
    cells = [(["step:load"], "open('began', 'w').close()\nimport time\ntime.sleep(600)\nx = 1")]
    desk.open(desk.write("slow.ipynb", cells))
    choose(desk, "Export as a Production Pipeline")
    form = desk.page.get_by_role("region", name="Export slow as a production pipeline")
    form.get_by_role("button", name="Export", exact=True).click()
    expect(form.get_by_text("load: running")).to_be_visible(timeout=RUN_MS)
    form.get_by_role("button", name="Cancel").click()
    expect(form.locator("[data-state='cancelled']")).to_be_visible(timeout=RUN_MS)

    desk.command("docmanager:open", {"path": f"{desk.folder}/slow.ipynb"})
    desk.edit(0, "x = 1")
    desk.command("pipelines-as-experiments:export")
    form.get_by_label("Schedule").fill("at dawn")
    form.get_by_role("button", name="Export", exact=True).click()
    expect(form.get_by_role("alert")).to_contain_text("at dawn", timeout=RUN_MS)


def test_tables_are_pinned_and_installation_and_store_are_looked_at(desk: Desk) -> None:
    desk.open(desk.write("tables.ipynb", TABLES[:2]))
    desk.run()
    choose(desk, "Pin the Tables of the Last Run")
    expect(desk.page.get_by_text("1 table is pinned in tables.schema.yaml.")).to_be_visible(timeout=RUN_MS)
    assert "load.rows" in (desk.directory / "tables.schema.yaml").read_text()
    choose(desk, "Open the Schema File")
    expect(desk.page.get_by_role("tab", name="tables.schema.yaml")).to_be_visible()

    desk.command("docmanager:open", {"path": f"{desk.folder}/tables.ipynb"})
    choose(desk, "Check the Installation")
    installation = desk.page.get_by_role("region", name="Is the installation in order?")
    expect(installation.get_by_text(re.compile(r"^Python 3\."))).to_be_visible(timeout=RUN_MS)
    desk.command("docmanager:open", {"path": f"{desk.folder}/tables.ipynb"})
    choose(desk, "Check the Store")
    expect(desk.page.get_by_text(re.compile("^The store is whole:"))).to_be_visible(timeout=RUN_MS)
    desk.command("docmanager:open", {"path": f"{desk.folder}/tables.ipynb"})
    choose(desk, "Reclaim Space of the Store")
    reclaiming = desk.page.get_by_role("region", name="Reclaim space of the store")
    expect(reclaiming.get_by_text(re.compile("^There is nothing to reclaim"))).to_be_visible(timeout=RUN_MS)
    reclaiming.get_by_label("Not used for").select_option(label="any time")
    expect(reclaiming.get_by_text(re.compile("can be reclaimed"))).to_be_visible(timeout=RUN_MS)
    reclaiming.get_by_role("button", name="Reclaim", exact=True).click()
    expect(reclaiming.get_by_text(re.compile("were reclaimed"))).to_be_visible(timeout=RUN_MS)


def test_a_section_of_the_panel_moves_into_the_file_browser_and_back(desk: Desk) -> None:
    desk.open(desk.write("tables.ipynb", TABLES[:1]))
    desk.run()
    desk.panel.get_by_role("button", name=re.compile("^Runs")).click(button="right")
    menu_item(desk, "Move to File Browser").click()
    expect(desk.runs).to_have_count(0)
    desk.command("filebrowser:activate")
    moved = desk.page.locator(".jp-Pipelines-moved")
    expect(moved.locator("li.jp-Pipelines-run")).to_have_count(1)
    # It lives there, too, while the panel is hidden.
    desk.command("pipelines-as-experiments:run")
    expect(moved.locator("li.jp-Pipelines-run")).to_have_count(2, timeout=RUN_MS)
    desk.page.locator(".jp-hosted-section").click(button="right")
    menu_item(desk, "Move back to Pipeline").click()
    desk.command("pipelines-as-experiments:open-panel")
    expect(desk.runs).to_have_count(2)
