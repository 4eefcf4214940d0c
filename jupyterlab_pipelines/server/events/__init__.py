"""Events on Jupyter's event bus: ids only, the truth is fetched."""

from __future__ import annotations

from pathlib import Path

RUN = "https://pipelines-as-experiments.dev/events/run/v1"
STEP_RUN = "https://pipelines-as-experiments.dev/events/step_run/v1"
TASK = "https://pipelines-as-experiments.dev/events/task/v1"
SCHEMA_FILE = "https://pipelines-as-experiments.dev/events/schema_file/v1"

SCHEMAS = tuple(sorted(Path(__file__).parent.glob("*.yaml")))
