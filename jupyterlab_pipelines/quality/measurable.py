"""Which stored values are tables, and which have statistics. It needs nothing of what measures them."""

from __future__ import annotations

from jupyterlab_pipelines.artifact import GROUP, Artifact

READABLE = ("pandas", "polars", "arrow", "numpy")
"""Materializers that write tables alone, whose files are read without a pickle."""
PICKLED = ("pickle", GROUP)
TYPES_OF_TABLES = frozenset(
    (
        *("pandas.DataFrame", "pandas.Series", "polars.DataFrame", "polars.Series", "numpy.ndarray"),
        *("pyarrow.Table", "pyarrow.RecordBatch", "pyarrow.Array", "pyarrow.ChunkedArray"),
    )
)
"""Types of which pickles hold tables."""


def is_table(artifact: Artifact) -> bool:
    """Whether the artifact is a table that `stored.read_stored` reads: what is watched from run to run."""
    if artifact.kind != "value" or not artifact.stored:
        return False
    is_pickled = artifact.materializer in PICKLED and artifact.type in TYPES_OF_TABLES
    return artifact.materializer in READABLE or is_pickled


def can_be_measured(artifact: Artifact) -> bool:
    """Whether there may be statistics of the artifact: of tables, of plain data that is like one, of models."""
    is_kept = artifact.kind == "value" and bool(artifact.stored)
    return is_table(artifact) or (is_kept and artifact.materializer in ("json", *PICKLED))
