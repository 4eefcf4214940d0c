"""Every target, on its real engine: the exported run leaves what the notebook's run left, and tells when it fails.

Engines are installed once, into environments below the folder that ``JUPYTER_PIPELINES_ENGINES`` names. Those that take
long to install are for ``make test-exports``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from jupyterlab_pipelines.errors import ExportError
from jupyterlab_pipelines.export.base import Export, find_exporter
from jupyterlab_pipelines.export.build import Source, build
from jupyterlab_pipelines.export.compare import compare
from jupyterlab_pipelines.export.proof import Workbench, engine_environment, workbench
from jupyterlab_pipelines.export.write import configured, export
from jupyterlab_pipelines.project import Project
from tests.export.notebooks import DIAMOND, UNSTEADY
from tests.fixtures.notebooks import Notebook, write

pytestmark = pytest.mark.timeout(900)

QUICK = ("kubeflow", "metaflow")
SLOW = ("airflow", "argo", "dagster", "kedro", "mlrun", "papermill", "zenml")
ALL = [*QUICK, *(pytest.param(name, marks=pytest.mark.engines) for name in SLOW)]


@dataclass(frozen=True)
class Made:
    """A notebook with its run, ready to be exported."""

    path: Path
    source: Source
    export: Export


def _made(document: Notebook, folder: Path, parameters: Mapping[str, Any] | None = None) -> Made:
    path = write(document, folder / "notebook.ipynb")
    project = Project.open(path, store=folder / "store")
    source = project._source(path, document, None, {"parameters": parameters, "jobs": 2})
    return Made(path, source, build(source, "numbers_pipeline"))


@pytest.fixture(scope="module")
def diamond(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return _made(DIAMOND, tmp_path_factory.mktemp("diamond"), {"n": 8, "label": "z", "columns": ["x"]})


@pytest.fixture(scope="module")
def unsteady(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return _made(UNSTEADY, tmp_path_factory.mktemp("unsteady"))


def _exporter(target: str, options: Mapping[str, Any]) -> Any:
    exporter = configured(find_exporter(target), options)
    try:
        engine_environment(tuple(getattr(exporter, "engine", ())), sys.executable)
    except ExportError as error:
        pytest.skip(f"the engine cannot be installed here: {error.message[-300:]}")
    return exporter


def _written(made: Made, target: str, options: Mapping[str, Any], folder: Path) -> Path:
    export(made.source, target, folder, name="numbers_pipeline", schedule=None, options=options)
    return folder


def _verdicts(made: Made, bench: Workbench) -> dict[str, str]:
    verdicts = compare(made.source, made.export, bench.folder / "src", bench.artifacts)
    return {f"{each.step}/{each.name}": each.status for each in verdicts}


@pytest.mark.parametrize("target", ALL)
def test_a_diamond_with_other_parameters_leaves_what_the_notebook_leaves(
    target: str, diamond: Made, tmp_path: Path
) -> None:
    exporter = _exporter(target, {})
    output = _written(diamond, target, {}, tmp_path / "export")
    with workbench(diamond.source, diamond.export, exporter, output) as bench:
        exporter.prove(bench)
        verdicts = _verdicts(diamond, bench)
    assert verdicts
    assert set(verdicts.values()) == {"equal"}


@pytest.mark.parametrize("target", ALL)
def test_a_step_that_fails_is_tried_again_and_then_ends_the_run(
    target: str, unsteady: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exporter = _exporter(target, {})
    output = _written(unsteady, target, {}, tmp_path / "export")
    with workbench(unsteady.source, unsteady.export, exporter, output) as bench:
        monkeypatch.setenv("UNSTEADY", str(tmp_path / "tried"))
        exporter.prove(bench)
        assert (tmp_path / "tried").exists()
        assert set(_verdicts(unsteady, bench).values()) == {"equal"}
    with workbench(unsteady.source, unsteady.export, exporter, output) as bench:
        monkeypatch.setenv("UNSTEADY", "always")
        with pytest.raises(ExportError) as told:
            exporter.prove(bench)
        assert told.value.code == "export_fails"
        assert _verdicts(unsteady, bench) == {"first/a": "equal", "second/b": "missing", "third/c": "missing"}


@pytest.mark.engines
def test_kubeflow_executes_step_notebooks(diamond: Made, tmp_path: Path) -> None:
    options = {"as_notebooks": True}
    exporter = _exporter("kubeflow", options)
    output = _written(diamond, "kubeflow", options, tmp_path / "export")
    with workbench(diamond.source, diamond.export, exporter, output) as bench:
        exporter.prove(bench)
        assert set(_verdicts(diamond, bench).values()) == {"equal"}


def test_kubeflow_yaml_is_what_its_compiler_writes(diamond: Made, tmp_path: Path) -> None:
    yaml = pytest.importorskip("yaml")
    options = {"cpu": "2", "memory": "4Gi", "gpu.left": "1"}
    exporter = _exporter("kubeflow", options)
    output = _written(diamond, "kubeflow", options, tmp_path / "export")
    ours = yaml.safe_load((output / "kubeflow_pipeline.yaml").read_text())
    python = engine_environment(exporter.engine, sys.executable)
    environment = os.environ | {"PYTHONPATH": str(output / "src")}
    subprocess.run([python, "kubeflow_pipeline.py"], cwd=output, env=environment, check=True)
    assert yaml.safe_load((output / "kubeflow_pipeline.yaml").read_text()) == ours
