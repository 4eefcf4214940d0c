"""The door for Python: runs, their steps and what these have left, as objects.

::

    import jupyterlab_pipelines as pipelines

    runs = pipelines.runs("taxis.ipynb")
    runs.to_frame()                       # runs × parameters × metrics
    runs[0]["clean"]["df"].load()         # the value
    runs[0].diff(runs[1])

Objects are views of the store: what they show is read when it is asked for. All of them show themselves as
HTML in a notebook and as text elsewhere; ``document`` is what the command line prints under ``--json``.
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack, overload

from jupyterlab_pipelines.api_html import Shown, curves, page, row, table, tree
from jupyterlab_pipelines.errors import NotFoundError, PipelinesError, UsageError
from jupyterlab_pipelines.project import Project, RunRequest
from jupyterlab_pipelines.run import Status

if TYPE_CHECKING:
    import pandas as pd

    from jupyterlab_pipelines.api_quality import Anomaly
    from jupyterlab_pipelines.artifact import Artifact as StoredArtifact

POLL_SECONDS = 0.2


def runs(notebook: str | Path | None = None, *, limit: int = 50, store: str | Path | None = None) -> Runs:
    """Runs of one notebook, or of the project of the working directory, newest first.

    Parameters
    ----------
    limit
        How many at most.
    store
        The store, if it is not where the project is.
    """
    path = None if notebook is None else Path(notebook)
    if path is not None and not path.exists():
        raise NotFoundError("not_found", f"There is no file {path}.", path=str(path))
    project = _project(path, store)
    return Runs([Run(project, found["run_id"], found) for found in project.runs(path, limit=limit)])


def get_run(run_id: str, *, store: str | Path | None = None) -> Run:
    """The run with this id, or with an id that begins or ends so, in the project of the working directory.

    Raises
    ------
    NotFoundError
        There is no such run, or more than one.
    """
    project = _project(None, store)
    return Run(project, project.run_document(run_id)["run_id"])


def run_notebook(
    notebook: str | Path, *, wait: bool = True, store: str | Path | None = None, **request: Unpack[RunRequest]
) -> Run:
    """Run what is not up to date, as ``jupyter pipelines run`` does; a failure is a result, no exception.

    Parameters
    ----------
    wait
        Until the run has ended. If not, it goes on in a process of its own, which outlives this one.
    request
        ``parameters``, ``steps``, ``force``, ``jobs``, ``kernel``: see `RunRequest`.

    Raises
    ------
    UsageError
        Nothing was run: wrong use, or a notebook that is no pipeline.
    """
    path = Path(notebook)
    project = _project(path, store)
    run = Run(project, project.start(path, **request))
    return run.wait() if wait else run


def _project(notebook: Path | None, store: str | Path | None) -> Project:
    return Project.open(notebook or Path.cwd(), None if store is None else Path(store))


class Runs(Sequence["Run"]):
    """Runs, newest first. ``runs[0]`` is the newest, ``runs["20261121-…"]`` the one with this id."""

    def __init__(self, runs: Collection[Run]) -> None:
        self._runs = tuple(runs)

    def __len__(self) -> int:
        return len(self._runs)

    @overload
    def __getitem__(self, which: int | str) -> Run: ...
    @overload
    def __getitem__(self, which: slice) -> Runs: ...
    def __getitem__(self, which: int | str | slice) -> Run | Runs:
        if isinstance(which, slice):
            return Runs(self._runs[which])
        if isinstance(which, str):
            found = [run for run in self._runs if run.id.startswith(which) or run.id.endswith(which)]
            if len(found) != 1:
                how_many = "no run" if not found else f"{len(found)} runs"
                raise NotFoundError("unknown_run", f"There is {how_many} `{which}` here.", run_id=which)
            return found[0]
        return self._runs[which]

    def to_frame(self) -> pd.DataFrame:
        """One row for each run: what it is, ``parameters.NAME``, and ``metrics.STEP.NAME``."""
        import pandas as pd

        columns = ("notebook", "status", "created_at", "duration_seconds", "tags", "comment")
        rows = {}
        for run in self:
            facts = {name: getattr(run, name) for name in columns}
            facts |= {f"parameters.{name}": value for name, value in run.parameters.items()}
            rows[run.id] = facts | {
                f"metrics.{step}.{name}": value
                for step, metrics in run.metrics.items()
                for name, value in metrics.items()
            }
        names = dict.fromkeys([*columns, *(name for facts in rows.values() for name in facts)])
        # Not by orient="index", which would guess at tuples and lists among the parameters.
        data = {name: [facts.get(name) for facts in rows.values()] for name in names}
        return pd.DataFrame(data, index=pd.Index(list(rows), name="run_id", dtype=object))

    def __repr__(self) -> str:
        return _text("report_runs", [run.summary for run in self])

    def _repr_html_(self) -> str:
        metrics = list(
            dict.fromkeys(f"{s}.{n}" for run in self for s, names in run.metrics.items() for n in names)
        )
        parameters = list(dict.fromkeys(name for run in self for name in run.parameters))
        rows = []
        for run in self:
            measured = {f"{s}.{n}": value for s, names in run.metrics.items() for n, value in names.items()}
            rows.append(
                [
                    *(run.id, run.status, run.created_at.astimezone().strftime("%Y-%m-%d %H:%M:%S")),
                    *(_duration(run.duration_seconds), run.notebook),
                    *(_value(run.parameters.get(name)) for name in parameters),
                    *(_value(measured.get(name)) for name in metrics),
                ]
            )
        if not rows:
            return page("<p>No runs yet.</p>")
        return page(table(["run", "status", "begun", "time", "notebook", *parameters, *metrics], rows))


class Run(Mapping[str, "StepRun"]):
    """One run: a mapping from the names of its steps to `StepRun`."""

    def __init__(self, project: Project, run_id: str, summary: Mapping[str, Any] | None = None) -> None:
        self._project = project
        self._summary = summary
        self._document: dict[str, Any] | None = None
        self.id = run_id

    @property
    def document(self) -> dict[str, Any]:
        """As ``jupyter pipelines show --json`` prints it; of a run that has ended, read once."""
        if self._document is None or not Status(self._document["status"]).is_final:
            self._document = self._project.run_document(self.id)
        return self._document

    @property
    def summary(self) -> dict[str, Any]:
        """The run in one line, as ``jupyter pipelines runs --json`` prints it."""
        document = self.document
        steps = [step["status"] for step in document["steps"]]
        return {
            **{name: document[name] for name in ("run_id", "notebook", "status", "parameters", "created_at")},
            **{name: document[name] for name in ("finished_at", "duration_seconds", "tags", "comment")},
            "steps_total": len(steps),
            "steps_executed": sum(
                each in ("succeeded", "failed", "cancelled", "interrupted") for each in steps
            ),
            "steps_reused": steps.count("reused"),
            "steps_failed": steps.count("failed"),
        }

    @property
    def status(self) -> str:
        """``queued``, ``running``, ``succeeded``, ``failed``, ``cancelled`` or ``interrupted``."""
        return str(self.document["status"])

    @property
    def notebook(self) -> str:
        """Its path below the project's folder."""
        return str(self.document["notebook"])

    @cached_property
    def parameters(self) -> dict[str, Any]:
        """Every parameter's value in this run: replaced, or the notebook's default."""
        return self._project.parameter_values(self.document)

    @property
    def metrics(self) -> dict[str, dict[str, Any]]:
        """By step, its numbers by name; steps without any are left out."""
        return {step["name"]: dict(step["metrics"]) for step in self.document["steps"] if step["metrics"]}

    @property
    def tags(self) -> list[str]:
        return list(self.document["tags"])

    @property
    def comment(self) -> str:
        return str(self.document["comment"])

    @property
    def created_at(self) -> datetime:
        return datetime.fromisoformat(self.document["created_at"])

    @property
    def duration_seconds(self) -> float | None:
        seconds: float | None = self.document["duration_seconds"]
        return seconds

    @property
    def steps(self) -> list[StepRun]:
        """In the order of the pipeline."""
        return list(self.values())

    def __getitem__(self, step: str) -> StepRun:
        if step not in list(self):
            known = ", ".join(f"`{name}`" for name in self)
            raise _MissingError("unknown_step", f"Run {self.id} has no step `{step}`; it has {known}.")
        return StepRun(self, step)

    def __iter__(self) -> Iterator[str]:
        return (step["name"] for step in self.document["steps"])

    def __len__(self) -> int:
        return len(self.document["steps"])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Run) and (self.id, self._project.store_path) == (
            other.id,
            other._project.store_path,
        )

    def __hash__(self) -> int:
        return hash(self.id)

    def diff(self, other: Run | str) -> Shown:
        """What differs between this run and another: parameters, code, inputs, outputs, metrics."""
        other_id = other.id if isinstance(other, Run) else other
        document = self._project.diff(self.id, other_id)
        return Shown(document, _text("report_diff", document))

    def wait(self, timeout_seconds: float | None = None) -> Run:
        """Until the run has ended; the run. `TimeoutError` if it takes longer."""
        started = time.monotonic()
        while not Status(self.status).is_final:
            if timeout_seconds is not None and time.monotonic() - started > timeout_seconds:
                raise TimeoutError(f"Run {self.id} is still {self.status} after {timeout_seconds:g} s.")
            time.sleep(POLL_SECONDS)
        return self

    @property
    def anomalies(self) -> list[Anomaly]:
        """Those of all its tables, in the order of the pipeline."""
        found = (step[name].anomalies for step in self.values() for name in step)
        return [anomaly for each in found for anomaly in each]

    def edge(self, source: str, target: str) -> Shown:
        """What the step `target` did to the tables of the step `source`: rows, nulls, categories, columns, types."""
        from jupyterlab_pipelines.api_quality import shown_change

        return shown_change(self._project.tables.edge(self.id, source, target))

    def cancel(self, step: str | None = None) -> None:
        """Ask for the end of the run, or of one step of it; what has ended is left alone."""
        if step is None:
            self._project.cancel(self.id)
        else:
            self._project.cancel_step(self.id, step)

    def annotate(self, *, tags: Collection[str] | None = None, comment: str | None = None) -> None:
        """Replace the run's tags or its comment."""
        self._document = self._project.annotate(self.id, tags=tags, comment=comment)

    def to_frame(self) -> pd.DataFrame:
        """One row for each step: how it ended, how long it took, and ``metrics.NAME``."""
        import pandas as pd

        columns = ("status", "decision", "duration_seconds")
        rows = {
            step["name"]: {name: step[name] for name in columns}
            | {f"metrics.{name}": value for name, value in step["metrics"].items()}
            for step in self.document["steps"]
        }
        names = dict.fromkeys([*columns, *(name for facts in rows.values() for name in facts)])
        data = {name: [facts.get(name) for facts in rows.values()] for name in names}
        return pd.DataFrame(data, index=pd.Index(list(rows), name="step", dtype=object))

    def __repr__(self) -> str:
        return _text("report_run_in_full", self.document, self._project)

    def _repr_html_(self) -> str:
        facts = {"notebook": self.notebook, "status": self.status, "time": _duration(self.duration_seconds)}
        facts |= {name: _value(value) for name, value in self.parameters.items()}
        rows = [
            [
                *(step.name, step.status, _duration(step.duration_seconds), step.why),
                ", ".join(f"{name} = {_value(value)}" for name, value in step.metrics.items()),
            ]
            for step in self.steps
        ]
        return page(
            f"<p><b>run {self.id}</b></p>",
            row(facts),
            table(["step", "status", "time", "why", "metrics"], rows),
        )


