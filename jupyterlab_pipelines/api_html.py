"""How runs and what they have left show themselves: small HTML for notebooks, text for everybody else."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

VEGA_LITE = "application/vnd.vegalite.v5+json"


class Shown:
    """Something that shows itself in a cell; `document` is what it shows, as plain data.

    Parameters
    ----------
    text
        For terminals.
    html
        For notebooks; default: `text` as it is.
    mime
        A MIME bundle to be shown in place of both.
    """

    def __init__(
        self, document: Any, text: str, *, html: str = "", mime: Mapping[str, Any] | None = None
    ) -> None:
        self.document = document
        self.text = text
        self.html = html
        self._mime = dict(mime or {})

    def __getitem__(self, key: Any) -> Any:
        return self.document[key]

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        shown = self.html or page(f"<pre>{html.escape(self.text)}</pre>")
        return {"text/plain": self.text, **(self._mime or {"text/html": shown})}


def page(*parts: str) -> str:
    return f'<div class="jp-pipelines">{"".join(parts)}</div>'


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """An HTML table; whatever is in it is text."""
    head = "".join(f'<th style="text-align: left">{html.escape(str(name))}</th>' for name in columns)
    body = "".join(
        "<tr>"
        + "".join(f'<td style="text-align: left">{html.escape(str(cell))}</td>' for cell in cells)
        + "</tr>"
        for cells in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def row(facts: Mapping[str, Any]) -> str:
    """Facts in one line: ``status succeeded · time 2.1 s``."""
    told = (f"{html.escape(str(name))} <b>{html.escape(str(value))}</b>" for name, value in facts.items())
    return f"<p>{' · '.join(told)}</p>"


def tree(lineage: Mapping[str, Any], depth: int = 0) -> Iterator[str]:
    """A lineage as indented lines."""
    yield f"{'    ' * depth}{lineage['name']}  ← step {lineage['step']}, run {lineage['run_id']}"
    for given in lineage["inputs"]:
        yield from tree(given, depth + 1)


def curves(metrics: Mapping[str, Sequence[tuple[float, float | None]]]) -> dict[str, Any]:
    """A chart of metrics over steps, as a MIME bundle: Vega-Lite, as Altair writes it."""
    values = [
        {"metric": name, "step": step, "value": value}
        for name, points in metrics.items()
        for step, value in points
    ]
    spec = {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "data": {"values": values},
        "mark": {"type": "line", "point": len(values) <= 50, "tooltip": True},
        "width": 320,
        "height": 160,
        "encoding": {
            "x": {"field": "step", "type": "quantitative"},
            "y": {"field": "value", "type": "quantitative", "scale": {"zero": False}},
            "color": {"field": "metric", "type": "nominal"},
        },
    }
    return {VEGA_LITE: spec}
