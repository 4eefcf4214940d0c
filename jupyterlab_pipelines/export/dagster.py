"""Target `dagster`: a software-defined asset for each step, ``dagster_definitions.py``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from jupyterlab_pipelines.export.base import Export, ExportedFile, ExportedStep, literal
from jupyterlab_pipelines.export.engines import (
    Engine,
    annotation,
    call,
    container_limits,
    default,
    free_name,
    free_names,
    is_scalar,
    mapping,
    scratch,
    sentence,
    used_parameters,
    words,
)
from jupyterlab_pipelines.export.proof import Workbench
from jupyterlab_pipelines.pipeline import RESOURCES

TAKEN = words("Run dg run_task run_folder run json context definitions job schedule")

FIELDS = words(
    """
    copy dict json schema validate construct fields config process_config_and_initialize
    """
)
"""Names that a model of pydantic has for itself."""


class DagsterExporter(Engine):
    name = "dagster"
    summary = "Dagster assets with a job"
    engine = ("dagster==1.13.27",)
    known_options = RESOURCES
    lacks: Mapping[str, str] = {
        "timeout": "Dagster has no timeout for an asset: the asset itself stops its step.",
        "resources": "Dagster gives an asset the resources that it asks for where its job runs on Kubernetes.",
    }

    def files(self, export: Export) -> Iterator[ExportedFile]:
        yield ExportedFile.code(export, "dagster_definitions.py", self._definitions(export))

    def gaps(self, export: Export) -> Iterator[str]:
        yield from super().gaps(export)
        for name, field in _fields(export).items():
            if name != field:
                yield f"The parameter `{name}` is the field `{field}` of Dagster's run configuration."

    @property
    def title(self) -> str:
        return "Dagster"

    def section(self, export: Export) -> str:
        return f"""\
## Run it on Dagster

```sh
.venv/bin/pip install -r requirements-engine.txt
.venv/bin/dagster job execute -f dagster_definitions.py -j {export.name}
```

Parameters are the configuration of the resource `run`, in a file that `-c` names:

```yaml
resources:
  run:
    config: {{}}  # n: 8
```

An asset is what its step last left, so all runs leave it in one place: the folder or URL that `artifacts` of the same
configuration or `{export.name.upper()}_ARTIFACTS` says.
"""

    def prove(self, bench: Workbench) -> None:
        home = scratch(bench, "dagster")
        (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n", encoding="utf-8")
        fields = _fields(bench.export)
        parameters = {each.name: each for each in bench.export.parameters}
        given: dict[str, Any] = {"artifacts": str(bench.artifacts)}
        for name, value in bench.parameters.items():
            is_plain = is_scalar(parameters[name]) or isinstance(value, str)
            given[fields[name]] = value if is_plain else json.dumps(value)
        # The engine's own executor starts a process for each asset, which only costs time here.
        config = {
            "resources": {"run": {"config": given}},
            "execution": {"config": {"in_process": {}}},
        }
        (home / "run.yaml").write_text(json.dumps(config), encoding="utf-8")
        command = [str(bench.engine), "-m", "dagster", "job", "execute", "-f", "dagster_definitions.py"]
        bench.run(
            [*command, "-j", bench.export.name, "-c", str(home / "run.yaml")],
            environment={"DAGSTER_HOME": str(home)},
        )

    def _definitions(self, export: Export) -> str:
        names = free_names((step.name for step in export.steps), TAKEN)
        fields = _fields(export)
        parameters = "".join(
            f"    {fields[each.name]}: {annotation(each)} = {default(each)}"
            f"{f'  # {each.comment}' if each.comment else ''}\n"
            for each in export.parameters
        )
        assets = "".join(self._asset(export, step, names, fields) for step in export.steps)
        schedule = export.schedule
        timed = (
            f"schedule = dg.ScheduleDefinition(job=job, cron_schedule={literal(schedule)})\n"
            if schedule
            else ""
        )
        schedules = ", schedules=[schedule]" if schedule else ""
        listed = call(
            "definitions = dg.Definitions(",
            [
                f"assets=[{', '.join(names[step.name] for step in export.steps)}]",
                "jobs=[job]",
                *(["schedules=[schedule]"] if schedules else []),
                'resources={"run": Run()}',
            ],
        )
        return f'''\
"""{sentence(export.title)} On Dagster: ``dagster job execute -f dagster_definitions.py -j {export.name}``."""

import os

import dagster as dg

from {export.name}.task import run_task


class Run(dg.ConfigurableResource):
    """Where the assets are, and the parameters of the pipeline."""

    artifacts: str = os.environ.get("{export.name.upper()}_ARTIFACTS", "artifacts")
{parameters}

{assets}job = dg.define_asset_job({literal(export.name)}, selection="*")
{timed}{listed}
'''

    def _asset(
        self, export: Export, step: ExportedStep, names: dict[str, str], fields: dict[str, str]
    ) -> str:
        said = [f"name={literal(step.name)}"] if names[step.name] != step.name else []
        if step.parents:
            said.append(f"deps=[{', '.join(names[parent] for parent in step.parents)}]")
        said.append(f"group_name={literal(export.name)}")
        said.append(f"code_version={literal(step.version)}")
        said += [f"retry_policy=dg.RetryPolicy(max_retries={step.retries})"] if step.retries else []
        said += [f'tags={{"role": {literal(str(step.role))}}}'] if step.role else []
        limits = container_limits(self.resources(step))
        if limits:
            config = {"container_config": {"resources": {"limits": limits, "requests": limits}}}
            said.append(f"op_tags={literal({'dagster-k8s/config': config})}")
        taken = {each.name: f"run.{fields[each.name]}" for each in used_parameters(export, step)}
        arguments = [literal(step.name), "artifacts=run.artifacts"]
        arguments += [f"parameters={mapping(taken)}"] if taken else []
        if step.timeout_seconds is not None:
            arguments.append(f"timeout_seconds={step.timeout_seconds:g}")
        return (
            f"{call('@dg.asset(', said)}\n"
            f"def {names[step.name]}(run: Run) -> dg.MaterializeResult:\n"
            f'    """{sentence(step.title)}"""\n'
            f"{call('manifest = run_task(', arguments, indent=4)}\n"
            f'    return dg.MaterializeResult(metadata={{"manifest": manifest}})\n\n\n'
        )


def _fields(export: Export) -> dict[str, str]:
    """By parameter, its field of the run's configuration, which may have no underscore in front."""
    plain = {each.name: each.name.lstrip("_") or "value" for each in export.parameters}
    chosen: dict[str, str] = {}
    for name, field in plain.items():
        is_taken = field.startswith("model_") or field in FIELDS
        wanted = f"parameter_{field}" if is_taken else field
        chosen[name] = free_name(wanted, {"artifacts", *chosen.values()})
    return chosen


EXPORTER = DagsterExporter()
