"""Every route of the REST interface, which `openapi.yaml` describes."""

from __future__ import annotations

from jupyterlab_pipelines.server.routes.artifacts import (
    ArtifactAnomaliesHandler,
    ArtifactLineageHandler,
    ArtifactPreviewHandler,
    ArtifactStatisticsHandler,
)
from jupyterlab_pipelines.server.routes.base import URL_PREFIX, PipelinesAPIHandler
from jupyterlab_pipelines.server.routes.glances import ColumnHandler, GlanceHandler, WithdrawHandler
from jupyterlab_pipelines.server.routes.pipelines import PipelinesHandler
from jupyterlab_pipelines.server.routes.runs import (
    ComparisonHandler,
    RunCancelHandler,
    RunDiffHandler,
    RunHandler,
    RunNotebookHandler,
    RunsHandler,
    StepCancelHandler,
    StepFactsHandler,
    StepLoggedHandler,
    StepLogHandler,
    StepLogTextHandler,
    StepNotebookHandler,
)
from jupyterlab_pipelines.server.routes.schemas import SchemasHandler
from jupyterlab_pipelines.server.routes.status import StatusHandler
from jupyterlab_pipelines.server.routes.suggestions import SuggestionsHandler
from jupyterlab_pipelines.server.routes.sweeps import (
    SweepCancelHandler,
    SweepResumeHandler,
    SweepsHandler,
)
from jupyterlab_pipelines.server.routes.tables import (
    AcceptHandler,
    EdgeHandler,
    FailingRowsHandler,
    SlicesHandler,
    TableHandler,
    TraceHandler,
    TrendHandler,
)
from jupyterlab_pipelines.server.routes.tasks import (
    ExportTargetsHandler,
    TaskCancelHandler,
    TaskHandler,
    TasksHandler,
)

__all__ = ["ROUTES", "URL_PREFIX"]

_RUN = r"runs/(?P<run_id>[\w:-]+)"
_STEP = rf"{_RUN}/steps/(?P<step>[^/]+)"
_TABLE = rf"{_RUN}/tables/(?P<table>[^/]+)"

ROUTES: list[tuple[str, type[PipelinesAPIHandler]]] = [
    (r"pipelines", PipelinesHandler),
    (r"suggestions", SuggestionsHandler),
    (r"runs", RunsHandler),
    (_RUN, RunHandler),
    (rf"{_RUN}/cancel", RunCancelHandler),
    (rf"{_RUN}/notebook", RunNotebookHandler),
    (rf"{_RUN}/diff/(?P<other>[\w:-]+)", RunDiffHandler),
    (_STEP, StepFactsHandler),
    (rf"{_STEP}/cancel", StepCancelHandler),
    (rf"{_STEP}/notebook", StepNotebookHandler),
    (rf"{_STEP}/log", StepLogHandler),
    (rf"{_STEP}/log/text", StepLogTextHandler),
    (rf"{_STEP}/logged", StepLoggedHandler),
    (_TABLE, TableHandler),
    (rf"{_TABLE}/rows", FailingRowsHandler),
    (rf"{_TABLE}/trace", TraceHandler),
    (rf"{_TABLE}/accept", AcceptHandler),
    (rf"{_TABLE}/slices", SlicesHandler),
    (rf"{_RUN}/edges/(?P<source>[^/]+)/(?P<target>[^/]+)", EdgeHandler),
    (r"trends", TrendHandler),
    (rf"{_TABLE}/glance", GlanceHandler),
    (rf"{_TABLE}/column", ColumnHandler),
    (rf"{_TABLE}/withdraw", WithdrawHandler),
    (r"artifacts/(?P<digest>[^/]+)/preview", ArtifactPreviewHandler),
    (r"artifacts/(?P<digest>[^/]+)/statistics", ArtifactStatisticsHandler),
    (r"artifacts/(?P<digest>[^/]+)/anomalies", ArtifactAnomaliesHandler),
    (r"artifacts/(?P<digest>[^/]+)/lineage", ArtifactLineageHandler),
    (r"schemas", SchemasHandler),
    (r"comparison", ComparisonHandler),
    (r"sweeps", SweepsHandler),
    (r"sweeps/(?P<sweep_id>[\w:-]+)/cancel", SweepCancelHandler),
    (r"sweeps/(?P<sweep_id>[\w:-]+)/resume", SweepResumeHandler),
    (r"export-targets", ExportTargetsHandler),
    (r"tasks", TasksHandler),
    (r"tasks/(?P<task_id>[\w-]+)", TaskHandler),
    (r"tasks/(?P<task_id>[\w-]+)/cancel", TaskCancelHandler),
    (r"status", StatusHandler),
]
