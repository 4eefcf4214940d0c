"""A table at a glance as a chart that JupyterLab draws itself: Vega-Lite 5, binned before, built with altair.

One view holds all rows, their places computed here: that is three times quicker to draw than a facet each.
Colours are read on light and on dark ground. Nothing of the table's rows is in it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from typing import Any

MIME_TYPE = "application/vnd.vegalite.v5+json"
SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"
MOST_COLUMNS = 60
MOST_BYTES_OF_PICTURE = 35_000
MOST_BYTES = 95_000
"""Of the chart alone; with its fallbacks an output stays below 150 kB."""

ROW_HEIGHT = 30
WIDTH = 690
_VERDICT_START = 150
_NULLS_START, _NULLS_WIDTH = 312, 44
_DISTINCT_START = 364
_SPARK_START, _SPARK_WIDTH = 410, 150

GREY = "#7a7a7a"
COLOURS = {"error": "#d64545", "warning": "#b86e00", "info": "#7a7a7a", "": "#7a7a7a"}

Document = dict[str, Any]


def chart(rows: Sequence[Document]) -> Document:
    """The Vega-Lite 5 document of an overview's first rows."""
    shown = list(rows[:MOST_COLUMNS])
    while True:
        spec = _spec(shown)
        if len(shown) <= 1 or len(json.dumps(spec)) <= MOST_BYTES:
            return spec
        shown = shown[: len(shown) * 3 // 4]


def mimebundle(rows: Sequence[Document], text: str) -> tuple[Document, Document]:
    """What a cell shows: the chart, a picture of it for front ends without Vega, and text; and their metadata.

    No HTML: JupyterLab would take it in place of the chart.
    """
    bundle: Document = {"text/plain": text}
    if rows:
        bundle |= {MIME_TYPE: chart(rows), "image/svg+xml": picture(rows)}
    return bundle, {MIME_TYPE: {"embed_options": {"actions": False}}}


def picture(rows: Sequence[Document]) -> str:
    """The first rows as one drawing, on light and on dark ground; as many as there is room for."""
    from jupyterlab_pipelines.quality.report import HEIGHT, drawn
    from jupyterlab_pipelines.quality.report import WIDTH as WIDTH_OF_SPARK

    parts: list[str] = []
    for index, row in enumerate(rows[:MOST_COLUMNS]):
        words = "".join(
            f'<text x="{word["x"]}" y="{ROW_HEIGHT * word["y"] + 4:.0f}" fill="{word["c"]}">{escape(word["t"])}</text>'
            for word in _words(row, index)
        )
        bar = _null_bar(row, index)
        nulls = (
            f'<rect x="{bar["x"]}" y="{ROW_HEIGHT * bar["y"]:.0f}" width="{bar["x2"] - bar["x"]:.1f}" height="6" '
            f'fill="{GREY}"/>'
        )
        spark = (
            f'<svg x="{_SPARK_START}" y="{ROW_HEIGHT * index + 3}" width="{_SPARK_WIDTH}" height="{HEIGHT}" '
            f'viewBox="0 0 {WIDTH_OF_SPARK} {HEIGHT}" preserveAspectRatio="none">{drawn(row["bins"])}</svg>'
        )
        part = words + nulls + spark
        if sum(map(len, parts)) + len(part) > MOST_BYTES_OF_PICTURE:
            break
        parts.append(part)
    height = ROW_HEIGHT * max(1, len(parts))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'font-family="sans-serif" font-size="11">'
        "<style>.jpq-a{fill:#8886}.jpq-s{fill:none;stroke:#3b7dd8;stroke-width:1.5}.jpq-x{fill:#d64545}</style>"
        f"{''.join(parts)}</svg>"
    )


def distribution(bins: Document, *, is_time: bool = False) -> Document:
    """One distribution, large: the reference as an area or pale bars, the run over it.

    The marks have the styles ``reference``, ``current`` and ``unseen``, so that who shows the chart can give it the
    colours of the page by its `config` alone.
    """
    import altair as alt

    layers = _number_layers(bins, is_time) if bins["kind"] == "numbers" else _value_layers(bins)
    height = 180 if bins["kind"] == "numbers" else max(60, 22 * len(bins["labels"]))
    whole = alt.layer(*layers).properties(width="container", height=height)
    styles = {
        "reference": {"color": GREY, "opacity": 0.35},
        "current": {"color": "#3b7dd8"},
        "unseen": {"color": COLOURS["error"]},
    }
    spec: Document = whole.configure(background="transparent", style=styles).to_dict(validate=False)
    return spec | {"$schema": SCHEMA}


