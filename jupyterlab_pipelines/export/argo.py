"""Target `argo`: Argo Workflows, ``workflow.yaml``, and the program of Hera that renders the same.

Each template calls ``python -m NAME run-step STEP`` in the package's image; what steps leave goes through a URL, or a
volume that the workflow asks for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from jupyterlab_pipelines.errors import ExportError
from jupyterlab_pipelines.export.base import Export, ExportedFile, ExportedStep, literal
from jupyterlab_pipelines.export.engines import (
    Engine,
    call,
    container_limits,
    dashed,
    free_name,
    free_names,
    given_words,
    is_scalar,
    seconds,
    sentence,
    used_parameters,
    words,
)
from jupyterlab_pipelines.export.proof import RUN_SECONDS, Workbench
from jupyterlab_pipelines.pipeline import RESOURCES

TAKEN = words(
    """
    DAG Container CronWorkflow ExistingVolume Parameter Resources RetryStrategy Volume Workflow
    WorkflowTemplate w IMAGE
    """
)

FOLDER = "/srv/artifacts"


class ArgoExporter(Engine):
    name = "argo"
    summary = "an Argo workflow as YAML, and the Hera program that renders it"
    engine = ("hera==7.1.0", "pyyaml>=6")
    known_options = ("image", *RESOURCES)

    def files(self, export: Export) -> Iterator[ExportedFile]:
        yield ExportedFile.code(export, "argo_workflow.py", self._program(export))
        yield ExportedFile.code(export, "workflow.yaml", self._yaml(export))

    def section(self, export: Export) -> str:
        kind = "cron create" if export.schedule else "submit"
        return f"""\
## Run it on Argo Workflows

Build the image, push it as `{self.image(export)}`, then

```sh
argo {kind} workflow.yaml{"" if export.schedule else " -p artifacts=s3://bucket/runs"}
```

