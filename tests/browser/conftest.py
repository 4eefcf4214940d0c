"""A real server, a real Chromium, and what a test needs to act as a person in front of them."""

from __future__ import annotations

import json
import os
import platform
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.error import URLError
from urllib.request import urlopen

import nbformat
import pytest
from playwright.sync_api import Locator, Page, expect

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
# Without these it looks for its maker's servers, or does not start as root.
CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SCREENSHOTS = Path(__file__).parent / "screenshots"
EXAMPLES = Path(__file__).parents[2] / "examples"
START_SECONDS = 60
# A step is a fresh process, and the machine may be slow.
RUN_MS = 120_000

# As a kernel here would write it, so that JupyterLab has nothing to add when it starts one.
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {
        "codemirror_mode": {"name": "ipython", "version": 3},
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "name": "python",
        "nbconvert_exporter": "python",
        "pygments_lexer": "ipython3",
        "version": platform.python_version(),
    },
}

expect.set_options(timeout=20_000)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Browser tests go last: Playwright keeps its event loop running in this thread."""
    here = str(Path(__file__).parent)
    ours = [item for item in items if str(item.path).startswith(here)]
    if ours:
        items[:] = [item for item in items if item not in set(ours)] + ours
    if not CHROMIUM and not os.environ.get("CI") and not playwright_chromium():
        for item in ours:
            item.add_marker(pytest.mark.skip(reason="no Chromium: set CHROMIUM to the path of one"))


def playwright_chromium() -> bool:
    """Whether Playwright has a browser of its own, in the folder where it puts them."""
    folder = os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or Path.home() / ".cache" / "ms-playwright"
    return any(Path(folder).glob("chromium-*"))


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    path = {"executable_path": CHROMIUM} if CHROMIUM else {}
    return {**browser_type_launch_args, **path, "args": CHROMIUM_ARGS}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    return {**browser_context_args, "viewport": {"width": 1400, "height": 900}}


@dataclass
class Server:
    """A Jupyter server below ``/base/``, with folders of its own for everything."""

    application: Literal["lab", "notebook"]
    folder: Path
    port: int
    token: str = field(default_factory=lambda: secrets.token_hex(16))
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/base/"

    @property
    def root(self) -> Path:
        return self.folder / "root"

    def address(self, notebook: str, **query: str) -> str:
        page = "lab/tree" if self.application == "lab" else "notebooks"
        words = "&".join(f"{name}={value}" for name, value in {"token": self.token, **query}.items())
        return f"{self.url}{page}/{notebook}?{words}"

    def start(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        trait = "LabApp" if self.application == "lab" else "JupyterNotebookApp"
        command = [
            *(sys.executable, "-m", "jupyterlab" if self.application == "lab" else "notebook"),
            "--ServerApp.open_browser=False",
            "--ServerApp.allow_root=True",
            "--ServerApp.ip=127.0.0.1",
            f"--ServerApp.port={self.port}",
            "--ServerApp.port_retries=0",
            f"--ServerApp.root_dir={self.root}",
            "--ServerApp.base_url=/base/",
            f"--IdentityProvider.token={self.token}",
            f"--{trait}.expose_app_in_browser=True",
        ]
        if self.application == "lab":
            command.append("--LabApp.extension_manager=readonly")
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, env=self._environment(), stdout=log, stderr=subprocess.STDOUT
            )
        self._wait()

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None

    def _environment(self) -> dict[str, str]:
        settings = self.folder / "settings"
        news = settings / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
        news.parent.mkdir(parents=True, exist_ok=True)
        news.write_text('{"fetchNews": "false", "checkForUpdates": false}')
        folders = {
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_DATA_DIR": "data",
            "JUPYTER_RUNTIME_DIR": "runtime",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
            "IPYTHONDIR": "ipython",
        }
        own = {name: str(self.folder / folder) for name, folder in folders.items()}
        return os.environ | own | {"JUPYTERLAB_SETTINGS_DIR": str(settings)}

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self.process is not None
            assert self.process.poll() is None, (self.folder / "server.log").read_text()
            try:
                with urlopen(f"{self.url}api/status?token={self.token}", timeout=5):
                    return
            except (URLError, OSError):
                time.sleep(0.1)
        raise TimeoutError(f"no answer of {self.url}:\n{(self.folder / 'server.log').read_text()}")


@pytest.fixture(scope="session")
def start_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    started: list[Server] = []

    def start(application: Literal["lab", "notebook"]) -> Server:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        server = Server(application, tmp_path_factory.mktemp(application), port)
        server.start()
        started.append(server)
        return server

    yield start
    for server in started:
        server.stop()


@pytest.fixture(scope="session")
def lab(start_server: Callable[..., Server]) -> Server:
    return start_server("lab")


@pytest.fixture(scope="session")
def notebook_server(start_server: Callable[..., Server]) -> Server:
    return start_server("notebook")


@dataclass
class Desk:
    """The page of one person with one notebook, who sees and does what a test says.

    Every page error and every request that leaves the server is remembered, and is an error at the
    end of the test.
    """

    page: Page
    server: Server
    folder: str
    page_errors: list[str] = field(default_factory=list)
    foreign_requests: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("pageerror", lambda error: self.page_errors.append(str(error)))
        self.page.on("request", lambda request: self._remember_foreign(request.url))

    def _remember_foreign(self, url: str) -> None:
        if not url.startswith((self.server.url, "data:", "blob:", self.server.url.replace("http", "ws"))):
            self.foreign_requests.append(url)

    # -- notebooks ----------------------------------------------------------------------------

    @property
    def directory(self) -> Path:
        """The folder of this desk's notebooks, a project of its own with a store of its own."""
        directory = self.server.root / self.folder
        (directory / ".pipelines").mkdir(parents=True, exist_ok=True)
        return directory

    def write(self, name: str, cells: list[tuple[list[str], str]]) -> str:
        """A notebook of code cells, each with its tags and source; its path for `open`."""
        notebook = nbformat.v4.new_notebook(metadata=METADATA)
        for tags, source in cells:
            cell = nbformat.v4.new_code_cell(source)
            if tags:
                cell.metadata["tags"] = tags
            notebook.cells.append(cell)
        nbformat.write(notebook, self.directory / name)
        return f"{self.folder}/{name}"

    def write_small(self) -> str:
        """Four steps, two of which may run side by side; a parameter cell, setup, a cell left out."""
        return self.write(
            "small.ipynb",
            [
                (["parameters"], "rows = 6\nfactor = 2"),
                ([], "import time"),
                (["step:load", "role:importer"], "numbers = list(range(rows))\nnumbers"),
                (["step:double"], "doubled = [number * factor for number in numbers]"),
                ([], "print('doubled', doubled)"),
                (["step:square", "owner:anna"], "squares = [number ** 2 for number in numbers]"),
                (["step:total", "role:evaluator"], "total = sum(doubled) + sum(squares)\nprint(total)"),
                (["skip"], "print('only for me')"),
            ],
        )

    def add_output(self, path: Path, index: int, data: dict[str, Any]) -> None:
        """Give a cell of a notebook file an output, as if it had been run."""
        notebook = json.loads(path.read_text())
        output = {"output_type": "display_data", "metadata": {}, "data": data}
        notebook["cells"][index]["outputs"] = [output]
        path.write_text(json.dumps(notebook))

    def copy(self, source: Path) -> str:
        shutil.copy(source, self.directory / source.name)
        return f"{self.folder}/{source.name}"

    def open(self, notebook: str, *, theme: Literal["light", "dark"] = "light", show: bool = True) -> None:
        """Open a notebook in an empty JupyterLab, or in Notebook 7; with `show`, the panel beside it."""
        self.page.goto(self.server.address(notebook, **({"reset": ""} if self.is_lab else {})))
        self.wait_for_notebook()
        if show:
            self.command("pipelines-as-experiments:open-panel")
            expect(self.panel).to_be_visible()
        self.command("apputils:change-theme", {"theme": f"JupyterLab {theme.capitalize()}"})
        is_light = "true" if theme == "light" else "false"
        expect(self.page.locator("body")).to_have_attribute("data-jp-theme-light", is_light)

    @property
    def is_lab(self) -> bool:
        return self.server.application == "lab"

    def wait_for_notebook(self) -> None:
        expect(self.page.locator(".jp-Notebook .jp-Cell").first).to_be_visible(timeout=60_000)

    def command(self, command: str, args: dict[str, Any] | None = None) -> Any:
        return self.page.evaluate(
            "([id, args]) => window.jupyterapp.commands.execute(id, args).then(() => null)",
            [command, args or {}],
        )

    def cell(self, index: int) -> Locator:
        return self.page.locator(f".jp-Notebook .jp-Cell[data-windowed-list-index='{index}']")

    def edit(self, index: int, source: str) -> None:
        """Type a new source into a cell, as a person does."""
        editor = self.cell(index).locator(".cm-content")
        editor.click()
        self.page.keyboard.press("ControlOrMeta+a")
        self.page.keyboard.insert_text(source)

    def select_cell(self, index: int) -> None:
        self.cell(index).locator(".jp-InputPrompt").click()

    def tags(self, index: int) -> list[str]:
        return list(self.page.evaluate(f"{FRONT}.content.widgets[{index}].model.getMetadata('tags') ?? []"))

    def is_dirty(self) -> bool:
        return bool(self.page.evaluate(f"{FRONT}.context.model.dirty"))

    # -- the panel ----------------------------------------------------------------------------

    @property
    def panel(self) -> Locator:
        return self.page.get_by_role("region", name="Pipeline", exact=True)

    def step(self, name: str) -> Locator:
        return self.panel.locator(f"li.jp-Pipelines-step[data-step='{name}']")

    def node(self, name: str) -> Locator:
        return self.panel.locator(f".jp-Pipelines-node[data-step='{name}']")

    @property
    def runs(self) -> Locator:
        return self.panel.locator("li.jp-Pipelines-run")

    def states(self) -> dict[str, str]:
        """The state of every step in the list, by name."""
        items = self.panel.locator("li.jp-Pipelines-step")
        return dict(items.evaluate_all("items => items.map(item => [item.dataset.step, item.dataset.state])"))

    def decisions(self) -> dict[str, str]:
        items = self.panel.locator("li.jp-Pipelines-step")
        return dict(
            items.evaluate_all("items => items.map(item => [item.dataset.step, item.dataset.decision])")
        )

    def expect_states(self, states: dict[str, str], timeout: float = RUN_MS) -> None:
        for name, state in states.items():
            expect(self.step(name)).to_have_attribute("data-state", state, timeout=timeout)

    def run(self) -> None:
        """Click Run, and wait for the end of the run."""
        before = self.runs.count()
        self.button("Run").click()
        expect(self.runs).not_to_have_count(before, timeout=RUN_MS)
        expect(self.button("Cancel")).to_be_disabled(timeout=RUN_MS)
        expect(self.runs.first).not_to_have_attribute("data-status", "running", timeout=RUN_MS)

    def button(self, name: str) -> Locator:
        return self.panel.get_by_role("button", name=name, exact=True).first

    def widen(self, pixels: int) -> None:
        """Drag the edge of the panel until it is so wide."""
        box = self.panel.bounding_box()
        assert box is not None
        edge, middle = box["x"] + box["width"] + 2, box["y"] + box["height"] / 2
        self.page.mouse.move(edge, middle)
        self.page.mouse.down()
        self.page.mouse.move(edge + pixels - box["width"], middle, steps=5)
        self.page.mouse.up()

    def screenshot(self, name: str) -> None:
        SCREENSHOTS.mkdir(exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{self.server.application}-{name}.png")


# The notebook in front.
FRONT = "window.jupyterapp.shell.currentWidget"


@pytest.fixture
def make_desk(page: Page, request: pytest.FixtureRequest) -> Iterator[Callable[[Server], Desk]]:
    desks: list[Desk] = []

    def make(server: Server) -> Desk:
        desk = Desk(page, server, f"{request.node.originalname}-{len(desks)}")
        desks.append(desk)
        return desk

    yield make
    for desk in desks:
        # Notebook 7.6 throws this while it starts, with or without extensions.
        errors = [error for error in desk.page_errors if "reading 'schema'" not in error or desk.is_lab]
        assert errors == []
        assert desk.foreign_requests == []


@pytest.fixture
def desk(make_desk: Callable[[Server], Desk], lab: Server) -> Desk:
    return make_desk(lab)
