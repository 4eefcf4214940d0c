"""What is known and expected of the tables of a project: statistics, anomalies, schemas, and what becomes of them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from jupyterlab_pipelines.environment import environment_with_us
from jupyterlab_pipelines.errors import NotFoundError, PipelinesError, UsageError
from jupyterlab_pipelines.quality.inspection import schema_path
from jupyterlab_pipelines.store import Store
from jupyterlab_pipelines.writing import write_whole

if TYPE_CHECKING:
    from jupyterlab_pipelines.quality.glance import Against
    from jupyterlab_pipelines.quality.schema import Schema
    from jupyterlab_pipelines.quality.statistics import Statistics

Document = dict[str, Any]


class Runs(Protocol):
    """What is asked of a `Project`."""

    root: Path
    store: Store

    def key_of(self, notebook: Path) -> str: ...
    def runs(self, notebook: Path | None = None) -> list[Document]: ...
    def run_document(self, run_id: str) -> Document: ...
    def preview(self, digest: str) -> Document: ...


class Tables:
    """The tables that runs of a project have left. Its methods are those of `Project` for them."""

    def __init__(self, project: Runs) -> None:
        self._project = project
        self._store = project.store

    def statistics(self, digest: str) -> Statistics | None:
        """The statistics of a stored table, measured now if they never were; None for anything else.

        Raises
        ------
        NotFoundError
            No run left such an artifact.
        """
        from jupyterlab_pipelines.quality import views

        return views.shown_statistics(self._store, digest)

    def artifact_statistics(self, digest: str) -> Document:
        """Statistics, anomalies and rows to show of an artifact, see `views.artifact_document`."""
        from jupyterlab_pipelines.quality import views

        return views.artifact_document(self._store, digest)

    def artifact_anomalies(self, digest: str) -> Document:
        """What was found in a stored table in the newest run that had it."""
        self._project.preview(digest)
        return {"digest": digest, "anomalies": self._store.quality.newest_anomalies(digest)}

    def artifact_lineage(self, digest: str) -> Document:
        """Which runs and steps left the artifact, and from which inputs."""
        self._project.preview(digest)
        return {"digest": digest, "left_by": self._store.quality.lineage(digest)}

    def table_at_a_glance(self, run_id: str, table: str, against: str | None = None) -> Document:
        """A row for every column of the table ``step.name`` of a run, see `glance.table_at_a_glance`.

        Parameters
        ----------
        against
            What to compare it with, see `stats`.

        Raises
        ------
        NotFoundError
            There is no such run or table, or none as `against` says.
        """
        from jupyterlab_pipelines.quality import glance

        run, other = self._beside(run_id, table, against)
        return glance.table_at_a_glance(self._store, run, table, other)

    def column_in_detail(self, run_id: str, table: str, column: str, against: str | None = None) -> Document:
        """All that is told of one column of a table of a run, see `glance.column_in_detail`."""
        from jupyterlab_pipelines.quality import glance

        run, other = self._beside(run_id, table, against)
        return glance.column_in_detail(self._store, run, table, column, other)

    def _beside(self, run_id: str, table: str, against: str | None) -> tuple[Document, Against | None]:
        """A run, and what its table is shown beside."""
        from jupyterlab_pipelines.quality import glance

        run = self._project.run_document(run_id)
        wanted = self._compared_table(run, table, against) if against else None
        return run, glance.against_of(self._store, run, table, wanted)

    def stats(self, run_id: str, target: str, *, against: str | None = None) -> Document:
        """All that is known of the output ``step.name`` of a run, see `views.table_document`.

        Parameters
        ----------
        against
            What to compare it with: another run, ``step.name`` of the same run, ``RUN:step.name``, or ``pinned`` for
            the table that a person agreed to last. If nothing is said, the run's own reference.

        Raises
        ------
        NotFoundError
            There is no such run, or no such output in it.
        """
        from jupyterlab_pipelines.quality import views

        run = self._project.run_document(run_id)
        other = None if against is None else self._compared_table(run, target, against)
        return views.table_document(self._store, run, target, other)

    def _compared_table(self, run: Document, target: str, against: str) -> tuple[Document, str]:
        """What a person wants a table to be compared with, see `stats`."""
        step, _, name = target.partition(".")
        if against == "pinned":
            pinned = self._store.quality.accepted(run["notebook"], step, name)
            if pinned is None:
                raise NotFoundError(
                    "not_pinned",
                    f"Nobody has agreed to a table `{target}` yet: `schema pin` does.",
                    target=target,
                )
            return self._project.run_document(pinned.run_id), target
        other_run, _, other_table = against.rpartition(":")
        if other_run:
            return self._project.run_document(other_run), other_table
        return (run, against) if "." in against else (self._project.run_document(against), target)

    def slices(
        self,
        run_id: str,
        target: str,
        *,
        truth: str | None = None,
        prediction: str | None = None,
        by: Sequence[str] = (),
        metric: str | None = None,
        limit: int = 20,
    ) -> Document:
        """How good the predictions of a run are for each value of the columns of a table, the worst first.

        Parameters
        ----------
        truth, prediction
            A column, or ``step.name`` of another value with as many rows; found by their usual names if not said.
        by
            Columns; all that have few values or are numbers, if none is said.
        metric
            One of `slices.METRICS`; accuracy for classes, the mean absolute error for numbers, if not said.

        Raises
        ------
        NotFoundError
            There is no such run or table.
        UsageError
            There are no predictions or truths to be found, or they do not fit the table.
        """
        from jupyterlab_pipelines.quality.predictions import slices_document

        return slices_document(
            self._store,
            self._project.run_document(run_id),
            target,
            truth=truth,
            prediction=prediction,
            by=by,
            metric=metric,
            limit=limit,
        )

    def edge(self, run_id: str, source: str, target: str) -> Document:
        """What the step `target` of a run did to the tables of the step `source`.

        Raises
        ------
        NotFoundError
            There is no such run or step.
        """
        from jupyterlab_pipelines.quality import views

        return views.edge_document(self._store, self._project.run_document(run_id), source, target)

    def trend(self, notebook: Path, target: str, *, column: str | None = None, limit: int = 20) -> Document:
        """The table ``step.name``, or one of its columns, in the last runs of a notebook, the oldest first.

        Raises
        ------
        NotFoundError
            The table has no such column in any of these runs.
        """
        from jupyterlab_pipelines.quality import views

        return views.trend_document(self._store, self._project.key_of(notebook), target, column, limit)

    def trace(
        self, run_id: str, target: str, kind: str, *, feature: str | None = None, check: str | None = None
    ) -> Document:
        """The first cell that let an anomaly of the table ``step.name`` in, found by replaying cells.

        Cells are executed, in kernels of their own and a scratch place: nothing of the project or its store changes.

        Raises
        ------
        NotFoundError
            There is no such run, table or anomaly.
        """
        from jupyterlab_pipelines.quality import views

        anomaly = views.anomaly_of(self._project.run_document(run_id), target, kind, feature, check)
        return self.trace_anomalies(run_id, [anomaly])[0]

    def trace_elsewhere(
        self, run_id: str, target: str, kind: str, *, feature: str | None = None, check: str | None = None
    ) -> Document:
        """The same as `trace`, by a process of its own: this one executes nothing.

        Raises
        ------
        NotFoundError
            There is no such run, table or anomaly.
        """
        from jupyterlab_pipelines.quality import views

        views.anomaly_of(self._project.run_document(run_id), target, kind, feature, check)
        asked = {"run_id": run_id, "target": target, "kind": kind, "feature": feature, "check": check}
        done = subprocess.run(
            [
                *(sys.executable, "-m", "jupyterlab_pipelines.trace_process"),
                *("--root", str(self._project.root), "--store", str(self._store.path)),
            ],
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            encoding="utf-8",
            cwd=self._project.root,
            env=environment_with_us(),
            check=False,
        )
        if done.returncode != 0:
            raise PipelinesError("trace_failed", f"The trace came to no end: {done.stderr.strip()[-500:]}")
        found: Document = json.loads(done.stdout)
        return found

    def trace_anomalies(self, run_id: str, anomalies: Sequence[Document]) -> list[Document]:
        """The same of several anomalies of the tables of a run, whose steps are replayed once."""
        from jupyterlab_pipelines.execution.replay import Replayer
        from jupyterlab_pipelines.execution.tracing import Tracer
        from jupyterlab_pipelines.quality import views
        from jupyterlab_pipelines.quality.measurer import Measurer

        run = self._project.run_document(run_id)
        of_tables = [anomaly for anomaly in anomalies if anomaly["digest"]]
        if not of_tables:
            return []
        schemas = self.read_schemas(self._project.root / run["notebook"])
        options = json.loads(self._store.runs.row(run["run_id"])["options"])
        with Replayer(self._store, self._project.root) as replayer, Measurer(self._store) as measurer:
            tracer = Tracer(self._store, run, schemas, replayer, measurer, options.get("environment"))
            return [
                {
                    "run_id": run["run_id"],
                    "table": views.home_of(run, anomaly),
                    "anomaly": anomaly,
                    **tracer.trace(anomaly),
                }
                for anomaly in of_tables
            ]

    def failing_rows(
        self,
        run_id: str,
        target: str,
        kind: str,
        *,
        feature: str | None = None,
        check: str | None = None,
        limit: int = 20,
    ) -> Document:
        """The rows that an anomaly of the table ``step.name`` of a run is about.

        Raises
        ------
        NotFoundError
            There is no such run, table or anomaly, or the table is not in the store any more.
        """
        from jupyterlab_pipelines.quality import views

        run = self._project.run_document(run_id)
        anomaly = views.anomaly_of(run, target, kind, feature, check)
        return self.rows_of_anomalies(run["run_id"], [anomaly], limit)[0]

    def rows_of_anomalies(self, run_id: str, anomalies: Sequence[Document], limit: int) -> list[Document]:
        """The same of several anomalies of the tables of a run."""
        from jupyterlab_pipelines.quality import views

        run = self._project.run_document(run_id)
        named = [{"table": views.home_of(run, one), **one} for one in anomalies if one["digest"]]
        schemas = self.read_schemas(self._project.root / run["notebook"])
        return views.failing_rows(self._store, run["run_id"], named, schemas, limit)

    def schemas(self, notebook: Path) -> Document:
        """The schema file of a notebook: its text, and what it says of each table."""
        from jupyterlab_pipelines.quality.notebook_schema import documents_in, read_text

        path = self._schema_file(notebook)
        text = read_text(path)
        return {"file": path.name, "text": text, "tables": documents_in(text, path)}

    def read_schemas(self, notebook: Path) -> dict[str, Schema]:
        """By ``step.name``, what the schema file of a notebook says."""
        from jupyterlab_pipelines.quality.notebook_schema import read_schemas

        return read_schemas(self._schema_file(notebook))

    def import_schema(self, notebook: Path, table: str, says: Document) -> Document:
        """Write what another tool says of a table into the schema file, in place of what stands there."""
        from jupyterlab_pipelines.quality.notebook_schema import read_text, with_table

        path = self._schema_file(notebook)
        return self.write_schemas(notebook, with_table(read_text(path), table, says, notebook.name))

    def write_schemas(self, notebook: Path, text: str) -> Document:
        """Replace the schema file's text; without a text there is no file.

        Raises
        ------
        UsageError
            The text is no schema file.
        """
        from jupyterlab_pipelines.quality.notebook_schema import parse_schemas

        path = self._schema_file(notebook)
        parse_schemas(text, path)
        if text:
            write_whole(path, text.encode())
        else:
            path.unlink(missing_ok=True)
        return self.schemas(notebook)

    def pin(self, notebook: Path, *, run_id: str | None = None, tables: Collection[str] = ()) -> Document:
        """Agree to tables of a run: the schema file says what they are like, and later ones are compared with them.

        Parameters
        ----------
        run_id
            The run; the newest that succeeded, if none is said.
        tables
            As ``step.name``; all tables, if none is said.

        Raises
        ------
        NotFoundError
            There is no such run or table.
        """
        from jupyterlab_pipelines.quality import views
        from jupyterlab_pipelines.quality.measurable import is_table
        from jupyterlab_pipelines.quality.notebook_schema import pin, read_text

        run = self._project.run_document(run_id) if run_id else self._newest_success(notebook)
        key = self._project.key_of(notebook)
        if run["notebook"] != key:
            raise UsageError("other_notebook", f"Run {run['run_id']} is of {run['notebook']}, not of {key}.")
        path = self._schema_file(notebook)
        text, pinned = read_text(path), []
        targets = tables or [
            f"{step['name']}.{output['name']}" for step in run["steps"] for output in step["outputs"]
        ]
        for target in targets:
            step, output = views.table_of(run, target)
            artifact = self._store.quality.artifact(output["digest"])
            statistics = self.statistics(output["digest"]) if artifact and is_table(artifact) else None
            if statistics is None:
                if tables:
                    raise UsageError("no_table", f"`{target}` is no table: it is a {output['type']}.")
                continue
            text = pin(text, target, statistics, Path(key).name, path)
            self._store.quality.accept(run["run_id"], step["name"], output["name"])
            pinned.append(target)
        if pinned:
            write_whole(path, text.encode())
        return {"run_id": run["run_id"], "pinned": pinned, **self.schemas(notebook)}

    def accept(
        self, run_id: str, target: str, kind: str, *, feature: str | None = None, check: str | None = None
    ) -> Document:
        """Agree to one anomaly of the table ``step.name``, wherever else in the run the same one was told.

        What the schema file can say of it is written there; later tables are compared with this one so far.
        Metrics have no table: `target` is then the step alone.

        Raises
        ------
        NotFoundError
            There is no such run, table or anomaly.
        """
        from jupyterlab_pipelines.quality import views
        from jupyterlab_pipelines.quality.accepting import accepted
        from jupyterlab_pipelines.quality.notebook_schema import read_text

        run = self._project.run_document(run_id)
        anomaly = views.anomaly_of(run, target, kind, feature, check)

        is_meant = _is_same_as(anomaly)
        path = schema_path(self._project.root / run["notebook"])
        text, changed = read_text(path), list[str]()
        for step in run["steps"]:
            for other in filter(is_meant, step["anomalies"]):
                home = views.home_of(run, other)
                statistics = self.statistics(other["digest"]) if other["digest"] else None
                if statistics is not None:
                    text, written = accepted(text, home, other, statistics, Path(run["notebook"]).name, path)
                    changed += [name for name in written if name not in changed]
                self._store.quality.agree(run["run_id"], step["name"], other["output"] or "", is_meant)
        if changed:
            write_whole(path, text.encode())
        notebook = self._project.root / run["notebook"]
        told = anomaly | {"accepted": True}
        return {"run_id": run["run_id"], "accepted": told, "changed": changed, **self.schemas(notebook)}

    def withdraw(
        self, run_id: str, target: str, kind: str, *, feature: str | None = None, check: str | None = None
    ) -> Document:
        """Agree no longer to an anomaly that was agreed to; what the schema file says of it stays.

        Raises
        ------
        NotFoundError
            There is no such run, table or anomaly.
        """
        from jupyterlab_pipelines.quality import views

        run = self._project.run_document(run_id)
        anomaly = views.anomaly_of(run, target, kind, feature, check)
        is_meant = _is_same_as(anomaly)
        for step in run["steps"]:
            for other in filter(is_meant, step["anomalies"]):
                self._store.quality.agree(
                    run["run_id"], step["name"], other["output"] or "", is_meant, agrees=False
                )
        return {"run_id": run["run_id"], "anomaly": {**anomaly, "accepted": False}}

    def check_schemas(
        self, notebook: Path, *, run_id: str | None = None, environment: str | None = None
    ) -> Document:
        """Hold the tables of a run (the newest) against the schema file as it is now.

        Raises
        ------
        NotFoundError
            There is no such run.
        """
        from jupyterlab_pipelines.quality.anomalies import find
        from jupyterlab_pipelines.quality.measurer import Measurer
        from jupyterlab_pipelines.quality.notebook_schema import require_environment

        run = self._project.run_document(run_id) if run_id else self._newest_success(notebook)
        schemas = self.read_schemas(notebook)
        require_environment(environment, schemas)
        outputs = {
            f"{step['name']}.{output['name']}": output for step in run["steps"] for output in step["outputs"]
        }
        found: list[Document] = []
        with Measurer(self._store) as measurer:
            for target, schema in schemas.items():
                artifact = (
                    self._store.quality.artifact(outputs[target]["digest"]) if target in outputs else None
                )
                statistics = measurer.statistics(artifact) if artifact else None
                if artifact is None or statistics is None:
                    continue
                anomalies = measurer.failed_checks(artifact, schema.checks)
                where = schema.environment_in(environment)
                anomalies += [a.to_document() for a in find(statistics, schema, environment=where)]
                step, _, name = target.partition(".")
                place = {"table": target, "output": name, "digest": artifact.digest, "reference_run": None}
                found += [
                    place | anomaly | {"first": {"step": step, "output": name}} for anomaly in anomalies
                ]
        return {
            "run_id": run["run_id"],
            "checked": [target for target in schemas if target in outputs],
            "not_checked": [target for target in schemas if target not in outputs],
            "anomalies": found,
        }

    def _schema_file(self, notebook: Path) -> Path:
        return schema_path(self._project.root / self._project.key_of(notebook))

    def _newest_success(self, notebook: Path) -> Document:
        for run in self._project.runs(notebook):
            if run["status"] == "succeeded":
                return self._project.run_document(run["run_id"])
        raise NotFoundError(
            "no_run", f"{self._project.key_of(notebook)} has no successful run yet: run it first."
        )


def _is_same_as(anomaly: Document) -> Callable[[Document], bool]:
    """Whether another anomaly of the run is the same one, told of another table."""

    def is_same(other: Document) -> bool:
        checks = anomaly["kind"] != "check_failed" or other["reference"] == anomaly["reference"]
        # It came from the same table, or is told of another name of this one.
        is_named_again = bool(anomaly["digest"]) and other["digest"] == anomaly["digest"]
        origin = is_named_again or other["first"] == anomaly["first"]
        return checks and origin and all(other[name] == anomaly[name] for name in ("kind", "feature"))

    return is_same