class StepRun(Mapping[str, "Artifact"]):
    """One step in one run: a mapping from the names that it has left to `Artifact`."""

    def __init__(self, run: Run, name: str) -> None:
        self.run = run
        self.name = name

    @property
    def document(self) -> dict[str, Any]:
        """The step's part of the run's document."""
        found: dict[str, Any] = next(s for s in self.run.document["steps"] if s["name"] == self.name)
        return found

    @property
    def status(self) -> str:
        """``succeeded``, ``reused``, ``failed``, …"""
        return str(self.document["status"])

    @property
    def decision(self) -> str:
        return str(self.document["decision"])

    @property
    def why(self) -> str:
        """Why it was executed or reused, as a sentence."""
        return "; ".join(reason["message"] for reason in self.document["reasons"])

    @property
    def duration_seconds(self) -> float | None:
        seconds: float | None = self.document["duration_seconds"]
        return seconds

    @property
    def metrics(self) -> dict[str, Any]:
        """Numbers by name: the last that was logged, and those that an evaluator has left."""
        return dict(self.document["metrics"])

    @property
    def curves(self) -> dict[str, list[tuple[float, float | None]]]:
        """By name of a metric, all that was logged of it so far: pairs of step and value."""
        logged = self._logged["metrics"]
        return {name: [(step, value) for step, value in points] for name, points in logged.items()}

    @property
    def texts(self) -> dict[str, str]:
        """What was logged by `log_text`."""
        return dict(self._logged["texts"])

    @property
    def figures(self) -> dict[str, Shown]:
        """What was logged by `log_figure`; each shows itself."""
        return {
            name: Shown(data, f"<figure {name}>", mime=data) for name, data in self._logged["figures"].items()
        }

    @property
    def _logged(self) -> dict[str, Any]:
        return self.run._project.step_logged(self.run.id, self.name)

    @property
    def log(self) -> str:
        """What it wrote to stdout and stderr; while it runs, so far."""
        return self.run._project.step_log(self.run.id, self.name)

    @property
    def error(self) -> dict[str, Any] | None:
        """Of a step that failed: ``message``, ``traceback``, ``cell_index``, …"""
        error: dict[str, Any] | None = self.document["error"]
        return error

    def __getitem__(self, name: str) -> Artifact:
        try:
            stored = self.run._project.artifact(self.run.id, self.name, name)
        except NotFoundError as error:
            raise _MissingError(error.code, error.message) from None
        return Artifact(self, stored)

    def __iter__(self) -> Iterator[str]:
        return (output["name"] for output in self.document["outputs"])

    def __len__(self) -> int:
        return len(self.document["outputs"])

    def chart(self) -> Shown:
        """The curves of the metrics that it has logged, as a Vega-Lite chart."""
        found = self.curves
        return Shown(found, "\n".join(f"{n}: {p[-1][1]}" for n, p in found.items()), mime=curves(found))

    def to_frame(self) -> pd.DataFrame:
        """One row for each value that it has left."""
        import pandas as pd

        outputs = self.document["outputs"]
        columns = ("type", "summary", "size_bytes", "materializer", "digest")
        data = {name: [output[name] for output in outputs] for name in columns}
        return pd.DataFrame(data, index=pd.Index(list(self), name="name", dtype=object))

    def __repr__(self) -> str:
        return _text("report_step", self.run.document, self.document, "", self.run._project)

    def _repr_html_(self) -> str:
        outputs = [
            [output["name"], output["type"], output["summary"], _size(output["size_bytes"])]
            for output in self.document["outputs"]
        ]
        facts = {"status": self.status, "time": _duration(self.duration_seconds), "why": self.why}
        facts |= {name: _value(value) for name, value in self.metrics.items()}
        error = self.error["message"] if self.error else ""
        return page(
            f"<p><b>step {self.name}</b> of run {self.run.id}</p>",
            row(facts | ({"error": error} if error else {})),
            table(["output", "type", "value", "size"], outputs) if outputs else "",
        )


