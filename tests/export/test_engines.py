"""``export --verify`` tells *equal* for every target, on its real engine; a step that fails for good ends the run.

Engines are installed once, into environments below the folder that ``JUPYTER_PIPELINES_ENGINES`` names. Those that take
long to install are for ``make test-exports``. The proofs that were asked for are carried out side by side.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jupyterlab_pipelines.errors import ExportError
from jupyterlab_pipelines.export.base import find_exporter
from jupyterlab_pipelines.export.build import Source, build
from jupyterlab_pipelines.export.compare import compare
from jupyterlab_pipelines.export.environments import engine_environment
from jupyterlab_pipelines.export.proof import prove, workbench
from jupyterlab_pipelines.export.write import configured, export
from jupyterlab_pipelines.project import Project
from tests.export.notebooks import DIAMOND, HANGING, LEARNED, UNSTEADY
from tests.fixtures.notebooks import write

pytestmark = pytest.mark.timeout(900)

FLIGHTS = Path(__file__).parents[2] / "examples" / "flights" / "flights.ipynb"

STORIES: dict[str, dict[str, Any]] = {
    "diamond": {"n": 8, "label": "z", "columns": ["x"]},
    "unsteady": {},
    "learned": {
        "tag": 'it\'s a "new" one, a=b $HOME',
        "params": ["a b", 2],
        "schema": False,
        "source": "s",
    },
    "flights": {"max_iter": 20},
}
"""By name of a notebook, the parameters of its run."""

QUICK = ("package", "kubeflow", "metaflow")
SLOW = (
    "airflow",
    "argo",
    "dagster",
    "elyra",
    "kedro",
    "kubeflow --as-notebooks",
    "mlrun",
    "papermill",
    "zenml",
)

Proof = dict[str, Any]


def _marked(target: str, story: str) -> Any:
    """A case, which only `make test-exports` has where it takes long."""
    is_long = target in SLOW or story == "flights"
    return pytest.param(target, story, marks=[pytest.mark.engines] if is_long else [])


def _for_all(*stories: str) -> list[Any]:
    return [_marked(target, story) for story in stories for target in (*QUICK, *SLOW)]


@pytest.mark.parametrize(("target", "story"), _for_all(*STORIES))
def test_verify_tells_equal(target: str, story: str, proofs: Callable[[str, str], Proof]) -> None:
    told = proofs(target, story)

    assert told["verification"]["artifacts"]
    assert {each["status"] for each in told["verification"]["artifacts"]} <= EXPECTED[story]
    assert told["verification"]["status"] == "equal"


@pytest.mark.parametrize(("target", "story"), [("package", "unsteady")])
def test_each_verified_export_of_the_unsteady_notebook_was_tried_again(
    target: str, story: str, stories: Stories, proofs: Callable[[str, str], Proof]
) -> None:
    proofs(target, story)

    assert len(list(stories.marks.iterdir())) == 1 + stories.verified.count(story)


EXPECTED = {story: {"equal"} for story in STORIES} | {"flights": {"equal", "unsure"}}
"""A drawing knows the program that draws it."""


@pytest.mark.parametrize(("target", "story"), _for_all("failing"))
def test_a_step_that_fails_for_good_ends_the_run_and_what_was_left_comes_home(
    target: str, story: str, proofs: Callable[[str, str], Proof]
) -> None:
    told = proofs(target, story)

    assert told["code"] == "export_fails"
    assert "Step `second` failed: ValueError: not this time" in told["message"]
    assert told["artifacts"] == {"first/a": "equal", "second/b": "missing", "third/c": "missing"}
    assert told["home"]["status"] == "failed"
    assert told["home"]["parameters"]["fails"] == "always"
    assert [step["status"] for step in told["home"]["steps"]] == ["succeeded", "failed", "skipped"]
    assert told["home"]["steps"][1]["error"]["message"] == "ValueError: not this time"


@pytest.mark.parametrize(("target", "story"), _for_all("hanging"))
def test_a_step_that_takes_too_long_ends_the_run_and_leaves_word(
    target: str, story: str, proofs: Callable[[str, str], Proof]
) -> None:
    told = proofs(target, story)

    assert told["code"] == "export_fails"
    assert "Step `slow` failed: " in told["message"]
    assert told["artifacts"] == {"first/a": "equal", "slow/b": "missing", "last/c": "missing"}
    assert told["home"]["parameters"] == {"seconds": 600}
    assert [step["status"] for step in told["home"]["steps"]] == ["succeeded", "failed", "skipped"]


def test_kubeflow_yaml_is_what_its_compiler_writes(stories: Stories, tmp_path: Path) -> None:
    yaml = pytest.importorskip("yaml")
    options = {"cpu": "2", "memory": "4Gi", "gpu.left": "1"}
    export(stories.source("diamond"), "kubeflow", tmp_path, name=None, schedule=None, options=options)
    ours = yaml.safe_load((tmp_path / "kubeflow_pipeline.yaml").read_text())

    python = engine_environment(find_exporter("kubeflow").engine, sys.executable)
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "src")}
    subprocess.run([python, "kubeflow_pipeline.py"], cwd=tmp_path, env=environment, check=True)

    assert yaml.safe_load((tmp_path / "kubeflow_pipeline.yaml").read_text()) == ours


# -- helpers --------------------------------------------------------------------------------------

DOCUMENTS = {"diamond": DIAMOND, "unsteady": UNSTEADY, "hanging": HANGING, "learned": LEARNED}
FAILING: dict[str, tuple[str, dict[str, Any]]] = {
    "failing": ("unsteady", {"fails": "always"}),
    "hanging": ("hanging", {"seconds": 600}),
}
"""By name of a proof, a notebook and the parameters with which its export fails."""


class Stories:
    """The notebooks, each run once, in a project of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._sources: dict[str, Source] = {}
        self.verified: list[str] = []
        self._lock = threading.Lock()

    @property
    def marks(self) -> Path:
        """The folder in which the unsteady notebook leaves word of its first try in a folder."""
        return self.folder / "marks"

    def project(self, story: str) -> Project:
        return Project.open(self.path(story), store=self.folder / story / "store")

    def path(self, story: str) -> Path:
        return self.folder / story / "here" / f"{story}.ipynb"

    def source(self, story: str) -> Source:
        with self._lock:
            if story not in self._sources:
                path = self.path(story)
                if story in DOCUMENTS:
                    write(DOCUMENTS[story], path)
                else:
                    path.parent.mkdir(parents=True)
                    shutil.copy(FLIGHTS, path)
                content = json.loads(path.read_text(encoding="utf-8"))
                given = STORIES.get(story, {})
                if story == "unsteady":
                    self.marks.mkdir(exist_ok=True)
                    given = {"marks": str(self.marks)}
                request = {"parameters": given, "jobs": 2}
                self._sources[story] = self.project(story).exports.source(path, content, None, request)
            return self._sources[story]


