"""Target `papermill`: a chain of step notebooks, executed one after another by ``run.sh``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from jupyterlab_pipelines.export.base import Export, ExportedFile
from jupyterlab_pipelines.export.engines import Engine
from jupyterlab_pipelines.export.notebooks import gaps_of_notebooks, notebook_path, step_notebooks, variables
from jupyterlab_pipelines.export.proof import Workbench


class PapermillExporter(Engine):
    name = "papermill"
    summary = "a chain of step notebooks for papermill, with run.sh; what was executed is kept"
    engine = ("papermill==2.7.0", "ipykernel>=6")
    lacks: Mapping[str, str] = {
        "retries": "papermill has no retries: the notebook itself repeats its step.",
        "timeout": "papermill has no timeout for a step: the notebook itself stops it.",
        "schedule": "papermill has no schedule: let cron start `run.sh`.",
        "resources": "papermill runs all notebooks on this machine, whatever resources their steps ask for.",
    }

    def files(self, export: Export) -> Iterator[ExportedFile]:
        yield from step_notebooks(export, run='"artifacts"', retries="retries")
        yield ExportedFile.code(export, "run.sh", _script(export), is_executable=True)

    def gaps(self, export: Export) -> Iterator[str]:
        yield from super().gaps(export)
        yield from gaps_of_notebooks(export)
        if any(
            set(after.parents) != {before.name}
            for before, after in zip(export.steps, export.steps[1:], strict=False)
        ):
            yield "papermill executes the notebooks one after another, also those that do not need each other."

    @property
    def title(self) -> str:
        return "papermill"

    def section(self, export: Export) -> str:
        return """\
## Run it with papermill

```sh
.venv/bin/pip install -r requirements-engine.txt
PATH=$PWD/.venv/bin:$PATH ./run.sh
```

Words behind `run.sh` go to papermill: `-p n 8` for a number, `-r label text` for a text. `ARTIFACTS` says where
the run leaves its artifacts (default: `artifacts`), `EXECUTED` where the executed notebooks go (default:
`executed`). A notebook that fails ends the run with exit status 1.
"""

    def prove(self, bench: Workbench) -> None:
        words: list[str] = []
        for name, value in bench.parameters.items():
            words += [
                "-r",
                variables(bench.export)[name],
                value if isinstance(value, str) else json.dumps(value),
            ]
        bench.run(
            ["sh", "run.sh", *words],
            environment={"ARTIFACTS": str(bench.artifacts), "PAPERMILL": f"{bench.engine} -m papermill"},
        )


def _script(export: Export) -> str:
    steps = "".join(
        f"step {notebook_path(export, step).removeprefix('notebooks/')}\n" for step in export.steps
    )
    return f"""\
#!/bin/sh
# Executes the notebooks of the pipeline one after another; words go to papermill: ./run.sh -p n 8
set -eu
cd "$(dirname "$0")"
ARTIFACTS="${{ARTIFACTS:-artifacts}}"
EXECUTED="${{EXECUTED:-executed}}"
PAPERMILL="${{PAPERMILL:-papermill}}"
mkdir -p "$EXECUTED"

step() {{
    notebook="$1"
    shift
    $PAPERMILL --no-progress-bar --kernel python3 "notebooks/$notebook" "$EXECUTED/$notebook" \\
        "$@" -r artifacts "$ARTIFACTS"
}}

{"".join(line.replace(".ipynb", '.ipynb "$@"') + chr(10) for line in steps.splitlines())}"""


EXPORTER = PapermillExporter()
