"""Inspection of a run: every table that a step leaves is measured and held against what is expected of it.

Expected is what the notebook's schema file says (strictly) and what the newest earlier successful run left under
the same name (so far as chance does not explain a difference). A table with a warning is no reference for later
ones, until somebody has agreed to it: so an anomaly stays visible as long as it is there. Where somebody has agreed to
some of its anomalies alone, these columns are compared with what they were like there.

A verdict that was made before from the very same is taken over. So a run in which nothing has changed needs nothing of
what judges; whatever does is imported where it is used.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyterlab_pipelines.artifact import Artifact
from jupyterlab_pipelines.fingerprint import fingerprint
from jupyterlab_pipelines.quality.measurable import is_table
from jupyterlab_pipelines.store import Store

if TYPE_CHECKING:
    from jupyterlab_pipelines.quality.measurer import Measurer
    from jupyterlab_pipelines.quality.schema import Schema
    from jupyterlab_pipelines.quality.statistics import Statistics
    from jupyterlab_pipelines.run import Execution
    from jupyterlab_pipelines.store.quality import Reference

Document = dict[str, Any]

SEVERITIES = ("error", "warning", "info")

VERDICTS = 1
"""A number that changes with the rules: verdicts made by others are made again."""


def schema_path(notebook: Path) -> Path:
    """Where the schemas of a notebook are: ``flights.schema.yaml`` beside ``flights.ipynb``."""
    return notebook.with_name(f"{notebook.stem}.schema.yaml")


def move_schemas(before: Path, after: Path) -> bool | None:
    """A notebook was moved: take its schema file along. Whether that was possible; None if it has no such file."""
    source, target = schema_path(before), schema_path(after)
    if source == target or not source.is_file():
        return None
    try:
        # Fails where there is a file already; a rename would take its place.
        os.link(source, target)
        source.unlink()
    except FileExistsError:
        return False
    except OSError:  # no links in this file system, or none to another one
        if target.exists():
            return False
        shutil.move(source, target)
    return True


class Inspector:
    """Inspects the tables of one run.

    Parameters
    ----------
    notebook
        As the store knows it.
    file
        The notebook's file, beside which its schemas are.
    environment
        E.g. ``serving``, where schemas have environments.
    """

    def __init__(
        self, store: Store, notebook: str, file: Path, run_id: str, environment: str | None = None
    ) -> None:
        self._store = store
        self._notebook = notebook
        self._run_id = run_id
        self._environment = environment
        self._schema_file = schema_path(file)
        self._measures: Measurer | None = None
        # As it is when the run begins.
        self._schema_text = self._read_schema_file()

    def close(self) -> None:
        """Measure nothing more; what is being measured is given up."""
        if self._measures is not None:
            self._measures.close()

    def inspect(
        self, step: str, outputs: Mapping[str, Artifact], inputs: Mapping[str, Artifact]
    ) -> list[Document]:
        """The anomalies of all tables that the step left, which are noted in the store."""
        found: list[Document] = []
        for name, artifact in outputs.items():
            if is_table(artifact):
                found += self._inspect_table(step, name, artifact, (step, name), inputs)
        return found

    def gate(
        self,
        step: str,
        outputs: Mapping[str, Artifact],
        inputs: Mapping[str, Artifact],
        origins: Mapping[str, str],
    ) -> list[Document]:
        """The anomalies that a validator finds: of what it reads, and of what it leaves.

        `origins` says which step each input is from.
        """
        found: list[Document] = []
        for name, artifact in inputs.items():
            if name not in outputs and name in origins and is_table(artifact):
                found += self._inspect_table(step, name, artifact, (origins[name], name), inputs)
        return found + self.inspect(step, outputs, inputs)

    def inspect_metrics(self, step: str, execution: Execution) -> list[Document]:
        """The anomalies of the metrics that a step left, which are noted in the store.

        They are compared with those of earlier executions of the same code with the same parameters.
        """
        if not execution.metrics:
            return []
        earlier = self._store.executions.alike(self._notebook, execution)
        basis = fingerprint("metrics", [VERDICTS, step, execution.metrics, earlier])
        verdict = self._store.quality.verdict(basis)
        if verdict is None:
            from jupyterlab_pipelines.quality.metrics import unusual

            verdict = [anomaly.to_document() for anomaly in unusual(execution.metrics, earlier)]
        of_the_run: Document = {"output": None, "digest": None, "reference_run": None}
        found = [anomaly | of_the_run | {"first": {"step": step, "output": None}} for anomaly in verdict]
        self._store.quality.keep_anomalies(
            *(self._run_id, step, "", ""),
            reference=None,
            severity=gravest(found),
            anomalies=found,
            basis=basis,
        )
        return found

    def _inspect_table(
        self,
        step: str,
        name: str,
        artifact: Artifact,
        home: tuple[str, str],
        inputs: Mapping[str, Artifact],
    ) -> list[Document]:
        """`home`: the step that leaves the table, and the name under which it does."""
        reference = self._store.quality.reference(self._notebook, *home, self._run_id)
        agreed = self._store.quality.agreed(
            self._notebook, *home, after=reference.run_id if reference else None, before=self._run_id
        )
        basis = fingerprint(
            "verdict",
            [
                VERDICTS,
                ".".join(home),
                artifact.digest,
                reference.digest if reference else None,
                [[one.digest, one.features] for one in agreed],
                self._schema_text,
                self._environment,
            ],
        )
        known = self._store.quality.verdict(basis)
        if known is None:
            verdict = self._judge(artifact, ".".join(home), reference, agreed)
            if verdict is None:
                return []
        else:
            verdict = known
        found = [
            anomaly
            | {
                "output": name,
                "digest": artifact.digest,
                "reference_run": reference.run_id if reference else None,
                "first": self._first(anomaly, artifact, inputs) or {"step": home[0], "output": home[1]},
            }
            for anomaly in verdict
        ]
        self._store.quality.keep_anomalies(
            self._run_id,
            step,
            name,
            artifact.digest,
            reference=reference.digest if reference else None,
            severity=gravest(found),
            anomalies=found,
            basis=basis,
        )
        return found

    def _judge(
        self, artifact: Artifact, table: str, reference: Reference | None, agreed: Sequence[Any]
    ) -> list[Document] | None:
        """The anomalies of a table; None if it is none that can be measured."""
        from jupyterlab_pipelines.quality.anomalies import find

        statistics = self._measurer.statistics(artifact)
        if statistics is None:
            return None
        schema = self._schemas.get(table)
        failed = self._measurer.failed_checks(artifact, schema.checks) if schema else []
        environment = schema.environment_in(self._environment) if schema else None
        before = self._before(reference, agreed, artifact)
        found = find(statistics, schema, before, environment=environment)
        return [*failed, *(anomaly.to_document() for anomaly in found)]

    def _before(
        self, reference: Reference | None, agreed: Sequence[Any], artifact: Artifact
    ) -> Statistics | None:
        """What the table is compared with; None where nothing can differ."""
        if reference is None or reference.digest == artifact.digest:
            return None
        # Measured now if it is from a time before tables were.
        known = self._store.quality.artifact(reference.digest)
        before = self._measurer.statistics(known) if known else None
        for one in agreed:
            table = self._store.quality.artifact(one.digest)
            statistics = self._measurer.statistics(table) if table else None
            if before is not None and statistics is not None:
                before = agreed_to(before, statistics, one.features)
        return before

    @cached_property
    def _measurer(self) -> Measurer:
        from jupyterlab_pipelines.quality.measurer import Measurer

        self._measures = Measurer(self._store)
        return self._measures

    @cached_property
    def _schemas(self) -> Mapping[str, Schema]:
        if not self._schema_text:
            return {}
        from jupyterlab_pipelines.quality.notebook_schema import parse_schemas

        return parse_schemas(self._schema_text, self._schema_file)

    def _read_schema_file(self) -> str:
        if not self._schema_file.exists():
            return ""
        from jupyterlab_pipelines.quality.notebook_schema import read_text

        return read_text(self._schema_file)

    def _first(
        self, anomaly: Document, artifact: Artifact, inputs: Mapping[str, Artifact]
    ) -> Document | None:
        """The first step that let the anomaly in: a table that this one was made of has it, too."""
        for given in inputs.values():
            for earlier in self._store.quality.anomalies_of(self._run_id, given.digest):
                if (earlier["feature"], earlier["kind"]) == (anomaly["feature"], anomaly["kind"]):
                    first: Document = earlier["first"]
                    return first
        return None


def agreed_to(before: Statistics, table: Statistics, features: Sequence[str | None]) -> Statistics:
    """`before` with some columns as they are in a table of which somebody has agreed to them.

    None among the features is the table as a whole: its number of rows. A column that the table has not, is not
    expected any more.
    """
    if None in features:
        before = replace(before, rows=table.rows, duplicates=table.duplicates)
    changed = {name: table.by_name.get(name) for name in features if name is not None}
    columns = [changed.get(column.name, column) for column in before.columns]
    columns += [column for name, column in changed.items() if name not in before.by_name]
    return replace(before, columns=tuple(column for column in columns if column is not None))


def gravest(anomalies: Sequence[Document]) -> str | None:
    """The severity of the gravest anomaly, None where there is none."""
    return min((anomaly["severity"] for anomaly in anomalies), key=SEVERITIES.index, default=None)