def _number_layers(bins: Document, is_time: bool) -> list[Any]:
    import altair as alt

    count = len(bins["current"])
    width = (bins["stop"] - bins["start"]) / count
    # Vega's times are milliseconds.
    edges = [(bins["start"] + width * at) * (1000 if is_time else 1) for at in range(count + 1)]
    # Both ends of a step have their height, the last one, too.
    points = [
        {
            "at": edge,
            **{side: bins[side][min(at, count - 1)] for side in ("current", "reference") if bins[side]},
        }
        for at, edge in enumerate(edges)
    ]
    scale = alt.Scale(type="utc", nice=False) if is_time else alt.Scale(nice=False, zero=False)
    x = alt.X("at:T" if is_time else "at:Q", title=None, scale=scale)
    share = alt.Axis(format="%", title=None, tickCount=4)
    chart = alt.Chart(_data(points))
    layers = []
    if bins["reference"]:
        layers.append(
            chart.mark_area(interpolate="step-after", style="reference").encode(
                x=x, y=alt.Y("reference:Q", axis=share)
            )
        )
    layers.append(
        chart.mark_line(interpolate="step-after", strokeWidth=2, style="current").encode(
            x=x, y=alt.Y("current:Q", axis=share), tooltip=[_x_told(is_time), *_shares_told(bins)]
        )
    )
    return layers


def _x_told(is_time: bool) -> Any:
    import altair as alt

    return alt.Tooltip("at:T", title="from") if is_time else alt.Tooltip("at:Q", title="from", format=".4~g")


def _shares_told(bins: Document) -> list[Any]:
    import altair as alt

    sides = ("current", "reference") if bins["reference"] else ("current",)
    return [alt.Tooltip(f"{side}:Q", format=".2%", title=side) for side in sides]


def _value_layers(bins: Document) -> list[Any]:
    import altair as alt

    values = [
        {
            "at": at,
            "value": label[:200],
            "current": bins["current"][at],
            **({"reference": bins["reference"][at]} if bins["reference"] else {}),
            "style": "unseen" if bins["unseen"][at] else "current",
        }
        for at, label in enumerate(bins["labels"])
    ]
    # Two long values may be equal where they are cut: the place is what tells them apart.
    names = json.dumps([_short(label, 40) for label in bins["labels"]])
    y = alt.Y("at:O", axis=alt.Axis(title=None, labelExpr=f"{names}[datum.value]"))
    share = alt.Axis(format="%", title=None, tickCount=4)
    tooltip = [alt.Tooltip("value:N", title="value"), *_shares_told(bins)]
    layers = []
    if bins["reference"]:
        layers.append(
            alt.Chart(_data(values))
            .mark_bar(style="reference")
            .encode(y=y, x=alt.X("reference:Q", axis=share), tooltip=tooltip)
        )
    for style in ("current", "unseen"):
        shown = [value for value in values if value["style"] == style]
        if shown:
            layers.append(
                alt.Chart(_data(shown))
                .mark_bar(style=style, height={"band": 0.4})
                .encode(y=y, x=alt.X("current:Q", axis=share), tooltip=tooltip)
            )
    return layers


