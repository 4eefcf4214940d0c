"""Target `airflow`: Apache Airflow 3, a DAG of Python tasks, ``dags/NAME_dag.py``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from jupyterlab_pipelines.export.base import Export, ExportedFile, ExportedStep, literal
from jupyterlab_pipelines.export.engines import (
    Engine,
    call,
    described,
    free_name,
    free_names,
    is_scalar,
    mapping,
    megabytes,
    scratch,
    seconds,
    sentence,
    used_parameters,
    words,
)
from jupyterlab_pipelines.export.proof import Workbench
from jupyterlab_pipelines.pipeline import RESOURCES, Parameter

TAKEN = words(
    """
    Param dag datetime get_current_context run run_folder run_task task timedelta folder
    """
)

JSON_TYPES = {"int": "integer", "float": "number", "str": "string", "bool": "boolean"}


class AirflowExporter(Engine):
    name = "airflow"
    summary = "an Apache Airflow 3 DAG"
    engine = ("apache-airflow==3.3.2",)
    known_options = RESOURCES
    lacks: Mapping[str, str] = {
        "resources": "Tasks ask for `resources`; it depends on Airflow's executor whether it gives them.",
        "role": "A task of Airflow has no place for the role of its step.",
    }

    def files(self, export: Export) -> Iterator[ExportedFile]:
        yield ExportedFile.code(export, f"dags/{export.name}_dag.py", self._dag(export))

    def section(self, export: Export) -> str:
        return f"""\
## Run it on Airflow

Install the package where Airflow's workers run, or in an environment of its own beside Airflow, and let
`{export.name.upper()}_PYTHON` name that one's interpreter. Put `dags/{export.name}_dag.py` into the folder of
DAGs. Workers share what the steps leave below the folder or URL that `{export.name.upper()}_ARTIFACTS` says
(default: `artifacts`), each run in a folder of its own.

```sh
airflow dags test {export.name} --conf '{{"artifacts": "artifacts"}}'
```
"""

    def prove(self, bench: Workbench) -> None:
        home = scratch(bench, "airflow")
        environment = {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(bench.folder / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        }
        given = dict(bench.parameters) | {_own(bench.export): str(bench.artifacts)}
        airflow = [str(bench.engine), "-m", "airflow"]
        bench.run([*airflow, "db", "migrate"], environment=environment)
        bench.run(
            [*airflow, "dags", "test", bench.export.name, "--conf", json.dumps(given)],
            environment=environment,
        )

    def _dag(self, export: Export) -> str:
        own = _own(export)
        names = free_names((step.name for step in export.steps), {*TAKEN, export.name})
        whole = free_name(export.name, TAKEN)
        parameters = "".join(
            f"{call(f'{literal(each.name)}: Param(', _param(each), '),', indent=8)}\n"
            for each in export.parameters
        )
        tasks = "".join(self._task(export, step, names[step.name]) for step in export.steps)
        calls = "".join(f"    {names[step.name]}_task = {names[step.name]}()\n" for step in export.steps)
        order = "".join(
            call(
                f"{names[step.name]}_task.set_upstream(",
                [f"[{', '.join(f'{names[parent]}_task' for parent in step.parents)}]"],
                indent=4,
            )
            + "\n"
            for step in export.steps
            if step.parents
        )
        timed = any(step.retries or step.timeout_seconds is not None for step in export.steps)
        text = json.dumps(export.text, ensure_ascii=True) if export.text else None
        return f'''\
"""{sentence(export.title)} On Apache Airflow."""

from __future__ import annotations

from datetime import datetime{", timedelta" if timed else ""}

from airflow.sdk import Param, dag, get_current_context, task

from {export.name}.task import run_folder, run_task


def run(step: str, parameters: tuple[str, ...] = ()) -> str:
    """Run a step with what this run says; the place of its manifest, which is all that goes through Airflow."""
    context = get_current_context()
    given = context["params"]
    folder = given[{literal(own)}] or run_folder(context["run_id"])
    return run_task(step, artifacts=folder, parameters={{name: given[name] for name in parameters}})


@dag(
    dag_id={literal(export.name)},
    description={described(export.title)},
{f"    doc_md={text},{chr(10)}" if text and len(text) < 95 else ""}    schedule={literal(export.schedule)},
    start_date=datetime(2024, 1, 1),
    catchup=False,
    params={{
        {literal(own)}: Param("", type="string", description="Folder or URL of this run."),
{parameters}    }},
    tags=["notebook"],
)
def {whole}() -> None:
{tasks}{calls}{order}

{whole}()
'''

    def _task(self, export: Export, step: ExportedStep, name: str) -> str:
        said: list[str] = [f"task_id={literal(step.name)}"] if name != step.name else []
        said += [f"retries={step.retries}", "retry_delay=timedelta(seconds=5)"] if step.retries else []
        if step.timeout_seconds is not None:
            said.append(f"execution_timeout=timedelta(seconds={seconds(step)})")
        wanted = self.resources(step)
        if wanted:
            asked = {"cpus": wanted.cpu, "ram": megabytes(wanted), "gpus": wanted.gpu}
            said.append(f"resources={mapping({name: str(v) for name, v in asked.items() if v})}")
        taken = tuple(each.name for each in used_parameters(export, step))
        arguments = [literal(step.name), *([literal(taken)] if taken else [])]
        return (
            f"{call('@task(', said, indent=4) if said else '    @task'}\n"
            f"    def {name}() -> str:\n"
            f'        """{sentence(step.title)}"""\n'
            f"{call('return run(', arguments, indent=8)}\n\n"
        )

    def gaps(self, export: Export) -> Iterator[str]:
        yield from super().gaps(export)
        if any(not is_scalar(each) for each in export.parameters):
            yield "Parameters that are no number, text or boolean are null in Airflow unless a run gives them."


def _own(export: Export) -> str:
    """The parameter that says where a run leaves its artifacts."""
    return free_name("artifacts", {each.name for each in export.parameters})


def _param(parameter: Parameter) -> list[str]:
    kind: Any = JSON_TYPES[parameter.type] if is_scalar(parameter) else None
    value = literal(parameter.default) if is_scalar(parameter) else "None"
    said = [value, *([f"type={literal(kind)}"] if kind else [])]
    said += [f"description={literal(parameter.comment)}"] if parameter.comment else []
    return said


EXPORTER = AirflowExporter()
