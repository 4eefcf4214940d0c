"""Tables and live progress for people: drawn with rich on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

OnEvent = Callable[[dict[str, Any]], None]

SYMBOLS = {
    "queued": "·",
    "running": "▸",
    "succeeded": "✓",
    "reused": "↺",
    "failed": "✗",
    "cancelled": "⊘",
    "skipped": "↷",
    "interrupted": "⚡",
}
COLOURS = {
    "queued": "dim",
    "running": "cyan",
    "succeeded": "green",
    "reused": "blue",
    "failed": "bold red",
    "cancelled": "yellow",
    "skipped": "dim",
    "interrupted": "yellow",
}
ENDED = frozenset(SYMBOLS) - {"queued", "running"}


def is_drawn(out: TextIO) -> bool:
    """Whether `out` is a terminal whose user wants colours and movement."""
    return out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def duration(seconds: float | None) -> str:
    """A length of time as people say it: ``2.1 s``, ``3 min 12 s``, ``2 h 5 min``."""
    if seconds is None:
        return ""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def time_of(step: dict[str, Any]) -> str:
    """How long a step took; nothing for one that was reused."""
    return "" if step["status"] == "reused" else duration(step.get("duration_seconds"))


def why(decision: str | None, reasons: Sequence[dict[str, Any]]) -> str:
    """Decision and first reason in a few words."""
    first = reasons[0]["message"] if reasons else ""
    more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
    return ": ".join(part for part in (decision, first) if part) + more


# -- tables ---------------------------------------------------------------------------------------


def show_table(columns: Sequence[str], rows: Sequence[Sequence[str]], out: TextIO) -> None:
    """Rows of words under headings; the last column takes what room there is."""
    if is_drawn(out):
        _draw_table(columns, rows, out)
        return
    widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
    for row in (columns, *rows):
        print(
            "  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip(), file=out
        )


def _draw_table(columns: Sequence[str], rows: Sequence[Sequence[str]], out: TextIO) -> None:
    from rich.console import Console
    from rich.text import Text

    table = _table()
    for name in columns[:-1]:
        table.add_column(name, no_wrap=True)
    table.add_column(columns[-1], overflow="fold", ratio=1)
    for row in rows:
        table.add_row(*(Text(word, style=_colour(word)) for word in row))
    Console(file=out).print(table)


def _colour(word: str) -> str:
    """A status has its colour wherever it stands in a table."""
    return COLOURS.get(word.rpartition(" ")[2], "") if len(word.split()) <= 2 else ""


def _table() -> Table:
    from rich.table import Table

    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim", expand=True)


# -- progress -------------------------------------------------------------------------------------


@dataclass
class _Row:
    step: str
    status: str = "queued"
    why: str = ""
    took: str = ""
    progress: str = ""
    changed_at: float = field(default_factory=time.monotonic)

    def update(self, event: dict[str, Any]) -> bool:
        """Take in a step's event; whether its status is another one now."""
        changed = bool(event["status"] != self.status)
        if changed:
            self.changed_at = time.monotonic()
        self.status = event["status"]
        self.took = time_of(event)
        self.progress = _how_far(event.get("progress") or {})
        if event.get("decision") or event.get("reasons"):
            self.why = why(event.get("decision"), event.get("reasons") or ())
        return changed


@contextmanager
def show_progress(out: TextIO) -> Iterator[OnEvent]:
    """Show a run on `out` while it goes on; yields what wants to hear its events."""
    if not is_drawn(out):
        yield PlainProgress(out)
        return
    live = LiveProgress(out)
    try:
        yield live
    finally:
        live.stop()


class PlainProgress:
    """A line for every step that begins or ends."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._rows: dict[str, _Row] = {}

    def __call__(self, event: dict[str, Any]) -> None:
        if event["kind"] == "plan":
            self._rows = _planned(event)
        elif event["kind"] == "step":
            row = self._rows.setdefault(event["step"], _Row(event["step"]))
            if row.update(event) and row.status != "queued":
                self._print(row)

    def _print(self, row: _Row) -> None:
        width = max(map(len, self._rows))
        line = f"{row.status:<11}  {row.step:<{width}}  {row.took:>10}  {row.why}"
        print(line.rstrip(), file=self._out, flush=True)


class LiveProgress:
    """A table of steps that is drawn anew several times a second."""

    def __init__(self, out: TextIO) -> None:
        from rich.console import Console
        from rich.live import Live
        from rich.spinner import Spinner

        self._rows: dict[str, _Row] = {}
        self._ended = False
        self._spinner = Spinner("dots")
        self._console: Console = Console(file=out)
        self._live = Live(console=self._console, get_renderable=self._draw, refresh_per_second=8)

    def __call__(self, event: dict[str, Any]) -> None:
        if event["kind"] == "plan":
            self._rows = _planned(event)
        elif event["kind"] == "step":
            # Made anew, not changed: the drawing thread goes through the dictionary meanwhile.
            row = self._rows.get(event["step"], _Row(event["step"]))
            row.update(event)
            self._rows = self._rows | {row.step: row}
        if self._rows and not self._live.is_started:
            # Not before there are steps: a notebook that is refused leaves no empty table.
            self._live.start()

    def stop(self) -> None:
        self._ended = True
        if self._live.is_started:
            self._live.stop()

    def _draw(self) -> Table:
        from rich.text import Text

        rows = list(self._rows.values())
        table = _table()
        table.add_column("step", no_wrap=True)
        table.add_column("status", no_wrap=True, min_width=13)
        table.add_column("time", no_wrap=True, justify="right", min_width=6)
        table.add_column("why", no_wrap=True, overflow="ellipsis", ratio=1)
        shown = rows if self._ended else _most_telling(rows, self._console.height - 4)
        for row in shown:
            style = COLOURS[row.status]
            table.add_row(
                row.step, self._status(row), self._time(row), Text(row.progress or row.why, style="dim")
            )
            table.rows[-1].style = "dim" if style == "dim" else ""
        if hidden := len(rows) - len(shown):
            table.add_row(Text(f"and {hidden} more", style="dim"), "", "", "")
        return table

    def _status(self, row: _Row) -> Text:
        from rich.text import Text

        if row.status == "running" and not self._ended:
            frame = self._spinner.render(self._console.get_time())
            return Text.assemble(str(frame), " ", row.status, style=COLOURS[row.status])
        return Text(f"{SYMBOLS[row.status]} {row.status}", style=COLOURS[row.status])

    def _time(self, row: _Row) -> str:
        if row.status == "running":
            return duration(time.monotonic() - row.changed_at)
        return row.took


def _how_far(progress: dict[str, int]) -> str:
    if "retry" in progress:
        return f"trying again ({progress['retry']})"
    if progress.get("cells", 0) > 1:
        return f"{progress['cell']} of {progress['cells']} cells done"
    return ""


def _planned(event: dict[str, Any]) -> dict[str, _Row]:
    return {
        step["name"]: _Row(step["name"], why=why(step["decision"], step["reasons"]))
        for step in event["steps"]
    }


def _most_telling(rows: Sequence[_Row], room: int) -> list[_Row]:
    """As many rows as there is room for: what runs or failed, then what has changed last."""
    if len(rows) <= room:
        return list(rows)
    first = sorted(
        rows,
        key=lambda row: (row.status not in ("running", "failed"), row.status == "queued", -row.changed_at),
    )
    kept = {row.step for row in first[: max(room - 1, 1)]}
    return [row for row in rows if row.step in kept]
