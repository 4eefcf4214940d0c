"""A table at a glance as HTML: no script, nothing from the network, on light and on dark ground, wide and narrow.

One row a column: those with an anomaly first and open to the eye, the others folded. A row opens and shows a larger
picture, quantiles and commonest values beside those of the reference. Of very wide tables the first columns have a
picture, the next a line, so that a page never grows beyond 150 kB.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

Document = dict[str, Any]

WIDTH, HEIGHT = 180, 24
MOST_BYTES = 140_000
"""Of a page; the rest is counted."""
MOST_BYTES_OF_OUTPUT = 36_000
"""Of an output of a cell, in which the same stands as a chart beside it."""
MOST_WITH_PICTURES = 100_000
"""Bytes of a page in which columns have pictures; after that they have a line."""

_STYLE = """
.jpq{--e:#b3261e;--w:#8a5300;--i:#5f6368;--c:#2f6fc9;--g:#8885;container-type:inline-size;
font:13px/1.45 var(--jp-ui-font-family,system-ui,sans-serif);color:var(--jp-content-font-color1,inherit)}
body[data-jp-theme-light="false"] .jpq,.jpq.dark{--e:#ff8a80;--w:#ffb74d;--i:#a0a6ac;--c:#7fb0ff}
.jpq .error{color:var(--e)}.jpq .warning{color:var(--w)}.jpq .info,.jpq small{color:var(--i)}
.jpq summary{cursor:pointer;padding:.35rem .2rem;border-bottom:1px solid var(--g)}
.jpq .r>summary{display:grid;gap:.1rem .8rem;align-items:center;list-style:none;
grid-template-columns:minmax(7rem,1.1fr) 5.5rem 4rem 180px minmax(7rem,1fr) minmax(0,2.2fr)}
.jpq .r>summary::-webkit-details-marker{display:none}
.jpq .h{display:grid;gap:.8rem;padding:.2rem;color:var(--i);
grid-template-columns:minmax(7rem,1.1fr) 5.5rem 4rem 180px minmax(7rem,1fr) minmax(0,2.2fr)}
.jpq summary>*,.jpq .l{overflow-wrap:anywhere;min-width:0}
.jpq .n{display:block;height:.35rem;border:1px solid var(--g);border-radius:2px;position:relative}
.jpq .n>*{position:absolute;top:0;bottom:0;left:0;background:var(--i)}
.jpq .n>u{width:2px;background:var(--w);top:-2px;bottom:-2px}
.jpq svg{display:block;width:100%;max-width:180px;height:24px;overflow:visible}
.jpq .d{display:flex;flex-wrap:wrap;gap:.6rem 2rem;padding:.6rem .2rem 1rem}
.jpq .d svg{width:360px;max-width:100%;height:90px}
/* Not below .jpq: of what <use> shows again only the marks themselves are asked. */
.jpq-a{fill:#8886}.jpq-s{fill:none;stroke:var(--c);stroke-width:1.5;vector-effect:non-scaling-stroke}
.jpq-x{fill:var(--e)}
.jpq table{border-collapse:collapse}.jpq td,.jpq th{text-align:left;padding:.1rem .8rem .1rem 0;font-weight:400}
.jpq th{color:var(--i)}.jpq .t{overflow-x:auto;margin:.4rem 0 1rem}.jpq .l{margin:.15rem .2rem}
.jpq pre{overflow-x:auto;background:#8882;padding:.5rem;border-radius:4px;margin:.3rem 0}
@container (max-width:720px){.jpq .h{display:none}
.jpq .r>summary{grid-template-columns:minmax(0,1fr) minmax(0,1fr)}
.jpq .r>summary>.k,.jpq .r>summary>:first-child{grid-column:1/-1}
.jpq .u::after{content:" nulls"}.jpq .v::after{content:" distinct";color:var(--i)}
.jpq svg{max-width:none}}
"""

_PAGE = """
:root{color-scheme:light dark}
body{margin:0 auto;max-width:70rem;padding:1rem;font-family:system-ui,sans-serif}
h1{font-size:1.3rem;margin:.4rem 0;overflow-wrap:anywhere}
@media (prefers-color-scheme:dark){.jpq{--e:#ff8a80;--w:#ffb74d;--i:#a0a6ac;--c:#7fb0ff}}
"""


def html_report(document: Document) -> str:
    """The whole page of a table's document, see `views.table_document`.

    With ``failing_rows`` and ``traces``, where somebody has looked closer, these are in it.
    """
    title = f"{document['step']}.{document['name']}"
    facts = [f"run {document['run_id']}", document["type"], document["summary"]]
    if document["reference"]:
        facts.append(f"compared with run {document['reference']['run_id']}")
    parts = [f"<p>{escape(' · '.join(filter(None, facts)))}</p>"]
    of_table = [anomaly for anomaly in document["anomalies"] if anomaly["feature"] is None]
    parts += [f'<p class="l">{_verdict(anomaly)}</p>' for anomaly in of_table]
    parts += [f'<p class="l">{_change(change)}</p>' for change in document["changes"][:20]]
    parts += [_trace(trace) for trace in document.get("traces", ())]
    parts += [_failing(rows) for rows in document.get("failing_rows", ())]
    rows = document["overview"]
    if rows:
        parts.append("".join(_all_rows(rows, MOST_BYTES - sum(map(len, parts)) - len(_STYLE))))
    elif document["statistics"] is None:
        parts.append("<p>No statistics: it is like no table, and there are no arrays of numbers in it.</p>")
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
        f"<style>{_STYLE}{_PAGE}</style></head><body><h1>{escape(title)}</h1>"
        f'<main class="jpq">{"".join(parts)}</main></body></html>\n'
    )


def html_rows(rows: Sequence[Document], most_bytes: int = MOST_BYTES_OF_OUTPUT) -> str:
    """Rows of an overview, for an output of a cell: they bring their own style."""
    told = "".join(_all_rows(rows, most_bytes - len(_STYLE)))
    return f'<style>{_STYLE}</style><div class="jpq">{told}</div>'


def _all_rows(rows: Sequence[Document], most_bytes: int) -> Iterator[str]:
    """Those with anomalies, then the others, folded if there are any anomalies; as many as there is room for."""
    guilty = [row for row in rows if row["anomalies"]]
    quiet = [row for row in rows if not row["anomalies"]]
    room = _Room(most_bytes)
    yield _HEAD
    yield from room.take(guilty)
    if not guilty:
        yield from room.take(quiet)
        return
    if quiet:
        word = "column" if len(quiet) == 1 else "columns"
        yield f"<details><summary>{len(quiet)} {word} without change</summary>"
        yield from room.take(quiet)
        yield "</details>"


_HEAD = (
    '<div class="h"><span>Column</span><span>Nulls</span><span>Distinct</span><span>Distribution</span>'
    "<span>Values</span><span></span></div>"
)


class _Room:
    """How much of a page is left."""

    def __init__(self, most_bytes: int) -> None:
        self._left = most_bytes
        self._with_pictures = most_bytes * MOST_WITH_PICTURES // MOST_BYTES
        # Several outputs of a notebook lie in one page.
        self._prefix = f"q{secrets.token_hex(3)}"
        self._number = 0

    def take(self, rows: Sequence[Document]) -> Iterator[str]:
        """The rows, shorter where room is scarce."""
        for position, row in enumerate(rows):
            self._number += 1
            told = _row(row, f"{self._prefix}{self._number}") if self._with_pictures > 0 else _line(row)
            size = len(told.encode("utf-8", "surrogatepass"))
            if size > self._left:
                yield f"<p><small>… and {len(rows) - position} more columns</small></p>"
                return
            self._left -= size
            self._with_pictures -= size
            yield told


def _row(row: Document, mark: str) -> str:
    numbers = escape(" · ".join(row["numbers"].values()))
    names = escape(" · ".join(row["numbers"]))
    verdicts = "<br>".join(_verdict(anomaly) for anomaly in row["anomalies"])
    distinct = "–" if row["distinct"] is None else str(row["distinct"])
    gone = " <small>(gone)</small>" if row["is_gone"] else ""
    cells = (
        f"<span><b>{escape(row['name'])}</b>{gone} <small>{escape(row['dtype'])}</small></span>",
        f"<span>{_nulls(row)}</span>",
        f'<span class="v">{distinct}</span>',
        f'<span class="k">{sparkline(row["bins"], mark)}</span>',
        f'<small class="k" title="{names}">{numbers}</small>',
        f'<span class="k">{verdicts}</span>' if verdicts else "",
    )
    return f'<details class="r"><summary>{"".join(cells)}</summary>{_detail(row, mark)}</details>'


def _line(row: Document) -> str:
    """A column without a picture."""
    verdicts = " ".join(_verdict(anomaly) for anomaly in row["anomalies"])
    nulls = f" · {100 * row['nulls']:.3g} % nulls" if row["nulls"] else ""
    return f'<p class="l">{escape(row["name"])} <small>{escape(row["type"])}{nulls}</small> {verdicts}</p>'


def _detail(row: Document, mark: str) -> str:
    """What a row shows when it is opened: the picture again, larger, and numbers beside those of the reference."""
    bins = row["bins"]
    if bins is None:
        return ""
    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none"><use href="#{mark}"/></svg>']
    if bins["kind"] == "numbers":
        parts[0] = (
            f"<div>{parts[0]}<small>{escape(bins['start_text'])} – {escape(bins['stop_text'])}</small></div>"
        )
    if row["quantiles"]:
        heads = ("", *row["quantiles"])
        lines = [("now", *row["quantiles"].values())]
        if row["reference_quantiles"]:
            lines.append(("before", *row["reference_quantiles"].values()))
        parts.append(_small_table(heads, lines))
    if bins["kind"] == "values":
        before = bins["reference"] or []
        lines = [
            (label, f"{100 * share:.3g} %", *([f"{100 * before[index]:.3g} %"] if before else []))
            for index, (label, share) in enumerate(zip(bins["labels"], bins["current"], strict=True))
        ]
        parts.append(_small_table(("", "now", *(["before"] if before else [])), lines))
    return f'<div class="d">{"".join(parts)}</div>'


def _small_table(heads: Sequence[Any], lines: Sequence[Sequence[Any]]) -> str:
    head = "".join(f"<th>{escape(_text(one))}</th>" for one in heads)
    body = "".join(f"<tr>{''.join(f'<td>{escape(_text(one))}</td>' for one in line)}</tr>" for line in lines)
    return f'<div class="t"><table><tr>{head}</tr>{body}</table></div>'


def _text(value: Any) -> str:
    text = "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _verdict(anomaly: Document) -> str:
    severity = escape(anomaly["severity"])
    told = anomaly["description"]
    told = told if len(told) <= 400 else f"{told[:399]}…"
    accepted = " <small>(accepted)</small>" if anomaly.get("accepted") else ""
    kind = escape(anomaly["kind"].replace("_", " "))
    return f'<b class="{severity}">{severity}: {kind}</b>{accepted} {escape(told)}'


def _nulls(row: Document) -> str:
    before = row["reference_nulls"]
    was = "" if before is None or before == row["nulls"] else f" (was {100 * before:.3g} %)"
    tick = f'<u style="left:{100 * before:.3g}%"></u>' if was else ""
    bar = f'<span class="n"><i style="width:{100 * row["nulls"]:.3g}%"></i>{tick}</span>'
    told = f"{100 * row['nulls']:.3g} %"
    return f"{told}<small class='u'>{was}</small>{bar if row['nulls'] or was else ''}"


def _change(change: Document) -> str:
    parts = [f"{change['rows_before']} → {change['rows_after']} rows"]
    for word in ("added", "removed"):
        if names := change[f"columns_{word}"]:
            more = f" and {len(names) - 20} more" if len(names) > 20 else ""
            parts.append(f"{word}: {', '.join(map(str, names[:20]))}{more}")
    parts += [f"renamed {one['before']} → {one['after']}" for one in change["columns_renamed"][:20]]
    parts += [f"nulls of {n['column']}: {n['before']} → {n['after']}" for n in change["nulls"][:20]]
    for word in ("lost", "gained"):
        parts += [
            f"{one['column']} {word} {', '.join(map(str, one['values'][:5]))}"
            for one in change[f"categories_{word}"][:20]
        ]
    return f"From {escape(change['input'])}: {escape('; '.join(parts))}"


def _trace(trace: Document) -> str:
    source = (trace["source"] or "")[:2_000]
    code = f"<pre>{escape(source)}</pre>" if source else ""
    return f'<p class="l">{escape(trace["message"])}</p>{code}'


def _failing(found: Document) -> str:
    """Some of the rows that an anomaly is about."""
    anomaly = found["anomaly"]
    column = f" of {anomaly['feature']}" if anomaly["feature"] else ""
    title = escape(f"{anomaly['kind'].replace('_', ' ')}{column}: {found['message']} ({found['total']})")
    if not found["rows"]:
        return f'<p class="l">{title}</p>'
    heads = ("", *found["columns"][:12])
    lines = [(row["index"], *row["values"][:12]) for row in found["rows"][:20]]
    return f'<p class="l">{title}</p>{_small_table(heads, lines)}'


# -- drawings ---------------------------------------------------------------------------------------


def sparkline(bins: Document | None, mark: str = "") -> str:
    """The distribution as an inline drawing: the reference as a grey area, the run as a line over it.

    `mark` names the drawing, so that it can be shown again.
    """
    if bins is None or not bins["current"]:
        return ""
    words = escape(_in_words(bins))
    named = f' id="{mark}"' if mark else ""
    return (
        f'<svg role="img" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none">'
        f"<title>{words}</title><g{named}>{drawn(bins)}</g></svg>"
    )


def drawn(bins: Document | None) -> str:
    """The marks of a sparkline, for a drawing of the width and height of one."""
    if bins is None or not bins["current"]:
        return ""
    before = bins["reference"]
    most = max([*bins["current"], *(before or []), 1e-9])
    width = WIDTH / len(bins["current"])
    area = f'<path class="jpq-a" d="M0 {HEIGHT}{_steps(before, most)}V{HEIGHT}z"/>' if before else ""
    line = f'<path class="jpq-s" d="M0 {HEIGHT}{_steps(bins["current"], most)}"/>'
    marks = "".join(
        f'<rect class="jpq-x" x="{index * width:.1f}" y="{HEIGHT - 3}" width="{width:.1f}" height="3"/>'
        for index, is_unseen in enumerate(bins.get("unseen") or ())
        if is_unseen
    )
    return f"{area}{line}{marks}"


def _steps(shares: Sequence[float], most: float) -> str:
    """The rest of a path over the tops of bins of equal width, from their common ground."""
    width = WIDTH / len(shares)
    return "".join(
        f"V{_short(HEIGHT - share / most * (HEIGHT - 2))}H{_short((index + 1) * width)}"
        for index, share in enumerate(shares)
    )


def _short(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")


def _in_words(bins: Document) -> str:
    if bins["kind"] == "values":
        shares = zip(bins["labels"], bins["current"], strict=True)
        return "Shares: " + ", ".join(f"{label} {100 * share:.3g} %" for label, share in list(shares)[:6])
    told = f"Distribution from {bins['start_text']} to {bins['stop_text']}"
    outside = [f"{100 * bins[side]:.2g} % {side}" for side in ("below", "above") if bins[side]]
    return f"{told} ({', '.join(outside)})" if outside else told