class Artifact:
    """A value that a step has left."""

    def __init__(self, step: StepRun, stored: StoredArtifact) -> None:
        self.step = step
        self._stored = stored

    @property
    def name(self) -> str:
        return self._stored.name

    @property
    def type(self) -> str:
        """Qualified name of its Python type, e.g. ``pandas.DataFrame``."""
        return self._stored.type

    @property
    def digest(self) -> str:
        """Equal values have equal digests."""
        return self._stored.digest

    @property
    def size_bytes(self) -> int:
        return self._stored.size_bytes

    @property
    def summary(self) -> str:
        """A few words: ``336,776 × 19``."""
        return self._stored.summary

    def load(self) -> Any:
        """The value, a new object each time.

        Classes and functions of the notebook to which it refers are defined in ``__main__`` where that does
        not have them.

        Raises
        ------
        UsageError
            ``not_stored``: it could not leave the process that made it, or was not kept.
        StepError
            It is damaged or gone, or needs a package that is not installed here.
        """
        if self._stored.kind != "value":
            why = " ".join(self._stored.summary.split())
            raise UsageError(
                "not_stored", f"`{self.name}` of step `{self.step.name}` cannot be loaded: {why}"
            )
        from jupyterlab_pipelines.kernel.recalling import load_artifact

        run = self.step.run
        return load_artifact(run._project, run.id, self.step.name, self._stored)

    @property
    def preview(self) -> Shown:
        """The first rows of a table, the items of a list, …: what was written down when it was stored."""
        document = self.step.run._project.preview(self.digest) if self._stored.kind == "value" else {}
        return Shown(document, _preview_text(document), html=_preview_html(document))

    @property
    def statistics(self) -> Any:
        """What was measured of a table.

        Raises
        ------
        NotFoundError
            ``no_statistics``: nothing was measured of this value.
        """
        found = self.step.run._project.tables.statistics(self.digest)
        if found is None:
            raise NotFoundError(
                "no_statistics", f"No statistics of `{self.name}` are stored.", digest=self.digest
            )
        return found

    @property
    def anomalies(self) -> list[Anomaly]:
        """What is odd in a table, the gravest first; each can be traced, accepted, and shown row by row."""
        from jupyterlab_pipelines.api_quality import Anomaly

        run, place = self.step.run, f"{self.step.name}.{self.name}"
        return [
            Anomaly(run._project, run.id, place, document)
            for document in self.step.document["anomalies"]
            if document["output"] == self.name
        ]

    def compare(self, other: Artifact | Run | str) -> Any:
        """The statistics of a table beside those of another one, with what differs by more than chance explains.

        Parameters
        ----------
        other
            A table; a run, for the same table in it; ``"pinned"`` for the table that a person agreed to last; or what
            ``jupyter pipelines stats --against`` takes.
        """
        from jupyterlab_pipelines.quality.shown import ShownStatistics

        against = other.id if isinstance(other, Run) else other
        if isinstance(against, Artifact):
            against = f"{against.step.run.id}:{against.step.name}.{against.name}"
        run = self.step.run
        document = run._project.tables.stats(run.id, f"{self.step.name}.{self.name}", against=against)
        if document["statistics"] is None:
            raise NotFoundError(
                "no_statistics", f"No statistics of `{self.name}` are stored.", digest=self.digest
            )
        return ShownStatistics.of_document(document)

    def trend(self, column: str | None = None, *, limit: int = 20) -> Shown:
        """The table, or one of its columns, in the last runs of the notebook, the oldest first."""
        from jupyterlab_pipelines.api_quality import shown_trend

        run = self.step.run
        notebook = run._project.root / run.notebook
        place = f"{self.step.name}.{self.name}"
        return shown_trend(run._project.tables.trend(notebook, place, column=column, limit=limit))

    def slices(
        self,
        *,
        truth: str | None = None,
        prediction: str | None = None,
        by: Sequence[str] = (),
        metric: str | None = None,
        limit: int = 20,
    ) -> Shown:
        """How good predictions are for each value of the columns of a table, the worst first.

        Parameters
        ----------
        truth, prediction
            A column, or ``step.name`` of another value with as many rows; found by their usual names if not said.
        by
            Columns; all that have few values or are numbers, if none is said.
        metric
            ``accuracy``, ``mean_absolute_error``, ``mean_squared_error`` or ``mean_error``.
        """
        from jupyterlab_pipelines.api_quality import shown_slices

        run = self.step.run
        return shown_slices(
            run._project.tables.slices(
                run.id,
                f"{self.step.name}.{self.name}",
                truth=truth,
                prediction=prediction,
                by=by,
                metric=metric,
                limit=limit,
            )
        )

    @property
    def lineage(self) -> Shown:
        """Which run and step have made it, from which inputs, and those from which, down to the first."""
        document = self.step.run._project.lineage(self.step.run.id, self.step.name, self.name)
        return Shown(document, "\n".join(tree(document)))

    def diff(self, other: Artifact) -> Shown:
        """What differs between two values: type, size, and of tables columns, rows and cells. Loads both."""
        from jupyterlab_pipelines.api_diff import compare

        document: dict[str, Any] = {"is_equal": self.digest == other.digest}
        if not document["is_equal"]:
            document |= compare(self.load(), other.load())
        text = "equal" if document["is_equal"] else "\n".join(f"{k}: {v}" for k, v in document.items())
        return Shown(document, text)

    def __repr__(self) -> str:
        what = f" {self.summary}" if self.summary else ""
        return f"<{self.type or 'Artifact'}{what}: `{self.name}` of step {self.step.name}, run {self.step.run.id}>"

    def _repr_html_(self) -> str:
        return page(self._title, self.preview.html)

    @property
    def _title(self) -> str:
        facts = {"type": self.type, "value": self.summary, "size": _size(self.size_bytes)}
        return page(f"<p><b>{self.name}</b> of step {self.step.name}, run {self.step.run.id}</p>", row(facts))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        """A table shows its statistics: rows that open, and as a chart for who asks; anything else its preview."""
        try:
            statistics = self.statistics
            bundle, metadata = statistics._repr_mimebundle_()
        except NotFoundError:
            return {"text/plain": repr(self), "text/html": self._repr_html_()}
        told = "\n".join([repr(self), *map(repr, self.anomalies)])
        shown = {mime: data for mime, data in bundle.items() if mime != "image/svg+xml"}
        rows = statistics.to_html()
        return shown | {"text/plain": told, "text/html": page(self._title, rows)}, metadata


