"""Pictures of the panel in every state, for ``docs/images`` and to be looked at: ``python -m tests.browser.pictures``.

With names of pictures, or parts of them, only these are made: ``python -m tests.browser.pictures failed export``.
"""

from __future__ import annotations

import argparse
import json
import re
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Locator, expect, sync_playwright

from .conftest import CHROMIUM, CHROMIUM_ARGS, EXAMPLES, RUN_MS, Desk, Server
from .test_stories import write_large

IMAGES = Path(__file__).parents[2] / "docs" / "images"
WIDTHS = (280, 900)
THEMES = {
    "light": "JupyterLab Light",
    "dark": "JupyterLab Dark",
    "contrast": "JupyterLab Dark High Contrast",
}

NO_STEPS = [
    ([], "import statistics"),
    ([], "rows = [3, 1, 4, 1, 5]"),
    ([], "mean = statistics.mean(rows)"),
    ([], "print(mean)"),
]
ONE_STEP = [(["step:only"], "rows = list(range(10))\nsum(rows)")]
FAILING = [
    (["parameters"], "count = 3  # rows to read (1 to 100)"),
    (["step:load", "role:importer"], "rows = list(range(count))"),
    (["step:invert", "role:transformer"], "print('rows:', len(rows))"),
    ([], "inverse = [1 / row for row in rows]"),
    (["step:report", "role:evaluator"], "total = sum(inverse)\nprint(total)"),
]
RUNNING = [
    (["parameters"], "epochs = 40"),
    ([], "import time"),
    (["step:load", "role:importer"], "rows = list(range(1000))"),
    (["step:train", "role:trainer"], "print('training')"),
    (
        [],
        "import sys\nfor epoch in range(epochs * 10):\n"
        "    done = epoch + 1\n"
        "    bar = '#' * (20 * done // (epochs * 10))\n"
        "    percent = 100 * done // (epochs * 10)\n"
        "    sys.stderr.write(f'\\rtrain: {percent:3}%|{bar:20}| {done}/{epochs * 10}')\n"
        "    time.sleep(0.1)",
    ),
    ([], "model = len(rows)"),
    (["step:score", "role:evaluator"], "score = model / 2"),
]


class Studio:
    """Takes the pictures that are wanted."""

    def __init__(self, desk: Desk, wanted: list[str]) -> None:
        self.desk = desk
        self.wanted = wanted
        self.made: list[Path] = []

    def wants(self, name: str) -> bool:
        return not self.wanted or any(word in name for word in self.wanted)

    def theme(self, name: str) -> None:
        self.desk.command("apputils:change-theme", {"theme": THEMES[name]})
        self.desk.page.wait_for_timeout(600)

    def take(self, name: str, of: Locator | None = None) -> None:
        """A picture of an element, or of the page."""
        if self.wants(name):
            self.desk.page.mouse.move(700, 4)
            self.desk.page.wait_for_timeout(400)
            path = IMAGES / f"{name}.png"
            (of or self.desk.page).screenshot(path=path)
            self.made.append(path)

    def panel(self, state: str, themes: tuple[str, ...] = ("light",)) -> None:
        """The panel, narrow and wide, in some themes."""
        for width in WIDTHS:
            self.desk.widen(width)
            self.desk.page.wait_for_timeout(500)
            for theme in themes:
                self.theme(theme)
                self.take(f"panel-{state}-{width}-{theme}", self.desk.panel)
        self.theme("light")


def empty(studio: Studio) -> None:
    desk = studio.desk
    desk.open(desk.write("empty.ipynb", NO_STEPS))
    desk.button("Propose steps").click()
    expect(desk.button("Use these steps")).to_be_visible()
    studio.panel("empty", ("light", "dark"))


def loading(studio: Studio) -> None:
    desk = studio.desk
    path = desk.write("one.ipynb", ONE_STEP)
    desk.page.route("**/pipelines-as-experiments/pipelines?*", lambda route: None)
    desk.page.route("**/pipelines-as-experiments/pipelines", lambda route: None)
    desk.open(path)
    expect(desk.panel.get_by_text("Reading the notebook")).to_be_visible()
    studio.panel("loading")
    desk.page.unroute_all(behavior="ignoreErrors")


def one_step(studio: Studio) -> None:
    desk = studio.desk
    desk.open(desk.write("one.ipynb", ONE_STEP))
    desk.run()
    desk.expect_states({"only": "succeeded"})
    desk.step("only").locator("button").first.click()
    studio.panel("one", ("light", "contrast"))


def failed(studio: Studio) -> None:
    desk = studio.desk
    desk.open(desk.write("failing.ipynb", FAILING))
    desk.run()
    desk.button("Show the error").click()
    expect(desk.step("invert").get_by_role("alert")).to_be_visible()
    studio.panel("failed", ("light", "dark", "contrast"))


def running(studio: Studio) -> None:
    desk = studio.desk
    desk.open(desk.write("running.ipynb", RUNNING))
    desk.button("Run").click()
    expect(desk.step("train")).to_have_attribute("data-state", "running", timeout=RUN_MS)
    desk.step("train").locator("button").first.click()
    expect(desk.step("train").locator("progress")).to_be_visible(timeout=RUN_MS)
    studio.panel("running", ("light", "dark"))
    desk.button("Cancel").click()
    expect(desk.button("Cancel")).to_be_disabled(timeout=RUN_MS)


def large(studio: Studio) -> None:
    desk = studio.desk
    desk.open(write_large(desk, 300))
    expect(desk.panel.locator(".jp-Pipelines-group").first).to_be_visible(timeout=RUN_MS)
    studio.panel("300", ("light", "contrast"))


