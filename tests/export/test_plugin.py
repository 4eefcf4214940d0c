"""A stranger's target, in a distribution of its own that is really installed, works as those that come with us do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.notebooks import cell, notebook, parameters, write

PROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "pipelines-for-make"
version = "1.0"

[project.entry-points."jupyterlab_pipelines.exporters"]
make = "pipelines_for_make:EXPORTER"
package = "pipelines_for_make:IMPOSTOR"
"""

MODULE = """\
import json
from dataclasses import dataclass, replace

from jupyterlab_pipelines.export.base import Export, ExportedFile


@dataclass(frozen=True)
class MakeExporter:
    name: str = "make"
    summary: str = "a Makefile"
    shell: str = "sh"

    def with_options(self, shell):
        return replace(self, shell=shell)

    def write(self, export: Export):
        rules = f"SHELL = {self.shell}\\nRUN = $(PYTHON) -m {export.name} run-step\\n"
        rules += f"all: {' '.join(step.name for step in export.steps)}\\n"
        for step in export.steps:
            rules += f"{step.name}: {' '.join(step.parents)}\\n"
            rules += f"\\t$(RUN) $@ --artifacts $(ARTIFACTS) --parameters '$(PARAMETERS)'\\n"
        yield ExportedFile.code(export, "Makefile", rules)

    def gaps(self, export: Export):
        if any(step.retries for step in export.steps):
            yield "make does not try again."

    def prove(self, bench):
        given = json.dumps(dict(bench.parameters))
        words = [f"PYTHON={bench.python}", f"ARTIFACTS={bench.artifacts}", f"PARAMETERS={given}"]
        bench.run(["make", "all", *words])


EXPORTER = MakeExporter()
IMPOSTOR = MakeExporter(summary="not the package")
"""


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder with the installed distribution."""
    project = tmp_path / "plugin"
    project.mkdir()
    (project / "pyproject.toml").write_text(PROJECT)
    (project / "pipelines_for_make.py").write_text(MODULE)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target"]
    ended = subprocess.run([*pip, tmp_path / "site", project], capture_output=True, text=True, check=False)
    if ended.returncode:
        pytest.skip(f"nothing can be installed here: {ended.stderr[-300:]}")
    return tmp_path / "site"


@pytest.mark.timeout(300)
def test_an_installed_plug_in_is_a_target(installed: Path, tmp_path: Path) -> None:
    path = write(
        notebook(
            parameters("n = 2"),
            cell("x = [n]", step="load", tags=["retries:1"]),
            cell("y = x * 2", step="double"),
        ),
        tmp_path / "numbers.ipynb",
    )

    def command(*words: object) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join([str(installed), os.environ.get("PYTHONPATH", "")])
        return subprocess.run(
            [sys.executable, "-m", "jupyterlab_pipelines", "export", *map(str, words)],
            env=os.environ | {"PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=False,
        )

    targets = {each["name"]: each for each in json.loads(command("--list", "--json").stdout)["targets"]}
    assert targets["make"]["summary"] == "a Makefile"
    assert targets["package"]["summary"] != "not the package"

    output = tmp_path / "out"
    told = command(
        *(path, "--to", "make", "--output", output, "--option", "shell=bash"),
        *("-p", "n", 5, "--verify", "--json", "--store", tmp_path / "store"),
    )

    assert told.returncode == 0, told.stderr
    document = json.loads(told.stdout)
    assert document["gaps"] == ["make does not try again."]
    assert "Makefile" in document["files"]
    assert document["verification"]["status"] == "equal"
    assert {each["artifact"] for each in document["verification"]["artifacts"]} == {"load/x", "double/y"}
    assert "SHELL = bash" in (output / "Makefile").read_text()
    assert "make does not try again." in (output / "README.md").read_text()

    refused = command(
        path, "--to", "make", "--output", output, "--option", "colour=red", "--store", tmp_path / "s"
    )
    assert refused.returncode == 2
    assert "colour" in refused.stderr
