"""``%pipeline suggest``: a cut of the notebook into steps, to look at, and to be written into the file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from jupyterlab_pipelines.api_html import Shown, page, table
from jupyterlab_pipelines.errors import UsageError

if TYPE_CHECKING:
    from jupyterlab_pipelines.kernel.magics.session import Session


def suggest(session: Session, *, apply: bool) -> Shown | None:
    """Show a cut; `apply`: write its tags into the notebook's file.

    Raises
    ------
    UsageError
        No notebook is known, or it has steps already.
    """
    notebook = session.notebook
    if notebook is None:
        raise UsageError(
            "no_notebook",
            "It is not known which notebook this kernel belongs to. Say `%pipeline use NOTEBOOK`, with the "
            "path of its file.",
        )
    document = session.project.suggest(notebook)
    if apply:
        _write(session, document["tags"])
        print(
            f"{len(document['steps'])} steps were written into {notebook.name}. If it is open in an editor, reload it."
        )
        return None
    columns = ("step", "cells", "reads", "leaves", "title")
    rows = [
        (
            step["name"],
            ", ".join(str(index + 1) for index in step["cells"]),
            ", ".join(step["inputs"]),
            ", ".join(step["outputs"]),
            step["title"],
        )
        for step in document["steps"]
    ]
    import io

    from jupyterlab_pipelines.cli_table import show_table

    out = io.StringIO()
    show_table(columns, rows, out)
    hint = "`%pipeline suggest --apply` writes these tags into the notebook's file."
    return Shown(document, f"{out.getvalue()}\n{hint}", html=page(table(columns, rows), f"<p>{hint}</p>"))


def _write(session: Session, tags: dict[str, list[str]]) -> None:
    """Put the tags into the file, which is otherwise left as it is."""
    import os

    path = session.notebook
    assert path is not None
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for index, added in tags.items():
        metadata = content["cells"][int(index)].setdefault("metadata", {})
        metadata["tags"] = [*(metadata.get("tags") or []), *added]
    aside = path.with_name(f".{path.name}.part")
    try:
        aside.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)
