"""Target `kedro`: a Kedro pipeline of nodes, ``kedro_pipeline.py``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from jupyterlab_pipelines.export.base import Export, ExportedFile, ExportedStep, literal
from jupyterlab_pipelines.export.engines import (
    Engine,
    call,
    default,
    free_name,
    free_names,
    mapping,
    sentence,
    used_parameters,
    words,
)
from jupyterlab_pipelines.export.proof import Workbench

TAKEN = words(
    """
    DataCatalog DEFAULTS MemoryDataset Node Pipeline SequentialRunner create_pipeline json main
    run_folder run_task sys time given
    """
)


class KedroExporter(Engine):
    name = "kedro"
    summary = "a Kedro pipeline of nodes"
    engine = ("kedro==1.7.0",)
    lacks: Mapping[str, str] = {
        "retries": "Kedro has no retries for a node: the node itself repeats its step.",
        "timeout": "Kedro has no timeout for a node: the node itself stops its step.",
        "schedule": "Kedro has no schedule: let a scheduler start `python kedro_pipeline.py`.",
        "resources": "Kedro runs all nodes on the machine that it is started on, whatever resources they ask for.",
    }

    def files(self, export: Export) -> Iterator[ExportedFile]:
        yield ExportedFile.code(export, "kedro_pipeline.py", self._program(export))

    def section(self, export: Export) -> str:
        return """\
## Run it with Kedro

```sh
.venv/bin/pip install -r requirements-engine.txt
.venv/bin/python kedro_pipeline.py '{"artifacts": "artifacts"}'
```

The JSON replaces parameters. In a Kedro project, `create_pipeline` of this file is what its registry wants; it reads
`params:pipeline`, a mapping with the parameters and `artifacts`.
"""

    def prove(self, bench: Workbench) -> None:
        given = dict(bench.parameters) | {_own(bench.export): str(bench.artifacts)}
        bench.run(
            [bench.engine, "kedro_pipeline.py", json.dumps(given)],
            environment={"DO_NOT_TRACK": "1", "KEDRO_DISABLE_TELEMETRY": "1"},
        )

    def _program(self, export: Export) -> str:
        names = free_names((step.name for step in export.steps), TAKEN)
        functions = "".join(_node(export, step, names[step.name]) for step in export.steps)
        nodes = "".join(
            call(
                "Node(",
                [
                    names[step.name],
                    f"inputs={literal(['params:pipeline', *(f'{parent}_manifest' for parent in step.parents)])}",
                    f"outputs={literal(f'{step.name}_manifest')}",
                    f"name={literal(step.name)}",
                    *([f"tags={literal(str(step.role))}"] if step.role else []),
                ],
                "),",
                indent=12,
            )
            + "\n"
            for step in export.steps
        )
        defaults: dict[str, Any] = {each.name: default(each) for each in export.parameters}
        return f'''\
"""{sentence(export.title)} With Kedro: ``python kedro_pipeline.py '{{"NAME": VALUE}}'``."""

import json
import sys
import time
from typing import Any

from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline
from kedro.runner import SequentialRunner

from {export.name}.task import run_folder, run_task

{call("DEFAULTS: dict[str, Any] = {", [f"{literal(name)}: {value}" for name, value in defaults.items()], "}")}


{functions}def create_pipeline() -> Pipeline:
    """The nodes; between them go the places of manifests, which say what a step left."""
    return Pipeline(
        [
{nodes}        ]
    )


def main(given: dict[str, Any]) -> None:
    """Run the pipeline here."""
    folder = {{{literal(_own(export))}: run_folder(time.strftime("%Y%m%dT%H%M%S"))}}
    catalog = DataCatalog({{"params:pipeline": MemoryDataset(DEFAULTS | folder | given)}})
    SequentialRunner().run(create_pipeline(), catalog)


if __name__ == "__main__":
    main(json.loads(sys.argv[1] if len(sys.argv) > 1 else "{{}}"))
'''


def _node(export: Export, step: ExportedStep, name: str) -> str:
    taken = {each.name: f"given[{literal(each.name)}]" for each in used_parameters(export, step)}
    arguments = [literal(step.name), f"artifacts=given[{literal(_own(export))}]"]
    arguments += [f"parameters={mapping(taken)}"] if taken else []
    arguments += [f"timeout_seconds={step.timeout_seconds:g}"] if step.timeout_seconds is not None else []
    arguments += [f"retries={step.retries}"] if step.retries else []
    before = ", *before: str" if step.parents else ""
    return (
        f"def {name}(given: dict[str, Any]{before}) -> str:\n"
        f'    """{sentence(step.title)}"""\n'
        f"{call('return run_task(', arguments, indent=4)}\n\n\n"
    )


def _own(export: Export) -> str:
    """The key that says where a run leaves its artifacts."""
    return free_name("artifacts", {each.name for each in export.parameters})


EXPORTER = KedroExporter()
