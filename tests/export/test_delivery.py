"""Image and workflow of an exported package, as the tools of their trades see them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from jupyterlab_pipelines.export.base import Export, exporters
from jupyterlab_pipelines.export.package import package_files
from jupyterlab_pipelines.export.write import write_file
from jupyterlab_pipelines.pipeline import Parameter
from tests.export.test_targets import AWKWARD

MANY = replace(
    AWKWARD,
    title='A "title" \\ with \x7f and ü, so long that no line of any file could hold it: ' + "word " * 20,
    parameters=tuple(Parameter(f"p{number}", "1", 1, True) for number in range(30)),
    unbound=("nobody",),
)
FOREIGN = replace(AWKWARD, parameters=(Parameter("größe", "1.5", 1.5, True, "in m: 'x' \"y\" # {{z}}"),))
EXPORTS = {"awkward": AWKWARD, "many": MANY, "foreign": FOREIGN}
WORKFLOW = ".github/workflows/pipeline.yml"


@pytest.fixture(params=EXPORTS)
def tree(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return written(EXPORTS[request.param], tmp_path)


def test_image_has_no_findings(tree: Path) -> None:
    assert said_by("hadolint", "--no-color", "Dockerfile", folder=tree) == ""


def test_workflow_has_the_form_that_github_wants(tree: Path) -> None:
    said_by("check-jsonschema", "--builtin-schema", "vendor.github-workflows", WORKFLOW, folder=tree)


def test_workflow_is_safe(tree: Path) -> None:
    said_by("zizmor", "--offline", "--no-progress", WORKFLOW, folder=tree)


def test_whoever_starts_the_workflow_gives_the_parameters(tmp_path: Path) -> None:
    each = (written(AWKWARD, tmp_path / "awkward") / WORKFLOW).read_text(encoding="utf-8")
    many = (written(MANY, tmp_path / "many") / WORKFLOW).read_text(encoding="utf-8")

    assert '--param "columns=$P_columns"' in each
    assert "P_columns: ${{ inputs.columns }}" in each
    assert 'default: "[\\"x\\"]"' in each
    assert '--parameters "$PARAMETERS"' in many
    assert "p29" not in many


def test_actions_are_pinned_to_commits(tree: Path) -> None:
    used = re.findall(r"uses: (\S+)", (tree / WORKFLOW).read_text(encoding="utf-8"))

    assert len(used) == 5
    assert all(re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", each) for each in used)


def test_project_is_described_and_linted(tree: Path) -> None:
    described = tomllib.loads((tree / "pyproject.toml").read_text(encoding="utf-8"))
    ended = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "."], cwd=tree, capture_output=True, text=True
    )

    assert described["project"]["name"] == "growth"
    assert ended.returncode == 0, ended.stdout


def test_image_runs_as_nobody_in_particular(tree: Path) -> None:
    lines = (tree / "Dockerfile").read_text(encoding="utf-8").splitlines()

    assert sum(line.startswith("FROM ") for line in lines) == 2
    assert next(line for line in reversed(lines) if line.startswith("USER ")) == "USER 10001"


def test_every_target_keeps_image_and_workflow_sound(tmp_path: Path) -> None:
    for name, exporter in exporters().items():
        files = {file.path: file for file in package_files(AWKWARD)}
        files |= {file.path: file for file in exporter.write(AWKWARD)}
        for path in ("Dockerfile", WORKFLOW):
            write_file(tmp_path / name, files[path])
        assert said_by("hadolint", "--no-color", "Dockerfile", folder=tmp_path / name) == "", name


def written(export: Export, folder: Path) -> Path:
    for file in package_files(export):
        write_file(folder, file)
    return folder


def said_by(program: str, *words: str, folder: Path) -> str:
    """What a checker prints, which has to find nothing."""
    beside = Path(sys.executable).with_name(program)
    found = str(beside) if beside.is_file() else shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed")
    ended = subprocess.run([found, *words], cwd=folder, capture_output=True, text=True)
    assert ended.returncode == 0, json.dumps([ended.stdout, ended.stderr])
    return ended.stdout
