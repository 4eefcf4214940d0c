"""What is asked of every target without its engine: readable files, names that nobody else has, and honest gaps."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from jupyterlab_pipelines.errors import ExportError
from jupyterlab_pipelines.export.base import Export, ExportedStep, Origin, exporters, find_exporter
from jupyterlab_pipelines.export.engines import levels
from jupyterlab_pipelines.export.package import gaps_of_package, package_files
from jupyterlab_pipelines.export.write import configured, write_file
from jupyterlab_pipelines.pipeline import Parameter, Resources

ENGINES = sorted(set(exporters()) - {"package"})


def _step(name: str, *parents: str, **fields: object) -> ExportedStep:
    step = ExportedStep(
        name=name,
        steps=(name,),
        title=f'The "{name}"\\',
        text="",
        source=f"def {name}() -> None:\n    pass",
        is_async=False,
        inputs={},
        parameters=(),
        outputs=(),
        together=(),
        states_out=(),
        files_in={},
        files_out=(),
        parents=parents,
    )
    return replace(step, **fields)  # type: ignore[arg-type]


def _export(*steps: ExportedStep, schedule: str | None = None) -> Export:
    parameters = (
        Parameter("n", "6", 6, True, "how many"),
        Parameter("artifacts", "'a\"b'", 'a"b', True),
        Parameter("run", "n * 2", None, False),
        Parameter("tag", "0.5", 0.5, True),
        Parameter("schema", "True", True, True),
        Parameter("columns", "['x']", ["x"], True),
    )
    return Export(
        name="growth",
        title='How "fast"\\ they grow',
        text="",
        origin=Origin("growth.ipynb", "0" * 64, "abc", "pipelines-as-experiments 1"),
        steps=steps,
        parameters=parameters,
        modules={
            "steps.py": "\n\n".join(step.source for step in steps) + "\n",
            "parameters.py": "TYPES = {}\n",
        },
        requirements=(),
        lock=(),
        python="3.11",
        schedule=schedule,
    )


ALL = ("n", "artifacts", "run", "tag", "schema", "columns")

AWKWARD = _export(
    _step("start", parameters=ALL),
    _step("step", "start", retries=2, timeout_seconds=90.0),
    _step("task", "start", parameters=("n",), cache="off"),
    _step("dsl", "step", "task"),
    _step("growth", "start"),
    _step("run_task", "dsl", "growth", parameters=ALL, timeout_seconds=0.5),
    _step("Run_Task", "dsl"),
    _step("_run_task", "dsl"),
    schedule="0 5 * * 1",
)
"""Steps and parameters whose names engines, or the generated files, have for themselves."""


@pytest.mark.parametrize("target", ENGINES)
def test_files_are_python_as_linters_want_it(target: str, tmp_path: Path) -> None:
    exporter = find_exporter(target)
    files = [*package_files(AWKWARD, section="## Engine"), *exporter.write(AWKWARD)]
    for file in files:
        write_file(tmp_path, file)
    for path in tmp_path.rglob("*.py"):
        ast.parse(path.read_text(encoding="utf-8"))
    for command in (["check", "-q"], ["format", "--check", "-q"]):
        ended = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "."], cwd=tmp_path, capture_output=True, text=True
        )
        assert ended.returncode == 0, ended.stdout
    text = "".join(file.content.decode() for file in files)
    assert "jupyterlab_pipelines" not in text
    assert str(Path.home()) not in text


@pytest.mark.parametrize("target", ENGINES)
def test_an_export_is_the_same_each_time(target: str) -> None:
    exporter = find_exporter(target)
    assert list(exporter.write(AWKWARD)) == list(exporter.write(AWKWARD))


SAID: dict[str, dict[str, object]] = {
    "retries": {"retries": 2},
    "timeout": {"timeout_seconds": 90.0},
    "cache:off": {"cache": "off"},
    "cache:12h": {"cache": "12h", "cache_age_seconds": 43200.0},
    "after": {"parents": ("start",)},
    "role": {"role": "trainer"},
    "role:validator": {"role": "validator"},
    "kernel": {"kernel": "r"},
    "cpu": {"resources": Resources(cpu="0.5")},
    "memory": {"resources": Resources(memory="4Gi")},
    "gpu": {"resources": Resources(gpu="1")},
}
"""What tags say of a step."""


@pytest.mark.parametrize("target", sorted(exporters()))
@pytest.mark.parametrize("said", [*SAID, "schedule"])
def test_what_a_notebook_says_is_in_the_files_or_is_told(target: str, said: str) -> None:
    plain = _export(_step("start"), _step("other"))
    if said == "schedule":
        tagged = replace(plain, schedule="30 6 * * 2")
    else:
        tagged = _export(_step("start"), _step("other", **SAID[said]))

    assert _written(target, tagged) != _written(target, plain)


def _written(target: str, export: Export) -> tuple[dict[str, bytes], list[str]]:
    """The files that the target itself makes of a pipeline, and what it tells. Comments and prose do not count."""
    exporter = find_exporter(target)
    own = exporter.write(export) if target in ENGINES else package_files(export)
    files = {file.path: file.content for file in own if not file.path.endswith(".md")}
    return files, [*gaps_of_package(export), *exporter.gaps(export)]


@pytest.mark.parametrize("target", ENGINES)
def test_a_pipeline_without_parameters_or_edges_is_written(target: str) -> None:
    plain = replace(_export(_step("only")), parameters=())
    for file in find_exporter(target).write(plain):
        if file.path.endswith(".py"):
            ast.parse(file.content.decode())


@pytest.mark.parametrize("target", ENGINES)
def test_options_that_a_target_does_not_have_are_refused(target: str) -> None:
    with pytest.raises(ExportError) as told:
        configured(find_exporter(target), {"colour": "red"})
    assert told.value.code == "unknown_option"


def test_resources_are_asked_for_all_steps_or_for_one() -> None:
    exporter = configured(find_exporter("metaflow"), {"cpu": "2", "memory.dsl": "1.5Gi"})
    flow = next(file.content.decode() for file in exporter.write(AWKWARD) if file.path == "flow.py")
    assert flow.count("@resources(cpu=2)") == 7
    assert flow.count("@resources(cpu=2, memory=1536)") == 1
    with pytest.raises(ExportError):
        list(configured(find_exporter("metaflow"), {"cpu.nobody": "2"}).write(AWKWARD))


def test_steps_whose_names_kubernetes_cannot_tell_apart_have_others() -> None:
    def document(target: str, path: str) -> Any:
        return yaml.safe_load(
            next(file.content for file in find_exporter(target).write(AWKWARD) if file.path == path)
        )

    workflow = document("argo", "workflow.yaml")["spec"]["workflowSpec"]
    templates = {each["name"]: each["container"]["args"][3] for each in workflow["templates"][:-1]}
    assert sorted(templates.values()) == sorted(step.name for step in AWKWARD.steps)
    executors = document("kubeflow", "kubeflow_pipeline.yaml")["deploymentSpec"]["executors"]
    assert len(executors) == len(AWKWARD.steps)


def test_steps_of_one_level_do_not_need_each_other() -> None:
    found = [[step.name for step in level] for level in levels(AWKWARD)]
    assert found == [["start"], ["step", "task", "growth"], ["dsl"], ["run_task", "Run_Task", "_run_task"]]


def test_notebooks_assign_one_parameter_a_line() -> None:
    files = {file.path: file.content for file in find_exporter("papermill").write(AWKWARD)}
    notebook = json.loads(files["notebooks/01_start.ipynb"])
    cell = next(cell for cell in notebook["cells"] if cell["metadata"].get("tags") == ["parameters"])
    lines = "".join(cell["source"]).splitlines()
    assert len(lines) == len(ALL) + 1
    assert all(ast.parse(line).body for line in lines)