def flights(studio: Studio) -> None:
    desk = studio.desk
    desk.open(desk.copy(EXAMPLES / "flights" / "flights.ipynb"))
    desk.run()
    studio.panel("flights", ("light", "dark", "contrast"))
    desk.widen(420)
    desk.step("train").locator("button").first.click()
    studio.take("panel")
    desk.command("pipelines-as-experiments:export")
    form = desk.page.get_by_role("region", name="Export flights")
    form.get_by_label("Target").select_option("package")
    form.get_by_role("button", name="Export", exact=True).click()
    expect(form.get_by_role("button", name="Open the README")).to_be_visible(timeout=RUN_MS)
    studio.take("export")
    desk.command("pipelines-as-experiments:verify")
    verified = desk.page.get_by_role("region", name="Does flights")
    expect(verified.get_by_role("button", name="Begin again")).to_be_visible(timeout=RUN_MS)
    studio.take("verify")


def compared(studio: Studio) -> None:
    desk = studio.desk
    sweep = [
        (["parameters"], "alpha = 1.0  # strength (0 to 10)\ndepth = 3  # of the trees"),
        (["step:load", "role:importer"], "rows = [number % 7 for number in range(200)]"),
        (["step:train", "role:trainer"], "model = [row * alpha + depth for row in rows]"),
        (["step:score", "role:evaluator"], "rmse = abs(sum(model) / len(model) - 8) + alpha / 10"),
    ]
    desk.open(desk.write("sweep.ipynb", sweep))
    desk.panel.get_by_role("button", name="Other ways to run").click()
    desk.page.get_by_role("menuitem", name="Sweep over Parameters").click()
    dialog = desk.page.get_by_role("dialog")
    dialog.get_by_label("alpha").fill("0.5, 1, 2")
    dialog.get_by_label("depth").fill("3, 5")
    studio.take("sweep")
    dialog.get_by_role("button", name="Start").click()
    expect(desk.panel.get_by_text("6 of 6 ended")).to_be_visible(timeout=RUN_MS)
    desk.panel.locator(".jp-Pipelines-sweep").get_by_role("button", name="Compare").click()
    expect(desk.page.get_by_role("region", name="Charts")).to_be_visible()
    for theme in ("light", "dark"):
        studio.theme(theme)
        desk.page.wait_for_timeout(1500)
        studio.take(f"comparison-{theme}")
    studio.theme("light")


def data(studio: Studio) -> None:
    """A run whose tables are not as those of the run before."""
    desk = studio.desk
    desk.open(desk.copy(EXAMPLES / "flights" / "flights.ipynb"))
    desk.run()
    cells = json.loads((desk.directory / "flights.ipynb").read_text())["cells"]
    desk.edit(1, "".join(cells[1]["source"]).replace("late_minutes = 15", "late_minutes = 60"))
    expect(desk.panel.get_by_text(re.compile(r"\d+ of 19 steps"))).to_be_visible()
    desk.run()
    expect(desk.node("predict").locator(".jp-Pipelines-finding")).to_be_visible(timeout=RUN_MS)
    desk.step("clean_flights").locator("button").first.click()
    desk.step("clean_flights").get_by_role("button", name="flights", exact=True).click()
    table = desk.step("clean_flights").get_by_role("group", name="Statistics of clean_flights.flights")
    expect(table.locator(".jp-Pipelines-column").first).to_be_attached()
    for width in (280, 420):
        desk.widen(width)
        desk.page.wait_for_timeout(500)
        table.evaluate("table => table.closest('table').scrollIntoView({block: 'start'})")
        studio.take(f"panel-data-{width}-light", desk.panel)
    look = {"table": "predict.predictions", "column": "model"}
    desk.command("pipelines-as-experiments:open-data", look)
    whole = desk.page.locator(".jp-Pipelines-main")
    expect(whole.locator(".jp-Pipelines-distribution :is(canvas, svg.marks)").first).to_be_visible()
    for theme in THEMES:
        studio.theme(theme)
        desk.page.wait_for_timeout(1500)
        studio.take(f"data-{theme}")
    studio.theme("light")
    whole.get_by_role("button", name=re.compile("^Anomalies")).click()
    studio.take("data-anomalies")
    desk.command("pipelines-as-experiments:open-data", {"table": "join_weather.flight_weather"})
    whole.get_by_label("Compared with").select_option("clean_weather.weather")
    expect(whole.locator(".jp-Pipelines-changes")).to_be_visible()
    studio.take("data-edge")


SCENES: dict[str, tuple[Callable[[Studio], None], tuple[str, ...]]] = {
    "empty": (empty, ("panel-empty",)),
    "loading": (loading, ("panel-loading",)),
    "one": (one_step, ("panel-one",)),
    "failed": (failed, ("panel-failed",)),
    "running": (running, ("panel-running",)),
    "300": (large, ("panel-300",)),
    "flights": (flights, ("panel-flights", "panel", "export", "verify")),
    "data": (data, ("data", "panel-data")),
    "compared": (compared, ("sweep", "comparison")),
}


@contextmanager
def started() -> Iterator[Server]:
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        server = Server("lab", Path(folder), port)
        server.start()
        try:
            yield server
        finally:
            server.stop()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.browser.pictures", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(SCENES)}, or of pictures")
    wanted = parser.parse_args().names
    IMAGES.mkdir(exist_ok=True)
    with started() as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS)
        for name, (scene, pictures) in SCENES.items():
            if wanted and not any(word in name or any(word in each for each in pictures) for word in wanted):
                continue
            page = browser.new_page(viewport={"width": 1400, "height": 900})
            # The name of a scene stands for all of its pictures.
            studio = Studio(Desk(page, server, f"scene-{name}"), [] if name in wanted else wanted)
            scene(studio)
            page.close()
            print(json.dumps([path.name for path in studio.made]), flush=True)


if __name__ == "__main__":
    main()
