"""A run while it goes on: a picture that moves in a notebook, lines of text elsewhere.

The run is a process of its own; what is shown is read from the store. In a notebook one output is drawn anew while
the run goes on, and its last picture stays in the file. With ipywidgets there are buttons to cancel and to see the
log, which a kernel hears that is not busy: with ``--background``.
"""

from __future__ import annotations

import html
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from jupyterlab_pipelines.cli_table import SYMBOLS, PlainProgress, duration, show_progress, why
from jupyterlab_pipelines.run import Status

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from jupyterlab_pipelines.project import Project

Document = dict[str, Any]

POLL_SECONDS = 0.15
COLOURS = {
    "queued": "#9e9e9e",
    "running": "#0288d1",
    "succeeded": "#388e3c",
    "reused": "#1565c0",
    "failed": "#d32f2f",
    "cancelled": "#f57c00",
    "skipped": "#9e9e9e",
    "interrupted": "#f57c00",
}
LOG_LINES = 30
LOG_BYTES = 20_000


class View(Protocol):
    """Shows the run's document whenever it has changed, and how it ended."""

    def update(self, document: Document) -> None: ...
    def close(self, document: Document) -> None: ...


def follow(shell: InteractiveShell, project: Project, run_id: str, plan: Document) -> Document:
    """Show the run until it has ended; its document. An interrupt cancels it, a second one lets it go."""
    view = _view(shell, plan)
    is_cancelled = False
    while True:
        try:
            document = _show_until_ended(project, run_id, view)
            break
        except KeyboardInterrupt:
            if is_cancelled:
                raise
            is_cancelled = True
            project.cancel(run_id)
    view.close(document)
    _report(project, document)
    return document


def follow_in_background(shell: InteractiveShell, project: Project, run_id: str, plan: Document) -> None:
    """Show the run while the kernel does other things."""
    if not _is_notebook(shell):
        print(f"run {run_id} goes on in the background; `%pipeline show {run_id}` tells how it stands")
        return
    view = _widget_view(project, run_id, plan) or HtmlView(plan)
    view.update(project.run_document(run_id))

    def watch() -> None:
        try:
            view.close(_show_until_ended(project, run_id, view))
        finally:
            project.store.database.close_thread()

    threading.Thread(target=watch, name=f"pipelines: {run_id}", daemon=True).start()


def _show_until_ended(project: Project, run_id: str, view: View) -> Document:
    changes = None
    while True:
        now = project.changes()
        if now != changes:
            changes = now
            document = project.run_document(run_id)
            view.update(document)
            if Status(document["status"]).is_final:
                return document
        time.sleep(POLL_SECONDS)
        changes = _look_again(changes)


def _look_again(changes: int | None) -> int | None:
    """Now and then the run is looked at though nothing was written: its process may have died."""
    return None if time.monotonic() % 3 < POLL_SECONDS else changes


def _report(project: Project, document: Document) -> None:
    """Failures with their place, and one line of summary."""
    from jupyterlab_pipelines.cli_report import report_run

    report_run(document, project, sys.stdout)


def _view(shell: InteractiveShell, plan: Document) -> View:
    return HtmlView(plan) if _is_notebook(shell) else TextView(plan)


def _is_notebook(shell: InteractiveShell) -> bool:
    """Whether outputs can be drawn anew: not in a terminal."""
    return getattr(shell, "kernel", None) is not None


# -- text -----------------------------------------------------------------------------------------


class TextView:
    """As the command line shows a run: a table that moves on a terminal, else lines."""

    def __init__(self, plan: Document) -> None:
        self._context = show_progress(sys.stdout)
        self._tell = self._context.__enter__()
        self._tell({"kind": "plan", "steps": plan["steps"]})
        self._seen: dict[str, Document] = {}

    def update(self, document: Document) -> None:
        for step in document["steps"]:
            shown = {name: step[name] for name in ("status", "decision", "reasons", "duration_seconds")}
            if self._seen.get(step["name"]) != shown | {"progress": step["progress"]}:
                self._seen[step["name"]] = shown | {"progress": step["progress"]}
                self._tell({"kind": "step", "step": step["name"], "progress": step["progress"], **shown})

    def close(self, document: Document) -> None:
        self._context.__exit__(None, None, None)


