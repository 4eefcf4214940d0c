"""Target `zenml`: a ZenML pipeline, ``zenml_pipeline.py``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from jupyterlab_pipelines.export.base import Export, ExportedFile, ExportedStep, literal
from jupyterlab_pipelines.export.engines import (
    Engine,
    annotation,
    call,
    default,
    free_name,
    free_names,
    is_scalar,
    mapping,
    megabytes,
    scratch,
    sentence,
    used_parameters,
    words,
)
from jupyterlab_pipelines.export.proof import Workbench
from jupyterlab_pipelines.pipeline import RESOURCES, Parameter

TAKEN = words(
    """
    Annotated DockerSettings ResourceSettings StepRetryConfig get_step_context json pipeline place
    run_folder run_task step sys settings
    """
)


class ZenMLExporter(Engine):
    name = "zenml"
    summary = "a ZenML pipeline"
    engine = ("zenml[local]==0.98.0",)
    known_options = ("image", *RESOURCES)
    lacks: Mapping[str, str] = {
        "timeout": "ZenML has no timeout for a step: the task itself stops it.",
        "schedule": (
            "A schedule is no part of a ZenML pipeline: it belongs to the orchestrator of the stack that runs it."
        ),
    }

    @property
    def title(self) -> str:
        return "ZenML"

    def files(self, export: Export) -> Iterator[ExportedFile]:
        yield ExportedFile.code(export, "zenml_pipeline.py", self._program(export))

    def gaps(self, export: Export) -> Iterator[str]:
        yield from super().gaps(export)
        if any(_is_replaced(each) for each in export.parameters):
            yield (
                "ZenML replaces `${NAME}` in the values of parameters by environment variables; the notebook's "
                "defaults stay as they are."
            )

    def section(self, export: Export) -> str:
        return f"""\
## Run it on ZenML

```sh
.venv/bin/pip install -r requirements-engine.txt
.venv/bin/zenml init
.venv/bin/python zenml_pipeline.py '{{"artifacts": "artifacts"}}'
```

The JSON replaces parameters. Steps share what they leave through the folder or URL that `artifacts` names
(default: one for each run below `{export.name.upper()}_ARTIFACTS`); ZenML keeps where each step's manifest is.
Stacks with containers use the image `{self.image(export)}`, in which ZenML must be installed, too.
"""

    def prove(self, bench: Workbench) -> None:
        home = scratch(bench, "zenml")
        parameters = {each.name: each for each in bench.export.parameters}
        given: dict[str, Any] = {_own(bench.export): str(bench.artifacts)}
        for name, value in bench.parameters.items():
            is_plain = is_scalar(parameters[name]) or isinstance(value, str)
            given[name] = value if is_plain else json.dumps(value)
        environment = {
            "ZENML_CONFIG_PATH": str(home),
            "ZENML_ANALYTICS_OPT_IN": "false",
            "ZENML_DISABLE_CLIENT_SERVER_MISMATCH_WARNING": "true",
            "AUTO_OPEN_DASHBOARD": "false",
        }
        (bench.folder / ".zen").mkdir(exist_ok=True)
        bench.run([bench.engine, "zenml_pipeline.py", json.dumps(given)], environment=environment)

    def _program(self, export: Export) -> str:
        own = _own(export)
        names = free_names(
            (step.name for step in export.steps),
            {*TAKEN, *(each.name for each in export.parameters), export.name},
        )
        whole = free_name(export.name, {*TAKEN, *names.values()})
        parameters = {each.name for each in export.parameters}
        taken = [
            f'{own}: str = ""',
            *(f"{e.name}: {_annotation(e)} = {_default(e)}" for e in export.parameters),
        ]
        steps = "".join(self._step(export, step, names[step.name], own) for step in export.steps)
        calls = "".join(self._call(export, step, names, own, parameters) for step in export.steps)
        imported = ["ResourceSettings"] if any(self.resources(step) for step in export.steps) else []
        configured = ", ".join(["DockerSettings", *imported])
        retry = (
            "from zenml.config.retry_config import StepRetryConfig\n"
            if any(s.retries for s in export.steps)
            else ""
        )
        return f'''\
"""{sentence(export.title)} On ZenML: ``python zenml_pipeline.py '{{"NAME": VALUE}}'``."""

import json
import sys
from typing import Annotated

from zenml import get_step_context, pipeline, step
from zenml.config import {configured}
{retry}
from {export.name}.task import run_folder, run_task


def place(artifacts: str) -> str:
    """The folder of this run."""
    return artifacts or run_folder(str(get_step_context().pipeline_run.id))


{steps}@pipeline(
    enable_cache=False,
    settings={{"docker": DockerSettings(parent_image={literal(self.image(export))}, skip_build=True)}},
)
{call(f"def {whole}(", taken, ") -> None:")}
    """{sentence(export.title)}"""
{calls}

if __name__ == "__main__":
    {whole}(**json.loads(sys.argv[1] if len(sys.argv) > 1 else "{{}}"))
'''

    def _step(self, export: Export, step: ExportedStep, name: str, own: str) -> str:
        said: list[str] = []
        if step.retries:
            said.append(f"retry=StepRetryConfig(max_retries={step.retries}, delay=1)")
        wanted = self.resources(step)
        if wanted:
            fields = [f"cpu_count={wanted.cpu}"] if wanted.cpu else []
            fields += [f"gpu_count={wanted.gpu}"] if wanted.gpu else []
            fields += [f'memory="{megabytes(wanted)}MiB"'] if wanted.memory else []
            said.append(f'settings={{"resources": ResourceSettings({", ".join(fields)})}}')
        if step.role:
            said.append(f'extra={{"role": {literal(str(step.role))}}}')
        parameters = used_parameters(export, step)
        signature = [f"{own}: str", *(f"{each.name}: {_annotation(each)}" for each in parameters)]
        arguments = [literal(step.name), f"artifacts=place({own})"]
        if parameters:
            arguments.append(f"parameters={mapping({each.name: each.name for each in parameters})}")
        if step.timeout_seconds is not None:
            arguments.append(f"timeout_seconds={step.timeout_seconds:g}")
        decorator = call("@step(", said) if said else "@step"
        head = call(f"def {name}(", signature, f') -> Annotated[str, "{step.name}_manifest"]:')
        body = call("return run_task(", arguments, indent=4)
        return f'{decorator}\n{head}\n    """{sentence(step.title)}"""\n{body}\n\n\n'

    def _call(
        self, export: Export, step: ExportedStep, names: dict[str, str], own: str, parameters: set[str]
    ) -> str:
        given = [f"{own}={own}", *(f"{each.name}={each.name}" for each in used_parameters(export, step))]
        if step.parents:
            given.append(f"after=[{', '.join(literal(names[parent]) for parent in step.parents)}]")
        return call(f"{names[step.name]}(", [*given, f"id={literal(names[step.name])}"], indent=4) + "\n"


def _is_replaced(parameter: Parameter) -> bool:
    """Whether ZenML would change the default."""
    return isinstance(parameter.default, str) and "${" in parameter.default


def _annotation(parameter: Parameter) -> str:
    return "str | None" if _is_replaced(parameter) else annotation(parameter)


def _default(parameter: Parameter) -> str:
    return "None" if _is_replaced(parameter) else default(parameter)


def _own(export: Export) -> str:
    """The parameter that says where a run leaves its artifacts."""
    return free_name("artifacts", {each.name for each in export.parameters})


EXPORTER = ZenMLExporter()
