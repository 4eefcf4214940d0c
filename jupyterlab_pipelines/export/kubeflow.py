"""Target `kubeflow`: Kubeflow Pipelines 2, ``kubeflow_pipeline.py`` and the YAML that it compiles to.

The YAML is written here, in the form of the compiler, so that nobody needs `kfp` to submit it; a test compares
the two.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from jupyterlab_pipelines.export.base import Export, ExportedFile, ExportedStep, literal
from jupyterlab_pipelines.export.engines import (
    Engine,
    call,
    dashed,
    described,
    free_name,
    free_names,
    is_scalar,
    mapping,
    sentence,
    used_parameters,
    words,
)
from jupyterlab_pipelines.export.notebooks import gaps_of_notebooks, notebook_path, step_notebooks, variables
from jupyterlab_pipelines.export.package import dockerfile
from jupyterlab_pipelines.export.proof import Workbench
from jupyterlab_pipelines.pipeline import RESOURCES, Parameter

KFP = "2.17.0"
TAKEN = words(
    """
    IMAGE compiler dsl json local os run_folder run_task sys given python str int float bool
    """
)
TYPES = {"int": "NUMBER_INTEGER", "float": "NUMBER_DOUBLE", "bool": "BOOLEAN"}

COMMAND = (
    "program_path=$(mktemp -d)\n\n"
    'printf "%s" "$0" > "$program_path/ephemeral_component.py"\n'
    "_KFP_RUNTIME=true python3 -m kfp.dsl.executor_main                         --component_module_path"
    '                         "$program_path/ephemeral_component.py"                         "$@"\n'
)


class KubeflowExporter(Engine):
    name = "kubeflow"
    summary = (
        "Kubeflow Pipelines 2: components and compiled YAML; option as_notebooks: executed notebooks as steps"
    )
    engine = (f"kfp=={KFP}", "nbclient>=0.10,<1", "ipykernel>=6,<7", "jupyter_client>=7,<9")
    known_options = ("image", *RESOURCES, "as_notebooks")
    lacks: Mapping[str, str] = {
        "retries": "Kubeflow's local runner does not try again: there, the task itself does.",
        "timeout": "Kubeflow has no timeout for a task: the task itself stops its step.",
        "schedule": "A schedule is no part of a Kubeflow pipeline: make a recurring run of it.",
        "role": "A component of Kubeflow has no place for the role of its step.",
    }

    @property
    def as_notebooks(self) -> bool:
        return str(self.options.get("as_notebooks", "")).lower() in ("true", "yes", "1")

    def files(self, export: Export) -> Iterator[ExportedFile]:
        yield ExportedFile.code(export, "kubeflow_pipeline.py", self._program(export))
        yield ExportedFile.code(export, "Dockerfile", dockerfile(export, has_engine=True))
        if self.as_notebooks:
            yield from step_notebooks(export, run='"artifacts"', retries="local_retries")
        else:
            yield ExportedFile.code(export, "kubeflow_pipeline.yaml", self._yaml(export))

    def gaps(self, export: Export) -> Iterator[str]:
        yield from super().gaps(export)
        if self.as_notebooks:
            yield from gaps_of_notebooks(export)
            yield "The YAML with embedded notebooks is compiled by `python kubeflow_pipeline.py`."

    def section(self, export: Export) -> str:
        return f"""\
## Run it on Kubeflow Pipelines

Build the image, push it as `{self.image(export)}`, and submit `kubeflow_pipeline.yaml`; `python
kubeflow_pipeline.py` compiles it again. Tasks share what they leave through the URL below which
`{export.name.upper()}_ARTIFACTS` says, or that the parameter `artifacts` names for one run.

On this machine, without a cluster:

```sh
.venv/bin/pip install -r requirements-engine.txt
.venv/bin/python kubeflow_pipeline.py run '{{"artifacts": "artifacts"}}'
```
"""

    def prove(self, bench: Workbench) -> None:
        given: dict[str, Any] = {}
        arguments = _Arguments(bench.export)
        for each in bench.export.parameters:
            if each.name in bench.parameters:
                value = bench.parameters[each.name]
                given[each.name] = value if is_scalar(each) or isinstance(value, str) else json.dumps(value)
        given[arguments.artifacts] = str(bench.artifacts)
        bench.run([bench.engine, "kubeflow_pipeline.py", "run", json.dumps(given)])

    # -- Python -----------------------------------------------------------------------------------

    def _program(self, export: Export) -> str:
        names = _component_names(export)
        arguments = _Arguments(export)
        pipeline = free_name(export.name, {*TAKEN, *names.values()})
        head = call(
            f"def {pipeline}(",
            [f'{arguments.artifacts}: str = ""', *(_argument(each) for each in export.parameters)],
            "):",
        )
        components = "\n\n".join(
            self._component(export, step, names[step.name]) for step in export.steps
        ).rstrip()
        tasks = "".join(self._task(export, step, names) for step in export.steps)
        notebooks = "import os\n" if self.as_notebooks else ""
        here = "\nos.chdir(os.path.dirname(os.path.abspath(__file__)))\n" if self.as_notebooks else ""
        return f'''\
"""{sentence(export.title)} On Kubeflow Pipelines.

