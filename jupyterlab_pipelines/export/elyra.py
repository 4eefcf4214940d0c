"""Target `elyra`: a pipeline of step notebooks for Elyra's editor, ``NAME.pipeline``."""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from jupyterlab_pipelines.export.base import Export, ExportedFile, ExportedStep
from jupyterlab_pipelines.export.engines import Engine, free_name, is_scalar, levels, scratch
from jupyterlab_pipelines.export.notebooks import notebook_path, step_notebooks
from jupyterlab_pipelines.export.package import dockerfile
from jupyterlab_pipelines.export.proof import Workbench
from jupyterlab_pipelines.pipeline import RESOURCES

FORMAT = 8
"""Of pipeline files; Elyra 4.1 reads no newer one."""

SCHEMA = "http://api.dataplatform.ibm.com/schemas/common-pipeline/pipeline-flow/pipeline-flow-v3-schema.json"


class ElyraExporter(Engine):
    name = "elyra"
    summary = (
        "a pipeline of step notebooks for Elyra's editor, which runs them here, on Kubeflow or on Airflow"
    )
    engine = ("elyra==4.1.1", "ipykernel>=6")
    known_options = ("image", *RESOURCES)
    lacks: Mapping[str, str] = {
        "retries": "Elyra has no retries: the notebook itself repeats its step.",
        "timeout": "Elyra has no timeout for a node: the notebook itself stops its step.",
        "schedule": "A schedule is no part of an Elyra pipeline: it belongs to Kubeflow or Airflow.",
        "resources": "Elyra counts whole cores and GiB: what is asked for is rounded up, and local runs ignore it.",
    }

    def files(self, export: Export) -> Iterator[ExportedFile]:
        yield ExportedFile.code(export, "Dockerfile", dockerfile(export, has_engine=True))
        yield from step_notebooks(
            export,
            run=f'os.environ.get("{_run(export)}") or run',
            value=lambda each: f'os.environ.get("{_variables(export)[each.name]}") or None',
            prelude=(
                f"import os\n\nfrom {export.name}.task import run_folder\n\n"
                'run = run_folder(os.environ["ELYRA_RUN_NAME"])\n'
            ),
            retries="retries",
        )
        yield ExportedFile.text(_file(export), json.dumps(self.document(export), indent=2))

    def section(self, export: Export) -> str:
        return f"""\
## Run it with Elyra

Open `{_file(export)}` in JupyterLab with Elyra, or

```sh
.venv/bin/pip install -r requirements-engine.txt
.venv/bin/elyra-pipeline run {_file(export)}
```

The pipeline's properties have a variable for each parameter, `{_run(export)}_PARAMETER_…`; an empty one means the
notebook's default. `{_run(export)}` is the folder or URL in which a run leaves its artifacts (default: one for
each run below `{export.name.upper()}_ARTIFACTS`). On Kubeflow and Airflow, nodes run in the image
`{self.image(export)}`.
"""

    def prove(self, bench: Workbench) -> None:
        home = scratch(bench, "elyra")
        path = bench.folder / _file(bench.export)
        document = json.loads(path.read_text(encoding="utf-8"))
        given: dict[str, Any] = {_run(bench.export): str(bench.artifacts)}
        for each in bench.export.parameters:
            if each.name in bench.parameters:
                given[_variables(bench.export)[each.name]] = _text(bench.parameters[each.name])
        defaults = document["pipelines"][0]["app_data"]["properties"]["pipeline_defaults"]
        for variable in defaults["env_vars"]:
            variable["value"] = given.get(variable["env_var"], variable["value"])
        path.write_text(json.dumps(document), encoding="utf-8")
        bench.run(
            [bench.engine.with_name("elyra-pipeline"), "run", path.name],
            environment={"JUPYTER_DATA_DIR": str(home), "JUPYTER_CONFIG_DIR": str(home)},
        )

    def document(self, export: Export) -> dict[str, Any]:
        """The pipeline, as Elyra's editor saves it."""
        variables = {_run(export): ""} | {
            _variables(export)[each.name]: _text(each.default) if is_scalar(each) else ""
            for each in export.parameters
        }
        places = {
            step.name: (column, row)
            for column, level in enumerate(levels(export))
            for row, step in enumerate(level)
        }
        return {
            "doc_type": "pipeline",
            "version": "3.0",
            "json_schema": SCHEMA,
            "id": _id(export, ""),
            "primary_pipeline": "primary",
            "pipelines": [
                {
                    "id": "primary",
                    "nodes": [self._node(export, step, *places[step.name]) for step in export.steps],
                    "app_data": {
                        "ui_data": {"comments": []},
                        "version": FORMAT,
                        "properties": {
                            "name": export.distribution,
                            "runtime": "Generic",
                            "description": " ".join([*export.title.split(), *export.origin.lines()]),
                            "pipeline_defaults": {
                                "env_vars": [{"env_var": k, "value": v} for k, v in variables.items()]
                            },
                        },
                    },
                    "runtime_ref": "",
                }
            ],
            "schemas": [],
        }

    def _node(self, export: Export, step: ExportedStep, column: int, row: int) -> dict[str, Any]:
        wanted = self.resources(step)
        gibibytes = None if wanted.memory_bytes is None else math.ceil(wanted.memory_bytes / 2**30)
        cores = None if wanted.cpu is None else math.ceil(float(wanted.cpu))
        asked = {"cpu": cores, "memory": gibibytes, "gpu": wanted.gpu and int(wanted.gpu)}
        parameters: dict[str, Any] = {
            "filename": notebook_path(export, step),
            "runtime_image": self.image(export),
            "dependencies": [],
            "include_subdirectories": False,
            "outputs": [],
            "env_vars": [],
            **{name: value for name, value in asked.items() if value},
        }
        if step.role:
            parameters["kubernetes_pod_labels"] = [{"key": "role", "value": str(step.role)}]
        links = [
            {
                "id": _id(export, f"{parent} {step.name}"),
                "node_id_ref": _id(export, parent),
                "port_id_ref": "outPort",
            }
            for parent in step.parents
        ]
        return {
            "id": _id(export, step.name),
            "type": "execution_node",
            "op": "execute-notebook-node",
            "app_data": {
                "component_parameters": parameters,
                "label": step.name,
                "ui_data": {
                    "label": step.name,
                    "description": " ".join(step.title.split()),
                    "x_pos": 60 + 220 * column,
                    "y_pos": 60 + 120 * row,
                },
            },
            "inputs": [{"id": "inPort", "app_data": _port("Input"), **({"links": links} if links else {})}],
            "outputs": [{"id": "outPort", "app_data": _port("Output")}],
        }


def _port(label: str) -> dict[str, Any]:
    return {"ui_data": {"cardinality": {"min": 0, "max": -1}, "label": f"{label} Port"}}


def _id(export: Export, name: str) -> str:
    """The same for the same thing in every export."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{export.name} {name}"))


def _run(export: Export) -> str:
    """The environment variable that gives notebooks the folder of the run."""
    return f"{export.name.upper()}_RUN"


def _variables(export: Export) -> dict[str, str]:
    """By parameter, the environment variable that gives it to notebooks."""
    chosen: dict[str, str] = {}
    for each in export.parameters:
        name = f"{_run(export)}_PARAMETER_{each.name.upper()}"
        chosen[each.name] = free_name(name, chosen.values())
    return chosen


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _file(export: Export) -> str:
    return f"{export.name}.pipeline"


EXPORTER = ElyraExporter()