def _verified(stories: Stories, target: str, story: str) -> Proof:
    """What the command would print."""
    name, options = _said(target)
    stories.verified.append(story)
    return export(
        stories.source(story),
        name,
        stories.folder / story / target.replace(" ", ""),
        name=None,
        schedule="30 6 * * 2",
        options=options,
        verifies=True,
    )


def _ended(stories: Stories, target: str, story: str) -> Proof:
    """How a run ends of which a step does not end well; what it has left, and what of it comes home."""
    name, options = _said(target)
    story, parameters = FAILING[story]
    source = stories.source(story)
    output = stories.folder / story / f"{target.replace(' ', '')}-fails"
    export(source, name, output, name=None, schedule=None, options=options)
    exporter = configured(find_exporter(name), options)
    made = build(source)
    with workbench(source, made, exporter, output) as bench:
        try:
            prove(exporter, replace(bench, parameters={**bench.parameters, **parameters}))
        except ExportError as error:
            code, message = error.code, error.message
        else:
            code, message = "", ""
        verdicts = compare(source, made, bench.folder / "src", bench.artifacts)
        home = stories.project(story).exports.import_run(bench.artifacts, stories.path(story))
    return {
        "code": code,
        "message": message,
        "artifacts": {f"{each.step}/{each.name}": each.status for each in verdicts},
        "home": home,
    }


def _said(target: str) -> tuple[str, dict[str, Any]]:
    """A target and its options, as the command has them."""
    name, *flags = target.split(" --")
    return name, {flag.replace("-", "_"): True for flag in flags}


@pytest.fixture(scope="module")
def stories(tmp_path_factory: pytest.TempPathFactory) -> Stories:
    return Stories(tmp_path_factory.mktemp("stories"))


@pytest.fixture(scope="module")
def proofs(request: pytest.FixtureRequest, stories: Stories) -> Iterator[Callable[[str, str], Proof]]:
    """What a proof told, by target and story. All that were asked for are under way, one for each core."""
    asked = dict.fromkeys(
        (item.callspec.params["target"], item.callspec.params["story"])
        for item in request.session.items
        if isinstance(item, pytest.Function) and "proofs" in item.fixturenames
    )
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        under_way = {
            (target, story): pool.submit(_ended if story in FAILING else _verified, stories, target, story)
            for target, story in asked
        }

        def told(target: str, story: str) -> Proof:
            try:
                return under_way[target, story].result()
            except ExportError as error:
                if error.code == "not_installable" and target in QUICK:
                    pytest.skip(error.message[-300:])
                raise

        yield told
        pool.shutdown(cancel_futures=True)
