"""Progress bars that are widgets, as the lines that they are in a terminal: a log has no other way to show them."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

WIDTH = 20
"""Of a bar, in characters."""
REFERENCE = "IPY_MODEL_"
SPACES = str.maketrans("\xa0\u2007", "  ")

_TAGS = re.compile(r"<[^>]*>")


class ProgressBars:
    """Hears what widgets tell of themselves, and says what of it belongs in a log.

    A bar stands alone or, as tqdm makes it, in a box with labels. Its line is written anew, after a carriage
    return, when the last of them shows something else, and is finished by a line feed.
    """

    def __init__(self) -> None:
        self._states: dict[str, dict[str, Any]] = {}
        # By widget, the box that it stands in.
        self._boxes: dict[str, str] = {}
        self._lines: dict[str, str] = {}
        self._is_within_line = False

    def hear(self, kind: str, content: Mapping[str, Any]) -> str:
        """The text that a message adds to the log.

        Parameters
        ----------
        kind
            ``comm_open``, ``comm_msg`` or ``comm_close``.
        content
            Of the message, see Jupyter's protocol of widgets.
        """
        widget = content.get("comm_id", "")
        if kind == "comm_close":
            self._states.pop(widget, None)
            return self._finish(widget)
        changes = (content.get("data") or {}).get("state")
        if not isinstance(changes, dict):
            return ""
        state = self._states.setdefault(widget, {})
        state.update(changes)
        for child in _children(changes):
            self._boxes[child] = widget
        return self._show(self._boxes.get(widget, widget), widget)

    def make_room(self) -> str:
        """What to write before other text, so that it does not go on in the line of a bar."""
        if not self._is_within_line:
            return ""
        self._is_within_line = False
        return "\n"

    def _show(self, line: str, changed: str) -> str:
        names = _children(self._states.get(line, {})) or [line]
        members = [self._states.get(name, {}) for name in names]
        bar = next((member for member in members if _is_bar(member)), None)
        if bar is None or (changed not in (line, names[-1]) and not _is_over(bar)):
            return ""
        text = "".join(_bar(bar) if member is bar else _label(member) for member in members)
        before, shown = self._lines.get(line, ""), ""
        if text != before:
            self._lines[line] = text
            self._is_within_line = True
            # What is left of a longer line is written over.
            shown = f"\r{text.ljust(len(before))}"
        return shown + (self._finish(line) if _is_over(bar) else "")

    def _finish(self, line: str) -> str:
        return "" if self._lines.pop(line, None) is None else self.make_room()


def _children(state: Mapping[str, Any]) -> list[str]:
    children = state.get("children")
    return [str(each).removeprefix(REFERENCE) for each in children] if isinstance(children, list) else []


def _is_bar(state: Mapping[str, Any]) -> bool:
    return str(state.get("_model_name")) in ("FloatProgressModel", "IntProgressModel")


def _is_over(state: Mapping[str, Any]) -> bool:
    return state.get("bar_style") in ("success", "danger")


def _bar(state: Mapping[str, Any]) -> str:
    least, most, value = (float(state.get(name) or 0.0) for name in ("min", "max", "value"))
    share = min(1.0, max(0.0, (value - least) / (most - least))) if most > least else 0.0
    return f"|{'█' * round(share * WIDTH):{WIDTH}}|"


def _label(state: Mapping[str, Any]) -> str:
    value = state.get("value")
    return html.unescape(_TAGS.sub("", value)).translate(SPACES) if isinstance(value, str) else ""
