"""Inspection of a run: every table that a step leaves is measured and held against what is expected of it.

Expected is what the notebook's schema file says (strictly) and what the newest earlier successful run left under
the same name (so far as chance does not explain a difference). A table with a warning is no reference for later
ones, until somebody has agreed to it: so an anomaly stays visible as long as it is there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jupyterlab_pipelines.artifact import Artifact
from jupyterlab_pipelines.quality.anomalies import find
from jupyterlab_pipelines.quality.measurer import Measurer
from jupyterlab_pipelines.quality.notebook_schema import read_schemas, schema_path
from jupyterlab_pipelines.quality.schema import Schema
from jupyterlab_pipelines.quality.statistics import Statistics
from jupyterlab_pipelines.quality.stored import is_table
from jupyterlab_pipelines.store import Store

Document = dict[str, Any]

SEVERITIES = ("error", "warning", "info")


class Inspector:
    """Inspects the tables of one run.

    Parameters
    ----------
    notebook
        As the store knows it.
    file
        The notebook's file, beside which its schemas are.
    """

    def __init__(self, store: Store, notebook: str, file: Path, run_id: str) -> None:
        self._store = store
        self._notebook = notebook
        self._run_id = run_id
        self._schemas: Mapping[str, Schema] = read_schemas(schema_path(file))
        self._measurer = Measurer(store)

    def close(self) -> None:
        """Measure nothing more; what is being measured is given up."""
        self._measurer.close()

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

    def _inspect_table(
        self,
        step: str,
        name: str,
        artifact: Artifact,
        home: tuple[str, str],
        inputs: Mapping[str, Artifact],
    ) -> list[Document]:
        """`home`: the step that leaves the table, and the name under which it does."""
        statistics = self._measurer.statistics(artifact)
        if statistics is None:
            return []
        schema = self._schemas.get(".".join(home))
        reference = self._store.quality.reference(self._notebook, *home, self._run_id)
        anomalies = self._anomalies(artifact, statistics, schema, reference.digest if reference else None)
        found = [
            anomaly
            | {
                "output": name,
                "digest": artifact.digest,
                "reference_run": reference.run_id if reference else None,
                "first": self._first(anomaly, artifact, inputs) or {"step": home[0], "output": home[1]},
            }
            for anomaly in anomalies
        ]
        self._store.quality.keep_anomalies(
            self._run_id,
            step,
            name,
            artifact.digest,
            reference=reference.digest if reference else None,
            severity=gravest(found),
            anomalies=found,
        )
        return found

    def _anomalies(
        self, artifact: Artifact, statistics: Statistics, schema: Schema | None, reference: str | None
    ) -> list[Document]:
        failed = self._measurer.failed_checks(artifact, schema.checks) if schema else []
        before = None
        if reference is not None and reference != artifact.digest:
            # Measured now if it is from a time before tables were.
            known = self._store.quality.artifact(reference)
            before = self._measurer.statistics(known) if known else None
        return [*failed, *(anomaly.to_document() for anomaly in find(statistics, schema, before))]

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


def gravest(anomalies: Sequence[Document]) -> str | None:
    """The severity of the gravest anomaly, None where there is none."""
    return min((anomaly["severity"] for anomaly in anomalies), key=SEVERITIES.index, default=None)