# -- a picture ------------------------------------------------------------------------------------


class HtmlView:
    """One output of the cell, which is drawn anew; its text is what a terminal would show at the end."""

    def __init__(self, plan: Document) -> None:
        from IPython.core.display_functions import display

        self._plan = plan
        self._shown: Any = None
        self._handle = display(  # type: ignore[no-untyped-call]
            {"text/plain": ""}, raw=True, display_id=True
        )

    def update(self, document: Document) -> None:
        bundle = {"text/html": picture(document, self._plan), "text/plain": plain_picture(document)}
        if bundle != self._shown:
            self._shown = bundle
            self._handle.update(bundle, raw=True)

    def close(self, document: Document) -> None:
        self.update(document)


def _widget_view(project: Project, run_id: str, plan: Document) -> View | None:
    """With buttons, where ipywidgets is installed."""
    try:
        return WidgetView(project, run_id, plan)
    except ImportError:
        return None


class WidgetView:
    """The picture with buttons below it; when the run has ended, the picture alone takes their place."""

    def __init__(self, project: Project, run_id: str, plan: Document) -> None:
        import ipywidgets
        from IPython.core.display_functions import display

        self._project, self._run_id, self._plan = project, run_id, plan
        self._picture = ipywidgets.HTML()
        self._log = ipywidgets.HTML()
        cancel = ipywidgets.Button(description="Cancel", tooltip="End the run", icon="stop")
        show_log = ipywidgets.ToggleButton(description="Log", tooltip="What the steps write", icon="list")
        cancel.on_click(lambda _: self._cancel(cancel))
        show_log.observe(lambda change: self._show_log(change["new"]), "value")
        self._with_log = False
        box = ipywidgets.VBox([self._picture, ipywidgets.HBox([cancel, show_log]), self._log])
        self._handle = display(box, display_id=True)  # type: ignore[no-untyped-call]

    def _cancel(self, button: Any) -> None:
        button.disabled = True
        self._project.cancel(self._run_id)

    def _show_log(self, is_wanted: bool) -> None:
        self._with_log = is_wanted
        self.update(self._project.run_document(self._run_id))

    def update(self, document: Document) -> None:
        self._picture.value = picture(document, self._plan)
        self._log.value = self._log_text(document) if self._with_log else ""

    def _log_text(self, document: Document) -> str:
        parts = []
        for step in document["steps"]:
            if step["status"] in ("running", "failed", "succeeded"):
                with suppress(Exception):  # a log that is being moved into the store
                    part = self._project.step_log_part(self._run_id, step["name"], last_bytes=LOG_BYTES)
                    lines = part.plain.splitlines()[-LOG_LINES:]
                    if lines:
                        text = html.escape("\n".join(lines))
                        parts.append(f"<b>{html.escape(step['name'])}</b><pre>{text}</pre>")
        return "".join(parts) or "<i>Nothing was written yet.</i>"

    def close(self, document: Document) -> None:
        bundle = {"text/html": picture(document, self._plan), "text/plain": plain_picture(document)}
        self._handle.update(bundle, raw=True)


def plain_picture(document: Document) -> str:
    """The steps, one in a line, and the summary."""
    import io

    from jupyterlab_pipelines.cli_report import summary

    out = io.StringIO()
    lines = PlainProgress(out)
    lines(
        {
            "kind": "plan",
            "steps": [{"name": s["name"], "decision": None, "reasons": ()} for s in document["steps"]],
        }
    )
    for step in document["steps"]:
        lines(
            {"kind": "step", "step": step["name"], **{k: step[k] for k in ("status", "decision", "reasons")}}
        )
    return f"{out.getvalue()}{summary(document)}"


def picture(document: Document, plan: Document) -> str:
    """The run as HTML: the graph as a strip, a bar for each step, and a line that sums up."""
    from jupyterlab_pipelines.cli_report import summary

    planned = {step["name"]: step for step in plan["steps"]}
    rows = "".join(_bar(step, planned.get(step["name"], {})) for step in document["steps"])
    return (
        '<div class="jp-pipelines-run" style="font-size: 0.9em; max-width: 60em">'
        f"{strip(document, plan)}"
        # JupyterLab gives all columns one width, whatever they hold.
        f'<table style="width: 100%; border-collapse: collapse; table-layout: auto">{rows}</table>'
        f"<p><b>{html.escape(summary(document))}</b></p></div>"
    )