class _MissingError(NotFoundError, KeyError):
    """What a mapping raises, and an error of ours, which is shown without quotes around it."""

    def __str__(self) -> str:
        return self.message


def _text(report: str, *arguments: Any) -> str:
    """What the command line prints."""
    from jupyterlab_pipelines import cli_report

    out = io.StringIO()
    getattr(cli_report, report)(*arguments, out)
    return out.getvalue().rstrip("\n")


def _duration(seconds: float | None) -> str:
    from jupyterlab_pipelines.cli_table import duration

    return duration(seconds)


def _size(size_bytes: int) -> str:
    from jupyterlab_pipelines.cli_report import size

    return size(size_bytes)


def _value(value: Any) -> str:
    if value is None:
        return ""
    return (
        f"{value:.6g}" if isinstance(value, float) else value if isinstance(value, str) else json.dumps(value)
    )


def _preview_text(document: Mapping[str, Any]) -> str:
    shown = document.get("preview") or {}
    match shown.get("kind"):
        case "table":
            out = io.StringIO()
            from jupyterlab_pipelines.cli_table import show_table

            show_table([column["name"] for column in shown["columns"]], shown["rows"], out)
            return out.getvalue().rstrip("\n")
        case "array":
            return ", ".join(shown["values"])
        case "items":
            return "\n".join(f"{key}: {text}" for key, text in shown["items"])
        case "parameters":
            return "\n".join(f"{key}: {text}" for key, text in shown["parameters"].items())
        case "text":
            return str(shown["text"])
    return str(document.get("summary") or "")


def _preview_html(document: Mapping[str, Any]) -> str:
    shown = document.get("preview") or {}
    if shown.get("kind") == "table":
        return table([column["name"] for column in shown["columns"]], shown["rows"])
    return page(f"<pre>{_escaped(_preview_text(document))}</pre>")


def _escaped(text: str) -> str:
    import html

    return html.escape(text)


__all__ = ["Artifact", "PipelinesError", "Run", "Runs", "StepRun", "get_run", "run_notebook", "runs"]