``python kubeflow_pipeline.py`` compiles it to YAML; ``python kubeflow_pipeline.py run '{{"NAME": VALUE}}'``
runs it here.
"""

import json
{notebooks}import sys

from kfp import compiler, dsl, local

IMAGE = {literal(self.image(export))}
{here}

{components}


@dsl.pipeline(name={literal(export.distribution)}, description={described(export.title)})
{head}
{tasks}

if __name__ == "__main__":
    if sys.argv[1:2] == ["run"]:
        local.init(local.SubprocessRunner(use_venv=False), pipeline_root=".kubeflow")
        {pipeline}(**json.loads(sys.argv[2] if len(sys.argv) > 2 else "{{}}"))
    else:
        compiler.Compiler().compile({pipeline}, "kubeflow_pipeline.yaml")
'''

    def _component(self, export: Export, step: ExportedStep, name: str) -> str:
        return f"{self._decorator(export, step)}\n{_function(export, step, name, self.as_notebooks)}"

    def _decorator(self, export: Export, step: ExportedStep) -> str:
        if self.as_notebooks:
            given = [f"notebook_path={literal(notebook_path(export, step))}", "base_image=IMAGE"]
            return call(
                "@dsl.notebook_component(", [*given, "packages_to_install=[]", "install_kfp_package=False"]
            )
        return "@dsl.component(base_image=IMAGE, install_kfp_package=False)"

    def _task(self, export: Export, step: ExportedStep, names: Mapping[str, str]) -> str:
        arguments = _Arguments(export)
        taken = [
            f"{arguments.artifacts}={arguments.artifacts}",
            f"{arguments.run}=dsl.PIPELINE_JOB_ID_PLACEHOLDER",
        ]
        taken += [f"{each.name}={each.name}" for each in used_parameters(export, step)]
        task = _variable(names[step.name], export)
        lines = [call(f"{task} = {names[step.name]}(", taken, indent=4)]
        if step.parents:
            parents = [_variable(names[parent], export) for parent in step.parents]
            lines.append(call(f"{task}.after(", parents, indent=4))
        if step.retries:
            lines.append(f"    {task}.set_retry({step.retries})")
        wanted = self.resources(step)
        if wanted.cpu:
            lines.append(f"    {task}.set_cpu_limit({literal(wanted.cpu)})")
        if wanted.memory:
            lines.append(f"    {task}.set_memory_limit({literal(wanted.memory)})")
        if wanted.gpu:
            lines.append(
                f'    {task}.set_accelerator_type("nvidia.com/gpu").set_accelerator_limit({wanted.gpu})'
            )
        lines.append(f"    {task}.set_caching_options(False)")
        return "\n".join(lines) + "\n"

    # -- YAML -------------------------------------------------------------------------------------

    def _yaml(self, export: Export) -> str:
        import yaml

        names = _component_names(export)
        document = {
            "components": {
                f"comp-{dashed(names[step.name])}": {
                    "executorLabel": f"exec-{dashed(names[step.name])}",
                    "inputDefinitions": {"parameters": _inputs(export, step)},
                }
                for step in export.steps
            },
            "deploymentSpec": {
                "executors": {
                    f"exec-{dashed(names[step.name])}": {
                        "container": self._container(export, step, names[step.name])
                    }
                    for step in export.steps
                }
            },
            "pipelineInfo": {"description": " ".join(export.title.split()), "name": export.distribution},
            "root": {
                "dag": {
                    "tasks": {
                        dashed(names[step.name]): _task_spec(export, step, names) for step in export.steps
                    }
                },
                "inputDefinitions": {
                    "parameters": {
                        _Arguments(export).artifacts: _definition("STRING", ""),
                        **{each.name: _parameter(each) for each in export.parameters},
                    }
                },
            },
            "schemaVersion": "2.1.0",
            "sdkVersion": f"kfp-{KFP}",
        }
        return str(yaml.safe_dump(document, sort_keys=True, allow_unicode=False))

    def _container(self, export: Export, step: ExportedStep, name: str) -> dict[str, Any]:
        source = _function(export, step, name, False)
        program = (
            f"\nimport kfp\nfrom kfp import dsl\nfrom kfp.dsl import *\nfrom typing import *\n\n{source}\n"
        )
        container: dict[str, Any] = {
            "args": ["--executor_input", "{{$}}", "--function_to_execute", name],
            "command": ["sh", "-ec", COMMAND, program],
            "image": self.image(export),
        }
        wanted = self.resources(step)
        if wanted:
            said: dict[str, Any] = {}
            if wanted.cpu:
                said |= {"cpuLimit": float(wanted.cpu), "resourceCpuLimit": wanted.cpu}
            if wanted.memory_bytes:
                said |= {"memoryLimit": wanted.memory_bytes / 10**9, "resourceMemoryLimit": wanted.memory}
            if wanted.gpu:
                said["accelerator"] = {
                    "count": wanted.gpu,
                    "resourceCount": wanted.gpu,
                    "resourceType": "nvidia.com/gpu",
                    "type": "nvidia.com/gpu",
                }
            container["resources"] = said
        return container


class _Arguments:
    """Names of what a component takes beside the parameters, which may have the same name."""

    def __init__(self, export: Export) -> None:
        taken = {each.name for each in export.parameters}
        self.artifacts = free_name("artifacts", taken)
        self.run = free_name("run", {*taken, self.artifacts})


def _component_names(export: Export) -> dict[str, str]:
    return free_names(
        (step.name for step in export.steps),
        {*TAKEN, *(each.name for each in export.parameters), export.name},
        dashed,
    )


def _variable(component: str, export: Export) -> str:
    return free_name(f"{component}_task", {each.name for each in export.parameters})


def _argument(parameter: Parameter) -> str:
    if is_scalar(parameter):
        return f"{parameter.name}: {parameter.type} = {literal(parameter.default)}"
    return f'{parameter.name}: str = ""'  # JSON; nothing: the notebook's default.


def _function(export: Export, step: ExportedStep, name: str, as_notebook: bool) -> str:
    own = _Arguments(export)
    parameters = used_parameters(export, step)
    head = call(
        f"def {name}(", [f"{own.artifacts}: str", f"{own.run}: str", *map(_argument, parameters)], "):"
    )
    taken = {each.name: each.name for each in parameters}
    folder = f"artifacts={own.artifacts} or run_folder({own.run})"
    lines = [head, f'    """{sentence(step.title)}"""']
    if as_notebook:
        lines += [f"    from {export.name}.task import run_folder", ""]
        said = [f"{variables(export)[each]}={each}" for each in taken]
        lines.append(call("dsl.run_notebook(", [folder, *said], indent=4))
        return "\n".join(lines) + "\n"
    lines += [f"    from {export.name}.task import run_folder, run_task", ""]
    arguments = [literal(step.name), folder]
    arguments += [f"parameters={mapping(taken)}"] if taken else []
    arguments += [f"timeout_seconds={step.timeout_seconds:g}"] if step.timeout_seconds is not None else []
    arguments += [f"local_retries={step.retries}"] if step.retries else []
    lines.append(call("run_task(", arguments, indent=4))
    return "\n".join(lines) + "\n"


def _definition(kind: str, value: Any) -> dict[str, Any]:
    return {"defaultValue": value, "isOptional": True, "parameterType": kind}


def _parameter(parameter: Parameter) -> dict[str, Any]:
    if not is_scalar(parameter):
        return _definition("STRING", "")
    value = float(parameter.default) if parameter.type == "int" else parameter.default
    return _definition(TYPES.get(parameter.type, "STRING"), value)


def _inputs(export: Export, step: ExportedStep) -> dict[str, Any]:
    own = _Arguments(export)
    given = {name: {"parameterType": "STRING"} for name in (own.artifacts, own.run)}
    return given | {each.name: _parameter(each) for each in used_parameters(export, step)}


def _task_spec(export: Export, step: ExportedStep, names: Mapping[str, str]) -> dict[str, Any]:
    own = _Arguments(export)
    passed = [own.artifacts, *(each.name for each in used_parameters(export, step))]
    parameters: dict[str, Any] = {name: {"componentInputParameter": name} for name in passed}
    parameters[own.run] = {"runtimeValue": {"constant": "{{$.pipeline_job_uuid}}"}}
    said: dict[str, Any] = {
        "cachingOptions": {},
        "componentRef": {"name": f"comp-{dashed(names[step.name])}"},
        "inputs": {"parameters": parameters},
        "taskInfo": {"name": dashed(names[step.name])},
    }
    if step.parents:
        said["dependentTasks"] = sorted(dashed(names[parent]) for parent in step.parents)
    if step.retries:
        said["retryPolicy"] = {
            "backoffDuration": "0s",
            "backoffFactor": 2.0,
            "backoffMaxDuration": "3600s",
            "maxRetryCount": step.retries,
        }
    return said


EXPORTER = KubeflowExporter()