The parameter `artifacts` is the folder or URL below which each run leaves its artifacts. The default is a
volume that the workflow asks for and that ends with it; it must be writable from all nodes, or the pods must
share one node. `python argo_workflow.py` renders the YAML from Hera (`pip install -r requirements-engine.txt`).
"""

    def prove(self, bench: Workbench) -> None:
        """There is no Argo without a cluster: Hera renders the YAML, and its containers are carried out here."""
        rendered = _rendered(bench)
        own = _yaml_of(bench)
        if rendered != own:
            raise ExportError("export_fails", "What Hera renders is not what `workflow.yaml` says.")
        carry_out(bench, own)

    # -- YAML -------------------------------------------------------------------------------------

    def _yaml(self, export: Export) -> str:
        import yaml

        return str(yaml.safe_dump(self.document(export), sort_keys=True, width=110, allow_unicode=False))

    def document(self, export: Export) -> dict[str, Any]:
        """The workflow, as a document of Kubernetes."""
        workflow = {
            "arguments": {"parameters": [_default(name, value) for name, value in _arguments(export)]},
            "entrypoint": _entrypoint(export),
            "templates": [
                *(self._template(export, step) for step in export.steps),
                {
                    "dag": {"tasks": [_task(export, step) for step in export.steps]},
                    "name": _entrypoint(export),
                },
            ],
            "volumeClaimTemplates": [
                {
                    "metadata": {"name": "artifacts"},
                    "spec": {
                        "accessModes": ["ReadWriteOnce"],
                        "resources": {"requests": {"storage": "10Gi"}},
                    },
                }
            ],
        }
        name = export.distribution
        schedule = export.schedule
        if schedule is None:
            return {
                "apiVersion": "argoproj.io/v1alpha1",
                "kind": "Workflow",
                "metadata": {"generateName": f"{name}-"},
                "spec": workflow,
            }
        return {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "CronWorkflow",
            "metadata": {"name": name},
            "spec": {"schedules": [schedule], "workflowSpec": workflow},
        }

    def _template(self, export: Export, step: ExportedStep) -> dict[str, Any]:
        container: dict[str, Any] = {
            "args": _words(export, step),
            "command": ["python"],
            "image": self.image(export),
            "volumeMounts": [{"mountPath": FOLDER, "name": "artifacts"}],
        }
        limits = container_limits(self.resources(step))
        if limits:
            container["resources"] = {"limits": limits, "requests": dict(limits)}
        template: dict[str, Any] = {"container": container, "name": _names(export)[step.name]}
        if step.role:
            template["metadata"] = {"labels": {"role": str(step.role)}}
        if step.retries:
            template["retryStrategy"] = {"limit": str(step.retries), "retryPolicy": "Always"}
        if step.timeout_seconds is not None:
            template["activeDeadlineSeconds"] = seconds(step)
        return template

    # -- Hera -------------------------------------------------------------------------------------

    def _program(self, export: Export) -> str:
        names = free_names((step.name for step in export.steps), TAKEN)
        schedule = export.schedule
        kind = "CronWorkflow" if schedule else "Workflow"
        named = (
            [f"name={literal(export.distribution)}", f"schedules=[{literal(schedule)}]"]
            if schedule
            else [f"generate_name={literal(export.distribution + '-')}"]
        )
        used = {"Container", "DAG", "Parameter", "Volume", kind}
        used |= {"RetryStrategy"} if any(step.retries for step in export.steps) else set()
        used |= {"Resources"} if any(self.resources(step) for step in export.steps) else set()
        arguments = "".join(
            f"        {call('Parameter(', [f'name={literal(n)}', *([] if v is None else [f'value={literal(v)}'])])},\n"
            for n, v in _arguments(export)
        )
        templates = "".join(self._container(export, step, names[step.name]) for step in export.steps)
        tasks = "".join(
            f"        {names[step.name]}_task = {names[step.name]}(name={literal(_names(export)[step.name])})\n"
            for step in export.steps
        )
        order = "".join(
            f"        {names[step.name]}_task.next({names[child.name]}_task)\n"
            for child in export.steps
            for step in export.steps
            if step.name in child.parents
        )
        listed = "".join(
            f"    {name},\n" for name in sorted(used, key=lambda name: (not name.isupper(), name))
        )
        head = "".join(f"    {each},\n" for each in named)
        return f'''\
"""{sentence(export.title)} On Argo Workflows: ``python argo_workflow.py`` prints the workflow as YAML."""

from hera.workflows import (
{listed})

IMAGE = {literal(self.image(export))}


def run_step(name: str, *parameters: str) -> list[str]:
    """The words behind ``python`` that run a step."""
    words = ["-m", {literal(export.name)}, "run-step", name]
    words += ["--artifacts={{{{workflow.parameters.{_own(export)}}}}}/{{{{workflow.name}}}}"]
    return [*words, *(f"--param={{each}}={{{{{{{{workflow.parameters.{{each}}}}}}}}}}" for each in parameters)]


with {kind}(
{head}    entrypoint={literal(_entrypoint(export))},
    arguments=[
{arguments}    ],
) as workflow:
    volume = Volume(name="artifacts", size="10Gi", mount_path={literal(FOLDER)})
{templates}    with DAG(name={literal(_entrypoint(export))}):
{tasks}{order}
if __name__ == "__main__":
    print(workflow.to_yaml())
'''

    def _container(self, export: Export, step: ExportedStep, name: str) -> str:
        taken = [each.name for each in used_parameters(export, step)]
        words = ", ".join(literal(each) for each in (step.name, *taken))
        said = [
            f"name={literal(_names(export)[step.name])}",
            "image=IMAGE",
            'command=["python"]',
            f"args=run_step({words})",
        ]
        said.append("volumes=[volume]")
        wanted = self.resources(step)
        if wanted:
            fields = (
                [f"cpu_request={_number(wanted.cpu)}, cpu_limit={_number(wanted.cpu)}"] if wanted.cpu else []
            )
            if wanted.memory:
                fields.append(
                    f"memory_request={literal(wanted.memory)}, memory_limit={literal(wanted.memory)}"
                )
            fields += [f"gpus={wanted.gpu}"] if wanted.gpu else []
            said.append(f"resources=Resources({', '.join(fields)})")
        if step.role:
            said.append(f'labels={{"role": {literal(str(step.role))}}}')
        if step.retries:
            limit = literal(str(step.retries))
            said.append(f'retry_strategy=RetryStrategy(limit={limit}, retry_policy="Always")')
        if step.timeout_seconds is not None:
            said.append(f"active_deadline_seconds={seconds(step)}")
        return call(f"{name} = Container(", said, indent=4) + "\n"


def _rendered(bench: Workbench) -> Any:
    """What Hera renders."""
    import yaml

    target = bench.artifacts.with_name("rendered.yaml")
    bench.run(
        [
            bench.engine,
            "-c",
            f"import argo_workflow as a; open({str(target)!r}, 'w').write(a.workflow.to_yaml())",
        ],
        environment={"PYTHONPATH": str(bench.folder)},
    )
    return yaml.safe_load(target.read_text(encoding="utf-8"))


def _yaml_of(bench: Workbench) -> Any:
    import yaml

    return yaml.safe_load((bench.folder / "workflow.yaml").read_text(encoding="utf-8"))


def carry_out(bench: Workbench, document: Any) -> None:
    """Carry out a workflow's containers on this machine, each after those that it depends on.

    Raises
    ------
    ExportError
        ``export_fails``: a container fails, as often as its template says that it is tried again.
    """
    spec = document["spec"].get("workflowSpec", document["spec"])
    values = {each["name"]: each.get("value", "") for each in spec["arguments"]["parameters"]}
    values[_own(bench.export)] = str(bench.artifacts.parent)
    for word in given_words(bench, "{name}={value}"):
        name, _, value = word.partition("=")
        values[name] = value
    said = {"workflow.name": bench.artifacts.name}
    said |= {f"workflow.parameters.{name}": str(value) for name, value in values.items()}
    templates = {each["name"]: each for each in spec["templates"]}
    done: set[str] = set()
    waiting = list(templates[spec["entrypoint"]]["dag"]["tasks"])
    while waiting:
        task = next(each for each in waiting if set(_parents(each)) <= done)
        _carry_out_template(bench, templates[task["template"]], said)
        waiting.remove(task)
        done.add(task["name"])


def _parents(task: dict[str, Any]) -> list[str]:
    return [each.strip() for each in (task.get("depends") or "").split("&&") if each.strip()]


def _carry_out_template(bench: Workbench, template: dict[str, Any], said: dict[str, str]) -> None:
    words = list(template["container"]["args"])
    for name, value in said.items():
        words = [word.replace("{{" + name + "}}", value) for word in words]
    deadline = template.get("activeDeadlineSeconds", RUN_SECONDS)
    tries = 1 + int(template.get("retryStrategy", {}).get("limit", 0))
    for attempt in range(tries):
        try:
            return bench.run([bench.python, *words], timeout_seconds=deadline)
        except ExportError:
            if attempt == tries - 1:
                raise


def _entrypoint(export: Export) -> str:
    return free_name("pipeline", {_names(export)[step.name] for step in export.steps})


def _own(export: Export) -> str:
    """The parameter that says where runs leave their artifacts."""
    return free_name("artifacts", {each.name for each in export.parameters})


def _arguments(export: Export) -> Iterator[tuple[str, str]]:
    yield _own(export), FOLDER
    for each in export.parameters:
        value = each.default
        text = "" if not is_scalar(each) else value if isinstance(value, str) else json.dumps(value)
        yield each.name, text


def _default(name: str, value: str) -> dict[str, Any]:
    return {"name": name, "value": value}


def _words(export: Export, step: ExportedStep) -> list[str]:
    words = ["-m", export.name, "run-step", step.name]
    words.append(f"--artifacts={{{{workflow.parameters.{_own(export)}}}}}/{{{{workflow.name}}}}")
    for each in used_parameters(export, step):
        words.append(f"--param={each.name}={{{{workflow.parameters.{each.name}}}}}")
    return words


def _task(export: Export, step: ExportedStep) -> dict[str, Any]:
    task: dict[str, Any] = {"name": _names(export)[step.name], "template": _names(export)[step.name]}
    if step.parents:
        task["depends"] = " && ".join(
            _names(export)[each.name] for each in export.steps if each.name in step.parents
        )
    return task


def _number(text: str | None) -> str:
    try:
        return str(int(text or ""))
    except ValueError:
        return literal(text)


def _names(export: Export) -> dict[str, str]:
    """By step, its template."""
    return {
        name: dashed(free)
        for name, free in free_names((step.name for step in export.steps), (), dashed).items()
    }


EXPORTER = ArgoExporter()