def _spec(rows: Sequence[Document]) -> Document:
    import altair as alt

    x = alt.X("x:Q", axis=None, scale=alt.Scale(domain=[0, WIDTH], nice=False))
    y = alt.Y("y:Q", axis=None, scale=alt.Scale(domain=[0, max(1, len(rows))], reverse=True, nice=False))

    def text(**mark: Any) -> Any:
        return alt.Chart().mark_text(align="left", baseline="middle", **mark)

    words = _data([word for index, row in enumerate(rows) for word in _words(row, index)])
    labels = text(fontSize=11, limit=_NULLS_START - 10).encode(
        x=x, y=y, text="t:N", color=alt.Color("c:N", scale=None), tooltip=alt.Tooltip("d:N", title=" ")
    )
    nulls = (
        alt.Chart(_data([_null_bar(row, index) for index, row in enumerate(rows)]))
        .mark_rect(color=GREY)
        .encode(x=x, x2="x2:Q", y=y, y2="y2:Q", tooltip=alt.Tooltip("d:N", title="nulls"))
    )
    layers = [nulls, labels.properties(data=words)]
    areas = [point for index, row in enumerate(rows) for point in _outline(row, index, "reference")]
    if areas:
        layers.append(
            alt.Chart(_data(areas))
            .mark_area(color=GREY, opacity=0.35, interpolate="step-after")
            .encode(x=x, y=y, y2="b:Q", detail="r:N")
        )
    lines = [point for index, row in enumerate(rows) for point in _outline(row, index, "current")]
    if lines:
        layers.append(
            alt.Chart(_data(lines))
            .mark_line(color="#3b7dd8", strokeWidth=1.5, interpolate="step-after")
            .encode(x=x, y=y, detail="r:N")
        )
    unseen = [mark for index, row in enumerate(rows) for mark in _unseen(row, index)]
    if unseen:
        layers.append(
            alt.Chart(_data(unseen))
            .mark_rect(color=COLOURS["error"])
            .encode(x=x, x2="x2:Q", y=y, y2="y2:Q", tooltip=alt.Tooltip("d:N", title="never seen before"))
        )
    whole = alt.layer(*layers).properties(width=WIDTH, height=ROW_HEIGHT * max(1, len(rows)))
    whole = whole.configure(background="transparent").configure_view(stroke=None)
    # What this chart needs is the same in versions 5 and 6, and validating it costs more than making it.
    spec: Document = whole.to_dict(validate=False)
    return spec | {"$schema": SCHEMA}


def _data(values: list[Document]) -> Any:
    """Values that stand in the chart itself; altair asks for no more of its data."""
    return {"values": values}


def _words(row: Document, index: int) -> list[Document]:
    """Name, verdict, distinct values and three numbers, each at its place."""
    verdict = row["anomalies"][0] if row["anomalies"] else None
    severity = verdict["severity"] if verdict else ""
    distinct = "–" if row["distinct"] is None else f"{row['distinct']}"
    numbers = " · ".join(row["numbers"].values())
    told = verdict["description"][:200] if verdict else ""
    middle = index + 0.5
    words = [
        {
            "x": 0,
            "y": middle,
            "t": _short(row["name"], 22),
            "c": COLOURS[severity],
            "d": f"{row['name']}: {row['dtype']}",
        },
        {"x": _DISTINCT_START, "y": middle, "t": distinct, "c": GREY, "d": "distinct values"},
        {
            "x": _SPARK_START + _SPARK_WIDTH + 8,
            "y": middle,
            "t": _short(numbers, 24),
            "c": GREY,
            "d": numbers[:120],
        },
    ]
    chip = f"{severity}: {verdict['kind'].replace('_', ' ')}" if verdict else row["type"]
    return [
        *words,
        {"x": _VERDICT_START, "y": middle, "t": chip, "c": COLOURS[severity], "d": told or row["dtype"]},
    ]


def _short(text: str, letters: int) -> str:
    return text if len(text) <= letters else text[: letters - 1] + "…"


def _null_bar(row: Document, index: int) -> Document:
    end = _NULLS_START + max(_NULLS_WIDTH * row["nulls"], 0.5)
    told = f"{100 * row['nulls']:.3g} %"
    return {"x": _NULLS_START, "x2": round(end, 1), "y": index + 0.4, "y2": index + 0.6, "d": told}


def _outline(row: Document, index: int, side: str) -> list[Document]:
    """The steps of one side of a row's distribution; as high as the row where a bin holds most."""
    bins = row["bins"]
    if bins is None or not bins[side]:
        return []
    most = max([*bins["current"], *(bins["reference"] or []), 1e-9])
    shares = [*bins[side], bins[side][-1]]
    step = _SPARK_WIDTH / len(bins[side])
    base: Document = {"b": round(index + 0.9, 2)} if side == "reference" else {}
    return [
        {
            "x": round(_SPARK_START + step * position, 1),
            "y": round(index + 0.9 - 0.8 * share / most, 2),
            "r": index,
            **base,
        }
        for position, share in enumerate(shares)
    ]


def _unseen(row: Document, index: int) -> list[Document]:
    bins = row["bins"]
    if bins is None or bins["kind"] != "values":
        return []
    step = _SPARK_WIDTH / max(1, len(bins["labels"]))
    return [
        {
            "x": round(_SPARK_START + step * position, 1),
            "x2": round(_SPARK_START + step * (position + 1), 1),
            "y": index + 0.82,
            "y2": index + 0.9,
            "d": bins["labels"][position][:60],
        }
        for position, is_unseen in enumerate(bins["unseen"])
        if is_unseen
    ]
