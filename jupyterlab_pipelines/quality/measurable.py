"""Which stored values are tables that can be measured. It needs nothing of what measures them."""

from __future__ import annotations

from jupyterlab_pipelines.artifact import Artifact

READABLE = ("pandas", "polars", "arrow", "numpy")
"""Materializers whose files are read without a pickle."""


def can_be_measured(artifact: Artifact) -> bool:
    """Whether the artifact may be a table that `stored.read_stored` reads, be it under several names."""
    return artifact.kind == "value" and artifact.materializer in READABLE and bool(artifact.stored)
