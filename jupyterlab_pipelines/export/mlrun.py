"""Target `mlrun`: an MLRun project, with handlers in ``mlrun_steps.py`` and a workflow in ``mlrun_workflow.py``.

Without its service, MLRun waits for a failed step of a local workflow without end, and a failed local run is no error.
So the program that starts the workflow here stops it at once, and the workflow looks at the state of each step.
"""

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
    scratch,
    sentence,
    used_parameters,
    words,
)
from jupyterlab_pipelines.export.proof import Workbench
from jupyterlab_pipelines.pipeline import RESOURCES

TAKEN = words(
    """
    context finished json mlrun os pipeline project run_folder run_task sys str int float bool steps
    """
)


class MLRunExporter(Engine):
    name = "mlrun"
    summary = "an MLRun project with a workflow"
    engine = ("mlrun==1.12.1", "setuptools<81")
    known_options = ("image", *RESOURCES)
    lacks: Mapping[str, str] = {
        "retries": "MLRun's local runs have no retries: the task itself repeats its step.",
        "timeout": "MLRun's local runs have no timeouts: the task itself stops its step.",
    }

    @property
    def title(self) -> str:
        return "MLRun"

    def files(self, export: Export) -> Iterator[ExportedFile]:
        yield ExportedFile.code(export, "mlrun_steps.py", self._steps(export))
        yield ExportedFile.code(export, "mlrun_workflow.py", self._workflow(export))
        yield ExportedFile.code(export, "project.yaml", self._project(export))

    def section(self, export: Export) -> str:
        return f"""\
## Run it on MLRun

```sh
.venv/bin/pip install -r requirements-engine.txt
.venv/bin/python mlrun_workflow.py '{{"artifacts": "artifacts"}}'
```

That runs the workflow here, without MLRun's service. With it, load the project and run its workflow:
`mlrun.load_project(".").run("main", arguments={{…}})`. Functions use the image `{self.image(export)}`, in which
MLRun must be installed, too; steps share what they leave through the folder or URL that `artifacts` names.
"""

    def prove(self, bench: Workbench) -> None:
        home = scratch(bench, "mlrun")
        parameters = {each.name: each for each in bench.export.parameters}
        given: dict[str, Any] = {_own(bench.export): str(bench.artifacts)}
        for name, value in bench.parameters.items():
            is_plain = is_scalar(parameters[name]) or isinstance(value, str)
            given[name] = value if is_plain else json.dumps(value)
        bench.run(
            [bench.engine, "mlrun_workflow.py", json.dumps(given)],
            environment={"MLRUN_DBPATH": "", "MLRUN_ARTIFACT_PATH": str(home), "HOME": str(home)},
        )

    def _steps(self, export: Export) -> str:
        names = _names(export)
        functions = "\n\n".join(self._function(export, step, names[step.name]) for step in export.steps)
        return f'''\
"""{sentence(export.title)} The handlers of MLRun, one for each step."""

import mlrun

from {export.name}.task import run_task


{functions}'''

    def _function(self, export: Export, step: ExportedStep, name: str) -> str:
        own = _own(export)
        parameters = used_parameters(export, step)
        given = [f"{each.name}: {annotation(each)} = {default(each)}" for each in parameters]
        arguments = [literal(step.name), f"artifacts={own}"]
        if parameters:
            arguments.append(f"parameters={mapping({each.name: each.name for each in parameters})}")
        if step.timeout_seconds is not None:
            arguments.append(f"timeout_seconds={step.timeout_seconds:g}")
        arguments += [f"retries={step.retries}"] if step.retries else []
        head = call(f"def {name}(", ["context: mlrun.MLClientCtx", f"{own}: str", *given], ") -> None:")
        return (
            f'{head}\n    """{sentence(step.title)}"""\n{call("manifest = run_task(", arguments, indent=4)}\n'
            f'    context.log_result("manifest", manifest)\n'
        )

    def _workflow(self, export: Export) -> str:
        own, names = _own(export), _names(export)
        head = call(
            "def pipeline(",
            [f'{own}: str = ""', *(f"{e.name}: {annotation(e)} = {default(e)}" for e in export.parameters)],
            ") -> None:",
        )
        calls = ""
        for step in export.steps:
            given = {own: own} | {each.name: each.name for each in used_parameters(export, step)}
            said = [literal(names[step.name]), mapping(given)]
            if step.parents:
                before = ", ".join(f"{names[parent]}_run" for parent in step.parents)
                said.append(f"after=({before}{',' * (len(step.parents) == 1)})")
            said += [f"role={literal(str(step.role))}"] if step.role else []
            wanted = self.resources(step)
            if wanted:
                asked = {"mem": wanted.memory, "cpu": wanted.cpu, "gpus": wanted.gpu and int(wanted.gpu)}
                said.append(f"limits={literal({name: value for name, value in asked.items() if value})}")
            is_needed = any(step.name in other.parents for other in export.steps)
            kept = f"{names[step.name]}_run = " if is_needed else ""
            calls += call(f"{kept}run_step(", said, indent=4) + "\n"
        return f'''\
"""{sentence(export.title)} The workflow of MLRun; ``python mlrun_workflow.py '{{"NAME": VALUE}}'`` runs it here."""

import json
import sys
import uuid
from typing import Any

import mlrun

from {export.name}.task import run_folder


def run_step(
    handler: str,
    parameters: dict[str, Any],
    after: tuple[Any, ...] = (),
    role: str | None = None,
    limits: dict[str, Any] | None = None,
) -> Any:
    """Run a step; where it ends here and now, make sure that it ended well."""
    function = mlrun.get_current_project().get_function("steps", copy_function=True)
    if limits:
        function.with_limits(**limits)
    run = mlrun.run_function(
        function,
        handler=handler,
        name=handler.strip("_").replace("_", "-").lower(),
        params=parameters,
        labels={{"role": role}} if role else None,
        local=True if __name__ == "__main__" else None,
    )
    if not isinstance(run, mlrun.RunObject):
        return run.after(*after)
    if run.state() != "completed":
        raise RuntimeError(f"Step {{handler}} ended as {{run.state()}}.")
    return run


{head}
    {own} = {own} or run_folder(uuid.uuid4().hex)
{calls}

if __name__ == "__main__":
    project = mlrun.load_project(".", name={literal(export.distribution)}, save=False, sync_functions=True)
    mlrun.projects.pipelines.pipeline_context.set(project)
    pipeline(**json.loads(sys.argv[1] if len(sys.argv) > 1 else "{{}}"))
'''

    def _project(self, export: Export) -> str:
        import yaml

        schedule = export.schedule
        document = {
            "kind": "project",
            "metadata": {"name": export.distribution},
            "spec": {
                "description": " ".join(export.title.split()),
                "functions": [
                    {"name": "steps", "url": "mlrun_steps.py", "kind": "job", "image": self.image(export)},
                ],
                "workflows": [
                    {"name": "main", "path": "mlrun_workflow.py", "handler": "pipeline"}
                    | ({"schedule": schedule} if schedule else {})
                ],
            },
        }
        return str(yaml.safe_dump(document, sort_keys=False, allow_unicode=False))


def _names(export: Export) -> dict[str, str]:
    return free_names(
        (step.name for step in export.steps), {*TAKEN, "run_step", *(each.name for each in export.parameters)}
    )


def _own(export: Export) -> str:
    """The parameter that says where a run leaves its artifacts."""
    return free_name("artifacts", {each.name for each in export.parameters})


EXPORTER = MLRunExporter()
