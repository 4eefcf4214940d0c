"""Which stored values are tables that can be measured. It needs nothing of what measures them."""

from __future__ import annotations

from jupyterlab_pipelines.artifact import GROUP, Artifact, table_digest

READABLE = ("pandas", "polars", "arrow", "numpy")
"""Materializers whose files are read without a pickle."""

_OF_PACKAGE = {"pandas": "pandas", "polars": "polars", "pyarrow": "arrow", "numpy": "numpy"}


def table_file(artifact: Artifact) -> tuple[str, str] | None:
    """The materializer and the name of the stored file in which an artifact lies as a table; None if it is none.

    A table that shares memory with other values lies with these in one file, and beside it as a table of its own.
    """
    if artifact.kind != "value" or not artifact.stored:
        return None
    if artifact.materializer in READABLE:
        return artifact.materializer, artifact.stored
    package = _OF_PACKAGE.get(artifact.type.partition(".")[0])
    return (package, table_digest(artifact.digest)) if artifact.materializer == GROUP and package else None


def can_be_measured(artifact: Artifact) -> bool:
    """Whether the artifact may be a table that `stored.read_stored` reads."""
    return table_file(artifact) is not None
