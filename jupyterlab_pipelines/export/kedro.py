"""Target `kedro`: a Kedro project, whose nodes are in ``kedro_project/pipeline_registry.py``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from jupyterlab_pipelines.export.base import Export, ExportedFile, ExportedStep, literal
from jupyterlab_pipelines.export.engines import (
    Engine,
    call,
    free_name,
    free_names,
    is_scalar,
    mapping,
    sentence,
    used_parameters,
    words,
)
from jupyterlab_pipelines.export.package import package_files
from jupyterlab_pipelines.export.proof import Workbench

KEDRO = "1.7.0"
TAKEN = words("Any Node Pipeline given folder place register_pipelines run_folder run_task time")


class KedroExporter(Engine):
    name = "kedro"
    summary = "a Kedro project"
    engine = (f"kedro=={KEDRO}",)
    lacks: Mapping[str, str] = {
        "retries": "Kedro has no retries for a node: the node itself repeats its step.",
        "timeout": "Kedro has no timeout for a node: the node itself stops its step.",
        "schedule": "Kedro has no schedule: let a scheduler start `kedro run`.",
        "resources": "Kedro runs all nodes on the machine that it is started on, whatever resources they ask for.",
    }

    def files(self, export: Export) -> Iterator[ExportedFile]:
        yield ExportedFile.code(export, "kedro_project/__init__.py", '"""The project of Kedro."""')
        yield ExportedFile.code(export, "kedro_project/settings.py", '"""Kedro\'s own defaults."""')
        yield ExportedFile.code(export, "kedro_project/pipeline_registry.py", self._registry(export))
        yield ExportedFile.code(export, "conf/base/parameters.yml", _parameters(export))
        yield ExportedFile.code(export, "conf/base/catalog.yml", CATALOG)
        yield ExportedFile.text("conf/local/.gitkeep", "")
        project = next(file for file in package_files(export) if file.path == "pyproject.toml")
        yield ExportedFile.text(project.path, project.content.decode() + _section(export))

    def section(self, export: Export) -> str:
        example = next((each for each in export.parameters if is_scalar(each)), None)
        params = f" --params={example.name}={json.dumps(example.default)}" if example else ""
        return f"""\
## Run it with Kedro

```sh
.venv/bin/pip install -r requirements-engine.txt
.venv/bin/kedro run{params}
```

Parameters have their defaults in `conf/base/parameters.yml`; `conf/local/parameters.yml` replaces them on one machine.
`{_own(export)}` is the folder or URL in which a run leaves its artifacts (default: one for each run below
`{export.name.upper()}_ARTIFACTS`). Between nodes go the places of manifests, which say what a step left.
"""

    def prove(self, bench: Workbench) -> None:
        given = dict(bench.parameters) | {_own(bench.export): str(bench.artifacts)}
        (bench.folder / "conf" / "local" / "parameters.yml").write_text(
            json.dumps({name: _escaped(value) for name, value in given.items()}), encoding="utf-8"
        )
        bench.run(
            [bench.engine, "-m", "kedro", "run"],
            environment={"DO_NOT_TRACK": "1", "KEDRO_DISABLE_TELEMETRY": "1"},
        )

    def _registry(self, export: Export) -> str:
        names = free_names((step.name for step in export.steps), TAKEN)
        functions = "".join(_node(export, step, names[step.name]) for step in export.steps)
        nodes = "".join(_listed(step, names[step.name]) for step in export.steps)
        return f'''\
"""{sentence(export.title)} With Kedro: ``kedro run``."""

import time
from typing import Any

from kedro.pipeline import Node, Pipeline

from {export.name}.task import run_folder, run_task


def place(given: dict[str, Any]) -> str:
    """The folder or URL of this run."""
    return given[{literal(_own(export))}] or run_folder(time.strftime("%Y%m%dT%H%M%S"))


{functions}def register_pipelines() -> dict[str, Pipeline]:
    """What ``kedro run`` can run."""
    nodes = [
        Node(place, inputs="parameters", outputs="folder", name="{_place(export)}"),
{nodes}    ]
    return {{"__default__": Pipeline(nodes)}}
'''


CATALOG = """\
# Kedro keeps no values: a step leaves them in the folder of the run, each in the format that brings it back exactly.
"""


def _node(export: Export, step: ExportedStep, name: str) -> str:
    taken = {each.name: f"given[{literal(each.name)}]" for each in used_parameters(export, step)}
    arguments = [literal(step.name), "artifacts=folder"]
    arguments += [f"parameters={mapping(taken)}"] if taken else []
    arguments += [f"timeout_seconds={step.timeout_seconds:g}"] if step.timeout_seconds is not None else []
    arguments += [f"retries={step.retries}"] if step.retries else []
    before = ", *before: str" if step.parents else ""
    return (
        f"def {name}(given: dict[str, Any], folder: str{before}) -> str:\n"
        f'    """{sentence(step.title)}"""\n'
        f"{call('return run_task(', arguments, indent=4)}\n\n\n"
    )


def _listed(step: ExportedStep, name: str) -> str:
    inputs = ["parameters", "folder", *(f"{parent}_manifest" for parent in step.parents)]
    said = [
        name,
        f"inputs={literal(inputs)}",
        f"outputs={literal(f'{step.name}_manifest')}",
        f"name={literal(step.name)}",
        *([f"tags={literal(str(step.role))}"] if step.role else []),
    ]
    return call("Node(", said, "),", indent=8) + "\n"


def _parameters(export: Export) -> str:
    import yaml

    defaults: dict[str, Any] = {_own(export): ""}
    for each in export.parameters:
        defaults[each.name] = _escaped(each.default) if is_scalar(each) else None
    return "# null: the notebook's default.\n" + str(
        yaml.safe_dump(defaults, sort_keys=False, allow_unicode=False)
    )


def _escaped(value: Any) -> Any:
    """A text in which Kedro's configuration looks for no variables."""
    return value.replace("${", "\\${") if isinstance(value, str) else value


def _section(export: Export) -> str:
    return f"""
[tool.kedro]
package_name = "kedro_project"
project_name = {json.dumps(export.distribution)}
kedro_init_version = "{KEDRO}"
source_dir = "."
"""


def _own(export: Export) -> str:
    """The parameter that says where a run leaves its artifacts."""
    return free_name("artifacts", {each.name for each in export.parameters})


def _place(export: Export) -> str:
    """Name of the node that says where: no step's."""
    return free_name("place", {step.name for step in export.steps})


EXPORTER = KedroExporter()