def _bar(step: Document, planned: Document) -> str:
    colour = COLOURS[step["status"]]
    share = {"queued": 0.0, "skipped": 0.0, "running": _share(step, planned)}.get(step["status"], 1.0)
    shown = duration(step["duration_seconds"]) if step["status"] != "reused" else ""
    told = why(step["decision"], step["reasons"])
    bar = (
        '<div style="background: rgba(128, 128, 128, 0.2); width: 8em; height: 0.6em; border-radius: 0.3em">'
        f'<div style="background: {colour}; width: {share:.0%}; height: 100%; border-radius: 0.3em"></div></div>'
    )
    metrics = " ".join(f"{name}={value:.4g}" for name, value in step["metrics"].items() if value is not None)
    cells = (
        f'<span style="color: {colour}">{SYMBOLS[step["status"]]}</span> {html.escape(step["name"])}',
        bar,
        html.escape(step["status"]),
        html.escape(shown),
        html.escape(" · ".join(part for part in (metrics, told) if part)),
    )
    style = "text-align: left; vertical-align: middle; padding: 0.15em 0.6em"
    widths = ["white-space: nowrap"] * (len(cells) - 1) + ["width: 100%"]
    row = [f'<td style="{style}; {width}">{cell}</td>' for width, cell in zip(widths, cells, strict=True)]
    return f"<tr>{''.join(row)}</tr>"


def _share(step: Document, planned: Document) -> float:
    """How far a step is that runs: by its cells, or by the time that it is likely to take."""
    progress = step["progress"] or {"cell": 0, "cells": 1}
    by_cells: float = progress["cell"] / max(progress["cells"], 1)
    expected: float | None = planned.get("expected_duration_seconds")
    if not expected or not step["started_at"]:
        return max(by_cells, 0.05)
    from datetime import UTC, datetime

    took = (datetime.now(UTC) - datetime.fromisoformat(step["started_at"])).total_seconds()
    return min(0.95, max(by_cells, took / expected, 0.05))


def strip(document: Document, plan: Document) -> str:
    """The graph, small: a dot for each step, behind those that it waits for."""
    statuses = {step["name"]: step["status"] for step in document["steps"]}
    parents = {step["name"]: _parents(step, statuses) for step in plan["steps"] if step["name"] in statuses}
    columns: dict[str, int] = {}
    for name, before in parents.items():  # the plan's order: parents come first
        columns[name] = 1 + max((columns.get(parent, 0) for parent in before), default=-1)
    rows: dict[int, int] = {}
    places: dict[str, tuple[int, int]] = {}
    for name, column in columns.items():
        places[name] = 14 + 44 * column, 14 + 22 * rows.get(column, 0)
        rows[column] = rows.get(column, 0) + 1
    lines = "".join(
        f'<path d="M{places[parent][0]} {places[parent][1]} L{x} {y}" stroke="gray" stroke-opacity="0.5" fill="none"/>'
        for name, (x, y) in places.items()
        for parent in parents[name]
        if parent in places
    )
    dots = "".join(
        f'<circle cx="{x}" cy="{y}" r="7" fill="{COLOURS[statuses[name]]}">'
        f"<title>{html.escape(name)}: {statuses[name]}</title></circle>"
        for name, (x, y) in places.items()
    )
    width = 28 + 44 * max(columns.values(), default=0)
    height = 6 + 22 * max(rows.values(), default=1)
    label = html.escape(", ".join(f"{name} {status}" for name, status in statuses.items()), quote=True)
    return (
        f'<svg role="img" aria-label="{label}" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" style="max-width: 100%">{lines}{dots}</svg>'
    )


def _parents(step: Document, known: Mapping[str, str]) -> list[str]:
    named = [*(given["step"] for given in step["inputs"]), *step["after"]]
    return [name for name in dict.fromkeys(named) if name in known]
