"""What the Python API shows of the quality of tables: anomalies that can be looked into, changes, trends, slices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from jupyterlab_pipelines.api_html import Shown, page, row, table

if TYPE_CHECKING:
    import pandas as pd

    from jupyterlab_pipelines.project import Project


class Anomaly(Mapping[str, Any]):
    """One anomaly of a table of a run: a mapping with ``feature``, ``kind``, ``severity``, ``description``, …

    `table` is the table, as ``step.name``.
    """

    def __init__(self, project: Project, run_id: str, table: str, document: Mapping[str, Any]) -> None:
        self._project = project
        self._run_id = run_id
        self._document = document
        self.table = table

    def __getitem__(self, key: str) -> Any:
        return self._document[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._document)

    def __len__(self) -> int:
        return len(self._document)

    def trace(self) -> Shown:
        """The first cell that let it in, found by replaying cells on stored inputs, in a scratch place.

        ``["step"]``, ``["cell_index"]``, ``["name"]`` of the table there, ``["source"]`` of the cell.
        """
        document = self._project.tables.trace(self._run_id, self.table, **self._name)
        return Shown(document, _trace_text(document))

    def rows(self, limit: int = 20) -> pd.DataFrame:
        """The rows that it is about, at most `limit`, with their labels; ``attrs["total"]`` is how many there are."""
        import pandas as pd

        document = self._project.tables.failing_rows(self._run_id, self.table, limit=limit, **self._name)
        frame = pd.DataFrame(
            [one["values"] for one in document["rows"]],
            columns=document["columns"],
            index=pd.Index([one["index"] for one in document["rows"]]),
        )
        frame.attrs = {"total": document["total"], "message": document["message"]}
        return frame

    def accept(self) -> Shown:
        """Agree to it: the schema file says so where it can, and later tables are compared with this one so far."""
        document = self._project.tables.accept(self._run_id, self.table, **self._name)
        return Shown(document, "\n".join(document["changed"]) or "Agreed.")

    @property
    def _name(self) -> dict[str, Any]:
        check = self["reference"] if self["kind"] == "check_failed" else None
        return {"kind": self["kind"], "feature": self["feature"], "check": check}

    def __repr__(self) -> str:
        column = f", column `{self['feature']}`" if self["feature"] else ""
        return f"<{self['severity']}: {self['kind']} of {self.table}{column}: {self['description']}>"

    def _repr_html_(self) -> str:
        facts = {self["severity"]: self["kind"], "table": self.table}
        facts |= {"column": self["feature"]} if self["feature"] else {}
        return page(row(facts), table(["what"], [[self["description"]]]))


def _trace_text(document: Mapping[str, Any]) -> str:
    lines = [document["message"], *(f"    {line}" for line in (document["source"] or "").splitlines())]
    return "\n".join([*lines, *(f"Beware: {warning}." for warning in document["warnings"])])


def shown_change(document: dict[str, Any]) -> Shown:
    """What a step did to the tables of another."""
    from jupyterlab_pipelines.cli_tables import told_change

    return Shown(document, "\n".join(map(told_change, document["tables"])))


def shown_slices(document: dict[str, Any]) -> Shown:
    """How good predictions are, the worst first."""
    columns = ("column", "value", "rows", "metric", "low", "high", "difference", "p_value")
    rows = [[_number(one[name]) for name in columns] for one in [document["overall"], *document["slices"]]]
    heads = [document["metric"] if name == "metric" else name for name in columns]
    text = "\n".join("  ".join(map(str, line)) for line in [heads, *rows])
    return Shown(document, text, html=table(heads, rows))


def shown_trend(document: dict[str, Any]) -> Shown:
    """A table or a column over the last runs."""
    heads = list(dict.fromkeys(name for run in document["runs"] for name in run if name != "digest"))
    rows = [[_number(run.get(name)) for name in heads] for run in document["runs"]]
    text = "\n".join("  ".join(map(str, line)) for line in [heads, *rows])
    return Shown(document, text, html=table(heads, rows))


def _number(value: Any) -> Any:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return ", ".join(str(_number(one)) for one in value)
    return "" if value is None else value
