"""The data of a run: what is odd comes first, is looked into, traced to its cell and agreed to."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, expect

from .conftest import RUN_MS, Desk, Server
from .test_stories import serious_problems

pytestmark = pytest.mark.timeout(400)

SHOP = [
    (["parameters"], "is_broken = False"),
    ([], "import numpy as np\nimport pandas as pd"),
    (
        ["step:load"],
        "rng = np.random.default_rng(0)\n"
        "orders = pd.DataFrame({\n"
        "    'price': rng.lognormal(3, 1, 2000).round(2),\n"
        "    'country': rng.choice(['DE', 'FR', 'IT'], 2000, p=[.6, .3, .1]),\n"
        "    'day': pd.date_range('2024-01-01', periods=2000, freq='h'),\n"
        "})",
    ),
    ([], "if is_broken:\n    orders.loc[:300, 'price'] = np.nan"),
    (["step:clean"], "paid = orders[orders['country'] != 'IT'].assign(cents=lambda t: t['price'] * 100)"),
    (["step:picture"], "picture = (rng.random((24, 24)) * 255).astype('uint8')"),
    (["step:total"], "total = float(paid['price'].sum()) + picture.sum()"),
]

WIDE = [
    (["parameters"], "shift = 0.0"),
    ([], "import numpy as np\nimport pandas as pd"),
    (
        ["step:measure"],
        "values = np.random.default_rng(0).normal(size=(500, 1000))\n"
        "sensors = pd.DataFrame(values, columns=[f'sensor_{at:03d}' for at in range(1000)])\n"
        "sensors['sensor_500'] += shift",
    ),
    (["step:mean"], "mean = sensors.mean().mean()"),
]


@pytest.fixture
def desk(make_desk: Callable[[Server], Desk], lab: Server) -> Desk:
    return make_desk(lab)


def run_twice(desk: Desk, change: str) -> None:
    """A good run, and one with another value in the cell of parameters."""
    desk.run()
    desk.edit(0, change)
    expect(desk.panel.get_by_text(re.compile("of . steps"))).to_be_visible()
    desk.run()


def data(desk: Desk) -> Locator:
    return desk.page.locator(".jp-Pipelines-main")


def column(place: Locator, name: str) -> Locator:
    return place.locator(f"li.jp-Pipelines-column[data-column='{name}']")


def test_what_is_odd_is_found_looked_into_and_agreed_to(desk: Desk) -> None:
    desk.open(desk.write("shop.ipynb", SHOP))
    run_twice(desk, "is_broken = True")

    # The drawing says where it came in and which way it went.
    mark = desk.node("load").locator(".jp-Pipelines-finding")
    expect(mark).to_have_attribute("title", re.compile("orders.price: nulls increased"), timeout=RUN_MS)
    line = desk.panel.locator(".jp-Pipelines-edge[data-edge='load → clean']")
    expect(line).to_have_attribute("data-severity", "warning")

    # From the list of anomalies to the data.
    desk.panel.get_by_role("button", name=re.compile("^Anomalies")).click()
    desk.panel.get_by_role("button", name="paid.price").first.click()
    tab = data(desk)
    expect(tab.get_by_role("heading", name=re.compile("paid"))).to_be_visible()
    price = column(tab, "price")
    expect(price.get_by_role("button").first).to_have_attribute("aria-expanded", "true")
    expect(tab.locator(".jp-Pipelines-column").first).to_have_attribute("data-column", "price")
    expect(tab.get_by_role("button", name="2 columns as before")).to_be_visible()
    expect(price.get_by_text("First seen in orders of step load.")).to_be_visible()

    # JupyterLab's own Vega has drawn it.
    expect(price.locator(".jp-Pipelines-distribution :is(canvas, svg.marks, img)").first).to_be_visible()
    desk.screenshot("data")

    # Its rows, and the cell that made it: the second of the step.
    price.get_by_role("button", name="Show rows").click()
    expect(price.get_by_role("region", name="Rows of the anomaly")).to_contain_text("null")
    price.get_by_role("button", name="Find the cell").click()
    to_cell = price.get_by_role("button", name="Go to cell 4")
    expect(to_cell).to_be_visible(timeout=RUN_MS)
    assert serious_problems(desk, ".jp-Pipelines-main") == []

    # Agreed to, taken back, and agreed to again.
    schema = desk.directory / "shop.schema.yaml"
    price.get_by_role("button", name="Accept").click()
    expect(price.get_by_text("Written into shop.schema.yaml.")).to_be_visible()
    assert "price" in schema.read_text()
    price.get_by_role("button", name="Undo").click()
    expect(price.get_by_role("button", name="Accept")).to_be_enabled()
    assert not schema.exists()
    price.get_by_role("button", name="Accept").click()
    expect(price.get_by_text("Written into shop.schema.yaml.")).to_be_visible()

    to_cell.click()
    expect(desk.cell(3)).to_have_class(re.compile("jp-mod-active"))


def test_one_sees_what_a_step_did_to_its_table(desk: Desk) -> None:
    desk.open(desk.write("shop.ipynb", SHOP))
    desk.run()
    desk.step("clean").get_by_role("button").first.click()
    desk.step("clean").get_by_role("button", name="paid", exact=True).click()
    table = desk.step("clean").get_by_role("group", name="Statistics of clean.paid")
    expect(table.get_by_text("4 columns")).to_be_visible()

    table.get_by_label("Compared with").select_option("load.orders")
    expect(table.locator(".jp-Pipelines-changes")).to_contain_text(re.compile(r"2,000 → 1,8\d\d"))
    expect(table.locator(".jp-Pipelines-changes")).to_contain_text(re.compile("Categories lost1"))
    expect(column(table, "country")).to_contain_text("1 value lost")
    expect(column(table, "cents")).to_contain_text("new")
    assert serious_problems(desk, ".jp-Pipelines-statistics") == []

    # What is no table is shown as what it is.
    desk.step("clean").get_by_role("button", name="Open in tab").click()
    data(desk).locator("[data-table='picture.picture']").click()
    expect(data(desk).get_by_role("img", name="Picture, 24 × 24")).to_be_visible()


def test_a_thousand_columns_by_keyboard(desk: Desk) -> None:
    desk.open(desk.write("wide.ipynb", WIDE))
    run_twice(desk, "shift = 1.5")
    desk.command("pipelines-as-experiments:open-data", {"table": "measure.sensors"})
    tab = data(desk)
    rows = tab.locator("li.jp-Pipelines-column")
    # Known soon after the run has ended.
    expect(rows).to_have_count(1, timeout=RUN_MS)
    expect(rows).to_have_attribute("data-column", "sensor_500")

    # As many are drawn as are looked at.
    tab.get_by_role("button", name="999 columns as before").click()
    expect(rows.nth(20)).to_be_attached()
    assert rows.count() < 200
    column(tab, "sensor_000").get_by_role("button").focus()
    desk.page.keyboard.press("ArrowDown")
    expect(column(tab, "sensor_001").get_by_role("button")).to_be_focused()
    desk.page.keyboard.press("Enter")
    expect(column(tab, "sensor_001").get_by_text("standard deviation")).to_be_visible()

    find = tab.get_by_label("Find columns")
    find.fill("sensor_777")
    expect(rows).to_have_count(1)
    expect(rows).to_have_attribute("data-column", "sensor_777")
    find.fill("no such column")
    expect(tab.get_by_role("status")).to_have_text("No column fits what you look for.")


def test_in_notebook_7_the_data_lies_below(
    make_desk: Callable[[Server], Desk], notebook_server: Server
) -> None:
    desk = make_desk(notebook_server)
    desk.open(desk.write("shop.ipynb", SHOP))
    desk.run()
    desk.command("pipelines-as-experiments:open-data", {"table": "load.orders", "column": "country"})
    country = column(data(desk), "country")
    expect(country.get_by_text("Commonest values")).to_be_visible()
    expect(country.locator(".jp-Pipelines-distribution :is(canvas, svg.marks, img)").first).to_be_visible()
