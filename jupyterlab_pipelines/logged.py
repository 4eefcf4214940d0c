"""What cells log while they run: metrics, texts and figures.

`log_metric`, `log_text` and `log_figure` may be called from any cell. Where a step runs, `Log` collects what
they are told, and writes every record to a file at once, where those who watch the run find it; elsewhere
(a plain notebook, a script) they do nothing. Standard library only.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

MOST_POINTS = 10_000
"""Of a metric that was logged more often, every second point is kept, then every fourth, and so on."""


class Log:
    """What one step logs.

    Parameters
    ----------
    path
        File to which each record is appended as one line of JSON; None: nobody watches.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._counts: dict[str, int] = {}
        self._strides: dict[str, int] = {}
        self.metrics: dict[str, list[list[Any]]] = {}
        self.last: dict[str, float | int | None] = {}
        self.texts: dict[str, str] = {}
        self.figures: dict[str, dict[str, Any]] = {}

    def add(self, record: dict[str, Any]) -> None:
        """Take one record, as `to_lines` has them."""
        name = record["name"]
        match record["kind"]:
            case "metric":
                self._add_point(name, record["step"], record["value"])
            case "text":
                self.texts[name] = record["text"]
            case "figure":
                self.figures[name] = record["data"]

    def tell(self, record: dict[str, Any]) -> None:
        """Take one record, and tell those who watch."""
        self.add(record)
        if self._path is not None:
            # A full disk must not end a training that goes well: what is stored at the end has it all.
            with suppress(OSError), self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")

    def _add_point(self, name: str, step: float | int | None, value: float | int | None) -> None:
        count = self._counts[name] = self._counts.get(name, 0) + 1
        self.last[name] = value
        points = self.metrics.setdefault(name, [])
        if (count - 1) % self._strides.get(name, 1) == 0:
            points.append([count - 1 if step is None else step, value])
        if len(points) > MOST_POINTS:
            del points[1::2]
            self._strides[name] = 2 * self._strides.get(name, 1)

    def to_json(self) -> dict[str, Any]:
        """``metrics``: by name, ``[step, value]`` pairs; ``last``; ``texts``; ``figures``: MIME bundles."""
        found = {
            "metrics": self.metrics,
            "last": self.last,
            "texts": self.texts,
            "figures": self.figures,
        }
        return {what: entries for what, entries in found.items() if entries}


def read_log(path: Path) -> Log:
    """What a step has logged so far; a line that is being written does not count yet."""
    log = Log()
    with suppress(OSError), path.open(encoding="utf-8") as file:
        for line in file:
            if line.endswith("\n"):
                with suppress(ValueError, KeyError, TypeError):
                    log.add(json.loads(line))
    return log


_log: Log | None = None


def collect(log: Log | None) -> None:
    """From now on `log` is told; None: nobody is."""
    global _log
    _log = log


def log_metric(name: str, value: float, *, step: float | None = None) -> None:
    """Log a number of the step that runs now; its last value is the step's metric of this name.

    Parameters
    ----------
    value
        A number, of Python or NumPy. Infinity and NaN are kept as null.
    step
        Where on the curve it lies, e.g. the epoch; default: how many were logged before.

    Raises
    ------
    TypeError
        `value` or `step` is no number.
    """
    position = None if step is None else _number(step, "step")
    _tell({"kind": "metric", "name": _name(name), "step": position, "value": _number(value, "value")})


def log_text(name: str, text: object) -> None:
    """Log a text of the step that runs now, e.g. a report; the last one of this name counts."""
    _tell({"kind": "text", "name": _name(name), "text": str(text)})


def log_figure(name: str, figure: Any) -> None:
    """Log a figure of the step that runs now: of matplotlib, plotly, altair, or whatever a cell can show.

    Raises
    ------
    TypeError
        `figure` has no picture of itself.
    """
    if _log is None:
        return
    data = _picture(figure)
    if not data:
        raise TypeError(f"log_figure({name!r}): a {type(figure).__name__} has no picture of itself.")
    _tell({"kind": "figure", "name": _name(name), "data": data})


def _tell(record: dict[str, Any]) -> None:
    if _log is not None:
        _log.tell(record)


def _name(name: str) -> str:
    if not isinstance(name, str) or not name:
        raise TypeError(f"The name of what is logged must be a text, not {name!r}.")
    return name


def _number(value: Any, what: str) -> float | int | None:
    """The number as JSON has it; of an array or tensor of one element, that element."""
    if not isinstance(value, (int, float)) and callable(getattr(value, "item", None)):
        with suppress(ValueError, RuntimeError, TypeError):
            value = value.item()
    if isinstance(value, bool):
        return int(value)
    if not isinstance(value, (int, float)):
        try:
            value = float(value)  # Decimal, Fraction
        except (TypeError, ValueError):
            raise TypeError(f"log_metric: {what} must be a number, not {value!r}.") from None
    # A subclass of float, such as `numpy.float64`, is written as the number that it is.
    number = int(value) if isinstance(value, int) else float(value)
    return number if number == number and abs(number) != float("inf") else None


def _picture(figure: Any) -> dict[str, Any]:
    """The figure as a MIME bundle, without a shell; matplotlib's own way where there is one."""
    save = getattr(figure, "savefig", None) or getattr(getattr(figure, "figure", None), "savefig", None)
    if save is not None:
        import base64
        import io

        buffer = io.BytesIO()
        save(buffer, format="png", bbox_inches="tight")
        return {"image/png": base64.b64encode(buffer.getvalue()).decode("ascii")}
    from IPython.core.formatters import DisplayFormatter
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance() if InteractiveShell.initialized() else None
    formatter = getattr(shell, "display_formatter", None) or DisplayFormatter()
    data, _ = formatter.format(figure, exclude=("text/plain", "text/latex"))
    return {kind: _as_json(each) for kind, each in data.items()}


def _as_json(data: Any) -> Any:
    if isinstance(data, bytes):
        import base64

        return base64.b64encode(data).decode("ascii")
    return data
